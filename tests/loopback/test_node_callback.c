/* Queues with a callback, on a real node: a server, calls, timers, the node's own events; and their
 * ends. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#include <cmocka.h>

#include "support/bytes.h"
#include "support/calls.h"
#include "support/latch.h"
#include "support/nodes.h"

enum {
    BIG = 4 * 1024 * 1024 + 13, /* several times every buffer on the way */
    PIECE = 10000,
    N_THREADS = 8,
    N_CALLS = 40,
    N_TYPES = FLATEND_EVENT_TIMER + 1,
    SHUTDOWN_MS = 200,
};

/* ---- a server ------------------------------------------------------------------------------- */

/* Copies a request's body into its response, as both sides let it. */
struct copier {
    struct flatend_context *ctx; /* NULL: it is free */
    size_t n;                    /* read, and not written */
    char buf[PIECE];
};

/* Only the node's thread looks at it, until that has ended. */
struct server {
    struct copier copiers[N_THREADS];
    size_t n_events[N_TYPES];
    pthread_t thread;
};

/* False: an event will follow. */
static bool copy(struct copier *copier)
{
    for (;;) {
        int code;

        if (copier->n == 0) {
            const ssize_t n = flatend_context_read(copier->ctx, copier->buf, sizeof(copier->buf));

            if (n <= 0) {
                assert_true(n == 0 || n == FLATEND_EAGAIN);
                return n == 0;
            }
            copier->n = (size_t)n;
        }
        code = flatend_context_write(copier->ctx, copier->buf, copier->n);
        if (code != 0) {
            assert_int_equal(code, FLATEND_EAGAIN);
            return false;
        }
        copier->n = 0;
    }
}

static struct copier *copier_of(struct server *server, const struct flatend_context *ctx)
{
    size_t i = 0;

    while (i < N_THREADS && server->copiers[i].ctx != ctx) {
        i++;
    }
    assert_true(i < N_THREADS);
    return &server->copiers[i];
}

/* The whole server. */
static void serve(void *arg, const struct flatend_event *event)
{
    struct server *server = arg;
    struct copier *copier;

    if (event->type == FLATEND_EVENT_REQUEST) {
        copier = copier_of(server, NULL);
        *copier = (struct copier){.ctx = event->context};
    } else {
        copier = copier_of(server, event->context);
    }
    server->n_events[event->type]++;
    if (copy(copier)) {
        assert_int_equal(flatend_context_finish(copier->ctx), 0);
        copier->ctx = NULL;
    }
}

struct caller {
    struct flatend_node *node;
    struct flatend_stream *stream;
    uint8_t *bytes;
};

static void *write_all(void *arg)
{
    const struct caller *caller = arg;

    for (size_t at = 0; at < BIG; at += PIECE) {
        const size_t n = BIG - at < PIECE ? BIG - at : PIECE;

        assert_int_equal(flatend_stream_write(caller->stream, caller->bytes + at, n), 0);
    }
    assert_int_equal(flatend_stream_finish(caller->stream), 0);
    return NULL;
}

