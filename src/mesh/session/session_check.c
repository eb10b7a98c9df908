/* What holds of a session between any two calls: the diagram in session.c, a key for each direction
 * and state, and what of the secrets is wiped. */
#include "ground/base/assert.h"
#include "mesh/session/record.h"
#include "mesh/session/secure.h"

static bool is_zero(const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    uint8_t all = 0;

    for (size_t i = 0; i < len; i++) {
        all |= at[i];
    }
    return all == 0;
}

static bool has_traffic_keys(const struct fe_session *session)
{
    return !is_zero(session->seal_key, FE_AEAD_KEY_LEN) ||
           !is_zero(session->open_key, FE_AEAD_KEY_LEN);
}

static void check_keys(const struct fe_session *session)
{
    FE_ASSERT(session->seal == NULL && session->open == NULL,
              "before the key exchange nothing is sealed");
    FE_ASSERT(session->sent == 0 && session->received == 0,
              "before the key exchange no record is counted");
    FE_ASSERT(session->in.len <= FE_KEY_LEN, "only a key is gathered before there are records");
    FE_ASSERT(!has_traffic_keys(session), "keys are derived from the exchange");
}

static void check_handshake(const struct fe_session *session)
{
    FE_ASSERT(session->received == 0, "the first record opens the session, or ends it");
    FE_ASSERT(session->self->is_old_only || session->sent == (session->is_initiator ? 1 : 0),
              "the initiator's Handshake is all that is said before the peer's");
    FE_ASSERT(session->self->is_old_only ||
                  !is_zero(&session->transcript, sizeof(session->transcript)),
              "what is said is bound to what was said");
}

static void check_old(const struct fe_session *session)
{
    FE_ASSERT(session->record_buf == NULL && session->packets.len == 0 && session->ended == 0,
              "an old record is one packet");
    FE_ASSERT(!has_traffic_keys(session), "an old session has one key, and does not keep it");
    FE_ASSERT(session->received > 0, "the peer's Handshake has come");
}

static void check_head(const struct fe_session *session, const struct fe_session_head *head)
{
    FE_ASSERT(session->has_heads || (head->size == 0 && head->bytes.len == 0),
              "heads come in pieces where both sides know them");
    FE_ASSERT((head->size == 0) == (head->n_pieces == 0), "a head has begun with its first piece");
    FE_ASSERT(head->size <= FE_HEAD_MAX && head->n_pieces <= FE_SECURE_HEAD_PIECES_MAX,
              "an incomplete head is bounded");
    FE_ASSERT(head->size == 0 || (head->bytes.len > 0 && head->bytes.len < head->size),
              "a head that is complete has been told");
}

static void check_secure(const struct fe_session *session)
{
    FE_ASSERT(memcmp(session->seal_key, session->open_key, FE_AEAD_KEY_LEN) != 0,
              "each direction has a key of its own");
    FE_ASSERT(session->sent <= FE_SECURE_REKEY_RECORDS &&
                  session->received <= FE_SECURE_REKEY_RECORDS,
              "a key is renewed before it grows old");
    FE_ASSERT(session->plaintext_max > FE_SECURE_HEADER_SIZE &&
                  session->plaintext_max <= FE_SECURE_RECORD_MAX - FE_AEAD_TAG_LEN,
              "records are of a size that both take");
    FE_ASSERT(session->record_len <= session->plaintext_max, "what is filled fits a record");
    FE_ASSERT(session->record_len == 0 ||
                  (session->record_buf != NULL &&
                   session->last_packet + FE_SECURE_HEADER_SIZE <= session->record_len),
              "what is filled is packets");
    FE_ASSERT(session->n_pings <= FE_SESSION_PINGS_MAX, "answers to pings are bounded");
    check_head(session, &session->head);
    FE_ASSERT((session->next_seq & 1) == 1, "no token is that of a free slot");
}

static void check_open(const struct fe_session *session)
{
    FE_ASSERT((session->next_stream & 1) == (session->is_initiator ? 1U : 0U),
              "each side has ids of its own");
    FE_ASSERT(is_zero(&session->transcript, sizeof(session->transcript)),
              "the transcript is wiped with the end of the handshake");
    if (fe_sender_is_secure(&session->sender)) {
        check_secure(session);
    } else {
        check_old(session);
    }
}

static void check_pending(const struct fe_session *session)
{
    for (unsigned i = 0; i < FE_SESSION_PENDING_MAX; i++) {
        for (unsigned j = 0; j < i; j++) {
            FE_ASSERT(session->pending[i] == 0 || session->pending[i] != session->pending[j],
                      "an answer belongs to one question");
        }
    }
}

void fe_session_check(const struct fe_session *session)
{
    FE_ASSERT(session->in.len <= sizeof(uint32_t) + FE_SESSION_RECORD_MAX,
              "one record is gathered");
    FE_ASSERT(session->fed_len == 0 || session->fed != NULL, "what was fed is somewhere");
    check_pending(session);
    if (session->state == FE_SESSION_KEYS) {
        check_keys(session);
        return;
    }
    FE_ASSERT(is_zero(session->ephemeral_secret, FE_KEY_LEN),
              "the ephemeral secret is wiped with the key exchange");
    if (session->state == FE_SESSION_FAILED) {
        FE_ASSERT(!has_traffic_keys(session) &&
                      is_zero(&session->transcript, sizeof(session->transcript)),
                  "a session that has failed keeps no secrets");
        return;
    }
    FE_ASSERT(session->seal != NULL && session->open != NULL, "records have a key each way");
    if (session->state == FE_SESSION_HANDSHAKE) {
        check_handshake(session);
    } else {
        check_open(session);
    }
}
