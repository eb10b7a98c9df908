/* The application's side of a queue. */
#include <stdlib.h>

#include "ground/base/assert.h"
#include "ground/base/refcount.h"
#include "ground/os/clock.h"
#include "ground/os/fd.h"
#include "ground/os/wake_fd.h"
#include "mesh/async/queue_internal.h"

static void on_turn_end(struct fe_deferred *deferred);

/* `fn` NULL: its events are taken. */
static int queue_new(flatend_event_fn fn, void *arg, struct flatend_queue **out)
{
    struct flatend_queue *queue = calloc(1, sizeof(*queue));
    int code;

    if (queue == NULL) {
        return FLATEND_ENOMEM;
    }
    code = fe_fork_guard_new(&queue->guard, true);
    if (code == 0) {
        code = fe_mutex_cond_init(&queue->lock, &queue->changed);
        if (code != 0) {
            fe_fork_guard_unref(queue->guard);
        }
    }
    if (code != 0) {
        free(queue);
        return code;
    }
    atomic_init(&queue->n_refs, 1);
    queue->fd = -1;
    fe_list_init(&queue->ready);
    fe_deferred_init(&queue->wake, fn != NULL ? fe_queue_on_turn_end_call : on_turn_end);
    fe_task_init(&queue->task, fe_queue_on_task);
    queue->fn = fn;
    queue->arg = arg;
    *out = queue;
    return 0;
}

int flatend_queue_new(struct flatend_queue **out)
{
    if (out == NULL) {
        return FLATEND_EINVAL;
    }
    *out = NULL;
    return queue_new(NULL, NULL, out);
}

int flatend_queue_new_callback(flatend_event_fn fn, void *arg, struct flatend_queue **out)
{
    if (out == NULL) {
        return FLATEND_EINVAL;
    }
    *out = NULL;
    return fn != NULL ? queue_new(fn, arg, out) : FLATEND_EINVAL;
}

void fe_queue_unref(struct flatend_queue *queue)
{
    if (!fe_atomic_unref(&queue->n_refs)) {
        return;
    }
    FE_ASSERT(fe_list_is_empty(&queue->ready), "what is in a queue refers to it");
    if (queue->node != NULL) {
        fe_fork_guard_unref(queue->node);
    }
    fe_cond_deinit(&queue->changed);
    fe_mutex_deinit(&queue->lock);
    fe_fork_guard_unref(queue->guard);
    free(queue);
}

int fe_queue_check_call(const struct flatend_queue *queue)
{
    if (queue == NULL) {
        return FLATEND_EINVAL;
    }
    return fe_fork_guard_is_child(queue->guard) ? FLATEND_ESTATE : 0;
}

/* The same of a queue whose events are taken: FLATEND_ESTATE, it has a callback. */
static int check_take(const struct flatend_queue *queue)
{
    int code = fe_queue_check_call(queue);

    return code == 0 && queue->fn != NULL ? FLATEND_ESTATE : code;
}

/* ---- waking --------------------------------------------------------------------------------- */

static bool has_news(const struct flatend_queue *queue)
{
    return queue->is_interrupted || !fe_list_is_empty(&queue->ready);
}

bool fe_queue_wakes(struct flatend_queue *queue)
{
    if (!has_news(queue)) {
        return false;
    }
    if (queue->fd >= 0 && !queue->is_fd_set) {
        queue->is_fd_set = true;
        fe_wake_fd_set(queue->fd);
    }
    if (queue->n_waiting == 0 || queue->is_waking) {
        return false;
    }
    queue->is_waking = true;
    return true;
}

/* Leaves the lock, and wakes one that waits if there is something for it. */
static void unlock_and_wake(struct flatend_queue *queue)
{
    const bool signals = fe_queue_wakes(queue);

    fe_mutex_unlock(&queue->lock);
    if (signals) {
        fe_cond_signal(&queue->changed);
    }
}

void fe_queue_settle_fd(struct flatend_queue *queue)
{
    if (queue->is_fd_set && !has_news(queue)) {
        queue->is_fd_set = false;
        fe_wake_fd_clear(queue->fd);
    }
}

static void on_turn_end(struct fe_deferred *deferred)
{
    struct flatend_queue *queue = FE_CONTAINER_OF(deferred, struct flatend_queue, wake);

    fe_mutex_lock(&queue->lock);
    queue->worker = NULL;
    unlock_and_wake(queue);
    fe_queue_unref(queue);
}

void flatend_queue_wake(struct flatend_queue *queue)
{
    if (check_take(queue) != 0) {
        return;
    }
    fe_mutex_lock(&queue->lock);
    queue->is_interrupted = true;
    unlock_and_wake(queue);
}

