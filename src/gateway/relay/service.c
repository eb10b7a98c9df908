/* One request to a service and its response.
 *
 * Happy path: the head is transcribed, a call is started; body bytes go from on_data to the call
 * and from on_data to the exchange, as many as the other side accepts, and whoever had to wait is
 * asked to resume; the response's end ends the exchange.
 *
 * Failure modes: no provider, or none that answers in time: a problem, as long as no head was sent;
 * after it the exchange is aborted, so that nobody takes a part for the whole. The client goes
 * away: the call is canceled. Nothing is queued here.
 *
 * Time counts against the service only while it is its turn: from the end of the request's body, or
 * while it does not take what is there. A client that takes long to send its body is the business
 * of the protocol's read timeout. */
#include "gateway/relay/service.h"

#include <stdio.h>

#include "gateway/relay/held_response.h"
#include "gateway/relay/transcribe.h"
#include "mesh/rpc/call.h"
#include "web/http/problem.h"

enum { REASON_MAX = 256 };

/* Lives in the exchange's arena. */
struct relay {
    struct fe_exchange *ex;
    const struct fe_config_route *route;
    const struct fe_mesh_access *mesh;
    struct fe_call call;
    struct fe_timer deadline; /* armed while it is the service's turn to answer */
    struct fe_held_response held;
    struct fe_timer hold; /* while it is held, from its first bytes on */
    bool has_ended;       /* the response, while the rest of what was held is written */
};

/* ---- failures ------------------------------------------------------------------------------- */

/* "'a', 'b'", cut where the space ends. */
static const char *list_services(const struct fe_config_route *route, char text[REASON_MAX])
{
    size_t len = 0;

    for (size_t i = 0; i < route->n_services && len < REASON_MAX; i++) {
        len += (size_t)snprintf(text + len, REASON_MAX - len, "%s'%.*s'", i == 0 ? "" : ", ",
                                (int)route->services[i].len, (const char *)route->services[i].ptr);
    }
    return text;
}

static void refuse(struct fe_exchange *ex, const struct fe_config_route *route, int status,
                   const char *what)
{
    char services[REASON_MAX];
    char reason[2 * REASON_MAX];

    (void)snprintf(reason, sizeof(reason), "%s %s", what, list_services(route, services));
    fe_problem_respond(ex, status, reason);
}

/* Why there is no response, and whose fault that is: docs/gateway.md. */
static void respond_with_code(struct fe_exchange *ex, const struct fe_config_route *route, int code)
{
    switch (code) {
    case FLATEND_ENOPROVIDER:
        refuse(ex, route, 503, "no provider for");
        break;
    case FLATEND_EUNHANDLED:
        refuse(ex, route, 503, "request not handled by any provider of");
        break;
    case FLATEND_ETIMEDOUT:
        refuse(ex, route, 504, "timed out waiting for");
        break;
    case FLATEND_ETOOBIG:
        fe_problem_respond(ex, 431, "header fields and parameters too large for the provider");
        break;
    case FLATEND_ESYNTAX:
        fe_problem_respond(ex, 400, "query parameter with a control character");
        break;
    case FLATEND_ENOMEM:
        fe_problem_respond(ex, 503, "overloaded: out of memory");
        break;
    case FLATEND_ELIMIT:
        refuse(ex, route, 503, "overloaded: too many requests for");
        break;
    case FLATEND_ERESET:
        refuse(ex, route, 502, "request reset by the provider of");
        break;
    default:
        refuse(ex, route, 502, "connection lost to the provider of");
        break;
    }
}

static void stop_deadline(struct relay *relay)
{
    fe_timer_stop(relay->mesh->timers, &relay->deadline);
}

static void stop_timers(struct relay *relay)
{
    stop_deadline(relay);
    fe_timer_stop(relay->mesh->timers, &relay->hold);
}

/* What the service is told. */
static enum fe_reason reason_of(int code)
{
    switch (code) {
    case FLATEND_ETIMEDOUT:
        return FE_REASON_TIMEOUT;
    case FLATEND_ETOOBIG:
        return FE_REASON_TOO_LARGE;
    default:
        return FE_REASON_CANCEL;
    }
}

