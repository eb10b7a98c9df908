/* The target of a request, in any version of HTTP, and what a client is told that got it wrong. */
#ifndef FE_WEB_HTTP_TARGET_H
#define FE_WEB_HTTP_TARGET_H

#include "web/http/message.h"

/* What a client did wrong: the status and the line that it is told. Static text. Status 0: nothing,
 * as what it says is not HTTP. */
struct fe_http_fault {
    int status;
    const char *reason;
};

/* Sets the fault; always FLATEND_EPROTO, so that `return fe_http_refuse(...)` reads. */
static inline int fe_http_refuse(struct fe_http_fault *fault, int status, const char *reason)
{
    *fault = (struct fe_http_fault){status, reason};
    return FLATEND_EPROTO;
}

/* The forms of a request target, RFC 9112 §3.2; `method`, `version` and `authority` (from Host, if
 * any) are known. FLATEND_EPROTO. */
int fe_http_target_parse(struct fe_request *request, struct fe_view target,
                         struct fe_http_fault *fault) FE_MUST_USE;

/* host [ ":" port ] without user information (RFC 3986 §3.2); may be empty. */
bool fe_http_is_authority(struct fe_view v);

#endif
