#include "ground/base/wipe.h"

#include <sodium.h>

void fe_wipe(void *secret, size_t len)
{
    sodium_memzero(secret, len);
}
