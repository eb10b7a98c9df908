/* What a node tells of itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/nodes.h"

enum { PATIENCE_MS = 20000 };

static char tag;

static struct flatend_event next(struct flatend_queue *queue)
{
    struct flatend_event event;

    assert_int_equal(flatend_queue_take(queue, &event, 1, PATIENCE_MS), 1);
    assert_ptr_equal(event.arg, &tag);
    return event;
}

static struct flatend_event expect(struct flatend_queue *queue, int type)
{
    const struct flatend_event event = next(queue);

    assert_int_equal(event.type, type);
    return event;
}

/* A node that is watched from the beginning; not started yet. */
static struct flatend_node *watched(struct flatend_options *options, struct flatend_queue *queue)
{
    struct flatend_node *node;

    assert_int_equal(flatend_node_new(options, &node, NULL), 0);
    flatend_node_watch(node, queue, &tag);
    return node;
}

static void the_life_of_a_node_in_events(void **state)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_queue *queue;
    struct flatend_event event;
    uint64_t handle;
    char text[64];
    char addr[64];
    const char *addrs[] = {addr};
    struct flatend_node *peer = nodes_listen(NULL, 0, addr);
    struct flatend_node *node;

    (void)state;
    assert_int_equal(flatend_queue_new(&queue), 0);
    options.reconnect_attempts = 1;
    options.reconnect_backoff_min_ms = 1;
    options.reconnect_backoff_max_ms = 1;
    node = watched(&options, queue);
    assert_int_equal(flatend_node_start(node, addrs, 1, NULL), 0);
    event = expect(queue, FLATEND_EVENT_PEER_UP);
    assert_ptr_equal(event.node, node);
    assert_false(event.peer.id.is_anonymous);
    assert_true(event.peer.id.is_proven);
    snprintf(text, sizeof(text), "%s:%u", event.peer.id.host, event.peer.id.port);
    assert_string_equal(text, addr);
    handle = event.peer.handle;
    assert_int_not_equal(handle, 0);
    event = expect(queue, FLATEND_EVENT_STARTED);
    assert_int_equal(event.code, 0);
    assert_int_equal(event.peer.handle, 0);
    flatend_node_free(peer);
    event = expect(queue, FLATEND_EVENT_PEER_DOWN);
    assert_int_equal(event.peer.handle, handle);
    event = expect(queue, FLATEND_EVENT_PEER_GIVEN_UP);
    assert_int_equal(event.peer.handle, 0);
    assert_true(event.peer.id.is_proven);
    snprintf(text, sizeof(text), "%s:%u", event.peer.id.host, event.peer.id.port);
    assert_string_equal(text, addr);
    flatend_node_shutdown(node);
    expect(queue, FLATEND_EVENT_DRAINED);
    expect(queue, FLATEND_EVENT_CLOSED);
    assert_int_equal(flatend_queue_take(queue, &event, 1, 0), 0);
    flatend_node_free(node);
    flatend_queue_free(queue);
}

static void a_peer_that_comes_is_told_too(void **state)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_queue *queue;
    struct flatend_event event;
    char addr[64];
    struct flatend_node *node = nodes_listen_with(&options, "127.0.0.1:0", addr);
    struct flatend_node *one;
    struct flatend_node *other;

    (void)state;
    assert_int_equal(flatend_queue_new(&queue), 0);
    flatend_node_watch(node, queue, &tag);
    one = nodes_join(NULL, 0, addr);
    event = expect(queue, FLATEND_EVENT_PEER_UP);
    assert_true(event.peer.id.is_anonymous);
    assert_string_equal(event.peer.id.host, "");
    other = nodes_join(NULL, 0, addr);
    assert_int_not_equal(expect(queue, FLATEND_EVENT_PEER_UP).peer.handle, event.peer.handle);
    flatend_node_free(one);
    assert_int_equal(expect(queue, FLATEND_EVENT_PEER_DOWN).peer.handle, event.peer.handle);
    /* Nobody is told from here on; not of what waits, either. */
    flatend_node_free(other);
    flatend_node_watch(node, NULL, NULL);
    assert_int_equal(flatend_queue_take(queue, &event, 1, 0), 0);
    flatend_node_free(node);
    flatend_queue_free(queue);
}

static void a_start_that_fails_is_told_and_what_was_not_there(void **state)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_queue *queue;
    struct flatend_event event;
    char addr[64];
    const char *addrs[] = {addr};
    struct flatend_node *node;

    (void)state;
    flatend_node_free(nodes_listen(NULL, 0, addr)); /* nothing is there any more */
    assert_int_equal(flatend_queue_new(&queue), 0);
    options.reconnect_attempts = -1;
    node = watched(&options, queue);
    assert_int_equal(flatend_node_start(node, addrs, 1, NULL), FLATEND_EREFUSED);
    event = expect(queue, FLATEND_EVENT_PEER_GIVEN_UP);
    assert_false(event.peer.id.is_proven);
    event = expect(queue, FLATEND_EVENT_STARTED);
    assert_int_equal(event.code, FLATEND_EREFUSED);
    expect(queue, FLATEND_EVENT_DRAINED);
    expect(queue, FLATEND_EVENT_CLOSED);
    flatend_node_free(node);
    flatend_queue_free(queue);
}

static void an_address_that_is_taken_is_told(void **state)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_secret_key key;
    struct flatend_queue *queue;
    char addr[64];
    const char *bind_addr = addr;
    struct flatend_node *peer = nodes_listen(NULL, 0, addr);
    struct flatend_node *node;

    (void)state;
    assert_int_equal(flatend_secret_key_generate(&key), 0);
    assert_int_equal(flatend_queue_new(&queue), 0);
    options.secret_key = &key;
    options.bind_addrs = &bind_addr;
    options.n_bind_addrs = 1;
    node = watched(&options, queue);
    assert_int_equal(flatend_node_start(node, NULL, 0, NULL), FLATEND_EADDRINUSE);
    assert_int_equal(expect(queue, FLATEND_EVENT_STARTED).code, FLATEND_EADDRINUSE);
    flatend_node_free(node);
    flatend_node_free(peer);
    flatend_queue_free(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_life_of_a_node_in_events),
        cmocka_unit_test(a_peer_that_comes_is_told_too),
        cmocka_unit_test(a_start_that_fails_is_told_and_what_was_not_there),
        cmocka_unit_test(an_address_that_is_taken_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
