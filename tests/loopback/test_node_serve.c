/* Requests and responses between two nodes in one process, through the public interface only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/nodes.h"

enum {
    BIG = 8 * 1024 * 1024 + 13, /* several times every buffer on the way */
    N_THREADS = 16,
    N_CALLS = 50,
    HEAD_MAX = 256 * 1024, /* of names and headers */
};

/* ---- services ---- */

static char greeting[] = "Hello world!";
static char short_greeting[] = "Hi!";

static void hello(struct flatend_context *ctx, void *arg)
{
    assert_int_equal(flatend_context_write(ctx, arg, strlen(arg)), 0);
}

static void silent(struct flatend_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
}

static void echo(struct flatend_context *ctx, void *arg)
{
    char buf[1000];
    ssize_t n;

    (void)arg;
    while ((n = flatend_context_read(ctx, buf, sizeof(buf))) > 0) {
        if (flatend_context_write(ctx, buf, (size_t)n) != 0) {
            return;
        }
    }
    assert_int_equal(n, 0);
}

/* Answers with what it was told about the request. */
static void describe(struct flatend_context *ctx, void *arg)
{
    const char *value = flatend_context_header(ctx, "x-test");
    size_t n;

    (void)arg;
    (void)flatend_context_headers(ctx, &n);
    assert_null(flatend_context_header(ctx, "x-other"));
    assert_int_equal(flatend_context_printf(ctx, "%s %zu %s %d", flatend_context_service(ctx), n,
                                            value != NULL ? value : "none",
                                            flatend_context_id(ctx)->is_anonymous),
                     0);
}

static void created(struct flatend_context *ctx, void *arg)
{
    (void)arg;
    assert_int_equal(flatend_context_set_status(ctx, 199), FLATEND_EINVAL);
    assert_int_equal(flatend_context_set_status(ctx, 201), 0);
    assert_int_equal(flatend_context_set_header(ctx, "X-Upper", "old"), 0);
    assert_int_equal(flatend_context_add_header(ctx, "set-cookie", "a=1"), 0);
    assert_int_equal(flatend_context_add_header(ctx, "Set-Cookie", "b=2"), 0);
    assert_int_equal(flatend_context_set_header(ctx, "x-UPPER", "new"), 0);
    assert_int_equal(flatend_context_set_header(ctx, ":status", "500"), FLATEND_EINVAL);
    assert_int_equal(flatend_context_set_header(ctx, "x", "a\r\nb: c"), FLATEND_EINVAL);
    assert_int_equal(flatend_context_write(ctx, NULL, 0), 0);
    assert_int_equal(flatend_context_set_header(ctx, "x", "y"), FLATEND_ESTATE);
    assert_int_equal(flatend_context_set_status(ctx, 202), FLATEND_ESTATE);
}

/* Fills the head up to the last byte that there may be. */
static void large_head(struct flatend_context *ctx, void *arg)
{
    char *value = malloc(HEAD_MAX);
    size_t len = HEAD_MAX - 1;

    (void)arg;
    assert_non_null(value);
    memset(value, 'v', len);
    value[len] = '\0';
    while (flatend_context_set_header(ctx, "x", value) == FLATEND_ETOOBIG) {
        value[--len] = '\0';
    }
    assert_int_equal(flatend_context_add_header(ctx, "y", ""), FLATEND_ETOOBIG);
    assert_int_equal(flatend_context_set_status(ctx, 203), 0);
    assert_int_equal(flatend_context_printf(ctx, "%zu", len), 0);
    free(value);
}

static void fail_before(struct flatend_context *ctx, void *arg)
{
    (void)arg;
    assert_int_equal(flatend_context_set_header(ctx, "content-type", "text/plain"), 0);
    assert_int_equal(flatend_context_fail(ctx, 418, "no \"%s\"\n", "coffee"), 0);
    assert_int_equal(flatend_context_fail(ctx, 500, "again"), FLATEND_ESTATE);
    assert_int_equal(flatend_context_write(ctx, "x", 1), FLATEND_ESTATE);
}

