#include "ground/uv/worker.h"

#include <stdlib.h>

#include "ground/base/assert.h"
#include "ground/os/fd.h"
#include "ground/os/signal_mask.h"
#include "ground/uv/loop.h"

enum { N_HANDLES = 4 };

static void on_timer(uv_timer_t *timer)
{
    struct fe_worker *worker = timer->data;

    fe_timers_run(&worker->timers, uv_now(worker->loop));
}

static void arm_timer(struct fe_worker *worker)
{
    uint64_t next = fe_timers_next(&worker->timers);
    uint64_t now = uv_now(worker->loop);

    if (next == FE_TIME_NEVER) {
        (void)uv_timer_stop(&worker->timer);
        return;
    }
    (void)uv_timer_start(&worker->timer, on_timer, next > now ? next - now : 0, 0);
}

/* An active idle handle keeps the loop from waiting in poll; it has nothing to do itself. */
static void on_again(uv_idle_t *again)
{
    (void)again;
}

/* What is left in the list is for the next turn. */
static void run_deferred(struct fe_worker *worker)
{
    struct fe_list *link;

    while ((link = fe_list_pop_front(&worker->deferred)) != NULL) {
        struct fe_deferred *deferred = FE_CONTAINER_OF(link, struct fe_deferred, link);

        deferred->fn(deferred);
    }
    fe_list_move(&worker->deferred, &worker->deferred_next);
}

/* Of the last turn, which may have had no end. */
static void finish_deferred(struct fe_worker *worker)
{
    do {
        run_deferred(worker);
    } while (!fe_list_is_empty(&worker->deferred));
}

/* The loop calls this once a turn, right before it waits for events: everything that callbacks have
 * appended since leaves here. Output appended by on_drain in here belongs to the next turn, which
 * must then come at once; so that one fast reader cannot keep the others from being read. */
static void on_turn(uv_prepare_t *turn)
{
    struct fe_worker *worker = turn->data;

    worker->n_turns++;
    run_deferred(worker);
    fe_conn_flush_all(worker);
    if (fe_list_is_empty(&worker->flush) && fe_list_is_empty(&worker->deferred)) {
        (void)uv_idle_stop(&worker->again);
    } else {
        (void)uv_idle_start(&worker->again, on_again);
    }
    arm_timer(worker);
}

static void on_wake(uv_async_t *wake)
{
    fe_tasks_run(wake->data);
}

/* Only uv_async_init can fail: it may need descriptors. */
static int init_handles(struct fe_worker *worker)
{
    int code = uv_async_init(worker->loop, &worker->wake, on_wake);

    if (code != 0) {
        return fe_uv_code(code);
    }
    (void)uv_timer_init(worker->loop, &worker->timer);
    (void)uv_prepare_init(worker->loop, &worker->turn);
    (void)uv_idle_init(worker->loop, &worker->again);
    worker->wake.data = worker;
    worker->timer.data = worker;
    worker->turn.data = worker;
    worker->again.data = worker;
    (void)uv_prepare_start(&worker->turn, on_turn);
    return 0;
}

int fe_worker_new(struct fe_worker **out, struct uv_loop_s *loop)
{
    struct fe_worker *worker = malloc(sizeof(*worker));
    int code;

    *out = NULL;
    if (worker == NULL) {
        return FLATEND_ENOMEM;
    }
    code = fe_fd_keep_standard(); /* libuv ends a process that closes one as its own */
    if (code != 0) {
        free(worker);
        return code;
    }
    memset(worker, 0, offsetof(struct fe_worker, read_buf));
    worker->loop = loop;
    if (loop == NULL) {
        code = uv_loop_init(&worker->own_loop);
        if (code != 0) {
            free(worker);
            return fe_uv_code(code);
        }
        worker->loop = &worker->own_loop;
    }
    worker->n_turns = 1;
    fe_timers_init(&worker->timers);
    fe_pool_init(&worker->pool);
    fe_list_init(&worker->flush);
    fe_list_init(&worker->deferred);
    fe_list_init(&worker->deferred_next);
    fe_list_init(&worker->tasks);
    code = fe_mutex_init(&worker->task_lock);
    if (code == 0) {
        code = init_handles(worker);
        if (code != 0) {
            fe_mutex_deinit(&worker->task_lock);
        }
    }
    if (code != 0) {
        if (loop == NULL) {
            (void)uv_loop_close(&worker->own_loop);
        }
        free(worker);
        return code;
    }
    *out = worker;
    return 0;
}

