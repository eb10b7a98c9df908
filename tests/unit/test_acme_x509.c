/* Certificate requests, chains, and the certificates of TLS-ALPN-01. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "web/acme/key.h"
#include "web/acme/x509.h"
#include "web/tls/openssl.h"

#define NOW_S INT64_C(1800000000)

static const char *const NAMES[] = {"a.test", "b.test"};

static int setup(void **state)
{
    *state = fe_acme_key_generate(FE_ACME_P256);
    return *state != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    fe_acme_key_free(*state);
    return 0;
}

/* ---- requests ------------------------------------------------------------------------------- */

static void check_request(enum fe_acme_key_type type)
{
    struct evp_pkey_st *key = fe_acme_key_generate(type);
    const uint8_t *at;
    struct fe_buf der;
    X509_REQ *request;
    STACK_OF(X509_EXTENSION) * extensions;
    GENERAL_NAMES *names;

    fe_buf_init(&der, 64 * 1024);
    assert_int_equal(fe_acme_csr_encode(key, NAMES, 2, &der), 0);
    at = der.data;
    request = d2i_X509_REQ(NULL, &at, (long)der.len);
    assert_non_null(request);
    assert_int_equal(X509_REQ_verify(request, key), 1);
    assert_int_equal(X509_NAME_entry_count(X509_REQ_get_subject_name(request)), 0);
    extensions = X509_REQ_get_extensions(request);
    assert_int_equal(sk_X509_EXTENSION_num(extensions), 1);
    names = X509V3_get_d2i(extensions, NID_subject_alt_name, NULL, NULL);
    assert_int_equal(sk_GENERAL_NAME_num(names), 2);
    for (int i = 0; i < 2; i++) {
        const GENERAL_NAME *const name = sk_GENERAL_NAME_value(names, i);

        assert_int_equal(name->type, GEN_DNS);
        assert_true(fe_view_equal(fe_view_of(ASN1_STRING_get0_data(name->d.dNSName),
                                             (size_t)ASN1_STRING_length(name->d.dNSName)),
                                  fe_view_str(NAMES[i])));
    }
    GENERAL_NAMES_free(names);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    X509_REQ_free(request);
    fe_buf_deinit(&der);
    fe_acme_key_free(key);
}

static void test_requests(void **state)
{
    (void)state;
    check_request(FE_ACME_P256);
    check_request(FE_ACME_P384);
    check_request(FE_ACME_RSA2048);
}

/* ---- chains --------------------------------------------------------------------------------- */

/* RFC 9773 §4.1: the certificate of its example, as far as its id goes. */
static X509 *make_example(struct evp_pkey_st *key)
{
    static const uint8_t key_id[] = {0x69, 0x88, 0x5b, 0x6b, 0x87, 0x46, 0x40, 0x41, 0xe1, 0xb3,
                                     0x7b, 0x84, 0x7b, 0xa0, 0xae, 0x2c, 0xde, 0x01, 0xc8, 0xd4};
    struct fe_view names[] = {fe_view_str(NAMES[0]), fe_view_str(NAMES[1])};
    const struct fe_cert_spec spec = {
        .names = names, .n_names = 2, .not_before_s = NOW_S, .not_after_s = NOW_S + 90 * 86400};
    X509 *cert = fe_x509_make(&spec, key, key);
    AUTHORITY_KEYID *authority = AUTHORITY_KEYID_new();
    BIGNUM *serial = NULL;

    authority->keyid = ASN1_OCTET_STRING_new();
    assert_int_equal(ASN1_OCTET_STRING_set(authority->keyid, key_id, sizeof(key_id)), 1);
    assert_int_equal(
        X509_add1_ext_i2d(cert, NID_authority_key_identifier, authority, 0, X509V3_ADD_DEFAULT), 1);
    AUTHORITY_KEYID_free(authority);
    assert_true(BN_hex2bn(&serial, "87654321") > 0);
    assert_non_null(BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert)));
    BN_free(serial);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    return cert;
}

/* `n` times the same certificate, in PEM. */
static void make_chain(struct evp_pkey_st *key, unsigned n, struct fe_buf *pem)
{
    X509 *cert = make_example(key);
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    long len;

    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(PEM_write_bio_X509(bio, cert), 1);
    }
    len = BIO_get_mem_data(bio, &text);
    fe_buf_init(pem, 1 << 20);
    assert_int_equal(fe_buf_append(pem, text, (size_t)len), 0);
    BIO_free(bio);
    X509_free(cert);
}

