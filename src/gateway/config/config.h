/* The gateway's configuration: one immutable snapshot, counted by reference. Every key is described
 * in docs/configuration.md. Once it is settled any thread may read it; references are one thread's.
 */
#ifndef FE_GATEWAY_CONFIG_CONFIG_H
#define FE_GATEWAY_CONFIG_CONFIG_H

#include "gateway/config/acme.h"
#include "gateway/config/toml.h"
#include "ground/base/addr.h"
#include "ground/base/arena.h"
#include "ground/base/log.h"
#include "web/http/router.h"
#include "web/tls/cert.h"

/* Bounds on what a file may ask for, so that a mistyped or generated one is refused, not obeyed. */
enum {
    FE_CONFIG_FILE_MAX = 1 << 20,
    FE_CONFIG_WORKERS_MAX = 256, /* as many as the largest machines have processors */
    FE_CONFIG_LISTENERS_MAX = 64,
    FE_CONFIG_ADDRS_MAX = 64,     /* of one listener */
    FE_CONFIG_DOMAINS_MAX = 100,  /* of one listener: as many names as a certificate may have */
    FE_CONFIG_CERTS_MAX = 100,    /* of one listener: as many as it may have domains */
    FE_CONFIG_ROUTES_MAX = 4096,  /* of one listener */
    FE_CONFIG_SERVICES_MAX = 255, /* of one route: docs/PROTOCOL.md 1.2, a count of one byte */
    FE_CONFIG_SERVICE_NAME_MAX = 255,
    FE_CONFIG_MESH_SERVICES_MAX = 4096,
    FE_CONFIG_DEAD_AFTER_MAX_MS = 24 * 60 * 60 * 1000,
    FE_CONFIG_HEADER_SIZE_MIN = 1024,
    FE_CONFIG_HEADER_SIZE_MAX = 16 << 20,
};

#define FE_CONFIG_SIZE_MAX        (UINT64_C(1) << 60)            /* a body's limit, bytes */
#define FE_CONFIG_DURATION_MAX_MS (UINT64_C(8760) * 3600 * 1000) /* a year */

/* A directory is served by catch-all patterns whose parameter has this name, unless the configured
 * path ends in one of its own. */
#define FE_CONFIG_STATIC_REST "filepath"

enum fe_route_kind {
    FE_ROUTE_SERVICE, /* `service` or `services` */
    FE_ROUTE_STATIC,  /* `static`: a file or a directory */
};

struct fe_config_route {
    enum fe_route_kind kind;
    struct fe_view method;  /* "GET" */
    struct fe_view pattern; /* "/todos/:id" */
    struct fe_view *services;
    size_t n_services;
    const char *static_path; /* NUL-terminated, as configured: relative to the working directory */
    bool static_is_dir;
    struct fe_view rest; /* of a directory: the parameter that holds the path below it */
    bool no_cache;       /* of services too */
    bool browse;
    uint64_t timeout_ms;         /* until a service's first byte; default 30 s, 0: none */
    struct fe_view timeout_text; /* the same in digits, for the service */
    uint64_t body_min; /* of the route, else of the listener for POST, PUT, PATCH to services */
    uint64_t body_max; /* of the route, else of the listener, else UINT64_MAX */
    struct fe_toml_pos pos; /* of `path` */
};

enum fe_https_mode {
    FE_HTTPS_OFF,
    FE_HTTPS_ON,    /* with the certificates below; without any, with what can be obtained */
    FE_HTTPS_LOCAL, /* with certificates of the local CA */
};

/* `cert` and `key`. */
struct fe_config_cert {
    const char *chain_path; /* NUL-terminated, relative to the working directory */
    const char *key_path;
    struct fe_toml_pos pos;
    struct fe_cert *cert; /* what the files held when the configuration was read */
};

