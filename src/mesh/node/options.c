#include "mesh/node/options.h"

#include "ground/base/utf8.h"
#include "ground/base/wipe.h"
#include "ground/uv/resolve.h"
#include "mesh/crypto/crypto.h"

/* A factor beyond this, or a delay beyond a day, is a mistake. */
enum {
    BACKOFF_FACTOR_MAX = 1000,
    BACKOFF_MS_MAX = 24 * 60 * 60 * 1000,
    DEAD_AFTER_MS_MAX = BACKOFF_MS_MAX,
    START_TIMEOUT_MS_MAX = BACKOFF_MS_MAX,
    SERVICE_FLAGS = FLATEND_SERVICE_INLINE | FLATEND_SERVICE_STREAMING,
};

static int parse_addr(struct fe_addr *addr, const char *text, struct flatend_error *error)
{
    int code = fe_addr_parse(addr, text, error);

    return code == FLATEND_ENOENT ? fe_resolve_now(text, addr, error) : code;
}

static int check_numbers(const struct flatend_options *options, struct flatend_error *error)
{
    double factor = options->reconnect_backoff_factor;

    /* Written so that a NaN fails too. */
    if (!(factor >= 1 && factor <= BACKOFF_FACTOR_MAX)) {
        return fe_err_set(error, FLATEND_EINVAL, "reconnect_backoff_factor: must be from 1 to %d",
                          BACKOFF_FACTOR_MAX);
    }
    if (options->reconnect_backoff_max_ms > BACKOFF_MS_MAX) {
        return fe_err_set(error, FLATEND_EINVAL, "reconnect_backoff_max_ms: must be at most %d",
                          BACKOFF_MS_MAX);
    }
    if (options->reconnect_backoff_min_ms > options->reconnect_backoff_max_ms) {
        return fe_err_set(error, FLATEND_EINVAL,
                          "reconnect_backoff_min_ms: must be at most reconnect_backoff_max_ms");
    }
    if (options->dead_after_ms > DEAD_AFTER_MS_MAX) {
        return fe_err_set(error, FLATEND_EINVAL, "dead_after_ms: must be at most %d",
                          DEAD_AFTER_MS_MAX);
    }
    if (options->start_timeout_ms > START_TIMEOUT_MS_MAX) {
        return fe_err_set(error, FLATEND_EINVAL, "start_timeout_ms: must be at most %d",
                          START_TIMEOUT_MS_MAX);
    }
    if ((options->start_flags & ~(unsigned)FLATEND_START_NEEDS_PEER) != 0) {
        return fe_err_set(error, FLATEND_EINVAL, "start_flags: unknown flags");
    }
    if (options->handler_threads < 1 || options->handler_threads > FE_HANDLER_THREADS_MAX) {
        return fe_err_set(error, FLATEND_EINVAL, "handler_threads: must be from 1 to %d",
                          FE_HANDLER_THREADS_MAX);
    }
    if (options->log_level < FLATEND_LOG_ERROR || options->log_level > FLATEND_LOG_DEBUG) {
        return fe_err_set(error, FLATEND_EINVAL, "log_level: not a level");
    }
    return 0;
}

static void copy_numbers(struct fe_settings *settings, const struct flatend_options *options)
{
    settings->reconnect_attempts = options->reconnect_attempts;
    settings->reconnect_backoff_factor = options->reconnect_backoff_factor;
    settings->reconnect_backoff_min_ms = options->reconnect_backoff_min_ms;
    settings->reconnect_backoff_max_ms = options->reconnect_backoff_max_ms;
    settings->dead_after_ms = options->dead_after_ms;
    settings->handler_threads = options->handler_threads;
    settings->shutdown_timeout_ms = options->shutdown_timeout_ms;
    settings->start_timeout_ms = options->start_timeout_ms;
    settings->start_needs_peer = (options->start_flags & FLATEND_START_NEEDS_PEER) != 0;
    settings->log = (struct fe_log){options->log, options->log_arg, options->log_level};
    settings->loop = options->loop;
}

static int copy_key(struct fe_settings *settings, const struct flatend_options *options,
                    struct flatend_error *error)
{
    int code;

    settings->is_anonymous = options->secret_key == NULL;
    if (settings->is_anonymous) {
        return 0;
    }
    code = fe_ed25519_check(options->secret_key);
    if (code != 0) {
        return fe_err_set(error, code, "secret_key: the public half does not belong to the seed");
    }
    settings->secret_key = *options->secret_key;
    return 0;
}

/* It is looked up when it is needed, and again when that was a while ago: net/name.c. */
static int copy_public_host(struct fe_settings *settings, const char *text,
                            struct flatend_error *error)
{
    struct fe_view host;
    int code = fe_addr_split(text, &host, &settings->public_addr.port, error);

    if (code == 0) {
        code = fe_addr_check_host(host, error);
    }
    if (code != 0) {
        return code;
    }
    settings->public_host = fe_arena_copy(&settings->arena, host);
    return settings->public_host != NULL ? 0 : fe_err_code(error, FLATEND_ENOMEM);
}

