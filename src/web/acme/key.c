#include "web/acme/key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <stdio.h>

#include "web/acme/base64url.h"

enum { COORDINATE_LEN = 32, RSA_BITS = 2048 };

struct evp_pkey_st *fe_acme_key_generate(enum fe_acme_key_type type)
{
    EVP_PKEY *key = NULL;

    switch (type) {
    case FE_ACME_P256:
        key = EVP_EC_gen("P-256");
        break;
    case FE_ACME_P384:
        key = EVP_EC_gen("P-384");
        break;
    case FE_ACME_RSA2048:
        key = EVP_RSA_gen(RSA_BITS);
        break;
    }
    ERR_clear_error();
    return key;
}

void fe_acme_key_free(struct evp_pkey_st *key)
{
    EVP_PKEY_free(key);
}

bool fe_acme_key_is(const struct evp_pkey_st *key, enum fe_acme_key_type type)
{
    const char *curve = type == FE_ACME_P256 ? "prime256v1" : "secp384r1";
    char group[32] = "";

    if (type == FE_ACME_RSA2048) {
        return EVP_PKEY_is_a(key, "RSA") == 1 && EVP_PKEY_get_bits(key) == RSA_BITS;
    }
    return EVP_PKEY_is_a(key, "EC") == 1 &&
           EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
           strcmp(group, curve) == 0;
}

/* ---- PEM ------------------------------------------------------------------------------------ */

int fe_acme_key_to_pem(const struct evp_pkey_st *key, struct fe_buf *pem)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    int code = FLATEND_ENOMEM;
    char *text;

    if (bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1) {
        const long len = BIO_get_mem_data(bio, &text);

        code = fe_buf_append(pem, text, len > 0 ? (size_t)len : 0);
    }
    BIO_free(bio);
    ERR_clear_error();
    return code;
}

struct evp_pkey_st *fe_acme_key_from_pem(struct fe_view pem)
{
    BIO *bio = pem.len <= INT32_MAX ? BIO_new_mem_buf(pem.ptr, (int)pem.len) : NULL;
    EVP_PKEY *key = NULL;

    if (bio != NULL) {
        /* An empty passphrase: without one, OpenSSL would ask the terminal for an encrypted key. */
        key = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)(uintptr_t) "");
    }
    BIO_free(bio);
    ERR_clear_error();
    return key;
}

/* ---- JOSE ----------------------------------------------------------------------------------- */

static int get_coordinate(const struct evp_pkey_st *key, const char *name,
                          char text[FE_ACME_THUMBPRINT_MAX])
{
    uint8_t bytes[COORDINATE_LEN];
    BIGNUM *n = NULL;
    int code = FLATEND_ENOMEM;

    if (EVP_PKEY_get_bn_param(key, name, &n) == 1 &&
        BN_bn2binpad(n, bytes, sizeof(bytes)) == COORDINATE_LEN) {
        fe_base64url_encode(fe_view_of(bytes, sizeof(bytes)), text);
        code = 0;
    }
    BN_free(n);
    ERR_clear_error();
    return code;
}

int fe_acme_key_jwk(const struct evp_pkey_st *key, char jwk[FE_ACME_JWK_MAX])
{
    char x[FE_ACME_THUMBPRINT_MAX];
    char y[FE_ACME_THUMBPRINT_MAX];
    int code = fe_acme_key_is(key, FE_ACME_P256) ? 0 : FLATEND_EKEY;

    if (code == 0) {
        code = get_coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X, x);
    }
    if (code == 0) {
        code = get_coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y, y);
    }
    if (code == 0) {
        snprintf(jwk, FE_ACME_JWK_MAX,
                 "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", x, y);
    }
    return code;
}

int fe_acme_key_thumbprint(const struct evp_pkey_st *key, char text[FE_ACME_THUMBPRINT_MAX])
{
    char jwk[FE_ACME_JWK_MAX];
    uint8_t digest[SHA256_DIGEST_LENGTH];
    int code = fe_acme_key_jwk(key, jwk);

    if (code == 0) {
        (void)SHA256((const uint8_t *)jwk, strlen(jwk), digest);
        fe_base64url_encode(fe_view_of(digest, sizeof(digest)), text);
    }
    return code;
}

/* From the DER that OpenSSL makes to r and s side by side, which is what JOSE wants. */
static int to_raw(const uint8_t *der, size_t len, uint8_t signature[FE_ACME_SIGNATURE_LEN])
{
    ECDSA_SIG *parts = d2i_ECDSA_SIG(NULL, &der, (long)len);
    int code = FLATEND_ENOMEM;

    if (parts != NULL &&
        BN_bn2binpad(ECDSA_SIG_get0_r(parts), signature, COORDINATE_LEN) == COORDINATE_LEN &&
        BN_bn2binpad(ECDSA_SIG_get0_s(parts), signature + COORDINATE_LEN, COORDINATE_LEN) ==
            COORDINATE_LEN) {
        code = 0;
    }
    ECDSA_SIG_free(parts);
    return code;
}

int fe_acme_key_sign(struct evp_pkey_st *key, struct fe_view message,
                     uint8_t signature[FE_ACME_SIGNATURE_LEN])
{
    uint8_t der[2 * COORDINATE_LEN + 16];
    size_t len = sizeof(der);
    EVP_MD_CTX *ctx;
    int code = FLATEND_ENOMEM;

    if (!fe_acme_key_is(key, FE_ACME_P256)) {
        return FLATEND_EKEY;
    }
    ctx = EVP_MD_CTX_new();
    if (ctx != NULL && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
        EVP_DigestSign(ctx, der, &len, message.ptr, message.len) == 1) {
        code = to_raw(der, len, signature);
    }
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return code;
}
