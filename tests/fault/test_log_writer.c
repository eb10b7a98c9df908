/* A log without memory for its ring, or for itself. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ground/os/log_writer.h"
#include "support/fault.h"

enum { PATIENCE_MS = 30000, STAMP_LEN = 20 };

static bool is_refused; /* a thread */

int __real_pthread_create(void *thread, const void *attr, void *(*run)(void *), void *arg);
int __wrap_pthread_create(void *thread, const void *attr, void *(*run)(void *), void *arg);

int __wrap_pthread_create(void *thread, const void *attr, void *(*run)(void *), void *arg)
{
    return is_refused ? EAGAIN : __real_pthread_create(thread, attr, run, arg);
}

static const char *read_some(int fd, char text[2048])
{
    const ssize_t n = read(fd, text, 2047);

    assert_true(n > 0);
    text[n] = '\0';
    return text;
}

static void expect_both(int fd)
{
    char text[2048];
    const char *const second = strchr(read_some(fd, text), '\n') + 1;

    assert_string_equal(second + STAMP_LEN, "two\n");
    assert_memory_equal(text + STAMP_LEN, "one\n", 4);
}

static int write_both(int fd)
{
    struct fe_log_writer *writer;
    const int code = fe_log_writer_new(fd, &writer);

    if (code == 0) {
        fe_log_writer_put(writer, FLATEND_LOG_INFO, "one");
        fe_log_writer_put(writer, FLATEND_LOG_INFO, "two");
        fe_log_writer_free(writer, PATIENCE_MS);
    }
    return code;
}

static void lines_come_without_memory(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        const int code = write_both(ends[1]);

        if (nth == 1 && fe_fault_disarm()) { /* there is no log at all */
            assert_int_equal(code, FLATEND_ENOMEM);
            continue;
        }
        (void)fe_fault_disarm();
        assert_int_equal(code, 0);
        expect_both(ends[0]);
    }
    close(ends[0]);
    close(ends[1]);
}

static void lines_come_without_a_thread(void **state)
{
    struct fe_log_writer *writer;
    char text[2048];
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_true(fcntl(ends[1], F_SETPIPE_SZ, 4096) >= 0);
    is_refused = true;
    assert_int_equal(fe_log_writer_new(ends[1], &writer), 0);
    fe_log_writer_put(writer, FLATEND_LOG_INFO, "one");
    fe_log_writer_put(writer, FLATEND_LOG_INFO, "does not fit"); /* the pipe has one page */
    fe_log_writer_put(writer, FLATEND_LOG_INFO, "nor does this");
    assert_true(fe_log_writer_flush(writer, PATIENCE_MS));
    assert_string_equal(read_some(ends[0], text) + STAMP_LEN, "one\n");
    fe_log_writer_put(writer, FLATEND_LOG_INFO, "two"); /* lost, as the notice takes the page */
    assert_string_equal(read_some(ends[0], text) + STAMP_LEN,
                        "2 lines of this log were lost: they came faster than they were read.\n");
    is_refused = false;
    fe_log_writer_put(writer, FLATEND_LOG_INFO, "three"); /* with it the thread begins */
    assert_true(fe_log_writer_flush(writer, PATIENCE_MS));
    assert_non_null(strstr(read_some(ends[0], text), " of this log were lost: "));
    fe_log_writer_put(writer, FLATEND_LOG_INFO, "four");
    assert_true(fe_log_writer_flush(writer, PATIENCE_MS));
    assert_string_equal(read_some(ends[0], text) + STAMP_LEN, "four\n");
    fe_log_writer_free(writer, PATIENCE_MS);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_without_memory),
        cmocka_unit_test(lines_come_without_a_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
