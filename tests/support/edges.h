/* Three edge workers behind an acceptor, with a backend of the test's own in place of services, at
 * "GET /tunnel". All but one of the workers reach it by crossing. */
#ifndef TESTS_SUPPORT_EDGES_H
#define TESTS_SUPPORT_EDGES_H

#include <pthread.h>

#include "gateway/certs/https.h"
#include "gateway/edge/acceptor.h"
#include "gateway/edge/edge_worker.h"

enum { EDGES_N = 3 };

struct edges {
    struct fe_worker *worker; /* the backend's */
    struct fe_config *config;
    struct fe_tls_tickets *tickets;
    struct fe_https https;
    struct fe_acme_answers answers;
    struct fe_log log;
    struct fe_edge_worker workers[EDGES_N];
    size_t n_closed;
    struct fe_acceptors acceptors;
    struct fe_task stop;
    pthread_t thread;
    uint16_t port;
};

/* `is_tls`: with HTTP/2 by ALPN, and a certificate that nobody need trust. */
void edges_init(struct edges *edges, const struct fe_backend *backend, bool is_tls);

/* Drains them, which takes 100 ms at most, and waits for their end. */
void edges_deinit(struct edges *edges);

#endif
