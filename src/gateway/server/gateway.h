/* The gateway: a mesh node on the worker that it is given, and HTTP listeners on that and on
 * workers of its own, put together from a configuration. Everything here is for the worker's
 * thread, or for before and after it runs. */
#ifndef FE_GATEWAY_SERVER_GATEWAY_H
#define FE_GATEWAY_SERVER_GATEWAY_H

#include "gateway/config/config.h"
#include "gateway/edge/stats.h"
#include "ground/base/log.h"
#include "ground/uv/worker.h"
#include "mesh/net/stats.h"

struct fe_gateway;

/* Opens the node's and every HTTP listener; takes a reference to `config`. On failure `err` says
 * which address, and everything opened is closed again by fe_gateway_free, which is then the only
 * call allowed; `*gateway` is NULL if even that is not needed. `log` is copied. */
int fe_gateway_start(struct fe_worker *worker, struct fe_config *config, const struct fe_log *log,
                     struct fe_gateway **gateway, struct flatend_error *err) FE_MUST_USE;

/* `fn` comes, at most once and later, when the gateway cannot go on as the configuration demands:
 * `mesh.start_needs_peer`. It may stop the gateway. Right after fe_gateway_start. */
void fe_gateway_on_failure(struct fe_gateway *gateway,
                           void (*fn)(void *arg, const struct flatend_error *why), void *arg);

/* Stops listening, lets running exchanges finish within each listener's `timeout.shutdown`, then
 * closes everything; `on_stopped` comes once, later. A second call before that resets what still
 * runs; the callback is then that of the second call. */
void fe_gateway_stop(struct fe_gateway *gateway, void (*on_stopped)(void *arg), void *arg);

/* Reloads own certificates, whether their files have changed or not; failures are logged. */
void fe_gateway_reload_certs(struct fe_gateway *gateway);

/* From here on clients and requests that begin are served by `config`, of which a reference is
 * taken, each [[http]] by the one with the same index; those that run stay with what they began
 * with, and so do addresses, certificates, the node and what holds for all of the gateway. Soon
 * after it on all workers. FLATEND_EINVAL: not as many [[http]]; FLATEND_ECLOSED: it stops;
 * FLATEND_ENOMEM: nothing is replaced. */
int fe_gateway_replace(struct fe_gateway *gateway, struct fe_config *config) FE_MUST_USE;

struct fe_gateway_stats {
    struct fe_edge_totals http; /* of all workers together */
    struct fe_node_stats node;
};

/* What its workers and its node have counted so far. `on_done` comes once, later; a gateway that
 * stops meanwhile has stopped only after it. FLATEND_ENOMEM, FLATEND_ECANCELED (no listener is
 * left): it does not come. */
int fe_gateway_stats(struct fe_gateway *gateway,
                     void (*on_done)(void *arg, const struct fe_gateway_stats *stats),
                     void *arg) FE_MUST_USE;

/* Frees; a gateway that has not stopped is ended at once, for which the worker, whose loop must be
 * its own, is run. Not from within the worker's loop. */
void fe_gateway_free(struct fe_gateway *gateway);

/* The address that the `index`-th HTTP address of the configuration, counted through all of its
 * listeners, is bound to: how to learn a port that was asked for as 0. FLATEND_ENOENT. */
int fe_gateway_http_addr(const struct fe_gateway *gateway, size_t index,
                         struct fe_addr *addr) FE_MUST_USE;

/* The same of the node. FLATEND_ENOENT. */
int fe_gateway_node_addr(const struct fe_gateway *gateway, struct fe_addr *addr) FE_MUST_USE;

#endif
