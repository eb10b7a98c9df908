#include "rpc/internal.h"

#include "rpc/registry.h"

#include <assert.h>
#include <stdlib.h>

enum {
    /* What one stream may write in its turn while others wait for theirs: large enough to fill
     * records, small enough that a short answer need not wait for long ones. */
    PEER_TURN = 64 * 1024,
};

void fe_peer_init(struct fe_peer *peer, struct fe_sender *sender, struct fe_pool *pool,
                  const uint8_t map_seed[16], const struct fe_peer_ops *ops, void *owner)
{
    *peer = (struct fe_peer){.ops = ops, .owner = owner, .sender = sender, .pool = pool};
    fe_map_init(&peer->streams, map_seed);
    fe_list_init(&peer->blocked);
    fe_list_init(&peer->done);
    fe_list_init(&peer->late);
    fe_list_init(&peer->spare);
    fe_list_init(&peer->offers);
}

/* Nothing more comes from this stream's peer, and nothing more goes to it. */
static void silence(struct fe_stream *stream)
{
    stream->in = FE_HALF_ENDED;
    if (stream->out != FE_HALF_ENDED) {
        stream->out = FE_HALF_MUTED;
    }
}

/* Nobody took the request, or it was one too many: its body may still come. */
static int refuse(struct fe_peer *peer, struct fe_stream *stream)
{
    int rc = 0;

    if (!peer->is_closed) {
        rc = peer->sender->ops->response(peer->sender, stream->id, false, NULL, 0);
        peer->ops->on_output(peer);
    } else {
        silence(stream);
    }
    fe_stream_drop(stream);
    return rc;
}

static int on_request(struct fe_peer *peer, const struct fe_event *event, struct flatend_error *err)
{
    bool is_welcome = peer->n_theirs < FE_PEER_STREAMS_MAX;
    struct fe_stream *stream;

    if (fe_stream_find(peer, event->stream) != NULL) {
        return fe_err_set(err, FLATEND_EPROTO, "stream %u is open already", event->stream);
    }
    if (fe_peer_count_head(peer) != 0) {
        return fe_err_set(err, FLATEND_ELIMIT, "peer sends requests but reads no responses");
    }
    stream = fe_stream_new(peer, event->stream, true);
    if (stream == NULL) {
        return fe_err_set(err, FLATEND_ENOMEM, "request: %s", flatend_strerror(FLATEND_ENOMEM));
    }
    if (is_welcome) {
        peer->ops->on_request(peer, stream, event->u.request.services, event->u.request.headers);
    }
    if (stream->life == FE_STREAM_OFFERED) {
        return refuse(peer, stream);
    }
    if (stream->life == FE_STREAM_ACTIVE && peer->is_closed) {
        silence(stream); /* accepted after the peer was closed, by the same callback */
        fe_stream_finish(stream, FLATEND_ECLOSED);
    }
    return 0;
}

/* A packet for a stream that is not there. Once a late stream had to be forgotten, nobody can tell
 * one that never was from one that we gave up: the peer gets the benefit of the doubt. */
static int on_unknown(const struct fe_peer *peer, const struct fe_event *event, const char *what,
                      struct flatend_error *err)
{
    if (peer->n_forgotten > 0) {
        return 0;
    }
    return fe_err_set(err, FLATEND_EPROTO, "%s for stream %u, which is not open", what,
                      event->stream);
}

/* The peer wants no more of our request: nothing but the end may be sent, and that has to be, since
 * it is what makes old peers (both of them, and us) let go of the stream. */
static int mute_request(struct fe_stream *stream)
{
    bool was_blocked = fe_list_is_linked(&stream->link);
    int rc = fe_stream_send_end(stream);

    if (rc != 0 || stream->out != FE_HALF_BODY) {
        return rc;
    }
    stream->out = FE_HALF_MUTED;
    if (was_blocked) {
        fe_list_remove(&stream->link);
        stream->ops->on_writable(stream); /* to write the rest to nowhere */
    }
    return 0;
}

