/* How the value of a key is read by its type: what types.c and numbers.c share. */
#ifndef FE_GATEWAY_CONFIG_READING_H
#define FE_GATEWAY_CONFIG_READING_H

#include "gateway/config/table.h"

/* One value that is to become one member. */
struct fe_config_reading {
    const struct fe_config_reader *r;
    const struct fe_config_key *key;
    const struct fe_toml_value *value;
};

/* "expected ..." at the value. FLATEND_EINVAL. */
int fe_config_read_fail(const struct fe_config_reading *g, const char *expected);

/* The same, with what was found instead, unless the value has the type. */
int fe_config_read_expect(const struct fe_config_reading *g, enum fe_toml_type type,
                          const char *expected);

/* Each reads its type, within the key's bounds. FLATEND_EINVAL, FLATEND_ENOMEM. */
int fe_config_read_flag(const struct fe_config_reading *g, bool *flag) FE_MUST_USE;
int fe_config_read_integer(const struct fe_config_reading *g, unsigned *number) FE_MUST_USE;
int fe_config_read_factor(const struct fe_config_reading *g, double *factor) FE_MUST_USE;
int fe_config_read_duration(const struct fe_config_reading *g, uint64_t *ms) FE_MUST_USE;
int fe_config_read_size(const struct fe_config_reading *g, uint64_t *bytes) FE_MUST_USE;

#endif
