#include "ground/base/rng.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "ground/base/assert.h"

uint32_t fe_rng_below(const struct fe_rng *rng, uint32_t n)
{
    uint32_t reject; /* 2^32 mod n: the values below it would make small results likelier */
    uint32_t value;

    FE_ASSERT(n > 0, "a range is not empty");
    reject = (0U - n) % n;
    do {
        fe_rng_fill(rng, &value, sizeof(value));
    } while (value < reject);
    return value % n;
}

/* SplitMix64 (Steele, Lea, Flood 2014): any seed is a good one. */
static uint64_t next_seeded(struct fe_rng_seeded *seeded)
{
    uint64_t z = (seeded->state += 0x9e3779b97f4a7c15U);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

static void fill_seeded(void *arg, void *buf, size_t len)
{
    uint8_t *to = buf;

    while (len > 0) {
        uint64_t value = next_seeded(arg);
        size_t n = len < sizeof(value) ? len : sizeof(value);

        memcpy(to, &value, n);
        to += n;
        len -= n;
    }
}

struct fe_rng fe_rng_from_seed(struct fe_rng_seeded *seeded, uint64_t seed)
{
    seeded->state = seed;
    return (struct fe_rng){.fill = fill_seeded, .arg = seeded};
}

static void fill_system(void *arg, void *buf, size_t len)
{
    (void)arg;
    randombytes_buf(buf, len);
}

struct fe_rng fe_rng_system(void)
{
    /* Idempotent and thread-safe. It fails only where there is no randomness to be had, and then
     * no key may be made. */
    if (sodium_init() < 0) {
        abort();
    }
    return (struct fe_rng){.fill = fill_system};
}
