/* The life of an acceptor.
 *
 * Happy path: the first acceptor, on the gateway's own thread, opens the sockets; the others get
 * duplicates, and open by task. They close the same way; the last one that has closes the acceptor.
 *
 * Failure modes: an address cannot be bound: the caller closes what is open. A further acceptor
 * cannot be opened, or only in part: that is logged, and the other acceptors take all connections.
 */
#include "gateway/edge/acceptor.h"

#include <stdlib.h>

#include "ground/base/assert.h"
#include "ground/os/fd.h"

enum {
    PRIVILEGED_PORT = 1024,
    SLACK_DIVISOR =
        8, /* how much more than the fewest an edge worker may have that keeps a client */
};

/* ---- accepting --------------------------------------------------------------------------------
 */

static size_t load_of(struct fe_edge_worker *edge)
{
    return atomic_load_explicit(&edge->load, memory_order_relaxed);
}

static struct fe_edge_worker *choose(const struct fe_acceptor *acceptor)
{
    const struct fe_acceptors_setup *const setup = &acceptor->acceptors->setup;
    struct fe_edge_worker *fewest = &setup->edges[0];
    size_t load = load_of(fewest);
    size_t slack;

    FE_ASSERT(setup->n_edges > 0, "what is accepted is served");
    for (size_t i = 1; i < setup->n_edges; i++) {
        const size_t other = load_of(&setup->edges[i]);

        if (other < load) {
            fewest = &setup->edges[i];
            load = other;
        }
    }
    slack = load / SLACK_DIVISOR;
    return slack > 0 && load_of(acceptor->edge) <= load + slack ? acceptor->edge : fewest;
}

static void on_socket(void *owner, int fd, const struct fe_addr *peer)
{
    const struct fe_listen_socket *const socket = owner;

    socket->acceptor->edge->stats.accepts++;
    fe_edge_worker_take(choose(socket->acceptor), socket->acceptor->edge, socket->http, fd, peer);
}

/* ---- the end -------------------------------------------------------------------------------- */

static bool is_first(const struct fe_acceptor *acceptor)
{
    return acceptor == acceptor->acceptors->items;
}

/* On the gateway's thread. */
static void count_closed(struct fe_acceptors *acceptors)
{
    FE_ASSERT(acceptors->n_open > 0, "an acceptor closes once");
    if (--acceptors->n_open == 0) {
        acceptors->setup.on_closed(acceptors->setup.closed_arg);
    }
}

static void on_closed_task(struct fe_task *task)
{
    count_closed(FE_CONTAINER_OF(task, struct fe_acceptor, closed_task)->acceptors);
}

static void finish_if_closed(struct fe_acceptor *acceptor)
{
    if (!acceptor->is_closing || acceptor->n_open > 0) {
        return;
    }
    if (is_first(acceptor)) {
        count_closed(acceptor->acceptors);
    } else {
        fe_task_post(acceptor->edge->setup.main_worker, &acceptor->closed_task);
    }
}

static void on_listener_closed(void *owner)
{
    struct fe_listen_socket *const socket = owner;

    FE_ASSERT(socket->acceptor->n_open > 0, "a socket closes once");
    socket->acceptor->n_open--;
    finish_if_closed(socket->acceptor);
}

static void close_socket(struct fe_listen_socket *socket)
{
    if (socket->listener != NULL) {
        fe_listener_close(socket->listener);
        socket->listener = NULL;
    }
}

static void close_acceptor(struct fe_acceptor *acceptor)
{
    FE_ASSERT(!acceptor->is_closing, "an acceptor is closed once");
    acceptor->is_closing = true;
    for (size_t i = 0; i < acceptor->n_sockets; i++) {
        close_socket(&acceptor->sockets[i]);
    }
    finish_if_closed(acceptor);
}

static void on_close_task(struct fe_task *task)
{
    close_acceptor(FE_CONTAINER_OF(task, struct fe_acceptor, close_task));
}

void fe_acceptors_close(struct fe_acceptors *acceptors)
{
    for (size_t i = 1; i < acceptors->n_items; i++) {
        fe_task_post(acceptors->items[i].edge->worker, &acceptors->items[i].close_task);
    }
    close_acceptor(&acceptors->items[0]);
}

