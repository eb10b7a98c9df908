#include "ground/base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "ground/base/assert.h"

enum {
    OVERHEAD = 64,                      /* room for the chunk's header and malloc's */
    CHUNK_SIZE = 4096 - OVERHEAD,       /* a page: most requests fit */
    SMALL_CHUNK_SIZE = 1024 - OVERHEAD, /* requests without the headers of browsers fit */
};

struct fe_arena_chunk {
    struct fe_arena_chunk *next;
    size_t size;
    alignas(max_align_t) uint8_t data[];
};

void fe_arena_init(struct fe_arena *arena, size_t max)
{
    *arena = (struct fe_arena){.max = max, .chunk_size = CHUNK_SIZE};
}

void fe_arena_init_small(struct fe_arena *arena, size_t max)
{
    *arena = (struct fe_arena){.max = max, .chunk_size = SMALL_CHUNK_SIZE};
}

static void chunks_free(struct fe_arena_chunk *chunk)
{
    while (chunk != NULL) {
        struct fe_arena_chunk *next = chunk->next;

        free(chunk);
        chunk = next;
    }
}

/* The size that chunks have grown to stays. */
void fe_arena_deinit(struct fe_arena *arena)
{
    chunks_free(arena->chunks);
    *arena = (struct fe_arena){.max = arena->max, .chunk_size = arena->chunk_size};
}

void fe_arena_reset(struct fe_arena *arena)
{
    struct fe_arena_chunk *first = arena->chunks;

    if (first == NULL || first->size > CHUNK_SIZE || first->size < arena->chunk_size) {
        fe_arena_deinit(arena);
        return;
    }
    chunks_free(first->next);
    first->next = NULL;
    arena->next = first->data;
    arena->left = first->size;
    arena->used = 0;
}

void fe_arena_check(const struct fe_arena *arena)
{
    bool is_inside = arena->left == 0; /* the rest may be of any chunk, or none */
    size_t size = 0;

    FE_ASSERT(arena->max == 0 || arena->used <= arena->max, "no more is used than is allowed");
    for (const struct fe_arena_chunk *chunk = arena->chunks; chunk != NULL; chunk = chunk->next) {
        size += chunk->size;
        is_inside =
            is_inside || (arena->next >= chunk->data && arena->next < chunk->data + chunk->size &&
                          arena->left == (size_t)(chunk->data + chunk->size - arena->next));
    }
    FE_ASSERT(is_inside, "what is left is the rest of a chunk");
    FE_ASSERT(((uintptr_t)arena->next & (alignof(max_align_t) - 1)) == 0,
              "an item is aligned for any type");
    FE_ASSERT(arena->used + arena->left <= size, "what is used and left is in the chunks");
}

/* Each time while it is small, then once a page: a check looks at every chunk, so that many of them
 * would be looked at for each item. */
static void check_at_times(const struct fe_arena *arena)
{
    enum { SMALL = 16 * CHUNK_SIZE };

    if (arena->used <= SMALL || arena->left < 64) {
        fe_arena_check(arena);
    }
}

static size_t larger_chunk(size_t size)
{
    size = 2 * (size + OVERHEAD) - OVERHEAD;
    return size < CHUNK_SIZE ? size : CHUNK_SIZE;
}

/* An item larger than half a page gets a chunk of its own, so that what is left of the current one
 * is not lost. */
static void *alloc_chunk(struct fe_arena *arena, size_t size)
{
    const bool is_own = size > (arena->chunks != NULL ? CHUNK_SIZE / 2 : CHUNK_SIZE);
    const size_t chunk_size = is_own || size > arena->chunk_size ? size : arena->chunk_size;
    struct fe_arena_chunk *chunk = malloc(sizeof(*chunk) + chunk_size);

    if (chunk == NULL) {
        return NULL;
    }
    chunk->size = chunk_size;
    if (arena->chunks != NULL) {
        if (!is_own) {
            arena->chunk_size = larger_chunk(arena->chunk_size);
        }
        /* The first chunk stays the first: it is the one that a reset keeps. */
        chunk->next = arena->chunks->next;
        arena->chunks->next = chunk;
    } else {
        chunk->next = NULL;
        arena->chunks = chunk;
    }
    if (!is_own) {
        arena->next = chunk->data + size;
        arena->left = chunk_size - size;
    }
    return chunk->data;
}

void *fe_arena_alloc(struct fe_arena *arena, size_t size)
{
    const size_t align = alignof(max_align_t);
    void *item;

    if (size > SIZE_MAX / 2 || (arena->max != 0 && size > arena->max - arena->used)) {
        return NULL;
    }
    if (size == 0) {
        size = 1;
    }
    size = (size + align - 1) & ~(align - 1);
    if (size <= arena->left) {
        item = arena->next;
        arena->next += size;
        arena->left -= size;
    } else {
        item = alloc_chunk(arena, size);
        if (item == NULL) {
            return NULL;
        }
    }
    arena->used += size;
    if (arena->max != 0 && arena->used > arena->max) {
        arena->used = arena->max; /* rounding may pass the limit, the subtraction above must not */
    }
    FE_CHECK(check_at_times(arena));
    return item;
}

char *fe_arena_copy(struct fe_arena *arena, struct fe_view view)
{
    char *copy = view.len < SIZE_MAX ? fe_arena_alloc(arena, view.len + 1) : NULL;

    if (copy == NULL) {
        return NULL;
    }
    if (view.len > 0) {
        memcpy(copy, view.ptr, view.len);
    }
    copy[view.len] = '\0';
    return copy;
}

char *fe_arena_printf(struct fe_arena *arena, const char *format, ...)
{
    va_list args;
    int len;
    char *text;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0) {
        return NULL;
    }
    text = fe_arena_alloc(arena, (size_t)len + 1);
    if (text != NULL) {
        va_start(args, format);
        vsnprintf(text, (size_t)len + 1, format, args);
        va_end(args);
    }
    return text;
}