/* Both directions are held back, and each time it is told once. */
static void a_callback_serves_bodies_of_any_size(void **state)
{
    static struct server server;
    struct flatend_service service = {.name = "copy", .flags = FLATEND_SERVICE_STREAMING};
    struct caller callers[2];
    pthread_t writers[2];
    struct flatend_node *node;
    char addr[64];

    (void)state;
    server = (struct server){.n_events = {0}};
    assert_int_equal(flatend_queue_new_callback(serve, &server, &service.queue), 0);
    node = nodes_listen(&service, 1, addr);
    for (int i = 0; i < 2; i++) {
        callers[i] = (struct caller){.node = nodes_join(NULL, 0, addr), .bytes = bytes_make(BIG)};
        callers[i].stream = calls_push(callers[i].node, "copy", NULL, NULL, NULL);
        assert_int_equal(pthread_create(&writers[i], NULL, write_all, &callers[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        const char *text;
        size_t len;

        assert_int_equal(flatend_stream_read_all(callers[i].stream, BIG, &text, &len), 0);
        assert_int_equal(len, BIG);
        assert_memory_equal(text, callers[i].bytes, BIG);
        assert_int_equal(pthread_join(writers[i], NULL), 0);
        flatend_stream_close(callers[i].stream);
        flatend_node_free(callers[i].node);
        free(callers[i].bytes);
    }
    flatend_node_free(node);
    flatend_queue_free(service.queue);
    assert_int_equal(server.n_events[FLATEND_EVENT_REQUEST], 2);
    assert_true(server.n_events[FLATEND_EVENT_READABLE] > 10);
    assert_true(server.n_events[FLATEND_EVENT_WRITABLE] > 0);
    assert_int_equal(server.n_events[FLATEND_EVENT_CANCELED], 0);
}

static void *call_often(void *arg)
{
    const struct caller *caller = arg;

    for (int i = 0; i < N_CALLS; i++) {
        struct nodes_answer answer;

        assert_int_equal(nodes_call(caller->node, "copy", "ping", 4, &answer), 0);
        assert_string_equal(answer.text, "ping");
        flatend_stream_close(answer.stream);
    }
    return NULL;
}

static void a_callback_serves_many(void **state)
{
    static struct server server;
    struct flatend_service service = {.name = "copy"};
    struct flatend_node *node;
    struct caller caller;
    pthread_t threads[N_THREADS];
    char addr[64];

    (void)state;
    server = (struct server){.n_events = {0}};
    assert_int_equal(flatend_queue_new_callback(serve, &server, &service.queue), 0);
    node = nodes_listen(NULL, 0, addr);
    assert_int_equal(flatend_node_add_service(node, &service), 0);
    caller.node = nodes_join(NULL, 0, addr);
    for (int i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, &caller), 0);
    }
    for (int i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    flatend_node_free(caller.node);
    flatend_node_free(node);
    flatend_queue_free(service.queue);
    assert_int_equal(server.n_events[FLATEND_EVENT_REQUEST], N_THREADS * N_CALLS);
}

/* ---- a node's own events -------------------------------------------------------------------- */

struct life {
    struct flatend_node *node;
    struct flatend_queue *queue;
    struct flatend_timer *timer;
    struct latch ticked;
    int types[N_TYPES];
    size_t n;
    pthread_t thread;
    int codes[4]; /* of what was called last of all */
};

static void never(void *arg)
{
    (void)arg;
}

/* The node is not running any more, and this is its thread. */
static void call_late(struct life *life)
{
    const struct flatend_service service = {.name = "late", .queue = life->queue};
    const char *name = "late";
    const struct flatend_request request = {
        .services = &name, .n_services = 1, .body = "", .queue = life->queue};
    struct flatend_stream *stream;
    struct flatend_timer *timer;

    life->codes[0] = flatend_timer_start(life->node, 0, 0, never, NULL, &timer);
    life->codes[1] = flatend_push(life->node, &request, &stream, NULL);
    life->codes[2] = flatend_node_add_service(life->node, &service);
    life->codes[3] = flatend_node_shutdown(life->node);
    flatend_timer_stop(life->timer);
}

static void live(void *arg, const struct flatend_event *event)
{
    struct life *life = arg;

    assert_ptr_equal(event->node, life->node);
    if (event->type == FLATEND_EVENT_TIMER) {
        latch_count(&life->ticked);
        return;
    }
    if (life->n == 0) {
        life->thread = pthread_self();
    }
    assert_true(pthread_equal(life->thread, pthread_self()));
    life->types[life->n++] = event->type;
    if (event->type == FLATEND_EVENT_CLOSED) {
        call_late(life);
    }
}

static void the_life_of_a_node_in_calls(void **state)
{
    static const int types[] = {FLATEND_EVENT_STARTED, FLATEND_EVENT_DRAINED, FLATEND_EVENT_CLOSED};
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct life life = {.n = 0};

    (void)state;
    latch_init(&life.ticked);
    assert_int_equal(flatend_queue_new_callback(live, &life, &life.queue), 0);
    assert_int_equal(flatend_node_new(&options, &life.node, NULL), 0);
    assert_int_equal(flatend_node_watch(life.node, life.queue, NULL), 0);
    assert_int_equal(flatend_node_start(life.node, NULL, 0, NULL), 0);
    assert_int_equal(flatend_timer_start_queued(life.node, 0, 1, life.queue, NULL, &life.timer), 0);
    latch_wait(&life.ticked, 3);
    assert_int_equal(flatend_node_shutdown(life.node), 0);
    assert_int_equal(life.n, 3); /* CLOSED too */
    assert_memory_equal(life.types, types, sizeof(types));
    assert_false(pthread_equal(life.thread, pthread_self()));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(life.codes[i], FLATEND_ECANCELED);
    }
    assert_int_equal(life.codes[3], FLATEND_ESTATE);
    flatend_node_free(life.node);
    flatend_queue_free(life.queue);
    latch_deinit(&life.ticked);
}

/* ---- timers --------------------------------------------------------------------------------- */

enum { N_TIMERS = 1024 + 1 }; /* a call more than a turn has, so that the last one waits */

struct clock {
    struct flatend_node *node;
    struct flatend_queue *queue;
    struct flatend_timer *timers[N_TIMERS];
    struct latch started;
    atomic_bool is_stopping;
    atomic_bool is_ticking; /* the one that is stopped */
    size_t n_ticks;
};

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* While others do what they are about to do. */
static void let_pass(uint64_t ms)
{
    const uint64_t until_ms = now_ms() + ms;

    while (now_ms() < until_ms) {
        sched_yield();
    }
}

static void on_tick(void *arg, const struct flatend_event *event)
{
    struct clock *clock = arg;

    if (clock->n_ticks++ == 0) {
        latch_count(&clock->started);
        while (!clock->is_stopping) {
            sched_yield();
        }
        let_pass(20); /* so that it is being stopped */
    }
    if (event->arg == &clock->timers[N_TIMERS - 1]) {
        clock->is_ticking = true;
        let_pass(50);
        clock->is_ticking = false;
    }
}

/* On the node's thread, where it returns when all are due: they fire in one turn, the last one
 * last.
 */
static void start_all(void *arg)
{
    struct clock *clock = arg;

    for (int i = 0; i < N_TIMERS; i++) {
        assert_int_equal(flatend_timer_start_queued(clock->node, i == N_TIMERS - 1 ? 2 : 1, 0,
                                                    clock->queue, &clock->timers[i],
                                                    &clock->timers[i]),
                         0);
    }
    let_pass(5);
}

static void stop_while_it_waits(struct clock *clock)
{
    struct flatend_timer *starter;

    clock->n_ticks = 0;
    clock->is_stopping = false;
    latch_init(&clock->started);
    assert_int_equal(flatend_timer_start(clock->node, 0, 0, start_all, clock, &starter), 0);
    latch_wait(&clock->started, 1);
    clock->is_stopping = true;
    flatend_timer_stop(clock->timers[N_TIMERS - 1]);
    assert_false(clock->is_ticking);
    for (int i = 0; i < N_TIMERS - 1; i++) {
        flatend_timer_stop(clock->timers[i]);
    }
    flatend_timer_stop(starter);
    latch_deinit(&clock->started);
}

static void a_timer_that_is_stopped_is_told_no_more(void **state)
{
    static struct clock clock;
    char addr[64];

    (void)state;
    clock.node = nodes_listen(NULL, 0, addr);
    assert_int_equal(flatend_queue_new_callback(on_tick, &clock, &clock.queue), 0);
    for (int i = 0; i < 10; i++) {
        stop_while_it_waits(&clock);
    }
    flatend_node_free(clock.node);
    flatend_queue_free(clock.queue);
}

/* ---- on the application's loop -------------------------------------------------------------- */

/* Two nodes on one loop, each with a queue: everything happens in callbacks. */
struct app {
    uv_loop_t loop;
    struct flatend_node *server;
    struct flatend_node *client;
    struct flatend_queue *serving;
    struct flatend_queue *calling;
    struct flatend_timer *timer;
    struct flatend_stream *stream;
    int n_answers;
    int n_ticks;
    int n_closed;
};

static void push(struct app *app)
{
    const char *name = "hello";
    const struct flatend_request request = {
        .services = &name, .n_services = 1, .body = "", .queue = app->calling, .arg = app};

    assert_int_equal(flatend_push(app->client, &request, &app->stream, NULL), 0);
}

/* Ends the whole once there were enough of both. */
static void tick(struct app *app)
{
    if (++app->n_ticks < 3 || app->n_answers < N_CALLS) {
        return;
    }
    flatend_timer_stop(app->timer);
    assert_int_equal(flatend_node_shutdown(app->client), 0);
    assert_int_equal(flatend_node_shutdown(app->server), 0);
}

static void take_answer(struct app *app)
{
    const char *text;
    size_t len;

    assert_int_equal(flatend_stream_read_all(app->stream, 100, &text, &len), 0);
    assert_string_equal(text, "Hello world!");
    flatend_stream_close(app->stream);
    if (++app->n_answers < N_CALLS) {
        push(app);
    }
}

static void on_client_event(void *arg, const struct flatend_event *event)
{
    struct app *app = arg;

    assert_ptr_equal(event->node, app->client);
    switch (event->type) {
    case FLATEND_EVENT_STARTED:
        assert_int_equal(event->code, 0);
        push(app);
        break;
    case FLATEND_EVENT_TIMER:
        tick(app);
        break;
    case FLATEND_EVENT_END:
        take_answer(app);
        break;
    case FLATEND_EVENT_CLOSED:
        app->n_closed++;
        flatend_queue_free(app->calling);
        assert_int_equal(flatend_node_free(app->client), 0);
        break;
    default:
        assert_int_not_equal(event->type, FLATEND_EVENT_FAILED);
        break;
    }
}

static void on_server_event(void *arg, const struct flatend_event *event)
{
    struct app *app = arg;

    assert_ptr_equal(event->node, app->server);
    if (event->type == FLATEND_EVENT_REQUEST) {
        assert_int_equal(flatend_context_write(event->context, "Hello world!", 12), 0);
        assert_int_equal(flatend_context_finish(event->context), 0);
    }
    app->n_closed += event->type == FLATEND_EVENT_CLOSED;
}

static struct flatend_node *new_on_loop(struct app *app, const struct flatend_service *services,
                                        const struct flatend_secret_key *key)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    const char *bind_addr = "127.0.0.1:0";
    struct flatend_node *node;

    options.services = services;
    options.n_services = services != NULL;
    options.secret_key = key;
    options.bind_addrs = &bind_addr;
    options.n_bind_addrs = key != NULL;
    options.loop = &app->loop;
    options.shutdown_timeout_ms = SHUTDOWN_MS;
    assert_int_equal(flatend_node_new(&options, &node, NULL), 0);
    return node;
}