/* "ää...", too long by far. */
static void fail_at_length(struct flatend_context *ctx, void *arg)
{
    char message[1001];

    (void)arg;
    for (size_t i = 0; i < sizeof(message) - 1; i += 2) {
        memcpy(message + i, "\xc3\xa4", 2);
    }
    message[sizeof(message) - 1] = '\0';
    assert_int_equal(flatend_context_fail(ctx, 500, "%s", message), 0);
}

static void fail_after(struct flatend_context *ctx, void *arg)
{
    (void)arg;
    assert_int_equal(flatend_context_write(ctx, "half", 4), 0);
    assert_int_equal(flatend_context_fail(ctx, 500, "too late for a status"), 0);
}

static void read_ten(struct flatend_context *ctx, void *arg)
{
    const char *data;
    size_t len;
    int code = flatend_context_read_all(ctx, 10, &data, &len);

    (void)arg;
    if (code != 0) {
        flatend_context_fail(ctx, 413, "%s", flatend_error_name(code));
        return;
    }
    assert_int_equal(data[len], '\0');
    assert_int_equal(flatend_context_write(ctx, data, len), 0);
}

static void too_much_inline(struct flatend_context *ctx, void *arg)
{
    char *megabyte = calloc(1, FLATEND_INLINE_RESPONSE_MAX);

    (void)arg;
    assert_non_null(megabyte);
    assert_int_equal(flatend_context_write(ctx, megabyte, FLATEND_INLINE_RESPONSE_MAX), 0);
    assert_int_equal(flatend_context_write(ctx, "x", 1), FLATEND_ETOOBIG);
    free(megabyte);
}

static const struct flatend_service services[] = {
    {.name = "hello", .handler = hello, .arg = greeting},
    {.name = "hello_inline",
     .handler = hello,
     .arg = short_greeting,
     .flags = FLATEND_SERVICE_INLINE},
    {.name = "silent", .handler = silent},
    {.name = "silent_inline", .handler = silent, .flags = FLATEND_SERVICE_INLINE},
    {.name = "echo", .handler = echo},
    {.name = "echo_inline", .handler = echo, .flags = FLATEND_SERVICE_INLINE},
    {.name = "describe", .handler = describe},
    {.name = "created", .handler = created},
    {.name = "large_head", .handler = large_head},
    {.name = "fail_before", .handler = fail_before},
    {.name = "fail_before_inline", .handler = fail_before, .flags = FLATEND_SERVICE_INLINE},
    {.name = "fail_at_length", .handler = fail_at_length},
    {.name = "fail_after", .handler = fail_after},
    {.name = "fail_after_inline", .handler = fail_after, .flags = FLATEND_SERVICE_INLINE},
    {.name = "read_ten", .handler = read_ten},
    {.name = "read_ten_inline", .handler = read_ten, .flags = FLATEND_SERVICE_INLINE},
    {.name = "too_much_inline", .handler = too_much_inline, .flags = FLATEND_SERVICE_INLINE},
};

/* ---- the two nodes ---- */

struct pair {
    struct flatend_node *server;
    struct flatend_node *client;
};

static int setup(void **state)
{
    struct pair *pair = calloc(1, sizeof(*pair));
    char addr[64];

    assert_non_null(pair);
    pair->server = nodes_listen(services, sizeof(services) / sizeof(services[0]), addr);
    pair->client = nodes_join(NULL, 0, addr);
    *state = pair;
    return 0;
}

static int teardown(void **state)
{
    struct pair *pair = *state;

    flatend_node_free(pair->client);
    flatend_node_free(pair->server);
    free(pair);
    return 0;
}

