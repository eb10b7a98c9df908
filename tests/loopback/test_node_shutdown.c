/* Every way to end a node, or to lose one, while something blocks. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "mesh/node/node.h"
#include "support/latch.h"
#include "support/nodes.h"

/* ---- services ---- */

/* Reads until there is no more, for whatever reason. */
struct reader {
    struct latch entered;
    struct latch left;
    ssize_t result;
    bool was_canceled;
};

static void read_on(struct flatend_context *ctx, void *arg)
{
    struct reader *reader = arg;
    char buf[100];

    latch_count(&reader->entered);
    while ((reader->result = flatend_context_read(ctx, buf, sizeof(buf))) > 0) {
    }
    reader->was_canceled = flatend_context_is_canceled(ctx);
    latch_count(&reader->left);
}

/* Writes until it cannot. */
static void write_on(struct flatend_context *ctx, void *arg)
{
    struct reader *writer = arg;
    static const char zeros[10000];
    int code = 0;

    latch_count(&writer->entered);
    while (code == 0) {
        code = flatend_context_write(ctx, zeros, sizeof(zeros));
    }
    writer->result = code;
    writer->was_canceled = flatend_context_is_canceled(ctx);
    latch_count(&writer->left);
}

/* Answers when it is let. */
struct waiting {
    struct latch entered;
    struct latch let;
};

static void wait_on(struct flatend_context *ctx, void *arg)
{
    struct waiting *waiting = arg;

    latch_count(&waiting->entered);
    latch_wait(&waiting->let, 1);
    (void)flatend_context_write(ctx, "done", 4); /* some requesters have gone */
}

static void reader_init(struct reader *reader)
{
    latch_init(&reader->entered);
    latch_init(&reader->left);
    reader->result = 0;
    reader->was_canceled = false;
}

static void reader_deinit(struct reader *reader)
{
    latch_deinit(&reader->entered);
    latch_deinit(&reader->left);
}

static struct flatend_stream *open_stream(struct flatend_node *node, const char *service)
{
    struct flatend_request request = {.services = &service, .n_services = 1};
    struct flatend_stream *stream;

    assert_int_equal(flatend_push(node, &request, &stream, NULL), 0);
    return stream;
}

/* ---- shutting down ---- */

static void *shut_down(void *node)
{
    flatend_node_shutdown(node);
    return NULL;
}

static void test_shutdown_waits_for_requests(void **state)
{
    struct waiting waiting;
    struct flatend_service service = {.name = "wait", .handler = wait_on, .arg = &waiting};
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_node *server;
    struct flatend_node *client;
    struct flatend_stream *stream;
    pthread_t thread;
    const char *answer;
    char addr[64];
    size_t len;

    (void)state;
    latch_init(&waiting.entered);
    latch_init(&waiting.let);
    options.services = &service;
    options.n_services = 1;
    options.shutdown_timeout_ms = 60000;
    server = nodes_listen_with(&options, "127.0.0.1:0", addr);
    client = nodes_join(NULL, 0, addr);
    stream = open_stream(client, "wait");
    assert_int_equal(flatend_stream_finish(stream), 0);
    latch_wait(&waiting.entered, 1);
    assert_int_equal(pthread_create(&thread, NULL, shut_down, server), 0);
    latch_count(&waiting.let);
    assert_int_equal(flatend_stream_read_all(stream, 100, &answer, &len), 0);
    assert_string_equal(answer, "done");
    flatend_stream_close(stream);
    assert_int_equal(pthread_join(thread, NULL), 0);
    flatend_node_free(server);
    flatend_node_free(client);
    latch_deinit(&waiting.entered);
    latch_deinit(&waiting.let);
}

static void test_shutdown_cancels_what_blocks(void **state)
{
    struct reader readers[2];
    const struct flatend_service services[] = {
        {.name = "read", .handler = read_on, .arg = &readers[0]},
        {.name = "write", .handler = write_on, .arg = &readers[1]},
    };
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_stream *streams[2];
    struct flatend_node *server;
    struct flatend_node *client;
    char addr[64];

    (void)state;
    options.services = services;
    options.n_services = 2;
    options.shutdown_timeout_ms = 50;
    server = nodes_listen_with(&options, "127.0.0.1:0", addr);
    client = nodes_join(NULL, 0, addr);
    for (size_t i = 0; i < 2; i++) {
        reader_init(&readers[i]);
        streams[i] = open_stream(client, services[i].name);
        latch_wait(&readers[i].entered, 1);
    }
    flatend_node_shutdown(server);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(readers[i].left.n, 1);
        assert_int_equal(readers[i].result, FLATEND_ECANCELED);
        assert_true(readers[i].was_canceled);
        flatend_stream_close(streams[i]);
        reader_deinit(&readers[i]);
    }
    flatend_node_free(server);
    flatend_node_free(client);
}

/* The caller's side: a thread that waits learns it, and may close its stream after the node is
 * gone. */
