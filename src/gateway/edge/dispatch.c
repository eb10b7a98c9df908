#include "gateway/edge/dispatch.h"

#include "ground/base/assert.h"
#include "ground/base/list.h"
#include "web/http/moved.h"
#include "web/http/problem.h"
#include "web/http/syntax.h"

/* ---- what has no route ---------------------------------------------------------------------- */

/* RFC 9110 §9.3.7. */
static void respond_options(struct fe_exchange *ex, struct fe_view allow)
{
    struct fe_field field = {FE_VIEW_LIT("allow"), allow};
    struct fe_response response = {.status = 204, .fields = {&field, 1, 1}};
    const int code = fe_exchange_respond(ex, &response);

    if (code != 0) {
        fe_exchange_reset(ex, code);
        return;
    }
    fe_exchange_finish(ex, NULL);
}

static void answer(const struct fe_backend *backend, struct fe_exchange *ex)
{
    const struct fe_match *const match = ex->match;
    const enum fe_method method = ex->request.method;

    (void)backend;
    if (method == FE_METHOD_OTHER || method == FE_METHOD_TRACE) {
        fe_problem_respond(ex, 501, "method not implemented"); /* no route can be for it: §9.1 */
        return;
    }
    switch (match->result) {
    case FE_MATCH_OPTIONS:
        respond_options(ex, match->allow);
        break;
    case FE_MATCH_REDIRECT:
        fe_moved_respond(ex, match->location, FE_MOVED_NORMALIZED);
        break;
    case FE_MATCH_NOT_ALLOWED:
        fe_problem_respond_with(ex, 405, "method not allowed for this path",
                                (struct fe_field){FE_VIEW_LIT("allow"), match->allow});
        break;
    case FE_MATCH_NOT_FOUND:
        fe_problem_respond(ex, 404, "no route for this path");
        break;
    case FE_MATCH_BAD_PATH:
        fe_problem_respond(ex, 400, "invalid path");
        break;
    case FE_MATCH_FOUND:
        FE_UNREACHABLE("a route that was found has a backend");
    }
}

static const struct fe_backend_ops answer_ops = {.start = answer};
static const struct fe_backend answers = {&answer_ops};

/* RFC 9110 §7.6.2: such a request goes no further than here. TRACE is answered nowhere. */
static bool is_last(const struct fe_request *request)
{
    const struct fe_field *field;
    uint64_t n;

    if (request->method != FE_METHOD_OPTIONS) {
        return false;
    }
    field = fe_fields_find_only(&request->fields, FE_VIEW_LIT("max-forwards"));
    return field != NULL && fe_parse_number(field->value, &n) && n == 0;
}

static void answer_last(const struct fe_backend *backend, struct fe_exchange *ex)
{
    struct fe_view allow;

    (void)backend;
    if (fe_router_allow(ex->match, &ex->request, &ex->arena, &allow) != 0) {
        fe_problem_respond(ex, 503, "overloaded: out of memory");
    } else {
        respond_options(ex, allow);
    }
}

static const struct fe_backend_ops last_ops = {.start = answer_last};
static const struct fe_backend last = {&last_ops};

/* ---- routes --------------------------------------------------------------------------------- */

/* What was found, and the filters that stand before it. */
static const struct fe_backend *enter(const struct fe_dispatch_backend *dispatch,
                                      struct fe_exchange *ex)
{
    const struct fe_config_route *route = ex->match->route;

    if (ex->match->result != FE_MATCH_FOUND) {
        return &answers;
    }
    FE_ASSERT(route != NULL, "a route that was found is there");
    ex->filters = route->filters;
    ex->times = route->has_times ? &route->times : NULL;
    if (is_last(&ex->request)) {
        return &last;
    }
    return route->kind == FE_ROUTE_SERVICE ? dispatch->services : dispatch->files;
}

static void start(const struct fe_backend *backend, struct fe_exchange *ex)
{
    const struct fe_dispatch_backend *const dispatch =
        FE_CONTAINER_OF(backend, const struct fe_dispatch_backend, backend);
    struct fe_match *const match = fe_arena_alloc(&ex->arena, sizeof(*match));

    if (match == NULL ||
        fe_router_match(dispatch->http->router, &ex->request, &ex->arena, match) != 0) {
        fe_problem_respond(ex, 503, "overloaded: out of memory");
        return;
    }
    FE_ASSERT(ex->match == NULL, "a route is found once");
    ex->match = match;
    fe_backend_start(enter(dispatch, ex), ex);
}

static const struct fe_backend_ops dispatch_ops = {.start = start};

struct fe_dispatch_backend fe_dispatch_backend(const struct fe_config_http *http,
                                               const struct fe_backend *services,
                                               const struct fe_backend *files)
{
    return (struct fe_dispatch_backend){{&dispatch_ops}, http, services, files};
}
