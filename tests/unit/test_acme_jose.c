/* base64url, keys and signed requests, beside vectors: RFC 4648, RFC 7515 appendix A, and what
 * Node.js makes of the same keys. */
#include <jansson.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "web/acme/base64url.h"
#include "web/acme/jws.h"
#include "web/acme/key.h"

/* RFC 7515 appendix A.3.1, as PKCS #8. */
static const char KEY[] = "-----BEGIN PRIVATE KEY-----\n"
                          "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff\n"
                          "H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp\n"
                          "7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt\n"
                          "-----END PRIVATE KEY-----\n";

static int setup(void **state)
{
    *state = fe_acme_key_from_pem(fe_view_str(KEY));
    return *state != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    fe_acme_key_free(*state);
    return 0;
}

/* ---- base64url ------------------------------------------------------------------------------ */

static const struct {
    const char *bytes;
    const char *text;
} VECTORS[] = {
    {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
    {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xff\xef\xbe", "_---"},
};

static void test_base64url_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(VECTORS) / sizeof(VECTORS[0]); i++) {
        const struct fe_view bytes = fe_view_str(VECTORS[i].bytes);
        char text[16];
        uint8_t back[16];
        size_t len = 99;

        fe_base64url_encode(bytes, text);
        assert_string_equal(text, VECTORS[i].text);
        assert_int_equal(strlen(text), fe_base64url_size(bytes.len));
        assert_int_equal(
            fe_base64url_decode(fe_view_str(VECTORS[i].text), back, sizeof(back), &len), 0);
        assert_true(fe_view_equal(fe_view_of(back, len), bytes));
    }
}

static void test_base64url_errors(void **state)
{
    static const char *const bad[] = {"Z", "Zg==", "Zh", "Zm9", "Zm+v", "Zm/v", "Zm9vY", "Zm 9v"};
    uint8_t out[8];
    size_t len;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(fe_base64url_decode(fe_view_str(bad[i]), out, sizeof(out), &len),
                         FLATEND_ESYNTAX);
    }
    assert_int_equal(fe_base64url_decode(FE_VIEW_LIT("Zm9vYmFy"), out, 5, &len), FLATEND_EOVERFLOW);
    assert_int_equal(fe_base64url_decode(FE_VIEW_LIT("Zm9vYmFy"), out, 6, &len), 0);
    assert_true(fe_is_base64url(FE_VIEW_LIT("aZ09-_")));
    assert_false(fe_is_base64url(FE_VIEW_LIT("")));
    assert_false(fe_is_base64url(FE_VIEW_LIT("a=")));
}

/* ---- keys ----------------------------------------------------------------------------------- */

