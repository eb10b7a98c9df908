#include "web/acme/base64url.h"

#include "ground/base/assert.h"

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* 0 to 63, or -1. */
static int value_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

void fe_base64url_encode(struct fe_view data, char *out)
{
    uint32_t bits = 0;
    unsigned n_bits = 0;

    for (size_t i = 0; i < data.len; i++) {
        bits = bits << 8 | data.ptr[i];
        n_bits += 8;
        while (n_bits >= 6) {
            n_bits -= 6;
            *out++ = ALPHABET[bits >> n_bits & 63];
        }
    }
    if (n_bits > 0) {
        FE_ASSERT(n_bits < 6, "whole characters are written at once");
        *out++ = ALPHABET[bits << (6 - n_bits) & 63];
    }
    *out = '\0';
}

int fe_base64url_append(struct fe_buf *buf, struct fe_view data)
{
    const size_t size = fe_base64url_size(data.len);
    const int code = fe_buf_reserve(buf, size + 1);

    if (code == 0) {
        fe_base64url_encode(data, (char *)buf->data + buf->len);
        buf->len += size;
    }
    return code;
}

int fe_base64url_decode(struct fe_view text, uint8_t *out, size_t cap, size_t *len)
{
    uint32_t bits = 0;
    unsigned n_bits = 0;
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        const int value = value_of(text.ptr[i]);

        if (value < 0) {
            return FLATEND_ESYNTAX;
        }
        bits = bits << 6 | (uint32_t)value;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            if (n == cap) {
                return FLATEND_EOVERFLOW;
            }
            out[n++] = (uint8_t)(bits >> n_bits);
        }
    }
    /* RFC 4648 §3.5: one text for one sequence of bytes, or signed things could be rewritten. */
    if (n_bits == 6 || (bits & ((1U << n_bits) - 1)) != 0) {
        return FLATEND_ESYNTAX;
    }
    *len = n;
    return 0;
}

bool fe_is_base64url(struct fe_view text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (value_of(text.ptr[i]) < 0) {
            return false;
        }
    }
    return text.len > 0;
}
