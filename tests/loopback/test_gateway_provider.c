/* Providers that send nonsense, hang or die: only their own streams fail, and the client learns it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "gateway/relay/held_response.h"
#include "mesh/rpc/registry.h"
#include "support/gateways.h"
#include "support/http_client.h"
#include "support/provider.h"

#define GET  "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"

static const char *const config = "[[http.routes]]\n"
                                  "path = \"GET /x\"\n"
                                  "service = \"x\"\n"
                                  "[[http.routes]]\n"
                                  "path = \"POST /x\"\n"
                                  "service = \"x\"\n"
                                  "[[http.routes]]\n"
                                  "path = \"GET /impatient\"\n"
                                  "service = \"x\"\n"
                                  "timeout = \"50ms\"\n"
                                  "[[http.routes]]\n"
                                  "path = \"GET /hello\"\n"
                                  "service = \"hello\"\n";

static void hello(struct flatend_context *ctx, void *arg)
{
    (void)arg;
    flatend_context_write(ctx, "Hello world!", 12);
}

static const struct flatend_service services[] = {{.name = "hello", .handler = hello}};

struct world {
    struct gateway gateway;
    struct flatend_node *node; /* an honest one */
    struct provider provider;
    struct http_client client;
};

static int setup(void **state)
{
    static struct world world;

    gateway_start(&world.gateway, config);
    world.node = nodes_join(services, 1, world.gateway.addr);
    provider_join(&world.provider, world.gateway.addr, "x");
    http_open(&world.client, world.gateway.port);
    *state = &world;
    return 0;
}

