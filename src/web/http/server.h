/* The server's side of one HTTP connection, of any version: bytes in, exchanges
 * out, and back.
 *
 * Opens no socket and reads no clock: the owner feeds what arrives, and sends what is appended to
 * `out`. The owner feeds, drains and frees from its own callbacks, never from within its `ops` nor
 * from within a backend's call to the exchange. Backends are called from the functions below and
 * from timers only, in a loop: any number of requests that wait needs the same stack. */
#ifndef FE_WEB_HTTP_SERVER_H
#define FE_WEB_HTTP_SERVER_H

#include "ground/base/chain.h"
#include "ground/base/timer.h"
#include "web/http/exchange.h"
#include "web/http/pace.h"

enum {
    /* Writers are held back while more than this waits in `out`. The connection's high-water mark
     * has to be the same, so that its drain is the writers' on_writable. */
    FE_HTTP_OUT_HIGH_WATER = 256 * 1024,
    /* A tunnel that says nothing for so long has lost its client without a word. Long beside the
     * keep-alives of the protocols within (pings each few minutes), and what HAProxy's manual
     * takes; nginx's minute breaks those that are quiet. */
    FE_HTTP_TUNNEL_IDLE_MS = 60 * 60 * 1000,
};

/* How long a client may take for what flows, and how slow it may be: of a connection, or of the
 * route of an exchange (`times` in exchange.h). 0 means: no limit. */
struct fe_http_times {
    uint64_t read_ms;  /* between two bytes of a body that we are ready to read */
    uint64_t write_ms; /* without a byte that the client takes; noticed within twice that */
    /* Bytes a second that it takes while bytes wait for it, and sends while a body is awaited for
     * which `read_ms` is a limit (web/http/pace.h). */
    uint64_t min_rate;
};

/* A time of 0 means: no limit. */
struct fe_http_limits {
    size_t header_max; /* request line and header section, bytes */
    uint64_t
        read_header_ms; /* absolute, from the first byte (or the accept) to the end of the head */
    uint64_t idle_ms;   /* between requests */
    uint64_t tunnel_idle_ms; /* without a byte in either direction of a tunnel */
    struct fe_http_times times;
    uint64_t grace_ms; /* over how long `min_rate` is measured; at least 1 with one */
};

/* What a client is too slow at. */
enum fe_http_slow {
    FE_HTTP_SLOW_READER,
    FE_HTTP_SLOW_SENDER,
};

struct fe_http_owner_ops {
    /* Chooses the backend and calls fe_backend_start, or answers. */
    void (*on_exchange)(void *owner, struct fe_exchange *ex);
    /* `out` has grown, or will when fe_http_server_run is called, which the owner does at the end
     * of this turn, before it sends. */
    void (*flush)(void *owner);
    void (*set_reading)(void *owner, bool reading);
    /* No more is to be said. Without `reset`: send `out`, then end our direction, and go on
     * feeding: the server discards what still comes, so that the client can read the answer, and
     * calls again with `reset` when it has waited long enough. With `reset`: at once, with RST.
     * Neither frees the server from within. */
    void (*close)(void *owner, bool reset);
    uint64_t (*now_ms)(void *owner);
    /* Bytes ever taken by the client: whether it makes progress. */
    uint64_t (*written)(void *owner);
    /* What that will be when the client has all that is in `out` now; under TLS a little less. */
    uint64_t (*queued)(void *owner);
    /* For how long altogether output has waited for the client's system to make room. */
    uint64_t (*waited_ms)(void *owner);
    /* Whether that is all: what has left `out` can still wait in the system's buffer. */
    bool (*is_all_acked)(void *owner);
    /* The time of day as fe_http_date_format (web/http/date.h) writes it; at most a second old. */
    struct fe_view (*date)(void *owner);
    /* The connection is being closed for what the client does; `what` is for the log. */
    void (*on_abuse)(void *owner, const char *what);
    /* The connection, or one request of it, is ended because the client is slower than
     * `min_rate`. */
    void (*on_slow)(void *owner, enum fe_http_slow what);
};

/* What a server stands on. All of it outlives the server, which copies the struct itself. */
struct fe_http_setup {
    const struct fe_http_limits *limits;
    struct fe_timers *timers;
    struct fe_chain *out;
    struct fe_view scheme; /* of the requests: "http" or "https" */
    struct fe_view remote; /* the client's address, as text */
    bool has_tunnels;      /* HTTP/2 says that a request may ask for one (RFC 8441 §3) */
    const struct fe_filter_chain *filters; /* of each exchange until its route is known, or NULL */
    const struct fe_http_owner_ops *ops;
    void *owner;
};

struct fe_http_server;

struct fe_http_server_ops {
    void (*feed)(struct fe_http_server *server, struct fe_view data);
    void (*run)(struct fe_http_server *server); /* NULL: there is never anything to do */
    void (*on_eof)(struct fe_http_server *server);
    void (*on_drain)(struct fe_http_server *server);
    void (*drain)(struct fe_http_server *server);
    void (*free)(struct fe_http_server *server);
};

/* The first member of each implementation. */
struct fe_http_server {
    const struct fe_http_server_ops *ops;
};

static inline void fe_http_server_feed(struct fe_http_server *server, struct fe_view data)
{
    server->ops->feed(server, data);
}

/* After the owner was asked to flush, once a turn: does what could not be done within a backend's
 * call, and appends what waits to `out`, which the owner sends then. */
static inline void fe_http_server_run(struct fe_http_server *server)
{
    if (server->ops->run != NULL) {
        server->ops->run(server);
    }
}

/* The client sends no more. HTTP/1.1 answers what is complete, and then ends its own direction; a
 * client that is gone is found out by what is written to it. HTTP/2 cannot go on without the
 * client's frames (windows, acknowledgements): running exchanges are aborted. */
static inline void fe_http_server_on_eof(struct fe_http_server *server)
{
    server->ops->on_eof(server);
}

/* The output has drained. */
static inline void fe_http_server_on_drain(struct fe_http_server *server)
{
    server->ops->on_drain(server);
}

/* Finish the exchanges that run, if any, then close: graceful shutdown. */
static inline void fe_http_server_drain(struct fe_http_server *server)
{
    server->ops->drain(server);
}

/* The connection is gone: running exchanges are aborted. NULL is allowed. */
static inline void fe_http_server_free(struct fe_http_server *server)
{
    if (server != NULL) {
        server->ops->free(server);
    }
}

#endif
