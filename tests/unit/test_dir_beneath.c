/* Opening beneath a directory: by the kernel and by a walk, which must say the same of everything,
 * whatever the directory holds and whatever is renamed meanwhile. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ground/base/rng.h"
#include "ground/os/dir.h"
#include "ground/os/dir_internal.h"
#include "ground/os/error.h"
#include "ground/os/fd.h"
#include "support/refusal.h"
#include "support/temp_dir.h"

/* What the walk must not be led to, and what it must find. */
static const char *const PATHS[] = {
    /* outside */
    "/etc/passwd",
    "/",
    "//",
    "/www/hello",
    "..",
    "../",
    "../secret",
    "../www/hello",
    "../www",
    "sub/../../secret",
    "sub/../../www/hello",
    "sub/../../../../../../../../etc/passwd",
    "deep/a/b/../../../../secret",
    "./../secret",
    "sub/./.././../secret",
    "sub//..//..//secret",
    "escape",
    "escape/",
    "escape/secret",
    "escape/www/hello",
    "escape_file",
    "absolute",
    "absolute/passwd",
    "absolute_self",
    "absolute_self/hello",
    "sub/far",
    "sub/far_and_back",
    "far",
    "round/secret",
    "climbing/secret",
    "proc_exe",
    "proc_root",
    "proc_root/etc/passwd",
    "proc_cwd",
    "proc_fd",
    /* links that lead nowhere */
    "self",
    "self/",
    "ring",
    "dangling",
    "dangling/x",
    "sub/..",
    "chain39",
    "chain40",
    "chain41",
    "chain60",
    /* inside */
    ".",
    "./",
    "./.",
    ".//.",
    "hello",
    "./hello",
    "sub",
    "sub/",
    "sub/.",
    "sub//file",
    "sub/./file",
    "sub/../hello",
    "sub/../sub/file",
    "deep/a/b/../../../hello",
    "deep/a/b/..",
    "deep/a/b/../",
    "deep/a/b/../../..",
    "link",
    "link_dir",
    "link_dir/",
    "link_dir/file",
    "link_dir/../hello",
    "sub/up",
    "sub/up_dir/hello",
    "deep/a/b/top",
    "link_slash",
    "through/file",
    "dots",
    "dots/file",
    "inner",
    "inner/../hello",
    /* what is no directory, or is not there */
    "hello/",
    "hello/.",
    "hello/..",
    "hello/x",
    "hello/../hello",
    "link/",
    "link/x",
    "missing",
    "missing/",
    "missing/x",
    "missing/../hello",
    "sub/missing",
    "file_slash",
    "file_slash/x",
    /* neither files nor directories */
    "pipe",
    "pipe/x",
    /* what must not be read, where that is forbidden at all */
    "closed/file",
    "closed",
    "unreadable",
};

enum { N_PATHS = sizeof(PATHS) / sizeof(PATHS[0]) };

struct place {
    struct temp_dir dir;
    char root[256]; /* "…/www", absolute */
};

static void make_links(struct temp_dir *dir, const struct place *place)
{
    static const char *const links[][2] = {
        {"escape", ".."},
        {"escape_file", "../secret"},
        {"absolute", "/etc"},
        {"sub/far", "../../secret"},
        {"sub/far_and_back", "../../www/hello"},
        {"far", "sub/../../secret"},
        {"round", "sub/.."},
        {"climbing", "deep/a/../../.."},
        {"proc_exe", "/proc/self/exe"},
        {"proc_root", "/proc/self/root"},
        {"proc_cwd", "/proc/self/cwd"},
        {"proc_fd", "/proc/self/fd/0"},
        {"self", "self"},
        {"ring", "ring2"},
        {"ring2", "ring"},
        {"dangling", "nothing"},
        {"link", "hello"},
        {"link_dir", "sub"},
        {"sub/up", "../hello"},
        {"sub/up_dir", ".."},
        {"deep/a/b/top", "../../../hello"},
        {"link_slash", "sub/"},
        {"through", "link_dir/."},
        {"dots", "./sub/../sub/./."},
        {"inner", "deep/a/.."},
        {"file_slash", "hello/"},
    };
    char name[64];
    char target[64];

    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        snprintf(name, sizeof(name), "www/%s", links[i][0]);
        temp_dir_link(dir, name, links[i][1]);
    }
    temp_dir_link(dir, "www/absolute_self", place->root);
    temp_dir_link(dir, "www/chain0", "hello");
    for (int i = 1; i <= 60; i++) {
        snprintf(name, sizeof(name), "www/chain%d", i);
        snprintf(target, sizeof(target), "chain%d", i - 1);
        temp_dir_link(dir, name, target);
    }
}

