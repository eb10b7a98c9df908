/* Private to src/gateway/server: what a gateway is made of.
 *
 *     gateway.c        its life, from start to stop, and what is asked of it meanwhile
 *     gateway_node.c   its node of the mesh
 *     gateway_certs.c  the certificates of its listeners */
#ifndef FE_GATEWAY_SERVER_GATEWAY_INTERNAL_H
#define FE_GATEWAY_SERVER_GATEWAY_INTERNAL_H

#include "gateway/certs/acme_client.h"
#include "gateway/certs/https.h"
#include "gateway/edge/acceptor.h"
#include "gateway/relay/service.h"
#include "gateway/server/gateway.h"
#include "gateway/server/trimmer.h"
#include "ground/base/shortage.h"

/*     RUNNING ── stop ──▶ DRAINING ── no HTTP any more ──▶ CLOSING ── node closed ──▶ STOPPED */
enum fe_gateway_state {
    FE_GATEWAY_RUNNING,
    FE_GATEWAY_DRAINING,
    FE_GATEWAY_CLOSING,
    FE_GATEWAY_STOPPED,
};

struct fe_gateway {
    struct fe_worker *worker;
    struct fe_config *config;
    struct fe_log log;
    enum fe_gateway_state state;
    struct flatend_node *node; /* NULL: none was made, or it is closed */
    struct fe_mesh_access mesh;
    struct fe_log_limit service_lines;
    struct fe_service_backend services;
    struct fe_edge_worker *edges;
    size_t n_edges; /* that are open, or were */
    struct fe_acceptors acceptors;
    bool has_acceptors; /* open was called on it, and it is not closed */
    bool is_aborted;
    size_t n_open; /* edge workers, ACME clients, the acceptors, questions to workers: not closed */
    struct fe_shortage descriptors; /* which all workers tell */
    struct fe_acme_manager manager;
    struct fe_https *https; /* by listener; without a store where there is no HTTPS */
    struct fe_tls_tickets *tickets;
    struct fe_trimmer trimmer;
    struct fe_timer poll_timer; /* at the certificates */
    uint64_t rotate_ms;         /* when tickets get their next key */
    void (*on_failed)(void *arg, const struct flatend_error *why); /* NULL: nothing is told */
    void *failed_arg;
    void (*on_stopped)(void *arg);
    void *stopped_arg;
};

/* Starts the node, and with it the services as a backend. */
int fe_gateway_start_node(struct fe_gateway *gateway, struct flatend_error *err) FE_MUST_USE;

/* Before fe_gateway_stop, whether they are started or not. */
void fe_gateway_init_certs(struct fe_gateway *gateway);

/* Reads or makes the certificates of each listener with HTTPS, and renews them from then on. */
int fe_gateway_start_certs(struct fe_gateway *gateway, struct flatend_error *err) FE_MUST_USE;

#endif
