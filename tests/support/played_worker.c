#include "support/played_worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The linker makes these names (--wrap). */
bool __wrap_fe_task_enqueue(struct fe_worker *worker, struct fe_task *task);
void __wrap_fe_worker_wake(struct fe_worker *worker);
void __wrap_fe_worker_defer(struct fe_worker *worker, struct fe_deferred *deferred);
void __wrap_fe_deferred_cancel(struct fe_deferred *deferred);
bool __wrap_fe_worker_is_own_thread(const struct fe_worker *worker);

static struct played_worker *playing; /* the last one: fe_deferred_cancel does not say which */

void played_worker_init(struct played_worker *worker, struct interleave *interleave,
                        unsigned thread)
{
    *worker = (struct played_worker){.interleave = interleave, .thread = thread};
    fe_list_init(&worker->tasks);
    fe_list_init(&worker->deferreds);
    playing = worker;
}

struct fe_worker *played_worker_of(struct played_worker *worker)
{
    return (struct fe_worker *)worker;
}

static bool is_own_thread(const struct played_worker *worker)
{
    return worker->interleave->thread == worker->thread;
}

/* A task may be posted again once it runs, and not before. */
bool __wrap_fe_task_enqueue(struct fe_worker *worker, struct fe_task *task)
{
    struct played_worker *const played = (struct played_worker *)worker;
    const bool was_empty = fe_list_is_empty(&played->tasks);

    assert_false(fe_list_is_linked(&task->link));
    fe_list_push_back(&played->tasks, &task->link);
    return was_empty;
}

/* Its thread would wait at once for a lock that is held here. */
void __wrap_fe_worker_wake(struct fe_worker *worker)
{
    struct played_worker *const played = (struct played_worker *)worker;

    assert_int_equal(played->interleave->n_held, 0);
    played->is_woken = true;
}

void __wrap_fe_worker_defer(struct fe_worker *worker, struct fe_deferred *deferred)
{
    struct played_worker *const played = (struct played_worker *)worker;

    assert_true(is_own_thread(played));
    if (!fe_list_is_linked(&deferred->link)) {
        fe_list_push_back(&played->deferreds, &deferred->link);
    }
}

void __wrap_fe_deferred_cancel(struct fe_deferred *deferred)
{
    assert_true(!fe_list_is_linked(&deferred->link) || is_own_thread(playing));
    fe_list_remove(&deferred->link);
}

bool __wrap_fe_worker_is_own_thread(const struct fe_worker *worker)
{
    return is_own_thread((const struct played_worker *)worker);
}

void played_worker_run_tasks(struct played_worker *worker)
{
    struct fe_list tasks;
    struct fe_list *link;

    if (!worker->is_woken) {
        return;
    }
    worker->is_woken = false;
    fe_list_init(&tasks);
    fe_list_move(&tasks, &worker->tasks);
    while ((link = fe_list_pop_front(&tasks)) != NULL) {
        struct fe_task *const task = FE_CONTAINER_OF(link, struct fe_task, link);

        task->fn(task);
    }
}

void played_worker_end_turn(struct played_worker *worker)
{
    struct fe_list *link;

    while ((link = fe_list_pop_front(&worker->deferreds)) != NULL) {
        struct fe_deferred *const deferred = FE_CONTAINER_OF(link, struct fe_deferred, link);

        deferred->fn(deferred);
    }
}
