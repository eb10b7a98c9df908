/* A session's life: keys, hello, open.
 *
 *     KEYS ──key of the peer──> HELLO ──its Handshake──> OPEN
 *       └──────────── fault ──────┴──────── fault ─────────┴──> FAILED
 */
#include "mesh/session/session.h"

#include <limits.h>
#include <stdlib.h>

#include "ground/base/assert.h"
#include "ground/base/wipe.h"
#include "mesh/session/old.h"
#include "mesh/session/record.h"
#include "mesh/session/secure.h"

static void make_keypair(struct fe_session *session)
{
    fe_x25519_keypair(session->rng, session->ephemeral_secret, session->ephemeral_public);
}

int fe_session_init(struct fe_session *session, bool is_initiator, const struct fe_self *self,
                    const struct fe_rng *rng, struct fe_chain *out)
{
    FE_ASSERT(self != NULL && out != NULL, "a session has an identity and an output");
    FE_ASSERT(self->n_services <= FE_SERVICES_MAX, "what a node offers fits its Handshake");
    *session = (struct fe_session){
        .sender = {.ops = &fe_old_sender_ops, .head_max = FE_OLD_HEAD_MAX},
        .state = FE_SESSION_KEYS,
        .is_initiator = is_initiator,
        .self = self,
        .rng = rng,
        .out = out,
        .next_seq = is_initiator ? 1 : 2,
        .n_repeats_left = UINT_MAX,
        .next_stream = FE_OLD_STREAM_BASE + (is_initiator ? 1 : 0),
    };
    fe_buf_init(&session->in, sizeof(uint32_t) + FE_SESSION_RECORD_MAX);
    fe_buf_init(&session->head.bytes, FE_HEAD_MAX);
    if (is_initiator) {
        int code;

        make_keypair(session);
        code = fe_chain_append(out, session->ephemeral_public, FE_KEY_LEN);
        if (code != 0) {
            fe_session_deinit(session);
            return code;
        }
    }
    FE_CHECK(fe_session_check(session));
    return 0;
}

void fe_session_deinit(struct fe_session *session)
{
    fe_wipe(session->ephemeral_secret, sizeof(session->ephemeral_secret));
    fe_aead_free(session->seal);
    fe_aead_free(session->open);
    session->seal = NULL;
    session->open = NULL;
    fe_secure_wipe(session);
    free(session->record_buf);
    session->record_buf = NULL;
    fe_buf_deinit(&session->in);
    fe_buf_deinit(&session->head.bytes);
}

void fe_session_feed(struct fe_session *session, uint8_t *data, size_t len)
{
    FE_ASSERT(session->fed_len == 0, "what was fed is taken before more comes");
    session->fed = data;
    session->fed_len = len;
}

/* K = H(X25519(own secret, their public)), the same for both directions (docs/PROTOCOL.md §1.1). */
static int derive_keys(struct fe_session *session, const uint8_t peer[FE_KEY_LEN])
{
    uint8_t shared[FE_X25519_LEN];
    uint8_t key[FE_AEAD_KEY_LEN];
    int code = fe_x25519(session->ephemeral_secret, peer, shared);

    FE_ASSERT(session->seal == NULL && session->open == NULL, "keys are agreed once");
    /* Our own key comes back only from a mirror, which would answer with our own records. */
    if (code == 0 && memcmp(peer, session->ephemeral_public, FE_KEY_LEN) == 0) {
        code = FLATEND_EKEY;
    }
    fe_wipe(session->ephemeral_secret, sizeof(session->ephemeral_secret));
    if (code != 0) {
        return code;
    }
    if (session->is_initiator) {
        fe_secure_transcript_init(&session->transcript, shared, session->ephemeral_public, peer);
    } else {
        fe_secure_transcript_init(&session->transcript, shared, peer, session->ephemeral_public);
    }
    fe_hash(fe_view_of(shared, sizeof(shared)), key);
    session->seal = fe_aead_new(key, true);
    session->open = fe_aead_new(key, false);
    fe_wipe(shared, sizeof(shared));
    fe_wipe(key, sizeof(key));
    return session->seal != NULL && session->open != NULL ? 0 : FLATEND_ENOMEM;
}

