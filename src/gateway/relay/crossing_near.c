/* The near side: the backend of the client's exchange.
 *
 * Happy path: the request is copied and crosses; body bytes are accepted as there is room, the
 * response's are written as the client takes them; the far side's end ends the exchange.
 *
 * Failure modes: the client goes away: the far side is told, and its last batch waited for. The
 * response cannot be passed on: the exchange is reset, and the far side told. No memory: 503, a
 * head that the client's protocol cannot send: 502, or a reset once a response has begun. */
#include <stdlib.h>

#include "gateway/relay/crossing_internal.h"
#include "gateway/relay/transcribe.h"
#include "web/http/problem.h"

static void defer_send(struct fe_crossing *crossing)
{
    crossing->channel->near.defer(crossing->channel->near.to, &crossing->near.turn);
}

/* ---- the end -------------------------------------------------------------------------------- */

/* If both sides are over. The crossing may be gone after this. */
static void leave_if_over(struct fe_crossing *crossing)
{
    struct fe_crossing_channel *const channel = crossing->channel;
    struct fe_refcount *const snapshot = crossing->snapshot;
    bool is_awaited;

    if (crossing->ex != NULL || !crossing->far_is_done) {
        return;
    }
    fe_deferred_cancel(&crossing->near.turn);
    fe_list_remove(&crossing->unread);
    fe_mutex_lock(&crossing->lock);
    is_awaited = crossing->near.is_posted;
    crossing->near_is_done = is_awaited;
    fe_mutex_unlock(&crossing->lock);
    if (!is_awaited) {
        fe_crossing_free(crossing);
    }
    fe_refcount_unref(snapshot); /* the far side has forgotten the route, and so have we */
    if (--channel->n_crossings == 0) {
        channel->on_empty(channel->arg);
    }
}

/* A tunnel's exchange goes on behind the end of one direction. True: the crossing may be gone. */
static bool forget_if_over(struct fe_crossing *crossing, const struct fe_exchange *ex)
{
    if (!fe_exchange_is_over(ex)) {
        return false;
    }
    crossing->ex = NULL;
    if (!crossing->far_is_done) {
        fe_list_push_back(&crossing->channel->unread, &crossing->unread);
    }
    leave_if_over(crossing);
    return true;
}

/* The exchange is over; the far side has to be told unless it is over by itself. */
static void give_up(struct fe_crossing *crossing)
{
    crossing->ex = NULL;
    if (!crossing->far_is_done) {
        crossing->near.out.is_abort = true;
        defer_send(crossing);
    }
    leave_if_over(crossing);
}

void fe_crossing_channel_abort(struct fe_crossing_channel *channel)
{
    struct fe_list *link;

    while ((link = fe_list_pop_front(&channel->unread)) != NULL) {
        give_up(FE_CONTAINER_OF(link, struct fe_crossing, unread));
    }
}

static void fail(struct fe_crossing *crossing, int code)
{
    struct fe_exchange *const ex = crossing->ex;

    if (fe_exchange_has_responded(ex)) {
        fe_exchange_reset(ex, code);
    } else if (code == FLATEND_EINVAL) { /* which the far side did not see */
        fe_problem_respond(ex, 502, FE_RESPONSE_INVALID);
    } else {
        fe_problem_respond(ex, 503, "overloaded: out of memory");
    }
    give_up(crossing);
}

/* ---- the request's body --------------------------------------------------------------------- */

static size_t on_data(struct fe_exchange *ex, struct fe_view data)
{
    struct fe_crossing *const crossing = ex->state;
    ssize_t n;

    if (crossing->far_is_done) {
        return data.len; /* for nobody, but the client may have to get rid of it before it reads */
    }
    n = fe_crossing_write(crossing, &crossing->near, data);
    if (n < 0) {
        fail(crossing, (int)n);
        return 0;
    }
    defer_send(crossing);
    return (size_t)n;
}

static void on_end(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    struct fe_crossing *const crossing = ex->state;
    struct fe_fields *const copy = fe_arena_alloc(&crossing->request_arena, sizeof(*copy));

    if (copy == NULL || fe_crossing_copy_fields(copy, trailers, &crossing->request_arena) != 0) {
        fail(crossing, FLATEND_ENOMEM);
        return;
    }
    crossing->near.out.trailers = copy;
    crossing->near.out.is_end = true;
    defer_send(crossing);
    (void)forget_if_over(crossing, ex);
}

