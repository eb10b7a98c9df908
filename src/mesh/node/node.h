/* What the gateway needs of a node beyond flatend.h: calls without a copy, on the node's own
 * worker. Everything here is for that thread only. */
#ifndef FE_MESH_NODE_NODE_H
#define FE_MESH_NODE_NODE_H

#include <flatend.h>

#include "ground/uv/worker.h"
#include "mesh/rpc/call.h"

/* Makes a node that lives on `worker`, which outlives it. Start and close are asynchronous. */
int fe_node_new_on(const struct flatend_options *options, struct fe_worker *worker,
                   struct flatend_node **node, struct flatend_error *error) FE_MUST_USE;

/* Listens at once (failures are returned), then joins; `on_started` comes later, unless the node is
 * closed before. After a failure, whichever way it came, the node is closed and freed. */
int fe_node_start_on(struct flatend_node *node, const char *const *addrs, size_t n_addrs,
                     void (*on_started)(void *arg, int code), void *arg,
                     struct flatend_error *error) FE_MUST_USE;

/* Within `on_started` with a failure: why. */
const char *fe_node_start_error(const struct flatend_node *node);

/* Drains and closes, once; `on_closed` comes later. After it, also from within, flatend_node_free.
 * A node that was never started may be freed as it is. */
void fe_node_close_on(struct flatend_node *node, void (*on_closed)(void *arg), void *arg);

struct fe_registry *fe_node_registry(struct flatend_node *node);

#endif