static int setup(void **state)
{
    struct place *const place = calloc(1, sizeof(*place));
    struct temp_dir *const dir = &place->dir;
    char cwd[128];

    assert_non_null(getcwd(cwd, sizeof(cwd)));
    temp_dir_make(dir);
    snprintf(place->root, sizeof(place->root), "%s/%s", cwd, temp_dir_path(dir, "www"));
    temp_dir_write(dir, "secret", "outside", 7);
    temp_dir_subdir(dir, "www");
    temp_dir_write(dir, "www/hello", "hello", 5);
    temp_dir_subdir(dir, "www/sub");
    temp_dir_write(dir, "www/sub/file", "file", 4);
    temp_dir_subdir(dir, "www/deep");
    temp_dir_subdir(dir, "www/deep/a");
    temp_dir_subdir(dir, "www/deep/a/b");
    temp_dir_subdir(dir, "www/closed");
    temp_dir_write(dir, "www/closed/file", "x", 1);
    temp_dir_write(dir, "www/unreadable", "x", 1);
    assert_int_equal(chmod(temp_dir_path(dir, "www/unreadable"), 0), 0);
    assert_int_equal(mkfifo(temp_dir_path(dir, "www/pipe"), 0600), 0);
    make_links(dir, place);
    *state = place;
    return 0;
}

static int teardown(void **state)
{
    struct place *const place = *state;

    temp_dir_remove(&place->dir);
    free(place);
    return 0;
}

/* What an open says: which file, or which code. */
struct answer {
    int code;
    ino_t inode;
};

static struct answer answer_of(int fd)
{
    struct answer answer = {.code = fd};
    struct stat st;

    if (fd >= 0) {
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        assert_int_equal(fcntl(fd, F_GETFL) & (O_PATH | O_ACCMODE), O_RDONLY);
        answer = (struct answer){.inode = st.st_ino};
        close(fd);
    }
    return answer;
}

static struct answer ask(const char *root, const char *path)
{
    return answer_of(fe_dir_open_beneath(root, fe_view_str(path)));
}

static struct answer ask_one(int (*open_it)(int dir, const char *path), int dir, const char *path)
{
    const int fd = open_it(dir, path);

    return answer_of(fd >= 0 ? fd : fe_os_last_code());
}

static void assert_same(const char *path, struct answer kernel, struct answer walk)
{
    if (kernel.code != walk.code || kernel.inode != walk.inode) {
        fail_msg("'%s': the kernel says %d %lu, the walk %d %lu", path, kernel.code,
                 (unsigned long)kernel.inode, walk.code, (unsigned long)walk.inode);
    }
}

/* ---- the same by both ways --------------------------------------------------------------------
 */

