/* The stream's side of a request, on the node's thread.
 *
 * Happy path: a request, its context; its body is gathered, all or the beginning of it; then the
 * handler runs, on a thread of the pool or, inline, right here, or the request is told to a queue.
 * What is written comes by task, head and body and end in one turn if it was quick; the context is
 * freed when the application has left it and the response is gone.
 *
 * Failure modes: no such service, no thread, no memory: the request is refused, which tells its
 * sender to ask elsewhere. The requester goes away: the application learns it when it next reads or
 * writes, and by an event, and the context waits for it. The node closes: what is kept is
 * abandoned, since nobody can say when it would be finished. */
#include "ground/base/assert.h"
#include "mesh/net/peer_info.h"
#include "mesh/node/context.h"

enum {
    /* A request starts when so much of its body is there, as a provider's refusal is then still
     * survived by a retry (FE_CALL_REPLAY_MAX), or after so long. */
    GATHER_MAX = 64 * 1024,
    GATHER_MS = 50,
};

/* ---- handlers ---- */

void fe_context_run_job(struct fe_job *job)
{
    struct flatend_context *ctx = FE_CONTAINER_OF(job, struct flatend_context, job);
    unsigned commands = FE_HANDOFF_RESET;

    /* One whose requester has gone while it was queued need not run. */
    if (!flatend_context_is_canceled(ctx)) {
        commands = fe_context_run(ctx);
    }
    if ((commands & FE_HANDOFF_KEEP) == 0 && ctx->phase != FE_RESPONSE_FAILED) {
        (void)fe_context_end(ctx, commands);
    } else {
        fe_context_leave(ctx, commands, false);
    }
}

/* Nobody else has it yet, or any more: the context is the stream's alone. */
static void answer(struct flatend_context *ctx, unsigned commands)
{
    FE_ASSERT((ctx->io.commands & FE_HANDOFF_RELEASE) == 0, "a request is answered once");
    ctx->io.n_holders = 0;
    ctx->io.commands |= commands | FE_HANDOFF_RELEASE;
    fe_context_pump(ctx, ctx->io.commands);
}

static void run_inline(struct flatend_context *ctx)
{
    unsigned commands = fe_context_run(ctx);

    /* A call that has not begun holds its parent, which is whole, but not free yet. */
    if ((commands & FE_HANDOFF_KEEP) != 0 || ctx->io.n_holders > 1) {
        fe_context_pump(ctx, fe_handoff_leave_here(&ctx->io, commands));
    } else {
        answer(ctx, commands);
    }
}

/* Nothing was done: its sender may ask elsewhere. */
static void refuse(struct flatend_context *ctx)
{
    fe_mesh_stats(ctx->node->mesh)->requests_refused++;
    fe_stream_reset(ctx->stream, FE_REASON_REFUSED);
    ctx->stream = NULL;
    fe_context_release(ctx);
}

/* The request is told to its service's queue, and is the application's from then on. */
static void tell_queue(struct flatend_context *ctx)
{
    const struct fe_service *service = ctx->service;

    ctx->is_kept = true;
    ctx->io.commands |= FE_HANDOFF_KEEP; /* no handler has to return */
    if (!fe_event_source_begin(&ctx->io.events, service->queue.queue, service->arg,
                               ctx->node->worker, FLATEND_EVENT_REQUEST)) {
        ctx->io.commands = 0;
        refuse(ctx);
    }
}

/* Enough of the request is there. The context may be gone after this. */
static void start(struct flatend_context *ctx)
{
    struct flatend_node *node = ctx->node;
    const bool is_late = ctx->io.code != 0; /* of an old peer: fe_context_on_deadline */

    FE_ASSERT(ctx->serving == FE_SERVING_GATHERING, "a request starts once");
    fe_list_remove(&ctx->gathering);
    ctx->serving = FE_SERVING_STARTED;
    if (!is_late && ctx->service->queue.queue != NULL) {
        tell_queue(ctx);
    } else if (!is_late && ctx->service->is_inline) {
        run_inline(ctx);
    } else if (is_late || fe_handler_pool_push(&node->pool, node->worker, &ctx->job) != 0) {
        refuse(ctx);
    }
}

