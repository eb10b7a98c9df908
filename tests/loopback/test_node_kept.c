/* Requests that wait without a thread: kept by their handlers, or taken from a queue. */
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
#include "support/provider.h"

enum {
    BIG = 8 * 1024 * 1024 + 13, /* several times every buffer on the way */
    N_THREADS = 8,
    N_CALLS = 40,
    N_EVENTS = 16,
    PATIENCE_MS = 20000,
};

/* A server with one service, and a client of it. */
struct world {
    struct flatend_node *server;
    struct flatend_node *client;
    struct flatend_queue *queue;
    char addr[64];
};

static void world_open(struct world *world, struct flatend_service service)
{
    assert_int_equal(flatend_queue_new(&world->queue), 0);
    if (service.handler == NULL) {
        service.queue = world->queue;
    }
    world->server = nodes_listen(&service, 1, world->addr);
    world->client = nodes_join(NULL, 0, world->addr);
}

static void world_close(struct world *world)
{
    flatend_node_free(world->client);
    flatend_node_free(world->server);
    flatend_queue_free(world->queue);
}

/* The next event of the queue. */
static struct flatend_event next(struct flatend_queue *queue)
{
    struct flatend_event event;

    assert_int_equal(flatend_queue_take(queue, &event, 1, PATIENCE_MS), 1);
    return event;
}

static void expect_none(struct flatend_queue *queue)
{
    struct flatend_event event;

    assert_int_equal(flatend_queue_take(queue, &event, 1, 0), 0);
}

static void expect_answer(struct flatend_stream *stream, const char *text)
{
    assert_string_equal(calls_read(stream), text);
    flatend_stream_close(stream);
}

/* ---- kept by a handler ---------------------------------------------------------------------- */

struct keeper {
    struct flatend_queue *queue;
    struct flatend_context *ctx;
    struct latch kept;
    struct latch may_return; /* of handlers that wait for it */
    bool waits;
};

static void keeper_init(struct keeper *keeper)
{
    memset(keeper, 0, sizeof(*keeper));
    latch_init(&keeper->kept);
    latch_init(&keeper->may_return);
}

static void keeper_deinit(struct keeper *keeper)
{
    latch_deinit(&keeper->kept);
    latch_deinit(&keeper->may_return);
}

static void keep(struct flatend_context *ctx, void *arg)
{
    struct keeper *keeper = arg;

    assert_int_equal(flatend_context_finish(ctx), FLATEND_ESTATE);
    assert_int_equal(flatend_context_keep(ctx, keeper->queue, keeper), 0);
    assert_int_equal(flatend_context_keep(ctx, keeper->queue, keeper), FLATEND_ESTATE);
    keeper->ctx = ctx;
    latch_count(&keeper->kept);
    if (keeper->waits) {
        latch_wait(&keeper->may_return, 1);
    }
}

/* Reads once there is something to read, or it is over. */
static ssize_t wait_and_read(struct keeper *keeper, char *buf, size_t cap)
{
    ssize_t n;

    while ((n = flatend_context_read(keeper->ctx, buf, cap)) == FLATEND_EAGAIN) {
        const struct flatend_event event = next(keeper->queue);

        assert_int_equal(event.type, FLATEND_EVENT_READABLE);
        assert_ptr_equal(event.arg, keeper);
    }
    return n;
}

static void check_kept(unsigned flags)
{
    struct keeper keeper;
    struct world world;
    struct flatend_stream *stream;
    char buf[8];

    keeper_init(&keeper);
    world_open(&world, (struct flatend_service){
                           .name = "keep", .handler = keep, .arg = &keeper, .flags = flags});
    keeper.queue = world.queue;
    stream = calls_push(world.client, "keep", "ping", NULL, NULL);
    latch_wait(&keeper.kept, 1);
    assert_int_equal(wait_and_read(&keeper, buf, sizeof(buf)), 4);
    assert_memory_equal(buf, "ping", 4);
    assert_int_equal(wait_and_read(&keeper, buf, sizeof(buf)), 0);
    assert_int_equal(flatend_context_set_status(keeper.ctx, 201), 0);
    assert_int_equal(flatend_context_write(keeper.ctx, "pong", 4), 0);
    assert_int_equal(flatend_context_add_trailer(keeper.ctx, "x-after", "all"), 0);
    assert_int_equal(flatend_context_finish(keeper.ctx), 0);
    expect_answer(stream, "pong");
    world_close(&world);
    keeper_deinit(&keeper);
}