static void nothing_but_callbacks_on_a_loop(void **state)
{
    struct flatend_service service = {.name = "hello"};
    struct app app = {.n_ticks = 0};
    struct flatend_secret_key key;
    char addr[64];
    const char *addrs[] = {addr};

    (void)state;
    assert_int_equal(flatend_secret_key_generate(&key), 0);
    assert_int_equal(uv_loop_init(&app.loop), 0);
    assert_int_equal(flatend_queue_new_callback(on_server_event, &app, &app.serving), 0);
    assert_int_equal(flatend_queue_new_callback(on_client_event, &app, &app.calling), 0);
    service.queue = app.serving;
    app.server = new_on_loop(&app, &service, &key);
    app.client = new_on_loop(&app, NULL, NULL);
    assert_int_equal(flatend_node_watch(app.server, app.serving, NULL), 0);
    assert_int_equal(flatend_node_watch(app.client, app.calling, NULL), 0);
    assert_int_equal(flatend_node_start(app.server, NULL, 0, NULL), 0);
    assert_int_equal(flatend_node_listen_addr(app.server, 0, addr, sizeof(addr)), 0);
    assert_int_equal(flatend_node_start(app.client, addrs, 1, NULL), 0);
    assert_int_equal(flatend_timer_start_queued(app.client, 1, 1, app.calling, NULL, &app.timer),
                     0);
    assert_int_equal(uv_run(&app.loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(app.n_answers, N_CALLS);
    assert_int_equal(app.n_closed, 2);
    assert_int_equal(uv_loop_close(&app.loop), 0);
    flatend_node_free(app.server);
    flatend_queue_free(app.serving);
}

/* ---- kept requests -------------------------------------------------------------------------- */

struct keeper {
    struct flatend_queue *queue;
    struct latch entered; /* handlers */
    struct latch told;    /* of requests that are canceled */
    bool keeps_late;      /* when that has happened already */
    int code;
};

static void keep(struct flatend_context *ctx, void *arg)
{
    struct keeper *keeper = arg;

    latch_count(&keeper->entered);
    while (keeper->keeps_late && !flatend_context_is_canceled(ctx)) {
        sched_yield();
    }
    assert_int_equal(flatend_context_keep(ctx, keeper->queue, keeper), 0);
}

static void finish(void *arg, const struct flatend_event *event)
{
    struct keeper *keeper = arg;

    assert_ptr_equal(event->arg, keeper);
    assert_int_equal(event->type, FLATEND_EVENT_CANCELED);
    keeper->code = flatend_context_finish(event->context);
    latch_count(&keeper->told);
}

static void keeper_init(struct keeper *keeper, bool keeps_late)
{
    *keeper = (struct keeper){.keeps_late = keeps_late};
    latch_init(&keeper->entered);
    latch_init(&keeper->told);
    assert_int_equal(flatend_queue_new_callback(finish, keeper, &keeper->queue), 0);
}

static void keeper_deinit(struct keeper *keeper)
{
    flatend_queue_free(keeper->queue);
    latch_deinit(&keeper->entered);
    latch_deinit(&keeper->told);
}

static struct flatend_node *listen_briefly(const struct flatend_service *service, char addr[64])
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;

    options.services = service;
    options.n_services = 1;
    options.shutdown_timeout_ms = SHUTDOWN_MS;
    return nodes_listen_with(&options, "127.0.0.1:0", addr);
}

/* Told at once, from the handler's thread, and on the node's. */
static void a_request_that_is_kept_too_late_is_told(void **state)
{
    struct keeper keeper;
    const struct flatend_service service = {.name = "keep", .handler = keep, .arg = &keeper};
    struct flatend_node *server;
    struct flatend_node *client;
    char addr[64];

    (void)state;
    keeper_init(&keeper, true);
    server = listen_briefly(&service, addr);
    client = nodes_join(NULL, 0, addr);
    for (int i = 1; i <= N_CALLS; i++) {
        struct flatend_stream *stream = calls_push(client, "keep", "", NULL, NULL);

        latch_wait(&keeper.entered, i);
        flatend_stream_close(stream);
        latch_wait(&keeper.told, i);
        assert_int_equal(keeper.code, FLATEND_ERESET);
    }
    flatend_node_free(client);
    flatend_node_free(server);
    keeper_deinit(&keeper);
}

/* The node waits for its handlers only: what they do last is not lost for that. */
static void what_is_kept_when_the_node_closes_is_told(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct keeper keeper;
        const struct flatend_service service = {.name = "keep", .handler = keep, .arg = &keeper};
        struct flatend_stream *streams[N_THREADS];
        struct flatend_node *server;
        struct flatend_node *client;
        char addr[64];

        keeper_init(&keeper, i == 0);
        server = listen_briefly(&service, addr);
        client = nodes_join(NULL, 0, addr);
        for (int n = 0; n < N_THREADS; n++) {
            streams[n] = calls_push(client, "keep", "", NULL, NULL);
        }
        latch_wait(&keeper.entered, N_THREADS);
        assert_int_equal(flatend_node_shutdown(server), 0);
        assert_int_equal(keeper.told.n, N_THREADS);
        assert_int_equal(keeper.code, FLATEND_ECANCELED);
        for (int n = 0; n < N_THREADS; n++) {
            flatend_stream_close(streams[n]);
        }
        flatend_node_free(client);
        flatend_node_free(server);
        keeper_deinit(&keeper);
    }
}

