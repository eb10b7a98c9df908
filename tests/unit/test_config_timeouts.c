/* [http.timeout], and what of it a route has for itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/config/config.h"

#define HTTP  "[[http]]\naddr = \":0\"\n"
#define ROUTE "[[http.routes]]\npath = \"GET /\"\nservice = \"a\"\n"

static struct fe_config *parse(const char *text)
{
    struct fe_config *config;
    struct flatend_error err = {0};

    if (fe_config_parse("config.toml", fe_view_str(text), &config, &err) != 0) {
        fail_msg("%s", err.text);
    }
    return config;
}

static void test_defaults(void **state)
{
    struct fe_config *const config = parse(HTTP ROUTE);
    const struct fe_config_http *const http = &config->http[0];
    const struct fe_config_route *const route = &http->routes[0];

    (void)state;
    assert_int_equal(http->min_rate, 256);
    assert_int_equal(http->min_rate_grace_ms, 30000);
    assert_false(route->has_times);
    assert_int_equal(route->times.read_ms, 10000);
    assert_int_equal(route->times.write_ms, 10000);
    assert_int_equal(route->times.min_rate, 256);
    fe_config_unref(config);
}

/* What a route does not say is the listener's, wherever that stands. */
static void test_inherited(void **state)
{
    struct fe_config *const config = parse(HTTP ROUTE "timeout.write = \"1m\"\n"
                                                      "[http.timeout]\n"
                                                      "read = \"7s\"\n"
                                                      "write = \"8s\"\n"
                                                      "min_rate = \"1KiB\"\n"
                                                      "min_rate_grace = \"9s\"\n");
    const struct fe_config_http *const http = &config->http[0];
    const struct fe_config_route *const route = &http->routes[0];

    (void)state;
    assert_int_equal(http->min_rate, 1024);
    assert_int_equal(http->min_rate_grace_ms, 9000);
    assert_true(route->has_times);
    assert_int_equal(route->times.read_ms, 7000);
    assert_int_equal(route->times.write_ms, 60000);
    assert_int_equal(route->times.min_rate, 1024);
    assert_int_equal(route->timeout_ms, 30000);
    fe_config_unref(config);
}

static void test_off(void **state)
{
    static const char *const offs[] = {"timeout.read = \"0\"\n", "timeout.write = \"0\"\n",
                                       "timeout.min_rate = 0\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(offs) / sizeof(offs[0]); i++) {
        char text[256];
        struct fe_config *config;
        const struct fe_http_times *times;

        snprintf(text, sizeof(text), HTTP ROUTE "%s", offs[i]);
        config = parse(text);
        times = &config->http[0].routes[0].times;
        assert_true(config->http[0].routes[0].has_times);
        assert_int_equal(times->read_ms, i == 0 ? 0 : 10000);
        assert_int_equal(times->write_ms, i == 1 ? 0 : 10000);
        assert_int_equal(times->min_rate, i == 2 ? 0 : 256);
        fe_config_unref(config);
    }
}

/* Both ways to write the time of a service. */
static void test_response(void **state)
{
    struct fe_config *const config =
        parse(HTTP ROUTE "timeout = \"5s\"\n"
                         "[[http.routes]]\npath = \"GET /b\"\nservice = \"a\"\n"
                         "timeout = {response = \"6s\", read = \"0\"}\n"
                         "[[http.routes]]\npath = \"GET /c\"\nstatic = \".\"\n"
                         "timeout.write = \"0\"\n");
    const struct fe_config_route *const routes = config->http[0].routes;

    (void)state;
    assert_int_equal(routes[0].timeout_ms, 5000);
    assert_false(routes[0].has_times);
    assert_int_equal(routes[1].timeout_ms, 6000);
    assert_int_equal(routes[1].times.read_ms, 0);
    assert_int_equal(routes[2].times.write_ms, 0);
    fe_config_unref(config);
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } mistakes[] = {
        {HTTP "timeout.min_rate = -1\n",
         "3:20: expected a size in bytes such as 1048576 or \"1MiB\""},
        {HTTP "timeout.min_rate = \"2GiB\"\n",
         "3:20: expected a number of bytes a second from 0 to 1073741824 bytes"},
        {HTTP "timeout.min_rate_grace = \"0\"\n", "3:26: expected a duration of at least 1s"},
        {HTTP "timeout.min_rate_grace = \"2h\"\n", "3:26: expected a duration of at most 1h"},
        {HTTP ROUTE "timeout = 5\n",
         "6:11: expected a duration such as \"10s\", \"500ms\" or \"1m30s\", found an integer"},
        {HTTP ROUTE "timeout.reed = \"5s\"\n",
         "6:9: unknown key 'reed' in [http.routes.timeout]: did you mean 'read'?"},
        {HTTP ROUTE "timeout.idle = \"5s\"\n",
         "6:9: unknown key 'idle' in [http.routes.timeout]: it belongs to [http.timeout]"},
        {HTTP ROUTE "timeout = \"5s\"\ntimeout.read = \"5s\"\n",
         "7:1: 'timeout' is already set at 6:1, to a string"},
        {HTTP "[[http.routes]]\npath = \"GET /\"\nstatic = \".\"\ntimeout.read = \"0\"\n",
         "6:16: 'timeout.read' needs a route to a service"},
        {HTTP "[[http.routes]]\npath = \"GET /\"\nstatic = \".\"\ntimeout.response = \"1s\"\n",
         "6:20: 'timeout' needs a route to a service"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        struct fe_config *config;
        struct flatend_error err = {0};
        char message[sizeof(err.text)];

        snprintf(message, sizeof(message), "config.toml:%s", mistakes[i].message);
        assert_int_not_equal(
            fe_config_parse("config.toml", fe_view_str(mistakes[i].text), &config, &err), 0);
        assert_string_equal(err.text, message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_inherited),
        cmocka_unit_test(test_off),      cmocka_unit_test(test_response),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