void fe_worker_tell_shortage(struct fe_worker *worker, struct fe_shortage *descriptors)
{
    worker->descriptors = descriptors;
}

void fe_worker_run(struct fe_worker *worker)
{
    FE_ASSERT(worker->loop == &worker->own_loop, "only a loop of the worker's own is run");
    fe_signals_block_pipe(); /* libuv writes with write(2) */
    (void)uv_run(worker->loop, UV_RUN_DEFAULT);
    finish_deferred(worker);
}

void fe_worker_stop(struct fe_worker *worker)
{
    uv_stop(worker->loop);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct fe_worker *worker = handle->data;

    FE_ASSERT(worker->n_closing > 0, "each handle closes once");
    if (--worker->n_closing > 0 || worker->loop == &worker->own_loop) {
        return;
    }
    void (*on_freed)(void *arg) = worker->on_freed;
    void *arg = worker->freed_arg;

    free(worker);
    if (on_freed != NULL) {
        on_freed(arg);
    }
}

void fe_worker_free(struct fe_worker *worker, void (*on_freed)(void *arg), void *arg)
{
    finish_deferred(worker);
    FE_ASSERT(fe_list_is_empty(&worker->flush) && fe_list_is_empty(&worker->tasks),
              "nothing is left to do on a worker that is freed");
    /* Their tasks have been run, but the threads may not know it yet: it takes them one call. */
    while (atomic_load_explicit(&worker->n_waking, memory_order_acquire) > 0) {
        fe_thread_yield();
    }
    worker->on_freed = on_freed;
    worker->freed_arg = arg;
    worker->n_closing = N_HANDLES;
    fe_mutex_deinit(&worker->task_lock);
    fe_timers_deinit(&worker->timers);
    fe_pool_deinit(&worker->pool);
    uv_close((uv_handle_t *)&worker->timer, on_handle_closed);
    uv_close((uv_handle_t *)&worker->turn, on_handle_closed);
    uv_close((uv_handle_t *)&worker->again, on_handle_closed);
    uv_close((uv_handle_t *)&worker->wake, on_handle_closed);
    if (worker->loop != &worker->own_loop) {
        return;
    }
    (void)uv_run(worker->loop, UV_RUN_DEFAULT);
    int code = uv_loop_close(worker->loop);
    FE_ASSERT(code == 0, "a loop without handles closes");
    (void)code;
    free(worker);
    if (on_freed != NULL) {
        on_freed(arg);
    }
}

void fe_deferred_init(struct fe_deferred *deferred, void (*fn)(struct fe_deferred *deferred))
{
    fe_list_init(&deferred->link);
    deferred->fn = fn;
}

void fe_deferred_cancel(struct fe_deferred *deferred)
{
    fe_list_remove(&deferred->link);
}

void fe_worker_defer(struct fe_worker *worker, struct fe_deferred *deferred)
{
    FE_ASSERT(deferred->fn != NULL, "what is deferred does something");
    if (!fe_list_is_linked(&deferred->link)) {
        fe_list_push_back(&worker->deferred, &deferred->link);
    }
}

void fe_worker_defer_next(struct fe_worker *worker, struct fe_deferred *deferred)
{
    FE_ASSERT(!fe_list_is_linked(&deferred->link), "what is done in this turn is not put off");
    fe_list_push_back(&worker->deferred_next, &deferred->link);
}

void fe_worker_enter(struct fe_worker *worker)
{
    worker->thread = fe_thread_self();
    worker->has_thread = true;
}

bool fe_worker_is_own_thread(const struct fe_worker *worker)
{
    return worker->has_thread && fe_thread_is_self(&worker->thread);
}

uint64_t fe_worker_now(const struct fe_worker *worker)
{
    return uv_now(worker->loop);
}

struct fe_timers *fe_worker_timers(struct fe_worker *worker)
{
    return &worker->timers;
}

struct fe_pool *fe_worker_pool(struct fe_worker *worker)
{
    return &worker->pool;
}