void fe_acceptors_deinit(struct fe_acceptors *acceptors)
{
    for (size_t i = 0; i < acceptors->n_items; i++) {
        free(acceptors->items[i].sockets);
    }
}

/* ---- the first acceptor --------------------------------------------------------------------- */

static const struct fe_listener_ops listener_ops = {
    .on_socket = on_socket,
    .on_close = on_listener_closed,
};

static void log_open(const struct fe_acceptors *acceptors, const struct fe_config_http *config,
                     const struct fe_listener *listener)
{
    const struct fe_log *const log = acceptors->setup.log;
    char text[FE_ADDR_TEXT_MAX];
    struct fe_addr bound;

    fe_listener_addr(listener, &bound);
    (void)fe_addr_format(&bound, text);
    if (config->n_targets > 0) {
        fe_log(log, FLATEND_LOG_INFO, "Redirecting HTTP requests on '%s' to HTTPS.", text);
    } else {
        fe_log(log, FLATEND_LOG_INFO, "Listening for %s requests on '%s'.",
               config->https != FE_HTTPS_OFF ? "HTTPS" : "HTTP", text);
    }
}

static int open_socket(struct fe_acceptor *acceptor, size_t http, const struct fe_addr *addr,
                       struct flatend_error *err)
{
    struct fe_listen_socket *const socket = &acceptor->sockets[acceptor->n_sockets];
    int code;

    FE_ASSERT(acceptor->n_sockets < acceptor->cap, "each address has its socket");
    *socket = (struct fe_listen_socket){.acceptor = acceptor, .http = http, .fd = -1};
    code = fe_listener_open(acceptor->edge->worker, addr, &listener_ops, socket, &socket->listener,
                            err);
    if (code == FLATEND_EACCESS && addr->family != FE_UNIX && addr->port < PRIVILEGED_PORT) {
        const struct flatend_error reason = *err;

        (void)fe_err_set(err, code, "%.120s: ports below 1024 need root or CAP_NET_BIND_SERVICE",
                         reason.text);
    }
    if (code != 0) {
        return code;
    }
    acceptor->n_sockets++;
    acceptor->n_open++;
    log_open(acceptor->acceptors, &acceptor->acceptors->setup.config->http[http], socket->listener);
    return 0;
}

/* All addresses of one [[http]]. */
static int open_sockets(struct fe_acceptor *acceptor, size_t http, struct flatend_error *err)
{
    const struct fe_config_http *const config = &acceptor->acceptors->setup.config->http[http];
    int code = 0;

    for (size_t i = 0; code == 0 && i < config->n_addrs; i++) {
        code = open_socket(acceptor, http, &config->addrs[i], err);
    }
    return code;
}

/* A redirect by default, not configured: another program may be using that port. */
static bool is_optional(const struct fe_config_http *http)
{
    return http->n_targets > 0 && !http->targets[0]->redirect.has_addr;
}

static int open_first(struct fe_acceptor *acceptor, struct flatend_error *err)
{
    const struct fe_acceptors_setup *const setup = &acceptor->acceptors->setup;
    int code = 0;

    for (size_t i = 0; code == 0 && i < setup->config->n_http; i++) {
        const size_t n_before = acceptor->n_sockets;

        code = open_sockets(acceptor, i, err);
        if (code != 0 && is_optional(&setup->config->http[i])) {
            fe_log(setup->log, FLATEND_LOG_WARN, "Not redirecting HTTP to HTTPS: %s.", err->text);
            for (size_t k = n_before; k < acceptor->n_sockets; k++) {
                close_socket(&acceptor->sockets[k]);
            }
            code = 0;
        }
    }
    return code;
}

/* ---- further acceptors ---------------------------------------------------------------------- */

static void log_closed(const struct fe_acceptor *acceptor, int code)
{
    fe_log(acceptor->acceptors->setup.log, FLATEND_LOG_WARN,
           "Worker %zu of %zu does not accept connections: %s.",
           (size_t)(acceptor - acceptor->acceptors->items) + 1, acceptor->acceptors->setup.n_edges,
           flatend_strerror(code));
}

