/* One request and its response, whatever version of HTTP carries them.
 *
 * Between the two sides stand two vtables: the protocol (HTTP/1.1, HTTP/2, a crossing from another
 * worker) implements `struct fe_exchange_ops`, whatever can answer implements
 * `struct fe_backend_ops`. Bodies flow by the contract of ground/base/flow.h, in both directions.
 * Only the inline functions below call the vtables; they keep the phase:
 *
 *     OPEN ── respond ──▶ RESPONDED ── finish ──▶ OVER
 *      └── tunnel ──▶ TUNNEL ── finish ──▶ TUNNEL_READ ── on_end ──▶ OVER
 *                        └── on_end ──▶ TUNNEL_WRITE ── finish ──▶ OVER
 *     and from each: reset, on_reset ──▶ OVER
 *
 * Life: the protocol makes the exchange, fills in the request and gives it to a backend with
 * fe_backend_start. The backend answers at once or takes the exchange's events. The exchange is
 * over when the backend has finished or reset the response, after which it forgets the exchange; or
 * when the client is gone, and on_reset is the last event. Events never come from within the
 * backend's calls. One thread's.
 *
 * A tunnel is a two-way stream of bytes in place of the response's body and of the rest of the
 * request's: `write`, `finish`, `on_data` and `on_end` are the tunnel's, each direction ends by
 * itself, and the exchange is over when both have ended. Nothing is heard of a direction behind its
 * end: no on_writable after `finish`. Filters see its head and its end.
 *
 * Filters (web/http/filter.h) stand between the two. One that holds something makes the exchange
 * two: `phase` is the backend's, who may have finished a response that is still being sent; `sent`
 * is the protocol's, which is never ahead. */
#ifndef FE_WEB_HTTP_EXCHANGE_H
#define FE_WEB_HTTP_EXCHANGE_H

#include "ground/base/flow.h"
#include "ground/base/refcount.h"
#include "web/http/filter.h"

struct fe_backend;
struct fe_exchange;
struct fe_http_times;
struct fe_match;
struct fe_problem;
struct fe_problem_page;

/* What the protocol does. */
struct fe_exchange_ops {
    int (*respond)(struct fe_exchange *ex, const struct fe_response *response);
    ssize_t (*write)(struct fe_exchange *ex, struct fe_view data);
    void (*finish)(struct fe_exchange *ex, const struct fe_fields *trailers);
    void (*reset)(struct fe_exchange *ex, int code);
    void (*resume)(struct fe_exchange *ex);
    /* NULL: the protocol has no tunnels. */
    int (*tunnel)(struct fe_exchange *ex, const struct fe_response *response);
    /* For filters: has fe_exchange_deliver_turn called, soon, not from within. NULL where there are
     * no filters. */
    void (*defer)(struct fe_exchange *ex);
    /* A problem that is told to the other end of the protocol, to be shown there, and ends the
     * exchange. NULL: it is shown here. */
    void (*problem)(struct fe_exchange *ex, const struct fe_problem *problem);
};

/* What a backend does: upstreams, files, redirects, fixed answers. */
struct fe_backend_ops {
    /* Answers, or keeps what it needs in `ex->state` and takes the events. */
    void (*start)(const struct fe_backend *backend, struct fe_exchange *ex);
    /* Request body; returns how many bytes were taken. Fewer than all: no more until resume. Once
     * it has ended the exchange the number means nothing. The four may be NULL: of a backend that
     * answers within `start`, or that never resumes, or whose writes are always accepted. */
    size_t (*on_data)(struct fe_exchange *ex, struct fe_view data);
    /* `trailers` may be empty; they live in the exchange's arena. What must not be a trailer has
     * been dropped. */
    void (*on_end)(struct fe_exchange *ex, const struct fe_fields *trailers);
    /* Space again after a write took less than it was given. */
    void (*on_writable)(struct fe_exchange *ex);
    /* The client is gone (FLATEND_ECLOSED), or too slow (FLATEND_ETIMEDOUT), or breaks the
     * protocol. The exchange is over. */
    void (*on_reset)(struct fe_exchange *ex, int code);
};

/* The first member of each backend. Immutable, and outlives the exchanges that it answers. */
struct fe_backend {
    const struct fe_backend_ops *ops;
};

