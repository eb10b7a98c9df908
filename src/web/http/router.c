#include <stdlib.h>

#include "ground/base/assert.h"
#include "web/http/router_tree.h"
#include "web/http/syntax.h"

struct fe_router *fe_router_new(const struct fe_router_options *options)
{
    struct fe_router *router = calloc(1, sizeof(*router));

    if (router != NULL) {
        fe_arena_init(&router->arena, 0);
        router->options = *options;
    }
    return router;
}

void fe_router_free(struct fe_router *router)
{
    if (router != NULL) {
        fe_arena_deinit(&router->arena);
        free(router);
    }
}

/* ---- adding --------------------------------------------------------------------------------- */

/* A pattern on its way into the tree. */
struct builder {
    struct fe_router *router;
    struct fe_route *route;
    struct flatend_error *err;
    size_t n_segments;
};

static int syntax_error(const struct builder *b, struct fe_view at, const char *what)
{
    return fe_err_set(b->err, FLATEND_ESYNTAX, "route %.*s: byte %zu: %s",
                      (int)b->route->pattern.len, (const char *)b->route->pattern.ptr,
                      (size_t)(at.ptr - b->route->pattern.ptr) + 1, what);
}

static int add_param(struct builder *b, struct fe_view segment)
{
    struct fe_route *route = b->route;
    struct fe_view name = fe_view_skip(segment, 1);

    if (!fe_is_token(name)) {
        return syntax_error(b, segment, "parameter names consist of letters and digits");
    }
    for (size_t i = 0; i < route->n_params; i++) {
        if (fe_view_equal(route->names[i], name)) {
            return syntax_error(b, segment, "duplicate parameter name");
        }
    }
    if (route->n_params == FE_ROUTE_PARAMS_MAX) {
        return fe_err_set(b->err, FLATEND_ELIMIT, "route %.*s: more than %d parameters",
                          (int)route->pattern.len, (const char *)route->pattern.ptr,
                          FE_ROUTE_PARAMS_MAX);
    }
    FE_ASSERT(b->n_segments < FE_ROUTE_SEGMENTS_MAX, "a parameter is at one of the segments");
    route->names[route->n_params] = name;
    route->at[route->n_params] = b->n_segments;
    route->n_params++;
    return 0;
}

/* Text of a pattern must be able to match a segment of a path. */
static int check_literal(const struct builder *b, struct fe_view segment, bool is_last)
{
    if (segment.len == 0 && !is_last) {
        return syntax_error(b, segment, "an empty segment");
    }
    if (fe_route_is_dots(segment)) {
        return syntax_error(b, segment, "\".\" and \"..\" never match");
    }
    for (size_t i = 0; i < segment.len; i++) {
        struct fe_view at = fe_view_skip(segment, i);

        switch (segment.ptr[i]) {
        case ':':
        case '*':
            return syntax_error(b, at, "a parameter takes a whole segment");
        case '%':
            return syntax_error(b, at, "patterns are plain text, not percent-encoded");
        case '?':
        case '#':
            return syntax_error(b, at, "a pattern is a path only");
        case '\0':
            return syntax_error(b, at, "NUL byte");
        default:
            break;
        }
    }
    return 0;
}

static struct fe_route_node *add_node(struct fe_router *router, struct fe_route_node *parent,
                                      struct fe_view segment)
{
    struct fe_route_node *node = fe_arena_alloc(&router->arena, sizeof(*node));

    if (node != NULL) {
        *node = (struct fe_route_node){.parent = parent, .segment = segment};
    }
    return node;
}

static int grow_children(struct fe_router *router, struct fe_route_node *node)
{
    size_t cap = node->cap == 0 ? 4 : node->cap * 2;
    struct fe_route_node **children;

    if (node->n_children < node->cap) {
        return 0;
    }
    children = fe_arena_alloc(&router->arena, cap * sizeof(struct fe_route_node *));
    if (children == NULL) {
        return FLATEND_ENOMEM;
    }
    if (node->n_children > 0) {
        memcpy(children, node->children, node->n_children * sizeof(struct fe_route_node *));
    }
    node->children = children;
    node->cap = cap;
    return 0;
}

/* The child for a static segment, found or made. NULL: out of memory. */
static struct fe_route_node *get_child(struct fe_router *router, struct fe_route_node *node,
                                       struct fe_view segment)
{
    struct fe_route_node *child;

    for (size_t i = 0; i < node->n_children; i++) {
        if (fe_view_equal(node->children[i]->segment, segment)) {
            return node->children[i];
        }
    }
    if (grow_children(router, node) != 0) {
        return NULL;
    }
    child = add_node(router, node, segment);
    if (child != NULL) {
        FE_ASSERT(node->n_children < node->cap, "there is room for another child");
        node->children[node->n_children++] = child;
    }
    return child;
}

