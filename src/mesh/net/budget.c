#include "mesh/net/budget.h"

static const struct {
    const char *name;
    uint32_t burst;
    uint32_t per_s;
} rates[FE_BUDGET_KINDS] = {
    [FE_BUDGET_HANDSHAKE] = {"Handshakes", FE_BUDGET_HANDSHAKES, 1},
    [FE_BUDGET_SERVICES] = {"SERVICES packets", FE_BUDGET_NAMES, 2560},
    [FE_BUDGET_FIND_NODE] = {"FIND_NODE packets", FE_BUDGET_FIND_NODES, 32},
};

static uint64_t level_at(const struct fe_budget *budget, enum fe_budget_kind kind, uint64_t now_ms)
{
    return fe_bucket_level(&budget->buckets[kind], rates[kind].per_s, now_ms);
}

unsigned fe_budget_left(const struct fe_budget *budget, enum fe_budget_kind kind, uint64_t now_ms)
{
    const uint64_t most = (uint64_t)rates[kind].burst * FE_BUCKET_UNIT;

    return (unsigned)((most - level_at(budget, kind, now_ms)) / FE_BUCKET_UNIT);
}

int fe_budget_spend(struct fe_budget *budget, enum fe_budget_kind kind, unsigned n, uint64_t now_ms,
                    struct flatend_error *err)
{
    if (n > fe_budget_left(budget, kind, now_ms)) {
        return fe_err_set(err, FLATEND_ELIMIT, "too many %s", rates[kind].name);
    }
    fe_bucket_set(&budget->buckets[kind],
                  level_at(budget, kind, now_ms) + (uint64_t)n * FE_BUCKET_UNIT, now_ms);
    return 0;
}