struct fe_config_http {
    struct fe_addr *addrs; /* `addr` and `addrs`, added up, each once; default :80, or :443 */
    struct fe_toml_pos *addr_pos;
    size_t n_addrs;
    struct fe_view *domains; /* `domain` and `domains`, added up */
    size_t n_domains;
    enum fe_https_mode https;
    struct fe_toml_pos https_pos;
    struct fe_config_cert *certs;
    size_t n_certs;
    struct fe_view hsts; /* the value of Strict-Transport-Security; empty: none */
    bool has_redirect;   /* `redirect_http` is an address */
    bool redirect_is_off;
    struct fe_addr redirect;
    struct fe_toml_pos redirect_pos;
    /* Of a listener that only redirects, to the one of these that has the name, else to the first.
     * Such listeners stand behind all others, and have no routes. */
    const struct fe_config_http **targets;
    size_t n_targets;
    bool redirect_trailing_slash;
    bool redirect_fixed_path;
    uint64_t read_ms; /* these four: default 10 s, 0: no limit */
    uint64_t read_header_ms;
    uint64_t idle_ms;
    uint64_t write_ms;
    uint64_t shutdown_ms; /* default 10 s, 0: at once */
    size_t header_max;    /* default 1 MiB */
    struct fe_config_route *routes;
    size_t n_routes;
    struct fe_router *router; /* its routes are the `struct fe_config_route` above */
};

/* Who the node is, and whom it trusts. */
struct fe_config_mesh {
    const char *key_path; /* of the secret key; NULL: a new one with each start */
    char *secret;         /* NULL: none */
    size_t secret_len;
    bool require_secure;
    const struct flatend_public_key *allowed;
    size_t n_allowed; /* 0: all */
    const struct flatend_service_rule *rules;
    size_t n_rules;
    const char *const *peers; /* to join: "host:port", "KEY@host:port" */
    size_t n_peers;
    unsigned dead_after_ms; /* default 15 s, 0: never */
};

struct fe_config {
    unsigned n_refs;
    struct fe_arena arena;
    struct fe_addr addr; /* for other nodes; default 127.0.0.1:9000 */
    bool has_addr;       /* given in the file: flags then do not apply */
    struct fe_toml_pos addr_pos;
    unsigned n_workers; /* threads that serve HTTP; default: one for each processor */
    bool has_workers;   /* given in the file */
    struct fe_config_mesh mesh;
    const char *state_dir; /* default: fe_state_dir_default */
    struct fe_config_acme acme;
    struct fe_config_http *http;
    size_t n_http;      /* with those that redirect */
    size_t n_redirects; /* of them */
};

/* Reads and checks a file. On failure `err` holds "path:line:column: what was expected".
 * FLATEND_ENOENT (the file itself), FLATEND_EACCESS, FLATEND_EIO, FLATEND_ETOOBIG,
 * FLATEND_ESYNTAX, FLATEND_EINVAL, FLATEND_EEXIST (two things clash), FLATEND_ENOMEM. */
int fe_config_load(const char *path, struct fe_config **config,
                   struct flatend_error *err) FE_MUST_USE;

/* The same from memory; `path` is for messages only. Static paths are looked up. */
int fe_config_parse(const char *path, struct fe_view text, struct fe_config **config,
                    struct flatend_error *err) FE_MUST_USE;

/* Settles the node's address, before the configuration is used: the file's, else `addr`. An HTTP
 * address that is the node's own cannot be served and is left out, with a warning.
 * FLATEND_EEXIST: a listener would be left without any. */
int fe_config_finalize(struct fe_config *config, const char *path, const struct fe_addr *addr,
                       const struct fe_log *log, struct flatend_error *err) FE_MUST_USE;

/* Says what is not wrong but will be: certificates that have expired or do so soon, that do not
 * cover a domain, keys that others can read. */
void fe_config_warn(const struct fe_config *config, const char *path, int64_t now_s,
                    const struct fe_log *log);

/* $XDG_STATE_HOME/flatend, else /var/lib/flatend for root and ~/.local/state/flatend for others.
 * NULL: out of memory. */
const char *fe_state_dir_default(struct fe_arena *arena) FE_MUST_USE;

struct fe_config *fe_config_ref(struct fe_config *config);
void fe_config_unref(struct fe_config *config);

#endif
