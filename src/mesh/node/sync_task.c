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

int fe_node_run(struct flatend_node *node, struct fe_sync_task *sync_task)
{
    int code;

    if (fe_node_is_own_thread(node)) {
        if (node->mesh == NULL) {
            return FLATEND_ESTATE;
        }
        sync_task->run(sync_task);
        return 0;
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
