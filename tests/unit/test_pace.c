/* web/http/pace.c: how slow is too slow, to the byte and the millisecond. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "web/http/pace.h"

enum { RATE = 256, GRACE_MS = 30000, STEP_MS = GRACE_MS / FE_PACE_STEPS };

static const struct fe_pace_limit limit = {RATE, GRACE_MS};

/* Steps in each of which so many bytes move; the number of the one behind which it is too slow,
 * from 1; 0: it is not. */
static unsigned run(struct fe_pace *pace, unsigned n_steps, uint64_t n_bytes)
{
    for (unsigned i = 1; i <= n_steps; i++) {
        if (fe_pace_add(pace, &limit, STEP_MS, n_bytes)) {
            return i;
        }
    }
    return 0;
}

static void test_at_the_rate(void **state)
{
    struct fe_pace pace = {0};

    (void)state;
    assert_int_equal(run(&pace, 10000, RATE * STEP_MS / 1000), 0);
}

static void test_just_under_the_rate(void **state)
{
    struct fe_pace pace = {0};

    (void)state;
    assert_int_equal(run(&pace, FE_PACE_STEPS - 1, RATE * STEP_MS / 1000), 0);
    assert_true(fe_pace_add(&pace, &limit, STEP_MS, RATE * STEP_MS / 1000 - 1));
}

/* Nothing at all is allowed for as long as the grace, and not longer. */
static void test_grace(void **state)
{
    struct fe_pace pace = {0};

    (void)state;
    for (unsigned ms = 1; ms < GRACE_MS; ms++) {
        assert_false(fe_pace_add(&pace, &limit, 1, 0));
    }
    assert_true(fe_pace_add(&pace, &limit, 1, 0));
}

/* What has moved before it was waited for counts for as long as the grace, too. */
static void test_fast_and_then_slow(void **state)
{
    struct fe_pace pace = {0};

    (void)state;
    assert_false(fe_pace_add(&pace, &limit, 0, UINT64_MAX));
    assert_false(fe_pace_add(&pace, &limit, 0, UINT64_MAX)); /* as many as fit */
    assert_int_equal(run(&pace, 100, 1), FE_PACE_STEPS + 1);
}

/* All that is due at once, in the last moment of each grace. */
static void test_bursts(void **state)
{
    struct fe_pace pace = {0};

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(run(&pace, FE_PACE_STEPS - 1, 0), 0);
        assert_false(fe_pace_add(&pace, &limit, STEP_MS, RATE * GRACE_MS / 1000));
    }
    assert_int_equal(run(&pace, FE_PACE_STEPS - 1, 0), 0);
    assert_true(fe_pace_add(&pace, &limit, STEP_MS, RATE * GRACE_MS / 1000 - 1));
}

/* Time in which nothing waits does not pass, however long, and forgives nothing either. */
static void test_idle_gaps(void **state)
{
    struct fe_pace pace = {0};

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        assert_false(fe_pace_add(&pace, &limit, 0, 0));
    }
    assert_int_equal(run(&pace, FE_PACE_STEPS - 1, 0), 0);
    for (unsigned i = 0; i < 100000; i++) {
        assert_false(fe_pace_add(&pace, &limit, 0, 0));
    }
    assert_int_equal(run(&pace, 1, 0), 1);
}

/* A look that comes late, by any time, is one step. */
static void test_clock_jumps(void **state)
{
    struct fe_pace pace = {0};

    (void)state;
    for (unsigned i = 1; i < FE_PACE_STEPS; i++) {
        assert_false(fe_pace_add(&pace, &limit, UINT64_MAX, 0));
    }
    assert_true(fe_pace_add(&pace, &limit, UINT64_MAX, 0));
}

static void test_no_rate(void **state)
{
    const struct fe_pace_limit none = {0, GRACE_MS};
    struct fe_pace pace = {0};

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        assert_false(fe_pace_add(&pace, &none, STEP_MS, 0));
    }
}

/* Steps are not shorter than the clock's, and the largest rate has room. */
static void test_bounds(void **state)
{
    const struct fe_pace_limit shortest = {1000, 1};
    const struct fe_pace_limit largest = {UINT64_C(1) << 30, 3600 * 1000};
    struct fe_pace pace = {0};

    (void)state;
    assert_int_equal(fe_pace_step_ms(1), 1);
    assert_int_equal(fe_pace_step_ms(GRACE_MS), STEP_MS);
    for (unsigned i = 1; i < FE_PACE_STEPS; i++) {
        assert_false(fe_pace_add(&pace, &shortest, 1, 1));
    }
    assert_false(fe_pace_add(&pace, &shortest, 1, 1));
    assert_true(fe_pace_add(&pace, &shortest, 1, 0));
    fe_pace_reset(&pace);
    for (unsigned i = 1; i < FE_PACE_STEPS; i++) {
        assert_false(fe_pace_add(&pace, &largest, 600 * 1000, UINT32_MAX));
    }
    assert_true(fe_pace_add(&pace, &largest, 600 * 1000, UINT32_MAX));
}

static void test_reset(void **state)
{
    struct fe_pace pace = {0};

    (void)state;
    assert_int_equal(run(&pace, 100, 0), FE_PACE_STEPS);
    fe_pace_reset(&pace);
    assert_int_equal(run(&pace, 100, 0), FE_PACE_STEPS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_at_the_rate), cmocka_unit_test(test_just_under_the_rate),
        cmocka_unit_test(test_grace),       cmocka_unit_test(test_fast_and_then_slow),
        cmocka_unit_test(test_bursts),      cmocka_unit_test(test_idle_gaps),
        cmocka_unit_test(test_clock_jumps), cmocka_unit_test(test_no_rate),
        cmocka_unit_test(test_bounds),      cmocka_unit_test(test_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
