/* What a node is, from making to freeing; how it lives in between is in start.c and close.c. */
#include <stdlib.h>

#include "ground/base/assert.h"
#include "mesh/crypto/crypto.h"
#include "mesh/node/internal.h"

enum { STANDARD_ERROR = 2 };

/* flatend_node_wait waits on a loop, not on the condition. */
static void notify_waiters(struct flatend_node *node)
{
    struct fe_list *link;

    while ((link = fe_list_pop_front(&node->waiters)) != NULL) {
        struct fe_waiter *waiter = FE_CONTAINER_OF(link, struct fe_waiter, link);

        fe_task_post(waiter->worker, &waiter->task);
    }
}

void fe_node_set_state(struct flatend_node *node, enum fe_node_state state)
{
    fe_mutex_lock(&node->lock);
    FE_ASSERT(state > node->state, "a node's life goes one way");
    node->state = state;
    fe_cond_broadcast(&node->changed);
    if (state == FE_NODE_CLOSED) {
        notify_waiters(node);
    }
    fe_mutex_unlock(&node->lock);
}

enum fe_node_state fe_node_get_state(struct flatend_node *node)
{
    enum fe_node_state state;

    fe_mutex_lock(&node->lock);
    state = node->state;
    fe_mutex_unlock(&node->lock);
    return state;
}

bool fe_node_is_own_thread(struct flatend_node *node)
{
    bool is_own;

    fe_mutex_lock(&node->lock);
    is_own = node->state != FE_NODE_NEW && !node->has_thread_ended &&
             fe_thread_is_self(&node->loop_thread);
    fe_mutex_unlock(&node->lock);
    return is_own;
}

bool fe_node_is_inside(struct flatend_node *node)
{
    return fe_node_is_own_thread(node) || fe_handler_pool_is_own_thread(&node->pool);
}

/* Under the lock. */
static int check_tasks(const struct flatend_node *node)
{
    if (node->accepts_tasks) {
        return 0;
    }
    return node->state < FE_NODE_RUNNING ? FLATEND_ESTATE : FLATEND_ECANCELED;
}

int fe_node_check_tasks(struct flatend_node *node)
{
    int code;

    fe_mutex_lock(&node->lock);
    code = check_tasks(node);
    fe_mutex_unlock(&node->lock);
    return code;
}

/* Under the lock, so that after `accepts_tasks` was cleared no task is on its way here. */
int fe_node_post(struct flatend_node *node, struct fe_task *task)
{
    int code;

    fe_mutex_lock(&node->lock);
    code = check_tasks(node);
    if (code == 0) {
        fe_task_post(node->worker, task);
    }
    fe_mutex_unlock(&node->lock);
    return code;
}

static int init_hand_over(struct flatend_node *node)
{
    int code = fe_handoff_env_init(&node->handoffs, node->worker);

    if (code == 0) {
        code = fe_handler_pool_init(&node->pool, node->settings.handler_threads);
        if (code != 0) {
            fe_handoff_env_deinit(&node->handoffs);
        }
    }
    return code;
}

/* All that needs memory besides the settings and the guard. */
static int init_parts(struct flatend_node *node)
{
    int code = fe_mutex_cond_init(&node->lock, &node->changed);

    if (code != 0) {
        return code;
    }
    code = fe_node_init_services(node);
    if (code == 0) {
        code = init_hand_over(node);
        if (code == 0) {
            node->pool.threads = &node->threads;
            return 0;
        }
        fe_node_deinit_services(node);
    }
    fe_cond_deinit(&node->changed);
    fe_mutex_deinit(&node->lock);
    return code;
}

/* Standard error may block, and the node's thread must not: so a thread of its own writes there. */
static int init_log(struct flatend_node *node)
{
    struct fe_log *const log = &node->settings.log;
    int code;

    if (log->fn != flatend_log_stderr) {
        return 0;
    }
    code = fe_log_writer_new(STANDARD_ERROR, &node->log_writer);
    if (code == 0) {
        log->fn = fe_log_writer_put;
        log->arg = node->log_writer;
    }
    return code;
}

