/* Tunnels through real listeners: several workers, of which all but one reach the backend by
 * crossing.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/certs/https.h"
#include "gateway/edge/acceptor.h"
#include "gateway/edge/edge_worker.h"
#include "support/counting.h"
#include "support/http_client.h"
#include "support/tunnels.h"

enum { N_WORKERS = 3, N_CLIENTS = 30, PIECE = 8192 };

struct world {
    struct fe_worker *worker;
    struct fe_config *config;
    struct fe_https https;
    struct fe_acme_answers answers;
    struct fe_log log;
    struct fe_edge_worker edges[N_WORKERS];
    size_t n_closed;
    struct fe_acceptors acceptors;
    struct fe_task stop;
    pthread_t thread;
    uint16_t port;
};

static void on_edge_closed(void *arg)
{
    struct world *const world = arg;

    if (++world->n_closed == N_WORKERS) {
        fe_worker_stop(world->worker);
    }
}

static void on_acceptors_closed(void *arg)
{
    struct world *const world = arg;

    for (size_t i = 0; i < N_WORKERS; i++) {
        fe_edge_worker_drain(&world->edges[i]);
    }
}

static void on_stop(struct fe_task *task)
{
    fe_acceptors_close(&FE_CONTAINER_OF(task, struct world, stop)->acceptors);
}

static void *run(void *arg)
{
    fe_worker_run(((struct world *)arg)->worker);
    return NULL;
}

static void open_edges(struct world *world, const struct fe_backend *backend)
{
    const struct fe_edge_worker_setup setup = {.main_worker = world->worker,
                                               .config = world->config,
                                               .services = backend,
                                               .https = &world->https,
                                               .answers = &world->answers,
                                               .log = &world->log,
                                               .on_closed = on_edge_closed,
                                               .closed_arg = world};

    for (size_t i = 0; i < N_WORKERS; i++) {
        assert_int_equal(i == 0 ? fe_edge_worker_open_main(&world->edges[i], &setup)
                                : fe_edge_worker_open_threaded(&world->edges[i], &setup),
                         0);
    }
}

static void world_init(struct world *world, const struct fe_backend *backend)
{
    const struct fe_view text = FE_VIEW_LIT("[[http]]\naddr = \"127.0.0.1:0\"\n"
                                            "timeout.shutdown = \"100ms\"\n"
                                            "[[http.routes]]\npath = \"GET /tunnel\"\n"
                                            "service = \"tunnel\"\n");
    struct fe_acceptors_setup setup = {.edges = world->edges,
                                       .n_edges = N_WORKERS,
                                       .log = &world->log,
                                       .on_closed = on_acceptors_closed,
                                       .closed_arg = world};
    struct flatend_error err;
    struct fe_addr addr;

    memset(world, 0, sizeof(*world));
    assert_int_equal(fe_worker_new(&world->worker, NULL), 0);
    assert_int_equal(fe_config_parse("config.toml", text, &world->config, &err), 0);
    fe_acme_answers_init(&world->answers);
    open_edges(world, backend);
    setup.config = world->config;
    assert_int_equal(fe_acceptors_open(&world->acceptors, &setup, &err), 0);
    assert_int_equal(fe_acceptors_addr(&world->acceptors, 0, &addr), 0);
    world->port = addr.port;
    fe_task_init(&world->stop, on_stop);
    assert_int_equal(pthread_create(&world->thread, NULL, run, world), 0);
}

static void world_deinit(struct world *world)
{
    fe_task_post(world->worker, &world->stop);
    assert_int_equal(pthread_join(world->thread, NULL), 0);
    fe_acceptors_deinit(&world->acceptors);
    for (size_t i = 0; i < N_WORKERS; i++) {
        fe_edge_worker_deinit(&world->edges[i]);
    }
    fe_worker_free(world->worker, NULL, NULL);
    fe_acme_answers_deinit(&world->answers);
    fe_config_unref(world->config);
}

/* ---- clients -------------------------------------------------------------------------------- */

