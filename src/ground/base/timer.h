/* Timers on a time that is handed in: a binary heap of deadlines. Its owner gets the next deadline,
 * waits by its own means, and runs what is due.
 *
 * Re-arming to a later time is cheap (O(1)): a timer that a transfer pushes ahead with every byte
 * costs nothing until it would have fired. */
#ifndef FE_GROUND_BASE_TIMER_H
#define FE_GROUND_BASE_TIMER_H

#include "ground/base/err.h"

#define FE_TIME_NEVER UINT64_MAX

/* A timeout of 0 is none. */
static inline uint64_t fe_deadline(uint64_t now_ms, uint64_t timeout_ms)
{
    return timeout_ms == 0 ? FE_TIME_NEVER : now_ms + timeout_ms;
}

static inline uint64_t fe_earlier(uint64_t a_ms, uint64_t b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

struct fe_timer;
typedef void (*fe_timer_fn)(struct fe_timer *timer);

struct fe_timer {
    fe_timer_fn fn;
    uint64_t deadline_ms; /* FE_TIME_NEVER: stopped */
    uint64_t queued_ms;   /* its key in the heap: at most deadline_ms */
    size_t index;         /* in the heap; SIZE_MAX: not there */
};

struct fe_timers {
    struct fe_timer **heap;
    size_t n;
    size_t cap;
    uint64_t earliest_ms; /* while running: what is armed meanwhile waits for the next run */
};

void fe_timers_init(struct fe_timers *timers);
void fe_timers_deinit(struct fe_timers *timers);

void fe_timer_init(struct fe_timer *timer, fe_timer_fn fn);

/* Arms or re-arms. FLATEND_ENOMEM: unchanged. A timer that is already in the heap never fails. */
int fe_timer_start(struct fe_timers *timers, struct fe_timer *timer,
                   uint64_t deadline_ms) FE_MUST_USE;

/* Harmless when not armed. After it, `timer` may be freed. */
void fe_timer_stop(struct fe_timers *timers, struct fe_timer *timer);

static inline bool fe_timer_is_armed(const struct fe_timer *timer)
{
    return timer->deadline_ms != FE_TIME_NEVER;
}

/* Invariants: of all timers, and of one with those around it. */
void fe_timers_check(const struct fe_timers *timers);
void fe_timer_check(const struct fe_timers *timers, const struct fe_timer *timer);

/* When to run next, never later than the earliest deadline; FE_TIME_NEVER when none is armed. */
uint64_t fe_timers_next(const struct fe_timers *timers);

/* Calls each timer that is due at `now_ms`, once, disarmed before its call. Timers may be started,
 * stopped and freed in the calls; what is armed there runs at `now_ms` + 1 at the earliest. */
void fe_timers_run(struct fe_timers *timers, uint64_t now_ms);

#endif
