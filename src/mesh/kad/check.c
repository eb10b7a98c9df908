/* What holds of the routing table and of a lookup between any two calls. */
#include "ground/base/assert.h"
#include "mesh/kad/internal.h"

static const uint8_t zero_key[FE_KEY_LEN];

static void check_bucket(const struct fe_kad_table *table, int index)
{
    const struct fe_kad_bucket *bucket = table->buckets[index];

    FE_ASSERT(bucket->n <= FE_KAD_BUCKET_SIZE, "a bucket holds k nodes");
    for (unsigned i = 0; i < bucket->n; i++) {
        const uint8_t *key = bucket->ids[i].public_key;

        FE_ASSERT(fe_kad_shared_prefix(table->self, key) == index,
                  "a node is in the bucket of its distance");
        FE_ASSERT(memcmp(key, zero_key, FE_KEY_LEN) != 0, "an anonymous node is not in the table");
        for (unsigned j = 0; j < i; j++) {
            FE_ASSERT(memcmp(key, bucket->ids[j].public_key, FE_KEY_LEN) != 0,
                      "a node is in the table once");
        }
    }
}

void fe_kad_table_check(const struct fe_kad_table *table)
{
    size_t n = 0;

    for (int i = 0; i < FE_KAD_BUCKETS; i++) {
        if (table->buckets[i] != NULL) {
            check_bucket(table, i);
            n += table->buckets[i]->n;
        }
    }
    FE_ASSERT(n == table->n, "nodes are counted");
}

void fe_kad_lookup_check(const struct fe_kad_lookup *lookup)
{
    size_t n_asked = 0;

    FE_ASSERT(lookup->n <= lookup->cap && lookup->n <= FE_KAD_LOOKUP_MAX,
              "candidates have room, and are bounded");
    for (size_t i = 0; i < lookup->n; i++) {
        const uint8_t *key = lookup->candidates[i].id.public_key;

        FE_ASSERT(i == 0 || fe_kad_compare(lookup->target, lookup->candidates[i - 1].id.public_key,
                                           key) < 0,
                  "candidates are in the order of their distance, each once");
        FE_ASSERT(memcmp(key, lookup->self, FE_KEY_LEN) != 0 &&
                      memcmp(key, zero_key, FE_KEY_LEN) != 0,
                  "neither this node nor an anonymous one is asked");
        n_asked += lookup->candidates[i].state == FE_KAD_CANDIDATE_ASKED;
    }
    FE_ASSERT(n_asked == lookup->n_asked, "questions are counted");
    FE_ASSERT(lookup->n_asked <= lookup->max_asked, "questions at once are bounded");
}
