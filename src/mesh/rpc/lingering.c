#include "mesh/rpc/lingering.h"

#include "ground/base/assert.h"
#include "mesh/rpc/internal.h"

void fe_lingering_init(struct fe_lingering *lingering)
{
    *lingering = (struct fe_lingering){0};
    fe_list_init(&lingering->link);
}

void fe_stream_linger(const struct fe_stream *stream, struct fe_lingering *lingering)
{
    struct fe_peer *const peer = stream->peer;

    FE_ASSERT(stream->is_remote && lingering->peer == NULL, "a request of the peer's lingers once");
    if (peer->is_closed) {
        return;
    }
    lingering->peer = peer;
    lingering->n = 1U + stream->n_head_shares;
    peer->n_lingering += lingering->n;
    fe_list_push_back(&peer->lingering, &lingering->link);
}

void fe_lingering_end(struct fe_lingering *lingering)
{
    struct fe_peer *const peer = lingering->peer;

    if (peer == NULL) {
        return;
    }
    FE_ASSERT(peer->n_lingering >= lingering->n, "requests that linger are counted");
    peer->n_lingering -= lingering->n;
    fe_list_remove(&lingering->link);
    lingering->peer = NULL;
}

void fe_peer_forget_lingering(struct fe_peer *peer)
{
    FE_LIST_FOREACH (link, next, &peer->lingering) {
        fe_lingering_end(FE_CONTAINER_OF(link, struct fe_lingering, link));
    }
    FE_ASSERT(peer->n_lingering == 0, "requests that linger are counted");
}
