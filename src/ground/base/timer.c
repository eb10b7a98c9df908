#include "ground/base/timer.h"

#include <stdlib.h>

#include "ground/base/assert.h"

enum { HEAP_MIN = 16 };

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

static int grow(struct fe_timers *timers)
{
    size_t cap = timers->cap == 0 ? HEAP_MIN : timers->cap * 2;
    struct fe_timer **heap;

    if (timers->n < timers->cap) {
        return 0;
    }
    heap = realloc(timers->heap, cap * sizeof(*heap));
    if (heap == NULL) {
        return FLATEND_ENOMEM;
    }
    timers->heap = heap;
    timers->cap = cap;
    return 0;
}

int fe_timer_start(struct fe_timers *timers, struct fe_timer *timer, uint64_t deadline_ms)
{
    FE_ASSERT(deadline_ms != FE_TIME_NEVER, "a timer is started with a deadline");
    if (deadline_ms < timers->earliest_ms) {
        deadline_ms = timers->earliest_ms;
    }
    if (timer->index == SIZE_MAX) {
        int code = grow(timers);

        if (code != 0) {
            return code;
        }
        timer->deadline_ms = deadline_ms;
        timer->queued_ms = deadline_ms;
        sift_up(timers, timers->n++, timer);
        return 0;
    }
    timer->deadline_ms = deadline_ms;
    if (deadline_ms < timer->queued_ms) {
        timer->queued_ms = deadline_ms;
        sift_up(timers, timer->index, timer);
    }
    return 0;
}

static void take_out(struct fe_timers *timers, struct fe_timer *timer)
{
    size_t i = timer->index;
    struct fe_timer *last = timers->heap[--timers->n];

    timer->index = SIZE_MAX;
    if (last == timer) {
        return;
    }
    if (i > 0 && last->queued_ms < timers->heap[(i - 1) / 2]->queued_ms) {
        sift_up(timers, i, last);
    } else {
        sift_down(timers, i, last);
    }
}

void fe_timer_stop(struct fe_timers *timers, struct fe_timer *timer)
{
    if (timer->index != SIZE_MAX) {
        take_out(timers, timer);
    }
    timer->deadline_ms = FE_TIME_NEVER;
}

uint64_t fe_timers_next(const struct fe_timers *timers)
{
    return timers->n == 0 ? FE_TIME_NEVER : timers->heap[0]->queued_ms;
}

void fe_timers_run(struct fe_timers *timers, uint64_t now_ms)
{
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
}
