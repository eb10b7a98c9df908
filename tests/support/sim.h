/* Nodes in one process, on a virtual network and a virtual clock.
 *
 * Everything that happens comes from one seed: latencies, the sizes of the pieces in which bytes
 * arrive, the keys of the nodes. The same seed gives the same run, so the trace of a run (each
 * node's log, stamped with virtual time) can be asserted.
 *
 *     struct sim *sim = sim_new(3, seed);
 *     sim_start(sim, 0);
 *     sim_start(sim, 1);
 *     sim_join(sim, 1, 0);
 *     sim_run(sim, 1000);
 *     assert_true(sim_is_linked(sim, 0, 1));
 *     sim_free(sim);
 */
#ifndef TESTS_SUPPORT_SIM_H
#define TESTS_SUPPORT_SIM_H

#include "mesh/net/internal.h"

enum {
    SIM_LATENCY_MIN_MS = 1,
    SIM_LATENCY_MAX_MS = 20,
    SIM_ROUND_TRIP_MAX_MS = 2 * SIM_LATENCY_MAX_MS,
    SIM_DIAL_TIMEOUT_MS = 300,  /* to an address in another partition */
    SIM_STAGGER_MS = 250,       /* until the next address is tried beside it */
    SIM_WINDOW = 64 * 1024,     /* bytes in flight in one direction of a connection */
    SIM_TRACE_MAX = 256 * 1024, /* log text kept of a node */
};

struct sim;

struct sim_node {
    struct sim *sim;
    size_t index;
    int side; /* of a partition: only nodes of one side reach each other */
    struct fe_self self;
    struct fe_view services[1];
    struct fe_mesh *mesh; /* NULL: the node is down */
    struct fe_buf trace;  /* "    17 line\n", over all its lives */
    size_t n_starts;
    size_t n_joins;
    size_t n_joined;    /* calls of on_joined */
    size_t n_connected; /* as on_joined said last */
    size_t n_drained;   /* calls of on_drained */
    size_t n_closed;    /* calls of on_closed */
    size_t n_look_ups;
    const char *public_host; /* by which sim_start finds its address; NULL: it has one */
    size_t n_requests;
    /* NULL: no request is accepted. */
    void (*on_request)(struct sim_node *node, struct fe_stream *stream, struct fe_headers headers);
    void *arg; /* the test's */
};

/* Nodes 0 to `n_nodes` - 1, all down. Each has an identity, the address sim_addr, and offers the
 * service "node". */
struct sim *sim_new(size_t n_nodes, uint64_t seed);

/* Stops every node and frees everything. */
void sim_free(struct sim *sim);

struct sim_node *sim_node(struct sim *sim, size_t index);
struct fe_addr sim_addr(size_t index); /* 10.0.x.y:9000 */
uint64_t sim_now(const struct sim *sim);
struct fe_timers *sim_timers(struct sim *sim);
struct fe_pool *sim_pool(struct sim *sim);
const struct fe_rng *sim_rng(const struct sim *sim);

/* Before sim_start: no identity, cannot be dialed. */
void sim_make_anonymous(struct sim *sim, size_t index);

/* The same: it knows nothing of the secure session. */
void sim_make_old(struct sim *sim, size_t index);

/* Nodes that start from now on give up a peer that is silent for so long. */
void sim_watch(struct sim *sim, unsigned dead_after_ms);

/* Nodes that start from now on make so many attempts to come back, everywhere. */
void sim_limit_attempts(struct sim *sim, int n);

void sim_start(struct sim *sim, size_t index);
void sim_join(struct sim *sim, size_t index, size_t bootstrap);

/* From now on the name is these nodes' (none: there is no such host); and to join by it. */
void sim_name(struct sim *sim, const char *host, const size_t *indices, size_t n);
void sim_join_by_name(struct sim *sim, size_t index, const char *host);

/* The process dies: its connections break, and it is down when this returns. */
void sim_stop(struct sim *sim, size_t index);

/* Lets `ms` milliseconds pass. */
void sim_run(struct sim *sim, uint64_t ms);

/* Puts a node on a side; connections between sides break. */
void sim_partition(struct sim *sim, size_t index, int side);

/* The same without a word: what is sent to the other side waits, until the two are on one again. A
 * connection that one end has closed meanwhile is then reset. */
void sim_cut(struct sim *sim, size_t index, int side);

/* Breaks one connection at random; false if there is none. */
bool sim_break_one(struct sim *sim);

/* Lets bytes pass from now on, or holds them all back without breaking anything. */
void sim_hold(struct sim *sim, bool hold);

/* `a` has a ready link to `b`; and to how many nodes that have an identity. Two nodes that dial
 * each other at once have two links. */
bool sim_is_linked(const struct sim *sim, size_t a, size_t b);
size_t sim_n_peers(const struct sim *sim, size_t index);

/* How often the node has logged a line that contains `text`. */
size_t sim_count(const struct sim *sim, size_t index, const char *text);

#endif
