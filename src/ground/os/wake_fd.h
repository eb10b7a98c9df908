/* A descriptor that one thread makes readable, for another one that waits for descriptors. */
#ifndef FE_GROUND_OS_WAKE_FD_H
#define FE_GROUND_OS_WAKE_FD_H

#include "ground/base/err.h"

/* A descriptor, not readable yet, that fe_fd_close closes; or FLATEND_ELIMIT, FLATEND_ENOMEM. */
int fe_wake_fd_open(void) FE_MUST_USE;

/* Makes it readable; not readable any more. Both may be repeated. Any thread. */
void fe_wake_fd_set(int fd);
void fe_wake_fd_clear(int fd);

#endif
