/* Fields that speak about one connection (RFC 9110 §7.6.1), and those that frame the body: the
 * protocol's to write, whatever a backend or a client says. */
#ifndef FE_WEB_HTTP_HOP_BY_HOP_H
#define FE_WEB_HTTP_HOP_BY_HOP_H

#include "web/http/message.h"

/* Names are compared without regard to case. */

/* About the connection: Connection, Keep-Alive, Proxy-Connection, TE, Trailer, Transfer-Encoding,
 * Upgrade. In no request and no response that is passed on, and in no trailer. */
bool fe_is_about_connection(struct fe_view name);

/* Those, and what else of a response is the protocol's, or between a proxy and its client:
 * Content-Length, Proxy-Authenticate. */
bool fe_is_hop_by_hop(struct fe_view name);

/* Whether a Connection field among these names it. */
bool fe_is_named_by_connection(const struct fe_fields *fields, struct fe_view name);

#endif
