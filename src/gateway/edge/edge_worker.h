/* One worker's part of the gateway: of every [[http]] the clients that it serves.
 *
 * The first edge worker is on the worker of the gateway itself, where the mesh is too; each of the
 * others has a thread of its own, and reaches the mesh by crossing. What is not said otherwise is
 * for the gateway's thread. */
#ifndef FE_GATEWAY_EDGE_EDGE_WORKER_H
#define FE_GATEWAY_EDGE_EDGE_WORKER_H

#include "gateway/edge/listener.h"
#include "gateway/edge/stats.h"
#include "gateway/files/files.h"
#include "gateway/relay/crossing.h"
#include "ground/uv/worker_thread.h"

/* What an edge worker stands on; all of it outlives the edge worker. */
struct fe_edge_worker_setup {
    struct fe_worker *main_worker;     /* the gateway's worker */
    struct fe_config *config;          /* that it begins with */
    const struct fe_backend *services; /* of routes to services; on the gateway's worker */
    bool has_tunnels;                  /* which answers with tunnels, too: web/http/server.h */
    const struct fe_https *https;      /* by [[http]] */
    struct fe_acme_answers *answers;
    const struct fe_log *log;
    struct fe_shortage *descriptors; /* for files, and the workers that are made */
    void (*on_closed)(void *arg);    /* on the gateway's thread */
    void *closed_arg;
};

struct fe_edge_worker {
    struct fe_edge_worker_setup setup;
    struct fe_worker_thread worker_thread; /* unless it is the first */
    struct fe_worker *worker;
    struct fe_http_listener *listeners; /* by [[http]] */
    atomic_size_t load;                 /* clients; any thread */
    /* The gateway's thread. */
    bool has_ended;
    bool is_aborted;
    /* The edge worker's own thread. */
    size_t n_open; /* listeners */
    bool is_draining;
    bool is_empty;
    struct fe_edge_stats stats;
    struct fe_crossing_channel channel;
    struct fe_crossing_backend crossing;
    struct fe_files_backend files;
    /* With a worker thread: from the gateway's thread to its own. */
    struct fe_task drain_task;
    struct fe_task abort_task;
};

/* The first edge worker; a further one, with its thread. It must not move. On failure nothing is
 * left of it. FLATEND_ENOMEM; FLATEND_ELIMIT: no more threads, or descriptors, are to be had. */
int fe_edge_worker_open_main(struct fe_edge_worker *edge,
                             const struct fe_edge_worker_setup *setup) FE_MUST_USE;
int fe_edge_worker_open_threaded(struct fe_edge_worker *edge,
                                 const struct fe_edge_worker_setup *setup) FE_MUST_USE;

/* A client's socket for the [[http]] with this index, from here on the edge worker's; from the
 * thread of `from`. Without memory for it, it is closed. Not once fe_edge_worker_drain is called.
 */
void fe_edge_worker_take(struct fe_edge_worker *edge, struct fe_edge_worker *from, size_t http,
                         int fd, const struct fe_addr *peer);

/* Each [[http]] is given the one with the same index in `snapshot`, whose only reference this takes
 * over: see fe_http_listener_replace. At the edge worker's next turn, in the order of the calls. */
void fe_edge_worker_replace(struct fe_edge_worker *edge, struct fe_snapshot *snapshot);

/* Clients finish their requests, see listener.h; then comes on_closed, once, perhaps from within.
 */
void fe_edge_worker_drain(struct fe_edge_worker *edge);

/* While draining: resets every connection. */
void fe_edge_worker_abort(struct fe_edge_worker *edge);

/* What it has counted so far. On its own thread, or once it has ended. */
void fe_edge_worker_copy_stats(const struct fe_edge_worker *edge, struct fe_edge_totals *totals);

/* After on_closed. */
void fe_edge_worker_deinit(struct fe_edge_worker *edge);

#endif
