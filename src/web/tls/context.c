#include "web/tls/context.h"

#include <openssl/err.h>

#include "ground/base/assert.h"

/* Mozilla's "intermediate" (server side TLS 5.7), without DHE, which no client needs that has
 * ECDHE. In our order, since that of many clients puts the key of 256 bits first, which costs both
 * sides time for nothing; but a client that puts ChaCha20 first has no hardware for AES. */
static const char SUITES[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char CIPHERS[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                              "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                              "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char GROUPS[] = "X25519:P-256:P-384";

SSL_CTX *fe_tls_ctx_new(const SSL_METHOD *method)
{
    SSL_CTX *ctx = SSL_CTX_new(method);

    if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(ctx, SUITES) != 1 || SSL_CTX_set_cipher_list(ctx, CIPHERS) != 1 ||
        SSL_CTX_set1_groups_list(ctx, GROUPS) != 1) {
        ERR_clear_error();
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    return ctx;
}

/* ---- the BIO -------------------------------------------------------------------------------- */

static int bio_read(BIO *bio, char *data, int len)
{
    struct fe_tls *tls = BIO_get_data(bio);
    size_t n = tls->fed.len < (size_t)len ? tls->fed.len : (size_t)len;

    FE_ASSERT(len >= 0, "OpenSSL reads no less than nothing");
    BIO_clear_retry_flags(bio);
    if (n == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(data, tls->fed.ptr, n);
    tls->fed = fe_view_skip(tls->fed, n);
    return (int)n;
}

static int bio_write(BIO *bio, const char *data, int len)
{
    struct fe_tls *tls = BIO_get_data(bio);

    FE_ASSERT(len >= 0 && tls->out != NULL, "what TLS writes has a place");
    BIO_clear_retry_flags(bio);
    if (fe_chain_append(tls->out, data, (size_t)len) != 0) {
        ERR_raise(ERR_LIB_BIO, ERR_R_MALLOC_FAILURE);
        return -1;
    }
    return len;
}

static long bio_ctrl(BIO *bio, int command, long number, void *arg)
{
    (void)bio;
    (void)number;
    (void)arg;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD *fe_tls_bio_method_new(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "flatend");

    if (method == NULL || BIO_meth_set_read(method, bio_read) != 1 ||
        BIO_meth_set_write(method, bio_write) != 1 || BIO_meth_set_ctrl(method, bio_ctrl) != 1) {
        ERR_clear_error();
        BIO_meth_free(method);
        return NULL;
    }
    return method;
}
