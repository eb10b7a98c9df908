/* The streams of one connection, and what the node at its other end offers. */
#ifndef FE_MESH_RPC_PEER_H
#define FE_MESH_RPC_PEER_H

#include "mesh/rpc/stream.h"

enum {
    /* Streams that a peer may have open with us; one more is answered with `handled` 0. */
    FE_PEER_STREAMS_MAX = 4096,
    /* Body bytes that may wait for one slow reader before the connection is no longer read. */
    FE_STREAM_WAITING_MAX = 256 * 1024,
    /* The same for all readers of the connection together: many slow ones must not add up. */
    FE_PEER_WAITING_MAX = 8 * 1024 * 1024,
    /* Late streams, for which the peer may still send packets. Old peers know no RESET, so each is
       remembered until its end arrives; beyond this the oldest is forgotten. */
    FE_PEER_LATE_MAX = 1024,
    /* Heads (of requests and responses) that may be sent while the output is full. They are not
       subject to windows; this bounds a peer that sends requests but never reads. A larger one
       counts once more for each FE_PEER_QUEUED_HEAD_SIZE bytes: 16 MiB in all. */
    FE_PEER_QUEUED_HEADS_MAX = 4096,
    FE_PEER_QUEUED_HEAD_SIZE = 4096,
    /* A request whose head came in pieces counts as one more stream for each so many bytes: what an
     * ordinary head can take. So what a connection's requests hold does not grow with their heads.
     */
    FE_PEER_HEAD_SHARE = 16 * 1024,
    /* Stream objects kept for the next request. */
    FE_PEER_FREE_STREAMS_MAX = 64,
    /* Trailers that may wait behind the bodies of slow readers, in all streams together: no window
       counts them. A stream whose trailers do not fit is reset. */
    FE_PEER_TRAILERS_MAX = 1024 * 1024,
    /* Requests of the peer's that are over while their handlers run on (mesh/rpc/lingering.h),
     * before its next ones are refused. Twice as many as streams: all clients of a gateway may
     * leave at once, and come again. */
    FE_PEER_LINGERING_MAX = 2 * FE_PEER_STREAMS_MAX,
};

/* What a window can grow to, as in HTTP/2 (RFC 9113 §6.9.1). */
#define FE_WINDOW_MAX ((uint32_t)INT32_MAX)

struct fe_registry;

/* Recent results of requests to a peer, for outlier ejection: see fe_registry_report. */
struct fe_health {
    unsigned n_failures;  /* in a row */
    unsigned n_successes; /* in a row, while `n_ejections` is not forgotten */
    unsigned n_ejections; /* one after the other */
    unsigned failing;     /* the share of recent requests that failed, of FE_HEALTH_WHOLE */
    bool is_ejected;
    bool is_returning; /* it was ejected, and begins with a part of its share */
    uint64_t until_ms; /* while it is either */
};

enum { FE_HEALTH_WHOLE = 1 << 16 };

struct fe_peer_ops {
    /* A request came. Call fe_stream_accept before returning to take it; else it is answered with
     * `handled` 0. The views live until this call returns. */
    void (*on_request)(struct fe_peer *peer, struct fe_stream *stream, struct fe_names services,
                       struct fe_headers headers);
    /* Something was appended to the output: flush it at the end of this turn, and call
     * fe_peer_settle then. */
    void (*on_output)(struct fe_peer *peer);
    /* fe_peer_want_read has changed. */
    void (*on_want_read)(struct fe_peer *peer);
};

