#include "mesh/net/rtt.h"

void fe_rtt_on_pong(struct fe_rtt *rtt, uint64_t now_ms)
{
    uint64_t ms = now_ms - rtt->sent_ms;
    uint32_t us = (uint32_t)(ms < FE_RTT_MAX_MS ? ms : FE_RTT_MAX_MS) * 1000U;

    if (rtt->n_waiting == 0) {
        return;
    }
    rtt->n_waiting--;
    if (!rtt->is_measuring) {
        return;
    }
    rtt->is_measuring = false;
    rtt->min_us = rtt->is_known && rtt->min_us < us ? rtt->min_us : us;
    rtt->smoothed_us = rtt->is_known ? (uint32_t)(((uint64_t)rtt->smoothed_us * 7 + us) / 8) : us;
    rtt->is_known = true;
}
