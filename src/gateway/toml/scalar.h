/* Values without brackets and quotes: booleans, numbers, dates, times; and what people write in
 * place of a value. */
#ifndef FE_GATEWAY_TOML_SCALAR_H
#define FE_GATEWAY_TOML_SCALAR_H

#include "gateway/toml/cursor.h"

/* Takes the value that is next. `is_nested`: within brackets, where a comma ends it.
 * FLATEND_ESYNTAX, FLATEND_ENOMEM. */
int fe_toml_take_scalar(struct fe_toml_cursor *c, struct fe_arena *arena, bool is_nested,
                        struct fe_toml_value *value) FE_MUST_USE;

#endif
