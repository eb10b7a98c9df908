/* The server's side of one HTTP/1.1 connection (RFC 9112): bytes in, exchanges out, and back.
 *
 * Opens no socket and reads no clock: the owner feeds what arrives, and sends what is appended to
 * `out`. Pipelined requests are answered in order, one at a time. While one is being answered a
 * little of what follows is kept, so that the end of the client is seen; beyond that reading stops.
 *
 * The owner feeds, drains and frees from its own callbacks, never from within its `ops` nor from
 * within a handler's call to the exchange. Handlers are called from the functions below and from
 * timers only, in a loop: any number of pipelined requests needs the same stack. */
#ifndef FE_HTTP_H1_SERVER_H
#define FE_HTTP_H1_SERVER_H

#include "base/buf.h"
#include "base/chain.h"
#include "base/timer.h"
#include "http/exchange.h"

enum {
    /* Writers are held back while more than this waits in `out`. The connection's high-water mark
     * has to be the same, so that its drain is the writers' on_writable. */
    FE_H1_OUT_HIGH_WATER = 256 * 1024,
};

struct fe_h1_server;

/* A time of 0 means: no limit. */
struct fe_h1_limits {
    size_t header_max; /* request line and header section, bytes */
    uint64_t body_max; /* bytes; the route may lower or raise it */
    uint64_t
        read_header_ms; /* absolute, from the first byte (or the accept) to the end of the head */
    uint64_t read_ms;   /* between two bytes of a body that we are ready to read */
    uint64_t write_ms;  /* without a byte that the client takes; noticed within twice that */
    uint64_t idle_ms;   /* between requests */
};

struct fe_h1_owner_ops {
    /* Chooses the handler: see exchange.h. */
    void (*on_exchange)(void *owner, struct fe_exchange *ex);
    void (*flush)(void *owner); /* `out` has grown */
    void (*set_reading)(void *owner, bool reading);
    /* No more is to be said. Without `reset`: send `out`, then end our direction, and go on
     * feeding: the server discards what still comes, so that the client can read the answer, and
     * calls again with `reset` when it has waited long enough. With `reset`: at once, with RST.
     * Neither frees the server from within. */
    void (*close)(void *owner, bool reset);
    uint64_t (*now_ms)(void *owner);
    /* Bytes ever taken by the client: whether it makes progress. */
    uint64_t (*written)(void *owner);
    /* Whether that is all: what has left `out` can still wait in the system's buffer. */
    bool (*has_taken_all)(void *owner);
    /* The time of day as fe_http_date_format (http/date.h) writes it; at most a second old. */
    struct fe_view (*date)(void *owner);
};

/* `limits`, `timers`, `out` and `scheme` outlive the server. NULL: out of memory. */
struct fe_h1_server *fe_h1_server_new(const struct fe_h1_limits *limits, struct fe_timers *timers,
                                      struct fe_chain *out, struct fe_view scheme,
                                      const struct fe_h1_owner_ops *ops, void *owner) FE_MUST_USE;
/* The connection is gone: a running exchange is aborted. NULL is allowed. */
void fe_h1_server_free(struct fe_h1_server *server);

void fe_h1_server_feed(struct fe_h1_server *server, struct fe_view data);
/* The client sends no more. A running exchange is aborted: browsers and proxies that give up send
 * nothing but this, and a request nobody waits for is to be canceled. */
void fe_h1_server_on_eof(struct fe_h1_server *server);
/* The output has drained. */
void fe_h1_server_on_drain(struct fe_h1_server *server);
/* Finish the exchange that runs, if any, then close: graceful shutdown. */
void fe_h1_server_drain(struct fe_h1_server *server);

#endif