/* ---- gathering ---- */

void fe_node_on_gather_timer(struct fe_timer *timer)
{
    struct flatend_node *node = FE_CONTAINER_OF(timer, struct flatend_node, gather_timer);
    const uint64_t now_ms = fe_worker_now(node->worker);

    while (!fe_list_is_empty(&node->gathering)) {
        struct flatend_context *ctx =
            FE_CONTAINER_OF(node->gathering.next, struct flatend_context, gathering);

        if (ctx->started_ms + GATHER_MS > now_ms &&
            fe_timer_start(fe_worker_timers(node->worker), timer, ctx->started_ms + GATHER_MS) ==
                0) {
            break;
        }
        start(ctx);
    }
}

/* All wait equally long, so that one timer, for the first of them, is enough. */
static void gather(struct flatend_context *ctx)
{
    struct flatend_node *node = ctx->node;

    fe_list_push_back(&node->gathering, &ctx->gathering);
    if (!fe_timer_is_armed(&node->gather_timer) &&
        fe_timer_start(fe_worker_timers(node->worker), &node->gather_timer,
                       ctx->started_ms + GATHER_MS) != 0) {
        start(ctx);
    }
}

/* A body that is too large is answered here; an inline handler wants it whole. */
static void gather_inline(struct flatend_context *ctx, struct fe_view data)
{
    if (data.len > FLATEND_INLINE_BODY_MAX - ctx->io.in.len) {
        unsigned commands = FE_HANDOFF_SEND_HEAD | FE_HANDOFF_FINISH;

        ctx->serving = FE_SERVING_STARTED;
        if (flatend_context_fail(ctx, 413, "request body larger than %d bytes",
                                 FLATEND_INLINE_BODY_MAX) != 0) {
            commands = FE_HANDOFF_RESET;
        }
        answer(ctx, commands);
    } else if (fe_handoff_load_in(&ctx->io, data) != 0) {
        answer(ctx, FE_HANDOFF_RESET);
    }
}

/* A piece from this node itself may be longer than what may wait: then the handler asks for the
 * rest. Returns how much was taken. */
static size_t gather_some(struct flatend_context *ctx, struct fe_view data)
{
    const size_t space = FE_HANDOFF_IN_MAX - ctx->io.in.len;
    const size_t n = data.len < space ? data.len : space;

    FE_ASSERT(ctx->io.in.len < GATHER_MAX, "a request starts when enough of it is there");
    if (fe_handoff_load_in(&ctx->io, fe_view_of(data.ptr, n)) != 0) {
        answer(ctx, FE_HANDOFF_RESET);
    } else if (ctx->io.in.len >= GATHER_MAX) {
        ctx->io.owes_resume = n < data.len;
        start(ctx);
    }
    return n;
}

/* ---- events of the stream ---- */

static void on_response(struct fe_stream *stream, struct fe_headers headers)
{
    (void)stream;
    (void)headers;
    FE_UNREACHABLE("a stream of the peer's has no response of the peer's");
}

static size_t on_data(struct fe_stream *stream, struct fe_view data)
{
    struct flatend_context *ctx = fe_stream_owner(stream);

    if (ctx->serving != FE_SERVING_GATHERING) {
        /* An inline handler that was not to stream has had all that it wants. */
        return ctx->service->is_inline && !ctx->service->is_streaming
                   ? data.len
                   : fe_handoff_on_data(&ctx->io, data);
    }
    if (!ctx->service->is_inline) {
        return gather_some(ctx, data);
    }
    gather_inline(ctx, data);
    return data.len;
}

