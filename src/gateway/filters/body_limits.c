#include "gateway/filters/body_limits.h"

#include <inttypes.h>
#include <stdio.h>

#include "ground/base/assert.h"
#include "ground/base/list.h"
#include "web/http/exchange.h"
#include "web/http/problem.h"

enum { REASON_MAX = 80 };

#define TOO_LARGE "request body too large"

struct state {
    uint64_t n; /* bytes that were taken */
};

static const struct fe_body_limits_filter *filter_of(const struct fe_filter_stage *at)
{
    return FE_CONTAINER_OF(at->filter, const struct fe_body_limits_filter, filter);
}

static const char *too_small(const struct fe_body_limits_filter *filter, char reason[REASON_MAX])
{
    (void)snprintf(reason, REASON_MAX, "request body smaller than %" PRIu64 " bytes", filter->min);
    return reason;
}

static void on_request(const struct fe_filter_stage *at, struct fe_exchange *ex)
{
    const struct fe_body_limits_filter *const filter = filter_of(at);
    const uint64_t length = ex->request.content_length;
    char reason[REASON_MAX];

    if (length == FE_BODY_UNKNOWN || (length >= filter->min && length <= filter->max)) {
        fe_filter_next_request(at, ex);
    } else if (length < filter->min) {
        fe_problem_respond(ex, 400, too_small(filter, reason));
    } else {
        fe_problem_respond(ex, 413, TOO_LARGE);
    }
}

static size_t on_data(const struct fe_filter_stage *at, struct fe_exchange *ex, struct fe_view data)
{
    const struct fe_body_limits_filter *const filter = filter_of(at);
    struct state *const state = fe_filter_state(at, ex);
    size_t n;

    FE_ASSERT(state->n <= filter->max, "what was taken is within the limit");
    if (data.len > filter->max || state->n > filter->max - data.len) {
        fe_problem_fail(ex, 413, TOO_LARGE);
        return 0;
    }
    n = fe_filter_next_data(at, ex, data);
    FE_ASSERT(n <= data.len, "a reader takes no more than it was given");
    state->n += n;
    return n;
}

static void on_end(const struct fe_filter_stage *at, struct fe_exchange *ex,
                   const struct fe_fields *trailers)
{
    const struct fe_body_limits_filter *const filter = filter_of(at);
    const struct state *const state = fe_filter_state(at, ex);
    char reason[REASON_MAX];

    if (state->n < filter->min && ex->phase == FE_EXCHANGE_OPEN) {
        fe_problem_fail(ex, 400, too_small(filter, reason));
        return;
    }
    fe_filter_next_end(at, ex, trailers);
}

struct fe_body_limits_filter fe_body_limits_filter(uint64_t min, uint64_t max)
{
    static const struct fe_filter_ops ops = {
        .state_size = sizeof(struct state),
        .on_request = on_request,
        .on_data = on_data,
        .on_end = on_end,
    };

    return (struct fe_body_limits_filter){{&ops}, min, max};
}
