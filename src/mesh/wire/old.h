/* The packets of the protocol that today's nodes speak: docs/PROTOCOL.md §1.2.
 *
 * Decoders take the body of a packet (behind seq and opcode), allocate nothing and hand out views
 * into it. They return 0 or FLATEND_EPROTO: a length that leaves the body, a flag that is neither 0
 * nor 1, bytes left over.
 *
 * Encoders write to a cursor with exactly the room that the size function said. A size is SIZE_MAX
 * when a count or a length does not fit its field. */
#ifndef FE_MESH_WIRE_OLD_H
#define FE_MESH_WIRE_OLD_H

#include "mesh/wire/cursor.h"
#include "mesh/wire/event.h"

enum fe_old_opcode {
    FE_OLD_HANDSHAKE = 0,
    FE_OLD_REQUEST = 1,
    FE_OLD_RESPONSE = 2,
    FE_OLD_DATA = 3,
    FE_OLD_FIND_NODE = 4, /* opcode 5 is never on the wire: a FindNodeResponse is a bare body */
};

enum {
    /* What Go peers accept: 4,096 bytes of ciphertext, tag included (§1.1). */
    FE_OLD_PLAINTEXT_MAX = 4096 - 16,
    /* What Go peers accept in a Data packet (§1.3). */
    FE_OLD_DATA_MAX = 2048,
    FE_OLD_ID_MAX = FE_KEY_LEN + 1 + 16 + 2,
};

struct fe_old_handshake {
    bool has_id;
    struct fe_id id;         /* with has_id */
    struct fe_view id_bytes; /* the ID as it was sent, which is what the signature covers */
    struct fe_names services;
    struct fe_view signature; /* with has_id: FE_SIGNATURE_LEN bytes, not verified */
    struct fe_view rest;      /* what follows: an extension (docs/PROTOCOL.md §2.1), or anything */
};

struct fe_old_request {
    uint32_t stream;
    struct fe_names services;
    struct fe_headers headers;
};

struct fe_old_response {
    uint32_t stream;
    bool is_handled;
    struct fe_headers headers;
};

struct fe_old_data {
    uint32_t stream;
    struct fe_view bytes; /* empty: the end of the stream */
};

/* Bytes behind the signature are not looked at: both old implementations ignore them. */
int fe_old_handshake_decode(struct fe_view body, struct fe_old_handshake *handshake) FE_MUST_USE;
int fe_old_request_decode(struct fe_view body, struct fe_old_request *request) FE_MUST_USE;
int fe_old_response_decode(struct fe_view body, struct fe_old_response *response) FE_MUST_USE;
int fe_old_data_decode(struct fe_view body, struct fe_old_data *data) FE_MUST_USE;
int fe_old_find_node_decode(struct fe_view body, uint8_t target[FE_KEY_LEN]) FE_MUST_USE;

/* Turns lengths of names and values that count UTF-16 units, as Node.js nodes write them, into
 * lengths in bytes, in place. FLATEND_EPROTO: with such lengths it is no packet either; `body` is
 * worthless. */
int fe_old_request_convert(uint8_t *body, size_t len) FE_MUST_USE;
int fe_old_response_convert(uint8_t *body, size_t len) FE_MUST_USE;

/* Checks all IDs of a FindNodeResponse, keeps the first FE_NODES_MAX of those that could be dialed
 * (a key that is not zero, a port that is not 0, not the broadcast address). */
int fe_old_nodes_decode(struct fe_view body, struct fe_id ids[FE_NODES_MAX], size_t *n) FE_MUST_USE;

/* An ID; an IPv4-mapped address, as Go sends it, is read as IPv4. */
int fe_old_id_decode(struct fe_reader *reader, struct fe_id *id) FE_MUST_USE;
void fe_old_id_encode(struct fe_writer *writer, const struct fe_id *id);

/* Names and headers. What was decoded is checked: iterating over it later needs no checks. */
struct fe_names fe_old_names_decode(struct fe_reader *reader);
struct fe_headers fe_old_headers_decode(struct fe_reader *reader);
size_t fe_old_names_size(const struct fe_view *names, size_t n);
size_t fe_old_headers_size(const struct fe_header *headers, size_t n);
void fe_old_names_encode(struct fe_writer *writer, const struct fe_view *names, size_t n);
void fe_old_headers_encode(struct fe_writer *writer, const struct fe_header *headers, size_t n);

/* `id` and `signature` are NULL for an anonymous node. */
size_t fe_old_handshake_size(const struct fe_id *id, const struct fe_view *services, size_t n);
void fe_old_handshake_encode(struct fe_writer *writer, const struct fe_id *id,
                             const struct fe_view *services, size_t n,
                             const uint8_t signature[FE_SIGNATURE_LEN]);

size_t fe_old_request_size(const struct fe_view *services, size_t n_services,
                           const struct fe_header *headers, size_t n_headers);
void fe_old_request_encode(struct fe_writer *writer, uint32_t stream,
                           const struct fe_view *services, size_t n_services,
                           const struct fe_header *headers, size_t n_headers);

size_t fe_old_response_size(const struct fe_header *headers, size_t n);
void fe_old_response_encode(struct fe_writer *writer, uint32_t stream, bool is_handled,
                            const struct fe_header *headers, size_t n);

/* At most FE_OLD_DATA_MAX bytes. */
size_t fe_old_data_size(struct fe_view bytes);
void fe_old_data_encode(struct fe_writer *writer, uint32_t stream, struct fe_view bytes);

size_t fe_old_nodes_size(const struct fe_id *ids, size_t n);
void fe_old_nodes_encode(struct fe_writer *writer, const struct fe_id *ids, size_t n);

/* ---- for the coders of both dialects ---- */

/* Nothing is left over, and nothing was missing. */
static inline int fe_reader_end(const struct fe_reader *reader)
{
    return fe_reader_is_complete(reader) ? 0 : FLATEND_EPROTO;
}

/* A sum that stays SIZE_MAX once a part is. */
static inline size_t fe_size_plus(size_t a, size_t b)
{
    return a == SIZE_MAX || b == SIZE_MAX ? SIZE_MAX : a + b;
}

#endif
