#include "mesh/async/pool.h"

#include <stdlib.h>

#include "ground/base/assert.h"
#include "ground/base/shortage.h"
#include "ground/os/clock.h"
#include "ground/os/processor.h"

/* ---- threads -------------------------------------------------------------------------------- */

/* Under the lock. Says whether an idle thread is to be signaled, which is better done outside. */
static bool wakes(struct fe_handler_pool *pool)
{
    if (pool->n_queued == 0 || pool->n_idle == 0 || pool->is_waking) {
        return false;
    }
    pool->is_waking = true;
    return true;
}

/* With the lock, which is left while the job runs. */
static void run_job(struct fe_handler_pool *pool)
{
    struct fe_list *const link = fe_list_pop_front(&pool->queue);
    struct fe_job *const job = FE_CONTAINER_OF(link, struct fe_job, link);
    bool wakes_next;

    FE_ASSERT(link != NULL && pool->n_queued > 0, "jobs that wait are counted");
    pool->n_queued--;
    pool->n_taken++;
    wakes_next = pool->n_threads - pool->n_idle < pool->n_at_once && wakes(pool);
    fe_mutex_unlock(&pool->lock);
    if (wakes_next) {
        fe_cond_signal(&pool->work);
    }
    job->run(job);
    fe_mutex_lock(&pool->lock);
}

/* With the lock. False: nothing has come for long. */
static bool wait_for_job(struct fe_handler_pool *pool)
{
    bool in_time;

    pool->n_idle++;
    in_time = fe_cond_wait_until(&pool->work, &pool->lock, fe_clock_ms() + pool->idle_ms);
    FE_ASSERT(pool->n_idle > 0 && pool->n_idle <= pool->n_threads, "threads that wait are counted");
    pool->n_idle--;
    pool->is_waking = false;
    return in_time;
}

static void *run_thread(void *arg)
{
    struct fe_pool_slot *slot = arg;
    struct fe_handler_pool *pool = slot->pool;
    bool goes_on = true;

    /* Handlers are the application's code, and what they execute inherits the mask. */
    fe_signal_mask_restore(&pool->mask);
    fe_mutex_lock(&pool->lock);
    while (goes_on || pool->n_queued > 0) {
        if (pool->n_queued > 0) {
            run_job(pool);
        } else {
            goes_on = !pool->is_stopping && wait_for_job(pool);
        }
    }
    pool->n_threads--;
    slot->has_ended = true;
    fe_mutex_unlock(&pool->lock);
    return NULL;
}

/* Under the lock. One that has ended needs it no more. */
static void join_if_ended(struct fe_pool_slot *slot)
{
    if (slot->has_ended) {
        fe_thread_join(&slot->thread);
        slot->has_ended = false;
        slot->is_started = false;
    }
}

/* Under the lock. False: there are as many as there may be, or the system has none to give. */
static bool add_thread(struct fe_handler_pool *pool)
{
    for (unsigned i = 0; i < pool->n_max; i++) {
        struct fe_pool_slot *slot = &pool->slots[i];

        join_if_ended(slot);
        if (!slot->is_started) {
            slot->pool = pool;
            if (fe_thread_start_small(&slot->thread, FE_POOL_STACK, run_thread, slot) != 0) {
                fe_shortage_hit(pool->threads, fe_worker_now(pool->worker));
                return false;
            }
            fe_shortage_pass(pool->threads, fe_worker_now(pool->worker));
            slot->is_started = true;
            pool->n_threads++;
            return true;
        }
    }
    return false;
}

/* ---- the node's thread ---------------------------------------------------------------------- */

/* False: there is no memory for it. Then the next turn that queues a job looks again. */
static bool arm_stall(struct fe_handler_pool *pool)
{
    return fe_timer_start(fe_worker_timers(pool->worker), &pool->stall,
                          fe_worker_now(pool->worker) + FE_POOL_STALL_MS) == 0;
}

static void on_turn_end(struct fe_deferred *deferred)
{
    struct fe_handler_pool *pool = FE_CONTAINER_OF(deferred, struct fe_handler_pool, wake);
    bool signals;
    bool waits;

    fe_mutex_lock(&pool->lock);
    signals = wakes(pool);
    if (!signals && pool->n_queued > 0 && pool->n_idle == 0 && pool->n_threads < pool->n_at_once) {
        (void)add_thread(pool);
    }
    waits = pool->n_queued > 0 && !fe_timer_is_armed(&pool->stall);
    if (waits) {
        pool->n_taken_before = pool->n_taken;
    }
    fe_mutex_unlock(&pool->lock);
    if (signals) {
        fe_cond_signal(&pool->work);
    }
    if (waits) {
        (void)arm_stall(pool);
    }
}

