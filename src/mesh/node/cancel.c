/* The end of a request that its owner no longer waits for, in whichever state it is.
 *
 * Happy path: its sender says how long it waits (`timeout-ms`); the handler's calls to others carry
 * what is left of that. The sender goes away, or its time is up: the handler's reads and writes
 * return, and its calls are canceled, which tells the next node the same.
 *
 * Failure modes: an old peer cannot be told; its stream goes on, and what it gets is an end. */
#include <limits.h>

#include "mesh/node/context.h"
#include "mesh/node/outgoing.h"

void fe_context_on_deadline(struct fe_timer *timer)
{
    struct flatend_context *ctx = FE_CONTAINER_OF(timer, struct flatend_context, deadline);

    if (ctx->stream == NULL || ctx->is_head_sent) {
        return;
    }
    if (fe_sender_is_secure(fe_stream_peer(ctx->stream)->sender)) {
        fe_context_time_out(ctx);
        return;
    }
    /* Without a head an old peer would see a request that was not handled, and might ask another
     * node: but the handler has run. It has its own clock. */
    fe_handoff_on_reset(&ctx->io, FLATEND_ETIMEDOUT);
    fe_context_cancel_children(ctx);
}

int fe_context_start_deadline(struct flatend_context *ctx)
{
    struct fe_worker *worker = ctx->node->worker;
    uint64_t timeout_ms = fe_received_head_timeout(&ctx->request);

    ctx->deadline_ms = FE_TIME_NEVER;
    if (timeout_ms == UINT64_MAX) {
        return 0;
    }
    ctx->deadline_ms = fe_worker_now(worker) + timeout_ms;
    return fe_timer_start(fe_worker_timers(worker), &ctx->deadline, ctx->deadline_ms);
}

void fe_context_cancel_children(struct flatend_context *ctx)
{
    struct fe_list *link;

    while ((link = fe_list_pop_front(&ctx->children)) != NULL) {
        fe_outgoing_cancel(FE_CONTAINER_OF(link, struct flatend_stream, sibling));
    }
}

enum fe_reason fe_context_reason(int code)
{
    switch (code) {
    case FLATEND_ECANCELED:
        return FE_REASON_CANCEL;
    case FLATEND_ETIMEDOUT:
        return FE_REASON_TIMEOUT;
    case FLATEND_ETOOBIG:
        return FE_REASON_TOO_LARGE;
    default:
        return FE_REASON_INTERNAL;
    }
}

unsigned flatend_context_remaining_ms(struct flatend_context *ctx)
{
    uint64_t now_ms = fe_clock_ms();
    uint64_t left_ms;

    if (ctx == NULL || ctx->deadline_ms == FE_TIME_NEVER) {
        return UINT_MAX;
    }
    left_ms = ctx->deadline_ms <= now_ms ? 0 : ctx->deadline_ms - now_ms;
    return left_ms < UINT_MAX ? (unsigned)left_ms : UINT_MAX - 1; /* a peer may say what it likes */
}
