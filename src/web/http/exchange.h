/* One request and its response, whatever version of HTTP carries them.
 *
 * Between the two sides stand two vtables: the protocol (HTTP/1.1, HTTP/2, a crossing from another
 * worker) implements `struct fe_exchange_ops`, whatever can answer implements
 * `struct fe_backend_ops`. Bodies flow by the contract of ground/base/flow.h, in both directions.
 * Nobody calls either vtable but the inline functions below, which keep the phase:
 *
 *     OPEN ── respond ──▶ RESPONDED ── finish ──▶ OVER
 *       └──────────────────────┴── reset, on_reset ──▶ OVER
 *
 * Life: the protocol makes the exchange, fills in the request and gives it to a backend with
 * fe_backend_start. The backend answers at once or takes the exchange's events. The exchange is
 * over when the backend has finished or reset the response, after which it forgets the exchange; or
 * when the client is gone, and on_reset is the last event. Events never come from within the
 * backend's calls. One thread's. */
#ifndef FE_WEB_HTTP_EXCHANGE_H
#define FE_WEB_HTTP_EXCHANGE_H

#include "ground/base/flow.h"
#include "ground/base/refcount.h"
#include "web/http/message.h"

struct fe_backend;
struct fe_exchange;
struct fe_match;

/* What the protocol does. */
struct fe_exchange_ops {
    int (*respond)(struct fe_exchange *ex, const struct fe_response *response);
    ssize_t (*write)(struct fe_exchange *ex, struct fe_view data);
    void (*finish)(struct fe_exchange *ex, const struct fe_fields *trailers);
    void (*reset)(struct fe_exchange *ex, int code);
    void (*resume)(struct fe_exchange *ex);
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
    FE_EXCHANGE_RESPONDED, /* the response's head is given */
    FE_EXCHANGE_OVER,      /* the backend has forgotten it */
};

struct fe_exchange {
    const struct fe_exchange_ops *ops;
    const struct fe_backend *backend; /* NULL: not started */
    void *state;                      /* the backend's */
    enum fe_exchange_phase phase;
    bool is_failed;               /* fe_problem_fail: the rest of the request is not read */
    struct fe_request request;    /* lives in `arena` */
    struct fe_arena arena;        /* for whatever lives as long as the exchange */
    struct fe_view remote;        /* the client's address, as text; outlives the exchange */
    const struct fe_match *match; /* the route and its parameters, in `arena`; NULL: no route yet */
    /* What the request is served by: kept, if on_exchange sets it, until nobody is within a call
     * about the exchange any more, and then given back by the protocol. */
    struct fe_refcount *snapshot;
    /* Limits of the route, set by whatever chose it, read by the protocol. */
    uint64_t body_max;
};

/* ---- the backend's calls -------------------------------------------------------------------- */

static inline bool fe_exchange_has_responded(const struct fe_exchange *ex)
{
    return ex->phase == FE_EXCHANGE_RESPONDED;
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
    int code;

    FE_ASSERT(ex->phase == FE_EXCHANGE_OPEN, "a response has one head");
    code = ex->ops->respond(ex, response);
    if (code == 0) {
        ex->phase = FE_EXCHANGE_RESPONDED;
    }
    return code;
}

/* Body bytes: how many were accepted. More than the announced length is FLATEND_ETOOBIG. Where no
 * body goes out (HEAD, 204, 304) everything is accepted and dropped. */
FE_MUST_USE static inline ssize_t fe_exchange_write(struct fe_exchange *ex, struct fe_view data)
{
    FE_ASSERT(fe_exchange_has_responded(ex), "a body comes behind its head");
    return ex->ops->write(ex, data);
}

/* The response is complete. The exchange is the protocol's again. With less than the announced
 * length written it is a reset. `trailers`, used up by the time it returns, go where the protocol
 * has a place for them (in HTTP/1.1 behind a chunked body only), without those that must not be
 * trailers (web/http/trailers.h); NULL: none. A name or value that HTTP forbids makes it a reset.
 */
static inline void fe_exchange_finish(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    FE_ASSERT(fe_exchange_has_responded(ex), "a body comes behind its head");
    ex->phase = FE_EXCHANGE_OVER;
    ex->ops->finish(ex, trailers);
}

/* The response cannot be completed: the client must see that it is not whole. `code` says why:
 * FLATEND_ECLOSED: the client's doing, everything else is ours. */
static inline void fe_exchange_reset(struct fe_exchange *ex, int code)
{
    FE_ASSERT(!fe_exchange_is_over(ex), "a backend forgets an exchange that is over");
    ex->phase = FE_EXCHANGE_OVER;
    ex->ops->reset(ex, code);
}

/* Ready for request body: neither on_data nor on_end comes before the first call, which also sends
 * 100 (Continue) if the client waits. A backend that needs no body never calls it; one that does
 * calls it before it responds, else a request with much body is the connection's last. */
static inline void fe_exchange_resume(struct fe_exchange *ex)
{
    FE_ASSERT(!fe_exchange_is_over(ex), "a backend forgets an exchange that is over");
    ex->ops->resume(ex);
}

/* ---- the protocol's calls ------------------------------------------------------------------- */

/* Before each request, and before the request is filled in: what is left of the one before is
 * forgotten, but for the request and the arena. */
static inline void fe_exchange_begin(struct fe_exchange *ex)
{
    ex->backend = NULL;
    ex->state = NULL;
    ex->match = NULL;
    ex->phase = FE_EXCHANGE_OPEN;
    ex->is_failed = false;
}

/* The request is `backend`'s to answer. Not from within an event. */
static inline void fe_backend_start(const struct fe_backend *backend, struct fe_exchange *ex)
{
    FE_ASSERT(ex->phase == FE_EXCHANGE_OPEN,
              "a backend starts with a request that is not answered");
    ex->backend = backend;
    backend->ops->start(backend, ex);
}

/* How many bytes the backend took; nothing of them if it has ended the exchange. */
FE_MUST_USE static inline size_t fe_exchange_deliver_data(struct fe_exchange *ex,
                                                          struct fe_view data)
{
    size_t n;

    FE_ASSERT(!fe_exchange_is_over(ex), "an exchange that is over has no events");
    n = ex->backend->ops->on_data(ex, data);
    return fe_exchange_is_over(ex) ? 0 : fe_flow_taken(data, n);
}

static inline void fe_exchange_deliver_end(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    FE_ASSERT(!fe_exchange_is_over(ex), "an exchange that is over has no events");
    ex->backend->ops->on_end(ex, trailers);
}

static inline void fe_exchange_deliver_writable(struct fe_exchange *ex)
{
    FE_ASSERT(fe_exchange_has_responded(ex), "only a response is held back");
    ex->backend->ops->on_writable(ex);
}

static inline void fe_exchange_deliver_reset(struct fe_exchange *ex, int code)
{
    FE_ASSERT(!fe_exchange_is_over(ex), "an exchange that is over has no events");
    ex->phase = FE_EXCHANGE_OVER;
    ex->backend->ops->on_reset(ex, code);
}

#endif
