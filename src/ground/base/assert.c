#include "ground/base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void fe_assert_fail(const char *file, int line, const char *condition, const char *guards)
{
    (void)fprintf(stderr, "flatend: %s:%d: invariant violated: %s (%s)\n", file, line, guards,
                  condition);
    abort();
}
