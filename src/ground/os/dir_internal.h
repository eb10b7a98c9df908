/* Private to src/ground/os: both ways to open what lies beneath a directory (dir_beneath.c). */
#ifndef FE_GROUND_OS_DIR_INTERNAL_H
#define FE_GROUND_OS_DIR_INTERNAL_H

#include "ground/base/err.h"

/* Each opens `path`, which is not empty, below the directory that the descriptor `dir` leads to, as
 * fe_dir_open_beneath says: a descriptor, or -1 with errno. `dir` stays open. */

/* By one call, which the kernel answers. ENOSYS, EPERM: it does not. */
int fe_dir_open_by_kernel(int dir, const char *path) FE_MUST_USE;

/* By a call for each name on the way. */
int fe_dir_open_by_walk(int dir, const char *path) FE_MUST_USE;

#endif
