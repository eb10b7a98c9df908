#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ground/os/dir.h"
#include "ground/os/dir_internal.h"
#include "ground/os/error.h"
#include "ground/os/fd.h"

/* The kernel decides what is below the directory, with all links followed, and handles races with
 * renames: it says EAGAIN when it could not tell. */
int fe_dir_open_by_kernel(int dir, const char *path)
{
    enum { TRIES = 8 };
    const struct open_how how = {.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                                 .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    long fd = -1;

    for (int i = 0; i < TRIES; i++) {
        fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) {
            break;
        }
    }
    return (int)fd;
}

/* Linux before 5.6 does not know openat2. Filters of system calls that do not know it either (old
 * container runtimes') say EPERM, which is no answer of openat2's to an open for reading. */
static bool is_refused(int number)
{
    return number == ENOSYS || number == EPERM;
}

/* What the kernel refuses is asked of it each time: there is no state of a process to remember it
 * in, and it costs little beside the walk. */
static int open_beneath(int dir, const char *path)
{
    int fd = fe_dir_open_by_kernel(dir, path);

    if (fd < 0 && is_refused(errno)) {
        fd = fe_dir_open_by_walk(dir, path);
    }
    if (fd < 0) {
        return errno == EAGAIN ? FLATEND_EIO : fe_os_last_code();
    }
    return fd;
}

const char *fe_dir_beneath_refusal(void)
{
    const int fd = fe_dir_open_by_kernel(AT_FDCWD, ".");
    const int number = errno;

    if (fd >= 0) {
        fe_fd_close(fd);
        return NULL;
    }
    return is_refused(number) ? strerror(number) : NULL;
}

int fe_dir_open_beneath(const char *root, struct fe_view path)
{
    char text[PATH_MAX];
    int dir;
    int fd;

    if (path.len >= sizeof(text) || (path.len > 0 && memchr(path.ptr, '\0', path.len) != NULL)) {
        return FLATEND_ENOENT;
    }
    if (path.len > 0) {
        memcpy(text, path.ptr, path.len);
    }
    text[path.len] = '\0';
    /* Opened each time, so that a directory that a deployment replaced is seen at once. */
    dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        return fe_os_last_code();
    }
    fd = open_beneath(dir, path.len > 0 ? text : ".");
    fe_fd_close(dir);
    return fd;
}
