/* Arrays that grow: items in one piece, of which `n` are used and for `cap` there is space. */
#ifndef FE_GROUND_BASE_ARRAY_H
#define FE_GROUND_BASE_ARRAY_H

#include "ground/base/err.h"

/* Makes space for one more item, in lvalues `items` (a pointer to them, or NULL) and `cap`: twice
 * as many as before, so that adding costs the same however many there are. FLATEND_ENOMEM:
 * everything is as it was. Whatever pointed into the array does so no longer. */
#define FE_ARRAY_RESERVE(items, n, cap)                                                            \
    ((n) < (cap) ? 0 : fe_array_grow(&(items), &(cap), sizeof(*(items))))

/* The function behind it: `items` is the address of the pointer. */
int fe_array_grow(void *items, size_t *cap, size_t item_size) FE_MUST_USE;

#endif
