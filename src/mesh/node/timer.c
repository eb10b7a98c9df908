/* Timers of the application's on the node's clock.
 *
 *     start ──▶ ARMED ── fires ──▶ ARMED, if it has a period ──▶ ...
 *                 │  └── fires, without one ──▶ IDLE ◀── the node cancels what runs ── ARMED
 *                 └───────────────┬──────────────┘
 *                              stop, or the node is freed ──▶ (freed)
 *
 * They fire on the node's thread, and are armed and stopped there: so a timer that was stopped does
 * not run. Once the node takes no tasks any more none is armed, and any thread may free them. */
#include <stdlib.h>

#include "ground/base/assert.h"
#include "mesh/node/sync_task.h"

enum { TIMERS_MAX = 131072 }; /* one for each request that a node may keep, and some */

struct flatend_timer {
    struct fe_list link; /* in the node's, under its lock */
    struct flatend_node *node;
    struct fe_timer timer;
    uint64_t due_ms;     /* when it fires next, or did last */
    uint64_t period_ms;  /* 0: it fires once */
    flatend_timer_fn fn; /* NULL: `events` are told */
    void *arg;
    struct fe_event_source events;
};

/* In step with the first time, and later than now. */
static void arm_again(struct flatend_timer *timer)
{
    struct fe_worker *worker = timer->node->worker;
    const uint64_t now_ms = fe_worker_now(worker);
    const uint64_t late_ms = now_ms > timer->due_ms ? now_ms - timer->due_ms : 0;
    int code;

    timer->due_ms += (late_ms / timer->period_ms + 1) * timer->period_ms;
    code = fe_timer_start(fe_worker_timers(worker), &timer->timer, timer->due_ms);
    FE_ASSERT(code == 0, "a timer that has just fired has a place in the heap");
    (void)code;
}

static void on_timer(struct fe_timer *fired)
{
    struct flatend_timer *timer = FE_CONTAINER_OF(fired, struct flatend_timer, timer);

    if (timer->period_ms > 0) {
        arm_again(timer);
    }
    if (timer->fn == NULL) {
        fe_event_post(&timer->events, timer->node->worker, FLATEND_EVENT_TIMER, 0);
        return;
    }
    timer->fn(timer->arg); /* which may stop it */
}

/* ---- starting ---- */

struct starting {
    struct fe_sync_task sync_task;
    struct flatend_timer *timer;
    unsigned delay_ms;
    int code;
};

static int enlist(struct flatend_timer *timer)
{
    struct flatend_node *node = timer->node;
    int code = 0;

    fe_mutex_lock(&node->lock);
    if (!node->accepts_tasks) {
        code = FLATEND_ECANCELED; /* of the node's own thread, while it closes */
    } else if (node->n_timers == TIMERS_MAX) {
        code = FLATEND_ELIMIT;
    } else {
        fe_list_push_back(&node->timers, &timer->link);
        node->n_timers++;
    }
    fe_mutex_unlock(&node->lock);
    return code;
}

static void delist(struct flatend_timer *timer)
{
    struct flatend_node *node = timer->node;

    fe_mutex_lock(&node->lock);
    FE_ASSERT(node->n_timers > 0, "timers are counted");
    fe_list_remove(&timer->link);
    node->n_timers--;
    fe_mutex_unlock(&node->lock);
}

static void run_start(struct fe_sync_task *sync_task)
{
    struct starting *starting = FE_CONTAINER_OF(sync_task, struct starting, sync_task);
    struct flatend_timer *timer = starting->timer;
    struct fe_worker *worker = timer->node->worker;

    starting->code = enlist(timer);
    if (starting->code != 0) {
        return;
    }
    timer->due_ms = fe_worker_now(worker) + starting->delay_ms;
    starting->code = fe_timer_start(fe_worker_timers(worker), &timer->timer, timer->due_ms);
    if (starting->code != 0) {
        delist(timer);
    }
}

static void timer_free(struct flatend_timer *timer)
{
    fe_event_source_detach(&timer->events);
    free(timer);
}

