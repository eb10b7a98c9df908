/* The server's side of HTTP/2 (RFC 9113), over nghttp2, which no other room includes.
 *
 * Each stream is an exchange. Backends are called from feed, run, on_drain, on_eof, free and
 * timers; what they say is put together in run. A client that does not take its share of a response
 * holds up that stream only, a backend that does not take a body holds up that body only, and both
 * for a bounded number of bytes: web/http/h2/limits.h, where the floods are too for which a client
 * is told ENHANCE_YOUR_CALM and left. */
#ifndef FE_WEB_HTTP_H2_SERVER_H
#define FE_WEB_HTTP_H2_SERVER_H

#include "web/http/h2/limits.h"
#include "web/http/server.h"

/* For a connection whose client sends the preface next, and on which nothing has been sent: after
 * ALPN chose "h2", or fe_http_detect (web/http/detect.h) saw it. `counters` outlive the server. To
 * be freed with fe_http_server_free. NULL: out of memory, and `out` may have something of ours. */
struct fe_http_server *fe_h2_server_new(const struct fe_http_setup *setup,
                                        struct fe_h2_counters *counters) FE_MUST_USE;

#endif
