/* The addresses of all [[http]], and the choice of the edge worker for each connection.
 *
 * The edge workers accept from sockets that they share, so that no client waits for a busy worker
 * while another is idle. The client goes to the edge worker with the fewest clients, of several the
 * first: few clients are served where the mesh is. From eight clients for each edge worker on, the
 * accepting one keeps the client unless it has more than an eighth beyond that: handing over costs
 * a wake-up. (With sockets of each edge worker's own, by SO_REUSEPORT, clients would wait for a
 * busy edge worker beside an idle one, and a second gateway could be started on the same address by
 * mistake.) */
#ifndef FE_GATEWAY_EDGE_ACCEPTOR_H
#define FE_GATEWAY_EDGE_ACCEPTOR_H

#include "gateway/edge/edge_worker.h"

enum {
    /* Edge workers that accept. Each connection wakes all of them that are idle, and only one gets
       it. */
    FE_ACCEPTORS_MAX = 4,
};

/* All of it outlives the acceptor. */
struct fe_acceptors_setup {
    const struct fe_config *config;
    struct fe_edge_worker *edges;
    size_t n_edges;
    const struct fe_log *log;
    void (*on_closed)(void *arg); /* on the gateway's thread */
    void *closed_arg;
};

/* One address at one edge worker. */
struct fe_listen_socket {
    struct fe_acceptor *acceptor;
    size_t http; /* the index of its [[http]] */
    int fd;      /* until there is a listener, which then owns it */
    struct fe_listener *listener;
};

/* All addresses at one edge worker, whose thread it belongs to once it is open. */
struct fe_acceptor {
    struct fe_acceptors *acceptors;
    struct fe_edge_worker *edge;
    struct fe_listen_socket *sockets;
    size_t n_sockets;
    size_t cap;    /* of the array: as many as there are addresses */
    size_t n_open; /* of them */
    bool is_closing;
    struct fe_task open_task;
    struct fe_task close_task;
    struct fe_task closed_task; /* to the gateway's thread */
};

struct fe_acceptors {
    struct fe_acceptors_setup setup;
    struct fe_acceptor items[FE_ACCEPTORS_MAX];
    size_t n_items;
    size_t n_open; /* of them, as the gateway's thread knows */
};

/* Listens on every address. On failure `err` names the address; what was opened is closed by
 * fe_acceptors_close, as after a success. A further edge worker that cannot accept is only logged.
 * The acceptor must not move. */
int fe_acceptors_open(struct fe_acceptors *acceptors, const struct fe_acceptors_setup *setup,
                      struct flatend_error *err) FE_MUST_USE;

/* Stops accepting. `on_closed` comes once after it, perhaps from within: every accepted connection
 * then belongs to an edge worker, or its task is posted. */
void fe_acceptors_close(struct fe_acceptors *acceptors);

/* After on_closed; also one of zeros. */
void fe_acceptors_deinit(struct fe_acceptors *acceptors);

/* The `index`-th address, counted through all [[http]], as it is bound. FLATEND_ENOENT. */
int fe_acceptors_addr(const struct fe_acceptors *acceptors, size_t index,
                      struct fe_addr *addr) FE_MUST_USE;

#endif
