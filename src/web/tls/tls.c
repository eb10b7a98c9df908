#include "web/tls/tls.h"

#include <openssl/err.h>
#include <stdlib.h>

#include "ground/base/ascii.h"
#include "ground/base/assert.h"
#include "web/tls/context.h"

/* ---- life ----------------------------------------------------------------------------------- */

static struct fe_tls *tls_new(SSL_CTX *ctx, const BIO_METHOD *method, struct fe_chain *out,
                              const struct fe_tls_ops *ops, void *owner)
{
    struct fe_tls *tls = calloc(1, sizeof(*tls));
    BIO *bio = BIO_new(method);

    if (tls != NULL) {
        tls->ssl = SSL_new(ctx);
    }
    if (tls == NULL || tls->ssl == NULL || bio == NULL || SSL_set_app_data(tls->ssl, tls) != 1) {
        ERR_clear_error();
        BIO_free(bio);
        fe_tls_free(tls);
        return NULL;
    }
    tls->out = out;
    tls->ops = ops;
    tls->owner = owner;
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    return tls;
}

struct fe_tls *fe_tls_server_new(struct fe_tls_store *store, struct fe_chain *out,
                                 const struct fe_tls_ops *ops, void *owner)
{
    struct fe_tls *tls = tls_new(store->ctx, store->bio, out, ops, owner);

    FE_ASSERT(out != NULL && ops != NULL, "what TLS writes and tells has a place");
    if (tls != NULL) {
        tls->store = store;
        SSL_set_accept_state(tls->ssl);
    }
    return tls;
}

/* RFC 6066 §3: addresses are not sent as a name, but the certificate must be theirs. */
static bool set_peer(SSL *ssl, const char *name)
{
    static const unsigned char alpn[] = "\10http/1.1";

    if (SSL_set_alpn_protos(ssl, alpn, sizeof(alpn) - 1) != 0) {
        return false;
    }
    if (fe_name_is_address(fe_view_str(name))) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    }
    return SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set1_host(ssl, name) == 1;
}

struct fe_tls *fe_tls_client_new(struct fe_tls_trust *trust, const char *name, struct fe_chain *out,
                                 const struct fe_tls_ops *ops, void *owner)
{
    struct fe_tls *tls = tls_new(trust->ctx, trust->bio, out, ops, owner);

    if (tls == NULL) {
        return NULL;
    }
    SSL_set_connect_state(tls->ssl);
    if (!set_peer(tls->ssl, name) || fe_tls_feed(tls, fe_view_of(NULL, 0), NULL) != 0) {
        ERR_clear_error();
        fe_tls_free(tls);
        return NULL;
    }
    return tls;
}

void fe_tls_free(struct fe_tls *tls)
{
    if (tls != NULL) {
        SSL_free(tls->ssl);
        free(tls);
    }
}

/* ---- errors --------------------------------------------------------------------------------- */

static int fail(struct fe_tls *tls, int ssl_error, struct flatend_error *err)
{
    const long verified = SSL_get_verify_result(tls->ssl);

    tls->has_failed = true;
    tls->is_open = false;
    tls->fed = fe_view_of(NULL, 0);
    if (verified != X509_V_OK && tls->store == NULL) {
        ERR_clear_error();
        return fe_err_set(err, FLATEND_ESIGNATURE, "TLS: the server's certificate: %s",
                          X509_verify_cert_error_string(verified));
    }
    if (ssl_error != SSL_ERROR_SSL && ERR_peek_error() == 0) {
        return fe_err_set(err, FLATEND_EPROTO, "TLS: connection closed");
    }
    return fe_openssl_fail(err, FLATEND_EPROTO, "TLS");
}

/* ---- in ------------------------------------------------------------------------------------- */

/* True: go on; false: more has to come, or `*code` says why not. */
static bool handshake(struct fe_tls *tls, int *code, struct flatend_error *err)
{
    int done;
    int ssl_error;

    FE_ASSERT(!tls->is_open && !tls->has_failed, "a handshake is done once");
    ERR_clear_error();
    done = SSL_do_handshake(tls->ssl);
    if (done == 1) {
        tls->is_open = true;
        tls->ops->on_open(tls->owner);
        return true;
    }
    ssl_error = SSL_get_error(tls->ssl, done);
    if (ssl_error != SSL_ERROR_WANT_READ) {
        *code = fail(tls, ssl_error, err);
    }
    return false;
}