/* ---- the queue's end ------------------------------------------------------------------------ */

struct ending {
    struct flatend_queue *queue;
    struct latch entered;
    atomic_bool is_running;
    atomic_bool is_freeing;
    bool frees;
};

static void answer_last(void *arg, const struct flatend_event *event)
{
    struct ending *ending = arg;

    assert_int_equal(event->type, FLATEND_EVENT_REQUEST);
    ending->is_running = true;
    latch_count(&ending->entered);
    if (ending->frees) {
        flatend_queue_free(ending->queue);
    } else {
        while (!ending->is_freeing) {
            sched_yield();
        }
    }
    assert_int_equal(flatend_context_write(event->context, "last", 4), 0);
    assert_int_equal(flatend_context_finish(event->context), 0);
    ending->is_running = false;
}

static void check_free(bool frees)
{
    struct ending ending = {.frees = frees};
    struct flatend_service service = {.name = "last"};
    struct flatend_stream *stream;
    struct flatend_node *server;
    struct flatend_node *client;
    char addr[64];

    latch_init(&ending.entered);
    assert_int_equal(flatend_queue_new_callback(answer_last, &ending, &ending.queue), 0);
    service.queue = ending.queue;
    server = nodes_listen(&service, 1, addr);
    client = nodes_join(NULL, 0, addr);
    stream = calls_push(client, "last", "", NULL, NULL);
    latch_wait(&ending.entered, 1);
    if (!frees) {
        ending.is_freeing = true;
        flatend_queue_free(ending.queue);
        assert_false(ending.is_running);
    }
    assert_string_equal(calls_read(stream), "last");
    flatend_stream_close(stream);
    stream = calls_push(client, "last", "", NULL, NULL);
    assert_int_equal(flatend_stream_response(stream, NULL, NULL, NULL), FLATEND_EUNHANDLED);
    flatend_stream_close(stream);
    assert_int_equal(ending.entered.n, 1);
    flatend_node_free(client);
    flatend_node_free(server);
    latch_deinit(&ending.entered);
}

