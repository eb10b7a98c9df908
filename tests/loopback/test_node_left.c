/* What applications leave undone: requests that nobody answers, calls that nobody reads, writers
 * that do not look at what they are told, handlers that go on when all was said. The node ends all
 * the same, on a thread of its own or on the application's loop; whoever comes late is told why;
 * and nothing is left (ASan). */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include <cmocka.h>

#include "support/counting.h"
#include "support/nodes.h"

enum { BODY = 1 << 20, PIECE = 10000, N_WRITES = 1000, PATIENCE_MS = 20000, N_TURNS = 100000 };

static char request_tag;
static char call_tag;
static uint8_t body[BODY];

/* A node that calls itself. */
struct place {
    bool is_on_loop;
    uv_loop_t loop;
    struct flatend_queue *queue;
    struct flatend_node *node;
};

static void place_open(struct place *place, bool is_on_loop)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_service service = {
        .name = "it", .arg = &request_tag, .flags = FLATEND_SERVICE_STREAMING};

    place->is_on_loop = is_on_loop;
    assert_int_equal(flatend_queue_new(&place->queue), 0);
    service.queue = place->queue;
    options.services = &service;
    options.n_services = 1;
    options.shutdown_timeout_ms = 0;
    if (is_on_loop) {
        assert_int_equal(uv_loop_init(&place->loop), 0);
        options.loop = &place->loop;
    }
    assert_int_equal(flatend_node_new(&options, &place->node, NULL), 0);
    assert_int_equal(flatend_node_start(place->node, NULL, 0, NULL), 0);
}

/* The next event of this type; others are not looked at. */
static struct flatend_event wait_for(struct place *place, int type)
{
    struct flatend_event event = {0};

    for (int i = 0; i < N_TURNS && event.type != type; i++) {
        if (place->is_on_loop) {
            uv_run(&place->loop, UV_RUN_NOWAIT);
            (void)!flatend_queue_take(place->queue, &event, 1, 0);
        } else {
            assert_int_equal(flatend_queue_take(place->queue, &event, 1, PATIENCE_MS), 1);
        }
    }
    assert_int_equal(event.type, type);
    return event;
}

/* The node ends, and with it all that it has. */
static void shut_down(struct place *place)
{
    assert_int_equal(flatend_node_shutdown(place->node), 0);
    if (place->is_on_loop) {
        assert_int_equal(uv_run(&place->loop, UV_RUN_DEFAULT), 0);
        assert_int_equal(uv_loop_close(&place->loop), 0);
    }
}

static struct flatend_stream *call(struct place *place)
{
    static const char *const names[] = {"it"};
    const struct flatend_request request = {.services = names,
                                            .n_services = 1,
                                            .body = body,
                                            .body_len = BODY,
                                            .queue = place->queue,
                                            .arg = &call_tag};
    struct flatend_stream *stream;

    assert_int_equal(flatend_push(place->node, &request, &stream, NULL), 0);
    return stream;
}

/* Writes on, whatever it is told. Returns how much was taken. */
static size_t write_blindly(struct flatend_context *ctx)
{
    size_t n = 0;
    size_t n_refused = 0;

    for (int i = 0; i < N_WRITES; i++) {
        const int code = flatend_context_write(ctx, body + n % 251, PIECE);

        assert_true(code == 0 || code == FLATEND_EAGAIN);
        n += code == 0 ? PIECE : 0;
        n_refused += code != 0;
    }
    assert_true(n_refused > 0);
    return n;
}

/* ---- a node that ends ----------------------------------------------------------------------- */

enum { ON_LOOP = 1, QUEUE_FIRST = 2, IS_FINISHED = 4, N_ENDINGS = 8 };

static void leave_all(unsigned how)
{
    struct place place;
    struct flatend_stream *stream;
    struct flatend_stream *late;
    struct flatend_context *ctx;
    char byte;
    ssize_t n;

    place_open(&place, (how & ON_LOOP) != 0);
    stream = call(&place);
    ctx = wait_for(&place, FLATEND_EVENT_REQUEST).context;
    (void)write_blindly(ctx);
    (void)wait_for(&place, FLATEND_EVENT_RESPONSE);
    late = call(&place); /* it may not even begin */
    if ((how & QUEUE_FIRST) != 0) {
        flatend_queue_free(place.queue);
    }
    shut_down(&place);
    assert_true(flatend_context_is_canceled(ctx));
    assert_int_equal(flatend_context_write(ctx, "x", 1), FLATEND_ECANCELED);
    if ((how & IS_FINISHED) != 0) {
        assert_int_equal(flatend_context_finish(ctx), FLATEND_ECANCELED);
    }
    assert_int_equal(flatend_node_free(place.node), 0);
    do {
        n = flatend_stream_read(stream, &byte, 1);
    } while (n > 0);
    assert_int_equal(n, FLATEND_ECANCELED);
    assert_int_equal(flatend_stream_response(stream, NULL, NULL, NULL), 0);
    n = flatend_stream_response(late, NULL, NULL, NULL);
    assert_true(n == FLATEND_ECANCELED || n == FLATEND_EUNHANDLED); /* the node took no more */
    assert_int_equal(flatend_stream_write(late, "x", 1), FLATEND_ESTATE); /* it was whole */
    flatend_stream_close(late);
    flatend_stream_close(stream);
    if ((how & QUEUE_FIRST) == 0) {
        flatend_queue_free(place.queue);
    }
}

