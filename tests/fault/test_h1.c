/* Each allocation of a connection's life fails in turn: what the client reads is then a prefix of
 * what it should have read, or an answer that says so, and every handler has heard of its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/fault.h"
#include "support/h1_rig.h"

#define EXPECTED                                                                                   \
    H1_HELLO "HTTP/1.1 200 OK\r\n" H1_DATE "transfer-encoding: chunked\r\n\r\n"                    \
             "3\r\nabc\r\n3\r\ndef\r\n0\r\nx-a: b\r\nx-b: c\r\n\r\n" H1_HELLO

/* How much of `expected` the client has read before anything else. */
static size_t common_prefix(const char *read, const char *expected)
{
    size_t n = 0;

    while (expected[n] != '\0' && read[n] == expected[n]) {
        n++;
    }
    return n;
}

static bool run_requests(struct h1_rig *rig)
{
    if (!h1_rig_init(rig)) {
        return false;
    }
    h1_rig_feed(rig, "GET /hello HTTP/1.1\r\nHo");
    h1_rig_feed(rig, "st: h\r\n\r\n");
    h1_rig_feed(rig, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "3\r\nabc\r\n3\r");
    h1_rig_feed(rig, "\ndef\r\n0\r\nx-a: b\r\n");
    h1_rig_feed(rig, "x-b: c\r\n\r\nGET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    while (h1_rig_take(rig, SIZE_MAX) > 0) {
    }
    return true;
}

static void test_requests(void **state)
{
    static struct h1_rig rig;

    (void)state;
    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        bool is_there = run_requests(&rig);
        bool has_failed = fe_fault_disarm();

        if (is_there) {
            size_t n = common_prefix(rig.output, EXPECTED);
            bool is_whole = strcmp(rig.output, EXPECTED) == 0;

            assert_true(has_failed || is_whole);
            assert_true(is_whole || rig.output[n] == '\0' || strstr(rig.output, " 503 ") != NULL);
        }
        h1_rig_deinit(&rig);
        assert_null(rig.ex);
    }
}

/* Input that waits behind a running exchange needs memory too. */
static void test_held(void **state)
{
    static struct h1_rig rig;

    (void)state;
    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        if (h1_rig_init(&rig)) {
            h1_rig_feed(&rig, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n"
                              "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
            if (rig.ex != NULL && h1_rig_respond(&rig, 200, 0, NULL, NULL) == 0) {
                struct fe_exchange *ex = rig.ex;

                rig.ex = NULL;
                fe_exchange_finish(ex, NULL);
                h1_rig_pass(&rig, 0);
            }
        }
        (void)fe_fault_disarm();
        h1_rig_deinit(&rig);
        assert_null(rig.ex);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_held),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