static void assert_answer(struct pair *pair, const char *service, const char *body,
                          int expected_status, const char *expected)
{
    struct nodes_answer answer;

    assert_int_equal(nodes_call(pair->client, service, body, strlen(body), &answer), 0);
    assert_int_equal(answer.status, expected_status);
    assert_string_equal(answer.text, expected);
    assert_int_equal(answer.len, strlen(expected));
    flatend_stream_close(answer.stream);
}

/* ---- tests ---- */

static void test_handshake(void **state)
{
    assert_answer(*state, "hello", "", 200, "Hello world!");
    assert_answer(*state, "hello_inline", "", 200, "Hi!");
}

static void test_handler_that_writes_nothing(void **state)
{
    assert_answer(*state, "silent", "a body that nobody reads", 200, "");
    assert_answer(*state, "silent_inline", "neither", 200, "");
}

/* A node with an identity, connected to the pair's server. */
static struct flatend_node *join_by_name(struct pair *pair)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    const char *const bind_addr = "127.0.0.1:0";
    struct flatend_secret_key key;
    struct flatend_node *node;
    char addr[64];
    const char *const addrs[] = {addr};

    assert_int_equal(flatend_secret_key_generate(&key), 0);
    assert_int_equal(flatend_node_listen_addr(pair->server, 0, addr, sizeof(addr)), 0);
    options.secret_key = &key;
    options.bind_addrs = &bind_addr;
    options.n_bind_addrs = 1;
    assert_int_equal(flatend_node_new(&options, &node, NULL), 0);
    assert_int_equal(flatend_node_start(node, addrs, 1, NULL), 0);
    return node;
}

/* A handler knows the requester, also when requests of several nodes take turns. */
static void test_requesters_are_told_apart(void **state)
{
    struct pair *pair = *state;
    struct flatend_node *named = join_by_name(pair);
    struct pair by_name = {.server = pair->server, .client = named};

    for (int i = 0; i < 2; i++) {
        assert_answer(pair, "describe", "", 200, "describe 0 none 1");
        assert_answer(&by_name, "describe", "", 200, "describe 1 none 0"); /* peer.id */
    }
    flatend_node_free(named);
}

static void test_unknown_service(void **state)
{
    struct pair *pair = *state;
    const char *const names[] = {"nobody"};
    struct flatend_request request = {.services = names, .n_services = 1, .body = ""};
    struct flatend_stream *stream;
    struct flatend_error error;

    assert_int_equal(flatend_push(pair->client, &request, &stream, &error), FLATEND_ENOPROVIDER);
    assert_null(stream);
    assert_string_equal(error.text,
                        "service 'nobody': no provider for the service among its peers (one "
                        "without a key is out of reach: this node has none either)");
}

static void test_first_service_that_it_has(void **state)
{
    struct pair *pair = *state;
    const char *const names[] = {"nobody", "describe", "hello"};
    const struct flatend_header headers[] = {{.name = "x-test", .value = "one", .value_len = 3},
                                             {.name = "x-test", .value = "two", .value_len = 3}};
    struct flatend_request request = {.services = names, .n_services = 3, .body = ""};
    struct flatend_stream *stream;
    const char *answer;
    size_t len;

    request.headers = headers;
    request.n_headers = 2;
    assert_int_equal(flatend_push(pair->client, &request, &stream, NULL), 0);
    assert_int_equal(flatend_stream_read_all(stream, 1000, &answer, &len), 0);
    assert_string_equal(answer, "describe 2 two 1");
    flatend_stream_close(stream);
}

static void test_status_and_headers(void **state)
{
    struct pair *pair = *state;
    const char *const names[] = {"created"};
    struct flatend_request request = {.services = names, .n_services = 1, .body = ""};
    const struct flatend_header *headers;
    struct flatend_stream *stream;
    size_t n;
    int status;

    assert_int_equal(flatend_push(pair->client, &request, &stream, NULL), 0);
    assert_int_equal(flatend_stream_response(stream, &status, &headers, &n), 0);
    assert_int_equal(status, 201);
    assert_int_equal(n, 4); /* with :status */
    assert_string_equal(headers[0].name, "x-upper");
    assert_string_equal(headers[0].value, "new");
    assert_string_equal(headers[1].name, "set-cookie");
    assert_string_equal(headers[1].value, "a=1");
    assert_string_equal(headers[2].name, "set-cookie");
    assert_string_equal(headers[2].value, "b=2");
    flatend_stream_close(stream);
}

