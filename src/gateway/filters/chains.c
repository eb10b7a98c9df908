#include "gateway/filters/chains.h"

#include "gateway/filters/body_limits.h"
#include "gateway/filters/error_page.h"
#include "gateway/filters/hsts.h"
#include "gateway/filters/no_cache.h"

enum { OWN_MAX = 4 };

const struct fe_filter_chain *fe_filters_of_listener(struct fe_arena *arena, struct fe_view hsts)
{
    const struct fe_filter *own[OWN_MAX] = {&fe_error_page_filter};
    size_t n = 1;

    if (hsts.len > 0) {
        struct fe_hsts_filter *const filter = fe_arena_alloc(arena, sizeof(*filter));

        if (filter == NULL) {
            return NULL;
        }
        *filter = fe_hsts_filter(hsts);
        own[n++] = &filter->filter;
    }
    return fe_filter_chain_new(arena, NULL, own, n);
}

const struct fe_filter_chain *fe_filters_of_route(struct fe_arena *arena,
                                                  const struct fe_filter_chain *listener,
                                                  const struct fe_route_filters *route)
{
    const struct fe_filter *own[OWN_MAX];
    size_t n = 0;

    if (route->no_cache) {
        own[n++] = &fe_no_cache_filter;
    }
    if (route->body_min > 0 || route->body_max < UINT64_MAX) {
        struct fe_body_limits_filter *const filter = fe_arena_alloc(arena, sizeof(*filter));

        if (filter == NULL) {
            return NULL;
        }
        *filter = fe_body_limits_filter(route->body_min, route->body_max);
        own[n++] = &filter->filter;
    }
    return n > 0 ? fe_filter_chain_new(arena, listener, own, n) : listener;
}
