/* Integers and floats. */
#ifndef FE_GATEWAY_TOML_NUMBER_H
#define FE_GATEWAY_TOML_NUMBER_H

#include "gateway/toml/toml.h"

/* Reads `text` as a number: `*type` is FE_TOML_INTEGER, with its value, or FE_TOML_FLOAT. NULL; or
 * what is wrong with it, "" if it is not even like a number. */
const char *fe_toml_read_number(struct fe_view text, enum fe_toml_type *type, int64_t *integer);

#endif
