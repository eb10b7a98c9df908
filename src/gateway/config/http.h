/* The [[http]] tables of the configuration: listeners and their routes. */
#ifndef FE_GATEWAY_CONFIG_HTTP_H
#define FE_GATEWAY_CONFIG_HTTP_H

#include "gateway/config/config.h"
#include "gateway/config/read.h"

/* Reads and checks one [[http]] table. On failure `http` may be partly filled: its router, if any,
 * is still to be freed. FLATEND_EINVAL, FLATEND_EEXIST, FLATEND_ENOMEM. */
int fe_config_read_http(const struct fe_config_reader *r, const struct fe_toml_value *table,
                        struct fe_config_http *http) FE_MUST_USE;

/* Reads one address, "127.0.0.1:9000". */
int fe_config_read_addr(const struct fe_config_reader *r, const struct fe_config_text *text,
                        struct fe_addr *addr) FE_MUST_USE;

/* For `struct fe_config_key`, into a `struct fe_config_text` and a `struct fe_config_texts`: as
 * their namesakes, with an example in the message. */
int fe_config_read_addr_text(const struct fe_config_reader *r, const struct fe_toml_value *value,
                             void *text) FE_MUST_USE;

/* What a route takes from its listener. */
struct fe_config_limits {
    struct fe_config_number body_min;
    struct fe_config_number body_max;
};

/* Reads and checks one [[http.routes]] table. FLATEND_EINVAL, FLATEND_ENOMEM. */
int fe_config_read_route(const struct fe_config_reader *r, const struct fe_toml_value *table,
                         const struct fe_config_limits *listener,
                         struct fe_config_route *route) FE_MUST_USE;

/* Adds `http->routes[index]` to the router. FLATEND_EEXIST: it conflicts with an earlier one. */
int fe_config_add_route(const struct fe_config_reader *r, struct fe_config_http *http,
                        size_t index) FE_MUST_USE;

/* The parameter that holds what is below a directory served at `pattern`. */
struct fe_view fe_config_rest_of(struct fe_view pattern);

/* Takes out repetitions of an earlier text; keeps the order. */
void fe_config_merge_texts(struct fe_config_texts *texts);

#endif
