/* Fields of a response that speak about one connection (RFC 9110 §7.6.1), and those that frame the
 * body: the protocol's to write, whatever a backend says. */
#ifndef FE_WEB_HTTP_HOP_BY_HOP_H
#define FE_WEB_HTTP_HOP_BY_HOP_H

#include "web/http/message.h"

/* Names are compared without regard to case. */
bool fe_is_hop_by_hop(struct fe_view name);

/* Whether a Connection field among these names it. */
bool fe_is_named_by_connection(const struct fe_fields *fields, struct fe_view name);

#endif
