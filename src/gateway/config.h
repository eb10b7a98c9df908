/* The gateway's configuration: one immutable snapshot, counted by reference. Every key is described
 * in docs/configuration.md. */
#ifndef FE_GATEWAY_CONFIG_H
#define FE_GATEWAY_CONFIG_H

#include "base/addr.h"
#include "base/arena.h"
#include "http/router.h"

enum fe_route_kind {
    FE_ROUTE_SERVICE, /* `service` or `services` */
    FE_ROUTE_STATIC,  /* `static`: a file or a directory */
};

/* Where something stands in the configuration file, for messages. */
struct fe_config_pos {
    unsigned line;
    unsigned column;
};

struct fe_config_route {
    enum fe_route_kind kind;
    struct fe_view method;  /* "GET" */
    struct fe_view pattern; /* "/todos/:id" */
    struct fe_view *services;
    size_t n_services;
    char *static_path; /* NUL-terminated, as configured */
    bool static_is_dir;
    bool no_cache;
    bool browse;
    uint64_t timeout_ms; /* until a service's first byte; default 30 s, 0: none */
    uint64_t body_min;   /* of the route, else of the listener */
    uint64_t body_max;
    struct fe_config_pos pos;
};

struct fe_config_http {
    struct fe_addr *addrs; /* `addr` and `addrs`, added up; default :80 */
    size_t n_addrs;
    struct fe_view *domains; /* `domain` and `domains`, added up */
    size_t n_domains;
    bool redirect_trailing_slash;
    bool redirect_fixed_path;
    uint64_t read_ms;
    uint64_t read_header_ms;
    uint64_t idle_ms;
    uint64_t write_ms;
    uint64_t shutdown_ms;
    size_t header_max;
    struct fe_config_route *routes;
    size_t n_routes;
    struct fe_router *router; /* its routes are the `struct fe_config_route` above */
};

struct fe_config {
    unsigned n_refs; /* of one thread */
    struct fe_arena arena;
    struct fe_addr addr; /* for other nodes; default 127.0.0.1:9000 */
    bool has_addr;       /* given in the file: flags then do not apply */
    struct fe_config_http *http;
    size_t n_http;
};

/* Reads and checks a file. On failure `err` holds "path:line:column: what was expected".
 * FLATEND_ENOENT, FLATEND_EACCESS, FLATEND_ESYNTAX, FLATEND_EINVAL, FLATEND_EEXIST, FLATEND_ENOMEM. */
int fe_config_load(const char *path, struct fe_config **config,
                   struct flatend_error *err) FE_MUST_USE;

/* The same from memory; `path` is for messages and for resolving nothing. */
int fe_config_parse(const char *path, struct fe_view text, struct fe_config **config,
                    struct flatend_error *err) FE_MUST_USE;

struct fe_config *fe_config_ref(struct fe_config *config);
void fe_config_unref(struct fe_config *config);

#endif
