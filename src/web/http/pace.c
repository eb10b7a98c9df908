#include "web/http/pace.h"

#include "ground/base/assert.h"

uint64_t fe_pace_step_ms(uint64_t grace_ms)
{
    return grace_ms > FE_PACE_STEPS ? grace_ms / FE_PACE_STEPS : 1;
}

static uint32_t add(uint32_t a, uint64_t b)
{
    return b < UINT32_MAX - a ? a + (uint32_t)b : UINT32_MAX;
}

static void complete_step(struct fe_pace *pace)
{
    pace->steps[pace->next] = pace->n_bytes;
    pace->next = (uint8_t)((pace->next + 1U) % FE_PACE_STEPS);
    pace->n_steps = (uint8_t)(pace->n_steps + (pace->n_steps < FE_PACE_STEPS ? 1 : 0));
    pace->waited_ms = 0;
    pace->n_bytes = 0;
}

bool fe_pace_add(struct fe_pace *pace, const struct fe_pace_limit *limit, uint64_t waited_ms,
                 uint64_t n_bytes)
{
    const uint64_t step_ms = fe_pace_step_ms(limit->grace_ms);
    uint64_t sum = 0;

    FE_ASSERT(limit->grace_ms > 0, "a rate is measured over some time");
    pace->n_bytes = add(pace->n_bytes, n_bytes);
    pace->waited_ms = add(pace->waited_ms, waited_ms);
    if (pace->waited_ms < step_ms) {
        return false;
    }
    complete_step(pace);
    for (unsigned i = 0; i < FE_PACE_STEPS; i++) {
        sum += pace->steps[i];
    }
    return pace->n_steps == FE_PACE_STEPS && sum * 1000 < limit->min_rate * step_ms * FE_PACE_STEPS;
}
