/* The configuration is replaced while requests run: what has begun goes on with what it began with,
 * what begins is served by the new one, and the old one is gone with the last that used it. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/gateways.h"
#include "support/h2_client.h"
#include "support/latch.h"

enum { N_WORKERS = 3, N_REPLACED = 100 };

/* ---- services ------------------------------------------------------------------------------- */

/* Requests that wait in a handler until they are let go. */
struct pause {
    struct latch arrived;
    struct latch go;
};

static void slow(struct flatend_context *ctx, void *arg)
{
    struct pause *const pause = arg;

    latch_count(&pause->arrived);
    latch_wait(&pause->go, 1);
    (void)flatend_context_write(ctx, "slow", 4);
}

struct world {
    struct gateway gateway;
    struct flatend_node *node;
    struct pause pause;
};

/* The `n`-th configuration: its name is a route. */
static struct fe_config *config_of(unsigned n)
{
    char text[1024];

    snprintf(text, sizeof(text),
             "[http.timeout]\nshutdown = \"1h\"\nidle = \"0\"\n"
             "[[http.routes]]\npath = \"GET /%u\"\nservice = \"hello\"\n"
             "[[http.routes]]\npath = \"GET /hello/:name\"\nservice = \"hello\"\n"
             "[[http.routes]]\npath = \"GET /slow/:name\"\nservice = \"slow\"\n"
             "[[http.routes]]\npath = \"GET /files\"\nstatic = \"/dev/shm\"\n"
             "[[http.routes]]\npath = \"POST /echo\"\nservice = \"echo\"\n",
             n);
    return gateway_config(text);
}

static void world_open(struct world *world)
{
    const struct flatend_service services[] = {
        {.name = "echo", .handler = nodes_echo},
        {.name = "hello", .handler = nodes_hello},
        {.name = "slow", .handler = slow, .arg = &world->pause},
    };

    latch_init(&world->pause.arrived);
    latch_init(&world->pause.go);
    gateway_start(&world->gateway, "");
    world->node = nodes_join(services, 3, world->gateway.addr);
}

static void world_close(struct world *world)
{
    gateway_stop(&world->gateway);
    gateway_join(&world->gateway);
    flatend_node_free(world->node);
    latch_deinit(&world->pause.arrived);
    latch_deinit(&world->pause.go);
}

/* Until the configuration is held so often: once by us. A worker that has nothing to do with it any
 * more gives it back at the end of its turn, without an event. */
static void await_refs(struct fe_config *config, unsigned n)
{
    while (atomic_load(&config->n_refs) != n) {
        (void)sched_yield();
    }
}

/* ---- one request ---------------------------------------------------------------------------- */

/* A client of one protocol or the other. */
struct visitor {
    bool is_h2;
    struct http_client h1;
    struct h2_client h2;
};

static void visitor_open(struct visitor *visitor, uint16_t port, bool is_h2)
{
    visitor->is_h2 = is_h2;
    if (is_h2) {
        h2_client_open(&visitor->h2, port);
    } else {
        http_open(&visitor->h1, port);
    }
}

static void visitor_close(struct visitor *visitor)
{
    if (visitor->is_h2) {
        h2_client_close(&visitor->h2);
    } else {
        http_close(&visitor->h1);
    }
}

static void ask(struct visitor *visitor, const char *path)
{
    char request[128];

    if (visitor->is_h2) {
        h2_client_send(&visitor->h2, path);
        return;
    }
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
    http_send_text(&visitor->h1, request);
}

static void expect(struct visitor *visitor, int status, const char *body)
{
    struct http_answer answer;

    if (visitor->is_h2) {
        h2_client_receive(&visitor->h2);
        assert_int_equal(visitor->h2.status, status);
        assert_int_equal(visitor->h2.code, NGHTTP2_NO_ERROR);
        assert_true(body == NULL || strcmp(visitor->h2.body, body) == 0);
        return;
    }
    http_receive(&visitor->h1, false, &answer);
    assert_int_equal(answer.status, status);
    assert_true(answer.is_whole);
    assert_true(body == NULL || strcmp(answer.body, body) == 0);
    http_answer_deinit(&answer);
}