static void on_reset(struct fe_exchange *ex, int code)
{
    (void)code;
    give_up(ex->state);
}

/* If the far side has asked for it, or there is room again. */
static void ask_for_body(struct fe_crossing *crossing)
{
    struct fe_crossing_side *const near = &crossing->near;
    const bool is_dropped = near->is_blocked && crossing->far_is_done; /* what is left of it */

    if (near->in.wants_body || is_dropped || fe_crossing_is_writable(crossing, near)) {
        near->in.wants_body = false;
        near->is_blocked = false;
        fe_exchange_resume(crossing->ex);
    }
}

/* ---- the response --------------------------------------------------------------------------- */

/* The crossing may be gone after this. */
static void pump(struct fe_crossing *crossing)
{
    struct fe_exchange *const ex = crossing->ex;
    struct fe_crossing_batch *const in = &crossing->near.in;

    while (in->bytes.len > 0) {
        const struct fe_view front = fe_chain_front(&in->bytes);
        const ssize_t n = fe_exchange_write(ex, front);

        if (n < 0) {
            fail(crossing, (int)n);
            return;
        }
        fe_crossing_consume(crossing, &crossing->near, (size_t)n);
        if ((size_t)n < front.len) {
            break; /* on_writable goes on */
        }
    }
    if (in->bytes.len == 0 && in->is_end) {
        in->is_end = false;
        fe_exchange_finish(ex, in->trailers);
        if (forget_if_over(crossing, ex)) {
            return;
        }
    }
    if (fe_crossing_is_dirty(&crossing->near)) {
        defer_send(crossing);
    }
}

static void on_writable(struct fe_exchange *ex)
{
    pump(ex->state);
}

/* Before anything is asked for: what comes is the tunnel's then. False: the crossing may be gone.
 */
static bool open_tunnel(struct fe_crossing *crossing, const struct fe_response *head)
{
    const int code = fe_exchange_tunnel(crossing->ex, head);

    crossing->near.in.is_tunnel = false;
    if (code != 0) {
        fail(crossing, code);
    }
    return code == 0;
}

/* What the far side has sent. Whatever came first: a body that is not asked for before the response
 * is taken for one that nobody will read (web/http/exchange.h). */
static void use(struct fe_crossing *crossing)
{
    struct fe_exchange *const ex = crossing->ex;
    struct fe_crossing_batch *const in = &crossing->near.in;
    const struct fe_response *const head = in->head;
    int code = 0;

    in->head = NULL;
    if (in->is_tunnel && !open_tunnel(crossing, head)) {
        return;
    }
    ask_for_body(crossing);
    if (in->problem != NULL) {
        fe_problem_answer(ex, in->problem);
        crossing->ex = NULL;
        leave_if_over(crossing);
        return;
    }
    if (head != NULL && !ex->is_tunnel) {
        code = fe_exchange_respond(ex, head);
    }
    if (code != 0) {
        fail(crossing, code);
        return;
    }
    if (in->is_abort) { /* what came before it is for nobody */
        fe_exchange_reset(ex, FLATEND_ERESET);
        crossing->ex = NULL;
        leave_if_over(crossing);
        return;
    }
    if (fe_exchange_has_responded(ex)) {
        pump(crossing);
    }
}

static void on_task(struct fe_task *task)
{
    struct fe_crossing *const crossing = FE_CONTAINER_OF(task, struct fe_crossing, far.task);

    fe_crossing_receive(crossing, &crossing->near, &crossing->far);
    crossing->far_is_done |= crossing->near.in.is_last;
    if (crossing->ex != NULL) {
        use(crossing);
    } else {
        leave_if_over(crossing);
    }
}

static void on_turn(struct fe_deferred *deferred)
{
    struct fe_crossing *const crossing = FE_CONTAINER_OF(deferred, struct fe_crossing, near.turn);

    FE_CHECK(fe_crossing_near_check(crossing));
    if (!crossing->far_is_done) { /* else there is nobody to read it */
        fe_crossing_send(crossing, &crossing->near, &crossing->channel->far);
    }
}