static void test_jwk_and_thumbprint(void **state)
{
    char jwk[FE_ACME_JWK_MAX];
    char thumbprint[FE_ACME_THUMBPRINT_MAX];

    assert_int_equal(fe_acme_key_jwk(*state, jwk), 0);
    assert_string_equal(jwk, "{\"crv\":\"P-256\",\"kty\":\"EC\","
                             "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                             "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}");
    assert_int_equal(fe_acme_key_thumbprint(*state, thumbprint), 0);
    assert_string_equal(thumbprint, "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
}

static void test_key_types(void **state)
{
    (void)state;
    for (unsigned type = FE_ACME_P256; type <= FE_ACME_RSA2048; type++) {
        struct evp_pkey_st *key = fe_acme_key_generate((enum fe_acme_key_type)type);
        struct evp_pkey_st *back;
        uint8_t signature[FE_ACME_SIGNATURE_LEN];
        char jwk[FE_ACME_JWK_MAX];
        struct fe_buf pem;

        assert_non_null(key);
        fe_buf_init(&pem, FE_ACME_PEM_KEY_MAX);
        assert_int_equal(fe_acme_key_to_pem(key, &pem), 0);
        back = fe_acme_key_from_pem(fe_buf_view(&pem));
        for (unsigned other = FE_ACME_P256; other <= FE_ACME_RSA2048; other++) {
            assert_int_equal(fe_acme_key_is(back, (enum fe_acme_key_type)other), other == type);
        }
        assert_int_equal(EVP_PKEY_eq(key, back), 1);
        assert_int_equal(fe_acme_key_jwk(key, jwk), type == FE_ACME_P256 ? 0 : FLATEND_EKEY);
        assert_int_equal(fe_acme_key_sign(key, FE_VIEW_LIT("x"), signature),
                         type == FE_ACME_P256 ? 0 : FLATEND_EKEY);
        fe_acme_key_free(key);
        fe_acme_key_free(back);
        fe_buf_deinit(&pem);
    }
}

static void test_no_key(void **state)
{
    (void)state;
    assert_null(fe_acme_key_from_pem(FE_VIEW_LIT("")));
    assert_null(fe_acme_key_from_pem(FE_VIEW_LIT("-----BEGIN PRIVATE KEY-----\nAAAA\n")));
    /* OpenSSL does not ask for a passphrase. */
    assert_null(fe_acme_key_from_pem(FE_VIEW_LIT("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIHsMFcG\n"
                                                 "-----END ENCRYPTED PRIVATE KEY-----\n")));
}

/* ---- signed requests ------------------------------------------------------------------------ */

/* ES256 as a receiver checks it. */
static bool verifies(struct evp_pkey_st *key, const char *input, const char *signature_text)
{
    uint8_t raw[FE_ACME_SIGNATURE_LEN];
    uint8_t der[128];
    uint8_t *at = der;
    size_t len = 0;
    ECDSA_SIG *signature = ECDSA_SIG_new();
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool is_good;
    int n;

    assert_int_equal(fe_base64url_decode(fe_view_str(signature_text), raw, sizeof(raw), &len), 0);
    assert_int_equal(len, sizeof(raw));
    ECDSA_SIG_set0(signature, BN_bin2bn(raw, 32, NULL), BN_bin2bn(raw + 32, 32, NULL));
    n = i2d_ECDSA_SIG(signature, &at);
    is_good = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestVerify(ctx, der, (size_t)n, (const uint8_t *)input, strlen(input)) == 1;
    EVP_MD_CTX_free(ctx);
    ECDSA_SIG_free(signature);
    return is_good;
}

static void test_vector_verifies(void **state)
{
    assert_true(
        verifies(*state,
                 "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0"
                 "dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
                 "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJ"
                 "qPP3-Kg6NU1Q"));
}

static void check_jws(struct evp_pkey_st *key, const char *kid, const char *payload,
                      const char *header)
{
    const struct fe_acme_jws jws = {
        .key = key,
        .kid = kid,
        .nonce = "n-1",
        .url = "https://ca.test/x",
        .payload = fe_view_str(payload),
    };
    char text[1024];
    char input[2048];
    size_t len;
    struct fe_buf out;
    json_t *root;

    fe_buf_init(&out, FE_ACME_JWS_MAX);
    assert_int_equal(fe_acme_jws_encode(&jws, &out), 0);
    root = json_loadb((const char *)out.data, out.len, JSON_REJECT_DUPLICATES, NULL);
    assert_int_equal(json_object_size(root), 3);
    snprintf(input, sizeof(input), "%s.%s", json_string_value(json_object_get(root, "protected")),
             json_string_value(json_object_get(root, "payload")));
    assert_true(verifies(key, input, json_string_value(json_object_get(root, "signature"))));
    input[0] ^= 1;
    assert_false(verifies(key, input, json_string_value(json_object_get(root, "signature"))));
    assert_int_equal(
        fe_base64url_decode(fe_view_str(json_string_value(json_object_get(root, "protected"))),
                            (uint8_t *)text, sizeof(text) - 1, &len),
        0);
    text[len] = '\0';
    assert_string_equal(text, header);
    assert_int_equal(
        fe_base64url_decode(fe_view_str(json_string_value(json_object_get(root, "payload"))),
                            (uint8_t *)text, sizeof(text) - 1, &len),
        0);
    assert_true(fe_view_equal(fe_view_of(text, len), fe_view_str(payload)));
    json_decref(root);
    fe_buf_deinit(&out);
}

static void test_jws(void **state)
{
    check_jws(*state, "https://ca.test/account/1", "{\"a\":1}",
              "{\"alg\":\"ES256\",\"kid\":\"https://ca.test/account/1\",\"nonce\":\"n-1\","
              "\"url\":\"https://ca.test/x\"}");
    check_jws(*state, NULL, "",
              "{\"alg\":\"ES256\",\"jwk\":{\"crv\":\"P-256\",\"kty\":\"EC\","
              "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
              "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},\"nonce\":\"n-1\","
              "\"url\":\"https://ca.test/x\"}");
}

static void test_external_account_binding(void **state)
{
    uint8_t key[64];
    size_t len;
    struct fe_buf out;

    assert_int_equal(
        fe_base64url_decode(
            FE_VIEW_LIT("zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"), key,
            sizeof(key), &len),
        0);
    fe_buf_init(&out, FE_ACME_JWS_MAX);
    assert_int_equal(
        fe_acme_eab_encode(*state, "kid-1", fe_view_of(key, len), "https://ca.test/account", &out),
        0);
    assert_true(fe_view_equal(
        fe_buf_view(&out),
        FE_VIEW_LIT("{\"protected\":\"eyJhbGciOiJIUzI1NiIsImtpZCI6ImtpZC0xIiwidXJsIjoiaHR0cHM6Ly9j"
                    "YS50ZXN0L2FjY291bnQifQ\",\"payload\":\"eyJjcnYiOiJQLTI1NiIsImt0eSI6IkVDIiwieC"
                    "I6ImY4M09KM0QyeEYxQmc4dnViOXRMZTFnSE16Vjc2ZThUdXM5dVBIdlJWRVUiLCJ5IjoieF9GRXpS"
                    "dTltMzZITE5fdHVlNjU5TE5wWFc2cEN5U3Rpa1lqS0lXSTVhMCJ9\",\"signature\":\"X0w2gfv"
                    "ouRGHS3FWgKMb9k3Qvz3gKoUgLxh0Evb19z0\"}")));
    fe_buf_deinit(&out);
}

static void test_urls(void **state)
{
    char text[FE_ACME_URL_MAX + 2];

    (void)state;
    assert_true(fe_acme_is_url("https://ca.test/x?y=1"));
    assert_false(fe_acme_is_url("http://ca.test/"));
    assert_false(fe_acme_is_url("https://"));
    assert_false(fe_acme_is_url(""));
    assert_false(fe_acme_is_url("https://ca.test/\"")); /* would end a string in the header */
    assert_false(fe_acme_is_url("https://ca.test/\\"));
    assert_false(fe_acme_is_url("https://ca.test/ x"));
    assert_false(fe_acme_is_url("https://ca.test/\r\nx"));
    assert_false(fe_acme_is_url("https://ca.test/\xc3\xa4"));
    memset(text, 'a', sizeof(text));
    memcpy(text, "https://", 8);
    text[FE_ACME_URL_MAX + 1] = '\0';
    assert_false(fe_acme_is_url(text));
    text[FE_ACME_URL_MAX] = '\0';
    assert_true(fe_acme_is_url(text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64url_vectors),
        cmocka_unit_test(test_base64url_errors),
        cmocka_unit_test(test_jwk_and_thumbprint),
        cmocka_unit_test(test_key_types),
        cmocka_unit_test(test_no_key),
        cmocka_unit_test(test_vector_verifies),
        cmocka_unit_test(test_jws),
        cmocka_unit_test(test_external_account_binding),
        cmocka_unit_test(test_urls),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
