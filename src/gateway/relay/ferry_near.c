/* The near side: the handler of the client's exchange.
 *
 * Happy path: the request is copied and crosses; body bytes are accepted as there is room, the
 * response's are written as the client takes them; the far side's end ends the exchange.
 *
 * Failure modes: the client goes away: the far side is told, and its last parcel waited for. The
 * response cannot be passed on: the exchange is aborted, and the far side told. No memory: 503, or
 * an abort once a response has begun. */
#include <stdlib.h>

#include "gateway/relay/ferry_internal.h"
#include "web/http/problem.h"

static void send_later(struct fe_ferry *ferry)
{
    ferry->line->near.later(ferry->line->near.to, &ferry->near.turn);
}

/* ---- the end ------------------------------------------------------------------------------ */

/* If both sides are over. The ferry may be gone after this. */
static void leave_if_over(struct fe_ferry *ferry)
{
    struct fe_ferry_line *const line = ferry->line;
    bool is_awaited;

    if (ferry->ex != NULL || !ferry->has_last) {
        return;
    }
    fe_later_cancel(&ferry->near.turn);
    (void)pthread_mutex_lock(&ferry->lock);
    is_awaited = ferry->near.is_posted;
    ferry->has_left = is_awaited;
    (void)pthread_mutex_unlock(&ferry->lock);
    if (!is_awaited) {
        fe_ferry_free(ferry);
    }
    if (--line->n_ferries == 0) {
        line->on_empty(line->arg);
    }
}

/* The exchange is over; the far side has to be told unless it is over by itself. */
static void give_up(struct fe_ferry *ferry)
{
    ferry->ex = NULL;
    if (!ferry->has_last) {
        ferry->near.out.is_abort = true;
        send_later(ferry);
    }
    leave_if_over(ferry);
}

static void abort_exchange(struct fe_ferry *ferry)
{
    struct fe_exchange *const ex = ferry->ex;

    if (ex->responded) {
        ex->ops->abort(ex);
    } else {
        fe_problem_respond(ex, 503, "too much is going on");
    }
    give_up(ferry);
}

/* ---- the request's body ------------------------------------------------------------------- */

static size_t on_body(struct fe_exchange *ex, struct fe_view data)
{
    struct fe_ferry *const ferry = ex->handler;
    ssize_t n;

    if (ferry->has_last) {
        return data.len; /* for nobody, but the client may have to get rid of it before it reads */
    }
    n = fe_ferry_accept(ferry, &ferry->near, data);
    if (n < 0) {
        abort_exchange(ferry);
        return 0;
    }
    send_later(ferry);
    return (size_t)n;
}

static void on_body_end(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    struct fe_ferry *const ferry = ex->handler;
    struct fe_fields *const copy = fe_arena_alloc(&ferry->asked, sizeof(*copy));

    if (copy == NULL || fe_ferry_copy_fields(copy, trailers, &ferry->asked) != 0) {
        abort_exchange(ferry);
        return;
    }
    ferry->near.out.trailers = copy;
    ferry->near.out.is_end = true;
    send_later(ferry);
}

static void on_abort(struct fe_exchange *ex)
{
    give_up(ex->handler);
}

/* If the far side has asked for it, or there is room again. */
static void ask_for_body(struct fe_ferry *ferry)
{
    struct fe_ferry_side *const near = &ferry->near;
    const bool is_dropped = near->is_full && ferry->has_last; /* what is left of it */

    if (near->in.wants_body || is_dropped || fe_ferry_has_room_again(ferry, near)) {
        near->in.wants_body = false;
        near->is_full = false;
        ferry->ex->ops->resume(ferry->ex);
    }
}

/* ---- the response ------------------------------------------------------------------------- */

/* The ferry may be gone after this. */
static void pump(struct fe_ferry *ferry)
{
    struct fe_exchange *const ex = ferry->ex;
    struct fe_parcel *const in = &ferry->near.in;

    while (in->bytes.len > 0) {
        const struct fe_view front = fe_chain_front(&in->bytes);
        const ssize_t n = ex->ops->write(ex, front);

        if (n < 0) {
            abort_exchange(ferry);
            return;
        }
        fe_ferry_use(ferry, &ferry->near, (size_t)n);
        if ((size_t)n < front.len) {
            break; /* on_writable goes on */
        }
    }
    if (in->bytes.len == 0 && in->is_end) {
        ex->ops->end(ex, in->trailers);
        ferry->ex = NULL;
        leave_if_over(ferry);
        return;
    }
    if (fe_ferry_has_news(&ferry->near)) {
        send_later(ferry);
    }
}

