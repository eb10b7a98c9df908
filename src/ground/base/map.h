/* An intrusive hash map from bytes to whatever embeds the node. Keys are borrowed from the object
 * that embeds the node, hashes are keyed with a secret so that no peer can choose collisions. */
#ifndef FE_GROUND_BASE_MAP_H
#define FE_GROUND_BASE_MAP_H

#include "ground/base/err.h"
#include "ground/base/view.h"

struct fe_map_node {
    struct fe_map_node *next;
    struct fe_view key;
    uint64_t hash;
};

struct fe_map {
    struct fe_map_node **buckets;
    size_t n_buckets; /* a power of two, or 0 before the first insertion */
    size_t n;
    uint8_t seed[16];
};

void fe_map_init(struct fe_map *map, const uint8_t seed[16]);

/* Frees the map; its nodes are not touched. */
void fe_map_deinit(struct fe_map *map);

/* The node with this key, or NULL. */
struct fe_map_node *fe_map_find(const struct fe_map *map, struct fe_view key);

/* Inserts a node whose `key` is set and not in the map (assert). FLATEND_ENOMEM: not inserted. */
int fe_map_insert(struct fe_map *map, struct fe_map_node *node) FE_MUST_USE;

/* Takes out a node that is in the map. */
void fe_map_remove(struct fe_map *map, struct fe_map_node *node);

/* Invariants. */
void fe_map_check(const struct fe_map *map);

/* Iterates in no order: NULL starts and ends. The map must not change meanwhile. */
struct fe_map_node *fe_map_next(const struct fe_map *map, const struct fe_map_node *node);

#endif
