/* The tree behind router.h: a node a segment. */
#ifndef FE_WEB_HTTP_ROUTER_TREE_H
#define FE_WEB_HTTP_ROUTER_TREE_H

#include "web/http/router.h"

struct fe_route {
    struct fe_route *next; /* of the same shape, for other methods */
    struct fe_view method;
    struct fe_view pattern;
    void *route;
    size_t n_params;
    struct fe_view names[FE_ROUTE_PARAMS_MAX];
    size_t at[FE_ROUTE_PARAMS_MAX]; /* the segment that each is; of `*rest` the first */
    bool has_rest;                  /* the last parameter takes all that is left */
};

struct fe_route_node {
    struct fe_route_node *parent;
    struct fe_view segment; /* as in the pattern; empty after a trailing slash, and for a param */
    struct fe_route_node **children; /* static ones */
    size_t n_children;
    size_t cap;
    struct fe_route_node *param;
    struct fe_route *routes; /* that end here */
    struct fe_route *rests;  /* that take all that is left from here */
};

struct fe_router {
    struct fe_arena arena;
    struct fe_router_options options;
    struct fe_route_node root;
    struct fe_view methods[FE_ROUTE_METHODS_MAX];
    size_t n_methods;
};

/* A path, split and decoded. Only as many segments as a pattern can have are told apart. */
struct fe_route_path {
    struct fe_view segments[FE_ROUTE_SEGMENTS_MAX + 1];
    size_t n;           /* one more than the maximum: there are more */
    const uint8_t *end; /* of the decoded text, in which slashes stand between segments */
    bool has_dots;      /* some segment is "." or "..", also beyond those told apart */
};

/* What a search finds: a route, and the node that it hangs on. */
struct fe_route_hit {
    const struct fe_route *route;
    const struct fe_route_node *node;
};

/* The route for `method` (HEAD: also GET). `fold`: static segments compare without regard to the
 * case of ASCII letters. Each node of the tree is visited at most once. */
bool fe_route_search(const struct fe_router *router, const struct fe_route_path *path,
                     struct fe_view method, bool fold, struct fe_route_hit *hit);

/* Splits and decodes. FLATEND_EINVAL: a broken escape or an encoded NUL. FLATEND_ENOMEM. */
int fe_route_path_parse(struct fe_route_path *path, struct fe_view text,
                        struct fe_arena *arena) FE_MUST_USE;

/* "." or "..". */
static inline bool fe_route_is_dots(struct fe_view segment)
{
    return (segment.len == 1 && segment.ptr[0] == '.') ||
           (segment.len == 2 && segment.ptr[0] == '.' && segment.ptr[1] == '.');
}

/* Where to redirect a path that no route of the method matches, but perhaps `except`, to which
 * nothing is redirected then: `location`, in the arena; unchanged if nowhere. FLATEND_ENOMEM. */
int fe_route_redirect(const struct fe_router *router, const struct fe_request *request,
                      const struct fe_route_path *path, const void *except, struct fe_arena *arena,
                      struct fe_view *location) FE_MUST_USE;

/* The method that a request is routed by. RFC 8441 §4: over HTTP/2 it asks for a tunnel by a
 * CONNECT with a path (there is no other one), which is what GET with Upgrade is in HTTP/1.1. */
static inline struct fe_view fe_route_method(const struct fe_request *request)
{
    return request->method == FE_METHOD_CONNECT ? FE_VIEW_LIT("GET") : request->method_text;
}

#endif
