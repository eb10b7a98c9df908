/* The [[http]] tables of the configuration: listeners and their routes. */
#ifndef FE_GATEWAY_CONFIG_HTTP_H
#define FE_GATEWAY_CONFIG_HTTP_H

#include "gateway/config/table.h"

/* Reads and checks one [[http]] table. On failure `http` may be partly filled: its router, if any,
 * is still to be freed. FLATEND_EINVAL, FLATEND_EEXIST, FLATEND_ENOMEM. */
int fe_config_read_http(const struct fe_config_reader *r, const struct fe_toml_value *table,
                        struct fe_config_http *http) FE_MUST_USE;

/* Reads and checks one [[http.routes]] table of `http`, whose limits are known. FLATEND_EINVAL,
 * FLATEND_ENOMEM. */
int fe_config_read_route(const struct fe_config_reader *r, const struct fe_toml_value *table,
                         const struct fe_config_http *http,
                         struct fe_config_route *route) FE_MUST_USE;

/* Adds `http->routes[index]` to the router. FLATEND_EEXIST: it conflicts with an earlier one. */
int fe_config_add_route(const struct fe_config_reader *r, struct fe_config_http *http,
                        size_t index) FE_MUST_USE;

/* Fails at `pos`, where `addr` is asked for, because of the `k`-th address of an earlier listener.
 * FLATEND_EEXIST. */
int fe_config_fail_overlap(const struct fe_config_reader *r, const struct fe_addr *addr,
                           struct fe_toml_pos pos, const struct fe_config_http *earlier,
                           size_t k) FE_MUST_USE;

/* The parameter that holds what is below a directory served at `pattern`. */
struct fe_view fe_config_rest_of(struct fe_view pattern);

#endif
