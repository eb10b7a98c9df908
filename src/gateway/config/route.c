/* [[http.routes]]: one route, from its table to the patterns in the router. */
#include <stdlib.h>

#include "gateway/config/http.h"
#include "ground/os/error.h"
#include "ground/os/fd.h"

#define DEFAULT_TIMEOUT_MS 30000

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The table as it is written. */
struct route_form {
    struct fe_config_text path;
    struct fe_config_texts services;
    struct fe_config_text static_path;
    struct fe_config_flag no_cache;
    struct fe_config_flag browse;
    struct fe_config_number timeout;
    struct fe_config_limits limits;
};

static int read_min(const struct fe_config_reader *r, const struct fe_toml_value *value, void *into)
{
    static const struct fe_config_key keys[] = {{"body_size", fe_config_read_size, 0}};
    return fe_config_read_table(r, value, "[http.routes.min]", keys, COUNT(keys), into);
}

static int read_max(const struct fe_config_reader *r, const struct fe_toml_value *value, void *into)
{
    static const struct fe_config_key keys[] = {{"body_size", fe_config_read_size, 0}};
    return fe_config_read_table(r, value, "[http.routes.max]", keys, COUNT(keys), into);
}

static const struct fe_config_key ROUTE_KEYS[] = {
    {"path", fe_config_read_text, offsetof(struct route_form, path)},
    {"service", fe_config_add_text, offsetof(struct route_form, services)},
    {"services", fe_config_add_texts, offsetof(struct route_form, services)},
    {"static", fe_config_read_text, offsetof(struct route_form, static_path)},
    {"nocache", fe_config_read_flag, offsetof(struct route_form, no_cache)},
    {"browse", fe_config_read_flag, offsetof(struct route_form, browse)},
    {"timeout", fe_config_read_duration, offsetof(struct route_form, timeout)},
    {"min", read_min, offsetof(struct route_form, limits.body_min)},
    {"max", read_max, offsetof(struct route_form, limits.body_max)},
};

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

static int read_path(const struct fe_config_reader *r, const struct fe_toml_value *table,
                     const struct fe_config_text *path, struct fe_config_route *route)
{
    struct fe_view rest = path->text;

    if (path->pos.line == 0) {
        return fe_config_fail(r, FLATEND_EINVAL, table->pos,
                              "a route needs a path such as \"GET /hello\"");
    }
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
    return FLATEND_OK;
}

static int read_services(const struct fe_config_reader *r, struct route_form *form,
                         struct fe_config_route *route)
{
    fe_config_merge_texts(&form->services);
    if (form->services.n > FE_CONFIG_SERVICES_MAX) {
        return fe_config_fail(r, FLATEND_EINVAL, form->services.items[FE_CONFIG_SERVICES_MAX].pos,
                              "more than %d services in a route", FE_CONFIG_SERVICES_MAX);
    }
    route->kind = FE_ROUTE_SERVICE;
    route->services = fe_arena_alloc(r->arena, form->services.n * sizeof(*route->services));
    if (route->services == NULL) {
        return fe_config_no_memory(r);
    }
    for (size_t i = 0; i < form->services.n; i++) {
        const struct fe_config_text *const name = &form->services.items[i];
        if (name->text.len > FE_CONFIG_SERVICE_NAME_MAX) {
            return fe_config_fail(r, FLATEND_EINVAL, name->pos,
                                  "expected a service name of at most %d bytes",
                                  FE_CONFIG_SERVICE_NAME_MAX);
        }
        route->services[route->n_services++] = name->text;
    }
    if (form->browse.pos.line != 0) {
        return fe_config_fail(r, FLATEND_EINVAL, form->browse.pos,
                              "'browse' needs a route that serves a directory");
    }
    return FLATEND_OK;
}

static int read_static(const struct fe_config_reader *r, const struct route_form *form,
                       struct fe_config_route *route)
{
    const struct fe_toml_pos pos = form->static_path.pos;
    const char *const path = (const char *)form->static_path.text.ptr;
    struct fe_file_info info;