/* `handled` 0: the stream is over, nothing follows. After the head it aborts the response. */
static int on_unhandled(struct fe_stream *stream)
{
    int code = stream->in == FE_HALF_HEAD ? FLATEND_EUNHANDLED : FLATEND_ERESET;
    int rc = fe_stream_send_end(stream);

    if (rc != 0) {
        return rc;
    }
    if (stream->out == FE_HALF_BODY) {
        stream->out = FE_HALF_MUTED;
    }
    if (code == FLATEND_EUNHANDLED) {
        stream->in = FE_HALF_ENDED;
    }
    fe_stream_finish(stream, code);
    return 0;
}

/* A response that nobody wants any more. */
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

static int on_response(struct fe_peer *peer, const struct fe_event *event,
                       struct flatend_error *err)
{
    struct fe_stream *stream = fe_stream_find(peer, event->stream);
    bool is_handled = event->u.response.handled;

    if (stream == NULL) {
        return on_unknown(peer, event, "response", err);
    }
    if (stream->is_theirs) {
        return fe_err_set(err, FLATEND_EPROTO, "response for stream %u, a request of the peer's",
                          event->stream);
    }
    if (stream->life != FE_STREAM_ACTIVE) {
        on_late_response(stream, is_handled);
        return 0;
    }
    if (stream->in != FE_HALF_HEAD && (is_handled || stream->in != FE_HALF_BODY)) {
        return fe_err_set(err, FLATEND_EPROTO, "second response for stream %u", event->stream);
    }
    if (!is_handled) {
        return on_unhandled(stream);
    }
    stream->in = FE_HALF_BODY;
    stream->ops->on_response(stream, event->u.response.headers);
    return 0;
}

/* The stream that a DATA or an END is for; NULL if there is nothing to do, or `*rc` says what is
 * wrong. Both old peers send the head of a response before its body. */
static struct fe_stream *find_body(struct fe_peer *peer, const struct fe_event *event,
                                   const char *what, struct flatend_error *err, int *rc)
{
    struct fe_stream *stream = fe_stream_find(peer, event->stream);

    *rc = 0;
    if (stream == NULL) {
        *rc = on_unknown(peer, event, what, err);
        return NULL;
    }
    if (stream->life != FE_STREAM_ACTIVE) {
        return stream;
    }
    if (stream->in == FE_HALF_HEAD) {
        *rc = fe_err_set(err, FLATEND_EPROTO, "%s before the response of stream %u", what,
                         event->stream);
        return NULL;
    }
    if (stream->in != FE_HALF_BODY) {
        *rc = fe_err_set(err, FLATEND_EPROTO, "%s after the end of stream %u", what, event->stream);
        return NULL;
    }
    return stream;
}

static int on_data(struct fe_peer *peer, const struct fe_event *event, struct flatend_error *err)
{
    int rc;
    struct fe_stream *stream = find_body(peer, event, "data", err, &rc);

    if (stream == NULL || stream->life != FE_STREAM_ACTIVE || event->u.data.len == 0) {
        return rc;
    }
    return fe_stream_receive(stream, event->u.data);
}

static int on_end(struct fe_peer *peer, const struct fe_event *event, struct flatend_error *err)
{
    int rc;
    struct fe_stream *stream = find_body(peer, event, "end", err, &rc);

    if (stream == NULL) {
        return rc;
    }
    if (stream->life != FE_STREAM_ACTIVE) {
        fe_stream_on_late_end(stream);
        return 0;
    }
    if (!stream->is_theirs) {
        rc = mute_request(stream);
        if (rc != 0) {
            return rc;
        }
        if (stream->life != FE_STREAM_ACTIVE) {
            fe_stream_on_late_end(stream);
            return 0;
        }
    }
    fe_stream_receive_end(stream);
    return 0;
}

