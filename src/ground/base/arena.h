/* Memory that dies all at once: everything that belongs to one request. */
#ifndef FE_GROUND_BASE_ARENA_H
#define FE_GROUND_BASE_ARENA_H

#include "ground/base/err.h"
#include "ground/base/view.h"

struct fe_arena_chunk;

struct fe_arena {
    struct fe_arena_chunk *chunks;
    uint8_t *next;
    size_t left;
    size_t used;       /* bytes handed out in all */
    size_t max;        /* 0: no limit */
    size_t chunk_size; /* of the next one */
};

void fe_arena_init(struct fe_arena *arena, size_t max);

/* The same, but it begins with a quarter of a page, and grows: for what there may be 100,000 of. */
void fe_arena_init_small(struct fe_arena *arena, size_t max);
void fe_arena_deinit(struct fe_arena *arena);

/* Forgets everything handed out, keeps the first chunk for the next request. One that was too small
 * is not kept: the next request gets a larger one, so that many of a kind allocate nothing. */
void fe_arena_reset(struct fe_arena *arena);

/* Invariants. */
void fe_arena_check(const struct fe_arena *arena);

/* Aligned for any type, not cleared. NULL: out of memory, or beyond `max`. */
void *fe_arena_alloc(struct fe_arena *arena, size_t size) FE_MUST_USE;

/* A copy with a NUL behind it. NULL as above. */
char *fe_arena_copy(struct fe_arena *arena, struct fe_view view) FE_MUST_USE;
char *fe_arena_printf(struct fe_arena *arena, const char *format, ...) FE_MUST_USE
    FLATEND_PRINTF(2, 3);

#endif