/* The call is over or has to be; tells the client as far as that is still possible. */
static void fail(struct relay *relay, int code)
{
    struct fe_exchange *ex = relay->ex;

    stop_timers(relay);
    fe_call_reset(&relay->call, reason_of(code));
    fe_log(relay->mesh->log, FLATEND_LOG_DEBUG, "%.*s %.*s: %s.", (int)ex->request.method_text.len,
           (const char *)ex->request.method_text.ptr, (int)ex->request.path.len,
           (const char *)ex->request.path.ptr, flatend_strerror(code));
    if (fe_exchange_has_responded(ex)) {
        fe_exchange_reset(ex, code);
    } else {
        respond_with_code(ex, relay->route, code);
    }
}

/* The service broke the rules of HTTP: that is worth a line for whoever wrote it. */
static void fail_response(struct relay *relay, const char *why)
{
    struct fe_exchange *ex = relay->ex;
    const struct fe_mesh_access *const mesh = relay->mesh;
    char services[REASON_MAX];

    if (fe_log_limit_passes(mesh->service_lines, mesh->log, FLATEND_LOG_WARN, "services",
                            mesh->now_ms(mesh->now_arg))) {
        fe_log(mesh->log, FLATEND_LOG_WARN, "Invalid response from %s: %s.",
               list_services(relay->route, services), why);
    }
    fe_call_reject(&relay->call, FE_REASON_CANCEL);
    fe_problem_respond(ex, 502, why);
}

/* ---- the deadline --------------------------------------------------------------------------- */

static void on_deadline(struct fe_timer *timer)
{
    fail(FE_CONTAINER_OF(timer, struct relay, deadline), FLATEND_ETIMEDOUT);
}

/* It is the service's turn. FLATEND_ENOMEM. */
static int start_deadline(struct relay *relay)
{
    const struct fe_mesh_access *mesh = relay->mesh;

    if (fe_exchange_has_responded(relay->ex) || relay->route->timeout_ms == 0) {
        return 0;
    }
    return fe_timer_start(mesh->timers, &relay->deadline,
                          mesh->now_ms(mesh->now_arg) + relay->route->timeout_ms);
}

/* ---- the request's body: from the exchange to the call -------------------------------------- */

static void finish(struct relay *relay, const struct fe_fields *trailers)
{
    struct fe_transcript transcript;
    int code =
        fe_transcribe_trailers(&relay->ex->request, trailers, &relay->ex->arena, &transcript);

    if (code == 0) {
        code = fe_call_finish(&relay->call, transcript.headers, transcript.n);
    }
    if (code == 0) {
        code = start_deadline(relay);
    }
    if (code != 0) {
        fail(relay, code);
    }
}

static size_t on_data(struct fe_exchange *ex, struct fe_view data)
{
    struct relay *relay = ex->state;
    ssize_t n = fe_call_write(&relay->call, data);
    int code = 0;

    if (n < 0) {
        fail(relay, (int)n);
        return 0;
    }
    if ((size_t)n < data.len) {
        code = start_deadline(relay);
    }
    if (code != 0) {
        fail(relay, code);
    }
    return (size_t)n;
}

static void call_on_writable(struct fe_call *call)
{
    struct relay *relay = call->owner;

    stop_deadline(relay);
    fe_exchange_resume(relay->ex);
}

static void on_end(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    finish(ex->state, trailers);
}

static void on_reset(struct fe_exchange *ex, int code)
{
    struct relay *relay = ex->state;

    (void)code;
    stop_timers(relay);
    fe_call_reset(&relay->call, FE_REASON_CANCEL);
}

/* ---- the response: from the call to the exchange -------------------------------------------- */

static void log_dropped(const struct relay *relay, const struct fe_dropped_headers *dropped)
{
    const struct fe_request *request = &relay->ex->request;

    if (dropped->n > 0) {
        fe_log(relay->mesh->log, FLATEND_LOG_DEBUG,
               "%.*s %.*s: dropped %zu header(s) of the response whose names HTTP forbids, the "
               "first is '%.*s'.",
               (int)request->method_text.len, (const char *)request->method_text.ptr,
               (int)request->path.len, (const char *)request->path.ptr, dropped->n,
               (int)dropped->first.len, (const char *)dropped->first.ptr);
    }
}

