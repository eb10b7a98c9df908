/* A call: a request to any provider of a service, retried with another one while that is safe, with
 * a deadline for the first byte of the response. Used by the gateway and flatend_push.
 *
 * A provider whose connection cannot carry the request's head is no provider of this request:
 * others are asked. FLATEND_ETOOBIG is for want of any that could.
 *
 * Safe to retry means that nothing of the response was seen and one of: nothing was sent; the
 * provider refused it, by `handled` 0 or by RESET; the request is idempotent. What was sent of the
 * body has to be still at hand, which it is as long as it is at most FE_CALL_REPLAY_MAX bytes.
 *
 * While the only providers are held (fe_peer.is_held) a call waits without one, its body too.
 *
 *              start                  response head           its end
 *     (none) ─────────▶ WAITING ─────────────────▶ RESPONDED ─────────▶ ENDED: on_end
 *                        │ ▲ │                         │
 *        provider failed │ │ │ no retry, deadline      │ provider failed
 *         and retry safe └─┘ └────────────┬────────────┘
 *                                         ▼
 *                                  ENDED: on_reset(code)
 *
 * Its two bodies flow as ground/base/flow.h says. Events come from within those
 * of a peer, from within fe_timers_run and fe_call_resume, never from within the other calls below.
 * Exactly one of on_end and on_reset is the last one, unless the owner calls fe_call_reset; in it,
 * and from then on, the memory is the owner's again. */
#ifndef FE_MESH_RPC_CALL_H
#define FE_MESH_RPC_CALL_H

#include "ground/base/timer.h"
#include "mesh/rpc/registry.h"

enum {
    FE_CALL_REPLAY_MAX = 64 * 1024, /* body bytes kept for a retry */
    FE_CALL_ATTEMPTS_MAX = 4,       /* providers asked for one call */
    /* A head of an old provider is followed at once by bytes, or by the end; but a Go handler that
     * writes nothing sends none. What has come after so long shows that nothing was lost. */
    FE_CALL_SILENCE_MS = 150,
    FE_CALLS_HELD_MAX = 4096, /* calls of a node that wait for a provider to be ready */
};

struct fe_call;

struct fe_call_ops {
    void (*on_response)(struct fe_call *call, struct fe_headers headers);
    size_t (*on_data)(struct fe_call *call, struct fe_view data); /* returns how many were taken */
    void (*on_writable)(struct fe_call *call);
    /* The response is complete, with what came behind its body, which lives until this returns. */
    void (*on_end)(struct fe_call *call, struct fe_headers trailers);
    /* FLATEND_EUNHANDLED, FLATEND_ETIMEDOUT, FLATEND_ERESET, FLATEND_ENOMEM, another that the
     * provider's reason for a RESET stands for (fe_reason_code), or what the connection
     * was closed with (FLATEND_ECLOSED, FLATEND_EPROTO ...). When several providers were tried, the
     * code is that of the one that may have acted on the request. */
    void (*on_reset)(struct fe_call *call, int code);
};

/* The request; `services` and `headers` with all they look at live as long as the call. */
struct fe_call_request {
    const struct fe_view *services;
    size_t n_services;
    const struct fe_header *headers;
    size_t n_headers;
    uint64_t provider; /* a handle, or 0: any */
    bool is_idempotent;
    uint64_t started_ms;  /* on the owner's clock: for its age, when the node is looked into */
    uint64_t deadline_ms; /* on the owner's clock, for the response head; FE_TIME_NEVER: none */
};

/* Where a call lives: all of the node's thread, and living longer than the call. */
struct fe_call_env {
    struct fe_registry *registry;
    struct fe_timers *timers;
    struct fe_pool *pool;
};

enum fe_call_state {
    FE_CALL_WAITING,   /* for the head of a response */
    FE_CALL_RESPONDED, /* no retry any more */
    FE_CALL_ENDED,
};

enum fe_call_body {
    FE_CALL_BODY_OPEN,
    FE_CALL_BODY_BLOCKED,  /* open, and the owner is owed on_writable */
    FE_CALL_BODY_FINISHED, /* the owner has given all of it */
};

struct fe_call {
    const struct fe_call_ops *ops;
    void *owner;
    struct fe_call_request request;
    struct fe_registry *registry;
    struct fe_timers *timers;
    struct fe_list link; /* in the registry's calls, while it runs */
    /* private to src/mesh/rpc */
    struct fe_timer timer;
    struct fe_stream *stream;         /* NULL while the call is held, and once it has ended */
    struct fe_list held;              /* in the registry's, while it waits for a provider */
    const struct fe_header *trailers; /* behind the body, once that is finished */
    size_t n_trailers;
    struct fe_chain replay; /* the body so far, while `is_replayable` */
    size_t n_replayed;      /* bytes of it that the present stream has taken */
    bool is_replayable;     /* a retry can begin from the start */
    uint64_t tried[FE_CALL_ATTEMPTS_MAX];
    unsigned n_tried;
    uint64_t n_expected; /* bytes of the response's body; UINT64_MAX: any */
    uint64_t n_events;   /* that had come from an old provider when its silence was noticed */
    bool is_silent;      /* it was */
    uint32_t head_min;   /* what a provider's connection has to take; 0: not known to matter */
    int code;            /* why there is no response yet, for on_reset */
    enum fe_call_state state;
    enum fe_call_body body;
};

/* Sends the request. FLATEND_ENOPROVIDER, FLATEND_ETOOBIG, FLATEND_ELIMIT, FLATEND_ENOMEM: nothing
 * was sent, no callback will come, there is nothing to cancel. */
int fe_call_start(struct fe_call *call, const struct fe_call_env *env,
                  const struct fe_call_request *request, const struct fe_call_ops *ops,
                  void *owner) FE_MUST_USE;

/* Body bytes: how many were accepted, or FLATEND_ENOMEM. Fewer than all: on_writable follows. After
 * the response has ended everything is accepted and dropped. */
ssize_t fe_call_write(struct fe_call *call, struct fe_view data) FE_MUST_USE;

/* The body is complete. The trailers (NULL if there are none), with all they look at, live as long
 * as the call. FLATEND_ENOMEM. FLATEND_ETOOBIG: they do not fit a packet. */
int fe_call_finish(struct fe_call *call, const struct fe_header *trailers,
                   size_t n_trailers) FE_MUST_USE;

/* In on_response: its body should have so many bytes. One that ends before is a failure of its
 * provider, for which that is known by; the owner sees it as it came. */
void fe_call_expect(struct fe_call *call, uint64_t n);

/* In on_response: its provider runs an old implementation. */
bool fe_call_is_old(const struct fe_call *call);

/* Ready for more on_data. */
void fe_call_resume(struct fe_call *call);

/* Gives up, and says why: no event follows, and the memory is the owner's again. Nothing happens to
 * a call that has ended. */
void fe_call_reset(struct fe_call *call, enum fe_reason reason);

/* The same because what came is no response, which counts as a failure of its provider. */
void fe_call_reject(struct fe_call *call, enum fe_reason reason);

/* A provider that was held is ready, or gone: calls that waited for it go on, with others of that
 * service if it is gone. Their events come from within this. */
void fe_calls_resume(struct fe_registry *registry);

/* Every invariant; between events. */
void fe_call_check(const struct fe_call *call);

#endif
