/* Starting, on the node's thread.
 *
 * Happy path: listen, make the mesh, join; on_started when the first address has answered, or time
 * is up.
 *
 * Failure modes: an address that cannot be listened on, or is none, is returned at once. Names that
 * do not resolve and peers that do not answer are tried again; when all are given up, on_started
 * with the last reason. Whatever fails, closing is the way out. */
#include <stdlib.h>

#include "ground/base/assert.h"
#include "ground/base/wipe.h"
#include "mesh/crypto/crypto.h"
#include "mesh/node/internal.h"

static uint64_t now_ms(void *arg)
{
    return fe_worker_now(arg);
}

static void finish_start(struct flatend_node *node, int code)
{
    void (*on_started)(void *arg, int code) = node->on_started;

    if (on_started == NULL) {
        return; /* closed meanwhile */
    }
    node->on_started = NULL;
    if (code == 0 && fe_node_get_state(node) == FE_NODE_STARTING) {
        fe_node_set_state(node, FE_NODE_RUNNING);
    }
    on_started(node->started_arg, code);
}

/* None has answered: why. */
static int fail_to_join(struct flatend_node *node, const struct fe_join_result *result)
{
    struct flatend_error *why = &node->start_error;

    if (result->error.code != 0) {
        *why = result->error;
    }
    if (why->code == 0) {
        (void)fe_err_set(why, FLATEND_EUNREACHABLE, "no peer reachable");
    }
    if (result->n_waiting > 0) {
        const struct flatend_error last = *why;

        (void)fe_err_set(why, FLATEND_ETIMEDOUT, "no peer has answered in %u ms: %.200s",
                         node->settings.start_timeout_ms, last.text);
    }
    return why->code;
}

static void on_joined(void *arg, const struct fe_join_result *result)
{
    struct flatend_node *node = arg;
    const bool is_usable = result->n_connected > 0 || result->n_addrs == 0 ||
                           (result->n_waiting > 0 && !node->settings.start_needs_peer);

    if (result->n_connected == 0 && result->n_waiting > 0 && is_usable) {
        fe_log(&node->settings.log, FLATEND_LOG_WARN, "Started without a peer%s%s; trying on.",
               result->error.code != 0 ? ": " : "", result->error.text);
    }
    finish_start(node, is_usable ? 0 : fail_to_join(node, result));
}

const char *fe_node_start_error(const struct flatend_node *node)
{
    const struct flatend_error *why = &node->start_error;

    return why->text[0] != '\0' ? why->text : flatend_strerror(why->code);
}

static const struct fe_mesh_ops mesh_ops = {
    .on_news = fe_node_on_news,
    .on_request = fe_node_on_request,
    .on_joined = on_joined,
    .on_drained = fe_node_on_mesh_drained,
    .on_closed = fe_node_on_mesh_closed,
};

/* What peers are told: the public address, else that of the first listener with an IP; there is
 * one, fe_settings_init has checked. While a public name is not known, the same but for the port.
 */
static struct fe_ip_addr own_addr(const struct flatend_node *node)
{
    const struct fe_settings *settings = &node->settings;
    struct fe_ip_addr addr = settings->public_addr;
    bool is_found = settings->has_public_addr && settings->public_host == NULL;

    for (size_t i = 0; !is_found && i < node->n_listeners; i++) {
        is_found = fe_addr_to_ip(&node->listeners[i].addr, &addr);
    }
    if (settings->public_host != NULL) {
        addr.family = is_found ? addr.family : FE_IPV6; /* unspecified: where it comes from */
        addr.port = settings->public_addr.port;
        is_found = true;
    }
    FE_ASSERT(is_found, "a node with an identity has an address");
    return addr;
}

/* The node's ID is known only now: the port may have been 0. */
static int make_mesh(struct flatend_node *node, struct flatend_error *error)
{
    const struct fe_settings *settings = &node->settings;
    struct fe_mesh_config config = {
        .self.is_anonymous = settings->is_anonymous,
        .self.services = settings->service_names,
        .self.n_services = settings->n_services,
        .self.trust = &settings->trust,
        .provides_to_itself = true,
        .dead_after_ms = settings->dead_after_ms,
        .reconnect_attempts = settings->reconnect_attempts,
        .reconnect_backoff_factor = settings->reconnect_backoff_factor,
        .reconnect_backoff_min_ms = settings->reconnect_backoff_min_ms,
        .reconnect_backoff_max_ms = settings->reconnect_backoff_max_ms,
        .join_timeout_ms = settings->start_timeout_ms,
    };
    const struct fe_mesh_env env = {
        .transport = fe_node_transport(node),
        .timers = fe_worker_timers(node->worker),
        .now_ms = now_ms,
        .now_arg = node->worker,
        .pool = fe_worker_pool(node->worker),
        .rng = &node->rng,
        .log = &settings->log,
    };

    if (!settings->is_anonymous) {
        config.self.secret = settings->secret_key;
        memcpy(config.self.id.public_key, fe_ed25519_public(&settings->secret_key), FE_KEY_LEN);
        config.self.id.addr = own_addr(node);
        if (settings->public_host != NULL) {
            config.public_host = fe_view_str(settings->public_host);
        }
    }
    node->mesh = fe_mesh_new(&config, &env, &mesh_ops, node);
    fe_wipe(&config.self.secret, sizeof(config.self.secret));
    if (node->mesh == NULL) {
        return fe_err_code(error, FLATEND_ENOMEM);
    }
    return 0;
}

