/* [acme]: what it may say, and what is said about mistakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/config/config.h"
#include "support/pem.h"

enum { TEXT_MAX = 4096 };

static struct temp_dir dir;

static int set_up(void **state)
{
    struct pem pem;

    (void)state;
    temp_dir_make(&dir);
    pem_make(&pem, "ca.test", 60);
    pem_write(&pem, &dir, "ca");
    temp_dir_write(&dir, "hmac", "c2VjcmV0\n", 9);
    temp_dir_write(&dir, "empty", "", 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    temp_dir_remove(&dir);
    return 0;
}

static struct fe_config *parse(const char *text)
{
    struct flatend_error err = {0};
    struct fe_config *config;

    if (fe_config_parse("config.toml", fe_view_str(text), &config, &err) != 0) {
        fail_msg("%s", err.text);
    }
    return config;
}

static void test_defaults(void **state)
{
    struct fe_config *config = parse("");
    const struct fe_config_acme *const acme = &config->acme;

    (void)state;
    assert_string_equal(acme->directory, "https://acme-v02.api.letsencrypt.org/directory");
    assert_null(acme->ca_file);
    assert_int_equal(acme->n_contacts, 0);
    assert_int_equal(acme->key_type, FE_ACME_P256);
    assert_null(acme->eab_key_id);
    assert_int_equal(acme->n_challenges, 2);
    assert_int_equal(acme->challenges[0], FE_ACME_HTTP_01);
    assert_int_equal(acme->challenges[1], FE_ACME_TLS_ALPN_01);
    assert_int_equal(acme->retry_min_ms, 60000);
    fe_config_unref(config);
}

static void test_everything(void **state)
{
    char text[TEXT_MAX];
    struct fe_config *config;
    const struct fe_config_acme *acme;

    (void)state;
    snprintf(text, sizeof(text),
             "[acme]\ndirectory = \"https://ca.test/dir\"\nca_file = \"%s/ca.pem\"\n"
             "contact = \"a@a.test\"\ncontacts = [\"mailto:b@a.test\"]\nkey_type = \"rsa2048\"\n"
             "challenges = [\"tls-alpn-01\"]\neab_key_id = \"k\"\n"
             "eab_hmac_key_file = \"%s/hmac\"\nretry_min = \"5m\"\n",
             dir.path, dir.path);
    config = parse(text);
    acme = &config->acme;
    assert_string_equal(acme->directory, "https://ca.test/dir");
    assert_int_equal(acme->n_contacts, 2);
    assert_string_equal(acme->contacts[0], "mailto:a@a.test");
    assert_string_equal(acme->contacts[1], "mailto:b@a.test");
    assert_int_equal(acme->key_type, FE_ACME_RSA2048);
    assert_int_equal(acme->n_challenges, 1);
    assert_int_equal(acme->challenges[0], FE_ACME_TLS_ALPN_01);
    assert_string_equal(acme->eab_key_id, "k");
    assert_true(fe_view_equal(acme->eab_hmac_key, FE_VIEW_LIT("secret")));
    assert_int_equal(acme->retry_min_ms, 300000);
    fe_config_unref(config);
}

static void test_staging(void **state)
{
    struct fe_config *config =
        parse("[acme]\nstaging = true\neab_key_id = \"k\"\neab_hmac_key = \"c2VjcmV0\"\n");

    (void)state;
    assert_string_equal(config->acme.directory,
                        "https://acme-staging-v02.api.letsencrypt.org/directory");
    assert_true(fe_view_equal(config->acme.eab_hmac_key, FE_VIEW_LIT("secret")));
    fe_config_unref(config);
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *text;
        const char *error; /* after "config.toml:" */
    } cases[] = {
        {"acme = 7\n", "1:8: "},
        {"[acme]\nurl = \"x\"\n", "2:1: unknown key 'url' in [acme]"},
        {"[acme]\ndirectory = \"http://ca.test/\"\n",
         "2:13: expected the https URL of an ACME directory"},
        {"[acme]\ndirectory = \"https://ca.test/\"\nstaging = true\n",
         "3:11: 'staging' and 'directory' exclude each other"},
        {"[acme]\nca_file = \"nowhere.pem\"\n", "2:11: "},
        {"[acme]\ncontact = \"somebody\"\n",
         "2:11: expected a mail address such as \"you@example.org\""},
        {"[acme]\nkey_type = \"dsa\"\n", "2:12: expected \"p256\", \"p384\" or \"rsa2048\""},
        {"[acme]\nchallenges = [\"http-01\", \"dns-01\"]\n",
         "2:26: expected \"http-01\" and \"tls-alpn-01\", each at most once"},
        {"[acme]\nchallenges = [\"http-01\", \"http-01\"]\n", "2:26: "},
        {"[acme]\nchallenges = [\"http-01\", \"tls-alpn-01\", 5]\n", "2:41: "},
        {"[acme]\neab_key_id = \"k\"\n",
         "2:14: an external account needs both 'eab_key_id' and 'eab_hmac_key'"},
        {"[acme]\neab_hmac_key = \"c2VjcmV0\"\n", "2:16: an external account needs both"},
        {"[acme]\neab_key_id = \"a\\\"b\"\neab_hmac_key = \"c2VjcmV0\"\n",
         "2:14: expected the key's id as the CA gave it"},
        {"[acme]\neab_key_id = \"k\"\neab_hmac_key = \"c2VjcmV0==\"\n",
         "3:16: expected the HMAC key as the CA gave it"},
        {"[acme]\neab_key_id = \"k\"\neab_hmac_key = \"c2VjcmV0\"\n"
         "eab_hmac_key_file = \"x\"\n",
         "4:21: either 'eab_hmac_key' or 'eab_hmac_key_file', not both"},
        {"[acme]\neab_key_id = \"k\"\neab_hmac_key_file = \"nowhere\"\n",
         "3:21: 'nowhere': No such file"},
        {"[acme]\nretry_min = \"0\"\n", "2:13: 'retry_min' must be positive"},
        {"[[http]]\nhttps = true\ndomain = \"*.a.test\"\n", "3:10: no certificate by ACME"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct flatend_error err = {0};
        struct fe_config *config;
        char expected[256];
        /* FLATEND_ENOENT would say that the configuration itself is not there. */
        const int code = fe_config_parse("config.toml", fe_view_str(cases[i].text), &config, &err);

        snprintf(expected, sizeof(expected), "config.toml:%s", cases[i].error);
        if (code != FLATEND_EINVAL || strncmp(err.text, expected, strlen(expected)) != 0) {
            fail_msg("%s\n%d: %s", cases[i].text, code, err.text);
        }
        assert_null(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_staging),
        cmocka_unit_test(test_mistakes),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
