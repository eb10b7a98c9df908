/* JSON that we write: text in a buffer, which is whole or an error. (jansson reads; what it writes
 * when memory is short is not what was meant.) */
#ifndef FE_WEB_ACME_JSON_H
#define FE_WEB_ACME_JSON_H

#include "ground/base/buf.h"

/* Appends a string with its quotes, escaped (RFC 8259 §7). FLATEND_ENOMEM, FLATEND_ETOOBIG. */
int fe_acme_json_put_string(struct fe_buf *buf, const char *text) FE_MUST_USE;

/* Appends `before`, the texts as an array of strings, and `after`. The errors are the same. */
int fe_acme_json_put_strings(struct fe_buf *buf, const char *before, const char *const *texts,
                             size_t n, const char *after) FE_MUST_USE;

#endif