static void test_chain(void **state)
{
    struct fe_acme_cert_info info;
    struct flatend_error err = {0};
    struct fe_buf pem;

    make_chain(*state, 2, &pem);
    assert_int_equal(fe_acme_chain_check(fe_buf_view(&pem), *state, NAMES, 2, &info, &err), 0);
    assert_int_equal(info.not_before_s, NOW_S);
    assert_int_equal(info.not_after_s, NOW_S + 90 * 86400);
    assert_string_equal(info.id, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"); /* RFC 9773 §4.1 */
    assert_int_equal(ERR_peek_error(), 0);
    fe_buf_deinit(&pem);
}

static void test_chain_for_others(void **state)
{
    static const char *const other[] = {"a.test", "c.test"};
    struct evp_pkey_st *key = fe_acme_key_generate(FE_ACME_P256);
    struct fe_acme_cert_info info;
    struct flatend_error err = {0};
    struct fe_buf pem;

    make_chain(*state, 1, &pem);
    assert_int_equal(fe_acme_chain_check(fe_buf_view(&pem), key, NAMES, 2, &info, &err),
                     FLATEND_EKEY);
    assert_string_equal(err.text, "the certificate is for another key");
    assert_int_equal(fe_acme_chain_check(fe_buf_view(&pem), *state, other, 2, &info, &err),
                     FLATEND_EINVAL);
    assert_string_equal(err.text, "the certificate is not for c.test");
    fe_buf_deinit(&pem);
    fe_acme_key_free(key);
}

static void check_broken(struct fe_view pem, int code)
{
    struct fe_acme_cert_info info;
    struct flatend_error err = {0};

    assert_int_equal(fe_acme_chain_check(pem, NULL, NAMES, 2, &info, &err), code);
    assert_true(err.text[0] != '\0');
    assert_int_equal(ERR_peek_error(), 0);
}

static void test_broken_chains(void **state)
{
    static uint8_t zeros[FE_ACME_CHAIN_MAX + 1];
    struct fe_buf pem;

    check_broken(fe_view_of(NULL, 0), FLATEND_ESYNTAX);
    check_broken(FE_VIEW_LIT("hello"), FLATEND_ESYNTAX);
    check_broken(FE_VIEW_LIT("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
                 FLATEND_ESYNTAX);
    check_broken(fe_view_of(zeros, sizeof(zeros)), FLATEND_ETOOBIG);
    make_chain(*state, 2, &pem);
    check_broken(fe_view_of(pem.data, pem.len - 40), FLATEND_ESYNTAX); /* the second breaks off */
    fe_buf_deinit(&pem);
    make_chain(*state, FE_ACME_CHAIN_CERTS_MAX + 1, &pem);
    check_broken(fe_buf_view(&pem), FLATEND_ETOOBIG);
    fe_buf_deinit(&pem);
}

/* ---- TLS-ALPN-01, RFC 8737 §3 --------------------------------------------------------------- */

static void test_challenge_certificate(void **state)
{
    static const uint8_t oid[] = {0x2b, 6, 1, 5, 5, 7, 1, 31};
    const struct fe_view text = FE_VIEW_LIT("token.thumbprint");
    uint8_t expected[2 + SHA256_DIGEST_LENGTH] = {4, SHA256_DIGEST_LENGTH};
    struct fe_cert *cert;
    bool is_found = false;

    (void)state;
    SHA256(text.ptr, text.len, expected + 2);
    assert_int_equal(fe_acme_alpn_certificate("a.test", text, NOW_S, &cert), 0);
    assert_true(fe_cert_covers(cert, FE_VIEW_LIT("a.test")));
    assert_int_equal(sk_GENERAL_NAME_num(cert->names), 1);
    assert_true(fe_cert_not_before(cert) < NOW_S && fe_cert_not_after(cert) > NOW_S);
    assert_int_equal(X509_verify(cert->leaf, cert->key), 1);
    for (int i = 0; i < X509_get_ext_count(cert->leaf); i++) {
        X509_EXTENSION *const extension = X509_get_ext(cert->leaf, i);
        const ASN1_OBJECT *const object = X509_EXTENSION_get_object(extension);
        const ASN1_OCTET_STRING *const value = X509_EXTENSION_get_data(extension);

        if (OBJ_length(object) == sizeof(oid) &&
            memcmp(OBJ_get0_data(object), oid, sizeof(oid)) == 0) {
            is_found = true;
            assert_int_equal(X509_EXTENSION_get_critical(extension), 1);
            assert_int_equal(ASN1_STRING_length(value), sizeof(expected));
            assert_memory_equal(ASN1_STRING_get0_data(value), expected, sizeof(expected));
        }
    }
    assert_true(is_found);
    fe_cert_unref(cert);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_chain_for_others),
        cmocka_unit_test(test_broken_chains),
        cmocka_unit_test(test_challenge_certificate),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
