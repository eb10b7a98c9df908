#include <stdlib.h>

#include "ground/base/assert.h"
#include "mesh/rpc/internal.h"

static struct fe_stream *stream_of(struct fe_list *link)
{
    return FE_CONTAINER_OF(link, struct fe_stream, link);
}

static struct fe_stream *take_from_free_list(struct fe_peer *peer)
{
    struct fe_list *link = fe_list_pop_front(&peer->free_streams);

    if (link == NULL) {
        return malloc(sizeof(struct fe_stream));
    }
    FE_ASSERT(peer->n_free_streams > 0, "free streams are counted");
    peer->n_free_streams--;
    return stream_of(link);
}

static void put_on_free_list(struct fe_stream *stream)
{
    struct fe_peer *peer = stream->peer;

    free(stream->kept_trailers);
    stream->kept_trailers = NULL;
    FE_ASSERT(peer->n_trailers >= stream->n_kept_trailers, "trailers that wait are counted");
    peer->n_trailers -= stream->n_kept_trailers;
    if (peer->n_free_streams == FE_PEER_FREE_STREAMS_MAX) {
        free(stream);
        return;
    }
    peer->n_free_streams++;
    fe_list_push_front(&peer->free_streams, &stream->link);
}

struct fe_stream *fe_stream_new(struct fe_peer *peer, uint32_t id, bool is_remote)
{
    struct fe_stream *stream = take_from_free_list(peer);

    if (stream == NULL) {
        return NULL;
    }
    *stream = (struct fe_stream){
        .peer = peer,
        .id = id,
        .is_remote = is_remote,
        .state = is_remote ? FE_STREAM_OFFERED : FE_STREAM_ACTIVE,
        .in = is_remote ? FE_HALF_BODY : FE_HALF_HEAD,
        .out = is_remote ? FE_HALF_HEAD : FE_HALF_BODY,
    };
    fe_list_init(&stream->link);
    fe_buf_init(&stream->small, FE_STREAM_SMALL_MAX);
    fe_chain_init(&stream->waiting, peer->pool);
    fe_stream_start_windows(stream);
    stream->node.key = fe_view_of(&stream->id, sizeof(stream->id));
    if (fe_map_insert(&peer->streams, &stream->node) != 0) {
        put_on_free_list(stream);
        return NULL;
    }
    peer->n_streams++;
    peer->n_opened++;
    peer->n_remote += is_remote;
    peer->recent = stream;
    return stream;
}

struct fe_stream *fe_stream_find(struct fe_peer *peer, uint32_t id)
{
    struct fe_map_node *node;

    if (peer->recent != NULL && peer->recent->id == id) {
        return peer->recent;
    }
    node = fe_map_find(&peer->streams, fe_view_of(&id, sizeof(id)));
    if (node == NULL) {
        return NULL;
    }
    peer->recent = FE_CONTAINER_OF(node, struct fe_stream, node);
    return peer->recent;
}

/* The stream can no longer be found; its memory is freed when no caller uses it. */
static void release_memory(struct fe_stream *stream)
{
    struct fe_peer *peer = stream->peer;

    FE_ASSERT(stream->in == FE_HALF_ENDED, "the end is told behind the last byte");
    stream->state = FE_STREAM_GONE;
    if (peer->depth > 0) {
        fe_list_push_back(&peer->done, &stream->link);
        return;
    }
    put_on_free_list(stream);
}

/* Out of the map once the peer has nothing more to say on it. */
static void unmap(struct fe_stream *stream)
{
    struct fe_peer *peer = stream->peer;

    fe_map_remove(&peer->streams, &stream->node);
    if (peer->recent == stream) {
        peer->recent = NULL;
    }
}

static void forget_oldest(struct fe_peer *peer)
{
    struct fe_stream *oldest = stream_of(fe_list_pop_front(&peer->late));

    FE_ASSERT(peer->n_late > 0, "late streams are counted");
    peer->n_late--;
    peer->n_forgotten++;
    oldest->in = FE_HALF_ENDED;
    unmap(oldest);
    release_memory(oldest);
}

/* LATE or GONE: the stream has no owner any more. It is on no list. */
static void retire(struct fe_stream *stream)
{
    struct fe_peer *peer = stream->peer;

    if (stream->in == FE_HALF_ENDED) {
        release_memory(stream);
        return;
    }
    FE_ASSERT(!peer->has_windows, "late packets of a peer with windows need no stream");
    stream->state = FE_STREAM_LATE;
    fe_list_push_back(&peer->late, &stream->link);
    if (++peer->n_late > FE_PEER_LATE_MAX) {
        forget_oldest(peer);
    }
}

/* Gives back what an open stream holds, except its place in the map while it may be late: where ids
 * grow, no id has to be remembered. */
static void release(struct fe_stream *stream)
{
    struct fe_peer *peer = stream->peer;

    FE_ASSERT(peer->n_streams > 0 && peer->n_remote >= stream->is_remote,
              "open streams are counted");
    peer->n_streams--;
    peer->n_remote -= stream->is_remote;
    FE_ASSERT(peer->n_head_shares >= stream->n_head_shares, "shares of heads are counted");
    peer->n_head_shares -= stream->n_head_shares;
    fe_list_remove(&stream->link);
    if (stream->in == FE_HALF_CLOSING || peer->has_windows) {
        stream->in = FE_HALF_ENDED;
    }
    fe_stream_discard(stream);
    if (stream->in == FE_HALF_ENDED) {
        unmap(stream);
    }
}

void fe_stream_close(struct fe_stream *stream, int code)
{
    FE_ASSERT(stream->state == FE_STREAM_ACTIVE, "a stream is closed once");
    FE_ASSERT(code < 0, "a stream that is complete is not reset");
    release(stream);
    stream->state = FE_STREAM_CLOSED;
    stream->code = code;
    fe_list_push_back(&stream->peer->done, &stream->link);
}

void fe_stream_drop(struct fe_stream *stream)
{
    FE_ASSERT(stream->state <= FE_STREAM_CLOSED, "a stream is dropped by its owner, once");
    if (stream->state == FE_STREAM_CLOSED) {
        fe_list_remove(&stream->link);
    } else {
        release(stream);
    }
    retire(stream);
}

void fe_stream_on_late_end(struct fe_stream *stream)
{
    if (stream->in == FE_HALF_ENDED) {
        return;
    }
    stream->in = FE_HALF_ENDED;
    unmap(stream);
    if (stream->state == FE_STREAM_LATE) {
        fe_list_remove(&stream->link);
        FE_ASSERT(stream->peer->n_late > 0, "late streams are counted");
        stream->peer->n_late--;
        release_memory(stream);
    }
}

void fe_peer_enter(struct fe_peer *peer)
{
    peer->depth++;
}

void fe_peer_leave(struct fe_peer *peer)
{
    struct fe_list *link;

    FE_ASSERT(peer->depth > 0, "what is left was entered");
    if (peer->depth > 1) {
        peer->depth--;
        return;
    }
    while ((link = fe_list_pop_front(&peer->done)) != NULL) {
        struct fe_stream *stream = stream_of(link);
        const struct fe_stream_ops *ops = stream->ops;

        if (stream->state == FE_STREAM_CLOSED) {
            retire(stream); /* the memory stays: what is buried now comes later on this list */
            /* Nor is it freed: the analyzer takes the list for unchanged. */
            ops->on_reset(stream, stream->code); /* NOLINT(clang-analyzer-unix.Malloc) */
        } else {
            put_on_free_list(stream);
        }
    }
    peer->depth--;
    FE_CHECK(fe_peer_check(peer));
}