    route->kind = FE_ROUTE_STATIC;
    route->static_path = path;
    if (fe_method_of(route->method) != FE_METHOD_GET) {
        return fe_config_fail(r, FLATEND_EINVAL, route->pos,
                              "a static route must have the method GET (which includes HEAD)");
    }
    if (form->timeout.pos.line != 0) {
        return fe_config_fail(r, FLATEND_EINVAL, form->timeout.pos,
                              "'timeout' needs a route to a service");
    }
    if (fe_path_info(path, &info) != FLATEND_OK) {
        return fe_config_fail(r, FLATEND_EINVAL, pos, "cannot serve '%s': %s", path,
                              fe_os_last_reason());
    }
    route->static_is_dir = info.kind == FE_FILE_DIRECTORY;
    if (info.kind == FE_FILE_OTHER) {
        return fe_config_fail(r, FLATEND_EINVAL, pos,
                              "cannot serve '%s': neither a file nor a directory", path);
    }
    if (form->browse.pos.line != 0 && !route->static_is_dir) {
        return fe_config_fail(r, FLATEND_EINVAL, form->browse.pos,
                              "'browse' needs a route that serves a directory");
    }
    if (route->static_is_dir) {
        route->rest = fe_config_rest_of(route->pattern);
    }
    return FLATEND_OK;
}

/* The listener's minimum is meant for uploads: it is taken over by services whose method has a body
 * by its nature (RFC 9110 §9.3.3, §9.3.4; RFC 5789), not by files or a GET. */
static bool takes_minimum(const struct fe_config_route *route)
{
    const enum fe_method method = fe_method_of(route->method);
    return route->kind == FE_ROUTE_SERVICE &&
           (method == FE_METHOD_POST || method == FE_METHOD_PUT || method == FE_METHOD_PATCH);
}

static int finalize_limits(const struct fe_config_reader *r, const struct fe_config_limits *own,
                           const struct fe_config_limits *listener, struct fe_config_route *route)
{
    const bool has_min = own->body_min.pos.line != 0;
    const bool has_max = own->body_max.pos.line != 0;

    route->body_min = has_min ? own->body_min.n : takes_minimum(route) ? listener->body_min.n : 0;
    route->body_max = has_max ? own->body_max.n : listener->body_max.n;
    if (route->body_min > route->body_max) {
        return fe_config_fail(r, FLATEND_EINVAL, has_min ? own->body_min.pos : own->body_max.pos,
                              "min.body_size is larger than max.body_size");
    }
    return FLATEND_OK;
}

int fe_config_read_route(const struct fe_config_reader *r, const struct fe_toml_value *table,
                         const struct fe_config_limits *listener, struct fe_config_route *route)
{
    struct route_form form = {.timeout.n = DEFAULT_TIMEOUT_MS};
    const char *timeout_text;
    int code =
        fe_config_read_table(r, table, "[[http.routes]]", ROUTE_KEYS, COUNT(ROUTE_KEYS), &form);
    memset(route, 0, sizeof(*route));
    if (code == FLATEND_OK) {
        code = read_path(r, table, &form.path, route);
    }
    if (code != FLATEND_OK) {
        return code;
    }
    if (form.services.n > 0 && form.static_path.pos.line != 0) {
        return fe_config_fail(r, FLATEND_EINVAL, form.static_path.pos,
                              "a route has services or 'static', not both");
    }
    if (form.static_path.pos.line != 0) {
        code = read_static(r, &form, route);
    } else if (form.services.n > 0) {
        code = read_services(r, &form, route);
    } else {
        code = fe_config_fail(r, FLATEND_EINVAL, table->pos,
                              "a route needs 'service', 'services' or 'static'");
    }
    route->no_cache = form.no_cache.on;
    route->browse = form.browse.on;
    route->timeout_ms = form.timeout.n;
    timeout_text = fe_arena_printf(r->arena, "%llu", (unsigned long long)form.timeout.n);
    if (timeout_text == NULL) {
        return fe_config_no_memory(r);
    }
    route->timeout_text = fe_view_str(timeout_text);
    return code != FLATEND_OK ? code : finalize_limits(r, &form.limits, listener, route);
}
