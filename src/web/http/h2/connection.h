/* The inside of a server's HTTP/2 connection, shared by the files that implement server.h. */
#ifndef FE_WEB_HTTP_H2_CONNECTION_H
#define FE_WEB_HTTP_H2_CONNECTION_H

#include <nghttp2/nghttp2.h>

#include "ground/base/list.h"
#include "web/http/h2/guard.h"
#include "web/http/h2/memory.h"
#include "web/http/h2/server.h"
#include "web/http/target.h"

enum {
    /* What is dropped after the last frame before the client is reset. */
    FE_H2_LINGER_MAX = 1024 * 1024,
    FE_H2_LINGER_MS = 5000,
    /* How long a client may take to learn that it is to open no more streams (RFC 9113 §6.8). */
    FE_H2_NOTICE_MS = 1000,
    /* How long a client may take to end a request that is answered, before it is told to stop. */
    FE_H2_DISCARD_MS = 1000,
    /* A connection that has idled for so long gives its memory back. */
    FE_H2_TRIM_MS = 1000,
    /* Between two looks at what streams wait for: how late a timeout may be noticed. */
    FE_H2_CHECK_MS = 100,
    /* How often a turn goes on with what its own backends have caused. */
    FE_H2_ROUNDS_MAX = 16,
};

/*     OPEN ── drain: notice ──▶ NOTICED ── it has arrived: GOAWAY ──▶ GOING ── no stream ──┐
 *      │ idle, fault, flood, the client's end                                               ▼
 *      └───────────────────────────────────────────────────────────────────────────────▶ LINGER
 *     Any of them ends in CLOSED, with a reset. */
enum fe_h2_phase {
    FE_H2_OPEN,
    FE_H2_NOTICE_SENT, /* GOAWAY with the highest stream id is sent, and a PING behind it */
    FE_H2_GOAWAY_SENT, /* GOAWAY with the last stream id is sent */
    FE_H2_LINGER,      /* the last frame is on its way; whatever comes is dropped */
    FE_H2_CLOSED,      /* reset */
};

/* Whose a stream is. In EXCHANGE it may outlive nghttp2's stream (`is_closed`): a tunnel whose
 * directions have both ended on the wire, while the backend has not read all that came. */
enum fe_h2_state {
    FE_H2_HEAD,     /* the request's head is coming */
    FE_H2_EXCHANGE, /* a backend has it; it may be a tunnel */
    FE_H2_ENDED,    /* the backend has ended the response, which is on its way */
    FE_H2_RESET,    /* RST_STREAM is on its way */
};

enum fe_h2_body {
    FE_H2_BODY_NOT_STARTED, /* before the first resume */
    FE_H2_BODY_FLOWING,
    FE_H2_BODY_PAUSED, /* the backend took less than it was given */
    FE_H2_BODY_DONE,   /* on_end was called */
};

/* What the connection waits for from its client. */
enum fe_h2_wait {
    FE_H2_WAIT_NONE,
    FE_H2_WAIT_HEAD,
    FE_H2_WAIT_IDLE,
    FE_H2_WAIT_NOTICE,
    FE_H2_WAIT_LINGER,
};

struct fe_h2_server;

/* What was sent in DATA frames. */
struct fe_h2_sent {
    uint64_t n;   /* bytes, ever */
    uint64_t end; /* the owner's `written` when the client has them all */
};

/* How far a response was at some time. */
struct fe_h2_mark {
    uint64_t n_own; /* bytes sent of its stream */
    uint64_t n_all; /* and of all streams */
    uint64_t taken; /* the owner's `written`; more than it is: what was on its way then */
};

struct fe_h2_stream {
    struct fe_exchange ex;
    struct fe_h2_server *server;
    struct fe_list link; /* in the server's streams, or spare */
    struct fe_list todo; /* in the server's todo */
    int32_t id;
    enum fe_h2_state state;

