/* Private to src/web/tls: what is inside, in terms of OpenSSL. */
#ifndef FE_WEB_TLS_OPENSSL_H
#define FE_WEB_TLS_OPENSSL_H

#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>

#include "web/tls/cert.h"

struct fe_cert {
    atomic_uint n_refs;
    X509 *leaf;
    STACK_OF(X509) * chain; /* without the leaf */
    EVP_PKEY *key;
    GENERAL_NAMES *names; /* NULL: none */
    int64_t not_before_s;
    int64_t not_after_s;
    bool is_key_exposed;
};

/* Takes over all three, also when it fails. `chain` may be NULL. */
int fe_cert_new(X509 *leaf, STACK_OF(X509) * chain, EVP_PKEY *key,
                struct fe_cert **cert) FE_MUST_USE;

/* Seconds since 1970. False: it is no time, and counts as 0. */
bool fe_asn1_time_to_seconds(const ASN1_TIME *time, int64_t *seconds);

/* An ECDSA key on P-256. NULL: out of memory. */
EVP_PKEY *fe_key_new(void) FE_MUST_USE;

/* Bytes of an address in its text form: 4, 16, or 0 if it is none. */
enum { FE_ADDRESS_LEN_MAX = 16 };
size_t fe_name_to_address(struct fe_view name, uint8_t bytes[FE_ADDRESS_LEN_MAX]);

/* What a certificate is to be. */
struct fe_cert_spec {
    const struct fe_view *names; /* subjectAltName; the first, if any, is the subject too */
    size_t n_names;
    const char *common_name; /* NULL: the first name */
    int64_t not_before_s;
    int64_t not_after_s;
    bool is_ca;
    const char *name_constraints; /* of a CA: OpenSSL's text form, or NULL */
    X509 *issuer;                 /* NULL: signs itself */
};

/* Makes and signs a certificate for `key`. NULL: out of memory. */
X509 *fe_x509_make(const struct fe_cert_spec *spec, EVP_PKEY *key, EVP_PKEY *signer) FE_MUST_USE;

/* Says "context: reason" with OpenSSL's oldest reason, which names the cause; empties its queue. */
int fe_openssl_fail(struct flatend_error *err, int code, const char *context);

#endif
