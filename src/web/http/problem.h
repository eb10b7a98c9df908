/* Answers that say in one line what went wrong. */
#ifndef FE_WEB_HTTP_PROBLEM_H
#define FE_WEB_HTTP_PROBLEM_H

#include "web/http/exchange.h"

/* Answers with `status` and `reason` (one line, no newline) and ends the exchange, or aborts it
 * when memory is out: either way it is over. The body is text/plain, or application/problem+json
 * (RFC 9457) if the client's Accept prefers JSON. */
void fe_problem_respond(struct fe_exchange *ex, int status, const char *reason);

/* The same with one more field, such as Allow or Retry-After. */
void fe_problem_respond_with(struct fe_exchange *ex, int status, const char *reason,
                             struct fe_field field);

/* The exchange is taken from its backend, which hears on_reset, because the request cannot be read
 * to its end or is not to be: answered with a problem if no head has gone out, else reset. HTTP/1.1
 * closes behind the answer unless the request is complete. */
void fe_problem_fail(struct fe_exchange *ex, int status, const char *reason);

#endif
