/* What the gateway's own errors look like: application/problem+json (RFC 9457) to a client whose
 * Accept prefers JSON, a line of text to all others. */
#ifndef FE_GATEWAY_FILTERS_ERROR_PAGE_H
#define FE_GATEWAY_FILTERS_ERROR_PAGE_H

#include "web/http/filter.h"

extern const struct fe_filter fe_error_page_filter;

#endif
