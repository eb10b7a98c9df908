/* Requests to services of this node's own: two peers joined in memory, without a socket between.
 *
 *     registry ──▶ caller ── packets, as events ──▶ provider ──▶ on_request
 *                    ▲ ◀─────────────────────────────── │
 *
 * To the rooms above it is a connection like any other: windows hold bodies back, heads have the
 * size that secure peers take, and events come in a later turn, never from within a call. There is
 * one while the node offers anything. */
#ifndef FE_MESH_NET_SELF_H
#define FE_MESH_NET_SELF_H

#include "ground/base/timer.h"
#include "mesh/rpc/registry.h"

struct fe_mesh;

enum fe_self_side {
    FE_SELF_CALLER,   /* a provider in the registry; its streams are calls */
    FE_SELF_PROVIDER, /* its streams are the requests to be served */
    FE_SELF_SIDES,
};

struct fe_self_end {
    struct fe_sender sender;
    struct fe_peer peer;
    struct fe_list packets; /* sent, to the other end */
    size_t n_waiting;       /* body bytes in them */
    uint32_t next_stream;
    bool is_blocked; /* a writer waits for space */
};

struct fe_self_link {
    struct fe_mesh *mesh;
    struct fe_timer delivery;
    struct fe_self_end ends[FE_SELF_SIDES];
    bool is_open;
};

void fe_self_link_init(struct fe_self_link *self, struct fe_mesh *mesh);

/* What this node offers from now on. FLATEND_ENOMEM: it is not known of here. */
int fe_self_link_offer(struct fe_self_link *self, const struct fe_view *services,
                       size_t n) FE_MUST_USE;

/* Every call ends with `code`. Not from within an event of its streams. */
void fe_self_link_close(struct fe_self_link *self, int code);

#endif
