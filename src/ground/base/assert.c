#include "ground/base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void fe_assert_fail(const char *line)
{
    (void)fprintf(stderr, "flatend: invariant violated: %s\n", line);
    abort();
}
