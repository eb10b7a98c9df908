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
#include <stdlib.h>

#include "ground/base/assert.h"
#include "mesh/net/peer_info.h"
#include "mesh/node/context.h"

enum {
    FREE_CONTEXTS_MAX = 256, /* contexts kept for the next requests */
    ARENA_MAX = 2 << 20,     /* what one request may take for its headers and trailers, both ways */
    /* A request starts when so much of its body is there, as a provider's refusal is then still
     * survived by a retry (FE_CALL_REPLAY_MAX), or after so long. */
    GATHER_MAX = 64 * 1024,
    GATHER_MS = 50,
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
    if (fe_handoff_init(&ctx->io, node->worker, &node->blocks, on_task) != 0) {
        free(ctx);
        return NULL;
    }
    ctx->node = node;
    ctx->io.on_reset_event = FLATEND_EVENT_CANCELED;
    ctx->io.events.node = node;
    ctx->io.events.context = ctx;
    ctx->job.run = run_job;
    fe_arena_init(&ctx->arena, ARENA_MAX);
    fe_arena_init(&ctx->trailer_arena, ARENA_MAX);
    fe_list_init(&ctx->children);
    fe_timer_init(&ctx->deadline, fe_context_on_deadline);
    fe_buf_init(&ctx->body, 0);
    fe_list_init(&ctx->link);
    fe_list_init(&ctx->gathering);
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
    fe_list_remove(&ctx->gathering);
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
    ctx->is_kept = false;
    ctx->phase = FE_RESPONSE_HEAD;
    ctx->serving = FE_SERVING_GATHERING;
    ctx->stream = NULL;
    ctx->started_ms = fe_worker_now(node->worker);
    ctx->is_head_sent = false;
    fe_response_head_init(&ctx->head, &ctx->arena, peer->sender->head_max);
    fe_response_head_init(&ctx->trailers, &ctx->arena, peer->sender->head_max);
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
    code = fe_stream_respond(ctx->stream, ctx->head.headers, ctx->head.n);
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

/* The node closes, and the application has not finished the request: it may still do so. Under the
 * node's lock, so that it cannot be freed meanwhile. False: it has finished it, by task. */
static bool abandon(struct flatend_context *ctx)
{
    struct flatend_node *node = ctx->node;
    bool is_abandoned;

    fe_timer_stop(fe_worker_timers(node->worker), &ctx->deadline);
    fe_mutex_lock(&node->lock);
    is_abandoned = fe_handoff_detach(&ctx->io);
    if (is_abandoned) {
        ctx->serving = FE_SERVING_ABANDONED;
        fe_list_remove(&ctx->link);
        fe_list_push_back(&node->abandoned, &ctx->link);
    }
    fe_mutex_unlock(&node->lock);
    if (is_abandoned) {
        FE_ASSERT(node->n_contexts > 0, "requests are counted");
        node->n_contexts--;
        fe_node_check_drained(node);
    }
    return is_abandoned;
}

void fe_context_discard(struct flatend_context *ctx)
{
    struct flatend_node *node = ctx->node;

    FE_ASSERT(ctx->serving == FE_SERVING_ABANDONED, "what is served is the node's thread's");
    fe_mutex_lock(&node->lock);
    fe_list_remove(&ctx->link);
    fe_mutex_unlock(&node->lock);
    fe_service_unref(ctx->service);
    context_free(ctx);
}

void fe_node_free_abandoned(struct flatend_node *node)
{
    while (!fe_list_is_empty(&node->abandoned)) {
        fe_context_discard(FE_CONTAINER_OF(node->abandoned.next, struct flatend_context, link));
    }
}

/* Does what was commanded so far, and frees the context when the application has left it and
 * everything is sent. */
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
    if (ctx->stream != NULL) {
        return;
    }
    if ((commands & FE_HANDOFF_RELEASE) != 0) {
        context_release(ctx);
    } else if ((commands & FE_HANDOFF_KEEP) != 0 &&
               fe_node_get_state(ctx->node) == FE_NODE_CLOSING) {
        (void)abandon(ctx); /* or RELEASE is under way */
    }
}

static void on_task(struct fe_task *task)
{
    struct flatend_context *ctx = FE_CONTAINER_OF(task, struct flatend_context, io.task);
    unsigned commands = fe_handoff_receive(&ctx->io);

    if (commands == 0) {
        return;
    }
    if (ctx->serving == FE_SERVING_ABANDONED) {
        fe_context_discard(ctx);
        return;
    }
    /* Resuming may end the stream, but not free the context: it has not left, or leaves by another
     * task. */
    if (ctx->stream != NULL &&
        (commands & (FE_HANDOFF_RESUME | FE_HANDOFF_RELEASE)) == FE_HANDOFF_RESUME) {
        fe_stream_resume(ctx->stream);
    }
    pump(ctx, commands);
}

