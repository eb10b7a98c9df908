#include <stdlib.h>

#include "ground/base/assert.h"
#include "mesh/rpc/internal.h"

static void set_backlogged(struct fe_stream *stream, bool is_backlogged)
{
    struct fe_peer *peer = stream->peer;
    bool wanted = fe_peer_want_read(peer);

    if (stream->is_backlogged == is_backlogged) {
        return;
    }
    stream->is_backlogged = is_backlogged;
    if (is_backlogged) {
        peer->n_backlogged++;
    } else {
        FE_ASSERT(peer->n_backlogged > 0, "readers that hold the peer back are counted");
        peer->n_backlogged--;
    }
    if (fe_peer_want_read(peer) != wanted) {
        peer->ops->on_want_read(peer);
    }
}

size_t fe_stream_waiting(const struct fe_stream *stream)
{
    return stream->small.len + stream->waiting.len;
}

static int append(struct fe_stream *stream, struct fe_view data)
{
    if (stream->waiting.len == 0 && data.len <= FE_STREAM_SMALL_MAX - stream->small.len) {
        return fe_buf_append(&stream->small, data.ptr, data.len);
    }
    return fe_chain_append(&stream->waiting, data.ptr, data.len);
}

/* Keeps bytes for a reader that is behind. A stream of an old peer that goes over its own share, or
 * adds to a connection that is over its own, stops the reading until its reader has come back. */
static int keep(struct fe_stream *stream, struct fe_view data)
{
    struct fe_peer *peer = stream->peer;
    int code = append(stream, data);

    if (code != 0) {
        return code;
    }
    peer->n_waiting += data.len;
    if (!peer->has_windows && (fe_stream_waiting(stream) > FE_STREAM_WAITING_MAX ||
                               peer->n_waiting > FE_PEER_WAITING_MAX)) {
        set_backlogged(stream, true);
    }
    fe_peer_make_room(peer);
    return 0;
}

static void free_waiting(struct fe_stream *stream)
{
    fe_buf_deinit(&stream->small);
    fe_chain_deinit(&stream->waiting);
}

/* One or more on_data for one piece of body; returns how much of it is done with. The stream may
 * have been given up when this returns. */
static size_t offer(struct fe_stream *stream, struct fe_view data)
{
    size_t n_taken = 0;

    do {
        size_t n;

        FE_ASSERT(stream->state == FE_STREAM_ACTIVE, "bytes are for a reader");
        stream->delivery = FE_DELIVERY_RUNNING;
        n = stream->ops->on_data(stream, fe_view_skip(data, n_taken));
        if (stream->state != FE_STREAM_ACTIVE) {
            free_waiting(stream); /* not before: the reader may have been looking at it */
            return data.len;
        }
        FE_ASSERT(n <= data.len - n_taken, "a reader takes no more than it was given");
        n_taken += n;
    } while (n_taken < data.len && stream->delivery == FE_DELIVERY_RESUMED);
    stream->delivery = FE_DELIVERY_IDLE;
    return n_taken;
}

/* So many bytes are done with: the reader has taken them, or has given up the stream. */
static void settle_bytes(struct fe_stream *stream, size_t n)
{
    if (stream->state == FE_STREAM_ACTIVE) {
        fe_stream_return_credit(stream, n);
    } else {
        fe_peer_return_credit(stream->peer, n);
    }
}

int fe_stream_receive(struct fe_stream *stream, struct fe_view data)
{
    size_t n = fe_stream_waiting(stream) == 0 ? offer(stream, data) : 0;
    int code = n < data.len ? keep(stream, fe_view_skip(data, n)) : 0;

    settle_bytes(stream, n);
    return code;
}

