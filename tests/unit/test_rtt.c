/* The round-trip time of a link. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mesh/net/rtt.h"

static void test_first_and_later(void **state)
{
    struct fe_rtt rtt = {0};

    (void)state;
    fe_rtt_on_ping(&rtt, 1000);
    assert_false(rtt.is_known);
    fe_rtt_on_pong(&rtt, 1040);
    assert_true(rtt.is_known);
    assert_int_equal(rtt.smoothed_us, 40000);
    assert_int_equal(rtt.min_us, 40000);
    fe_rtt_on_ping(&rtt, 2000);
    fe_rtt_on_pong(&rtt, 2120);
    assert_int_equal(rtt.smoothed_us, (7 * 40000 + 120000) / 8);
    assert_int_equal(rtt.min_us, 40000);
    fe_rtt_on_ping(&rtt, 3000);
    fe_rtt_on_pong(&rtt, 3010);
    assert_int_equal(rtt.min_us, 10000);
}

/* The first answer is that of the first ping; those behind it say nothing. */
static void test_pings_that_overlap(void **state)
{
    struct fe_rtt rtt = {0};

    (void)state;
    fe_rtt_on_ping(&rtt, 1000);
    fe_rtt_on_ping(&rtt, 1090);
    fe_rtt_on_pong(&rtt, 1100);
    fe_rtt_on_pong(&rtt, 5000);
    assert_int_equal(rtt.n_waiting, 0);
    assert_int_equal(rtt.smoothed_us, 100000);
    assert_int_equal(rtt.min_us, 100000);
}

static void test_answers_to_nothing(void **state)
{
    struct fe_rtt rtt = {0};

    (void)state;
    fe_rtt_on_pong(&rtt, 1000);
    assert_false(rtt.is_known);
    assert_int_equal(rtt.n_waiting, 0);
    fe_rtt_on_ping(&rtt, 1000);
    fe_rtt_on_pong(&rtt, 1001);
    fe_rtt_on_pong(&rtt, 9000);
    assert_int_equal(rtt.smoothed_us, 1000);
}

static void test_endless(void **state)
{
    struct fe_rtt rtt = {0};

    (void)state;
    fe_rtt_on_ping(&rtt, 0);
    fe_rtt_on_pong(&rtt, UINT64_MAX);
    assert_int_equal(rtt.smoothed_us, FE_RTT_MAX_MS * 1000U);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_and_later),
        cmocka_unit_test(test_pings_that_overlap),
        cmocka_unit_test(test_answers_to_nothing),
        cmocka_unit_test(test_endless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
