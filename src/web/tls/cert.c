#include "web/tls/cert.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <time.h>

#include "ground/base/assert.h"
#include "ground/base/refcount.h"
#include "ground/base/utc.h"
#include "ground/os/file.h"
#include "web/tls/openssl.h"

int fe_openssl_fail(struct flatend_error *err, int code, const char *context)
{
    const unsigned long number = ERR_get_error();
    const char *const reason = ERR_reason_error_string(number);

    ERR_clear_error();
    if (ERR_GET_REASON(number) == ERR_R_MALLOC_FAILURE) {
        code = FLATEND_ENOMEM;
    }
    return fe_err_set(err, code, "%s: %s", context,
                      reason != NULL ? reason : flatend_strerror(code));
}

/* ---- life ----------------------------------------------------------------------------------- */

bool fe_asn1_time_to_seconds(const ASN1_TIME *time, int64_t *seconds)
{
    struct fe_utc utc;
    struct tm tm;

    *seconds = 0;
    if (ASN1_TIME_to_tm(time, &tm) != 1) {
        return false;
    }
    utc = (struct fe_utc){
        .year = tm.tm_year + 1900,
        .month = (unsigned)tm.tm_mon + 1,
        .day = (unsigned)tm.tm_mday,
        .hour = (unsigned)tm.tm_hour,
        .minute = (unsigned)tm.tm_min,
        .second = (unsigned)tm.tm_sec,
    };
    *seconds = fe_utc_to_seconds(&utc);
    return true;
}

int fe_cert_new(X509 *leaf, STACK_OF(X509) * chain, EVP_PKEY *key, struct fe_cert **cert)
{
    struct fe_cert *made = calloc(1, sizeof(*made));
    int presence; /* of subjectAltName; -1: none */

    FE_ASSERT(leaf != NULL && key != NULL, "a certificate has its key");
    *cert = NULL;
    if (made == NULL) {
        X509_free(leaf);
        sk_X509_pop_free(chain, X509_free);
        EVP_PKEY_free(key);
        return FLATEND_ENOMEM;
    }
    atomic_init(&made->n_refs, 1);
    made->leaf = leaf;
    made->chain = chain;
    made->key = key;
    made->names = X509_get_ext_d2i(leaf, NID_subject_alt_name, &presence, NULL);
    if (made->names == NULL && presence != -1) {
        fe_cert_unref(made);
        return fe_openssl_fail(NULL, FLATEND_ESYNTAX, "");
    }
    (void)fe_asn1_time_to_seconds(X509_get0_notBefore(leaf), &made->not_before_s);
    (void)fe_asn1_time_to_seconds(X509_get0_notAfter(leaf), &made->not_after_s);
    *cert = made;
    return 0;
}

struct fe_cert *fe_cert_ref(struct fe_cert *cert)
{
    fe_atomic_ref(&cert->n_refs);
    return cert;
}

void fe_cert_unref(struct fe_cert *cert)
{
    if (cert == NULL || !fe_atomic_unref(&cert->n_refs)) {
        return;
    }
    X509_free(cert->leaf);
    sk_X509_pop_free(cert->chain, X509_free);
    EVP_PKEY_free(cert->key);
    GENERAL_NAMES_free(cert->names);
    free(cert);
}

int64_t fe_cert_not_before(const struct fe_cert *cert)
{
    return cert->not_before_s;
}

int64_t fe_cert_not_after(const struct fe_cert *cert)
{
    return cert->not_after_s;
}

bool fe_cert_is_key_exposed(const struct fe_cert *cert)
{
    return cert->is_key_exposed;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* A server cannot prompt: without this, OpenSSL would read from the terminal. */
static int no_password(char *buf, int size, int is_writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)is_writing;
    *(bool *)arg = true;
    return -1;
}

static int parse_key(struct fe_view pem, EVP_PKEY **key, struct flatend_error *err)
{
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    bool is_encrypted = false;

    FE_ASSERT(pem.len <= FE_CERT_PEM_MAX, "a length fits OpenSSL's int");
    *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_password, &is_encrypted) : NULL;
    BIO_free(bio);
    if (*key != NULL) {
        return 0;
    }
    if (is_encrypted) {
        ERR_clear_error();
        return fe_err_set(err, FLATEND_EKEY,
                          "the key is encrypted: decrypt it with 'openssl pkey'");
    }
    if (bio == NULL) {
        return fe_openssl_fail(err, FLATEND_ENOMEM, "key");
    }
    return fe_openssl_fail(err, FLATEND_ESYNTAX, "no private key in PEM form");
}

static bool is_end_of_pem(void)
{
    const unsigned long number = ERR_peek_last_error();

    return ERR_GET_LIB(number) == ERR_LIB_PEM && ERR_GET_REASON(number) == PEM_R_NO_START_LINE;
}

