#include "ground/uv/worker_thread.h"

/* On the thread of `parent`, which posts nothing to the worker behind this task. */
static void on_empty(struct fe_task *task)
{
    struct fe_worker_thread *const worker_thread =
        FE_CONTAINER_OF(task, struct fe_worker_thread, finish_task);

    fe_task_post(worker_thread->worker, &worker_thread->end_task);
    fe_thread_join(&worker_thread->thread);
    fe_worker_thread_deinit(worker_thread);
    worker_thread->on_ended(worker_thread->arg);
}

static void on_end(struct fe_task *task)
{
    fe_worker_stop(FE_CONTAINER_OF(task, struct fe_worker_thread, end_task)->worker);
}

int fe_worker_thread_init(struct fe_worker_thread *worker_thread, struct fe_worker *parent,
                          void (*on_ended)(void *arg), void *arg)
{
    *worker_thread = (struct fe_worker_thread){.parent = parent, .on_ended = on_ended, .arg = arg};
    fe_task_init(&worker_thread->finish_task, on_empty);
    fe_task_init(&worker_thread->end_task, on_end);
    return fe_worker_new(&worker_thread->worker, NULL);
}

static void *run(void *worker)
{
    fe_worker_run(worker);
    return NULL;
}

int fe_worker_thread_start(struct fe_worker_thread *worker_thread)
{
    return fe_thread_start(&worker_thread->thread, run, worker_thread->worker);
}

void fe_worker_thread_finish(struct fe_worker_thread *worker_thread)
{
    fe_task_post(worker_thread->parent, &worker_thread->finish_task);
}

void fe_worker_thread_deinit(struct fe_worker_thread *worker_thread)
{
    fe_worker_free(worker_thread->worker, NULL, NULL);
    worker_thread->worker = NULL;
}