static void a_kept_request_is_answered_by_another_thread(void **state)
{
    (void)state;
    check_kept(0);
    check_kept(FLATEND_SERVICE_STREAMING);
    check_kept(FLATEND_SERVICE_INLINE);
    check_kept(FLATEND_SERVICE_INLINE | FLATEND_SERVICE_STREAMING);
}

/* Whoever has it may be done before its handler has returned. */
static void it_may_be_finished_before_its_handler_returns(void **state)
{
    struct keeper keeper;
    struct world world;
    struct flatend_stream *stream;

    (void)state;
    keeper_init(&keeper);
    keeper.waits = true;
    world_open(&world, (struct flatend_service){.name = "keep", .handler = keep, .arg = &keeper});
    stream = calls_push(world.client, "keep", "", NULL, NULL);
    latch_wait(&keeper.kept, 1);
    assert_int_equal(flatend_context_finish(keeper.ctx), 0);
    expect_answer(stream, "");
    latch_count(&keeper.may_return);
    world_close(&world);
    keeper_deinit(&keeper);
}

static void write_then_keep(struct flatend_context *ctx, void *arg)
{
    assert_int_equal(flatend_context_write(ctx, "before ", 7), 0);
    keep(ctx, arg);
}

static void what_was_written_before_goes_out_at_once(void **state)
{
    static const unsigned flags[] = {0, FLATEND_SERVICE_INLINE};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct keeper keeper;
        struct world world;
        struct flatend_stream *stream;
        char buf[8];

        keeper_init(&keeper);
        world_open(&world, (struct flatend_service){.name = "keep",
                                                    .handler = write_then_keep,
                                                    .arg = &keeper,
                                                    .flags = flags[i]});
        stream = calls_push(world.client, "keep", "", NULL, NULL);
        assert_int_equal(flatend_stream_response(stream, NULL, NULL, NULL), 0);
        assert_int_equal(flatend_stream_read(stream, buf, sizeof(buf)), 7);
        latch_wait(&keeper.kept, 1);
        assert_int_equal(flatend_context_write(keeper.ctx, "after", 5), 0);
        assert_int_equal(flatend_context_finish(keeper.ctx), 0);
        expect_answer(stream, "after");
        world_close(&world);
        keeper_deinit(&keeper);
    }
}

static void a_kept_request_may_fail(void **state)
{
    struct keeper keeper;
    struct world world;
    struct flatend_stream *stream;
    int status;

    (void)state;
    keeper_init(&keeper);
    world_open(&world, (struct flatend_service){.name = "keep",
                                                .handler = keep,
                                                .arg = &keeper,
                                                .flags = FLATEND_SERVICE_INLINE});
    stream = calls_push(world.client, "keep", "", NULL, NULL);
    latch_wait(&keeper.kept, 1);
    assert_int_equal(flatend_context_fail(keeper.ctx, 1000, "no"), FLATEND_EINVAL);
    assert_int_equal(flatend_context_fail(keeper.ctx, 404, "no %s", "todo"), 0);
    assert_int_equal(flatend_stream_response(stream, &status, NULL, NULL), 0);
    assert_int_equal(status, 404);
    expect_answer(stream, "{\"error\": \"no todo\"}");

    stream = calls_push(world.client, "keep", "", NULL, NULL);
    latch_wait(&keeper.kept, 2);
    assert_int_equal(flatend_context_write(keeper.ctx, "x", 1), 0);
    assert_int_equal(flatend_stream_response(stream, NULL, NULL, NULL), 0);
    assert_int_equal(flatend_context_fail(keeper.ctx, 500, "broken"), 0);
    {
        const char *text;
        size_t len;

        assert_int_equal(flatend_stream_read_all(stream, 100, &text, &len), FLATEND_ERESET);
    }
    flatend_stream_close(stream);
    world_close(&world);
    keeper_deinit(&keeper);
}

/* ---- events --------------------------------------------------------------------------------- */

