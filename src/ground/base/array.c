#include "ground/base/array.h"

#include <stdlib.h>
#include <string.h>

#include "ground/base/assert.h"

enum { CAP_MIN = 8 };

int fe_array_grow(void *items, size_t *cap, size_t item_size)
{
    const size_t grown_cap = *cap == 0 ? CAP_MIN : *cap * 2;
    void *old;
    void *grown;

    FE_ASSERT(item_size > 0, "an item has bytes");
    if (*cap > SIZE_MAX / 2 / item_size) {
        return FLATEND_ENOMEM;
    }
    memcpy(&old, items, sizeof(old)); /* a pointer of any type, which void ** would not alias */
    FE_ASSERT((old == NULL) == (*cap == 0), "an array has memory for its items");
    grown = realloc(old, grown_cap * item_size);
    if (grown == NULL) {
        return FLATEND_ENOMEM;
    }
    memcpy(items, &grown, sizeof(grown));
    *cap = grown_cap;
    /* cppcheck-suppress memleak ; `items` has it now */
    return 0;
}
