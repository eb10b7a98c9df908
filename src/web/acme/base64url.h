/* base64url without padding (RFC 4648 §5), as JOSE and ACME write bytes. */
#ifndef FE_WEB_ACME_BASE64URL_H
#define FE_WEB_ACME_BASE64URL_H

#include "ground/base/buf.h"

/* Characters for `n` bytes, without a NUL. `n` is at most SIZE_MAX / 2. */
static inline size_t fe_base64url_size(size_t n)
{
    return n / 3 * 4 + (n % 3 == 0 ? 0 : n % 3 + 1);
}

/* Writes fe_base64url_size(data.len) characters and a NUL to `out`. */
void fe_base64url_encode(struct fe_view data, char *out);

/* Appends the characters, without a NUL. FLATEND_ENOMEM, FLATEND_ETOOBIG. */
int fe_base64url_append(struct fe_buf *buf, struct fe_view data) FE_MUST_USE;

/* Decodes to at most `cap` bytes, `*len` of them. FLATEND_ESYNTAX: another character (padding is
 * one), an impossible length, or bits that no encoder leaves. FLATEND_EOVERFLOW. */
int fe_base64url_decode(struct fe_view text, uint8_t *out, size_t cap, size_t *len) FE_MUST_USE;

/* One or more of its characters, and no other. */
bool fe_is_base64url(struct fe_view text);

#endif
