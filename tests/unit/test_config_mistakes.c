/* All that is wrong with a configuration is said at once, in the order of the text; what only
 * follows from a mistake is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/config/config.h"
#include "ground/base/buf.h"

/* Each mistake on a line of its own, behind "config.toml:". */
static void check(const char *text, const char *const *expected, size_t n)
{
    struct fe_config_mistakes mistakes;
    struct fe_config *config;
    const int code = fe_config_parse_all("config.toml", fe_view_str(text), &config, &mistakes);

    for (size_t i = 0; i < n || i < mistakes.n; i++) {
        const char *const found = i < mistakes.n ? mistakes.list[i].err.text : "nothing more";
        char line[sizeof(mistakes.list[0].err.text)];

        snprintf(line, sizeof(line), "config.toml:%s", i < n ? expected[i] : "");
        assert_string_equal(found, i < n ? line : "nothing more");
    }
    assert_int_equal(mistakes.n_found, n);
    assert_int_equal(code, n > 0 ? mistakes.list[0].err.code : 0);
    assert_int_equal(config == NULL, n > 0);
    fe_config_unref(config);
}

#define CHECK(text, ...)                                                                           \
    do {                                                                                           \
        static const char *const expected[] = {__VA_ARGS__};                                       \
        check(text, expected, sizeof(expected) / sizeof(expected[0]));                             \
    } while (0)

#define ADDR_WANTED "expected an address such as \"127.0.0.1:9000\", \"[::1]:9000\" or \":3000\", "
#define DURATION_WANTED                                                                            \
    "expected a duration such as \"10s\", \"500ms\" or \"1m30s\" (units: h, m, s, ms), "
#define KEY_WANTED                                                                                 \
    "expected a public key of 64 hexadecimal digits before '@' ('flatend id' prints it)"
#define PEER_WANTED "expected the address of a node, \"host:port\" or \"KEY@host:port\""
#define CA_WANTED   "expected the https URL of an ACME directory, such as "
#define CA          "\"https://acme-v02.api.letsencrypt.org/directory\""
#define BOTH_WANTED "a certificate needs both 'cert' and 'key'"
#define BAD_BOUNDS  "min.body_size is larger than max.body_size"
#define NO_CA       "no CA issues a certificate for the address '127.0.0.1': "

static void test_tables(void **state)
{
    (void)state;
    CHECK("addr = \"unix:/run/x\"\n"
          "workers = 0\n"
          "colour = 1\n"
          "[acme]\n"
          "directory = \"http://ca.test\"\n"
          "contacts = [\"a\", \"b@c\", 3]\n"
          "eab_key_id = \" \"\n"
          "eab_hmac_key = \"=\"\n"
          "[mesh]\n"
          "peers = [\"a:1\", \"x@a:1\", \"b\"]\n"
          "secret = \"word\"\n"
          "[[mesh.services]]\n"
          "keys = []\n"
          "[[mesh.services]]\n"
          "name = \"a\"\n",
          "1:8: expected \"host:port\": other nodes cannot use a unix socket",
          "2:11: expected a number of threads from 1 to 256",
          "3:1: unknown key 'colour' in the configuration", "5:13: " CA_WANTED CA,
          "6:13: expected a mail address such as \"you@example.org\"",
          "6:25: expected a string, found an integer",
          "7:14: expected the key's id as the CA gave it",
          "8:16: expected the HMAC key as the CA gave it, in base64url without '='",
          "10:17: " KEY_WANTED, "10:26: " PEER_WANTED,
          "11:10: expected \"file:PATH\" or \"env:NAME\"", "12:1: [[mesh.services]] needs a 'name'",
          "14:1: [[mesh.services]] needs 'keys': the nodes that may provide 'a'");
}

static void test_http(void **state)
{
    (void)state;
    CHECK("[[http]]\n"
          "addrs = [\":1\", \"here\", \":2\"]\n"
          "cert = \"x\"\n"
          "min.body_size = 2\n"
          "max.body_size = 1\n"
          "timeout.read = \"1 s\"\n"
          "[[http.routes]]\n"
          "path = \"/a\"\n"
          "service = \"a\"\n"
          "browse = true\n"
          "[[http.routes]]\n"
          "path = \"POST /b\"\n"
          "static = \"no/such\"\n"
          "timeout = \"1s\"\n"
          "min.body_size = 2\n"
          "max.body_size = 1\n"
          "[[http.routes]]\n"
          "path = \"GET /c\"\n"
          "service = \"a\"\n"
          "[[http.routes]]\n"
          "path = \"GET /c\"\n"
          "service = \"a\"\n"
          "[[http]]\n"
          "addrs = [\":2\", \":1\"]\n",
          "2:16: " ADDR_WANTED "found \"here\"", "4:17: " BAD_BOUNDS,
          "6:16: " DURATION_WANTED "found \"1 s\"",
          "8:8: expected a method and a path such as \"GET /hello\"",
          "10:10: 'browse' needs a route that serves a directory",
          "12:8: a static route must have the method GET (which includes HEAD)",
          "13:10: cannot serve 'no/such': No such file or directory",
          "14:11: 'timeout' needs a route to a service", "15:17: " BAD_BOUNDS,
          "21:8: GET /c conflicts with GET /c at 18:8",
          "24:10: [::]:2 is already used by the [[http]] at 2:24",
          "24:16: [::]:1 is already used by the [[http]] at 2:10");
}

