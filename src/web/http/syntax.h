/* The character classes of HTTP's grammar. */
#ifndef FE_WEB_HTTP_SYNTAX_H
#define FE_WEB_HTTP_SYNTAX_H

#include "ground/base/view.h"

/* The lower-case form of a token's character (tchar, RFC 9110 §5.6.2); 0 for any other byte. */
extern const uint8_t fe_token_lower[256];

/* What a field value may hold (RFC 9110 §5.5): visible characters, obs-text, SP and HTAB. */
static inline bool fe_is_field_char(uint8_t c)
{
    return (c >= 0x20 && c != 0x7f) || c == '\t';
}

/* Optional whitespace, RFC 9110 §5.6.3. */
static inline bool fe_is_ows(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* 0 to 15, or -1. */
static inline int fe_hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool fe_is_token(struct fe_view v);
bool fe_is_field_value(struct fe_view v);

/* Without whitespace at both ends. */
struct fe_view fe_trim_ows(struct fe_view v);

/* Digits only, at most INT64_MAX. False: something else, and `number` is as it was. */
bool fe_parse_number(struct fe_view text, uint64_t *number);

/* Takes the next element off a comma-separated list (RFC 9110 §5.6.1), trimmed; empty elements are
 * skipped. False at the end. Elements with quoted strings are split at commas within those: for
 * lists whose elements are tokens. */
bool fe_list_next(struct fe_view *list, struct fe_view *element);

#endif