/* ---- taking --------------------------------------------------------------------------------- */

/* Under the lock. */
static size_t take_all(struct flatend_queue *queue, struct flatend_event *events, size_t cap)
{
    size_t n = 0;

    while (n < cap && !fe_list_is_empty(&queue->ready)) {
        fe_queue_take_one(queue, &events[n++]);
    }
    return n;
}

/* Under the lock. False: time is up. */
static bool wait_for_news(struct flatend_queue *queue, uint64_t deadline_ms)
{
    bool in_time = true;

    queue->n_waiting++;
    if (deadline_ms == FE_TIME_NEVER) {
        fe_cond_wait(&queue->changed, &queue->lock);
    } else {
        in_time = fe_cond_wait_until(&queue->changed, &queue->lock, deadline_ms);
    }
    FE_ASSERT(queue->n_waiting > 0, "threads that wait are counted");
    queue->n_waiting--;
    queue->is_waking = false;
    return in_time;
}

static uint64_t deadline_of(int timeout_ms)
{
    return timeout_ms < 0 ? FE_TIME_NEVER : fe_clock_ms() + (uint64_t)timeout_ms;
}

ssize_t flatend_queue_take(struct flatend_queue *queue, struct flatend_event *events, size_t cap,
                           int timeout_ms)
{
    const uint64_t deadline_ms = timeout_ms == 0 ? 0 : deadline_of(timeout_ms);
    size_t n;
    int code = check_take(queue);

    if (code == 0 && (cap == 0 || events == NULL)) {
        code = FLATEND_EINVAL;
    }
    if (code != 0) {
        return code;
    }
    fe_mutex_lock(&queue->lock);
    while (!has_news(queue) && timeout_ms != 0) {
        if (!wait_for_news(queue, deadline_ms)) {
            break;
        }
    }
    n = queue->is_interrupted ? 0 : take_all(queue, events, cap);
    queue->is_interrupted = false;
    fe_queue_settle_fd(queue);
    unlock_and_wake(queue); /* what is left is for the next one that waits */
    return (ssize_t)n;
}

int flatend_queue_fd(struct flatend_queue *queue)
{
    int fd = check_take(queue);

    if (fd != 0) {
        return fd;
    }
    fe_mutex_lock(&queue->lock);
    if (queue->fd >= 0) {
        fd = queue->fd;
        fe_mutex_unlock(&queue->lock);
        return fd;
    }
    fd = fe_wake_fd_open();
    queue->fd = fd >= 0 ? fd : -1;
    unlock_and_wake(queue); /* what waits already makes it readable */
    return fd;
}

void flatend_queue_free(struct flatend_queue *queue)
{
    struct fe_list *link;

    if (fe_queue_check_call(queue) != 0) {
        return;
    }
    fe_mutex_lock(&queue->lock);
    FE_ASSERT(queue->n_waiting == 0, "no thread is in a call with a queue that is freed");
    queue->is_closed = true;
    queue->is_interrupted = false;
    if (queue->fd >= 0) {
        fe_fd_close(queue->fd);
        queue->fd = -1;
        queue->is_fd_set = false;
    }
    while ((link = fe_list_pop_front(&queue->ready)) != NULL) {
        fe_event_source_forget(FE_CONTAINER_OF(link, struct fe_event_source, link));
    }
    fe_queue_wait_for_callback(queue);
    fe_mutex_unlock(&queue->lock);
    fe_queue_unref(queue);
}

/* ---- invariants ----------------------------------------------------------------------------- */

void fe_queue_check(struct flatend_queue *queue)
{
    fe_mutex_lock(&queue->lock);
    fe_list_check(&queue->ready);
    FE_LIST_FOREACH (link, next, &queue->ready) {
        const struct fe_event_source *source = FE_CONTAINER_OF(link, struct fe_event_source, link);

        fe_event_source_check(source, queue);
    }
    FE_ASSERT(!queue->is_waking || queue->n_waiting > 0, "only a thread that waits is woken");
    FE_ASSERT(!queue->is_fd_set || queue->fd >= 0, "only a descriptor that is there is readable");
    FE_ASSERT(queue->fd < 0 || queue->worker != NULL || queue->is_fd_set == has_news(queue),
              "the descriptor is readable while there is something to take");
    FE_ASSERT(queue->fn == NULL || (queue->n_waiting == 0 && queue->fd < 0),
              "what has a callback is not taken");
    FE_ASSERT(queue->fn == NULL || fe_list_is_empty(&queue->ready) || queue->worker != NULL,
              "a callback is due while there is something to tell");
    fe_mutex_unlock(&queue->lock);
}