enum fe_exchange_phase {
    FE_EXCHANGE_OPEN,
    FE_EXCHANGE_RESPONDED,    /* the response's head is given */
    FE_EXCHANGE_TUNNEL,       /* both directions are open */
    FE_EXCHANGE_TUNNEL_READ,  /* the backend has finished: from the client only */
    FE_EXCHANGE_TUNNEL_WRITE, /* the client has ended: to it only */
    FE_EXCHANGE_OVER,         /* the backend has forgotten it */
};

struct fe_exchange {
    const struct fe_exchange_ops *ops;
    const struct fe_backend *backend;      /* NULL: not started */
    void *state;                           /* the backend's */
    const struct fe_filter_chain *filters; /* NULL: none */
    enum fe_exchange_phase phase;          /* as the backend sees it */
    enum fe_exchange_phase sent;           /* as the protocol does */
    bool is_problem;                       /* the response is one of web/http/problem.h */
    bool is_failed;               /* fe_problem_fail: the rest of the request is not read */
    struct fe_request request;    /* lives in `arena` */
    struct fe_arena arena;        /* for whatever lives as long as the exchange */
    struct fe_view remote;        /* the client's address, as text; outlives the exchange */
    const struct fe_match *match; /* the route and its parameters, in `arena`; NULL: no route yet */
    /* What the route asks of the client, in place of the connection's; lives as long as `snapshot`.
     * NULL: nothing else. Set before the backend starts. */
    const struct fe_http_times *times;
    /* What the request is served by: kept, if on_exchange sets it, until no call is running
     * about the exchange any more, and then given back by the protocol. */
    struct fe_refcount *snapshot;
    /* web/http/filter.c's */
    const struct fe_backend *next_backend; /* starts behind the last filter */
    void **filter_states;
    size_t n_filter_states;
    size_t n_entered; /* filters that have had the request */
    bool is_deferred;
    bool is_tunnel; /* or is about to be */
};

/* ---- filter.c: into the chain ------------------------------------------------------------------
 */

void fe_filters_start(struct fe_exchange *ex, const struct fe_backend *backend);
size_t fe_filters_on_data(const struct fe_filter_stage *stage, struct fe_exchange *ex,
                          struct fe_view data) FE_MUST_USE;
void fe_filters_on_end(const struct fe_filter_stage *stage, struct fe_exchange *ex,
                       const struct fe_fields *trailers);
void fe_filters_on_writable(const struct fe_filter_stage *stage, struct fe_exchange *ex);
int fe_filters_respond(const struct fe_filter_stage *stage, struct fe_exchange *ex,
                       const struct fe_response *response) FE_MUST_USE;
void fe_filters_problem(const struct fe_filter_stage *stage, struct fe_exchange *ex,
                        const struct fe_problem *problem, struct fe_problem_page *page);
void fe_filters_on_over(struct fe_exchange *ex, int code);

/* ---- exchange.c: tunnels */
void fe_exchange_finish_tunnel(struct fe_exchange *ex);
void fe_exchange_end_tunnel(struct fe_exchange *ex); /* the client's direction */

/* The first filter that has the hook; NULL: none. */
static inline const struct fe_filter_stage *fe_exchange_stage(const struct fe_exchange *ex,
                                                              enum fe_filter_hook hook)
{
    return ex->filters != NULL ? ex->filters->first[hook] : NULL;
}

/* ---- the protocol's end of the chain -------------------------------------------------------- */

static inline int fe_exchange_send_head(struct fe_exchange *ex, const struct fe_response *response)
{
    int code;

    FE_ASSERT(ex->sent == FE_EXCHANGE_OPEN, "a response has one head");
    code = ex->is_tunnel ? ex->ops->tunnel(ex, response) : ex->ops->respond(ex, response);
    if (code == 0) {
        ex->sent = FE_EXCHANGE_RESPONDED;
    }
    return code;
}

/* Nothing of the exchange is looked at after this, but by the protocol. */
static inline void fe_exchange_leave(struct fe_exchange *ex, int code)
{
    FE_ASSERT(ex->sent != FE_EXCHANGE_OVER, "an exchange ends once");
    ex->sent = FE_EXCHANGE_OVER;
    if (fe_exchange_stage(ex, FE_FILTER_on_over) != NULL) {
        fe_filters_on_over(ex, code);
    }
}

static inline void fe_exchange_send_end(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    fe_exchange_leave(ex, 0);
    ex->ops->finish(ex, trailers);
}

