#include "text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST = 4096,
    KEPT_MAX = 1 << 20, /* beyond it a text is one body, of which the next need not be as long */
};

bool addon_text_reserve(struct addon_text *text, size_t n)
{
    size_t cap = text->cap > 0 ? text->cap : FIRST;
    char *bytes;

    if (n <= text->cap - text->len) {
        return true;
    }
    if (n > SIZE_MAX / 2 - text->len) {
        return false;
    }
    while (cap < text->len + n) {
        cap *= 2;
    }
    bytes = realloc(text->bytes, cap);
    if (bytes == NULL) {
        return false;
    }
    text->bytes = bytes;
    text->cap = cap;
    return true;
}

void addon_text_clear(struct addon_text *text)
{
    text->len = 0;
    if (text->cap > KEPT_MAX) {
        addon_text_deinit(text);
    }
}

void addon_text_deinit(struct addon_text *text)
{
    free(text->bytes);
    memset(text, 0, sizeof(*text));
}
