#include "rpc/internal.h"

#include <assert.h>

static void set_full(struct fe_stream *stream, bool is_full)
{
    struct fe_peer *peer = stream->peer;
    bool wanted = fe_peer_want_read(peer);

    if (stream->is_full == is_full) {
        return;
    }
    stream->is_full = is_full;
    if (is_full) {
        peer->n_full++;
    } else {
        peer->n_full--;
    }
    if (fe_peer_want_read(peer) != wanted) {
        peer->ops->on_want_read(peer);
    }
}

/* Keeps bytes for a reader that is behind. A stream that goes over its own share, or adds to a
 * connection that is over its own, stops the reading until its reader has come back. */
static int keep(struct fe_stream *stream, struct fe_view data)
{
    struct fe_peer *peer = stream->peer;
    int rc = fe_chain_append(&stream->waiting, data.ptr, data.len);

    if (rc != 0) {
        return rc;
    }
    peer->n_waiting += data.len;
    if (stream->waiting.len > FE_STREAM_WAITING_MAX || peer->n_waiting > FE_PEER_WAITING_MAX) {
        set_full(stream, true);
    }
    return 0;
}

/* One or more on_data for one piece of body; returns how much of it is done with. The stream may
 * have been given up when this returns. */
static size_t offer(struct fe_stream *stream, struct fe_view data)
{
    size_t n_taken = 0;

    do {
        size_t n;

        stream->delivery = FE_DELIVERY_RUNNING;
        n = stream->ops->on_data(stream, fe_view_skip(data, n_taken));
        if (stream->life != FE_STREAM_ACTIVE) {
            return data.len;
        }
        assert(n <= data.len - n_taken);
        n_taken += n;
    } while (n_taken < data.len && stream->delivery == FE_DELIVERY_RESUMED);
    stream->delivery = FE_DELIVERY_IDLE;
    return n_taken;
}

int fe_stream_receive(struct fe_stream *stream, struct fe_view data)
{
    if (stream->waiting.len == 0) {
        data = fe_view_skip(data, offer(stream, data));
    }
    return data.len == 0 ? 0 : keep(stream, data);
}

void fe_stream_receive_end(struct fe_stream *stream)
{
    if (stream->waiting.len > 0) {
        stream->in = FE_HALF_MUTED;
        return;
    }
    stream->in = FE_HALF_ENDED;
    stream->ops->on_end(stream);
    if (stream->life == FE_STREAM_ACTIVE && !stream->is_theirs) {
        fe_stream_finish(stream, 0);
    }
}

static void deliver(struct fe_stream *stream)
{
    struct fe_view front;
    size_t n;

    do {
        front = fe_chain_front(&stream->waiting);
        if (front.len == 0) {
            break;
        }
        n = offer(stream, front);
        if (stream->life != FE_STREAM_ACTIVE) {
            return;
        }
        fe_chain_consume(&stream->waiting, n);
        stream->peer->n_waiting -= n;
    } while (n == front.len);
    if (stream->waiting.len < FE_STREAM_WAITING_MAX / 2) {
        set_full(stream, false);
    }
    if (stream->in == FE_HALF_MUTED) {
        fe_stream_receive_end(stream);
    }
}

void fe_stream_resume(struct fe_stream *stream)
{
    struct fe_peer *peer = stream->peer;

    if (stream->life != FE_STREAM_ACTIVE) {
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
    stream->peer->n_waiting -= stream->waiting.len;
    fe_chain_deinit(&stream->waiting);
    set_full(stream, false);
}
