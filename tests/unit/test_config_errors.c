/* What the configuration refuses: each mistake with its place and what was expected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/config/config.h"
#include "ground/base/buf.h"

struct mistake {
    const char *text;
    const char *message; /* behind "config.toml:" */
};

static void check(int expected, const struct mistake *mistakes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct fe_view text = fe_view_str(mistakes[i].text);
        struct fe_config *config;
        struct flatend_error err = {0};
        char message[sizeof(err.text)];

        snprintf(message, sizeof(message), "config.toml:%s", mistakes[i].message);
        const int code = fe_config_parse("config.toml", text, &config, &err);
        assert_string_equal(err.text, message);
        assert_int_equal(code, expected);
        assert_int_equal(err.code, expected);
        assert_null(config);
        /* The error is the caller's choice. */
        assert_int_equal(fe_config_parse("config.toml", text, &config, NULL), expected);
    }
}

#define CHECK(code, mistakes) check(code, mistakes, sizeof(mistakes) / sizeof((mistakes)[0]))

/* The language's own mistakes are those of tests/vectors/toml; here is that they come through. */
static void test_syntax(void **state)
{
    static const struct mistake mistakes[] = {
        {"addr = \n", "1:8: expected a value, found the end of the line"},
        {"addr = :3000\n", "1:8: expected a value, found ':3000': text needs quotes: \":3000\""},
        {"[[http]\n", "1:8: expected ']]' to close [[http, found the end of the line"},
        {"addr = \"a\xff\"\n", "1:10: the byte 0xff is no UTF-8: save the file as UTF-8"},
        {"a = 1\na = 2\n", "2:1: 'a' is already set at 1:1"},
        {"[[(a]]\n", "1:3: expected a key, found '('"},
        {"\xff\xfe[\n", "1:1: the file is UTF-16: save it as UTF-8"},
        {"a= 0x1=\"\xc3\xa9\"\n", "1:7: expected the end of the line, found '='"},
    };

    (void)state;
    CHECK(FLATEND_ESYNTAX, mistakes);
}

/* Mistakes of meaning in texts that are TOML all the same. */
static void test_places(void **state)
{
    static const struct mistake mistakes[] = {
        {"# \xc3\xa9\n\"\xc3\xa9 \\\" #\" = 1\n",
         "2:1: unknown key '\xc3\xa9 \" #' in the configuration"},
        {"x = [[\"\xc3\xa9\",'\xc3\xa9'],\"\xc3\xa9\"]\n",
         "1:1: unknown key 'x' in the configuration"},
        {"x = '................................................' # "
         "................................\n",
         "1:1: unknown key 'x' in the configuration"},
        {"\xef\xbb\xbf"
         "x = ''\n",
         "1:1: unknown key 'x' in the configuration"},
        {"state_dir = \"\"\"\n\xc3\xa9\n\"\"\"\r\nx = ''\n",
         "4:1: unknown key 'x' in the configuration"},
        {"state_dir='\xc3\xa9'\nx = ''\n", "2:1: unknown key 'x' in the configuration"},
    };

    (void)state;
    CHECK(FLATEND_EINVAL, mistakes);
}

static void test_keys(void **state)
{
    static const struct mistake mistakes[] = {
        {"workers = \"two\"\n", "1:11: expected a number of threads, found a string"},
        {"workers = 0\n", "1:11: expected a number of threads from 1 to 256"},
        {"\nworkers = 257\n", "2:11: expected a number of threads from 1 to 256"},
        {"adress = \"127.0.0.1:9000\"\n",
         "1:1: unknown key 'adress' in the configuration: did you mean 'addr'?"},
        {"\n[[http]]\n  adress = \"127.0.0.1:9000\"\n",
         "3:3: unknown key 'adress' in [[http]]: did you mean 'addrs'?"},
        {"[[http]]\nfavourite_colour = 1\n", "2:1: unknown key 'favourite_colour' in [[http]]"},
        {"[[http]]\n[http.timeouts]\nread = \"1s\"\n",
         "2:7: unknown key 'timeouts' in [[http]]: did you mean 'timeout'?"},
        {"[[http]]\n[http.timeout]\nreed = \"1s\"\n",
         "3:1: unknown key 'reed' in [http.timeout]: did you mean 'read'?"},
        {"[[http]]\n[http.min]\nheader_size = 1\n",
         "3:1: unknown key 'header_size' in [http.min]: it belongs to [http.max]"},
        {"[[http]]\n[[http.routes]]\npath = \"GET /\"\nstatics = \".\"\n",
         "4:1: unknown key 'statics' in [[http.routes]]: did you mean 'static'?"},
        {"[[http]]\n[[http.routes]]\npath = \"GET /\"\n[http.routes.max]\nheader_size = 1\n",
         "5:1: unknown key 'header_size' in [http.routes.max]: it belongs to [http.max]"},
        {"[[http]]\nmax.body = 1\n",
         "2:5: unknown key 'body' in [http.max]: did you mean 'body_size'?"},
        {"\"\" = 1\n", "1:1: unknown key '' in the configuration"},
        {"an_unreasonably_long_name_of_a_key_that_nobody_would_ever_type_in = 1\n",
         "1:1: unknown key 'an_unreasonably_long_name_of_a_key_that_nobody_w' in the "
         "configuration"},
        /* The first in the text, not in the alphabet. */
        {"zzzzz = 1\naaaaa = 1\n", "1:1: unknown key 'zzzzz' in the configuration"},
    };
    (void)state;
    CHECK(FLATEND_EINVAL, mistakes);
}

