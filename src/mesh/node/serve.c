/* The stream's side of a request, on the node's thread.
 *
 * Happy path: a request, its context, the handler on a thread of the pool; what it writes comes by
 * task, head and body and end in one turn if it was quick; the context is freed when the handler
 * has left and the response is gone. Inline: the body is collected, then the handler runs right
 * here.
 *
 * Failure modes: no such service, no thread, no memory: the stream is not accepted, which tells the
 * requester to ask elsewhere. The requester goes away: the handler learns it when it next reads or
 * writes, and the context waits for it. */
#include <stdlib.h>

#include "ground/base/assert.h"
#include "mesh/net/peer_info.h"
#include "mesh/node/context.h"

enum {
    FREE_CONTEXTS_MAX = 256, /* contexts kept for the next requests */
    ARENA_MAX = 1 << 20,     /* what one request may take for its headers, both ways */
};

static void on_task(struct fe_task *task);
static void run_job(struct fe_job *job);

/* ---- contexts ---- */

static struct flatend_context *context_alloc(struct flatend_node *node)
{
    struct flatend_context *ctx = calloc(1, sizeof(*ctx));

    if (ctx == NULL) {
        return NULL;
    }
    if (fe_handoff_init(&ctx->io, node->worker, on_task) != 0) {
        free(ctx);
        return NULL;
    }
    ctx->node = node;
    ctx->job.run = run_job;
    fe_arena_init(&ctx->arena, ARENA_MAX);
    fe_arena_init(&ctx->trailer_arena, ARENA_MAX);
    fe_list_init(&ctx->children);
    fe_timer_init(&ctx->deadline, fe_context_on_deadline);
    fe_buf_init(&ctx->body, 0);
    fe_list_init(&ctx->link);
    fe_list_init(&ctx->job.link);
    return ctx;
}

static void context_free(struct flatend_context *ctx)
{
    fe_handoff_deinit(&ctx->io);
    fe_buf_deinit(&ctx->body);
    fe_arena_deinit(&ctx->arena);
    fe_arena_deinit(&ctx->trailer_arena);
    free(ctx);
}

static void context_release(struct flatend_context *ctx)
{
    struct flatend_node *node = ctx->node;

    FE_ASSERT(node->n_contexts > 0, "requests are counted");
    fe_timer_stop(fe_worker_timers(node->worker), &ctx->deadline);
    fe_context_cancel_children(ctx);
    fe_service_unref(ctx->service);
    fe_list_remove(&ctx->link);
    if (node->n_free_contexts < FREE_CONTEXTS_MAX) {
        fe_handoff_clear(&ctx->io);
        fe_buf_deinit(&ctx->body);
        fe_arena_reset(&ctx->arena);
        fe_arena_reset(&ctx->trailer_arena);
        fe_list_push_front(&node->free_contexts, &ctx->link);
        node->n_free_contexts++;
    } else {
        context_free(ctx);
    }
    node->n_contexts--;
    FE_CHECK(fe_node_check(node));
    fe_node_check_drained(node);
}

void fe_node_clear_free_list(struct flatend_node *node)
{
    struct fe_list *link;

    while ((link = fe_list_pop_front(&node->free_contexts)) != NULL) {
        context_free(FE_CONTAINER_OF(link, struct flatend_context, link));
    }
    node->n_free_contexts = 0;
}

/* The ids of peers are formatted once for many requests in a row. */
static void identify(struct flatend_context *ctx, const struct fe_peer *peer)
{
    struct flatend_node *node = ctx->node;

    if (node->last_peer != peer->handle) {
        struct flatend_public_key key;

        fe_public_id(peer, &node->last_id);
        memcpy(key.bytes, node->last_id.public_key, sizeof(key.bytes));
        flatend_public_key_format(&key, node->last_key);
        node->last_peer = peer->handle;
    }
    ctx->id = node->last_id;
    memcpy(ctx->key, node->last_key, sizeof(ctx->key));
}

