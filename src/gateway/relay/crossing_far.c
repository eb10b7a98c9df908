/* The far side: an exchange that a backend answers, on the worker of the mesh.
 *
 * Happy path: the first task brings the request, the backend takes the body as it comes and asks
 * for; what it answers crosses at the end of each turn. With its end the far side is over.
 *
 * Failure modes: the client is gone: the backend is told, and the last batch says that it was. */
#include "gateway/relay/crossing_internal.h"
#include "web/http/problem.h"

static struct fe_crossing *crossing_of(struct fe_exchange *ex)
{
    return FE_CONTAINER_OF(ex, struct fe_crossing, far_ex);
}

static void defer_send(struct fe_crossing *crossing)
{
    crossing->channel->far.defer(crossing->channel->far.to, &crossing->far.turn);
}

/* ---- the exchange's calls ------------------------------------------------------------------- */

static int send_head(struct fe_exchange *ex, const struct fe_response *response, bool is_tunnel)
{
    struct fe_crossing *const crossing = crossing_of(ex);
    struct fe_response *copy;

    if (!fe_response_is_valid(response)) { /* said here, where it can still be answered otherwise */
        return FLATEND_EINVAL;
    }
    copy = fe_arena_alloc(&ex->arena, sizeof(*copy));
    if (copy == NULL) {
        return FLATEND_ENOMEM;
    }
    *copy = *response;
    if (fe_crossing_copy_fields(&copy->fields, &response->fields, &ex->arena) != 0) {
        return FLATEND_ENOMEM;
    }
    crossing->far.out.head = copy;
    crossing->far.out.is_tunnel = is_tunnel;
    defer_send(crossing);
    return 0;
}

static int respond(struct fe_exchange *ex, const struct fe_response *response)
{
    return send_head(ex, response, false);
}

static int tunnel(struct fe_exchange *ex, const struct fe_response *response)
{
    return send_head(ex, response, true);
}

static ssize_t write_body(struct fe_exchange *ex, struct fe_view data)
{
    struct fe_crossing *const crossing = crossing_of(ex);
    const ssize_t n = fe_crossing_write(crossing, &crossing->far, data);

    if (n > 0) {
        defer_send(crossing);
    }
    return n;
}

static void leave(struct fe_crossing *crossing)
{
    crossing->is_over = true;
    crossing->far.out.is_last = true;
    defer_send(crossing);
}

static void abandon(struct fe_crossing *crossing)
{
    crossing->far.out.is_abort = true;
    leave(crossing);
}

static void reset(struct fe_exchange *ex, int code)
{
    (void)code;
    abandon(crossing_of(ex));
}

static void finish(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    struct fe_crossing *const crossing = crossing_of(ex);
    struct fe_fields *copy = NULL;

    if (trailers != NULL && trailers->n > 0) {
        copy = fe_arena_alloc(&ex->arena, sizeof(*copy));
        if (copy == NULL || fe_crossing_copy_fields(copy, trailers, &ex->arena) != 0) {
            abandon(crossing);
            return;
        }
    }
    crossing->far.out.trailers = copy;
    crossing->far.out.is_end = true;
    crossing->far.is_blocked = false;
    if (fe_exchange_is_over(ex)) {
        leave(crossing);
    } else { /* a tunnel, whose other direction goes on */
        defer_send(crossing);
    }
}

/* What it looks like is for the near side to say, which has the filters. */
static int copy_problem(struct fe_exchange *ex, const struct fe_problem *from,
                        struct fe_problem **copy)
{
    struct fe_problem *const to = fe_arena_alloc(&ex->arena, sizeof(*to));
    const struct fe_fields extra = {(struct fe_field *)(uintptr_t)from->extra,
                                    from->extra != NULL ? 1 : 0, 1};
    struct fe_fields own;

    if (to == NULL || fe_crossing_copy_fields(&own, &extra, &ex->arena) != 0) {
        return FLATEND_ENOMEM;
    }
    to->status = from->status;
    to->reason = fe_arena_copy(&ex->arena, fe_view_str(from->reason));
    to->extra = own.n > 0 ? own.items : NULL;
    *copy = to;
    return to->reason != NULL ? 0 : FLATEND_ENOMEM;
}

static void show_problem(struct fe_exchange *ex, const struct fe_problem *problem)
{
    struct fe_crossing *const crossing = crossing_of(ex);
    struct fe_problem *copy;

    if (copy_problem(ex, problem, &copy) != 0) {
        abandon(crossing);
        return;
    }
    crossing->far.out.problem = copy;
    leave(crossing);
}

/* The body is handed over from the end of the turn, never from within the backend's call. */
static void resume(struct fe_exchange *ex)
{
    struct fe_crossing *const crossing = crossing_of(ex);

    crossing->far.out.wants_body |= !crossing->has_asked;
    crossing->has_asked = true;
    crossing->wants_body = true;
    defer_send(crossing);
}

