/* The gateway: a mesh node and HTTP listeners on one worker, put together from a configuration. */
#ifndef FE_GATEWAY_GATEWAY_H
#define FE_GATEWAY_GATEWAY_H

#include "base/log.h"
#include "gateway/config.h"
#include "uv/worker.h"

struct fe_gateway;

/* Opens the node's and every HTTP listener; takes a reference to `config`. On failure `err` says
 * which address, and everything opened is closed again by fe_gateway_free. */
int fe_gateway_start(struct fe_worker *worker, struct fe_config *config, const struct fe_log *log,
                     struct fe_gateway **gateway, struct flatend_error *err) FE_MUST_USE;

/* Stops listening, lets running exchanges finish within each listener's `timeout.shutdown`, then
 * closes everything; `on_stopped` comes once, later. A second call ends at once. */
void fe_gateway_stop(struct fe_gateway *gateway, void (*on_stopped)(void *arg), void *arg);

void fe_gateway_free(struct fe_gateway *gateway);

#endif