/* ---- the backend's calls -------------------------------------------------------------------- */

static inline bool fe_exchange_has_responded(const struct fe_exchange *ex)
{
    return ex->phase > FE_EXCHANGE_OPEN && ex->phase < FE_EXCHANGE_OVER;
}

/* The phases of a tunnel. */
static inline bool fe_exchange_is_tunnel(const struct fe_exchange *ex)
{
    return ex->phase >= FE_EXCHANGE_TUNNEL && ex->phase < FE_EXCHANGE_OVER;
}

static inline bool fe_exchange_is_over(const struct fe_exchange *ex)
{
    return ex->phase == FE_EXCHANGE_OVER;
}

/* The response's head, once, status 200 to 599; fields and values are used up by the time it
 * returns. Hop-by-hop fields and those that frame the body are the protocol's business and skipped.
 * FLATEND_EINVAL: a status, name or value that HTTP forbids; nothing was sent, another response may
 * be tried. FLATEND_ENOMEM: nothing was sent, the exchange is to be reset. */
FE_MUST_USE static inline int fe_exchange_respond(struct fe_exchange *ex,
                                                  const struct fe_response *response)
{
    const struct fe_filter_stage *const stage = fe_exchange_stage(ex, FE_FILTER_respond);
    int code;

    FE_ASSERT(ex->phase == FE_EXCHANGE_OPEN, "a response has one head");
    code = stage != NULL ? stage->filter->ops->respond(stage, ex, response)
                         : fe_exchange_send_head(ex, response);
    if (code == 0) {
        ex->phase = FE_EXCHANGE_RESPONDED;
    }
    return code;
}

/* Body bytes: how many were accepted. More than the announced length is FLATEND_ETOOBIG. Where no
 * body goes out (HEAD, 204, 205, 304) everything is accepted and dropped. */
FE_MUST_USE static inline ssize_t fe_exchange_write(struct fe_exchange *ex, struct fe_view data)
{
    const struct fe_filter_stage *const stage = fe_exchange_stage(ex, FE_FILTER_write);

    FE_ASSERT(fe_exchange_has_responded(ex), "a body comes behind its head");
    FE_ASSERT(ex->phase != FE_EXCHANGE_TUNNEL_READ, "nothing is written behind the end");
    return stage != NULL ? stage->filter->ops->write(stage, ex, data) : ex->ops->write(ex, data);
}

/* The response is complete. The exchange is the protocol's again. With less than the announced
 * length written it is a reset. `trailers`, used up by the time it returns, go where the protocol
 * has a place for them (nowhere without a body, in HTTP/1.1 behind a chunked one only), without
 * those that must not be trailers (web/http/trailers.h); NULL: none. A name or value that HTTP
 * forbids makes it a reset. */
static inline void fe_exchange_finish(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    const struct fe_filter_stage *const stage = fe_exchange_stage(ex, FE_FILTER_finish);

    FE_ASSERT(fe_exchange_has_responded(ex), "a body comes behind its head");
    if (fe_exchange_is_tunnel(ex)) {
        fe_exchange_finish_tunnel(ex);
        return;
    }
    ex->phase = FE_EXCHANGE_OVER;
    if (stage != NULL) {
        stage->filter->ops->finish(stage, ex, trailers);
    } else {
        fe_exchange_send_end(ex, trailers);
    }
}

/* In place of a response: the head of a tunnel, with the fields that the protocol that the client
 * asks for wants; its status and length are this protocol's business. What comes from the client
 * comes after the first resume, which therefore follows. FLATEND_EINVAL: the request does not ask
 * for one (`request.upgrade`), or as fe_exchange_respond; FLATEND_ENOMEM: as fe_exchange_respond.
 */
int fe_exchange_tunnel(struct fe_exchange *ex, const struct fe_response *response) FE_MUST_USE;

/* The response cannot be completed: the client must see that it is not whole. `code` says why:
 * FLATEND_ECLOSED: the client's doing, everything else is ours. */
static inline void fe_exchange_reset(struct fe_exchange *ex, int code)
{
    FE_ASSERT(!fe_exchange_is_over(ex), "a backend forgets an exchange that is over");
    ex->phase = FE_EXCHANGE_OVER;
    fe_exchange_leave(ex, code);
    ex->ops->reset(ex, code);
}

