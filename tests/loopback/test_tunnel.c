/* Tunnels through real listeners: several workers, of which all but one reach the backend by
 * crossing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/counting.h"
#include "support/edges.h"
#include "support/http_client.h"
#include "support/latch.h"
#include "support/tunnels.h"

enum { N_CLIENTS = 30, PIECE = 8192 };

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
    static struct edges edges;
    static struct http_client clients[N_CLIENTS];

    (void)state;
    edges_init(&edges, &tunnel_echo_backend, false);
    for (size_t i = 0; i < N_CLIENTS; i++) {
        open_tunnel(&clients[i], edges.port);
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
    edges_deinit(&edges);
}

/* The backend ends first; what the client has to say is read all the same. Every third client goes
 * without a word. */
static void test_greeting(void **state)
{
    static struct edges edges;
    static struct http_client clients[N_CLIENTS];

    (void)state;
    edges_init(&edges, &tunnel_greeting_backend, false);
    for (size_t i = 0; i < N_CLIENTS; i++) {
        open_tunnel(&clients[i], edges.port);
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
    edges_deinit(&edges);
}

/* A client that is gone for good, without a word, is noticed some day. */
static void test_idle_time(void **state)
{
    static struct edges edges;
    struct fe_snapshot *snapshot;

    (void)state;
    edges_init(&edges, &tunnel_echo_backend, false);
    snapshot = fe_snapshot_new(edges.config);
    assert_non_null(snapshot);
    assert_int_equal(snapshot->http[0].limits.tunnel_idle_ms, FE_HTTP_TUNNEL_IDLE_MS);
    fe_snapshot_unref(snapshot);
    edges_deinit(&edges);
}

/* Tunnels have no end of their own: draining leaves them to the shutdown timeout, which resets. */
static void test_shutdown(void **state)
{
    static struct edges edges;
    static struct http_client clients[N_CLIENTS];

    (void)state;
    edges_init(&edges, &tunnel_echo_backend, false);
    for (size_t i = 0; i < N_CLIENTS; i++) {
        open_tunnel(&clients[i], edges.port);
    }
    edges_deinit(&edges);
    for (size_t i = 0; i < N_CLIENTS; i++) {
        assert_true(http_is_closed(&clients[i]));
        http_close(&clients[i]);
    }
}

/* Takes one byte, and ends its direction. */
struct nibbler {
    struct fe_backend backend;
    struct latch fed;
};

static void nibbler_start(const struct fe_backend *backend, struct fe_exchange *ex)
{
    const struct fe_response response = {.status = 200, .content_length = FE_BODY_UNKNOWN};

    ex->state =
        (struct nibbler *)(uintptr_t)FE_CONTAINER_OF(backend, const struct nibbler, backend);
    assert_int_equal(fe_exchange_tunnel(ex, &response), 0);
    fe_exchange_resume(ex);
}

static size_t nibbler_on_data(struct fe_exchange *ex, struct fe_view data)
{
    (void)data;
    latch_count(&((struct nibbler *)ex->state)->fed);
    fe_exchange_finish(ex, NULL);
    return 1;
}

static void nibbler_on_end(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    (void)ex;
    (void)trailers;
    fail_msg("not all was read");
}

static void nibbler_on_reset(struct fe_exchange *ex, int code)
{
    (void)ex;
    (void)code;
}

/* Nobody waits for a backend that does not read what clients have left behind. */
static void test_shutdown_behind_both_ends(void **state)
{
    static const struct fe_backend_ops ops = {nibbler_start, nibbler_on_data, nibbler_on_end, NULL,
                                              nibbler_on_reset};
    static struct nibbler nibbler;
    static struct edges edges;
    static struct http_client clients[N_CLIENTS];

    (void)state;
    nibbler = (struct nibbler){.backend = {&ops}};
    latch_init(&nibbler.fed);
    edges_init(&edges, &nibbler.backend, false);
    for (size_t i = 0; i < N_CLIENTS; i++) {
        open_tunnel(&clients[i], edges.port);
        send_bytes(&clients[i], 100, 0);
        assert_int_equal(shutdown(clients[i].fd, SHUT_WR), 0);
    }
    latch_wait(&nibbler.fed, N_CLIENTS);
    edges_deinit(&edges);
    for (size_t i = 0; i < N_CLIENTS; i++) {
        assert_true(http_is_closed(&clients[i]));
        http_close(&clients[i]);
    }
    latch_deinit(&nibbler.fed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo),
        cmocka_unit_test(test_greeting),
        cmocka_unit_test(test_idle_time),
        cmocka_unit_test(test_shutdown),
        cmocka_unit_test(test_shutdown_behind_both_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
