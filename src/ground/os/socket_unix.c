/* The files of unix sockets.
 *
 * A process that ends without closing leaves its file behind, and nothing can be bound to it. So
 * what is found is replaced, if it is a socket on which nothing listens. Two that start at once
 * must not replace each other's: they take turns by a lock on the directory. A process that may
 * read the directory can hold that lock, for ever: it is waited for far longer than a turn takes,
 * and then done without. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ground/base/assert.h"
#include "ground/os/fd.h"
#include "ground/os/socket_internal.h"

enum { LOCK_TRIES = 50, LOCK_PAUSE_MS = 5 };

static void wait_for_lock(int fd)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};

    for (int i = 0; i < LOCK_TRIES && flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
        (void)nanosleep(&pause, NULL);
    }
}

/* -1: a directory that cannot be read cannot be locked; two that start at once may collide there.
 */
static int lock_parent(const char *path)
{
    char parent[FE_UNIX_PATH_MAX + 1];
    char *slash;
    int fd;

    memcpy(parent, path, strlen(path) + 1);
    slash = strrchr(parent, '/');
    if (slash != NULL) {
        slash[slash == parent ? 1 : 0] = '\0';
    }
    fd = open(slash != NULL ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        wait_for_lock(fd);
    }
    return fd;
}

static void unlock_parent(int lock)
{
    if (lock >= 0) {
        fe_fd_close(lock);
    }
}

/* Not followed, if it is a link: what is looked at is what would be removed. */
static bool find_socket(const char *path, struct fe_socket_file *file)
{
    struct stat st;

    if (lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode)) {
        return false;
    }
    *file = (struct fe_socket_file){(uint64_t)st.st_dev, (uint64_t)st.st_ino};
    return true;
}

/* Only a refusal is a sign that nothing listens: a full backlog is none, nor is a socket that this
 * user may not connect to. */
static bool is_stale(const struct sockaddr *addr, socklen_t len)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool is_refused = false;

    if (fd >= 0) {
        is_refused = connect(fd, addr, len) != 0 && errno == ECONNREFUSED;
        fe_fd_close(fd);
    }
    return is_refused;
}

/* Linux takes the mode of the file from that of the socket, less the umask. */
static int bind_new(int fd, const struct sockaddr *addr, socklen_t len, unsigned mode)
{
    return fchmod(fd, (mode_t)mode) == 0 ? bind(fd, addr, len) : -1;
}

/* Within the lock: one that is bound and does not listen yet looks like one that was left behind.
 */
int fe_unix_listen(int fd, const struct fe_addr *addr, unsigned mode, struct fe_socket_file *file)
{
    struct sockaddr_storage storage;
    const socklen_t len = fe_addr_to_sockaddr(addr, &storage);
    const struct sockaddr *const to = (const struct sockaddr *)&storage;
    const int lock = lock_parent(addr->path);
    struct fe_socket_file found;
    int code = bind_new(fd, to, len, mode);

    FE_ASSERT(addr->family == FE_UNIX, "only a unix socket has a file");
    FE_ASSERT((mode & ~0777U) == 0, "the mode of a socket is permission bits");
    if (code != 0 && errno == EADDRINUSE) {
        if (find_socket(addr->path, &found) && is_stale(to, len)) {
            (void)unlink(addr->path);
            code = bind_new(fd, to, len, mode);
        } else {
            errno = EADDRINUSE;
        }
    }
    if (code == 0) {
        code = listen(fd, FE_SOCKET_BACKLOG);
    }
    if (code == 0 && !find_socket(addr->path, file)) {
        *file = (struct fe_socket_file){0}; /* gone again: not ours to remove */
    }
    unlock_parent(lock);
    return code;
}

void fe_socket_unlink(const struct fe_addr *addr, const struct fe_socket_file *file)
{
    struct fe_socket_file found;
    int lock;

    FE_ASSERT(addr->family == FE_UNIX, "only a unix socket has a file");
    lock = lock_parent(addr->path);
    if (file->inode != 0 && find_socket(addr->path, &found) && found.inode == file->inode &&
        found.device == file->device) {
        (void)unlink(addr->path);
    }
    unlock_parent(lock);
}
