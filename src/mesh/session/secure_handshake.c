/* How two nodes find out what they both speak (docs/PROTOCOL.md §2.1).
 *
 *     initiator                                       responder
 *     Handshake, extension, under K or K_m ─────────>  on_peer_handshake: is there an extension?
 *     on_answer: which key opens it?  <───────── k_r2i: Handshake, extension: a secure session
 *                                     <───────── K: Handshake: an old peer
 *                                     <───────── refusal key: why not
 *
 * Failure modes: the peer is old and only secure peers are allowed; it lacks the mesh secret or has
 * another; its key or a service is not allowed; it violates the protocol. The rejecting side sends
 * the reason, in a refusal (responder) or a GOAWAY (initiator), and returns it in `err`. */
#include "ground/base/assert.h"
#include "ground/base/wipe.h"
#include "mesh/session/old.h"
#include "mesh/session/record.h"
#include "mesh/session/secure.h"

enum { HANDSHAKE_SEQ = 1, PREFIX_SIZE = 5 };

static int seal_with(struct fe_session *session, const uint8_t key[FE_AEAD_KEY_LEN])
{
    FE_ASSERT(session->state == FE_SESSION_HANDSHAKE,
              "the key of what is sent changes with the handshake");
    session->sent = 0;
    return fe_aead_rekey(session->seal, key);
}

/* ---- the initiator's hello ---- */

/* With a mesh secret even this record is readable only by nodes that have it; without one it is
 * under K, so that an old peer can read it. */
static int use_handshake_key(struct fe_session *session)
{
    const uint8_t *secret = fe_secure_mesh_secret(session);
    uint8_t key[FE_AEAD_KEY_LEN];
    int code;

    if (secret == NULL) {
        return 0; /* K is what the session has begun with */
    }
    fe_secure_handshake_key(&session->transcript, secret, key);
    code = fe_aead_rekey(session->seal, key);
    fe_wipe(key, sizeof(key));
    return code;
}

int fe_secure_send_handshake(struct fe_session *session)
{
    size_t size = fe_secure_handshake_size(session);
    struct fe_record record;
    int code;

    if (size > FE_OLD_PLAINTEXT_MAX - PREFIX_SIZE) {
        return FLATEND_ETOOBIG;
    }
    code = use_handshake_key(session);
    if (code == 0) {
        code = fe_record_begin(session, PREFIX_SIZE + size, &record);
    }
    if (code != 0) {
        return code;
    }
    fe_write_u32(&record.plaintext, HANDSHAKE_SEQ);
    fe_write_u8(&record.plaintext, FE_OLD_HANDSHAKE);
    fe_secure_handshake_encode(session, &record.plaintext);
    code = fe_record_finish(session, &record);
    if (code == 0) {
        session->handshake_seq = HANDSHAKE_SEQ; /* as an old peer answers it */
        session->next_seq = HANDSHAKE_SEQ + 2;
        fe_secure_traffic_keys(&session->transcript, fe_secure_mesh_secret(session),
                               session->seal_key, session->open_key);
    }
    return code;
}

/* ---- which key ---- */

/* FLATEND_EDECRYPT: the record is not under this key, and as it was before, for the next one. */
static int open_with(struct fe_session *session, const uint8_t key[FE_AEAD_KEY_LEN], bool is_secure,
                     uint8_t *record, size_t len)
{
    uint8_t saved[FE_SECURE_RECORD_MIN]; /* what a new peer says first fits an old record */
    int code;

    FE_ASSERT(session->received == 0, "a key is tried on the first record only");
    if (len > sizeof(saved)) {
        return FLATEND_EDECRYPT;
    }
    memcpy(saved, record, len);
    code = fe_record_try(session, key, is_secure, record, len);
    if (code != 0) {
        memcpy(record, saved, len);
    }
    return code;
}

/* The last that is tried: what it does not open is garbage. */
static int open_with_k(struct fe_session *session, uint8_t *record, size_t len)
{
    uint8_t key[FE_AEAD_KEY_LEN];
    int code;

    fe_secure_handshake_key(&session->transcript, NULL, key);
    code = fe_record_try(session, key, false, record, len);
    fe_wipe(key, sizeof(key));
    return code;
}

/* What cannot be opened for want of memory says nothing about the peer. */
static int no_memory(struct flatend_error *err)
{
    return fe_err_set(err, FLATEND_ENOMEM, "Handshake: %s", flatend_strerror(FLATEND_ENOMEM));
}

