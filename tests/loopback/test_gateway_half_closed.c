/* Clients that end their direction: those that have only said all are answered in full, by files
 * and services alike; those that are gone are noticed, and what they had asked for is canceled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "support/bytes.h"
#include "support/gateways.h"
#include "support/http_client.h"
#include "support/temp_dir.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

enum {
    BIG = 8 * 1024 * 1024 + 13, /* several times every buffer on the way */
    PATIENCE_MS = 20000,
};

struct world {
    struct temp_dir dir;
    struct gateway gateway;
    struct flatend_node *node;
    struct flatend_queue *queue; /* of the service "queued" */
    uint8_t *big;
    char toml[512];
};

static int setup(void **state)
{
    static struct world world;
    struct flatend_service services[] = {{.name = "echo", .handler = nodes_echo},
                                         {.name = "queued"}};

    memset(&world, 0, sizeof(world));
    world.big = bytes_make(BIG);
    temp_dir_make(&world.dir);
    temp_dir_write(&world.dir, "big", world.big, BIG);
    snprintf(world.toml, sizeof(world.toml),
             "[[http.routes]]\npath = \"GET /files\"\nstatic = \"%s\"\n"
             "[[http.routes]]\npath = \"POST /echo\"\nservice = \"echo\"\n"
             "[[http.routes]]\npath = \"GET /queued\"\nservice = \"queued\"\n",
             world.dir.path);
    gateway_start(&world.gateway, world.toml);
    assert_int_equal(flatend_queue_new(&world.queue), 0);
    services[1].queue = world.queue;
    world.node = nodes_join(services, 2, world.gateway.addr);
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    struct world *const world = *state;

    gateway_stop(&world->gateway);
    gateway_join(&world->gateway);
    flatend_node_free(world->node);
    flatend_queue_free(world->queue);
    temp_dir_remove(&world->dir);
    free(world->big);
    return 0;
}

static struct flatend_event next(struct world *world)
{
    struct flatend_event event;

    assert_int_equal(flatend_queue_take(world->queue, &event, 1, PATIENCE_MS), 1);
    return event;
}

static void half_close(struct http_client *client)
{
    assert_int_equal(shutdown(client->fd, SHUT_WR), 0);
}

static void expect_big(struct world *world, struct http_client *client)
{
    struct http_answer answer;

    http_receive(client, false, &answer);
    assert_int_equal(answer.status, 200);
    assert_true(answer.is_whole);
    assert_int_equal(answer.body_len, BIG);
    assert_memory_equal(answer.body, world->big, BIG);
    assert_true(http_is_closed(client));
    http_answer_deinit(&answer);
    http_close(client);
}

/* A request that a service has, from a client that has ended its direction. */
static struct flatend_context *ask_and_end(struct world *world, struct http_client *client)
{
    struct flatend_event event;

    http_open(client, world->gateway.port);
    http_send_text(client, GET("/queued"));
    event = next(world);
    assert_int_equal(event.type, FLATEND_EVENT_REQUEST);
    half_close(client);
    return event.context;
}

static void reset(struct http_client *client)
{
    const struct linger now = {.l_onoff = 1};

    assert_int_equal(setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    http_close(client);
}

static void expect_canceled(struct world *world, struct flatend_context *ctx)
{
    const struct flatend_event event = next(world);

    assert_int_equal(event.type, FLATEND_EVENT_CANCELED);
    assert_ptr_equal(event.context, ctx);
    assert_int_equal(flatend_context_finish(ctx), event.code);
}

/* ---- who waits ------------------------------------------------------------------------------ */

static void a_file_is_sent_whole(void **state)
{
    struct world *const world = *state;
    struct http_client client;

    http_open_slow(&client, world->gateway.port);
    http_send_text(&client, GET("/files/big"));
    half_close(&client);
    expect_big(world, &client);
}

static void a_service_answers_in_full(void **state)
{
    struct world *const world = *state;
    struct http_client client;
    struct flatend_context *const ctx = ask_and_end(world, &client);

    assert_int_equal(flatend_context_write_buffer(ctx, world->big, BIG, NULL, NULL), 0);
    assert_int_equal(flatend_context_finish(ctx), 0);
    expect_big(world, &client);
}

/* The body is behind the FIN's reader, and still on its way to the service. */
static void a_body_that_has_come_is_echoed(void **state)
{
    struct world *const world = *state;
    struct http_client client;
    struct http_answer answer;

    http_open(&client, world->gateway.port);
    http_send_text(&client, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
                            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nbye");
    half_close(&client);
    http_receive(&client, false, &answer);
    assert_string_equal(answer.body, "hello");
    http_answer_deinit(&answer);
    http_receive(&client, false, &answer);
    assert_string_equal(answer.body, "bye");
    http_answer_deinit(&answer);
    assert_true(http_is_closed(&client));
    http_close(&client);
}

/* ---- who is gone ---------------------------------------------------------------------------- */

static void a_reset_cancels(void **state)
{
    struct world *const world = *state;
    struct http_client client;
    struct flatend_context *const ctx = ask_and_end(world, &client);

    reset(&client);
    expect_canceled(world, ctx);
}

/* Nothing is being written, and nothing read: the system says it all the same. */
static void a_reset_within_the_response_cancels(void **state)
{
    struct world *const world = *state;
    struct http_client client;
    struct flatend_context *const ctx = ask_and_end(world, &client);
    char first;

    assert_int_equal(flatend_context_write(ctx, "x", 1), 0);
    assert_int_equal(recv(client.fd, &first, 1, MSG_PEEK), 1);
    reset(&client);
    expect_canceled(world, ctx);
}

/* All that such a client sends is its FIN; what is written to it shows that it is gone. */
static void an_abandoned_request_is_canceled(void **state)
{
    struct world *const world = *state;
    struct http_client client;
    struct flatend_context *const ctx = ask_and_end(world, &client);

    http_close(&client);
    expect_canceled(world, ctx);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static int run(unsigned n_workers)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_sent_whole),
        TEST(a_service_answers_in_full),
        TEST(a_body_that_has_come_is_echoed),
        TEST(a_reset_cancels),
        TEST(a_reset_within_the_response_cancels),
        TEST(an_abandoned_request_is_canceled),
    };

    gateway_use_workers(n_workers);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
    return run(1) + run(2);
}
