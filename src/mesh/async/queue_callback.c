/* Queues whose events are handed to a function, on the thread of the one node that they are for.
 *
 * Happy path: what is posted in a turn is handed over at its end, one event after another; the lock
 * is free while the function runs, so that it may do with the queue what it likes.
 *
 *     IDLE ── post ──▶ DUE: `worker` is set ── the turn ends ──▶ RUNNING ── nothing waits ──▶ IDLE
 *                       ▲                                           │
 *                       └────────── CALLS_MAX, the rest ────────────┘
 *
 * Failure modes: another thread posts: a task makes it due. The worker ends: all that is due is
 * handed over before. The queue is freed meanwhile: by the function, which is called no more; by
 * another thread, which waits until it has returned. */
#include "ground/base/assert.h"
#include "ground/base/refcount.h"
#include "mesh/async/queue_internal.h"

/* Events of one turn: the node's sockets are served between this many and the next. */
enum { CALLS_MAX = 1024 };

int fe_queue_bind(struct flatend_queue *queue, struct fe_fork_guard *node)
{
    struct fe_fork_guard *bound = NULL;
    int code = queue != NULL ? fe_queue_check_call(queue) : 0;

    if (queue == NULL || code != 0 || queue->fn == NULL) {
        return code;
    }
    (void)fe_fork_guard_ref(node);
    if (atomic_compare_exchange_strong(&queue->node, &bound, node)) {
        return 0;
    }
    fe_fork_guard_unref(node);
    return bound == node ? 0 : FLATEND_EINVAL;
}

void fe_queue_unbind(struct flatend_queue *queue, struct fe_fork_guard *node)
{
    struct fe_fork_guard *bound = node;

    if (queue != NULL && atomic_compare_exchange_strong(&queue->node, &bound, NULL)) {
        fe_fork_guard_unref(node);
    }
}

/* ---- calling -------------------------------------------------------------------------------- */

/* Under the lock, which is left meanwhile. */
static void call_one(struct flatend_queue *queue)
{
    struct flatend_event event;

    fe_queue_take_one(queue, &event);
    fe_mutex_unlock(&queue->lock);
    queue->fn(queue->arg, &event);
    if (fe_fork_guard_is_child(queue->guard)) {
        fe_fork_end_child(); /* what follows is the parent's to do */
    }
    fe_mutex_lock(&queue->lock);
}

void fe_queue_on_turn_end_call(struct fe_deferred *deferred)
{
    struct flatend_queue *queue = FE_CONTAINER_OF(deferred, struct flatend_queue, wake);

    fe_mutex_lock(&queue->lock);
    FE_ASSERT(!queue->is_running, "one event is handed over at a time");
    queue->is_running = true;
    queue->runner = fe_thread_self();
    for (int i = 0; i < CALLS_MAX && !fe_list_is_empty(&queue->ready); i++) {
        call_one(queue);
    }
    queue->is_running = false;
    if (queue->is_closed) {
        fe_cond_broadcast(&queue->changed);
    }
    if (!fe_list_is_empty(&queue->ready)) {
        fe_worker_defer_next(queue->worker, &queue->wake); /* with the reference of this turn */
        fe_mutex_unlock(&queue->lock);
        return;
    }
    queue->worker = NULL;
    fe_mutex_unlock(&queue->lock);
    fe_queue_unref(queue);
}

void fe_queue_wait_for_callback(struct flatend_queue *queue)
{
    while (queue->is_running && !fe_thread_is_self(&queue->runner)) {
        fe_cond_wait(&queue->changed, &queue->lock);
    }
}

/* ---- posting from another thread ------------------------------------------------------------ */

void fe_queue_on_task(struct fe_task *task)
{
    struct flatend_queue *queue = FE_CONTAINER_OF(task, struct flatend_queue, task);

    fe_mutex_lock(&queue->lock);
    fe_worker_defer(queue->worker, &queue->wake);
    fe_mutex_unlock(&queue->lock);
}

bool fe_queue_enqueue(struct flatend_queue *queue, struct fe_worker *worker)
{
    if (queue->worker != NULL) {
        return false; /* it is due already */
    }
    queue->worker = worker;
    fe_atomic_ref(&queue->n_refs);
    return fe_task_enqueue(worker, &queue->task);
}
