/* UTF-8 (RFC 3629). */
#ifndef FE_GROUND_BASE_UTF8_H
#define FE_GROUND_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#include "ground/base/err.h"

/* The length of the character that `text` begins with; 0: it begins with none (RFC 3629 §4: no
 * longer form than needed, no surrogates, nothing above U+10FFFF). */
static inline size_t fe_utf8_len(const uint8_t *text, size_t len)
{
    const uint8_t c = len > 0 ? text[0] : 0xff;
    const size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

    if (n == 1) {
        return 1;
    }
    if (c < 0xc2 || c > 0xf4 || n > len) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((c == 0xe0 && text[1] < 0xa0) || (c == 0xed && text[1] > 0x9f) ||
        (c == 0xf0 && text[1] < 0x90) || (c == 0xf4 && text[1] > 0x8f)) {
        return 0;
    }
    return n;
}

/* The character itself; `text` begins with one of `len` bytes. */
uint32_t fe_utf8_decode(const uint8_t *text, size_t len);

/* Writes a character, which is no surrogate and at most U+10FFFF, and returns its length. */
enum { FE_UTF8_MAX = 4 };
size_t fe_utf8_encode(uint8_t out[FE_UTF8_MAX], uint32_t character);

#endif
