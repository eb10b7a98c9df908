/* The vocabulary between a session and what stands on it, the same for every dialect.
 *
 * A session turns records into events; rpc, kad and net react to events and send through `struct
 * fe_sender_ops`. Neither side depends on the dialect. The views in an event borrow the session's
 * input and are valid until the session is asked for the next one. */
#ifndef FE_MESH_WIRE_EVENT_H
#define FE_MESH_WIRE_EVENT_H

#include "mesh/wire/id.h"

struct fe_header {
    struct fe_view name;
    struct fe_view value;
};

/* Encoded headers whose every length was checked; walked with fe_headers_next. */
struct fe_headers {
    struct fe_view bytes;
    uint16_t n;
    bool is_long; /* the form of large heads: docs/PROTOCOL.md §2.3 */
};

/* Encoded service names, checked likewise; walked with fe_names_next. */
struct fe_names {
    struct fe_view bytes;
    uint8_t n;
    bool is_long;
};

/* Take the first element off; false when there is none left. */
bool fe_headers_next(struct fe_headers *headers, struct fe_header *header);
bool fe_names_next(struct fe_names *names, struct fe_view *name);

/* Encoded services with a weight each, checked likewise; walked with fe_offers_next. */
struct fe_offers {
    struct fe_view bytes;
    uint16_t n;
};

struct fe_offer {
    struct fe_view name;
    uint16_t weight; /* of its share of requests, relative to other providers; FE_WEIGHT_DEFAULT */
};

enum {
    FE_WEIGHT_DEFAULT = 100,
    FE_SERVICES_MAX = 255, /* of one node: their number is one byte in a Handshake */
};

bool fe_offers_next(struct fe_offers *offers, struct fe_offer *offer);

enum fe_event_type {
    FE_EVENT_HANDSHAKE, /* identity and services; may repeat, services then add up */
    FE_EVENT_REQUEST,   /* the peer opens a stream */
    FE_EVENT_RESPONSE,  /* the head of the response to a local stream */
    FE_EVENT_DATA,      /* bytes of a stream */
    FE_EVENT_END,       /* the peer's direction of a stream is complete */
    FE_EVENT_FIND_NODE, /* answer with sender->ops->nodes and the same token */
    FE_EVENT_NODES,     /* the answer to our find_node of that token */
    FE_EVENT_KIND,      /* which implementation an old peer turned out to be: once, if asked */
    /* Only from a secure peer. */
    FE_EVENT_RESET,    /* the peer has given a stream up, in both directions */
    FE_EVENT_WINDOW,   /* more body bytes may be sent: on a stream, or (stream 0) in all */
    FE_EVENT_SERVICES, /* all that the peer offers from now on, in place of what it offered */
    FE_EVENT_GOAWAY,   /* the peer wants no more requests; streams that run go on */
    FE_EVENT_PONG,     /* the answer to our ping of that token */
};

/* The old implementations: they speak one dialect, and differ in what they take. */
enum fe_old_kind {
    FE_OLD_UNKNOWN, /* not told yet: what all of them take */
    FE_OLD_GO,      /* the Go module */
    FE_OLD_NPM,     /* the npm package */
};

enum { FE_NODES_MAX = 16 }; /* IDs in a FindNodeResponse: one bucket, what old peers send */

/* Why a stream or a connection is given up: the codes of docs/PROTOCOL.md §2.3. */
enum fe_reason {
    FE_REASON_NONE = 0,      /* no error: the rest is not needed, or the node shuts down */
    FE_REASON_CANCEL = 1,    /* canceled by the requester */
    FE_REASON_REFUSED = 2,   /* nothing was done: the request may go elsewhere */
    FE_REASON_TIMEOUT = 3,   /* the deadline has passed */
    FE_REASON_INTERNAL = 4,  /* the handler failed after it had begun to answer */
    FE_REASON_TOO_LARGE = 5, /* a body or a head above a limit */
    FE_REASON_FLOW = 6,      /* more was sent than the window allowed */
    FE_REASON_PROTOCOL = 7,  /* any other fault of the peer */
    FE_REASON_DENIED = 8,    /* key, service or mesh secret not allowed */
};

/* FLATEND_ERESET and so on: what a reason means to the owner of the stream. */
int fe_reason_code(uint32_t reason, bool has_responded);
const char *fe_reason_text(uint32_t reason); /* "canceled"; never NULL */

