/* Randomness as an argument: the system's in production, a seeded stream in tests. */
#ifndef FE_GROUND_BASE_RNG_H
#define FE_GROUND_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct fe_rng {
    void (*fill)(void *arg, void *buf, size_t len);
    void *arg;
};

static inline void fe_rng_fill(const struct fe_rng *rng, void *buf, size_t len)
{
    rng->fill(rng->arg, buf, len);
}

/* Uniform in [0, n), n > 0. */
uint32_t fe_rng_below(const struct fe_rng *rng, uint32_t n);

/* The system's randomness. */
struct fe_rng fe_rng_system(void);

/* A seeded, reproducible generator for tests and simulations; never for keys. */
struct fe_rng_seeded {
    uint64_t state;
};
struct fe_rng fe_rng_from_seed(struct fe_rng_seeded *seeded, uint64_t seed);

#endif
