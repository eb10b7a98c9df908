/* The user that this process runs as. */
#ifndef FE_GROUND_OS_USER_H
#define FE_GROUND_OS_USER_H

#include <stdbool.h>

/* Whether it may do everything: what is for the whole machine goes to its places then. */
bool fe_user_is_root(void);

#endif
