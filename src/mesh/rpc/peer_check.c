/* What holds of the streams of a connection between any two events: what is counted is there, and
 * what was granted is somewhere. */
#include "ground/base/assert.h"
#include "mesh/rpc/internal.h"
#include "mesh/rpc/registry.h"

enum {
    /* With more streams than this the sums are made now and then only, and when the peer closes:
     * they would cost the square of that. */
    SUMS_MAX = 64,
};

/* What the peer counts, counted again. */
struct sums {
    size_t n_streams;
    size_t n_remote;
    size_t n_head_shares;
    size_t n_late;
    size_t n_backlogged;
    size_t n_blocked;
    size_t n_waiting;
    size_t n_trailers;
};

static size_t length_of(const struct fe_list *list)
{
    size_t n = 0;

    for (const struct fe_list *link = list->next; link != list; link = link->next) {
        FE_ASSERT(link->next->prev == link, "a list is linked both ways");
        n++;
    }
    return n;
}

static void add(struct sums *sums, const struct fe_stream *stream)
{
    if (stream->state == FE_STREAM_LATE) {
        sums->n_late++;
        return;
    }
    FE_ASSERT(stream->state == FE_STREAM_ACTIVE, "a stream between two events is open or late");
    FE_ASSERT(stream->delivery == FE_DELIVERY_IDLE, "no event runs between two events");
    sums->n_streams++;
    sums->n_remote += stream->is_remote;
    sums->n_head_shares += stream->n_head_shares;
    sums->n_backlogged += stream->is_backlogged;
    sums->n_blocked += fe_list_is_linked(&stream->link);
    sums->n_waiting += fe_stream_waiting(stream);
    sums->n_trailers += stream->n_kept_trailers;
}

static void check_sums(const struct fe_peer *peer)
{
    struct fe_map_node *node = NULL;
    struct sums sums = {0};

    while ((node = fe_map_next(&peer->streams, node)) != NULL) {
        const struct fe_stream *stream = FE_CONTAINER_OF(node, struct fe_stream, node);

        FE_ASSERT(stream->peer == peer, "a stream is its peer's");
        fe_stream_check(stream);
        add(&sums, stream);
    }
    FE_ASSERT(peer->n_streams == sums.n_streams, "open streams are counted");
    FE_ASSERT(peer->n_remote == sums.n_remote, "remote streams are counted");
    FE_ASSERT(peer->n_head_shares == sums.n_head_shares, "shares of heads are counted");
    FE_ASSERT(peer->n_backlogged == sums.n_backlogged,
              "readers that hold the peer back are counted");
    FE_ASSERT(peer->n_waiting == sums.n_waiting, "bytes that wait are counted");
    FE_ASSERT(peer->n_trailers == sums.n_trailers, "trailers that wait are counted");
    FE_ASSERT(peer->n_late == sums.n_late && sums.n_late == length_of(&peer->late),
              "late streams are counted, and in order");
    FE_ASSERT(peer->n_lingering >= length_of(&peer->lingering), "requests that linger are counted");
    FE_ASSERT(sums.n_blocked == length_of(&peer->blocked), "the queue holds streams that wait");
}

static void check_bounds(const struct fe_peer *peer)
{
    FE_ASSERT(peer->n_remote <= peer->n_streams, "remote streams are some of all");
    FE_ASSERT(peer->n_remote <= FE_PEER_STREAMS_MAX, "remote streams are bounded");
    FE_ASSERT(peer->n_head_shares < FE_PEER_STREAMS_MAX, "and so is what their heads take");
    FE_ASSERT(peer->n_late <= FE_PEER_LATE_MAX, "late streams are bounded");
    FE_ASSERT(peer->n_free_streams <= FE_PEER_FREE_STREAMS_MAX, "free streams are bounded");
    FE_ASSERT(peer->n_queued_heads <= FE_PEER_QUEUED_HEADS_MAX, "queued heads are bounded");
    FE_ASSERT(peer->n_trailers <= FE_PEER_TRAILERS_MAX, "trailers that wait are bounded");
}

static void check_windows(const struct fe_peer *peer)
{
    if (!peer->has_windows) {
        FE_ASSERT(peer->returned == 0 && peer->window_in == 0 && peer->window_out == 0,
                  "an old peer has no windows");
        return;
    }
    FE_ASSERT(peer->n_late == 0 && peer->n_backlogged == 0,
              "a peer with windows is neither held back nor remembered");
    FE_ASSERT(peer->window_out <= FE_WINDOW_MAX, "a window is below 2^31");
    FE_ASSERT(peer->n_streams - peer->n_remote <= peer->flow.streams_out,
              "no more streams are opened than the peer takes");
    if (!peer->is_closed && !peer->has_failed) {
        FE_ASSERT((uint64_t)peer->window_in + peer->n_waiting + peer->returned == peer->whole_in,
                  "what was granted may still come, waits, or was taken");
    }
}

static void check_closed(const struct fe_peer *peer)
{
    FE_ASSERT(peer->streams.n == 0 && peer->n_streams == 0, "a closed peer has no streams");
    FE_ASSERT(peer->registry == NULL, "a closed peer provides nothing");
    FE_ASSERT(fe_peer_want_read(peer), "a closed peer holds nothing back");
}

void fe_peer_check(const struct fe_peer *peer)
{
    FE_ASSERT(peer->depth == 0 && peer->quantum == 0, "no event runs between two events");
    FE_ASSERT(fe_list_is_empty(&peer->done), "what was due has come");
    FE_ASSERT(peer->recent == NULL || (peer->recent->peer == peer && peer->streams.n > 0),
              "the stream found last is one that is open or late");
    FE_ASSERT(peer->registry != NULL || peer->n_offers == 0, "what is offered is in a registry");
    check_bounds(peer);
    check_windows(peer);
    if (peer->streams.n <= SUMS_MAX || peer->streams.n % SUMS_MAX == 0) {
        check_sums(peer);
        FE_ASSERT(peer->n_free_streams == length_of(&peer->free_streams),
                  "free streams are counted");
        FE_ASSERT(peer->n_offers == length_of(&peer->offers), "what is offered is counted");
    }
    if (peer->is_closed) {
        check_closed(peer);
    }
}
