/* What a peer says about its streams, event by event. */

#include "ground/base/assert.h"
#include "mesh/rpc/internal.h"

/* ---- REQUEST ---- */

/* The request was not accepted, or exceeds the limit: its body may still arrive. */
static int refuse(struct fe_peer *peer, struct fe_stream *stream)
{
    int code = 0;

    if (!peer->is_closed) {
        code = peer->sender->ops->response(peer->sender, stream->id, false, NULL, 0);
        peer->ops->on_output(peer);
    } else {
        fe_stream_end_both(stream);
    }
    fe_stream_drop(stream);
    return code;
}

/* The id of a new stream of the peer's. Old peers choose any that is free. */
static int check_new_id(struct fe_peer *peer, uint32_t id, struct flatend_error *err)
{
    if (fe_stream_find(peer, id) != NULL) {
        return fe_err_set(err, FLATEND_EPROTO, "stream %u is already open", id);
    }
    if (!peer->has_windows) {
        return 0;
    }
    if (id == 0 || fe_id_is_local(peer, id) || fe_id_distance(id, peer->last_remote) <= 0) {
        return fe_err_set(err, FLATEND_EPROTO, "stream %u is not a new peer stream", id);
    }
    peer->last_remote = id;
    return 0;
}

/* How many streams more a request counts for: only heads in pieces are longer than a share. */
static uint8_t head_shares(const struct fe_event *event)
{
    const struct fe_headers *headers = &event->u.request.headers;

    if (!headers->is_long) {
        return 0;
    }
    return (uint8_t)((event->u.request.services.bytes.len + headers->bytes.len) /
                     FE_PEER_HEAD_SHARE);
}

static int on_request(struct fe_peer *peer, const struct fe_event *event, struct flatend_error *err)
{
    uint8_t n_shares = head_shares(event);
    bool is_welcome = peer->n_remote + peer->n_head_shares + n_shares < FE_PEER_STREAMS_MAX &&
                      peer->n_lingering < FE_PEER_LINGERING_MAX;
    struct fe_stream *stream;
    int code = check_new_id(peer, event->stream, err);

    FE_ASSERT(peer->n_remote <= FE_PEER_STREAMS_MAX, "remote streams are bounded");
    if (code != 0) {
        return code;
    }
    if (fe_peer_count_head(peer, 1, NULL, 0) != 0) {
        return fe_err_set(err, FLATEND_ELIMIT, "too many queued responses: peer does not read");
    }
    stream = fe_stream_new(peer, event->stream, true);
    if (stream == NULL) {
        return fe_err_set(err, FLATEND_ENOMEM, "request: %s", flatend_strerror(FLATEND_ENOMEM));
    }
    if (is_welcome) {
        stream->n_head_shares = n_shares;
        peer->n_head_shares += n_shares;
        peer->ops->on_request(peer, stream, event->u.request.services, event->u.request.headers);
    }
    if (stream->state == FE_STREAM_OFFERED) {
        return refuse(peer, stream);
    }
    if (stream->state == FE_STREAM_ACTIVE && peer->is_closed) {
        fe_stream_end_both(stream); /* accepted after the peer was closed, by the same callback */
        fe_stream_close(stream, FLATEND_ECLOSED);
    }
    return 0;
}

/* ---- RESPONSE ---- */

/* `handled` 0: the stream is over, nothing follows. After the head it aborts the response. An old
 * peer keeps its stream until our end comes. */
static int on_unhandled(struct fe_stream *stream)
{
    bool is_refused = stream->in == FE_HALF_HEAD;
    int code = stream->peer->has_windows ? 0 : fe_stream_send_end(stream);

    if (code != 0) {
        return code;
    }
    if (stream->out == FE_HALF_BODY) {
        stream->out = FE_HALF_CLOSING;
    }
    if (is_refused) {
        stream->in = FE_HALF_ENDED;
    }
    fe_stream_close(stream, is_refused ? FLATEND_EUNHANDLED : FLATEND_ERESET);
    return 0;
}

/* A response that is no longer needed. */
static void on_late_response(struct fe_stream *stream, bool is_handled)
{
    if (stream->in != FE_HALF_HEAD) {
        return;
    }
    if (is_handled) {
        stream->in = FE_HALF_BODY;
    } else {
        fe_stream_on_late_end(stream);
    }
}

/* A second head is a fault; but old peers, which have no RESET, abort with `handled` 0. */
static bool may_respond(const struct fe_stream *stream, bool is_handled)
{
    if (stream->in == FE_HALF_HEAD) {
        return true;
    }
    return stream->in == FE_HALF_BODY && !is_handled && !stream->peer->has_windows;
}

static int on_response(struct fe_peer *peer, const struct fe_event *event,
                       struct flatend_error *err)
{
    struct fe_stream *stream = fe_stream_find(peer, event->stream);
    bool is_handled = event->u.response.handled;

