/* What the files of src/mesh/rpc share: the stream itself, and its life. */
#ifndef FE_MESH_RPC_INTERNAL_H
#define FE_MESH_RPC_INTERNAL_H

#include "ground/base/buf.h"
#include "mesh/rpc/peer.h"

/* A stream's life, as its owner and the peer's map of streams see it:
 *
 *   REQUEST arrives       fe_stream_open
 *        │                      │
 *        ▼   fe_stream_accept   ▼          failed                 on_reset
 *     OFFERED ───────────────▶ ACTIVE ─────────────────▶ CLOSED ────────────┐
 *        │                      │                           │               │
 *        │ not accepted         │ complete,                 │ reset,        │
 *        │                      │ fe_stream_reset           │ finish        │
 *        └──────────────────────┴───────────┬───────────────┴───────────────┘
 *                                           ▼
 *                        the peer's end is still to come?
 *                           yes │                 │ no
 *                               ▼   its end       ▼
 *                             LATE ────────────▶ GONE
 *
 * LATE streams discard what the peer still sends. A peer with windows needs none: its ids grow, so
 * packets for streams that are over are known by their id. Within a callback a GONE stream keeps
 * its memory until the outermost call into the peer returns, since an outer caller may still use
 * it. */
enum fe_stream_state {
    FE_STREAM_OFFERED,
    FE_STREAM_ACTIVE,
    FE_STREAM_CLOSED,
    FE_STREAM_LATE,
    FE_STREAM_GONE,
};

/* One direction of a stream; each walks down this list, and may skip. */
enum fe_half {
    FE_HALF_HEAD,    /* the response's head is next (a request's head is what opens the stream) */
    FE_HALF_BODY,    /* body bytes */
    FE_HALF_CLOSING, /* in: ended, but bytes wait for the reader; out: the peer has stopped reading
                      */
    FE_HALF_ENDED,
};

enum fe_delivery {
    FE_DELIVERY_IDLE,
    FE_DELIVERY_RUNNING, /* inside on_data */
    FE_DELIVERY_RESUMED, /* inside on_data, and the owner has called resume there */
};

struct fe_stream {
    struct fe_map_node node; /* in peer->streams; the key is `id` */
    struct fe_list link;     /* in one of the peer's lists: blocked, done, late, free_streams */
    struct fe_peer *peer;
    const struct fe_stream_ops *ops;
    void *owner;
    uint32_t id;
    int code;               /* for on_reset */
    bool is_remote;         /* opened by the peer */
    bool is_backlogged;     /* counted in peer->n_backlogged */
    bool is_window_blocked; /* the owner waits for this stream's window, and is on no list */
    uint8_t n_head_shares;  /* counted in peer->n_head_shares */
    enum fe_stream_state state;
    enum fe_half in;
    enum fe_half out;
    enum fe_delivery delivery;
    uint64_t n_received; /* body bytes */
    uint64_t n_sent;
    uint32_t window_out; /* body bytes that the peer still takes */
    uint32_t window_in;  /* that the peer may still send */
    uint32_t returned;   /* taken by the reader, and not granted again yet */
    uint32_t target;     /* these two and what waits, together: the whole window */
    /* Bytes that the reader has not taken yet: the first few, and all others. */
    struct fe_buf small;
    struct fe_chain waiting;
    struct fe_headers trailers; /* that wait for the reader behind these bytes */
    uint8_t *kept_trailers;     /* what `trailers` looks at, or NULL */
    size_t n_kept_trailers;
};

enum {
    /* A stream's first waiting bytes are kept as they are, and only more of them in blocks: else
     * one byte on each of many streams would take a block each. A block is at most four times as
     * large as what had to be sent to get it. */
    FE_STREAM_SMALL_MAX = 4096,
    /* A stream's window grows to this part of the connection's at most: fewer streams than this
     * that stall, however fast they had been, leave something to the others. */
    FE_STREAM_SHARE = 16,
    /* Or less, so that all of them together grow to so many times the connection's. */
    FE_STREAM_SHARE_CROWD = 4,
};

/* ---- life.c ---- */

/* A stream in the peer's map, OFFERED or ACTIVE, with nothing sent or received yet. NULL: out of
 * memory. The id is not in use. */
struct fe_stream *fe_stream_new(struct fe_peer *peer, uint32_t id, bool is_remote) FE_MUST_USE;

/* The stream with this id in any state of life, or NULL. */
struct fe_stream *fe_stream_find(struct fe_peer *peer, uint32_t id);

/* ACTIVE becomes CLOSED: on_reset(code) is due, nothing else comes. */
void fe_stream_close(struct fe_stream *stream, int code);

/* OFFERED, ACTIVE or CLOSED becomes LATE or GONE; no event. */
void fe_stream_drop(struct fe_stream *stream);

/* The peer's direction is over: a LATE stream becomes GONE. */
void fe_stream_on_late_end(struct fe_stream *stream);

