#include "mesh/session/secure_keys.h"

#include "ground/base/wipe.h"

enum { KEY_LEN = 32 };

static struct fe_view key_view(const uint8_t *key)
{
    return fe_view_of(key, KEY_LEN);
}

void fe_secure_transcript_init(struct fe_secure_transcript *transcript,
                               const uint8_t dh[FE_X25519_LEN],
                               const uint8_t initiator[FE_X25519_LEN],
                               const uint8_t responder[FE_X25519_LEN])
{
    const struct fe_view parts[] = {FE_VIEW_LIT("flatend/2 session"), key_view(initiator),
                                    key_view(responder)};

    memcpy(transcript->dh, dh, sizeof(transcript->dh));
    fe_hash_parts(NULL, parts, 3, transcript->th0);
    memcpy(transcript->th, transcript->th0, sizeof(transcript->th));
}

void fe_secure_transcript_add(struct fe_secure_transcript *transcript, struct fe_view message)
{
    const uint8_t len[] = {(uint8_t)(message.len >> 24), (uint8_t)(message.len >> 16),
                           (uint8_t)(message.len >> 8), (uint8_t)message.len};
    const struct fe_view parts[] = {key_view(transcript->th), fe_view_of(len, sizeof(len)),
                                    message};

    fe_hash_parts(NULL, parts, 3, transcript->th);
}

void fe_secure_transcript_add_signature(struct fe_secure_transcript *transcript,
                                        struct fe_view signature)
{
    const struct fe_view parts[] = {key_view(transcript->th), signature};

    fe_hash_parts(NULL, parts, 2, transcript->th);
}

void fe_secure_handshake_key(const struct fe_secure_transcript *transcript,
                             const uint8_t *mesh_secret, uint8_t key[FE_AEAD_KEY_LEN])
{
    const struct fe_view parts[] = {FE_VIEW_LIT("flatend/2 hello"), key_view(transcript->th0),
                                    key_view(transcript->dh)};

    if (mesh_secret != NULL) {
        fe_hash_parts(mesh_secret, parts, 3, key);
    } else {
        fe_hash(key_view(transcript->dh), key);
    }
}

void fe_secure_refuse_key(const struct fe_secure_transcript *transcript,
                          uint8_t key[FE_AEAD_KEY_LEN])
{
    const struct fe_view parts[] = {FE_VIEW_LIT("flatend/2 refuse"), key_view(transcript->th0)};

    fe_hash_parts(transcript->dh, parts, 2, key);
}

void fe_secure_traffic_keys(const struct fe_secure_transcript *transcript,
                            const uint8_t *mesh_secret, uint8_t i2r[FE_AEAD_KEY_LEN],
                            uint8_t r2i[FE_AEAD_KEY_LEN])
{
    static const uint8_t no_secret[FE_AEAD_KEY_LEN];
    const struct fe_view secrets[] = {key_view(transcript->dh), key_view(transcript->th)};
    const struct fe_view to_responder = FE_VIEW_LIT("i2r");
    const struct fe_view to_initiator = FE_VIEW_LIT("r2i");
    uint8_t prk[FE_HASH_LEN];

    fe_hash_parts(mesh_secret != NULL ? mesh_secret : no_secret, secrets, 2, prk);
    fe_hash_parts(prk, &to_responder, 1, i2r);
    fe_hash_parts(prk, &to_initiator, 1, r2i);
    fe_wipe(prk, sizeof(prk));
}

void fe_secure_next_key(uint8_t key[FE_AEAD_KEY_LEN])
{
    const struct fe_view label = FE_VIEW_LIT("rekey");

    fe_hash_parts(key, &label, 1, key);
}
