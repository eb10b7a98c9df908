/* Running something on the node's thread, and waiting for it. */
#ifndef FE_MESH_NODE_SYNC_TASK_H
#define FE_MESH_NODE_SYNC_TASK_H

#include "mesh/node/internal.h"

struct fe_sync_task {
    void (*run)(struct fe_sync_task *sync_task);
    /* private to sync_task.c */
    struct flatend_node *node;
    struct fe_task task;
    bool is_done; /* under the node's lock */
};

/* Calls sync_task->run on the node's thread: here if this is it. FLATEND_ESTATE, FLATEND_ECANCELED:
 * it was not called, the node does not run. */
int fe_node_run(struct flatend_node *node, struct fe_sync_task *sync_task) FE_MUST_USE;

#endif
