/* Calls with a queue: nothing waits, everything is told. */
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

enum { BIG = 8 * 1024 * 1024 + 13, PIECE = 4999, N_CALLS = 200, PATIENCE_MS = 20000 };

static char tag; /* what the events carry is its address */

struct world {
    struct flatend_node *server;
    struct flatend_node *client;
    struct flatend_queue *queue;
    char addr[64];
};

static void world_open(struct world *world, const struct flatend_service *services, size_t n)
{
    assert_int_equal(flatend_queue_new(&world->queue), 0);
    world->server = nodes_listen(services, n, world->addr);
    world->client = nodes_join(NULL, 0, world->addr);
}

static void world_close(struct world *world)
{
    flatend_node_free(world->client);
    flatend_node_free(world->server);
    flatend_queue_free(world->queue);
}

static struct flatend_event next(struct world *world)
{
    struct flatend_event event;

    assert_int_equal(flatend_queue_take(world->queue, &event, 1, PATIENCE_MS), 1);
    assert_ptr_equal(event.arg, &tag);
    assert_ptr_equal(event.node, world->client);
    return event;
}

static void expect_none(struct world *world)
{
    struct flatend_event event;

    assert_int_equal(flatend_queue_take(world->queue, &event, 1, 0), 0);
}

/* A call whose events come to the world's queue. */
static struct flatend_stream *call(struct world *world, const char *service, const void *body,
                                   size_t len)
{
    struct flatend_request request = {.services = &service,
                                      .n_services = 1,
                                      .body = body,
                                      .body_len = len,
                                      .queue = world->queue,
                                      .arg = &tag};
    struct flatend_stream *stream;

    assert_int_equal(flatend_push(world->client, &request, &stream, NULL), 0);
    return stream;
}

static void with_trailer(struct flatend_context *ctx, void *arg)
{
    nodes_echo(ctx, arg);
    assert_int_equal(flatend_context_add_trailer(ctx, "x-after", "all"), 0);
}

static void a_call_tells_its_steps(void **state)
{
    const struct flatend_service service = {.name = "echo", .handler = with_trailer};
    const struct flatend_header *headers;
    struct world world;
    struct flatend_stream *stream;
    struct flatend_event event;
    const char *data;
    size_t len;
    int status;

    (void)state;
    world_open(&world, &service, 1);
    stream = call(&world, "echo", "ping", 4);
    event = next(&world);
    assert_int_equal(event.type, FLATEND_EVENT_RESPONSE);
    assert_ptr_equal(event.stream, stream);
    assert_int_equal(flatend_stream_response(stream, &status, NULL, NULL), 0);
    assert_int_equal(status, 200);
    while (flatend_stream_read_all(stream, 100, &data, &len) == FLATEND_EAGAIN) {
        event = next(&world);
        if (event.type == FLATEND_EVENT_TRAILERS) {
            break; /* and behind it, the end */
        }
        assert_int_equal(event.type, FLATEND_EVENT_READABLE);
    }
    do {
        event = next(&world);
    } while (event.type == FLATEND_EVENT_TRAILERS);
    assert_int_equal(event.type, FLATEND_EVENT_END);
    assert_int_equal(flatend_stream_read_all(stream, 100, &data, &len), 0);
    assert_int_equal(len, 4);
    headers = flatend_stream_trailers(stream, &len);
    assert_int_equal(len, 1);
    assert_string_equal(headers[0].value, "all");
    expect_none(&world);
    flatend_stream_close(stream);
    world_close(&world);
}

static void a_call_without_a_provider_fails_by_event(void **state)
{
    struct world world;
    struct flatend_stream *stream;
    struct flatend_event event;

    (void)state;
    world_open(&world, NULL, 0);
    stream = call(&world, "nothing", "", 0);
    event = next(&world);
    assert_int_equal(event.type, FLATEND_EVENT_FAILED);
    assert_int_equal(event.code, FLATEND_ENOPROVIDER);
    assert_int_equal(flatend_stream_response(stream, NULL, NULL, NULL), FLATEND_ENOPROVIDER);
    flatend_stream_close(stream);
    /* One that is left until the node has gone. */
    stream = call(&world, "nothing", "", 0);
    assert_int_equal(next(&world).type, FLATEND_EVENT_FAILED);
    world_close(&world);
    flatend_stream_close(stream);
}

