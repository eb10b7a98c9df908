#include "gateway/edge/dispatch.h"

#include "gateway/files/files.h"
#include "web/http/problem.h"

static void serve_static(struct fe_exchange *ex, const struct fe_config_route *route,
                         const struct fe_match *match)
{
    struct fe_view rest = fe_view_of(NULL, 0);

    for (size_t i = 0; i < match->n_params; i++) {
        if (fe_view_equal(match->params[i].name, route->rest)) {
            rest = match->params[i].value;
        }
    }
    fe_static_serve(ex, route, rest);
}

/* RFC 9110 §9.3.7. */
static void respond_options(struct fe_exchange *ex, struct fe_view allow)
{
    struct fe_field field = {FE_VIEW_LIT("allow"), allow};
    struct fe_response response = {.status = 204, .fields = {&field, 1, 1}};

    if (ex->ops->respond(ex, &response) != 0) {
        ex->ops->abort(ex);
        return;
    }
    ex->ops->end(ex, NULL);
}

/* 308 lets no client turn a POST into a GET (RFC 9110 §15.4.9); older ones know only 301. */
static void redirect(struct fe_exchange *ex, struct fe_view location)
{
    bool is_get = ex->request.method == FE_METHOD_GET || ex->request.method == FE_METHOD_HEAD;

    fe_problem_respond_with(ex, is_get ? 301 : 308, "path redirected to its normalized form",
                            (struct fe_field){FE_VIEW_LIT("location"), location});
}

static void serve(struct fe_exchange *ex, const struct fe_match *match, struct fe_view remote,
                  const struct fe_backends *backends)
{
    const struct fe_config_route *route = match->route;

    switch (route->kind) {
    case FE_ROUTE_SERVICE:
        if (backends->mesh != NULL) {
            fe_service_serve(ex, route, match, remote, backends->mesh);
        } else {
            fe_crossing_serve(ex, route, match, remote, backends->channel);
        }
        break;
    case FE_ROUTE_STATIC:
        serve_static(ex, route, match);
        break;
    }
}

void fe_dispatch(struct fe_exchange *ex, const struct fe_config_http *http, struct fe_view remote,
                 const struct fe_backends *backends)
{
    struct fe_match match;

    if (fe_router_match(http->router, &ex->request, &ex->arena, &match) != 0) {
        fe_problem_respond(ex, 503, "overloaded: out of memory");
        return;
    }
    switch (match.result) {
    case FE_MATCH_FOUND:
        serve(ex, &match, remote, backends);
        break;
    case FE_MATCH_OPTIONS:
        respond_options(ex, match.allow);
        break;
    case FE_MATCH_REDIRECT:
        redirect(ex, match.location);
        break;
    case FE_MATCH_NOT_ALLOWED:
        fe_problem_respond_with(ex, 405, "method not allowed for this path",
                                (struct fe_field){FE_VIEW_LIT("allow"), match.allow});
        break;
    case FE_MATCH_NOT_FOUND:
        fe_problem_respond(ex, 404, "no route for this path");
        break;
    case FE_MATCH_BAD_PATH:
        fe_problem_respond(ex, 400, "invalid path");
        break;
    }
}