/* A context for the request; NULL: out of memory. */
static struct flatend_context *context_new(struct flatend_node *node, struct fe_service *service,
                                           const struct fe_peer *peer, struct fe_headers headers)
{
    struct fe_list *link = fe_list_pop_front(&node->free_contexts);
    struct flatend_context *ctx;

    if (link != NULL) {
        ctx = FE_CONTAINER_OF(link, struct flatend_context, link);
        FE_ASSERT(node->n_free_contexts > 0, "free contexts are counted");
        node->n_free_contexts--;
    } else {
        ctx = context_alloc(node);
    }
    if (ctx == NULL) {
        return NULL;
    }
    node->n_contexts++;
    fe_list_push_back(&node->contexts, &ctx->link);
    ctx->service = fe_service_ref(service);
    identify(ctx, peer);
    ctx->phase = FE_RESPONSE_HEAD;
    ctx->stream = NULL;
    ctx->started_ms = fe_worker_now(node->worker);
    ctx->is_head_sent = false;
    fe_handoff_set_pool(&ctx->io, service->is_inline ? fe_worker_pool(node->worker) : NULL);
    fe_response_head_init(&ctx->head, &ctx->arena);
    fe_response_head_init(&ctx->trailers, &ctx->arena);
    ctx->request_trailers = (struct fe_received_head){0};
    FE_ASSERT(ctx->io.commands == 0 && ctx->io.code == 0, "a context begins anew");
    if (fe_received_head_init(&ctx->request, &ctx->arena, headers) != 0 ||
        fe_context_start_deadline(ctx) != 0) {
        context_release(ctx);
        return NULL;
    }
    fe_received_head_set_peer_id(&ctx->request, ctx->id.is_proven ? ctx->key : NULL);
    return ctx;
}

/* ---- the response ---- */

static ssize_t write_stream(void *stream, struct fe_view data)
{
    return fe_stream_write(stream, data);
}

static int send_head(struct flatend_context *ctx)
{
    int code;

    if (ctx->is_head_sent) {
        return 0;
    }
    code = fe_response_head_finish(&ctx->head);
    if (code == 0) {
        code = fe_stream_respond(ctx->stream, ctx->head.headers, ctx->head.n);
    }
    ctx->is_head_sent = code == 0;
    fe_timer_stop(fe_worker_timers(ctx->node->worker), &ctx->deadline);
    return code;
}

/* The requester sees a failure, and not a short body; the handler learns `code`. */
static void give_up(struct flatend_context *ctx, int code)
{
    FE_ASSERT(code < 0 && ctx->stream != NULL, "a request is given up once, and for a reason");
    fe_stream_reset(ctx->stream, fe_context_reason(code));
    ctx->stream = NULL;
    fe_handoff_on_reset(&ctx->io, code);
    fe_context_cancel_children(ctx);
}

/* Without a head the requester would see a request that was refused, and might ask another node:
 * but the handler has run. */
static void abort_response(struct flatend_context *ctx, unsigned commands)
{
    if ((commands & FE_HANDOFF_SEND_HEAD) != 0) {
        (void)send_head(ctx); /* given up in either case */
    }
    give_up(ctx, FLATEND_ERESET);
}

static int send_response(struct flatend_context *ctx, unsigned commands)
{
    int code = send_head(ctx);

    if (code == 0) {
        code = fe_handoff_send(&ctx->io, write_stream, ctx->stream);
    }
    if (code == 0 && (commands & FE_HANDOFF_FINISH) != 0 && ctx->io.sending.len == 0) {
        code = fe_stream_finish(ctx->stream, ctx->trailers.headers, ctx->trailers.n);
        if (code == 0) {
            ctx->stream = NULL;
        }
    }
    return code;
}

/* Does what the handler commanded for so far, and frees the context when it has left and everything
 * is sent. */
