/* The fields of a response that no cache may store (`nocache` of a route). */
#ifndef FE_GATEWAY_FILTERS_NO_CACHE_H
#define FE_GATEWAY_FILTERS_NO_CACHE_H

#include "web/http/message.h"

enum { FE_NO_CACHE_FIELDS = 3 };

/* cache-control, and for what is older than it, expires and pragma. The text is static. */
void fe_no_cache_fields(struct fe_field fields[FE_NO_CACHE_FIELDS]);

#endif
