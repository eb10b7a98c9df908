/* The inside of a server's connection, shared by the files that implement server.h. */
#ifndef FE_WEB_HTTP_H1_CONNECTION_H
#define FE_WEB_HTTP_H1_CONNECTION_H

#include "web/http/h1/decoder.h"
#include "web/http/h1/encoder.h"
#include "web/http/h1/server.h"

enum {
    /* Input that a connection keeps while it cannot be used yet, before it stops reading: enough to
       notice the client's end while a response is made. One read may exceed it. */
    FE_H1_HELD_MAX = 16 * 1024,
    /* Writes are accepted up to here: so far beyond the high-water mark that the connection reports
     * the drain for which a writer then waits, and that an exchange, which begins below the mark,
     * has room for a short answer. */
    FE_H1_OUT_MAX = FE_HTTP_OUT_HIGH_WATER + 64 * 1024,
    /* The rest of an unread body is read and discarded up to here, to keep the connection; beyond,
     * a new connection is cheaper for both. */
    FE_H1_DISCARD_MAX = 256 * 1024,
    /* What is discarded after the last answer before the client is reset (RFC 9112 §9.6). */
    FE_H1_LINGER_MAX = 16 * 1024 * 1024,
    FE_H1_LINGER_MS = 5000,
    /* A client that has ended its direction and has no answer after so long is asked whether it is
     * still there. */
    FE_H1_PROBE_MS = 1000,
    /* A connection that has idled for so long gives its memory back: a busy one never allocates. */
    FE_H1_TRIM_MS = 1000,
};

/*             head complete          response ended
 *     WAIT ───────────────▶ EXCHANGE ──────────────▶ DISCARD ──▶ WAIT
 *      │ fault, idle,         │  └─ abort ─▶ CLOSED    │ request complete
 *      │ drain, end           │ and close              │ too much of it
 *      └──────────────────────┴───────────▶ LINGER ◀───┘
 *                             │              ▲ both directions have ended
 *                             └─ tunnel ─▶ TUNNEL
 *                                             └─ waited long enough ─▶ CLOSED */
enum fe_h1_phase {
    FE_H1_WAIT,     /* between requests, or within a head */
    FE_H1_EXCHANGE, /* a backend has the exchange */
    FE_H1_TUNNEL,   /* the same, and raw bytes flow */
    FE_H1_DISCARD,  /* answered; the rest of the request is dropped */
    FE_H1_LINGER,   /* the last answer is on its way; whatever comes is dropped */
    FE_H1_CLOSED,   /* reset */
};

enum fe_h1_body {
    FE_H1_BODY_NOT_STARTED, /* before the first resume */
    FE_H1_BODY_FLOWING,
    FE_H1_BODY_PAUSED, /* the backend took less than it was given */
    FE_H1_BODY_DONE,
};

/* What a read timeout is about. */
enum fe_h1_wait {
    FE_H1_WAIT_NONE,
    FE_H1_WAIT_HEAD,
    FE_H1_WAIT_IDLE,
    FE_H1_WAIT_BODY,
    FE_H1_WAIT_LINGER,
    FE_H1_WAIT_TUNNEL,
};

struct fe_h1_server {
    struct fe_http_server base;
    const struct fe_http_limits *limits;
    const struct fe_http_owner_ops *ops;
    void *owner;
    struct fe_chain *out;
    struct fe_h1_decoder decoder;
    struct fe_exchange ex;
    const struct fe_filter_chain *filters; /* that each exchange begins with */
    enum fe_h1_phase phase;

    /* input */
    struct fe_chain held; /* what came and waits */
    struct fe_view fed;   /* what is being fed, behind it */
    enum fe_h1_body body;
    uint64_t n_dropped; /* in DISCARD and LINGER */
    bool is_running;    /* within fe_h1_run: what a backend causes is done there */
    bool is_paused;     /* reading, by us */

    /* the response */
    enum fe_h1_framing framing;
    uint64_t left;      /* of the announced length */
    bool is_blocked;    /* a write took less than it was given */
    bool must_close;    /* after this response */
    bool is_draining;   /* no further exchange */
    bool has_eof;       /* the client has ended its direction */
    bool owes_fin;      /* of a tunnel: the backend has ended its direction, we have not */
    bool owes_continue; /* the client waits for 100 (Continue) */
    bool had_request;   /* until the first one, the head's timeout counts from the accept */

