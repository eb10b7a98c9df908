/* A directory of the test's own, below the one in which it runs, removed with all in it. */
#ifndef TESTS_SUPPORT_TEMP_DIR_H
#define TESTS_SUPPORT_TEMP_DIR_H

#include <stddef.h>

struct temp_dir {
    char path[32];
    char name[128]; /* of temp_dir_path */
};

/* Whatever fails in here fails the test. */
void temp_dir_make(struct temp_dir *dir);
void temp_dir_remove(struct temp_dir *dir);

/* "DIR/name"; valid until the next call. */
const char *temp_dir_path(struct temp_dir *dir, const char *name);

void temp_dir_write(struct temp_dir *dir, const char *name, const void *data, size_t len);
void temp_dir_subdir(struct temp_dir *dir, const char *name);
void temp_dir_link(struct temp_dir *dir, const char *name, const char *target);

#endif
