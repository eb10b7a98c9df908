#include "mesh/kad/lookup.h"

#include <stdlib.h>

#include "ground/base/array.h"
#include "ground/base/assert.h"
#include "mesh/kad/internal.h"

void fe_kad_lookup_init(struct fe_kad_lookup *lookup, const uint8_t self[FE_KEY_LEN],
                        const uint8_t target[FE_KEY_LEN], size_t max_asked)
{
    FE_ASSERT(max_asked > 0, "a lookup asks");
    *lookup = (struct fe_kad_lookup){.max_asked = max_asked};
    memcpy(lookup->self, self, FE_KEY_LEN);
    memcpy(lookup->target, target, FE_KEY_LEN);
}

void fe_kad_lookup_deinit(struct fe_kad_lookup *lookup)
{
    free(lookup->candidates);
    lookup->candidates = NULL;
    lookup->n = 0;
    lookup->cap = 0;
    lookup->n_asked = 0;
}

/* Where the key is, or belongs, in the order of distance. */
static size_t position_of(const struct fe_kad_lookup *lookup, const uint8_t key[FE_KEY_LEN])
{
    size_t low = 0;
    size_t high = lookup->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (fe_kad_compare(lookup->target, lookup->candidates[middle].id.public_key, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool has_key_at(const struct fe_kad_lookup *lookup, size_t at, const uint8_t key[FE_KEY_LEN])
{
    return at < lookup->n && memcmp(lookup->candidates[at].id.public_key, key, FE_KEY_LEN) == 0;
}

/* 1: added, 0: not wanted, or FLATEND_ENOMEM. */
static int add_one(struct fe_kad_lookup *lookup, const struct fe_id *id)
{
    static const uint8_t zero_key[FE_KEY_LEN];
    size_t at = position_of(lookup, id->public_key);
    int code;

    if (lookup->n == FE_KAD_LOOKUP_MAX || has_key_at(lookup, at, id->public_key) ||
        memcmp(id->public_key, lookup->self, FE_KEY_LEN) == 0 ||
        memcmp(id->public_key, zero_key, FE_KEY_LEN) == 0) {
        return 0;
    }
    code = FE_ARRAY_RESERVE(lookup->candidates, lookup->n, lookup->cap);
    if (code != 0) {
        return code;
    }
    FE_ASSERT(at <= lookup->n && lookup->n < lookup->cap, "a candidate has room");
    memmove(&lookup->candidates[at + 1], &lookup->candidates[at],
            (lookup->n - at) * sizeof(lookup->candidates[0]));
    lookup->candidates[at] = (struct fe_kad_candidate){*id, FE_KAD_CANDIDATE_NEW};
    lookup->n++;
    return 1;
}

int fe_kad_lookup_add(struct fe_kad_lookup *lookup, const struct fe_id *ids, size_t n)
{
    int n_new = 0;

    for (size_t i = 0; i < n; i++) {
        int code = add_one(lookup, &ids[i]);

        if (code < 0) {
            return code;
        }
        n_new += code;
    }
    FE_CHECK(fe_kad_lookup_check(lookup));
    return n_new;
}

static struct fe_kad_candidate *find_unasked(const struct fe_kad_lookup *lookup)
{
    for (size_t i = 0; i < lookup->n; i++) {
        if (lookup->candidates[i].state == FE_KAD_CANDIDATE_NEW) {
            return &lookup->candidates[i];
        }
    }
    return NULL;
}

bool fe_kad_lookup_next(struct fe_kad_lookup *lookup, struct fe_id *id)
{
    struct fe_kad_candidate *candidate = find_unasked(lookup);

    if (candidate == NULL || lookup->n_asked == lookup->max_asked) {
        return false;
    }
    FE_ASSERT(lookup->n_asked < lookup->max_asked, "questions at once are bounded");
    candidate->state = FE_KAD_CANDIDATE_ASKED;
    lookup->n_asked++;
    *id = candidate->id;
    FE_CHECK(fe_kad_lookup_check(lookup));
    return true;
}

void fe_kad_lookup_done(struct fe_kad_lookup *lookup, const uint8_t key[FE_KEY_LEN])
{
    size_t at = position_of(lookup, key);

    if (has_key_at(lookup, at, key) && lookup->candidates[at].state == FE_KAD_CANDIDATE_ASKED) {
        lookup->candidates[at].state = FE_KAD_CANDIDATE_DONE;
        FE_ASSERT(lookup->n_asked > 0, "an answer belongs to a question");
        lookup->n_asked--;
    }
    FE_CHECK(fe_kad_lookup_check(lookup));
}

bool fe_kad_lookup_is_finished(const struct fe_kad_lookup *lookup)
{
    return lookup->n_asked == 0 && find_unasked(lookup) == NULL;
}
