/* Looking into a node that runs: its peers, its running requests, what it has counted.
 *
 * The node's thread copies what is asked for into a snapshot, which belongs to the asker and is
 * never touched by the node again. Snapshots are bounded: each peer and each of so many requests
 * has a row of fixed size, and texts are cut. Peers stand in the order in which they were
 * connected, requests in that in which they came or were made.
 *
 * Internal for now: the administration of the gateway is its first user. */
#ifndef FE_MESH_NODE_INSPECT_H
#define FE_MESH_NODE_INSPECT_H

#include <flatend.h>

#include "ground/uv/worker.h"
#include "mesh/net/peer_info.h"

/* What to look at; the counters are always there. */
enum fe_inspect {
    FE_INSPECT_PEERS = 1,
    FE_INSPECT_REQUESTS = 2,
};

enum {
    FE_INSPECT_REQUESTS_MAX = 4096, /* listed, in each direction */
    FE_INSPECT_METHOD_MAX = 32,     /* longer ones are cut, */
    FE_INSPECT_PATH_MAX = 256,      /* these too */
};

enum fe_request_state {
    FE_REQUEST_WAITING,    /* for the head of the response */
    FE_REQUEST_RESPONDING, /* the head was sent, or has come */
    FE_REQUEST_ABANDONED,  /* nothing is sent any more, but the handler has not returned */
};

struct fe_request_info {
    bool is_outgoing; /* made by this node; else served by it */
    enum fe_request_state state;
    const char *service;         /* that serves it; of outgoing ones the first that was named */
    const char *method;          /* of the HTTP request that it stands for; NULL: none */
    const char *path;            /* likewise */
    char peer[FE_PEER_NAME_MAX]; /* as the log calls it; empty once it has nothing to do with it */
    uint64_t peer_handle;        /* 0 likewise */
    uint64_t age_ms;
    uint64_t bytes_received; /* of the body that comes from the peer */
    uint64_t bytes_sent;     /* of the body that goes there */
};

struct fe_node_snapshot {
    struct fe_node_stats stats;
    struct fe_peer_info *peers; /* the longest connected first */
    size_t n_peers;
    struct fe_request_info *requests; /* those that are served, then those that were made; each the
                                       * oldest first. There may be more: `stats` counts them. */
    size_t n_requests;
    struct fe_arena arena; /* what all of it lives in */
};

/* Asks the node, from any thread; `what` is a set of enum fe_inspect. `on_done` comes on the thread
 * of `worker`, which runs until then, exactly once, later: with a snapshot that is to be freed, or
 * with FLATEND_ENOMEM and none. A node that closes meanwhile answers first. Otherwise:
 * FLATEND_ENOMEM, FLATEND_ESTATE (it has not started), FLATEND_ECANCELED (it closes), and `on_done`
 * does not come.
 */
int fe_node_inspect(struct flatend_node *node, unsigned what, struct fe_worker *worker,
                    void (*on_done)(void *arg, int code, struct fe_node_snapshot *snapshot),
                    void *arg) FE_MUST_USE;

/* The same for a thread that may wait, and for the node's own, which need not. */
int fe_node_inspect_wait(struct flatend_node *node, unsigned what,
                         struct fe_node_snapshot **snapshot) FE_MUST_USE;

/* Only the counters, for the node's own thread, between start and the end of closing. */
void fe_node_copy_stats(struct flatend_node *node, struct fe_node_stats *stats);

/* NULL is allowed. Any thread. */
void fe_node_snapshot_free(struct fe_node_snapshot *snapshot);

#endif
