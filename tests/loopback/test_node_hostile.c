/* Bytes that no node sends, to the port of a node that meanwhile serves a good peer. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "ground/base/rng.h"
#include "support/nodes.h"

enum { N_ROUNDS = 20, GARBAGE_MAX = 100000 };

struct world {
    struct flatend_node *server;
    struct flatend_node *client;
    struct sockaddr_in addr;
};

static void hello(struct flatend_context *ctx, void *arg)
{
    (void)arg;
    (void)flatend_context_write(ctx, "hello", 5);
}

static int setup(void **state)
{
    static const struct flatend_service service = {.name = "hello", .handler = hello};
    struct world *world = calloc(1, sizeof(*world));
    char addr[64];

    assert_non_null(world);
    world->server = nodes_listen(&service, 1, addr);
    world->client = nodes_join(NULL, 0, addr);
    world->addr.sin_family = AF_INET;
    world->addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    world->addr.sin_port = htons((uint16_t)atoi(strchr(addr, ':') + 1));
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    flatend_node_free(world->client);
    flatend_node_free(world->server);
    free(world);
    return 0;
}

static void assert_still_serves(struct world *world)
{
    struct nodes_answer answer;

    assert_int_equal(nodes_call(world->client, "hello", NULL, 0, &answer), 0);
    assert_string_equal(answer.text, "hello");
    flatend_stream_close(answer.stream);
}

static int dial(const struct world *world)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&world->addr, sizeof(world->addr)), 0);
    return fd;
}

/* Sends what the other side still takes. */
static void send_all(int fd, const void *data, size_t len)
{
    const char *from = data;

    while (len > 0) {
        ssize_t n = send(fd, from, len, MSG_NOSIGNAL);

        if (n <= 0) {
            return;
        }
        from += n;
        len -= (size_t)n;
    }
}

/* Waits for the node to close; whatever it says before is read. */
static void expect_closed(int fd)
{
    const struct timeval patience = {.tv_sec = 20};
    char buf[1000];
    ssize_t n;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    do {
        n = recv(fd, buf, sizeof(buf), 0);
    } while (n > 0);
    assert_false(n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK));
    close(fd);
}

static void test_garbage(void **state)
{
    struct world *world = *state;
    struct fe_rng_seeded seeded;
    struct fe_rng rng = fe_rng_from_seed(&seeded, 7);
    uint8_t *garbage = malloc(GARBAGE_MAX);

    assert_non_null(garbage);
    for (size_t i = 0; i < N_ROUNDS; i++) {
        size_t len = 1000 + fe_rng_below(&rng, GARBAGE_MAX - 1000);
        int fd = dial(world);

        fe_rng_fill(&rng, garbage, len);
        garbage[32] = 0; /* a length that is not refused at once, */
        garbage[33] = 0; /* so that records are tried too */
        send_all(fd, garbage, len);
        assert_still_serves(world);
        expect_closed(fd);
    }
    free(garbage);
}

static void test_http_to_the_wrong_port(void **state)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: localhost:9000\r\n\r\n"
                                  "GET / HTTP/1.1\r\nHost: localhost:9000\r\n\r\n";
    int fd = dial(*state);

    send_all(fd, request, sizeof(request) - 1);
    expect_closed(fd);
    assert_still_serves(*state);
}

/* A key, then a record that claims four gigabytes. */
static void test_oversized_record(void **state)
{
    uint8_t bytes[36];
    int fd = dial(*state);

    memset(bytes, 9, 32);
    memset(bytes + 32, 0xff, 4);
    send_all(fd, bytes, sizeof(bytes));
    expect_closed(fd);
    assert_still_serves(*state);
}

/* An all-zero shared secret, which every key pair has with this point. */
static void test_point_of_small_order(void **state)
{
    const uint8_t zeros[32] = {0};
    int fd = dial(*state);

    send_all(fd, zeros, sizeof(zeros));
    expect_closed(fd);
    assert_still_serves(*state);
}

/* Peers that stop anywhere in the handshake hold up no other peer, and not the end of the node. */
static void test_half_a_handshake(void **state)
{
    const uint8_t key[32] = {9};
    int fds[N_ROUNDS];

    for (size_t i = 0; i < N_ROUNDS; i++) {
        fds[i] = dial(*state);
        send_all(fds[i], key, i % sizeof(key));
        assert_still_serves(*state);
    }
    for (size_t i = 0; i < N_ROUNDS; i += 2) {
        close(fds[i]);
    }
    assert_still_serves(*state);
    flatend_node_shutdown(((struct world *)*state)->server);
    for (size_t i = 1; i < N_ROUNDS; i += 2) {
        expect_closed(fds[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_http_to_the_wrong_port, setup, teardown),
        cmocka_unit_test_setup_teardown(test_oversized_record, setup, teardown),
        cmocka_unit_test_setup_teardown(test_point_of_small_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_half_a_handshake, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
