/* A leaky bucket: what is counted drains with time, so that its level is what is too much at once.
 * In thousandths, of which a millisecond drains as many as a second drains whole ones. */
#ifndef FE_GROUND_BASE_BUCKET_H
#define FE_GROUND_BASE_BUCKET_H

#include <stdint.h>

enum { FE_BUCKET_UNIT = 1000 };

/* Starts from zero. */
struct fe_bucket {
    uint64_t level; /* at `since_ms` */
    uint64_t since_ms;
};

/* Its level now, which is not before `since_ms`. */
static inline uint64_t fe_bucket_level(const struct fe_bucket *bucket, uint32_t per_s,
                                       uint64_t now_ms)
{
    const uint64_t drained = (now_ms - bucket->since_ms) * per_s;

    return bucket->level > drained ? bucket->level - drained : 0;
}

static inline void fe_bucket_set(struct fe_bucket *bucket, uint64_t level, uint64_t now_ms)
{
    bucket->level = level;
    bucket->since_ms = now_ms;
}

#endif
