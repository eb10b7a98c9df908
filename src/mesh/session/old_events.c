#include <stdlib.h>

#include "ground/base/assert.h"
#include "mesh/session/old.h"
#include "mesh/session/pending.h"
#include "mesh/session/record.h"
#include "mesh/session/secure.h"
#include "mesh/wire/old.h"

static const char *packet_name(unsigned opcode)
{
    static const char *const names[] = {
        [FE_OLD_HANDSHAKE] = "Handshake",       [FE_OLD_REQUEST] = "ServiceRequest",
        [FE_OLD_RESPONSE] = "ServiceResponse",  [FE_OLD_DATA] = "Data",
        [FE_OLD_FIND_NODE] = "FindNodeRequest",
    };

    return opcode < sizeof(names) / sizeof(names[0]) ? names[opcode] : "packet";
}

static int malformed(struct flatend_error *err, const char *name)
{
    return fe_err_set(err, FLATEND_EPROTO, "malformed %s", name);
}

/* Ed25519 over the ID as it was sent and the service names, concatenated (§1.2). */
static int verify(const struct fe_old_handshake *handshake)
{
    struct fe_names names = handshake->services;
    size_t len = handshake->id_bytes.len + names.bytes.len - names.n;
    uint8_t *message = malloc(len);
    struct fe_writer writer = fe_writer_of(message, len);
    struct fe_view name;
    int code;

    if (message == NULL) {
        return FLATEND_ENOMEM;
    }
    fe_write_bytes(&writer, handshake->id_bytes);
    while (fe_names_next(&names, &name)) {
        fe_write_bytes(&writer, name);
    }
    code = fe_ed25519_verify(handshake->id.public_key, fe_view_of(message, len),
                             handshake->signature.ptr);
    free(message);
    return code;
}

int fe_old_check_id(const struct fe_id *id, struct flatend_error *err)
{
    static const uint8_t anonymous_key[FE_KEY_LEN];

    if (memcmp(id->public_key, anonymous_key, FE_KEY_LEN) == 0) {
        return fe_err_set(err, FLATEND_EPROTO, "Handshake: an ID with the anonymous key");
    }
    if (id->addr.port == 0) {
        return fe_err_set(err, FLATEND_EPROTO, "Handshake: an ID with port 0");
    }
    return 0;
}

static int check_identity(const struct fe_old_handshake *handshake, struct flatend_error *err)
{
    int code = fe_old_check_id(&handshake->id, err);

    if (code == 0) {
        code = verify(handshake);
        if (code != 0) {
            return fe_err_set(err, code, "Handshake: %s", flatend_strerror(code));
        }
    }
    return code;
}

/* Nothing that an old peer sends is bound to this session: its key is not proven (§2.5). */
static int check_trust(const struct fe_session *session, struct fe_names services,
                       struct flatend_error *err)
{
    const struct fe_trust *trust = session->self->trust;

    if (fe_secure_is_required(session)) {
        return fe_err_set(err, FLATEND_EDENIED,
                          "peer does not support secure sessions, which are required");
    }
    return fe_trust_check_services(trust, NULL, services, err);
}

/* Go peers repeat their Handshake on the same connection; their identity must not change by it. */
static bool is_same_peer(const struct fe_session *session, const struct fe_old_handshake *handshake)
{
    if (session->has_peer_id != handshake->has_id) {
        return session->self->is_go_like;
    }
    return !handshake->has_id ||
           memcmp(session->peer_id.public_key, handshake->id.public_key, FE_KEY_LEN) == 0;
}

static int on_peer_handshake(struct fe_session *session, struct fe_view body,
                             struct fe_event *event, struct flatend_error *err)
{
    struct fe_old_handshake handshake;
    int code;

    if (fe_old_handshake_decode(body, &handshake) != 0) {
        return malformed(err, "Handshake");
    }
    code = check_trust(session, handshake.services, err);
    if (code == 0 && handshake.has_id) {
        code = check_identity(&handshake, err);
    }
    if (code != 0) {
        return code;
    }
    if (session->state == FE_SESSION_OPEN && !is_same_peer(session, &handshake)) {
        return fe_err_set(err, FLATEND_EPROTO, "Handshake: the peer changed its identity");
    }
    FE_ASSERT(!fe_sender_is_secure(&session->sender),
              "a secure session has one Handshake each way");
    session->has_peer_id = handshake.has_id;
    session->peer_id = handshake.id;
    session->is_id_mapped = handshake.has_id && handshake.id.addr.family == FE_IPV4 &&
                            handshake.id_bytes.ptr[FE_KEY_LEN] != 0;
    session->state = FE_SESSION_OPEN;
    event->type = FE_EVENT_HANDSHAKE;
    event->u.handshake.is_proven = false; /* the signature says nothing of this session */
    event->u.handshake.id = handshake.has_id ? &session->peer_id : NULL;
    event->u.handshake.services = handshake.services;
    return 0;
}

