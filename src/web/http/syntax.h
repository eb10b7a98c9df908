/* What of HTTP's grammar is read in more than one place. */
#ifndef FE_WEB_HTTP_SYNTAX_H
#define FE_WEB_HTTP_SYNTAX_H

#include "ground/base/token.h"

/* 0 to 15, or -1. */
static inline int fe_hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Digits only, at most INT64_MAX. False: something else, and `number` is as it was. */
bool fe_parse_number(struct fe_view text, uint64_t *number);

/* Takes the next element off a comma-separated list (RFC 9110 §5.6.1), trimmed; empty elements are
 * skipped. False at the end. Elements with quoted strings are split at commas within those: for
 * lists whose elements are tokens. */
bool fe_list_next(struct fe_view *list, struct fe_view *element);

#endif
