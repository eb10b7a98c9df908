/* Opens what lies beneath a directory name by name, where the kernel does not do it in one call.
 *
 * What is opened is always one name below a directory that is open, and never a link, so that
 * nothing that others rename meanwhile can lead out: links are read, and what they say goes in
 * front of what is left. Nothing ever asks the system for "..": a directory that has been moved
 * would lead elsewhere. It goes back to the root and walks to where it was, but for the last name,
 * which is there without links. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ground/base/assert.h"
#include "ground/os/dir_internal.h"
#include "ground/os/fd.h"

enum {
    LINKS_MAX = 40, /* as the kernel follows */
    CLIMBS_MAX = 256,
    RACES_MAX = 8, /* a link that is another file when it is looked at */
};

struct walk {
    int root;
    int dir;             /* where it is: the root's or its own */
    char left[PATH_MAX]; /* from there on */
    char way[PATH_MAX];  /* from the root to there: "", "/a", "/a/b", without links */
    unsigned n_links;
    unsigned n_climbs;
    unsigned n_races;
};

static int fail(int number)
{
    errno = number;
    return -1;
}

static void enter(struct walk *walk, int dir)
{
    if (walk->dir != walk->root) {
        fe_fd_close(walk->dir);
    }
    walk->dir = dir;
}

/* Puts it in front of what is left. */
static int put_in_front(struct walk *walk, const char *text, size_t len)
{
    const size_t n_left = strlen(walk->left);

    if (len + n_left >= sizeof(walk->left)) {
        return fail(ENAMETOOLONG);
    }
    memmove(walk->left + len, walk->left, n_left + 1);
    memcpy(walk->left, text, len);
    return 0;
}

/* Takes the first name from what is left, which begins with none or with a slash then. */
static void take_name(struct walk *walk, char name[PATH_MAX])
{
    const size_t len = strcspn(walk->left, "/");

    memcpy(name, walk->left, len);
    name[len] = '\0';
    memmove(walk->left, walk->left + len, strlen(walk->left + len) + 1);
}

/* For "..": again from the root, to the directory above. */
static int climb(struct walk *walk)
{
    char *const last = strrchr(walk->way, '/');

    if (last == NULL) {
        return fail(EXDEV); /* above the root */
    }
    if (++walk->n_climbs > CLIMBS_MAX) {
        return fail(ELOOP);
    }
    *last = '\0';
    if ((walk->left[0] == '\0' && put_in_front(walk, "/", 1) != 0) ||
        put_in_front(walk, walk->way, strlen(walk->way)) != 0) {
        return -1;
    }
    walk->way[0] = '\0';
    enter(walk, walk->root);
    return 0;
}

/* A link that a stranger has put into a directory that is everybody's, such as /tmp: the kernel
 * does not follow it either (fs.protected_symlinks). */
static bool is_strangers(const struct stat *link, const struct stat *dir)
{
    const mode_t shared = S_ISVTX | S_IWOTH;

    return (dir->st_mode & shared) == shared && link->st_uid != geteuid() &&
           link->st_uid != dir->st_uid;
}

/* Puts what the link says in front of what is left. */
static int follow(struct walk *walk, int fd, const struct stat *link)
{
    char target[PATH_MAX];
    struct stat dir;
    const ssize_t len = readlinkat(fd, "", target, sizeof(target));

    if (len < 0 || fstat(walk->dir, &dir) != 0) {
        return -1;
    }
    if (is_strangers(link, &dir)) {
        return fail(EACCES);
    }
    if (++walk->n_links > LINKS_MAX) {
        return fail(ELOOP);
    }
    if (len == 0 || len == (ssize_t)sizeof(target)) {
        return fail(len == 0 ? ENOENT : ENAMETOOLONG);
    }
    return target[0] == '/' ? fail(EXDEV) : put_in_front(walk, target, (size_t)len);
}

/* `name` could not be opened as what it had to be. 0: what is left says how to go on. */
static int look(struct walk *walk, const char *name, int number)
{
    struct stat st;
    const int fd = openat(walk->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    int code = -1;

    if (fd < 0) {
        return -1;
    }
    if (fstat(fd, &st) == 0 && S_ISLNK(st.st_mode)) {
        code = follow(walk, fd, &st);
    } else if ((number == ENOTDIR && !S_ISDIR(st.st_mode)) || ++walk->n_races > RACES_MAX) {
        code = fail(number);
    } else { /* another one has taken its place meanwhile */
        code = put_in_front(walk, name, strlen(name));
    }
    fe_fd_close(fd);
    return code;
}

/* Into a directory on the way. */
static int pass(struct walk *walk, const char *name)
{
    const size_t n_way = strlen(walk->way);
    const size_t len = strlen(name);
    const int fd = openat(walk->dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0) {
        return errno == ENOTDIR || errno == ELOOP ? look(walk, name, errno) : -1;
    }
    enter(walk, fd);
    if (n_way + 1 + len >= sizeof(walk->way)) {
        return fail(ENAMETOOLONG);
    }
    walk->way[n_way] = '/';
    memcpy(walk->way + n_way + 1, name, len + 1);
    return 0;
}

/* One name further; `*fd` is set at the end. */
static int step(struct walk *walk, int *fd)
{
    const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC;
    char name[PATH_MAX];

    memmove(walk->left, walk->left + strspn(walk->left, "/"),
            strlen(walk->left + strspn(walk->left, "/")) + 1);
    take_name(walk, name);
    if (strcmp(name, "..") == 0) {
        return climb(walk);
    }
    if (name[0] != '\0' && strcmp(name, ".") != 0 && walk->left[0] != '\0') {
        return pass(walk, name);
    }
    if (walk->left[0] != '\0') {
        return 0; /* "." */
    }
    *fd = openat(walk->dir, name[0] != '\0' ? name : ".", flags);
    return *fd < 0 && errno == ELOOP ? look(walk, name, ELOOP) : *fd < 0 ? -1 : 0;
}

int fe_dir_open_by_walk(int dir, const char *path)
{
    struct walk walk = {.root = dir, .dir = dir};
    const size_t len = strlen(path);
    int fd = -1;
    int code = 0;

    FE_ASSERT(len > 0, "what is opened has a name");
    if (path[0] == '/' || len >= sizeof(walk.left)) {
        return fail(path[0] == '/' ? EXDEV : ENAMETOOLONG);
    }
    memcpy(walk.left, path, len + 1);
    while (code == 0 && fd < 0) {
        code = step(&walk, &fd);
    }
    enter(&walk, dir);
    return fd;
}