static void test_shutdown_cancels_calls(void **state)
{
    struct waiting waiting;
    struct flatend_service service = {.name = "wait", .handler = wait_on, .arg = &waiting};
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_stream *stream;
    struct flatend_stream *late;
    struct flatend_node *server;
    struct flatend_node *client;
    const char *name = "wait";
    struct flatend_request request = {.services = &name, .n_services = 1, .body = ""};
    char addr[64];
    const char *addrs[] = {addr};
    char buf[10];

    (void)state;
    latch_init(&waiting.entered);
    latch_init(&waiting.let);
    server = nodes_listen(&service, 1, addr);
    options.shutdown_timeout_ms = 0;
    assert_int_equal(flatend_node_new(&options, &client, NULL), 0);
    assert_int_equal(flatend_node_start(client, addrs, 1, NULL), 0);
    stream = open_stream(client, "wait");
    latch_wait(&waiting.entered, 1);
    flatend_node_shutdown(client);
    assert_int_equal(flatend_stream_response(stream, NULL, NULL, NULL), FLATEND_ECANCELED);
    assert_int_equal(flatend_stream_read(stream, buf, sizeof(buf)), FLATEND_ECANCELED);
    assert_int_equal(flatend_stream_write(stream, "x", 1), FLATEND_ECANCELED);
    assert_int_equal(flatend_push(client, &request, &late, NULL), FLATEND_ECANCELED);
    flatend_node_free(client);
    flatend_stream_close(stream);
    latch_count(&waiting.let);
    flatend_node_free(server);
    latch_deinit(&waiting.entered);
    latch_deinit(&waiting.let);
}

/* A requester whose connection dies: the handler learns it, reading or writing. */
static void test_requester_goes_away(void **state)
{
    struct reader readers[2];
    const struct flatend_service services[] = {
        {.name = "read", .handler = read_on, .arg = &readers[0]},
        {.name = "write", .handler = write_on, .arg = &readers[1]},
    };
    struct flatend_node *server;
    char addr[64];

    (void)state;
    server = nodes_listen(services, 2, addr);
    for (size_t i = 0; i < 2; i++) {
        struct flatend_options options = FLATEND_OPTIONS_INIT;
        const char *addrs[] = {addr};
        struct flatend_stream *stream;
        struct flatend_node *client;

        options.shutdown_timeout_ms = 0;
        reader_init(&readers[i]);
        assert_int_equal(flatend_node_new(&options, &client, NULL), 0);
        assert_int_equal(flatend_node_start(client, addrs, 1, NULL), 0);
        stream = open_stream(client, services[i].name);
        latch_wait(&readers[i].entered, 1);
        flatend_node_free(client);
        flatend_stream_close(stream);
        latch_wait(&readers[i].left, 1);
        assert_true(readers[i].result == FLATEND_ECLOSED || readers[i].result == 0);
        assert_true(readers[i].was_canceled);
        reader_deinit(&readers[i]);
    }
    flatend_node_free(server);
}

/* A request whose requester goes while it waits for a thread does not run. */
static void test_requester_goes_before_its_turn(void **state)
{
    struct waiting waiting;
    struct reader reader;
    const struct flatend_service services[] = {
        {.name = "wait", .handler = wait_on, .arg = &waiting},
        {.name = "read", .handler = read_on, .arg = &reader},
    };
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_stream *streams[2];
    struct flatend_node *server;
    struct flatend_node *client;
    struct journal journal;
    char addr[64];

    (void)state;
    latch_init(&waiting.entered);
    latch_init(&waiting.let);
    reader_init(&reader);
    journal_init(&journal);
    options.services = services;
    options.n_services = 2;
    options.handler_threads = 1;
    options.log = journal_log;
    options.log_arg = &journal;
    server = nodes_listen_with(&options, "127.0.0.1:0", addr);
    client = nodes_join(NULL, 0, addr);
    streams[0] = open_stream(client, "wait");
    latch_wait(&waiting.entered, 1);
    streams[1] = open_stream(client, "read");
    for (size_t i = 0; i < 2; i++) {
        flatend_stream_close(streams[i]);
    }
    flatend_node_free(client);
    (void)journal_wait(&journal, 0, "has disconnected from you.");
    latch_count(&waiting.let);
    flatend_node_free(server); /* waits for all that was queued */
    assert_int_equal(reader.entered.n, 0);
    reader_deinit(&reader);
    latch_deinit(&waiting.entered);
    latch_deinit(&waiting.let);
    journal_deinit(&journal);
}

