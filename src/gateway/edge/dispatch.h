/* From an exchange to the backend of its route. */
#ifndef FE_GATEWAY_EDGE_DISPATCH_H
#define FE_GATEWAY_EDGE_DISPATCH_H

#include "gateway/config/config.h"
#include "web/http/exchange.h"

/* The backend that finds the route and hands the exchange on; what has no route it answers. */
struct fe_dispatch_backend {
    struct fe_backend backend;
    const struct fe_config_http *http;
    const struct fe_backend *services; /* of routes to services */
    const struct fe_backend *files;    /* of the others */
};

/* `http` is of the snapshot that the exchange holds; `services` and `files` outlive the
 * backend. */
struct fe_dispatch_backend fe_dispatch_backend(const struct fe_config_http *http,
                                               const struct fe_backend *services,
                                               const struct fe_backend *files);

#endif
