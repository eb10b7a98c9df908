/* From HTTP to HTTPS. */
#ifndef FE_GATEWAY_EDGE_REDIRECT_H
#define FE_GATEWAY_EDGE_REDIRECT_H

#include "gateway/config/config.h"
#include "web/http/exchange.h"

/* Answers with the same address under https: host, path and query as the client sent them, and the
 * port of the listener in `http->targets` that has the host's name, else of the first; 443 where
 * that is on unix sockets only. */
struct fe_redirect_backend {
    struct fe_backend backend;
    const struct fe_config_http *http;
};

struct fe_redirect_backend fe_redirect_backend(const struct fe_config_http *http);

#endif
