#include "ground/base/assert.h"
#include "ground/base/wipe.h"
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
    if (size > OPCODE_SIZE + session->sender.head_max) {
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

    if (body_size > session->sender.head_max) {
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

/* A request with a number of the peer's own: a Go peer, which knows of none that waits for an
 * answer, takes it for a request of ours and answers it; one of Node.js takes it for an answer that
 * nobody waits for. The question behind it, in order, is answered by both. */
int fe_old_ask_kind(struct fe_session *session, const uint8_t target[FE_KEY_LEN])
{
    struct fe_record record;
    uint32_t seq = FE_OLD_KIND_SEQ + 1 - parity(session);
    int code = begin_packet(session, seq, FE_OLD_FIND_NODE, FE_KEY_LEN, &record);

    FE_ASSERT(session->kind_seq == 0 && session->kind_token == 0, "a peer is asked once");
    if (code != 0) {
        return code;
    }
    fe_write_bytes(&record.plaintext, fe_view_of(target, FE_KEY_LEN));
    code = fe_record_finish(session, &record);
    if (code == 0) {
        session->kind_seq = seq;
        code = send_find_node(&session->sender, target, &session->kind_token);
    }
    return code;
}

void fe_old_set_kind(struct fe_session *session, enum fe_old_kind kind)
{
    session->kind = kind;
    session->sender.head_max = kind == FE_OLD_NPM ? FE_OLD_NPM_HEAD_MAX : FE_OLD_HEAD_MAX;
}

void fe_old_scatter_streams(struct fe_session *session, const struct fe_rng *rng)
{
    uint32_t offset;

    fe_rng_fill(rng, &offset, sizeof(offset));
    session->next_stream = FE_OLD_STREAM_BASE + (offset & 0x7ffffffeU) + parity(session);
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

/* Our Handshake as a request, as `self` has it. */
static int request_handshake(struct fe_session *session, const struct fe_self *self)
{
    struct fe_record record;
    size_t size = fe_old_own_handshake_size(self);
    int code = size > FE_OLD_HEAD_MAX
                   ? FLATEND_ETOOBIG
                   : begin_packet(session, session->next_seq, FE_OLD_HANDSHAKE, size, &record);

    if (code != 0) {
        return code;
    }
    fe_old_own_handshake_encode(&record.plaintext, self);
    code = fe_record_finish(session, &record);
    if (code == 0) {
        session->handshake_seq = take_seq(session);
    }
    return code;
}

int fe_old_send_handshake(struct fe_session *session)
{
    return request_handshake(session, session->self);
}

/* Nobody listens at the broadcast address, and no system connects to it: a node that hears of this
 * ID fails at once. (Port 0 would say more, but a Go peer refuses it.) */
int fe_old_introduce(struct fe_session *session, const struct fe_rng *rng)
{
    struct fe_self self = *session->self;
    struct flatend_public_key key;
    int code;

    FE_ASSERT(self.is_anonymous && session->handshake_seq == 0,
              "a node that has no identity gets one, behind its Handshake");
    fe_ed25519_keypair(rng, &self.secret);
    flatend_secret_key_public(&self.secret, &key);
    self.is_anonymous = false;
    self.id = (struct fe_id){
        .addr = {.family = FE_IPV4, .port = 1, .ip = {0xff, 0xff, 0xff, 0xff}},
    };
    memcpy(self.id.public_key, key.bytes, FE_KEY_LEN);
    code = request_handshake(session, &self);
    fe_wipe(&self.secret, sizeof(self.secret));
    return code;
}

int fe_old_answer_handshake(struct fe_session *session, uint32_t seq)
{
    struct fe_record record;
    size_t size = fe_old_own_handshake_size(session->self);
    int code = size > FE_OLD_HEAD_MAX ? FLATEND_ETOOBIG : begin(session, seq, size, &record);

    if (code != 0) {
        return code;
    }
    fe_old_own_handshake_encode(&record.plaintext, session->self);
    return fe_record_finish(session, &record);
}
