#include "ground/os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ground/base/assert.h"
#include "ground/base/wipe.h"
#include "ground/os/error.h"
#include "ground/os/fd.h"

/* A file that is being written under another name beside its own. */
struct draft {
    char *temp; /* NULL: there is none */
    int fd;     /* -1 as well */
};

static int fail(struct flatend_error *err, const char *what, const char *path)
{
    const int code = fe_os_last_code();

    if (what == NULL) {
        return fe_err_set(err, code, "'%s': %s", path, fe_os_last_reason());
    }
    return fe_err_set(err, code, "%s '%s': %s", what, path,
                      code == FLATEND_EIO ? fe_os_last_reason() : flatend_strerror(code));
}

static int fail_memory(struct flatend_error *err, const char *path)
{
    return fe_err_set(err, FLATEND_ENOMEM, "'%s': %s", path, flatend_strerror(FLATEND_ENOMEM));
}

/* ---- reading -------------------------------------------------------------------------------- */

static int read_all(int fd, const char *path, struct fe_buf *buf, struct flatend_error *err)
{
    const int code = fe_fd_read_all(fd, buf);

    switch (code) {
    case 0:
        return 0;
    case FLATEND_ETOOBIG:
        return fe_err_set(err, code, "'%s': larger than %zu bytes", path, buf->max);
    case FLATEND_ENOMEM:
        return fail_memory(err, path);
    default:
        return fail(err, NULL, path);
    }
}

int fe_file_read(const char *path, struct fe_buf *buf, unsigned *mode, struct flatend_error *err)
{
    const int fd = fe_path_open(path);
    struct fe_file_info info;
    int code;

    if (fd < 0) {
        return fail(err, NULL, path);
    }
    if (fe_fd_info(fd, &info) != 0) {
        code = fail(err, NULL, path);
    } else if (info.kind != FE_FILE_REGULAR) {
        code = fe_err_set(err, FLATEND_EIO, "'%s': not a regular file", path);
    } else {
        code = read_all(fd, path, buf, err);
    }
    fe_fd_close(fd);
    if (mode != NULL && code == 0) {
        *mode = info.mode;
    }
    return code;
}

/* Reads until the end of the file or `cap`. */
static ssize_t read_some(int fd, uint8_t *text, size_t cap)
{
    size_t len = 0;

    while (len < cap) {
        const ssize_t n = fe_fd_read_at(fd, text + len, cap - len, len);

        if (n < 0) {
            return n;
        }
        if (n == 0) {
            break;
        }
        len += (size_t)n;
    }
    FE_ASSERT(len <= cap, "no more is read than there is space for");
    return (ssize_t)len;
}

static ssize_t read_private(int fd, const char *path, const char *what, void *text, size_t cap,
                            struct flatend_error *err)
{
    struct fe_file_info info;
    ssize_t len;

    if (fe_fd_info(fd, &info) != 0) {
        return fail(err, what, path);
    }
    if (info.kind != FE_FILE_REGULAR) {
        return fe_err_set(err, FLATEND_EKEY, "%s '%s': not a regular file", what, path);
    }
    if ((info.mode & 077) != 0) {
        return fe_err_set(
            err, FLATEND_EACCESS,
            "%s '%s': accessible by other users (mode %04o, expected 0600); run chmod 600 on it",
            what, path, info.mode);
    }
    len = read_some(fd, text, cap);
    return len < 0 ? fail(err, what, path) : len;
}

ssize_t fe_file_read_private(const char *path, const char *what, void *text, size_t cap,
                             struct flatend_error *err)
{
    const int fd = fe_path_open(path);
    ssize_t len;

    if (fd < 0) {
        return fail(err, what, path);
    }
    len = read_private(fd, path, what, text, cap, err);
    fe_fd_close(fd);
    return len;
}

void fe_file_wipe(struct fe_buf *buf)
{
    if (buf->data != NULL) {
        fe_wipe(buf->data, buf->cap);
    }
    fe_buf_deinit(buf);
}

/* ---- writing -------------------------------------------------------------------------------- */

/* 0, or -1 with errno, as the calls of the system below. */
static int draft_open(struct draft *draft, const char *path)
{
    static const char suffix[] = ".XXXXXX";
    const size_t len = strlen(path);

    *draft = (struct draft){.temp = malloc(len + sizeof(suffix)), .fd = -1};
    if (draft->temp == NULL) {
        errno = ENOMEM;
        return -1;
    }
    memcpy(draft->temp, path, len);
    memcpy(draft->temp + len, suffix, sizeof(suffix));
    draft->fd = mkstemp(draft->temp); /* O_EXCL, mode 0600 */
    return draft->fd >= 0 ? 0 : -1;
}

/* Its bytes and its mode are on the disk before it has its name. */
static int draft_fill(const struct draft *draft, struct fe_view data, unsigned mode)
{
    if (fe_fd_write_all(draft->fd, data) != 0 || fchmod(draft->fd, (mode_t)mode) != 0) {
        return -1;
    }
    return fsync(draft->fd);
}

/* The name must reach the disk too. A file system that cannot sync a directory says EINVAL, and has
 * nothing to be waited for; one that may not be read (EACCES) cannot be synced either. */
static int sync_parent(const struct draft *draft)
{
    char *const slash = strrchr(draft->temp, '/');
    int code;
    int fd;

    if (slash != NULL) {
        slash[slash == draft->temp ? 1 : 0] = '\0';
    }
    fd = open(slash != NULL ? draft->temp : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return errno == EACCES ? 0 : -1;
    }
    code = fsync(fd);
    code = code != 0 && errno == EINVAL ? 0 : code;
    fe_fd_close(fd);
    return code;
}

/* Closes what draft_open opened, also when it failed; what is left of the draft goes. */
static void draft_close(struct draft *draft, bool has_name)
{
    const int reason = errno;

    if (draft->fd >= 0) {
        fe_fd_close(draft->fd);
        if (!has_name) {
            (void)unlink(draft->temp);
        }
    }
    free(draft->temp);
    errno = reason;
}

int fe_file_write(const char *path, struct fe_view data, unsigned mode, struct flatend_error *err)
{
    struct draft draft;
    bool has_name = false;
    int code = draft_open(&draft, path);

    FE_ASSERT((mode & ~07777U) == 0, "the mode of a file is permission bits");
    if (code == 0) {
        code = draft_fill(&draft, data, mode);
    }
    if (code == 0) {
        code = rename(draft.temp, path);
        has_name = code == 0;
    }
    if (code == 0) {
        code = sync_parent(&draft);
    }
    draft_close(&draft, has_name);
    return code == 0 ? 0 : fail(err, NULL, path);
}

/* Unlike rename, link never replaces a file: one that exists stays. */
int fe_file_create(const char *path, const char *what, struct fe_view data,
                   struct flatend_error *err)
{
    struct draft draft;
    int code = draft_open(&draft, path);
    bool is_linked = false;

    if (code == 0) {
        code = draft_fill(&draft, data, FE_FILE_SECRET);
    }
    if (code == 0) {
        code = link(draft.temp, path);
        is_linked = code == 0;
    }
    if (is_linked) {
        (void)unlink(draft.temp);
        code = sync_parent(&draft);
    }
    draft_close(&draft, is_linked);
    return code == 0 ? 0 : fail(err, what, path);
}
