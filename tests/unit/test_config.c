/* What a configuration means. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/config/config.h"

static struct fe_config *parse(const char *text)
{
    struct fe_config *config;
    struct flatend_error err = {0};
    const int code = fe_config_parse("config.toml", fe_view_str(text), &config, &err);

    if (code != 0) {
        fail_msg("%s", err.text);
    }
    return config;
}

static void assert_view(struct fe_view view, const char *expected)
{
    assert_int_equal(view.len, strlen(expected));
    assert_memory_equal(view.ptr, expected, view.len);
}

static void assert_addr(const struct fe_addr *addr, const char *expected)
{
    char text[FE_ADDR_TEXT_MAX];
    assert_string_equal(fe_addr_format(addr, text), expected);
}

/* The route that a request is led to, or NULL. */
static const struct fe_config_route *match(const struct fe_config_http *http, const char *method,
                                           const char *path, struct fe_match *result,
                                           struct fe_arena *arena)
{
    struct fe_request request = {
        .method = fe_method_of(fe_view_str(method)),
        .method_text = fe_view_str(method),
        .path = fe_view_str(path),
        .version = 11,
    };
    assert_int_equal(fe_router_match(http->router, &request, arena, result), 0);
    return result->result == FE_MATCH_FOUND ? result->route : NULL;
}

static void test_nothing(void **state)
{
    struct fe_config *const config = parse("");

    (void)state;
    assert_addr(&config->addr, "127.0.0.1:9000");
    assert_false(config->has_addr);
    assert_int_equal(config->n_http, 0);
    fe_config_unref(config);
}

/* Of any script, in one line or several. */
static void test_texts(void **state)
{
    struct fe_config *const config = parse("state_dir = \"\"\"\n"
                                           "\xd0\xb7\\\n"
                                           "   \xd0\xb4\"\"\"\r\n"
                                           "[[http]]\n"
                                           "[[http.routes]]\n"
                                           "path='GET /\xe5\x90\x8d'\n"
                                           "services=['''\n\xe5\x90\x8d\n''',\"\\u540d\"]\n");

    (void)state;
    assert_string_equal(config->state_dir, "\xd0\xb7\xd0\xb4");
    assert_view(config->http->routes[0].pattern, "/\xe5\x90\x8d");
    assert_view(config->http->routes[0].services[0], "\xe5\x90\x8d\n");
    assert_view(config->http->routes[0].services[1], "\xe5\x90\x8d");
    fe_config_unref(config);
}

