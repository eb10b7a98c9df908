/* Calls of a node to its own services: no socket between, and all else as with a peer. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/bytes.h"
#include "support/calls.h"
#include "support/latch.h"
#include "support/nodes.h"

enum { BIG = 8 * 1024 * 1024 + 13, N_CALLS = 100 };

static void trailing(struct flatend_context *ctx, void *arg)
{
    nodes_echo(ctx, arg);
    assert_int_equal(flatend_context_add_trailer(ctx, "x-after", "all"), 0);
}

static struct flatend_node *listen_with(const struct flatend_service *service)
{
    char addr[64];

    return nodes_listen(service, 1, addr);
}

static void a_node_calls_its_own_service(void **state)
{
    const struct flatend_service service = {.name = "echo", .handler = trailing};
    struct flatend_node *node = listen_with(&service);

    (void)state;
    for (int i = 0; i < N_CALLS; i++) {
        const struct flatend_header *trailers;
        struct nodes_answer answer;
        size_t n;

        assert_int_equal(nodes_call(node, "echo", "ping", 4, &answer), 0);
        assert_int_equal(answer.status, 200);
        assert_string_equal(answer.text, "ping");
        trailers = flatend_stream_trailers(answer.stream, &n);
        assert_int_equal(n, 1);
        assert_string_equal(trailers[0].value, "all");
        flatend_stream_close(answer.stream);
    }
    flatend_node_free(node);
}

static void anonymous_nodes_do_too(void **state)
{
    const struct flatend_service echo = {.name = "echo", .handler = nodes_echo};
    const struct flatend_service own = {
        .name = "own", .handler = nodes_hello, .flags = FLATEND_SERVICE_INLINE};
    struct flatend_node *server;
    struct flatend_node *client;
    struct nodes_answer answer;
    char addr[64];

    (void)state;
    server = nodes_listen(&echo, 1, addr);
    client = nodes_join(&own, 1, addr);
    assert_int_equal(nodes_call(client, "own", "", 0, &answer), 0);
    assert_string_equal(answer.text, "Hello world!");
    flatend_stream_close(answer.stream);
    flatend_node_free(client);
    flatend_node_free(server);
}

static void who_asks(struct flatend_context *ctx, void *arg)
{
    const struct flatend_id *id = flatend_context_id(ctx);

    (void)arg;
    assert_true(id->is_proven);
    assert_false(id->is_anonymous);
    assert_int_equal(flatend_context_printf(ctx, "%s", flatend_context_header(ctx, "peer.id")), 0);
}

static void the_requester_is_the_node_itself(void **state)
{
    const struct flatend_service service = {.name = "who", .handler = who_asks};
    struct flatend_node *node = listen_with(&service);
    struct nodes_answer answer;

    (void)state;
    assert_int_equal(nodes_call(node, "who", "", 0, &answer), 0);
    assert_int_equal(answer.len, 64);
    flatend_stream_close(answer.stream);
    flatend_node_free(node);
}

/* A handler asks another service of its node, on behalf of its request. */
static struct flatend_node *relaying;

static void relay(struct flatend_context *ctx, void *arg)
{
    const char *service = "hello";
    const struct flatend_request request = {
        .services = &service, .n_services = 1, .body = "", .parent = ctx};
    struct flatend_stream *stream;

    (void)arg;
    assert_int_equal(flatend_push(relaying, &request, &stream, NULL), 0);
    assert_int_equal(flatend_context_printf(ctx, "%s", calls_read(stream)), 0);
    flatend_stream_close(stream);
}

static void a_handler_calls_another_one(void **state)
{
    const struct flatend_service services[] = {
        {.name = "relay", .handler = relay},
        {.name = "hello", .handler = nodes_hello, .flags = FLATEND_SERVICE_INLINE},
    };
    struct nodes_answer answer;
    char addr[64];

    (void)state;
    relaying = nodes_listen(services, 2, addr);
    assert_int_equal(nodes_call(relaying, "relay", "", 0, &answer), 0);
    assert_string_equal(answer.text, "Hello world!");
    flatend_stream_close(answer.stream);
    flatend_node_free(relaying);
}

struct writer {
    struct flatend_stream *stream;
    const uint8_t *bytes;
};

static void *write_all(void *arg)
{
    struct writer *writer = arg;

    assert_int_equal(flatend_stream_write(writer->stream, writer->bytes, BIG), 0);
    assert_int_equal(flatend_stream_finish(writer->stream), 0);
    return NULL;
}

