#include "ground/os/private_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail_errno(struct flatend_error *error, const char *what, const char *path)
{
    switch (errno) {
    case ENOENT:
    case ENOTDIR:
        return fe_err_set(error, FLATEND_ENOENT, "%s '%s': no such file", what, path);
    case EACCES:
    case EPERM:
    case EROFS:
        return fe_err_set(error, FLATEND_EACCESS, "%s '%s': permission denied", what, path);
    case EEXIST:
        return fe_err_set(error, FLATEND_EEXIST, "%s '%s': already exists", what, path);
    default:
        return fe_err_set(error, FLATEND_EIO, "%s '%s': errno %d", what, path, errno);
    }
}

/* Reads until the end of the file or `cap`. */
static ssize_t read_text(int fd, char *text, size_t cap)
{
    size_t len = 0;

    while (len < cap) {
        ssize_t n = read(fd, text + len, cap - len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        if (n == 0) {
            break;
        }
        len += (size_t)n;
    }
    return (ssize_t)len;
}

static ssize_t read_from(int fd, const char *path, const char *what, char *text, size_t cap,
                         struct flatend_error *error)
{
    struct stat st;
    ssize_t len;

    if (fstat(fd, &st) != 0) {
        return fail_errno(error, what, path);
    }
    if (!S_ISREG(st.st_mode)) {
        return fe_err_set(error, FLATEND_EKEY, "%s '%s': not a regular file", what, path);
    }
    if ((st.st_mode & 077) != 0) {
        return fe_err_set(
            error, FLATEND_EACCESS,
            "%s '%s': accessible by other users (mode %04o, expected 0600); run chmod 600 on it",
            what, path, (unsigned)(st.st_mode & 07777));
    }
    len = read_text(fd, text, cap);
    return len < 0 ? fail_errno(error, what, path) : len;
}

ssize_t fe_private_file_read(const char *path, const char *what, char *text, size_t cap,
                             struct flatend_error *error)
{
    /* O_NONBLOCK: whoever names a FIFO gets an error and does not wait for its writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t len;

    if (fd < 0) {
        return fail_errno(error, what, path);
    }
    len = read_from(fd, path, what, text, cap, error);
    (void)close(fd);
    return len;
}

static int write_text(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        text += n;
        len -= (size_t)n;
    }
    return fsync(fd);
}

int fe_private_file_write(const char *path, const char *what, const char *text, size_t len,
                          struct flatend_error *error)
{
    static const char suffix[] = ".XXXXXX";
    size_t path_len = strlen(path);
    char *temp = malloc(path_len + sizeof(suffix));
    int rv = 0;
    int fd;

    if (temp == NULL) {
        return fe_err_set(error, FLATEND_ENOMEM, "%s '%s': out of memory", what, path);
    }
    memcpy(temp, path, path_len);
    memcpy(temp + path_len, suffix, sizeof(suffix));
    fd = mkstemp(temp); /* O_EXCL, mode 0600 */
    if (fd < 0) {
        rv = fail_errno(error, what, path);
        free(temp);
        return rv;
    }
    /* Unlike rename, link never replaces a file: one that exists stays. */
    if (write_text(fd, text, len) != 0 || link(temp, path) != 0) {
        rv = fail_errno(error, what, path);
    }
    (void)close(fd);
    (void)unlink(temp);
    free(temp);
    return rv;
}
