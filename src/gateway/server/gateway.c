/* The life of a gateway.
 *
 * Happy path: the node listens, the edge workers start, then the acceptor opens; now
 * and then certificates are looked after; stop: the sockets close and the edge workers drain, and
 * when the last of them has, the node closes, which requests may need until then; on_stopped.
 *
 * Failure modes: something cannot be opened: fe_gateway_free closes the rest. Draining takes too
 * long: the edge workers see to that themselves, and a second stop ends it. */
#include "gateway/server/gateway.h"

#include <stdlib.h>

#include "gateway/certs/acme_client.h"
#include "gateway/certs/https.h"
#include "gateway/edge/acceptor.h"
#include "gateway/relay/service.h"
#include "ground/base/assert.h"
#include "ground/base/wipe.h"
#include "mesh/crypto/crypto.h"
#include "mesh/node/inspect.h"
#include "mesh/node/node.h"

/*     RUNNING ── stop ──▶ DRAINING ── no HTTP any more ──▶ CLOSING ── node closed ──▶ STOPPED */
enum state {
    RUNNING,
    DRAINING,
    CLOSING,
    STOPPED,
};

struct fe_gateway {
    struct fe_worker *worker;
    struct fe_config *config;
    struct fe_log log;
    enum state state;
    struct flatend_node *node; /* NULL: none was made, or it is closed */
    struct fe_mesh_access mesh;
    struct fe_service_backend services;
    struct fe_edge_worker *edges;
    size_t n_edges; /* that are open, or were */
    struct fe_acceptors acceptors;
    bool has_acceptors; /* open was called on it, and it is not closed */
    bool is_aborted;
    size_t n_open; /* edge workers, agents, the acceptor, questions to workers: not closed */
    struct fe_acme_manager manager;
    struct fe_https *https; /* by listener; without a store where there is no HTTPS */
    struct fe_tls_tickets *tickets;
    struct fe_timer poll_timer; /* at the certificates */
    uint64_t rotate_ms;         /* when tickets get their next key */
    void (*on_stopped)(void *arg);
    void *stopped_arg;
};

static uint64_t now_ms(void *arg)
{
    return fe_worker_now(arg);
}

/* ---- starting ------------------------------------------------------------------------------- */

static void on_node_started(void *arg, int code)
{
    struct fe_gateway *gateway = arg;

    if (code !=
        0) { /* peers of the configuration that do not answer: others may come by themselves */
        fe_log(&gateway->log, FLATEND_LOG_ERROR, "Not connected to any peer: %s.",
               flatend_strerror(code));
    }
}

/* The identity of the configuration, made on the first start; or one for this time only. */
static int take_key(const struct fe_gateway *gateway, struct flatend_secret_key *key,
                    struct flatend_error *err)
{
    const char *path = gateway->config->mesh.key_path;
    int code = path != NULL ? flatend_secret_key_load(key, path, err) : FLATEND_ENOENT;

    if (code != FLATEND_ENOENT) {
        return code;
    }
    code = flatend_secret_key_generate(key);
    if (code != 0) {
        return fe_err_set(err, code, "secret key: %s", flatend_strerror(code));
    }
    if (path != NULL) {
        code = flatend_secret_key_save(key, path, err);
    }
    if (code == 0 && path != NULL) {
        fe_log(&gateway->log, FLATEND_LOG_INFO, "Created a secret key in '%s'.", path);
    }
    return code;
}

static int make_node(struct fe_gateway *gateway, const struct flatend_secret_key *key,
                     struct flatend_error *err)
{
    const struct fe_config_mesh *mesh = &gateway->config->mesh;
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    char text[FE_ADDR_TEXT_MAX];
    const char *const addr = fe_addr_format(&gateway->config->addr, text);

