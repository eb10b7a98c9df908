#include "ground/base/timer.h"

#include <stdlib.h>

#include "ground/base/array.h"
#include "ground/base/assert.h"

enum { CHECK_ALL_MAX = 256 }; /* timers that are all checked after each run */

void fe_timers_init(struct fe_timers *timers)
{
    *timers = (struct fe_timers){0};
}

void fe_timers_deinit(struct fe_timers *timers)
{
    free(timers->heap);
    fe_timers_init(timers);
}

void fe_timer_init(struct fe_timer *timer, fe_timer_fn fn)
{
    *timer = (struct fe_timer){.fn = fn, .deadline_ms = FE_TIME_NEVER, .index = SIZE_MAX};
}

static void place(struct fe_timers *timers, size_t i, struct fe_timer *timer)
{
    timers->heap[i] = timer;
    timer->index = i;
}

static void sift_up(struct fe_timers *timers, size_t i, struct fe_timer *timer)
{
    while (i > 0) {
        size_t parent = (i - 1) / 2;

        if (timers->heap[parent]->queued_ms <= timer->queued_ms) {
            break;
        }
        place(timers, i, timers->heap[parent]);
        i = parent;
    }
    place(timers, i, timer);
}

static void sift_down(struct fe_timers *timers, size_t i, struct fe_timer *timer)
{
    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= timers->n) {
            break;
        }
        if (child + 1 < timers->n &&
            timers->heap[child + 1]->queued_ms < timers->heap[child]->queued_ms) {
            child++;
        }
        if (timer->queued_ms <= timers->heap[child]->queued_ms) {
            break;
        }
        place(timers, i, timers->heap[child]);
        i = child;
    }
    place(timers, i, timer);
}

/* ---- invariants ----------------------------------------------------------------------------- */

static void check_place(const struct fe_timers *timers, size_t i)
{
    const struct fe_timer *timer = timers->heap[i];

    FE_ASSERT(timer->index == i, "a timer knows its place in the heap");
    FE_ASSERT(timer->deadline_ms != FE_TIME_NEVER, "a timer in the heap has a deadline");
    FE_ASSERT(timer->queued_ms <= timer->deadline_ms, "a timer is looked at by its deadline");
    FE_ASSERT(timer->fn != NULL, "a timer does something");
    FE_ASSERT(i == 0 || timers->heap[(i - 1) / 2]->queued_ms <= timer->queued_ms,
              "no timer is due before its parent in the heap");
}

void fe_timers_check(const struct fe_timers *timers)
{
    FE_ASSERT(timers->n <= timers->cap, "the heap has space for its timers");
    FE_ASSERT((timers->heap == NULL) == (timers->cap == 0), "the heap is where its space is");
    for (size_t i = 0; i < timers->n; i++) {
        check_place(timers, i);
    }
}

/* What changes when one timer does: its place, and those around it. */
void fe_timer_check(const struct fe_timers *timers, const struct fe_timer *timer)
{
    const size_t i = timer->index;

    if (i == SIZE_MAX) {
        FE_ASSERT(timer->deadline_ms == FE_TIME_NEVER, "a timer out of the heap is stopped");
        return;
    }
    FE_ASSERT(i < timers->n && timers->heap[i] == timer, "an armed timer is in this heap");
    check_place(timers, i);
    for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < timers->n; child++) {
        check_place(timers, child);
    }
}

/* ---- arming --------------------------------------------------------------------------------- */

int fe_timer_start(struct fe_timers *timers, struct fe_timer *timer, uint64_t deadline_ms)
{
    FE_ASSERT(deadline_ms != FE_TIME_NEVER, "a timer is started with a deadline");
    if (deadline_ms < timers->earliest_ms) {
        deadline_ms = timers->earliest_ms;
    }
    if (timer->index == SIZE_MAX) {
        const int code = FE_ARRAY_RESERVE(timers->heap, timers->n, timers->cap);

        if (code != 0) {
            return code;
        }
        timer->deadline_ms = deadline_ms;
        timer->queued_ms = deadline_ms;
        sift_up(timers, timers->n++, timer);
        FE_CHECK(fe_timer_check(timers, timer));
        return 0;
    }
    timer->deadline_ms = deadline_ms;
    if (deadline_ms < timer->queued_ms) {
        timer->queued_ms = deadline_ms;
        sift_up(timers, timer->index, timer);
    }
    FE_CHECK(fe_timer_check(timers, timer));
    return 0;
}

static void take_out(struct fe_timers *timers, struct fe_timer *timer)
{
    size_t i = timer->index;
    struct fe_timer *last;

    FE_ASSERT(i < timers->n && timers->heap[i] == timer, "a timer is stopped in its own heap");
    last = timers->heap[--timers->n];
    timer->index = SIZE_MAX;
    if (last == timer) {
        return;
    }
    if (i > 0 && last->queued_ms < timers->heap[(i - 1) / 2]->queued_ms) {
        sift_up(timers, i, last);
    } else {
        sift_down(timers, i, last);
    }
    FE_CHECK(fe_timer_check(timers, last));
}

void fe_timer_stop(struct fe_timers *timers, struct fe_timer *timer)
{
    if (timer->index != SIZE_MAX) {
        take_out(timers, timer);
    }
    timer->deadline_ms = FE_TIME_NEVER;
    FE_CHECK(fe_timer_check(timers, timer));
}

uint64_t fe_timers_next(const struct fe_timers *timers)
{
    return timers->n == 0 ? FE_TIME_NEVER : timers->heap[0]->queued_ms;
}

void fe_timers_run(struct fe_timers *timers, uint64_t now_ms)
{
    FE_ASSERT(now_ms < FE_TIME_NEVER, "time does not end");
    timers->earliest_ms = now_ms + 1;
    while (timers->n > 0 && timers->heap[0]->queued_ms <= now_ms) {
        struct fe_timer *timer = timers->heap[0];

        if (timer->deadline_ms > now_ms) {
            /* It was pushed ahead since it was queued. */
            timer->queued_ms = timer->deadline_ms;
            sift_down(timers, 0, timer);
            continue;
        }
        take_out(timers, timer);
        timer->deadline_ms = FE_TIME_NEVER;
        timer->fn(timer);
    }
    timers->earliest_ms = 0;
    if (timers->n <= CHECK_ALL_MAX) {
        FE_CHECK(fe_timers_check(timers));
    }
}