/* The worker of this client has the configuration. */
static void await_route(struct visitor *visitor, const char *path)
{
    bool is_there = false;

    while (!is_there) {
        struct http_answer answer;

        ask(visitor, path);
        if (visitor->is_h2) {
            h2_client_receive(&visitor->h2);
            is_there = visitor->h2.status == 200;
        } else {
            http_receive(&visitor->h1, false, &answer);
            is_there = answer.status == 200;
            http_answer_deinit(&answer);
        }
    }
}

/* A client that was there before, and whose request began with the first of two configurations:
 * that one lives as long as the request. */
static void replace_around_a_request(struct world *world, struct visitor *visitor)
{
    struct fe_config *const first = config_of(1);
    struct fe_config *const second = config_of(2);

    ask(visitor, "/1");
    expect(visitor, 404, NULL);
    gateway_replace(&world->gateway, first);
    await_route(visitor, "/1");
    await_refs(first, 1 + N_WORKERS);
    ask(visitor, "/slow/x");
    latch_wait(&world->pause.arrived, 1);
    gateway_replace(&world->gateway, second);
    await_refs(first, 2);
    await_refs(second, 1 + N_WORKERS);
    assert_int_equal(atomic_load(&first->n_refs), 2); /* the request's worker has it */
    latch_count(&world->pause.go);
    expect(visitor, 200, "slow");
    await_refs(first, 1);
    ask(visitor, "/2");
    expect(visitor, 200, "Hello world!");
    ask(visitor, "/1");
    expect(visitor, 404, NULL);
    fe_config_unref(first);
    fe_config_unref(second);
}

static void visit(bool is_h2)
{
    static struct world world;
    struct visitor visitor;

    world_open(&world);
    visitor_open(&visitor, world.gateway.port, is_h2); /* comes to another worker: by crossing */
    replace_around_a_request(&world, &visitor);
    visitor_close(&visitor);
    world_close(&world);
}

static void test_http_1_by_crossing(void **state)
{
    (void)state;
    visit(false);
}

static void test_http_2_by_crossing(void **state)
{
    (void)state;
    visit(true);
}

/* The gateway's own worker has the ballast. */
static void test_without_a_crossing(void **state)
{
    static struct world world;
    struct visitor visitor = {.is_h2 = false};

    (void)state;
    world_open(&world);
    visitor.h1 = world.gateway.ballast;
    replace_around_a_request(&world, &visitor);
    world.gateway.ballast = visitor.h1;
    world_close(&world);
}

/* The client leaves, and the far side is told; its configuration is not held for the handler, which
 * goes on until it is done. */
static void test_client_that_leaves(void **state)
{
    static struct world world;
    struct fe_config *const first = config_of(1);
    struct fe_config *const second = config_of(2);
    struct visitor visitor;

    (void)state;
    world_open(&world);
    visitor_open(&visitor, world.gateway.port, false);
    gateway_replace(&world.gateway, first);
    await_route(&visitor, "/1");
    ask(&visitor, "/slow/x");
    latch_wait(&world.pause.arrived, 1);
    gateway_replace(&world.gateway, second);
    await_refs(first, 2);
    visitor_close(&visitor);
    await_refs(first, 1);
    latch_count(&world.pause.go);
    world_close(&world);
    fe_config_unref(first);
    await_refs(second, 1);
    fe_config_unref(second);
}

/* A connection keeps the limits that it began with, and with them its configuration. */
static void test_connection_that_began_with_it(void **state)
{
    static struct world world;
    struct fe_config *const first = config_of(1);
    struct fe_config *const second = config_of(2);
    struct visitor visitor;

    (void)state;
    world_open(&world);
    gateway_replace(&world.gateway, first);
    await_refs(first, 1 + N_WORKERS);
    visitor_open(&visitor, world.gateway.port, false);
    await_route(&visitor, "/1");
    gateway_replace(&world.gateway, second);
    await_route(&visitor, "/2");
    await_refs(first, 2);
    visitor_close(&visitor);
    await_refs(first, 1);
    world_close(&world);
    fe_config_unref(first);
    fe_config_unref(second);
}

/* ---- a hundred times, under load ------------------------------------------------------------ */

enum { N_CLIENTS = 6, BODY = 200 * 1024 };

struct client {
    pthread_t thread;
    uint16_t port;
    bool is_h2;
    atomic_bool *is_over;
    atomic_uint *n_answers;
};