static int copy_public_addr(struct fe_settings *settings, const struct flatend_options *options,
                            struct flatend_error *error)
{
    struct fe_addr addr;
    int code;

    if (options->public_addr == NULL) {
        return 0;
    }
    code = fe_addr_parse(&addr, options->public_addr, error);
    if (code == FLATEND_ENOENT) {
        code = copy_public_host(settings, options->public_addr, error);
    } else if (code == 0 && !fe_addr_to_ip(&addr, &settings->public_addr)) {
        return fe_err_set(error, FLATEND_EADDR,
                          "public_addr: '%s': peers cannot be told a unix socket",
                          options->public_addr);
    }
    if (code != 0) {
        (void)fe_err_wrap(error, "public_addr");
        return code;
    }
    if (settings->public_addr.port == 0) {
        return fe_err_set(error, FLATEND_EADDR, "public_addr: '%s': the port must not be 0",
                          options->public_addr);
    }
    settings->has_public_addr = true;
    return 0;
}

/* What to listen on when nothing was said: the public address, else any free port. The addresses of
 * a name change: all interfaces, at its port. */
static void bind_default(struct fe_settings *settings)
{
    settings->n_bind_addrs = 1;
    settings->bind_addrs[0] =
        settings->has_public_addr && settings->public_host == NULL
            ? fe_addr_of_ip(&settings->public_addr)
            : (struct fe_addr){.family = FE_IPV6, .port = settings->public_addr.port};
}

/* Peers tell each other where a node is, and know no other address than host:port for that. */
static int check_reachable(const struct fe_settings *settings, struct flatend_error *error)
{
    bool is_reachable = settings->has_public_addr;

    for (size_t i = 0; i < settings->n_bind_addrs; i++) {
        is_reachable = is_reachable || settings->bind_addrs[i].family != FE_UNIX;
    }
    return is_reachable ? 0
                        : fe_err_set(error, FLATEND_EADDR,
                                     "bind_addrs: a node on unix sockets only needs a public_addr");
}

/* Also those of a node that listens nowhere have to be there. */
static int check_bind_addrs(const struct flatend_options *options, struct flatend_error *error)
{
    size_t n = options->n_bind_addrs;

    if (n > 0 && options->bind_addrs == NULL) {
        return fe_err_set(error, FLATEND_EINVAL, "bind_addrs: NULL, but not none");
    }
    if (n > FE_BIND_ADDRS_MAX) {
        return fe_err_set(error, FLATEND_EINVAL, "bind_addrs: at most %d", FE_BIND_ADDRS_MAX);
    }
    for (size_t i = 0; i < n; i++) {
        if (options->bind_addrs[i] == NULL) {
            return fe_err_set(error, FLATEND_EINVAL, "bind_addrs[%zu]: NULL", i);
        }
    }
    return 0;
}

static int parse_bind_addrs(struct fe_settings *settings, const struct flatend_options *options,
                            struct flatend_error *error)
{
    size_t n = options->n_bind_addrs;

    settings->bind_addrs = fe_arena_alloc(&settings->arena, (n + 1) * sizeof(struct fe_addr));
    if (settings->bind_addrs == NULL) {
        return fe_err_code(error, FLATEND_ENOMEM);
    }
    for (size_t i = 0; i < n; i++) {
        int code = parse_addr(&settings->bind_addrs[i], options->bind_addrs[i], error);

        if (code != 0) {
            (void)fe_err_wrap(error, "bind_addrs[%zu]", i);
            return code;
        }
    }
    settings->n_bind_addrs = n;
    if (n == 0) {
        bind_default(settings);
    }
    return check_reachable(settings, error);
}

static int copy_bind_addrs(struct fe_settings *settings, const struct flatend_options *options,
                           struct flatend_error *error)
{
    int code = check_bind_addrs(options, error);

    if (code != 0) {
        return code;
    }
    if (!settings->is_anonymous) {
        return parse_bind_addrs(settings, options, error);
    }
    if (options->n_bind_addrs > 0) {
        fe_log(&settings->log, FLATEND_LOG_WARN,
               "This node has no secret key: it listens nowhere, not on '%s' either.",
               options->bind_addrs[0]);
    }
    return 0;
}

static bool is_utf8(const char *text, size_t len)
{
    size_t i = 0;

    while (i < len) {
        size_t n = fe_utf8_len((const uint8_t *)text + i, len - i);

        if (n == 0) {
            return false;
        }
        i += n;
    }
    return true;
}

