/* Closing, on the node's thread. The states are drawn in internal.h.
 *
 * Happy path: listeners close, peers are asked to send no more requests, and what they had sent
 * before is still served; what runs ends by itself; then no
 * more task is taken, the calls of the application are canceled, the connections send what they
 * still hold and close; the handlers' threads are joined; on_closed.
 *
 * Failure modes: what runs does not end in time: it is canceled, and connections are cut. A handler
 * that does not return even then is waited for: its memory cannot be taken away under it. */

#include "ground/base/assert.h"
#include "mesh/node/internal.h"

static void on_barrier(struct fe_task *task);

static bool is_idle(const struct flatend_node *node)
{
    return node->n_contexts == 0 && node->n_calls == 0 && node->is_mesh_drained;
}

/* Every task that was posted before `fn` runs has been received then. */
static void post_barrier(struct flatend_node *node, void (*fn)(struct fe_task *task))
{
    fe_task_init(&node->barrier, fn);
    fe_task_post(node->worker, &node->barrier);
}

static void enter_closing(struct flatend_node *node)
{
    FE_ASSERT(node->state == FE_NODE_DRAINING, "a node drains before it closes");
    fe_timer_stop(fe_worker_timers(node->worker), &node->drain_timer);
    fe_node_stop_timers(node);
    fe_node_watch_post(node, FLATEND_EVENT_DRAINED, 0);
    fe_mutex_lock(&node->lock);
    node->state = FE_NODE_CLOSING;
    node->accepts_tasks = false;
    fe_mutex_unlock(&node->lock);
    post_barrier(node, on_barrier);
}

void fe_node_check_drained(struct flatend_node *node)
{
    enum fe_node_state life = fe_node_get_state(node);

    if (life == FE_NODE_DRAINING && is_idle(node)) {
        enter_closing(node);
    } else if (life == FE_NODE_CLOSING) {
        fe_node_check_closed(node);
    }
}

void fe_node_abort(struct flatend_node *node)
{
    if (fe_node_get_state(node) == FE_NODE_DRAINING) {
        enter_closing(node);
    }
}

static void on_drain_timer(struct fe_timer *timer)
{
    struct flatend_node *node = FE_CONTAINER_OF(timer, struct flatend_node, drain_timer);

    if (node->n_contexts + node->n_calls > 0) {
        fe_log(&node->settings.log, FLATEND_LOG_WARN, "Shutdown timeout: canceling %zu request(s).",
               node->n_contexts + node->n_calls);
    }
    enter_closing(node);
}

/* All task has come: every call of the application is on the list. */
static void on_barrier(struct fe_task *task)
{
    struct flatend_node *node = FE_CONTAINER_OF(task, struct flatend_node, barrier);
    bool is_drained = is_idle(node);

    fe_node_cancel_calls(node);
    fe_node_cancel_contexts(node);
    if (node->mesh != NULL) {
        fe_mesh_close(node->mesh, is_drained);
    } else {
        node->is_mesh_closed = true;
    }
    fe_node_check_closed(node);
}

void fe_node_on_mesh_drained(void *arg)
{
    struct flatend_node *node = arg;

    FE_ASSERT(!node->is_mesh_drained, "a mesh is drained once");
    node->is_mesh_drained = true;
    fe_node_check_drained(node);
}

void fe_node_on_mesh_closed(void *arg)
{
    struct flatend_node *node = arg;

    FE_ASSERT(!node->is_mesh_closed, "a mesh is closed once");
    node->is_mesh_closed = true;
    fe_node_check_closed(node);
}

/* The task that detached streams had under way was received before this one. */
static void on_closed(struct fe_task *task)
{
    struct flatend_node *node = FE_CONTAINER_OF(task, struct flatend_node, barrier);
    void (*callback)(void *arg) = node->on_closed;

    FE_ASSERT(node->n_contexts == 0 && node->n_calls == 0 && node->n_listeners == 0,
              "a node that is closed has nothing running");
    fe_mesh_free(node->mesh);
    node->mesh = NULL;
    fe_timer_stop(fe_worker_timers(node->worker), &node->gather_timer);
    fe_handler_pool_leave(&node->pool);
    fe_node_clear_free_list(node);
    node->on_closed = NULL;
    fe_node_set_state(node, FE_NODE_CLOSED);
    fe_node_watch_post(node, FLATEND_EVENT_CLOSED, 0);
    callback(node->closed_arg);
}

/* The last condition met posts the last barrier; `is_mesh_closed` is met once. */
void fe_node_check_closed(struct flatend_node *node)
{
    if (node->is_mesh_closed && node->n_listeners == 0 && node->n_contexts == 0) {
        node->is_mesh_closed = false;
        post_barrier(node, on_closed);
    }
}

void fe_node_close_on(struct flatend_node *node, void (*on_closed_fn)(void *arg), void *arg)
{
    struct fe_worker *worker = node->worker;
    uint64_t deadline_ms = fe_worker_now(worker) + node->settings.shutdown_timeout_ms;

    FE_ASSERT(node->on_closed == NULL && fe_node_get_state(node) < FE_NODE_DRAINING,
              "a node is closed once");
    node->on_closed = on_closed_fn;
    node->closed_arg = arg;
    node->on_started = NULL;
    fe_timer_init(&node->drain_timer, on_drain_timer);
    fe_node_set_state(node, FE_NODE_DRAINING);
    fe_node_stop_listening(node);
    if (node->mesh != NULL) {
        fe_mesh_drain(node->mesh);
    } else {
        node->is_mesh_drained = true;
    }
    /* Without memory for the timer nothing would end the waiting: so there is none. */
    if (is_idle(node) ||
        fe_timer_start(fe_worker_timers(worker), &node->drain_timer, deadline_ms) != 0) {
        enter_closing(node);
    }
}
