/* A first look at TOML text, which keeps from the parser what it cannot bear. */
#ifndef FE_GATEWAY_CONFIG_TOML_SCAN_H
#define FE_GATEWAY_CONFIG_TOML_SCAN_H

#include "gateway/config/toml.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Keys like a.b.c nest without brackets, and the parser's tables are destroyed recursively:
 * together with FE_TOML_NESTING_MAX this bounds its stack. A configuration needs three. */
enum { FE_TOML_LINE_DOTS_MAX = 32 };

/* FLATEND_ESYNTAX, with place and reason, for:
 * - more dots than that in a line, outside strings and comments;
 * - what is not ASCII outside strings and comments: TOML does not allow it either, but the
 * behaviour of toml++ 3.3 is undefined where it looks for white space there;
 * - strings of several lines, and strings that are not ASCII without a space before them: it may
 *   look for white space in those, too. */
int fe_toml_scan(struct fe_view text, struct fe_toml_pos *pos,
                 struct flatend_error *err) FE_MUST_USE;

#ifdef __cplusplus
}
#endif

#endif
