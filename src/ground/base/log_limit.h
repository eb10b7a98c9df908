/* Bounds lines that anybody from outside can cause: so many at once, then so many a second. What is
 * left out is counted, and told with the next line that passes. */
#ifndef FE_GROUND_BASE_LOG_LIMIT_H
#define FE_GROUND_BASE_LOG_LIMIT_H

#include "ground/base/bucket.h"
#include "ground/base/log.h"

enum {
    FE_LOG_LIMIT_BURST = 1000, /* a whole mesh that joins, or leaves */
    FE_LOG_LIMIT_PER_S = 10,
};

/* Starts from zero. */
struct fe_log_limit {
    struct fe_bucket bucket;
    uint64_t n_left_out; /* since a line passed */
};

/* Whether a line of this level may be written now. `what` it is about: "peers". `limit` may be
 * NULL: none. */
bool fe_log_limit_passes(struct fe_log_limit *limit, const struct fe_log *log,
                         enum flatend_log_level level, const char *what, uint64_t now_ms);

#endif
