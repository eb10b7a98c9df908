#include "ground/os/log_stderr.h"

#include <unistd.h>

#include "ground/base/log.h"
#include "ground/os/fd.h"

void fe_stderr_within(const char *text, unsigned timeout_ms)
{
    (void)!fe_fd_write_within(STDERR_FILENO, fe_view_str(text), timeout_ms);
}

void fe_log_stderr_within(const char *line, unsigned timeout_ms)
{
    char text[FE_LOG_TEXT_MAX];

    (void)fe_log_format(text, line);
    fe_stderr_within(text, timeout_ms);
}

/* No log is worth that its writer waits. A node writes its own log by a thread. */
void flatend_log_stderr(void *arg, enum flatend_log_level level, const char *line)
{
    (void)arg;
    (void)level;
    fe_log_stderr_within(line, 0);
}
