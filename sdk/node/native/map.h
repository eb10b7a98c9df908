/* A map from numbers that are not 0 (ids, addresses) to pointers. */
#ifndef ADDON_MAP_H
#define ADDON_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct addon_slot {
    uint64_t key; /* 0: free */
    void *value;
};

struct addon_map {
    struct addon_slot *slots;
    size_t cap; /* 0, or a power of 2 */
    size_t n;
};

void *addon_map_find(const struct addon_map *map, uint64_t key);

/* The key is not there. False: out of memory. */
bool addon_map_insert(struct addon_map *map, uint64_t key, void *value);

/* What was there, or NULL. */
void *addon_map_remove(struct addon_map *map, uint64_t key);

/* Any one of them; NULL: there is none. */
void *addon_map_first(const struct addon_map *map);

void addon_map_deinit(struct addon_map *map);

#endif
