/* Open addressing with linear probing, at most half full. */
#include "map.h"

#include <stdlib.h>

enum { FIRST = 64 };

/* Addresses are multiples of 16 or more, ids follow each other. */
static size_t place(uint64_t key, size_t cap)
{
    return (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & (cap - 1);
}

static struct addon_slot *find(const struct addon_map *map, uint64_t key)
{
    size_t i = place(key, map->cap);

    while (map->slots[i].key != 0 && map->slots[i].key != key) {
        i = (i + 1) & (map->cap - 1);
    }
    return &map->slots[i];
}

void *addon_map_find(const struct addon_map *map, uint64_t key)
{
    return map->n > 0 && key != 0 ? find(map, key)->value : NULL;
}

static bool grow(struct addon_map *map)
{
    struct addon_map grown = {.cap = map->cap > 0 ? 2 * map->cap : FIRST, .n = map->n};

    grown.slots = calloc(grown.cap, sizeof(*grown.slots));
    if (grown.slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < map->cap; i++) {
        if (map->slots[i].key != 0) {
            *find(&grown, map->slots[i].key) = map->slots[i];
        }
    }
    free(map->slots);
    *map = grown;
    return true;
}

bool addon_map_insert(struct addon_map *map, uint64_t key, void *value)
{
    if (2 * (map->n + 1) > map->cap && !grow(map)) {
        return false;
    }
    *find(map, key) = (struct addon_slot){key, value};
    map->n++;
    return true;
}

/* Moves what stands behind a hole into it, unless its place is behind the hole. */
static void close_hole(struct addon_map *map, size_t hole)
{
    const size_t mask = map->cap - 1;

    for (size_t i = (hole + 1) & mask; map->slots[i].key != 0; i = (i + 1) & mask) {
        const size_t distance = (i - place(map->slots[i].key, map->cap)) & mask;

        if (distance >= ((i - hole) & mask)) {
            map->slots[hole] = map->slots[i];
            hole = i;
        }
    }
    map->slots[hole] = (struct addon_slot){0, NULL};
}

void *addon_map_remove(struct addon_map *map, uint64_t key)
{
    struct addon_slot *slot = map->n > 0 && key != 0 ? find(map, key) : NULL;
    void *value = slot != NULL ? slot->value : NULL;

    if (slot != NULL && slot->key != 0) {
        map->n--;
        close_hole(map, (size_t)(slot - map->slots));
    }
    return value;
}

void *addon_map_first(const struct addon_map *map)
{
    for (size_t i = 0; map->n > 0 && i < map->cap; i++) {
        if (map->slots[i].key != 0) {
            return map->slots[i].value;
        }
    }
    return NULL;
}

void addon_map_deinit(struct addon_map *map)
{
    free(map->slots);
    *map = (struct addon_map){0};
}
