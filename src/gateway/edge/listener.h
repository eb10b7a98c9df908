/* One [[http]] of the configuration at work on one worker: the clients that it serves. Their
 * sockets come from the acceptor (gateway/edge/acceptor.h). */
#ifndef FE_GATEWAY_EDGE_LISTENER_H
#define FE_GATEWAY_EDGE_LISTENER_H

#include <stdatomic.h>

#include "gateway/certs/acme_answer.h"
#include "gateway/edge/date_now.h"
#include "gateway/edge/snapshot.h"
#include "gateway/edge/stats.h"
#include "ground/base/log_limit.h"
#include "ground/uv/conn.h"
#include "web/http/server.h"
#include "web/tls/store.h"

/*     OPEN ── drain ──▶ DRAINING ── no client left ─▶ CLOSED: on_closed
 *                          │ ▲ shutdown timeout: the remaining ones are reset
 *                          └─┘ */
enum fe_http_state {
    FE_HTTP_OPEN,
    FE_HTTP_DRAINING,
    FE_HTTP_CLOSED,
};

/* What a listener stands on; all of it outlives the listener, which holds the snapshot itself. */
struct fe_http_listener_setup {
    struct fe_snapshot *snapshot;
    size_t http; /* the index of its [[http]] in the snapshot */
    struct fe_worker *worker;
    struct fe_tls_store *store;      /* NULL: clear text */
    struct fe_acme_answers *answers; /* to a CA's challenges */
    const struct fe_log *log;
    bool has_tunnels;            /* HTTP/2 says that a request may ask for one */
    atomic_size_t *load;         /* the worker's clients, each counted before it is taken */
    struct fe_edge_stats *stats; /* the worker's */
    void (*on_closed)(void *arg);
    void *closed_arg;
};

struct fe_http_listener {
    struct fe_http_listener_setup setup;
    struct fe_snapshot *snapshot;        /* of what begins now; NULL: it is closed */
    const struct fe_config_http *config; /* in there */
    struct fe_acme_answers_backend answers;
    struct fe_h2_counters h2;
    struct fe_date_now date;
    struct fe_log_limit client_lines;
    enum fe_http_state state;
    size_t n_clients; /* not closed yet */
    struct fe_list clients;
    struct fe_timer deadline; /* of draining */
};

/* The listener must not move. */
void fe_http_listener_init(struct fe_http_listener *listener,
                           const struct fe_http_listener_setup *setup);

/* From here on clients and exchanges begin with `snapshot`, of which the listener takes a
 * reference: new clients have its limits, and new requests of all clients its routes and filters.
 * What has begun goes on with what it began with: clients with their limits, exchanges with their
 * route. `http` is the index of the listener in there. Addresses, certificates
 * and the mesh are not the listener's, and stay. */
void fe_http_listener_replace(struct fe_http_listener *listener, struct fe_snapshot *snapshot,
                              size_t http);

/* Gives back what one that was never used holds; one that is closed has done so. */
void fe_http_listener_deinit(struct fe_http_listener *listener);

/* A client's socket, which is the listener's from here on; not any more once it drains. Without
 * memory for the client it is closed. */
void fe_http_listener_take(struct fe_http_listener *listener, int fd, const struct fe_addr *peer);

/* Closes connections without a request at once, the others after their response or after
 * `timeout.shutdown`. Once; `on_closed` comes once after it, perhaps from within. */
void fe_http_listener_drain(struct fe_http_listener *listener);

/* While draining: resets every connection. */
void fe_http_listener_abort(struct fe_http_listener *listener);

/* A client is closed. */
void fe_http_listener_on_gone(struct fe_http_listener *listener);

#endif
