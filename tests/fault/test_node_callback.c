/* Queues with a callback; each allocation fails in turn. Whatever fails, a call comes to an end
 * that is told, nothing is left, and a queue that no node has got is free for another one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/fault.h"
#include "support/latch.h"
#include "support/nodes.h"

struct world {
    struct flatend_queue *queue;
    struct latch over;
    int code; /* of the call */
};

static char request_tag;

static void answer(const struct flatend_event *event)
{
    const char *data;
    size_t len;
    int code;

    if (event->type != FLATEND_EVENT_REQUEST) {
        return; /* it was finished before */
    }
    code = flatend_context_read_all(event->context, 100, &data, &len);
    if (code == 0) {
        code = flatend_context_write(event->context, data, len);
    }
    if (code == 0) {
        code = flatend_context_finish(event->context);
        assert_true(code == 0 || code == FLATEND_ENOMEM || code == FLATEND_ERESET);
    } else {
        (void)flatend_context_fail(event->context, 500, "%s", flatend_strerror(code));
    }
}

static void on_event(void *arg, const struct flatend_event *event)
{
    struct world *world = arg;

    if (event->arg == &request_tag) {
        answer(event);
        return;
    }
    if (event->type == FLATEND_EVENT_END || event->type == FLATEND_EVENT_FAILED) {
        world->code = event->code;
        latch_count(&world->over);
    }
}

static int call_itself(struct world *world, struct flatend_node *node)
{
    const char *name = "it";
    const struct flatend_request request = {.services = &name,
                                            .n_services = 1,
                                            .body = "ping",
                                            .body_len = 4,
                                            .queue = world->queue,
                                            .arg = world};
    const int n_over = world->over.n;
    struct flatend_stream *stream;
    int code = flatend_push(node, &request, &stream, NULL);

    if (code != 0) {
        return code;
    }
    latch_wait(&world->over, n_over + 1);
    code = world->code;
    flatend_stream_close(stream);
    return code;
}

static void each_allocation_of_a_call_fails(void **state)
{
    bool failed = true;

    (void)state;
    for (size_t nth = 1; failed; nth++) {
        struct flatend_service service = {.name = "it", .arg = &request_tag};
        struct world world = {.code = 0};
        struct flatend_node *node;
        char addr[64];
        int code;

        latch_init(&world.over);
        assert_int_equal(flatend_queue_new_callback(on_event, &world, &world.queue), 0);
        service.queue = world.queue;
        node = nodes_listen(&service, 1, addr);
        assert_true(fe_fault_arm(nth));
        code = call_itself(&world, node);
        failed = fe_fault_disarm();
        assert_true(failed || code == 0);
        assert_int_equal(call_itself(&world, node), 0); /* and the next one goes well */
        flatend_node_free(node);
        flatend_queue_free(world.queue);
        latch_deinit(&world.over);
    }
}

static int make(struct flatend_queue **queue, struct flatend_node **node)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_service service = {.name = "it"};
    int code = flatend_queue_new_callback(on_event, NULL, queue);

    *node = NULL;
    if (code != 0) {
        return code;
    }
    service.queue = *queue;
    options.services = &service;
    options.n_services = 1;
    return flatend_node_new(&options, node, NULL);
}

static void each_allocation_of_making_fails(void **state)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_node *other;
    bool failed = true;

    (void)state;
    assert_int_equal(flatend_node_new(&options, &other, NULL), 0);
    for (size_t nth = 1; failed; nth++) {
        struct flatend_queue *queue;
        struct flatend_node *node;
        int code;

        assert_true(fe_fault_arm(nth));
        code = make(&queue, &node);
        failed = fe_fault_disarm();
        assert_int_equal(code, failed ? FLATEND_ENOMEM : 0);
        assert_true((node == NULL) == failed);
        if (queue != NULL) {
            assert_int_equal(flatend_node_watch(other, queue, NULL), failed ? 0 : FLATEND_EINVAL);
        }
        flatend_node_watch(other, NULL, NULL);
        flatend_node_free(node);
        flatend_queue_free(queue);
    }
    flatend_node_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_of_a_call_fails),
        cmocka_unit_test(each_allocation_of_making_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
