/* The backend that asks the mesh: an exchange on one side, a call on the other. */
#ifndef FE_GATEWAY_RELAY_SERVICE_H
#define FE_GATEWAY_RELAY_SERVICE_H

#include "gateway/config/config.h"
#include "ground/base/log_limit.h"
#include "ground/base/timer.h"
#include "mesh/rpc/registry.h"
#include "web/http/exchange.h"

/* What stands between HTTP and the mesh; outlives every exchange. */
struct fe_mesh_access {
    struct fe_registry *registry;
    struct fe_timers *timers;
    struct fe_pool *pool;
    const struct fe_log *log;
    struct fe_log_limit *service_lines; /* of the log, those that services can cause */
    uint64_t (*now_ms)(void *arg);      /* the clock of `timers` */
    void *now_arg;
};

/* Answers by a call to the services of the `struct fe_config_route` that was matched, or with a
 * problem. */
struct fe_service_backend {
    struct fe_backend backend;
    const struct fe_mesh_access *mesh; /* outlives the backend */
};

struct fe_service_backend fe_service_backend(const struct fe_mesh_access *mesh);

#endif