/* Whatever has happened, other requests are served. */
static int teardown(void **state)
{
    struct world *world = *state;

    http_expect(world->gateway.port, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", 200, "Hello world!");
    http_close(&world->client);
    provider_leave(&world->provider);
    gateway_stop(&world->gateway);
    gateway_join(&world->gateway);
    flatend_node_free(world->node);
    return 0;
}

/* Sends the request, which reaches the provider. */
static void ask(struct world *world, const char *request)
{
    http_send_text(&world->client, request);
    provider_wait_request(&world->provider);
}

/* The client is told this, and its connection goes on. */
static void expect_answer(struct world *world, int status, const char *body)
{
    struct http_answer answer;

    http_receive(&world->client, false, &answer);
    assert_int_equal(answer.status, status);
    assert_true(answer.is_whole);
    assert_string_equal(answer.body, body);
    http_answer_deinit(&answer);
    http_send_text(&world->client, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    http_receive(&world->client, false, &answer);
    assert_string_equal(answer.body, "Hello world!");
    http_answer_deinit(&answer);
}

/* The client sees that what it got is not the whole. */
static void expect_cut(struct world *world)
{
    struct http_answer answer;

    http_receive(&world->client, false, &answer);
    assert_false(answer.is_whole);
    assert_true(http_is_closed(&world->client));
    http_answer_deinit(&answer);
}

static void test_length_that_is_kept(void **state)
{
    struct world *world = *state;

    ask(world, GET);
    provider_respond(&world->provider, true, "content-length", "9");
    provider_data(&world->provider, "all of it");
    provider_end(&world->provider);
    expect_answer(world, 200, "all of it");
}

/* ---- what nodes of the old dialect leave out --------------------------------------------------
 */

static void expect_head(struct world *world, const char *field, const char *no_field)
{
    struct http_answer answer;

    http_receive(&world->client, false, &answer);
    assert_int_equal(answer.status, 200);
    assert_true(answer.is_whole);
    assert_non_null(strstr(answer.head, field));
    assert_null(strstr(answer.head, no_field));
    http_answer_deinit(&answer);
}

/* As of a Go handler that writes nothing. */
static void test_head_alone_is_an_empty_response(void **state)
{
    struct world *world = *state;

    ask(world, GET);
    provider_respond(&world->provider, true, "x-a", "b");
    provider_wait_look(&world->provider);
    expect_head(world, "content-length: 0\r\n", "content-type");
    provider_data(&world->provider, "late"); /* no fault */
    provider_end(&world->provider);
    test_length_that_is_kept(state);
}

static void test_head_alone_is_not_what_was_announced(void **state)
{
    struct world *world = *state;

    ask(world, POST);
    provider_respond(&world->provider, true, "content-length", "3");
    provider_wait_look(&world->provider);
    expect_answer(world, 502, "request reset by the provider of 'x'\n");
}

static void test_text_and_its_length_are_declared(void **state)
{
    struct world *world = *state;

    for (int i = 0; i < 3; i++) {
        static const char *const bodies[] = {"text", "<script>alert(1)</script>", "\x01\x02"};

        ask(world, GET);
        provider_respond(&world->provider, true, "x-a", "b");
        provider_data(&world->provider, bodies[i]);
        provider_end(&world->provider);
        expect_head(world, i < 2 ? "content-type: text/plain; charset=utf-8\r\n" : "nosniff",
                    i < 2 ? "html" : "content-type:");
    }
    ask(world, GET);
    provider_respond(&world->provider, true, "content-type", "text/html");
    provider_data(&world->provider, "<p>");
    provider_end(&world->provider);
    expect_head(world, "content-type: text/html\r\n", "nosniff");
}

/* Until this text has come, which is not taken. */
static void wait_for(struct http_client *client, const char *text)
{
    char buf[1024] = "";

    while (strstr(buf, text) == NULL) {
        ssize_t n = recv(client->fd, buf, sizeof(buf) - 1, MSG_PEEK);

        assert_true(n > 0);
        buf[n] = '\0';
    }
}

/* It is not held for longer than a moment. */
static void test_body_that_goes_on_is_not_held(void **state)
{
    struct world *world = *state;
    struct http_answer answer;

    ask(world, GET);
    provider_respond(&world->provider, true, NULL, NULL);
    provider_data(&world->provider, "first");
    wait_for(&world->client, "first");
    provider_data(&world->provider, " second");
    provider_end(&world->provider);
    http_receive(&world->client, false, &answer);
    assert_true(answer.is_whole);
    assert_string_equal(answer.body, "first second");
    http_answer_deinit(&answer);
}

/* ---- dying ---------------------------------------------------------------------------------- */

static void test_dies_before_the_head(void **state)
{
    struct world *world = *state;

    ask(world, POST);
    provider_leave(&world->provider);
    expect_answer(world, 502, "connection lost to the provider of 'x'\n");
    provider_join(&world->provider, world->gateway.addr, "x");
}

static void test_dies_after_the_head(void **state)
{
    struct world *world = *state;

    ask(world, GET);
    provider_respond(&world->provider, true, NULL, NULL);
    for (int i = 0; i <= FE_HELD_BODY_MAX; i += 16) {
        provider_data(&world->provider, "half of the body"); /* more than is held */
    }
    provider_leave(&world->provider);
    expect_cut(world);
    provider_join(&world->provider, world->gateway.addr, "x");
}

static void test_idempotent_request_is_asked_elsewhere(void **state)
{
    struct world *world = *state;
    struct provider other;

    ask(world, GET);
    provider_join(&other, world->gateway.addr, "x");
    provider_leave(&world->provider);
    provider_wait_request(&other);
    provider_respond(&other, true, NULL, NULL);
    provider_data(&other, "the other");
    provider_end(&other);
    expect_answer(world, 200, "the other");
    provider_leave(&other);
    provider_join(&world->provider, world->gateway.addr, "x");
}

/* ---- hanging -------------------------------------------------------------------------------- */

static void test_never_answers(void **state)
{
    struct world *world = *state;

    ask(world, "GET /impatient HTTP/1.1\r\nHost: a\r\n\r\n");
    expect_answer(world, 504, "timed out waiting for 'x'\n");
    /* Too late: discarded, and the connection is as good as before. */
    provider_respond(&world->provider, true, NULL, NULL);
    provider_data(&world->provider, "late");
    provider_end(&world->provider);
    test_length_that_is_kept(state);
}

/* The other one is asked: the gateway's own time-out counts against a provider. */
static void test_one_of_two_never_answers(void **state)
{
    enum { N = 60 };
    struct world *world = *state;
    const struct flatend_service service = {.name = "x", .handler = hello};
    struct flatend_node *other = nodes_join(&service, 1, world->gateway.addr);
    int n_late = 0;

    for (int i = 0; i < N; i++) {
        struct http_answer answer;

        http_ask(world->gateway.port, "GET /impatient HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
        assert_true(answer.status == 200 || answer.status == 504);
        n_late += answer.status == 504;
        http_answer_deinit(&answer);
    }
    /* Those that it took to know, and one each time that it is tried again. */
    assert_in_range(n_late, FE_EJECT_AFTER, FE_EJECT_AFTER + 2);
    flatend_node_free(other);
}

/* Less than was announced is a failure of the provider's, too. */
static void test_one_of_two_breaks_off(void **state)
{
    struct world *world = *state;
    const struct flatend_service service = {.name = "x", .handler = hello};
    struct flatend_node *other;

    for (int i = 0; i < FE_EJECT_AFTER; i++) {
        ask(world, GET);
        provider_respond(&world->provider, true, "content-length", "9");
        provider_data(&world->provider, "short");
        provider_end(&world->provider);
        expect_cut(world);
        http_close(&world->client);
        http_open(&world->client, world->gateway.port);
    }
    other = nodes_join(&service, 1, world->gateway.addr);
    for (int i = 0; i < 20; i++) {
        http_expect(world->gateway.port, GET, 200, "Hello world!");
    }
    flatend_node_free(other);
}

static void test_others_are_served_meanwhile(void **state)
{
    struct world *world = *state;

    ask(world, GET);
    for (int i = 0; i < 10; i++) {
        http_expect(world->gateway.port, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", 200,
                    "Hello world!");
    }
    provider_respond(&world->provider, true, NULL, NULL);
    provider_end(&world->provider);
    expect_answer(world, 200, "");
}

static void test_does_not_handle(void **state)
{
    struct world *world = *state;

    ask(world, POST);
    provider_respond(&world->provider, false, NULL, NULL);
    expect_answer(world, 503, "request not handled by any provider of 'x'\n");
}

/* A client that gives up in the middle of its request: what the provider still sends is discarded,
 * and disturbs no other request. */
static void test_client_that_goes(void **state)
{
    struct world *world = *state;

    ask(world, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nx");
    assert_int_equal(world->provider.n_ends, 0);
    http_close(&world->client);
    provider_wait_ends(&world->provider);
    provider_respond(&world->provider, true, NULL, NULL);
    provider_data(&world->provider, "late");
    provider_end(&world->provider);
    http_open(&world->client, world->gateway.port);
    test_length_that_is_kept(state);
}

/* ---- lying ---------------------------------------------------------------------------------- */

static void test_less_than_announced(void **state)
{
    struct world *world = *state;

    ask(world, GET);
    provider_respond(&world->provider, true, "content-length", "10");
    provider_data(&world->provider, "less");
    provider_end(&world->provider);
    expect_cut(world);
}

static void test_more_than_announced(void **state)
{
    struct world *world = *state;

    ask(world, GET);
    provider_respond(&world->provider, true, "content-length", "3");
    provider_data(&world->provider, "more");
    expect_cut(world);
    provider_data(&world->provider, "and more");
    provider_end(&world->provider);
}

/* Its other streams, over the same connection, are as good as before. */
static void test_lie_fails_one_stream(void **state)
{
    struct world *world = *state;
    struct http_client honest;
    struct http_answer answer;
    uint32_t stream;

    ask(world, GET);
    stream = world->provider.stream;
    http_open(&honest, world->gateway.port);
    http_send_text(&honest, GET);
    provider_wait_request(&world->provider);
    provider_respond(&world->provider, true, "content-length", "9");
    provider_data(&world->provider, "all ");
    world->provider.stream = stream;
    provider_respond(&world->provider, true, "content-length", "3");
    provider_data(&world->provider, "more");
    expect_cut(world);
    world->provider.stream = stream + 2;
    provider_data(&world->provider, "of it");
    provider_end(&world->provider);
    http_receive(&honest, false, &answer);
    assert_true(answer.is_whole);
    assert_string_equal(answer.body, "all of it");
    http_answer_deinit(&answer);
    http_close(&honest);
}

/* A packet that claims to be longer than the record around it. */
static void test_data_longer_than_its_record(void **state)
{
    static const uint8_t data[] = {0, 0, 0, 0, 3, 0x40, 0, 0, 1, 0xff, 0xff, 'x'};
    struct world *world = *state;

    ask(world, POST);
    provider_respond(&world->provider, true, NULL, NULL);
    provider_send_record(&world->provider, data, sizeof(data));
    provider_wait_closed(&world->provider);
    expect_answer(world, 502, "connection lost to the provider of 'x'\n"); /* it was held */
    (void)journal_wait(&world->gateway.journal, 0, "malformed Data.");
}

static void test_invalid_heads(void **state)
{
    static const struct {
        const char *name;
        const char *value;
        const char *reason;
    } cases[] = {
        {":status", "99", "invalid :status\n"},
        {"content-length", "many", "invalid content-length\n"},
        {"a", "b\r\nset-cookie: stolen=1", "invalid status, header name or header value\n"},
    };
    struct world *world = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ask(world, GET);
        provider_respond(&world->provider, true, cases[i].name, cases[i].value);
        provider_end(&world->provider);
        expect_answer(world, 502, cases[i].reason);
    }
    (void)journal_wait(&world->gateway.journal, 0, "Invalid response from 'x': invalid :status.");
}

/* In the mesh a name may be any text: no fault of the service's, but nothing that HTTP can say. */
static void test_names_that_http_forbids_stay(void **state)
{
    struct world *world = *state;
    struct http_answer answer;

    ask(world, GET);
    provider_respond(&world->provider, true, "header key", "header val");
    provider_end(&world->provider);
    http_receive(&world->client, false, &answer);
    assert_int_equal(answer.status, 200);
    assert_null(strstr(answer.head, "header"));
    http_answer_deinit(&answer);
    (void)journal_wait(&world->gateway.journal, 0,
                       "GET /x: dropped 1 header(s) of the response whose names HTTP forbids, the "
                       "first is 'header key'.");
}

static void test_hop_by_hop_fields_stay(void **state)
{
    struct world *world = *state;
    struct http_answer answer;

    ask(world, GET);
    provider_respond(&world->provider, true, "transfer-encoding", "gzip");
    provider_end(&world->provider);
    http_receive(&world->client, false, &answer);
    assert_int_equal(answer.status, 200);
    assert_null(strstr(answer.head, "gzip"));
    http_answer_deinit(&answer);
}

/* Its connection ends, and with it its streams. */
static void test_garbage(void **state)
{
    static const uint8_t forged[36] = {0, 0, 0, 32};
    struct world *world = *state;

    ask(world, POST);
    provider_send_raw(&world->provider, forged, sizeof(forged));
    provider_wait_closed(&world->provider);
    expect_answer(world, 502, "connection lost to the provider of 'x'\n");
}

static void test_body_before_the_head(void **state)
{
    struct world *world = *state;

    ask(world, POST);
    provider_data(&world->provider, "body");
    provider_wait_closed(&world->provider);
    expect_answer(world, 502, "connection lost to the provider of 'x'\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_length_that_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_head_alone_is_an_empty_response, setup, teardown),
        cmocka_unit_test_setup_teardown(test_head_alone_is_not_what_was_announced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_text_and_its_length_are_declared, setup, teardown),
        cmocka_unit_test_setup_teardown(test_body_that_goes_on_is_not_held, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dies_before_the_head, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dies_after_the_head, setup, teardown),
        cmocka_unit_test_setup_teardown(test_idempotent_request_is_asked_elsewhere, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_never_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_of_two_never_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_of_two_breaks_off, setup, teardown),
        cmocka_unit_test_setup_teardown(test_others_are_served_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_does_not_handle, setup, teardown),
        cmocka_unit_test_setup_teardown(test_client_that_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_less_than_announced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_more_than_announced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lie_fails_one_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(test_data_longer_than_its_record, setup, teardown),
        cmocka_unit_test_setup_teardown(test_invalid_heads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_that_http_forbids_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hop_by_hop_fields_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_body_before_the_head, setup, teardown),
    };

    int n_failed = cmocka_run_group_tests_name("one worker", tests, NULL, NULL);

    gateway_use_workers(2);
    return n_failed + cmocka_run_group_tests_name("a further worker", tests, NULL, NULL);
}
