/* The gateway as a client sees it: routes, heads, and what it is told when something is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/gateways.h"
#include "support/http_client.h"
#include "support/temp_dir.h"

static const char *const config = "[http.max]\n"
                                  "header_size = \"16KiB\"\n"
                                  "[[http.routes]]\n"
                                  "path = \"GET /hello\"\n"
                                  "service = \"hello\"\n"
                                  "[[http.routes]]\n"
                                  "path = \"POST /describe/:Id/*rest\"\n"
                                  "service = \"describe\"\n"
                                  "[[http.routes]]\n"
                                  "path = \"GET /cookies\"\n"
                                  "service = \"cookies\"\n"
                                  "nocache = true\n"
                                  "[[http.routes]]\n"
                                  "path = \"OPTIONS /own\"\n"
                                  "service = \"hello\"\n"
                                  "[[http.routes]]\n"
                                  "path = \"GET /fails\"\n"
                                  "service = \"fails\"\n"
                                  "[[http.routes]]\n"
                                  "path = \"GET /nobody\"\n"
                                  "services = [\"nobody\", \"no_one\"]\n"
                                  "[[http.routes]]\n"
                                  "path = \"POST /limited\"\n"
                                  "service = \"count\"\n"
                                  "min.body_size = 3\n"
                                  "max.body_size = 5\n";

static void hello(struct flatend_context *ctx, void *arg)
{
    (void)arg;
    flatend_context_set_header(ctx, "content-type", "text/plain");
    flatend_context_write(ctx, "Hello world!", 12);
}

/* Every header of the request as a line. */
static void describe(struct flatend_context *ctx, void *arg)
{
    size_t n;
    const struct flatend_header *headers = flatend_context_headers(ctx, &n);

    (void)arg;
    for (size_t i = 0; i < n; i++) {
        flatend_context_printf(ctx, "%s: %s\n", headers[i].name, headers[i].value);
    }
}

static void cookies(struct flatend_context *ctx, void *arg)
{
    (void)arg;
    flatend_context_set_status(ctx, 202);
    flatend_context_add_header(ctx, "Set-Cookie", "a=1");
    flatend_context_add_header(ctx, "Set-Cookie", "b=2");
    flatend_context_add_header(ctx, "Cache-Control", "public");
    flatend_context_set_header(ctx, "Content-Length", "2");
    flatend_context_write(ctx, "ok", 2);
}

static void fails(struct flatend_context *ctx, void *arg)
{
    (void)arg;
    flatend_context_fail(ctx, 500, "this should not happen");
}

static void count(struct flatend_context *ctx, void *arg)
{
    const char *data;
    size_t len;

    (void)arg;
    if (flatend_context_read_all(ctx, 100, &data, &len) == 0) {
        flatend_context_printf(ctx, "%zu", len);
    }
}

static const struct flatend_service services[] = {
    {.name = "hello", .handler = hello}, {.name = "describe", .handler = describe},
    {.name = "fails", .handler = fails}, {.name = "cookies", .handler = cookies},
    {.name = "count", .handler = count},
};

struct world {
    struct gateway gateway;
    struct flatend_node *node;
};

static int setup(void **state)
{
    static struct world world;

    gateway_start(&world.gateway, config);
    world.node = nodes_join(services, sizeof(services) / sizeof(services[0]), world.gateway.addr);
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    gateway_stop(&world->gateway);
    gateway_join(&world->gateway);
    flatend_node_free(world->node);
    return 0;
}

static uint16_t port_of(void **state)
{
    return ((struct world *)*state)->gateway.port;
}

/* Has the head this line? */
static bool has_line(const struct http_answer *answer, const char *line)
{
    char text[512];

    snprintf(text, sizeof(text), "\r\n%s\r\n", line);
    return strstr(answer->head, text) != NULL;
}

/* ---- services ------------------------------------------------------------------------------- */

