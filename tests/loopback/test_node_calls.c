/* Calls between nodes of the secure session: trailers, deadlines, and the requester's key. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "mesh/node/node.h"
#include "support/calls.h"
#include "support/latch.h"
#include "support/nodes.h"

enum { LONG_MS = 60000 };

/* ---- trailers ---- */

/* Answers with the request's trailers, in the body and behind it. */
static void mirror(struct flatend_context *ctx, void *arg)
{
    const struct flatend_header *trailers;
    const char *body;
    size_t len;
    size_t n;

    (void)arg;
    if (flatend_context_read_all(ctx, 65536, &body, &len) != 0) {
        return;
    }
    trailers = flatend_context_trailers(ctx, &n);
    (void)flatend_context_printf(ctx, "%s:", body);
    for (size_t i = 0; i < n; i++) {
        (void)flatend_context_printf(ctx, "%s=%s;", trailers[i].name, trailers[i].value);
        (void)flatend_context_add_trailer(ctx, trailers[i].name, trailers[i].value);
    }
    (void)flatend_context_add_trailer(ctx, "X-Last", "1");
    if (flatend_context_add_trailer(ctx, "x\ty", "2") != FLATEND_EINVAL) {
        (void)flatend_context_fail(ctx, 500, "a name with a blank was taken");
    }
}

static void check_trailers(struct flatend_node *client, const char *service)
{
    struct flatend_stream *stream = calls_push(client, service, NULL, NULL, NULL);
    const struct flatend_header *trailers;
    size_t n;

    assert_int_equal(flatend_stream_add_trailer(stream, "X-Sum", "42"), 0);
    assert_int_equal(flatend_stream_write(stream, "body", 4), 0);
    assert_int_equal(flatend_stream_add_trailer(stream, "x-more", ""), 0);
    assert_int_equal(flatend_stream_add_trailer(stream, "x-bad", "a\nb"), FLATEND_EINVAL);
    assert_int_equal(flatend_stream_finish(stream), 0);
    assert_int_equal(flatend_stream_add_trailer(stream, "x-late", "1"), FLATEND_ESTATE);
    assert_int_equal(flatend_stream_response(stream, NULL, NULL, NULL), 0);
    trailers = flatend_stream_trailers(stream, &n);
    assert_null(trailers); /* nothing was read yet */
    assert_int_equal(n, 0);
    assert_string_equal(calls_read(stream), "body:x-sum=42;x-more=;");
    trailers = flatend_stream_trailers(stream, &n);
    assert_int_equal(n, 3);
    assert_string_equal(trailers[0].name, "x-sum");
    assert_string_equal(trailers[0].value, "42");
    assert_string_equal(trailers[1].name, "x-more");
    assert_int_equal(trailers[1].value_len, 0);
    assert_string_equal(trailers[2].name, "x-last");
    flatend_stream_close(stream);

    stream = calls_push(client, service, "whole", NULL, NULL); /* none of its own */
    assert_string_equal(calls_read(stream), "whole:");
    (void)flatend_stream_trailers(stream, &n);
    assert_int_equal(n, 1);
    flatend_stream_close(stream);
}

static void test_trailers(void **state)
{
    const struct flatend_service services[] = {
        {.name = "pooled", .handler = mirror},
        {.name = "inline", .handler = mirror, .flags = FLATEND_SERVICE_INLINE},
    };
    struct flatend_node *server;
    struct flatend_node *client;
    char addr[64];

    (void)state;
    server = nodes_listen(services, 2, addr);
    client = nodes_join(NULL, 0, addr);
    for (int i = 0; i < 3; i++) { /* contexts are used again */
        check_trailers(client, "pooled");
        check_trailers(client, "inline");
    }
    flatend_node_free(client);
    flatend_node_free(server);
}

/* ---- deadlines ---- */

static void tell_time(struct flatend_context *ctx, void *arg)
{
    const char *header = flatend_context_header(ctx, "timeout-ms");

    (void)arg;
    (void)flatend_context_printf(ctx, "%u %s", flatend_context_remaining_ms(ctx),
                                 header != NULL ? header : "-");
}