static int on_handshake(struct fe_session *session, uint32_t seq, struct fe_view body,
                        struct fe_event *event, struct flatend_error *err)
{
    int code;

    /* Each costs a signature that is checked, and one that is made. */
    if (session->state == FE_SESSION_OPEN && session->n_repeats_left == 0) {
        return fe_err_set(err, FLATEND_ELIMIT, "too many Handshakes");
    }
    session->n_repeats_left -= session->state == FE_SESSION_OPEN;
    code = on_peer_handshake(session, body, event, err);

    if (code == 0) {
        code = fe_old_answer_handshake(session, seq);
        if (code != 0) {
            return fe_err_set(err, code, "our Handshake: %s", flatend_strerror(code));
        }
    }
    return code;
}

/* What is no packet may be one of a Node.js node, whose lengths count UTF-16 units. */
static bool may_count_units(const struct fe_session *session)
{
    return session->kind != FE_OLD_GO;
}

/* A packet stands in the session's own buffer, where it was decrypted. */
static uint8_t *own_bytes(struct fe_view body)
{
    return (uint8_t *)(uintptr_t)body.ptr;
}

static int on_request(const struct fe_session *session, struct fe_view body, struct fe_event *event)
{
    struct fe_old_request request;
    int code = fe_old_request_decode(body, &request);

    if (code != 0 && may_count_units(session) &&
        fe_old_request_convert(own_bytes(body), body.len) == 0) {
        code = fe_old_request_decode(body, &request);
    }

    event->type = FE_EVENT_REQUEST;
    event->stream = request.stream;
    event->u.request.services = request.services;
    event->u.request.headers = request.headers;
    return code;
}

static int on_response(const struct fe_session *session, struct fe_view body,
                       struct fe_event *event)
{
    struct fe_old_response response;
    int code = fe_old_response_decode(body, &response);

    if (code != 0 && may_count_units(session) &&
        fe_old_response_convert(own_bytes(body), body.len) == 0) {
        code = fe_old_response_decode(body, &response);
    }

    event->type = FE_EVENT_RESPONSE;
    event->stream = response.stream;
    event->u.response.handled = response.is_handled;
    event->u.response.headers = response.headers;
    return code;
}

static int on_data(struct fe_view body, struct fe_event *event)
{
    struct fe_old_data data;
    int code = fe_old_data_decode(body, &data);

    event->type = data.bytes.len > 0 ? FE_EVENT_DATA : FE_EVENT_END;
    event->stream = data.stream;
    if (event->type == FE_EVENT_DATA) {
        event->u.data = data.bytes;
    } else {
        event->u.trailers = (struct fe_headers){0};
    }
    return code;
}

static int on_find_node(uint32_t seq, struct fe_view body, struct fe_event *event)
{
    event->type = FE_EVENT_FIND_NODE;
    event->token = seq;
    return fe_old_find_node_decode(body, event->u.target);
}

static int on_nodes(struct fe_session *session, uint32_t *slot, struct fe_view body,
                    struct fe_event *event)
{
    FE_ASSERT(*slot != 0, "an answer belongs to a question");
    event->type = FE_EVENT_NODES;
    event->token = *slot;
    event->u.nodes.ids = session->nodes;
    *slot = 0;
    return fe_old_nodes_decode(body, session->nodes, &event->u.nodes.n);
}

/* An answer to what tells implementations apart. The first of two says it: only a Go peer answers
 * the one with a number of its own. */
static int on_kind(struct fe_session *session, enum fe_old_kind kind, struct fe_event *event)
{
    fe_old_set_kind(session, kind);
    event->type = FE_EVENT_KIND;
    event->u.kind = kind;
    return 0;
}

static bool is_kind_answer(const struct fe_session *session, uint32_t seq)
{
    return session->kind_seq != 0 && seq == session->kind_seq;
}

