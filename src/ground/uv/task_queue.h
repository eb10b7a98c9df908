/* Messages to a worker from other threads. */
#ifndef FE_GROUND_UV_TASK_QUEUE_H
#define FE_GROUND_UV_TASK_QUEUE_H

#include "ground/base/list.h"
#include "ground/uv/worker.h"

/* Embedded in what is sent; the sender owns it until `fn` runs on the worker. */
struct fe_task {
    struct fe_list link;
    void (*fn)(struct fe_task *task);
};

/* Any thread. Tasks run in the order posted, on the worker's thread; many posted at once cost one
 * wake-up. Never fails. The task must not be posted again before `fn` has been entered. */
void fe_task_init(struct fe_task *task, void (*fn)(struct fe_task *task));
void fe_task_post(struct fe_worker *worker, struct fe_task *task);

/* On the worker's thread: a task that was posted is not run, unless it was already. */
void fe_task_cancel(struct fe_worker *worker, struct fe_task *task);

/* The same in two steps, for a caller with a lock that the worker wants as soon as it is woken:
 * with the lock the task is queued, and if that says so the worker is woken without it. */
bool fe_task_enqueue(struct fe_worker *worker, struct fe_task *task) FE_MUST_USE;
void fe_worker_wake(struct fe_worker *worker);

#endif