/* Both directions are held back as they are between nodes. */
static void bodies_of_any_size_go_through(void **state)
{
    const struct flatend_service service = {
        .name = "echo", .handler = nodes_echo, .flags = FLATEND_SERVICE_STREAMING};
    struct flatend_node *node = listen_with(&service);
    uint8_t *bytes = bytes_make(BIG);
    struct writer writer = {.bytes = bytes};
    const char *text;
    pthread_t thread;
    size_t len;

    (void)state;
    writer.stream = calls_push(node, "echo", NULL, NULL, NULL);
    assert_int_equal(pthread_create(&thread, NULL, write_all, &writer), 0);
    assert_int_equal(flatend_stream_read_all(writer.stream, BIG, &text, &len), 0);
    assert_int_equal(len, BIG);
    assert_memory_equal(text, bytes, BIG);
    assert_int_equal(pthread_join(thread, NULL), 0);
    flatend_stream_close(writer.stream);
    flatend_node_free(node);
    free(bytes);
}

static void services_come_and_go(void **state)
{
    const struct flatend_service first = {.name = "first", .handler = nodes_hello};
    const struct flatend_service second = {.name = "second", .handler = nodes_hello};
    struct flatend_node *node = listen_with(&first);
    struct flatend_provider provider;
    const char *name = "second";
    struct nodes_answer answer;

    (void)state;
    assert_int_equal(nodes_call(node, "second", "", 0, &answer), FLATEND_ENOPROVIDER);
    assert_int_equal(flatend_node_add_service(node, &second), 0);
    assert_int_equal(nodes_call(node, "second", "", 0, &answer), 0);
    flatend_stream_close(answer.stream);
    assert_int_equal(flatend_node_providers(node, &name, 1, &provider, 1), 1);
    assert_true(provider.id.is_proven);
    assert_int_equal(flatend_node_remove_service(node, "second"), 0);
    assert_int_equal(nodes_call(node, "second", "", 0, &answer), FLATEND_ENOPROVIDER);
    assert_int_equal(nodes_call(node, "first", "", 0, &answer), 0);
    flatend_stream_close(answer.stream);
    flatend_node_free(node);
}

static void a_call_that_is_given_up_reaches_its_handler(void **state)
{
    struct hanging hanging;
    const struct flatend_service service = {
        .name = "hang", .handler = hang, .arg = &hanging, .flags = FLATEND_SERVICE_STREAMING};
    struct flatend_node *node;
    struct flatend_stream *stream;

    (void)state;
    hanging_init(&hanging);
    node = listen_with(&service);
    stream = calls_push(node, "hang", NULL, NULL, NULL);
    latch_wait(&hanging.entered, 1);
    flatend_stream_close(stream);
    latch_wait(&hanging.left, 1);
    assert_int_equal(hanging.result, FLATEND_ERESET);
    /* One that the end of the node gives up. */
    stream = calls_push(node, "hang", NULL, NULL, NULL);
    latch_wait(&hanging.entered, 2);
    flatend_stream_close(stream);
    flatend_node_free(node);
    hanging_deinit(&hanging);
}

static void a_call_ends_with_its_node(void **state)
{
    struct hanging hanging;
    const struct flatend_service service = {
        .name = "hang", .handler = hang, .arg = &hanging, .flags = FLATEND_SERVICE_STREAMING};
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_node *node;
    struct flatend_stream *stream;
    char addr[64];

    (void)state;
    hanging_init(&hanging);
    options.services = &service;
    options.n_services = 1;
    options.shutdown_timeout_ms = 0;
    node = nodes_listen_with(&options, "127.0.0.1:0", addr);
    stream = calls_push(node, "hang", NULL, NULL, NULL);
    latch_wait(&hanging.entered, 1);
    flatend_node_free(node);
    assert_int_equal(flatend_stream_response(stream, NULL, NULL, NULL), FLATEND_ECANCELED);
    flatend_stream_close(stream);
    hanging_deinit(&hanging);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_calls_its_own_service),
        cmocka_unit_test(anonymous_nodes_do_too),
        cmocka_unit_test(the_requester_is_the_node_itself),
        cmocka_unit_test(a_handler_calls_another_one),
        cmocka_unit_test(bodies_of_any_size_go_through),
        cmocka_unit_test(services_come_and_go),
        cmocka_unit_test(a_call_that_is_given_up_reaches_its_handler),
        cmocka_unit_test(a_call_ends_with_its_node),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
