#include "ground/os/error.h"
#include "ground/uv/loop.h"

/* But for its own, libuv's errors are those of the system. */
int fe_uv_code(int status)
{
    switch (status) {
    case 0:
        return 0;
    case UV_EOF:
        return FLATEND_ECLOSED;
    case UV_EAI_NONAME:
    case UV_EAI_NODATA:
        return FLATEND_ENOENT;
    case UV_EAI_MEMORY:
        return FLATEND_ENOMEM;
    default:
        return fe_os_code(-status);
    }
}
