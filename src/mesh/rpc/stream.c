
#include "ground/base/assert.h"
#include "mesh/rpc/internal.h"

/* How often a head counts besides itself. None is longer than what peers take. */
static unsigned count_by_size(const struct fe_header *headers, size_t n)
{
    size_t size = 0;

    for (size_t i = 0; i < n && size < FE_HEAD_MAX; i++) {
        size_t left = FE_HEAD_MAX - size;

        size += headers[i].name.len < left ? headers[i].name.len : left;
        left = FE_HEAD_MAX - size;
        size += headers[i].value.len < left ? headers[i].value.len : left;
    }
    return (unsigned)(size / FE_PEER_QUEUED_HEAD_SIZE);
}

int fe_peer_count_head(struct fe_peer *peer, unsigned n, const struct fe_header *headers,
                       size_t n_headers)
{
    if (peer->sender->ops->space(peer->sender) > 0) {
        return 0;
    }
    n += count_by_size(headers, n_headers);
    if (n > FE_PEER_QUEUED_HEADS_MAX - peer->n_queued_heads) {
        return FLATEND_ELIMIT;
    }
    peer->n_queued_heads += n;
    return 0;
}

/* A head that counts only for what it takes beyond an ordinary one. */
static int count_large_head(struct fe_peer *peer, const struct fe_header *headers, size_t n_headers)
{
    return count_by_size(headers, n_headers) == 0 ? 0
                                                  : fe_peer_count_head(peer, 0, headers, n_headers);
}

static bool has_all_streams(const struct fe_peer *peer)
{
    return peer->has_windows && peer->n_streams - peer->n_remote >= peer->flow.streams_out;
}

int fe_stream_open(struct fe_peer *peer, const struct fe_stream_request *request,
                   const struct fe_stream_ops *ops, void *owner, struct fe_stream **stream)
{
    struct fe_sender *sender = peer->sender;
    struct fe_stream *opened;
    int code;

    FE_ASSERT(request->n_services > 0 && request->services != NULL, "a request is for a service");
    FE_ASSERT(ops != NULL && ops->on_reset != NULL, "a stream has an owner");
    if (peer->is_closed) {
        return FLATEND_ECLOSED;
    }
    code = has_all_streams(peer)
               ? FLATEND_ELIMIT
               : fe_peer_count_head(peer, 1, request->headers, request->n_headers);
    if (code != 0) {
        return code;
    }
    opened =
        fe_stream_new(peer, peer->has_windows ? peer->next_local : fe_peer_next_id(peer), false);
    if (opened == NULL) {
        return FLATEND_ENOMEM;
    }
    code = sender->ops->request(sender, opened->id, request->services, request->n_services,
                                request->headers, request->n_headers);
    if (code != 0) {
        opened->in = FE_HALF_ENDED; /* the peer never hears of it */
        fe_stream_drop(opened);
        if (code == FLATEND_ENOMEM) {
            peer->ops->on_output(peer); /* the flush says if a part of a large head was sent */
        }
        return code;
    }
    if (peer->has_windows) {
        peer->next_local = fe_peer_next_id(peer);
    }
    opened->ops = ops;
    opened->owner = owner;
    *stream = opened;
    peer->ops->on_output(peer);
    FE_CHECK(fe_stream_check(opened));
    return 0;
}

void fe_stream_accept(struct fe_stream *stream, const struct fe_stream_ops *ops, void *owner)
{
    FE_ASSERT(stream->state == FE_STREAM_OFFERED, "a stream is accepted once, while it is offered");
    stream->state = FE_STREAM_ACTIVE;
    stream->ops = ops;
    stream->owner = owner;
}

int fe_stream_respond(struct fe_stream *stream, const struct fe_header *headers, size_t n_headers)
{
    struct fe_peer *peer = stream->peer;
    int code;

    if (stream->out == FE_HALF_CLOSING) {
        return 0;
    }
    FE_ASSERT(stream->state == FE_STREAM_ACTIVE && stream->out == FE_HALF_HEAD,
              "the head is sent once, first");
    code = count_large_head(peer, headers, n_headers); /* itself it was counted with its request */
    if (code == 0) {
        code = peer->sender->ops->response(peer->sender, stream->id, true, headers, n_headers);
    }
    if (code != 0) {
        return code;
    }
    stream->out = FE_HALF_BODY;
    peer->ops->on_output(peer);
    return 0;
}

/* How much of `len` bytes may be sent now. While streams wait only what is left of a turn, and none
 * outside of turns: else one that writes all the time would keep the output full for ever. */
static size_t allowance(const struct fe_stream *stream, size_t len)
{
    const struct fe_peer *peer = stream->peer;
    size_t space = peer->sender->ops->space(peer->sender);

    if (!fe_list_is_empty(&peer->blocked) && space > peer->quantum) {
        space = peer->quantum;
    }
    return fe_stream_clip(stream, len < space ? len : space);
}

ssize_t fe_stream_write(struct fe_stream *stream, struct fe_view data)
{
    struct fe_peer *peer = stream->peer;
    size_t n;

    if (stream->out == FE_HALF_CLOSING) {
        return (ssize_t)data.len;
    }
    FE_ASSERT(stream->state == FE_STREAM_ACTIVE && stream->out == FE_HALF_BODY,
              "bytes are written behind the head and before the end");
    n = allowance(stream, data.len);
    FE_ASSERT(n <= data.len, "no more is sent than was written");
    if (n > 0) {
        int code = peer->sender->ops->data(peer->sender, stream->id, fe_view_of(data.ptr, n));

        stream->n_sent += n;
        fe_stream_spend(stream, n); /* also when it failed: a part may have been sent */
        if (code != 0) {
            return code;
        }
        peer->quantum -= n < peer->quantum ? n : peer->quantum;
        peer->ops->on_output(peer);
    }
    if (n < data.len) {
        fe_stream_block(stream);
    }
    FE_CHECK(fe_stream_check(stream));
    return (ssize_t)n;
}

