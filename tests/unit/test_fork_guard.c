/* A guard knows a child of its process, whether the system clears its page or not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ground/os/fork_guard.h"

enum { IS_CHILD = 7 };

/* What a child of this process, and a child of that, exit with. */
static int ask_in_child(struct fe_fork_guard *guard, int depth)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        if (depth > 1) {
            _exit(ask_in_child(guard, depth - 1));
        }
        fe_fork_guard_unref(guard); /* nothing */
        _exit(fe_fork_guard_is_child(guard) ? IS_CHILD : 0);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_children(void **state)
{
    static const bool clears[] = {true, false};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct fe_fork_guard *guard;

        assert_int_equal(fe_fork_guard_new(&guard, clears[i]), 0);
        assert_true(clears[i] || guard->kind == FE_FORK_GUARD_COMPARES);
        assert_false(fe_fork_guard_is_child(guard));
        assert_int_equal(ask_in_child(guard, 1), IS_CHILD);
        assert_int_equal(ask_in_child(guard, 2), IS_CHILD);
        assert_false(fe_fork_guard_is_child(guard));
        assert_ptr_equal(fe_fork_guard_ref(guard), guard);
        fe_fork_guard_unref(guard);
        assert_false(fe_fork_guard_is_child(guard));
        fe_fork_guard_unref(guard);
    }
}

static void test_end_of_a_child(void **state)
{
    pid_t pid = fork();
    int status;

    (void)state;
    if (pid == 0) {
        fe_fork_end_child();
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_children),
        cmocka_unit_test(test_end_of_a_child),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
