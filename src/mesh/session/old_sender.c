#include "ground/base/assert.h"
#include "mesh/session/old.h"
#include "mesh/session/pending.h"
#include "mesh/session/record.h"
#include "mesh/wire/old.h"

enum { SEQ_SIZE = 4, OPCODE_SIZE = 1 };

/* Before the peer's dialect is known nothing is sent: a secure peer accepts no old packet. */
static bool can_send(const struct fe_session *session)
{
    return session->state == FE_SESSION_OPEN ||
           (session->state == FE_SESSION_HANDSHAKE && session->self->is_old_only);
}

/* A record for `size` bytes behind the seq. What does not fit is refused before anything changes.
 */
static int begin(struct fe_session *session, uint32_t seq, size_t size, struct fe_record *record)
{
    int code;

    if (!can_send(session)) {
        return FLATEND_ESTATE;
    }
    FE_ASSERT(!fe_sender_is_secure(&session->sender), "an old packet is an old session's");
    if (size > FE_OLD_PLAINTEXT_MAX - SEQ_SIZE) {
        return FLATEND_ETOOBIG;
    }
    code = fe_record_begin(session, SEQ_SIZE + size, record);
    if (code == 0) {
        fe_write_u32(&record->plaintext, seq);
    }
    return code;
}

/* A request (seq is not 0) or a message (seq 0): it has an opcode. */
static int begin_packet(struct fe_session *session, uint32_t seq, enum fe_old_opcode opcode,
                        size_t body_size, struct fe_record *record)
{
    int code;

    if (body_size > FE_OLD_PLAINTEXT_MAX) {
        return FLATEND_ETOOBIG; /* also SIZE_MAX, which must not meet an addition */
    }
    code = begin(session, seq, OPCODE_SIZE + body_size, record);
    if (code == 0) {
        fe_write_u8(&record->plaintext, (uint8_t)opcode);
    }
    return code;
}

static uint32_t parity(const struct fe_session *session)
{
    return session->is_initiator ? 1 : 0;
}

/* The number of our next request: odd ones are the initiator's, 0 is no number. */
static uint32_t take_seq(struct fe_session *session)
{
    uint32_t seq = session->next_seq;

    FE_ASSERT(seq != 0 && (seq & 1) == parity(session), "each side has numbers of its own");
    session->next_seq += 2;
    if (session->next_seq == 0) {
        session->next_seq = 2;
    }
    return seq;
}

static uint32_t next_stream(struct fe_sender *sender)
{
    struct fe_session *session = fe_session_of(sender);
    uint32_t stream = session->next_stream;

    FE_ASSERT((stream & 1) == parity(session), "each side has ids of its own");
    session->next_stream += 2;
    if (session->next_stream < FE_OLD_STREAM_BASE) {
        session->next_stream = FE_OLD_STREAM_BASE + parity(session);
    }
    return stream;
}

static int send_request(struct fe_sender *sender, uint32_t stream, const struct fe_view *services,
                        size_t n_services, const struct fe_header *headers, size_t n_headers)
{
    struct fe_session *session = fe_session_of(sender);
    struct fe_record record;
    size_t size = fe_old_request_size(services, n_services, headers, n_headers);
    int code = begin_packet(session, 0, FE_OLD_REQUEST, size, &record);

    if (code != 0) {
        return code;
    }
    fe_old_request_encode(&record.plaintext, stream, services, n_services, headers, n_headers);
    return fe_record_finish(session, &record);
}

static int send_response(struct fe_sender *sender, uint32_t stream, bool is_handled,
                         const struct fe_header *headers, size_t n_headers)
{
    struct fe_session *session = fe_session_of(sender);
    struct fe_record record;
    size_t size = fe_old_response_size(headers, n_headers);
    int code = begin_packet(session, 0, FE_OLD_RESPONSE, size, &record);

    if (code != 0) {
        return code;
    }
    fe_old_response_encode(&record.plaintext, stream, is_handled, headers, n_headers);
    return fe_record_finish(session, &record);
}

static int send_piece(struct fe_session *session, uint32_t stream, struct fe_view piece)
{
    struct fe_record record;
    int code = begin_packet(session, 0, FE_OLD_DATA, fe_old_data_size(piece), &record);

    if (code != 0) {
        return code;
    }
    fe_old_data_encode(&record.plaintext, stream, piece);
    return fe_record_finish(session, &record);
}