int fe_service_check(const struct flatend_service *service, struct flatend_error *error)
{
    size_t len = service->name == NULL ? 0 : strlen(service->name);

    if (len < 1 || len > FE_SERVICE_NAME_MAX) {
        return fe_err_set(error, FLATEND_EINVAL, "the name must have 1 to %d bytes",
                          FE_SERVICE_NAME_MAX);
    }
    if (!is_utf8(service->name, len)) { /* old peers close connections for that */
        return fe_err_set(error, FLATEND_EINVAL, "the name must be UTF-8");
    }
    if (service->handler == NULL && service->queue == NULL) {
        return fe_err_set(error, FLATEND_EINVAL, "'%s' has no handler and no queue", service->name);
    }
    if (service->handler != NULL && service->queue != NULL) {
        return fe_err_set(error, FLATEND_EINVAL, "'%s' has a handler and a queue", service->name);
    }
    if ((service->flags & ~(unsigned)SERVICE_FLAGS) != 0) {
        return fe_err_set(error, FLATEND_EINVAL, "'%s' has unknown flags", service->name);
    }
    if (!fe_view_is_zero(fe_view_of(service->reserved, sizeof(service->reserved)))) {
        return fe_err_set(error, FLATEND_EINVAL, "'%s': reserved fields must be 0", service->name);
    }
    if (service->queue != NULL && (service->flags & FLATEND_SERVICE_INLINE) != 0) {
        return fe_err_set(error, FLATEND_EINVAL, "'%s' has a queue, so it cannot be inline",
                          service->name);
    }
    return 0;
}

void fe_service_init(struct fe_service *service, const struct flatend_service *from)
{
    *service = (struct fe_service){
        .handler = from->handler,
        .arg = from->arg,
        .is_inline = (from->flags & FLATEND_SERVICE_INLINE) != 0,
        .is_streaming = (from->flags & FLATEND_SERVICE_STREAMING) != 0,
    };
    atomic_init(&service->n_refs, 1);
    fe_event_source_init(&service->queue);
    fe_event_source_attach(&service->queue, from->queue, from->arg);
}

static int copy_service(struct fe_settings *settings, const struct flatend_service *service,
                        struct flatend_error *error)
{
    struct fe_view name = fe_view_str(service->name);
    struct fe_service *copy = &settings->services[settings->n_services];

    for (size_t i = 0; i < settings->n_services; i++) {
        if (fe_view_equal(settings->service_names[i], name)) {
            return fe_err_set(error, FLATEND_EINVAL, "services: duplicate service '%s'",
                              service->name);
        }
    }
    const char *text = fe_arena_copy(&settings->arena, name);

    if (text == NULL) {
        return fe_err_code(error, FLATEND_ENOMEM);
    }
    fe_service_init(copy, service);
    copy->name = text;
    copy->by_name.key = fe_view_str(copy->name);
    settings->service_names[settings->n_services++] = copy->by_name.key;
    return 0;
}

static int copy_services(struct fe_settings *settings, const struct flatend_options *options,
                         struct flatend_error *error)
{
    size_t n = options->n_services;
    size_t size = 0;

    if (n > 0 && options->services == NULL) {
        return fe_err_set(error, FLATEND_EINVAL, "services: NULL, but not none");
    }
    if (n > FE_SERVICES_MAX) {
        return fe_err_set(error, FLATEND_EINVAL, "services: at most %d", FE_SERVICES_MAX);
    }
    settings->services = fe_arena_alloc(&settings->arena, (n + 1) * sizeof(struct fe_service));
    settings->service_names = fe_arena_alloc(&settings->arena, (n + 1) * sizeof(struct fe_view));
    if (settings->services == NULL || settings->service_names == NULL) {
        return fe_err_code(error, FLATEND_ENOMEM);
    }
    for (size_t i = 0; i < n; i++) {
        int code = fe_service_check(&options->services[i], error);

        if (code != 0) {
            (void)fe_err_wrap(error, "services[%zu]", i);
        } else {
            code = copy_service(settings, &options->services[i], error);
        }
        if (code != 0) {
            return code;
        }
        size += 1 + strlen(options->services[i].name);
    }
    if (size > FE_SERVICE_NAMES_MAX) {
        return fe_err_set(error, FLATEND_EINVAL, "services: names too long (%zu bytes, at most %d)",
                          size - n, FE_SERVICE_NAMES_MAX);
    }
    return 0;
}

static int copy_all(struct fe_settings *settings, const struct flatend_options *options,
                    struct flatend_error *error)
{
    int code = check_numbers(options, error);

    if (code == 0) {
        code = copy_key(settings, options, error);
    }
    if (code == 0) {
        code = copy_public_addr(settings, options, error);
    }
    if (code == 0) {
        code = copy_bind_addrs(settings, options, error);
    }
    if (code == 0) {
        code = copy_services(settings, options, error);
    }
    if (code == 0) {
        code = fe_settings_copy_trust(settings, options, error);
    }
    return code;
}

int fe_settings_init(struct fe_settings *settings, const struct flatend_options *options,
                     struct flatend_error *error)
{
    struct flatend_options known;
    int code = fe_options_read(options, &known, error);

    *settings = (struct fe_settings){0};
    if (code != 0) {
        return code;
    }
    fe_arena_init(&settings->arena, 0);
    copy_numbers(settings, &known);
    code = copy_all(settings, &known, error);
    if (code != 0) {
        fe_settings_deinit(settings);
    }
    return code;
}

void fe_settings_deinit(struct fe_settings *settings)
{
    fe_wipe(&settings->secret_key, sizeof(settings->secret_key));
    fe_wipe(settings->trust.secret, sizeof(settings->trust.secret));
    for (size_t i = 0; i < settings->n_services; i++) {
        fe_event_source_detach(&settings->services[i].queue);
    }
    fe_arena_deinit(&settings->arena);
}
