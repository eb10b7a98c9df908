/* What the workers of a gateway count, and how it is read. */
#ifndef FE_GATEWAY_EDGE_STATS_H
#define FE_GATEWAY_EDGE_STATS_H

#include "ground/base/err.h"
#include "web/http/h2/limits.h"

struct fe_edge_worker;
struct fe_worker;

/* The block of one worker; written by its thread. */
#define FE_EDGE_STATS(X)                                                                           \
    X(COUNTER, accepts, "flatend_http_accepts_total", NULL, "connections",                         \
      "Connections that a worker has accepted")                                                    \
    X(COUNTER, handovers, "flatend_http_handovers_total", NULL, "connections",                     \
      "Accepted connections that were handed to another worker")                                   \
    X(COUNTER, clients, "flatend_http_clients_total", NULL, "clients",                             \
      "HTTP clients that were served or are")                                                      \
    X(GAUGE, open_clients, "flatend_http_clients", NULL, "clients", "HTTP clients connected now")  \
    X(COUNTER, refused_clients, "flatend_http_refused_clients_total", NULL, "clients",             \
      "Clients that were closed at once for want of memory")                                       \
    X(COUNTER, handshakes, "flatend_https_handshakes_total", NULL, "handshakes",                   \
      "TLS handshakes that came about")                                                            \
    X(COUNTER, tls_failures, "flatend_https_failures_total", NULL, "connections",                  \
      "TLS connections that ended with a fault, most of them in the handshake")                    \
    X(COUNTER, slow_readers, "flatend_http_slow_clients_total", "direction=\"response\"",          \
      "clients", "HTTP clients that were cut off for being slower than timeout.min_rate")          \
    X(COUNTER, slow_senders, "flatend_http_slow_clients_total", "direction=\"request\"",           \
      "clients", "HTTP clients that were cut off for being slower than timeout.min_rate")          \
    X(COUNTER, exchanges, "flatend_http_requests_total", NULL, "requests",                         \
      "Requests whose head was complete and valid")                                                \
    X(COUNTER, bytes_received, "flatend_http_received_bytes_total", NULL, "bytes",                 \
      "Bytes received from HTTP clients, as they are on the wire")                                 \
    X(COUNTER, bytes_sent, "flatend_http_sent_bytes_total", NULL, "bytes",                         \
      "Bytes sent to HTTP clients, as they are on the wire")

struct fe_edge_stats {
    FE_EDGE_STATS(FE_STAT_FIELD)
};

extern const struct fe_stats_type fe_edge_stats_type;

/* One worker's, or those of all together. */
struct fe_edge_totals {
    struct fe_edge_stats edge;
    struct fe_h2_counters h2;
};

void fe_edge_totals_add(struct fe_edge_totals *sum, const struct fe_edge_totals *totals);

/* Asks every edge worker, each on its own thread, and adds up what they say; those that have ended
 * still have their counts. For the gateway's thread, `worker` is its worker. `on_done` comes once,
 * later, on that thread; until then neither the edge workers are freed nor is the worker stopped.
 * FLATEND_ENOMEM: it does not come. */
int fe_edge_stats_sum(struct fe_edge_worker *edges, size_t n_edges, struct fe_worker *worker,
                      void (*on_done)(void *arg, const struct fe_edge_totals *sum),
                      void *arg) FE_MUST_USE;

#endif
