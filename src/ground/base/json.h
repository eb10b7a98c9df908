/* JSON that we write: text, which is whole or an error. */
#ifndef FE_GROUND_BASE_JSON_H
#define FE_GROUND_BASE_JSON_H

#include "ground/base/buf.h"

enum { FE_JSON_ESCAPED_MAX = 6 }; /* bytes that one byte may become: \u00XX */

/* Writes `text` as the inside of a JSON string (RFC 8259 §7) and returns its length, without a NUL.
 * Control characters are escaped, DEL too, which a terminal would act on; what is no UTF-8 stays as
 * it is. `out` has room for FE_JSON_ESCAPED_MAX bytes for each of `text`. */
size_t fe_json_escape(char *out, struct fe_view text);

/* Appends a string with its quotes. FLATEND_ENOMEM, FLATEND_ETOOBIG. */
int fe_json_put_string(struct fe_buf *buf, const char *text) FE_MUST_USE;

/* Appends `before`, the texts as an array of strings, and `after`. The errors are the same. */
int fe_json_put_strings(struct fe_buf *buf, const char *before, const char *const *texts, size_t n,
                        const char *after) FE_MUST_USE;

#endif