/* ---- the start ------------------------------------------------------------------------------ */

static int copy_request(struct fe_crossing *crossing, const struct fe_exchange *ex)
{
    const struct fe_request *const from = &ex->request;
    struct fe_arena *const arena = &crossing->request_arena;
    struct fe_request *const to = &crossing->far_ex.request;
    const struct {
        struct fe_view *to;
        struct fe_view from;
    } views[] = {
        {&to->method_text, from->method_text},
        {&to->scheme, from->scheme},
        {&to->authority, from->authority},
        {&to->path, from->path},
        {&to->query, from->query},
        {&to->upgrade, from->upgrade},
        {&crossing->far_ex.remote, ex->remote},
    };
    int code;

    *to = *from;
    crossing->match = *ex->match;
    code = fe_crossing_copy_fields(&to->fields, &from->fields, arena);
    for (size_t i = 0; code == 0 && i < sizeof(views) / sizeof(views[0]); i++) {
        code = fe_crossing_copy_view(views[i].to, views[i].from, arena);
    }
    /* Their names are the router's. */
    for (size_t i = 0; code == 0 && i < crossing->match.n_params; i++) {
        code = fe_crossing_copy_view(&crossing->match.params[i].value, ex->match->params[i].value,
                                     arena);
    }
    return code;
}

static struct fe_crossing *crossing_new(struct fe_crossing_channel *channel, struct fe_exchange *ex)
{
    struct fe_crossing *const crossing = calloc(1, sizeof(*crossing));

    if (crossing == NULL) {
        return NULL;
    }
    if (fe_mutex_init(&crossing->lock) != 0) {
        free(crossing);
        return NULL;
    }
    crossing->channel = channel;
    crossing->ex = ex;
    fe_list_init(&crossing->unread);
    fe_crossing_side_init(&crossing->near, fe_crossing_far_on_task, on_turn);
    fe_crossing_side_init(&crossing->far, on_task, fe_crossing_far_on_turn);
    fe_arena_init(&crossing->request_arena, 0);
    fe_arena_init(&crossing->far_ex.arena, 0);
    crossing->far_ex.ops = &fe_crossing_far_ops;
    crossing->far_ex.match = &crossing->match;
    return crossing;
}

static void start(const struct fe_backend *backend, struct fe_exchange *ex)
{
    struct fe_crossing_channel *const channel =
        FE_CONTAINER_OF(backend, const struct fe_crossing_backend, backend)->channel;
    struct fe_crossing *const crossing = crossing_new(channel, ex);

    if (crossing == NULL || copy_request(crossing, ex) != 0) {
        if (crossing != NULL) {
            fe_crossing_free(crossing);
        }
        fe_problem_respond(ex, 503, "overloaded: out of memory");
        return;
    }
    crossing->snapshot = fe_refcount_ref(ex->snapshot);
    channel->n_crossings++;
    ex->state = crossing;
    defer_send(crossing);
}

static const struct fe_backend_ops backend_ops = {
    .start = start,
    .on_data = on_data,
    .on_end = on_end,
    .on_writable = on_writable,
    .on_reset = on_reset,
};

struct fe_crossing_backend fe_crossing_backend(struct fe_crossing_channel *channel)
{
    return (struct fe_crossing_backend){{&backend_ops}, channel};
}

/* ---- invariants ----------------------------------------------------------------------------- */

void fe_crossing_near_check(const struct fe_crossing *crossing)
{
    const struct fe_crossing_side *const near = &crossing->near;

    FE_ASSERT(crossing->ex != NULL || !crossing->far_is_done, "a crossing that is over is gone");
    FE_ASSERT(crossing->ex == NULL || !fe_list_is_linked(&crossing->unread),
              "a client is not done with what it has");
    FE_ASSERT(near->out.bytes.len <= near->n_in_flight, "each byte is in flight until it is taken");
    FE_ASSERT(near->out.head == NULL && near->out.problem == NULL && !near->out.wants_body,
              "requests cross at the start");
    FE_ASSERT(!near->out.is_abort || crossing->ex == NULL, "what is broken off is over");
    if (crossing->ex != NULL) {
        FE_ASSERT(crossing->ex->state == crossing, "the exchange is the crossing's");
        fe_exchange_check(crossing->ex);
    }
}