static void what_is_left_ends_with_the_node(void **state)
{
    (void)state;
    for (unsigned how = 0; how < N_ENDINGS; how++) {
        leave_all(how);
    }
}

/* What was taken of it arrives, and no more. */
static void what_was_refused_is_not_sent(void **state)
{
    struct place place;
    struct flatend_stream *stream;
    struct flatend_context *ctx;
    static char bytes[PIECE];
    size_t n_taken;
    size_t n_read = 0;
    ssize_t n;

    (void)state;
    place_open(&place, false);
    stream = call(&place);
    ctx = wait_for(&place, FLATEND_EVENT_REQUEST).context;
    n_taken = write_blindly(ctx);
    assert_int_equal(flatend_context_finish(ctx), 0);
    while ((n = flatend_stream_read(stream, bytes, sizeof(bytes))) != 0) {
        if (n == FLATEND_EAGAIN) {
            (void)wait_for(&place, FLATEND_EVENT_READABLE);
            continue;
        }
        assert_true(n > 0);
        assert_true(counting_continues(fe_view_of(bytes, (size_t)n), n_read));
        n_read += (size_t)n;
    }
    assert_int_equal(n_read, n_taken);
    flatend_stream_close(stream);
    shut_down(&place);
    assert_int_equal(flatend_node_free(place.node), 0);
    flatend_queue_free(place.queue);
}

/* ---- handlers that go on when all was said --------------------------------------------------- */

static int n_bad;

static void go_on(struct flatend_context *ctx)
{
    n_bad += flatend_context_json(ctx, 200, "{}", 2) != FLATEND_ESTATE;
    n_bad += flatend_context_problem(ctx, 500, "too late") != FLATEND_ESTATE;
    n_bad += flatend_context_fail(ctx, 500, "too late") != FLATEND_ESTATE;
    n_bad += flatend_context_write(ctx, "more", 4) != FLATEND_ESTATE;
    n_bad += flatend_context_printf(ctx, "%s", "more") != FLATEND_ESTATE;
    n_bad += flatend_context_write_buffer(ctx, "more", 4, NULL, NULL) != FLATEND_ESTATE;
    n_bad += flatend_context_set_status(ctx, 404) != FLATEND_ESTATE;
    n_bad += flatend_context_set_header(ctx, "a", "b") != FLATEND_ESTATE;
    n_bad += flatend_context_keep(ctx, NULL, NULL) != FLATEND_ESTATE;
    n_bad += flatend_context_finish(ctx) != FLATEND_ESTATE;
}

static void answer_twice(struct flatend_context *ctx, void *arg)
{
    (void)arg;
    n_bad += flatend_context_json(ctx, 201, "{\"n\":1}", 7) != 0;
    go_on(ctx);
}

static void complain_twice(struct flatend_context *ctx, void *arg)
{
    (void)arg;
    n_bad += flatend_context_problem(ctx, 409, "once") != 0;
    go_on(ctx);
}

/* After the first write: the requester sees a failure. */
static void fail_in_the_middle(struct flatend_context *ctx, void *arg)
{
    (void)arg;
    n_bad += flatend_context_write(ctx, "half", 4) != 0;
    n_bad += flatend_context_fail(ctx, 500, "it cannot be whole") != 0;
    go_on(ctx);
}

static void expect(struct flatend_node *node, const char *service, int status, const char *text)
{
    struct nodes_answer answer;

    assert_int_equal(nodes_call(node, service, "x", 1, &answer), 0);
    assert_int_equal(answer.status, status);
    assert_string_equal(answer.text, text);
    flatend_stream_close(answer.stream);
}

static void the_first_answer_counts(void **state)
{
    const struct flatend_service services[] = {
        {.name = "answer", .handler = answer_twice},
        {.name = "answer_inline", .handler = answer_twice, .flags = FLATEND_SERVICE_INLINE},
        {.name = "complain", .handler = complain_twice},
        {.name = "complain_inline", .handler = complain_twice, .flags = FLATEND_SERVICE_INLINE},
        {.name = "fail", .handler = fail_in_the_middle},
        {.name = "fail_inline", .handler = fail_in_the_middle, .flags = FLATEND_SERVICE_INLINE},
    };
    static const char problem[] = "{\"title\":\"Conflict\",\"status\":409,\"detail\":\"once\"}\n";
    char addr[64];
    struct flatend_node *node = nodes_listen(services, 6, addr);
    struct nodes_answer answer;

    (void)state;
    n_bad = 0;
    expect(node, "answer", 201, "{\"n\":1}");
    expect(node, "answer_inline", 201, "{\"n\":1}");
    expect(node, "complain", 409, problem);
    expect(node, "complain_inline", 409, problem);
    assert_int_equal(nodes_call(node, "fail", "x", 1, &answer), FLATEND_ERESET);
    flatend_stream_close(answer.stream);
    assert_int_equal(nodes_call(node, "fail_inline", "x", 1, &answer), FLATEND_ERESET);
    flatend_stream_close(answer.stream);
    assert_int_equal(n_bad, 0);
    assert_int_equal(flatend_node_free(node), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_ends_with_the_node),
        cmocka_unit_test(what_was_refused_is_not_sent),
        cmocka_unit_test(the_first_answer_counts),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    counting_fill(body, BODY, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
