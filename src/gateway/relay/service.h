/* Serves requests by asking the mesh: an exchange on one side, a call on the other. */
#ifndef FE_GATEWAY_RELAY_SERVICE_H
#define FE_GATEWAY_RELAY_SERVICE_H

#include "gateway/config/config.h"
#include "ground/base/timer.h"
#include "mesh/rpc/registry.h"
#include "web/http/exchange.h"

/* What stands between HTTP and the mesh; outlives every exchange. */
struct fe_mesh_access {
    struct fe_registry *registry;
    struct fe_timers *timers;
    struct fe_pool *pool;
    const struct fe_log *log;
    uint64_t (*now_ms)(void *arg); /* the clock of `timers` */
    void *now_arg;
};

/* Answers `ex` by a call to the services of `route`, or with a problem. `remote` is the client's
 * address; it, `route` and `mesh` outlive the exchange. */
void fe_service_serve(struct fe_exchange *ex, const struct fe_config_route *route,
                      const struct fe_match *match, struct fe_view remote,
                      const struct fe_mesh_access *mesh);

#endif
