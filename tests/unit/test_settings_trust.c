/* Which keys a node trusts, from its options: what is refused, and that the rest is copied. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mesh/crypto/crypto.h"
#include "mesh/node/options.h"

static char secret[FE_MESH_SECRET_MAX + 1];
static struct flatend_public_key keys[FE_TRUST_ENTRIES_MAX + 1];

static void expect_refused(const struct flatend_options *options, const char *text)
{
    struct fe_settings settings;
    struct flatend_error error = {0};

    assert_int_equal(fe_settings_init(&settings, options, &error), FLATEND_EINVAL);
    assert_string_equal(error.text, text);
}

static void all_peers_are_allowed_by_default(void **state)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct fe_settings settings;

    (void)state;
    assert_int_equal(fe_settings_init(&settings, &options, NULL), 0);
    assert_false(settings.trust.require_secure);
    assert_false(settings.trust.has_secret);
    assert_int_equal(settings.trust.n_allowed, 0);
    assert_int_equal(settings.trust.n_rules, 0);
    assert_true(fe_settings_trust_all(&settings));
    fe_settings_deinit(&settings);
}

/* A peer with the secure session may still have any key. */
static void require_secure_trusts_all(void **state)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct fe_settings settings;

    (void)state;
    options.require_secure = true;
    assert_int_equal(fe_settings_init(&settings, &options, NULL), 0);
    assert_true(settings.trust.require_secure);
    assert_true(fe_settings_trust_all(&settings));
    fe_settings_deinit(&settings);
}

static void the_length_of_a_mesh_secret(void **state)
{
    static const size_t bad[] = {0, 1, FLATEND_MESH_SECRET_MIN - 1, FE_MESH_SECRET_MAX + 1};
    static const size_t good[] = {FLATEND_MESH_SECRET_MIN, 32, FE_MESH_SECRET_MAX};
    struct flatend_options options = FLATEND_OPTIONS_INIT;

    (void)state;
    options.mesh_secret = secret;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        options.mesh_secret_len = bad[i];
        expect_refused(&options, "mesh_secret: must have 16 to 4096 bytes");
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct fe_settings settings;
        uint8_t hash[FE_KEY_LEN];

        options.mesh_secret_len = good[i];
        assert_int_equal(fe_settings_init(&settings, &options, NULL), 0);
        assert_true(settings.trust.has_secret);
        fe_hash(fe_view_of(secret, good[i]), hash);
        assert_memory_equal(settings.trust.secret, hash, FE_KEY_LEN);
        assert_false(fe_settings_trust_all(&settings));
        fe_settings_deinit(&settings);
    }
}

static void allowed_keys(void **state)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_public_key *mine = calloc(2, sizeof(*mine));
    struct fe_settings settings;

    (void)state;
    assert_non_null(mine);
    mine[1].bytes[31] = 7;
    options.allowed_keys = mine;
    options.n_allowed_keys = 2;
    assert_int_equal(fe_settings_init(&settings, &options, NULL), 0);
    free(mine); /* everything is copied */
    assert_int_equal(settings.trust.n_allowed, 2);
    assert_int_equal(settings.trust.allowed[0][31], 0);
    assert_int_equal(settings.trust.allowed[1][31], 7);
    assert_false(fe_settings_trust_all(&settings));
    fe_settings_deinit(&settings);

    options.allowed_keys = keys;
    options.n_allowed_keys = FE_TRUST_ENTRIES_MAX;
    assert_int_equal(fe_settings_init(&settings, &options, NULL), 0);
    fe_settings_deinit(&settings);
    options.n_allowed_keys++;
    expect_refused(&options, "allowed_keys: at most 4096");
}

static void rules(void **state)
{
    char name[] = "guarded";
    struct flatend_service_rule mine[] = {{.service = "a", .keys = keys, .n_keys = 1},
                                          {.service = name, .keys = keys, .n_keys = 2}};
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct fe_settings settings;

    (void)state;
    options.service_rules = mine;
    options.n_service_rules = 2;
    assert_int_equal(fe_settings_init(&settings, &options, NULL), 0);
    name[0] = 'G';
    memset(mine, 0, sizeof(mine));
    assert_int_equal(settings.trust.n_rules, 2);
    assert_true(fe_view_equal(settings.trust.rules[1].service, FE_VIEW_LIT("guarded")));
    assert_int_equal(settings.trust.rules[1].n_keys, 2);
    assert_false(fe_settings_trust_all(&settings));
    fe_settings_deinit(&settings);
}

static void rules_that_are_none(void **state)
{
    static char long_name[FE_SERVICE_NAME_MAX + 2];
    const struct {
        struct flatend_service_rule rule;
        const char *text;
    } cases[] = {
        {{.service = NULL, .keys = keys, .n_keys = 1},
         "service_rules[1]: the name must have 1 to 255 bytes"},
        {{.service = "", .keys = keys, .n_keys = 1},
         "service_rules[1]: the name must have 1 to 255 bytes"},
        {{.service = long_name, .keys = keys, .n_keys = 1},
         "service_rules[1]: the name must have 1 to 255 bytes"},
        {{.service = "b", .keys = keys, .n_keys = 0},
         "service_rules[1]: 'b' must have 1 to 4096 keys"},
        {{.service = "b", .keys = keys, .n_keys = FE_TRUST_ENTRIES_MAX + 1},
         "service_rules[1]: 'b' must have 1 to 4096 keys"},
    };
    struct flatend_service_rule mine[2] = {{.service = "a", .keys = keys, .n_keys = 1}};
    struct flatend_options options = FLATEND_OPTIONS_INIT;

    (void)state;
    memset(long_name, 'x', FE_SERVICE_NAME_MAX + 1);
    options.service_rules = mine;
    options.n_service_rules = 2;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        mine[1] = cases[i].rule;
        expect_refused(&options, cases[i].text);
    }
    options.n_service_rules = FE_TRUST_ENTRIES_MAX + 1;
    expect_refused(&options, "service_rules: at most 4096");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_peers_are_allowed_by_default),
        cmocka_unit_test(require_secure_trusts_all),
        cmocka_unit_test(the_length_of_a_mesh_secret),
        cmocka_unit_test(allowed_keys),
        cmocka_unit_test(rules),
        cmocka_unit_test(rules_that_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
