/* Bodies that are not copied between the application and the node. */
#include "mesh/node/context.h"
#include "mesh/node/outgoing.h"

/* What the application calls a buffer is the block in which the bytes have come. */
static ssize_t lend_buffer(struct fe_handoff *io, bool waits, const void **data,
                           struct flatend_buffer **buffer)
{
    struct fe_block *block;
    const ssize_t n = fe_handoff_take(io, waits, &block, data);

    *buffer = (struct flatend_buffer *)block;
    return n;
}

static int check_buffer(int code, const void **data, struct flatend_buffer **buffer)
{
    if (data == NULL || buffer == NULL) {
        return FLATEND_EINVAL;
    }
    *data = NULL;
    *buffer = NULL;
    return code;
}

ssize_t flatend_context_read_buffer(struct flatend_context *ctx, const void **data,
                                    struct flatend_buffer **buffer)
{
    int code = check_buffer(fe_context_check_call(ctx), data, buffer);

    return code != 0 ? code : lend_buffer(&ctx->io, fe_context_waits(ctx), data, buffer);
}

ssize_t flatend_stream_read_buffer(struct flatend_stream *stream, const void **data,
                                   struct flatend_buffer **buffer)
{
    int code = check_buffer(fe_outgoing_check_call(stream), data, buffer);

    return code != 0 ? code : lend_buffer(&stream->io, !stream->is_async, data, buffer);
}

void flatend_buffer_release(struct flatend_buffer *buffer)
{
    if (buffer != NULL) {
        fe_block_release((struct fe_block *)buffer);
    }
}

/* Of bytes that stay anyway. */
static void release_nothing(void *arg)
{
    (void)arg;
}

static struct fe_loan loan_of(const void *data, size_t len, flatend_release_fn release, void *arg)
{
    return (struct fe_loan){data, len, release != NULL ? release : release_nothing, arg};
}

/* An inline handler's response waits until it returns. */
static int lend_inline(struct flatend_context *ctx, const struct fe_loan *loan)
{
    int code;

    if (loan->len >= FE_CHAIN_LEND_MIN) {
        return loan->len <= FLATEND_INLINE_RESPONSE_MAX - ctx->io.sending.len
                   ? fe_handoff_load_loan(&ctx->io, loan)
                   : FLATEND_ETOOBIG;
    }
    code = fe_context_write_body(ctx, loan->data, loan->len);
    if (code == 0) {
        loan->release(loan->arg);
    }
    return code;
}

int flatend_context_write_buffer(struct flatend_context *ctx, const void *data, size_t len,
                                 flatend_release_fn release, void *arg)
{
    const struct fe_loan loan = loan_of(data, len, release, arg);
    int code = fe_context_begin_write(ctx, data, len);

    if (code != 0) {
        return code;
    }
    return !ctx->is_kept && ctx->service->is_inline
               ? lend_inline(ctx, &loan)
               : fe_handoff_lend(&ctx->io, fe_context_waits(ctx), &loan);
}

int flatend_stream_write_buffer(struct flatend_stream *stream, const void *data, size_t len,
                                flatend_release_fn release, void *arg)
{
    const struct fe_loan loan = loan_of(data, len, release, arg);
    int code = fe_outgoing_begin_write(stream, data, len);

    if (code == 0 && len == 0) {
        loan.release(loan.arg); /* nothing is sent */
        return 0;
    }
    return code != 0 ? code : fe_handoff_lend(&stream->io, !stream->is_async, &loan);
}