static void test_https(void **state)
{
    (void)state;
    CHECK("[[http]]\n"
          "cert = \"a\"\n"
          "hsts = \"1h\"\n"
          "redirect_http = \":8080\"\n"
          "[[http]]\n"
          "addr = \":1\"\n"
          "https = true\n"
          "domains = [\"127.0.0.1\", \"ok.test\", \"a b\"]\n"
          "[[http]]\n"
          "addr = \":2\"\n"
          "https = true\n"
          "key = \"b\"\n"
          "[[http.certificates]]\n"
          "cert = \"c\"\n"
          "[[http.certificates]]\n"
          "[[http]]\n"
          "addr = \":3\"\n"
          "https = \"local\"\n"
          "redirect_http = \":3\"\n",
          "2:8: 'cert' needs https: set https = true", "3:8: 'hsts' needs https: set https = true",
          "4:17: 'redirect_http' needs https: set https = true",
          "8:12: " NO_CA "set a domain name, or 'cert' and 'key'",
          "8:36: expected a domain name such as \"example.com\", found \"a b\"",
          "12:7: " BOTH_WANTED, "14:8: " BOTH_WANTED, "15:1: " BOTH_WANTED,
          "19:17: [::]:3 is already used by the [[http]] at 17:8");
}

/* One mistake each, although what is built of the key is not there. */
static void test_nothing_that_only_follows(void **state)
{
    (void)state;
    CHECK("[[http]]\n[[http.routes]]\npath = 1\nservice = \"a\"\n",
          "3:8: expected a string, found an integer");
    CHECK("[[http]]\n[[http.routes]]\npaht = \"GET /\"\nservice = \"a\"\n",
          "3:1: unknown key 'paht' in [[http.routes]]: did you mean 'path'?");
    CHECK("[[http]]\n[[http.routes]]\npath = \"GTE /\"\nstatic = \".\"\n",
          "3:8: unknown method 'GTE': expected GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS");
    CHECK("[[http]]\n[[http.routes]]\npath = \"GET /\"\nservices = [1]\n",
          "4:13: expected a string, found an integer");
    CHECK("[[http]]\nmax.body_size = \"x\"\n[[http.routes]]\npath = \"PUT /\"\nservice = \"a\"\n"
          "min.body_size = \"1GiB\"\n",
          "2:17: expected a size in bytes such as 1048576 or \"1MiB\" (units: B, kB, MB, GB, KiB, "
          "MiB, GiB), found \"x\"");
    CHECK("[[http]]\naddr = \"x\"\n[[http]]\naddr = \":80\"\n",
          "2:8: expected an address such as \"127.0.0.1:9000\", \"[::1]:9000\" or \":3000\", found "
          "\"x\"");
    CHECK("[[http]]\nhttps = 1\ncert = \"a\"\nkey = \"b\"\n",
          "2:9: expected true, false or \"local\", found an integer");
    CHECK("[[http]]\nhttps = true\ndomain = 1\n", "3:10: expected a string, found an integer");
    CHECK("[[http]]\nhttps = true\ndomain = \"127.0.0.1\"\ncert = 1\nkey = \"b\"\n",
          "4:8: expected a string, found an integer");
    CHECK("[acme]\neab_key_id = \"a\"\neab_hmac_key = 1\n",
          "3:16: expected a string, found an integer");
    CHECK("[mesh]\n[[mesh.services]]\nnaem = \"a\"\n",
          "3:1: unknown key 'naem' in [[mesh.services]]: did you mean 'name'?");
    CHECK("http = 1\n", "1:8: expected an array of tables: [[http]], found an integer");
    check("", NULL, 0);
}

/* Of many the first are listed, and all of them counted. */
static void test_many(void **state)
{
    struct fe_config_mistakes mistakes;
    struct fe_config *config;
    struct fe_buf text;
    char last[64];

    (void)state;
    fe_buf_init(&text, 1 << 16);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(fe_buf_printf(&text, "k%u = 1\n", i), 0);
    }
    assert_int_equal(fe_config_parse_all("x", fe_buf_view(&text), &config, &mistakes),
                     FLATEND_EINVAL);
    assert_int_equal(mistakes.n, FE_CONFIG_MISTAKES_MAX);
    assert_int_equal(mistakes.n_found, 100);
    snprintf(last, sizeof(last), "x:%d:1: unknown key 'k%d' in the configuration",
             FE_CONFIG_MISTAKES_MAX, FE_CONFIG_MISTAKES_MAX - 1);
    assert_string_equal(mistakes.list[FE_CONFIG_MISTAKES_MAX - 1].err.text, last);
    fe_buf_deinit(&text);
}

/* In any order they come: by place, and one behind the other where that is the same. */
static void test_order(void **state)
{
    static struct fe_config_mistakes mistakes;

    (void)state;
    fe_config_mistakes_init(&mistakes);
    for (unsigned i = 0; i < 100; i++) {
        const struct fe_toml_pos pos = {1 + i * 37 % 101 / 10, 1 + i * 37 % 101 % 10};
        struct flatend_error err;

        (void)fe_err_set(&err, FLATEND_EINVAL, "%u", i);
        assert_int_equal(fe_config_mistakes_add(&mistakes, pos, &err), FLATEND_EINVAL);
    }
    assert_int_equal(mistakes.n_found, 100);
    assert_int_equal(mistakes.n, FE_CONFIG_MISTAKES_MAX);
    for (unsigned i = 0; i < mistakes.n; i++) {
        assert_int_equal(mistakes.list[i].pos.line, 1 + i / 10);
        assert_int_equal(mistakes.list[i].pos.column, 1 + i % 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables), cmocka_unit_test(test_http),
        cmocka_unit_test(test_https),  cmocka_unit_test(test_nothing_that_only_follows),
        cmocka_unit_test(test_many),   cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