const struct fe_exchange_ops fe_crossing_far_ops = {
    .respond = respond,
    .write = write_body,
    .finish = finish,
    .reset = reset,
    .resume = resume,
    .tunnel = tunnel,
    .problem = show_problem,
};

/* ---- what comes ----------------------------------------------------------------------------- */

/* The client's end is next, and may be told: the backend of a tunnel that has ended its own
 * direction need not ask, it has nothing more to ask for. */
static bool is_end_due(const struct fe_crossing *crossing)
{
    const struct fe_crossing_batch *const in = &crossing->far.in;

    return in->is_end && in->bytes.len == 0 && !crossing->is_over &&
           (crossing->wants_body || crossing->far_ex.phase == FE_EXCHANGE_TUNNEL_READ);
}

/* The backend may end the exchange in each of its calls. */
static void pump_body(struct fe_crossing *crossing)
{
    struct fe_exchange *const ex = &crossing->far_ex;
    struct fe_crossing_batch *const in = &crossing->far.in;

    while (crossing->wants_body && in->bytes.len > 0 && !crossing->is_over) {
        const struct fe_view front = fe_chain_front(&in->bytes);
        size_t n;

        crossing->wants_body = false; /* unless it is asked for meanwhile */
        n = fe_exchange_deliver_data(ex, front);
        crossing->wants_body |= n == front.len;
        fe_crossing_consume(crossing, &crossing->far, n);
    }
    if (is_end_due(crossing)) {
        in->is_end = false;
        fe_exchange_deliver_end(ex, in->trailers);
        if (ex->is_tunnel && fe_exchange_is_over(ex) && !crossing->is_over) {
            leave(crossing); /* our direction has ended before */
        }
    }
}

static void begin(struct fe_crossing *crossing)
{
    crossing->has_begun = true;
    fe_backend_start(crossing->channel->backend, &crossing->far_ex);
}

/* A task that comes too late. From the moment in which it counts as received the near side may free
 * the crossing, unless it has left that to us. */
static void drop_task(struct fe_crossing *crossing)
{
    bool near_is_done;

    fe_mutex_lock(&crossing->lock);
    crossing->near.is_posted = false;
    near_is_done = crossing->near_is_done;
    fe_mutex_unlock(&crossing->lock);
    if (near_is_done) {
        fe_crossing_free(crossing);
    }
}

void fe_crossing_far_on_task(struct fe_task *task)
{
    struct fe_crossing *const crossing = FE_CONTAINER_OF(task, struct fe_crossing, near.task);
    struct fe_exchange *const ex = &crossing->far_ex;

    if (crossing->is_over) {
        drop_task(crossing);
        return;
    }
    fe_crossing_receive(crossing, &crossing->far, &crossing->near);
    if (crossing->far.in.is_abort) {
        if (crossing->has_begun) {
            fe_exchange_deliver_reset(ex, FLATEND_ECLOSED);
        }
        abandon(crossing);
        return;
    }
    if (!crossing->has_begun) {
        begin(crossing);
    } else if (fe_crossing_is_writable(crossing, &crossing->far)) {
        crossing->far.is_blocked = false;
        fe_exchange_deliver_writable(ex);
    }
    if (!crossing->is_over) {
        defer_send(crossing);
    }
}

void fe_crossing_far_on_turn(struct fe_deferred *deferred)
{
    struct fe_crossing *const crossing = FE_CONTAINER_OF(deferred, struct fe_crossing, far.turn);

    pump_body(crossing);
    fe_deferred_cancel(&crossing->far.turn);    /* what the backend has asked for leaves now */
    if (fe_crossing_is_dirty(&crossing->far)) { /* such as the end */
        FE_CHECK(fe_crossing_far_check(crossing));
        fe_crossing_send(crossing, &crossing->far, &crossing->channel->near);
    }
}

/* ---- invariants ----------------------------------------------------------------------------- */

void fe_crossing_far_check(const struct fe_crossing *crossing)
{
    const struct fe_crossing_batch *const out = &crossing->far.out;

    FE_ASSERT(crossing->is_over == out->is_last, "the last batch says that it is the last");
    FE_ASSERT(!crossing->has_begun ||
                  crossing->is_over == (crossing->far_ex.sent == FE_EXCHANGE_OVER),
              "the far side is over with its exchange");
    FE_ASSERT(!out->is_abort || crossing->is_over, "what is broken off is over");
    FE_ASSERT(!out->is_tunnel || out->head != NULL, "a tunnel begins with a head");
    FE_ASSERT(out->bytes.len <= crossing->far.n_in_flight,
              "each byte is in flight until it is taken");
    FE_ASSERT(!crossing->far.is_blocked || crossing->far_ex.phase != FE_EXCHANGE_TUNNEL_READ,
              "a direction that has ended is not held back");
    FE_ASSERT(!out->wants_body || crossing->has_asked, "the body is asked for once");
    if (crossing->has_begun) {
        fe_exchange_check(&crossing->far_ex);
    }
}