static void test_types(void **state)
{
    static const struct mistake mistakes[] = {
        {"addr = 9000\n",
         "1:8: expected a string such as \"127.0.0.1:9000\" or \":3000\", found an integer"},
        {"http = 1\n", "1:8: expected an array of tables: [[http]], found an integer"},
        {"[http]\naddr = \":1\"\n", "1:1: expected an array of tables: [[http]], found a table"},
        {"http = [1]\n", "1:9: expected a table, found an integer"},
        {"[[http]]\nroutes = 2020-01-01\n",
         "2:10: expected an array of tables: [[http.routes]], found a date"},
        {"[[http]]\nroutes = [[]]\n", "2:11: expected a table, found an array"},
        {"[[http]]\naddr = 1.5\n",
         "2:8: expected a string such as \"127.0.0.1:9000\" or \":3000\", found a float"},
        {"[[http]]\naddrs = \":3000\"\n",
         "2:9: expected an array of strings, found a string: write 'addr', or put it in [ ]"},
        {"[[http]]\naddrs = [\":1\", 2]\n", "2:16: expected a string, found an integer"},
        {"[[http]]\ndomain = true\n", "2:10: expected a string, found a boolean"},
        {"[[http]]\ndomains = [\"\"]\n", "2:12: expected a string that is not empty"},
        {"[[http]]\ndomain = \"a\\u0000b\"\n", "2:10: expected a string without NUL"},
        {"[[http]]\nhttps = \"yes\"\n",
         "2:9: expected true, false or \"local\", found another string"},
        {"[[http]]\nredirect_fixed_path = 07:32:00\n",
         "2:23: expected true or false, found a time"},
        {"[[http]]\nredirect_trailing_slash = 1979-05-27T07:32:00Z\n",
         "2:27: expected true or false, found a date and time"},
        {"[[http]]\ntimeout = \"1s\"\n", "2:11: expected a table, found a string"},
        {"[[http]]\ntimeout.read = 10\n",
         "2:16: expected a duration such as \"10s\", \"500ms\" or \"1m30s\", found an integer"},
        {"[[http]]\nmax.body_size = true\n",
         "2:17: expected a size in bytes such as 1048576 or \"1MiB\", found a boolean"},
        {"[[http]]\n[[http.routes]]\nservices = \"a\"\n",
         "3:12: expected an array of strings, found a string: write 'service', or put it in [ ]"},
    };
    (void)state;
    CHECK(FLATEND_EINVAL, mistakes);
}

#define DURATION_MESSAGE                                                                           \
    "expected a duration such as \"10s\", \"500ms\" or \"1m30s\" (units: h, m, s, ms), found "