    /* time: one timer, which fires at the earliest of the deadlines or before it */
    struct fe_timers *timers;
    struct fe_timer timer;
    const struct fe_http_times *times; /* that the deadlines were set by */
    enum fe_h1_wait waiting;
    uint64_t read_ms;  /* deadline for `waiting`; FE_TIME_NEVER: none */
    uint64_t trim_ms;  /* when to give memory back */
    uint64_t write_ms; /* when to look whether the client has taken something */
    uint64_t written;  /* by then, more than this */
    uint64_t run_ms;   /* when to go on with what could not be done within a backend's call */
    uint64_t probe_ms; /* when to ask a client that has ended its direction */

    /* how fast the client is */
    struct fe_pace taking;
    struct fe_pace sending;
    uint64_t pace_ms;       /* when to look at that */
    uint64_t looked_ms;     /* the last look, or the beginning */
    uint64_t n_taken;       /* `written` by then */
    uint64_t out_waited_ms; /* the owner's `waited_ms` by then */
    uint64_t body_since_ms; /* since when body is awaited; FE_TIME_NEVER: it is not */
    uint64_t body_waited_ms;
    uint64_t n_body; /* bytes of it since the last look */
};

extern const struct fe_exchange_ops fe_h1_exchange_ops;

/* Does whatever can be done now, in a loop; then sees to flushing, reading and timers. Within
 * itself, nothing: the loop goes on when the backend returns. */
void fe_h1_run(struct fe_h1_server *server);

/* Has fe_h1_run called from the timer, unless it runs: for calls by backends. */
void fe_h1_schedule_run(struct fe_h1_server *server);

/* Flushing, reading and timers, after anything that may have changed what they depend on. */
void fe_h1_update(struct fe_h1_server *server);

/* Drops the rest of an answered request, as far as it has come. Calls no backend. */
void fe_h1_discard(struct fe_h1_server *server);

/* The exchange that runs, if any. */
static inline bool fe_h1_has_exchange(const struct fe_h1_server *server)
{
    return server->phase == FE_H1_EXCHANGE || server->phase == FE_H1_TUNNEL;
}

/* Both directions have ended, or ours; or a byte has passed. */
void fe_h1_tunnel_finish(struct fe_h1_server *server);
void fe_h1_tunnel_touch(struct fe_h1_server *server);
bool fe_h1_tunnel_step(struct fe_h1_server *server);
/* Of a tunnel: whether the client's FIN must not be seen yet. */
bool fe_h1_tunnel_is_paused(const struct fe_h1_server *server);

/* FE_CHECK: the phases of a connection and what they allow. */
void fe_h1_check(const struct fe_h1_server *server);

/* No further request: sends what there is, then ends our direction; or resets. */
void fe_h1_finish(struct fe_h1_server *server);
void fe_h1_reset(struct fe_h1_server *server);

/* Ends the running exchange because of the client, and tells it so if that is still possible. */
void fe_h1_fail(struct fe_h1_server *server, int status, const char *reason);

/* Answers a request that no backend has, and closes. */
void fe_h1_answer(struct fe_h1_server *server, int status, const char *reason);

/* Nothing of the client's is left to be looked at, and nothing more comes. */
static inline bool fe_h1_has_read_all(const struct fe_h1_server *server)
{
    return server->has_eof && server->held.len == 0 && server->fed.len == 0;
}

/* Is there input that was not looked at? Its first bytes; they are done with. */
bool fe_h1_has_input(const struct fe_h1_server *server);
struct fe_view fe_h1_input(const struct fe_h1_server *server);
void fe_h1_consume(struct fe_h1_server *server, size_t n);

/* The client has ended its direction before its request was complete: nothing can come of it. */
void fe_h1_abandon(struct fe_h1_server *server);

/* Timeouts: timeout.c. */
int fe_h1_timeout_init(struct fe_h1_server *server) FE_MUST_USE;
void fe_h1_timeout_update(struct fe_h1_server *server);
/* An exchange begins: nothing of the last one counts. */
void fe_h1_timeout_begin(struct fe_h1_server *server);
/* Progress: the client's time for what comes next starts again, at the next update. */
void fe_h1_timeout_restart(struct fe_h1_server *server);
/* The time after which a client that has ended its direction is asked begins, if it has. */
void fe_h1_timeout_probe(struct fe_h1_server *server);
void fe_h1_timeout_deinit(struct fe_h1_server *server);

#endif
