/* The response of a request, on the node's thread: what the application has commanded so far. */
#include "ground/base/assert.h"
#include "mesh/node/context.h"

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
void fe_context_give_up(struct flatend_context *ctx, int code)
{
    FE_ASSERT(code < 0 && ctx->stream != NULL, "a request is given up once, and for a reason");
    fe_stream_linger(ctx->stream, &ctx->lingering);
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
    fe_context_give_up(ctx, FLATEND_ERESET);
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
void fe_context_pump(struct flatend_context *ctx, unsigned commands)
{
    if (ctx->stream != NULL && (commands & FE_HANDOFF_RESET) != 0) {
        abort_response(ctx, commands);
    }
    if (ctx->stream != NULL && (commands & FE_HANDOFF_SEND_HEAD) != 0) {
        int code = send_response(ctx, commands);

        if (code != 0) {
            fe_context_give_up(ctx, code);
        }
    }
    FE_CHECK(fe_handoff_check(&ctx->io));
    if (ctx->stream != NULL) {
        return;
    }
    if ((commands & FE_HANDOFF_RELEASE) != 0) {
        fe_context_release(ctx);
    } else if ((commands & FE_HANDOFF_KEEP) != 0 &&
               fe_node_get_state(ctx->node) == FE_NODE_CLOSING) {
        (void)fe_context_abandon(ctx); /* or RELEASE is under way */
    }
}

void fe_context_on_task(struct fe_task *task)
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
    fe_context_pump(ctx, commands);
}
