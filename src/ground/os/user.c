#include "ground/os/user.h"

#include <unistd.h>

bool fe_user_is_root(void)
{
    return geteuid() == 0;
}