static void test_values(void **state)
{
    static const struct mistake mistakes[] = {
        {"[[http]]\ntimeout.read = \"10\"\n", "2:16: " DURATION_MESSAGE "\"10\""},
        {"[[http]]\ntimeout.idle = \"-1s\"\n", "2:16: " DURATION_MESSAGE "\"-1s\""},
        {"[[http]]\ntimeout.write = \"\"\n", "2:17: " DURATION_MESSAGE "\"\""},
        {"[[http]]\ntimeout.read_header = \"8761h\"\n",
         "2:23: expected a duration of at most a year"},
        {"[[http]]\nmax.body_size = -1\n",
         "2:17: expected a size in bytes such as 1048576 or \"1MiB\""},
        {"[[http]]\nmax.body_size = \"1 MB\"\n",
         "2:17: expected a size in bytes such as 1048576 or \"1MiB\" (units: B, kB, MB, GB, KiB, "
         "MiB, GiB), found \"1 MB\""},
        {"[[http]]\nmax.body_size = 9223372036854775807\n",
         "2:17: expected a size of at most 2^60 bytes"},
        {"[[http]]\nmax.header_size = 1023\n",
         "2:19: expected a header size from 1024 to 16777216 bytes"},
        {"[[http]]\nmax.header_size = \"17MiB\"\n",
         "2:19: expected a header size from 1024 to 16777216 bytes"},
        {"addr = \"127.0.0.1\"\n",
         "1:8: expected an address such as \"127.0.0.1:9000\", \"[::1]:9000\" or \":3000\", "
         "found \"127.0.0.1\""},
        {"[[http]]\naddrs = [\":3000\", \"example.org:80\"]\n",
         "2:19: expected an address such as \"127.0.0.1:9000\", \"[::1]:9000\" or \":3000\", "
         "found \"example.org:80\""},
        {"[[http]]\naddr = \":65536\"\n",
         "2:8: expected an address such as \"127.0.0.1:9000\", \"[::1]:9000\" or \":3000\", "
         "found \":65536\""},
        {"[[http]]\naddr = \"unix:\"\n", "2:8: 'unix:': no path (expected unix:/path)"},
        {"addr = \"unix:/run/x\"\n",
         "1:8: expected \"host:port\": other nodes cannot use a unix socket"},
    };
    (void)state;
    CHECK(FLATEND_EINVAL, mistakes);
}

#define ROUTE "[[http]]\n[[http.routes]]\n"

/* What is TOML, and not what was meant: the message says what to write. */
static void test_what_people_write(void **state)
{
#define PARAMETER " (':' is one segment of a path, '*' all that is left)"
#define SIZE      "expected a size in bytes such as 1048576 or \"1MiB\", found "
    static const struct mistake mistakes[] = {
        {"[[http.routes]]\npath = \"GET /\"\n",
         "1:3: expected [[http]] above the header of a part of it"},
        {"[http.timeout]\nread = \"1s\"\n",
         "1:2: expected [[http]] above the header of a part of it"},
        {"[[routes]]\npath = \"GET /\"\n",
         "1:3: unknown key 'routes' in the configuration: write [[http.routes]]"},
        {"[[services]]\nname = \"a\"\n",
         "1:3: unknown key 'services' in the configuration: write [[mesh.services]]"},
        {"[[http]]\nacme = {}\n", "2:1: unknown key 'acme' in [[http]]: write [acme]"},
        {"[[http]]\nworkers = 2\n",
         "2:1: unknown key 'workers' in [[http]]: it belongs above the first header"},
        {"[mesh]\nstate_dir = \"x\"\n",
         "2:1: unknown key 'state_dir' in [mesh]: it belongs above the first header"},
        {"[[http]]\npath = \"GET /\"\n",
         "2:1: unknown key 'path' in [[http]]: it belongs to [[http.routes]]"},
        {"[[http]]\nread_header = \"1s\"\n",
         "2:1: unknown key 'read_header' in [[http]]: it belongs to [http.timeout]"},
        {"[[http]]\nmax.body_size = \"10M\"\n",
         "2:17: " SIZE "\"10M\": write \"10MB\" (of 1000) or \"10MiB\" (of 1024)"},
        {"[[http]]\nmax.body_size = \"64k\"\n",
         "2:17: " SIZE "\"64k\": write \"64kB\" (of 1000) or \"64KiB\" (of 1024)"},
        {"[[http]]\naddr = [\":1\"]\n",
         "2:8: expected a string such as \"127.0.0.1:9000\" or \":3000\", found an array: write "
         "'addrs'"},
        {ROUTE "path = \"GET /\"\nservice = [\"a\"]\n",
         "4:11: expected a string, found an array: write 'services'"},
        {ROUTE "path = \"GET /todos/{id}/x\"\nservice = \"a\"\n",
         "3:8: '{id}' is no parameter: write ':id'" PARAMETER},
        {ROUTE "path = \"GET /{id:[0-9]+}\"\nservice = \"a\"\n",
         "3:8: '{id:[0-9]+}' is no parameter: write ':id'" PARAMETER},
        {ROUTE "path = \"GET /files/{rest...}\"\nservice = \"a\"\n",
         "3:8: '{rest...}' is no parameter: write '*rest'" PARAMETER},
        {ROUTE "path = \"GET /{*rest}\"\nservice = \"a\"\n",
         "3:8: '{*rest}' is no parameter: write '*rest'" PARAMETER},
        {ROUTE "path = \"GET /{}\"\nservice = \"a\"\n",
         "3:8: '{}' is no parameter: write ':name'" PARAMETER},
    };

    (void)state;
    CHECK(FLATEND_EINVAL, mistakes);
}

