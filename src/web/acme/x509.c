#include "web/acme/x509.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#include "ground/base/assert.h"
#include "web/acme/base64url.h"
#include "web/tls/openssl.h"

enum { DAY_S = 24 * 3600 };

/* ---- names ---------------------------------------------------------------------------------- */

static GENERAL_NAME *make_dns_name(const char *name)
{
    GENERAL_NAME *general = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();

    if (general == NULL || text == NULL || ASN1_STRING_set(text, name, (int)strlen(name)) != 1) {
        GENERAL_NAME_free(general);
        ASN1_IA5STRING_free(text);
        return NULL;
    }
    GENERAL_NAME_set0_value(general, GEN_DNS, text);
    return general;
}

/* The extension subjectAltName, made of structures and not of a text that a name could break out
 * of. */
static X509_EXTENSION *make_san(const char *const *names, size_t n_names)
{
    GENERAL_NAMES *list = GENERAL_NAMES_new();
    X509_EXTENSION *extension = NULL;
    bool is_whole = list != NULL;

    for (size_t i = 0; is_whole && i < n_names; i++) {
        GENERAL_NAME *const general = make_dns_name(names[i]);

        is_whole = general != NULL && sk_GENERAL_NAME_push(list, general) > 0;
        if (!is_whole) {
            GENERAL_NAME_free(general);
        }
    }
    if (is_whole) {
        extension = X509V3_EXT_i2d(NID_subject_alt_name, 0, list);
    }
    GENERAL_NAMES_free(list);
    return extension;
}

/* ---- the request ---------------------------------------------------------------------------- */

static const EVP_MD *digest_for(const EVP_PKEY *key)
{
    return EVP_PKEY_get_bits(key) == 384 ? EVP_sha384() : EVP_sha256();
}

static bool add_san(X509_REQ *request, const char *const *names, size_t n_names)
{
    STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
    X509_EXTENSION *san = make_san(names, n_names);
    bool is_done = false;

    if (extensions != NULL && san != NULL && sk_X509_EXTENSION_push(extensions, san) > 0) {
        san = NULL; /* the stack's */
        is_done = X509_REQ_add_extensions(request, extensions) == 1;
    }
    X509_EXTENSION_free(san);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    return is_done;
}

int fe_acme_csr_encode(struct evp_pkey_st *key, const char *const *names, size_t n_names,
                       struct fe_buf *der)
{
    X509_REQ *request = X509_REQ_new();
    uint8_t *bytes = NULL;
    int code = FLATEND_ENOMEM;

    FE_ASSERT(key != NULL && n_names <= FE_ACME_NAMES_MAX, "a request has a key and its names");
    if (request != NULL && X509_REQ_set_version(request, X509_REQ_VERSION_1) == 1 &&
        X509_REQ_set_pubkey(request, key) == 1 && add_san(request, names, n_names) &&
        X509_REQ_sign(request, key, digest_for(key)) > 0) {
        const int len = i2d_X509_REQ(request, &bytes);

        if (len > 0) {
            code = fe_buf_append(der, bytes, (size_t)len);
        }
    }
    OPENSSL_free(bytes);
    X509_REQ_free(request);
    ERR_clear_error();
    return code;
}

/* ---- the answer ----------------------------------------------------------------------------- */

/* RFC 9773 §4.1: the authority key identifier, a dot, and the serial number as DER has it, with
 * the zero byte before a first bit that is set. */
static void put_id(X509 *cert, char id[FE_ACME_CERT_ID_MAX])
{
    const ASN1_OCTET_STRING *authority = X509_get0_authority_key_id(cert);
    const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
    uint8_t bytes[64];
    const size_t n_authority = authority != NULL ? (size_t)ASN1_STRING_length(authority) : 0;
    const size_t n_serial = (size_t)ASN1_STRING_length(serial);
    size_t zero;

    FE_ASSERT(ASN1_STRING_length(serial) >= 0, "OpenSSL's lengths are not negative");
    id[0] = '\0';
    if (n_authority == 0 || n_serial == 0 || n_serial >= sizeof(bytes) ||
        fe_base64url_size(n_authority) + 1 + fe_base64url_size(n_serial + 1) >=
            FE_ACME_CERT_ID_MAX) {
        return;
    }
    zero = (ASN1_STRING_get0_data(serial)[0] & 0x80) != 0 ? 1 : 0;
    bytes[0] = 0;
    memcpy(bytes + zero, ASN1_STRING_get0_data(serial), n_serial);
    fe_base64url_encode(fe_view_of(ASN1_STRING_get0_data(authority), n_authority), id);
    id += strlen(id);
    *id++ = '.';
    fe_base64url_encode(fe_view_of(bytes, n_serial + zero), id);
}

static int check_names(X509 *cert, const char *const *names, size_t n_names,
                       struct flatend_error *err)
{
    for (size_t i = 0; i < n_names; i++) {
        if (X509_check_host(cert, names[i], strlen(names[i]), 0, NULL) != 1) {
            return fe_err_set(err, FLATEND_EINVAL, "the certificate is not for %.100s", names[i]);
        }
    }
    return 0;
}

