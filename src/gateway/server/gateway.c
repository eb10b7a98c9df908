/* The life of a gateway.
 *
 * Happy path: the node listens, the shards start, then the entrance opens; now
 * and then certificates are looked after; stop: the doors close and the shards drain, and when the
 * last of them has, the node closes, which requests may need until then; on_stopped.
 *
 * Failure modes: something cannot be opened: fe_gateway_free closes the rest. Draining takes too
 * long: the shards see to that themselves, and a second stop ends it. */
#include "gateway/server/gateway.h"

#include <stdlib.h>
#include <time.h>

#include "gateway/certs/acme_agent.h"
#include "gateway/certs/https.h"
#include "gateway/edge/entrance.h"
#include "ground/base/wipe.h"
#include "mesh/crypto/crypto.h"
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
    struct fe_shard *shards;
    size_t n_shards; /* that are open, or were */
    struct fe_entrance entrance;
    bool has_entrance; /* open was called on it, and it is not closed */
    bool is_hurried;
    size_t n_open; /* shards, agents and the entrance: not closed */
    struct fe_acme_agency agency;
    struct fe_https *https; /* by listener; without a store where there is no HTTPS */
    struct fe_tls_tickets *tickets;
    struct fe_timer look; /* at the certificates */
    uint64_t rotate_ms;   /* when tickets get their next key */
    void (*on_stopped)(void *arg);
    void *stopped_arg;
};

static uint64_t now_ms(void *arg)
{
    return fe_worker_now(arg);
}

/* ---- starting ----------------------------------------------------------------------------- */

