/* Directories: making, locking, listing them, and opening what lies beneath one. */
#ifndef FE_GROUND_OS_DIR_H
#define FE_GROUND_OS_DIR_H

#include <stdbool.h>

#include "ground/base/err.h"
#include "ground/base/view.h"

/* Makes a directory and its missing parents, all of them with mode 0700. One that is there stays as
 * it is, but must be writable. FLATEND_EACCESS, FLATEND_EIO, FLATEND_ENOMEM; `err` names it. */
int fe_dir_make(const char *path, struct flatend_error *err) FE_MUST_USE;

/* Waits for the lock of a directory, which other processes respect too; a descriptor to give back
 * to fe_file_unlock, else a code. */
int fe_dir_lock(const char *path, struct flatend_error *err) FE_MUST_USE;

/* The same for a file, which is made if it is not there. `wait` false: FLATEND_EAGAIN where another
 * process has it. The system gives a lock back when its process ends, however it ends. */
int fe_file_lock(const char *path, bool wait, struct flatend_error *err) FE_MUST_USE;
void fe_file_unlock(int lock);

/* Opens `path` below the directory `root` for reading, as fe_path_open does; empty means the
 * directory itself. Links are followed, but neither they, nor "..", nor an absolute path lead out
 * of the directory, also during concurrent renames: FLATEND_ENOENT. */
int fe_dir_open_beneath(const char *root, struct fe_view path) FE_MUST_USE;

/* Why the kernel does not do this in one call (openat2), in its words: fe_dir_open_beneath then
 * walks from name to name, which is as safe. NULL: it does. */
const char *fe_dir_beneath_refusal(void);

/* Calls `visit` for each name in the directory `fd`, which it closes: "." and ".." too, in no
 * order, until `visit` returns something else than 0, which is returned. FLATEND_ENOMEM,
 * FLATEND_EIO. */
int fe_dir_list(int fd, int (*visit)(void *arg, const char *name, bool is_dir),
                void *arg) FE_MUST_USE;

/* "dir/name", for free(). NULL: out of memory. */
char *fe_path_join(const char *dir, const char *name) FE_MUST_USE;

#endif
