/* Any bytes as a configuration: refused with a message that has a place, or a configuration that
 * keeps its promises. */
#include <stdlib.h>

#include "gateway/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_route(const struct fe_config_route *route)
{
    check(route->method.len > 0 && route->pattern.len > 0 && route->pos.line > 0);
    check(route->body_min <= route->body_max);
    check((route->kind == FE_ROUTE_STATIC) == (route->static_path != NULL));
    check((route->kind == FE_ROUTE_SERVICE) == (route->n_services > 0));
    check(route->static_is_dir == (route->rest.len > 0));
}

static void check_config(const struct fe_config *config)
{
    check(config->n_http <= FE_CONFIG_LISTENERS_MAX);
    for (size_t i = 0; i < config->n_http; i++) {
        const struct fe_config_http *const http = &config->http[i];
        check(http->n_addrs > 0 && http->n_addrs <= FE_CONFIG_ADDRS_MAX);
        check(http->router != NULL && http->header_max >= FE_CONFIG_HEADER_SIZE_MIN);
        for (size_t k = 0; k < http->n_routes; k++) {
            check_route(&http->routes[k]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fe_config *config;
    struct flatend_error err;
    const int code = fe_config_parse("x", fe_view_of(data, size), &config, &err);

    check((code == 0) == (config != NULL));
    if (config != NULL) {
        check_config(config);
        fe_config_unref(config);
    } else {
        check(err.code == code && strncmp(err.text, "x:", 2) == 0);
    }
    return 0;
}
