#include "mesh/kad/table.h"

#include <stdlib.h>

#include "ground/base/assert.h"

static const uint8_t zero_key[FE_KEY_LEN];

void fe_kad_table_init(struct fe_kad_table *table, const uint8_t self[FE_KEY_LEN])
{
    *table = (struct fe_kad_table){0};
    memcpy(table->self, self, FE_KEY_LEN);
}

void fe_kad_table_deinit(struct fe_kad_table *table)
{
    for (size_t i = 0; i < FE_KAD_BUCKETS; i++) {
        free(table->buckets[i]);
        table->buckets[i] = NULL;
    }
    table->n = 0;
}

int fe_kad_shared_prefix(const uint8_t a[FE_KEY_LEN], const uint8_t b[FE_KEY_LEN])
{
    for (int i = 0; i < FE_KEY_LEN; i++) {
        uint8_t differs = a[i] ^ b[i];

        if (differs != 0) {
            int bits = 0;

            while ((differs & 0x80) == 0) {
                differs = (uint8_t)(differs << 1);
                bits++;
            }
            return 8 * i + bits;
        }
    }
    return -1;
}

int fe_kad_compare(const uint8_t target[FE_KEY_LEN], const uint8_t a[FE_KEY_LEN],
                   const uint8_t b[FE_KEY_LEN])
{
    for (size_t i = 0; i < FE_KEY_LEN; i++) {
        if (a[i] != b[i]) {
            return (a[i] ^ target[i]) < (b[i] ^ target[i]) ? -1 : 1;
        }
    }
    return 0;
}

static struct fe_kad_bucket *bucket_of(const struct fe_kad_table *table,
                                       const uint8_t key[FE_KEY_LEN])
{
    int index = fe_kad_shared_prefix(table->self, key);

    return index < 0 ? NULL : table->buckets[index];
}

/* The position of the key in the bucket, or its length. */
static unsigned position_of(const struct fe_kad_bucket *bucket, const uint8_t key[FE_KEY_LEN])
{
    unsigned i = 0;

    while (i < bucket->n && memcmp(bucket->ids[i].public_key, key, FE_KEY_LEN) != 0) {
        i++;
    }
    return i;
}

/* Puts `id` first, over the gap at `gap`. */
static void put_first(struct fe_kad_bucket *bucket, unsigned gap, const struct fe_id *id)
{
    FE_ASSERT(gap < FE_KAD_BUCKET_SIZE, "a bucket holds k nodes");
    memmove(&bucket->ids[1], &bucket->ids[0], gap * sizeof(bucket->ids[0]));
    bucket->ids[0] = *id;
}

int fe_kad_table_update(struct fe_kad_table *table, const struct fe_id *id)
{
    int index = fe_kad_shared_prefix(table->self, id->public_key);
    struct fe_kad_bucket *bucket;
    unsigned at;

    if (index < 0 || memcmp(id->public_key, zero_key, FE_KEY_LEN) == 0) {
        return FE_KAD_IGNORED;
    }
    bucket = table->buckets[index];
    if (bucket == NULL) {
        bucket = calloc(1, sizeof(*bucket));
        if (bucket == NULL) {
            return FLATEND_ENOMEM;
        }
        table->buckets[index] = bucket;
    }
    at = position_of(bucket, id->public_key);
    if (at < bucket->n) {
        put_first(bucket, at, id);
        FE_CHECK(fe_kad_table_check(table));
        return FE_KAD_MOVED;
    }
    if (bucket->n == FE_KAD_BUCKET_SIZE) {
        return FE_KAD_FULL;
    }
    put_first(bucket, bucket->n++, id);
    table->n++;
    FE_CHECK(fe_kad_table_check(table));
    return FE_KAD_INSERTED;
}

void fe_kad_table_remove(struct fe_kad_table *table, const uint8_t key[FE_KEY_LEN])
{
    struct fe_kad_bucket *bucket = bucket_of(table, key);
    unsigned at;

    if (bucket == NULL) {
        return;
    }
    at = position_of(bucket, key);
    if (at == bucket->n) {
        return;
    }
    FE_ASSERT(table->n > 0 && bucket->n > 0, "nodes are counted");
    bucket->n--;
    memmove(&bucket->ids[at], &bucket->ids[at + 1], (bucket->n - at) * sizeof(bucket->ids[0]));
    table->n--;
    FE_CHECK(fe_kad_table_check(table));
}

const struct fe_id *fe_kad_table_find(const struct fe_kad_table *table,
                                      const uint8_t key[FE_KEY_LEN])
{
    const struct fe_kad_bucket *bucket = bucket_of(table, key);
    unsigned at;

    if (bucket == NULL) {
        return NULL;
    }
    at = position_of(bucket, key);
    return at < bucket->n ? &bucket->ids[at] : NULL;
}

size_t fe_kad_keep_closest(struct fe_id *ids, size_t n, size_t k, const uint8_t target[FE_KEY_LEN],
                           const struct fe_id *id)
{
    size_t at = n;

    while (at > 0 && fe_kad_compare(target, id->public_key, ids[at - 1].public_key) < 0) {
        at--;
    }
    FE_ASSERT(n <= k && at <= n, "no more is kept than was asked for");
    if (at == k) {
        return n;
    }
    if (n < k) {
        n++;
    }
    memmove(&ids[at + 1], &ids[at], (n - 1 - at) * sizeof(*ids));
    ids[at] = *id;
    return n;
}

size_t fe_kad_table_closest(const struct fe_kad_table *table, const uint8_t target[FE_KEY_LEN],
                            struct fe_id *ids, size_t k)
{
    size_t n = 0;

    for (size_t i = 0; i < FE_KAD_BUCKETS; i++) {
        const struct fe_kad_bucket *bucket = table->buckets[i];

        for (unsigned j = 0; bucket != NULL && j < bucket->n; j++) {
            n = fe_kad_keep_closest(ids, n, k, target, &bucket->ids[j]);
        }
    }
    FE_ASSERT(n <= k, "no more is returned than was asked for");
    return n;
}
