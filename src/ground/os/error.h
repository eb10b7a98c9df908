/* What the system answered, as one of our codes. */
#ifndef FE_GROUND_OS_ERROR_H
#define FE_GROUND_OS_ERROR_H

#include "ground/base/err.h"

/* The code for an error of the system (errno). Never 0: what it does not know is
 * FLATEND_EIO. */
int fe_os_code(int number);

/* The same for what has just failed. */
int fe_os_last_code(void);

/* The system's own words for it: "No such file or directory". */
const char *fe_os_last_reason(void);

#endif
