/* A node that calls itself: a request that is kept, on whose behalf a call is made to another
 * service of the same node; both have heads that go in pieces, and bodies of more than a block.
 * Each allocation fails in turn. Whatever fails, every request and every call comes to an end that
 * is told, and nothing is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/fault.h"
#include "support/nodes.h"

enum { PATIENCE_MS = 20000, BODY = 40000, LONG = 20000, LIMIT = 1 << 20 };

static char long_text[LONG + 1]; /* more than a record takes */
static char body[BODY];

struct relay {
    struct flatend_node *node;
    struct flatend_queue *queue;
    struct flatend_stream *call;  /* of the test; NULL: over */
    struct flatend_context *ctx;  /* that it has; NULL: finished */
    struct flatend_stream *inner; /* on behalf of which; NULL: over, or not begun */
    int code;                     /* how the call has ended */
};

/* What the events are of. */
static char call_tag;
static char outer_tag;
static char inner_tag;
static char answer_tag;

static int push(struct relay *relay, const char *service, struct flatend_context *parent, void *arg,
                struct flatend_stream **stream)
{
    const struct flatend_header header = {.name = "x-long", .value = long_text, .value_len = LONG};
    const struct flatend_request request = {.services = &service,
                                            .n_services = 1,
                                            .headers = &header,
                                            .n_headers = 1,
                                            .body = body,
                                            .body_len = BODY,
                                            .timeout_ms = PATIENCE_MS,
                                            .parent = parent,
                                            .queue = relay->queue,
                                            .arg = arg};

    return flatend_push(relay->node, &request, stream, NULL);
}

/* Answers with these bytes, and a head in pieces; the request is gone then. */
static void answer(struct flatend_context *ctx, int code, const char *data, size_t len)
{
    if (code == 0) {
        code = flatend_context_set_header(ctx, "x-long", long_text);
    }
    if (code == 0) {
        code = flatend_context_write(ctx, data, len);
    }
    if (code == 0) {
        (void)flatend_context_finish(ctx);
    } else {
        (void)flatend_context_fail(ctx, 500, "%s", flatend_strerror(code));
    }
}

/* The inner service: what has come goes back. */
static void on_inner(const struct flatend_event *event)
{
    const char *data = NULL;
    size_t len = 0;

    if (event->type == FLATEND_EVENT_REQUEST) {
        const int code = flatend_context_read_all(event->context, LIMIT, &data, &len);

        answer(event->context, code, data, len);
    }
}

/* The outer one asks the inner one. */
static void on_outer(struct relay *relay, const struct flatend_event *event)
{
    int code;

    if (event->type != FLATEND_EVENT_REQUEST) {
        return; /* canceled: so is what is called on its behalf, which is told */
    }
    code = push(relay, "inner", event->context, &answer_tag, &relay->inner);
    if (code == 0) {
        relay->ctx = event->context;
    } else {
        answer(event->context, code, NULL, 0);
    }
}

/* Either it is what was asked for, all of it, or a code. */
static int read_whole(struct flatend_stream *call, const char **data, size_t *len)
{
    const struct flatend_header *headers;
    size_t n_headers;
    int status;
    int code = flatend_stream_response(call, &status, &headers, &n_headers);

    if (code == 0) {
        code = flatend_stream_read_all(call, LIMIT, data, len);
    }
    assert_int_not_equal(code, FLATEND_EAGAIN); /* behind the end there is nothing to wait for */
    if (code == 0 && status == 500) {
        return FLATEND_ENOMEM; /* as it was told */
    }
    if (code == 0) {
        assert_int_equal(*len, BODY);
        assert_memory_equal(*data, body, BODY);
        assert_int_equal(n_headers, 1);
        assert_int_equal(headers[0].value_len, LONG);
    }
    return code;
}

static void on_answer(struct relay *relay, const struct flatend_event *event)
{
    const char *data = NULL;
    size_t len = 0;
    int code = event->code;

    if (event->type != FLATEND_EVENT_END && event->type != FLATEND_EVENT_FAILED) {
        return;
    }
    assert_non_null(relay->inner);
    if (event->type == FLATEND_EVENT_END) {
        code = read_whole(relay->inner, &data, &len);
    }
    answer(relay->ctx, code, data, len);
    flatend_stream_close(relay->inner);
    relay->ctx = NULL;
    relay->inner = NULL;
}

static void on_call(struct relay *relay, const struct flatend_event *event)
{
    const char *data;
    size_t len;

    if (event->type == FLATEND_EVENT_END) {
        relay->code = read_whole(relay->call, &data, &len);
    } else if (event->type == FLATEND_EVENT_FAILED) {
        relay->code = event->code;
    } else {
        return;
    }
    flatend_stream_close(relay->call);
    relay->call = NULL;
}

/* Returns how the call has ended, once all has. */
static int run(struct relay *relay)
{
    struct flatend_event event;
    int code = push(relay, "outer", NULL, &call_tag, &relay->call);

    if (code != 0) {
        return code;
    }
    while (relay->call != NULL || relay->ctx != NULL) {
        assert_int_equal(flatend_queue_take(relay->queue, &event, 1, PATIENCE_MS), 1);
        if (event.arg == &call_tag) {
            on_call(relay, &event);
        } else if (event.arg == &outer_tag) {
            on_outer(relay, &event);
        } else if (event.arg == &inner_tag) {
            on_inner(&event);
        } else {
            on_answer(relay, &event);
        }
    }
    return relay->code;
}

/* A node that ends has nothing left to wait for. */
static void expect_no_wait(void *arg, enum flatend_log_level level, const char *line)
{
    (void)arg;
    (void)level;
    assert_null(strstr(line, "Shutdown timeout"));
}

static void open_relay(struct relay *relay)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    char addr[64];

    assert_int_equal(flatend_queue_new(&relay->queue), 0);
    {
        const struct flatend_service services[] = {
            {.name = "outer", .queue = relay->queue, .arg = &outer_tag},
            {.name = "inner", .queue = relay->queue, .arg = &inner_tag},
        };

        options.services = services;
        options.n_services = 2;
        options.log = expect_no_wait;
        relay->node = nodes_listen_with(&options, "127.0.0.1:0", addr);
    }
}

static void each_allocation_fails(void **state)
{
    size_t n_failed = 0;
    bool failed = true;

    (void)state;
    memset(long_text, 'x', LONG);
    memset(body, 'y', BODY);
    for (size_t nth = 1; failed; nth++) {
        struct relay relay = {0};
        int code;

        open_relay(&relay);
        assert_true(fe_fault_arm(nth));
        code = run(&relay);
        failed = fe_fault_disarm();
        n_failed += code != 0;
        assert_true(failed || code == 0);
        assert_int_equal(run(&relay), 0); /* and the next one goes well */
        assert_int_equal(flatend_node_free(relay.node), 0);
        flatend_queue_free(relay.queue);
    }
    assert_true(n_failed > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
