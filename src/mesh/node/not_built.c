/* What the interface has, and the protocol settles, and no node speaks yet. */
#include "mesh/node/internal.h"

int flatend_context_read_message(struct flatend_context *ctx, size_t limit, const void **data,
                                 size_t *len)
{
    (void)ctx;
    (void)limit;
    (void)data;
    (void)len;
    return FLATEND_ESTATE;
}

int flatend_context_write_message(struct flatend_context *ctx, const void *data, size_t len)
{
    (void)ctx;
    (void)data;
    (void)len;
    return FLATEND_ESTATE;
}

int flatend_stream_read_message(struct flatend_stream *stream, size_t limit, const void **data,
                                size_t *len)
{
    (void)stream;
    (void)limit;
    (void)data;
    (void)len;
    return FLATEND_ESTATE;
}

int flatend_stream_write_message(struct flatend_stream *stream, const void *data, size_t len)
{
    (void)stream;
    (void)data;
    (void)len;
    return FLATEND_ESTATE;
}

int flatend_node_metrics(struct flatend_node *node, char *text, size_t cap, size_t *len)
{
    (void)node;
    (void)text;
    (void)cap;
    (void)len;
    return FLATEND_ESTATE;
}

int flatend_context_trace(const struct flatend_context *ctx, struct flatend_trace *trace)
{
    (void)ctx;
    (void)trace;
    return FLATEND_ESTATE;
}