    /* the request */
    enum fe_h2_body body;
    size_t n_head;   /* bytes of its fields, as RFC 9113 §6.5.2 counts */
    size_t n_fields; /* that were seen */
    size_t n_crumbs; /* of them, `cookie` */
    struct fe_http_fault fault;
    struct fe_fields trailers;
    struct fe_chain held; /* body bytes that the backend has not consumed yet */
    size_t n_discarded;   /* bytes that came behind the response's end */
    uint64_t read_ms;     /* when the next of them is due; FE_TIME_NEVER: not awaited */
    uint64_t since_ms;    /* since when they are awaited; FE_TIME_NEVER: they are not */
    uint64_t waited_ms;   /* before that, and not looked at */
    uint64_t n_body;      /* bytes that came since the last look */
    bool is_complete;     /* the client has ended it */
    bool is_closed;       /* nghttp2 has forgotten it, and it goes with the last byte */
    bool expects_continue;
    bool owes_continue; /* the client waits for 100 (Continue) */

    /* the response; the fields live in the arena */
    nghttp2_nv *head;
    size_t n_head_nv;
    nghttp2_nv *end; /* trailers */
    size_t n_end_nv;
    bool has_no_body;  /* HEAD, 204, 304 */
    bool has_finished; /* a tunnel's backend has: END_STREAM follows the output */
    bool has_sent_end; /* END_STREAM */
    bool has_length;
    uint64_t left;              /* of the announced length */
    struct fe_chain output;     /* body that is not sent */
    struct fe_h2_sent sent;     /* of it */
    uint64_t write_ms;          /* when to look whether the client has given window */
    struct fe_h2_mark at_write; /* by then, more than this */
    uint64_t full_ms;           /* since when `output` is not empty; FE_TIME_NEVER: it is */
    bool is_submitted;          /* the head is nghttp2's */
    bool is_deferred;           /* nghttp2 waits for more output */
    bool is_blocked;            /* a write took less than it was given */

    /* how fast the client is */
    struct fe_pace taking;
    struct fe_pace sending;
    uint64_t pace_ms;          /* when to look at that */
    uint64_t looked_ms;        /* the last look, or the beginning */
    struct fe_h2_mark at_look; /* by then */
};

struct fe_h2_server {
    struct fe_http_server base;
    struct fe_http_setup setup;
    struct fe_h2_counters *counters;
    nghttp2_session *session; /* lives in `memory`; NULL in LINGER and CLOSED */
    struct fe_h2_memory memory;
    struct fe_h2_guard guard;
    enum fe_h2_phase phase;
    enum fe_h2_flood flood; /* what there is too much of, until that is acted on */
    bool is_running;        /* within feed or run: what backends cause is done there */
    bool is_out_of_memory;  /* noticed where it cannot be said */
    bool had_request;       /* until the first one, the head's timeout counts from the beginning */
    struct fe_list streams; /* all of them */
    size_t n_streams;
    size_t n_closed;     /* of them, that nghttp2 has forgotten */
    struct fe_list todo; /* of them, for fe_h2_step */
    struct fe_list free_streams;
    size_t n_free_streams;
    struct fe_h2_stream *receiving; /* whose header block is not complete; NULL: none */
    size_t n_heads;                 /* bytes of the fields of all streams */
    size_t n_held;                  /* bytes in their `held` */
    size_t n_output;                /* and in their `output` */
    size_t n_owed;                  /* of the connection's window */
    struct fe_h2_sent sent;         /* of all streams */
    size_t n_dropped;               /* in LINGER */

    /* time: one timer, which fires at the earliest of the deadlines or before it */
    struct fe_timer timer;
    enum fe_h2_wait waiting;
    uint64_t wait_ms;   /* deadline for `waiting` */
    uint64_t trim_ms;   /* when to give memory back */
    uint64_t check_ms;  /* when to look at the streams */
    uint64_t write_ms;  /* when to look whether the client has taken something */
    uint64_t written;   /* by then, more than this */
    uint64_t unread_ms; /* since when it was that much */
    struct fe_pace taking;
    uint64_t pace_ms;       /* when to look how fast the client takes */
    uint64_t looked_ms;     /* the last look, or the beginning */
    uint64_t n_taken;       /* `written` by then */
    uint64_t out_waited_ms; /* the owner's `waited_ms` by then */
};

