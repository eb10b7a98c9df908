/* Buffer, arena, map, timers: an allocation that fails leaves them valid and as they were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ground/base/arena.h"
#include "ground/base/buf.h"
#include "ground/base/list.h"
#include "ground/base/map.h"
#include "ground/base/timer.h"
#include "support/fault.h"

enum { N_NODES = 100, N_TIMERS = 40 };

static void a_buffer_keeps_its_bytes(void **state)
{
    struct fe_buf buf;

    (void)state;
    fe_buf_init(&buf, 1 << 20);
    assert_int_equal(fe_buf_append(&buf, "abc", 3), 0);
    assert_true(fe_fault_arm(1));
    assert_int_equal(fe_buf_reserve(&buf, 100000), FLATEND_ENOMEM);
    assert_true(fe_fault_disarm());
    assert_true(fe_fault_arm(1));
    assert_int_equal(fe_buf_printf(&buf, "%10000d", 1), FLATEND_ENOMEM);
    assert_true(fe_fault_disarm());
    assert_true(fe_view_equal(fe_buf_view(&buf), FE_VIEW_LIT("abc")));
    fe_buf_deinit(&buf);
}

static void an_arena_goes_on(void **state)
{
    struct fe_arena arena;
    char *text;

    (void)state;
    fe_arena_init(&arena, 0);
    assert_true(fe_fault_arm(1));
    assert_null(fe_arena_copy(&arena, FE_VIEW_LIT("x")));
    assert_true(fe_fault_disarm());
    text = fe_arena_copy(&arena, FE_VIEW_LIT("kept"));
    assert_true(fe_fault_arm(1));
    assert_null(fe_arena_printf(&arena, "%9000d", 1));
    assert_true(fe_fault_disarm());
    assert_string_equal(text, "kept");
    assert_non_null(fe_arena_alloc(&arena, 9000));
    fe_arena_deinit(&arena);
}

/* A map that cannot grow gets slower, but what is in it is found. Only the first buckets it needs.
 */
static void a_map_needs_its_first_buckets_only(void **state)
{
    static const uint8_t seed[16] = {1};
    static struct fe_map_node nodes[N_NODES];
    static uint8_t keys[N_NODES];
    struct fe_map map;

    (void)state;
    for (size_t i = 0; i < N_NODES; i++) {
        keys[i] = (uint8_t)i;
        nodes[i].key = fe_view_of(&keys[i], 1);
    }
    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        size_t n = 0;

        fe_map_init(&map, seed);
        while (n < N_NODES && fe_map_insert(&map, &nodes[n]) == 0) {
            n++;
        }
        assert_int_equal(n, fe_fault_disarm() && nth == 1 ? 0 : N_NODES);
        for (size_t i = 0; i < n; i++) {
            assert_ptr_equal(fe_map_find(&map, nodes[i].key), &nodes[i]);
        }
        fe_map_deinit(&map);
    }
}

struct alarm {
    struct fe_timer timer;
    unsigned n_fired;
};

static void on_alarm(struct fe_timer *timer)
{
    FE_CONTAINER_OF(timer, struct alarm, timer)->n_fired++;
}

static void timers_that_were_armed_still_fire(void **state)
{
    static struct alarm all[N_TIMERS];

    (void)state;
    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        struct fe_timers timers;
        size_t n = 0;

        fe_timers_init(&timers);
        for (size_t i = 0; i < N_TIMERS; i++) {
            fe_timer_init(&all[i].timer, on_alarm);
            all[i].n_fired = 0;
        }
        while (n < N_TIMERS && fe_timer_start(&timers, &all[n].timer, 100 + n) == 0) {
            n++;
        }
        if (fe_fault_disarm()) {
            assert_true(n < N_TIMERS);
            assert_false(fe_timer_is_armed(&all[n].timer));
        }
        if (n > 0) { /* re-arming never allocates */
            assert_int_equal(fe_timer_start(&timers, &all[0].timer, 500), 0);
        }
        fe_timers_run(&timers, 1000);
        for (size_t i = 0; i < N_TIMERS; i++) {
            assert_int_equal(all[i].n_fired, i < n ? 1 : 0);
        }
        fe_timers_deinit(&timers);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_keeps_its_bytes),
        cmocka_unit_test(an_arena_goes_on),
        cmocka_unit_test(a_map_needs_its_first_buckets_only),
        cmocka_unit_test(timers_that_were_armed_still_fire),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
