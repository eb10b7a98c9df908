/* `nocache` of a route: no cache may store its responses. */
#ifndef FE_GATEWAY_FILTERS_NO_CACHE_H
#define FE_GATEWAY_FILTERS_NO_CACHE_H

#include "web/http/filter.h"

/* Cache-Control, and for what is older than it, Expires and Pragma, replace what the response says
 * about caches. The gateway's own errors stay as they are. */
extern const struct fe_filter fe_no_cache_filter;

#endif