/* ---- session.c: between us and nghttp2 */
int fe_h2_session_new(struct fe_h2_server *server) FE_MUST_USE; /* FLATEND_ENOMEM */
void fe_h2_session_drop(struct fe_h2_server *server);           /* not from within its callbacks */

/* ---- stream.c */
struct fe_h2_stream *fe_h2_stream_new(struct fe_h2_server *server, int32_t id) FE_MUST_USE;
/* It is over: a backend that has it hears of that. Not from within a backend's call. */
void fe_h2_stream_close(struct fe_h2_stream *stream);
/* nghttp2 has closed it; as above, unless what came is still being read. */
void fe_h2_stream_on_close(struct fe_h2_stream *stream);
void fe_h2_streams_trim(struct fe_h2_server *server); /* the spare ones */

/* Has fe_h2_step called for the stream, before this turn ends. */
void fe_h2_schedule(struct fe_h2_stream *stream);

/* Ends the running exchange because of the client, and tells it so if that is still possible. */
void fe_h2_fail(struct fe_h2_stream *stream, int status, const char *reason);
/* Answers a request that no backend has. */
void fe_h2_answer(struct fe_h2_stream *stream, int status, const char *reason);
void fe_h2_stream_reset(struct fe_h2_stream *stream, uint32_t code);

/* ---- request.c: what comes */
int fe_h2_on_field(struct fe_h2_stream *stream, bool is_trailer, struct fe_view name,
                   struct fe_view value) FE_MUST_USE; /* FLATEND_ELIMIT, FLATEND_ENOMEM */
void fe_h2_on_head(struct fe_h2_stream *stream, bool is_complete);
void fe_h2_on_data(struct fe_h2_stream *stream, struct fe_view data);
void fe_h2_on_complete(struct fe_h2_stream *stream);
/* The response has been sent, and the request is not complete. */
void fe_h2_discard(struct fe_h2_stream *stream);
/* Body for a backend that has asked for it. */
void fe_h2_deliver(struct fe_h2_stream *stream);

/* ---- response.c: what goes */
extern const struct fe_exchange_ops fe_h2_exchange_ops;
/* Bytes that a write would take. */
size_t fe_h2_room(const struct fe_h2_stream *stream);
/* Tells nghttp2 of what there is to send. */
void fe_h2_submit(struct fe_h2_stream *stream);
ssize_t fe_h2_read_output(nghttp2_session *session, int32_t id, uint8_t *buf, size_t len,
                          uint32_t *flags, nghttp2_data_source *source, void *user_data);
int fe_h2_send_output(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *header,
                      size_t len, nghttp2_data_source *source, void *user_data);

/* ---- server.c */
/* No further frame but what is in `out`: sends that, then ends our direction; or resets. */
void fe_h2_finish(struct fe_h2_server *server);
void fe_h2_reset(struct fe_h2_server *server);
/* Says why and goes; at once, so that backends hear of it only when the server is freed or run. */
void fe_h2_terminate(struct fe_h2_server *server, uint32_t code, const char *why);
void fe_h2_goaway(struct fe_h2_server *server);

/* ---- timeout.c */
int fe_h2_timeout_init(struct fe_h2_server *server) FE_MUST_USE;
void fe_h2_timeout_update(struct fe_h2_server *server);
void fe_h2_timeout_deinit(struct fe_h2_server *server);
/* FE_CHECK: the counts of a connection, and what each stream's state allows. */
void fe_h2_check(const struct fe_h2_server *server);

/* The time for the stream's next body bytes, or a tunnel's in either direction, starts again, or
 * stops. */
void fe_h2_timeout_read(struct fe_h2_stream *stream);
/* Of an answered request: the client has a little time to end it. */
void fe_h2_timeout_discard(struct fe_h2_stream *stream);
/* The same for its client's taking of output. */
void fe_h2_timeout_write(struct fe_h2_stream *stream);

static inline bool fe_h2_is_gone(const struct fe_h2_server *server)
{
    return server->phase == FE_H2_LINGER || server->phase == FE_H2_CLOSED;
}

static inline uint64_t fe_h2_now(const struct fe_h2_server *server)
{
    return server->setup.ops->now_ms(server->setup.owner);
}

#endif
