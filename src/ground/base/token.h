/* What names and values of header fields may hold: in HTTP, and in the mesh, which has them from
 * there. */
#ifndef FE_GROUND_BASE_TOKEN_H
#define FE_GROUND_BASE_TOKEN_H

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

/* Without whitespace at both ends. */
struct fe_view fe_trim_ows(struct fe_view v);

bool fe_is_token(struct fe_view v);
bool fe_is_field_value(struct fe_view v);

/* What the name of a header in the mesh may be: any text without control characters. HTTP forbids
 * much of it. */
bool fe_is_header_name(struct fe_view v);

#endif
