/* Strict-Transport-Security (RFC 6797) on all responses that go over TLS. */
#ifndef FE_GATEWAY_FILTERS_HSTS_H
#define FE_GATEWAY_FILTERS_HSTS_H

#include "web/http/filter.h"

struct fe_hsts_filter {
    struct fe_filter filter;
    struct fe_view value; /* outlives the filter */
};

struct fe_hsts_filter fe_hsts_filter(struct fe_view value);

#endif
