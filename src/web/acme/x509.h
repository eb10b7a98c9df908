/* The certificates of ACME: what is asked for, what comes back, and what proves a name. */
#ifndef FE_WEB_ACME_X509_H
#define FE_WEB_ACME_X509_H

#include "ground/base/buf.h"
#include "web/tls/cert.h"

struct evp_pkey_st;

enum {
    FE_ACME_NAMES_MAX = 100, /* of one certificate: what Let's Encrypt allows */
    FE_ACME_NAME_MAX = 253,  /* RFC 1035 §2.3.4, as text */
    FE_ACME_CHAIN_MAX = 128 * 1024,
    FE_ACME_CHAIN_CERTS_MAX = 10,
    FE_ACME_CERT_ID_MAX = 160, /* with its NUL: two of at most 20 bytes are usual */
};

/* A certificate request (PKCS #10, DER) for the names, as subject alternative names only: RFC 8555
 * §7.4. Appends to `der`. FLATEND_ENOMEM, FLATEND_ETOOBIG. */
int fe_acme_csr_encode(struct evp_pkey_st *key, const char *const *names, size_t n_names,
                       struct fe_buf *der) FE_MUST_USE;

/* What is to be known of a certificate; seconds since 1970. */
struct fe_acme_cert_info {
    int64_t not_before_s;
    int64_t not_after_s;
    /* RFC 9773 §4.1; empty: it has no authority key identifier, and so no renewal information */
    char id[FE_ACME_CERT_ID_MAX];
};

/* Reads a chain in PEM, the certificate itself first, and checks that it is for `key` (NULL: not
 * checked) and for each of the names. FLATEND_ESYNTAX, FLATEND_ETOOBIG, FLATEND_EKEY (not for this
 * key), FLATEND_EINVAL (another name), FLATEND_ENOMEM; `err` says it. */
int fe_acme_chain_check(struct fe_view pem, const struct evp_pkey_st *key, const char *const *names,
                        size_t n_names, struct fe_acme_cert_info *info,
                        struct flatend_error *err) FE_MUST_USE;

/* The certificate that answers TLS-ALPN-01 for `name` (RFC 8737 §3): self-signed, with the SHA-256
 * of the key authorization in a critical extension. Valid for a week around `now_s`.
 * FLATEND_ENOMEM. */
int fe_acme_alpn_certificate(const char *name, struct fe_view key_authorization, int64_t now_s,
                             struct fe_cert **cert) FE_MUST_USE;

#endif