static void on_node_started(void *arg, int code)
{
    struct fe_gateway *gateway = arg;

    if (code !=
        0) { /* peers of the configuration that do not answer: others may come by themselves */
        fe_log(&gateway->log, FLATEND_LOG_ERROR, "The node is on its own: %s.",
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
        fe_log(&gateway->log, FLATEND_LOG_INFO, "Made a new identity in '%s'.", path);
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
    options.dead_after_ms = mesh->dead_after_ms;
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
    }
    return code;
}

static void on_part_closed(void *arg);

/* As many as are configured; of those that nobody has asked for, as many as there can be. Without
 * HTTP there is nothing to do. */
static int start_shards(struct fe_gateway *gateway, struct flatend_error *err)
{
    const struct fe_config *const config = gateway->config;
    const unsigned n_workers = config->n_http > 0 ? config->n_workers : 1;
    const struct fe_shard_setup setup = {
        .home = gateway->worker,
        .config = gateway->config,
        .mesh = &gateway->mesh,
        .https = gateway->https,
        .answers = &gateway->agency.answers,
        .log = &gateway->log,
        .on_closed = on_part_closed,
        .closed_arg = gateway,
    };

    for (unsigned i = 0; i < n_workers; i++) {
        struct fe_shard *const shard = &gateway->shards[i];
        int code =
            i == 0 ? fe_shard_open_first(shard, &setup) : fe_shard_open_further(shard, &setup);

        if (code != 0 && i > 0 && !config->has_workers) {
            fe_log(&gateway->log, FLATEND_LOG_WARN,
                   "Serving HTTP with %u worker(s) instead of %u: %s.", i, n_workers,
                   flatend_strerror(code));
            break;
        }
        if (code != 0) {
            return fe_err_set(err, code, "worker %u of %u: %s (see 'workers')", i + 1, n_workers,
                              flatend_strerror(code));
        }
        gateway->n_shards++;
        gateway->n_open++;
    }
    return 0;
}

static void on_entrance_closed(void *arg);

static int open_entrance(struct fe_gateway *gateway, struct flatend_error *err)
{
    const struct fe_entrance_setup setup = {
        .config = gateway->config,
        .shards = gateway->shards,
        .n_shards = gateway->n_shards,
        .log = &gateway->log,
        .on_closed = on_entrance_closed,
        .closed_arg = gateway,
    };

    gateway->has_entrance = true;
    gateway->n_open++;
    return fe_entrance_open(&gateway->entrance, &setup, err);
}

/* ---- certificates ------------------------------------------------------------------------- */

static void look_at_certificates(struct fe_gateway *gateway, bool force)
{
    const int64_t now_s = (int64_t)time(NULL);

    for (size_t i = 0; i < gateway->config->n_http; i++) {
        if (gateway->https[i].store != NULL) {
            fe_https_look(&gateway->https[i], now_s, force);
        }
    }
}

/* Once started, re-arming cannot fail: the heap has had room for it. */
static int plan_look(struct fe_gateway *gateway)
{
    return fe_timer_start(fe_worker_timers(gateway->worker), &gateway->look,
                          fe_worker_now(gateway->worker) + FE_HTTPS_LOOK_MS);
}

static void on_look(struct fe_timer *timer)
{
    struct fe_gateway *gateway = FE_CONTAINER_OF(timer, struct fe_gateway, look);

    look_at_certificates(gateway, false);
    if (fe_worker_now(gateway->worker) >= gateway->rotate_ms) {
        gateway->rotate_ms = fe_worker_now(gateway->worker) + FE_TLS_TICKETS_ROTATE_MS;
        if (fe_tls_tickets_rotate(gateway->tickets) != 0) {
            fe_log(&gateway->log, FLATEND_LOG_WARN, "Session tickets keep their old key.");
        }
    }
    if (plan_look(gateway) != 0) {
        fe_log(&gateway->log, FLATEND_LOG_WARN, "Certificates are not looked after any more: %s.",
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
        code = fe_https_open(&gateway->https[i], &config->http[i], config->state_dir,
                             gateway->tickets, (int64_t)time(NULL), &gateway->log, err);
    }
    if (code != 0 || !has_https) {
        return code;
    }
    gateway->rotate_ms = fe_worker_now(gateway->worker) + FE_TLS_TICKETS_ROTATE_MS;
    code = plan_look(gateway);
    return code == 0 ? 0 : fe_err_set(err, code, "https: %s", flatend_strerror(code));
}

/* Where there are no certificates of one's own. */
static int start_agents(struct fe_gateway *gateway, struct flatend_error *err)
{
    const struct fe_config *config = gateway->config;

    for (size_t i = 0; i < config->n_http; i++) {
        if (config->http[i].https == FE_HTTPS_ON && config->http[i].n_certs == 0) {
            int code = fe_acme_agency_add(&gateway->agency, &gateway->https[i]);

            if (code != 0) {
                return fe_err_set(err, code, "https: %s", flatend_strerror(code));
            }
            gateway->n_open++;
        }
    }
    return 0;
}

void fe_gateway_reread(struct fe_gateway *gateway)
{
    look_at_certificates(gateway, true);
}

/* ---- all of it together ------------------------------------------------------------------- */

static void free_parts(struct fe_gateway *gateway)
{
    free(gateway->shards);
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
        started->shards = calloc(config->n_workers, sizeof(*started->shards));
        started->https = calloc(config->n_http + 1, sizeof(*started->https));
    }
    if (started == NULL || started->shards == NULL || started->https == NULL) {
        if (started != NULL) {
            free_parts(started);
        }
        free(started);
        return fe_err_code(err, FLATEND_ENOMEM);
    }
    started->worker = worker;
    started->config = fe_config_ref(config);
    started->log = *log;
    fe_timer_init(&started->look, on_look);
    fe_acme_agency_init(&started->agency, worker, config, &started->log);
    *gateway = started;
    code = start_node(started, err);
    if (code == 0) {
        code = start_https(started, err);
    }
    if (code == 0) {
        code = start_agents(started, err);
    }
    if (code == 0) {
        code = start_shards(started, err);
    }
    return code != 0 ? code : open_entrance(started, err);
}

/* ---- stopping ----------------------------------------------------------------------------- */

static void enter_stopped(struct fe_gateway *gateway)
{
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

    gateway->n_open--;
    close_if_drained(gateway);
}

static void hurry_shards(struct fe_gateway *gateway)
{
    gateway->is_hurried = true;
    for (size_t i = 0; i < gateway->n_shards && !gateway->has_entrance; i++) {
        fe_shard_hurry(&gateway->shards[i]);
    }
}

static void drain_shards(struct fe_gateway *gateway)
{
    for (size_t i = 0; i < gateway->n_shards; i++) {
        fe_shard_drain(&gateway->shards[i]);
    }
    if (gateway->is_hurried) {
        hurry_shards(gateway);
    }
}

/* From here on no client is handed to a shard. */
static void on_entrance_closed(void *arg)
{
    struct fe_gateway *gateway = arg;

    gateway->has_entrance = false;
    drain_shards(gateway);
    on_part_closed(gateway);
}

void fe_gateway_stop(struct fe_gateway *gateway, void (*on_stopped)(void *arg), void *arg)
{
    bool is_first = gateway->state == RUNNING;

    gateway->on_stopped = on_stopped;
    gateway->stopped_arg = arg;
    if (is_first) {
        gateway->state = DRAINING;
        fe_timer_stop(fe_worker_timers(gateway->worker), &gateway->look);
        fe_acme_agency_stop(&gateway->agency, on_part_closed, gateway);
    }
    if (is_first && gateway->has_entrance) {
        fe_entrance_close(&gateway->entrance);
    } else if (is_first) {
        drain_shards(gateway);
    } else {
        hurry_shards(gateway);
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
    fe_entrance_deinit(&gateway->entrance);
    for (size_t i = 0; i < gateway->n_shards; i++) {
        fe_shard_deinit(&gateway->shards[i]);
    }
    for (size_t i = 0; i < gateway->config->n_http; i++) {
        fe_https_close(&gateway->https[i]);
    }
    fe_acme_agency_deinit(&gateway->agency);
    fe_tls_tickets_free(gateway->tickets);
    fe_config_unref(gateway->config);
    free_parts(gateway);
    free(gateway);
}

/* ---- looking ------------------------------------------------------------------------------ */

int fe_gateway_http_addr(const struct fe_gateway *gateway, size_t index, struct fe_addr *addr)
{
    return fe_entrance_addr(&gateway->entrance, index, addr);
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
