/* Requests that are given up while their handlers run on: they count against the node that made
 * them, and against no other. Aborts of many clients, which share the connection of their gateway,
 * cost nothing once the handlers have returned. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mesh/rpc/peer.h"
#include "support/gateways.h"
#include "support/latch.h"
#include "support/nodes.h"

enum { N = FE_PEER_LINGERING_MAX, PATIENCE_MS = 20000 };

struct world {
    struct flatend_queue *queue;
    struct flatend_node *server;
    struct flatend_node *clients[2];
    struct flatend_context *contexts[N];
};

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    char addr[64];

    assert_non_null(world);
    assert_int_equal(flatend_queue_new(&world->queue), 0);
    {
        const struct flatend_service services[] = {
            {.name = "hang", .queue = world->queue},
            {.name = "hello", .handler = nodes_hello, .flags = FLATEND_SERVICE_INLINE},
        };

        world->server = nodes_listen(services, 2, addr);
    }
    for (int i = 0; i < 2; i++) {
        world->clients[i] = nodes_join(NULL, 0, addr);
    }
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    flatend_node_free(world->clients[0]);
    flatend_node_free(world->clients[1]);
    flatend_node_free(world->server);
    flatend_queue_free(world->queue);
    free(world);
    return 0;
}

static int hello(struct flatend_node *client)
{
    struct nodes_answer answer = {0};
    int code = nodes_call(client, "hello", "", 0, &answer);

    if (code == 0) {
        assert_string_equal(answer.text, "Hello world!");
    }
    flatend_stream_close(answer.stream);
    return code;
}

/* A request that is given up as soon as it is served; the server's side of it. */
static struct flatend_context *hang_and_leave(struct world *world)
{
    const char *name = "hang";
    const struct flatend_request request = {.services = &name, .n_services = 1, .body = ""};
    struct flatend_stream *stream;
    struct flatend_event event;

    assert_int_equal(flatend_push(world->clients[0], &request, &stream, NULL), 0);
    do {
        assert_int_equal(flatend_queue_take(world->queue, &event, 1, PATIENCE_MS), 1);
    } while (event.type != FLATEND_EVENT_REQUEST);
    flatend_stream_close(stream);
    return event.context;
}

static void who_gives_up_too_much_is_refused(void **state)
{
    struct world *world = *state;

    for (int i = 0; i < N; i++) {
        world->contexts[i] = hang_and_leave(world);
    }
    assert_int_equal(hello(world->clients[0]), FLATEND_EUNHANDLED);
    assert_int_equal(hello(world->clients[1]), 0);
    /* One returns, and the connection goes on as if nothing had been. */
    (void)flatend_context_finish(world->contexts[0]);
    while (hello(world->clients[0]) != 0) {
    }
    for (int i = 1; i < N; i++) {
        (void)flatend_context_finish(world->contexts[i]);
    }
    assert_int_equal(hello(world->clients[0]), 0);
}

/* ---- through a gateway ---- */

struct answering {
    struct flatend_queue *queue;
    struct latch canceled;
    bool has_come; /* a request; the clients' thread waits for it */
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

static void note_request(struct answering *answering)
{
    pthread_mutex_lock(&answering->lock);
    answering->has_come = true;
    pthread_cond_signal(&answering->changed);
    pthread_mutex_unlock(&answering->lock);
}

static void wait_request(struct answering *answering)
{
    pthread_mutex_lock(&answering->lock);
    while (!answering->has_come) {
        pthread_cond_wait(&answering->changed, &answering->lock);
    }
    answering->has_come = false;
    pthread_mutex_unlock(&answering->lock);
}

/* Ends requests as soon as their clients have left. */
static void *end_canceled(void *arg)
{
    struct answering *answering = arg;
    struct flatend_event event;

    while (flatend_queue_take(answering->queue, &event, 1, -1) == 1) {
        if (event.type == FLATEND_EVENT_REQUEST) {
            note_request(answering);
        } else {
            assert_int_equal(event.type, FLATEND_EVENT_CANCELED);
            (void)flatend_context_finish(event.context);
            latch_count(&answering->canceled);
        }
    }
    return NULL;
}

static const char *const config = "[[http.routes]]\n"
                                  "path = \"GET /hang\"\n"
                                  "service = \"hang\"\n"
                                  "[[http.routes]]\n"
                                  "path = \"GET /hello\"\n"
                                  "service = \"hello\"\n";

static void clients_that_leave_cost_the_others_nothing(void **state)
{
    enum { N_CLIENTS = N + 100 };
    static struct gateway gateway;
    struct answering answering = {.lock = PTHREAD_MUTEX_INITIALIZER,
                                  .changed = PTHREAD_COND_INITIALIZER};
    struct flatend_node *node;
    pthread_t thread;

    (void)state;
    latch_init(&answering.canceled);
    assert_int_equal(flatend_queue_new(&answering.queue), 0);
    gateway_start(&gateway, config);
    {
        const struct flatend_service services[] = {
            {.name = "hang", .queue = answering.queue},
            {.name = "hello", .handler = nodes_hello, .flags = FLATEND_SERVICE_INLINE},
        };

        node = nodes_join(services, 2, gateway.addr);
    }
    assert_int_equal(pthread_create(&thread, NULL, end_canceled, &answering), 0);
    for (int i = 0; i < N_CLIENTS; i++) {
        struct http_client client;

        http_open(&client, gateway.port);
        http_send_text(&client, "GET /hang HTTP/1.1\r\nHost: a\r\n\r\n");
        wait_request(&answering);
        http_abort(&client);
    }
    latch_wait(&answering.canceled, N_CLIENTS);
    http_expect(gateway.port, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", 200, "Hello world!");
    assert_null(strstr(gateway.journal.text, "disconnected"));
    flatend_queue_wake(answering.queue);
    assert_int_equal(pthread_join(thread, NULL), 0);
    gateway_stop(&gateway);
    gateway_join(&gateway);
    flatend_node_free(node);
    flatend_queue_free(answering.queue);
    latch_deinit(&answering.canceled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_gives_up_too_much_is_refused, setup, teardown),
        cmocka_unit_test(clients_that_leave_cost_the_others_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
