/* Thin wrappers that cannot be misused: every input is total, every failure a code. */
#ifndef FE_MESH_CRYPTO_CRYPTO_H
#define FE_MESH_CRYPTO_CRYPTO_H

#include "ground/base/err.h"
#include "ground/base/rng.h"
#include "ground/base/view.h"

enum {
    FE_X25519_LEN = 32,
    FE_HASH_LEN = 32,
    FE_AEAD_KEY_LEN = 32,
    FE_AEAD_NONCE_LEN = 12,
    FE_AEAD_TAG_LEN = 16,
};

/* An ephemeral X25519 pair. */
void fe_x25519_keypair(const struct fe_rng *rng, uint8_t secret[FE_X25519_LEN],
                       uint8_t public_key[FE_X25519_LEN]);

/* The shared secret. FLATEND_EKEY for a point of small order (an all-zero secret). */
int fe_x25519(const uint8_t secret[FE_X25519_LEN], const uint8_t peer[FE_X25519_LEN],
              uint8_t shared[FE_X25519_LEN]) FE_MUST_USE;

/* BLAKE2b with a 32-byte digest. */
void fe_hash(struct fe_view data, uint8_t digest[FE_HASH_LEN]);

/* The same over the concatenation of `parts`, keyed with 32 bytes unless `key` is NULL. `digest`
 * may be one of the inputs. */
void fe_hash_parts(const uint8_t *key, const struct fe_view *parts, size_t n_parts,
                   uint8_t digest[FE_HASH_LEN]);

void fe_ed25519_keypair(const struct fe_rng *rng, struct flatend_secret_key *key);
const uint8_t *fe_ed25519_public(const struct flatend_secret_key *key);
void fe_ed25519_sign(const struct flatend_secret_key *key, struct fe_view message,
                     uint8_t signature[64]);
/* FLATEND_ESIGNATURE unless it verifies. */
int fe_ed25519_verify(const uint8_t public_key[32], struct fe_view message,
                      const uint8_t signature[64]) FE_MUST_USE;

/* Whether the public half belongs to the seed: FLATEND_EKEY if not. */
int fe_ed25519_check(const struct flatend_secret_key *key) FE_MUST_USE;

/* AES-256-GCM with one key, for one direction. The cipher context is made once and re-initialised
 * with the nonce only. */
struct fe_aead;

struct fe_aead *fe_aead_new(const uint8_t key[FE_AEAD_KEY_LEN], bool is_seal) FE_MUST_USE;
void fe_aead_free(struct fe_aead *aead); /* wipes; NULL is allowed */

/* Another key in the same context. FLATEND_ENOMEM when OpenSSL fails: only free is left then. */
int fe_aead_rekey(struct fe_aead *aead, const uint8_t key[FE_AEAD_KEY_LEN]) FE_MUST_USE;

/* Encrypts the concatenation of `parts` to `out` (sum of lengths + 16 bytes of tag), and
 * authenticates `ad` (may be empty) with it. A single part may lie at `out` already: it is then
 * encrypted in place.
 * FLATEND_ENOMEM when OpenSSL fails. */
int fe_aead_seal(struct fe_aead *aead, const uint8_t nonce[FE_AEAD_NONCE_LEN], struct fe_view ad,
                 const struct fe_view *parts, size_t n_parts, uint8_t *out) FE_MUST_USE;

/* Decrypts `len` bytes, tag included, in place; the plaintext is `len - 16` bytes.
 * FLATEND_EDECRYPT: too short or not authentic; the bytes are then garbage and not to be looked at.
 */
int fe_aead_open(struct fe_aead *aead, const uint8_t nonce[FE_AEAD_NONCE_LEN], struct fe_view ad,
                 uint8_t *data, size_t len) FE_MUST_USE;

#endif
