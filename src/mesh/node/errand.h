/* Running something on the node's thread, and waiting for it. */
#ifndef FE_MESH_NODE_ERRAND_H
#define FE_MESH_NODE_ERRAND_H

#include "mesh/node/internal.h"

struct fe_errand {
    void (*run)(struct fe_errand *errand);
    /* private to errand.c */
    struct flatend_node *node;
    struct fe_mail mail;
    bool is_done; /* under the node's lock */
};

/* Calls errand->run on the node's thread: here if this is it. FLATEND_ESTATE, FLATEND_ECANCELED: it
 * was not called, the node does not run. */
int fe_node_run(struct flatend_node *node, struct fe_errand *errand) FE_MUST_USE;

#endif
