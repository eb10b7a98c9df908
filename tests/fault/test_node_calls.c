/* Three nodes on threads of their own: services that are added and removed, a call with trailers
 * whose handler calls further on its behalf; each allocation fails in turn. Whatever fails, every
 * call returns, every node closes, and nothing is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mesh/node/node.h"
#include "support/fault.h"
#include "support/nodes.h"

enum { TIMEOUT_MS = 10000 };

struct scenario {
    struct flatend_node *far;
    struct flatend_node *near;
    struct flatend_node *client;
    char far_addr[64];
    char near_addr[64];
};

/* Longer than a record: heads and trailers go in pieces. */
static char long_text[20001];

/* Reads all, answers with it, trailers too. */
static void echo(struct flatend_context *ctx, void *arg)
{
    const struct flatend_header *trailers;
    const char *body;
    size_t len;
    size_t n;
    int code = flatend_context_read_all(ctx, 65536, &body, &len);

    (void)arg;
    if (code == 0) {
        trailers = flatend_context_trailers(ctx, &n);
        code = flatend_context_set_header(ctx, "x-by", long_text);
        for (size_t i = 0; code == 0 && i < n; i++) {
            code = flatend_context_add_trailer(ctx, trailers[i].name, trailers[i].value);
        }
    }
    if (code == 0) {
        code = flatend_context_write(ctx, body, len);
    }
    if (code != 0) {
        (void)flatend_context_fail(ctx, 500, "out of memory");
    }
}

/* A request in two pieces with trailers; 0 if all of it came back. */
static int call(struct flatend_node *node, const char *service, struct flatend_context *parent)
{
    const struct flatend_header header = {.name = "x-more", .value = long_text, .value_len = 20000};
    struct flatend_request request = {
        .services = &service,
        .n_services = 1,
        .headers = &header,
        .n_headers = 1,
        .timeout_ms = TIMEOUT_MS,
        .parent = parent,
    };
    struct flatend_stream *stream;
    const char *answer;
    size_t len = 0;
    size_t n = 0;
    int status = 0;
    int code = flatend_push(node, &request, &stream, NULL);

    if (code != 0) {
        assert_null(stream);
        return code;
    }
    code = flatend_stream_write(stream, "ab", 2);
    if (code == 0) {
        code = flatend_stream_add_trailer(stream, "x-sum", long_text);
    }
    if (code == 0) {
        code = flatend_stream_finish(stream);
    }
    if (code == 0) {
        code = flatend_stream_response(stream, &status, NULL, NULL);
    }
    if (code == 0) {
        code = flatend_stream_read_all(stream, 65536, &answer, &len);
    }
    (void)flatend_stream_trailers(stream, &n);
    if (code == 0 && status == 200) {
        /* No answer is cut, and none loses its trailers, without a word. */
        assert_int_equal(len, 2);
        assert_int_equal(n, 1);
    }
    flatend_stream_close(stream);
    return code != 0 ? code : status == 200 ? 0 : FLATEND_ERESET;
}

/* Answers as `added` in the far node does. */
static void relay(struct flatend_context *ctx, void *arg)
{
    struct scenario *scenario = arg;

    if (call(scenario->near, "added", ctx) != 0) {
        (void)flatend_context_fail(ctx, 500, "it is not there");
        return;
    }
    echo(ctx, NULL);
}

static struct flatend_node *start(const struct flatend_service *services, size_t n,
                                  const char *peer, char addr[64])
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_secret_key key;
    const char *bind_addr = "127.0.0.1:0";
    struct flatend_node *node;

    assert_int_equal(flatend_secret_key_generate(&key), 0);
    options.secret_key = &key;
    options.bind_addrs = &bind_addr;
    options.n_bind_addrs = 1;
    options.services = services;
    options.n_services = n;
    options.reconnect_attempts = -1;
    assert_int_equal(flatend_node_new(&options, &node, NULL), 0);
    assert_int_equal(flatend_node_start(node, &peer, peer != NULL, NULL), 0);
    assert_int_equal(flatend_node_listen_addr(node, 0, addr, 64), 0);
    return node;
}

static void set_up(struct scenario *scenario)
{
    const struct flatend_service services[] = {
        {.name = "relay", .handler = relay, .arg = scenario},
        {.name = "sync", .handler = echo, .flags = FLATEND_SERVICE_INLINE},
    };
    char unused[64];

    scenario->far = start(NULL, 0, NULL, scenario->far_addr);
    scenario->near = start(services, 2, scenario->far_addr, scenario->near_addr);
    scenario->client = start(NULL, 0, scenario->near_addr, unused);
}

static void tear_down(struct scenario *scenario)
{
    flatend_node_free(scenario->client);
    flatend_node_free(scenario->near);
    flatend_node_free(scenario->far);
}

/* What fails first; the rest is done all the same. */
static int run(struct scenario *scenario)
{
    const struct flatend_service added = {.name = "added", .handler = echo};
    const struct flatend_service more = {
        .name = "more", .handler = echo, .flags = FLATEND_SERVICE_INLINE};
    int add = flatend_node_add_service(scenario->far, &added);
    int add_more = flatend_node_add_service(scenario->far, &more);
    int sync = call(scenario->far, "sync", NULL); /* comes behind what the far node offers */
    int relayed = call(scenario->client, "relay", NULL);
    int remove = flatend_node_remove_service(scenario->far, "added");

    /* The node has all of a service or nothing of it. */
    assert_true(add == 0 || add == FLATEND_ENOMEM);
    assert_true(add_more == 0 || add_more == FLATEND_ENOMEM);
    assert_true(remove == (add == 0 ? 0 : FLATEND_ENOENT) || remove == FLATEND_ENOMEM);
    return add != 0        ? add
           : add_more != 0 ? add_more
           : sync != 0     ? sync
           : relayed != 0  ? relayed
                           : remove;
}

static void test_each_allocation_fails(void **state)
{
    size_t n_failed = 0;
    bool failed = true;

    (void)state;
    for (size_t nth = 1; failed; nth++) {
        struct scenario scenario;
        int code;

        set_up(&scenario);
        assert_true(fe_fault_arm(nth));
        code = run(&scenario);
        failed = fe_fault_disarm();
        if (!failed) {
            assert_int_equal(code, 0);
        }
        n_failed += code != 0;
        tear_down(&scenario);
    }
    assert_true(n_failed > 20); /* it did get somewhere */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation_fails),
    };

    memset(long_text, 'x', sizeof(long_text) - 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
