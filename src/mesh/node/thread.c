/* The life of a node as flatend.h shows it: on a thread of its own, which others wait for, or on
 * the application's loop, where nothing waits. */
#include "ground/os/thread.h"

#include "ground/base/assert.h"
#include "mesh/node/internal.h"

int flatend_node_new(const struct flatend_options *options, struct flatend_node **out,
                     struct flatend_error *error)
{
    struct flatend_node *node;
    int code;

    if (out == NULL) {
        return fe_err_set(error, FLATEND_EINVAL, "node: NULL");
    }
    *out = NULL;
    if (options == NULL) {
        return fe_err_set(error, FLATEND_EINVAL, "options: NULL");
    }
    code = fe_node_new_at(options, FE_NODE_ON_OWN_THREAD, NULL, &node, error);
    if (code != 0) {
        return code;
    }
    if (options->loop != NULL) {
        node->placement = FE_NODE_ON_APP_LOOP;
    }
    code = fe_worker_new(&node->worker, options->loop);
    if (code != 0) {
        fe_node_unbind_queues(node);
        fe_node_destroy(node);
        return fe_err_set(error, code, "event loop: %s", flatend_strerror(code));
    }
    fe_worker_tell_shortage(node->worker, &node->descriptors);
    node->handoffs.worker = node->worker;
    *out = node;
    return 0;
}

/* ---- closing ---- */

static void free_all(void *arg)
{
    fe_node_destroy(arg);
}

/* On the application's loop nothing of a node that has closed is left: the loop may end, and be
 * closed, before the node is freed. */
static void on_worker_freed(void *arg)
{
    struct flatend_node *node = arg;

    node->worker = NULL;
    node->handoffs.worker = NULL;
    if (node->is_freed_when_closed) {
        fe_node_destroy(node);
    }
}

static void on_closed(void *arg)
{
    struct flatend_node *node = arg;

    if (node->placement == FE_NODE_ON_OWN_THREAD) {
        fe_worker_stop(node->worker);
    } else {
        fe_worker_free(node->worker, on_worker_freed, node);
    }
}

static void on_close_task(struct fe_task *task)
{
    struct flatend_node *node = FE_CONTAINER_OF(task, struct flatend_node, close_task);

    fe_node_close_on(node, on_closed, node);
}

static void on_abort_task(struct fe_task *task)
{
    struct flatend_node *node = FE_CONTAINER_OF(task, struct flatend_node, abort_task);

    fe_node_abort(node);
}

static bool is_started(const struct flatend_node *node)
{
    return node->has_thread || node->state != FE_NODE_NEW;
}

void fe_node_request_close(struct flatend_node *node)
{
    fe_mutex_lock(&node->lock);
    if (!node->is_close_requested && is_started(node)) {
        fe_task_init(&node->close_task, on_close_task);
        fe_task_post(node->worker, &node->close_task);
    }
    node->is_close_requested = true;
    fe_mutex_unlock(&node->lock);
}

/* Only before CLOSING: so that the task runs before the last barrier. */
void fe_node_request_abort(struct flatend_node *node)
{
    fe_mutex_lock(&node->lock);
    if (is_started(node) && node->is_close_requested && !node->is_abort_requested &&
        node->state < FE_NODE_CLOSING) {
        node->is_abort_requested = true;
        fe_task_init(&node->abort_task, on_abort_task);
        fe_task_post(node->worker, &node->abort_task);
    }
    fe_mutex_unlock(&node->lock);
}

/* Waits for the node's thread to close, and joins it. */
static void join(struct flatend_node *node)
{
    bool joins;

    fe_mutex_lock(&node->lock);
    while (node->has_thread && node->state != FE_NODE_CLOSED) {
        fe_cond_wait(&node->changed, &node->lock);
    }
    joins = node->has_thread && !node->is_joined;
    node->is_joined = true;
    fe_mutex_unlock(&node->lock);
    if (joins) {
        fe_thread_join(&node->thread);
    }
}

/* Closes the node, and unless that is on the application's loop waits for it. */
static void close_and_join(struct flatend_node *node)
{
    fe_node_request_close(node);
    if (node->placement == FE_NODE_ON_OWN_THREAD) {
        join(node);
        /* What the application says next stands behind the log's last line. */
        if (node->log_writer != NULL) {
            (void)fe_log_writer_flush(node->log_writer, FE_LOG_FLUSH_MS);
        }
    }
}

int flatend_node_shutdown(struct flatend_node *node)
{
    int code = fe_node_check_call(node);

    if (code != 0) {
        return code;
    }
    FE_ASSERT(node->placement != FE_NODE_ON_WORKER, "a node on a worker of others has no thread");
    if (node->placement == FE_NODE_ON_OWN_THREAD && fe_node_is_inside(node)) {
        return FLATEND_ESTATE;
    }
    close_and_join(node);
    return 0;
}

static void free_with_thread(struct flatend_node *node)
{
    close_and_join(node);
    fe_worker_free(node->worker, NULL, NULL);
    fe_node_destroy(node);
}

/* On the application's loop, which goes on with it if need be. */
static void free_on_loop(struct flatend_node *node)
{
    if (node->worker == NULL) {
        fe_node_destroy(node);
    } else if (fe_node_get_state(node) == FE_NODE_NEW) {
        fe_worker_free(node->worker, free_all, node);
    } else {
        node->is_freed_when_closed = true;
        fe_node_request_close(node);
    }
}