static struct fe_route_node *get_param(struct fe_router *router, struct fe_route_node *node)
{
    FE_ASSERT(node != NULL, "a tree has its root from the beginning");
    if (node->param == NULL) {
        node->param = add_node(router, node, fe_view_of(NULL, 0));
    }
    return node->param;
}

/* Puts one segment into the tree; `*node` moves on to what stands for it. */
static int add_segment(struct builder *b, struct fe_route_node **node, struct fe_view segment,
                       bool is_last)
{
    uint8_t first = segment.len > 0 ? segment.ptr[0] : '\0';
    int code;

    if (b->n_segments == FE_ROUTE_SEGMENTS_MAX) {
        return fe_err_set(b->err, FLATEND_ELIMIT, "route %.*s: more than %d segments",
                          (int)b->route->pattern.len, (const char *)b->route->pattern.ptr,
                          FE_ROUTE_SEGMENTS_MAX);
    }
    if (first == '*' && !is_last) {
        return syntax_error(b, segment, "only the last segment can be a catch-all");
    }
    code =
        first == ':' || first == '*' ? add_param(b, segment) : check_literal(b, segment, is_last);
    if (code != 0) {
        return code;
    }
    b->n_segments++;
    if (first == '*') {
        b->route->has_rest = true;
        return 0;
    }
    *node = first == ':' ? get_param(b->router, *node) : get_child(b->router, *node, segment);
    return *node != NULL ? 0 : fe_err_set(b->err, FLATEND_ENOMEM, "out of memory");
}

static int add_segments(struct builder *b, struct fe_route_node **node)
{
    struct fe_view rest = b->route->pattern;

    if (rest.len == 0 || rest.ptr[0] != '/') {
        return syntax_error(b, rest, "a pattern starts with a slash");
    }
    for (;;) {
        const uint8_t *slash;
        size_t len;
        int code;

        rest = fe_view_skip(rest, 1);
        slash = rest.len > 0 ? memchr(rest.ptr, '/', rest.len) : NULL;
        len = slash != NULL ? (size_t)(slash - rest.ptr) : rest.len;
        code = add_segment(b, node, fe_view_of(rest.ptr, len), slash == NULL);
        if (code != 0 || slash == NULL) {
            return code;
        }
        rest = fe_view_skip(rest, len);
    }
}

static int add_method(struct fe_router *router, struct fe_view method, struct flatend_error *err)
{
    for (size_t i = 0; i < router->n_methods; i++) {
        if (fe_view_equal(router->methods[i], method)) {
            return 0;
        }
    }
    if (router->n_methods == FE_ROUTE_METHODS_MAX) {
        return fe_err_set(err, FLATEND_ELIMIT, "more than %d methods", FE_ROUTE_METHODS_MAX);
    }
    FE_ASSERT(router->n_methods < FE_ROUTE_METHODS_MAX, "methods have a limit");
    router->methods[router->n_methods++] = method;
    return 0;
}

static int add_route(struct builder *b, struct fe_route_node *node)
{
    struct fe_route *route = b->route;
    struct fe_route **list = route->has_rest ? &node->rests : &node->routes;

    for (const struct fe_route *other = *list; other != NULL; other = other->next) {
        if (fe_view_equal(other->method, route->method)) {
            return fe_err_set(b->err, FLATEND_EEXIST, "route %.*s %.*s conflicts with %.*s",
                              (int)route->method.len, (const char *)route->method.ptr,
                              (int)route->pattern.len, (const char *)route->pattern.ptr,
                              (int)other->pattern.len, (const char *)other->pattern.ptr);
        }
    }
    if (add_method(b->router, route->method, b->err) != 0) {
        return FLATEND_ELIMIT;
    }
    route->next = *list;
    *list = route;
    return 0;
}

/* A failure leaves at most nodes without routes, which match nothing. */
int fe_router_add(struct fe_router *router, struct fe_view method, struct fe_view pattern,
                  void *route, struct flatend_error *err)
{
    struct builder b = {.router = router, .err = err};
    struct fe_route_node *node = &router->root;
    char *method_copy = fe_arena_copy(&router->arena, method);
    char *pattern_copy = fe_arena_copy(&router->arena, pattern);
    int code;

    b.route = fe_arena_alloc(&router->arena, sizeof(*b.route));
    if (method_copy == NULL || pattern_copy == NULL || b.route == NULL) {
        return fe_err_set(err, FLATEND_ENOMEM, "out of memory");
    }
    *b.route = (struct fe_route){.method = fe_view_of(method_copy, method.len),
                                 .pattern = fe_view_of(pattern_copy, pattern.len),
                                 .route = route};
    if (!fe_is_token(method)) {
        return fe_err_set(err, FLATEND_ESYNTAX, "\"%s\" is not a method", method_copy);
    }
    code = add_segments(&b, &node);
    return code != 0 ? code : add_route(&b, node);
}