struct fe_event {
    enum fe_event_type type;
    uint32_t stream; /* REQUEST, RESPONSE, DATA, END */
    uint32_t token;  /* FIND_NODE, NODES */
    union {
        struct {
            const struct fe_id *id; /* proven by its signature; NULL: anonymous */
            bool is_proven;         /* for this very session, and not only at some time */
            struct fe_names services;
        } handshake;
        struct {
            struct fe_names services;
            struct fe_headers headers;
        } request;
        struct {
            bool handled; /* false: nothing follows on this stream */
            struct fe_headers headers;
        } response;
        struct fe_view data;
        struct fe_headers trailers; /* END; mostly none */
        struct {
            uint32_t reason; /* enum fe_reason, or one that we do not know */
            struct fe_view text;
        } reset; /* RESET */
        struct {
            uint32_t reason;
            uint32_t last; /* of our streams: the last one that was accepted */
            struct fe_view text;
        } goaway;
        uint32_t increment;         /* WINDOW: at least 1 */
        struct fe_offers offers;    /* SERVICES */
        uint64_t ping;              /* PONG: the token */
        uint8_t target[FE_KEY_LEN]; /* FIND_NODE */
        enum fe_old_kind kind;      /* KIND */
        struct {
            const struct fe_id *ids;
            size_t n;
        } nodes;
    } u;
};

/* What can be sent. Everything is encoded at once and encrypted by the time the output is written,
 * in order. Errors: FLATEND_ETOOBIG (the dialect's limit; nothing was sent), FLATEND_ELIMIT
 * (find_node: too many wait for an answer), FLATEND_ESTATE (the keys are not agreed yet),
 * FLATEND_ENOMEM (nothing was sent; but `data` may have sent a part: the stream is lost then, and
 * of a large head a part may have been sent: the next flush fails then, and the connection is
 * lost). */
struct fe_sender;

struct fe_sender_ops {
    /* The id for the next local stream. */
    uint32_t (*next_stream)(struct fe_sender *sender);
    int (*request)(struct fe_sender *sender, uint32_t stream, const struct fe_view *services,
                   size_t n_services, const struct fe_header *headers, size_t n_headers);
    int (*response)(struct fe_sender *sender, uint32_t stream, bool handled,
                    const struct fe_header *headers, size_t n_headers);
    /* Bytes of any length: split into packets as the dialect requires. Never empty. */
    int (*data)(struct fe_sender *sender, uint32_t stream, struct fe_view bytes);
    /* The old dialect has no trailers, and drops them. */
    int (*end)(struct fe_sender *sender, uint32_t stream, const struct fe_header *trailers,
               size_t n_trailers);
    int (*find_node)(struct fe_sender *sender, const uint8_t target[FE_KEY_LEN], uint32_t *token);
    int (*nodes)(struct fe_sender *sender, uint32_t token, const struct fe_id *ids, size_t n);
    /* How many body bytes may be sent now before the output counts as full; windows apart. */
    size_t (*space)(const struct fe_sender *sender);
    /* Only to a secure peer. `text` may be empty; it is cut at FE_REASON_TEXT_MAX. */
    int (*reset)(struct fe_sender *sender, uint32_t stream, enum fe_reason reason,
                 struct fe_view text);
    int (*window)(struct fe_sender *sender, uint32_t stream, uint32_t increment);
    int (*services)(struct fe_sender *sender, const struct fe_offer *offers, size_t n);
    int (*goaway)(struct fe_sender *sender, uint32_t last, enum fe_reason reason,
                  struct fe_view text);
    int (*ping)(struct fe_sender *sender, uint64_t token);
};

enum { FE_REASON_TEXT_MAX = 255 };

enum fe_dialect {
    FE_DIALECT_OLD, /* docs/PROTOCOL.md part 1, what old peers do not know is in §1.3 */
    /* Part 2. The peer knows windows, RESET, trailers, SERVICES, GOAWAY and PING; its ids grow, so
     * that one behind the last is over; `flow` counts. */
    FE_DIALECT_SECURE,
};

/* The flow control of a connection, as both sides announced it. */
struct fe_flow {
    uint32_t stream_out;     /* body bytes that a new stream may carry to the peer at first */
    uint32_t connection_out; /* and all streams together */
    uint32_t stream_in;      /* the same towards us */
    uint32_t connection_in;
    uint32_t streams_out; /* streams that we may have open at once */
    /* What connection_in grows to while streams stall, so that others need not wait for them; it is
     * our own affair. 0: it does not grow. */
    uint32_t connection_in_max;
};

enum {
    /* The largest head that any peer takes, encoded: names and headers (docs/PROTOCOL.md §2.3). */
    FE_HEAD_MAX = 256 * 1024,
};

struct fe_sender {
    const struct fe_sender_ops *ops;
    enum fe_dialect dialect; /* set by the time HANDSHAKE is delivered, for good */
    /* The largest head that this peer takes, encoded; FE_HEAD_MAX: names and values of any length,
     * too. Set together with the dialect. */
    uint32_t head_max;
    struct fe_flow flow;
};

/* The id of a side's next stream in the secure dialect: of the same parity, and never 0, which is
 * the connection itself. */
static inline uint32_t fe_stream_id_after(uint32_t id)
{
    return id + 2 != 0 ? id + 2 : 2;
}

static inline bool fe_sender_is_secure(const struct fe_sender *sender)
{
    return sender->dialect == FE_DIALECT_SECURE;
}

#endif
