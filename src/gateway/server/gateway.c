/* The life of a gateway.
 *
 * Happy path: the node listens (gateway_node.c), certificates are there (gateway_certs.c), the edge
 * workers start, then the acceptors open; stop: the sockets close and the edge workers drain, and
 * when the last of them has, the node closes, which requests may need until then; on_stopped.
 *
 * Failure modes: something cannot be opened: fe_gateway_free closes the rest. Draining takes too
 * long: the edge workers see to that themselves, and a second stop ends it. */
#include "gateway/server/gateway.h"

#include <stdlib.h>

#include "gateway/files/files.h"
#include "gateway/server/gateway_internal.h"
#include "ground/base/assert.h"
#include "mesh/node/inspect.h"
#include "mesh/node/node.h"

/* ---- starting -------------------------------------------------------------------------------- */

static void on_part_closed(void *arg);

/* As many as are configured; by default, as many as can be started. Without HTTP there is nothing
 * to do. */
static int start_edges(struct fe_gateway *gateway, struct flatend_error *err)
{
    const struct fe_config *const config = gateway->config;
    const unsigned n_workers = config->n_http > 0 ? config->n_workers : 1;
    const struct fe_edge_worker_setup setup = {
        .main_worker = gateway->worker,
        .config = gateway->config,
        .services = &gateway->services.backend,
        .https = gateway->https,
        .answers = &gateway->manager.answers,
        .log = &gateway->log,
        .descriptors = &gateway->descriptors,
        .on_closed = on_part_closed,
        .closed_arg = gateway,
    };

    FE_ASSERT(n_workers > 0 && n_workers <= config->n_workers, "each worker has its place");
    for (unsigned i = 0; i < n_workers; i++) {
        struct fe_edge_worker *const edge = &gateway->edges[i];
        int code = i == 0 ? fe_edge_worker_open_main(edge, &setup)
                          : fe_edge_worker_open_threaded(edge, &setup);

        if (code != 0 && i > 0 && !config->has_workers) {
            fe_log(&gateway->log, FLATEND_LOG_WARN, "Serving HTTP with %u of %u workers: %s.", i,
                   n_workers, flatend_strerror(code));
            break;
        }
        if (code != 0) {
            return fe_err_set(err, code, "cannot start worker %u of %u: %s (lower 'workers')",
                              i + 1, n_workers, flatend_strerror(code));
        }
        gateway->n_edges++;
        gateway->n_open++;
    }
    return 0;
}

static void on_acceptors_closed(void *arg);

static int open_acceptors(struct fe_gateway *gateway, struct flatend_error *err)
{
    const struct fe_acceptors_setup setup = {
        .config = gateway->config,
        .edges = gateway->edges,
        .n_edges = gateway->n_edges,
        .log = &gateway->log,
        .on_closed = on_acceptors_closed,
        .closed_arg = gateway,
    };

    FE_ASSERT(gateway->n_edges > 0, "what is accepted is served");
    gateway->has_acceptors = true;
    gateway->n_open++;
    return fe_acceptors_open(&gateway->acceptors, &setup, err);
}

static void free_parts(struct fe_gateway *gateway)
{
    free(gateway->edges);
    free(gateway->https);
}

int fe_gateway_start(struct fe_worker *worker, struct fe_config *config, const struct fe_log *log,
                     struct fe_gateway **gateway, struct flatend_error *err)
{
    struct fe_gateway *started = calloc(1, sizeof(*started));
    struct flatend_error ignored = {0};
    int code;

    err = err != NULL ? err : &ignored;
    *gateway = NULL;
    if (started != NULL) {
        started->edges = calloc(config->n_workers, sizeof(*started->edges));
        started->https = calloc(config->n_http + 1, sizeof(*started->https));
    }
    if (started == NULL || started->edges == NULL || started->https == NULL) {
        if (started != NULL) {
            free_parts(started);
        }
        free(started);
        return fe_err_code(err, FLATEND_ENOMEM);
    }
    started->worker = worker;
    started->config = fe_config_ref(config);
    started->log = *log;
    fe_gateway_init_certs(started);
    *gateway = started;
    fe_shortage_init(&started->descriptors, &started->log, "descriptors",
                     "new connections wait until some are free; raise the limit of open files "
                     "(ulimit -n, LimitNOFILE)");
    fe_worker_tell_shortage(worker, &started->descriptors);
    fe_files_log_opening(config, FLATEND_LOG_INFO, log);
    code = fe_gateway_start_node(started, err);
    if (code == 0) {
        code = fe_gateway_start_certs(started, err);
    }
    if (code == 0) {
        code = start_edges(started, err);
    }
    if (code == 0) {
        code = open_acceptors(started, err);
    }
    if (code == 0) {
        fe_trimmer_start(&started->trimmer, worker);
    }
    return code;
}

