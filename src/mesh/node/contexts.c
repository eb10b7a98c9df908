/* Where contexts come from, and go to. */
#include <stdlib.h>

#include "ground/base/assert.h"
#include "mesh/net/peer_info.h"
#include "mesh/node/context.h"

enum {
    FREE_CONTEXTS_MAX = 256, /* contexts kept for the next requests */
    ARENA_MAX = 2 << 20,     /* what one request may take for its headers and trailers, both ways */
};
static struct flatend_context *context_alloc(struct flatend_node *node)
{
    struct flatend_context *ctx = calloc(1, sizeof(*ctx));

    if (ctx == NULL) {
        return NULL;
    }
    if (fe_handoff_init(&ctx->io, &node->handoffs, fe_context_on_task) != 0) {
        free(ctx);
        return NULL;
    }
    ctx->node = node;
    ctx->io.on_reset_event = FLATEND_EVENT_CANCELED;
    ctx->io.events.node = node;
    ctx->io.events.context = ctx;
    ctx->job.run = fe_context_run_job;
    fe_arena_init_small(&ctx->arena, ARENA_MAX);
    fe_arena_init_small(&ctx->trailer_arena, ARENA_MAX);
    fe_list_init(&ctx->children);
    fe_timer_init(&ctx->deadline, fe_context_on_deadline);
    fe_buf_init(&ctx->body, 0);
    fe_list_init(&ctx->link);
    fe_list_init(&ctx->gathering);
    fe_list_init(&ctx->job.link);
    fe_lingering_init(&ctx->lingering);
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

void fe_context_release(struct flatend_context *ctx)
{
    struct flatend_node *node = ctx->node;

    FE_ASSERT(node->n_contexts > 0, "requests are counted");
    fe_timer_stop(fe_worker_timers(node->worker), &ctx->deadline);
    fe_lingering_end(&ctx->lingering);
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

struct flatend_context *fe_context_new(struct flatend_node *node, struct fe_service *service,
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
        fe_context_release(ctx);
        return NULL;
    }
    fe_received_head_set_peer_id(&ctx->request, ctx->id.is_proven ? ctx->key : NULL);
    return ctx;
}

/* Under the node's lock, so that it cannot be freed meanwhile. */
bool fe_context_abandon(struct flatend_context *ctx)
{
    struct flatend_node *node = ctx->node;
    bool is_abandoned;

    fe_timer_stop(fe_worker_timers(node->worker), &ctx->deadline);
    fe_lingering_end(&ctx->lingering);
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

static void free_abandoned(struct flatend_context *ctx)
{
    FE_ASSERT(ctx->serving == FE_SERVING_ABANDONED, "what is served is the node's thread's");
    fe_service_unref(ctx->service);
    context_free(ctx);
}

void fe_context_discard(struct flatend_context *ctx)
{
    struct flatend_node *node = ctx->node;

    fe_mutex_lock(&node->lock);
    fe_list_remove(&ctx->link);
    fe_mutex_unlock(&node->lock);
    free_abandoned(ctx);
}

void fe_node_free_abandoned(struct flatend_node *node)
{
    struct fe_list *link;

    while ((link = fe_list_pop_front(&node->abandoned)) != NULL) {
        free_abandoned(FE_CONTAINER_OF(link, struct flatend_context, link));
    }
}
