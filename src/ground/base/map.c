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

static bool is_power_of_two(size_t n)
{
    return n > 0 && (n & (n - 1)) == 0;
}

void fe_map_check(const struct fe_map *map)
{
    size_t n = 0;

    FE_ASSERT((map->buckets == NULL) == (map->n_buckets == 0), "the buckets are as many as said");
    FE_ASSERT(map->n_buckets == 0 || is_power_of_two(map->n_buckets), "a mask finds the bucket");
    for (size_t i = 0; i < map->n_buckets; i++) {
        for (const struct fe_map_node *node = map->buckets[i]; node != NULL; node = node->next) {
            FE_ASSERT(node->hash == hash_of(map, node->key), "a key stays as it was inserted");
            FE_ASSERT((node->hash & (map->n_buckets - 1)) == i,
                      "a node is in the bucket of its hash");
            n++;
        }
    }
    FE_ASSERT(n == map->n, "a map counts its nodes");
}

/* At every size that is a power of two, so that checking costs no more than growing does. */
static void check_at_times(const struct fe_map *map)
{
    if (map->n == 0 || is_power_of_two(map->n)) {
        FE_CHECK(fe_map_check(map));
    }
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

/* Costs a look-up, which is half of an insertion: not for every one in a release. */
static inline void check_is_new(const struct fe_map *map, const struct fe_map_node *node)
{
    FE_ASSERT(find_hashed(map, node->key, node->hash) == NULL, "a key is in the map once");
}

int fe_map_insert(struct fe_map *map, struct fe_map_node *node)
{
    struct fe_map_node **bucket;

    node->hash = hash_of(map, node->key);
    FE_CHECK(check_is_new(map, node));
    /* A map that cannot grow gets slower but not wrong; only the first buckets are needed. */
    if (map->n >= map->n_buckets && grow(map) != 0 && map->n_buckets == 0) {
        return FLATEND_ENOMEM;
    }
    bucket = bucket_of(map, node->hash);
    node->next = *bucket;
    *bucket = node;
    map->n++;
    check_at_times(map);
    return 0;
}

void fe_map_remove(struct fe_map *map, struct fe_map_node *node)
{
    struct fe_map_node **link;

    FE_ASSERT(map->n > 0, "what is removed is in the map");
    link = bucket_of(map, node->hash);
    while (*link != node) {
        FE_ASSERT(*link != NULL, "what is removed is in the map");
        link = &(*link)->next;
    }
    *link = node->next;
    node->next = NULL;
    map->n--;
    check_at_times(map);
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