    if (stream == NULL) {
        return fe_peer_on_unknown(peer, event, "response", err);
    }
    if (stream->is_remote) {
        return fe_err_set(err, FLATEND_EPROTO, "response on the peer's own stream %u",
                          event->stream);
    }
    if (stream->state != FE_STREAM_ACTIVE) {
        on_late_response(stream, is_handled);
        return 0;
    }
    if (!may_respond(stream, is_handled)) {
        return fe_err_set(err, FLATEND_EPROTO, "second response for stream %u", event->stream);
    }
    if (!is_handled) {
        return on_unhandled(stream);
    }
    stream->in = FE_HALF_BODY;
    stream->ops->on_response(stream, event->u.response.headers);
    return 0;
}

/* ---- DATA and END ---- */

/* The stream that a DATA or an END is for; NULL if there is nothing to do, or `*code` says what is
 * wrong. Both old peers send the head of a response before its body. */
static struct fe_stream *find_body(struct fe_peer *peer, const struct fe_event *event,
                                   const char *what, struct flatend_error *err, int *code)
{
    struct fe_stream *stream = fe_stream_find(peer, event->stream);

    *code = 0;
    if (stream == NULL) {
        *code = fe_peer_on_unknown(peer, event, what, err);
        return NULL;
    }
    if (stream->state != FE_STREAM_ACTIVE) {
        return stream;
    }
    if (stream->in == FE_HALF_HEAD) {
        *code = fe_err_set(err, FLATEND_EPROTO, "%s before the response of stream %u", what,
                           event->stream);
        return NULL;
    }
    if (stream->in != FE_HALF_BODY) {
        *code =
            fe_err_set(err, FLATEND_EPROTO, "%s after the end of stream %u", what, event->stream);
        return NULL;
    }
    return stream;
}

/* The connection's window counts all bytes, also those for a stream that is over: the peer could
 * not know that yet, and gets them back. */
static int on_data(struct fe_peer *peer, const struct fe_event *event, struct flatend_error *err)
{
    size_t len = event->u.data.len;
    int code = fe_peer_charge(peer, len, err);
    struct fe_stream *stream;

    if (code != 0) {
        return code;
    }
    stream = find_body(peer, event, "data", err, &code);
    if (code != 0) {
        return code;
    }
    if (stream == NULL || stream->state != FE_STREAM_ACTIVE) {
        fe_peer_return_credit(peer, len);
        return 0;
    }
    stream->n_received += len;
    code = fe_stream_charge(stream, len, err);
    return code != 0 || len == 0 ? code : fe_stream_receive(stream, event->u.data);
}

/* The peer wants no more of our request: no body may be sent. An old peer has to be sent the end,
 * since it is what makes them (both, and us) let go of the stream; others are told as it is. */
static int stop_request_body(struct fe_stream *stream)
{
    bool was_blocked = fe_stream_is_blocked(stream);
    int code;

    if (stream->out != FE_HALF_BODY) {
        return 0;
    }
    code = stream->peer->has_windows ? fe_stream_send_reset(stream, FE_REASON_NONE)
                                     : fe_stream_send_end(stream);
    if (code != 0) {
        return code;
    }
    stream->out = FE_HALF_CLOSING;
    fe_stream_unblock(stream);
    if (was_blocked) {
        stream->ops->on_writable(stream); /* to write the rest to nowhere */
    }
    return 0;
}

static int on_end(struct fe_peer *peer, const struct fe_event *event, struct flatend_error *err)
{
    int code;
    struct fe_stream *stream = find_body(peer, event, "end", err, &code);

    if (stream == NULL) {
        return code;
    }
    if (stream->state == FE_STREAM_ACTIVE && !stream->is_remote) {
        code = stop_request_body(stream);
    }
    if (code != 0) {
        return code;
    }
    if (stream->state != FE_STREAM_ACTIVE) {
        fe_stream_on_late_end(stream);
        return 0;
    }
    return fe_stream_receive_end(stream, event->u.trailers);
}

/* ---- all of them ---- */

static int on_event(struct fe_peer *peer, const struct fe_event *event, struct flatend_error *err)
{
    switch (event->type) {
    case FE_EVENT_HANDSHAKE:
        fe_peer_start_windows(peer);
        return 0;
    case FE_EVENT_REQUEST:
        return on_request(peer, event, err);
    case FE_EVENT_RESPONSE:
        return on_response(peer, event, err);
    case FE_EVENT_DATA:
        return on_data(peer, event, err);
    case FE_EVENT_END:
        return on_end(peer, event, err);
    default:
        return fe_peer_on_control(peer, event, err);
    }
}

/* Whether sending a packet failed, in an earlier call or in this one. */
static int check_fault(const struct fe_peer *peer, struct flatend_error *err)
{
    if (peer->fault == 0) {
        return 0;
    }
    return fe_err_set(err, peer->fault, "cannot send a packet: %s", flatend_strerror(peer->fault));
}

int fe_peer_on_event(struct fe_peer *peer, const struct fe_event *event, struct flatend_error *err)
{
    int code;

    FE_ASSERT(peer->depth == 0, "events of a peer do not nest");
    peer->n_events++;
    if (peer->is_closed) {
        return fe_err_code(err, FLATEND_ECLOSED);
    }
    code = check_fault(peer, err);
    if (code != 0) {
        return code;
    }
    fe_peer_enter(peer);
    code = on_event(peer, event, err);
    peer->has_failed |= code != 0;
    fe_peer_leave(peer);
    return code != 0 ? code : check_fault(peer, err);
}