static void echo(struct visitor *visitor, const char *body)
{
    struct http_answer answer;
    char head[128];

    snprintf(head, sizeof(head), "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n",
             BODY);
    http_send_text(&visitor->h1, head);
    http_send(&visitor->h1, body, BODY);
    http_receive(&visitor->h1, false, &answer);
    assert_int_equal(answer.status, 200);
    assert_true(answer.is_whole);
    assert_int_equal(answer.body_len, BODY);
    assert_memory_equal(answer.body, body, BODY);
    http_answer_deinit(&answer);
}

static void *ask_until_over(void *arg)
{
    struct client *const client = arg;
    struct visitor visitor;
    char *const body = malloc(BODY);

    assert_non_null(body);
    memset(body, 'x', BODY);
    visitor_open(&visitor, client->port, client->is_h2);
    while (!atomic_load(client->is_over)) {
        ask(&visitor, "/hello/x");
        expect(&visitor, 200, "Hello world!");
        ask(&visitor, "/files/nothing");
        expect(&visitor, 404, NULL);
        if (!client->is_h2) {
            echo(&visitor, body);
        }
        atomic_fetch_add(client->n_answers, 1);
    }
    visitor_close(&visitor);
    free(body);
    return NULL;
}

static void test_a_hundred_times_under_load(void **state)
{
    static struct world world;
    static struct fe_config *configs[N_REPLACED + 1];
    struct client clients[N_CLIENTS];
    atomic_bool is_over = false;
    atomic_uint n_answers = 0;

    (void)state;
    world_open(&world);
    for (unsigned i = 0; i <= N_REPLACED; i++) {
        configs[i] = config_of(i);
    }
    gateway_replace(&world.gateway, configs[0]);
    await_refs(configs[0], 1 + N_WORKERS);
    for (size_t i = 0; i < N_CLIENTS; i++) {
        clients[i] = (struct client){.port = world.gateway.port,
                                     .is_h2 = i % 3 == 2,
                                     .is_over = &is_over,
                                     .n_answers = &n_answers};
        assert_int_equal(pthread_create(&clients[i].thread, NULL, ask_until_over, &clients[i]), 0);
    }
    for (unsigned i = 1; i <= N_REPLACED; i++) {
        const unsigned before = atomic_load(&n_answers);

        gateway_replace(&world.gateway, configs[i]);
        while (i % 4 == 0 && atomic_load(&n_answers) == before) {
            (void)sched_yield();
        }
    }
    atomic_store(&is_over, true);
    for (size_t i = 0; i < N_CLIENTS; i++) {
        assert_int_equal(pthread_join(clients[i].thread, NULL), 0);
    }
    for (size_t i = 0; i < N_REPLACED; i++) {
        await_refs(configs[i], 1);
        fe_config_unref(configs[i]);
    }
    assert_int_equal(atomic_load(&configs[N_REPLACED]->n_refs), 1 + N_WORKERS);
    world_close(&world);
    assert_int_equal(atomic_load(&configs[N_REPLACED]->n_refs), 1);
    fe_config_unref(configs[N_REPLACED]);
}

/* ---- refused -------------------------------------------------------------------------------- */

static void test_refused(void **state)
{
    struct fe_config *const one = config_of(1);
    struct fe_config *const two = gateway_config("[[http]]\naddr = \"127.0.0.1:0\"\n");
    const struct fe_log log = {NULL, NULL, FLATEND_LOG_ERROR};
    struct fe_worker *worker;
    struct fe_gateway *gateway;
    struct flatend_error err;

    (void)state;
    assert_int_equal(fe_worker_new(&worker, NULL), 0);
    assert_int_equal(fe_gateway_start(worker, one, &log, &gateway, &err), 0);
    assert_int_equal(fe_gateway_replace(gateway, two), FLATEND_EINVAL);
    assert_int_equal(atomic_load(&two->n_refs), 1);
    fe_gateway_free(gateway);
    fe_worker_free(worker, NULL, NULL);
    fe_config_unref(one);
    fe_config_unref(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_1_by_crossing),
        cmocka_unit_test(test_http_2_by_crossing),
        cmocka_unit_test(test_without_a_crossing),
        cmocka_unit_test(test_client_that_leaves),
        cmocka_unit_test(test_connection_that_began_with_it),
        cmocka_unit_test(test_a_hundred_times_under_load),
        cmocka_unit_test(test_refused),
    };

    gateway_use_workers(N_WORKERS);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