static void test_largest_head(void **state)
{
    struct pair *pair = *state;
    const char *const names[] = {"large_head"};
    struct flatend_request request = {.services = names, .n_services = 1, .body = ""};
    const struct flatend_header *headers;
    struct flatend_stream *stream;
    const char *answer;
    size_t len;
    size_t n;
    int status;

    assert_int_equal(flatend_push(pair->client, &request, &stream, NULL), 0);
    assert_int_equal(flatend_stream_response(stream, &status, &headers, &n), 0);
    assert_int_equal(status, 203);
    assert_int_equal(flatend_stream_read_all(stream, 1000, &answer, &len), 0);
    assert_int_equal(headers[0].value_len, atoi(answer));
    assert_true(headers[0].value_len > HEAD_MAX - 100);
    flatend_stream_close(stream);
}

static void test_request_head_too_large(void **state)
{
    struct pair *pair = *state;
    const char *const names[] = {"hello"};
    static char value[HEAD_MAX];
    const struct flatend_header header = {.name = "x", .value = value, .value_len = sizeof(value)};
    struct flatend_request request = {.services = names, .n_services = 1, .body = ""};
    struct flatend_stream *stream;

    memset(value, 'v', sizeof(value));
    request.headers = &header;
    request.n_headers = 1;
    assert_int_equal(flatend_push(pair->client, &request, &stream, NULL), FLATEND_ETOOBIG);
    assert_answer(pair, "hello", "", 200, "Hello world!");
}

static void test_fail_before_first_write(void **state)
{
    const char *expected = "{\"error\": \"no \\\"coffee\\\"\\u000a\"}";

    assert_answer(*state, "fail_before", "", 418, expected);
    assert_answer(*state, "fail_before_inline", "", 418, expected);
}

/* What is cut is cut between two characters. */
static void test_fail_at_length(void **state)
{
    struct pair *pair = *state;
    struct nodes_answer answer;

    assert_int_equal(nodes_call(pair->client, "fail_at_length", NULL, 0, &answer), 0);
    assert_int_equal(answer.status, 500);
    assert_true(answer.len > 500);
    assert_memory_equal(answer.text + answer.len - 4, "\xc3\xa4\"}", 4);
    flatend_stream_close(answer.stream);
}

/* The requester must not take what it got for the whole answer. */
static void test_fail_after_first_write(void **state)
{
    const char *const names[] = {"fail_after", "fail_after_inline"};
    struct pair *pair = *state;

    for (size_t i = 0; i < 2; i++) {
        struct nodes_answer answer;

        assert_int_equal(nodes_call(pair->client, names[i], NULL, 0, &answer), FLATEND_ERESET);
        flatend_stream_close(answer.stream);
    }
    assert_answer(pair, "hello", "", 200, "Hello world!");
}

static void test_read_limit(void **state)
{
    static const char *const names[] = {"read_ten", "read_ten_inline"};

    for (size_t i = 0; i < 2; i++) {
        assert_answer(*state, names[i], "", 200, "");
        assert_answer(*state, names[i], "0123456789", 200, "0123456789");
        assert_answer(*state, names[i], "0123456789a", 413, "{\"error\": \"ETOOBIG\"}");
    }
}

