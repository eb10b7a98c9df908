/* OpenSSL: AES-256-GCM. */
#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "ground/base/assert.h"
#include "mesh/crypto/crypto.h"

struct fe_aead {
    EVP_CIPHER_CTX *ctx; /* holds the key schedule */
};

struct fe_aead *fe_aead_new(const uint8_t key[FE_AEAD_KEY_LEN], bool is_seal)
{
    struct fe_aead *aead = calloc(1, sizeof(*aead));
    EVP_CIPHER *cipher;
    bool is_ready;

    if (aead == NULL) {
        return NULL;
    }
    cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    aead->ctx = EVP_CIPHER_CTX_new();
    is_ready = cipher != NULL && aead->ctx != NULL &&
               EVP_CipherInit_ex2(aead->ctx, cipher, key, NULL, is_seal ? 1 : 0, NULL) == 1;
    EVP_CIPHER_free(cipher); /* the context holds a reference of its own */
    if (!is_ready) {
        fe_aead_free(aead);
        return NULL;
    }
    return aead;
}

void fe_aead_free(struct fe_aead *aead)
{
    if (aead != NULL) {
        EVP_CIPHER_CTX_free(aead->ctx);
        free(aead);
    }
}

int fe_aead_rekey(struct fe_aead *aead, const uint8_t key[FE_AEAD_KEY_LEN])
{
    return EVP_CipherInit_ex2(aead->ctx, NULL, key, NULL, -1, NULL) == 1 ? 0 : FLATEND_ENOMEM;
}

/* The nonce, and what is only authenticated. */
static bool begin(struct fe_aead *aead, const uint8_t nonce[FE_AEAD_NONCE_LEN], struct fe_view ad)
{
    int n;

    FE_ASSERT(ad.len <= INT_MAX, "lengths fit OpenSSL's int");
    return EVP_CipherInit_ex2(aead->ctx, NULL, NULL, nonce, -1, NULL) == 1 &&
           (ad.len == 0 || EVP_CipherUpdate(aead->ctx, NULL, &n, ad.ptr, (int)ad.len) == 1);
}

int fe_aead_seal(struct fe_aead *aead, const uint8_t nonce[FE_AEAD_NONCE_LEN], struct fe_view ad,
                 const struct fe_view *parts, size_t n_parts, uint8_t *out)
{
    int n;

    if (!begin(aead, nonce, ad)) {
        return FLATEND_ENOMEM;
    }
    for (size_t i = 0; i < n_parts; i++) {
        FE_ASSERT(parts[i].len <= INT_MAX, "lengths fit OpenSSL's int");
        if (parts[i].len == 0) {
            continue;
        }
        if (EVP_EncryptUpdate(aead->ctx, out, &n, parts[i].ptr, (int)parts[i].len) != 1) {
            return FLATEND_ENOMEM;
        }
        out += n;
    }
    if (EVP_EncryptFinal_ex(aead->ctx, out, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(aead->ctx, EVP_CTRL_AEAD_GET_TAG, FE_AEAD_TAG_LEN, out) != 1) {
        return FLATEND_ENOMEM;
    }
    return 0;
}

int fe_aead_open(struct fe_aead *aead, const uint8_t nonce[FE_AEAD_NONCE_LEN], struct fe_view ad,
                 uint8_t *data, size_t len)
{
    uint8_t *tag;
    int n;

    if (len < FE_AEAD_TAG_LEN || len > INT_MAX) {
        return FLATEND_EDECRYPT;
    }
    len -= FE_AEAD_TAG_LEN;
    tag = data + len;
    if (!begin(aead, nonce, ad) ||
        EVP_CIPHER_CTX_ctrl(aead->ctx, EVP_CTRL_AEAD_SET_TAG, FE_AEAD_TAG_LEN, tag) != 1 ||
        (len > 0 && EVP_DecryptUpdate(aead->ctx, data, &n, data, (int)len) != 1) ||
        EVP_DecryptFinal_ex(aead->ctx, tag, &n) != 1) {
        return FLATEND_EDECRYPT;
    }
    return 0;
}
