/* One [[http]] of the configuration at work: its addresses, and the clients that came through them.
 */
#ifndef FE_GATEWAY_LISTENER_H
#define FE_GATEWAY_LISTENER_H

#include "gateway/acme_answer.h"
#include "gateway/date_now.h"
#include "gateway/dispatch.h"
#include "http/h2_limits.h"
#include "http/server.h"
#include "tls/store.h"
#include "uv/conn.h"

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
    const struct fe_mesh_access *mesh;
    struct fe_tls_store *store;    /* NULL: clear text */
    const struct fe_list *answers; /* to a CA's challenges */
    const struct fe_log *log;
    void (*on_closed)(void *arg);
    void *closed_arg;
};

struct fe_http_listener {
    const struct fe_config_http *config;
    struct fe_worker *worker;
    const struct fe_mesh_access *mesh;
    struct fe_tls_store *store;
    const struct fe_list *answers;
    const struct fe_log *log;
    struct fe_http_limits limits;
    struct fe_h2_counters h2;
    struct fe_date_now date;
    enum fe_http_state state;
    struct fe_listener **sockets; /* by address of the configuration */
    size_t n_sockets;             /* of them, opened */
    size_t n_open;                /* sockets and clients that are not closed yet */
    struct fe_list clients;
    struct fe_timer deadline; /* of draining */
    void (*on_closed)(void *arg);
    void *closed_arg;
};

/* Listens on every address. On failure `err` names the address; what was opened is closed by
 * fe_http_listener_drain, as after a success. The listener must not move. `on_closed` comes once
 * after a drain, perhaps from within it. */
int fe_http_listener_open(struct fe_http_listener *listener,
                          const struct fe_http_listener_setup *setup,
                          struct flatend_error *err) FE_MUST_USE;

/* Accepts nobody any more, closes connections without a request at once, the others after their
 * response or after `timeout.shutdown`. Once. */
void fe_http_listener_drain(struct fe_http_listener *listener);

/* While draining: resets every connection. */
void fe_http_listener_hurry(struct fe_http_listener *listener);

/* After on_closed; also after an open that failed before anything was opened. */
void fe_http_listener_deinit(struct fe_http_listener *listener);

/* A client or a socket is closed. */
void fe_http_listener_on_gone(struct fe_http_listener *listener);

#endif