static void test_corpus(void **state)
{
    struct place *const place = *state;
    const int root = open(place->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    size_t n_found = 0;

    for (size_t i = 0; i < N_PATHS; i++) {
        const struct answer kernel = ask_one(fe_dir_open_by_kernel, root, PATHS[i]);
        const struct answer walk = ask_one(fe_dir_open_by_walk, root, PATHS[i]);

        assert_same(PATHS[i], kernel, walk);
        n_found += walk.code == 0;
    }
    assert_in_range(n_found, 30, N_PATHS - 50); /* it is about both */
    close(root);
}

/* A tree of directories, files and links at random, and paths at random through it. */
static const char *random_path(const struct fe_rng *rng, char path[64])
{
    static const char *const names[] = {"a", "b", "c", "d", "..", ".", "", "..", "a", "b"};
    const uint32_t n = 1 + fe_rng_below(rng, 6);
    size_t len = 0;

    for (uint32_t i = 0; i < n; i++) {
        len += (size_t)snprintf(path + len, 64 - len, "%s%s", i > 0 ? "/" : "",
                                names[fe_rng_below(rng, 10)]);
    }
    return len > 0 ? path : ".";
}

static void make_random(const struct fe_rng *rng, int root)
{
    char path[64];
    char target[64];

    for (int i = 0; i < 40; i++) {
        random_path(rng, path);
        switch (fe_rng_below(rng, 4)) {
        case 0:
            (void)mkdirat(root, path, 0755);
            break;
        case 1: {
            const int fd = openat(root, path, O_CREAT | O_WRONLY | O_EXCL | O_CLOEXEC, 0644);
            if (fd >= 0) {
                close(fd);
            }
            break;
        }
        default:
            if (symlinkat(random_path(rng, target), root, path) != 0) {
                assert_int_not_equal(errno, ENOSPC);
            }
            break;
        }
    }
}

static void test_random(void **state)
{
    enum { TREES = 30, TRIES = 300 };
    struct fe_rng_seeded seeded;
    const struct fe_rng rng = fe_rng_from_seed(&seeded, 19);
    char path[64];

    (void)state;
    for (int tree = 0; tree < TREES; tree++) {
        struct temp_dir dir;
        int root;

        /* Links that lead out come to an outer directory of the test's own. */
        temp_dir_make(&dir);
        temp_dir_subdir(&dir, "x");
        temp_dir_subdir(&dir, "x/x");
        temp_dir_subdir(&dir, "x/x/x");
        temp_dir_subdir(&dir, "x/x/x/x");
        temp_dir_subdir(&dir, "x/x/x/x/x");
        temp_dir_subdir(&dir, "x/x/x/x/x/x");
        temp_dir_subdir(&dir, "x/x/x/x/x/x/www");
        root = open(temp_dir_path(&dir, "x/x/x/x/x/x/www"), O_PATH | O_DIRECTORY | O_CLOEXEC);
        assert_true(root >= 0);
        make_random(&rng, root);
        for (int i = 0; i < TRIES; i++) {
            const char *const at = random_path(&rng, path);

            assert_same(at, ask_one(fe_dir_open_by_kernel, root, at),
                        ask_one(fe_dir_open_by_walk, root, at));
        }
        close(root);
        temp_dir_remove(&dir);
    }
}

static void test_long(void **state)
{
    struct place *const place = *state;
    const int root = open(place->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    char path[5000];

    memset(path, 'a', sizeof(path));
    for (size_t len = 1; len < sizeof(path); len += len < 4090 && len > 300 ? 600 : 1) {
        path[len] = '\0';
        assert_same("aaa…", ask_one(fe_dir_open_by_kernel, root, path),
                    ask_one(fe_dir_open_by_walk, root, path));
        path[len] = 'a';
    }
    for (size_t i = 0; i + 2 <= 4090; i += 2) {
        memcpy(path + i, "./", 2);
    }
    memcpy(path + 4080, "hello", 6);
    assert_int_equal(ask_one(fe_dir_open_by_walk, root, path).code, 0);
    close(root);
}

/* ---- refused ----------------------------------------------------------------------------------
 */

/* In a child, as there is no way back: does the whole answer what the parent has found? */
static void check_refused(struct place *place, int error)
{
    struct answer expected[N_PATHS];
    int status;
    pid_t pid;

    assert_null(fe_dir_beneath_refusal());
    for (size_t i = 0; i < N_PATHS; i++) {
        expected[i] = ask(place->root, PATHS[i]);
    }
    pid = fork();
    if (pid == 0) {
        if (refuse_call(SYS_openat2, error) != 0) {
            _exit(100);
        }
        if (fe_dir_beneath_refusal() == NULL ||
            strcmp(fe_dir_beneath_refusal(), strerror(error)) != 0) {
            _exit(101);
        }
        for (size_t i = 0; i < N_PATHS; i++) {
            const struct answer found = ask(place->root, PATHS[i]);

            if (found.code != expected[i].code || found.inode != expected[i].inode) {
                fprintf(stderr, "'%s': %d, not %d\n", PATHS[i], found.code, expected[i].code);
                _exit(102);
            }
        }
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_refused(void **state)
{
    check_refused(*state, EPERM);
    check_refused(*state, ENOSYS);
}

/* ---- races ------------------------------------------------------------------------------------
 */

struct swapper {
    int root;
    const char *one;
    const char *other;
    atomic_bool is_over;
    bool is_swapped;
};

static void *swap(void *arg)
{
    struct swapper *const swapper = arg;

    /* Until both are where they were: the next race is about other names. */
    while (!atomic_load(&swapper->is_over) || swapper->is_swapped) {
        if (syscall(SYS_renameat2, swapper->root, swapper->one, swapper->root, swapper->other,
                    2 /* RENAME_EXCHANGE */) != 0) {
            return swapper;
        }
        swapper->is_swapped = !swapper->is_swapped;
    }
    return NULL;
}

/* While `one` and `other` change places all the time, `path` is never the file outside. */
static void race(struct place *place, const char *path, const char *one, const char *other)
{
    enum {
        TRIES = 4000,
        TRIES_MAX = 100 * TRIES
    }; /* the other thread may rest while they are swapped */
    struct stat secret;
    struct swapper swapper = {open(place->root, O_PATH | O_DIRECTORY | O_CLOEXEC), one, other,
                              false, false};
    pthread_t thread;
    void *failed;
    int n_found = 0;

    assert_int_equal(stat(temp_dir_path(&place->dir, "secret"), &secret), 0);
    assert_int_equal(pthread_create(&thread, NULL, swap, &swapper), 0);
    for (int i = 0; i < TRIES || (n_found == 0 && i < TRIES_MAX); i++) {
        const struct answer walk = ask_one(fe_dir_open_by_walk, swapper.root, path);

        assert_int_not_equal(walk.inode, secret.st_ino);
        n_found += walk.code == 0;
    }
    atomic_store(&swapper.is_over, true);
    pthread_join(thread, &failed);
    assert_null(failed);
    assert_true(n_found > 0);
    close(swapper.root);
}

static void test_races(void **state)
{
    struct place *const place = *state;

    temp_dir_write(&place->dir, "file", "outside", 7);
    temp_dir_write(&place->dir, "www/secret", "inside", 6);
    /* A directory and a link out of the root; a file and a link to the one outside; a directory
     * that moves up, so that its ".." is another one. */
    race(place, "sub/file", "sub", "escape");
    race(place, "secret", "secret", "escape_file");
    race(place, "deep/a/b/../../../secret", "deep/a/b", "sub");
    race(place, "deep/a/../../hello", "deep/a", "../www/closed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_corpus, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_races, setup, teardown),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
