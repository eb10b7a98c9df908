/* Certificates that we make: self-signed ones, and those of the local CA. */
#include <openssl/err.h>
#include <openssl/rand.h>

#include "ground/base/assert.h"
#include "web/tls/openssl.h"

enum {
    HOUR_S = 3600,
    SELF_SIGNED_DAYS = 90,
    CN_MAX = 64, /* X.520: ub-common-name */
};

EVP_PKEY *fe_key_new(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");

    ERR_clear_error();
    return key;
}

/* RFC 5280 §4.1.2.2: positive, at most 20 octets; random, so that no two are equal. */
static bool set_serial(X509 *x509)
{
    unsigned char bytes[16];
    BIGNUM *number;
    bool is_set;

    if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
        return false;
    }
    bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40);
    number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    is_set = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)) != NULL;
    BN_free(number);
    return is_set;
}

static bool set_subject(X509 *x509, const struct fe_cert_spec *spec)
{
    X509_NAME *name = X509_get_subject_name(x509);
    struct fe_view cn = {0};

    if (spec->common_name != NULL) {
        cn = fe_view_str(spec->common_name);
    } else if (spec->n_names > 0) {
        cn = spec->names[0];
    }
    if (spec->is_ca &&
        X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)"flatend", -1,
                                   -1, 0) != 1) {
        return false;
    }
    /* A longer one is left out: clients look at subjectAltName only. */
    return cn.len == 0 || cn.len > CN_MAX ||
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, cn.ptr, (int)cn.len, -1, 0) == 1;
}

static GENERAL_NAME *general_name(struct fe_view name)
{
    char text[FE_NAME_MAX + 1];

    if (name.len >= sizeof(text)) {
        return NULL;
    }
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    return a2i_GENERAL_NAME(NULL, NULL, NULL, fe_name_is_address(name) ? GEN_IPADD : GEN_DNS, text,
                            0);
}

static bool add_names(X509 *x509, const struct fe_cert_spec *spec)
{
    GENERAL_NAMES *names = spec->n_names > 0 ? GENERAL_NAMES_new() : NULL;
    bool is_good = names != NULL;

    if (spec->n_names == 0) {
        return true;
    }
    for (size_t i = 0; is_good && i < spec->n_names; i++) {
        GENERAL_NAME *name = general_name(spec->names[i]);

        is_good = name != NULL && sk_GENERAL_NAME_push(names, name) > 0;
        if (!is_good) {
            GENERAL_NAME_free(name);
        }
    }
    is_good =
        is_good && X509_add1_ext_i2d(x509, NID_subject_alt_name, names, 0, X509V3_ADD_APPEND) == 1;
    GENERAL_NAMES_free(names);
    return is_good;
}

static bool add_extension(X509 *x509, X509V3_CTX *ctx, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, ctx, nid, value);
    bool is_added = extension != NULL && X509_add_ext(x509, extension, -1) == 1;

    X509_EXTENSION_free(extension);
    return is_added;
}

static bool add_extensions(X509 *x509, const struct fe_cert_spec *spec)
{
    X509 *issuer = spec->issuer != NULL ? spec->issuer : x509;
    X509V3_CTX ctx;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);
    return add_extension(x509, &ctx, NID_basic_constraints,
                         spec->is_ca ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE") &&
           add_extension(x509, &ctx, NID_key_usage,
                         spec->is_ca ? "critical,keyCertSign,cRLSign"
                                     : "critical,digitalSignature") &&
           (spec->is_ca || add_extension(x509, &ctx, NID_ext_key_usage, "serverAuth")) &&
           (spec->name_constraints == NULL ||
            add_extension(x509, &ctx, NID_name_constraints, spec->name_constraints)) &&
           add_extension(x509, &ctx, NID_subject_key_identifier, "hash") &&
           (spec->issuer == NULL ||
            add_extension(x509, &ctx, NID_authority_key_identifier, "keyid:always"));
}

X509 *fe_x509_make(const struct fe_cert_spec *spec, EVP_PKEY *key, EVP_PKEY *signer)
{
    X509 *x509 = X509_new();
    bool is_made;

    FE_ASSERT(key != NULL && signer != NULL, "a certificate has a key and is signed");
    FE_ASSERT(!spec->is_ca || spec->issuer == NULL, "a CA signs itself");
    is_made = x509 != NULL && X509_set_version(x509, X509_VERSION_3) == 1 && set_serial(x509) &&
              ASN1_TIME_set(X509_getm_notBefore(x509), (time_t)spec->not_before_s) != NULL &&
              ASN1_TIME_set(X509_getm_notAfter(x509), (time_t)spec->not_after_s) != NULL &&
              X509_set_pubkey(x509, key) == 1 && set_subject(x509, spec) &&
              X509_set_issuer_name(
                  x509, X509_get_subject_name(spec->issuer != NULL ? spec->issuer : x509)) == 1 &&
              add_names(x509, spec) && add_extensions(x509, spec) &&
              X509_sign(x509, signer, EVP_sha256()) > 0;
    if (!is_made) {
        ERR_clear_error();
        X509_free(x509);
        return NULL;
    }
    return x509;
}

int fe_cert_self_signed(const struct fe_view *names, size_t n_names, int64_t now_s,
                        struct fe_cert **cert)
{
    const struct fe_cert_spec spec = {
        .names = names,
        .n_names = n_names,
        .common_name = n_names == 0 ? "flatend" : NULL,
        .not_before_s = now_s - HOUR_S, /* clocks differ */
        .not_after_s = now_s + SELF_SIGNED_DAYS * INT64_C(24) * HOUR_S,
    };
    EVP_PKEY *key = fe_key_new();
    X509 *x509 = key != NULL ? fe_x509_make(&spec, key, key) : NULL;

    *cert = NULL;
    if (x509 == NULL) {
        EVP_PKEY_free(key);
        return FLATEND_ENOMEM;
    }
    return fe_cert_new(x509, NULL, key, cert);
}
