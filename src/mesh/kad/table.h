/* Kademlia's routing table (docs/PROTOCOL.md §1.4): the nodes known, in buckets by their distance.
 *
 * Only identities that a session has proven belong in here; what others tell of nodes goes into a
 * lookup (mesh/kad/lookup.h) until the node itself has answered. */
#ifndef FE_MESH_KAD_TABLE_H
#define FE_MESH_KAD_TABLE_H

#include "mesh/wire/id.h"

enum {
    FE_KAD_BUCKETS = 8 * FE_KEY_LEN, /* one for each length of the prefix shared with our key */
    FE_KAD_BUCKET_SIZE = 16,         /* k: the same in all implementations that exist */
};

/* The most recently seen node is first. Allocated with its first node, kept from then on. */
struct fe_kad_bucket {
    unsigned n;
    struct fe_id ids[FE_KAD_BUCKET_SIZE];
};

struct fe_kad_table {
    uint8_t self[FE_KEY_LEN]; /* our key; zero if we are anonymous */
    struct fe_kad_bucket *buckets[FE_KAD_BUCKETS];
    size_t n;
};

enum fe_kad_update {
    FE_KAD_INSERTED,
    FE_KAD_MOVED,   /* known already: now the first of its bucket, with the address given */
    FE_KAD_FULL,    /* its bucket has no room: nodes that are there are kept */
    FE_KAD_IGNORED, /* our own key, or the zero key of anonymous nodes */
};

void fe_kad_table_init(struct fe_kad_table *table, const uint8_t self[FE_KEY_LEN]);
void fe_kad_table_deinit(struct fe_kad_table *table);

/* A node was seen: an enum fe_kad_update, or FLATEND_ENOMEM. */
int fe_kad_table_update(struct fe_kad_table *table, const struct fe_id *id) FE_MUST_USE;

/* Harmless when the key is not there. */
void fe_kad_table_remove(struct fe_kad_table *table, const uint8_t key[FE_KEY_LEN]);

/* The node with this key, or NULL; valid until the table changes. */
const struct fe_id *fe_kad_table_find(const struct fe_kad_table *table,
                                      const uint8_t key[FE_KEY_LEN]);

/* Fills `ids` with up to `k` nodes, the closest to `target` first; returns how many. */
size_t fe_kad_table_closest(const struct fe_kad_table *table, const uint8_t target[FE_KEY_LEN],
                            struct fe_id *ids, size_t k);

/* One node more for `ids`, which are the closest `k` of those so far, `n` of them, in order;
 * returns how many they are now. */
size_t fe_kad_keep_closest(struct fe_id *ids, size_t n, size_t k, const uint8_t target[FE_KEY_LEN],
                           const struct fe_id *id);

/* Number of leading zero bits of (a XOR b), 0 to 255; -1 for equal keys. */
int fe_kad_shared_prefix(const uint8_t a[FE_KEY_LEN], const uint8_t b[FE_KEY_LEN]);

/* Below 0 if `a` is closer to `target` than `b` is, 0 if they are equal, else above 0. */
int fe_kad_compare(const uint8_t target[FE_KEY_LEN], const uint8_t a[FE_KEY_LEN],
                   const uint8_t b[FE_KEY_LEN]);

/* Every invariant; between calls. */
void fe_kad_table_check(const struct fe_kad_table *table);

#endif
