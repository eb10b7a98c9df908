/* Files that must be there whole or not at all, and that only their owner may read: keys,
 * certificates, and what else lives in the state directory. Errors name the file. */
#ifndef FE_GROUND_OS_FILE_H
#define FE_GROUND_OS_FILE_H

#include "ground/base/buf.h"

enum {
    FE_FILE_SECRET = 0600,
    FE_FILE_PUBLIC = 0644,
};

/* Appends a regular file to `buf`, whose `max` bounds it. `mode` (may be NULL) is the file's.
 * FLATEND_ENOENT, FLATEND_EACCESS, FLATEND_ETOOBIG, FLATEND_EIO, FLATEND_ENOMEM. */
int fe_file_read(const char *path, struct fe_buf *buf, unsigned *mode,
                 struct flatend_error *err) FE_MUST_USE;

/* Writes or replaces a file: after a crash it is the old one or the new one. Its mode is exactly
 * `mode`, whatever the umask. FLATEND_ENOENT (the directory), FLATEND_EACCESS, FLATEND_EIO,
 * FLATEND_ENOMEM. */
int fe_file_write(const char *path, struct fe_view data, unsigned mode,
                  struct flatend_error *err) FE_MUST_USE;

/* Wipes and frees what was read from a secret file, or goes into one. */
void fe_file_wipe(struct fe_buf *buf);

/* Makes a directory and its missing parents, all of them with mode 0700. One that is there stays as
 * it is, but must be writable. FLATEND_EACCESS, FLATEND_EIO, FLATEND_ENOMEM. */
int fe_dir_make(const char *path, struct flatend_error *err) FE_MUST_USE;

/* Waits for the lock of a directory, which other processes respect too; a descriptor to give back
 * to fe_dir_unlock, else a code. */
int fe_dir_lock(const char *path, struct flatend_error *err) FE_MUST_USE;
void fe_dir_unlock(int lock);

/* "dir/name", for free(). NULL: out of memory. */
char *fe_path_join(const char *dir, const char *name) FE_MUST_USE;

#endif
