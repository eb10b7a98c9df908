/* Waiting for the end: a signal, or another thread that shuts the node down. */
#include "ground/os/signal_mask.h"
#include "ground/uv/signals.h"
#include "mesh/node/internal.h"

struct wait {
    struct fe_waiter waiter; /* in the node's list */
    struct flatend_node *node;
    struct fe_signals *signals;
    bool is_signaled;
};

/* The first signal drains, the second does not wait any longer; from then on signals do again what
 * they do by default, so that nothing can keep a person from ending the process. */
static void on_signal(void *arg, int signum)
{
    struct wait *wait = arg;

    (void)signum;
    if (!wait->is_signaled) {
        wait->is_signaled = true;
        fe_log(&wait->node->settings.log, FLATEND_LOG_DEBUG, "Shutting down.");
        fe_node_request_close(wait->node);
        return;
    }
    fe_node_request_abort(wait->node);
    fe_signals_close(wait->signals);
    wait->signals = NULL;
}

static void on_closed(struct fe_task *task)
{
    struct wait *wait = FE_CONTAINER_OF(task, struct wait, waiter.task);

    fe_worker_stop(wait->waiter.worker);
}

/* Registers for the end; if that was before, the task is there at once. */
static void add_waiter(struct wait *wait)
{
    struct flatend_node *node = wait->node;

    fe_task_init(&wait->waiter.task, on_closed);
    fe_list_init(&wait->waiter.link);
    fe_mutex_lock(&node->lock);
    if (node->state == FE_NODE_CLOSED) {
        fe_task_post(wait->waiter.worker, &wait->waiter.task);
    } else {
        fe_list_push_back(&node->waiters, &wait->waiter.link);
    }
    fe_mutex_unlock(&node->lock);
}

/* FLATEND_ESTATE: there is nothing to wait for yet, or it would wait for this thread. */
static int check_wait(struct flatend_node *node)
{
    int code = fe_node_check_call(node);
    bool is_new;

    if (code != 0) {
        return code;
    }
    fe_mutex_lock(&node->lock);
    is_new = node->state == FE_NODE_NEW && !node->has_thread;
    fe_mutex_unlock(&node->lock);
    return is_new || fe_node_is_inside(node) ? FLATEND_ESTATE : 0;
}

static void catch_signals(struct wait *wait)
{
    const struct fe_log *log = &wait->node->settings.log;
    int code = fe_signals_open(wait->waiter.worker, false, on_signal, wait, &wait->signals);

    if (code != 0) {
        /* They then have their default effect: to end the process. */
        fe_log(log, FLATEND_LOG_WARN, "Cannot catch signals: %s.", flatend_strerror(code));
    } else {
        fe_log(log, FLATEND_LOG_DEBUG, "Waiting for SIGINT or SIGTERM.");
    }
}

int flatend_node_wait(struct flatend_node *node)
{
    struct wait wait = {.node = node};
    struct fe_signal_mask mask;
    int code = check_wait(node);

    if (code != 0) {
        return code;
    }
    code = fe_worker_new(&wait.waiter.worker, NULL);
    if (code != 0) {
        fe_log(&node->settings.log, FLATEND_LOG_ERROR, "Cannot wait for signals: %s.",
               flatend_strerror(code));
        (void)flatend_node_shutdown(node);
        return code;
    }
    catch_signals(&wait);
    add_waiter(&wait);
    fe_signal_mask_save(&mask);
    fe_worker_run(wait.waiter.worker);
    fe_signal_mask_restore(&mask);
    if (wait.signals != NULL) {
        fe_signals_close(wait.signals);
    }
    fe_worker_free(wait.waiter.worker, NULL, NULL);
    return flatend_node_shutdown(node);
}
