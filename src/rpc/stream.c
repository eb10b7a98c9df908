#include "rpc/internal.h"

#include <assert.h>

int fe_peer_count_head(struct fe_peer *peer)
{
    if (peer->sender->ops->space(peer->sender) > 0) {
        return 0;
    }
    if (peer->n_crowded == FE_PEER_CROWDED_MAX) {
        return FLATEND_ELIMIT;
    }
    peer->n_crowded++;
    return 0;
}

/* The next id of ours that is free. The peer chooses its ids freely, also ours; each taken one is
 * in the map, whose size is bounded. */
static uint32_t next_id(struct fe_peer *peer)
{
    uint32_t id;

    do {
        id = peer->sender->ops->next_stream(peer->sender);
    } while (fe_stream_find(peer, id) != NULL);
    return id;
}

int fe_stream_open(struct fe_peer *peer, const struct fe_view *services, size_t n_services,
                   const struct fe_header *headers, size_t n_headers,
                   const struct fe_stream_ops *ops, void *owner, struct fe_stream **stream)
{
    struct fe_sender *sender = peer->sender;
    struct fe_stream *opened;
    int rc;

    if (peer->is_closed) {
        return FLATEND_ECLOSED;
    }
    rc = fe_peer_count_head(peer);
    if (rc != 0) {
        return rc;
    }
    opened = fe_stream_new(peer, next_id(peer), false);
    if (opened == NULL) {
        return FLATEND_ENOMEM;
    }
    rc = sender->ops->request(sender, opened->id, services, n_services, headers, n_headers);
    if (rc != 0) {
        opened->in = FE_HALF_ENDED; /* the peer never hears of it */
        fe_stream_drop(opened);
        return rc;
    }
    opened->ops = ops;
    opened->owner = owner;
    *stream = opened;
    peer->ops->on_output(peer);
    return 0;
}

void fe_stream_accept(struct fe_stream *stream, const struct fe_stream_ops *ops, void *owner)
{
    assert(stream->life == FE_STREAM_OFFERED);
    stream->life = FE_STREAM_ACTIVE;
    stream->ops = ops;
    stream->owner = owner;
}

int fe_stream_respond(struct fe_stream *stream, const struct fe_header *headers, size_t n_headers)
{
    struct fe_peer *peer = stream->peer;
    int rc;

    if (stream->out == FE_HALF_MUTED) {
        return 0;
    }
    assert(stream->life == FE_STREAM_ACTIVE && stream->out == FE_HALF_HEAD);
    rc = peer->sender->ops->response(peer->sender, stream->id, true, headers, n_headers);
    if (rc != 0) {
        return rc;
    }
    stream->out = FE_HALF_BODY;
    peer->ops->on_output(peer);
    return 0;
}

/* How much of `len` bytes may be sent now. While streams wait only what is left of a turn, and none
 * outside of turns: else one that writes all the time would keep the output full for ever. */
static size_t allowance(const struct fe_peer *peer, size_t len)
{
    size_t space = peer->sender->ops->space(peer->sender);

    if (!fe_list_is_empty(&peer->blocked) && space > peer->turn) {
        space = peer->turn;
    }
    return len < space ? len : space;
}

ssize_t fe_stream_write(struct fe_stream *stream, struct fe_view data)
{
    struct fe_peer *peer = stream->peer;
    size_t n;

    if (stream->out == FE_HALF_MUTED) {
        return (ssize_t)data.len;
    }
    assert(stream->life == FE_STREAM_ACTIVE && stream->out == FE_HALF_BODY);
    n = allowance(peer, data.len);
    if (n > 0) {
        int rc = peer->sender->ops->data(peer->sender, stream->id, fe_view_of(data.ptr, n));

        if (rc != 0) {
            return rc;
        }
        peer->turn -= n < peer->turn ? n : peer->turn;
        peer->ops->on_output(peer);
    }
    if (n < data.len && !fe_list_is_linked(&stream->link)) {
        fe_list_push_back(&peer->blocked, &stream->link);
    }
    return (ssize_t)n;
}

int fe_stream_send_end(struct fe_stream *stream)
{
    struct fe_peer *peer = stream->peer;
    int rc;

    if (stream->out == FE_HALF_MUTED || stream->out == FE_HALF_ENDED) {
        return 0;
    }
    rc = peer->sender->ops->end(peer->sender, stream->id, NULL, 0);
    if (rc == 0) {
        peer->ops->on_output(peer);
    }
    return rc;
}

int fe_stream_end(struct fe_stream *stream)
{
    int rc;

    if (stream->out == FE_HALF_MUTED) {
        stream->out = FE_HALF_ENDED;
        return 0;
    }
    assert(stream->life == FE_STREAM_ACTIVE && stream->out == FE_HALF_BODY);
    rc = fe_stream_send_end(stream);
    if (rc != 0) {
        return rc;
    }
    fe_list_remove(&stream->link);
    stream->out = FE_HALF_ENDED;
    if (stream->is_theirs) {
        /* Nobody wants the rest of a request that has been answered; old peers send it all. */
        fe_stream_finish(stream, 0);
    }
    return 0;
}

/* `handled` 0 ends a stream at once (docs/PROTOCOL.md §1.2), so it is the means to abort a response
 * too. Old peers take it so only before the head; after it they ignore it, and get the end besides:
 * a short body for them, but not one that they wait for for ever. */
static int abort_response(struct fe_stream *stream)
{
    const struct fe_sender_ops *ops = stream->peer->sender->ops;
    int rc = ops->response(stream->peer->sender, stream->id, false, NULL, 0);

    if (rc == 0 && stream->out == FE_HALF_BODY) {
        rc = ops->end(stream->peer->sender, stream->id, NULL, 0);
    }
    stream->peer->ops->on_output(stream->peer);
    return rc;
}

void fe_stream_cancel(struct fe_stream *stream)
{
    int rc = 0;

    assert(stream->life == FE_STREAM_ACTIVE || stream->life == FE_STREAM_CLOSED);
    if (stream->out == FE_HALF_HEAD || stream->out == FE_HALF_BODY) {
        /* A request's body has to end: as long as it does not, the handler at the other end waits,
         * with all that it holds. That it ends early can be told from content-length only. */
        rc = stream->is_theirs ? abort_response(stream) : fe_stream_send_end(stream);
    }
    if (rc != 0) {
        stream->peer->fault = rc;
    }
    fe_stream_drop(stream);
}

int fe_stream_end_with(struct fe_stream *stream, const struct fe_header *trailers,
                       size_t n_trailers)
{
    (void)trailers;
    (void)n_trailers;
    return fe_stream_end(stream);
}

struct fe_headers fe_stream_trailers(const struct fe_stream *stream)
{
    (void)stream;
    return (struct fe_headers){0};
}

void fe_stream_reset(struct fe_stream *stream, enum fe_reason reason)
{
    (void)reason;
    fe_stream_cancel(stream);
}

void *fe_stream_owner(const struct fe_stream *stream)
{
    return stream->owner;
}

struct fe_peer *fe_stream_peer(const struct fe_stream *stream)
{
    return stream->peer;
}
