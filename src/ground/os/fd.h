/* Descriptors, and what a path leads to. A code is all that these say; fe_os_last_reason
 * (ground/os/error.h) has the system's words for it, right after the call. */
#ifndef FE_GROUND_OS_FD_H
#define FE_GROUND_OS_FD_H

#include <sys/types.h>

#include "ground/base/buf.h"

enum fe_file_kind {
    FE_FILE_REGULAR,
    FE_FILE_DIRECTORY,
    FE_FILE_OTHER, /* pipes, sockets, devices */
};

struct fe_file_info {
    enum fe_file_kind kind;
    unsigned mode; /* permission bits */
    uint64_t size;
    uint64_t inode; /* another file of the same name has another one */
    int64_t modified_s;
    uint32_t modified_ns;
    int64_t changed_s; /* when anything of it has changed, which no program can set */
    uint32_t changed_ns;
};

/* Links are followed. FLATEND_ENOENT, FLATEND_EACCESS, FLATEND_EIO. */
int fe_fd_info(int fd, struct fe_file_info *info) FE_MUST_USE;
int fe_path_info(const char *path, struct fe_file_info *info) FE_MUST_USE;

/* Whether this user may read it. FLATEND_ENOENT, FLATEND_EACCESS. */
int fe_path_check_readable(const char *path) FE_MUST_USE;

/* Opens for reading, without waiting for the writer of a pipe. A descriptor, or FLATEND_ENOENT,
 * FLATEND_EACCESS, FLATEND_ELIMIT, FLATEND_ENOMEM, FLATEND_EIO. */
int fe_path_open(const char *path) FE_MUST_USE;

/* Opens whatever it is, waits for a pipe's writer, and appends all that is to be read to `buf`. The
 * codes of fe_path_open and fe_fd_read_all. */
int fe_path_read(const char *path, struct fe_buf *buf) FE_MUST_USE;

/* Removes a file; one that is not there is FLATEND_ENOENT. */
int fe_path_remove(const char *path);

/* At most `len` bytes from `offset` on: how many, 0 at the end, or FLATEND_EIO. */
ssize_t fe_fd_read_at(int fd, void *buf, size_t len, uint64_t offset) FE_MUST_USE;

/* Appends what is left to be read, to its end. FLATEND_ETOOBIG: more than `buf->max`;
 * FLATEND_ENOMEM, FLATEND_EIO. */
int fe_fd_read_all(int fd, struct fe_buf *buf) FE_MUST_USE;

/* Writes all of it. FLATEND_EIO, FLATEND_EACCESS. */
int fe_fd_write_all(int fd, struct fe_view data) FE_MUST_USE;

/* The same of a few bytes, but waits no longer than `timeout_ms` for a reader, whether the
 * descriptor blocks or not. FLATEND_ETIMEDOUT: nothing, or only a part, is written; FLATEND_EIO ...
 */
int fe_fd_write_within(int fd, struct fe_view data, unsigned timeout_ms) FE_MUST_USE;

/* Sees to it that no file or socket becomes standard input, output or error: what of 0, 1 and 2 is
 * closed leads to where neither reads nor writes are possible, as before, and stays closed to the
 * programs that are executed. FLATEND_ELIMIT, FLATEND_ENOMEM, FLATEND_EIO. */
int fe_fd_keep_standard(void) FE_MUST_USE;

/* `fd`, or if that is a standard one another descriptor of the same in its place. FLATEND_ELIMIT:
 * closed. */
int fe_fd_off_standard(int fd) FE_MUST_USE;

/* Another descriptor of the same. FLATEND_ELIMIT. */
int fe_fd_duplicate(int fd) FE_MUST_USE;

/* Keeps the reason of what failed before. */
void fe_fd_close(int fd);

#endif