static void test_handshake(void **state)
{
    struct http_answer answer;

    http_ask(port_of(state), "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_int_equal(answer.status, 200);
    assert_true(answer.is_whole);
    assert_string_equal(answer.body, "Hello world!");
    assert_true(has_line(&answer, "content-type: text/plain"));
    assert_null(strstr(answer.head, ":status"));
    http_answer_deinit(&answer);
}

static void test_what_a_service_sees(void **state)
{
    struct http_answer answer;
    struct http_client client;
    const char *rest;

    http_open(&client, port_of(state));
    http_send_text(&client, "POST /describe/a%20b/c/d?Q=1%2B1&q=2 HTTP/1.1\r\n"
                            "Host: example.org\r\n"
                            "Accept: one\r\n"
                            "X-Forged: no\r\n"
                            "Params.id: forged\r\n"
                            "Connection: keep-alive, x-forged\r\n"
                            "accept: two\r\n"
                            "Content-Length: 1\r\n\r\nx");
    http_receive(&client, false, &answer);
    http_close(&client);
    assert_int_equal(answer.status, 200);
    rest = strstr(answer.body, ":remote: 127.0.0.1:");
    assert_non_null(rest);
    assert_true(strtol(rest + strlen(":remote: 127.0.0.1:"), NULL, 10) > 0);
    answer.body[rest - answer.body] = '\0';
    assert_string_equal(answer.body, "host: example.org\n"
                                     "accept: one, two\n"
                                     "content-length: 1\n"
                                     "query.q: 1+1\n"
                                     "params.id: a b\n"
                                     "params.rest: c/d\n"
                                     ":method: POST\n"
                                     ":path: /describe/a%20b/c/d?Q=1%2B1&q=2\n"
                                     ":scheme: http\n"
                                     ":authority: example.org\n");
    http_answer_deinit(&answer);
}

static void test_what_a_service_says(void **state)
{
    struct http_answer answer;

    http_ask(port_of(state), "GET /cookies HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_int_equal(answer.status, 202);
    assert_true(answer.is_whole);
    assert_string_equal(answer.body, "ok");
    assert_true(has_line(&answer, "set-cookie: a=1\r\nset-cookie: b=2"));
    assert_true(has_line(&answer, "content-length: 2"));
    assert_null(strstr(answer.head, "public")); /* the route says nocache */
    assert_true(has_line(&answer, "pragma: no-cache"));
    http_answer_deinit(&answer);
    http_expect(port_of(state), "GET /fails HTTP/1.1\r\nHost: a\r\n\r\n", 500,
                "{\"error\": \"this should not happen\"}");
}

static void test_head(void **state)
{
    struct http_client client;
    struct http_answer answer;

    http_open(&client, port_of(state));
    http_send_text(&client, "HEAD /cookies HTTP/1.1\r\nHost: a\r\n\r\n"
                            "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    http_receive(&client, true, &answer);
    assert_int_equal(answer.status, 202);
    assert_true(has_line(&answer, "content-length: 2"));
    http_answer_deinit(&answer);
    http_receive(&client, false, &answer);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "Hello world!");
    http_answer_deinit(&answer);
    http_close(&client);
}

static void test_pipelined_requests(void **state)
{
    static const int statuses[] = {200, 404, 503, 200};
    struct http_client client;

    http_open(&client, port_of(state));
    http_send_text(&client, "POST /limited HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nfour"
                            "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n"
                            "GET /nobody HTTP/1.1\r\nHost: a\r\n\r\n"
                            "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        struct http_answer answer;

        http_receive(&client, false, &answer);
        assert_int_equal(answer.status, statuses[i]);
        assert_true(answer.is_whole);
        http_answer_deinit(&answer);
    }
    assert_true(http_is_closed(&client));
    http_close(&client);
}

/* ---- routes --------------------------------------------------------------------------------- */

static void test_paths_and_methods(void **state)
{
    struct http_answer answer;
    uint16_t port = port_of(state);

    http_expect(port, "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n", 404, "no route for this path\n");
    http_expect(port, "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400, "invalid path\n");
    http_ask(port, "POST /hello HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_int_equal(answer.status, 405);
    assert_true(has_line(&answer, "allow: GET, HEAD, OPTIONS"));
    http_answer_deinit(&answer);
    http_ask(port, "OPTIONS /hello HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_int_equal(answer.status, 204);
    assert_true(has_line(&answer, "allow: GET, HEAD, OPTIONS"));
    http_answer_deinit(&answer);
    /* RFC 9110 §7.6.2: a route for it does not get it. */
    http_expect(port, "OPTIONS /own HTTP/1.1\r\nHost: a\r\nMax-Forwards: 1\r\n\r\n", 200,
                "Hello world!");
    http_ask(port, "OPTIONS /own HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n", &answer);
    assert_int_equal(answer.status, 204);
    assert_true(has_line(&answer, "allow: OPTIONS"));
    http_answer_deinit(&answer);
    /* §9.1: no route can be for them. */
    http_expect(port, "TRACE /own HTTP/1.1\r\nHost: a\r\n\r\n", 501, "method not implemented\n");
    http_expect(port, "BREW /own HTTP/1.1\r\nHost: a\r\n\r\n", 501, "method not implemented\n");
}

static void test_redirects(void **state)
{
    struct http_answer answer;

    http_ask(port_of(state), "GET /Hello/?a=1 HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_int_equal(answer.status, 301);
    assert_true(has_line(&answer, "location: /hello?a=1"));
    http_answer_deinit(&answer);
    http_ask(port_of(state), "POST /limited/ HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_int_equal(answer.status, 308);
    assert_true(has_line(&answer, "location: /limited"));
    http_answer_deinit(&answer);
}

/* ---- limits --------------------------------------------------------------------------------- */

static void test_no_provider(void **state)
{
    struct http_answer answer;

    http_expect(port_of(state), "GET /nobody HTTP/1.1\r\nHost: a\r\n\r\n", 503,
                "no provider for 'nobody', 'no_one'\n");
    http_ask(port_of(state), "GET /nobody HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n",
             &answer);
    assert_int_equal(answer.status, 503);
    assert_true(has_line(&answer, "content-type: application/problem+json"));
    assert_string_equal(answer.body, "{\"title\":\"Service Unavailable\",\"status\":503,"
                                     "\"detail\":\"no provider for 'nobody', 'no_one'\"}\n");
    http_answer_deinit(&answer);
}

static void test_body_limits(void **state)
{
    uint16_t port = port_of(state);

#define LIMITED "POST /limited HTTP/1.1\r\nHost: a\r\n"
    http_expect(port, LIMITED "Content-Length: 2\r\n\r\nab", 400,
                "request body smaller than 3 bytes\n");
    http_expect(port, LIMITED "\r\n", 400, "request body smaller than 3 bytes\n");
    http_expect(port, LIMITED "Content-Length: 3\r\n\r\nabc", 200, "3");
    http_expect(port, LIMITED "Content-Length: 5\r\n\r\nabcde", 200, "5");
    http_expect(port, LIMITED "Content-Length: 6\r\n\r\nabcdef", 413, "request body too large\n");
    http_expect(port, LIMITED "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", 400,
                "request body smaller than 3 bytes\n");
    http_expect(port, LIMITED "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200, "3");
    http_expect(port, LIMITED "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n", 413,
                "request body too large\n");
#undef LIMITED
}

static void expect_status_of_header(void **state, size_t size, int status)
{
    char request[20000];
    int len = snprintf(request, sizeof(request), "GET /hello HTTP/1.1\r\nHost: a\r\nX-Big: ");

    memset(request + len, 'x', size);
    snprintf(request + len + size, sizeof(request) - (size_t)len - size, "\r\n\r\n");
    http_expect(port_of(state), request, status, NULL);
}

/* A header that fits one packet, one that is passed on in pieces, and one above the listener's
 * limit; other requests have not been disturbed. */
/* RFC 9110 §4.1. */
static void expect_long_target(void **state)
{
    struct http_answer answer;
    char request[9000];

    snprintf(request, sizeof(request), "GET /hello?%08000d HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    http_ask(port_of(state), request, &answer);
    assert_int_equal(answer.status, 200);
    http_answer_deinit(&answer);
}

static void test_header_limits(void **state)
{
    expect_long_target(state);
    expect_status_of_header(state, 4000, 200);
    expect_status_of_header(state, 16300, 200);
    expect_status_of_header(state, 17000, 431);
    test_handshake(state);
}

/* ---- files ---------------------------------------------------------------------------------- */

static void test_directory(void **state)
{
    struct gateway gateway;
    struct temp_dir dir;
    char toml[512];

    (void)state;
    temp_dir_make(&dir);
    temp_dir_write(&dir, "index.html", "home", 4);
    temp_dir_write(&dir, "data.txt", "0123456789", 10);
    snprintf(toml, sizeof(toml), "[[http.routes]]\npath = \"GET /files\"\nstatic = \"%s\"\n",
             dir.path);
    gateway_start(&gateway, toml);
    http_expect(gateway.port, "GET /files/ HTTP/1.1\r\nHost: a\r\n\r\n", 200, "home");
    http_expect(gateway.port, "GET /files/data.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=2-4\r\n\r\n",
                206, "234");
    http_expect(gateway.port, "GET /files/none HTTP/1.1\r\nHost: a\r\n\r\n", 404, NULL);
    gateway_stop(&gateway);
    gateway_join(&gateway);
    temp_dir_remove(&dir);
}

/* ---- start ---------------------------------------------------------------------------------- */

/* The node listens already, and is closed again. */
static void test_address_that_is_taken(void **state)
{
    const struct fe_log log = {.fn = NULL};
    struct flatend_error err = {0};
    struct fe_gateway *gateway;
    struct fe_config *second;
    struct fe_worker *worker;
    char text[128];

    snprintf(text, sizeof(text), "addr = \"127.0.0.1:0\"\n[[http]]\naddr = \"127.0.0.1:%u\"\n",
             port_of(state));
    assert_int_equal(fe_config_parse("second.toml", fe_view_str(text), &second, &err), 0);
    assert_int_equal(fe_worker_new(&worker, NULL), 0);
    assert_int_equal(fe_gateway_start(worker, second, &log, &gateway, &err), FLATEND_EADDRINUSE);
    snprintf(text, sizeof(text), "listen on 127.0.0.1:%u: address already in use", port_of(state));
    assert_string_equal(err.text, text);
    fe_gateway_free(gateway);
    fe_worker_free(worker, NULL, NULL);
    fe_config_unref(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handshake),           cmocka_unit_test(test_what_a_service_sees),
        cmocka_unit_test(test_what_a_service_says), cmocka_unit_test(test_head),
        cmocka_unit_test(test_pipelined_requests),  cmocka_unit_test(test_paths_and_methods),
        cmocka_unit_test(test_redirects),           cmocka_unit_test(test_no_provider),
        cmocka_unit_test(test_body_limits),         cmocka_unit_test(test_header_limits),
        cmocka_unit_test(test_directory),           cmocka_unit_test(test_address_that_is_taken),
    };

    int n_failed = cmocka_run_group_tests_name("one worker", tests, setup, teardown);

    gateway_use_workers(2);
    return n_failed + cmocka_run_group_tests_name("a further worker", tests, setup, teardown);
}
