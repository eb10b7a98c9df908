/* The [mesh] table of the configuration: the node's identity, and which peers it trusts. */
#ifndef FE_GATEWAY_CONFIG_MESH_H
#define FE_GATEWAY_CONFIG_MESH_H

#include "gateway/config/table.h"

/* Reads and checks the table; a mesh secret is read from where the table says. FLATEND_EINVAL,
 * FLATEND_ENOMEM. */
int fe_config_read_mesh(const struct fe_config_reader *r, const struct fe_toml_value *table,
                        struct fe_config_mesh *mesh) FE_MUST_USE;

/* Wipes the secret. */
void fe_config_mesh_deinit(struct fe_config_mesh *mesh);

#endif