    options.secret_key = key;
    options.bind_addrs = &addr;
    options.n_bind_addrs = 1;
    options.mesh_secret = mesh->secret;
    options.mesh_secret_len = mesh->secret_len;
    options.require_secure = mesh->require_secure;
    options.allowed_keys = mesh->allowed;
    options.n_allowed_keys = mesh->n_allowed;
    options.service_rules = mesh->rules;
    options.n_service_rules = mesh->n_rules;
    options.dead_after_ms = (unsigned)mesh->dead_after_ms;
    options.log = gateway->log.fn;
    options.log_arg = gateway->log.arg;
    options.log_level = gateway->log.level;
    return fe_node_new_on(&options, gateway->worker, &gateway->node, err);
}

static int start_node(struct fe_gateway *gateway, struct flatend_error *err)
{
    const struct fe_config_mesh *mesh = &gateway->config->mesh;
    struct flatend_secret_key key;
    int code = take_key(gateway, &key, err);

    if (code != 0) {
        return code;
    }
    code = make_node(gateway, &key, err);
    fe_wipe(&key, sizeof(key));
    if (code == 0) {
        code = fe_node_start_on(gateway->node, mesh->peers, mesh->n_peers, on_node_started, gateway,
                                err);
    }
    if (code == 0) {
        gateway->mesh = (struct fe_mesh_access){
            .registry = fe_node_registry(gateway->node),
            .timers = fe_worker_timers(gateway->worker),
            .pool = fe_worker_pool(gateway->worker),
            .log = &gateway->log,
            .now_ms = now_ms,
            .now_arg = gateway->worker,
        };
        gateway->services = fe_service_backend(&gateway->mesh);
    }
    return code;
}

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

/* ---- certificates --------------------------------------------------------------------------- */

static void poll_certificates(struct fe_gateway *gateway, bool force)
{
    const int64_t now_s = fe_wall_clock_s();

    for (size_t i = 0; i < gateway->config->n_http; i++) {
        if (gateway->https[i].store != NULL) {
            fe_https_poll(&gateway->https[i], now_s, force);
        }
    }
}

/* Once started, re-arming cannot fail: the heap has had room for it. */
static int schedule_poll(struct fe_gateway *gateway)
{
    FE_ASSERT(gateway->tickets != NULL, "certificates are polled where there is HTTPS");
    return fe_timer_start(fe_worker_timers(gateway->worker), &gateway->poll_timer,
                          fe_worker_now(gateway->worker) + FE_HTTPS_POLL_MS);
}

static void on_poll_timer(struct fe_timer *timer)
{
    struct fe_gateway *gateway = FE_CONTAINER_OF(timer, struct fe_gateway, poll_timer);
    int code;

    poll_certificates(gateway, false);
    if (fe_worker_now(gateway->worker) >= gateway->rotate_ms) {
        gateway->rotate_ms = fe_worker_now(gateway->worker) + FE_TLS_TICKETS_ROTATE_MS;
        code = fe_tls_tickets_rotate(gateway->tickets);
        if (code != 0) {
            fe_log(&gateway->log, FLATEND_LOG_WARN,
                   "Cannot rotate the TLS session ticket key, keeping the old one: %s.",
                   flatend_strerror(code));
        }
    }
    if (schedule_poll(gateway) != 0) {
        fe_log(&gateway->log, FLATEND_LOG_WARN,
               "Certificates are no longer reloaded or renewed: %s.",
               flatend_strerror(FLATEND_ENOMEM));
    }
}