/* Trailers behind a body that still waits: they wait with it. */
static int keep_trailers(struct fe_stream *stream, struct fe_headers trailers)
{
    struct fe_peer *peer = stream->peer;
    size_t len = trailers.bytes.len;

    FE_ASSERT(stream->kept_trailers == NULL, "a body ends once");
    if (len == 0) {
        return 0;
    }
    if (len > FE_PEER_TRAILERS_MAX - peer->n_trailers) {
        return FLATEND_ETOOBIG;
    }
    stream->kept_trailers = malloc(len);
    if (stream->kept_trailers == NULL) {
        return FLATEND_ENOMEM;
    }
    memcpy(stream->kept_trailers, trailers.bytes.ptr, len);
    stream->n_kept_trailers = len;
    peer->n_trailers += len;
    stream->trailers = (struct fe_headers){.bytes = fe_view_of(stream->kept_trailers, len),
                                           .n = trailers.n,
                                           .is_long = trailers.is_long};
    return 0;
}

/* A local stream is complete, and gone before its owner is told: its memory, with the trailers,
 * stays until the outermost call into the peer returns. */
static void end_body(struct fe_stream *stream, struct fe_headers trailers)
{
    FE_ASSERT(stream->peer->depth > 0, "events come from within a call into the peer");
    stream->in = FE_HALF_ENDED;
    if (!stream->is_remote) {
        fe_stream_drop(stream);
    }
    stream->ops->on_end(stream, trailers);
}

int fe_stream_receive_end(struct fe_stream *stream, struct fe_headers trailers)
{
    int code;

    if (fe_stream_waiting(stream) == 0) {
        end_body(stream, trailers);
        return 0;
    }
    stream->in = FE_HALF_CLOSING;
    code = keep_trailers(stream, trailers);
    if (code != FLATEND_ETOOBIG) {
        return code;
    }
    /* Of a local stream both directions have ended: the peer needs no RESET. */
    code = stream->is_remote ? fe_stream_send_reset(stream, FE_REASON_TOO_LARGE) : 0;
    fe_stream_end_both(stream);
    fe_stream_close(stream, FLATEND_ETOOBIG);
    return code;
}

static struct fe_view front_of(const struct fe_stream *stream)
{
    return stream->small.len > 0 ? fe_buf_view(&stream->small) : fe_chain_front(&stream->waiting);
}

static void consume(struct fe_stream *stream, size_t n)
{
    if (stream->small.len > 0) {
        fe_buf_consume(&stream->small, n);
    } else {
        fe_chain_consume(&stream->waiting, n);
    }
    FE_ASSERT(n <= stream->peer->n_waiting, "bytes that wait are counted");
    stream->peer->n_waiting -= n;
    fe_stream_return_credit(stream, n);
}

static void deliver(struct fe_stream *stream)
{
    struct fe_view front;
    size_t n;

    do {
        front = front_of(stream);
        if (front.len == 0) {
            break;
        }
        n = offer(stream, front);
        if (stream->state != FE_STREAM_ACTIVE) {
            return;
        }
        consume(stream, n);
    } while (n == front.len);
    if (fe_stream_waiting(stream) < FE_STREAM_WAITING_MAX / 2) {
        set_backlogged(stream, false);
    }
    if (stream->in == FE_HALF_CLOSING && fe_stream_waiting(stream) == 0) {
        end_body(stream, stream->trailers);
    }
}

void fe_stream_resume(struct fe_stream *stream)
{
    struct fe_peer *peer = stream->peer;

    if (stream->state != FE_STREAM_ACTIVE) {
        return;
    }
    if (stream->delivery != FE_DELIVERY_IDLE) {
        stream->delivery = FE_DELIVERY_RESUMED;
        return;
    }
    fe_peer_enter(peer);
    deliver(stream);
    fe_peer_leave(peer);
}

void fe_stream_discard(struct fe_stream *stream)
{
    size_t n = fe_stream_waiting(stream);

    FE_ASSERT(n <= stream->peer->n_waiting, "bytes that wait are counted");
    stream->peer->n_waiting -= n;
    if (stream->delivery == FE_DELIVERY_IDLE) {
        free_waiting(stream);
    }
    set_backlogged(stream, false);
    fe_peer_return_credit(stream->peer, n);
}
