/* Durable files: each call of the system fails in turn, and what is there is the old file or the
 * new one. The calls are wrapped (tests/CMakeLists.txt). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ground/os/file.h"
#include "support/fault.h"
#include "support/temp_dir.h"

enum { TRACE_MAX = 256, N_CALLS_MAX = 16 };

static struct {
    bool is_on;
    size_t n;          /* calls so far */
    size_t nth;        /* the one that fails */
    int number;        /* how */
    bool is_piecemeal; /* writes are interrupted, and take one byte */
    size_t n_writes;
    char trace[TRACE_MAX];
} fault;

/* Whether this call fails. */
static bool hits(const char *call)
{
    if (!fault.is_on) {
        return false;
    }
    snprintf(fault.trace + strlen(fault.trace), TRACE_MAX - strlen(fault.trace), "%s ", call);
    if (++fault.n != fault.nth) {
        return false;
    }
    errno = fault.number;
    return true;
}

static bool is_dir(int fd)
{
    struct stat st;

    assert_int_equal(fstat(fd, &st), 0);
    return S_ISDIR(st.st_mode);
}

int __real_open(const char *path, int flags, ...);
int __real_mkstemp(char *path);
ssize_t __real_write(int fd, const void *data, size_t len);
int __real_fchmod(int fd, mode_t mode);
int __real_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __real_link(const char *from, const char *to);
int __wrap_open(const char *path, int flags, ...);
int __wrap_mkstemp(char *path);
ssize_t __wrap_write(int fd, const void *data, size_t len);
int __wrap_fchmod(int fd, mode_t mode);
int __wrap_fsync(int fd);
int __wrap_rename(const char *from, const char *to);
int __wrap_link(const char *from, const char *to);

int __wrap_open(const char *path, int flags, ...)
{
    mode_t mode = 0;

    if ((flags & O_CREAT) != 0) {
        va_list args;

        va_start(args, flags);
        mode = va_arg(args, mode_t);
        va_end(args);
    }
    return hits("open") ? -1 : __real_open(path, flags, mode);
}

int __wrap_mkstemp(char *path)
{
    return hits("mkstemp") ? -1 : __real_mkstemp(path);
}

ssize_t __wrap_write(int fd, const void *data, size_t len)
{
    if (fault.is_on && fault.is_piecemeal) {
        errno = EINTR;
        return fault.n_writes++ % 2 == 0 ? -1 : __real_write(fd, data, 1);
    }
    return hits("write") ? -1 : __real_write(fd, data, len);
}

int __wrap_fchmod(int fd, mode_t mode)
{
    return hits("fchmod") ? -1 : __real_fchmod(fd, mode);
}

int __wrap_fsync(int fd)
{
    return hits(is_dir(fd) ? "fsync-dir" : "fsync") ? -1 : __real_fsync(fd);
}

int __wrap_rename(const char *from, const char *to)
{
    return hits("rename") ? -1 : __real_rename(from, to);
}

int __wrap_link(const char *from, const char *to)
{
    return hits("link") ? -1 : __real_link(from, to);
}

static void arm(size_t nth, int number)
{
    memset(&fault, 0, sizeof(fault));
    fault.is_on = true;
    fault.nth = nth;
    fault.number = number;
}

/* Whether it happened. */
static bool disarm(void)
{
    fault.is_on = false;
    return fault.n >= fault.nth;
}

/* ---- what is there -------------------------------------------------------------------------- */

static void expect_content(const char *path, const char *text)
{
    struct fe_buf buf;
    unsigned mode;

    fe_buf_init(&buf, 100);
    assert_int_equal(fe_file_read(path, &buf, &mode, NULL), 0);
    assert_int_equal(mode, 0600);
    assert_true(fe_view_equal(fe_buf_view(&buf), fe_view_str(text)));
    fe_buf_deinit(&buf);
}

