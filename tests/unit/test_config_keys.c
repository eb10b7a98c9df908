/* Each key of the table keeps what its line says: its type, its bounds, its default. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/config/table.h"
#include "gateway/config/units.h"

enum { TEXT_MAX = 512 };

/* What leads to each table in a file. */
static const char *const HEADS[] = {
    [FE_TABLE_TOP] = "",
    [FE_TABLE_ACME] = "[acme]\n",
    [FE_TABLE_MESH] = "[mesh]\n",
    [FE_TABLE_RULE] = "[[mesh.services]]\n",
    [FE_TABLE_HTTP] = "[[http]]\n",
    [FE_TABLE_CERT] = "[[http]]\nhttps = true\n[[http.certificates]]\n",
    [FE_TABLE_ROUTE] = "[[http]]\n[[http.routes]]\n",
};

static unsigned count_lines(const char *text)
{
    unsigned n = 0;

    for (; *text != '\0'; text++) {
        n += *text == '\n' ? 1 : 0;
    }
    return n;
}

/* What is said about `name = value` in a table, behind its place, which is checked; "": nothing. */
static void complain(size_t table, const char *name, const char *value, char message[TEXT_MAX])
{
    struct fe_config *config;
    struct flatend_error err = {0};
    char text[TEXT_MAX];
    char place[64];
    int code;

    snprintf(text, sizeof(text), "%s%s = %s\n", HEADS[table], name, value);
    snprintf(place, sizeof(place), "x:%u:%zu: ", count_lines(HEADS[table]) + 1, strlen(name) + 4);
    code = fe_config_parse("x", fe_view_str(text), &config, &err);
    fe_config_unref(config);
    message[0] = '\0';
    if (code != 0 && strncmp(err.text, place, strlen(place)) == 0) {
        snprintf(message, TEXT_MAX, "%s", err.text + strlen(place));
    }
}

typedef void check_fn(size_t table, const struct fe_config_key *key);

static void for_each(check_fn *check)
{
    for (size_t i = 0; i < FE_N_CONFIG_TABLES; i++) {
        for (size_t k = 0; k < FE_CONFIG_TABLES[i].n_keys; k++) {
            check(i, &FE_CONFIG_TABLES[i].keys[k]);
        }
    }
}

static void check_description(size_t table, const struct fe_config_key *key)
{
    const char *const name = FE_CONFIG_TABLES[table].name;

    assert_true(key->line != NULL && key->line[0] != '\0');
    assert_null(strchr(key->line, '|')); /* would end a cell of the table */
    assert_true(key->max == 0 || key->min <= key->max);
    assert_int_equal(strncmp(key->prefix, name, strlen(name)), 0);
    assert_int_equal(strlen(key->prefix), name[0] != '\0' ? strlen(name) + 1 : 0);
    /* Messages about lists and integers name what they are of. */
    if (key->type == FE_KEY_INTEGER || key->type == FE_KEY_TABLES ||
        (fe_key_type_is_list(key->type) && key->max != 0)) {
        assert_non_null(key->noun);
    }
    for (size_t i = 0; i < FE_CONFIG_TABLES[table].n_keys; i++) {
        const struct fe_config_key *const other = &FE_CONFIG_TABLES[table].keys[i];
        assert_true(other == key || strcmp(other->name, key->name) != 0);
        assert_true(other == key || other->given_offset != key->given_offset);
    }
}

static void test_descriptions(void **state)
{
    (void)state;
    for_each(check_description);
}

/* Nothing is configured with a date. */
static void check_type(size_t table, const struct fe_config_key *key)
{
    char message[TEXT_MAX];

    complain(table, key->name, "1979-05-27", message);
    if (strncmp(message, "expected ", 9) != 0) {
        fail_msg("%s%s: %s", key->prefix, key->name, message);
    }
    if (key->singular != NULL) {
        complain(table, key->singular, "1979-05-27", message);
        assert_int_equal(strncmp(message, "expected ", 9), 0);
    }
}

static void test_types(void **state)
{
    (void)state;
    for_each(check_type);
}

/* Text however it is written, in every key that takes text: what is said of it, if anything, is the
 * same. */
