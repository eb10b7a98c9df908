/* Durable files: there whole or not at all, after a crash too, with the mode that was asked for.
 * Keys, certificates, and what else lives in the state directory. Errors name the file; `what` (may
 * be NULL) stands in front of it: "read key '/etc/x': permission denied". */
#ifndef FE_GROUND_OS_FILE_H
#define FE_GROUND_OS_FILE_H

#include <sys/types.h>

#include "ground/base/buf.h"

enum {
    FE_FILE_SECRET = 0600,
    FE_FILE_PUBLIC = 0644,
};

/* Appends a regular file to `buf`, whose `max` bounds it. `mode` (may be NULL) is the file's.
 * FLATEND_ENOENT, FLATEND_EACCESS, FLATEND_ETOOBIG, FLATEND_EIO, FLATEND_ENOMEM. */
int fe_file_read(const char *path, struct fe_buf *buf, unsigned *mode,
                 struct flatend_error *err) FE_MUST_USE;

/* Reads at most `cap` bytes of a file that only its owner may access: how many, or FLATEND_ENOENT,
 * FLATEND_EACCESS (also when others may access it), FLATEND_EKEY (not a regular file), FLATEND_EIO.
 */
ssize_t fe_file_read_private(const char *path, const char *what, void *text, size_t cap,
                             struct flatend_error *err) FE_MUST_USE;

/* Writes or replaces a file: after a crash it is the old one or the new one. Its mode is exactly
 * `mode`, whatever the umask. After an error it is the old one, or, if only the directory could not
 * be synced, the new one. FLATEND_ENOENT (the directory), FLATEND_EACCESS, FLATEND_EIO,
 * FLATEND_ENOMEM, FLATEND_ELIMIT. */
int fe_file_write(const char *path, struct fe_view data, unsigned mode,
                  struct flatend_error *err) FE_MUST_USE;

/* The same for a file of mode FE_FILE_SECRET that must not be there: FLATEND_EEXIST, and it stays.
 */
int fe_file_create(const char *path, const char *what, struct fe_view data,
                   struct flatend_error *err) FE_MUST_USE;

/* Wipes and frees what was read from a secret file, or goes into one. */
void fe_file_wipe(struct fe_buf *buf);

#endif
