#include "ground/base/utf8.h"

#include "ground/base/assert.h"

uint32_t fe_utf8_decode(const uint8_t *text, size_t len)
{
    static const uint8_t first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t character;

    FE_ASSERT(len >= 1 && len <= FE_UTF8_MAX, "a character has one to four bytes");
    character = text[0] & first_bits[len];
    for (size_t i = 1; i < len; i++) {
        character = character << 6 | (text[i] & 0x3f);
    }
    return character;
}

size_t fe_utf8_encode(uint8_t out[FE_UTF8_MAX], uint32_t character)
{
    static const uint8_t first[] = {0, 0, 0xc0, 0xe0, 0xf0};
    const size_t len = character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;

    FE_ASSERT(character <= 0x10ffff && (character < 0xd800 || character > 0xdfff),
              "a character is a Unicode scalar value");
    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (uint8_t)(0x80 | (character & 0x3f));
        character >>= 6;
    }
    out[0] = (uint8_t)(first[len] | character);
    return len;
}
