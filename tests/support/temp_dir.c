#include "support/temp_dir.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

void temp_dir_make(struct temp_dir *dir)
{
    strcpy(dir->path, "test-XXXXXX");
    assert_non_null(mkdtemp(dir->path));
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
    (void)info;
    (void)kind;
    (void)ftw;
    return remove(path);
}

void temp_dir_remove(struct temp_dir *dir)
{
    assert_int_equal(nftw(dir->path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

const char *temp_dir_path(struct temp_dir *dir, const char *name)
{
    const int len = snprintf(dir->name, sizeof(dir->name), "%s/%s", dir->path, name);
    assert_in_range(len, 1, sizeof(dir->name) - 1);
    return dir->name;
}

void temp_dir_write(struct temp_dir *dir, const char *name, const void *data, size_t len)
{
    FILE *const file = fopen(temp_dir_path(dir, name), "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

void temp_dir_subdir(struct temp_dir *dir, const char *name)
{
    assert_int_equal(mkdir(temp_dir_path(dir, name), 0755), 0);
}

void temp_dir_link(struct temp_dir *dir, const char *name, const char *target)
{
    assert_int_equal(symlink(target, temp_dir_path(dir, name)), 0);
}