static void a_requester_that_goes_away_is_an_event(void **state)
{
    struct world world;
    struct flatend_stream *stream;
    struct flatend_event event;
    struct flatend_context *ctx;

    (void)state;
    world_open(&world, (struct flatend_service){.name = "queued"});
    stream = calls_push(world.client, "queued", "", NULL, NULL);
    event = next(world.queue);
    assert_int_equal(event.type, FLATEND_EVENT_REQUEST);
    ctx = event.context;
    flatend_stream_close(stream);
    event = next(world.queue);
    assert_int_equal(event.type, FLATEND_EVENT_CANCELED);
    assert_int_equal(event.code, FLATEND_ERESET);
    assert_ptr_equal(event.context, ctx);
    assert_ptr_equal(event.node, world.server);
    assert_true(flatend_context_is_canceled(ctx));
    assert_int_equal(flatend_context_write(ctx, "x", 1), FLATEND_ERESET);
    assert_int_equal(flatend_context_finish(ctx), FLATEND_ERESET);
    expect_none(world.queue);
    world_close(&world);
}

static void a_deadline_is_an_event(void **state)
{
    struct world world;
    struct flatend_stream *stream;
    struct flatend_event event;

    (void)state;
    world_open(&world, (struct flatend_service){.name = "queued"});
    stream = calls_push(world.client, "queued", "", "timeout-ms", "20");
    event = next(world.queue);
    assert_int_equal(event.type, FLATEND_EVENT_REQUEST);
    event = next(world.queue);
    assert_int_equal(event.type, FLATEND_EVENT_DEADLINE);
    assert_int_equal(event.code, FLATEND_ETIMEDOUT);
    assert_int_equal(flatend_stream_response(stream, NULL, NULL, NULL), FLATEND_ETIMEDOUT);
    flatend_stream_close(stream);
    assert_int_equal(flatend_context_finish(event.context), FLATEND_ETIMEDOUT);
    world_close(&world);
}

/* Of an old node it may be up while the body is gathered, and the stream goes on. */
static void what_is_late_before_it_is_told_is_not_told(void **state)
{
    static const struct fe_self old = {.is_old_only = true};
    struct provider requester;
    struct flatend_event event;
    struct world world;

    (void)state;
    world_open(&world, (struct flatend_service){.name = "queued"});
    provider_join_as(&requester, world.addr, "none", &old);
    provider_begin(&requester, "queued", "timeout-ms", "1");
    provider_begin(&requester, "queued", "x-in", "time");
    event = next(world.queue);
    assert_int_equal(event.type, FLATEND_EVENT_REQUEST);
    assert_non_null(flatend_context_header(event.context, "x-in"));
    expect_none(world.queue);
    assert_int_equal(flatend_context_finish(event.context), 0);
    provider_leave(&requester);
    world_close(&world);
}

static void reading_ahead_of_the_requester_is_an_event(void **state)
{
    struct world world;
    struct flatend_stream *stream;
    struct flatend_event event;
    const char *data;
    char buf[8];
    size_t len;

    (void)state;
    world_open(&world,
               (struct flatend_service){.name = "queued", .flags = FLATEND_SERVICE_STREAMING});
    stream = calls_push(world.client, "queued", NULL, NULL, NULL);
    event = next(world.queue);
    assert_int_equal(event.type, FLATEND_EVENT_REQUEST);
    assert_int_equal(flatend_context_read(event.context, buf, sizeof(buf)), FLATEND_EAGAIN);
    assert_int_equal(flatend_stream_write(stream, "one", 3), 0);
    event = next(world.queue);
    assert_int_equal(event.type, FLATEND_EVENT_READABLE);
    assert_int_equal(flatend_context_read_all(event.context, 100, &data, &len), FLATEND_EAGAIN);
    assert_int_equal(flatend_stream_write(stream, "two", 3), 0);
    assert_int_equal(flatend_stream_finish(stream), 0);
    do {
        event = next(world.queue);
        assert_int_equal(event.type, FLATEND_EVENT_READABLE);
    } while (flatend_context_read_all(event.context, 100, &data, &len) == FLATEND_EAGAIN);
    assert_int_equal(len, 6);
    assert_memory_equal(data, "onetwo", 6);
    expect_none(world.queue);
    assert_int_equal(flatend_context_finish(event.context), 0);
    flatend_stream_close(stream);
    world_close(&world);
}

/* ---- a server without threads of the node's ---------------------------------------------------
 */

