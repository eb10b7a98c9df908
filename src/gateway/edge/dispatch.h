/* From an exchange to the backend that answers it. */
#ifndef FE_GATEWAY_EDGE_DISPATCH_H
#define FE_GATEWAY_EDGE_DISPATCH_H

#include "gateway/relay/crossing.h"

/* How services are reached from one worker. */
struct fe_backends {
    const struct fe_mesh_access *mesh;   /* NULL: it is on another worker, ... */
    struct fe_crossing_channel *channel; /* ... and this leads there */
};

/* Finds the route and lets its handler answer; what has no route is answered here. `http` is
 * of `ex->snapshot`; `remote` and `backends` outlive the exchange. */
void fe_dispatch(struct fe_exchange *ex, const struct fe_config_http *http, struct fe_view remote,
                 const struct fe_backends *backends);

#endif
