/* The packets of the secure session: docs/PROTOCOL.md §2.1 (extension) and §2.3 (packets).
 *
 * Decoders allocate nothing and hand out views into what they are given. They return 0 or
 * FLATEND_EPROTO: a length that leaves the packet, a number out of its range, bytes left over.
 * Bodies that are the same as in the old dialect are decoded by mesh/wire/old.h.
 *
 * Encoders write to a cursor with exactly the room that the size function said. A size is SIZE_MAX
 * when a count or a length does not fit its field. */
#ifndef FE_MESH_WIRE_SECURE_H
#define FE_MESH_WIRE_SECURE_H

#include "mesh/wire/cursor.h"
#include "mesh/wire/event.h"

enum {
    /* The largest record that we accept, as the length that stands before it: bounds what one
     * record makes us hold, and is large enough that a header and a tag cost nothing. */
    FE_SECURE_RECORD_MAX = 65536,
    /* What every node must accept: a Handshake, which fits an old record (§1.1). */
    FE_SECURE_RECORD_MIN = 4096,
    /* Body bytes that one stream may carry to us unasked, at first: small, so that many readers can
     * stop without stopping the connection. One that keeps up is granted more (mesh/rpc/window.c).
     */
    FE_SECURE_STREAM_WINDOW = 64 * 1024,
    /* And all together. Memory that a connection can cost: 256 readers that have stopped. */
    FE_SECURE_CONNECTION_WINDOW = 16 * 1024 * 1024,
    /* As many streams as a peer may have open, each with what it may send at first. */
    FE_SECURE_CONNECTION_WINDOW_MAX = 4096 * FE_SECURE_STREAM_WINDOW,
    /* Streams that the peer may have open at once: more than a gateway has clients at a time, and
     * their state stays within a few MiB. */
    FE_SECURE_STREAMS_MAX = 4096,
};

#define FE_SECURE_WINDOW_MAX 0x7fffffffU /* as in HTTP/2 (RFC 9113 §6.9.1): sums fit 32 bits */

/* ---- the extension of a Handshake ----------------------------------------------------------- */

enum {
    FE_SECURE_EXTENSION_MAX = 1024, /* bytes of TLVs that are looked at: ten times what there is */
    /* What ours may take of a record, so that a node knows how many names fit beside it. */
    FE_SECURE_EXTENSION_SENT_MAX = 256,
    FE_SECURE_AGENT_MAX = 64,
    FE_SECURE_SIGNATURE_TLV_SIZE = 3 + FE_SIGNATURE_LEN,
};

/* What a node takes beyond §2.3 as it stands (§2.8). Unknown bits are ignored. */
enum fe_secure_feature {
    FE_SECURE_FEATURE_HEADS = 1,                  /* heads in pieces, long names */
    FE_SECURE_FEATURE_MESSAGES = 2,               /* reserved */
    FE_SECURE_FEATURE_CONNECTIONS = 4,            /* reserved */
    FE_SECURE_FEATURES = FE_SECURE_FEATURE_HEADS, /* what we announce */
};

struct fe_secure_extension {
    uint32_t features; /* enum fe_secure_feature */
    uint32_t record_max;
    uint32_t stream_window;
    uint32_t connection_window;
    uint32_t streams_max;
    uint16_t connections; /* that the node would like to have in parallel */
    bool has_seen;
    struct fe_ip_addr seen;   /* where the node sees its peer */
    struct fe_view agent;     /* what it runs */
    struct fe_view signature; /* FE_SIGNATURE_LEN bytes, or empty: an anonymous node */
};

/* Whether what follows a Handshake is an extension at all; anything else belongs to an old peer. */
bool fe_secure_has_extension(struct fe_view rest);

/* `rest` must be an extension and nothing else. FLATEND_EPROTO: `err` says what is wrong. */
int fe_secure_extension_decode(struct fe_view rest, struct fe_secure_extension *extension,
                               struct flatend_error *err) FE_MUST_USE;

/* Everything with the signature's place, if `is_signed`; encode writes what precedes that place. */
size_t fe_secure_extension_size(const struct fe_secure_extension *extension, bool is_signed);
void fe_secure_extension_encode(struct fe_writer *writer,
                                const struct fe_secure_extension *extension, bool is_signed);
void fe_secure_signature_encode(struct fe_writer *writer,
                                const uint8_t signature[FE_SIGNATURE_LEN]);

/* ---- a refusal ------------------------------------------------------------------------------ */

struct fe_secure_refusal {
    uint32_t reason;
    struct fe_view text;
};

int fe_secure_refusal_decode(struct fe_view body, struct fe_secure_refusal *refusal) FE_MUST_USE;
size_t fe_secure_refusal_size(struct fe_view text);
void fe_secure_refusal_encode(struct fe_writer *writer, uint32_t reason, struct fe_view text);

/* ---- packets -------------------------------------------------------------------------------- */

enum { FE_SECURE_HEADER_SIZE = 9 };

enum fe_secure_type {
    FE_SECURE_DATA = 0,
    FE_SECURE_REQUEST = 1,
    FE_SECURE_RESPONSE = 2,
    FE_SECURE_TRAILERS = 3,
    FE_SECURE_RESET = 4,
    FE_SECURE_WINDOW = 5,
    FE_SECURE_PING = 6,
    FE_SECURE_GOAWAY = 7,
    FE_SECURE_SERVICES = 8,
    FE_SECURE_FIND_NODE = 9,
    FE_SECURE_NODES = 10,
    FE_SECURE_HEAD = 11, /* a piece of a large REQUEST, RESPONSE or TRAILERS */
};