/* Copies a request's body into its response, as both sides let it. */
struct copier {
    struct flatend_context *ctx;
    char buf[10000];
    size_t n; /* read, and not written */
};

/* False: an event will follow. */
static bool copy(struct copier *copier)
{
    for (;;) {
        if (copier->n == 0) {
            const ssize_t n = flatend_context_read(copier->ctx, copier->buf, sizeof(copier->buf));

            if (n <= 0) {
                return n != FLATEND_EAGAIN;
            }
            copier->n = (size_t)n;
        }
        switch (flatend_context_write(copier->ctx, copier->buf, copier->n)) {
        case 0:
            copier->n = 0;
            break;
        case FLATEND_EAGAIN:
            return false;
        default:
            return true;
        }
    }
}

struct server {
    struct flatend_queue *queue;
    size_t n_events[FLATEND_EVENT_CLOSED + 1];
};

/* The one of this request, or (NULL) one that has none. */
static struct copier *copier_of(struct flatend_context *ctx, struct copier *copiers)
{
    size_t i = 0;

    while (i < N_THREADS && copiers[i].ctx != ctx) {
        i++;
    }
    return i < N_THREADS ? &copiers[i] : NULL;
}

static void serve_event(struct server *server, struct copier *copiers,
                        const struct flatend_event *event)
{
    struct copier *copier = copier_of(event->context, copiers);

    server->n_events[event->type]++;
    if (event->type == FLATEND_EVENT_REQUEST) {
        copier = copier_of(NULL, copiers);
        assert_non_null(copier);
        copier->ctx = event->context;
        copier->n = 0;
    }
    if (copier != NULL && copy(copier)) {
        assert_int_equal(flatend_context_finish(copier->ctx), 0);
        copier->ctx = NULL;
    }
}

/* Until it is woken: one thread for all requests. */
static void *serve(void *arg)
{
    struct server *server = arg;
    struct flatend_event events[N_EVENTS];
    struct copier copiers[N_THREADS] = {{.ctx = NULL}};
    ssize_t n;

    while ((n = flatend_queue_take(server->queue, events, N_EVENTS, -1)) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            serve_event(server, copiers, &events[i]);
        }
    }
    return NULL;
}

struct writer {
    struct flatend_stream *stream;
    const uint8_t *bytes;
    size_t len;
};

static void *write_all(void *arg)
{
    struct writer *writer = arg;

    for (size_t at = 0; at < writer->len; at += 4999) {
        size_t n = writer->len - at < 4999 ? writer->len - at : 4999;

        assert_int_equal(flatend_stream_write(writer->stream, writer->bytes + at, n), 0);
    }
    assert_int_equal(flatend_stream_finish(writer->stream), 0);
    return NULL;
}

/* A large body there and back through one thread, in constant memory: both directions are held
 * back, and each time it is told once. */
static void one_thread_serves_bodies_of_any_size(void **state)
{
    struct world world;
    struct server server = {0};
    struct writer writer = {.bytes = bytes_make(BIG), .len = BIG};
    const char *text;
    pthread_t serving;
    pthread_t writing;
    size_t len;

    (void)state;
    world_open(&world,
               (struct flatend_service){.name = "queued", .flags = FLATEND_SERVICE_STREAMING});
    server.queue = world.queue;
    assert_int_equal(pthread_create(&serving, NULL, serve, &server), 0);
    writer.stream = calls_push(world.client, "queued", NULL, NULL, NULL);
    assert_int_equal(pthread_create(&writing, NULL, write_all, &writer), 0);
    assert_int_equal(flatend_stream_read_all(writer.stream, BIG, &text, &len), 0);
    assert_int_equal(len, BIG);
    assert_memory_equal(text, writer.bytes, BIG);
    assert_int_equal(pthread_join(writing, NULL), 0);
    flatend_stream_close(writer.stream);
    flatend_queue_wake(world.queue);
    assert_int_equal(pthread_join(serving, NULL), 0);
    assert_int_equal(server.n_events[FLATEND_EVENT_REQUEST], 1);
    assert_true(server.n_events[FLATEND_EVENT_READABLE] > 0);
    free((void *)(uintptr_t)writer.bytes);
    world_close(&world);
}

