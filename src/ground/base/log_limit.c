#include "ground/base/log_limit.h"

#include <inttypes.h>

bool fe_log_limit_passes(struct fe_log_limit *limit, const struct fe_log *log,
                         enum flatend_log_level level, const char *what, uint64_t now_ms)
{
    uint64_t filled;

    if (limit == NULL || !fe_log_wants(log, level)) {
        return fe_log_wants(log, level);
    }
    filled = fe_bucket_level(&limit->bucket, FE_LOG_LIMIT_PER_S, now_ms) + FE_BUCKET_UNIT;
    if (filled > (uint64_t)FE_LOG_LIMIT_BURST * FE_BUCKET_UNIT) {
        limit->n_left_out++;
        return false;
    }
    fe_bucket_set(&limit->bucket, filled, now_ms);
    if (limit->n_left_out > 0) {
        fe_log(log, level, "Left out %" PRIu64 " line(s) about %s.", limit->n_left_out, what);
        limit->n_left_out = 0;
    }
    return true;
}
