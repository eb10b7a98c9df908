/* The [acme] table of the configuration: where certificates come from. */
#ifndef FE_GATEWAY_CONFIG_ACME_H
#define FE_GATEWAY_CONFIG_ACME_H

#include "gateway/config/table.h"

/* What holds without a table. */
void fe_config_acme_init(struct fe_config_acme *acme);

/* Reads and checks the table into what was initialized. FLATEND_EINVAL (a file that it names and
 * that cannot be used, too), FLATEND_ENOMEM. */
int fe_config_read_acme(const struct fe_config_reader *r, const struct fe_toml_value *table,
                        struct fe_config_acme *acme) FE_MUST_USE;

#endif