static void test_routes(void **state)
{
    static const struct mistake mistakes[] = {
        {ROUTE "service = \"a\"\n", "2:1: a route needs a path such as \"GET /hello\""},
        {ROUTE "path = \"/hello\"\n", "3:8: expected a method and a path such as \"GET /hello\""},
        {ROUTE "path = \"GET /a /b\"\n",
         "3:8: expected a method and a path such as \"GET /hello\""},
        {ROUTE "path = \"GET\"\n", "3:8: expected a method and a path such as \"GET /hello\""},
        {ROUTE "path = \"GTE /\"\nservice = \"a\"\n",
         "3:8: unknown method 'GTE': expected GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS"},
        {ROUTE "path = \"get /\"\nservice = \"a\"\n",
         "3:8: unknown method 'get': expected GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS"},
        {ROUTE "path = \"TRACE /\"\nservice = \"a\"\n",
         "3:8: unknown method 'TRACE': expected GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS"},
        {ROUTE "path = \"GET hello\"\nservice = \"a\"\n", "3:8: a route's path begins with '/'"},
        {ROUTE "path = \"GET /\"\n", "2:1: a route needs 'service', 'services' or 'static'"},
        {ROUTE "path = \"GET /\"\nservices = []\n",
         "2:1: a route needs 'service', 'services' or 'static'"},
        {ROUTE "path = \"GET /\"\nservice = \"a\"\nstatic = \".\"\n",
         "5:10: a route has services or 'static', not both"},
        {ROUTE "path = \"POST /\"\nstatic = \".\"\n",
         "3:8: a static route must have the method GET (which includes HEAD)"},
        {ROUTE "path = \"GET /\"\nstatic = \"no/such/file\"\n",
         "4:10: cannot serve 'no/such/file': No such file or directory"},
        {ROUTE "path = \"GET /\"\nstatic = \"/dev/null\"\n",
         "4:10: cannot serve '/dev/null': neither a file nor a directory"},
        {ROUTE "path = \"GET /\"\nstatic = \".\"\ntimeout = \"1s\"\n",
         "5:11: 'timeout' needs a route to a service"},
        {ROUTE "path = \"GET /\"\nservice = \"a\"\nbrowse = false\n",
         "5:10: 'browse' needs a route that serves a directory"},
        {ROUTE "path = \"POST /\"\nservice = \"a\"\nmin.body_size = 3\nmax.body_size = 2\n",
         "5:17: min.body_size is larger than max.body_size"},
        {"[[http]]\nmin.body_size = 3\n[[http.routes]]\npath = \"PUT /\"\nservice = \"a\"\n"
         "max.body_size = 2\n",
         "6:17: min.body_size is larger than max.body_size"},
        {"[[http]]\nmin.body_size = 3\nmax.body_size = 2\n",
         "2:17: min.body_size is larger than max.body_size"},
    };
    (void)state;
    CHECK(FLATEND_EINVAL, mistakes);
}

static void test_browse_of_a_file(void **state)
{
    char path[] = "config-test-XXXXXX";
    char text[256];
    struct mistake mistake = {text, "5:10: 'browse' needs a route that serves a directory"};

    (void)state;
    close(mkstemp(path));
    snprintf(text, sizeof(text), ROUTE "path = \"GET /\"\nstatic = \"%s\"\nbrowse = true\n", path);
    check(FLATEND_EINVAL, &mistake, 1);
    unlink(path);
}