int fe_peer_on_event(struct fe_peer *peer, const struct fe_event *event, struct flatend_error *err)
{
    int rc = 0;

    assert(peer->depth == 0);
    if (peer->is_closed) {
        return fe_err_set(err, FLATEND_ECLOSED, "%s", flatend_strerror(FLATEND_ECLOSED));
    }
    if (peer->fault != 0) {
        return fe_err_set(err, peer->fault, "cancel: %s", flatend_strerror(peer->fault));
    }
    fe_peer_enter(peer);
    switch (event->type) {
    case FE_EVENT_REQUEST:
        rc = on_request(peer, event, err);
        break;
    case FE_EVENT_RESPONSE:
        rc = on_response(peer, event, err);
        break;
    case FE_EVENT_DATA:
        rc = on_data(peer, event, err);
        break;
    case FE_EVENT_END:
        rc = on_end(peer, event, err);
        break;
    default: /* the owner's */
        break;
    }
    fe_peer_leave(peer);
    return rc;
}

void fe_peer_on_writable(struct fe_peer *peer)
{
    struct fe_list *link;
    struct fe_stream *stream;

    fe_peer_enter(peer);
    while (!peer->is_closed && peer->sender->ops->space(peer->sender) > 0) {
        peer->n_crowded = 0;
        link = fe_list_pop_front(&peer->blocked);
        if (link == NULL) {
            break;
        }
        stream = FE_CONTAINER_OF(link, struct fe_stream, link);
        peer->turn = PEER_TURN;
        stream->ops->on_writable(stream);
        peer->turn = 0;
    }
    fe_peer_leave(peer);
}

void fe_peer_settle(struct fe_peer *peer)
{
    fe_peer_enter(peer);
    fe_peer_leave(peer);
}

bool fe_peer_want_read(const struct fe_peer *peer)
{
    return peer->n_full == 0;
}

/* All streams that are open or late, taken off the lists that they are on. */
static void collect(struct fe_peer *peer, struct fe_list *all)
{
    struct fe_map_node *node = NULL;

    while ((node = fe_map_next(&peer->streams, node)) != NULL) {
        struct fe_stream *stream = FE_CONTAINER_OF(node, struct fe_stream, node);

        if (stream->life == FE_STREAM_ACTIVE || stream->life == FE_STREAM_LATE) {
            fe_list_remove(&stream->link);
            fe_list_push_back(all, &stream->link);
        }
    }
}

static void end_all(struct fe_peer *peer, int code)
{
    struct fe_list all;
    struct fe_list *link;

    /* Those that were complete before only lose their place in the map. */
    FE_LIST_FOREACH (done, tmp, &peer->done) {
        fe_stream_on_late_end(FE_CONTAINER_OF(done, struct fe_stream, link));
    }
    fe_list_init(&all);
    collect(peer, &all);
    while ((link = fe_list_pop_front(&all)) != NULL) {
        struct fe_stream *stream = FE_CONTAINER_OF(link, struct fe_stream, link);

        if (stream->life == FE_STREAM_LATE) {
            fe_stream_on_late_end(stream);
        } else {
            silence(stream);
            fe_stream_finish(stream, code);
        }
    }
}

void fe_peer_close(struct fe_peer *peer, int code)
{
    if (peer->is_closed) {
        return;
    }
    peer->is_closed = true;
    if (peer->registry != NULL) {
        fe_registry_remove(peer->registry, peer);
    }
    fe_peer_enter(peer);
    end_all(peer, code);
    fe_peer_leave(peer);
}

void fe_peer_deinit(struct fe_peer *peer)
{
    struct fe_list *link;

    assert(peer->is_closed && peer->depth == 0);
    assert(peer->streams.n == 0 && fe_list_is_empty(&peer->done));
    while ((link = fe_list_pop_front(&peer->spare)) != NULL) {
        free(FE_CONTAINER_OF(link, struct fe_stream, link));
    }
    fe_map_deinit(&peer->streams);
}