/* Ready for request body: neither on_data nor on_end comes before the first call, which also sends
 * 100 (Continue) if the client waits. A backend that needs no body never calls it; one that does
 * calls it before it responds, else a request with much body is the connection's last. The on_end
 * of a tunnel whose backend has finished needs no call, once all bytes were taken: there is nothing
 * left to ask for. */
static inline void fe_exchange_resume(struct fe_exchange *ex)
{
    const struct fe_filter_stage *const stage = fe_exchange_stage(ex, FE_FILTER_resume);

    FE_ASSERT(!fe_exchange_is_over(ex), "a backend forgets an exchange that is over");
    if (stage != NULL) {
        stage->filter->ops->resume(stage, ex);
    } else {
        ex->ops->resume(ex);
    }
}

/* ---- the protocol's calls ------------------------------------------------------------------- */

/* Before each request; the request and the arena are the caller's to fill in. `filters` are those
 * of the listener, and live as long as the exchange. */
static inline void fe_exchange_begin(struct fe_exchange *ex, const struct fe_filter_chain *filters)
{
    ex->backend = NULL;
    ex->state = NULL;
    ex->filters = filters;
    ex->phase = FE_EXCHANGE_OPEN;
    ex->sent = FE_EXCHANGE_OPEN;
    ex->is_problem = false;
    ex->is_failed = false;
    ex->next_backend = NULL;
    ex->match = NULL;
    ex->times = NULL;
    ex->n_filter_states = 0;
    ex->n_entered = 0;
    ex->is_deferred = false;
    ex->is_tunnel = false;
}

/* The request is `backend`'s to answer, behind the filters that it has not passed yet. Not from
 * within an event. */
static inline void fe_backend_start(const struct fe_backend *backend, struct fe_exchange *ex)
{
    FE_ASSERT(ex->phase == FE_EXCHANGE_OPEN,
              "a backend starts with a request that is not answered");
    if (ex->filters != NULL && ex->filters->has_start) {
        fe_filters_start(ex, backend);
    } else {
        ex->backend = backend;
        backend->ops->start(backend, ex);
    }
}

/* The head of the response has been sent; not only given by the backend. */
static inline bool fe_exchange_has_sent_head(const struct fe_exchange *ex)
{
    return ex->sent > FE_EXCHANGE_OPEN && ex->sent < FE_EXCHANGE_OVER;
}

/* How many bytes were taken; nothing of them if the exchange has ended meanwhile. */
FE_MUST_USE static inline size_t fe_exchange_deliver_data(struct fe_exchange *ex,
                                                          struct fe_view data)
{
    const struct fe_filter_stage *const stage = fe_exchange_stage(ex, FE_FILTER_on_data);
    size_t n;

    FE_ASSERT(ex->sent != FE_EXCHANGE_OVER, "an exchange that is over has no events");
    n = fe_filters_on_data(stage, ex, data);
    return ex->sent == FE_EXCHANGE_OVER ? 0 : n;
}

static inline void fe_exchange_deliver_end(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    FE_ASSERT(ex->sent != FE_EXCHANGE_OVER, "an exchange that is over has no events");
    if (fe_exchange_is_tunnel(ex)) {
        fe_exchange_end_tunnel(ex);
    } else {
        fe_filters_on_end(fe_exchange_stage(ex, FE_FILTER_on_end), ex, trailers);
    }
}

static inline void fe_exchange_deliver_writable(struct fe_exchange *ex)
{
    FE_ASSERT(fe_exchange_has_sent_head(ex), "only a response is held back");
    FE_ASSERT(ex->phase != FE_EXCHANGE_TUNNEL_READ,
              "nothing is heard of a direction that has ended");
    fe_filters_on_writable(fe_exchange_stage(ex, FE_FILTER_on_writable), ex);
}

/* FE_CHECK: the phases and what they allow. */
void fe_exchange_check(const struct fe_exchange *ex);

/* As fe_filter_defer has asked for. */
void fe_exchange_deliver_turn(struct fe_exchange *ex);

static inline void fe_exchange_deliver_reset(struct fe_exchange *ex, int code)
{
    const bool is_over = fe_exchange_is_over(ex);

    ex->phase = FE_EXCHANGE_OVER;
    if (!is_over && ex->backend != NULL) {
        ex->backend->ops->on_reset(ex, code);
    }
    fe_exchange_leave(ex, code);
}

#endif