static int send_data(struct fe_sender *sender, uint32_t stream, struct fe_view bytes)
{
    struct fe_session *session = fe_session_of(sender);

    while (bytes.len > 0) {
        size_t n = bytes.len < FE_OLD_DATA_MAX ? bytes.len : FE_OLD_DATA_MAX;
        int code = send_piece(session, stream, fe_view_of(bytes.ptr, n));

        if (code != 0) {
            return code;
        }
        bytes = fe_view_skip(bytes, n);
    }
    return 0;
}

static int send_end(struct fe_sender *sender, uint32_t stream, const struct fe_header *trailers,
                    size_t n_trailers)
{
    (void)trailers; /* this dialect has none */
    (void)n_trailers;
    return send_piece(fe_session_of(sender), stream, (struct fe_view){0});
}

static int send_find_node(struct fe_sender *sender, const uint8_t target[FE_KEY_LEN],
                          uint32_t *token)
{
    struct fe_session *session = fe_session_of(sender);
    struct fe_record record;
    uint32_t *slot = fe_pending_find(session, 0);
    int code;

    if (slot == NULL) {
        return FLATEND_ELIMIT;
    }
    code = begin_packet(session, session->next_seq, FE_OLD_FIND_NODE, FE_KEY_LEN, &record);
    if (code != 0) {
        return code;
    }
    fe_write_bytes(&record.plaintext, fe_view_of(target, FE_KEY_LEN));
    code = fe_record_finish(session, &record);
    if (code == 0) {
        *token = take_seq(session);
        *slot = *token;
    }
    return code;
}

static int send_nodes(struct fe_sender *sender, uint32_t token, const struct fe_id *ids, size_t n)
{
    struct fe_session *session = fe_session_of(sender);
    struct fe_record record;
    int code = begin(session, token, fe_old_nodes_size(ids, n), &record);

    if (code != 0) {
        return code;
    }
    fe_old_nodes_encode(&record.plaintext, ids, n);
    return fe_record_finish(session, &record);
}

const struct fe_sender_ops fe_old_sender_ops = {
    .next_stream = next_stream,
    .request = send_request,
    .response = send_response,
    .data = send_data,
    .end = send_end,
    .find_node = send_find_node,
    .nodes = send_nodes,
    .space = fe_session_space,
};

/* The signature covers the ID and the service names, concatenated (§1.2). The message is shorter
 * than the Handshake, which fits in a record. */
static void sign(const struct fe_self *self, uint8_t signature[FE_SIGNATURE_LEN])
{
    uint8_t message[FE_OLD_PLAINTEXT_MAX];
    struct fe_writer writer = fe_writer_of(message, sizeof(message));

    fe_old_id_encode(&writer, &self->id);
    for (size_t i = 0; i < self->n_services; i++) {
        fe_write_bytes(&writer, self->services[i]);
    }
    fe_ed25519_sign(&self->secret, fe_view_of(message, sizeof(message) - writer.left), signature);
}

size_t fe_old_own_handshake_size(const struct fe_self *self)
{
    return fe_old_handshake_size(self->is_anonymous ? NULL : &self->id, self->services,
                                 self->n_services);
}

void fe_old_own_handshake_encode(struct fe_writer *writer, const struct fe_self *self)
{
    uint8_t signature[FE_SIGNATURE_LEN] = {0};

    if (!self->is_anonymous) {
        sign(self, signature);
    }
    fe_old_handshake_encode(writer, self->is_anonymous ? NULL : &self->id, self->services,
                            self->n_services, signature);
}

int fe_old_send_handshake(struct fe_session *session)
{
    struct fe_record record;
    int code = begin_packet(session, session->next_seq, FE_OLD_HANDSHAKE,
                            fe_old_own_handshake_size(session->self), &record);

    if (code == 0) {
        fe_old_own_handshake_encode(&record.plaintext, session->self);
        code = fe_record_finish(session, &record);
    }
    if (code == 0) {
        session->handshake_seq = take_seq(session);
    }
    return code;
}

int fe_old_answer_handshake(struct fe_session *session, uint32_t seq)
{
    struct fe_record record;
    int code = begin(session, seq, fe_old_own_handshake_size(session->self), &record);

    if (code != 0) {
        return code;
    }
    fe_old_own_handshake_encode(&record.plaintext, session->self);
    return fe_record_finish(session, &record);
}
