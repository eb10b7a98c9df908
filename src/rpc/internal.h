/* What the files of src/rpc share: the stream itself, and its life. */
#ifndef FE_RPC_INTERNAL_H
#define FE_RPC_INTERNAL_H

#include "rpc/peer.h"

/* A stream's life, as its owner and the peer's map of streams see it:
 *
 *   REQUEST arrives       fe_stream_open
 *        │                      │
 *        ▼   fe_stream_accept   ▼      complete, failed           on_close
 *     OFFERED ───────────────▶ ACTIVE ─────────────────▶ CLOSED ────────────┐
 *        │                      │                           │ cancel        │
 *        │ nobody accepts       │ fe_stream_cancel          │               │
 *        └──────────────────────┴───────────┬───────────────┴───────────────┘
 *                                           ▼
 *                        the peer's end is still to come?
 *                           yes │                 │ no
 *                               ▼   its end       ▼
 *                             LATE ────────────▶ GONE
 *
 * LATE streams swallow what the peer still sends. Within a callback a GONE stream keeps its memory
 * until the outermost call into the peer returns, since a caller further out may be at it. */
enum fe_stream_life {
    FE_STREAM_OFFERED,
    FE_STREAM_ACTIVE,
    FE_STREAM_CLOSED,
    FE_STREAM_LATE,
    FE_STREAM_GONE,
};

/* One direction of a stream; each walks down this list, and may skip. */
enum fe_half {
    FE_HALF_HEAD,  /* the response's head is next (a request's head is what opens the stream) */
    FE_HALF_BODY,  /* body bytes */
    FE_HALF_MUTED, /* in: ended, but bytes wait for the reader; out: the peer wants no more of it */
    FE_HALF_ENDED,
};

enum fe_delivery {
    FE_DELIVERY_IDLE,
    FE_DELIVERY_RUNNING, /* inside on_data */
    FE_DELIVERY_RESUMED, /* inside on_data, and the owner has called resume there */
};

struct fe_stream {
    struct fe_map_node node; /* in peer->streams; the key is `id` */
    struct fe_list link;     /* in one of the peer's lists: blocked, done, late, spare */
    struct fe_peer *peer;
    const struct fe_stream_ops *ops;
    void *owner;
    uint32_t id;
    int code;       /* for on_close */
    bool is_theirs; /* opened by the peer */
    bool is_full;   /* counted in peer->n_full */
    enum fe_stream_life life;
    enum fe_half in;
    enum fe_half out;
    enum fe_delivery delivery;
    struct fe_chain waiting; /* bytes that the reader has not taken yet */
};

/* ---- life.c ---- */

/* A stream in the peer's map, OFFERED or ACTIVE, with nothing sent or received yet. NULL: out of
 * memory. The id is not in use. */
struct fe_stream *fe_stream_new(struct fe_peer *peer, uint32_t id, bool is_theirs) FE_MUST_USE;

/* The stream with this id in any state of life, or NULL. */
struct fe_stream *fe_stream_find(const struct fe_peer *peer, uint32_t id);

/* ACTIVE becomes CLOSED: on_close(code) is due, nothing else comes. */
void fe_stream_finish(struct fe_stream *stream, int code);

/* OFFERED, ACTIVE or CLOSED becomes LATE or GONE; no callback. */
void fe_stream_drop(struct fe_stream *stream);

/* The peer's direction is over: a LATE stream becomes GONE. */
void fe_stream_on_late_end(struct fe_stream *stream);

/* Brackets every call in which callbacks are made. The outermost leave delivers what is due. */
void fe_peer_enter(struct fe_peer *peer);
void fe_peer_leave(struct fe_peer *peer);

/* ---- receive.c ---- */

/* Hands bytes to the reader, keeps what it does not take. FLATEND_ENOMEM. */
int fe_stream_receive(struct fe_stream *stream, struct fe_view data) FE_MUST_USE;

/* The peer's direction ended: on_end, now or once all has been taken. */
void fe_stream_receive_end(struct fe_stream *stream);

/* Forgets what waits, and no longer holds the peer back. */
void fe_stream_discard(struct fe_stream *stream);

/* ---- stream.c ---- */

/* Sends our end if it was not sent yet. */
int fe_stream_send_end(struct fe_stream *stream) FE_MUST_USE;

/* Counts a head that is sent while the output is full: FLATEND_ELIMIT when there are too many. */
int fe_peer_count_head(struct fe_peer *peer) FE_MUST_USE;

#endif
