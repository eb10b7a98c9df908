/* The chains of filters that the configuration asks for. They live in `arena`, with the views that
 * they are given. NULL: out of memory. */
#ifndef FE_GATEWAY_FILTERS_CHAINS_H
#define FE_GATEWAY_FILTERS_CHAINS_H

#include "web/http/filter.h"

/* What each exchange of a listener passes. `hsts` empty: none. */
const struct fe_filter_chain *fe_filters_of_listener(struct fe_arena *arena,
                                                     struct fe_view hsts) FE_MUST_USE;

struct fe_route_filters {
    uint64_t body_min;
    uint64_t body_max; /* UINT64_MAX: no limit */
    bool no_cache;
};

/* Those of the listener, then the route's. */
const struct fe_filter_chain *fe_filters_of_route(struct fe_arena *arena,
                                                  const struct fe_filter_chain *listener,
                                                  const struct fe_route_filters *route) FE_MUST_USE;

#endif
