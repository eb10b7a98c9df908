/* Serves files and directories of a `static` route: a handler of exchanges.
 *
 * Files are opened and read on the worker's own thread, in blocks, as the client takes them. That a
 * disk can make the loop wait is accepted here as it is by nginx's default: what is served often
 * is in the page cache. */
#ifndef FE_GATEWAY_FILES_FILES_H
#define FE_GATEWAY_FILES_FILES_H

#include "gateway/config/config.h"
#include "web/http/exchange.h"

/* Answers `ex`, a GET or HEAD, from `route`; `rest` is the decoded path below the route's directory
 * (the value of the parameter `route->rest`, empty when the pattern has none). Answers completely,
 * or installs itself as the exchange's handler. `route` must outlive the exchange. */
void fe_static_serve(struct fe_exchange *ex, const struct fe_config_route *route,
                     struct fe_view rest);

#endif
