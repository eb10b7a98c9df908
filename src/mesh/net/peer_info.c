#include "mesh/net/peer_info.h"

#include "ground/base/assert.h"
#include "mesh/net/internal.h"
#include "mesh/rpc/providers.h"

#define ROW(...) FE_STAT_ROW(fe_node_stats, __VA_ARGS__)

static const struct fe_stat rows[] = {FE_NODE_STATS(ROW)};

const struct fe_stats_type fe_node_stats_type = FE_STATS_TYPE(struct fe_node_stats, rows);

static bool is_peer(const struct fe_link *link)
{
    return link->state == FE_LINK_READY;
}

/* ---- counting ---- */

struct fe_node_stats *fe_mesh_stats(struct fe_mesh *mesh)
{
    return &mesh->stats;
}

/* Bytes that the transport has sent for the link; 0 if it does not count them. */
static uint64_t n_sent(const struct fe_link *link)
{
    const struct fe_transport_ops *ops = link->mesh->transport.ops;

    return ops->n_sent != NULL && link->io != NULL ? ops->n_sent(link->io) : 0;
}

void fe_link_add_stats(const struct fe_link *link, struct fe_node_stats *stats)
{
    stats->streams_opened += link->peer.n_opened;
    stats->bytes_received += link->n_received;
    stats->bytes_sent += n_sent(link);
}

void fe_mesh_copy_stats(const struct fe_mesh *mesh, struct fe_node_stats *stats)
{
    *stats = mesh->stats;
    FE_LIST_FOREACH (node, next, &mesh->links) {
        const struct fe_link *link = FE_CONTAINER_OF(node, struct fe_link, node);

        fe_link_add_stats(link, stats);
        stats->peers += is_peer(link);
        stats->proven_peers += is_peer(link) && link->peer.is_proven;
        stats->streams += link->peer.n_streams;
    }
    stats->ejected_peers = mesh->registry.n_ejected;
    stats->calls = mesh->registry.n_calls;
    stats->calls_started = mesh->registry.n_calls_started;
}

/* ---- looking ---- */

const char *fe_mesh_peer_name(const struct fe_peer *peer, char buf[FE_PEER_NAME_MAX])
{
    return fe_link_name(peer->owner, buf);
}

static int list_services(const struct fe_peer *peer, struct fe_arena *arena,
                         struct fe_peer_info *info)
{
    struct fe_peer_service *services =
        fe_arena_alloc(arena, (peer->n_offers + 1) * sizeof(*services));

    if (services == NULL) {
        return FLATEND_ENOMEM;
    }
    info->services = services;
    info->n_offers = peer->n_offers;
    FE_LIST_FOREACH (node, next, &peer->offers) {
        const struct fe_offer_entry *entry = FE_CONTAINER_OF(node, struct fe_offer_entry, link);
        struct fe_peer_service *service = &services[info->n_services];

        if (arena->used > FE_INSPECT_SERVICES_MAX) {
            break;
        }
        service->weight = entry->weight;
        service->name = fe_arena_copy(arena, entry->service->node.key);
        if (service->name == NULL) {
            return FLATEND_ENOMEM;
        }
        info->n_services++;
    }
    return 0;
}

static void describe_health(const struct fe_health *health, uint64_t now_ms,
                            struct fe_peer_info *info)
{
    info->is_ejected = health->is_ejected && now_ms < health->until_ms;
    info->ejected_ms = info->is_ejected ? health->until_ms - now_ms : 0;
}

static int describe_peer(const struct fe_link *link, uint64_t now_ms, struct fe_arena *arena,
                         struct fe_peer_info *info)
{
    const struct fe_peer *peer = &link->peer;

    *info = (struct fe_peer_info){
        .handle = peer->handle,
        .is_anonymous = peer->is_anonymous,
        .is_proven = peer->is_proven,
        .is_dialed = link->session.is_initiator,
        .is_leaving = link->has_goaway,
        .dialect = link->session.sender.dialect,
        .addr = fe_link_addr(link),
        .source = link->addr,
        .n_streams = peer->n_streams,
        .n_streams_opened = peer->n_opened,
        .age_ms = now_ms - link->opened_ms,
        .has_rtt = link->rtt.is_known,
        .rtt_us = link->rtt.smoothed_us,
        .rtt_min_us = link->rtt.min_us,
        .bytes_received = link->n_received,
        .bytes_sent = n_sent(link),
    };
    (void)fe_link_name(link, info->name);
    if (!peer->is_anonymous) {
        memcpy(info->key, peer->id.public_key, FE_KEY_LEN);
    }
    describe_health(&peer->health, now_ms, info);
    return list_services(peer, arena, info);
}

/* One at a time. Without memory for it there is none: it says nothing that the peer waits for. */
static void measure(struct fe_link *link, uint64_t now_ms)
{
    struct fe_sender *sender = &link->session.sender;

    if (fe_sender_is_secure(sender) && link->rtt.n_waiting == 0 &&
        sender->ops->ping(sender, FE_PING_MEASURE) == 0) {
        fe_rtt_on_ping(&link->rtt, now_ms);
        fe_link_flush(link);
    }
}

int fe_mesh_list_peers(struct fe_mesh *mesh, struct fe_arena *arena, struct fe_peer_info **peers,
                       size_t *n_peers)
{
    uint64_t now_ms = mesh->now_ms(mesh->now_arg);
    struct fe_peer_info *infos = fe_arena_alloc(arena, (mesh->n_links + 1) * sizeof(*infos));
    size_t n = 0;

    if (infos == NULL) {
        return FLATEND_ENOMEM;
    }
    FE_LIST_FOREACH (node, next, &mesh->links) {
        struct fe_link *link = FE_CONTAINER_OF(node, struct fe_link, node);

        if (!is_peer(link)) {
            continue;
        }
        if (describe_peer(link, now_ms, arena, &infos[n]) != 0) {
            return FLATEND_ENOMEM;
        }
        n++;
        measure(link, now_ms);
    }
    *peers = infos;
    *n_peers = n;
    return 0;
}

/* ---- news ---- */

static void tell(const struct fe_mesh *mesh, enum fe_mesh_news news,
                 const struct fe_mesh_peer *peer)
{
    if (mesh->ops->on_news != NULL) {
        mesh->ops->on_news(mesh->arg, news, peer);
    }
}

void fe_link_tell(struct fe_link *link, enum fe_mesh_news news)
{
    const struct fe_peer *peer = &link->peer;

    FE_ASSERT(link->is_up == (news == FE_MESH_PEER_DOWN), "a peer is up, then down");
    link->is_up = news == FE_MESH_PEER_UP;
    tell(link->mesh, news,
         &(struct fe_mesh_peer){
             .handle = peer->handle,
             .is_anonymous = peer->is_anonymous,
             .is_proven = peer->is_proven,
             .id = peer->id,
             .has_addr = !peer->is_anonymous,
         });
}

void fe_dial_tell_given_up(const struct fe_dial *dial)
{
    struct fe_mesh_peer peer = {.is_proven = dial->is_proven};

    peer.has_addr = dial->addr.family != 0 && fe_addr_to_ip(&dial->addr, &peer.id.addr);
    memcpy(peer.id.public_key, dial->is_pinned ? dial->key : dial->last_key, FE_KEY_LEN);
    tell(dial->mesh, FE_MESH_PEER_GIVEN_UP, &peer);
}