static int start_https(struct fe_gateway *gateway, struct flatend_error *err)
{
    const struct fe_config *config = gateway->config;
    bool has_https = false;
    int code = 0;

    for (size_t i = 0; code == 0 && i < config->n_http; i++) {
        if (config->http[i].https == FE_HTTPS_OFF) {
            continue;
        }
        if (!has_https) {
            has_https = true;
            code = fe_tls_tickets_new(&gateway->tickets);
            if (code != 0) {
                return fe_err_set(err, code, "https: %s", flatend_strerror(code));
            }
        }
        code = fe_https_open(&gateway->https[i],
                             &(struct fe_https_setup){
                                 .config = &config->http[i],
                                 .state_dir = config->state_dir,
                                 .tickets = gateway->tickets,
                                 .log = &gateway->log,
                                 .now_s = fe_wall_clock_s(),
                             },
                             err);
    }
    if (code != 0 || !has_https) {
        return code;
    }
    gateway->rotate_ms = fe_worker_now(gateway->worker) + FE_TLS_TICKETS_ROTATE_MS;
    code = schedule_poll(gateway);
    return code == 0 ? 0 : fe_err_set(err, code, "https: %s", flatend_strerror(code));
}

/* Where there are no certificates of one's own. */
static int start_acme_clients(struct fe_gateway *gateway, struct flatend_error *err)
{
    const struct fe_config *config = gateway->config;

    for (size_t i = 0; i < config->n_http; i++) {
        if (config->http[i].https == FE_HTTPS_ON && config->http[i].n_certs == 0) {
            int code = fe_acme_manager_add(&gateway->manager, &gateway->https[i]);

            if (code != 0) {
                return fe_err_set(err, code, "https: %s", flatend_strerror(code));
            }
            gateway->n_open++;
        }
    }
    return 0;
}

void fe_gateway_reload_certs(struct fe_gateway *gateway)
{
    poll_certificates(gateway, true);
}

/* ---- another configuration ------------------------------------------------------------------ */

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

    if (gateway->state != RUNNING) {
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

/* ---- all of it together --------------------------------------------------------------------- */

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
    fe_timer_init(&started->poll_timer, on_poll_timer);
    fe_acme_manager_init(&started->manager, worker, config, &started->log);
    *gateway = started;
    code = start_node(started, err);
    if (code == 0) {
        code = start_https(started, err);
    }
    if (code == 0) {
        code = start_acme_clients(started, err);
    }
    if (code == 0) {
        code = start_edges(started, err);
    }
    return code != 0 ? code : open_acceptors(started, err);
}

/* ---- stopping ------------------------------------------------------------------------------- */

static void enter_stopped(struct fe_gateway *gateway)
{
    FE_ASSERT(gateway->state == CLOSING && gateway->n_open == 0 && gateway->node == NULL,
              "a gateway stops when all of it is closed");
    gateway->state = STOPPED;
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
    if (gateway->state != DRAINING || gateway->n_open > 0) {
        return;
    }
    FE_ASSERT(!gateway->has_acceptors, "the acceptors are counted");
    gateway->state = CLOSING;
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

    FE_ASSERT(gateway->state == DRAINING && gateway->has_acceptors, "the acceptors close first");
    gateway->has_acceptors = false;
    drain_edges(gateway);
    on_part_closed(gateway);
}

void fe_gateway_stop(struct fe_gateway *gateway, void (*on_stopped)(void *arg), void *arg)
{
    bool is_first = gateway->state == RUNNING;

    gateway->on_stopped = on_stopped;
    gateway->stopped_arg = arg;
    if (is_first) {
        gateway->state = DRAINING;
        fe_timer_stop(fe_worker_timers(gateway->worker), &gateway->poll_timer);
        fe_acme_manager_stop(&gateway->manager, on_part_closed, gateway);
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
    if (gateway->state == RUNNING) {
        fe_gateway_stop(gateway, on_stopped_at_once, NULL);
    }
    if (gateway->state != STOPPED) {
        fe_gateway_stop(gateway, stop_worker, gateway->worker);
        fe_worker_run(gateway->worker);
    }
    FE_ASSERT(gateway->state == STOPPED, "a gateway that is freed has stopped");
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

/* ---- statistics ----------------------------------------------------------------------------- */

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

    if (gateway->state > DRAINING) {
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

/* ---- looking -------------------------------------------------------------------------------- */

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
