#include "web/http/h2/memory.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

struct block {
    struct fe_list link;
    alignas(max_align_t) uint8_t data[];
};

static struct block *block_of(void *ptr)
{
    return FE_CONTAINER_OF(ptr, struct block, data);
}

static void *take_in(struct fe_h2_memory *memory, struct block *block)
{
    if (block == NULL) {
        return NULL;
    }
    fe_list_push_back(&memory->blocks, &block->link);
    return block->data;
}

static void *hook_malloc(size_t size, void *arg)
{
    if (size > SIZE_MAX - sizeof(struct block)) {
        return NULL;
    }
    return take_in(arg, malloc(sizeof(struct block) + size));
}

static void *hook_calloc(size_t n, size_t size, void *arg)
{
    if (size > 0 && n > (SIZE_MAX - sizeof(struct block)) / size) {
        return NULL;
    }
    return take_in(arg, calloc(1, sizeof(struct block) + n * size));
}

static void hook_free(void *ptr, void *arg)
{
    (void)arg;
    if (ptr != NULL) {
        fe_list_remove(&block_of(ptr)->link);
        free(block_of(ptr));
    }
}

static void *hook_realloc(void *ptr, size_t size, void *arg)
{
    struct fe_h2_memory *memory = arg;
    struct block *block;

    if (ptr == NULL) {
        return hook_malloc(size, arg);
    }
    if (size > SIZE_MAX - sizeof(struct block)) {
        return NULL;
    }
    fe_list_remove(&block_of(ptr)->link);
    block = realloc(block_of(ptr), sizeof(struct block) + size);
    if (block == NULL) {
        fe_list_push_back(&memory->blocks, &block_of(ptr)->link);
        return NULL;
    }
    return take_in(memory, block);
}

nghttp2_mem fe_h2_memory_hooks(struct fe_h2_memory *memory)
{
    return (nghttp2_mem){memory, hook_malloc, hook_free, hook_calloc, hook_realloc};
}

void fe_h2_memory_init(struct fe_h2_memory *memory)
{
    fe_list_init(&memory->blocks);
}

void fe_h2_memory_deinit(struct fe_h2_memory *memory)
{
    FE_LIST_FOREACH (link, tmp, &memory->blocks) {
        free(FE_CONTAINER_OF(link, struct block, link));
    }
    fe_list_init(&memory->blocks);
}