static void on_end(struct fe_stream *stream, struct fe_headers trailers)
{
    struct flatend_context *ctx = fe_stream_owner(stream);
    int code = 0;

    if (trailers.n > 0) {
        code = fe_received_head_init(&ctx->request_trailers, &ctx->trailer_arena, trailers);
    }
    if (ctx->serving != FE_SERVING_GATHERING) {
        if (code != 0) {
            fe_handoff_on_reset(&ctx->io, code);
        }
        fe_handoff_on_end(&ctx->io);
    } else if (code != 0) {
        answer(ctx, FE_HANDOFF_RESET);
    } else {
        ctx->io.is_complete = true;
        start(ctx);
    }
}

static void on_writable(struct fe_stream *stream)
{
    struct flatend_context *ctx = fe_stream_owner(stream);

    fe_context_pump(ctx, fe_handoff_collect(&ctx->io));
}

static void on_reset(struct fe_stream *stream, int code)
{
    struct flatend_context *ctx = fe_stream_owner(stream);

    ctx->stream = NULL;
    if (ctx->serving == FE_SERVING_GATHERING) {
        fe_context_release(ctx);
        return;
    }
    fe_stream_linger(stream, &ctx->lingering);
    fe_handoff_on_reset(&ctx->io, code);
    fe_context_cancel_children(ctx);
    fe_context_pump(ctx, fe_handoff_collect(&ctx->io));
}

static const struct fe_stream_ops stream_ops = {
    .on_response = on_response,
    .on_data = on_data,
    .on_end = on_end,
    .on_writable = on_writable,
    .on_reset = on_reset,
};

void fe_context_time_out(struct flatend_context *ctx)
{
    fe_context_give_up(ctx, FLATEND_ETIMEDOUT);
    if (ctx->serving == FE_SERVING_GATHERING) {
        fe_context_release(ctx);
    }
}

/* ---- requests ---- */

/* docs/PROTOCOL.md §1.3: the first of the named services that we have. */
static struct fe_service *find_service(const struct flatend_node *node, struct fe_names names)
{
    struct fe_view name;
    struct fe_service *service = NULL;

    while (service == NULL && fe_names_next(&names, &name)) {
        service = fe_node_find_service(node, name);
    }
    return service;
}

void fe_node_on_request(void *arg, struct fe_peer *peer, struct fe_stream *stream,
                        struct fe_names names, struct fe_headers headers)
{
    struct flatend_node *node = arg;
    struct fe_node_stats *stats = fe_mesh_stats(node->mesh);
    struct fe_service *service = find_service(node, names);
    struct flatend_context *ctx =
        service != NULL ? fe_context_new(node, service, peer, headers) : NULL;

    stats->requests_received++;
    if (ctx == NULL) {
        stats->requests_refused++; /* not accepted: there is no service, or no memory for it */
        return;
    }
    FE_ASSERT(ctx->stream == NULL, "a context has one stream");
    ctx->stream = stream;
    fe_stream_accept(stream, &stream_ops, ctx);
    if (service->is_streaming) {
        start(ctx);
    } else if (!service->is_inline) {
        gather(ctx);
    }
}

void fe_node_cancel_contexts(struct flatend_node *node)
{
    FE_LIST_FOREACH (link, next, &node->contexts) {
        struct flatend_context *ctx = FE_CONTAINER_OF(link, struct flatend_context, link);
        unsigned commands;

        if (ctx->stream != NULL) {
            fe_context_give_up(ctx, FLATEND_ECANCELED);
        }
        if (ctx->serving == FE_SERVING_GATHERING) {
            fe_context_release(ctx);
            continue;
        }
        commands = fe_handoff_collect(&ctx->io);
        /* A handler that has returned waits for nothing. One that runs is waited for; then
         * fe_context_pump() is told. */
        if ((commands & FE_HANDOFF_RELEASE) != 0) {
            fe_context_release(ctx);
        } else if ((commands & FE_HANDOFF_KEEP) != 0) {
            (void)fe_context_abandon(ctx);
        }
    }
}
