/* [[http.routes]]: one route, from its table to the patterns in the router. */
#include <stdlib.h>

#include "gateway/config/http.h"
#include "ground/base/ascii.h"
#include "ground/base/assert.h"
#include "ground/os/error.h"
#include "ground/os/fd.h"

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* The next word of `text`, which loses it. */
static struct fe_view take_word(struct fe_view *text)
{
    size_t start = 0;
    size_t end;
    struct fe_view word;

    while (start < text->len && is_space(text->ptr[start])) {
        start++;
    }
    end = start;
    while (end < text->len && !is_space(text->ptr[end])) {
        end++;
    }
    word = fe_view_of(text->ptr + start, end - start);
    *text = fe_view_skip(*text, end);
    return word;
}

/* CONNECT has no path, and TRACE must not be answered by what serves the path: neither is routed.
 */
static bool is_routable(struct fe_view method)
{
    switch (fe_method_of(method)) {
    case FE_METHOD_GET:
    case FE_METHOD_HEAD:
    case FE_METHOD_POST:
    case FE_METHOD_PUT:
    case FE_METHOD_DELETE:
    case FE_METHOD_OPTIONS:
    case FE_METHOD_PATCH:
        return true;
    default:
        return false;
    }
}

/* "{id}", as other gateways write it. */
static bool is_braced(struct fe_view segment)
{
    return segment.len >= 2 && segment.ptr[0] == '{' && segment.ptr[segment.len - 1] == '}';
}

static struct fe_view first_braced(struct fe_view pattern)
{
    for (size_t i = 0; i < pattern.len;) {
        size_t n = 0;

        while (i + n < pattern.len && pattern.ptr[i + n] != '/') {
            n++;
        }
        if (is_braced(fe_view_of(pattern.ptr + i, n))) {
            return fe_view_of(pattern.ptr + i, n);
        }
        i += n + 1;
    }
    return fe_view_of(NULL, 0);
}

static bool is_of_name(uint8_t c)
{
    return fe_ascii_is_alphanumeric(c) || c == '_';
}

/* No client sends a brace in a path (RFC 3986 §3.3): a parameter is meant. {name...}, {name:.*} and
 * {*name} are catch-alls, {name:expression} and {name} are not. */
static int check_braces(const struct fe_config_reader *r, const struct fe_toml_value *path,
                        const struct fe_config_route *route)
{
    const struct fe_view found = first_braced(route->pattern);
    struct fe_view name;
    bool is_rest;
    size_t n = 0;

    if (found.len == 0) {
        return 0;
    }
    is_rest = found.ptr[1] == '*' || memchr(found.ptr, '.', found.len) != NULL;
    name = fe_view_of(found.ptr + 1, found.len - 2);
    name = fe_view_skip(name, name.len > 0 && name.ptr[0] == '*' ? 1 : 0);
    while (n < name.len && is_of_name(name.ptr[n])) {
        n++;
    }
    return fe_config_fail(
        r, FLATEND_EINVAL, path->pos,
        "'%.*s' is no parameter: write '%c%.*s' (':' is one segment of a path, '*' "
        "all that is left)",
        fe_toml_quoted(found), (const char *)found.ptr, is_rest ? '*' : ':', n > 0 ? (int)n : 4,
        n > 0 ? (const char *)name.ptr : "name");
}

static int finalize_path(const struct fe_config_reader *r, const struct fe_toml_value *path,
                         struct fe_config_route *route)
{
    struct fe_view rest = fe_view_str(route->path);

