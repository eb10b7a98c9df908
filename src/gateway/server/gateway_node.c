/* A gateway's node of the mesh: its secret key, its options, its start. */
#include "gateway/server/gateway_internal.h"
#include "ground/base/wipe.h"
#include "mesh/crypto/crypto.h"
#include "mesh/node/node.h"

static uint64_t now_ms(void *arg)
{
    return fe_worker_now(arg);
}

static void on_node_started(void *arg, int code)
{
    struct fe_gateway *gateway = arg;

    if (code == 0) {
        return;
    }
    if (gateway->config->mesh.start_needs_peer && gateway->on_failed != NULL) {
        struct flatend_error why;

        (void)fe_err_set(&why, code, "join the mesh: %.230s", fe_node_start_error(gateway->node));
        gateway->on_failed(gateway->failed_arg, &why);
        return;
    }
    /* Peers of the configuration that reject it: others may come by themselves. */
    fe_log(&gateway->log, FLATEND_LOG_ERROR, "Not connected to any peer: %s.",
           fe_node_start_error(gateway->node));
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
    if (mesh->has_reconnect_attempts) {
        options.reconnect_attempts = (int)mesh->reconnect_attempts;
    }
    options.reconnect_backoff_factor = mesh->reconnect_factor;
    options.reconnect_backoff_min_ms = (unsigned)mesh->reconnect_min_ms;
    options.reconnect_backoff_max_ms = (unsigned)mesh->reconnect_max_ms;
    options.start_timeout_ms = (unsigned)mesh->start_timeout_ms;
    options.start_flags = mesh->start_needs_peer ? FLATEND_START_NEEDS_PEER : 0;
    options.log = gateway->log.fn;
    options.log_arg = gateway->log.arg;
    options.log_level = gateway->log.level;
    return fe_node_new_on(&options, gateway->worker, &gateway->node, err);
}

int fe_gateway_start_node(struct fe_gateway *gateway, struct flatend_error *err)
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
            .service_lines = &gateway->service_lines,
            .now_ms = now_ms,
            .now_arg = gateway->worker,
        };
        gateway->services = fe_service_backend(&gateway->mesh);
    }
    return code;
}
