#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ground/base/list.h"
#include "ground/base/rng.h"
#include "ground/base/timer.h"

enum { N = 200, RANDOM_STEPS = 5000 };

struct alarm {
    struct fe_timer timer;
    struct fe_timers *timers;
    unsigned n_fired;
    uint64_t wanted_ms; /* when it is to fire */
    uint64_t again_ms;  /* where its call re-arms it; 0: not */
};

static void on_alarm(struct fe_timer *timer)
{
    struct alarm *alarm = FE_CONTAINER_OF(timer, struct alarm, timer);

    assert_false(fe_timer_is_armed(timer));
    alarm->n_fired++;
    if (alarm->again_ms != 0) {
        assert_int_equal(fe_timer_start(alarm->timers, timer, alarm->again_ms), 0);
    }
}

static void alarm_init(struct alarm *alarm, struct fe_timers *timers)
{
    *alarm = (struct alarm){.timers = timers, .wanted_ms = FE_TIME_NEVER};
    fe_timer_init(&alarm->timer, on_alarm);
}

static void it_fires_once_when_due(void **state)
{
    struct fe_timers timers;
    struct alarm alarm;

    (void)state;
    fe_timers_init(&timers);
    alarm_init(&alarm, &timers);
    assert_int_equal(fe_timers_next(&timers), FE_TIME_NEVER);
    assert_false(fe_timer_is_armed(&alarm.timer));
    fe_timer_stop(&timers, &alarm.timer);
    assert_int_equal(fe_timer_start(&timers, &alarm.timer, 100), 0);
    assert_true(fe_timer_is_armed(&alarm.timer));
    assert_int_equal(fe_timers_next(&timers), 100);
    fe_timers_run(&timers, 99);
    assert_int_equal(alarm.n_fired, 0);
    fe_timers_run(&timers, 100);
    fe_timers_run(&timers, 1000);
    assert_int_equal(alarm.n_fired, 1);
    assert_int_equal(fe_timers_next(&timers), FE_TIME_NEVER);
    fe_timers_deinit(&timers);
    assert_int_equal(fe_timer_start(&timers, &alarm.timer, 100), 0); /* as at the beginning */
    fe_timers_deinit(&timers);
}

static void it_can_be_pushed_ahead_and_pulled_back(void **state)
{
    struct fe_timers timers;
    struct alarm alarm;

    (void)state;
    fe_timers_init(&timers);
    alarm_init(&alarm, &timers);
    assert_int_equal(fe_timer_start(&timers, &alarm.timer, 100), 0);
    assert_int_equal(fe_timer_start(&timers, &alarm.timer, 300), 0);
    assert_true(fe_timers_next(&timers) <= 300);
    fe_timers_run(&timers, 200);
    assert_int_equal(alarm.n_fired, 0);
    assert_int_equal(fe_timers_next(&timers), 300);
    assert_int_equal(fe_timer_start(&timers, &alarm.timer, 250), 0);
    fe_timers_run(&timers, 250);
    assert_int_equal(alarm.n_fired, 1);
    fe_timers_deinit(&timers);
}

/* A timer that re-arms itself for the past must not keep the loop. */
static void what_is_armed_in_a_call_waits_for_the_next_run(void **state)
{
    struct fe_timers timers;
    struct alarm alarm;

    (void)state;
    fe_timers_init(&timers);
    alarm_init(&alarm, &timers);
    alarm.again_ms = 5;
    assert_int_equal(fe_timer_start(&timers, &alarm.timer, 10), 0);
    fe_timers_run(&timers, 50);
    assert_int_equal(alarm.n_fired, 1);
    assert_int_equal(fe_timers_next(&timers), 51);
    fe_timers_run(&timers, 51);
    assert_int_equal(alarm.n_fired, 2);
    fe_timer_stop(&timers, &alarm.timer);
    fe_timers_deinit(&timers);
}

static void free_neighbour(struct fe_timer *timer)
{
    struct alarm *alarm = FE_CONTAINER_OF(timer, struct alarm, timer);
    struct alarm *neighbour = alarm + 1;

    alarm->n_fired++;
    fe_timer_stop(alarm->timers, &neighbour->timer);
    memset(&neighbour->timer, 0xff, sizeof(neighbour->timer));
}

static void a_call_may_stop_and_free_others(void **state)
{
    struct fe_timers timers;
    struct alarm alarms[2];

    (void)state;
    fe_timers_init(&timers);
    alarm_init(&alarms[0], &timers);
    alarm_init(&alarms[1], &timers);
    alarms[0].timer.fn = free_neighbour;
    assert_int_equal(fe_timer_start(&timers, &alarms[0].timer, 1), 0);
    assert_int_equal(fe_timer_start(&timers, &alarms[1].timer, 2), 0);
    fe_timers_run(&timers, 10);
    assert_int_equal(alarms[0].n_fired, 1);
    assert_int_equal(alarms[1].n_fired, 0);
    fe_timers_deinit(&timers);
}

static void check_all(struct alarm *alarms, uint64_t now_ms)
{
    for (unsigned i = 0; i < N; i++) {
        bool is_due = alarms[i].wanted_ms <= now_ms;

        assert_int_equal(alarms[i].n_fired, is_due ? 1 : 0);
        if (is_due) {
            alarms[i].n_fired = 0;
            alarms[i].wanted_ms = FE_TIME_NEVER;
        }
    }
}

/* Beside a plain array of deadlines. */
static void random_starts_and_stops(void **state)
{
    static struct alarm alarms[N];
    struct fe_rng_seeded seeded;
    struct fe_rng rng = fe_rng_from_seed(&seeded, 3);
    struct fe_timers timers;
    uint64_t now_ms = 0;

    (void)state;
    fe_timers_init(&timers);
    for (unsigned i = 0; i < N; i++) {
        alarm_init(&alarms[i], &timers);
    }
    for (unsigned step = 0; step < RANDOM_STEPS; step++) {
        struct alarm *alarm = &alarms[fe_rng_below(&rng, N)];

        if (fe_rng_below(&rng, 4) == 0) {
            alarm->wanted_ms = FE_TIME_NEVER;
            fe_timer_stop(&timers, &alarm->timer);
        } else {
            alarm->wanted_ms = now_ms + 1 + fe_rng_below(&rng, 1000);
            assert_int_equal(fe_timer_start(&timers, &alarm->timer, alarm->wanted_ms), 0);
        }
        if (fe_rng_below(&rng, 3) == 0) {
            now_ms += fe_rng_below(&rng, 20);
            fe_timers_run(&timers, now_ms);
            check_all(alarms, now_ms);
        }
    }
    fe_timers_deinit(&timers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_fires_once_when_due),
        cmocka_unit_test(it_can_be_pushed_ahead_and_pulled_back),
        cmocka_unit_test(what_is_armed_in_a_call_waits_for_the_next_run),
        cmocka_unit_test(a_call_may_stop_and_free_others),
        cmocka_unit_test(random_starts_and_stops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
