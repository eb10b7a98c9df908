/* A broken invariant ends the process with one line that says what was guarded. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ground/base/assert.h"

/* What a child that runs `fn` says on standard error, and how it ends. */
static int run_child(void (*fn)(void), char *text, size_t cap)
{
    int ends[2];
    ssize_t len;
    int status;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        fn();
        _exit(0);
    }
    (void)close(ends[1]);
    len = read(ends[0], text, cap - 1);
    assert_true(len >= 0);
    text[len] = '\0';
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void hold(void)
{
    FE_ASSERT(1 + 1 == 2, "sums are right");
}

static void break_one(void)
{
    FE_ASSERT(1 + 1 == 3, "sums are right");
}

static void reach(void)
{
    FE_UNREACHABLE("nobody comes here");
}

static void a_condition_that_holds_says_nothing(void **state)
{
    char text[256];

    (void)state;
    assert_int_equal(run_child(hold, text, sizeof(text)), 0);
    assert_string_equal(text, "");
}

static void a_broken_one_names_place_and_meaning(void **state)
{
    char text[256];
    int status = run_child(break_one, text, sizeof(text));

    (void)state;
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(text, "flatend: invariant violated: tests/unit/test_assert.c:"));
    assert_non_null(strstr(text, ": sums are right (1 + 1 == 3)\n"));
}

static void what_cannot_be_reached_ends_it_too(void **state)
{
    char text[256];
    int status = run_child(reach, text, sizeof(text));

    (void)state;
    assert_true(WIFSIGNALED(status));
    assert_non_null(strstr(text, "nobody comes here (unreachable)\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_condition_that_holds_says_nothing),
        cmocka_unit_test(a_broken_one_names_place_and_meaning),
        cmocka_unit_test(what_cannot_be_reached_ends_it_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
