#include "ground/base/log_limit.h"

#include <inttypes.h>

enum { UNIT = 1000 };

bool fe_log_limit_passes(struct fe_log_limit *limit, const struct fe_log *log,
                         enum flatend_log_level level, const char *what, uint64_t now_ms)
{
    uint64_t freed;

    if (limit == NULL || !fe_log_wants(log, level)) {
        return fe_log_wants(log, level);
    }
    freed = (now_ms - limit->since_ms) * FE_LOG_LIMIT_PER_S;
    limit->since_ms = now_ms;
    limit->level = limit->level > freed ? limit->level - freed : 0;
    if (limit->level + UNIT > (uint64_t)FE_LOG_LIMIT_BURST * UNIT) {
        limit->n_left_out++;
        return false;
    }
    limit->level += UNIT;
    if (limit->n_left_out > 0) {
        fe_log(log, level, "Left out %" PRIu64 " line(s) about %s.", limit->n_left_out, what);
        limit->n_left_out = 0;
    }
    return true;
}