struct fe_peer {
    const struct fe_peer_ops *ops;
    void *owner;
    struct fe_sender *sender;
    struct fe_pool *pool;
    uint64_t handle; /* unique in the node, for flatend_provider */
    bool is_anonymous;
    /* No request is sent to it yet; those that only it could answer wait (fe_calls_resume). Its
     * owner's to set. */
    bool is_held;
    /* It runs one of the old implementations, whose responses leave things out (docs/PROTOCOL.md
     * §1.3). Its owner's to set. */
    bool is_old;
    /* It may send what belongs to another connection, by a fault of its own: packets of streams
     * that are not there are no fault of the connection. Its owner's to set. */
    bool is_confused;
    bool is_proven;       /* `id` was proven for this very session, not only at some time */
    struct fe_id id;      /* unless anonymous */
    unsigned n_streams;   /* open now, both directions: the load that balancing compares */
    uint64_t n_opened;    /* streams ever, both directions */
    uint64_t n_events;    /* answers to FindNode, too: its owner counts those */
    uint32_t last_remote; /* if it has windows: the peer's newest request; 0: none yet */
    /* The reason to send to the peer after fe_peer_on_event has failed with FLATEND_EPROTO. */
    enum fe_reason fault_reason;
    /* private to src/mesh/rpc */
    struct fe_map streams;       /* by id: ours and the peer's, open, closed or late */
    struct fe_list blocked;      /* streams that wait for space */
    struct fe_list done;         /* streams whose on_reset, or whose memory, is due */
    struct fe_list late;         /* given up, oldest first */
    struct fe_list free_streams; /* memory for the next streams */
    size_t quantum;         /* bytes that the stream whose turn it is may write while others wait */
    unsigned depth;         /* nesting of callbacks: what ends there is freed later */
    unsigned n_remote;      /* the peer's streams among n_streams */
    unsigned n_head_shares; /* of their heads: so many streams more, where limits are concerned */
    unsigned n_late;
    unsigned n_free_streams;
    unsigned n_backlogged;    /* streams that stop reading from the connection */
    unsigned n_queued_heads;  /* heads sent since the output was last writable */
    struct fe_list lingering; /* requests that are over while their handlers run on */
    unsigned n_lingering;     /* of them, with shares */
    size_t n_waiting;         /* body bytes that wait in all streams together */
    size_t n_trailers;        /* bytes of trailers that wait likewise */
    bool has_windows;         /* secure, and its Handshake was seen */
    struct fe_flow flow;      /* as announced, at most FE_WINDOW_MAX */
    uint32_t window_out;      /* body bytes that the peer still takes, on all streams together */
    uint32_t window_in;       /* body bytes that it may still send */
    uint32_t whole_in;        /* of which that is what is left: flow.connection_in, or grown */
    uint32_t returned;        /* consumed here, and not yet returned to the peer */
    uint32_t next_local;      /* the id of our next request */
    struct fe_stream *recent; /* the last one found by its id: packets come in rows. Or NULL */
    uint64_t n_forgotten;
    int fault;       /* something could not be sent: the next fe_peer_on_event returns this */
    bool has_failed; /* an event has: the connection is to be closed, its windows do not add up */
    bool is_closed;
    struct fe_registry *registry; /* NULL: in none */
    struct fe_map_node by_handle;
    struct fe_list offers; /* its entries in the registry */
    unsigned n_offers;
    struct fe_health health; /* as the registry sees it */
};

void fe_peer_init(struct fe_peer *peer, struct fe_sender *sender, struct fe_pool *pool,
                  const uint8_t map_seed[16], const struct fe_peer_ops *ops, void *owner);

/* Reacts to HANDSHAKE (what both sides announced for flow control; the first one counts), REQUEST,
 * RESPONSE, DATA, END, RESET, WINDOW; and to GOAWAY, after which the peer is in no registry and
 * requests that it did not accept have ended with FLATEND_EUNHANDLED. The other events are the
 * owner's. A fault of the peer (`err` says which: FLATEND_EPROTO, FLATEND_ELIMIT) or
 * FLATEND_ENOMEM: the connection is to be closed. */
int fe_peer_on_event(struct fe_peer *peer, const struct fe_event *event,
                     struct flatend_error *err) FE_MUST_USE;

/* The output has drained: lets blocked streams write, in turn. */
void fe_peer_on_writable(struct fe_peer *peer);

/* To be asked at the end of each turn with output. FLATEND_ENOMEM: something could not be sent, and
 * the peer waits for it; the connection is to be closed. So says the next event, but it may never
 * come. */
int fe_peer_settle(const struct fe_peer *peer);

/* False while a reader that does not keep up makes us stop reading the connection: of old peers
 * only. */
bool fe_peer_want_read(const struct fe_peer *peer);

/* Ends every stream with `code`, and takes the peer out of the registry. Sends nothing. When called
 * from within an event of this peer, the on_reset come after that event. */
void fe_peer_close(struct fe_peer *peer, int code);

/* Every invariant of the peer and its streams; between events. */
void fe_peer_check(const struct fe_peer *peer);

/* After fe_peer_close, and not from within a callback of this peer. */
void fe_peer_deinit(struct fe_peer *peer);

#endif