enum {
    FE_SECURE_END = 1, /* DATA, REQUEST, RESPONSE: the sender's direction is complete */
    FE_SECURE_ACK = 1, /* PING: an answer */
};

struct fe_secure_packet {
    uint8_t type; /* enum fe_secure_type, or one to skip */
    uint8_t flags;
    uint32_t stream;
    struct fe_view body;
};

/* Takes one packet off a record's plaintext. */
int fe_secure_packet_decode(struct fe_reader *reader, struct fe_secure_packet *packet) FE_MUST_USE;
/* At most 2^24 - 1 bytes of body; records are far smaller. */
void fe_secure_header_encode(struct fe_writer *writer, uint8_t type, uint8_t flags, uint32_t stream,
                             size_t body_len);

/* Bodies, into the event that they become; its type and stream are the caller's. */
int fe_secure_request_decode(struct fe_view body, struct fe_event *event) FE_MUST_USE;
int fe_secure_response_decode(struct fe_view body, struct fe_event *event) FE_MUST_USE;
int fe_secure_trailers_decode(struct fe_view body, struct fe_event *event) FE_MUST_USE;
int fe_secure_reset_decode(struct fe_view body, struct fe_event *event) FE_MUST_USE;
int fe_secure_window_decode(struct fe_view body, struct fe_event *event) FE_MUST_USE;
int fe_secure_ping_decode(struct fe_view body, struct fe_event *event) FE_MUST_USE;
int fe_secure_goaway_decode(struct fe_view body, struct fe_event *event) FE_MUST_USE;
int fe_secure_services_decode(struct fe_view body, struct fe_event *event) FE_MUST_USE;
int fe_secure_find_node_decode(struct fe_view body, struct fe_event *event) FE_MUST_USE;
int fe_secure_nodes_decode(struct fe_view body, uint32_t *token, struct fe_id ids[FE_NODES_MAX],
                           size_t *n) FE_MUST_USE;

size_t fe_secure_request_size(const struct fe_view *services, size_t n_services,
                              const struct fe_header *headers, size_t n_headers);
void fe_secure_request_encode(struct fe_writer *writer, const struct fe_view *services,
                              size_t n_services, const struct fe_header *headers, size_t n_headers);
size_t fe_secure_response_size(const struct fe_header *headers, size_t n);
void fe_secure_response_encode(struct fe_writer *writer, bool is_handled,
                               const struct fe_header *headers, size_t n);
/* `text` is cut at FE_REASON_TEXT_MAX. */
size_t fe_secure_reset_size(struct fe_view text);
void fe_secure_reset_encode(struct fe_writer *writer, uint32_t reason, struct fe_view text);
size_t fe_secure_goaway_size(struct fe_view text);
void fe_secure_goaway_encode(struct fe_writer *writer, uint32_t last, uint32_t reason,
                             struct fe_view text);
enum {
    FE_SECURE_WINDOW_SIZE = 4,
    FE_SECURE_PING_SIZE = 8,
    FE_SECURE_FIND_NODE_SIZE = 4 + FE_KEY_LEN
};
void fe_secure_ping_encode(struct fe_writer *writer, uint64_t token);
size_t fe_secure_services_size(const struct fe_offer *offers, size_t n);
void fe_secure_services_encode(struct fe_writer *writer, const struct fe_offer *offers, size_t n);
size_t fe_secure_nodes_size(const struct fe_id *ids, size_t n);
void fe_secure_nodes_encode(struct fe_writer *writer, uint32_t token, const struct fe_id *ids,
                            size_t n);

/* ---- large heads ---------------------------------------------------------------------------- */

enum {
    FE_SECURE_HEAD_PREFIX = 1 + 4, /* type and size, before the first piece */
    /* Headers of a large head: a receiver needs memory for each of them, and the shortest are six
     * bytes. More than any ordinary head of 16 KiB is likely to have. */
    FE_SECURE_HEAD_HEADERS_MAX = 4096,
    /* Twice what the largest head takes in the smallest records. */
    FE_SECURE_HEAD_PIECES_MAX = 128,
};

/* A head to be sent; the services are REQUEST's. */
struct fe_secure_head {
    enum fe_secure_type type;
    const struct fe_view *services;
    size_t n_services;
    const struct fe_header *headers;
    size_t n_headers;
};

/* Without the prefix. SIZE_MAX: more than FE_HEAD_MAX, or another limit. */
size_t fe_secure_head_size(const struct fe_secure_head *head);
void fe_secure_head_encode(struct fe_writer *writer, const struct fe_secure_head *head);
void fe_secure_head_prefix_encode(struct fe_writer *writer, uint8_t type, size_t size);

/* Takes the prefix off the first piece. FLATEND_EPROTO: not one of the three types, or a size that
 * is 0 or above FE_HEAD_MAX. */
int fe_secure_head_prefix_decode(struct fe_reader *piece, uint8_t *type,
                                 uint32_t *size) FE_MUST_USE;

/* All pieces together, into the event that they become; its type and stream are the caller's. */
int fe_secure_head_decode(uint8_t type, struct fe_view head, struct fe_event *event) FE_MUST_USE;

#endif