static size_t count_files(struct temp_dir *dir)
{
    DIR *const listing = opendir(dir->path);
    size_t n = 0;

    assert_non_null(listing);
    while (readdir(listing) != NULL) {
        n++;
    }
    closedir(listing);
    return n - 2; /* "." and ".." */
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void a_file_is_replaced_or_stays(void **state)
{
    struct temp_dir dir;
    bool has_failed = true;

    (void)state;
    temp_dir_make(&dir);
    for (size_t nth = 1; has_failed; nth++) {
        const char *const path = temp_dir_path(&dir, "a");
        struct flatend_error err = {0};
        int code;

        assert_int_equal(fe_file_write(path, FE_VIEW_LIT("old"), FE_FILE_SECRET, NULL), 0);
        arm(nth, EIO);
        code = fe_file_write(path, FE_VIEW_LIT("new"), FE_FILE_SECRET, &err);
        has_failed = disarm();
        assert_int_equal(code, has_failed ? FLATEND_EIO : 0);
        assert_true(!has_failed || strstr(err.text, path) != NULL);
        expect_content(path, strstr(fault.trace, "rename open") != NULL ? "new" : "old");
        assert_int_equal(count_files(&dir), 1);
    }
    assert_string_equal(fault.trace, "mkstemp write fchmod fsync rename open fsync-dir ");
    temp_dir_remove(&dir);
}

static void a_file_is_made_or_not(void **state)
{
    struct temp_dir dir;
    bool has_failed = true;

    (void)state;
    temp_dir_make(&dir);
    for (size_t nth = 1; has_failed; nth++) {
        const char *const path = temp_dir_path(&dir, "a");
        struct flatend_error err = {0};
        bool is_there;
        int code;

        arm(nth, EIO);
        code = fe_file_create(path, "write it", FE_VIEW_LIT("new"), &err);
        has_failed = disarm();
        assert_int_equal(code, has_failed ? FLATEND_EIO : 0);
        assert_true(!has_failed || strstr(err.text, "write it '") == err.text);
        is_there = strstr(fault.trace, "link open") != NULL;
        assert_int_equal(count_files(&dir), is_there ? 1 : 0);
        if (is_there) {
            expect_content(path, "new");
            assert_int_equal(unlink(path), 0);
        }
    }
    assert_string_equal(fault.trace, "mkstemp write fchmod fsync link open fsync-dir ");
    temp_dir_remove(&dir);
}

/* Nothing to be synced, or not to be had: the file is there all the same. */
static void a_directory_that_cannot_be_synced(void **state)
{
    static const struct {
        size_t nth;
        int number;
    } cases[] = {{6, EACCES}, {7, EINVAL}};
    struct temp_dir dir;

    (void)state;
    temp_dir_make(&dir);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *const path = temp_dir_path(&dir, "a");

        arm(cases[i].nth, cases[i].number);
        assert_int_equal(fe_file_write(path, FE_VIEW_LIT("new"), FE_FILE_SECRET, NULL), 0);
        assert_true(disarm());
        expect_content(path, "new");
        assert_int_equal(unlink(path), 0);
    }
    temp_dir_remove(&dir);
}

static void what_is_written_in_pieces(void **state)
{
    struct temp_dir dir;
    const char *path;

    (void)state;
    temp_dir_make(&dir);
    path = temp_dir_path(&dir, "a");
    arm(N_CALLS_MAX, 0);
    fault.is_piecemeal = true;
    assert_int_equal(fe_file_write(path, FE_VIEW_LIT("in pieces"), FE_FILE_SECRET, NULL), 0);
    (void)disarm();
    assert_int_equal(fault.n_writes, 2 * strlen("in pieces"));
    expect_content(path, "in pieces");
    temp_dir_remove(&dir);
}

static void the_codes_of_the_system(void **state)
{
    static const struct {
        int number;
        int code;
    } cases[] = {
        {ENOENT, FLATEND_ENOENT}, {EROFS, FLATEND_EACCESS}, {EMFILE, FLATEND_ELIMIT},
        {ENOMEM, FLATEND_ENOMEM}, {ENOSPC, FLATEND_EIO},    {EEXIST, FLATEND_EEXIST},
    };
    struct temp_dir dir;

    (void)state;
    temp_dir_make(&dir);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct flatend_error err = {0};

        arm(1, cases[i].number);
        assert_int_equal(
            fe_file_write(temp_dir_path(&dir, "a"), FE_VIEW_LIT("new"), FE_FILE_SECRET, &err),
            cases[i].code);
        assert_true(disarm());
        assert_non_null(strstr(err.text, strerror(cases[i].number)));
    }
    temp_dir_remove(&dir);
}

static void a_file_is_read_or_not(void **state)
{
    struct temp_dir dir;
    int code = FLATEND_ENOMEM;

    (void)state;
    temp_dir_make(&dir);
    temp_dir_write(&dir, "a", "text", 4);
    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        struct flatend_error err = {0};
        struct fe_buf buf;

        fe_buf_init(&buf, 100);
        code = fe_file_read(temp_dir_path(&dir, "a"), &buf, NULL, &err);
        if (fe_fault_disarm()) {
            assert_int_equal(code, FLATEND_ENOMEM);
            assert_non_null(strstr(err.text, "out of memory"));
        }
        fe_buf_deinit(&buf);
    }
    assert_int_equal(code, 0);
    temp_dir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_replaced_or_stays),
        cmocka_unit_test(a_file_is_made_or_not),
        cmocka_unit_test(a_directory_that_cannot_be_synced),
        cmocka_unit_test(what_is_written_in_pieces),
        cmocka_unit_test(the_codes_of_the_system),
        cmocka_unit_test(a_file_is_read_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