/* From here on it is an old session; its first record is the peer's Handshake. */
static int go_on_as_old(struct fe_session *session, struct fe_view plaintext,
                        struct fe_event *event, struct flatend_error *err)
{
    FE_ASSERT(session->received == 0, "the first record tells what the peer speaks");
    fe_secure_wipe(session);
    session->received = 1;
    return fe_old_receive(session, plaintext, event, err);
}

/* ---- the responder listens ---- */

/* Why we do not let the peer in, as the last thing that it hears. */
static int refuse(struct fe_session *session, int code, const struct flatend_error *err)
{
    const struct fe_view text = fe_view_str(err->text);
    uint8_t body[4 + 1 + FE_REASON_TEXT_MAX];
    struct fe_writer writer = fe_writer_of(body, sizeof(body));
    struct fe_view part;
    uint8_t key[FE_AEAD_KEY_LEN];

    fe_secure_refusal_encode(&writer, fe_secure_reason_of(code), text);
    part = fe_view_of(body, sizeof(body) - writer.left);
    fe_secure_refuse_key(&session->transcript, key);
    if (seal_with(session, key) == 0) {
        (void)!fe_record_seal(session, &part, 1); /* if there is no memory, it just ends */
    }
    fe_wipe(key, sizeof(key));
    return code;
}

static int refuse_unknown_key(struct fe_session *session, struct flatend_error *err)
{
    int code = fe_err_set(err, FLATEND_EDENIED,
                          "first record does not authenticate: wrong or missing mesh secret?");

    return refuse(session, code, err);
}

/* Our answer: the first record under k_r2i. */
static int answer(struct fe_session *session, const struct fe_secure_handshake *peer,
                  struct flatend_error *err)
{
    uint8_t body[FE_OLD_PLAINTEXT_MAX];
    struct fe_writer writer = fe_writer_of(body, sizeof(body));
    struct fe_view part;
    int code = fe_secure_start(session, &peer->extension);

    if (code == 0) {
        fe_secure_handshake_encode(session, &writer);
        part = fe_view_of(body, sizeof(body) - writer.left);
        code = fe_record_seal(session, &part, 1);
    }
    return code == 0 ? 0 : fe_err_set(err, code, "our Handshake: %s", flatend_strerror(code));
}

static int read_handshake(struct fe_session *session, struct fe_view plaintext,
                          struct fe_secure_handshake *peer, struct flatend_error *err)
{
    struct fe_reader reader = fe_reader_of(plaintext);
    uint32_t seq = fe_read_u32(&reader);
    uint8_t opcode = fe_read_u8(&reader);
    int code;

    if (seq != HANDSHAKE_SEQ || opcode != FE_OLD_HANDSHAKE) {
        return fe_err_set(err, FLATEND_EPROTO, "malformed Handshake");
    }
    code = fe_secure_handshake_decode(session, fe_view_of(reader.ptr, reader.left), peer, err);
    if (code == 0) {
        code = fe_secure_check_trust(session, peer, err);
    }
    if (code == 0 && fe_secure_handshake_size(session) > FE_OLD_PLAINTEXT_MAX) {
        code = fe_err_set(err, FLATEND_ETOOBIG, "our Handshake: %s",
                          flatend_strerror(FLATEND_ETOOBIG));
    }
    return code;
}

static int on_secure_handshake(struct fe_session *session, struct fe_view plaintext,
                               struct fe_event *event, struct flatend_error *err)
{
    struct fe_secure_handshake peer;
    int code = read_handshake(session, plaintext, &peer, err);

    if (code != 0) {
        return refuse(session, code, err);
    }
    fe_secure_traffic_keys(&session->transcript, fe_secure_mesh_secret(session), session->open_key,
                           session->seal_key);
    code = answer(session, &peer, err);
    if (code == 0) {
        fe_secure_open(session, &peer, event);
    }
    return code;
}

/* Old peers ignore what follows a Handshake; they send nothing of the kind themselves. */
static bool is_secure_handshake(struct fe_view plaintext)
{
    struct fe_old_handshake handshake;

    return plaintext.len > PREFIX_SIZE && plaintext.ptr[4] == FE_OLD_HANDSHAKE &&
           fe_old_handshake_decode(fe_view_skip(plaintext, PREFIX_SIZE), &handshake) == 0 &&
           fe_secure_has_extension(handshake.rest);
}