static bool read_some(struct fe_tls *tls, int *code, struct flatend_error *err)
{
    uint8_t plain[SSL3_RT_MAX_PLAIN_LENGTH];
    int ssl_error;
    int n;

    FE_ASSERT(!tls->is_eof, "nothing is read behind the end");
    ERR_clear_error();
    n = SSL_read(tls->ssl, plain, sizeof(plain));
    if (n > 0) {
        tls->ops->on_read(tls->owner, plain, (size_t)n);
        return true;
    }
    ssl_error = SSL_get_error(tls->ssl, n);
    if (ssl_error == SSL_ERROR_ZERO_RETURN) {
        tls->is_eof = true;
        tls->fed = fe_view_of(NULL, 0); /* RFC 8446 §6.1: what follows is ignored */
        tls->ops->on_eof(tls->owner);
    } else if (ssl_error != SSL_ERROR_WANT_READ) {
        *code = fail(tls, ssl_error, err);
    }
    return false;
}

int fe_tls_feed(struct fe_tls *tls, struct fe_view data, struct flatend_error *err)
{
    int code = 0;

    if (tls->has_failed) {
        return fe_err_set(err, FLATEND_ESTATE, "TLS: connection already failed");
    }
    if (tls->is_eof) {
        return 0;
    }
    FE_ASSERT(tls->fed.len == 0, "what was fed before has been read");
    tls->fed = data;
    if (tls->is_open || handshake(tls, &code, err)) {
        while (read_some(tls, &code, err)) {
        }
    }
    /* Alerts and answers to requests for new keys are small, but a peer that never reads could ask
     * for them without end. */
    if (code == 0 && tls->out->len > FE_TLS_OUT_FLOOD) {
        tls->has_failed = true;
        tls->is_open = false;
        code = fe_err_set(err, FLATEND_ELIMIT, "TLS: peer does not read");
    }
    return code;
}

/* ---- out ------------------------------------------------------------------------------------ */

int fe_tls_pump(struct fe_tls *tls, struct fe_chain *plain)
{
    while (tls->is_open && plain->len > 0 && tls->out->len < FE_TLS_OUT_MAX) {
        const struct fe_view front = fe_chain_front(plain);
        int n;

        FE_ASSERT(front.len > 0 && front.len <= INT_MAX, "a length fits OpenSSL's int");
        ERR_clear_error();
        n = SSL_write(tls->ssl, front.ptr, (int)front.len);
        if (n <= 0) {
            tls->has_failed = true;
            tls->is_open = false;
            ERR_clear_error();
            return FLATEND_ENOMEM;
        }
        FE_ASSERT((size_t)n <= front.len, "no more is encrypted than was given");
        fe_chain_consume(plain, (size_t)n);
    }
    return 0;
}

void fe_tls_close(struct fe_tls *tls)
{
    /* Once: called again, OpenSSL would read. */
    if (tls->is_open && (SSL_get_shutdown(tls->ssl) & SSL_SENT_SHUTDOWN) == 0) {
        ERR_clear_error();
        (void)SSL_shutdown(tls->ssl); /* without memory the peer sees an end without close_notify */
        ERR_clear_error();
    }
}

/* ---- looking -------------------------------------------------------------------------------- */

bool fe_tls_is_open(const struct fe_tls *tls)
{
    return tls->is_open;
}

enum fe_tls_protocol fe_tls_protocol(const struct fe_tls *tls)
{
    const unsigned char *name;
    unsigned len;
    struct fe_view protocol;

    SSL_get0_alpn_selected(tls->ssl, &name, &len);
    protocol = fe_view_of(name, len);
    if (fe_view_equal(protocol, FE_VIEW_LIT("h2"))) {
        return FE_TLS_HTTP_2;
    }
    if (fe_view_equal(protocol, FE_VIEW_LIT("http/1.1"))) {
        return FE_TLS_HTTP_1_1;
    }
    return fe_view_equal(protocol, FE_VIEW_LIT("acme-tls/1")) ? FE_TLS_ACME : FE_TLS_NO_PROTOCOL;
}

/* A record of a handshake begins with 22 (RFC 8446 §5.1); a method is made of letters. */
enum fe_tls_detect fe_tls_detect(uint8_t first)
{
    enum { CONTENT_HANDSHAKE = 22 };

    if (first == CONTENT_HANDSHAKE) {
        return FE_TLS_DETECT_TLS;
    }
    return fe_ascii_is_upper(first) ? FE_TLS_DETECT_HTTP : FE_TLS_DETECT_NEITHER;
}