void fe_gateway_on_failure(struct fe_gateway *gateway,
                           void (*fn)(void *arg, const struct flatend_error *why), void *arg)
{
    gateway->on_failed = fn;
    gateway->failed_arg = arg;
}

/* ---- stopping -------------------------------------------------------------------------------- */

static void enter_stopped(struct fe_gateway *gateway)
{
    FE_ASSERT(gateway->state == FE_GATEWAY_CLOSING && gateway->n_open == 0 && gateway->node == NULL,
              "a gateway stops when all of it is closed");
    gateway->state = FE_GATEWAY_STOPPED;
    gateway->on_stopped(gateway->stopped_arg);
}

static void on_node_closed(void *arg)
{
    struct fe_gateway *gateway = arg;

    flatend_node_free(gateway->node);
    gateway->node = NULL;
    enter_stopped(gateway);
}

static void close_if_drained(struct fe_gateway *gateway)
{
    if (gateway->state != FE_GATEWAY_DRAINING || gateway->n_open > 0) {
        return;
    }
    FE_ASSERT(!gateway->has_acceptors, "the acceptors are counted");
    gateway->state = FE_GATEWAY_CLOSING;
    if (gateway->node != NULL) {
        fe_node_close_on(gateway->node, on_node_closed, gateway);
    } else {
        enter_stopped(gateway);
    }
}

static void on_part_closed(void *arg)
{
    struct fe_gateway *gateway = arg;

    FE_ASSERT(gateway->n_open > 0, "each part closes once");
    gateway->n_open--;
    close_if_drained(gateway);
}

static void abort_edges(struct fe_gateway *gateway)
{
    gateway->is_aborted = true;
    for (size_t i = 0; i < gateway->n_edges && !gateway->has_acceptors; i++) {
        fe_edge_worker_abort(&gateway->edges[i]);
    }
}

static void drain_edges(struct fe_gateway *gateway)
{
    for (size_t i = 0; i < gateway->n_edges; i++) {
        fe_edge_worker_drain(&gateway->edges[i]);
    }
    if (gateway->is_aborted) {
        abort_edges(gateway);
    }
}

/* From here on no client is handed to an edge worker. */
static void on_acceptors_closed(void *arg)
{
    struct fe_gateway *gateway = arg;

    FE_ASSERT(gateway->state == FE_GATEWAY_DRAINING && gateway->has_acceptors,
              "the acceptors close first");
    gateway->has_acceptors = false;
    drain_edges(gateway);
    on_part_closed(gateway);
}

void fe_gateway_stop(struct fe_gateway *gateway, void (*on_stopped)(void *arg), void *arg)
{
    bool is_first = gateway->state == FE_GATEWAY_RUNNING;

    gateway->on_stopped = on_stopped;
    gateway->stopped_arg = arg;
    if (is_first) {
        gateway->state = FE_GATEWAY_DRAINING;
        fe_timer_stop(fe_worker_timers(gateway->worker), &gateway->poll_timer);
        gateway->n_open += fe_acme_manager_stop(&gateway->manager, on_part_closed, gateway) ? 1 : 0;
        gateway->n_open += fe_trimmer_stop(&gateway->trimmer, on_part_closed, gateway) ? 1 : 0;
    }
    if (is_first && gateway->has_acceptors) {
        fe_acceptors_close(&gateway->acceptors);
    } else if (is_first) {
        drain_edges(gateway);
    } else {
        abort_edges(gateway);
    }
    close_if_drained(gateway);
}

/* Without a node, nothing had to be waited for. */
static void on_stopped_at_once(void *arg)
{
    (void)arg;
}

static void stop_worker(void *arg)
{
    fe_worker_stop(arg);
}

