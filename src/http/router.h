/* Paths to routes: static segments before `:param` before `*rest`; built once, then read only. */
#ifndef FE_HTTP_ROUTER_H
#define FE_HTTP_ROUTER_H

#include "http/message.h"

enum { FE_ROUTE_PARAMS_MAX = 16 };

struct fe_router;

struct fe_param {
    struct fe_view name;
    struct fe_view value; /* percent-decoded */
};

enum fe_match_result {
    FE_MATCH_FOUND,
    FE_MATCH_NOT_FOUND,
    FE_MATCH_NOT_ALLOWED, /* the path exists, with the methods in `allow` */
    FE_MATCH_OPTIONS,     /* OPTIONS that no route handles itself: answer 204 with `allow` */
    FE_MATCH_REDIRECT,    /* to `location`: trailing slash, or the fixed path */
    FE_MATCH_BAD_PATH,    /* not a valid path: answer 400 */
};

struct fe_match {
    enum fe_match_result result;
    void *route; /* what fe_router_add was given */
    struct fe_param params[FE_ROUTE_PARAMS_MAX];
    size_t n_params;
    struct fe_view allow;    /* "GET, HEAD, OPTIONS"; in the arena */
    struct fe_view location; /* path and query; in the arena */
};

struct fe_router_options {
    bool redirect_trailing_slash;
    bool redirect_fixed_path;
};

struct fe_router *fe_router_new(const struct fe_router_options *options) FE_MUST_USE;
void fe_router_free(struct fe_router *router);

/* Adds `pattern` ("/users/:id", "/files/" followed by "*rest") for a method. A GET route serves
 * HEAD too. FLATEND_ESYNTAX: `err` says at which byte of the pattern; FLATEND_EEXIST: it conflicts
 * with the pattern named in `err`. */
int fe_router_add(struct fe_router *router, struct fe_view method, struct fe_view pattern,
                  void *route, struct flatend_error *err) FE_MUST_USE;

/* FLATEND_ENOMEM is the only failure. */
int fe_router_match(const struct fe_router *router, const struct fe_request *request,
                    struct fe_arena *arena, struct fe_match *match) FE_MUST_USE;

#endif
