/* What several objects use, and what ends with the last of them.
 *
 * Within one thread: plain numbers (struct fe_refcount). An object that other threads use too is
 * counted in an atomic number; one that is used often has a plain count for each thread, and one
 * atomic reference behind each (struct fe_snapshot). */
#ifndef FE_GROUND_BASE_REFCOUNT_H
#define FE_GROUND_BASE_REFCOUNT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "ground/base/assert.h"
#include "ground/base/err.h"

struct fe_refcount {
    size_t n;
    void (*on_zero)(struct fe_refcount *refs); /* the last reference is gone: frees it */
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

/* One more, from any thread that holds one. */
static inline void fe_atomic_ref(atomic_uint *n_refs)
{
    const unsigned n_before = atomic_fetch_add_explicit(n_refs, 1, memory_order_relaxed);

    FE_ASSERT(n_before > 0, "a reference is made from another one");
}

/* One less, from any thread. True: it was the last one, and the caller frees the object, having
 * seen what the other threads did with it. */
static inline bool fe_atomic_unref(atomic_uint *n_refs) FE_MUST_USE;
static inline bool fe_atomic_unref(atomic_uint *n_refs)
{
    const unsigned n_before = atomic_fetch_sub_explicit(n_refs, 1, memory_order_acq_rel);

    FE_ASSERT(n_before > 0, "a reference is given up once");
    return n_before == 1;
}

#endif