static void test_time_left(void **state)
{
    static const struct {
        const char *value; /* of the header; NULL: none */
        unsigned min;
        unsigned max;
    } cases[] = {
        {NULL, UINT_MAX, UINT_MAX},
        {"60000", 1, 60000},
        {"4294967396", UINT_MAX - LONG_MS, UINT_MAX - 1}, /* 2^32 + 100: more than fits */
        {"9999999999", UINT_MAX - LONG_MS, UINT_MAX - 1},
        {"10000000000", UINT_MAX, UINT_MAX}, /* too large: no request waits for months */
        {"-1", UINT_MAX, UINT_MAX},
        {"soon", UINT_MAX, UINT_MAX},
        {"", UINT_MAX, UINT_MAX},
    };
    const struct flatend_service service = {.name = "time", .handler = tell_time};
    struct flatend_node *server;
    struct flatend_node *client;
    char addr[64];

    (void)state;
    server = nodes_listen(&service, 1, addr);
    client = nodes_join(NULL, 0, addr);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct flatend_stream *stream = calls_push(
            client, "time", "", cases[i].value != NULL ? "timeout-ms" : NULL, cases[i].value);
        unsigned left = UINT_MAX;

        assert_int_equal(sscanf(calls_read(stream), "%u", &left), 1);
        assert_in_range(left, cases[i].min, cases[i].max);
        flatend_stream_close(stream);
    }
    flatend_node_free(client);
    flatend_node_free(server);
}

/* The requester has set the deadline, but forgets it: the provider keeps it. */
static void test_deadline_ends_a_handler(void **state)
{
    struct hanging hanging;
    const struct flatend_service service = {
        .name = "hang", .handler = hang, .arg = &hanging, .flags = FLATEND_SERVICE_STREAMING};
    struct flatend_stream *stream;
    struct flatend_node *server;
    struct flatend_node *client;
    char addr[64];

    (void)state;
    hanging_init(&hanging);
    server = nodes_listen(&service, 1, addr);
    client = nodes_join(NULL, 0, addr);
    stream = calls_push(client, "hang", NULL, "timeout-ms", "20");
    latch_wait(&hanging.left, 1);
    assert_true(hanging.left_ms <= 20);
    assert_int_equal(hanging.result, FLATEND_ETIMEDOUT);
    assert_true(hanging.was_canceled);
    assert_int_equal(flatend_stream_response(stream, NULL, NULL, NULL), FLATEND_ETIMEDOUT);
    flatend_stream_close(stream);
    flatend_node_free(client);
    flatend_node_free(server);
    hanging_deinit(&hanging);
}

/* A handler that has begun to respond is not stopped: the deadline is for the head. */
static void begin_then_read(struct flatend_context *ctx, void *arg)
{
    struct hanging *hanging = arg;
    char buf[100];

    (void)flatend_context_write(ctx, "begun", 5);
    latch_count(&hanging->entered);
    hanging->result = flatend_context_read(ctx, buf, sizeof(buf));
    hanging->left_ms = flatend_context_remaining_ms(ctx);
    hanging->was_canceled = flatend_context_is_canceled(ctx);
}

static void test_deadline_is_for_the_head(void **state)
{
    struct hanging hanging;
    const struct flatend_service services[] = {
        {.name = "begin", .handler = begin_then_read, .arg = &hanging},
        {.name = "hang", .handler = hang, .arg = &hanging},
    };
    struct flatend_stream *stream;
    struct flatend_stream *clock;
    struct flatend_node *server;
    struct flatend_node *client;
    char addr[64];

    (void)state;
    hanging_init(&hanging);
    server = nodes_listen(services, 2, addr);
    client = nodes_join(NULL, 0, addr);
    stream = calls_push(client, "begin", NULL, "timeout-ms", "1000");
    latch_wait(&hanging.entered, 1);
    assert_int_equal(flatend_stream_response(stream, NULL, NULL, NULL), 0);
    clock = calls_push(client, "hang", NULL, "timeout-ms",
                       "1001"); /* is over when the first one's is */
    latch_wait(&hanging.left, 1);
    assert_int_equal(hanging.result, FLATEND_ETIMEDOUT);
    assert_int_equal(flatend_stream_write(stream, "x", 1), 0);
    assert_int_equal(flatend_stream_finish(stream), 0);
    assert_string_equal(calls_read(stream), "begun");
    assert_int_equal(hanging.result, 1);
    assert_int_equal(hanging.left_ms, 0);
    assert_false(hanging.was_canceled);
    flatend_stream_close(stream);
    flatend_stream_close(clock);
    flatend_node_free(client);
    flatend_node_free(server);
    hanging_deinit(&hanging);
}

