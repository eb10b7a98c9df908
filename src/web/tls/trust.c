#include "web/tls/trust.h"

#include <openssl/err.h>
#include <stdlib.h>

#include "ground/os/fd.h"
#include "web/tls/context.h"

/* Where other systems than that of the build keep what they trust: the program is one static
 * binary, whose OpenSSL knows only the latter's place. */
static const char *const BUNDLES[] = {
    "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Arch */
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* Fedora, RHEL */
    "/etc/ssl/ca-bundle.pem",                            /* openSUSE */
    "/etc/ssl/cert.pem",                                 /* Alpine */
};

static int load_system(SSL_CTX *ctx)
{
    (void)SSL_CTX_set_default_verify_paths(ctx); /* SSL_CERT_FILE and SSL_CERT_DIR, too */
    for (size_t i = 0; i < sizeof(BUNDLES) / sizeof(BUNDLES[0]); i++) {
        if (fe_path_check_readable(BUNDLES[i]) == 0 &&
            SSL_CTX_load_verify_file(ctx, BUNDLES[i]) == 1) {
            break;
        }
    }
    ERR_clear_error();
    return 0;
}

static int load_file(SSL_CTX *ctx, const char *path, struct flatend_error *err)
{
    char context[128];
    int code;

    if (SSL_CTX_load_verify_file(ctx, path) == 1) {
        return 0;
    }
    code = fe_path_check_readable(path);
    if (code != 0) {
        ERR_clear_error();
        return fe_err_set(err, code, "'%s': %s", path, flatend_strerror(code));
    }
    (void)snprintf(context, sizeof(context), "'%s': no certificates in PEM form", path);
    return fe_openssl_fail(err, FLATEND_ESYNTAX, context);
}

int fe_tls_trust_new(const char *ca_file, struct fe_tls_trust **trust, struct flatend_error *err)
{
    struct fe_tls_trust *made = calloc(1, sizeof(*made));
    int code;

    *trust = NULL;
    if (made != NULL) {
        made->ctx = fe_tls_ctx_new(TLS_client_method());
        made->bio = fe_tls_bio_method_new();
    }
    if (made == NULL || made->ctx == NULL || made->bio == NULL) {
        fe_tls_trust_free(made);
        return fe_err_code(err, FLATEND_ENOMEM);
    }
    SSL_CTX_set_verify(made->ctx, SSL_VERIFY_PEER, NULL);
    code = ca_file != NULL ? load_file(made->ctx, ca_file, err) : load_system(made->ctx);
    if (code != 0) {
        fe_tls_trust_free(made);
        return code;
    }
    *trust = made;
    return 0;
}

void fe_tls_trust_free(struct fe_tls_trust *trust)
{
    if (trust == NULL) {
        return;
    }
    SSL_CTX_free(trust->ctx);
    BIO_meth_free(trust->bio);
    free(trust);
}