/* The peer's key, 32 bytes that may arrive in pieces. Ours goes out in one piece: a Node.js peer
 * reads it with one read. Then the initiator sends first. */
static int agree(struct fe_session *session, struct flatend_error *err)
{
    int code = fe_record_gather(session, FE_KEY_LEN);

    if (code == 0) {
        return 0;
    }
    if (code > 0) {
        if (!session->is_initiator) {
            make_keypair(session); /* not before: who says nothing costs nothing */
        }
        code = derive_keys(session, session->in.data);
        fe_buf_reset(&session->in);
    }
    if (code == 0 && !session->is_initiator) {
        code = fe_chain_append(session->out, session->ephemeral_public, FE_KEY_LEN);
    }
    if (code != 0) {
        return fe_err_set(err, code, "key exchange: %s", flatend_strerror(code));
    }
    session->state = FE_SESSION_HANDSHAKE;
    if (session->self->is_old_only) {
        fe_secure_wipe(session);
    }
    if (session->is_initiator) {
        code = session->self->is_old_only ? fe_old_send_handshake(session)
                                          : fe_secure_send_handshake(session);
        if (code != 0) {
            return fe_err_set(err, code, "our Handshake: %s", flatend_strerror(code));
        }
    }
    return 1;
}

/* The first record shows the peer's dialect. */
static int first_event(struct fe_session *session, struct fe_event *event,
                       struct flatend_error *err)
{
    uint8_t *record;
    size_t len;
    int code = fe_record_take(session, &record, &len, err);

    if (code <= 0) {
        return code;
    }
    code = session->is_initiator ? fe_secure_on_answer(session, record, len, event, err)
                                 : fe_secure_on_handshake(session, record, len, event, err);
    return code == 0 ? 1 : code;
}

static int next_event(struct fe_session *session, struct fe_event *event, struct flatend_error *err)
{
    struct fe_view plaintext;
    int code = session->state == FE_SESSION_KEYS ? agree(session, err) : 1;

    if (code <= 0) {
        return code;
    }
    if (session->state == FE_SESSION_HANDSHAKE && !session->self->is_old_only) {
        return first_event(session, event, err);
    }
    if (fe_sender_is_secure(&session->sender)) {
        return fe_secure_next(session, event, err);
    }
    code = fe_record_next(session, &plaintext, err);
    if (code <= 0) {
        return code;
    }
    code = fe_old_receive(session, plaintext, event, err);
    return code == 0 ? 1 : code;
}

int fe_session_next(struct fe_session *session, struct fe_event *event, struct flatend_error *err)
{
    struct flatend_error why = {0};
    int code;

    if (session->state == FE_SESSION_FAILED) {
        return fe_err_set(err, FLATEND_ESTATE, "session already failed");
    }
    code = next_event(session, event, &why);
    if (code < 0) {
        if (fe_sender_is_secure(&session->sender) && session->state == FE_SESSION_OPEN &&
            !session->is_refused) {
            fe_secure_give_up(session, code, why.text);
        }
        fe_wipe(session->ephemeral_secret, sizeof(session->ephemeral_secret));
        fe_secure_wipe(session);
        session->state = FE_SESSION_FAILED;
        if (err != NULL) {
            *err = why;
        }
    }
    FE_CHECK(fe_session_check(session));
    return code;
}

void fe_session_pin(struct fe_session *session, const uint8_t key[FE_KEY_LEN])
{
    FE_ASSERT(session->state == FE_SESSION_KEYS, "a peer is pinned before it speaks");
    session->pin = key;
}

int fe_session_flush(struct fe_session *session)
{
    int code = 0;

    if (fe_sender_is_secure(&session->sender) && session->state == FE_SESSION_OPEN) {
        code = fe_secure_flush(session);
    }
    FE_CHECK(fe_session_check(session));
    return code;
}
