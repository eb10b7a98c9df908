/* Logging through a function that the application gave. A line below the level is not formatted. */
#ifndef FE_GROUND_BASE_LOG_H
#define FE_GROUND_BASE_LOG_H

#include "ground/base/err.h"

enum { FE_LOG_LINE_MAX = 512 }; /* longer lines are cut */

struct fe_log {
    flatend_log_fn fn; /* NULL: silent */
    void *arg;
    enum flatend_log_level level;
};

/* What peers send is escaped: bytes of control characters, and bytes that are no UTF-8, appear as
 * \xNN. `log` may be NULL. */
void fe_log(const struct fe_log *log, enum flatend_log_level level, const char *format, ...)
    FLATEND_PRINTF(3, 4);

static inline bool fe_log_wants(const struct fe_log *log, enum flatend_log_level level)
{
    return log != NULL && log->fn != NULL && level <= log->level;
}

#endif
