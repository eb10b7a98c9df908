/* A request that is kept, from the node's own service, and the call that makes it; each allocation
 * fails in turn. Whatever fails, both come to an end that is told, and nothing is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/fault.h"
#include "support/nodes.h"

enum { PATIENCE_MS = 20000 };

static char request_tag;
static char call_tags[2];

/* What there is of the request is answered with it, as far as there is memory. */
static void answer(const struct flatend_event *event)
{
    const char *data;
    size_t len;
    int code;

    if (event->type != FLATEND_EVENT_REQUEST) {
        return; /* it was finished before, or the requester has gone: that is told once more */
    }
    code = flatend_context_read_all(event->context, 100, &data, &len);
    if (code == 0) {
        code = flatend_context_write(event->context, data, len);
    }
    if (code == 0) {
        code = flatend_context_add_trailer(event->context, "x-after", "all");
    }
    if (code == 0) {
        code = flatend_context_finish(event->context);
        assert_true(code == 0 || code == FLATEND_ENOMEM || code == FLATEND_ERESET);
    } else {
        (void)flatend_context_fail(event->context, 500, "%s", flatend_strerror(code));
    }
}

/* Until the call has ended: 0, or how. One that has ended before tells nothing more. */
static int serve_until_over(struct flatend_queue *queue, const char *call_tag)
{
    struct flatend_event event;

    for (;;) {
        assert_int_equal(flatend_queue_take(queue, &event, 1, PATIENCE_MS), 1);
        if (event.arg == &request_tag) {
            answer(&event);
            continue;
        }
        assert_ptr_equal(event.arg, call_tag);
        if (event.type == FLATEND_EVENT_END) {
            return 0;
        }
        if (event.type == FLATEND_EVENT_FAILED) {
            assert_true(event.code < 0);
            return event.code;
        }
    }
}

/* The stream, if there is one, is the caller's. */
static int call_itself(struct flatend_node *node, struct flatend_queue *queue, char *call_tag,
                       struct flatend_stream **stream)
{
    const char *name = "it";
    const struct flatend_request request = {.services = &name,
                                            .n_services = 1,
                                            .body = "ping",
                                            .body_len = 4,
                                            .queue = queue,
                                            .arg = call_tag};
    int code = flatend_push(node, &request, stream, NULL);

    if (code != 0) {
        return code;
    }
    code = serve_until_over(queue, call_tag);
    if (code == 0) {
        const char *data;
        size_t len;

        code = flatend_stream_read_all(*stream, 1000, &data, &len);
    }
    return code;
}

static void each_allocation_fails(void **state)
{
    bool failed = true;

    (void)state;
    for (size_t nth = 1; failed; nth++) {
        struct flatend_stream *streams[2];
        struct flatend_queue *queue;
        struct flatend_node *node;
        char addr[64];
        int code;

        assert_int_equal(flatend_queue_new(&queue), 0);
        {
            const struct flatend_service service = {
                .name = "it", .queue = queue, .arg = &request_tag};

            node = nodes_listen(&service, 1, addr);
        }
        assert_true(fe_fault_arm(nth));
        code = call_itself(node, queue, &call_tags[0], &streams[0]);
        failed = fe_fault_disarm();
        assert_true(failed || code == 0);
        /* And the next one goes well. */
        assert_int_equal(call_itself(node, queue, &call_tags[1], &streams[1]), 0);
        flatend_stream_close(streams[0]);
        flatend_stream_close(streams[1]);
        flatend_node_free(node);
        flatend_queue_free(queue);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
