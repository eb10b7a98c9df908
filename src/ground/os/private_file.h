/* Files that hold a secret: only their owner may read them, and they are there whole or not at all.
 * `what` stands in messages: "read key '/etc/x': permission denied". */
#ifndef FE_GROUND_OS_PRIVATE_FILE_H
#define FE_GROUND_OS_PRIVATE_FILE_H

#include "ground/base/err.h"

/* Reads at most `cap` bytes: how many, or FLATEND_ENOENT, FLATEND_EACCESS (also when others than
 * its owner may access it), FLATEND_EKEY (not a regular file), FLATEND_EIO. */
ssize_t fe_private_file_read(const char *path, const char *what, char *text, size_t cap,
                             struct flatend_error *error) FE_MUST_USE;

/* Writes a new file with mode 0600. FLATEND_EEXIST: it is there already, and stays;
 * FLATEND_EACCESS, FLATEND_EIO, FLATEND_ENOMEM. */
int fe_private_file_write(const char *path, const char *what, const char *text, size_t len,
                          struct flatend_error *error) FE_MUST_USE;

#endif