    route->method = take_word(&rest);
    route->pattern = take_word(&rest);
    route->pos = path->pos;
    if (route->pattern.len == 0 || take_word(&rest).len > 0) {
        return fe_config_fail(r, FLATEND_EINVAL, path->pos,
                              "expected a method and a path such as \"GET /hello\"");
    }
    if (!is_routable(route->method)) {
        return fe_config_fail(r, FLATEND_EINVAL, path->pos,
                              "unknown method '%.*s': expected GET, HEAD, POST, PUT, PATCH, DELETE "
                              "or OPTIONS",
                              (int)route->method.len, (const char *)route->method.ptr);
    }
    if (route->pattern.ptr[0] != '/') {
        return fe_config_fail(r, FLATEND_EINVAL, path->pos, "a route's path begins with '/'");
    }
    return check_braces(r, path, route);
}

static int finalize_services(const struct fe_config_reader *r,
                             const struct fe_config_route_given *given,
                             struct fe_config_route *route)
{
    int code = 0;

    route->kind = FE_ROUTE_SERVICE;
    for (size_t i = 0; i < route->n_services; i++) {
        if (route->services[i].len > FE_CONFIG_SERVICE_NAME_MAX) {
            code =
                FE_CONFIG_ALSO(code, fe_config_fail(r, FLATEND_EINVAL, route->services_pos[i],
                                                    "expected a service name of at most %d bytes",
                                                    FE_CONFIG_SERVICE_NAME_MAX));
        }
    }
    if (given->browse != NULL) {
        code =
            FE_CONFIG_ALSO(code, fe_config_fail(r, FLATEND_EINVAL, given->browse->pos,
                                                "'browse' needs a route that serves a directory"));
    }
    return code;
}

/* What a directory or a file does not take. */
static int check_static_keys(const struct fe_config_reader *r,
                             const struct fe_config_route_given *given,
                             const struct fe_config_route *route)
{
    int code = 0;

    if (route->method.len > 0 && fe_method_of(route->method) != FE_METHOD_GET) {
        code = fe_config_fail(r, FLATEND_EINVAL, route->pos,
                              "a static route must have the method GET (which includes HEAD)");
    }
    if (given->timeout_ms != NULL) {
        code = FE_CONFIG_ALSO(code, fe_config_fail(r, FLATEND_EINVAL, given->timeout_ms->pos,
                                                   "'timeout' needs a route to a service"));
    }
    if (given->read_ms != NULL) {
        code = FE_CONFIG_ALSO(code, fe_config_fail(r, FLATEND_EINVAL, given->read_ms->pos,
                                                   "'timeout.read' needs a route to a service"));
    }
    return code;
}

static int check_static_path(const struct fe_config_reader *r,
                             const struct fe_config_route_given *given,
                             struct fe_config_route *route)
{
    const struct fe_toml_pos pos = given->static_path->pos;
    const char *const path = route->static_path;
    struct fe_file_info info;

    if (fe_path_info(path, &info) != 0) {
        return fe_config_fail(r, FLATEND_EINVAL, pos, "cannot serve '%s': %s", path,
                              fe_os_last_reason());
    }
    route->static_is_dir = info.kind == FE_FILE_DIRECTORY;
    if (info.kind == FE_FILE_OTHER) {
        return fe_config_fail(r, FLATEND_EINVAL, pos,
                              "cannot serve '%s': neither a file nor a directory", path);
    }
    if (given->browse != NULL && !route->static_is_dir) {
        return fe_config_fail(r, FLATEND_EINVAL, given->browse->pos,
                              "'browse' needs a route that serves a directory");
    }
    return 0;
}

static int finalize_static(const struct fe_config_reader *r,
                           const struct fe_config_route_given *given, struct fe_config_route *route)
{
    int code = check_static_keys(r, given, route);

    route->kind = FE_ROUTE_STATIC;
    code = FE_CONFIG_ALSO(code, check_static_path(r, given, route));
    if (code == 0 && route->static_is_dir) {
        route->rest = fe_config_rest_of(route->pattern);
    }
    return code;
}

/* The listener's minimum is meant for uploads: it is taken over by services whose method has a body
 * by its nature (RFC 9110 §9.3.3, §9.3.4; RFC 5789), not by files or a GET. */
