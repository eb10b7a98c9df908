/* The Handshake of the secure session: what both sides say, sign and check (docs/PROTOCOL.md §2.1).
 */
#include "ground/base/assert.h"
#include "ground/base/wipe.h"
#include "mesh/session/old.h"
#include "mesh/session/secure.h"

#define AGENT FE_VIEW_LIT("flatend/" FLATEND_VERSION)

_Static_assert(sizeof("flatend/" FLATEND_VERSION) <= FE_SECURE_AGENT_MAX,
               "an agent that peers take");

enum { SIGNED_MAX = 19 + FE_HASH_LEN };

bool fe_secure_is_required(const struct fe_session *session)
{
    const struct fe_trust *trust = session->self->trust;

    return session->pin != NULL || (trust != NULL && fe_trust_wants_secure(trust));
}

const uint8_t *fe_secure_mesh_secret(const struct fe_session *session)
{
    const struct fe_trust *trust = session->self->trust;

    return trust != NULL && trust->has_secret ? trust->secret : NULL;
}

static uint32_t our_features(const struct fe_session *session)
{
    return (uint32_t)FE_SECURE_FEATURES & ~session->self->masked_features;
}

static struct fe_secure_extension our_extension(const struct fe_session *session)
{
    return (struct fe_secure_extension){
        .features = our_features(session),
        .record_max = FE_SECURE_RECORD_MAX,
        .stream_window = FE_SECURE_STREAM_WINDOW,
        .connection_window = FE_SECURE_CONNECTION_WINDOW,
        .streams_max = FE_SECURE_STREAMS_MAX,
        .connections = 1,
        .agent = AGENT,
    };
}

/* What a signature covers: the role of the signer and the transcript, this message included. */
static struct fe_view signed_bytes(const struct fe_session *session, bool by_initiator,
                                   uint8_t bytes[SIGNED_MAX])
{
    struct fe_writer writer = fe_writer_of(bytes, SIGNED_MAX);

    fe_write_bytes(&writer, by_initiator ? FE_VIEW_LIT("flatend/2 initiator")
                                         : FE_VIEW_LIT("flatend/2 responder"));
    fe_write_bytes(&writer, fe_view_of(session->transcript.th, FE_HASH_LEN));
    return fe_view_of(bytes, SIGNED_MAX);
}

size_t fe_secure_handshake_size(const struct fe_session *session)
{
    const struct fe_secure_extension extension = our_extension(session);
    size_t size = fe_old_own_handshake_size(session->self);

    if (size > FE_OLD_PLAINTEXT_MAX) {
        return SIZE_MAX;
    }
    return size + fe_secure_extension_size(&extension, !session->self->is_anonymous);
}

void fe_secure_handshake_encode(struct fe_session *session, struct fe_writer *writer)
{
    const struct fe_secure_extension extension = our_extension(session);
    const struct fe_self *self = session->self;
    const uint8_t *start = writer->ptr;
    uint8_t bytes[SIGNED_MAX];
    uint8_t signature[FE_SIGNATURE_LEN] = {0};

    fe_old_own_handshake_encode(writer, self);
    fe_secure_extension_encode(writer, &extension, !self->is_anonymous);
    fe_secure_transcript_add(&session->transcript,
                             fe_view_of(start, (size_t)(writer->ptr - start)));
    if (!self->is_anonymous) {
        fe_ed25519_sign(&self->secret, signed_bytes(session, session->is_initiator, bytes),
                        signature);
        fe_secure_signature_encode(writer, signature);
    }
    if (session->is_initiator) {
        fe_secure_transcript_add_signature(
            &session->transcript, fe_view_of(signature, self->is_anonymous ? 0 : FE_SIGNATURE_LEN));
    }
}

static int check_signature(struct fe_session *session, const struct fe_secure_handshake *peer,
                           struct flatend_error *err)
{
    uint8_t bytes[SIGNED_MAX];
    int code = fe_old_check_id(&peer->handshake.id, err);

    if (code == 0) {
        code = fe_ed25519_verify(peer->handshake.id.public_key,
                                 signed_bytes(session, !session->is_initiator, bytes),
                                 peer->extension.signature.ptr);
        if (code != 0) {
            return fe_err_set(err, code, "Handshake: %s", flatend_strerror(code));
        }
    }
    return code;
}

int fe_secure_handshake_decode(struct fe_session *session, struct fe_view body,
                               struct fe_secure_handshake *peer, struct flatend_error *err)
{
    struct fe_view message = body;
    int code;