/* An inline handler that has not begun, because its request does not end, leaves nothing behind. */
static void test_deadline_before_an_inline_handler(void **state)
{
    const struct flatend_service service = {
        .name = "time", .handler = tell_time, .flags = FLATEND_SERVICE_INLINE};
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_stream *stream;
    struct flatend_node *server;
    struct flatend_node *client;
    struct journal journal;
    char addr[64];

    (void)state;
    journal_init(&journal);
    options.services = &service;
    options.n_services = 1;
    options.shutdown_timeout_ms = 1000;
    options.log = journal_log;
    options.log_arg = &journal;
    server = nodes_listen_with(&options, "127.0.0.1:0", addr);
    client = nodes_join(NULL, 0, addr);
    stream = calls_push(client, "time", NULL, "timeout-ms", "20");
    assert_int_equal(flatend_stream_response(stream, NULL, NULL, NULL), FLATEND_ETIMEDOUT);
    flatend_stream_close(stream);
    flatend_node_free(server);
    assert_null(strstr(journal.text, "did not end in time"));
    flatend_node_free(client);
    journal_deinit(&journal);
}

/* ---- the requester ---- */

/* All headers that a service might take for what the node says of the requester. */
static void tell_peer(struct flatend_context *ctx, void *arg)
{
    const struct flatend_header *headers;
    size_t n;

    (void)arg;
    headers = flatend_context_headers(ctx, &n);
    for (size_t i = 0; i < n; i++) {
        if (strncasecmp(headers[i].name, "peer", 4) == 0) {
            (void)flatend_context_printf(ctx, "%s=%s;", headers[i].name, headers[i].value);
        }
    }
    if (flatend_context_id(ctx)->is_proven != (flatend_context_header(ctx, "peer.id") != NULL)) {
        (void)flatend_context_fail(ctx, 500, "a key without a proof");
    }
}

static const char *const forgeries[] = {"peer.id", "Peer.Id", "PEER.ID",  "peer.ID",
                                        "peer.",   "peer.x",  "PEER.key", "peer.id.more"};

static void forge_all(struct flatend_node *client, const char *expected)
{
    static const char *const names[] = {"pooled", "inline"};

    for (size_t i = 0; i < sizeof(forgeries) / sizeof(forgeries[0]); i++) {
        for (size_t j = 0; j < 2; j++) {
            struct flatend_stream *stream =
                calls_push(client, names[j], "", forgeries[i], "forged");
            int status;

            assert_int_equal(flatend_stream_response(stream, &status, NULL, NULL), 0);
            assert_int_equal(status, 200);
            assert_string_equal(calls_read(stream), expected);
            flatend_stream_close(stream);
        }
    }
}

static void test_peer_is_not_forged(void **state)
{
    const struct flatend_service services[] = {
        {.name = "pooled", .handler = tell_peer},
        {.name = "inline", .handler = tell_peer, .flags = FLATEND_SERVICE_INLINE},
    };
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_secret_key secret;
    struct flatend_public_key key;
    char text[FLATEND_PUBLIC_KEY_TEXT];
    char expected[128];
    struct flatend_node *server;
    struct flatend_node *client;
    struct flatend_node *anonymous;
    char addr[64];
    const char *addrs[] = {addr};

    (void)state;
    server = nodes_listen(services, 2, addr);
    assert_int_equal(flatend_secret_key_generate(&secret), 0);
    flatend_secret_key_public(&secret, &key);
    flatend_public_key_format(&key, text);
    (void)snprintf(expected, sizeof(expected), "peer.id=%s;", text);
    options.secret_key = &secret;
    assert_int_equal(flatend_node_new(&options, &client, NULL), 0);
    assert_int_equal(flatend_node_start(client, addrs, 1, NULL), 0);
    anonymous = nodes_join(NULL, 0, addr);
    for (int i = 0; i < 2; i++) { /* in turns: neither gets the other's */
        forge_all(client, expected);
        forge_all(anonymous, "");
    }
    flatend_node_free(anonymous);
    flatend_node_free(client);
    flatend_node_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trailers),
        cmocka_unit_test(test_time_left),
        cmocka_unit_test(test_deadline_ends_a_handler),
        cmocka_unit_test(test_deadline_is_for_the_head),
        cmocka_unit_test(test_deadline_before_an_inline_handler),
        cmocka_unit_test(test_peer_is_not_forged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