int fe_secure_on_handshake(struct fe_session *session, uint8_t *record, size_t len,
                           struct fe_event *event, struct flatend_error *err)
{
    const struct fe_view plaintext = fe_view_of(record, len - FE_AEAD_TAG_LEN);
    const uint8_t *secret = fe_secure_mesh_secret(session);
    int code = FLATEND_EDECRYPT;

    if (secret != NULL) {
        uint8_t key[FE_AEAD_KEY_LEN];

        fe_secure_handshake_key(&session->transcript, secret, key);
        code = open_with(session, key, false, record, len);
        fe_wipe(key, sizeof(key));
        if (code == 0) {
            return on_secure_handshake(session, plaintext, event, err);
        }
    }
    if (code == FLATEND_EDECRYPT) {
        code = open_with_k(session, record, len);
    }
    if (code != 0) {
        return code == FLATEND_EDECRYPT ? refuse_unknown_key(session, err) : no_memory(err);
    }
    if (!is_secure_handshake(plaintext)) {
        return go_on_as_old(session, plaintext, event, err);
    }
    if (secret != NULL) {
        fe_err_set(err, FLATEND_EDENIED, "a mesh secret is required");
        return refuse(session, FLATEND_EDENIED, err);
    }
    return on_secure_handshake(session, plaintext, event, err);
}

/* ---- the initiator listens ---- */

static int on_secure_answer(struct fe_session *session, struct fe_view plaintext,
                            struct fe_event *event, struct flatend_error *err)
{
    struct fe_secure_handshake peer;
    int code = fe_secure_handshake_decode(session, plaintext, &peer, err);

    if (code == 0) {
        code = fe_secure_check_trust(session, &peer, err);
    }
    if (code != 0) {
        return code;
    }
    code = fe_secure_start(session, &peer.extension);
    if (code != 0) {
        return fe_err_set(err, code, "Handshake: %s", flatend_strerror(code));
    }
    session->received = 1; /* the answer was the first under k_r2i */
    fe_secure_open(session, &peer, event);
    return 0;
}

static int on_refusal(struct fe_session *session, struct fe_view plaintext,
                      struct flatend_error *err)
{
    struct fe_secure_refusal refusal;

    if (fe_secure_refusal_decode(plaintext, &refusal) != 0) {
        return fe_err_set(err, FLATEND_EPROTO, "malformed refusal");
    }
    session->is_refused = refusal.reason == FE_REASON_DENIED; /* anything else may pass */
    return fe_err_set(err, session->is_refused ? FLATEND_EDENIED : FLATEND_EREFUSED,
                      "rejected by the peer: %.*s", (int)refusal.text.len,
                      (const char *)refusal.text.ptr);
}

/* The responder takes the session for open already: it is told, and by then nothing else was sent
 * under k_i2r. */
static int reject(struct fe_session *session, int code, const struct flatend_error *err)
{
    if (seal_with(session, session->seal_key) == 0) {
        fe_secure_give_up(session, code, err->text);
    }
    return code;
}

int fe_secure_on_answer(struct fe_session *session, uint8_t *record, size_t len,
                        struct fe_event *event, struct flatend_error *err)
{
    const struct fe_view plaintext = fe_view_of(record, len - FE_AEAD_TAG_LEN);
    uint8_t key[FE_AEAD_KEY_LEN];
    int code = open_with(session, session->open_key, true, record, len);

    if (code == 0) {
        code = on_secure_answer(session, plaintext, event, err);
        return code == 0 ? 0 : reject(session, code, err);
    }
    if (code == FLATEND_EDECRYPT) {
        fe_secure_refuse_key(&session->transcript, key);
        code = open_with(session, key, true, record, len);
        fe_wipe(key, sizeof(key));
        if (code == 0) {
            return on_refusal(session, plaintext, err);
        }
    }
    if (code == FLATEND_EDECRYPT) {
        code = open_with_k(session, record, len);
        if (code == 0) {
            return go_on_as_old(session, plaintext, event, err);
        }
    }
    if (code != FLATEND_EDECRYPT) {
        return no_memory(err);
    }
    code = fe_err_set(err, FLATEND_EDECRYPT, "peer's Handshake does not authenticate");
    return reject(session, code, err);
}