/* ":9000" as an address to dial means this machine. */
static void add_seed(struct flatend_node *node, const struct fe_addr *addr, struct fe_seed seed)
{
    static const struct fe_addr loopback = {.family = FE_IPV4, .ip = {127, 0, 0, 1}};

    seed.addr = fe_addr_is_unspecified(addr) ? loopback : *addr;
    seed.addr.port = addr->port; /* 0 of a unix socket */
    node->seeds[node->n_seeds++] = seed;
}

/* "KEY@host:port", "KEY@unix:/path": what is behind the key, and the key in `seed`. NULL: it is
 * none. */
static const char *take_pin(const char *text, struct fe_seed *seed, struct flatend_error *error)
{
    const char *at = fe_addr_is_unix_text(text) ? NULL : strchr(text, '@');
    char digits[FLATEND_PUBLIC_KEY_TEXT];
    struct flatend_public_key key;

    if (at == NULL) {
        return text;
    }
    if (at - text != FLATEND_PUBLIC_KEY_TEXT - 1) {
        (void)fe_err_set(error, FLATEND_EADDR, "'%s': a key has %d hexadecimal digits", text,
                         FLATEND_PUBLIC_KEY_TEXT - 1);
        return NULL;
    }
    memcpy(digits, text, FLATEND_PUBLIC_KEY_TEXT - 1);
    digits[FLATEND_PUBLIC_KEY_TEXT - 1] = '\0';
    if (flatend_public_key_parse(&key, digits) != 0) {
        (void)fe_err_set(error, FLATEND_EADDR, "'%s': no valid key before '@'", text);
        return NULL;
    }
    memcpy(seed->key, key.bytes, FE_KEY_LEN);
    seed->is_pinned = true;
    return at + 1;
}

/* This machine by its name has an address of each family. */
static bool is_localhost(struct fe_view host)
{
    return fe_view_equal_nocase(host, FE_VIEW_LIT("localhost"));
}

/* A host name is looked up before each attempt: net/name.c. */
static int add_host(struct flatend_node *node, const char *text, struct fe_seed seed,
                    struct flatend_error *error)
{
    int code = fe_addr_split(text, &seed.host, &seed.addr.port, error);

    if (code == 0) {
        code = fe_addr_check_host(seed.host, error);
    }
    if (code == 0) {
        node->seeds[node->n_seeds++] = seed;
    }
    return code;
}

static int read_seed(struct flatend_node *node, const char *text, struct flatend_error *error)
{
    struct fe_seed seed = {0};
    struct fe_view host;
    struct fe_addr addr;
    uint16_t port;
    int code;

    text = take_pin(text, &seed, error);
    if (text == NULL) {
        return FLATEND_EADDR;
    }
    code = fe_addr_parse(&addr, text, error);
    if (code == FLATEND_ENOENT ||
        (code == 0 && addr.family != FE_UNIX && fe_addr_split(text, &host, &port, NULL) == 0 &&
         is_localhost(host))) {
        return add_host(node, text, seed, error);
    }
    if (code == 0) {
        add_seed(node, &addr, seed);
    }
    return code;
}

static int join(struct flatend_node *node, const char *const *addrs, size_t n_addrs,
                struct flatend_error *error)
{
    int code = 0;

    node->seeds = calloc(n_addrs + 1, sizeof(*node->seeds));
    if (node->seeds == NULL) {
        return fe_err_code(error, FLATEND_ENOMEM);
    }
    for (size_t i = 0; code == 0 && i < n_addrs; i++) {
        code = read_seed(node, addrs[i], error);
    }
    if (code == 0) {
        code = fe_mesh_join(node->mesh, node->seeds, node->n_seeds);
        if (code != 0) {
            (void)fe_err_set(error, code, "join: %s", flatend_strerror(code));
        }
    }
    free(node->seeds);
    node->seeds = NULL;
    return code;
}

/* Once, and only where it is not just this machine that can reach the node. */
static void warn_open_mesh(const struct flatend_node *node)
{
    if (!fe_settings_trust_all(&node->settings)) {
        return;
    }
    for (size_t i = 0; i < node->n_listeners; i++) {
        if (!fe_addr_is_loopback(&node->listeners[i].addr)) {
            fe_log(&node->settings.log, FLATEND_LOG_WARN,
                   "This node accepts any peer and any service from it: set a mesh secret, allowed "
                   "keys or service rules.");
            return;
        }
    }
}

static void log_listeners(struct flatend_node *node)
{
    for (size_t i = 0; i < node->n_listeners; i++) {
        char text[FE_ADDR_TEXT_MAX];

        fe_log(&node->settings.log, FLATEND_LOG_INFO, "Listening for Flatend nodes on '%s'.",
               fe_addr_format(&node->listeners[i].addr, text));
    }
}

static void begin(struct flatend_node *node)
{
    fe_mutex_lock(&node->lock);
    node->state = FE_NODE_STARTING;
    node->loop_thread = fe_thread_self();
    fe_worker_enter(node->worker);
    fe_mutex_unlock(&node->lock);
}

int fe_node_start_on(struct flatend_node *node, const char *const *addrs, size_t n_addrs,
                     void (*on_started)(void *arg, int code), void *arg,
                     struct flatend_error *error)
{
    int code;

    begin(node);
    code = fe_node_listen(node, error);
    if (code == 0) {
        code = make_mesh(node, error);
    }
    if (code != 0) {
        return code;
    }
    fe_mutex_lock(&node->lock);
    node->n_listening = node->n_listeners;
    node->accepts_tasks = true;
    fe_mutex_unlock(&node->lock);
    log_listeners(node);
    warn_open_mesh(node);
    node->on_started = on_started;
    node->started_arg = arg;
    code = join(node, addrs, n_addrs, error);
    if (code != 0) {
        node->on_started = NULL;
    }
    return code;
}
