#include "ground/os/dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ground/os/error.h"
#include "ground/os/fd.h"

enum { LOCK_MODE = 0600, DIR_MODE = 0700 };

static int fail(struct flatend_error *err, const char *path)
{
    return fe_err_set(err, fe_os_last_code(), "'%s': %s", path, fe_os_last_reason());
}

static int fail_memory(struct flatend_error *err, const char *path)
{
    return fe_err_set(err, FLATEND_ENOMEM, "'%s': %s", path, flatend_strerror(FLATEND_ENOMEM));
}

/* ---- making --------------------------------------------------------------------------------- */

static int make_one(const char *path)
{
    return mkdir(path, DIR_MODE) == 0 || errno == EEXIST ? 0 : -1;
}

int fe_dir_make(const char *path, struct flatend_error *err)
{
    char *part = strdup(path);
    int code = 0;

    if (part == NULL) {
        return fail_memory(err, path);
    }
    for (char *at = part + 1; code == 0 && *part != '\0' && *at != '\0'; at++) {
        if (*at == '/') {
            *at = '\0';
            code = make_one(part);
            *at = '/';
        }
    }
    if (code == 0) {
        code = make_one(path);
    }
    if (code == 0) {
        code = access(path, W_OK | X_OK);
    }
    free(part);
    return code == 0 ? 0 : fail(err, path);
}

char *fe_path_join(const char *dir, const char *name)
{
    char *path;

    return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

/* ---- locking -------------------------------------------------------------------------------- */

static int take_lock(int fd, bool wait)
{
    int code;

    do {
        code = flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB));
    } while (code != 0 && errno == EINTR);
    return code;
}

int fe_file_lock(const char *path, bool wait, struct flatend_error *err)
{
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, LOCK_MODE);

    if (fd < 0) {
        return fail(err, path);
    }
    if (take_lock(fd, wait) != 0) {
        fe_fd_close(fd);
        return fail(err, path);
    }
    return fd;
}

int fe_dir_lock(const char *path, struct flatend_error *err)
{
    char *name = fe_path_join(path, "lock");
    int lock;

    if (name == NULL) {
        return fail_memory(err, path);
    }
    lock = fe_file_lock(name, true, err);
    free(name);
    return lock;
}

void fe_file_unlock(int lock)
{
    fe_fd_close(lock);
}

/* ---- listing -------------------------------------------------------------------------------- */

static int visit_all(DIR *dir, int (*visit)(void *arg, const char *name, bool is_dir), void *arg)
{
    int code = 0;

    while (code == 0) {
        const struct dirent *entry;

        errno = 0;
        entry = readdir(dir);
        if (entry == NULL) {
            return errno == 0 ? 0 : FLATEND_EIO;
        }
        code = visit(arg, entry->d_name, entry->d_type == DT_DIR);
    }
    return code;
}

int fe_dir_list(int fd, int (*visit)(void *arg, const char *name, bool is_dir), void *arg)
{
    DIR *const dir = fdopendir(fd);
    int code;

    if (dir == NULL) {
        code = errno == ENOMEM ? FLATEND_ENOMEM : FLATEND_EIO;
        fe_fd_close(fd);
        return code;
    }
    code = visit_all(dir, visit, arg);
    (void)closedir(dir);
    return code;
}
