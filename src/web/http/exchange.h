/* One request and its response, whatever version of HTTP carries them.
 *
 * Between the two sides stand two vtables: the protocol (HTTP/1.1 today) implements
 * `struct fe_exchange_ops`, whoever answers implements `struct fe_handler_ops`. Both bodies are
 * pull-driven, as streams of the mesh are: who receives says how much it took, and asks for the
 * rest; who sends is told how much was accepted, and called back.
 *
 * Life: the protocol makes the exchange, fills in the request and calls the router; the handler
 * sets `handler_ops` and `handler` before it returns, or has answered completely. The exchange ends
 * in one of two ways: the handler has ended (or aborted) the response, after which it must forget
 * the exchange; or the client is gone, and on_abort is the last call. Calls from the protocol to
 * the handler never come from within the handler's calls to the protocol. */
#ifndef FE_WEB_HTTP_EXCHANGE_H
#define FE_WEB_HTTP_EXCHANGE_H

#include "ground/base/refcount.h"
#include "web/http/message.h"

struct fe_exchange;

struct fe_exchange_ops {
    /* The response's head, once, status 200 to 599; fields and values are used up by the time it
     * returns. Hop-by-hop fields and those that frame the body are the protocol's business and
     * skipped. FLATEND_EINVAL: a status, name or value that HTTP forbids; nothing was sent, another
     * response may be tried. FLATEND_ENOMEM: nothing was sent, the exchange is to be aborted. */
    int (*respond)(struct fe_exchange *ex, const struct fe_response *response);
    /* Body bytes: how many were accepted. More than the announced length is FLATEND_ETOOBIG.
     * Where no body goes out (HEAD, 204, 304) everything is accepted and dropped. */
    ssize_t (*write)(struct fe_exchange *ex, struct fe_view data);
    /* The response is complete. The exchange is the protocol's again. With less than the announced
     * length written it is an abort. `trailers`, used up by the time it returns, go where the
     * protocol has a place for them (in HTTP/1.1 behind a chunked body only), without those that
     * must not be trailers (web/http/trailers.h); NULL: none. A name or value that HTTP forbids
     * makes it an abort. */
    void (*end)(struct fe_exchange *ex, const struct fe_fields *trailers);
    /* The response cannot be completed: the client must see that it is not whole. */
    void (*abort)(struct fe_exchange *ex);
    /* Ready for request body: neither on_body nor on_body_end comes before the first call, which
     * also sends 100 (Continue) if the client waits. A handler that needs no body never calls it;
     * one that does calls it before it responds, else a request with much body is the connection's
     * last. */
    void (*resume)(struct fe_exchange *ex);
};

struct fe_handler_ops {
    /* Request body; returns how many bytes were taken. Fewer than all: no more until resume. */
    size_t (*on_body)(struct fe_exchange *ex, struct fe_view data);
    /* `trailers` may be empty; they live in the exchange's arena. What must not be a trailer has
     * been dropped. */
    void (*on_body_end)(struct fe_exchange *ex, const struct fe_fields *trailers);
    /* Space again after a write took less than it was given. */
    void (*on_writable)(struct fe_exchange *ex);
    /* The client is gone, or broke the protocol, or was too slow. The exchange is over. */
    void (*on_abort)(struct fe_exchange *ex);
};

struct fe_exchange {
    const struct fe_exchange_ops *ops;
    const struct fe_handler_ops *handler_ops;
    void *handler;
    struct fe_request request; /* lives in `arena` */
    struct fe_arena arena;     /* for whatever lives as long as the exchange */
    bool responded;
    /* What the request is served by: kept, if on_exchange sets it, until nobody is within a call
     * about the exchange any more, and then given back by the protocol. */
    struct fe_refcount *snapshot;
    /* Limits of the route, set by whoever chose it, read by the protocol. */
    uint64_t body_max;
};

#endif
