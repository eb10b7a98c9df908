/* The far side: an exchange that the service answers, on the worker of the mesh.
 *
 * Happy path: the first mail brings the request, the handler takes the body as it comes and asks
 * for; what it answers crosses at the end of each turn. With its end the far side is over.
 *
 * Failure modes: the client is gone: the handler is told, and the last parcel says that it was. */
#include "gateway/relay/ferry_internal.h"

static struct fe_ferry *ferry_of(struct fe_exchange *ex)
{
    return FE_CONTAINER_OF(ex, struct fe_ferry, far_ex);
}

static void send_later(struct fe_ferry *ferry)
{
    ferry->line->far.later(ferry->line->far.to, &ferry->far.turn);
}

/* ---- the exchange's calls ----------------------------------------------------------------- */

static int respond(struct fe_exchange *ex, const struct fe_response *response)
{
    struct fe_ferry *const ferry = ferry_of(ex);
    struct fe_response *copy;

    if (!fe_response_is_valid(response)) { /* said here, where it can still be answered otherwise */
        return FLATEND_EINVAL;
    }
    copy = fe_arena_alloc(&ex->arena, sizeof(*copy));
    if (copy == NULL) {
        return FLATEND_ENOMEM;
    }
    *copy = *response;
    if (fe_ferry_copy_fields(&copy->fields, &response->fields, &ex->arena) != 0) {
        return FLATEND_ENOMEM;
    }
    ferry->far.out.head = copy;
    ex->responded = true;
    send_later(ferry);
    return 0;
}

static ssize_t write_body(struct fe_exchange *ex, struct fe_view data)
{
    struct fe_ferry *const ferry = ferry_of(ex);
    const ssize_t n = fe_ferry_accept(ferry, &ferry->far, data);

    if (n > 0) {
        send_later(ferry);
    }
    return n;
}

static void finish(struct fe_ferry *ferry)
{
    ferry->is_over = true;
    send_later(ferry);
}

static void abort_response(struct fe_exchange *ex)
{
    struct fe_ferry *const ferry = ferry_of(ex);

    ferry->far.out.is_abort = true;
    finish(ferry);
}

static void end(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    struct fe_ferry *const ferry = ferry_of(ex);
    struct fe_fields *copy = NULL;

    if (trailers != NULL && trailers->n > 0) {
        copy = fe_arena_alloc(&ex->arena, sizeof(*copy));
        if (copy == NULL || fe_ferry_copy_fields(copy, trailers, &ex->arena) != 0) {
            abort_response(ex);
            return;
        }
    }
    ferry->far.out.trailers = copy;
    ferry->far.out.is_end = true;
    finish(ferry);
}

/* The body is handed over from the end of the turn, never from within the handler's call. */
static void resume(struct fe_exchange *ex)
{
    struct fe_ferry *const ferry = ferry_of(ex);

    ferry->far.out.wants_body |= !ferry->has_asked;
    ferry->has_asked = true;
    ferry->wants_body = true;
    send_later(ferry);
}

const struct fe_exchange_ops fe_ferry_far_ops = {
    .respond = respond,
    .write = write_body,
    .end = end,
    .abort = abort_response,
    .resume = resume,
};

/* ---- what comes --------------------------------------------------------------------------- */

/* The handler may end the exchange in each of its calls. */
static void pump_body(struct fe_ferry *ferry)
{
    struct fe_exchange *const ex = &ferry->far_ex;
    struct fe_parcel *const in = &ferry->far.in;

    while (ferry->wants_body && in->bytes.len > 0 && !ferry->is_over) {
        const struct fe_view front = fe_chain_front(&in->bytes);
        size_t n;

        ferry->wants_body = false; /* unless it is asked for meanwhile */
        n = ex->handler_ops->on_body(ex, front);
        ferry->wants_body |= n == front.len;
        fe_ferry_use(ferry, &ferry->far, n);
    }
    if (ferry->wants_body && in->is_end && !ferry->is_over) {
        in->is_end = false;
        ex->handler_ops->on_body_end(ex, in->trailers);
    }
}

static void begin(struct fe_ferry *ferry)
{
    ferry->has_begun = true;
    fe_service_serve(&ferry->far_ex, ferry->route, &ferry->match, ferry->remote, ferry->line->mesh);
}

/* A mail that comes too late. From the moment in which it counts as received the near side may free
 * the ferry, unless it has left that to us. */
static void drop_mail(struct fe_ferry *ferry)
{
    bool has_left;

    (void)pthread_mutex_lock(&ferry->lock);
    ferry->near.is_posted = false;
    has_left = ferry->has_left;
    (void)pthread_mutex_unlock(&ferry->lock);
    if (has_left) {
        fe_ferry_free(ferry);
    }
}

void fe_ferry_far_on_mail(struct fe_mail *mail)
{
    struct fe_ferry *const ferry = FE_CONTAINER_OF(mail, struct fe_ferry, near.mail);
    struct fe_exchange *const ex = &ferry->far_ex;

    if (ferry->is_over) {
        drop_mail(ferry);
        return;
    }
    fe_ferry_receive(ferry, &ferry->far, &ferry->near);
    if (ferry->far.in.is_abort) {
        if (ferry->has_begun) {
            ex->handler_ops->on_abort(ex);
        }
        abort_response(ex);
        return;
    }
    if (!ferry->has_begun) {
        begin(ferry);
    } else if (fe_ferry_has_room_again(ferry, &ferry->far)) {
        ferry->far.is_full = false;
        ex->handler_ops->on_writable(ex);
    }
    if (!ferry->is_over) {
        send_later(ferry);
    }
}

void fe_ferry_far_on_turn(struct fe_later *later)
{
    struct fe_ferry *const ferry = FE_CONTAINER_OF(later, struct fe_ferry, far.turn);

    pump_body(ferry);
    fe_later_cancel(&ferry->far.turn);    /* what the handler has asked for leaves now */
    if (fe_ferry_has_news(&ferry->far)) { /* such as the end */
        fe_ferry_send(ferry, &ferry->far, &ferry->line->near);
    }
}