static void deinit_log(struct flatend_node *node)
{
    node->settings.log.fn = NULL;
    fe_log_writer_free(node->log_writer, FE_LOG_FLUSH_MS);
}

int fe_node_new_at(const struct flatend_options *options, enum fe_node_placement placement,
                   struct fe_worker *worker, struct flatend_node **out, struct flatend_error *error)
{
    struct flatend_node *node = calloc(1, sizeof(*node));
    int code;

    *out = NULL;
    if (node == NULL) {
        return fe_err_code(error, FLATEND_ENOMEM);
    }
    code = fe_settings_init(&node->settings, options, error);
    if (code != 0) {
        free(node);
        return code;
    }
    node->placement = placement;
    node->worker = worker;
    node->rng = fe_rng_system();
    fe_list_init(&node->contexts);
    fe_list_init(&node->free_contexts);
    fe_list_init(&node->calls);
    fe_list_init(&node->waiters);
    fe_list_init(&node->abandoned);
    fe_list_init(&node->gathering);
    fe_timer_init(&node->gather_timer, fe_node_on_gather_timer);
    fe_list_init(&node->timers);
    fe_node_watch_init(node);
    fe_shortage_init(&node->descriptors, &node->settings.log, "descriptors",
                     "new connections wait until some are free; raise the limit of open files "
                     "(ulimit -n, LimitNOFILE)");
    fe_shortage_init(
        &node->threads, &node->settings.log, "threads",
        "handlers wait for those that there are; raise the limit (ulimit -u, TasksMax), "
        "or lower handler_threads");
    code = init_log(node);
    if (code == 0) {
        code = fe_fork_guard_new(&node->guard, true);
    }
    if (code == 0) {
        code = init_parts(node);
        if (code != 0) {
            fe_fork_guard_unref(node->guard);
        }
    }
    if (code != 0) {
        deinit_log(node);
        fe_settings_deinit(&node->settings);
        free(node);
        return fe_err_code(error, code);
    }
    code = fe_node_bind_queues(node, error);
    if (code != 0) {
        fe_node_destroy(node);
        return code;
    }
    *out = node;
    return 0;
}

void fe_node_destroy(struct flatend_node *node)
{
    FE_ASSERT(node->n_contexts == 0 && fe_list_is_empty(&node->calls) && node->mesh == NULL,
              "a node that is freed has nothing running");
    fe_handler_pool_deinit(&node->pool);
    fe_node_free_timers(node);
    fe_node_watch_deinit(node);
    fe_node_free_abandoned(node);
    fe_node_deinit_services(node);
    deinit_log(node);
    fe_settings_deinit(&node->settings);
    fe_handoff_env_deinit(&node->handoffs);
    free(node->listeners);
    fe_cond_deinit(&node->changed);
    fe_mutex_deinit(&node->lock);
    fe_fork_guard_unref(node->guard);
    free(node);
}

int fe_node_new_on(const struct flatend_options *options, struct fe_worker *worker,
                   struct flatend_node **node, struct flatend_error *error)
{
    return fe_node_new_at(options, FE_NODE_ON_WORKER, worker, node, error);
}

struct fe_registry *fe_node_registry(struct flatend_node *node)
{
    return fe_mesh_registry(node->mesh);
}

int flatend_node_listen_addr(struct flatend_node *node, size_t index, char *buf, size_t cap)
{
    char text[FE_ADDR_TEXT_MAX];
    struct fe_addr addr;
    size_t n;
    int code = fe_node_check_call(node);

    if (code != 0) {
        return code;
    }
    if (buf == NULL && cap > 0) {
        return FLATEND_EINVAL;
    }
    fe_mutex_lock(&node->lock);
    n = node->n_listening;
    if (index < n) {
        addr = node->listeners[index].addr;
    }
    fe_mutex_unlock(&node->lock);
    if (index >= n) {
        return FLATEND_ENOENT;
    }
    fe_addr_format(&addr, text);
    if (strlen(text) >= cap) {
        return FLATEND_EOVERFLOW;
    }
    memcpy(buf, text, strlen(text) + 1);
    return 0;
}