static void test_workers(void **state)
{
    struct fe_config *config = parse("workers = 7\n");
    cpu_set_t all;
    cpu_set_t one;

    (void)state;
    assert_int_equal(config->n_workers, 7);
    fe_config_unref(config);

    assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
    config = parse("");
    assert_int_equal(config->n_workers, CPU_COUNT(&all));
    fe_config_unref(config);

    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    config = parse("");
    assert_int_equal(config->n_workers, 1);
    fe_config_unref(config);
    assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

static void test_defaults(void **state)
{
    struct fe_config *const config = parse("[[http]]\n[[http.routes]]\npath = \"POST /a\"\n"
                                           "service = \"a\"\n");
    const struct fe_config_http *const http = config->http;

    (void)state;
    assert_int_equal(config->n_http, 1);
    assert_int_equal(http->n_addrs, 1);
    assert_addr(&http->addrs[0], "[::]:80");
    assert_int_equal(http->n_domains, 0);
    assert_true(http->redirect_trailing_slash);
    assert_true(http->redirect_fixed_path);
    assert_int_equal(http->read_ms, 10000);
    assert_int_equal(http->read_header_ms, 10000);
    assert_int_equal(http->idle_ms, 10000);
    assert_int_equal(http->write_ms, 10000);
    assert_int_equal(http->shutdown_ms, 10000);
    assert_int_equal(http->header_max, 1048576);
    assert_int_equal(http->n_routes, 1);
    assert_int_equal(http->routes[0].kind, FE_ROUTE_SERVICE);
    assert_int_equal(http->routes[0].timeout_ms, 30000);
    assert_int_equal(http->routes[0].body_min, 0);
    assert_true(http->routes[0].body_max == UINT64_MAX);
    assert_false(http->routes[0].no_cache);
    fe_config_unref(config);
}

/* The example of the README, without https. */
static const char EXAMPLE[] = "addr = \"127.0.0.1:9000\"\n"
                              "[[http]]\n"
                              "https = false\n"
                              "domain = \"lithdew.net\"\n"
                              "domains = [\"a.lithdew.net\", \"b.lithdew.net\"]\n"
                              "addr = \":3000\"\n"
                              "addrs = [\":3000\", \":4000\", \"127.0.0.1:9000\"]\n"
                              "redirect_trailing_slash = true\n"
                              "redirect_fixed_path = true\n"
                              "[http.timeout]\n"
                              "read = \"10s\"\n"
                              "read_header = \"10s\"\n"
                              "idle = \"10s\"\n"
                              "write = \"10s\"\n"
                              "shutdown = \"10s\"\n"
                              "[http.min]\n"
                              "body_size = 1048576\n"
                              "[http.max]\n"
                              "header_size = 1048576\n"
                              "body_size = 1048576\n"
                              "[[http.routes]]\n"
                              "path = \"GET /\"\n"
                              "static = \"/proc/self/status\"\n"
                              "nocache = true\n"
                              "[[http.routes]]\n"
                              "path = \"POST /:id\"\n"
                              "services = [\"a\", \"b\", \"c\"]\n";

static void test_example(void **state)
{
    struct fe_config *const config = parse(EXAMPLE);
    const struct fe_config_http *const http = config->http;
    const struct fe_config_route *const file = &http->routes[0];
    const struct fe_config_route *const service = &http->routes[1];

    (void)state;
    assert_true(config->has_addr);
    assert_addr(&config->addr, "127.0.0.1:9000");
    assert_int_equal(config->addr_pos.line, 1);
    assert_int_equal(config->addr_pos.column, 8);
    assert_int_equal(http->n_addrs, 3);
    assert_addr(&http->addrs[0], "[::]:3000");
    assert_addr(&http->addrs[1], "[::]:4000");
    assert_addr(&http->addrs[2], "127.0.0.1:9000");
    assert_int_equal(http->addrs_pos[2].line, 7);
    assert_int_equal(http->addrs_pos[2].column, 28);
    assert_int_equal(http->n_domains, 3);
    assert_view(http->domains[0], "lithdew.net");
    assert_view(http->domains[2], "b.lithdew.net");

    assert_int_equal(http->n_routes, 2);
    assert_int_equal(file->kind, FE_ROUTE_STATIC);
    assert_view(file->method, "GET");
    assert_view(file->pattern, "/");
    assert_string_equal(file->static_path, "/proc/self/status");
    assert_false(file->static_is_dir);
    assert_true(file->no_cache);
    assert_int_equal(file->body_min, 0); /* a minimum is for uploads */
    assert_int_equal(service->kind, FE_ROUTE_SERVICE);
    assert_view(service->method, "POST");
    assert_view(service->pattern, "/:id");
    assert_int_equal(service->n_services, 3);
    assert_view(service->services[0], "a");
    assert_view(service->services[2], "c");
    assert_int_equal(service->body_min, 1048576);
    assert_int_equal(service->body_max, 1048576);
    assert_int_equal(service->pos.line, 26);
    assert_int_equal(service->pos.column, 8);
    fe_config_unref(config);
}

/* ---- what adds up, and what overrides ------------------------------------------------------- */

static void test_services_add_up(void **state)
{
    struct fe_config *const config = parse("[[http]]\n[[http.routes]]\npath = \" GET\t/a \"\n"
                                           "services = [\"b\", \"a\", \"b\"]\nservice = \"a\"\n");
    const struct fe_config_route *const route = config->http[0].routes;

    (void)state;
    assert_view(route->method, "GET");
    assert_view(route->pattern, "/a");
    assert_int_equal(route->n_services, 2);
    assert_view(route->services[0], "b");
    assert_view(route->services[1], "a");
    fe_config_unref(config);
}

static void test_limits_of_routes(void **state)
{
    struct fe_config *const config = parse("[[http]]\n"
                                           "min.body_size = 10\n"
                                           "max.body_size = \"1KiB\"\n"
                                           "routes = [\n"
                                           "{path = \"PUT /a\", service = \"a\"},\n"
                                           "{path = \"GET /a\", service = \"a\"},\n"
                                           "{path = \"PUT /b\", service = \"a\","
                                           " min.body_size = 0, max.body_size = \"5GB\"},\n"
                                           "{path = \"DELETE /a\", service = \"a\","
                                           " min.body_size = 3, timeout = \"0\"},\n"
                                           "]\n");
    const struct fe_config_route *const routes = config->http[0].routes;

    (void)state;
    assert_int_equal(config->http[0].n_routes, 4);
    assert_int_equal(routes[0].body_min, 10);
    assert_int_equal(routes[0].body_max, 1024);
    assert_int_equal(routes[1].body_min, 0);
    assert_int_equal(routes[1].body_max, 1024);
    assert_int_equal(routes[2].body_min, 0);
    assert_int_equal(routes[2].body_max, 5000000000);
    assert_int_equal(routes[3].body_min, 3);
    assert_int_equal(routes[3].timeout_ms, 0);
    fe_config_unref(config);
}

static void test_own_values(void **state)
{
    struct fe_config *const config = parse("[[http]]\n"
                                           "redirect_trailing_slash = false\n"
                                           "redirect_fixed_path = false\n"
                                           "[http.timeout]\n"
                                           "read = \"1s\"\n"
                                           "read_header = \"2s\"\n"
                                           "idle = \"3s\"\n"
                                           "write = \"4s\"\n"
                                           "shutdown = \"0s\"\n"
                                           "[http.max]\n"
                                           "header_size = \"16kB\"\n");
    const struct fe_config_http *const http = config->http;

    (void)state;
    assert_false(http->redirect_trailing_slash);
    assert_false(http->redirect_fixed_path);
    assert_int_equal(http->read_ms, 1000);
    assert_int_equal(http->read_header_ms, 2000);
    assert_int_equal(http->idle_ms, 3000);
    assert_int_equal(http->write_ms, 4000);
    assert_int_equal(http->shutdown_ms, 0);
    assert_int_equal(http->header_max, 16000);
    fe_config_unref(config);
}

/* Port 0 is any free one: two listeners may both ask for it. */
static void test_free_ports(void **state)
{
    struct fe_config *const config = parse("addr = \"127.0.0.1:0\"\n"
                                           "[[http]]\naddr = \"127.0.0.1:0\"\n"
                                           "[[http]]\naddr = \"127.0.0.1:0\"\n");
    struct fe_config_mistakes mistakes;

    (void)state;
    assert_int_equal(config->n_http, 2);
    assert_int_equal(fe_config_finalize(config, "x", &config->addr, NULL, &mistakes), 0);
    assert_int_equal(config->http[0].n_addrs, 1);
    fe_config_unref(config);
}

/* ---- directories ---------------------------------------------------------------------------- */

static void test_directory(void **state)
{
    struct fe_config *const config =
        parse("[[http]]\n"
              "routes = [\n"
              "{path = \"GET /files\", static = \".\", browse = true},\n"
              "{path = \"GET /own/*rest\", static = \".\"},\n"
              "{path = \"GET /\", static = \".\"},\n"
              "{path = \"GET /hello\", service = \"hello\"},\n"
              "]\n");
    const struct fe_config_http *const http = config->http;
    struct fe_match result;
    struct fe_arena arena;

    (void)state;
    fe_arena_init(&arena, 0);
    assert_true(http->routes[0].static_is_dir);
    assert_true(http->routes[0].browse);
    assert_view(http->routes[0].rest, "filepath");
    assert_view(http->routes[1].rest, "rest");

    assert_ptr_equal(match(http, "GET", "/files", &result, &arena), &http->routes[0]);
    assert_int_equal(result.n_params, 0);
    assert_ptr_equal(match(http, "HEAD", "/files/", &result, &arena), &http->routes[0]);
    assert_ptr_equal(match(http, "GET", "/files/a/b", &result, &arena), &http->routes[0]);
    assert_int_equal(result.n_params, 1);
    assert_view(result.params[0].name, "filepath");
    assert_view(result.params[0].value, "a/b");
    assert_ptr_equal(match(http, "GET", "/own/", &result, &arena), &http->routes[1]);
    assert_ptr_equal(match(http, "GET", "/own/x", &result, &arena), &http->routes[1]);
    assert_view(result.params[0].value, "x");
    assert_ptr_equal(match(http, "GET", "/", &result, &arena), &http->routes[2]);
    assert_ptr_equal(match(http, "GET", "/any/where", &result, &arena), &http->routes[2]);
    assert_ptr_equal(match(http, "GET", "/hello", &result, &arena), &http->routes[3]);
    fe_arena_deinit(&arena);
    fe_config_unref(config);
}

/* ---- the node's address --------------------------------------------------------------------- */

static void count_warning(void *arg, enum flatend_log_level level, const char *line)
{
    unsigned *const n = arg;
    assert_int_equal(level, FLATEND_LOG_WARN);
    assert_string_equal(
        line, "config.toml:7:28: 127.0.0.1:9000 is the node's own address: not serving HTTP on it");
    (*n)++;
}

static void test_settle_leaves_out_the_nodes_address(void **state)
{
    struct fe_config *const config = parse(EXAMPLE);
    struct fe_config_http *const http = config->http;
    struct fe_config_mistakes mistakes;
    struct fe_addr flags;
    unsigned n_warnings = 0;
    const struct fe_log log = {count_warning, &n_warnings, FLATEND_LOG_WARN};

    (void)state;
    assert_int_equal(fe_addr_parse(&flags, "127.0.0.1:3000", NULL), 0);
    assert_int_equal(fe_config_finalize(config, "config.toml", &flags, &log, &mistakes), 0);
    assert_addr(&config->addr, "127.0.0.1:9000"); /* the file's wins over the flags' */
    assert_int_equal(n_warnings, 1);
    assert_int_equal(http->n_addrs, 2);
    assert_addr(&http->addrs[1], "[::]:4000");
    fe_config_unref(config);
}

static void test_settle_takes_flags(void **state)
{
    struct fe_config *config = parse("[[http]]\n");
    struct fe_addr flags;
    struct fe_config_mistakes mistakes;

    (void)state;
    assert_int_equal(fe_addr_parse(&flags, "[::1]:7", NULL), 0);
    assert_int_equal(fe_config_finalize(config, "config.toml", &flags, NULL, &mistakes), 0);
    assert_addr(&config->addr, "[::1]:7");
    fe_config_unref(config);

    config = parse("[[http]]\naddr = \"127.0.0.1:7\"\n");
    assert_int_equal(fe_addr_parse(&flags, "127.0.0.1:7", NULL), 0);
    assert_int_equal(fe_config_finalize(config, "config.toml", &flags, NULL, &mistakes),
                     FLATEND_EEXIST);
    assert_int_equal(mistakes.n, 1);
    assert_string_equal(mistakes.list[0].err.text,
                        "config.toml:2:8: 127.0.0.1:7 is the node's own address");
    fe_config_unref(config);
}

/* Where one of the two means all interfaces, neither can be left out. */
static void test_settle_finds_overlaps(void **state)
{
    static const char *const cases[][3] = {
        {":7", "127.0.0.1:7", "[::]:7 overlaps the node's own address, 127.0.0.1:7"},
        {"127.0.0.1:7", ":7", "127.0.0.1:7 overlaps the node's own address, [::]:7"},
        {"0.0.0.0:7", "10.0.0.1:7", "0.0.0.0:7 overlaps the node's own address, 10.0.0.1:7"},
        {"[::1]:7", "0.0.0.0:7", NULL},
        {":7", "127.0.0.1:8", NULL},
        {":0", "127.0.0.1:0", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fe_config_mistakes mistakes;
        struct fe_config *config;
        struct fe_addr flags;
        char text[128];

        snprintf(text, sizeof(text), "[[http]]\naddrs = [\"%s\", \":9\"]\n", cases[i][0]);
        config = parse(text);
        assert_int_equal(fe_addr_parse(&flags, cases[i][1], NULL), 0);
        if (cases[i][2] == NULL) {
            assert_int_equal(fe_config_finalize(config, "c", &flags, NULL, &mistakes), 0);
            assert_int_equal(config->http->n_addrs, 2);
        } else {
            assert_int_equal(fe_config_finalize(config, "c", &flags, NULL, &mistakes),
                             FLATEND_EEXIST);
            assert_int_equal(mistakes.n, 1);
            assert_memory_equal(mistakes.list[0].err.text, "c:2:10: ", 8);
            assert_string_equal(mistakes.list[0].err.text + 8, cases[i][2]);
        }
        fe_config_unref(config);
    }
}

static void test_settle_tells_all_clashes(void **state)
{
    struct fe_config *const config =
        parse("[[http]]\naddrs = [\"127.0.0.1:7\", \":8\"]\n[[http]]\naddr = \"[::1]:7\"\n");
    struct fe_config_mistakes mistakes;
    struct fe_addr flags;

    (void)state;
    assert_int_equal(fe_addr_parse(&flags, ":7", NULL), 0);
    assert_int_equal(fe_config_finalize(config, "c", &flags, NULL, &mistakes), FLATEND_EEXIST);
    assert_int_equal(mistakes.n, 2);
    assert_string_equal(mistakes.list[0].err.text,
                        "c:2:10: 127.0.0.1:7 overlaps the node's own address, [::]:7");
    assert_string_equal(mistakes.list[1].err.text,
                        "c:4:8: [::1]:7 overlaps the node's own address, [::]:7");
    fe_config_unref(config);
}

/* Of one listener, what another address of it includes counts once. */
static void test_addresses_that_are_included(void **state)
{
    struct fe_config *const config =
        parse("[[http]]\naddrs = [\"127.0.0.1:1\", \"0.0.0.0:2\", \"0.0.0.0:1\", \"[::1]:1\", "
              "\"[::]:2\", \"10.0.0.1:2\", \"[::]:1\", \"127.0.0.1:0\", \":0\", \"unix:/a\"]\n");
    const struct fe_config_http *const http = config->http;

    (void)state;
    assert_int_equal(http->n_addrs, 5);
    assert_addr(&http->addrs[0], "[::]:2");
    assert_addr(&http->addrs[1], "[::]:1");
    assert_addr(&http->addrs[2], "127.0.0.1:0");
    assert_addr(&http->addrs[3], "[::]:0");
    assert_addr(&http->addrs[4], "unix:/a");
    assert_int_equal(http->addrs_pos[1].column, 86);
    fe_config_unref(config);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void test_references(void **state)
{
    struct fe_config *const config = parse(EXAMPLE);

    (void)state;
    assert_ptr_equal(fe_config_ref(config), config);
    fe_config_unref(config);
    assert_int_equal(config->n_http, 1); /* a freed one would be seen by the address sanitizer */
    fe_config_unref(config);
    fe_config_unref(NULL);
}

static void test_load(void **state)
{
    char path[] = "config-test-XXXXXX";
    const int fd = mkstemp(path);
    struct fe_config *config;
    struct flatend_error err;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, EXAMPLE, sizeof(EXAMPLE) - 1), sizeof(EXAMPLE) - 1);
    close(fd);
    assert_int_equal(fe_config_load(path, &config, &err), 0);
    assert_int_equal(config->http[0].n_routes, 2);
    fe_config_unref(config);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_workers),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_example),
        cmocka_unit_test(test_services_add_up),
        cmocka_unit_test(test_limits_of_routes),
        cmocka_unit_test(test_own_values),
        cmocka_unit_test(test_free_ports),
        cmocka_unit_test(test_directory),
        cmocka_unit_test(test_settle_leaves_out_the_nodes_address),
        cmocka_unit_test(test_settle_takes_flags),
        cmocka_unit_test(test_settle_finds_overlaps),
        cmocka_unit_test(test_settle_tells_all_clashes),
        cmocka_unit_test(test_addresses_that_are_included),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
