/* Bodies in both directions at once, readers that do not keep up, and the end of the gateway. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/gateways.h"
#include "support/http_client.h"
#include "web/http/h1/connection.h"

enum {
    BIG = 32 * 1024 * 1024,
    FLOOD = 256 * 1024 * 1024, /* more than all buffers on the way hold together */
    N_OTHERS = 50,
};

#define ROUTES                                                                                     \
    "[[http.routes]]\npath = \"GET /hello\"\nservice = \"hello\"\n"                                \
    "[[http.routes]]\npath = \"POST /echo\"\nservice = \"echo\"\n"                                 \
    "[[http.routes]]\npath = \"GET /flood\"\nservice = \"flood\"\n"                                \
    "[[http.routes]]\npath = \"GET /gate\"\nservice = \"gate\"\n"

/* A handler that has come waits until the latch is open. */
struct latch {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool has_come;
    bool is_open;
};

struct world {
    struct gateway gateway;
    struct flatend_node *node;  /* echo, flood, latch */
    struct flatend_node *other; /* hello */
    struct latch latch;
    atomic_size_t flooded; /* bytes that the flood could write */
};

static void flood(struct flatend_context *ctx, void *arg)
{
    struct world *world = arg;
    static const uint8_t zeros[16384];

    while (world->flooded < FLOOD && flatend_context_write(ctx, zeros, sizeof(zeros)) == 0) {
        world->flooded += sizeof(zeros);
    }
}

static void wait_at_latch(struct flatend_context *ctx, void *arg)
{
    struct latch *latch = &((struct world *)arg)->latch;

    flatend_context_write(ctx, "before", 6);
    pthread_mutex_lock(&latch->lock);
    latch->has_come = true;
    pthread_cond_broadcast(&latch->changed);
    while (!latch->is_open) {
        pthread_cond_wait(&latch->changed, &latch->lock);
    }
    pthread_mutex_unlock(&latch->lock);
    flatend_context_write(ctx, " and after", 10);
}

static void open_latch(struct latch *latch)
{
    pthread_mutex_lock(&latch->lock);
    latch->is_open = true;
    pthread_cond_broadcast(&latch->changed);
    pthread_mutex_unlock(&latch->lock);
}

static void start(struct world *world, const char *config)
{
    const struct flatend_service services[] = {
        {.name = "echo", .handler = nodes_echo},
        {.name = "flood", .handler = flood, .arg = world},
        {.name = "gate", .handler = wait_at_latch, .arg = world},
    };
    const struct flatend_service others[] = {{.name = "hello", .handler = nodes_hello}};

    memset(world, 0, sizeof(*world));
    assert_int_equal(pthread_mutex_init(&world->latch.lock, NULL), 0);
    assert_int_equal(pthread_cond_init(&world->latch.changed, NULL), 0);
    gateway_start(&world->gateway, config);
    world->node = nodes_join(services, 3, world->gateway.addr);
    world->other = nodes_join(others, 1, world->gateway.addr);
}

/* After gateway_stop. */
static void finish(struct world *world)
{
    gateway_join(&world->gateway);
    open_latch(&world->latch);
    flatend_node_free(world->node);
    flatend_node_free(world->other);
    pthread_cond_destroy(&world->latch.changed);
    pthread_mutex_destroy(&world->latch.lock);
}

/* A client whose request has begun to be answered, and waits at the latch. */
static void ask_at_latch(struct world *world, struct http_client *client)
{
    http_open(client, world->gateway.port);
    http_send_text(client, "GET /gate HTTP/1.1\r\nHost: a\r\n\r\n");
    pthread_mutex_lock(&world->latch.lock);
    while (!world->latch.has_come) {
        pthread_cond_wait(&world->latch.changed, &world->latch.lock);
    }
    pthread_mutex_unlock(&world->latch.lock);
}

