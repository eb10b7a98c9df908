#include "ground/base/assert.h"
#include "web/http/router_tree.h"
#include "web/http/syntax.h"

/* ---- paths ---------------------------------------------------------------------------------- */

/* Decodes one segment to `to`; NULL: a broken escape or an encoded NUL. Returns its end. A '+' is a
 * plus sign in a path. */
static uint8_t *decode_segment(uint8_t *to, struct fe_view raw)
{
    for (size_t i = 0; i < raw.len; i++) {
        int high;
        int low;

        if (raw.ptr[i] != '%') {
            *to++ = raw.ptr[i];
            continue;
        }
        if (raw.len - i < 3) {
            return NULL;
        }
        high = fe_hex_value(raw.ptr[i + 1]);
        low = fe_hex_value(raw.ptr[i + 2]);
        if (high < 0 || low < 0 || high + low == 0) {
            return NULL;
        }
        *to++ = (uint8_t)(high * 16 + low);
        i += 2;
    }
    return to;
}

static void push_segment(struct fe_route_path *path, const uint8_t *start, const uint8_t *end)
{
    path->has_dots = path->has_dots || fe_route_is_dots(fe_view_of(start, (size_t)(end - start)));
    FE_ASSERT(start <= end, "a segment begins before it ends");
    if (path->n <= FE_ROUTE_SEGMENTS_MAX) {
        path->segments[path->n++] = fe_view_of(start, (size_t)(end - start));
    }
}

/* Most paths hold no escape: they are split where they are. */
int fe_route_path_parse(struct fe_route_path *path, struct fe_view text, struct fe_arena *arena)
{
    bool is_encoded = text.len > 0 && memchr(text.ptr, '%', text.len) != NULL;
    uint8_t *to = NULL;

    path->n = 0;
    path->has_dots = false;
    if (text.len == 0 || text.ptr[0] != '/') {
        return FLATEND_EINVAL;
    }
    if (is_encoded) {
        to = fe_arena_alloc(arena, text.len);
        if (to == NULL) {
            return FLATEND_ENOMEM;
        }
    }
    do {
        const uint8_t *slash;
        const uint8_t *start;
        struct fe_view raw = fe_view_skip(text, 1);

        slash = raw.len > 0 ? memchr(raw.ptr, '/', raw.len) : NULL;
        raw.len = slash != NULL ? (size_t)(slash - raw.ptr) : raw.len;
        text = fe_view_skip(text, raw.len + 1);
        start = raw.ptr;
        path->end = raw.ptr + raw.len;
        if (is_encoded) {
            start = to;
            to = decode_segment(to, raw);
            if (to == NULL) {
                return FLATEND_EINVAL;
            }
            path->end = to;
            *to++ = '/'; /* within the room of the slash before the segment */
        }
        push_segment(path, start, path->end);
    } while (text.len > 0);
    return 0;
}

/* ---- search --------------------------------------------------------------------------------- */

struct search {
    const struct fe_route_path *path;
    struct fe_view method;
    bool is_head;
    bool fold;
    struct fe_route_hit *hit;
};

/* The route of a list for the method; for HEAD that of GET if there is none of its own. */
static const struct fe_route *pick(const struct search *search, const struct fe_route *routes)
{
    const struct fe_route *get = NULL;

    for (; routes != NULL; routes = routes->next) {
        if (fe_view_equal(routes->method, search->method)) {
            return routes;
        }
        if (search->is_head && fe_view_equal(routes->method, FE_VIEW_LIT("GET"))) {
            get = routes;
        }
    }
    return get;
}

static bool hit(const struct search *search, const struct fe_route_node *node,
                const struct fe_route *routes)
{
    const struct fe_route *route = pick(search, routes);

    if (route == NULL) {
        return false;
    }
    *search->hit = (struct fe_route_hit){route, node};
    return true;
}

/* From `node`, the segments from `depth` on. Recursion ends at the depth of the tree. */
static bool descend(const struct search *search, const struct fe_route_node *node, size_t depth)
{
    struct fe_view segment;

    FE_ASSERT(depth <= search->path->n, "a search goes no deeper than the path");
    if (depth == search->path->n) {
        return hit(search, node, node->routes);
    }
    segment = search->path->segments[depth];
    for (size_t i = 0; i < node->n_children; i++) {
        const struct fe_route_node *child = node->children[i];

        if (child->segment.len == segment.len &&
            (search->fold ? fe_view_equal_nocase(child->segment, segment)
                          : fe_view_equal(child->segment, segment)) &&
            descend(search, child, depth + 1)) {
            return true;
        }
    }
    if (node->param != NULL && segment.len > 0 && descend(search, node->param, depth + 1)) {
        return true;
    }
    return hit(search, node, node->rests);
}

bool fe_route_search(const struct fe_router *router, const struct fe_route_path *path,
                     struct fe_view method, bool fold, struct fe_route_hit *found)
{
    struct search search = {.path = path,
                            .method = method,
                            .is_head = fe_view_equal(method, FE_VIEW_LIT("HEAD")),
                            .fold = fold,
                            .hit = found};

    return descend(&search, &router->root, 0);
}

/* ---- methods of a path ---------------------------------------------------------------------- */

struct list_writer {
    char *text;
    size_t len;
    size_t cap;
};

