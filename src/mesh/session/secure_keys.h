/* The keys of the secure session (docs/PROTOCOL.md §2.1): what was said, hashed, and what is made
 * of it. Nothing here fails or allocates. */
#ifndef FE_MESH_SESSION_SECURE_KEYS_H
#define FE_MESH_SESSION_SECURE_KEYS_H

#include "mesh/crypto/crypto.h"

struct fe_secure_transcript {
    uint8_t dh[FE_X25519_LEN]; /* the shared secret itself */
    uint8_t th0[FE_HASH_LEN];  /* both ephemeral keys */
    uint8_t th[FE_HASH_LEN];   /* all that was said so far: th0 to th3 */
};

/* th0. Keys are the ephemeral public ones. */
void fe_secure_transcript_init(struct fe_secure_transcript *transcript,
                               const uint8_t dh[FE_X25519_LEN],
                               const uint8_t initiator[FE_X25519_LEN],
                               const uint8_t responder[FE_X25519_LEN]);

/* th1 and th3: a message without its signature. */
void fe_secure_transcript_add(struct fe_secure_transcript *transcript, struct fe_view message);
/* th2: the initiator's signature, or nothing. */
void fe_secure_transcript_add_signature(struct fe_secure_transcript *transcript,
                                        struct fe_view signature);

/* Of the initiator's first record: K_m, or K without a mesh secret (NULL). */
void fe_secure_handshake_key(const struct fe_secure_transcript *transcript,
                             const uint8_t *mesh_secret, uint8_t key[FE_AEAD_KEY_LEN]);
/* Of a refusal. */
void fe_secure_refuse_key(const struct fe_secure_transcript *transcript,
                          uint8_t key[FE_AEAD_KEY_LEN]);
/* Of everything else, once th is th2. */
void fe_secure_traffic_keys(const struct fe_secure_transcript *transcript,
                            const uint8_t *mesh_secret, uint8_t i2r[FE_AEAD_KEY_LEN],
                            uint8_t r2i[FE_AEAD_KEY_LEN]);
/* The key that follows this one, in its place. */
void fe_secure_next_key(uint8_t key[FE_AEAD_KEY_LEN]);

#endif
