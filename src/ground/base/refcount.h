/* What several objects of one thread use, and what ends with the last of them. Plain numbers: an
 * object that other threads use too has a count of its own for each of them, and one atomic
 * reference behind each (struct fe_snapshot). */
#ifndef FE_GROUND_BASE_REFCOUNT_H
#define FE_GROUND_BASE_REFCOUNT_H

#include <stddef.h>

#include "ground/base/assert.h"

struct fe_refcount {
    size_t n;
    void (*on_zero)(struct fe_refcount *refs); /* nobody has it any more: frees it */
};

/* With one reference, the caller's. */
static inline void fe_refcount_init(struct fe_refcount *refs,
                                    void (*on_zero)(struct fe_refcount *refs))
{
    refs->n = 1;
    refs->on_zero = on_zero;
}

/* One more, which is returned. NULL is allowed: nothing is counted. */
static inline struct fe_refcount *fe_refcount_ref(struct fe_refcount *refs)
{
    if (refs != NULL) {
        FE_ASSERT(refs->n > 0, "what is used has not been freed");
        refs->n++;
    }
    return refs;
}

/* One less; with the last one the object is gone. NULL is allowed. */
static inline void fe_refcount_unref(struct fe_refcount *refs)
{
    if (refs != NULL) {
        FE_ASSERT(refs->n > 0, "each reference is given back once");
        if (--refs->n == 0) {
            refs->on_zero(refs);
        }
    }
}

#endif