static void what_is_closed_tells_nothing(void **state)
{
    struct hanging hanging;
    const struct flatend_service service = {
        .name = "hang", .handler = hang, .arg = &hanging, .flags = FLATEND_SERVICE_STREAMING};
    struct world world;
    struct flatend_stream *stream;
    char buf[4];

    (void)state;
    hanging_init(&hanging);
    world_open(&world, &service, 1);
    stream = call(&world, "hang", NULL, 0);
    assert_int_equal(flatend_stream_response(stream, NULL, NULL, NULL), FLATEND_EAGAIN);
    assert_int_equal(flatend_stream_read(stream, buf, sizeof(buf)), FLATEND_EAGAIN);
    latch_wait(&hanging.entered, 1);
    flatend_stream_close(stream);
    latch_wait(&hanging.left, 1);
    assert_int_equal(hanging.result, FLATEND_ERESET);
    expect_none(&world);
    world_close(&world);
    hanging_deinit(&hanging);
}

/* A body there and back, on one thread. */
struct conversation {
    struct flatend_stream *stream;
    uint8_t *bytes;
    size_t n_written;
    size_t n_read;
    bool is_writable;
    bool is_readable;
    bool is_over;
    bool was_held_back;
};

static void write_on(struct conversation *talk)
{
    while (talk->is_writable && talk->n_written < BIG) {
        size_t piece = BIG - talk->n_written < PIECE ? BIG - talk->n_written : PIECE;
        int code = flatend_stream_write(talk->stream, talk->bytes + talk->n_written, piece);

        talk->is_writable = code == 0;
        talk->was_held_back |= code == FLATEND_EAGAIN;
        assert_true(code == 0 || code == FLATEND_EAGAIN);
        talk->n_written += code == 0 ? piece : 0;
        if (talk->n_written == BIG) {
            assert_int_equal(flatend_stream_finish(talk->stream), 0);
        }
    }
}

static void read_on(struct conversation *talk)
{
    uint8_t buf[10000];

    while (talk->is_readable && talk->n_read < BIG) {
        ssize_t n = flatend_stream_read(talk->stream, buf, sizeof(buf));

        talk->is_readable = n != FLATEND_EAGAIN;
        if (talk->is_readable) {
            assert_true(n > 0);
            assert_memory_equal(buf, talk->bytes + talk->n_read, (size_t)n);
            talk->n_read += (size_t)n;
        }
    }
}

static void one_thread_writes_and_reads(void **state)
{
    const struct flatend_service service = {
        .name = "echo", .handler = nodes_echo, .flags = FLATEND_SERVICE_STREAMING};
    struct conversation talk = {.bytes = bytes_make(BIG), .is_writable = true, .is_readable = true};
    struct world world;

    (void)state;
    world_open(&world, &service, 1);
    talk.stream = call(&world, "echo", NULL, 0);
    for (;;) {
        struct flatend_event event;

        write_on(&talk);
        read_on(&talk);
        if (talk.n_read == BIG && talk.is_over) {
            break;
        }
        event = next(&world);
        talk.is_writable |= event.type == FLATEND_EVENT_WRITABLE;
        talk.is_readable |= event.type == FLATEND_EVENT_READABLE;
        talk.is_over |= event.type == FLATEND_EVENT_END;
        assert_int_not_equal(event.type, FLATEND_EVENT_FAILED);
    }
    assert_true(talk.was_held_back);
    flatend_stream_close(talk.stream);
    free(talk.bytes);
    world_close(&world);
}

static void many_calls_at_once(void **state)
{
    const struct flatend_service service = {
        .name = "hello", .handler = nodes_hello, .flags = FLATEND_SERVICE_INLINE};
    struct flatend_stream *streams[N_CALLS];
    struct world world;
    size_t n_ended = 0;

    (void)state;
    world_open(&world, &service, 1);
    for (int i = 0; i < N_CALLS; i++) {
        streams[i] = call(&world, "hello", "", 0);
    }
    while (n_ended < N_CALLS) {
        n_ended += next(&world).type == FLATEND_EVENT_END;
    }
    for (int i = 0; i < N_CALLS; i++) {
        const char *data;
        size_t len;

        assert_int_equal(flatend_stream_read_all(streams[i], 100, &data, &len), 0);
        assert_string_equal(data, "Hello world!");
        flatend_stream_close(streams[i]);
    }
    expect_none(&world);
    world_close(&world);
}