static int check_leaf(X509 *cert, const struct evp_pkey_st *key, const char *const *names,
                      size_t n_names, struct fe_acme_cert_info *info, struct flatend_error *err)
{
    if (!fe_asn1_time_to_seconds(X509_get0_notBefore(cert), &info->not_before_s) ||
        !fe_asn1_time_to_seconds(X509_get0_notAfter(cert), &info->not_after_s)) {
        return fe_err_set(err, FLATEND_ESYNTAX, "the certificate has no readable dates");
    }
    if (key != NULL && X509_check_private_key(cert, key) != 1) {
        return fe_err_set(err, FLATEND_EKEY, "the certificate is for another key");
    }
    put_id(cert, info->id);
    return check_names(cert, names, n_names, err);
}

/* Counts the certificates of the chain, each of which must be readable; the first is checked. */
static int read_chain(BIO *bio, const struct evp_pkey_st *key, const char *const *names,
                      size_t n_names, struct fe_acme_cert_info *info, struct flatend_error *err)
{
    X509 *cert;
    int code = 0;
    size_t n = 0;

    while (code == 0 &&
           (cert = PEM_read_bio_X509(bio, NULL, NULL, (void *)(uintptr_t) "")) != NULL) {
        if (n == 0) {
            code = check_leaf(cert, key, names, n_names, info, err);
        }
        X509_free(cert);
        if (++n > FE_ACME_CHAIN_CERTS_MAX) {
            code = fe_err_set(err, FLATEND_ETOOBIG, "more than %d certificates in the chain",
                              FE_ACME_CHAIN_CERTS_MAX);
        }
    }
    if (code == 0 && (n == 0 || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)) {
        code = fe_err_set(err, FLATEND_ESYNTAX, "not a certificate chain");
    }
    return code;
}

int fe_acme_chain_check(struct fe_view pem, const struct evp_pkey_st *key, const char *const *names,
                        size_t n_names, struct fe_acme_cert_info *info, struct flatend_error *err)
{
    BIO *bio;
    int code;

    *info = (struct fe_acme_cert_info){0};
    if (pem.len > FE_ACME_CHAIN_MAX) {
        return fe_err_set(err, FLATEND_ETOOBIG, "certificate chain larger than %d bytes",
                          FE_ACME_CHAIN_MAX);
    }
    FE_ASSERT(pem.len <= INT32_MAX, "a length fits OpenSSL's int");
    bio = BIO_new_mem_buf(pem.len > 0 ? (const void *)pem.ptr : "", (int)pem.len);
    if (bio == NULL) {
        return fe_err_code(err, FLATEND_ENOMEM);
    }
    ERR_clear_error();
    code = read_chain(bio, key, names, n_names, info, err);
    BIO_free(bio);
    ERR_clear_error();
    return code;
}

/* ---- TLS-ALPN-01 ---------------------------------------------------------------------------- */

/* acmeIdentifier, RFC 8737 §3: an octet string (of the extension) that holds an octet string. */
static X509_EXTENSION *make_acme_identifier(struct fe_view key_authorization)
{
    uint8_t value[2 + SHA256_DIGEST_LENGTH] = {V_ASN1_OCTET_STRING, SHA256_DIGEST_LENGTH};
    ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
    ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
    X509_EXTENSION *extension = NULL;

    (void)SHA256(key_authorization.ptr, key_authorization.len, value + 2);
    if (oid != NULL && octets != NULL && ASN1_OCTET_STRING_set(octets, value, sizeof(value)) == 1) {
        extension = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, octets);
    }
    ASN1_OCTET_STRING_free(octets);
    ASN1_OBJECT_free(oid);
    return extension;
}

int fe_acme_alpn_certificate(const char *name, struct fe_view key_authorization, int64_t now_s,
                             struct fe_cert **cert)
{
    const struct fe_view names = fe_view_str(name);
    const struct fe_cert_spec spec = {
        .names = &names,
        .n_names = 1,
        .not_before_s = now_s - DAY_S,
        .not_after_s = now_s + 6 * DAY_S,
    };
    EVP_PKEY *key = fe_key_new();
    X509 *x509 = key != NULL ? fe_x509_make(&spec, key, key) : NULL;
    X509_EXTENSION *identifier = make_acme_identifier(key_authorization);
    const bool is_made = x509 != NULL && identifier != NULL &&
                         X509_add_ext(x509, identifier, -1) == 1 &&
                         X509_sign(x509, key, EVP_sha256()) > 0;

    X509_EXTENSION_free(identifier);
    ERR_clear_error();
    *cert = NULL;
    if (is_made) {
        return fe_cert_new(x509, NULL, key, cert);
    }
    X509_free(x509);
    EVP_PKEY_free(key);
    return FLATEND_ENOMEM;
}
