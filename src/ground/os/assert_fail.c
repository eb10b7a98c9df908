/* The end of a process that has found a mistake of its own. */
#include <stdio.h>
#include <stdlib.h>

#include "ground/base/assert.h"
#include "ground/os/log_stderr.h"

void fe_assert_fail(const char *line)
{
    char text[1024];

    (void)snprintf(text, sizeof(text), "flatend: invariant violated: %.900s\n", line);
    fe_stderr_within(text, FE_STDERR_WAIT_MS);
    abort();
}
