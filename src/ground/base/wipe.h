/* Forgetting secrets. */
#ifndef FE_GROUND_BASE_WIPE_H
#define FE_GROUND_BASE_WIPE_H

#include <stddef.h>

/* Clears `len` bytes in a way that no compiler leaves out. */
void fe_wipe(void *secret, size_t len);

#endif
