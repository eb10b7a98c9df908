/* What an [[http]] says about HTTPS. */
#ifndef FE_GATEWAY_CONFIG_HTTPS_H
#define FE_GATEWAY_CONFIG_HTTPS_H

#include "gateway/config/table.h"

/* Checks the names, loads the certificates, and settles the rest into `http`, whose addresses are
 * known already. `is_whole`: the table's keys have no mistake. FLATEND_EINVAL, FLATEND_ENOMEM. */
int fe_config_finalize_https(const struct fe_config_reader *r,
                             const struct fe_config_http_given *given, bool is_whole,
                             struct fe_config_http *http) FE_MUST_USE;

/* Appends the listeners that redirect to those in `config`. FLATEND_EEXIST: another listener has
 * such an address. FLATEND_ENOMEM. */
int fe_config_add_redirects(const struct fe_config_reader *r, struct fe_config *config) FE_MUST_USE;

#endif