    if (fe_old_handshake_decode(body, &peer->handshake) != 0 ||
        !fe_secure_has_extension(peer->handshake.rest)) {
        return fe_err_set(err, FLATEND_EPROTO, "malformed Handshake");
    }
    code = fe_secure_extension_decode(peer->handshake.rest, &peer->extension, err);
    if (code != 0) {
        return code;
    }
    if (peer->handshake.has_id != (peer->extension.signature.len > 0)) {
        return fe_err_set(err, FLATEND_EPROTO, "Handshake: %s",
                          peer->handshake.has_id ? "ID without a session signature"
                                                 : "signature without an ID");
    }
    if (peer->handshake.has_id) {
        message.len -= FE_SECURE_SIGNATURE_TLV_SIZE; /* which is the last thing in it */
    }
    fe_secure_transcript_add(&session->transcript, message);
    if (peer->handshake.has_id) {
        code = check_signature(session, peer, err);
    }
    if (code == 0 && !session->is_initiator) {
        fe_secure_transcript_add_signature(&session->transcript, peer->extension.signature);
    }
    return code;
}

static int check_pin(const struct fe_session *session, const uint8_t *key,
                     struct flatend_error *err)
{
    if (session->pin == NULL || (key != NULL && memcmp(key, session->pin, FE_KEY_LEN) == 0)) {
        return 0;
    }
    return fe_err_set(err, FLATEND_EDENIED, "%s",
                      key == NULL ? "peer is anonymous, but a key is pinned"
                                  : "key does not match the pinned key");
}

int fe_secure_check_trust(const struct fe_session *session, const struct fe_secure_handshake *peer,
                          struct flatend_error *err)
{
    const struct fe_trust *trust = session->self->trust;
    const uint8_t *key = peer->handshake.has_id ? peer->handshake.id.public_key : NULL;
    int code = check_pin(session, key, err);

    if (code == 0 && trust != NULL) {
        code = fe_trust_check_key(trust, key, err);
    }
    if (code == 0) {
        code = fe_trust_check_services(trust, key, peer->handshake.services, err);
    }
    return code;
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

int fe_secure_start(struct fe_session *session, const struct fe_secure_extension *peer)
{
    int code;

    FE_ASSERT(session->state == FE_SESSION_HANDSHAKE, "keys are agreed once");
    FE_ASSERT(peer->record_max >= FE_SECURE_RECORD_MIN, "what the peer takes was checked");
    FE_ASSERT(memcmp(session->seal_key, session->open_key, FE_AEAD_KEY_LEN) != 0,
              "each direction has a key of its own");
    code = fe_aead_rekey(session->seal, session->seal_key);
    if (code == 0) {
        code = fe_aead_rekey(session->open, session->open_key);
    }
    if (code != 0) {
        return code;
    }
    session->sent = 0;
    session->received = 0;
    /* A record of ours lies in one block of the output. */
    session->plaintext_max =
        min_size(FE_BLOCK_SIZE - sizeof(uint32_t), peer->record_max) - FE_AEAD_TAG_LEN;
    session->next_stream = session->is_initiator ? 1 : 2;
    session->next_seq = 1;
    session->has_heads = (peer->features & our_features(session) & FE_SECURE_FEATURE_HEADS) != 0;
    session->sender = (struct fe_sender){
        .ops = &fe_secure_sender_ops,
        .dialect = FE_DIALECT_SECURE,
        .head_max = session->has_heads ? FE_HEAD_MAX
                                       : (uint32_t)(session->plaintext_max - FE_SECURE_HEADER_SIZE),
        .flow = {.stream_out = peer->stream_window,
                 .connection_out = peer->connection_window,
                 .stream_in = FE_SECURE_STREAM_WINDOW,
                 .connection_in = FE_SECURE_CONNECTION_WINDOW,
                 .connection_in_max = FE_SECURE_CONNECTION_WINDOW_MAX,
                 .streams_out = peer->streams_max},
    };
    return 0;
}

void fe_secure_open(struct fe_session *session, const struct fe_secure_handshake *peer,
                    struct fe_event *event)
{
    FE_ASSERT(session->state == FE_SESSION_HANDSHAKE && fe_sender_is_secure(&session->sender),
              "a session is opened once");
    session->has_peer_id = peer->handshake.has_id;
    session->peer_id = peer->handshake.id;
    session->state = FE_SESSION_OPEN;
    fe_wipe(&session->transcript, sizeof(session->transcript));
    *event = (struct fe_event){
        .type = FE_EVENT_HANDSHAKE,
        .u.handshake = {.id = peer->handshake.has_id ? &session->peer_id : NULL,
                        .is_proven = peer->handshake.has_id,
                        .services = peer->handshake.services},
    };
}

void fe_secure_wipe(struct fe_session *session)
{
    fe_wipe(&session->transcript, sizeof(session->transcript));
    fe_wipe(session->seal_key, sizeof(session->seal_key));
    fe_wipe(session->open_key, sizeof(session->open_key));
}
