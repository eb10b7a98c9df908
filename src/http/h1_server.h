/* The server's side of one HTTP/1.1 connection (RFC 9112): bytes in, exchanges out, and back.
 *
 * Opens no socket and reads no clock: the owner feeds what arrives, and sends what is appended to
 * `out`. Pipelined requests are answered in order, one at a time; what follows a request that is
 * being answered waits in the owner's hands (want_read is false). */
#ifndef FE_HTTP_H1_SERVER_H
#define FE_HTTP_H1_SERVER_H

#include "base/buf.h"
#include "base/chain.h"
#include "base/timer.h"
#include "http/exchange.h"

struct fe_h1_server;

struct fe_h1_limits {
    size_t header_max;     /* request line and header section, bytes */
    uint64_t body_max;     /* bytes; the route may lower or raise it */
    uint64_t read_header_ms; /* absolute, from the first byte (or the accept) to the end of the head */
    uint64_t read_ms;      /* between two bytes of a body that we are ready to read */
    uint64_t write_ms;     /* between two bytes that the client takes */
    uint64_t idle_ms;      /* between requests */
};

struct fe_h1_owner_ops {
    /* Chooses the handler: see exchange.h. */
    void (*on_exchange)(void *owner, struct fe_exchange *ex);
    void (*flush)(void *owner);                     /* `out` has grown */
    void (*set_reading)(void *owner, bool reading);
    /* No more is to be said: close once `out` was sent (reset: at once, with RST). */
    void (*close)(void *owner, bool reset);
    uint64_t (*now_ms)(void *owner);
};

struct fe_h1_server *fe_h1_server_new(const struct fe_h1_limits *limits, struct fe_timers *timers,
                                      struct fe_chain *out, struct fe_view scheme,
                                      const struct fe_h1_owner_ops *ops, void *owner) FE_MUST_USE;
/* The connection is gone: a running exchange is aborted. */
void fe_h1_server_free(struct fe_h1_server *server);

void fe_h1_server_feed(struct fe_h1_server *server, struct fe_view data);
void fe_h1_server_on_eof(struct fe_h1_server *server);
/* `written`: bytes taken by the client so far; call it whenever that has grown. */
void fe_h1_server_on_progress(struct fe_h1_server *server, uint64_t written);
/* The output has drained. */
void fe_h1_server_on_drain(struct fe_h1_server *server);
/* Finish the exchange that runs, if any, then close: graceful shutdown. */
void fe_h1_server_drain(struct fe_h1_server *server);

#endif