/* A reader that stops holds its own response back, and nobody else's. */
static void a_slow_reader_holds_no_thread(void **state)
{
    struct world world;
    struct server server = {0};
    struct flatend_stream *slow;
    uint8_t *bytes = bytes_make(BIG);
    struct nodes_answer answer;
    struct writer writer = {.bytes = bytes, .len = BIG};
    const char *text;
    pthread_t serving;
    pthread_t writing;
    size_t len;

    (void)state;
    world_open(&world,
               (struct flatend_service){.name = "queued", .flags = FLATEND_SERVICE_STREAMING});
    server.queue = world.queue;
    assert_int_equal(pthread_create(&serving, NULL, serve, &server), 0);
    slow = calls_push(world.client, "queued", NULL, NULL, NULL);
    writer.stream = slow;
    assert_int_equal(pthread_create(&writing, NULL, write_all, &writer), 0);
    assert_int_equal(flatend_stream_response(slow, NULL, NULL, NULL), 0);
    for (int i = 0; i < N_CALLS; i++) {
        assert_int_equal(nodes_call(world.client, "queued", "ping", 4, &answer), 0);
        assert_int_equal(answer.len, 4);
        flatend_stream_close(answer.stream);
    }
    assert_int_equal(flatend_stream_read_all(slow, BIG, &text, &len), 0);
    assert_int_equal(len, BIG);
    assert_int_equal(pthread_join(writing, NULL), 0);
    flatend_stream_close(slow);
    flatend_queue_wake(world.queue);
    assert_int_equal(pthread_join(serving, NULL), 0);
    assert_true(server.n_events[FLATEND_EVENT_WRITABLE] > 0);
    free(bytes);
    world_close(&world);
}

/* ---- conversations ----------------------------------------------------------------------------
 */

enum { N_TURNS = 1000 };

/* Gives back each byte, one more than it was. */
static void take_turns(struct flatend_context *ctx, void *arg)
{
    unsigned char byte;

    (void)arg;
    while (flatend_context_read(ctx, &byte, 1) == 1) {
        byte++;
        assert_int_equal(flatend_context_write(ctx, &byte, 1), 0);
    }
}

/* Neither says anything before the other has: a handler on the pool that streams, on one stream. */
static void client_and_handler_take_turns(void **state)
{
    struct world world;
    struct flatend_stream *stream;

    (void)state;
    world_open(&world, (struct flatend_service){.name = "turns",
                                                .handler = take_turns,
                                                .flags = FLATEND_SERVICE_STREAMING});
    stream = calls_push(world.client, "turns", NULL, NULL, NULL);
    for (int i = 0; i < N_TURNS; i++) {
        unsigned char byte = (unsigned char)i;

        assert_int_equal(flatend_stream_write(stream, &byte, 1), 0);
        assert_int_equal(flatend_stream_read(stream, &byte, 1), 1);
        assert_int_equal(byte, (unsigned char)(i + 1));
    }
    assert_int_equal(flatend_stream_finish(stream), 0);
    expect_answer(stream, "");
    world_close(&world);
}

/* ---- many threads -----------------------------------------------------------------------------
 */

struct crowd {
    struct world world;
};

static void *answer_all(void *arg)
{
    struct crowd *crowd = arg;
    struct flatend_event events[4];
    ssize_t n;

    while ((n = flatend_queue_take(crowd->world.queue, events, 4, -1)) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            assert_int_equal(events[i].type, FLATEND_EVENT_REQUEST);
            assert_int_equal(flatend_context_printf(events[i].context, "%s", "thanks"), 0);
            assert_int_equal(flatend_context_finish(events[i].context), 0);
        }
    }
    flatend_queue_wake(crowd->world.queue); /* the next one */
    return NULL;
}

static void *call_many(void *arg)
{
    struct crowd *crowd = arg;

    for (int i = 0; i < N_CALLS; i++) {
        struct nodes_answer answer;

        assert_int_equal(nodes_call(crowd->world.client, "queued", "x", 1, &answer), 0);
        assert_int_equal(answer.len, 6);
        assert_memory_equal(answer.text, "thanks", 6);
        flatend_stream_close(answer.stream);
    }
    return NULL;
}

