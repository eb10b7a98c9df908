/* libsodium: key agreement, signatures, the hash. */
#include <sodium.h>
#include <stdlib.h>

#include "ground/base/wipe.h"
#include "mesh/crypto/crypto.h"

void fe_x25519_keypair(const struct fe_rng *rng, uint8_t secret[FE_X25519_LEN],
                       uint8_t public_key[FE_X25519_LEN])
{
    fe_rng_fill(rng, secret, FE_X25519_LEN);
    (void)crypto_scalarmult_base(public_key, secret); /* fails for no scalar: clamping */
}

int fe_x25519(const uint8_t secret[FE_X25519_LEN], const uint8_t peer[FE_X25519_LEN],
              uint8_t shared[FE_X25519_LEN])
{
    /* libsodium refuses points of small order, whose secret would be all zero. */
    return crypto_scalarmult(shared, secret, peer) == 0 ? 0 : FLATEND_EKEY;
}

void fe_hash(struct fe_view data, uint8_t digest[FE_HASH_LEN])
{
    (void)crypto_generichash(digest, FE_HASH_LEN, data.ptr, data.len, NULL, 0);
}

void fe_hash_parts(const uint8_t *key, const struct fe_view *parts, size_t n_parts,
                   uint8_t digest[FE_HASH_LEN])
{
    crypto_generichash_state state;

    (void)crypto_generichash_init(&state, key, key != NULL ? FE_HASH_LEN : 0, FE_HASH_LEN);
    for (size_t i = 0; i < n_parts; i++) {
        if (parts[i].len > 0) {
            (void)crypto_generichash_update(&state, parts[i].ptr, parts[i].len);
        }
    }
    (void)crypto_generichash_final(&state, digest, FE_HASH_LEN);
    fe_wipe(&state, sizeof(state));
}

void fe_ed25519_keypair(const struct fe_rng *rng, struct flatend_secret_key *key)
{
    uint8_t seed[crypto_sign_SEEDBYTES];
    uint8_t public_key[crypto_sign_PUBLICKEYBYTES];

    _Static_assert(sizeof(key->bytes) == crypto_sign_SECRETKEYBYTES, "seed and public key");
    fe_rng_fill(rng, seed, sizeof(seed));
    (void)crypto_sign_seed_keypair(public_key, key->bytes, seed);
    fe_wipe(seed, sizeof(seed));
}

const uint8_t *fe_ed25519_public(const struct flatend_secret_key *key)
{
    return key->bytes + crypto_sign_SEEDBYTES;
}

void fe_ed25519_sign(const struct flatend_secret_key *key, struct fe_view message,
                     uint8_t signature[64])
{
    (void)crypto_sign_detached(signature, NULL, message.ptr, message.len, key->bytes);
}

int fe_ed25519_verify(const uint8_t public_key[32], struct fe_view message,
                      const uint8_t signature[64])
{
    int code = crypto_sign_verify_detached(signature, message.ptr, message.len, public_key);

    return code == 0 ? 0 : FLATEND_ESIGNATURE;
}

int fe_ed25519_check(const struct flatend_secret_key *key)
{
    uint8_t public_key[crypto_sign_PUBLICKEYBYTES];
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    int differs;

    (void)crypto_sign_seed_keypair(public_key, secret, key->bytes);
    differs = sodium_memcmp(public_key, fe_ed25519_public(key), sizeof(public_key));
    fe_wipe(secret, sizeof(secret));
    return differs == 0 ? 0 : FLATEND_EKEY;
}
