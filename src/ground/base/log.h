/* Logging through a function that the application gave. A line below the level is not formatted. */
#ifndef FE_GROUND_BASE_LOG_H
#define FE_GROUND_BASE_LOG_H

#include "ground/base/err.h"

enum {
    FE_LOG_LINE_MAX = 512,                  /* with its NUL; longer lines are cut */
    FE_LOG_TEXT_MAX = FE_LOG_LINE_MAX + 64, /* with time, line end and NUL */
};

struct fe_log {
    flatend_log_fn fn; /* NULL: silent */
    void *arg;
    enum flatend_log_level level;
};

/* What peers send is escaped: bytes of control characters, and bytes that are no UTF-8, appear as
 * \xNN. `log` may be NULL. */
void fe_log(const struct fe_log *log, enum flatend_log_level level, const char *format, ...)
    FLATEND_PRINTF(3, 4);

/* "2006/01/02 15:04:05 line\n", in local time, as it is written: its length. */
size_t fe_log_format(char text[FE_LOG_TEXT_MAX], const char *line);

static inline bool fe_log_wants(const struct fe_log *log, enum flatend_log_level level)
{
    return log != NULL && log->fn != NULL && level <= log->level;
}

#endif
