#include "ground/os/wake_fd.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ground/base/assert.h"
#include "ground/os/error.h"

int fe_wake_fd_open(void)
{
    const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    return fd >= 0 ? fd : fe_os_last_code();
}

void fe_wake_fd_set(int fd)
{
    const uint64_t one = 1;
    ssize_t n;

    do {
        n = write(fd, &one, sizeof(one));
    } while (n < 0 && errno == EINTR);
    FE_ASSERT(n == (ssize_t)sizeof(one) || errno == EAGAIN,
              "an eventfd can be written until it is full");
}

void fe_wake_fd_clear(int fd)
{
    uint64_t count;
    ssize_t n;

    do {
        n = read(fd, &count, sizeof(count));
    } while (n < 0 && errno == EINTR);
    FE_ASSERT(n == (ssize_t)sizeof(count) || errno == EAGAIN, "an eventfd can be read");
}
