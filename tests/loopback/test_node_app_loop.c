/* A node on a loop of the application's (flatend_options.loop): it serves, calls, has timers, and
 * the loop ends by itself once the node is shut down. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <uv.h>

#include <cmocka.h>

#include "support/nodes.h"

enum { N_CALLS = 200, N_EVENTS = 16, SHUTDOWN_MS = 200 };

/* Two nodes on one loop; the second one calls the first, from the events of its queue. */
struct app {
    uv_loop_t loop;
    uv_poll_t poll;
    struct flatend_queue *queue;
    struct flatend_node *server;
    struct flatend_node *client;
    struct flatend_timer *timer;
    struct flatend_stream *stream;
    const char *service;
    int n_answers;
    int n_ticks;
    bool frees_early; /* the nodes are freed before they have closed */
};

static void push(struct app *app)
{
    const struct flatend_request request = {.services = &app->service,
                                            .n_services = 1,
                                            .body = "ping",
                                            .body_len = 4,
                                            .queue = app->queue,
                                            .arg = app};

    assert_int_equal(flatend_push(app->client, &request, &app->stream, NULL), 0);
}

static void stop(struct app *app)
{
    flatend_timer_stop(app->timer);
    if (app->frees_early) {
        flatend_node_free(app->client);
        flatend_node_free(app->server);
    } else {
        flatend_node_shutdown(app->client);
        flatend_node_shutdown(app->server);
    }
    uv_close((uv_handle_t *)&app->poll, NULL);
}

static void on_end(struct app *app)
{
    const char *text;
    size_t len;

    assert_int_equal(flatend_stream_read_all(app->stream, 100, &text, &len), 0);
    assert_string_equal(text, "ping");
    flatend_stream_close(app->stream);
    app->stream = NULL;
    if (++app->n_answers < N_CALLS) {
        push(app);
    }
}

static void on_event(struct app *app, const struct flatend_event *event)
{
    switch (event->type) {
    case FLATEND_EVENT_STARTED:
        assert_int_equal(event->code, 0);
        push(app);
        break;
    case FLATEND_EVENT_END:
        on_end(app);
        break;
    case FLATEND_EVENT_FAILED:
        fail_msg("%s", flatend_strerror(event->code));
        break;
    default:
        break;
    }
}

static void on_readable(uv_poll_t *poll, int status, int what)
{
    struct app *app = poll->data;
    struct flatend_event events[N_EVENTS];
    ssize_t n;

    (void)what;
    assert_int_equal(status, 0);
    do {
        n = flatend_queue_take(app->queue, events, N_EVENTS, 0);
        for (ssize_t i = 0; i < n; i++) {
            on_event(app, &events[i]);
        }
    } while (n == N_EVENTS);
}

/* Ends the whole once there were enough of both. */
static void on_tick(void *arg)
{
    struct app *app = arg;

    app->n_ticks++;
    if (app->n_answers == N_CALLS && app->n_ticks >= 3) {
        stop(app);
    }
}

static struct flatend_node *new_node(struct app *app, const struct flatend_service *services,
                                     size_t n, const struct flatend_secret_key *key)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    const char *bind_addr = "127.0.0.1:0";
    struct flatend_node *node;

    options.services = services;
    options.n_services = n;
    options.secret_key = key;
    options.bind_addrs = &bind_addr;
    options.n_bind_addrs = 1;
    options.loop = &app->loop;
    options.shutdown_timeout_ms = SHUTDOWN_MS;
    assert_int_equal(flatend_node_new(&options, &node, NULL), 0);
    return node;
}

static void set_up(struct app *app, const struct flatend_service *service)
{
    struct flatend_secret_key key;
    char addr[64];
    const char *addrs[] = {addr};

    assert_int_equal(flatend_secret_key_generate(&key), 0);
    assert_int_equal(uv_loop_init(&app->loop), 0);
    assert_int_equal(flatend_queue_new(&app->queue), 0);
    app->service = service->name;
    app->server = new_node(app, service, 1, &key);
    app->client = new_node(app, NULL, 0, NULL);
    assert_int_equal(flatend_node_start(app->server, NULL, 0, NULL), 0);
    assert_int_equal(flatend_node_listen_addr(app->server, 0, addr, sizeof(addr)), 0);
    flatend_node_watch(app->client, app->queue, app);
    assert_int_equal(flatend_node_start(app->client, addrs, 1, NULL), 0);
    assert_int_equal(flatend_timer_start(app->client, 1, 1, on_tick, app, &app->timer), 0);
    assert_int_equal(uv_poll_init(&app->loop, &app->poll, flatend_queue_fd(app->queue)), 0);
    app->poll.data = app;
    assert_int_equal(uv_poll_start(&app->poll, UV_READABLE, on_readable), 0);
}

