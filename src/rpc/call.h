/* A call: a request to whoever provides a service, retried elsewhere while that is safe, with a
 * deadline for the first byte of the response. What the gateway and flatend_push stand on.
 *
 * Safe to retry means that nothing of the response was seen and one of: nothing was sent; the
 * provider answered `handled` 0; the request is idempotent and its body is still at hand (at most
 * FE_CALL_REPLAY_MAX bytes). Callbacks never come from within the calls below, and exactly one of
 * on_end and on_fail is the last one, unless the owner calls fe_call_cancel. */
#ifndef FE_RPC_CALL_H
#define FE_RPC_CALL_H

#include "base/timer.h"
#include "rpc/registry.h"

enum {
    FE_CALL_REPLAY_MAX = 64 * 1024, /* body bytes kept for a retry */
    FE_CALL_ATTEMPTS_MAX = 4,       /* providers asked for one call */
};

struct fe_call;

struct fe_call_ops {
    void (*on_response)(struct fe_call *call, struct fe_headers headers);
    size_t (*on_data)(struct fe_call *call, struct fe_view data); /* returns how many were taken */
    void (*on_writable)(struct fe_call *call);
    void (*on_end)(struct fe_call *call);
    /* FLATEND_EUNHANDLED, FLATEND_ECLOSED, FLATEND_ETIMEDOUT, FLATEND_ENOMEM. `responded`: the
     * head of the response had been delivered. */
    void (*on_fail)(struct fe_call *call, int code, bool responded);
};

/* The request; `services` and `headers` with all they look at live as long as the call. */
struct fe_call_request {
    const struct fe_view *services;
    size_t n_services;
    const struct fe_header *headers;
    size_t n_headers;
    uint64_t provider;    /* a handle, or 0: any */
    bool is_idempotent;
    uint64_t deadline_ms; /* on the owner's clock, for the response head; FE_TIME_NEVER: none */
};

struct fe_call {
    const struct fe_call_ops *ops;
    void *owner;
    struct fe_call_request request;
    struct fe_registry *registry;
    struct fe_timers *timers;
    /* private to src/rpc */
    struct fe_timer timer;
    struct fe_stream *stream;
    struct fe_chain replay; /* the body so far, while a retry may need it */
    uint64_t tried[FE_CALL_ATTEMPTS_MAX];
    unsigned n_tried;
    int state;
};

/* Sends the request. FLATEND_ENOPROVIDER, FLATEND_ETOOBIG, FLATEND_ENOMEM: nothing was sent, there
 * is nothing to cancel. */
int fe_call_start(struct fe_call *call, struct fe_registry *registry, struct fe_timers *timers,
                  struct fe_pool *pool, const struct fe_call_request *request,
                  const struct fe_call_ops *ops, void *owner) FE_MUST_USE;

/* Body bytes: how many were accepted, or FLATEND_ENOMEM. After the response has ended everything is
 * accepted and dropped. */
ssize_t fe_call_write(struct fe_call *call, struct fe_view data) FE_MUST_USE;
int fe_call_finish(struct fe_call *call) FE_MUST_USE;

/* Ready for more on_data. */
void fe_call_resume(struct fe_call *call);

/* Gives up: no callback follows, and the memory is the owner's again, as it is after the last
 * callback. */
void fe_call_cancel(struct fe_call *call);

#endif
