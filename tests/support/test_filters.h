/* Filters that do what the gateway's do not: both change bytes, hold what is not taken, within a
 * bound, and pass it on when there is space again, in both directions. */
#ifndef TESTS_SUPPORT_TEST_FILTERS_H
#define TESTS_SUPPORT_TEST_FILTERS_H

#include "support/trace.h"
#include "web/http/filter.h"

enum { TEST_FILTER_HELD_MAX = 64 };

/* Sends each byte `n_times`, and holds up to TEST_FILTER_HELD_MAX of what comes of it. */
struct repeating_filter {
    struct fe_filter filter;
    size_t n_times;
};

struct repeating_filter repeating_filter(size_t n_times);

/* Writes down each hook that is called, and passes it on: name:request, name:respond... */
struct tracing_filter {
    struct fe_filter filter;
    const char *name;
    struct trace *trace;
    bool answers; /* with 403, in place of the backend */
    bool holds;   /* the request's head, until tracing_filter_go_on */
    const struct fe_filter_stage **held;
};

struct tracing_filter tracing_filter(const char *name, struct trace *trace);

#endif
