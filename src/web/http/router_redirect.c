/* Where a path that no route matches is meant to lead: RFC 3986 §6.2.2 and letter case. */
#include "ground/base/ascii.h"
#include "ground/base/assert.h"
#include "web/http/moved.h"
#include "web/http/router_tree.h"

struct writer {
    uint8_t *at;
};

static void put_query(struct writer *w, struct fe_view query)
{
    if (query.len > 0) {
        *w->at++ = '?';
        w->at = fe_moved_put(w->at, query);
    }
}

/* pchar (RFC 3986 §3.3) without what is percent-encoded. */
static bool is_path_char(uint8_t c)
{
    return fe_ascii_is_alphanumeric(c) || (c != '\0' && strchr("-._~!$&'()*+,;=:@", c) != NULL);
}

static void put_segment(struct writer *w, struct fe_view segment)
{
    static const char digits[] = "0123456789ABCDEF";

    *w->at++ = '/';
    for (size_t i = 0; i < segment.len; i++) {
        uint8_t c = segment.ptr[i];

        if (is_path_char(c)) {
            *w->at++ = c;
        } else {
            *w->at++ = '%';
            *w->at++ = (uint8_t)digits[c >> 4];
            *w->at++ = (uint8_t)digits[c & 15];
        }
    }
}

/* With the slash at its end if it has none, without it if it has one. False: that is no path. */
static bool toggle_slash(struct fe_route_path *path)
{
    FE_ASSERT(path->n > 0 && path->n <= FE_ROUTE_SEGMENTS_MAX, "a path has a segment");
    if (path->segments[path->n - 1].len > 0) {
        if (path->n >= FE_ROUTE_SEGMENTS_MAX) {
            return false;
        }
        path->segments[path->n++] = FE_VIEW_LIT("");
        return true;
    }
    if (path->n == 1) {
        return false;
    }
    path->n--;
    return true;
}

/* The path as sent, with or without the slash. */
static int write_toggled(const struct fe_request *request, struct fe_arena *arena,
                         struct fe_view *location)
{
    struct fe_view path = request->path;
    const bool has_slash = path.ptr[path.len - 1] == '/';
    const char *text;
    size_t len;

    path.len -= has_slash ? 1 : 0;
    text = fe_moved_reference(arena, path, !has_slash, request->query, &len);
    if (text == NULL) {
        return FLATEND_ENOMEM;
    }
    *location = fe_view_of(text, len);
    return 0;
}

/* Resolves "." and ".." and drops empty segments; what ends in one of these ends in a slash. */
static void clean(struct fe_route_path *path)
{
    size_t n = 0;
    struct fe_view last = path->segments[path->n - 1];

    for (size_t i = 0; i < path->n; i++) {
        struct fe_view segment = path->segments[i];

        if (!fe_route_is_dots(segment) && segment.len > 0) {
            path->segments[n++] = segment;
        } else if (segment.len == 2 && n > 0) {
            n--;
        }
    }
    if (n == 0 || last.len == 0 || fe_route_is_dots(last)) {
        path->segments[n++] = FE_VIEW_LIT("");
    }
    path->n = n;
}

/* The path of a hit, its static segments as the route spells them. */
static int write_fixed(const struct fe_request *request, const struct fe_route_path *path,
                       const struct fe_route_hit *hit, struct fe_arena *arena,
                       struct fe_view *location)
{
    struct fe_view segments[FE_ROUTE_SEGMENTS_MAX];
    size_t size = FE_MOVED_ROOM(request->query.len) + 1;
    size_t depth = 0;
    struct writer w;
    uint8_t *start;

    for (const struct fe_route_node *node = hit->node; node->parent != NULL; node = node->parent) {
        depth++;
    }
    FE_ASSERT(depth <= path->n && path->n <= FE_ROUTE_SEGMENTS_MAX, "a route is in its path");
    memcpy(segments, path->segments, path->n * sizeof(segments[0]));
    for (const struct fe_route_node *node = hit->node; node->parent != NULL; node = node->parent) {
        depth--;
        if (node != node->parent->param) {
            segments[depth] = node->segment;
        }
    }
    for (size_t i = 0; i < path->n; i++) {
        size += 1 + 3 * segments[i].len;
    }
    start = w.at = fe_arena_alloc(arena, size);
    if (start == NULL) {
        return FLATEND_ENOMEM;
    }
    for (size_t i = 0; i < path->n; i++) {
        put_segment(&w, segments[i]);
    }
    put_query(&w, request->query);
    FE_ASSERT((size_t)(w.at - start) <= size, "a location is as long as was computed");
    *location = fe_view_of(start, (size_t)(w.at - start));
    return 0;
}

/* What is asked for, and by which route not. */
struct asked {
    const struct fe_router *router;
    struct fe_view method;
    const void *except; /* a path that is its own leads nowhere else */
};

static bool finds(const struct asked *asked, const struct fe_route_path *path, bool fold,
                  struct fe_route_hit *hit)
{
    return fe_route_search(asked->router, path, asked->method, fold, hit) &&
           (asked->except == NULL || hit->route->route != asked->except);
}

int fe_route_redirect(const struct fe_router *router, const struct fe_request *request,
                      const struct fe_route_path *path, const void *except, struct fe_arena *arena,
                      struct fe_view *location)
{
    const struct asked asked = {router, fe_route_method(request), except};
    struct fe_route_path other = *path;
    struct fe_route_hit hit;

    if (path->n > FE_ROUTE_SEGMENTS_MAX) {
        return 0; /* longer than any route, unless that takes all: then it has matched */
    }
    if (router->options.redirect_trailing_slash && !path->has_dots && toggle_slash(&other) &&
        finds(&asked, &other, false, &hit)) {
        return write_toggled(request, arena, location);
    }
    if (!router->options.redirect_fixed_path) {
        return 0;
    }
    other = *path;
    clean(&other);
    if (finds(&asked, &other, true, &hit) ||
        (router->options.redirect_trailing_slash && toggle_slash(&other) &&
         finds(&asked, &other, true, &hit))) {
        return write_fixed(request, &other, &hit, arena, location);
    }
    return 0;
}