static void pump(struct flatend_context *ctx, unsigned commands)
{
    if (ctx->stream != NULL && (commands & FE_HANDOFF_RESET) != 0) {
        abort_response(ctx, commands);
    }
    if (ctx->stream != NULL && (commands & FE_HANDOFF_SEND_HEAD) != 0) {
        int code = send_response(ctx, commands);

        if (code != 0) {
            give_up(ctx, code);
        }
    }
    FE_CHECK(fe_handoff_check(&ctx->io));
    if (ctx->stream == NULL && (commands & FE_HANDOFF_RELEASE) != 0) {
        context_release(ctx);
    }
}

static void on_task(struct fe_task *task)
{
    struct flatend_context *ctx = FE_CONTAINER_OF(task, struct flatend_context, io.task);
    unsigned commands = fe_handoff_receive(&ctx->io);

    /* Resuming may end the stream, but not free the context: it has not left, or leaves by another
     * task. */
    if (ctx->stream != NULL &&
        (commands & (FE_HANDOFF_RESUME | FE_HANDOFF_RELEASE)) == FE_HANDOFF_RESUME) {
        fe_stream_resume(ctx->stream);
    }
    pump(ctx, commands);
}

static void on_writable(struct fe_stream *stream)
{
    struct flatend_context *ctx = fe_stream_owner(stream);

    pump(ctx, fe_handoff_collect(&ctx->io));
}

static void on_response(struct fe_stream *stream, struct fe_headers headers)
{
    (void)stream;
    (void)headers;
    FE_UNREACHABLE("a stream of the peer's has no response of the peer's");
}

/* ---- handlers on the pool ---- */

static void run_job(struct fe_job *job)
{
    struct flatend_context *ctx = FE_CONTAINER_OF(job, struct flatend_context, job);
    unsigned commands = FE_HANDOFF_RESET;

    /* One whose requester has gone while it was queued need not run. */
    if (!flatend_context_is_canceled(ctx)) {
        commands = fe_context_run(ctx);
    }
    fe_handoff_command(&ctx->io, commands | FE_HANDOFF_RELEASE);
}

static size_t on_pooled_data(struct fe_stream *stream, struct fe_view data)
{
    struct flatend_context *ctx = fe_stream_owner(stream);

    return fe_handoff_on_data(&ctx->io, data);
}

/* What came behind the body. */
static int copy_trailers(struct flatend_context *ctx, struct fe_headers trailers)
{
    return fe_received_head_init(&ctx->request_trailers, &ctx->trailer_arena, trailers);
}

static void on_pooled_end(struct fe_stream *stream, struct fe_headers trailers)
{
    struct flatend_context *ctx = fe_stream_owner(stream);
    int code = copy_trailers(ctx, trailers);

    if (code != 0) {
        fe_handoff_on_reset(&ctx->io, code);
    }
    fe_handoff_on_end(&ctx->io);
}

static void on_pooled_reset(struct fe_stream *stream, int code)
{
    struct flatend_context *ctx = fe_stream_owner(stream);

    ctx->stream = NULL;
    fe_handoff_on_reset(&ctx->io, code);
    fe_context_cancel_children(ctx);
    pump(ctx, fe_handoff_collect(&ctx->io));
}

static const struct fe_stream_ops pooled_ops = {
    .on_response = on_response,
    .on_data = on_pooled_data,
    .on_end = on_pooled_end,
    .on_writable = on_writable,
    .on_reset = on_pooled_reset,
};

/* ---- inline handlers ---- */

/* The handler is done, or never ran: the context is the stream's alone. */
static void finish_inline(struct flatend_context *ctx, unsigned commands)
{
    FE_ASSERT(ctx->service->is_inline && (ctx->io.commands & FE_HANDOFF_RELEASE) == 0,
              "an inline handler answers once");
    ctx->io.commands |= commands | FE_HANDOFF_RELEASE;
    pump(ctx, ctx->io.commands);
}

