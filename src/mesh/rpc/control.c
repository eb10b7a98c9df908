/* Packets that only peers with windows send: RESET, WINDOW, GOAWAY; and which of their ids are
 * over. */
#include "ground/base/assert.h"
#include "mesh/rpc/internal.h"
#include "mesh/rpc/registry.h"

int32_t fe_id_distance(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b);
}

bool fe_id_is_local(const struct fe_peer *peer, uint32_t id)
{
    return (id & 1) == (peer->next_local & 1);
}

/* Whether this id, which is not open, was open before. Skipped ids count as well. */
static bool is_over(const struct fe_peer *peer, uint32_t id)
{
    if (!peer->has_windows || id == 0) {
        return false;
    }
    return fe_id_is_local(peer, id) ? fe_id_distance(peer->next_local, id) > 0
                                    : fe_id_distance(peer->last_remote, id) >= 0;
}

/* A packet for an unknown stream. Once a late stream had to be forgotten, an id that was never
 * opened cannot be distinguished from one that was reset: then it is no fault. */
int fe_peer_on_unknown(const struct fe_peer *peer, const struct fe_event *event, const char *what,
                       struct flatend_error *err)
{
    if (peer->n_forgotten > 0 || peer->is_confused || is_over(peer, event->stream)) {
        return 0;
    }
    return fe_err_set(err, FLATEND_EPROTO, "%s for stream %u, which was never opened", what,
                      event->stream);
}

static int on_reset(struct fe_peer *peer, const struct fe_event *event, struct flatend_error *err)
{
    struct fe_stream *stream = fe_stream_find(peer, event->stream);
    bool has_responded;

    if (stream == NULL) {
        return fe_peer_on_unknown(peer, event, "reset", err);
    }
    if (!stream->is_remote && stream->in != FE_HALF_HEAD && stream->in != FE_HALF_BODY) {
        return 0; /* the response is complete; it only waits for its reader */
    }
    has_responded = stream->is_remote || stream->in != FE_HALF_HEAD;
    fe_stream_end_both(stream);
    fe_stream_close(stream, fe_reason_code(event->u.reset.reason, has_responded));
    return 0;
}

static int on_window(struct fe_peer *peer, const struct fe_event *event, struct flatend_error *err)
{
    int code;

    if (event->stream == 0) {
        code = fe_peer_grow_window(peer, event->u.increment, err);
    } else {
        struct fe_stream *stream = fe_stream_find(peer, event->stream);

        if (stream == NULL) {
            return fe_peer_on_unknown(peer, event, "window", err);
        }
        code = fe_stream_grow_window(stream, event->u.increment, err);
    }
    if (code == 0) {
        fe_peer_run_blocked(peer);
    }
    return code;
}

/* Requests behind the last one that was accepted may go elsewhere: nothing was done. The largest id
 * means that all requests in flight are accepted. */
static void on_goaway(struct fe_peer *peer, uint32_t last)
{
    struct fe_map_node *node = NULL;
    struct fe_list *link;
    struct fe_list refused;

    if (peer->registry != NULL) {
        fe_registry_remove(peer->registry, peer);
    }
    if (last == UINT32_MAX) {
        return;
    }
    fe_list_init(&refused);
    while ((node = fe_map_next(&peer->streams, node)) != NULL) {
        struct fe_stream *stream = FE_CONTAINER_OF(node, struct fe_stream, node);

        if (!stream->is_remote && stream->state == FE_STREAM_ACTIVE && stream->in == FE_HALF_HEAD &&
            fe_id_distance(stream->id, last) > 0) {
            fe_list_remove(&stream->link);
            fe_list_push_back(&refused, &stream->link);
        }
    }
    while ((link = fe_list_pop_front(&refused)) != NULL) {
        struct fe_stream *stream = FE_CONTAINER_OF(link, struct fe_stream, link);

        fe_stream_end_both(stream);
        fe_stream_close(stream, FLATEND_EUNHANDLED);
    }
}

int fe_peer_on_control(struct fe_peer *peer, const struct fe_event *event,
                       struct flatend_error *err)
{
    if (!peer->has_windows) {
        return 0;
    }
    switch (event->type) {
    case FE_EVENT_RESET:
        return on_reset(peer, event, err);
    case FE_EVENT_WINDOW:
        return on_window(peer, event, err);
    case FE_EVENT_GOAWAY:
        on_goaway(peer, event->u.goaway.last);
        return 0;
    default: /* the owner's */
        return 0;
    }
}
