/* What a node knows of its peers, as plain values: copied on its thread, read anywhere. */
#ifndef FE_MESH_NET_PEER_INFO_H
#define FE_MESH_NET_PEER_INFO_H

#include "ground/base/arena.h"
#include "mesh/net/mesh.h"
#include "mesh/net/stats.h"
#include "mesh/wire/peer_name.h"

enum {
    /* Names of services in one snapshot, of all peers together. Each may offer 255 of 255 bytes:
     * what does not fit is counted, and not listed. */
    FE_INSPECT_SERVICES_MAX = 4 * 1024 * 1024,
};

struct fe_peer_service {
    const char *name; /* as the peer spells it, with a NUL behind it */
    uint16_t weight;  /* FE_WEIGHT_DEFAULT unless it has said another */
};

struct fe_peer_info {
    uint64_t handle;             /* as in flatend_provider */
    char name[FE_PEER_NAME_MAX]; /* as the log calls it */
    uint8_t key[FE_KEY_LEN];     /* zero if it is anonymous */
    bool is_anonymous;
    bool is_proven;  /* the key, for this very session */
    bool is_dialed;  /* by us; else it came to us */
    bool is_leaving; /* it takes no more requests */
    enum fe_dialect dialect;
    struct fe_addr addr;   /* the address in its name */
    struct fe_addr source; /* where the connection leads to or comes from */
    const struct fe_peer_service *services;
    size_t n_services; /* listed */
    size_t n_offers;   /* that it offers */
    size_t n_streams;  /* requests that run, both ways: the load that balancing compares */
    uint64_t n_streams_opened;
    bool is_ejected;
    uint64_t ejected_ms; /* what is left of that */
    uint64_t age_ms;     /* since the connection was made */
    bool has_rtt;
    uint32_t rtt_us; /* smoothed; by the clock of a loop, in steps of a millisecond */
    uint32_t rtt_min_us;
    uint64_t bytes_received; /* as they are on the wire */
    uint64_t bytes_sent;
};

/* Adds up what was counted so far. The gauges of what only the node knows (`requests`) are its. */
void fe_mesh_copy_stats(const struct fe_mesh *mesh, struct fe_node_stats *stats);

/* The block itself, for what the node counts. */
struct fe_node_stats *fe_mesh_stats(struct fe_mesh *mesh);

/* All peers whose Handshake has come, the longest connected first; in `arena`. Secure ones are
 * pinged, so that the next list knows their round-trip time: it is not measured all the time, for
 * no one to read. FLATEND_ENOMEM. */
int fe_mesh_list_peers(struct fe_mesh *mesh, struct fe_arena *arena, struct fe_peer_info **peers,
                       size_t *n_peers) FE_MUST_USE;

/* What the log calls a peer of the mesh. Returns `buf`. */
const char *fe_mesh_peer_name(const struct fe_peer *peer, char buf[FE_PEER_NAME_MAX]);

#endif
