/* From routes to the patterns of the router, and conflicts between them. */
#include "gateway/config/http.h"
#include "ground/base/assert.h"

/* The name in a pattern that ends in "*name"; empty: it does not. */
static struct fe_view catch_all_of(struct fe_view pattern)
{
    for (size_t i = pattern.len; i > 0 && pattern.ptr[i - 1] != '/'; i--) {
        if (pattern.ptr[i - 1] == '*') {
            return fe_view_skip(pattern, i);
        }
    }
    return fe_view_of(NULL, 0);
}

struct fe_view fe_config_rest_of(struct fe_view pattern)
{
    const struct fe_view own = catch_all_of(pattern);
    return own.len > 0 ? own : FE_VIEW_LIT(FE_CONFIG_STATIC_REST);
}

enum { PATTERNS_MAX = 3 };

static bool ends_in_slash(struct fe_view path)
{
    return path.len > 0 && path.ptr[path.len - 1] == '/';
}

/* The patterns that a route answers to: its own, and for a directory "/x" also "/x/" and all below
 * it. A directory whose own pattern is a catch-all, "/x/" and "*name", also answers to "/x/". */
static int patterns_of(const struct fe_config_reader *r, const struct fe_config_route *route,
                       struct fe_view patterns[PATTERNS_MAX], size_t *n)
{
    const struct fe_view catch_all = catch_all_of(route->pattern);
    struct fe_view base = route->pattern;
    char *slash;
    char *below;

    *n = 0;
    patterns[(*n)++] = route->pattern;
    if (!route->static_is_dir) {
        return 0;
    }
    if (catch_all.len > 0) {
        FE_ASSERT(base.len > catch_all.len + 1, "a catch-all stands behind a slash");
        patterns[(*n)++] = fe_view_of(base.ptr, base.len - catch_all.len - 1);
        return 0;
    }
    FE_ASSERT(base.len > 0, "a pattern begins with a slash");
    base.len -= ends_in_slash(base) ? 1 : 0;
    slash = fe_arena_printf(r->arena, "%.*s/", (int)base.len, (const char *)base.ptr);
    below = fe_arena_printf(r->arena, "%.*s/*%s", (int)base.len, (const char *)base.ptr,
                            FE_CONFIG_STATIC_REST);
    if (slash == NULL || below == NULL) {
        return fe_config_no_memory(r);
    }
    if (!ends_in_slash(route->pattern)) {
        patterns[(*n)++] = fe_view_str(slash);
    }
    patterns[(*n)++] = fe_view_str(below);
    return 0;
}

/* Whether two patterns match the same paths: the names of their parameters do not count. */
static bool is_same_shape(struct fe_view a, struct fe_view b)
{
    size_t i = 0;
    size_t j = 0;

    while (i < a.len && j < b.len && a.ptr[i] == b.ptr[j]) {
        const bool is_param = a.ptr[i] == ':' || a.ptr[i] == '*';
        i++;
        j++;
        while (is_param && i < a.len && a.ptr[i] != '/') {
            i++;
        }
        while (is_param && j < b.len && b.ptr[j] != '/') {
            j++;
        }
    }
    return i == a.len && j == b.len;
}

/* The earlier route that has taken `pattern`, or NULL. */
static const struct fe_config_route *find_taken(const struct fe_config_reader *r,
                                                const struct fe_config_http *http, size_t index,
                                                struct fe_view pattern)
{
    for (size_t i = 0; i < index; i++) {
        const struct fe_config_route *const earlier = &http->routes[i];
        struct fe_view patterns[PATTERNS_MAX];
        size_t n;
        if (!fe_view_equal(earlier->method, http->routes[index].method) ||
            patterns_of(r, earlier, patterns, &n) != 0) {
            continue;
        }
        for (size_t k = 0; k < n; k++) {
            if (is_same_shape(patterns[k], pattern)) {
                return earlier;
            }
        }
    }
    return NULL;
}

static int fail_route(const struct fe_config_reader *r, const struct fe_config_http *http,
                      size_t index, struct fe_view pattern, const struct flatend_error *err)
{
    const struct fe_config_route *const route = &http->routes[index];
    const struct fe_config_route *taken = NULL;
    const int code = err->code;

    if (code == FLATEND_ENOMEM) {
        return fe_config_no_memory(r);
    }
    if (code == FLATEND_EEXIST) {
        taken = find_taken(r, http, index, pattern);
    }
    if (taken != NULL) {
        return fe_config_fail(r, code, route->pos, "%.*s %.*s conflicts with %.*s %.*s at %u:%u",
                              (int)route->method.len, (const char *)route->method.ptr,
                              (int)pattern.len, (const char *)pattern.ptr, (int)taken->method.len,
                              (const char *)taken->method.ptr, (int)taken->pattern.len,
                              (const char *)taken->pattern.ptr, taken->pos.line, taken->pos.column);
    }
    return fe_config_fail(r, code == FLATEND_EEXIST ? code : FLATEND_EINVAL, route->pos, "%s",
                          err->text);
}

int fe_config_add_route(const struct fe_config_reader *r, struct fe_config_http *http, size_t index)
{
    struct fe_config_route *const route = &http->routes[index];
    struct fe_view patterns[PATTERNS_MAX];
    size_t n;
    int code = patterns_of(r, route, patterns, &n);

    FE_ASSERT(n <= PATTERNS_MAX, "the patterns of a route fit");
    for (size_t i = 0; code == 0 && i < n; i++) {
        struct flatend_error err = {0};

        code = fe_router_add(http->router, route->method, patterns[i], route, &err);
        if (code != 0) {
            err.code = code;
            return fail_route(r, http, index, patterns[i], &err);
        }
    }
    return code;
}
