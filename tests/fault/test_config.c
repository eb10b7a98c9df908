/* Each allocation of the configuration fails in turn: FLATEND_ENOMEM, said so, and nothing leaks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/config/config.h"
#include "support/fault.h"

static const char GOOD[] = "addr = \"127.0.0.1:9000\"\n"
                           "[[http]]\n"
                           "domains = [\"a\", \"b\"]\n"
                           "addrs = [\":1\", \":2\"]\n"
                           "[http.timeout]\n"
                           "read = \"1s\"\n"
                           "[[http.routes]]\n"
                           "path = \"GET /\"\n"
                           "static = \".\"\n"
                           "[[http.routes]]\n"
                           "path = \"POST /:id\"\n"
                           "services = [\"a\", \"b\"]\n";

/* Every other type of key. */
static const char OTHERS[] =
    "state_dir = \"state\"\n"
    "[acme]\n"
    "directory = \"https://ca.test/dir\"\n"
    "contact = \"a@a.test\"\n"
    "contacts = [\"b@a.test\"]\n"
    "key_type = \"p384\"\n"
    "challenges = [\"tls-alpn-01\"]\n"
    "eab_key_id = \"k\"\n"
    "eab_hmac_key = \"c2VjcmV0\"\n"
    "[mesh]\n"
    "peers = [\"a:1\"]\n"
    "[[mesh.services]]\n"
    "name = \"a\"\n"
    "keys = [\"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60\"]\n"
    "[[http]]\n"
    "https = \"local\"\n"
    "redirect_http = \":8080\"\n"
    "hsts = \"1h\"\n";

/* Fails only at its end, so that all that was built is undone. */
static const char CLASH[] = "[[http]]\n"
                            "[[http.routes]]\n"
                            "path = \"GET /a\"\n"
                            "static = \".\"\n"
                            "[[http.routes]]\n"
                            "path = \"GET /a\"\n"
                            "service = \"a\"\n";

/* Mistakes in all tables, so that reading goes on behind each. */
static const char MANY[] = "workers = 0\n"
                           "[acme]\n"
                           "contacts = [\"a\", 1, \"a@a.test\"]\n"
                           "[mesh]\n"
                           "peers = [\"a\", \"a:1\"]\n"
                           "[[mesh.services]]\n"
                           "name = 1\n"
                           "[[http]]\n"
                           "addrs = [\":1\", \"x\"]\n"
                           "[[http.routes]]\n"
                           "path = 1\n"
                           "[[http.routes]]\n"
                           "path = \"GET /\"\n"
                           "service = \"a\"\n"
                           "[[http]]\n"
                           "addr = \":2\"\n"
                           "https = true\n"
                           "domains = [\"a b\", \"a.test\"]\n"
                           "[[http.routes]]\n"
                           "path = \"GET /a\"\n"
                           "service = \"a\"\n"
                           "[[http.routes]]\n"
                           "path = \"GET /a\"\n"
                           "service = \"a\"\n";

static const char BROKEN[] = "addr = \n";

/* `expected` is what comes without a fault. */
static void parse_with_faults(const char *text, int expected)
{
    size_t n_faults = 0;

    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        struct fe_config *config;
        struct flatend_error err = {0};
        const int code = fe_config_parse("config.toml", fe_view_str(text), &config, &err);
        const bool has_failed = fe_fault_disarm();

        n_faults += has_failed ? 1 : 0;
        if (has_failed) {
            assert_int_equal(code, FLATEND_ENOMEM);
            assert_string_equal(err.text, "config.toml: out of memory");
        } else {
            assert_int_equal(code, expected);
        }
        assert_int_equal(config == NULL, code != 0);
        fe_config_unref(config);
    }
    assert_true(n_faults > 2);
}

static void test_good(void **state)
{
    (void)state;
    parse_with_faults(GOOD, 0);
    parse_with_faults(OTHERS, 0);
}

static void test_clash(void **state)
{
    (void)state;
    parse_with_faults(CLASH, FLATEND_EEXIST);
    parse_with_faults(MANY, FLATEND_EINVAL);
}

static void test_broken(void **state)
{
    (void)state;
    parse_with_faults(BROKEN, FLATEND_ESYNTAX);
}

static void test_load(void **state)
{
    char path[] = "config-fault-XXXXXX";
    const int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, GOOD, sizeof(GOOD) - 1), sizeof(GOOD) - 1);
    close(fd);
    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        struct fe_config *config;
        struct flatend_error err;
        const int code = fe_config_load(path, &config, &err);
        assert_int_equal(code, fe_fault_disarm() ? FLATEND_ENOMEM : 0);
        fe_config_unref(config);
    }
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_clash),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