/* ---- handlers ---- */

static void run_job(struct fe_job *job)
{
    struct flatend_context *ctx = FE_CONTAINER_OF(job, struct flatend_context, job);
    unsigned commands = FE_HANDOFF_RESET;

    /* One whose requester has gone while it was queued need not run. */
    if (!flatend_context_is_canceled(ctx)) {
        commands = fe_context_run(ctx);
    }
    fe_context_leave(ctx, commands, false);
}

/* Nobody else has it yet, or any more: the context is the stream's alone. */
static void answer(struct flatend_context *ctx, unsigned commands)
{
    FE_ASSERT((ctx->io.commands & FE_HANDOFF_RELEASE) == 0, "a request is answered once");
    ctx->io.n_holders = 0;
    ctx->io.commands |= commands | FE_HANDOFF_RELEASE;
    pump(ctx, ctx->io.commands);
}

static void run_inline(struct flatend_context *ctx)
{
    unsigned commands = fe_context_run(ctx);

    if ((commands & FE_HANDOFF_KEEP) != 0) {
        fe_context_leave(ctx, commands, false);
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
    context_release(ctx);
}

/* The request is told to its service's queue, and is the application's from then on. */
static void tell_queue(struct flatend_context *ctx)
{
    const struct fe_service *service = ctx->service;

    if (!fe_queue_is_open(service->queue.queue)) {
        refuse(ctx);
        return;
    }
    ctx->is_kept = true;
    ctx->io.commands |= FE_HANDOFF_KEEP; /* no handler has to return */
    fe_event_source_attach(&ctx->io.events, service->queue.queue, service->arg);
    fe_handoff_post(&ctx->io, FLATEND_EVENT_REQUEST);
}

/* Enough of the request is there. The context may be gone after this. */
static void start(struct flatend_context *ctx)
{
    struct flatend_node *node = ctx->node;

    FE_ASSERT(ctx->serving == FE_SERVING_GATHERING, "a request starts once");
    fe_list_remove(&ctx->gathering);
    ctx->serving = FE_SERVING_STARTED;
    if (ctx->service->queue.queue != NULL) {
        tell_queue(ctx);
    } else if (ctx->service->is_inline) {
        run_inline(ctx);
    } else if (fe_handler_pool_push(&node->pool, node->worker, &ctx->job) != 0) {
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
    } else if (fe_chain_append(&ctx->io.in, data.ptr, data.len) != 0) {
        answer(ctx, FE_HANDOFF_RESET);
    }
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
    if (ctx->service->is_inline) {
        gather_inline(ctx, data);
    } else if (fe_chain_append(&ctx->io.in, data.ptr, data.len) != 0) {
        answer(ctx, FE_HANDOFF_RESET);
    } else if (ctx->io.in.len >= GATHER_MAX) {
        start(ctx);
    }
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

    pump(ctx, fe_handoff_collect(&ctx->io));
}

static void on_reset(struct fe_stream *stream, int code)
{
    struct flatend_context *ctx = fe_stream_owner(stream);

    ctx->stream = NULL;
    if (ctx->serving == FE_SERVING_GATHERING) {
        context_release(ctx);
        return;
    }
    fe_handoff_on_reset(&ctx->io, code);
    fe_context_cancel_children(ctx);
    pump(ctx, fe_handoff_collect(&ctx->io));
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
    give_up(ctx, FLATEND_ETIMEDOUT);
    if (ctx->serving == FE_SERVING_GATHERING) {
        context_release(ctx);
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
        service != NULL ? context_new(node, service, peer, headers) : NULL;

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
            give_up(ctx, FLATEND_ECANCELED);
        }
        if (ctx->serving == FE_SERVING_GATHERING) {
            context_release(ctx);
            continue;
        }
        commands = fe_handoff_collect(&ctx->io);
        /* A handler that has returned waits for nothing. One that runs is waited for; then pump()
         * is told. */
        if ((commands & FE_HANDOFF_RELEASE) != 0) {
            context_release(ctx);
        } else if ((commands & FE_HANDOFF_KEEP) != 0) {
            (void)abandon(ctx);
        }
    }
}
