#include "ground/base/map.h"

#include <sodium.h>
#include <stdlib.h>

#include "ground/base/assert.h"

enum { BUCKETS_MIN = 16 };

static uint64_t hash_of(const struct fe_map *map, struct fe_view key)
{
    uint64_t hash;

    _Static_assert(sizeof(hash) == crypto_shorthash_BYTES, "SipHash is 64 bits");
    _Static_assert(sizeof(map->seed) == crypto_shorthash_KEYBYTES, "SipHash's key is 128 bits");
    crypto_shorthash((unsigned char *)&hash, key.ptr, key.len, map->seed);
    return hash;
}

void fe_map_init(struct fe_map *map, const uint8_t seed[16])
{
    *map = (struct fe_map){0};
    memcpy(map->seed, seed, sizeof(map->seed));
}

void fe_map_deinit(struct fe_map *map)
{
    free(map->buckets);
    map->buckets = NULL;
    map->n_buckets = 0;
    map->n = 0;
}

static struct fe_map_node **bucket_of(const struct fe_map *map, uint64_t hash)
{
    return &map->buckets[hash & (map->n_buckets - 1)];
}

static struct fe_map_node *find_hashed(const struct fe_map *map, struct fe_view key, uint64_t hash)
{
    if (map->n_buckets == 0) {
        return NULL;
    }
    for (struct fe_map_node *node = *bucket_of(map, hash); node != NULL; node = node->next) {
        if (node->hash == hash && fe_view_equal(node->key, key)) {
            return node;
        }
    }
    return NULL;
}

struct fe_map_node *fe_map_find(const struct fe_map *map, struct fe_view key)
{
    return find_hashed(map, key, hash_of(map, key));
}

static int grow(struct fe_map *map)
{
    struct fe_map_node **old = map->buckets;
    size_t n_old = map->n_buckets;
    size_t n_new = n_old == 0 ? BUCKETS_MIN : n_old * 2;
    struct fe_map_node **buckets = calloc(n_new, sizeof(*buckets));

    if (buckets == NULL) {
        return FLATEND_ENOMEM;
    }
    map->buckets = buckets;
    map->n_buckets = n_new;
    for (size_t i = 0; i < n_old; i++) {
        for (struct fe_map_node *node = old[i], *next; node != NULL; node = next) {
            struct fe_map_node **bucket = bucket_of(map, node->hash);

            next = node->next;
            node->next = *bucket;
            *bucket = node;
        }
    }
    free(old);
    return 0;
}

int fe_map_insert(struct fe_map *map, struct fe_map_node *node)
{
    struct fe_map_node **bucket;

    node->hash = hash_of(map, node->key);
    FE_ASSERT(find_hashed(map, node->key, node->hash) == NULL, "a key is in the map once");
    /* A map that cannot grow gets slower but not wrong; only the first buckets are needed. */
    if (map->n >= map->n_buckets && grow(map) != 0 && map->n_buckets == 0) {
        return FLATEND_ENOMEM;
    }
    bucket = bucket_of(map, node->hash);
    node->next = *bucket;
    *bucket = node;
    map->n++;
    return 0;
}

void fe_map_remove(struct fe_map *map, struct fe_map_node *node)
{
    struct fe_map_node **link = bucket_of(map, node->hash);

    while (*link != node) {
        FE_ASSERT(*link != NULL, "what is removed is in the map");
        link = &(*link)->next;
    }
    *link = node->next;
    node->next = NULL;
    map->n--;
}

struct fe_map_node *fe_map_next(const struct fe_map *map, const struct fe_map_node *node)
{
    size_t i = 0;

    if (node != NULL) {
        if (node->next != NULL) {
            return node->next;
        }
        i = (size_t)(node->hash & (map->n_buckets - 1)) + 1;
    }
    for (; i < map->n_buckets; i++) {
        if (map->buckets[i] != NULL) {
            return map->buckets[i];
        }
    }
    return NULL;
}
