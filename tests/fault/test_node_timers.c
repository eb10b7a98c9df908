/* Timers and the events of a node; each allocation fails in turn. Whatever fails, nothing is left,
 * and no peer comes or goes without a word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/fault.h"
#include "support/latch.h"
#include "support/nodes.h"

enum { PATIENCE_MS = 20000 };

static void count(void *arg)
{
    latch_count(arg);
}

/* 0, or what failed. */
static int run_timers(struct flatend_node *node, struct flatend_queue *queue, struct latch *fired)
{
    struct flatend_timer *timer;
    struct flatend_timer *queued;
    struct flatend_event event;
    int code = flatend_timer_start(node, 0, 1, count, fired, &timer);
    int queued_code = flatend_timer_start_queued(node, 0, 0, queue, NULL, &queued);

    assert_true(code == 0 ? timer != NULL : timer == NULL);
    if (code == 0) {
        latch_wait(fired, fired->n + 2);
        flatend_timer_stop(timer);
    }
    if (queued_code == 0) {
        assert_int_equal(flatend_queue_take(queue, &event, 1, PATIENCE_MS), 1);
        assert_int_equal(event.type, FLATEND_EVENT_TIMER);
        flatend_timer_stop(queued);
    }
    return code != 0 ? code : queued_code;
}

static void each_allocation_of_timers_fails(void **state)
{
    bool failed = true;

    (void)state;
    for (size_t nth = 1; failed; nth++) {
        struct flatend_queue *queue;
        struct latch fired;
        char addr[64];
        struct flatend_node *node = nodes_listen(NULL, 0, addr);
        int code;

        latch_init(&fired);
        assert_int_equal(flatend_queue_new(&queue), 0);
        assert_true(fe_fault_arm(nth));
        code = run_timers(node, queue, &fired);
        failed = fe_fault_disarm();
        assert_int_equal(code, failed ? FLATEND_ENOMEM : 0);
        flatend_node_free(node);
        flatend_queue_free(queue);
        latch_deinit(&fired);
    }
}

/* A peer comes and goes: both are told, or that something was lost is. */
static void each_allocation_of_events_fails(void **state)
{
    bool failed = true;

    (void)state;
    for (size_t nth = 1; failed; nth++) {
        struct flatend_options options = FLATEND_OPTIONS_INIT;
        struct flatend_event events[8];
        struct flatend_queue *queue;
        struct flatend_node *client;
        struct flatend_node *node;
        char addr[64];
        const char *addrs[] = {addr};
        unsigned told = 0;
        ssize_t n;
        int code;

        assert_int_equal(flatend_queue_new(&queue), 0);
        node = nodes_listen_with(&options, "127.0.0.1:0", addr);
        flatend_node_watch(node, queue, NULL);
        options = (struct flatend_options)FLATEND_OPTIONS_INIT;
        options.reconnect_attempts = -1;
        assert_int_equal(flatend_node_new(&options, &client, NULL), 0);
        assert_true(fe_fault_arm(nth));
        code = flatend_node_start(client, addrs, 1, NULL);
        flatend_node_shutdown(client);
        flatend_node_shutdown(node);
        failed = fe_fault_disarm();
        n = flatend_queue_take(queue, events, 8, 0);
        for (ssize_t i = 0; i < n; i++) {
            told |= 1U << events[i].type;
        }
        assert_int_equal(events[n - 1].type, FLATEND_EVENT_CLOSED);
        if (code == 0 && (told & 1U << FLATEND_EVENT_PEERS_LOST) == 0) {
            assert_true((told & 1U << FLATEND_EVENT_PEER_UP) != 0 || failed);
            assert_int_equal((told & 1U << FLATEND_EVENT_PEER_UP) != 0,
                             (told & 1U << FLATEND_EVENT_PEER_DOWN) != 0);
        }
        flatend_node_free(client);
        flatend_node_free(node);
        flatend_queue_free(queue);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_of_timers_fails),
        cmocka_unit_test(each_allocation_of_events_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
