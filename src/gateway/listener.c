/* The life of an [[http]].
 *
 * Happy path: open, accept clients; drain: the sockets close, each client closes when it has its
 * answer; the last one that goes closes the listener.
 *
 * Failure modes: an address cannot be had: the caller drains what is open. No memory for a client:
 * its connection is closed, the others stay. Clients that do not end in time are reset. */
#include "gateway/listener.h"

#include <stdlib.h>

#include "gateway/client.h"

enum { PRIVILEGED_PORT = 1024 };

static void on_deadline(struct fe_timer *timer);

static void on_accept(void *owner, struct fe_conn *conn)
{
    struct fe_http_listener *listener = owner;

    if (fe_client_open(listener, conn) == 0) {
        listener->n_open++;
    } /* else nobody takes the connection, which closes it */
}

static void on_socket_closed(void *owner)
{
    fe_http_listener_on_gone(owner);
}

static const struct fe_listener_ops socket_ops = {
    .on_accept = on_accept,
    .on_close = on_socket_closed,
};

static int open_socket(struct fe_http_listener *listener, const struct fe_addr *addr,
                       struct flatend_error *err)
{
    struct fe_listener **socket = &listener->sockets[listener->n_sockets];
    char text[FE_ADDR_TEXT_MAX];
    struct fe_addr bound;
    int code = fe_listener_open(listener->worker, addr, &socket_ops, listener, socket, err);

    if (code == FLATEND_EACCESS && addr->port < PRIVILEGED_PORT) {
        const struct flatend_error reason = *err;

        (void)fe_err_set(err, code,
                         "%.120s: ports below 1024 need root or the capability "
                         "CAP_NET_BIND_SERVICE",
                         reason.text);
    }
    if (code != 0) {
        return code;
    }
    listener->n_sockets++;
    listener->n_open++;
    fe_listener_addr(*socket, &bound);
    (void)fe_addr_format(&bound, text);
    if (listener->config->n_targets > 0) {
        fe_log(listener->log, FLATEND_LOG_INFO, "Redirecting HTTP requests on '%s' to HTTPS.",
               text);
    } else {
        fe_log(listener->log, FLATEND_LOG_INFO, "Listening for %s requests on '%s'.",
               listener->store != NULL ? "HTTPS" : "HTTP", text);
    }
    return 0;
}

int fe_http_listener_open(struct fe_http_listener *listener,
                          const struct fe_http_listener_setup *setup, struct flatend_error *err)
{
    const struct fe_config_http *config = setup->config;
    int code = 0;

    *listener = (struct fe_http_listener){
        .config = config,
        .worker = setup->worker,
        .mesh = setup->mesh,
        .store = setup->store,
        .answers = setup->answers,
        .log = setup->log,
        .limits = {.header_max = config->header_max,
                   .body_max = UINT64_MAX, /* each route has its own */
                   .read_header_ms = config->read_header_ms,
                   .read_ms = config->read_ms,
                   .write_ms = config->write_ms,
                   .idle_ms = config->idle_ms},
        .on_closed = setup->on_closed,
        .closed_arg = setup->closed_arg,
    };
    fe_list_init(&listener->clients);
    fe_timer_init(&listener->deadline, on_deadline);
    listener->sockets = calloc(config->n_addrs, sizeof(struct fe_listener *));
    if (listener->sockets == NULL) {
        return fe_err_set(err, FLATEND_ENOMEM, "%s", flatend_strerror(FLATEND_ENOMEM));
    }
    for (size_t i = 0; code == 0 && i < config->n_addrs; i++) {
        code = open_socket(listener, &config->addrs[i], err);
    }
    return code;
}

static void close_if_empty(struct fe_http_listener *listener)
{
    if (listener->state != FE_HTTP_DRAINING || listener->n_open > 0) {
        return;
    }
    listener->state = FE_HTTP_CLOSED;
    fe_timer_stop(fe_worker_timers(listener->worker), &listener->deadline);
    listener->on_closed(listener->closed_arg);
}

void fe_http_listener_on_gone(struct fe_http_listener *listener)
{
    listener->n_open--;
    close_if_empty(listener);
}

void fe_http_listener_hurry(struct fe_http_listener *listener)
{
    FE_LIST_FOREACH (link, tmp, &listener->clients) {
        fe_client_abort(FE_CONTAINER_OF(link, struct fe_client, link));
    }
}

static void on_deadline(struct fe_timer *timer)
{
    struct fe_http_listener *listener = FE_CONTAINER_OF(timer, struct fe_http_listener, deadline);

    fe_log(listener->log, FLATEND_LOG_WARN,
           "%zu HTTP connection(s) did not end within the shutdown timeout.", listener->n_open);
    fe_http_listener_hurry(listener);
}

/* Without memory for the timer nothing would end the waiting: so there is none. */
static void limit_draining(struct fe_http_listener *listener)
{
    uint64_t shutdown_ms = listener->config->shutdown_ms;
    uint64_t deadline_ms = fe_worker_now(listener->worker) + shutdown_ms;

    if (shutdown_ms == 0 ||
        fe_timer_start(fe_worker_timers(listener->worker), &listener->deadline, deadline_ms) != 0) {
        fe_http_listener_hurry(listener);
    }
}

void fe_http_listener_drain(struct fe_http_listener *listener)
{
    if (listener->state != FE_HTTP_OPEN) {
        return;
    }
    listener->state = FE_HTTP_DRAINING;
    for (size_t i = 0; i < listener->n_sockets; i++) {
        fe_listener_close(listener->sockets[i]);
    }
    FE_LIST_FOREACH (link, tmp, &listener->clients) {
        fe_client_drain(FE_CONTAINER_OF(link, struct fe_client, link));
    }
    limit_draining(listener);
    close_if_empty(listener);
}

void fe_http_listener_deinit(struct fe_http_listener *listener)
{
    free(listener->sockets);
    listener->sockets = NULL;
}