/* Brackets every call in which events come. The outermost leave delivers those that are due. */
void fe_peer_enter(struct fe_peer *peer);
void fe_peer_leave(struct fe_peer *peer);

/* ---- control.c ---- */

/* a - b of ids that grow and wrap around, as in RFC 1982. */
int32_t fe_id_distance(uint32_t a, uint32_t b);

/* Whether the id is one of those that we choose. Only if the peer has windows. */
bool fe_id_is_local(const struct fe_peer *peer, uint32_t id);

/* A packet for a stream that is not there: 0 when that is over, else FLATEND_EPROTO. */
int fe_peer_on_unknown(const struct fe_peer *peer, const struct fe_event *event, const char *what,
                       struct flatend_error *err) FE_MUST_USE;

/* RESET, WINDOW, GOAWAY; others, and those of a peer without windows, are ignored. */
int fe_peer_on_control(struct fe_peer *peer, const struct fe_event *event,
                       struct flatend_error *err) FE_MUST_USE;

/* ---- window.c: towards peers that have windows; nothing happens towards others ---- */

/* The peer said HELLO: from here on the windows count, if it has any. */
void fe_peer_start_windows(struct fe_peer *peer);

/* The initial windows of a new stream. */
void fe_stream_start_windows(struct fe_stream *stream);

/* How many of `len` body bytes both windows let through, and that so many were sent. */
size_t fe_stream_clip(const struct fe_stream *stream, size_t len);
void fe_stream_spend(struct fe_stream *stream, size_t n);

/* Body bytes came, for any stream or for this one: FLATEND_EPROTO when more than were granted. */
int fe_peer_charge(struct fe_peer *peer, size_t n, struct flatend_error *err) FE_MUST_USE;
int fe_stream_charge(struct fe_stream *stream, size_t n, struct flatend_error *err) FE_MUST_USE;

/* So many are done with: grants them again when enough have come together. */
void fe_peer_return_credit(struct fe_peer *peer, size_t n);
void fe_peer_make_room(struct fe_peer *peer); /* after bytes have begun to wait */

/* The connection is over: requests that linger count no more. lingering.c */
void fe_peer_forget_lingering(struct fe_peer *peer);
void fe_stream_return_credit(struct fe_stream *stream, size_t n); /* the connection's too */

/* The peer grants more: FLATEND_EPROTO when a window grows beyond what any can be. */
int fe_peer_grow_window(struct fe_peer *peer, uint32_t increment,
                        struct flatend_error *err) FE_MUST_USE;
int fe_stream_grow_window(struct fe_stream *stream, uint32_t increment,
                          struct flatend_error *err) FE_MUST_USE;

/* The owner is owed on_writable: the stream waits, for its own window or in the row of those that
 * wait for the connection. */
void fe_stream_block(struct fe_stream *stream);
bool fe_stream_is_blocked(const struct fe_stream *stream);
void fe_stream_unblock(struct fe_stream *stream); /* no on_writable is pending */

/* ---- peer.c ---- */

/* Lets streams in the row write, each in its turn, until the connection takes no more. */
void fe_peer_run_blocked(struct fe_peer *peer);

/* The next free local id. */
uint32_t fe_peer_next_id(struct fe_peer *peer);

/* A packet that no caller can be told about could not be sent: what the peer believes is wrong from
 * here on. */
void fe_peer_break(struct fe_peer *peer, int code);

/* Nothing more comes from this stream's peer, and nothing more goes to it. */
void fe_stream_end_both(struct fe_stream *stream);

/* ---- receive.c ---- */

/* How many bytes wait for the reader. */
size_t fe_stream_waiting(const struct fe_stream *stream);

/* Hands bytes to the reader, keeps what it does not take. FLATEND_ENOMEM. */
int fe_stream_receive(struct fe_stream *stream, struct fe_view data) FE_MUST_USE;

/* The peer's direction ended: on_end, now or once all has been taken. FLATEND_ENOMEM. */
int fe_stream_receive_end(struct fe_stream *stream, struct fe_headers trailers) FE_MUST_USE;

/* Forgets what waits, and no longer holds the peer back. Within on_data the bytes live until it
 * returns. */
void fe_stream_discard(struct fe_stream *stream);

/* ---- stream.c ---- */

/* Sends our end if it was not sent yet. */
int fe_stream_send_end(struct fe_stream *stream) FE_MUST_USE;

/* Tells the peer that the stream is given up, in both directions. */
int fe_stream_send_reset(struct fe_stream *stream, enum fe_reason reason) FE_MUST_USE;

/* Counts a head that is sent while the output is full, as `n` and more by its size: FLATEND_ELIMIT
 * when there are too many. */
int fe_peer_count_head(struct fe_peer *peer, unsigned n, const struct fe_header *headers,
                       size_t n_headers) FE_MUST_USE;

/* ---- stream_check.c ---- */

/* Every invariant of the stream, whatever its state. */
void fe_stream_check(const struct fe_stream *stream);

#endif
