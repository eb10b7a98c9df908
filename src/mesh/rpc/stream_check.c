/* What holds of a stream between any two calls: the diagram in internal.h, and the two directions.
 */
#include "ground/base/assert.h"
#include "mesh/rpc/internal.h"

static bool is_writable_half(enum fe_half half)
{
    return half == FE_HALF_HEAD || half == FE_HALF_BODY;
}

static void check_directions(const struct fe_stream *stream)
{
    if (stream->is_remote) {
        FE_ASSERT(stream->in != FE_HALF_HEAD, "a request begins with its head");
        FE_ASSERT(is_writable_half(stream->out), "a response that has ended ends its stream");
        return;
    }
    FE_ASSERT(stream->out != FE_HALF_HEAD, "a local stream begins with its request's head");
    FE_ASSERT(stream->in != FE_HALF_ENDED, "a local stream ends with its response");
    FE_ASSERT(stream->in != FE_HALF_CLOSING || stream->out > FE_HALF_BODY,
              "of a request whose response has ended no body is sent");
}

static void check_waiting(const struct fe_stream *stream)
{
    size_t n_waiting = fe_stream_waiting(stream);

    FE_ASSERT(stream->small.len <= FE_STREAM_SMALL_MAX, "few bytes are few");
    FE_ASSERT(n_waiting == 0 || stream->in == FE_HALF_BODY || stream->in == FE_HALF_CLOSING,
              "bytes wait behind the head and before on_end");
    FE_ASSERT(n_waiting > 0 || stream->in != FE_HALF_CLOSING, "on_end waits for bytes only");
    FE_ASSERT(!stream->is_backlogged || (n_waiting > 0 && !stream->peer->has_windows),
              "only an old peer is held back, and for bytes that wait");
    FE_ASSERT((stream->kept_trailers == NULL) == (stream->n_kept_trailers == 0),
              "trailers that are kept are counted");
    FE_ASSERT(
        stream->kept_trailers == NULL ||
            (stream->in > FE_HALF_BODY && stream->trailers.bytes.ptr == stream->kept_trailers),
        "trailers are kept behind a body that has ended");
}

static void check_blocked(const struct fe_stream *stream)
{
    FE_ASSERT(!stream->is_window_blocked || !fe_list_is_linked(&stream->link),
              "a writer waits for its window, or in the queue");
    FE_ASSERT(!fe_stream_is_blocked(stream) || stream->out == FE_HALF_BODY,
              "only a body waits to be written");
    FE_ASSERT(!stream->is_window_blocked || (stream->peer->has_windows && stream->window_out == 0),
              "a writer waits for a window that is used up");
}

/* granted = may still come + waits for the reader + taken, but not granted again. */
static void check_window(const struct fe_stream *stream)
{
    const struct fe_flow *flow = &stream->peer->flow;

    if (!stream->peer->has_windows) {
        return;
    }
    FE_ASSERT(stream->window_out <= FE_WINDOW_MAX, "a window is below 2^31");
    FE_ASSERT(stream->target >= flow->stream_in, "a window shrinks to what it began with");
    FE_ASSERT(stream->target <= flow->stream_in ||
                  stream->target <= flow->connection_in / FE_STREAM_SHARE,
              "a window grows to a share of the connection's");
    if (stream->in != FE_HALF_BODY || stream->delivery != FE_DELIVERY_IDLE ||
        stream->peer->has_failed) {
        return;
    }
    FE_ASSERT((uint64_t)stream->window_in + fe_stream_waiting(stream) + stream->returned ==
                  stream->target,
              "what was granted may still come, waits, or was taken");
}

static void check_active(const struct fe_stream *stream)
{
    FE_ASSERT(stream->ops != NULL, "an open stream has an owner");
    check_directions(stream);
    check_waiting(stream);
    check_blocked(stream);
    check_window(stream);
}

void fe_stream_check(const struct fe_stream *stream)
{
    FE_ASSERT(stream->peer != NULL && stream->node.key.ptr == (const uint8_t *)&stream->id,
              "a stream is known by its id");
    switch (stream->state) {
    case FE_STREAM_OFFERED:
        FE_ASSERT(stream->is_remote && stream->in == FE_HALF_BODY && stream->out == FE_HALF_HEAD,
                  "a request is offered before anything else of it comes");
        break;
    case FE_STREAM_ACTIVE:
        check_active(stream);
        break;
    case FE_STREAM_CLOSED:
        FE_ASSERT(stream->code < 0, "a stream is reset for a reason");
        FE_ASSERT(fe_list_is_linked(&stream->link), "on_reset is due");
        break;
    case FE_STREAM_LATE:
        FE_ASSERT(!stream->peer->has_windows, "late packets of a peer with windows need no stream");
        FE_ASSERT(stream->in != FE_HALF_ENDED, "a late stream waits for the peer's end");
        break;
    case FE_STREAM_GONE:
        FE_ASSERT(stream->in == FE_HALF_ENDED, "nothing comes any more for what is gone");
        break;
    }
}