/* Whether a thread other than this one has to free the node. */
static bool is_freed_elsewhere(struct flatend_node *node)
{
    switch (node->placement) {
    case FE_NODE_ON_OWN_THREAD:
        return fe_node_is_inside(node);
    case FE_NODE_ON_APP_LOOP:
        return fe_node_get_state(node) != FE_NODE_NEW && !fe_node_is_own_thread(node);
    default:
        return false;
    }
}

int flatend_node_free(struct flatend_node *node)
{
    int code = node != NULL ? fe_node_check_call(node) : 0;

    if (node == NULL || code != 0) {
        return code;
    }
    if (is_freed_elsewhere(node)) {
        return FLATEND_ESTATE;
    }
    switch (node->placement) {
    case FE_NODE_ON_OWN_THREAD:
        free_with_thread(node);
        break;
    case FE_NODE_ON_APP_LOOP:
        free_on_loop(node);
        break;
    case FE_NODE_ON_WORKER:
        fe_node_destroy(node);
        break;
    }
    return 0;
}

/* ---- starting ---- */

static void on_thread_started(void *arg, int code)
{
    struct flatend_node *node = arg;

    fe_node_watch_post(node, FLATEND_EVENT_STARTED, code);
    fe_mutex_lock(&node->lock);
    node->is_start_done = true;
    node->start_code = code;
    fe_cond_broadcast(&node->changed);
    fe_mutex_unlock(&node->lock);
}

static void *run_thread(void *arg)
{
    struct flatend_node *node = arg;
    int code = fe_node_start_on(node, node->start_addrs, node->n_start_addrs, on_thread_started,
                                node, &node->start_error);

    if (code != 0) {
        on_thread_started(node, code);
    }
    fe_worker_run(node->worker);
    fe_mutex_lock(&node->lock);
    node->has_thread_ended = true; /* the last that it does with the node */
    fe_mutex_unlock(&node->lock);
    return NULL;
}

/* Waits until the start is complete, or the node is closed under it. */
static int wait_started(struct flatend_node *node, struct flatend_error *error)
{
    int code;

    fe_mutex_lock(&node->lock);
    while (!node->is_start_done && node->state < FE_NODE_DRAINING) {
        fe_cond_wait(&node->changed, &node->lock);
    }
    code = node->is_start_done ? node->start_code : FLATEND_ECANCELED;
    fe_mutex_unlock(&node->lock);
    if (code != 0) {
        /* No other thread writes the text once this one has ended. */
        close_and_join(node);
        (void)fe_err_set(error, code, "%s",
                         node->start_error.code == code ? node->start_error.text
                                                        : flatend_strerror(code));
    }
    return code;
}

static int start_thread(struct flatend_node *node, const char *const *addrs, size_t n_addrs,
                        struct flatend_error *error)
{
    int code = FLATEND_ESTATE;

    fe_mutex_lock(&node->lock);
    if (!node->has_thread && !node->is_close_requested) {
        node->start_addrs = addrs;
        node->n_start_addrs = n_addrs;
        code = fe_thread_start(&node->thread, run_thread, node);
        node->has_thread = code == 0;
    }
    fe_mutex_unlock(&node->lock);
    if (code != 0) {
        return fe_err_set(error, code, "start: %s", flatend_strerror(code));
    }
    return wait_started(node, error);
}

static void on_loop_started(void *arg, int code)
{
    struct flatend_node *node = arg;

    fe_node_watch_post(node, FLATEND_EVENT_STARTED, code);
    if (code != 0) {
        fe_log(&node->settings.log, FLATEND_LOG_ERROR, "Not connected: %s.",
               node->start_error.text);
    }
}

/* On the application's loop. */
static int start_on_loop(struct flatend_node *node, const char *const *addrs, size_t n_addrs,
                         struct flatend_error *error)
{
    bool is_new;

    fe_mutex_lock(&node->lock);
    is_new = node->state == FE_NODE_NEW && !node->is_close_requested;
    fe_mutex_unlock(&node->lock);
    if (!is_new) {
        return fe_err_set(error, FLATEND_ESTATE, "start: %s", flatend_strerror(FLATEND_ESTATE));
    }
    return fe_node_start_on(node, addrs, n_addrs, on_loop_started, node, error);
}

int flatend_node_start(struct flatend_node *node, const char *const *addrs, size_t n_addrs,
                       struct flatend_error *error)
{
    int code = fe_node_check_call(node);

    if (code != 0) {
        return fe_err_set(error, code, "start: %s", flatend_strerror(code));
    }
    if (n_addrs > 0 && addrs == NULL) {
        return fe_err_set(error, FLATEND_EINVAL, "addrs: NULL, but not none");
    }
    for (size_t i = 0; i < n_addrs; i++) {
        if (addrs[i] == NULL) {
            return fe_err_set(error, FLATEND_EINVAL, "addrs[%zu]: NULL", i);
        }
    }
    return node->placement == FE_NODE_ON_OWN_THREAD ? start_thread(node, addrs, n_addrs, error)
                                                    : start_on_loop(node, addrs, n_addrs, error);
}