static void test_inline_limits(void **state)
{
    struct pair *pair = *state;
    char *body = calloc(1, FLATEND_INLINE_BODY_MAX + 1);
    struct nodes_answer answer;

    assert_non_null(body);
    assert_int_equal(
        nodes_call(pair->client, "echo_inline", body, FLATEND_INLINE_BODY_MAX, &answer), 0);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.len, FLATEND_INLINE_BODY_MAX);
    assert_memory_equal(answer.text, body, answer.len);
    flatend_stream_close(answer.stream);
    assert_int_equal(
        nodes_call(pair->client, "echo_inline", body, FLATEND_INLINE_BODY_MAX + 1, &answer), 0);
    assert_int_equal(answer.status, 413);
    flatend_stream_close(answer.stream);
    assert_int_equal(nodes_call(pair->client, "too_much_inline", NULL, 0, &answer), 0);
    assert_int_equal(answer.len, FLATEND_INLINE_RESPONSE_MAX);
    flatend_stream_close(answer.stream);
    free(body);
}

/* ---- both ways at once ---- */

static uint8_t byte_at(size_t i)
{
    return (uint8_t)((i * 2654435761u) >> 13);
}

static void *write_big(void *arg)
{
    struct flatend_stream *stream = arg;
    uint8_t buf[777];

    for (size_t at = 0; at < BIG;) {
        size_t n = BIG - at < sizeof(buf) ? BIG - at : sizeof(buf);

        for (size_t i = 0; i < n; i++) {
            buf[i] = byte_at(at + i);
        }
        assert_int_equal(flatend_stream_write(stream, buf, n), 0);
        at += n;
    }
    assert_int_equal(flatend_stream_finish(stream), 0);
    assert_int_equal(flatend_stream_write(stream, "x", 1), FLATEND_ESTATE);
    return NULL;
}

static void test_echo_of_megabytes(void **state)
{
    struct pair *pair = *state;
    const char *const names[] = {"echo"};
    struct flatend_request request = {.services = names, .n_services = 1};
    struct flatend_stream *stream;
    pthread_t writer;
    uint8_t buf[1009];
    size_t at = 0;
    ssize_t n;

    assert_int_equal(flatend_push(pair->client, &request, &stream, NULL), 0);
    assert_int_equal(pthread_create(&writer, NULL, write_big, stream), 0);
    while ((n = flatend_stream_read(stream, buf, sizeof(buf))) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            if (buf[i] != byte_at(at + (size_t)i)) {
                fail_msg("byte %zu differs", at + (size_t)i);
            }
        }
        at += (size_t)n;
    }
    assert_int_equal(n, 0);
    assert_int_equal(at, BIG);
    assert_int_equal(pthread_join(writer, NULL), 0);
    flatend_stream_close(stream);
}

static void *call_often(void *arg)
{
    struct pair *pair = arg;
    char body[3000];

    memset(body, 'b', sizeof(body));
    for (size_t i = 0; i < N_CALLS; i++) {
        struct nodes_answer answer;
        const char *service = i % 2 == 0 ? "echo" : "echo_inline";

        assert_int_equal(nodes_call(pair->client, service, body, i * 60, &answer), 0);
        assert_int_equal(answer.len, i * 60);
        assert_memory_equal(answer.text, body, answer.len);
        flatend_stream_close(answer.stream);
    }
    return NULL;
}

static void test_many_threads(void **state)
{
    pthread_t threads[N_THREADS];

    for (size_t i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, *state), 0);
    }
    for (size_t i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handshake),
        cmocka_unit_test(test_handler_that_writes_nothing),
        cmocka_unit_test(test_requesters_are_told_apart),
        cmocka_unit_test(test_unknown_service),
        cmocka_unit_test(test_first_service_that_it_has),
        cmocka_unit_test(test_status_and_headers),
        cmocka_unit_test(test_largest_head),
        cmocka_unit_test(test_request_head_too_large),
        cmocka_unit_test(test_fail_before_first_write),
        cmocka_unit_test(test_fail_at_length),
        cmocka_unit_test(test_fail_after_first_write),
        cmocka_unit_test(test_read_limit),
        cmocka_unit_test(test_inline_limits),
        cmocka_unit_test(test_echo_of_megabytes),
        cmocka_unit_test(test_many_threads),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
