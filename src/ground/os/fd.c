#include "ground/os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ground/base/assert.h"
#include "ground/os/clock.h"
#include "ground/os/error.h"

static struct fe_file_info info_of(const struct stat *st)
{
    return (struct fe_file_info){
        .kind = S_ISREG(st->st_mode)   ? FE_FILE_REGULAR
                : S_ISDIR(st->st_mode) ? FE_FILE_DIRECTORY
                                       : FE_FILE_OTHER,
        .mode = (unsigned)(st->st_mode & 07777),
        .size = (uint64_t)st->st_size,
        .inode = (uint64_t)st->st_ino,
        .modified_s = (int64_t)st->st_mtim.tv_sec,
        .modified_ns = (uint32_t)st->st_mtim.tv_nsec,
        .changed_s = (int64_t)st->st_ctim.tv_sec,
        .changed_ns = (uint32_t)st->st_ctim.tv_nsec,
    };
}

int fe_fd_info(int fd, struct fe_file_info *info)
{
    struct stat st;

    if (fstat(fd, &st) != 0) {
        return fe_os_last_code();
    }
    *info = info_of(&st);
    return 0;
}

int fe_path_info(const char *path, struct fe_file_info *info)
{
    struct stat st;

    if (stat(path, &st) != 0) {
        return fe_os_last_code();
    }
    *info = info_of(&st);
    return 0;
}

int fe_path_check_readable(const char *path)
{
    return access(path, R_OK) == 0 ? 0 : fe_os_last_code();
}

/* O_NONBLOCK: a pipe without a writer must not make us wait; a terminal must not become ours. */
int fe_path_open(const char *path)
{
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    return fd >= 0 ? fd : fe_os_last_code();
}

int fe_path_remove(const char *path)
{
    return unlink(path) == 0 ? 0 : fe_os_last_code();
}

ssize_t fe_fd_read_at(int fd, void *buf, size_t len, uint64_t offset)
{
    ssize_t n;

    do {
        n = pread(fd, buf, len, (off_t)offset);
    } while (n < 0 && errno == EINTR);
    FE_ASSERT(n <= (ssize_t)len, "no more is read than there is space for");
    return n >= 0 ? n : fe_os_last_code();
}

/* Reads up to the limit, and then whether that was all. */
int fe_fd_read_all(int fd, struct fe_buf *buf)
{
    enum { STEP = 4096 };

    for (;;) {
        const size_t space = buf->max - buf->len;
        const size_t step = space < STEP ? space : STEP;
        const int code = fe_buf_reserve(buf, step);
        uint8_t beyond;
        ssize_t n;

        if (code != 0) {
            return code;
        }
        n = step > 0 ? read(fd, buf->data + buf->len, step) : read(fd, &beyond, 1);
        if (n == 0) {
            return 0;
        }
        if (n < 0 && errno != EINTR) {
            return fe_os_last_code();
        }
        if (n > 0 && step == 0) {
            return FLATEND_ETOOBIG;
        }
        buf->len += n > 0 ? (size_t)n : 0;
    }
}

int fe_path_read(const char *path, struct fe_buf *buf)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    int code;

    if (fd < 0) {
        return fe_os_last_code();
    }
    code = fe_fd_read_all(fd, buf);
    fe_fd_close(fd);
    return code;
}

int fe_fd_write_all(int fd, struct fe_view data)
{
    while (data.len > 0) {
        const ssize_t n = write(fd, data.ptr, data.len);

        if (n < 0 && errno != EINTR) {
            return fe_os_last_code();
        }
        FE_ASSERT(n <= (ssize_t)data.len, "no more is written than there was");
        data = fe_view_skip(data, n > 0 ? (size_t)n : 0);
    }
    return 0;
}

/* What a pipe's reader has left room for (PIPE_BUF at least), a socket's too, is written without
 * waiting. */
int fe_fd_write_within(int fd, struct fe_view data, unsigned timeout_ms)
{
    const uint64_t deadline_ms = fe_clock_ms() + timeout_ms;

    while (data.len > 0) {
        struct pollfd one = {.fd = fd, .events = POLLOUT};
        const uint64_t now_ms = fe_clock_ms();
        const int left_ms = deadline_ms > now_ms ? (int)(deadline_ms - now_ms) : 0;
        const int n_ready = poll(&one, 1, left_ms);
        ssize_t n;

        if (n_ready == 0) {
            return FLATEND_ETIMEDOUT;
        }
        n = n_ready > 0 ? write(fd, data.ptr, data.len < PIPE_BUF ? data.len : PIPE_BUF) : -1;
        if (n < 0 && errno != EINTR && errno != EAGAIN) {
            return fe_os_last_code();
        }
        if (n < 0 && errno == EAGAIN && left_ms == 0) {
            return FLATEND_ETIMEDOUT;
        }
        data = fe_view_skip(data, n > 0 ? (size_t)n : 0);
    }
    return 0;
}

/* The root is there in every process, and a descriptor of its path is good for nothing: that is
 * EBADF, as from one that is closed. */
int fe_fd_keep_standard(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        int other;

        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) {
            continue;
        }
        other = open("/", O_PATH | O_CLOEXEC);
        if (other < 0) {
            return fe_os_last_code();
        }
        if (other > STDERR_FILENO) { /* another thread was faster */
            fe_fd_close(other);
        }
    }
    return 0;
}

int fe_fd_off_standard(int fd)
{
    int other;

    if (fd > STDERR_FILENO) {
        return fd;
    }
    other = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    fe_fd_close(fd);
    return other >= 0 ? other : fe_os_last_code();
}

int fe_fd_duplicate(int fd)
{
    const int copy = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

    return copy >= 0 ? copy : fe_os_last_code();
}

void fe_fd_close(int fd)
{
    const int reason = errno;

    FE_ASSERT(fd >= 0, "what is closed was opened");
    (void)close(fd);
    errno = reason;
}