static void test_same_address(void **state)
{
    static const struct mistake mistakes[] = {
        {"[[http]]\naddr = \":1\"\n[[http]]\naddrs = [\":2\", \":1\"]\n",
         "4:16: [::]:1 is already used by the [[http]] at 2:8"},
        {"[[http]]\naddr = \"unix:x\"\n[[http]]\naddr = \"unix:x\"\n",
         "4:8: unix:x is already used by the [[http]] at 2:8"},
        {"[[http]]\n[[http]]\n", "2:1: [::]:80 is already used by the [[http]] at 1:1"},
        {"[[http]]\naddr = \":1\"\n[[http]]\naddrs = [\":2\", \"127.0.0.1:1\"]\n",
         "4:16: 127.0.0.1:1 overlaps [::]:1 of the [[http]] at 2:8"},
        {"[[http]]\naddr = \"[::1]:1\"\n[[http]]\naddr = \":1\"\n",
         "4:8: [::]:1 overlaps [::1]:1 of the [[http]] at 2:8"},
        {"[[http]]\naddr = \"0.0.0.0:1\"\n[[http]]\naddr = \"[::]:1\"\n",
         "4:8: [::]:1 overlaps 0.0.0.0:1 of the [[http]] at 2:8"},
        {"[[http]]\naddr = \"127.0.0.1:1\"\n[[http]]\naddr = \"0.0.0.0:1\"\n",
         "4:8: 0.0.0.0:1 overlaps 127.0.0.1:1 of the [[http]] at 2:8"},
        {"[[http]]\naddr = \"0.0.0.0:1\"\n[[http]]\naddr = \"[::ffff:127.0.0.1]:1\"\n",
         "4:8: 127.0.0.1:1 overlaps 0.0.0.0:1 of the [[http]] at 2:8"},
    };
    (void)state;
    CHECK(FLATEND_EEXIST, mistakes);
}

static void test_conflicts(void **state)
{
#define SECOND "service = \"a\"\n[[http.routes]]\n"
    static const struct mistake mistakes[] = {
        {ROUTE "path = \"GET /a\"\n" SECOND "path = \"GET /a\"\nservice = \"b\"\n",
         "6:8: GET /a conflicts with GET /a at 3:8"},
        {ROUTE "path = \"GET /:id/x\"\n" SECOND "path = \"GET /:name/x\"\nservice = \"b\"\n",
         "6:8: GET /:name/x conflicts with GET /:id/x at 3:8"},
        {ROUTE "path = \"GET /a/*rest\"\n" SECOND "path = \"GET /a\"\nstatic = \".\"\n",
         "6:8: GET /a/*filepath conflicts with GET /a/*rest at 3:8"},
        {ROUTE "path = \"GET /\"\nstatic = \".\"\n[[http.routes]]\npath = \"GET /*x\"\n"
               "service = \"b\"\n",
         "6:8: GET /*x conflicts with GET / at 3:8"},
    };
    (void)state;
    CHECK(FLATEND_EEXIST, mistakes);
}

/* ---- limits --------------------------------------------------------------------------------- */

static void repeat(struct fe_buf *buf, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(fe_buf_append(buf, text, strlen(text)), 0);
    }
}

static void check_text(struct fe_buf *buf, const char *message)
{
    struct mistake mistake;

    assert_int_equal(fe_buf_append(buf, "", 1), 0);
    mistake = (struct mistake){(const char *)buf->data, message};
    check(FLATEND_EINVAL, &mistake, 1);
    fe_buf_deinit(buf);
}

static void test_too_many(void **state)
{
    struct fe_buf buf;

    (void)state;
    fe_buf_init(&buf, FE_CONFIG_FILE_MAX);
    repeat(&buf, "[[http]]\n", FE_CONFIG_LISTENERS_MAX + 1);
    check_text(&buf, "65:1: more than 64 [[http]] tables");

    fe_buf_init(&buf, FE_CONFIG_FILE_MAX);
    repeat(&buf, "[[http]]\naddrs=[", 1);
    repeat(&buf, "\":1\",", FE_CONFIG_ADDRS_MAX + 1);
    repeat(&buf, "]\n", 1);
    check_text(&buf, "2:328: more than 64 addresses in an [[http]]");

    fe_buf_init(&buf, FE_CONFIG_FILE_MAX);
    repeat(&buf, "[[http]]\ndomains=[", 1);
    repeat(&buf, "\"a\",", FE_CONFIG_DOMAINS_MAX + 1);
    repeat(&buf, "]\n", 1);
    check_text(&buf, "2:410: more than 100 domains in an [[http]]");

    fe_buf_init(&buf, FE_CONFIG_FILE_MAX);
    repeat(&buf, "[[http]]\n", 1);
    repeat(&buf, "[[http.routes]]\n", FE_CONFIG_ROUTES_MAX + 1);
    check_text(&buf, "4098:1: more than 4096 routes in an [[http]]");

    fe_buf_init(&buf, FE_CONFIG_FILE_MAX);
    repeat(&buf, ROUTE "path=\"GET /\"\nservices=[", 1);
    for (unsigned i = 0; i <= FE_CONFIG_SERVICES_MAX; i++) {
        assert_int_equal(fe_buf_printf(&buf, "\"%03u\",", i), 0);
    }
    repeat(&buf, "]\n", 1);
    check_text(&buf, "4:1541: more than 255 services in a route");
}