static void run(struct app *app, const struct flatend_service *service)
{
    set_up(app, service);
    assert_int_equal(uv_run(&app->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(app->n_answers, N_CALLS);
    assert_true(app->n_ticks >= 3);
    /* Nothing of the nodes is left on the loop, whether they were freed or not. */
    assert_int_equal(uv_loop_close(&app->loop), 0);
    if (!app->frees_early) {
        flatend_node_free(app->client);
        flatend_node_free(app->server);
    }
    flatend_queue_free(app->queue);
}

static void a_node_lives_on_the_loop_until_it_is_shut_down(void **state)
{
    struct app app = {.n_ticks = 0};

    (void)state;
    run(&app, &(struct flatend_service){
                  .name = "inline", .handler = nodes_echo, .flags = FLATEND_SERVICE_INLINE});
}

static void handlers_on_threads_end_with_the_node(void **state)
{
    struct app app = {.n_ticks = 0};

    (void)state;
    run(&app, &(struct flatend_service){.name = "pooled", .handler = nodes_echo});
}

static void a_node_may_be_freed_while_it_closes(void **state)
{
    struct app app = {.frees_early = true};

    (void)state;
    run(&app, &(struct flatend_service){.name = "pooled", .handler = nodes_echo});
}

static void a_node_that_never_started_leaves_the_loop(void **state)
{
    struct app app = {.n_ticks = 0};

    (void)state;
    assert_int_equal(uv_loop_init(&app.loop), 0);
    flatend_node_free(new_node(&app, NULL, 0, NULL));
    assert_int_equal(uv_run(&app.loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&app.loop), 0);
}

static void a_start_that_fails_leaves_the_loop(void **state)
{
    struct app app = {.n_ticks = 0};
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    char addr[64];
    const char *bind_addr = addr;
    struct flatend_secret_key key;
    struct flatend_node *other = nodes_listen_with(&options, "127.0.0.1:0", addr);
    struct flatend_node *node;

    (void)state;
    assert_int_equal(flatend_secret_key_generate(&key), 0);
    assert_int_equal(uv_loop_init(&app.loop), 0);
    options.secret_key = &key;
    options.bind_addrs = &bind_addr;
    options.n_bind_addrs = 1;
    options.loop = &app.loop;
    assert_int_equal(flatend_node_new(&options, &node, NULL), 0);
    assert_int_equal(flatend_node_start(node, NULL, 0, NULL), FLATEND_EADDRINUSE);
    flatend_node_free(node);
    assert_int_equal(uv_run(&app.loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&app.loop), 0);
    flatend_node_free(other);
}

/* A request that nobody has answered when the loop has ended. */
static struct flatend_context *forgotten;

static void forget(struct flatend_context *ctx, void *arg)
{
    struct app *app = arg;

    if (flatend_context_keep(ctx, NULL, NULL) == 0) {
        forgotten = ctx;
    }
    stop(app);
}

static void a_kept_request_outlives_the_loop(void **state)
{
    struct app app = {.n_ticks = 0};
    const struct flatend_service service = {
        .name = "kept", .handler = forget, .arg = &app, .flags = FLATEND_SERVICE_INLINE};

    (void)state;
    set_up(&app, &service);
    assert_int_equal(uv_run(&app.loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&app.loop), 0);
    flatend_stream_close(app.stream);
    assert_int_equal(flatend_context_write(forgotten, "x", 1), FLATEND_ECANCELED);
    assert_int_equal(flatend_context_finish(forgotten), FLATEND_ECANCELED);
    flatend_node_free(app.client);
    flatend_node_free(app.server);
    flatend_queue_free(app.queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_lives_on_the_loop_until_it_is_shut_down),
        cmocka_unit_test(handlers_on_threads_end_with_the_node),
        cmocka_unit_test(a_node_may_be_freed_while_it_closes),
        cmocka_unit_test(a_node_that_never_started_leaves_the_loop),
        cmocka_unit_test(a_start_that_fails_leaves_the_loop),
        cmocka_unit_test(a_kept_request_outlives_the_loop),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
