#include <stdlib.h>

#include "ground/base/assert.h"
#include "mesh/rpc/internal.h"
#include "mesh/rpc/registry.h"

enum {
    /* What one stream may write in its turn while others wait for theirs: large enough to fill
     * records, small enough that a short answer need not wait for long ones. */
    PEER_TURN = 64 * 1024,
};

void fe_peer_init(struct fe_peer *peer, struct fe_sender *sender, struct fe_pool *pool,
                  const uint8_t map_seed[16], const struct fe_peer_ops *ops, void *owner)
{
    FE_ASSERT(sender != NULL, "a peer has a session");
    FE_ASSERT(ops->on_request != NULL && ops->on_output != NULL && ops->on_want_read != NULL,
              "a peer has an owner");
    *peer = (struct fe_peer){
        .ops = ops,
        .owner = owner,
        .sender = sender,
        .pool = pool,
        .fault_reason = FE_REASON_PROTOCOL,
    };
    fe_map_init(&peer->streams, map_seed);
    fe_list_init(&peer->blocked);
    fe_list_init(&peer->done);
    fe_list_init(&peer->late);
    fe_list_init(&peer->free_streams);
    fe_list_init(&peer->offers);
    fe_list_init(&peer->lingering);
}

uint32_t fe_peer_next_id(struct fe_peer *peer)
{
    uint32_t id;

    /* An old peer chooses its ids freely, also ours; and after 2^31 requests ours come again, when
     * a long one may still be open. All that are taken are in the map, whose size is bounded. */
    do {
        id = peer->sender->ops->next_stream(peer->sender);
    } while (id == 0 || fe_stream_find(peer, id) != NULL);
    return id;
}

void fe_peer_break(struct fe_peer *peer, int code)
{
    FE_ASSERT(code < 0, "a packet is lost for a reason");
    peer->fault = code;
    peer->ops->on_output(peer); /* nothing is there, but the owner comes to fe_peer_settle */
}

void fe_stream_end_both(struct fe_stream *stream)
{
    stream->in = FE_HALF_ENDED;
    if (stream->out != FE_HALF_ENDED) {
        stream->out = FE_HALF_CLOSING;
    }
}

static bool has_room(const struct fe_peer *peer)
{
    return peer->sender->ops->space(peer->sender) > 0 &&
           (!peer->has_windows || peer->window_out > 0);
}

void fe_peer_run_blocked(struct fe_peer *peer)
{
    struct fe_list *link;

    while (!peer->is_closed && has_room(peer) &&
           (link = fe_list_pop_front(&peer->blocked)) != NULL) {
        struct fe_stream *stream = FE_CONTAINER_OF(link, struct fe_stream, link);

        FE_ASSERT(stream->state == FE_STREAM_ACTIVE && stream->out == FE_HALF_BODY,
                  "only a body waits to be written");
        peer->quantum = PEER_TURN;
        stream->ops->on_writable(stream);
        peer->quantum = 0;
    }
}

void fe_peer_on_writable(struct fe_peer *peer)
{
    fe_peer_enter(peer);
    if (peer->sender->ops->space(peer->sender) > 0) {
        peer->n_queued_heads = 0;
    }
    fe_peer_run_blocked(peer);
    fe_peer_leave(peer);
}

int fe_peer_settle(const struct fe_peer *peer)
{
    FE_ASSERT(peer->depth > 0 || fe_list_is_empty(&peer->done),
              "whatever is due has come when the outermost call returns");
    return peer->fault;
}

bool fe_peer_want_read(const struct fe_peer *peer)
{
    return peer->n_backlogged == 0;
}

/* All streams that are open or late, taken off the lists that they are on. */
static void collect(struct fe_peer *peer, struct fe_list *all)
{
    struct fe_map_node *node = NULL;

    while ((node = fe_map_next(&peer->streams, node)) != NULL) {
        struct fe_stream *stream = FE_CONTAINER_OF(node, struct fe_stream, node);

        if (stream->state == FE_STREAM_ACTIVE || stream->state == FE_STREAM_LATE) {
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

        if (stream->state == FE_STREAM_LATE) {
            fe_stream_on_late_end(stream);
        } else {
            fe_stream_end_both(stream);
            fe_stream_close(stream, code);
        }
    }
}

void fe_peer_close(struct fe_peer *peer, int code)
{
    if (peer->is_closed) {
        return;
    }
    FE_ASSERT(code < 0, "a peer is closed for a reason");
    peer->is_closed = true;
    if (peer->registry != NULL) {
        fe_registry_remove(peer->registry, peer);
    }
    fe_peer_enter(peer);
    end_all(peer, code);
    fe_peer_leave(peer);
    fe_peer_forget_lingering(peer);
}

void fe_peer_deinit(struct fe_peer *peer)
{
    struct fe_list *link;

    FE_ASSERT(peer->is_closed && peer->depth == 0,
              "a peer is freed closed, and not from its own events");
    FE_ASSERT(peer->streams.n == 0 && fe_list_is_empty(&peer->done),
              "a peer that is freed has no streams");
    while ((link = fe_list_pop_front(&peer->free_streams)) != NULL) {
        free(FE_CONTAINER_OF(link, struct fe_stream, link));
    }
    fe_map_deinit(&peer->streams);
}
