#include "ground/os/error.h"

#include <errno.h>
#include <string.h>

/* What could not be done with a file, beside fe_os_code. */
static int code_of_file(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP: /* too many links, or one of /proc's */
    case EXDEV: /* the way leads out of the directory */
    case ENXIO: /* a socket, or a device that is not there */
        return FLATEND_ENOENT;
    case EEXIST:
        return FLATEND_EEXIST;
    case EACCES:
    case EPERM:
    case EROFS:
        return FLATEND_EACCESS;
    default:
        return FLATEND_EIO;
    }
}

int fe_os_code(int number)
{
    switch (number) {
    case ENOMEM:
    case ENOBUFS:
        return FLATEND_ENOMEM;
    case EMFILE:
    case ENFILE:
        return FLATEND_ELIMIT;
    case EAGAIN:
        return FLATEND_EAGAIN;
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ENOTCONN:
        return FLATEND_ECLOSED;
    case ECANCELED:
        return FLATEND_ECANCELED;
    case ETIMEDOUT:
        return FLATEND_ETIMEDOUT;
    case ECONNREFUSED:
        return FLATEND_EREFUSED;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
        return FLATEND_EUNREACHABLE;
    case EADDRINUSE:
        return FLATEND_EADDRINUSE;
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        return FLATEND_EADDR;
    default:
        return code_of_file(number);
    }
}

int fe_os_last_code(void)
{
    return fe_os_code(errno);
}

const char *fe_os_last_reason(void)
{
    return strerror(errno);
}
