/* Paths to routes: static segments before `:param` before `*rest`; built once, then read only.
 *
 * A path is split at its slashes, then each segment is percent-decoded and compared: "%61" is "a",
 * and "%2F" is a slash within a segment. `:param` takes one segment that is not empty, `*rest`
 * everything that is left, without the slash before it, and possibly nothing ("/files/"). If the
 * better match leads nowhere the next is tried; "." and ".." match nothing but are resolved for a
 * redirect to the fixed path. A CONNECT for a tunnel (RFC 8441) takes the route of GET. */
#ifndef FE_WEB_HTTP_ROUTER_H
#define FE_WEB_HTTP_ROUTER_H

#include "web/http/message.h"

enum {
    FE_ROUTE_PARAMS_MAX = 16,
    FE_ROUTE_SEGMENTS_MAX = 32, /* of a pattern; bounds the depth of the search */
    FE_ROUTE_METHODS_MAX = 32,  /* different ones in a router */
};

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
    FE_MATCH_REDIRECT,    /* to `location`: trailing slash, or the fixed path (letter case, dots) */
    FE_MATCH_BAD_PATH,    /* not a valid path: answer 400 */
};

struct fe_match {
    const struct fe_router *router;
    enum fe_match_result result;
    void *route; /* what fe_router_add was given */
    struct fe_param params[FE_ROUTE_PARAMS_MAX];
    size_t n_params;
    struct fe_view allow;    /* "GET, HEAD, OPTIONS" */
    struct fe_view location; /* path and query */
};

struct fe_router_options {
    bool redirect_trailing_slash;
    bool redirect_fixed_path;
};

struct fe_router *fe_router_new(const struct fe_router_options *options) FE_MUST_USE;
void fe_router_free(struct fe_router *router);

/* Adds `pattern` ("/users/:id", "/files/" followed by "*rest") for a method. A GET route serves
 * HEAD too. Patterns are plain text, not percent-encoded; a parameter takes a whole segment. Both
 * are copied. FLATEND_ESYNTAX: `err` says at which byte of the pattern; FLATEND_EEXIST: it
 * conflicts with the pattern named in `err`; FLATEND_ELIMIT: too many segments, parameters or
 * methods. */
int fe_router_add(struct fe_router *router, struct fe_view method, struct fe_view pattern,
                  void *route, struct flatend_error *err) FE_MUST_USE;

/* Params and texts borrow from the request, the router and `arena`. FLATEND_ENOMEM is the only
 * failure. */
int fe_router_match(const struct fe_router *router, const struct fe_request *request,
                    struct fe_arena *arena, struct fe_match *match) FE_MUST_USE;

/* Where a path leads whose route was found, and turns out not to have it (files): the `location` of
 * a redirect to another route; empty: nowhere. FLATEND_ENOMEM. */
int fe_router_elsewhere(const struct fe_match *match, const struct fe_request *request,
                        struct fe_arena *arena, struct fe_view *location) FE_MUST_USE;

/* The methods of the path, as in `allow`. FLATEND_ENOMEM. */
int fe_router_allow(const struct fe_match *match, const struct fe_request *request,
                    struct fe_arena *arena, struct fe_view *allow) FE_MUST_USE;

#endif
