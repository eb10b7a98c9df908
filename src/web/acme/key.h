/* Keys of ACME accounts and certificates. A key is OpenSSL's EVP_PKEY, owned by the caller. */
#ifndef FE_WEB_ACME_KEY_H
#define FE_WEB_ACME_KEY_H

#include "ground/base/buf.h"

struct evp_pkey_st;

enum fe_acme_key_type {
    FE_ACME_P256, /* also what accounts use: ES256, RFC 7518 §3.4 */
    FE_ACME_P384,
    FE_ACME_RSA2048,
};

enum {
    FE_ACME_PEM_KEY_MAX = 4096, /* RSA with 2048 bits takes 1.7 kB */
    FE_ACME_JWK_MAX = 192,      /* of P-256, with its NUL */
    FE_ACME_SIGNATURE_LEN = 64, /* of ES256: r and s, 32 bytes each */
    FE_ACME_THUMBPRINT_MAX = 44,
};

/* NULL when OpenSSL fails, which means memory. RSA takes a good part of a second. Any thread. */
struct evp_pkey_st *fe_acme_key_generate(enum fe_acme_key_type type) FE_MUST_USE;
void fe_acme_key_free(struct evp_pkey_st *key); /* NULL is allowed */

bool fe_acme_key_is(const struct evp_pkey_st *key, enum fe_acme_key_type type);

/* Appends PKCS #8 in PEM. The buffer then holds a secret: fe_wipe it. FLATEND_ENOMEM,
 * FLATEND_ETOOBIG. */
int fe_acme_key_to_pem(const struct evp_pkey_st *key, struct fe_buf *pem) FE_MUST_USE;

/* The first private key in the text; NULL: there is none, or memory is short. */
struct evp_pkey_st *fe_acme_key_from_pem(struct fe_view pem) FE_MUST_USE;

/* The public half of a P-256 key as a JWK whose members are in the order of RFC 7638 §3: its
 * SHA-256 is the thumbprint. FLATEND_EKEY, FLATEND_ENOMEM. */
int fe_acme_key_jwk(const struct evp_pkey_st *key, char jwk[FE_ACME_JWK_MAX]) FE_MUST_USE;
int fe_acme_key_thumbprint(const struct evp_pkey_st *key,
                           char text[FE_ACME_THUMBPRINT_MAX]) FE_MUST_USE;

/* ES256 (RFC 7518 §3.4) with a P-256 key. FLATEND_EKEY, FLATEND_ENOMEM. */
int fe_acme_key_sign(struct evp_pkey_st *key, struct fe_view message,
                     uint8_t signature[FE_ACME_SIGNATURE_LEN]) FE_MUST_USE;

#endif