static void a_queue_may_be_freed_by_its_callback(void **state)
{
    (void)state;
    check_free(true);
}

static void a_queue_may_be_freed_while_its_callback_runs(void **state)
{
    (void)state;
    check_free(false);
}

/* ---- one node ------------------------------------------------------------------------------- */

static void ignore(void *arg, const struct flatend_event *event)
{
    (void)arg;
    (void)event;
}

static int keep_code;

static void keep_elsewhere(struct flatend_context *ctx, void *arg)
{
    keep_code = flatend_context_keep(ctx, arg, NULL);
}

static void a_queue_is_for_one_node(void **state)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_queue *queue;
    struct flatend_service services[2] = {{.name = "a", .handler = keep_elsewhere}, {.name = "b"}};
    const char *name = "a";
    struct flatend_request request = {.services = &name, .n_services = 1, .body = ""};
    struct flatend_stream *stream;
    struct flatend_timer *timer;
    struct flatend_node *node;
    struct flatend_node *other;
    struct nodes_answer answer;
    char addr[64];

    (void)state;
    assert_int_equal(flatend_queue_new_callback(ignore, NULL, &queue), 0);
    assert_int_equal(flatend_node_new(&options, &other, NULL), 0);
    assert_int_equal(flatend_node_watch(other, queue, NULL), 0);
    flatend_node_free(other); /* and it is for this one still */
    services[0].arg = queue;
    services[1].queue = queue;
    request.queue = queue;
    node = nodes_listen(services, 1, addr);
    assert_int_equal(flatend_node_watch(node, queue, NULL), FLATEND_EINVAL);
    assert_int_equal(flatend_node_add_service(node, &services[1]), FLATEND_EINVAL);
    assert_int_equal(flatend_push(node, &request, &stream, NULL), FLATEND_EINVAL);
    assert_null(stream);
    assert_int_equal(flatend_timer_start_queued(node, 0, 0, queue, NULL, &timer), FLATEND_EINVAL);
    assert_null(timer);
    assert_int_equal(nodes_call(node, "a", "", 0, &answer), 0); /* it was not kept */
    assert_int_equal(keep_code, FLATEND_EINVAL);
    flatend_stream_close(answer.stream);
    flatend_node_free(node);
    flatend_queue_free(queue);
}