static void on_open_task(struct fe_task *task)
{
    struct fe_acceptor *const acceptor = FE_CONTAINER_OF(task, struct fe_acceptor, open_task);

    for (size_t i = 0; i < acceptor->n_sockets; i++) {
        struct fe_listen_socket *const socket = &acceptor->sockets[i];
        int code;

        FE_ASSERT(socket->fd >= 0 && socket->listener == NULL, "a socket is opened once");
        code = fe_listener_adopt(acceptor->edge->worker, socket->fd, &listener_ops, socket,
                                 &socket->listener);

        if (code == 0) {
            acceptor->n_open++;
        } else {
            fe_fd_close(socket->fd);
            log_closed(acceptor, code);
        }
        socket->fd = -1;
    }
}

/* Those of the first acceptor that are open. */
static int duplicate_sockets(struct fe_acceptor *acceptor, const struct fe_acceptor *first)
{
    for (size_t i = 0; i < first->n_sockets; i++) {
        const struct fe_listen_socket *const socket = &first->sockets[i];
        int fd;

        if (socket->listener == NULL) {
            continue;
        }
        fd = fe_listener_duplicate(socket->listener);
        if (fd < 0) {
            return fd;
        }
        FE_ASSERT(acceptor->n_sockets < acceptor->cap, "each address has its socket");
        acceptor->sockets[acceptor->n_sockets++] =
            (struct fe_listen_socket){.acceptor = acceptor, .http = socket->http, .fd = fd};
    }
    return 0;
}

/* What was duplicated is the acceptor's in any case: it opens, so that it can be closed. */
static void open_threaded(struct fe_acceptor *acceptor)
{
    int code = duplicate_sockets(acceptor, &acceptor->acceptors->items[0]);

    if (code != 0) {
        log_closed(acceptor, code);
    }
    fe_task_post(acceptor->edge->worker, &acceptor->open_task);
}

/* ---- the start ------------------------------------------------------------------------------ */

static int acceptor_init(struct fe_acceptor *acceptor, struct fe_acceptors *acceptors,
                         struct fe_edge_worker *edge)
{
    const struct fe_config *const config = acceptors->setup.config;
    size_t n_addrs = 0;

    for (size_t i = 0; i < config->n_http; i++) {
        n_addrs += config->http[i].n_addrs;
    }
    *acceptor = (struct fe_acceptor){.acceptors = acceptors, .edge = edge, .cap = n_addrs};
    fe_task_init(&acceptor->open_task, on_open_task);
    fe_task_init(&acceptor->close_task, on_close_task);
    fe_task_init(&acceptor->closed_task, on_closed_task);
    acceptor->sockets = calloc(n_addrs + 1, sizeof(*acceptor->sockets));
    return acceptor->sockets != NULL ? 0 : FLATEND_ENOMEM;
}

int fe_acceptors_open(struct fe_acceptors *acceptors, const struct fe_acceptors_setup *setup,
                      struct flatend_error *err)
{
    const size_t n_items = setup->n_edges < FE_ACCEPTORS_MAX ? setup->n_edges : FE_ACCEPTORS_MAX;
    int code = 0;

    *acceptors = (struct fe_acceptors){.setup = *setup};
    for (size_t i = 0; code == 0 && i < n_items; i++) {
        struct fe_acceptor *const acceptor = &acceptors->items[i];

        code = acceptor_init(acceptor, acceptors, &setup->edges[i]);
        acceptors->n_items++;
        acceptors->n_open++;
        if (code != 0) {
            (void)fe_err_set(err, code, "listen: %s", flatend_strerror(code));
        } else if (i == 0) {
            code = open_first(acceptor, err);
        } else {
            open_threaded(acceptor);
        }
    }
    return code;
}

/* ---- looking -------------------------------------------------------------------------------- */

int fe_acceptors_addr(const struct fe_acceptors *acceptors, size_t index, struct fe_addr *addr)
{
    const struct fe_acceptor *const acceptor = &acceptors->items[0];

    for (size_t i = 0; i < acceptor->n_sockets; i++) {
        if (acceptor->sockets[i].listener != NULL && index-- == 0) {
            fe_listener_addr(acceptor->sockets[i].listener, addr);
            return 0;
        }
    }
    return FLATEND_ENOENT;
}