/* What became of a response that was handed on. */
static bool has_responded(struct relay *relay, int code, const char *why)
{
    if (code == FLATEND_EPROTO || code == FLATEND_EINVAL) {
        fail_response(relay, why);
    } else if (code != 0) {
        fail(relay, code);
    }
    return code == 0;
}

/* Whether all of the body that was held is on its way; false also when that has failed. */
static bool write_held(struct relay *relay)
{
    int code = fe_held_response_write(&relay->held, relay->ex);

    if (code < 0) {
        fail(relay, code);
    }
    return code > 0;
}

/* The same, after the head. */
static bool release(struct relay *relay, bool is_whole)
{
    int code;

    fe_timer_stop(relay->mesh->timers, &relay->hold);
    code = fe_held_response_release(&relay->held, relay->ex, is_whole);
    return has_responded(relay, code, FE_RESPONSE_INVALID) && write_held(relay);
}

static void on_hold(struct fe_timer *timer)
{
    (void)release(FE_CONTAINER_OF(timer, struct relay, hold), false);
}

static void call_on_response(struct fe_call *call, struct fe_headers headers)
{
    struct relay *relay = call->owner;
    struct fe_exchange *ex = relay->ex;
    const char *why = FE_RESPONSE_INVALID;
    struct fe_dropped_headers dropped;
    struct fe_response response;
    bool is_held = false;
    int code;

    stop_deadline(relay);
    code = fe_transcribe_response(headers, &ex->arena, &response, &dropped, &why);
    log_dropped(relay, &dropped);
    if (code == 0) {
        is_held = fe_call_is_old(call) && fe_held_response_is_due(ex, &response);
        code = is_held ? fe_held_response_start(&relay->held, &response, &ex->arena)
                       : fe_exchange_respond(ex, &response);
    }
    if (!has_responded(relay, code, why)) {
        return;
    }
    if (ex->request.method == FE_METHOD_HEAD) {
        fe_call_reset(call, FE_REASON_CANCEL); /* the rest is not wanted, and may be endless */
        fe_exchange_finish(ex, NULL);
    } else if (response.status != 304) { /* its length is that of what is not sent */
        fe_call_expect(call, response.content_length);
    }
}

/* The first bytes of a response that is held: true if they are now, too. */
static bool keep(struct relay *relay, struct fe_view data, int *code)
{
    const struct fe_mesh_access *mesh = relay->mesh;

    *code = fe_held_response_keep(&relay->held, data, &relay->ex->arena);
    if (*code <= 0) {
        return false;
    }
    *code = 0;
    if (!fe_timer_is_armed(&relay->hold)) {
        *code =
            fe_timer_start(mesh->timers, &relay->hold, mesh->now_ms(mesh->now_arg) + FE_HELD_MS);
    }
    return true;
}

static size_t call_on_data(struct fe_call *call, struct fe_view data)
{
    struct relay *relay = call->owner;
    ssize_t n;

    if (relay->held.is_held) {
        int code;
        bool is_kept = keep(relay, data, &code);

        if (code != 0) {
            fail(relay, code);
        }
        if (is_kept || code != 0) {
            return data.len;
        }
        if (!release(relay, false)) {
            return 0;
        }
    }
    if (relay->held.n_sent < relay->held.len) {
        return 0; /* on_writable goes on */
    }
    n = fe_exchange_write(relay->ex, data);
    if (n == FLATEND_ETOOBIG) {
        fe_call_reject(call, FE_REASON_TOO_LARGE); /* more than it has announced */
    }
    if (n < 0) {
        fail(relay, (int)n);
        return data.len;
    }
    return (size_t)n;
}

static void on_writable(struct fe_exchange *ex)
{
    struct relay *relay = ex->state;

    if (!write_held(relay)) {
        return;
    }
    if (relay->has_ended) {
        fe_exchange_finish(ex, NULL);
    } else {
        fe_call_resume(&relay->call);
    }
}

