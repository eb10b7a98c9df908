/* Calls that a handler makes on behalf of its own request: they end with it, and in its time, over
 * two nodes and three. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mesh/node/node.h"
#include "support/calls.h"
#include "support/latch.h"
#include "support/nodes.h"

/* Asks `hang` on behalf of its own request, and waits. */
struct relay {
    struct flatend_node *node;
    unsigned timeout_ms;
    struct latch left;
    int result; /* of the call that it made */
    bool was_canceled;
};

static void relay(struct flatend_context *ctx, void *arg)
{
    struct relay *relay = arg;
    const char *service = "hang";
    struct flatend_request request = {
        .services = &service, .n_services = 1, .parent = ctx, .timeout_ms = relay->timeout_ms};
    struct flatend_stream *stream;

    relay->result = flatend_push(relay->node, &request, &stream, NULL);
    if (relay->result == 0) {
        relay->result = flatend_stream_response(stream, NULL, NULL, NULL);
        flatend_stream_close(stream);
    }
    relay->was_canceled = flatend_context_is_canceled(ctx);
    latch_count(&relay->left);
}

/* Where `hang` is: with the client, or with a third node. */
struct chain {
    struct hanging hanging;
    struct relay relay;
    struct flatend_node *client;
    struct flatend_node *far; /* NULL: the client */
};

static void chain_init(struct chain *chain, bool has_third, unsigned timeout_ms)
{
    const struct flatend_service hang_service = {
        .name = "hang", .handler = hang, .arg = &chain->hanging};
    const struct flatend_service relay_service = {
        .name = "relay", .handler = relay, .arg = &chain->relay};
    char addr[64];

    hanging_init(&chain->hanging);
    memset(&chain->relay, 0, sizeof(chain->relay));
    latch_init(&chain->relay.left);
    chain->relay.timeout_ms = timeout_ms;
    chain->relay.node = nodes_listen(&relay_service, 1, addr);
    chain->client = nodes_join(&hang_service, !has_third, addr);
    chain->far = has_third ? nodes_join(&hang_service, 1, addr) : NULL;
}

static void chain_deinit(struct chain *chain)
{
    flatend_node_free(chain->client);
    flatend_node_free(chain->relay.node);
    flatend_node_free(chain->far);
    latch_deinit(&chain->relay.left);
    hanging_deinit(&chain->hanging);
}

static void test_cancellation_travels(void **state)
{
    (void)state;
    for (int has_third = 0; has_third < 2; has_third++) {
        struct flatend_stream *stream;
        struct chain chain;

        chain_init(&chain, has_third, 0);
        stream = calls_push(chain.client, "relay", "", NULL, NULL);
        latch_wait(&chain.hanging.entered, 1);
        assert_int_equal(chain.hanging.left_ms, UINT_MAX);
        flatend_stream_close(stream);
        latch_wait(&chain.hanging.left, 1);
        assert_int_equal(chain.hanging.result, FLATEND_ERESET);
        assert_true(chain.hanging.was_canceled);
        latch_wait(&chain.relay.left, 1);
        assert_int_equal(chain.relay.result, FLATEND_ECANCELED);
        assert_true(chain.relay.was_canceled);
        chain_deinit(&chain);
    }
}

/* The requester's connection is lost, without notice. */
static void test_loss_travels(void **state)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_stream *stream;
    struct flatend_node *client;
    struct chain chain;
    char addr[64];
    const char *addrs[] = {addr};

    (void)state;
    chain_init(&chain, true, 0);
    assert_int_equal(flatend_node_listen_addr(chain.relay.node, 0, addr, sizeof(addr)), 0);
    options.shutdown_timeout_ms = 0;
    assert_int_equal(flatend_node_new(&options, &client, NULL), 0);
    assert_int_equal(flatend_node_start(client, addrs, 1, NULL), 0);
    stream = calls_push(client, "relay", "", NULL, NULL);
    latch_wait(&chain.hanging.entered, 1);
    flatend_node_free(client);
    flatend_stream_close(stream);
    latch_wait(&chain.hanging.left, 1);
    assert_true(chain.hanging.was_canceled);
    latch_wait(&chain.relay.left, 1);
    assert_int_equal(chain.relay.result, FLATEND_ECANCELED);
    chain_deinit(&chain);
}

/* The time that is left is the most that a call on behalf of a request gets. It has to suffice for
 * the way to the far handler on a busy machine, or that handler is never called. */
static void test_deadline_travels(void **state)
{
    static const struct {
        const char *of_request; /* NULL: none */
        unsigned of_call;       /* that the relay asks for; 0: none */
        unsigned max;           /* that the far handler may see */
    } cases[] = {
        {"1000", 0, 1000}, {"1000", 60000, 1000}, {"60000", 1000, 1000}, {NULL, 1000, 1000}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct flatend_stream *stream;
        struct chain chain;

        chain_init(&chain, true, cases[i].of_call);
        stream = calls_push(chain.client, "relay", "",
                            cases[i].of_request != NULL ? "timeout-ms" : NULL, cases[i].of_request);
        latch_wait(&chain.hanging.left, 1);
        assert_in_range(chain.hanging.left_ms, 1, cases[i].max);
        assert_true(chain.hanging.was_canceled);
        latch_wait(&chain.relay.left, 1);
        assert_true(chain.relay.result == FLATEND_ETIMEDOUT ||
                    chain.relay.result == FLATEND_ECANCELED);
        flatend_stream_close(stream);
        chain_deinit(&chain);
    }
}

/* It is over before it calls further: no provider is asked. */
struct late {
    struct latch entered;
    struct latch left;
    int result;
};

static void call_too_late(struct flatend_context *ctx, void *arg)
{
    struct late *late = arg;
    const char *service = "late";
    struct flatend_request request = {
        .services = &service, .n_services = 1, .body = "", .parent = ctx};
    struct flatend_stream *stream;
    char buf[10];

    latch_count(&late->entered);
    while (flatend_context_read(ctx, buf, sizeof(buf)) > 0) {
    }
    late->result = flatend_push(flatend_context_node(ctx), &request, &stream, NULL);
    latch_count(&late->left);
}

static void test_call_on_behalf_of_a_canceled_request(void **state)
{
    struct late late = {.result = 0};
    const struct flatend_service service = {.name = "late", .handler = call_too_late, .arg = &late};
    struct flatend_stream *stream;
    struct flatend_node *server;
    struct flatend_node *client;
    char addr[64];

    (void)state;
    latch_init(&late.entered);
    latch_init(&late.left);
    server = nodes_listen(&service, 1, addr);
    client = nodes_join(&service, 1, addr);
    stream = calls_push(client, "late", NULL, NULL, NULL);
    latch_wait(&late.entered, 1);
    flatend_stream_close(stream);
    latch_wait(&late.left, 1);
    assert_int_equal(late.result, FLATEND_ECANCELED);
    assert_int_equal(late.entered.n, 1);
    flatend_node_free(client);
    flatend_node_free(server);
    latch_deinit(&late.entered);
    latch_deinit(&late.left);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cancellation_travels),
        cmocka_unit_test(test_loss_travels),
        cmocka_unit_test(test_deadline_travels),
        cmocka_unit_test(test_call_on_behalf_of_a_canceled_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
