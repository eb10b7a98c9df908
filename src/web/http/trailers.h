/* Fields that come after a body (RFC 9110 §6.5). */
#ifndef FE_WEB_HTTP_TRAILERS_H
#define FE_WEB_HTTP_TRAILERS_H

#include "web/http/message.h"

/* May a field of this name be a trailer? Not if the recipient needs it before the body (framing,
 * routing, processing, authentication), nor if it concerns one connection (§6.5.1). Senders leave
 * such fields out, and recipients drop them. */
bool fe_trailer_is_allowed(struct fe_view name);

#endif
