/* Letters and digits of ASCII, whatever the locale. */
#ifndef FE_GROUND_BASE_ASCII_H
#define FE_GROUND_BASE_ASCII_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool fe_ascii_is_upper(uint8_t c)
{
    return c >= 'A' && c <= 'Z';
}

/* The lower-case form of a letter; any other byte as it is. */
static inline uint8_t fe_ascii_lower(uint8_t c)
{
    return fe_ascii_is_upper(c) ? (uint8_t)(c | 0x20) : c;
}

/* In place. Nearly all that comes is in lower case: such a byte is not written. */
static inline void fe_ascii_lower_all(void *text, size_t len)
{
    uint8_t *const bytes = text;

    for (size_t i = 0; i < len; i++) {
        if (fe_ascii_is_upper(bytes[i])) {
            bytes[i] |= 0x20;
        }
    }
}

static inline bool fe_ascii_is_alphanumeric(uint8_t c)
{
    const uint8_t lower = c | 0x20;

    return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z');
}

#endif
