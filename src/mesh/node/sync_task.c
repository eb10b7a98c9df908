#include "mesh/node/sync_task.h"

static void on_task(struct fe_task *task)
{
    struct fe_sync_task *sync_task = FE_CONTAINER_OF(task, struct fe_sync_task, task);
    struct flatend_node *node = sync_task->node;

    sync_task->run(sync_task);
    fe_mutex_lock(&node->lock);
    sync_task->is_done = true;
    fe_cond_broadcast(&node->changed);
    fe_mutex_unlock(&node->lock);
}

/* On the node's thread: what fe_node_post says on others. While the node closes callbacks still
 * come here. */
static int run_here(struct flatend_node *node, struct fe_sync_task *sync_task)
{
    int code = fe_node_check_tasks(node);

    if (code == 0) {
        sync_task->run(sync_task);
    }
    return code;
}

int fe_node_run(struct flatend_node *node, struct fe_sync_task *sync_task)
{
    int code;

    if (fe_node_is_own_thread(node)) {
        return run_here(node, sync_task);
    }
    sync_task->node = node;
    sync_task->is_done = false;
    fe_task_init(&sync_task->task, on_task);
    code = fe_node_post(node, &sync_task->task);
    if (code != 0) {
        return code;
    }
    fe_mutex_lock(&node->lock);
    while (!sync_task->is_done) {
        fe_cond_wait(&node->changed, &node->lock);
    }
    fe_mutex_unlock(&node->lock);
    return 0;
}
