#include "gateway/files/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A pipe without a writer must not make us wait; a terminal must not become ours. */
#define OPEN_FLAGS (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

static int code_of(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP: /* too many links, or one of /proc's */
    case EXDEV: /* the way leads out of the directory */
    case ENXIO: /* a socket, or a device that is not there */
        return FLATEND_ENOENT;
    case EACCES:
    case EPERM:
        return FLATEND_EACCESS;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return FLATEND_ELIMIT;
    default:
        return FLATEND_EIO;
    }
}

bool fe_static_is_hidden(struct fe_view name)
{
    return name.len > 0 && name.ptr[0] == '.' &&
           !fe_view_equal(name, FE_VIEW_LIT(".well-known")); /* RFC 8615 */
}

/* "." and ".." are hidden names, too: the router has resolved those that a client may send. */
static bool has_hidden_part(struct fe_view path)
{
    size_t start = 0;

    for (size_t i = 0; i <= path.len; i++) {
        if (i == path.len || path.ptr[i] == '/') {
            if (fe_static_is_hidden(fe_view_of(path.ptr + start, i - start))) {
                return true;
            }
            start = i + 1;
        }
    }
    return false;
}

/* The kernel decides what is below the directory, with all links followed, and races with those who
 * rename are its own: it says EAGAIN when it could not tell. */
static int open_beneath(int dir, const char *path)
{
    enum { TRIES = 8 };
    const struct open_how how = {.flags = OPEN_FLAGS,
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

static int open_in_dir(const char *root, struct fe_view path)
{
    char text[PATH_MAX];
    int dir;
    int fd;
    int saved;

    if (path.len >= sizeof(text) || has_hidden_part(path) ||
        (path.len > 0 && memchr(path.ptr, '\0', path.len) != NULL)) {
        errno = ENOENT;
        return -1;
    }
    /* Each time anew, so that a directory that a deployment replaced is seen at once. */
    dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        return -1;
    }
    if (path.len > 0) {
        memcpy(text, path.ptr, path.len);
    }
    text[path.len] = '\0';
    fd = open_beneath(dir, path.len > 0 ? text : ".");
    saved = errno;
    close(dir);
    errno = saved;
    return fd;
}

int fe_static_open(const struct fe_config_route *route, struct fe_view path, int *fd,
                   struct stat *info)
{
    const int opened = route->static_is_dir ? open_in_dir(route->static_path, path)
                                            : open(route->static_path, OPEN_FLAGS);
    int code = FLATEND_OK;

    *fd = -1;
    if (opened < 0) {
        return code_of(errno);
    }
    if (fstat(opened, info) != 0) {
        code = code_of(errno);
    } else if (!S_ISREG(info->st_mode) && !(route->static_is_dir && S_ISDIR(info->st_mode))) {
        code = FLATEND_ENOENT; /* pipes, sockets, devices */
    }
    if (code != FLATEND_OK) {
        close(opened);
        return code;
    }
    *fd = opened;
    return FLATEND_OK;
}