/* ---- on behalf of a request, on the node's own thread ------------------------------------------
 */

struct relay {
    struct flatend_node *node; /* with the service "hello" among its peers */
    struct flatend_queue *queue;
};

/* An inline handler asks somebody else, and keeps its request until the answer is there. */
static void relay(struct flatend_context *ctx, void *arg)
{
    struct relay *relay = arg;
    const char *service = "hello";
    const struct flatend_request request = {.services = &service,
                                            .n_services = 1,
                                            .body = "",
                                            .parent = ctx,
                                            .queue = relay->queue,
                                            .arg = ctx};
    struct flatend_stream *stream;

    assert_int_equal(flatend_context_keep(ctx, NULL, NULL), 0);
    assert_int_equal(flatend_push(relay->node, &request, &stream, NULL), 0);
}

static void *answer_with_what_came(void *arg)
{
    struct relay *relay = arg;
    struct flatend_event event;

    while (flatend_queue_take(relay->queue, &event, 1, -1) == 1) {
        const char *data;
        size_t len;

        if (event.type == FLATEND_EVENT_END) {
            assert_int_equal(flatend_stream_read_all(event.stream, 100, &data, &len), 0);
            assert_int_equal(flatend_context_write(event.arg, data, len), 0);
            assert_int_equal(flatend_context_finish(event.arg), 0);
            flatend_stream_close(event.stream);
        }
    }
    return NULL;
}

static void a_handler_on_the_nodes_thread_may_call(void **state)
{
    struct relay relayed = {0};
    const struct flatend_service hello = {.name = "hello", .handler = nodes_hello};
    const struct flatend_service service = {
        .name = "relay", .handler = relay, .arg = &relayed, .flags = FLATEND_SERVICE_INLINE};
    struct world world;
    struct flatend_node *caller;
    struct nodes_answer answer;
    pthread_t thread;

    (void)state;
    world_open(&world, &hello, 1);
    /* The client of the one is the server of the other. */
    flatend_node_free(world.client);
    world.client = nodes_join(&service, 1, world.addr);
    relayed.node = world.client;
    relayed.queue = world.queue;
    assert_int_equal(pthread_create(&thread, NULL, answer_with_what_came, &relayed), 0);
    caller = world.server;
    for (int i = 0; i < N_CALLS; i++) {
        assert_int_equal(nodes_call(caller, "relay", "x", 1, &answer), 0);
        assert_string_equal(answer.text, "Hello world!");
        flatend_stream_close(answer.stream);
    }
    flatend_queue_wake(world.queue);
    assert_int_equal(pthread_join(thread, NULL), 0);
    world_close(&world);
}

/* Its parent may be finished right behind it: the call ends with it. */
static void keep_and_forget(struct flatend_context *ctx, void *arg)
{
    struct relay *relay = arg;
    const char *service = "hello";
    const struct flatend_request request = {.services = &service,
                                            .n_services = 1,
                                            .body = "",
                                            .parent = ctx,
                                            .queue = relay->queue,
                                            .arg = &tag};
    struct flatend_stream *stream;

    assert_int_equal(flatend_context_keep(ctx, NULL, NULL), 0);
    assert_int_equal(flatend_context_write(ctx, "bye", 3), 0);
    assert_int_equal(flatend_push(relay->node, &request, &stream, NULL), 0);
    assert_int_equal(flatend_context_finish(ctx), 0);
}