static void check_text(size_t table, const char *name)
{
    static const char *const written[] = {
        "'\xc3\xa9\xf0\x9d\x84\x9e/x'",
        "\"\\u00e9\\U0001D11E/x\"",
        "\"\"\"\n\xc3\xa9\xf0\x9d\x84\x9e/\\\n  x\"\"\"",
        "'''\r\n\xc3\xa9\xf0\x9d\x84\x9e/x'''",
    };
    char plain[TEXT_MAX];
    char message[TEXT_MAX];

    complain(table, name, "\"\xc3\xa9\xf0\x9d\x84\x9e/x\"", plain);
    for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
        complain(table, name, written[i], message);
        assert_string_equal(message, plain);
    }
}

static void check_texts(size_t table, const struct fe_config_key *key)
{
    if (key->type == FE_KEY_STRING || key->type == FE_KEY_PATH || key->type == FE_KEY_URL) {
        check_text(table, key->name);
    }
    if (key->singular != NULL) {
        check_text(table, key->singular);
    }
}

static void test_texts(void **state)
{
    (void)state;
    for_each(check_texts);
}

static bool is_number(const struct fe_config_key *key)
{
    return key->type == FE_KEY_INTEGER || key->type == FE_KEY_DURATION || key->type == FE_KEY_SIZE;
}

static bool is_refused(size_t table, const struct fe_config_key *key, uint64_t n)
{
    char value[64];
    char message[TEXT_MAX];

    snprintf(value, sizeof(value), key->type == FE_KEY_DURATION ? "\"%llums\"" : "%llu",
             (unsigned long long)n);
    complain(table, key->name, value, message);
    return message[0] != '\0';
}

/* The bounds are accepted, what is just outside is not. */
static void check_bounds(size_t table, const struct fe_config_key *key)
{
    uint64_t max = key->max;

    if (!is_number(key)) {
        return;
    }
    if (max == 0) {
        max = key->type == FE_KEY_DURATION ? FE_CONFIG_DURATION_MAX_MS : FE_CONFIG_SIZE_MAX;
    }
    assert_true(is_refused(table, key, max + 1));
    assert_true(key->min == 0 || is_refused(table, key, key->min - 1));
    if (!key->needs_https) {
        assert_false(is_refused(table, key, key->min));
        /* A minimum above no maximum is no mistake of the minimum's own bounds. */
        assert_false(is_refused(table, key, max));
    }
}

static void test_bounds(void **state)
{
    (void)state;
    for_each(check_bounds);
}

static void check_default(size_t table, const struct fe_config_key *key)
{
    (void)table;
    if (is_number(key) && key->initial_text == NULL) {
        assert_true(key->initial >= key->min && (key->max == 0 || key->initial <= key->max));
    }
}

static void test_defaults(void **state)
{
    struct fe_config_http http;

    (void)state;
    for_each(check_default);
    memset(&http, 0, sizeof(http));
    fe_config_set_defaults(&FE_CONFIG_TABLES[FE_TABLE_HTTP], &http);
    assert_true(http.redirect_fixed_path);
    assert_int_equal(http.read_ms, 10000);
    assert_int_equal(http.header_max, 1 << 20);
    assert_true(http.body_max == UINT64_MAX);
    assert_int_equal(http.n_addrs, 0);
}

static void test_format(void **state)
{
    static const struct {
        uint64_t n;
        const char *duration;
        const char *size;
    } cases[] = {
        {0, "0", "0"},
        {1, "1ms", "1"},
        {90000, "1m30s", "90000"},
        {5400001, "1h30m1ms", "5400001"},
        {86400000, "a day", "84375KiB"},
        {UINT64_C(31536000000), "a year", "30796875KiB"},
        {UINT64_C(1) << 40, "305419h53m47s776ms", "1024GiB"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char duration[FE_DURATION_TEXT_MAX];
        char size[FE_SIZE_TEXT_MAX];
        assert_string_equal(fe_duration_format(cases[i].n, duration), cases[i].duration);
        assert_string_equal(fe_size_format(cases[i].n, size), cases[i].size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_descriptions), cmocka_unit_test(test_types),
        cmocka_unit_test(test_texts),        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_defaults),     cmocka_unit_test(test_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
