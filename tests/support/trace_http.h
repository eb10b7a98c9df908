/* What a handler of requests sees, as events of a trace: body(abc) end trailer(a=b). */
#ifndef TESTS_SUPPORT_TRACE_HTTP_H
#define TESTS_SUPPORT_TRACE_HTTP_H

#include "support/trace.h"
#include "web/http/exchange.h"

/* More than 32 bytes are counted: body(#4096). */
void trace_body(struct trace *trace, struct fe_view data);
void trace_body_end(struct trace *trace, const struct fe_fields *trailers);

#endif