static void a_parent_may_end_before_its_call_has_begun(void **state)
{
    struct relay relayed = {0};
    const struct flatend_service hello = {.name = "hello", .handler = nodes_hello};
    const struct flatend_service service = {.name = "relay",
                                            .handler = keep_and_forget,
                                            .arg = &relayed,
                                            .flags = FLATEND_SERVICE_INLINE};
    struct world world;

    (void)state;
    world_open(&world, &hello, 1);
    flatend_node_free(world.client);
    world.client = nodes_join(&service, 1, world.addr);
    relayed.node = world.client;
    relayed.queue = world.queue;
    for (int i = 0; i < N_CALLS; i++) {
        struct nodes_answer answer;
        struct flatend_event event;

        assert_int_equal(nodes_call(world.server, "relay", "x", 1, &answer), 0);
        assert_string_equal(answer.text, "bye");
        flatend_stream_close(answer.stream);
        do {
            event = next(&world);
        } while (event.type != FLATEND_EVENT_END && event.type != FLATEND_EVENT_FAILED);
        flatend_stream_close(event.stream);
    }
    world_close(&world);
}

/* The same without keeping it: its parent is whole as soon as the handler returns. */
static void answer_and_forget(struct flatend_context *ctx, void *arg)
{
    struct relay *relay = arg;
    const char *service = "hello";
    const struct flatend_request request = {.services = &service,
                                            .n_services = 1,
                                            .body = "",
                                            .parent = ctx,
                                            .queue = relay->queue,
                                            .arg = &tag};
    struct flatend_stream *stream;

    assert_int_equal(flatend_push(relay->node, &request, &stream, NULL), 0);
    assert_int_equal(flatend_context_write(ctx, "bye", 3), 0);
}

static void forget(unsigned flags)
{
    struct relay relayed = {0};
    const struct flatend_service hello = {.name = "hello", .handler = nodes_hello};
    const struct flatend_service service = {
        .name = "relay", .handler = answer_and_forget, .arg = &relayed, .flags = flags};
    struct world world;

    world_open(&world, &hello, 1);
    flatend_node_free(world.client);
    world.client = nodes_join(&service, 1, world.addr);
    relayed.node = world.client;
    relayed.queue = world.queue;
    for (int i = 0; i < N_CALLS; i++) {
        struct nodes_answer answer;
        struct flatend_event event;

        assert_int_equal(nodes_call(world.server, "relay", "x", 1, &answer), 0);
        assert_string_equal(answer.text, "bye");
        flatend_stream_close(answer.stream);
        do {
            event = next(&world);
        } while (event.type != FLATEND_EVENT_END && event.type != FLATEND_EVENT_FAILED);
        flatend_stream_close(event.stream);
    }
    world_close(&world);
}

static void a_parent_may_return_before_its_call_has_begun(void **state)
{
    (void)state;
    forget(FLATEND_SERVICE_INLINE);
    forget(0);
}

/* The stream is still open, as there is something to read: but it has told its end. */
static void what_has_ended_does_not_fail_with_its_node(void **state)
{
    const struct flatend_service hello = {.name = "hello", .handler = nodes_hello};
    struct flatend_stream *stream;
    struct flatend_event event;
    struct world world;
    const char *text;
    size_t len;

    (void)state;
    world_open(&world, &hello, 1);
    stream = call(&world, "hello", "", 0);
    do {
        event = next(&world);
        assert_int_not_equal(event.type, FLATEND_EVENT_FAILED);
    } while (event.type != FLATEND_EVENT_END);
    flatend_node_free(world.client);
    expect_none(&world);
    assert_int_equal(flatend_stream_read_all(stream, 100, &text, &len), 0);
    assert_string_equal(text, "Hello world!");
    flatend_stream_close(stream);
    flatend_node_free(world.server);
    flatend_queue_free(world.queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_parent_may_return_before_its_call_has_begun),
        cmocka_unit_test(what_has_ended_does_not_fail_with_its_node),
        cmocka_unit_test(a_call_tells_its_steps),
        cmocka_unit_test(a_call_without_a_provider_fails_by_event),
        cmocka_unit_test(what_is_closed_tells_nothing),
        cmocka_unit_test(one_thread_writes_and_reads),
        cmocka_unit_test(many_calls_at_once),
        cmocka_unit_test(a_handler_on_the_nodes_thread_may_call),
        cmocka_unit_test(a_parent_may_end_before_its_call_has_begun),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