/* Such a question, from one of our own nodes: only in tests two of them speak this dialect. It is
 * taken for an answer that nobody waits for, as by a Node.js node, or answered. */
static int on_kind_question(struct fe_session *session, uint32_t seq, struct fe_event *event)
{
    event->type = FE_EVENT_NODES;
    event->token = seq;
    event->u.nodes.ids = session->nodes;
    event->u.nodes.n = 0;
    return session->self->is_go_like
               ? session->sender.ops->nodes(&session->sender, seq, session->nodes, 0)
               : 0;
}

/* The answer to a request of ours: to the Handshake, or to a FindNodeRequest that still waits. */
static int on_answer(struct fe_session *session, uint32_t seq, struct fe_view body,
                     struct fe_event *event, struct flatend_error *err)
{
    uint32_t *slot;

    if (seq == session->handshake_seq) {
        session->handshake_seq = 0;
        return on_peer_handshake(session, body, event, err);
    }
    if (session->state != FE_SESSION_OPEN) {
        return fe_err_set(err, FLATEND_EPROTO, "response before the Handshake");
    }
    slot = fe_pending_find(session, seq);
    if (slot != NULL) {
        int code = on_nodes(session, slot, body, event);

        if (code == 0 && seq == session->kind_token && session->kind == FE_OLD_UNKNOWN) {
            session->kind_seq = 0;
            code = on_kind(session, FE_OLD_NPM, event);
        }
        return code == 0 ? 0 : malformed(err, "FindNodeResponse");
    }
    if (seq >= FE_OLD_KIND_SEQ) {
        return on_kind_question(session, seq, event);
    }
    return fe_err_set(err, FLATEND_EPROTO, "response to unknown request (seq %u)", (unsigned)seq);
}

/* Handshake and FindNodeRequest want an answer, so they carry a seq; the others carry none. */
static int check_packet(const struct fe_session *session, uint32_t seq, unsigned opcode,
                        struct flatend_error *err)
{
    bool wants_answer = opcode == FE_OLD_HANDSHAKE || opcode == FE_OLD_FIND_NODE;

    if (opcode > FE_OLD_FIND_NODE) {
        return fe_err_set(err, FLATEND_EPROTO, "unknown opcode %u", opcode);
    }
    if (opcode != FE_OLD_HANDSHAKE && session->state != FE_SESSION_OPEN) {
        return fe_err_set(err, FLATEND_EPROTO, "%s before the Handshake", packet_name(opcode));
    }
    if (wants_answer != (seq != 0)) {
        return fe_err_set(err, FLATEND_EPROTO, "%s with seq %u", packet_name(opcode),
                          (unsigned)seq);
    }
    return 0;
}

int fe_old_receive(struct fe_session *session, struct fe_view plaintext, struct fe_event *event,
                   struct flatend_error *err)
{
    struct fe_reader reader = fe_reader_of(plaintext);
    uint32_t seq = fe_read_u32(&reader);
    bool is_local = seq != 0 && (seq & 1) == (session->is_initiator ? 1U : 0U);
    unsigned opcode;
    struct fe_view body;
    int code;

    event->stream = 0;
    event->token = 0;
    if (is_local) {
        return on_answer(session, seq, fe_view_of(reader.ptr, reader.left), event, err);
    }
    if (is_kind_answer(session, seq)) {
        session->kind_seq = 0;
        return on_kind(session, FE_OLD_GO, event);
    }
    opcode = fe_read_u8(&reader);
    if (reader.is_failed) {
        return malformed(err, "record");
    }
    code = check_packet(session, seq, opcode, err);
    if (code != 0) {
        return code;
    }
    body = fe_view_of(reader.ptr, reader.left);
    switch ((enum fe_old_opcode)opcode) {
    case FE_OLD_HANDSHAKE:
        return on_handshake(session, seq, body, event, err);
    case FE_OLD_REQUEST:
        code = on_request(session, body, event);
        break;
    case FE_OLD_RESPONSE:
        code = on_response(session, body, event);
        break;
    case FE_OLD_DATA:
        code = on_data(body, event);
        break;
    case FE_OLD_FIND_NODE:
        code = on_find_node(seq, body, event);
        break;
    }
    return code == 0 ? 0 : malformed(err, packet_name(opcode));
}
