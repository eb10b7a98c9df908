/* The gateway's configuration: one immutable snapshot, counted by reference. The keys and the
 * members that hold them are listed in keys.h; here stands what is made of them. Once it is settled
 * any thread may read it, as long as it is held; references are counted from any thread. */
#ifndef FE_GATEWAY_CONFIG_CONFIG_H
#define FE_GATEWAY_CONFIG_CONFIG_H

#include <stdatomic.h>

#include "gateway/config/keys.h"
#include "gateway/config/mistakes.h"
#include "ground/base/arena.h"
#include "ground/base/log.h"
#include "web/http/router.h"
#include "web/http/server.h"
#include "web/tls/cert.h"

/* A directory is served by catch-all patterns whose parameter has this name, unless the configured
 * path ends in one of its own. */
#define FE_CONFIG_STATIC_REST "filepath"

enum fe_route_kind {
    FE_ROUTE_SERVICE, /* `service` or `services` */
    FE_ROUTE_STATIC,  /* `static`: a file or a directory */
};

struct fe_config_route {
    FE_CONFIG_ROUTE_KEYS(FE_CONFIG_MEMBER)
    enum fe_route_kind kind;
    struct fe_view method;  /* "GET" */
    struct fe_view pattern; /* "/todos/:id" */
    bool static_is_dir;
    struct fe_view rest;         /* of a directory: the parameter that holds the path below it */
    struct fe_view timeout_text; /* `timeout_ms` in digits, for the service */
    const struct fe_filter_chain *filters; /* the listener's, then its own */
    struct fe_http_times times;            /* read_ms, write_ms, min_rate */
    bool has_times;                        /* which are not all the listener's */
    struct fe_toml_pos pos;                /* of `path` */
};

enum fe_https_mode {
    FE_HTTPS_OFF,
    FE_HTTPS_ON,    /* with the certificates below; without any, with what can be obtained */
    FE_HTTPS_LOCAL, /* with certificates of the local CA */
};

/* `cert` and `key`. */
struct fe_config_cert {
    FE_CONFIG_CERT_KEYS(FE_CONFIG_MEMBER)
    struct fe_toml_pos pos;
    struct fe_cert *cert; /* what the files held when the configuration was read */
};

struct fe_config_http {
    FE_CONFIG_HTTP_KEYS(FE_CONFIG_MEMBER)
    struct fe_toml_pos https_pos;
    struct fe_config_cert *certs; /* `cert` and `key`, and `certificates` */
    size_t n_certs;
    struct fe_view hsts; /* the value of Strict-Transport-Security; empty: none */
    /* Of a listener that only redirects, to the one of these that has the name, else to the first.
     * Such listeners stand behind all others, and have no routes. */
    const struct fe_config_http **targets;
    size_t n_targets;
    struct fe_config_route *routes;
    size_t n_routes;
    const struct fe_filter_chain *filters; /* of all its exchanges */
    struct fe_router *router;              /* its routes are the `struct fe_config_route` above */
};

struct fe_config_acme {
    FE_CONFIG_ACME_KEYS(FE_CONFIG_MEMBER)
    struct fe_view eab_hmac_key; /* decoded */
};

/* The node's identity, and which peers it trusts. */
struct fe_config_mesh {
    FE_CONFIG_MESH_KEYS(FE_CONFIG_MEMBER)
    bool has_reconnect_attempts; /* given in the file */
    struct fe_toml_pos key_pos;  /* of `key_path`, if that is given */
    char *secret;                /* NULL: none */
    size_t secret_len;
    const struct flatend_service_rule *rules;
    size_t n_rules;
};

/* One of [[mesh.services]], out of which a rule is made. */
struct fe_config_rule {
    FE_CONFIG_RULE_KEYS(FE_CONFIG_MEMBER)
};

struct fe_config {
    atomic_uint n_refs; /* any thread */
    struct fe_arena arena;
    FE_CONFIG_TOP_KEYS(FE_CONFIG_MEMBER)
    bool has_addr; /* given in the file: flags then do not apply */
    struct fe_toml_pos addr_pos;
    bool has_workers; /* given in the file */
    struct fe_config_mesh mesh;
    struct fe_config_acme acme;
    struct fe_config_http *http;
    size_t n_http;      /* with those that redirect */
    size_t n_redirects; /* of them */
};

/* Reads and checks a file, `mistakes` says what is wrong with it. FLATEND_ENOENT (the file itself),
 * FLATEND_EACCESS, FLATEND_EIO, FLATEND_ETOOBIG, FLATEND_ESYNTAX, FLATEND_EINVAL, FLATEND_EEXIST
 * (two things clash), FLATEND_ENOMEM: the code of the first mistake. */
int fe_config_load_all(const char *path, struct fe_config **config,
                       struct fe_config_mistakes *mistakes) FE_MUST_USE;

/* The same from memory; `path` is for messages only. Static paths are looked up. */
int fe_config_parse_all(const char *path, struct fe_view text, struct fe_config **config,
                        struct fe_config_mistakes *mistakes) FE_MUST_USE;

/* Both with the first mistake only. */
int fe_config_load(const char *path, struct fe_config **config,
                   struct flatend_error *err) FE_MUST_USE;
int fe_config_parse(const char *path, struct fe_view text, struct fe_config **config,
                    struct flatend_error *err) FE_MUST_USE;

/* Settles the node's address, before the configuration is used: the file's, else `addr`. An HTTP
 * address that is the node's own cannot be served and is left out, with a warning.
 * FLATEND_EEXIST: a listener would be left without any, or one of its addresses overlaps the node's
 * by meaning all interfaces; `mistakes` has all of them, and the configuration cannot be used. */
int fe_config_finalize(struct fe_config *config, const char *path, const struct fe_addr *addr,
                       const struct fe_log *log, struct fe_config_mistakes *mistakes) FE_MUST_USE;

/* Says what is not wrong but will be: certificates that have expired or do so soon, that do not
 * cover a domain, keys that others can read. */
void fe_config_warn(const struct fe_config *config, const char *path, int64_t now_s,
                    const struct fe_log *log);

/* $XDG_STATE_HOME/flatend, else /var/lib/flatend for root and ~/.local/state/flatend for others.
 * NULL: out of memory. */
const char *fe_state_dir_default(struct fe_arena *arena) FE_MUST_USE;

/* Any thread. With the last reference the configuration is freed; NULL is allowed for that. */
struct fe_config *fe_config_ref(struct fe_config *config);
void fe_config_unref(struct fe_config *config);

#endif
