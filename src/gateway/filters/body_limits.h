/* How small and how large a request's body may be: 400 and 413. A body of known length is not even
 * asked for when that is outside; of another one too many bytes are noticed as they come, and too
 * few at its end, unless the response has begun: the backend had what it needed then. */
#ifndef FE_GATEWAY_FILTERS_BODY_LIMITS_H
#define FE_GATEWAY_FILTERS_BODY_LIMITS_H

#include "web/http/filter.h"

struct fe_body_limits_filter {
    struct fe_filter filter;
    uint64_t min; /* bytes */
    uint64_t max;
};

struct fe_body_limits_filter fe_body_limits_filter(uint64_t min, uint64_t max);

#endif
