#include "gateway/relay/query.h"

#include "web/http/syntax.h"

/* Takes what stands before the first `separator` off `*text`, and the separator. */
static struct fe_view take_until(struct fe_view *text, char separator)
{
    const uint8_t *end = text->len > 0 ? memchr(text->ptr, separator, text->len) : NULL;
    struct fe_view head = *text;

    if (end == NULL) {
        *text = fe_view_skip(*text, text->len);
        return head;
    }
    head.len = (size_t)(end - head.ptr);
    *text = fe_view_skip(*text, head.len + 1);
    return head;
}

bool fe_query_next(struct fe_view *query, struct fe_view *name, struct fe_view *value)
{
    while (query->len > 0) {
        struct fe_view pair = take_until(query, '&');

        *name = take_until(&pair, '=');
        *value = pair;
        if (name->len > 0) {
            return true;
        }
    }
    return false;
}

size_t fe_query_decode(uint8_t *to, struct fe_view raw)
{
    size_t n = 0;

    for (size_t i = 0; i < raw.len; i++) {
        uint8_t c = raw.ptr[i];

        if (c == '+') {
            c = ' ';
        } else if (c == '%' && raw.len - i > 2) {
            int high = fe_hex_value(raw.ptr[i + 1]);
            int low = fe_hex_value(raw.ptr[i + 2]);

            if (high >= 0 && low >= 0) {
                c = (uint8_t)(high << 4 | low);
                i += 2;
            }
        }
        to[n++] = c;
    }
    return n;
}
