#include "gateway/server/trimmer.h"

#include "ground/base/assert.h"
#include "ground/os/heap.h"

enum {
    MIB = 1024 * 1024,
    SMALL = 64 * MIB, /* such a process is not looked into */
    WORTH = 32 * MIB,
};

bool fe_trim_is_worth(uint64_t resident, uint64_t in_use)
{
    return resident >= SMALL && in_use < resident && resident - in_use >= WORTH &&
           resident - in_use >= resident / 4;
}

/* ---- on a thread of its own ---- */

static void *look(void *arg)
{
    struct fe_trimmer *const trimmer = arg;
    uint64_t in_use;

    trimmer->is_worth = fe_heap_in_use(&in_use) && fe_trim_is_worth(fe_heap_resident(), in_use);
    if (trimmer->is_worth && trimmer->trims) {
        fe_heap_trim();
    }
    fe_task_post(trimmer->worker, &trimmer->done);
    return NULL;
}

/* ---- on the gateway's ---- */

static void arm(struct fe_trimmer *trimmer, uint64_t after_ms)
{
    /* Without memory for a timer there is nothing to give back either. */
    (void)!fe_timer_start(fe_worker_timers(trimmer->worker), &trimmer->timer,
                          fe_worker_now(trimmer->worker) + after_ms);
}

static void on_timer(struct fe_timer *timer)
{
    struct fe_trimmer *const trimmer = FE_CONTAINER_OF(timer, struct fe_trimmer, timer);

    FE_ASSERT(!trimmer->is_looking && !trimmer->is_stopping, "one look at a time");
    trimmer->trims = trimmer->was_worth;
    if (fe_heap_resident() < SMALL) {
        trimmer->was_worth = false;
    } else {
        trimmer->is_looking = fe_thread_start(&trimmer->thread, look, trimmer) == 0;
    }
    if (!trimmer->is_looking) {
        arm(trimmer, FE_TRIM_LOOK_MS);
    }
}

static void on_done(struct fe_task *task)
{
    struct fe_trimmer *const trimmer = FE_CONTAINER_OF(task, struct fe_trimmer, done);
    const bool has_trimmed = trimmer->is_worth && trimmer->trims;

    fe_thread_join(&trimmer->thread);
    trimmer->is_looking = false;
    trimmer->was_worth = trimmer->is_worth && !has_trimmed;
    if (trimmer->is_stopping) {
        trimmer->on_stopped(trimmer->stopped_arg);
        return;
    }
    arm(trimmer, has_trimmed ? FE_TRIM_PAUSE_MS : FE_TRIM_LOOK_MS);
}

void fe_trimmer_start(struct fe_trimmer *trimmer, struct fe_worker *worker)
{
    *trimmer = (struct fe_trimmer){.worker = worker};
    fe_timer_init(&trimmer->timer, on_timer);
    fe_task_init(&trimmer->done, on_done);
    arm(trimmer, FE_TRIM_LOOK_MS);
}

bool fe_trimmer_stop(struct fe_trimmer *trimmer, void (*on_stopped)(void *arg), void *arg)
{
    FE_ASSERT(!trimmer->is_stopping, "it stops once");
    trimmer->is_stopping = true;
    trimmer->on_stopped = on_stopped;
    trimmer->stopped_arg = arg;
    if (trimmer->worker != NULL) {
        fe_timer_stop(fe_worker_timers(trimmer->worker), &trimmer->timer);
    }
    return trimmer->is_looking;
}