void fe_gateway_free(struct fe_gateway *gateway)
{
    if (gateway->state == FE_GATEWAY_RUNNING) {
        fe_gateway_stop(gateway, on_stopped_at_once, NULL);
    }
    if (gateway->state != FE_GATEWAY_STOPPED) {
        fe_gateway_stop(gateway, stop_worker, gateway->worker);
        fe_worker_run(gateway->worker);
    }
    FE_ASSERT(gateway->state == FE_GATEWAY_STOPPED, "a gateway that is freed has stopped");
    fe_worker_tell_shortage(gateway->worker, NULL);
    fe_acceptors_deinit(&gateway->acceptors);
    for (size_t i = 0; i < gateway->n_edges; i++) {
        fe_edge_worker_deinit(&gateway->edges[i]);
    }
    for (size_t i = 0; i < gateway->config->n_http; i++) {
        fe_https_close(&gateway->https[i]);
    }
    fe_acme_manager_deinit(&gateway->manager);
    fe_tls_tickets_free(gateway->tickets);
    fe_config_unref(gateway->config);
    free_parts(gateway);
    free(gateway);
}

/* ---- another configuration ------------------------------------------------------------------- */

/* One for each edge worker, before any of them is told: all of them, or none. */
static int make_snapshots(const struct fe_gateway *gateway, struct fe_config *config,
                          struct fe_snapshot **snapshots)
{
    for (size_t i = 0; i < gateway->n_edges; i++) {
        snapshots[i] = fe_snapshot_new(config);
        if (snapshots[i] == NULL) {
            while (i > 0) {
                fe_snapshot_unref(snapshots[--i]);
            }
            return FLATEND_ENOMEM;
        }
    }
    return 0;
}

int fe_gateway_replace(struct fe_gateway *gateway, struct fe_config *config)
{
    struct fe_snapshot **snapshots;
    int code;

    if (gateway->state != FE_GATEWAY_RUNNING) {
        return FLATEND_ECLOSED;
    }
    if (config->n_http != gateway->config->n_http) {
        return FLATEND_EINVAL;
    }
    snapshots = calloc(gateway->n_edges + 1, sizeof(struct fe_snapshot *));
    code = snapshots != NULL ? make_snapshots(gateway, config, snapshots) : FLATEND_ENOMEM;
    for (size_t i = 0; code == 0 && i < gateway->n_edges; i++) {
        fe_edge_worker_replace(&gateway->edges[i], snapshots[i]);
    }
    free(snapshots);
    return code;
}

/* ---- statistics ------------------------------------------------------------------------------ */

struct question {
    struct fe_gateway *gateway;
    void (*on_done)(void *arg, const struct fe_gateway_stats *stats);
    void *arg;
};

static void on_stats(void *arg, const struct fe_edge_totals *totals)
{
    const struct question question = *(struct question *)arg;
    struct fe_gateway_stats stats = {.http = *totals};

    free(arg);
    fe_node_copy_stats(question.gateway->node, &stats.node);
    question.on_done(question.arg, &stats);
    on_part_closed(question.gateway);
}

int fe_gateway_stats(struct fe_gateway *gateway,
                     void (*on_done)(void *arg, const struct fe_gateway_stats *stats), void *arg)
{
    struct question *question;
    int code;

    if (gateway->state > FE_GATEWAY_DRAINING) {
        return FLATEND_ECANCELED;
    }
    question = malloc(sizeof(*question));
    if (question == NULL) {
        return FLATEND_ENOMEM;
    }
    *question = (struct question){gateway, on_done, arg};
    code = fe_edge_stats_sum(gateway->edges, gateway->n_edges, gateway->worker, on_stats, question);
    if (code != 0) {
        free(question);
        return code;
    }
    gateway->n_open++;
    return 0;
}

/* ---- looking --------------------------------------------------------------------------------- */

int fe_gateway_http_addr(const struct fe_gateway *gateway, size_t index, struct fe_addr *addr)
{
    return fe_acceptors_addr(&gateway->acceptors, index, addr);
}

int fe_gateway_node_addr(const struct fe_gateway *gateway, struct fe_addr *addr)
{
    char text[FE_ADDR_TEXT_MAX];

    if (flatend_node_listen_addr(gateway->node, 0, text, sizeof(text)) != 0 ||
        fe_addr_parse(addr, text, NULL) != 0) {
        return FLATEND_ENOENT;
    }
    return 0;
}