void fe_context_time_out(struct flatend_context *ctx)
{
    give_up(ctx, FLATEND_ETIMEDOUT);
    if (ctx->service->is_inline) {
        finish_inline(ctx, 0); /* the request had not ended: there is no handler to leave */
    }
}

static size_t on_inline_data(struct fe_stream *stream, struct fe_view data)
{
    struct flatend_context *ctx = fe_stream_owner(stream);

    if ((ctx->io.commands & FE_HANDOFF_RELEASE) != 0) {
        return data.len; /* answered already */
    }
    if (data.len > FLATEND_INLINE_BODY_MAX - ctx->io.in.len) {
        unsigned commands = FE_HANDOFF_SEND_HEAD | FE_HANDOFF_FINISH;

        if (flatend_context_fail(ctx, 413, "request body larger than %d bytes",
                                 FLATEND_INLINE_BODY_MAX) != 0) {
            commands = FE_HANDOFF_RESET;
        }
        finish_inline(ctx, commands);
    } else if (fe_chain_append(&ctx->io.in, data.ptr, data.len) != 0) {
        finish_inline(ctx, FE_HANDOFF_RESET);
    }
    return data.len;
}

static void on_inline_end(struct fe_stream *stream, struct fe_headers trailers)
{
    struct flatend_context *ctx = fe_stream_owner(stream);

    if ((ctx->io.commands & FE_HANDOFF_RELEASE) == 0) {
        finish_inline(ctx,
                      copy_trailers(ctx, trailers) == 0 ? fe_context_run(ctx) : FE_HANDOFF_RESET);
    }
}

static void on_inline_writable(struct fe_stream *stream)
{
    struct flatend_context *ctx = fe_stream_owner(stream);

    pump(ctx, ctx->io.commands);
}

static void on_inline_reset(struct fe_stream *stream, int code)
{
    struct flatend_context *ctx = fe_stream_owner(stream);

    (void)code;
    ctx->stream = NULL;
    context_release(ctx);
}

static const struct fe_stream_ops inline_ops = {
    .on_response = on_response,
    .on_data = on_inline_data,
    .on_end = on_inline_end,
    .on_writable = on_inline_writable,
    .on_reset = on_inline_reset,
};

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

/* False: there is no service, thread or memory for it. */
static bool accept(struct flatend_node *node, const struct fe_peer *peer, struct fe_stream *stream,
                   struct fe_names names, struct fe_headers headers)
{
    struct fe_service *service = find_service(node, names);
    struct flatend_context *ctx;

    if (service == NULL) {
        return false;
    }
    ctx = context_new(node, service, peer, headers);
    if (ctx == NULL) {
        return false;
    }
    /* What the handler may do before the stream is accepted comes by task, after this. */
    if (!service->is_inline && fe_handler_pool_push(&node->pool, &ctx->job) != 0) {
        context_release(ctx);
        return false;
    }
    FE_ASSERT(ctx->stream == NULL, "a context has one stream");
    ctx->stream = stream;
    fe_stream_accept(stream, service->is_inline ? &inline_ops : &pooled_ops, ctx);
    return true;
}

void fe_node_on_request(void *arg, struct fe_peer *peer, struct fe_stream *stream,
                        struct fe_names names, struct fe_headers headers)
{
    struct flatend_node *node = arg;
    struct fe_node_stats *stats = fe_mesh_stats(node->mesh);

    stats->requests_received++;
    stats->requests_refused += !accept(node, peer, stream, names, headers);
}

void fe_node_cancel_contexts(struct flatend_node *node)
{
    FE_LIST_FOREACH (link, next, &node->contexts) {
        struct flatend_context *ctx = FE_CONTAINER_OF(link, struct flatend_context, link);

        if (ctx->stream != NULL) {
            give_up(ctx, FLATEND_ECANCELED);
        }
        /* A handler that has returned, or never started, waits for nothing. */
        if (ctx->service->is_inline || (fe_handoff_collect(&ctx->io) & FE_HANDOFF_RELEASE) != 0) {
            context_release(ctx);
        }
    }
}