static void test_too_long(void **state)
{
    struct fe_buf buf;
    struct fe_config *config;
    struct flatend_error err;

    (void)state;
    fe_buf_init(&buf, FE_CONFIG_FILE_MAX + 1);
    repeat(&buf, ROUTE "path=\"GET /\"\nservice=\"", 1);
    repeat(&buf, "x", FE_CONFIG_SERVICE_NAME_MAX + 1);
    repeat(&buf, "\"\n", 1);
    check_text(&buf, "4:9: expected a service name of at most 255 bytes");

    fe_buf_init(&buf, FE_CONFIG_FILE_MAX + 1);
    repeat(&buf, "#\n", (FE_CONFIG_FILE_MAX + 1) / 2);
    assert_int_equal(fe_config_parse("x", fe_buf_view(&buf), &config, &err), 0);
    fe_config_unref(config);
    repeat(&buf, "\n", 1);
    assert_int_equal(fe_config_parse("x", fe_buf_view(&buf), &config, &err), FLATEND_ETOOBIG);
    assert_string_equal(err.text, "x: larger than 1048576 bytes");
    fe_buf_deinit(&buf);
}

/* Brackets within brackets, and keys a.a.a.a: neither may exhaust the stack. */
static void test_too_deep(void **state)
{
    struct fe_buf buf;
    struct fe_config *config;
    struct flatend_error err;

    (void)state;
    fe_buf_init(&buf, FE_CONFIG_FILE_MAX);
    repeat(&buf, "a=", 1);
    repeat(&buf, "[", 100000);
    assert_int_equal(fe_config_parse("x", fe_buf_view(&buf), &config, &err), FLATEND_ESYNTAX);
    fe_buf_deinit(&buf);

    fe_buf_init(&buf, FE_CONFIG_FILE_MAX);
    repeat(&buf, "\na", 1);
    repeat(&buf, ".a", 500000);
    repeat(&buf, "=1", 1);
    assert_int_equal(fe_config_parse("x", fe_buf_view(&buf), &config, &err), FLATEND_ESYNTAX);
    assert_string_equal(err.text, "x:2:129: a key of more than 64 parts");
    fe_buf_deinit(&buf);
}

/* ---- files ---------------------------------------------------------------------------------- */

static void test_file_errors(void **state)
{
    char dir[] = "config-test-XXXXXX";
    char path[64];
    char message[128];
    struct fe_config *config;
    struct flatend_error err;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/config.toml", dir);
    assert_int_equal(fe_config_load(path, &config, &err), FLATEND_ENOENT);
    snprintf(message, sizeof(message), "%s: No such file or directory", path);
    assert_string_equal(err.text, message);
    assert_null(config);

    assert_int_equal(fe_config_load(dir, &config, &err), FLATEND_EIO);
    snprintf(message, sizeof(message), "%s: Is a directory", dir);
    assert_string_equal(err.text, message);

    FILE *const file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(ftruncate(fileno(file), FE_CONFIG_FILE_MAX + 1), 0);
    fclose(file);
    assert_int_equal(fe_config_load(path, &config, &err), FLATEND_ETOOBIG);
    assert_int_equal(truncate(path, 1 << 30), 0);
    assert_int_equal(fe_config_load(path, &config, &err), FLATEND_ETOOBIG);
    snprintf(message, sizeof(message), "%s: larger than 1048576 bytes", path);
    assert_string_equal(err.text, message);
    unlink(path);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_syntax),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_what_people_write),
        cmocka_unit_test(test_browse_of_a_file),
        cmocka_unit_test(test_conflicts),
        cmocka_unit_test(test_same_address),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_too_deep),
        cmocka_unit_test(test_file_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
