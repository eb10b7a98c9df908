/* Listeners that cannot be opened: what was made until then is given back. libuv's call that begins
 * to poll is wrapped (tests/CMakeLists.txt), and so are allocations. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "ground/os/fd.h"
#include "ground/uv/conn.h"
#include "support/fault.h"

static bool is_failing;

int __real_uv_poll_start(uv_poll_t *poll, int events, uv_poll_cb on_ready);
int __wrap_uv_poll_start(uv_poll_t *poll, int events, uv_poll_cb on_ready);

int __wrap_uv_poll_start(uv_poll_t *poll, int events, uv_poll_cb on_ready)
{
    return is_failing ? UV_ENOMEM : __real_uv_poll_start(poll, events, on_ready);
}

static void on_close(void *owner)
{
    ++*(int *)owner;
}

static const struct fe_listener_ops ops = {.on_close = on_close};

static int open_one(struct fe_worker *worker, int *n_closed, struct fe_listener **listener)
{
    struct flatend_error err;
    struct fe_addr addr;

    assert_int_equal(fe_addr_parse(&addr, "127.0.0.1:0", NULL), 0);
    return fe_listener_open(worker, &addr, &ops, n_closed, listener, &err);
}

/* The loop closes without a handle that is left over, which fe_worker_free asserts. */
static void test_polling_fails(void **state)
{
    struct fe_worker *worker;
    struct fe_listener *listener;
    struct fe_listener *second;
    int n_closed = 0;
    int fd;

    (void)state;
    assert_int_equal(fe_worker_new(&worker, NULL), 0);
    assert_int_equal(open_one(worker, &n_closed, &listener), 0);
    fd = fe_listener_duplicate(listener);
    assert_true(fd >= 0);
    is_failing = true;
    assert_int_equal(open_one(worker, &n_closed, &second), FLATEND_ENOMEM);
    assert_null(second);
    assert_int_equal(fe_listener_adopt(worker, fd, &ops, &n_closed, &second), FLATEND_ENOMEM);
    is_failing = false;
    assert_null(second);
    assert_true(fcntl(fd, F_GETFD) >= 0); /* still the caller's */
    fe_fd_close(fd);
    fe_listener_close(listener);
    fe_worker_free(worker, NULL, NULL);
    assert_int_equal(n_closed, 1); /* those that were opened */
}

static void test_allocations_fail(void **state)
{
    (void)state;
    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        struct fe_worker *worker;
        struct fe_listener *listener = NULL;
        int n_closed = 0;

        if (fe_worker_new(&worker, NULL) == 0) {
            if (open_one(worker, &n_closed, &listener) == 0) {
                fe_listener_close(listener);
            }
            (void)fe_fault_disarm();
            fe_worker_free(worker, NULL, NULL);
            assert_int_equal(n_closed, listener != NULL ? 1 : 0);
        }
        (void)fe_fault_disarm();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_polling_fails),
        cmocka_unit_test(test_allocations_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