/* A provider that dies fails the calls that it serves, at once. */
static void test_provider_goes_away(void **state)
{
    struct reader reader;
    const struct flatend_service service = {.name = "read", .handler = read_on, .arg = &reader};
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_stream *stream;
    struct flatend_node *server;
    struct flatend_node *client;
    char addr[64];

    (void)state;
    reader_init(&reader);
    options.services = &service;
    options.n_services = 1;
    options.shutdown_timeout_ms = 0;
    server = nodes_listen_with(&options, "127.0.0.1:0", addr);
    client = nodes_join(NULL, 0, addr);
    stream = open_stream(client, "read");
    latch_wait(&reader.entered, 1);
    flatend_node_free(server);
    assert_true(flatend_stream_response(stream, NULL, NULL, NULL) != 0);
    flatend_stream_close(stream);
    flatend_node_free(client);
    reader_deinit(&reader);
}

static void test_response_timeout(void **state)
{
    struct waiting waiting;
    struct flatend_service service = {.name = "wait", .handler = wait_on, .arg = &waiting};
    const char *name = "wait";
    struct flatend_request request = {
        .services = &name, .n_services = 1, .body = "", .timeout_ms = 20};
    struct flatend_stream *stream;
    struct flatend_node *server;
    struct flatend_node *client;
    char addr[64];

    (void)state;
    latch_init(&waiting.entered);
    latch_init(&waiting.let);
    server = nodes_listen(&service, 1, addr);
    client = nodes_join(NULL, 0, addr);
    assert_int_equal(flatend_push(client, &request, &stream, NULL), 0);
    assert_int_equal(flatend_stream_response(stream, NULL, NULL, NULL), FLATEND_ETIMEDOUT);
    flatend_stream_close(stream);
    latch_count(&waiting.let);
    flatend_node_free(client);
    flatend_node_free(server);
    latch_deinit(&waiting.entered);
    latch_deinit(&waiting.let);
}

/* ---- waiting ---- */

static void *wait_for_end(void *node)
{
    flatend_node_wait(node);
    return NULL;
}

static void test_wait_ends_with_shutdown(void **state)
{
    struct flatend_node *node;
    pthread_t thread;
    char addr[64];

    (void)state;
    node = nodes_listen(NULL, 0, addr);
    assert_int_equal(pthread_create(&thread, NULL, wait_for_end, node), 0);
    flatend_node_shutdown(node);
    assert_int_equal(pthread_join(thread, NULL), 0);
    flatend_node_free(node);
}

/* A handler that is served shows that the node runs; the signal comes while it does. The shutdown
 * would wait a minute for it; the second signal does not let it. */
static void test_wait_ends_with_signals(void **state)
{
    struct reader reader;
    const struct flatend_service service = {.name = "read", .handler = read_on, .arg = &reader};
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_stream *stream;
    struct flatend_node *server;
    struct flatend_node *client;
    struct journal journal;
    pthread_t thread;
    char addr[64];

    (void)state;
    journal_init(&journal);
    reader_init(&reader);
    options.services = &service;
    options.n_services = 1;
    options.shutdown_timeout_ms = 60000;
    options.log = journal_log;
    options.log_arg = &journal;
    options.log_level = FLATEND_LOG_DEBUG;
    server = nodes_listen_with(&options, "127.0.0.1:0", addr);
    client = nodes_join(NULL, 0, addr);
    stream = open_stream(client, "read");
    latch_wait(&reader.entered, 1);
    assert_int_equal(pthread_create(&thread, NULL, wait_for_end, server), 0);
    journal_wait(&journal, 0, "Waiting for SIGINT or SIGTERM.");
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    journal_wait(&journal, 0, "Shutting down.");
    assert_int_equal(kill(getpid(), SIGINT), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(reader.result, FLATEND_ECANCELED);
    flatend_stream_close(stream);
    flatend_node_free(client);
    flatend_node_free(server);
    reader_deinit(&reader);
    journal_deinit(&journal);
}

/* ---- on a worker of the owner's ---- */

static void on_never_started(void *arg, int code)
{
    (void)arg;
    fail_msg("started with %d after it was closed", code);
}

static void on_node_closed(void *arg)
{
    fe_worker_stop(arg);
}

static void test_close_before_started(void **state)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct fe_worker *worker;
    struct flatend_node *node;

    (void)state;
    assert_int_equal(fe_worker_new(&worker, NULL), 0);
    assert_int_equal(fe_node_new_on(&options, worker, &node, NULL), 0);
    assert_int_equal(fe_node_start_on(node, NULL, 0, on_never_started, NULL, NULL), 0);
    fe_node_close_on(node, on_node_closed, worker);
    fe_worker_run(worker);
    flatend_node_free(node);
    fe_worker_free(worker, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shutdown_waits_for_requests),
        cmocka_unit_test(test_shutdown_cancels_what_blocks),
        cmocka_unit_test(test_shutdown_cancels_calls),
        cmocka_unit_test(test_requester_goes_away),
        cmocka_unit_test(test_requester_goes_before_its_turn),
        cmocka_unit_test(test_provider_goes_away),
        cmocka_unit_test(test_response_timeout),
        cmocka_unit_test(test_wait_ends_with_shutdown),
        cmocka_unit_test(test_wait_ends_with_signals),
        cmocka_unit_test(test_close_before_started),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
