/* Nodes without a key: what they can call, what can call them, and what is said where neither can.
 * And a program in one function. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/nodes.h"

enum { PATIENCE_MS = 20000 };

static void expect_hello(struct flatend_node *node, const char *service)
{
    struct nodes_answer answer;

    assert_int_equal(nodes_call(node, service, NULL, 0, &answer), 0);
    assert_string_equal(answer.text, "Hello world!");
    flatend_stream_close(answer.stream);
}

static void expect_none(struct flatend_node *node, const char *service, const char *why)
{
    const struct flatend_request request = {.services = &service, .n_services = 1};
    struct flatend_response *response;
    struct flatend_error error;

    assert_int_equal(flatend_call(node, &request, 100, &response, &error), FLATEND_ENOPROVIDER);
    assert_string_equal(error.text, why);
}

static void await_peers(struct flatend_queue *queue, int n)
{
    struct flatend_event event;

    for (int i = 0; i < n; i++) {
        assert_int_equal(flatend_queue_take(queue, &event, 1, PATIENCE_MS), 1);
        assert_int_equal(event.type, FLATEND_EVENT_PEER_UP);
    }
}

static void a_node_without_a_key_calls_and_is_called(void **state)
{
    const struct flatend_service near_service = {.name = "near", .handler = nodes_hello};
    const struct flatend_service far_service = {.name = "far", .handler = nodes_hello};
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_queue *queue;
    char addr[64];
    struct flatend_node *named;
    struct flatend_node *provider;
    struct flatend_node *other;

    (void)state;
    assert_int_equal(flatend_queue_new(&queue), 0);
    options.services = &near_service;
    options.n_services = 1;
    named = nodes_listen_with(&options, "127.0.0.1:0", addr);
    flatend_node_watch(named, queue, NULL);
    provider = nodes_join(&far_service, 1, addr);
    other = nodes_join(NULL, 0, addr);
    await_peers(queue, 2);
    expect_hello(provider, "near");
    expect_hello(named, "far");
    expect_hello(other, "near");
    /* Neither of two without a key can dial the other one. */
    expect_none(other, "far",
                "service 'far': no provider for the service among its peers (one without a key is "
                "out of reach: this node has none either)");
    expect_none(named, "none",
                "service 'none': no provider for the service among its peers (one without a key "
                "has to dial this node)");
    flatend_node_free(other);
    flatend_node_free(provider);
    flatend_node_free(named);
    flatend_queue_free(queue);
}

static void an_address_without_a_key_is_said(void **state)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    const char *bind_addr = "127.0.0.1:9";
    struct journal journal;
    struct flatend_node *node;
    char buf[64];

    (void)state;
    journal_init(&journal);
    options.log = journal_log;
    options.log_arg = &journal;
    assert_int_equal(flatend_node_new(&options, &node, NULL), 0);
    assert_int_equal(journal.len, 0);
    flatend_node_free(node);
    options.bind_addrs = &bind_addr;
    options.n_bind_addrs = 1;
    assert_int_equal(flatend_node_new(&options, &node, NULL), 0);
    assert_string_equal(journal.text, "This node has no secret key: it listens nowhere, not on "
                                      "'127.0.0.1:9' either.\n");
    assert_int_equal(flatend_node_start(node, NULL, 0, NULL), 0);
    assert_int_equal(flatend_node_listen_addr(node, 0, buf, sizeof(buf)), FLATEND_ENOENT);
    flatend_node_free(node);
    journal_deinit(&journal);
}

static void a_program_that_cannot_serve_says_why(void **state)
{
    static char many[1024];

    (void)state;
    for (size_t i = 0; i + 2 < sizeof(many); i += 2) {
        memcpy(many + i, "a,", 2);
    }
    assert_int_equal(setenv("FLATEND_ADDRS", many, 1), 0);
    assert_int_equal(flatend_serve("it", nodes_hello), FLATEND_EINVAL);
    assert_int_equal(setenv("FLATEND_ADDRS", " 127.0.0.1:0x ,", 1), 0);
    assert_int_equal(flatend_serve("it", nodes_hello), FLATEND_EADDR);
    assert_int_equal(flatend_serve("", nodes_hello), FLATEND_EINVAL);
    assert_int_equal(flatend_serve("it", NULL), FLATEND_EINVAL);
    assert_int_equal(setenv("FLATEND_ADDRS", " , ", 1), 0);
    assert_int_equal(flatend_serve("hello", nodes_hello), FLATEND_EADDR);
    unsetenv("FLATEND_ADDRS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_without_a_key_calls_and_is_called),
        cmocka_unit_test(an_address_without_a_key_is_said),
        cmocka_unit_test(a_program_that_cannot_serve_says_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