/* A node that there is not has no queue. */
static void a_node_that_is_not_made_binds_nothing(void **state)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_service services[2] = {{.name = "a"}, {.name = "b"}};
    struct flatend_error error;
    struct flatend_node *node;
    struct flatend_node *other;

    (void)state;
    assert_int_equal(flatend_queue_new_callback(ignore, NULL, &services[0].queue), 0);
    assert_int_equal(flatend_queue_new_callback(ignore, NULL, &services[1].queue), 0);
    assert_int_equal(flatend_node_new(&options, &other, NULL), 0);
    assert_int_equal(flatend_node_watch(other, services[1].queue, NULL), 0);
    options.services = services;
    options.n_services = 2;
    assert_int_equal(flatend_node_new(&options, &node, &error), FLATEND_EINVAL);
    assert_null(node);
    assert_string_equal(error.text, "services[1]: 'b': its queue is for another node");
    assert_int_equal(flatend_node_watch(other, services[0].queue, NULL), 0);
    flatend_node_free(other);
    flatend_queue_free(services[0].queue);
    flatend_queue_free(services[1].queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_callback_serves_bodies_of_any_size),
        cmocka_unit_test(a_callback_serves_many),
        cmocka_unit_test(the_life_of_a_node_in_calls),
        cmocka_unit_test(a_timer_that_is_stopped_is_told_no_more),
        cmocka_unit_test(nothing_but_callbacks_on_a_loop),
        cmocka_unit_test(a_request_that_is_kept_too_late_is_told),
        cmocka_unit_test(what_is_kept_when_the_node_closes_is_told),
        cmocka_unit_test(a_queue_may_be_freed_by_its_callback),
        cmocka_unit_test(a_queue_may_be_freed_while_its_callback_runs),
        cmocka_unit_test(a_queue_is_for_one_node),
        cmocka_unit_test(a_node_that_is_not_made_binds_nothing),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