static void list_add(struct list_writer *w, struct fe_view item)
{
    FE_ASSERT(item.len + 2 <= w->cap - w->len, "the list is as long as was computed");
    if (w->len > 0) {
        memcpy(w->text + w->len, ", ", 2);
        w->len += 2;
    }
    memcpy(w->text + w->len, item.ptr, item.len);
    w->len += item.len;
}

static bool is_allowed(const struct fe_router *router, const struct fe_route_path *path,
                       struct fe_view method)
{
    struct fe_route_hit ignored;

    return path == NULL || fe_route_search(router, path, method, false, &ignored);
}

/* Lists the methods of a path (NULL: of any) in the order in which routes were added; HEAD comes
 * with GET, OPTIONS with anything. Empty: no method has a route. */
static int list_methods(const struct fe_router *router, const struct fe_route_path *path,
                        struct fe_arena *arena, struct fe_view *allow)
{
    const struct fe_view options = FE_VIEW_LIT("OPTIONS");
    const struct fe_view head = FE_VIEW_LIT("HEAD");
    struct list_writer w = {0};
    size_t size = head.len + options.len + 4;
    bool has_head = false;
    bool is_any = false;

    for (size_t i = 0; i < router->n_methods; i++) {
        size += router->methods[i].len + 2;
    }
    w.cap = size;
    w.text = fe_arena_alloc(arena, size);
    if (w.text == NULL) {
        return FLATEND_ENOMEM;
    }
    for (size_t i = 0; i < router->n_methods; i++) {
        struct fe_view method = router->methods[i];
        bool is_get = fe_view_equal(method, FE_VIEW_LIT("GET"));
        bool is_head = fe_view_equal(method, head);

        if ((is_head && has_head) || !is_allowed(router, path, method)) {
            continue;
        }
        is_any = true;
        if (!fe_view_equal(method, options)) {
            list_add(&w, method);
        }
        if (is_get && !has_head) {
            list_add(&w, head);
        }
        has_head = has_head || is_get || is_head;
    }
    if (is_any) {
        list_add(&w, options);
    }
    *allow = fe_view_of(w.text, w.len);
    return 0;
}

/* ---- match ---------------------------------------------------------------------------------- */

static void set_params(struct fe_match *match, const struct fe_route *route,
                       const struct fe_route_path *path)
{
    for (size_t i = 0; i < route->n_params; i++) {
        struct fe_view value = path->segments[route->at[i]];

        FE_ASSERT(route->at[i] < path->n, "a parameter is a segment of the path");
        if (route->has_rest && i + 1 == route->n_params) {
            value.len = (size_t)(path->end - value.ptr);
        }
        match->params[i] = (struct fe_param){route->names[i], value};
    }
    match->n_params = route->n_params;
    match->route = route->route;
}

/* No route for this method: another place, another method, or nothing. */
static int match_elsewhere(const struct fe_router *router, const struct fe_request *request,
                           const struct fe_route_path *path, struct fe_arena *arena,
                           struct fe_match *match)
{
    int code = fe_route_redirect(router, request, path, NULL, arena, &match->location);

    if (code != 0) {
        return code;
    }
    if (match->location.len > 0) {
        match->result = FE_MATCH_REDIRECT;
        return 0;
    }
    match->result = FE_MATCH_NOT_FOUND;
    if (path->has_dots) {
        return 0;
    }
    code = list_methods(router, path, arena, &match->allow);
    if (code == 0 && match->allow.len > 0) {
        match->result =
            request->method == FE_METHOD_OPTIONS ? FE_MATCH_OPTIONS : FE_MATCH_NOT_ALLOWED;
    }
    return code;
}

int fe_router_match(const struct fe_router *router, const struct fe_request *request,
                    struct fe_arena *arena, struct fe_match *match)
{
    struct fe_route_path path;
    struct fe_route_hit found;
    int code;

    match->router = router;
    match->n_params = 0;
    match->route = NULL;
    match->allow = match->location = fe_view_of(NULL, 0);
    if (request->method == FE_METHOD_OPTIONS && fe_view_equal(request->path, FE_VIEW_LIT("*"))) {
        match->result = FE_MATCH_OPTIONS; /* RFC 9110 §9.3.7: about the server as a whole */
        return list_methods(router, NULL, arena, &match->allow);
    }
    code = fe_route_path_parse(&path, request->path, arena);
    if (code == FLATEND_EINVAL) {
        match->result = FE_MATCH_BAD_PATH;
        return 0;
    }
    if (code != 0) {
        return code;
    }
    if (!path.has_dots && fe_route_search(router, &path, fe_route_method(request), false, &found)) {
        match->result = FE_MATCH_FOUND;
        set_params(match, found.route, &path);
        return 0;
    }
    return match_elsewhere(router, request, &path, arena, match);
}

int fe_router_elsewhere(const struct fe_match *match, const struct fe_request *request,
                        struct fe_arena *arena, struct fe_view *location)
{
    struct fe_route_path path;
    int code;

    *location = fe_view_of(NULL, 0);
    code = fe_route_path_parse(&path, request->path, arena);
    if (code != 0) {
        return code;
    }
    return fe_route_redirect(match->router, request, &path, match->route, arena, location);
}

int fe_router_allow(const struct fe_match *match, const struct fe_request *request,
                    struct fe_arena *arena, struct fe_view *allow)
{
    struct fe_route_path path;
    const int code = fe_route_path_parse(&path, request->path, arena);

    return code != 0 ? code : list_methods(match->router, &path, arena, allow);
}
