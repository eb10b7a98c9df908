/* Strings: "basic", 'literal', and both in several lines. */
#ifndef FE_GATEWAY_TOML_STRING_H
#define FE_GATEWAY_TOML_STRING_H

#include "gateway/toml/cursor.h"

/* Takes a string of one line, whose quote is next: a key or a value. FLATEND_ESYNTAX,
 * FLATEND_ENOMEM. */
int fe_toml_take_line(struct fe_toml_cursor *c, struct fe_arena *arena,
                      struct fe_view *string) FE_MUST_USE;

/* The same, or one of several lines. */
int fe_toml_take_string(struct fe_toml_cursor *c, struct fe_arena *arena,
                        struct fe_view *string) FE_MUST_USE;

#endif
