/* A TOML tree as JSON, in the form that tests of TOML parsers have in common: each value as
 * {"type":"integer","value":"42"}, tables as objects, arrays as arrays. */
#ifndef TESTS_SUPPORT_TOML_JSON_H
#define TESTS_SUPPORT_TOML_JSON_H

#include "gateway/toml/toml.h"
#include "ground/base/buf.h"

/* Appends it in one line, in the order of the text. */
void toml_json(struct fe_buf *out, const struct fe_toml_value *value);

#endif
