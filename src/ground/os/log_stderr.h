/* Standard error, for what is said when no log writer is there, or not any more. */
#ifndef FE_GROUND_OS_LOG_STDERR_H
#define FE_GROUND_OS_LOG_STDERR_H

enum {
    FE_STDERR_WAIT_MS = 1000
}; /* for a reader of what ends the process: then it ends, read or not */

/* A line of a log. What a reader that has stopped has no room for is left out, `timeout_ms` later.
 */
void fe_log_stderr_within(const char *line, unsigned timeout_ms);

/* The same of a text as it is. */
void fe_stderr_within(const char *text, unsigned timeout_ms);

#endif
