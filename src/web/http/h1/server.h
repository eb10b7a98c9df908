/* The server's side of HTTP/1.1 (RFC 9112). Pipelined requests are answered in order, one at a
 * time. While one is being answered a little of what follows is kept, so that the end of the client
 * is seen; beyond that reading stops. */
#ifndef FE_WEB_HTTP_H1_SERVER_H
#define FE_WEB_HTTP_H1_SERVER_H

#include "web/http/server.h"

/* To be freed with fe_http_server_free. NULL: out of memory. */
struct fe_http_server *fe_h1_server_new(const struct fe_http_setup *setup) FE_MUST_USE;

#endif