static bool takes_minimum(const struct fe_config_route *route)
{
    const enum fe_method method = fe_method_of(route->method);
    return route->kind == FE_ROUTE_SERVICE &&
           (method == FE_METHOD_POST || method == FE_METHOD_PUT || method == FE_METHOD_PATCH);
}

static int finalize_limits(const struct fe_config_reader *r,
                           const struct fe_config_route_given *given,
                           const struct fe_config_http *http, struct fe_config_route *route)
{
    if (given->body_min == NULL) {
        route->body_min = takes_minimum(route) ? http->body_min : 0;
    }
    if (given->body_max == NULL) {
        route->body_max = http->body_max;
    }
    if (route->body_min > route->body_max) {
        return fe_config_fail(
            r, FLATEND_EINVAL,
            fe_config_pos(given->body_min != NULL ? given->body_min : given->body_max),
            "min.body_size is larger than max.body_size");
    }
    return 0;
}

/* What a route does not say is as the listener has it. */
static void finalize_times(const struct fe_config_route_given *given,
                           const struct fe_config_http *http, struct fe_config_route *route)
{
    if (given->read_ms == NULL) {
        route->read_ms = http->read_ms;
    }
    if (given->write_ms == NULL) {
        route->write_ms = http->write_ms;
    }
    if (given->min_rate == NULL) {
        route->min_rate = http->min_rate;
    }
    route->times = (struct fe_http_times){route->read_ms, route->write_ms, route->min_rate};
    route->has_times = route->read_ms != http->read_ms || route->write_ms != http->write_ms ||
                       route->min_rate != http->min_rate;
}

/* `is_whole`: nothing is wrong with the route's keys, so that what is missing is. */
static int finalize_target(const struct fe_config_reader *r, const struct fe_toml_value *table,
                           const struct fe_config_route_given *given, bool is_whole,
                           struct fe_config_route *route)
{
    if (route->n_services > 0 && given->static_path != NULL) {
        return fe_config_fail(r, FLATEND_EINVAL, given->static_path->pos,
                              "a route has services or 'static', not both");
    }
    if (given->static_path != NULL) {
        return finalize_static(r, given, route);
    }
    if (route->n_services > 0) {
        return finalize_services(r, given, route);
    }
    if (!is_whole) {
        return 0;
    }
    return fe_config_fail(r, FLATEND_EINVAL, table->pos,
                          "a route needs 'service', 'services' or 'static'");
}

static int set_timeout_text(const struct fe_config_reader *r, struct fe_config_route *route)
{
    const char *const text =
        fe_arena_printf(r->arena, "%llu", (unsigned long long)route->timeout_ms);

    if (text == NULL) {
        return fe_config_no_memory(r);
    }
    route->timeout_text = fe_view_str(text);
    return 0;
}

int fe_config_read_route(const struct fe_config_reader *r, const struct fe_toml_value *table,
                         const struct fe_config_http *http, struct fe_config_route *route)
{
    struct fe_config_route_given given = {0};
    int code;

    memset(route, 0, sizeof(*route));
    code = fe_config_read_table(r, &FE_CONFIG_TABLES[FE_TABLE_ROUTE], table, route, &given);
    if (given.path != NULL) {
        code = FE_CONFIG_ALSO(code, finalize_path(r, given.path, route));
        route->method.len =
            code == 0 ? route->method.len : 0; /* nothing follows from a wrong one */
    } else if (code == 0) {
        code = fe_config_fail(r, FLATEND_EINVAL, table->pos,
                              "a route needs a path such as \"GET /hello\"");
    }
    code = FE_CONFIG_ALSO(code, finalize_target(r, table, &given, code == 0, route));
    finalize_times(&given, http, route);
    if (code == 0) {
        code = set_timeout_text(r, route);
    }
    if (code == 0 || (given.body_min != NULL && given.body_max != NULL)) {
        code = FE_CONFIG_ALSO(code, finalize_limits(r, &given, http, route));
    }
    return code;
}