static void expect_handshake(struct world *world)
{
    http_expect(world->gateway.port, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", 200, "Hello world!");
}

/* A client that has had its answer. */
static void open_idle(struct world *world, struct http_client *client)
{
    struct http_answer answer;

    http_open(client, world->gateway.port);
    http_send_text(client, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    http_receive(client, false, &answer);
    assert_string_equal(answer.body, "Hello world!");
    http_answer_deinit(&answer);
}

/* ---- bodies --------------------------------------------------------------------------------- */

static uint8_t byte_at(size_t i)
{
    return (uint8_t)((i * 2654435761u) >> 13);
}

static void *send_big(void *arg)
{
    uint8_t buf[10007];

    for (size_t at = 0; at < BIG;) {
        size_t n = BIG - at < sizeof(buf) ? BIG - at : sizeof(buf);

        for (size_t i = 0; i < n; i++) {
            buf[i] = byte_at(at + i);
        }
        http_send(arg, buf, n);
        at += n;
    }
    return NULL;
}

static void check_big(const struct http_answer *answer)
{
    assert_int_equal(answer->status, 200);
    assert_true(answer->is_whole);
    assert_int_equal(answer->body_len, BIG);
    for (size_t i = 0; i < BIG; i++) {
        if ((uint8_t)answer->body[i] != byte_at(i)) {
            fail_msg("byte %zu differs", i);
        }
    }
}

static void test_echo_to_a_slow_reader(void **state)
{
    static struct world world;
    struct http_client client;
    struct http_answer answer;
    pthread_t sender;
    char head[128];

    (void)state;
    start(&world, ROUTES);
    http_open_slow(&client, world.gateway.port);
    snprintf(head, sizeof(head), "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n",
             BIG);
    http_send_text(&client, head);
    assert_int_equal(pthread_create(&sender, NULL, send_big, &client), 0);
    http_receive(&client, false, &answer);
    assert_int_equal(pthread_join(sender, NULL), 0);
    check_big(&answer);
    http_answer_deinit(&answer);
    http_close(&client);
    gateway_stop(&world.gateway);
    finish(&world);
}

/* Other clients are served; the rest is not stored for the one that does not read. */
static void test_client_that_does_not_read(void **state)
{
    static struct world world;
    struct http_client stuck;

    (void)state;
    start(&world, ROUTES "[http.timeout]\nwrite = \"0\"\n");
    http_open_slow(&stuck, world.gateway.port);
    http_send_text(&stuck, "GET /flood HTTP/1.1\r\nHost: a\r\n\r\n");
    for (int i = 0; i < N_OTHERS; i++) {
        expect_handshake(&world);
    }
    assert_true(world.flooded < FLOOD);
    /* The old dialect cannot hold one stream alone: only now its own node is free again. */
    http_close(&stuck);
    http_expect(world.gateway.port,
                "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 200, "hello");
    gateway_stop(&world.gateway);
    finish(&world);
}

/* ---- the end -------------------------------------------------------------------------------- */

/* No client can connect any more. */
static void expect_refused(uint16_t port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(fd);
}

static void test_stop_waits_for_requests(void **state)
{
    static struct world world;
    struct http_client busy;
    struct http_client idle;
    struct http_answer answer;

    (void)state;
    start(&world, ROUTES "[http.timeout]\nshutdown = \"1h\"\nidle = \"1h\"\n");
    open_idle(&world, &idle);
    ask_at_latch(&world, &busy);
    gateway_stop(&world.gateway);
    assert_true(http_is_closed(&idle));
    expect_refused(world.gateway.port);
    open_latch(&world.latch);
    http_receive(&busy, false, &answer);
    assert_int_equal(answer.status, 200);
    assert_true(answer.is_whole);
    assert_string_equal(answer.body, "before and after");
    http_answer_deinit(&answer);
    assert_true(http_is_closed(&busy));
    http_close(&busy);
    finish(&world);
    http_close(&idle);
}

static void expect_cut(struct http_client *client)
{
    struct http_answer answer;

    http_receive(client, false, &answer);
    assert_false(answer.is_whole);
    http_answer_deinit(&answer);
    http_close(client);
}

static void test_stop_does_not_wait_for_ever(void **state)
{
    static const char *const shutdowns[] = {"20ms", "0"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        static struct world world;
        struct http_client busy;
        char config[2048];

        snprintf(config, sizeof(config), ROUTES "[http.timeout]\nshutdown = \"%s\"\n",
                 shutdowns[i]);
        start(&world, config);
        ask_at_latch(&world, &busy);
        gateway_stop(&world.gateway);
        expect_cut(&busy);
        finish(&world);
    }
}

static uint64_t now_ms(void)
{
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Idle clients are not even waited for to close their side. */
static void test_stop_does_not_wait_for_idle_clients(void **state)
{
    static struct world world;
    struct http_client idle;
    uint64_t start_ms;

    (void)state;
    start(&world, ROUTES "[http.timeout]\nshutdown = \"1h\"\nidle = \"1h\"\n");
    open_idle(&world, &idle);
    start_ms = now_ms();
    gateway_stop(&world.gateway);
    finish(&world);
    assert_true(now_ms() - start_ms < FE_H1_LINGER_MS);
    http_close(&idle);
}

static void test_second_stop_ends_at_once(void **state)
{
    static struct world world;
    struct http_client busy;

    (void)state;
    start(&world, ROUTES "[http.timeout]\nshutdown = \"1h\"\n");
    ask_at_latch(&world, &busy);
    gateway_stop(&world.gateway);
    gateway_stop(&world.gateway);
    expect_cut(&busy);
    finish(&world);
}

/* Of two workers the one without a request has ended by then. */
static void test_second_stop_when_one_worker_has_ended(void **state)
{
    static struct world world;
    struct http_client idle;
    struct http_client busy;

    (void)state;
    start(&world, ROUTES "[http.timeout]\nshutdown = \"1h\"\nidle = \"1h\"\n");
    open_idle(&world, &idle);
    ask_at_latch(&world, &busy);
    gateway_stop(&world.gateway);
    assert_true(http_is_closed(&idle));
    gateway_stop(&world.gateway);
    expect_cut(&busy);
    finish(&world);
    http_close(&idle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo_to_a_slow_reader),
        cmocka_unit_test(test_client_that_does_not_read),
        cmocka_unit_test(test_stop_waits_for_requests),
        cmocka_unit_test(test_stop_does_not_wait_for_ever),
        cmocka_unit_test(test_stop_does_not_wait_for_idle_clients),
        cmocka_unit_test(test_second_stop_ends_at_once),
        cmocka_unit_test(test_second_stop_when_one_worker_has_ended),
    };

    int n_failed = cmocka_run_group_tests_name("one worker", tests, NULL, NULL);

    gateway_use_workers(2);
    return n_failed + cmocka_run_group_tests_name("a further worker", tests, NULL, NULL);
}