static void many_threads_answer(void **state)
{
    struct crowd crowd;
    pthread_t answering[N_THREADS];
    pthread_t calling[N_THREADS];

    (void)state;
    world_open(&crowd.world, (struct flatend_service){.name = "queued"});
    for (int i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_create(&answering[i], NULL, answer_all, &crowd), 0);
        assert_int_equal(pthread_create(&calling[i], NULL, call_many, &crowd), 0);
    }
    for (int i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_join(calling[i], NULL), 0);
    }
    flatend_queue_wake(crowd.world.queue); /* one of them, which wakes the next */
    for (int i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_join(answering[i], NULL), 0);
    }
    world_close(&crowd.world);
}

/* ---- the end of the node -----------------------------------------------------------------------
 */

static struct flatend_node *listen_briefly(struct flatend_service *service, char addr[64])
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;

    options.services = service;
    options.n_services = 1;
    options.shutdown_timeout_ms = 0;
    return nodes_listen_with(&options, "127.0.0.1:0", addr);
}

static void a_node_does_not_wait_for_what_is_kept(void **state)
{
    struct flatend_service service = {.name = "queued"};
    struct flatend_queue *queue;
    struct flatend_node *server;
    struct flatend_node *client;
    struct flatend_stream *streams[2];
    struct flatend_context *ctx;
    struct flatend_event event;
    char addr[64];

    (void)state;
    assert_int_equal(flatend_queue_new(&queue), 0);
    service.queue = queue;
    server = listen_briefly(&service, addr);
    client = nodes_join(NULL, 0, addr);
    streams[0] = calls_push(client, "queued", "", NULL, NULL);
    event = next(queue);
    ctx = event.context;
    streams[1] = calls_push(client, "queued", "", NULL, NULL);
    assert_int_equal(next(queue).type, FLATEND_EVENT_REQUEST);
    flatend_node_shutdown(server);
    event = next(queue);
    assert_int_equal(event.type, FLATEND_EVENT_CANCELED);
    assert_int_equal(event.code, FLATEND_ECANCELED);
    assert_int_equal(flatend_context_write(ctx, "late", 4), FLATEND_ECANCELED);
    assert_int_equal(flatend_context_finish(ctx), FLATEND_ECANCELED);
    flatend_node_free(server); /* and with it the other one */
    for (int i = 0; i < 2; i++) {
        assert_int_not_equal(flatend_stream_response(streams[i], NULL, NULL, NULL), 0);
        flatend_stream_close(streams[i]);
    }
    flatend_node_free(client);
    flatend_queue_free(queue);
}

static void a_request_that_nobody_took_dies_with_its_queue_and_node(void **state)
{
    struct flatend_service service = {.name = "queued"};
    struct flatend_queue *queue;
    struct flatend_node *server;
    struct flatend_node *client;
    struct flatend_stream *stream;
    char addr[64];

    (void)state;
    assert_int_equal(flatend_queue_new(&queue), 0);
    service.queue = queue;
    server = listen_briefly(&service, addr);
    client = nodes_join(NULL, 0, addr);
    stream = calls_push(client, "queued", "", NULL, NULL);
    assert_int_equal(next(queue).type, FLATEND_EVENT_REQUEST);
    flatend_queue_free(queue);
    flatend_stream_close(stream);
    stream = calls_push(client, "queued", "", NULL, NULL);
    assert_int_equal(flatend_stream_response(stream, NULL, NULL, NULL), FLATEND_EUNHANDLED);
    flatend_stream_close(stream);
    flatend_node_free(client);
    flatend_node_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kept_request_is_answered_by_another_thread),
        cmocka_unit_test(it_may_be_finished_before_its_handler_returns),
        cmocka_unit_test(what_was_written_before_goes_out_at_once),
        cmocka_unit_test(a_kept_request_may_fail),
        cmocka_unit_test(a_requester_that_goes_away_is_an_event),
        cmocka_unit_test(a_deadline_is_an_event),
        cmocka_unit_test(what_is_late_before_it_is_told_is_not_told),
        cmocka_unit_test(reading_ahead_of_the_requester_is_an_event),
        cmocka_unit_test(one_thread_serves_bodies_of_any_size),
        cmocka_unit_test(a_slow_reader_holds_no_thread),
        cmocka_unit_test(client_and_handler_take_turns),
        cmocka_unit_test(many_threads_answer),
        cmocka_unit_test(a_node_does_not_wait_for_what_is_kept),
        cmocka_unit_test(a_request_that_nobody_took_dies_with_its_queue_and_node),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
