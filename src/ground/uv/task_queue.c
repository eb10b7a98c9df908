#include "ground/uv/task_queue.h"

#include "ground/uv/loop.h"

void fe_task_init(struct fe_task *task, void (*fn)(struct fe_task *task))
{
    FE_ASSERT(fn != NULL, "a task does something");
    fe_list_init(&task->link);
    task->fn = fn;
}

bool fe_task_enqueue(struct fe_worker *worker, struct fe_task *task)
{
    bool was_empty;

    fe_mutex_lock(&worker->task_lock);
    was_empty = fe_list_is_empty(&worker->tasks);
    FE_ASSERT(!fe_list_is_linked(&task->link), "a task is posted again when it has been run");
    fe_list_push_back(&worker->tasks, &task->link);
    if (was_empty) {
        atomic_fetch_add_explicit(&worker->n_waking, 1, memory_order_relaxed);
    }
    fe_mutex_unlock(&worker->task_lock);
    return was_empty;
}

/* A worker that is about to be freed waits for the end of this call (fe_worker_free). */
void fe_worker_wake(struct fe_worker *worker)
{
    (void)uv_async_send(&worker->wake);
    atomic_fetch_sub_explicit(&worker->n_waking, 1, memory_order_release);
}

void fe_task_post(struct fe_worker *worker, struct fe_task *task)
{
    if (fe_task_enqueue(worker, task)) {
        fe_worker_wake(worker);
    }
}

void fe_task_cancel(struct fe_worker *worker, struct fe_task *task)
{
    fe_mutex_lock(&worker->task_lock);
    fe_list_remove(&task->link); /* or of the list that fe_tasks_run goes through */
    fe_mutex_unlock(&worker->task_lock);
}

/* Takes the whole list at once: one lock for many tasks, and what is posted meanwhile waits for the
 * next turn. */
void fe_tasks_run(struct fe_worker *worker)
{
    struct fe_list tasks;
    struct fe_list *link;

    fe_list_init(&tasks);
    fe_mutex_lock(&worker->task_lock);
    fe_list_move(&tasks, &worker->tasks);
    fe_mutex_unlock(&worker->task_lock);
    while ((link = fe_list_pop_front(&tasks)) != NULL) {
        struct fe_task *task = FE_CONTAINER_OF(link, struct fe_task, link);

        task->fn(task);
    }
}
