/* Strings that are handed to the library one after the other: memory that is used again. */
#ifndef ADDON_TEXT_H
#define ADDON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct addon_text {
    char *bytes; /* moves when it grows: note where a string begins, not its address */
    size_t len;
    size_t cap;
};

/* Makes room for `n` more bytes. False: out of memory. */
bool addon_text_reserve(struct addon_text *text, size_t n);

/* Forgets what is there; memory of a long text is given back. */
void addon_text_clear(struct addon_text *text);
void addon_text_deinit(struct addon_text *text);

#endif