/* Under the lock: how many idle threads are to be signaled, since more jobs wait than were taken of
 * late: those that run block. If there are too few, threads are added; the more there are, the
 * more.
 */
static size_t relieve(struct fe_handler_pool *pool)
{
    const size_t n = pool->n_queued < pool->n_idle ? pool->n_queued : pool->n_idle;

    if (pool->n_taken - pool->n_taken_before >= pool->n_queued) {
        return 0;
    }
    for (size_t i = 0; i < pool->n_queued - n && i <= pool->n_threads / 2; i++) {
        if (!add_thread(pool)) {
            break;
        }
    }
    pool->is_waking = n > 0;
    return n;
}

static void on_stall(struct fe_timer *timer)
{
    struct fe_handler_pool *pool = FE_CONTAINER_OF(timer, struct fe_handler_pool, stall);
    size_t n_signals;
    bool waits;

    fe_mutex_lock(&pool->lock);
    waits = pool->n_queued > 0;
    n_signals = relieve(pool);
    pool->n_taken_before = pool->n_taken;
    fe_mutex_unlock(&pool->lock);
    for (size_t i = 0; i < n_signals; i++) {
        fe_cond_signal(&pool->work);
    }
    if (waits) {
        (void)arm_stall(pool);
    }
}

int fe_handler_pool_push(struct fe_handler_pool *pool, struct fe_worker *worker, struct fe_job *job)
{
    int code = 0;

    pool->worker = worker;
    fe_mutex_lock(&pool->lock);
    FE_ASSERT(!pool->is_stopping, "a pool that ends takes no jobs");
    if (pool->n_queued >= FE_POOL_QUEUE_MAX + (pool->n_max - pool->n_threads) ||
        (pool->n_threads == 0 && !add_thread(pool))) {
        code = FLATEND_ELIMIT;
    } else {
        FE_ASSERT(!fe_list_is_linked(&job->link), "a job waits once");
        fe_list_push_back(&pool->queue, &job->link);
        pool->n_queued++;
    }
    fe_mutex_unlock(&pool->lock);
    if (code == 0) {
        fe_worker_defer(worker, &pool->wake);
    }
    return code;
}

int fe_handler_pool_init(struct fe_handler_pool *pool, unsigned n_max)
{
    *pool = (struct fe_handler_pool){
        .idle_ms = FE_POOL_IDLE_MS, .n_max = n_max, .n_at_once = fe_processor_count()};
    fe_list_init(&pool->queue);
    fe_signal_mask_save(&pool->mask);
    fe_deferred_init(&pool->wake, on_turn_end);
    fe_timer_init(&pool->stall, on_stall);
    pool->slots = calloc(n_max, sizeof(*pool->slots));
    if (pool->slots == NULL) {
        return FLATEND_ENOMEM;
    }
    if (fe_mutex_cond_init(&pool->lock, &pool->work) != 0) {
        free(pool->slots);
        return FLATEND_ENOMEM;
    }
    return 0;
}

bool fe_handler_pool_is_own_thread(struct fe_handler_pool *pool)
{
    bool is_own = false;

    fe_mutex_lock(&pool->lock);
    for (unsigned i = 0; i < pool->n_max && !is_own; i++) {
        const struct fe_pool_slot *slot = &pool->slots[i];

        is_own = slot->is_started && !slot->has_ended && fe_thread_is_self(&slot->thread);
    }
    fe_mutex_unlock(&pool->lock);
    return is_own;
}

void fe_handler_pool_leave(struct fe_handler_pool *pool)
{
    FE_ASSERT(fe_list_is_empty(&pool->queue), "a pool that ends has run every job");
    fe_deferred_cancel(&pool->wake);
    if (pool->worker != NULL) {
        fe_timer_stop(fe_worker_timers(pool->worker), &pool->stall);
    }
}

void fe_handler_pool_deinit(struct fe_handler_pool *pool)
{
    FE_ASSERT(fe_list_is_empty(&pool->queue), "a pool that ends has run every job");
    fe_mutex_lock(&pool->lock);
    pool->is_stopping = true;
    fe_cond_broadcast(&pool->work);
    fe_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->n_max; i++) {
        if (pool->slots[i].is_started) {
            fe_thread_join(&pool->slots[i].thread);
        }
    }
    fe_cond_deinit(&pool->work);
    fe_mutex_deinit(&pool->lock);
    free(pool->slots);
}