static int send_end(struct fe_stream *stream, const struct fe_header *trailers, size_t n_trailers)
{
    struct fe_peer *peer = stream->peer;
    int code = count_large_head(peer, trailers, n_trailers);

    if (code == 0) {
        code = peer->sender->ops->end(peer->sender, stream->id, trailers, n_trailers);
    }
    if (code == 0) {
        peer->ops->on_output(peer);
    }
    return code;
}

int fe_stream_send_end(struct fe_stream *stream)
{
    if (stream->out == FE_HALF_CLOSING || stream->out == FE_HALF_ENDED) {
        return 0;
    }
    return send_end(stream, NULL, 0);
}

int fe_stream_send_reset(struct fe_stream *stream, enum fe_reason reason)
{
    struct fe_peer *peer = stream->peer;
    int code = peer->sender->ops->reset(peer->sender, stream->id, reason, (struct fe_view){0});

    if (code == 0) {
        peer->ops->on_output(peer);
    }
    return code;
}

/* The rest of a request that has been answered is not needed. Old peers send all of it. */
static void complete_response(struct fe_stream *stream)
{
    struct fe_peer *peer = stream->peer;

    if (peer->has_windows && stream->in == FE_HALF_BODY) {
        int code = fe_stream_send_reset(stream, FE_REASON_NONE);

        if (code != 0) {
            fe_peer_break(peer, code);
        }
    }
    fe_stream_drop(stream);
}

/* The peer wants no more of our body. A response whose reset is due is over all the same. */
static void finish_unwanted(struct fe_stream *stream)
{
    FE_ASSERT(stream->state == FE_STREAM_CLOSED ||
                  (stream->state == FE_STREAM_ACTIVE && !stream->is_remote),
              "a response is unwanted only when its stream is over");
    stream->out = FE_HALF_ENDED;
    if (stream->is_remote) {
        fe_stream_drop(stream);
    }
}

int fe_stream_finish(struct fe_stream *stream, const struct fe_header *trailers, size_t n_trailers)
{
    int code;

    if (stream->out == FE_HALF_CLOSING) {
        finish_unwanted(stream);
        return 0;
    }
    FE_ASSERT(stream->state == FE_STREAM_ACTIVE && stream->out == FE_HALF_BODY,
              "bytes are written behind the head and before the end");
    code = send_end(stream, trailers, n_trailers);
    if (code != 0) {
        return code;
    }
    fe_stream_unblock(stream);
    stream->out = FE_HALF_ENDED;
    if (stream->is_remote) {
        complete_response(stream);
    }
    return 0;
}

/* `handled` 0 ends a stream at once (docs/PROTOCOL.md §1.2), so it is the means to abort a response
 * too. Old peers take it so only before the head; after it they ignore it, and get the end besides:
 * a short body for them, but not one that they wait for for ever. */
static int abort_response(struct fe_stream *stream)
{
    const struct fe_sender_ops *ops = stream->peer->sender->ops;
    int code = ops->response(stream->peer->sender, stream->id, false, NULL, 0);

    if (code == 0 && stream->out == FE_HALF_BODY) {
        code = ops->end(stream->peer->sender, stream->id, NULL, 0);
    }
    stream->peer->ops->on_output(stream->peer);
    return code;
}

static int reset_old(struct fe_stream *stream)
{
    if (stream->out != FE_HALF_HEAD && stream->out != FE_HALF_BODY) {
        return 0;
    }
    /* A request's body has to end: as long as it does not, the handler at the other end waits, with
     * all that it holds. That it ends early can be told from content-length only. */
    return stream->is_remote ? abort_response(stream) : fe_stream_send_end(stream);
}

/* Whether the peer takes the stream for open. Both sides forget it with the end of the response. */
static bool is_open_there(const struct fe_stream *stream)
{
    enum fe_half response = stream->is_remote ? stream->out : stream->in;

    return stream->state == FE_STREAM_ACTIVE &&
           (response == FE_HALF_HEAD || response == FE_HALF_BODY);
}

void fe_stream_reset(struct fe_stream *stream, enum fe_reason reason)
{
    int code = 0;

    FE_ASSERT(stream->state == FE_STREAM_ACTIVE || stream->state == FE_STREAM_CLOSED,
              "a stream that is reset was accepted and is not gone");
    if (!stream->peer->has_windows) {
        code = reset_old(stream);
    } else if (is_open_there(stream)) {
        code = fe_stream_send_reset(stream, reason);
    }
    if (code != 0) {
        fe_peer_break(stream->peer, code);
    }
    fe_stream_drop(stream);
}

bool fe_stream_has_begun(const struct fe_stream *stream)
{
    return stream->n_received > 0 || stream->in > FE_HALF_BODY || stream->state != FE_STREAM_ACTIVE;
}

uint64_t fe_stream_n_received(const struct fe_stream *stream)
{
    return stream->n_received;
}

uint64_t fe_stream_n_sent(const struct fe_stream *stream)
{
    return stream->n_sent;
}

void *fe_stream_owner(const struct fe_stream *stream)
{
    return stream->owner;
}

struct fe_peer *fe_stream_peer(const struct fe_stream *stream)
{
    return stream->peer;
}
