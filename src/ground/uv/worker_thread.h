/* A worker on a thread of its own, beside the one that it serves. */
#ifndef FE_GROUND_UV_WORKER_THREAD_H
#define FE_GROUND_UV_WORKER_THREAD_H

#include "ground/os/thread.h"
#include "ground/uv/task_queue.h"

struct fe_worker_thread {
    struct fe_worker *worker; /* NULL: it has ended */
    struct fe_worker *parent;
    struct fe_thread thread;
    struct fe_task finish_task; /* to `parent` */
    struct fe_task end_task;
    void (*on_ended)(void *arg);
    void *arg;
};

/* Makes the worker; what is opened on it before fe_worker_thread_start may be opened from the
 * caller's thread, which is that of `parent`. The worker thread must not move. */
int fe_worker_thread_init(struct fe_worker_thread *worker_thread, struct fe_worker *parent,
                          void (*on_ended)(void *arg), void *arg) FE_MUST_USE;

/* Runs the worker. FLATEND_ELIMIT: no thread is to be had. */
int fe_worker_thread_start(struct fe_worker_thread *worker_thread) FE_MUST_USE;

/* From the worker thread's thread, once: nothing is left on the worker. `on_ended` comes on
 * `parent` when the thread has gone and the worker is freed. Task that `parent` has posted before
 * is still run, but not what it puts off to the end of the turn. */
void fe_worker_thread_finish(struct fe_worker_thread *worker_thread);

/* A worker thread that was never started. */
void fe_worker_thread_deinit(struct fe_worker_thread *worker_thread);

#endif