static int read_chain(BIO *bio, STACK_OF(X509) * chain, struct flatend_error *err)
{
    for (;;) {
        X509 *next = PEM_read_bio_X509(bio, NULL, NULL, NULL);

        if (next == NULL) {
            if (is_end_of_pem()) {
                ERR_clear_error();
                return 0;
            }
            return fe_openssl_fail(err, FLATEND_ESYNTAX, "the certificate's chain does not parse");
        }
        if (sk_X509_num(chain) >= FE_CERT_CHAIN_MAX - 1) {
            X509_free(next);
            return fe_err_set(err, FLATEND_ELIMIT, "more than %d certificates in a chain",
                              FE_CERT_CHAIN_MAX);
        }
        if (sk_X509_push(chain, next) == 0) {
            X509_free(next);
            return fe_openssl_fail(err, FLATEND_ENOMEM, "chain");
        }
    }
}

static int parse_chain(struct fe_view pem, X509 **leaf, STACK_OF(X509) * chain,
                       struct flatend_error *err)
{
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    int code;

    FE_ASSERT(pem.len <= FE_CERT_PEM_MAX, "a length fits OpenSSL's int");
    if (bio == NULL) {
        return fe_openssl_fail(err, FLATEND_ENOMEM, "certificate");
    }
    *leaf = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
    code = *leaf != NULL ? read_chain(bio, chain, err)
                         : fe_openssl_fail(err, FLATEND_ESYNTAX, "no certificate in PEM form");
    BIO_free(bio);
    return code;
}

static int check_key(X509 *leaf, const EVP_PKEY *key, struct flatend_error *err)
{
    if (X509_check_private_key(leaf, key) != 1) {
        ERR_clear_error();
        return fe_err_set(err, FLATEND_EKEY, "key does not match the certificate");
    }
    if (EVP_PKEY_get_security_bits(key) < FE_CERT_SECURITY_BITS) {
        return fe_err_set(err, FLATEND_EKEY,
                          "the key is too weak: RSA needs 2048 bits, ECDSA 224 bits");
    }
    return 0;
}

int fe_cert_parse(struct fe_view chain_pem, struct fe_view key_pem, struct fe_cert **cert,
                  enum fe_cert_part *part, struct flatend_error *err)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    enum fe_cert_part ignored = FE_CERT_PART_CHAIN;
    X509 *leaf = NULL;
    EVP_PKEY *key = NULL;
    int code;

    *cert = NULL;
    part = part != NULL ? part : &ignored;
    *part = FE_CERT_PART_CHAIN;
    ERR_clear_error();
    if (chain_pem.len > FE_CERT_PEM_MAX || key_pem.len > FE_CERT_PEM_MAX) {
        code = fe_err_set(err, FLATEND_ETOOBIG, "larger than %d bytes", FE_CERT_PEM_MAX);
    } else if (chain == NULL) {
        code = fe_openssl_fail(err, FLATEND_ENOMEM, "certificate");
    } else {
        code = parse_chain(chain_pem, &leaf, chain, err);
    }
    if (code == 0) {
        *part = FE_CERT_PART_KEY;
        code = parse_key(key_pem, &key, err);
    }
    if (code == 0) {
        code = check_key(leaf, key, err);
    }
    if (code == 0) {
        *part = FE_CERT_PART_CHAIN;
        code = fe_cert_new(leaf, chain, key, cert);
        return code == 0
                   ? 0
                   : fe_err_set(err, code, "the certificate's names: %s", flatend_strerror(code));
    }
    X509_free(leaf);
    sk_X509_pop_free(chain, X509_free);
    EVP_PKEY_free(key);
    return code;
}

int fe_cert_load(const char *chain_path, const char *key_path, struct fe_cert **cert,
                 enum fe_cert_part *part, struct flatend_error *err)
{
    enum { OTHERS = 0007 };
    enum fe_cert_part ignored = FE_CERT_PART_CHAIN;
    struct fe_buf chain;
    struct fe_buf key;
    unsigned mode = 0;
    int code;

    *cert = NULL;
    part = part != NULL ? part : &ignored;
    *part = FE_CERT_PART_CHAIN;
    fe_buf_init(&chain, FE_CERT_PEM_MAX);
    fe_buf_init(&key, FE_CERT_PEM_MAX);
    code = fe_file_read(chain_path, &chain, NULL, err);
    if (code == 0) {
        *part = FE_CERT_PART_KEY;
        code = fe_file_read(key_path, &key, &mode, err);
    }
    if (code == 0) {
        code = fe_cert_parse(fe_buf_view(&chain), fe_buf_view(&key), cert, part, err);
        if (code != 0) {
            (void)fe_err_wrap(err, "'%s'", *part == FE_CERT_PART_KEY ? key_path : chain_path);
        }
    }
    if (*cert != NULL) {
        (*cert)->is_key_exposed = (mode & OTHERS) != 0;
    }
    fe_buf_deinit(&chain);
    fe_file_wipe(&key); /* what was read is a secret */
    return code;
}
