#include "web/http/syntax.h"

bool fe_parse_number(struct fe_view text, uint64_t *number)
{
    uint64_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = text.ptr[i] - (unsigned)'0';

        if (digit > 9 || n > ((uint64_t)INT64_MAX - digit) / 10) {
            return false;
        }
        n = n * 10 + digit;
    }
    if (text.len > 0) {
        *number = n;
    }
    return text.len > 0;
}

bool fe_list_next(struct fe_view *list, struct fe_view *element)
{
    while (list->len > 0) {
        const uint8_t *comma = memchr(list->ptr, ',', list->len);
        size_t len = comma != NULL ? (size_t)(comma - list->ptr) : list->len;

        *element = fe_trim_ows(fe_view_of(list->ptr, len));
        *list = fe_view_skip(*list, comma != NULL ? len + 1 : len);
        if (element->len > 0) {
            return true;
        }
    }
    return false;
}