static void open_tunnel(struct http_client *client, uint16_t port)
{
    static const char expected[] = "HTTP/1.1 101 ";
    char head[HTTP_HEAD_MAX] = "";
    size_t n = 0;

    http_open(client, port);
    http_send_text(client, "GET /tunnel HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\n"
                           "Upgrade: echo\r\n\r\n");
    while (strstr(head, "\r\n\r\n") == NULL) {
        assert_true(n < sizeof(head) - 1);
        assert_int_equal(recv(client->fd, head + n, 1, 0), 1);
        head[++n] = '\0';
    }
    assert_memory_equal(head, expected, sizeof(expected) - 1);
}

/* Reads `n` bytes that go on from the `from`-th. */
static void expect_bytes(struct http_client *client, size_t n, size_t from)
{
    static uint8_t bytes[PIECE];

    while (n > 0) {
        const ssize_t got = recv(client->fd, bytes, n < PIECE ? n : PIECE, 0);

        assert_true(got > 0);
        assert_true(counting_continues(fe_view_of(bytes, (size_t)got), from));
        from += (size_t)got;
        n -= (size_t)got;
    }
}

static void send_bytes(struct http_client *client, size_t n, size_t from)
{
    static uint8_t bytes[PIECE];

    counting_fill(bytes, n, from);
    http_send(client, bytes, n);
}

static void test_echo(void **state)
{
    static struct world world;
    static struct http_client clients[N_CLIENTS];

    (void)state;
    world_init(&world, &tunnel_echo_backend);
    for (size_t i = 0; i < N_CLIENTS; i++) {
        open_tunnel(&clients[i], world.port);
    }
    for (size_t round = 0; round < 20; round++) {
        for (size_t i = 0; i < N_CLIENTS; i++) {
            send_bytes(&clients[i], PIECE, round * PIECE);
        }
        for (size_t i = 0; i < N_CLIENTS; i++) {
            expect_bytes(&clients[i], PIECE, round * PIECE);
        }
    }
    for (size_t i = 0; i < N_CLIENTS; i++) {
        send_bytes(&clients[i], 100, 20 * PIECE);
        assert_int_equal(shutdown(clients[i].fd, SHUT_WR), 0);
        expect_bytes(&clients[i], 100, 20 * PIECE);
        assert_true(http_is_closed(&clients[i])); /* our end was answered by the other one */
        http_close(&clients[i]);
    }
    world_deinit(&world);
}

/* The backend ends first; what the client has to say is read all the same. Every third client goes
 * without a word. */
static void test_greeting(void **state)
{
    static struct world world;
    static struct http_client clients[N_CLIENTS];

    (void)state;
    world_init(&world, &tunnel_greeting_backend);
    for (size_t i = 0; i < N_CLIENTS; i++) {
        open_tunnel(&clients[i], world.port);
    }
    for (size_t i = 0; i < N_CLIENTS; i++) {
        if (i % 3 != 0) {
            char byte;

            expect_bytes(&clients[i], TUNNEL_GREETING, 0);
            assert_int_equal(recv(clients[i].fd, &byte, 1, 0), 0);
            for (size_t n = 0; n < 50; n++) {
                send_bytes(&clients[i], PIECE, 0); /* into a direction that is still open */
            }
        }
        http_close(&clients[i]);
    }
    world_deinit(&world);
}

/* Tunnels have no end of their own: draining leaves them to the shutdown timeout, which resets. */
static void test_shutdown(void **state)
{
    static struct world world;
    static struct http_client clients[N_CLIENTS];

    (void)state;
    world_init(&world, &tunnel_echo_backend);
    for (size_t i = 0; i < N_CLIENTS; i++) {
        open_tunnel(&clients[i], world.port);
    }
    world_deinit(&world);
    for (size_t i = 0; i < N_CLIENTS; i++) {
        assert_true(http_is_closed(&clients[i]));
        http_close(&clients[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo),
        cmocka_unit_test(test_greeting),
        cmocka_unit_test(test_shutdown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