static int start(struct flatend_timer *timer, unsigned delay_ms, struct flatend_timer **out)
{
    struct starting starting = {.sync_task.run = run_start, .timer = timer, .delay_ms = delay_ms};
    int code = fe_node_run(timer->node, &starting.sync_task);

    if (code == 0) {
        code = starting.code;
    }
    if (code != 0) {
        timer_free(timer);
        return code;
    }
    *out = timer;
    return 0;
}

static struct flatend_timer *timer_new(struct flatend_node *node, unsigned period_ms)
{
    struct flatend_timer *timer = calloc(1, sizeof(*timer));

    if (timer == NULL) {
        return NULL;
    }
    timer->node = node;
    timer->period_ms = period_ms;
    fe_list_init(&timer->link);
    fe_timer_init(&timer->timer, on_timer);
    fe_event_source_init(&timer->events);
    timer->events.node = node;
    return timer;
}

/* A timer for `out`, to be started; there is something that it calls or tells. */
static int make(struct flatend_node *node, unsigned period_ms, bool has_target,
                struct flatend_timer **out, struct flatend_timer **timer)
{
    int code = fe_node_check_call(node);

    if (out != NULL) {
        *out = NULL;
    }
    if (code == 0 && (!has_target || out == NULL)) {
        code = FLATEND_EINVAL;
    }
    if (code != 0) {
        return code;
    }
    *timer = timer_new(node, period_ms);
    return *timer != NULL ? 0 : FLATEND_ENOMEM;
}

int flatend_timer_start(struct flatend_node *node, unsigned delay_ms, unsigned period_ms,
                        flatend_timer_fn fn, void *arg, struct flatend_timer **out)
{
    struct flatend_timer *timer;
    int code = make(node, period_ms, fn != NULL, out, &timer);

    if (code != 0) {
        return code;
    }
    timer->fn = fn;
    timer->arg = arg;
    return start(timer, delay_ms, out);
}

int flatend_timer_start_queued(struct flatend_node *node, unsigned delay_ms, unsigned period_ms,
                               struct flatend_queue *queue, void *arg, struct flatend_timer **out)
{
    struct flatend_timer *timer;
    int code = make(node, period_ms, queue != NULL, out, &timer);

    if (code != 0) {
        return code;
    }
    code = fe_queue_bind(queue, node->guard);
    if (code != 0) {
        timer_free(timer);
        return code;
    }
    fe_event_source_attach(&timer->events, queue, arg);
    return start(timer, delay_ms, out);
}

/* ---- stopping ---- */

struct stopping {
    struct fe_sync_task sync_task;
    struct flatend_timer *timer;
};

static void run_stop(struct fe_sync_task *sync_task)
{
    struct flatend_timer *timer = FE_CONTAINER_OF(sync_task, struct stopping, sync_task)->timer;

    fe_timer_stop(fe_worker_timers(timer->node->worker), &timer->timer);
    fe_event_source_detach(&timer->events); /* here, where a callback may be told of it */
}

void flatend_timer_stop(struct flatend_timer *timer)
{
    struct stopping stopping = {.sync_task.run = run_stop, .timer = timer};

    if (timer == NULL || fe_node_check_call(timer->node) != 0) {
        return;
    }
    if (fe_node_run(timer->node, &stopping.sync_task) != 0) {
        FE_ASSERT(!fe_timer_is_armed(&timer->timer), "a node that takes no tasks has no timers");
    }
    delist(timer);
    timer_free(timer);
}

void fe_node_stop_timers(struct flatend_node *node)
{
    struct fe_timers *timers = fe_worker_timers(node->worker);

    fe_mutex_lock(&node->lock);
    FE_LIST_FOREACH (link, next, &node->timers) {
        fe_timer_stop(timers, &FE_CONTAINER_OF(link, struct flatend_timer, link)->timer);
    }
    fe_mutex_unlock(&node->lock);
}

void fe_node_free_timers(struct flatend_node *node)
{
    struct fe_list *link;

    while ((link = fe_list_pop_front(&node->timers)) != NULL) {
        timer_free(FE_CONTAINER_OF(link, struct flatend_timer, link));
    }
}
