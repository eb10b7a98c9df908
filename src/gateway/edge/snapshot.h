/* A configuration in use on one worker.
 *
 * The worker holds one reference to the configuration (fe_config_ref, an atomic count), and counts
 * by itself, in plain numbers, what it serves by it: listeners that give it to what begins now,
 * clients and exchanges that began with it, crossings that have lent it to the far side. What the
 * last of them gives back is gone, and with the last worker's the configuration.
 *
 *     config ◀── atomic ── snapshot ◀── plain ── listener, until it is given another one
 *       ▲                     ▲◀─────────────── client: limits
 *       │                     ▲◀─────────────── exchange: route, names of parameters, filters
 *       │                     ▲◀─────────────── crossing: what the far side borrows of these
 *       └───── atomic ── snapshot of another worker ... */
#ifndef FE_GATEWAY_EDGE_SNAPSHOT_H
#define FE_GATEWAY_EDGE_SNAPSHOT_H

#include "gateway/edge/dispatch.h"
#include "gateway/edge/redirect.h"
#include "ground/base/refcount.h"
#include "ground/uv/task_queue.h"
#include "web/http/server.h"

/* One [[http]] of it. */
struct fe_snapshot_http {
    struct fe_http_limits limits;
    struct fe_redirect_backend redirect;
    struct fe_dispatch_backend dispatch;
};

struct fe_snapshot {
    struct fe_refcount refs; /* the worker's */
    struct fe_config *config;
    /* On its way to the worker: see fe_edge_worker_replace. */
    struct fe_task task;
    void *to;
    struct fe_snapshot_http http[]; /* by [[http]] */
};

/* With one reference, the caller's, which may be passed on to another thread as long as it is the
 * only one. NULL: out of memory. */
struct fe_snapshot *fe_snapshot_new(struct fe_config *config) FE_MUST_USE;

/* On the worker, before it is served by: how services are reached from there, and files, until the
 * worker ends. */
void fe_snapshot_set_backends(struct fe_snapshot *snapshot, const struct fe_backend *services,
                              const struct fe_backend *files);

static inline struct fe_snapshot *fe_snapshot_ref(struct fe_snapshot *snapshot)
{
    (void)fe_refcount_ref(&snapshot->refs);
    return snapshot;
}

/* NULL is allowed. */
static inline void fe_snapshot_unref(struct fe_snapshot *snapshot)
{
    if (snapshot != NULL) {
        fe_refcount_unref(&snapshot->refs);
    }
}

#endif
