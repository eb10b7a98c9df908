#include "support/cuts.h"

#include "ground/base/rng.h"

size_t cut_one(void *arg, size_t left)
{
    (void)arg;
    (void)left;
    return 1;
}

size_t cut_once(void *arg, size_t left)
{
    size_t *first = arg;
    size_t n = *first > 0 && *first < left ? *first : left;

    *first = 0;
    return n;
}

size_t cut_at_random(void *arg, size_t left)
{
    return 1 + fe_rng_below(arg, (uint32_t)(left < 30 ? left : 30));
}