static void call_on_end(struct fe_call *call, struct fe_headers received)
{
    struct relay *relay = call->owner;
    struct fe_fields trailers = {0};

    if (fe_transcribe_response_trailers(received, &relay->ex->arena, &trailers) != 0) {
        fail(relay, FLATEND_ENOMEM);
        return;
    }
    stop_deadline(relay);
    relay->has_ended = true;
    if (relay->held.is_held && !release(relay, true)) {
        return; /* on_writable goes on, or it has failed; an old node has no trailers */
    }
    fe_exchange_finish(relay->ex, &trailers);
}

static void call_on_reset(struct fe_call *call, int code)
{
    struct relay *relay = call->owner;

    if (code == FLATEND_ETOOBIG && !fe_exchange_has_responded(relay->ex)) {
        stop_timers(relay);
        fe_problem_respond(relay->ex, 413, "request too large for the service");
        return;
    }
    fail(relay, code);
}

/* ---- the start ------------------------------------------------------------------------------ */

static const struct fe_call_ops call_ops = {
    .on_response = call_on_response,
    .on_data = call_on_data,
    .on_writable = call_on_writable,
    .on_end = call_on_end,
    .on_reset = call_on_reset,
};

/* How long the service has; with a body to come nobody knows yet when that begins. */
static void add_timeout(const struct fe_config_route *route, struct fe_transcript *transcript)
{
    if (route->timeout_ms > 0) {
        transcript->headers[transcript->n++] =
            (struct fe_header){FE_VIEW_LIT("timeout-ms"), route->timeout_text};
    }
}

static int start_call(struct relay *relay)
{
    struct fe_exchange *ex = relay->ex;
    const struct fe_request *http = &ex->request;
    const struct fe_mesh_access *mesh = relay->mesh;
    const struct fe_call_env env = {mesh->registry, mesh->timers, mesh->pool};
    struct fe_call_request request = {
        .services = relay->route->services,
        .n_services = relay->route->n_services,
        .is_idempotent = fe_method_is_idempotent(http->method),
        .started_ms = mesh->now_ms(mesh->now_arg),
        .deadline_ms = FE_TIME_NEVER, /* ours can wait for the client */
    };
    struct fe_transcript transcript;
    int code = fe_transcribe_request(http, ex->match, ex->remote, &ex->arena, &transcript);

    if (code != 0) {
        return code == FLATEND_ELIMIT ? FLATEND_ETOOBIG : code;
    }
    if (http->content_length == 0) {
        add_timeout(relay->route, &transcript);
    }
    request.headers = transcript.headers;
    request.n_headers = transcript.n;
    return fe_call_start(&relay->call, &env, &request, &call_ops, relay);
}

static void start(const struct fe_backend *backend, struct fe_exchange *ex)
{
    static const struct fe_fields none;
    const struct fe_config_route *route = ex->match->route;
    struct relay *relay;
    int code;

    relay = fe_arena_alloc(&ex->arena, sizeof(*relay));
    if (relay == NULL) {
        respond_with_code(ex, route, FLATEND_ENOMEM);
        return;
    }
    relay->ex = ex;
    relay->route = route;
    relay->mesh = FE_CONTAINER_OF(backend, const struct fe_service_backend, backend)->mesh;
    fe_timer_init(&relay->deadline, on_deadline);
    relay->held = (struct fe_held_response){0};
    fe_timer_init(&relay->hold, on_hold);
    relay->has_ended = false;
    code = start_call(relay);
    if (code != 0) {
        respond_with_code(ex, route, code);
        return;
    }
    ex->state = relay;
    if (ex->request.content_length == 0) {
        finish(relay, &none);
    } else {
        fe_exchange_resume(ex);
    }
}

static const struct fe_backend_ops backend_ops = {
    .start = start,
    .on_data = on_data,
    .on_end = on_end,
    .on_writable = on_writable,
    .on_reset = on_reset,
};

struct fe_service_backend fe_service_backend(const struct fe_mesh_access *mesh)
{
    return (struct fe_service_backend){{&backend_ops}, mesh};
}
