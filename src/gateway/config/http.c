/* [[http]]: one listener. */
#include "gateway/config/http.h"

#include "gateway/config/https.h"
#include "gateway/filters/chains.h"
#include "ground/base/assert.h"

/* Where to serve if the file does not say: the standard port of all addresses. */
static int finalize_addrs(const struct fe_config_reader *r, const struct fe_toml_value *table,
                          struct fe_config_http *http)
{
    if (http->n_addrs > 0) {
        return 0;
    }
    http->addrs = fe_arena_alloc(r->arena, sizeof(*http->addrs));
    http->addrs_pos = fe_arena_alloc(r->arena, sizeof(*http->addrs_pos));
    if (http->addrs == NULL || http->addrs_pos == NULL) {
        return fe_config_no_memory(r);
    }
    http->addrs_pos[0] = table->pos;
    http->n_addrs = 1;
    return fe_addr_parse(http->addrs, http->https != FE_HTTPS_OFF ? ":443" : ":80", NULL);
}

/* Files have no use for a request's body, and ask for none. */
static int add_filters(const struct fe_config_reader *r, const struct fe_config_http *http,
                       struct fe_config_route *route)
{
    const bool has_body = route->kind == FE_ROUTE_SERVICE;
    const struct fe_route_filters filters = {
        .body_min = has_body ? route->body_min : 0,
        .body_max = has_body ? route->body_max : UINT64_MAX,
        .no_cache = route->no_cache,
    };

    FE_ASSERT(http->filters != NULL, "a route's filters stand behind the listener's");
    route->filters = fe_filters_of_route(r->arena, http->filters, &filters);
    return route->filters != NULL ? 0 : fe_config_no_memory(r);
}

/* One more route, unless it has a mistake. */
static int read_route(const struct fe_config_reader *r, const struct fe_toml_value *table,
                      struct fe_config_http *http)
{
    struct fe_config_route *const route = &http->routes[http->n_routes];
    int code = fe_config_read_route(r, table, http, route);

    if (code == 0) {
        code = add_filters(r, http, route);
    }
    if (code == 0) {
        code = fe_config_add_route(r, http, http->n_routes++);
    }
    return code;
}

static int finalize_routes(const struct fe_config_reader *r, const struct fe_toml_value *tables,
                           struct fe_config_http *http)
{
    const struct fe_router_options options = {http->redirect_trailing_slash,
                                              http->redirect_fixed_path};
    const size_t n = tables != NULL ? tables->n : 0;
    int code = 0;

    http->filters = fe_filters_of_listener(r->arena, http->hsts);
    http->routes = fe_arena_alloc(r->arena, (n + 1) * sizeof(*http->routes));
    http->router = fe_router_new(&options);
    if (http->filters == NULL || http->routes == NULL || http->router == NULL) {
        return fe_config_no_memory(r);
    }
    for (size_t i = 0; i < n; i++) {
        code = FE_CONFIG_ALSO(code, read_route(r, tables->items[i], http));
    }
    return code;
}

/* What routes take over from a listener with mistakes is no mistake of theirs. */
static void set_harmless(struct fe_config_http *http)
{
    http->body_min = 0;
    http->body_max = UINT64_MAX;
    http->https = FE_HTTPS_OFF; /* nor does it redirect */
}

/* `is_whole`: its keys have no mistake. */
static int finalize(const struct fe_config_reader *r, const struct fe_toml_value *table,
                    const struct fe_config_http_given *given, bool is_whole,
                    struct fe_config_http *http)
{
    const bool has_bounds = given->body_min != NULL && given->body_max != NULL;
    int code = 0;

    if ((is_whole || has_bounds) && http->body_min > http->body_max) {
        code = fe_config_fail(r, FLATEND_EINVAL, fe_config_pos(given->body_min),
                              "min.body_size is larger than max.body_size");
    }
    if (is_whole) {
        code = FE_CONFIG_ALSO(code, finalize_addrs(r, table, http));
    }
    return FE_CONFIG_ALSO(code, fe_config_finalize_https(r, given, is_whole, http));
}

int fe_config_read_http(const struct fe_config_reader *r, const struct fe_toml_value *table,
                        struct fe_config_http *http)
{
    struct fe_config_http_given given = {0};
    int code = fe_config_read_table(r, &FE_CONFIG_TABLES[FE_TABLE_HTTP], table, http, &given);

    code = FE_CONFIG_ALSO(code, finalize(r, table, &given, code == 0, http));
    if (code != 0) {
        set_harmless(http);
    }
    return FE_CONFIG_ALSO(code, finalize_routes(r, given.routes, http));
}
