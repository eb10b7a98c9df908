#include "ground/base/stats.h"

#include <string.h>

static uint64_t get(const void *block, size_t offset)
{
    uint64_t value;

    memcpy(&value, (const uint8_t *)block + offset, sizeof(value));
    return value;
}

uint64_t fe_stats_get(const struct fe_stats_type *type, const void *block, size_t index)
{
    return get(block, type->stats[index].offset);
}

void fe_stats_add(const struct fe_stats_type *type, void *sum, const void *block)
{
    for (size_t i = 0; i < type->n_stats; i++) {
        size_t offset = type->stats[i].offset;
        uint64_t value = get(sum, offset) + get(block, offset);

        memcpy((uint8_t *)sum + offset, &value, sizeof(value));
    }
}