static void on_writable(struct fe_exchange *ex)
{
    pump(ex->handler);
}

/* What the far side has sent. Whatever came first: a body that is not asked for before the response
 * is taken for one that nobody will read (web/http/exchange.h). */
static void use(struct fe_ferry *ferry)
{
    struct fe_exchange *const ex = ferry->ex;
    struct fe_parcel *const in = &ferry->near.in;
    const struct fe_response *const head = in->head;

    in->head = NULL;
    ask_for_body(ferry);
    if (head != NULL && ex->ops->respond(ex, head) != 0) {
        abort_exchange(ferry);
        return;
    }
    if (in->is_abort) { /* what came before it is for nobody */
        ex->ops->abort(ex);
        ferry->ex = NULL;
        leave_if_over(ferry);
        return;
    }
    if (ex->responded) {
        pump(ferry);
    }
}

static void on_mail(struct fe_mail *mail)
{
    struct fe_ferry *const ferry = FE_CONTAINER_OF(mail, struct fe_ferry, far.mail);

    fe_ferry_receive(ferry, &ferry->near, &ferry->far);
    ferry->has_last |= ferry->near.in.is_end || ferry->near.in.is_abort;
    if (ferry->ex != NULL) {
        use(ferry);
    } else {
        leave_if_over(ferry);
    }
}

static void on_turn(struct fe_later *later)
{
    struct fe_ferry *const ferry = FE_CONTAINER_OF(later, struct fe_ferry, near.turn);

    if (!ferry->has_last) { /* else there is nobody to read it */
        fe_ferry_send(ferry, &ferry->near, &ferry->line->far);
    }
}

static const struct fe_handler_ops handler_ops = {
    .on_body = on_body,
    .on_body_end = on_body_end,
    .on_writable = on_writable,
    .on_abort = on_abort,
};

/* ---- the start ---------------------------------------------------------------------------- */

static int copy_request(struct fe_ferry *ferry, const struct fe_request *from,
                        const struct fe_match *match, struct fe_view remote)
{
    struct fe_arena *const arena = &ferry->asked;
    struct fe_request *const to = &ferry->far_ex.request;
    const struct {
        struct fe_view *to;
        struct fe_view from;
    } views[] = {
        {&to->method_text, from->method_text},
        {&to->scheme, from->scheme},
        {&to->authority, from->authority},
        {&to->path, from->path},
        {&to->query, from->query},
        {&ferry->remote, remote},
    };
    int code;

    *to = *from;
    ferry->match = *match;
    code = fe_ferry_copy_fields(&to->fields, &from->fields, arena);
    for (size_t i = 0; code == 0 && i < sizeof(views) / sizeof(views[0]); i++) {
        code = fe_ferry_copy_view(views[i].to, views[i].from, arena);
    }
    /* Their names are the router's. */
    for (size_t i = 0; code == 0 && i < match->n_params; i++) {
        code = fe_ferry_copy_view(&ferry->match.params[i].value, match->params[i].value, arena);
    }
    return code;
}

static struct fe_ferry *ferry_new(struct fe_ferry_line *line, struct fe_exchange *ex)
{
    struct fe_ferry *const ferry = calloc(1, sizeof(*ferry));

    if (ferry == NULL) {
        return NULL;
    }
    if (pthread_mutex_init(&ferry->lock, NULL) != 0) {
        free(ferry);
        return NULL;
    }
    ferry->line = line;
    ferry->ex = ex;
    fe_ferry_side_init(&ferry->near, fe_ferry_far_on_mail, on_turn);
    fe_ferry_side_init(&ferry->far, on_mail, fe_ferry_far_on_turn);
    fe_arena_init(&ferry->asked, 0);
    fe_arena_init(&ferry->far_ex.arena, 0);
    ferry->far_ex.ops = &fe_ferry_far_ops;
    return ferry;
}

void fe_ferry_serve(struct fe_exchange *ex, const struct fe_config_route *route,
                    const struct fe_match *match, struct fe_view remote, struct fe_ferry_line *line)
{
    struct fe_ferry *const ferry = ferry_new(line, ex);

    if (ferry == NULL || copy_request(ferry, &ex->request, match, remote) != 0) {
        if (ferry != NULL) {
            fe_ferry_free(ferry);
        }
        fe_problem_respond(ex, 503, "too much is going on");
        return;
    }
    ferry->route = route;
    line->n_ferries++;
    ex->handler_ops = &handler_ops;
    ex->handler = ferry;
    ex->body_max = route->body_max;
    send_later(ferry);
}
