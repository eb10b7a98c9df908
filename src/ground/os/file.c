#include "ground/os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ground/base/wipe.h"

static int fail_errno(struct flatend_error *err, const char *path)
{
    const int number = errno;
    int code = FLATEND_EIO;

    switch (number) {
    case ENOENT:
    case ENOTDIR:
        code = FLATEND_ENOENT;
        break;
    case EACCES:
    case EPERM:
    case EROFS:
        code = FLATEND_EACCESS;
        break;
    case ENOMEM:
        code = FLATEND_ENOMEM;
        break;
    default:
        break;
    }
    return fe_err_set(err, code, "'%s': %s", path, strerror(number));
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Reads up to the limit, and then whether that was all. */
static int read_all(int fd, const char *path, struct fe_buf *buf, struct flatend_error *err)
{
    enum { STEP = 4096 };

    for (;;) {
        const size_t room = buf->max - buf->len;
        const size_t step = room < STEP ? room : STEP;
        const int code = fe_buf_reserve(buf, step);
        uint8_t beyond;
        ssize_t n;

        if (code != 0) {
            return fe_err_set(err, code, "'%s': %s", path, flatend_strerror(code));
        }
        n = step > 0 ? read(fd, buf->data + buf->len, step) : read(fd, &beyond, 1);
        if (n == 0) {
            return 0;
        }
        if (n < 0 && errno != EINTR) {
            return fail_errno(err, path);
        }
        if (n > 0 && step == 0) {
            return fe_err_set(err, FLATEND_ETOOBIG, "'%s': larger than %zu bytes", path, buf->max);
        }
        buf->len += n > 0 ? (size_t)n : 0;
    }
}

int fe_file_read(const char *path, struct fe_buf *buf, unsigned *mode, struct flatend_error *err)
{
    /* O_NONBLOCK: whoever names a FIFO gets an error and does not wait for its writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    int code;

    if (fd < 0) {
        return fail_errno(err, path);
    }
    if (fstat(fd, &st) != 0) {
        code = fail_errno(err, path);
    } else if (!S_ISREG(st.st_mode)) {
        code = fe_err_set(err, FLATEND_EIO, "'%s': not a regular file", path);
    } else {
        code = read_all(fd, path, buf, err);
    }
    (void)close(fd);
    if (mode != NULL && code == 0) {
        *mode = (unsigned)(st.st_mode & 07777);
    }
    return code;
}

/* ---- writing -------------------------------------------------------------------------------- */

static int write_all(int fd, struct fe_view data)
{
    while (data.len > 0) {
        ssize_t n = write(fd, data.ptr, data.len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        data = fe_view_skip(data, (size_t)n);
    }
    return 0;
}

/* The directory's entry must reach the disk too. A file system that cannot do this (EINVAL) has
 * nothing to be waited for. */
static void sync_parent(char *path)
{
    char *slash = strrchr(path, '/');
    int fd;

    if (slash != NULL) {
        slash[slash == path ? 1 : 0] = '\0';
    }
    fd = open(slash != NULL ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
}

int fe_file_write(const char *path, struct fe_view data, unsigned mode, struct flatend_error *err)
{
    static const char suffix[] = ".XXXXXX";
    const size_t len = strlen(path);
    char *temp = malloc(len + sizeof(suffix));
    int code = 0;
    int fd;

    if (temp == NULL) {
        return fe_err_set(err, FLATEND_ENOMEM, "'%s': out of memory", path);
    }
    memcpy(temp, path, len);
    memcpy(temp + len, suffix, sizeof(suffix));
    fd = mkstemp(temp); /* O_EXCL, mode 0600 */
    if (fd < 0) {
        code = fail_errno(err, path);
        free(temp);
        return code;
    }
    if (write_all(fd, data) != 0 || fchmod(fd, (mode_t)mode) != 0 || fsync(fd) != 0 ||
        rename(temp, path) != 0) {
        code = fail_errno(err, path);
        (void)unlink(temp);
    }
    (void)close(fd);
    sync_parent(temp);
    free(temp);
    return code;
}

/* ---- directories ---------------------------------------------------------------------------- */

static int make_one(const char *path)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : -1;
}

void fe_file_wipe(struct fe_buf *buf)
{
    if (buf->data != NULL) {
        fe_wipe(buf->data, buf->cap);
    }
    fe_buf_deinit(buf);
}

int fe_dir_make(const char *path, struct flatend_error *err)
{
    char *part = strdup(path);
    int rv = 0;

    if (part == NULL) {
        return fe_err_set(err, FLATEND_ENOMEM, "'%s': out of memory", path);
    }
    for (char *at = part + 1; rv == 0 && *part != '\0' && *at != '\0'; at++) {
        if (*at == '/') {
            *at = '\0';
            rv = make_one(part);
            *at = '/';
        }
    }
    if (rv == 0) {
        rv = make_one(path);
    }
    if (rv == 0) {
        rv = access(path, W_OK | X_OK);
    }
    free(part);
    return rv == 0 ? 0 : fail_errno(err, path);
}

int fe_dir_lock(const char *path, struct flatend_error *err)
{
    char *name = fe_path_join(path, "lock");
    int lock;

    if (name == NULL) {
        return fe_err_set(err, FLATEND_ENOMEM, "'%s': out of memory", path);
    }
    lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC, FE_FILE_SECRET);
    if (lock < 0) {
        lock = fail_errno(err, name);
        free(name);
        return lock;
    }
    while (flock(lock, LOCK_EX) != 0) {
        if (errno != EINTR) {
            int code = fail_errno(err, name);

            (void)close(lock);
            free(name);
            return code;
        }
    }
    free(name);
    return lock;
}

void fe_dir_unlock(int lock)
{
    (void)close(lock);
}

char *fe_path_join(const char *dir, const char *name)
{
    char *path;

    return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}
