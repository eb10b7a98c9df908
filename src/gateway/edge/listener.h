/* One [[http]] of the configuration at work on one worker: the clients that it serves. Their
 * sockets come from the acceptor (gateway/edge/acceptor.h). */
#ifndef FE_GATEWAY_EDGE_LISTENER_H
#define FE_GATEWAY_EDGE_LISTENER_H

#include <stdatomic.h>

#include "gateway/certs/acme_answer.h"
#include "gateway/edge/date_now.h"
#include "gateway/edge/dispatch.h"
#include "ground/uv/conn.h"
#include "web/http/h2/limits.h"
#include "web/http/server.h"
#include "web/tls/store.h"

/*     OPEN ── drain ──▶ DRAINING ── nobody is left ──▶ CLOSED: on_closed
 *                          │ ▲ shutdown timeout: those who are left are reset
 *                          └─┘ */
enum fe_http_state {
    FE_HTTP_OPEN,
    FE_HTTP_DRAINING,
    FE_HTTP_CLOSED,
};

/* What a listener stands on; all of it outlives the listener. */
struct fe_http_listener_setup {
    const struct fe_config_http *config;
    struct fe_worker *worker;
    struct fe_backends backends;
    struct fe_tls_store *store;      /* NULL: clear text */
    struct fe_acme_answers *answers; /* to a CA's challenges */
    const struct fe_log *log;
    atomic_size_t *load; /* the worker's clients, each counted before it is taken */
    void (*on_closed)(void *arg);
    void *closed_arg;
};

struct fe_http_listener {
    struct fe_http_listener_setup setup;
    struct fe_http_limits limits;
    struct fe_h2_counters h2;
    struct fe_date_now date;
    enum fe_http_state state;
    size_t n_clients; /* not closed yet */
    struct fe_list clients;
    struct fe_timer deadline; /* of draining */
};

/* The listener must not move. */
void fe_http_listener_init(struct fe_http_listener *listener,
                           const struct fe_http_listener_setup *setup);

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
