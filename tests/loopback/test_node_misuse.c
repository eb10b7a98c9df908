/* Every function in every state, from every thread: the code that flatend.h says, and no hang. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/latch.h"
#include "support/misuse.h"
#include "support/nodes.h"

struct world {
    struct flatend_node *node; /* whose functions are called */
    struct flatend_node *peer;
    struct flatend_stream *stream; /* of `node`: nothing comes from it */
    struct latch let;              /* the handler of `stream` go */
    struct latch entered;
    char addr[64];
};

static void report(struct flatend_context *ctx, const char *found)
{
    flatend_context_printf(ctx, "%s", found != NULL ? found : "as documented");
}

static void misuse_in_handler(struct flatend_context *ctx, void *arg)
{
    const struct world *world = arg;

    report(ctx, misuse_node(world->node, MISUSE_HANDLER));
}

static void misuse_in_inline_handler(struct flatend_context *ctx, void *arg)
{
    const struct world *world = arg;

    report(ctx, misuse_node(world->node, MISUSE_INLINE));
}

#define CHECK(holds)                                                                               \
    if (!(holds)) {                                                                                \
        report(ctx, #holds);                                                                       \
        return;                                                                                    \
    }

/* What would wait for this thread. */
static void wait_for_itself(struct flatend_context *ctx, void *arg)
{
    struct flatend_stream *stream = ((struct world *)arg)->stream;
    char buf[10];
    int code = 0;

    CHECK(flatend_stream_response(stream, NULL, NULL, NULL) == FLATEND_ESTATE)
    CHECK(flatend_stream_read(stream, buf, sizeof(buf)) == FLATEND_ESTATE)
    while (code == 0) {
        static const char zeros[65536];

        code = flatend_stream_write(stream, zeros, sizeof(zeros));
    }
    CHECK(code == FLATEND_ESTATE)
    report(ctx, NULL);
}

/* A response in each of its states. */
static void respond(struct flatend_context *ctx, void *arg)
{
    const char *data;
    size_t len;
    char byte;

    (void)arg;
    CHECK(flatend_context_finish(ctx) == FLATEND_ESTATE)
    CHECK(flatend_context_header(ctx, NULL) == NULL)
    CHECK(flatend_context_param(ctx, NULL) == NULL)
    CHECK(flatend_context_query(ctx, NULL) == NULL)
    CHECK(flatend_context_cookie(ctx, NULL) == NULL)
    CHECK(flatend_context_json(ctx, 200, NULL, 1) == FLATEND_EINVAL)
    CHECK(flatend_context_problem(ctx, 500, NULL) == FLATEND_EINVAL)
    CHECK(flatend_context_headers(ctx, NULL) == NULL)
    CHECK(flatend_context_trailers(ctx, NULL) == NULL)
    CHECK(flatend_context_set_header(ctx, NULL, "a") == FLATEND_EINVAL)
    CHECK(flatend_context_set_header(ctx, "a", NULL) == FLATEND_EINVAL)
    CHECK(flatend_context_add_trailer(ctx, NULL, NULL) == FLATEND_EINVAL)
    CHECK(flatend_context_set_status(ctx, 600) == FLATEND_EINVAL)
    CHECK(flatend_context_read(ctx, NULL, 1) == FLATEND_EINVAL)
    CHECK(flatend_context_read(ctx, &byte, 0) == FLATEND_EINVAL)
    CHECK(flatend_context_read_all(ctx, 1, NULL, &len) == FLATEND_EINVAL)
    CHECK(flatend_context_read_all(ctx, 1, &data, NULL) == FLATEND_EINVAL)
    CHECK(flatend_context_write(ctx, NULL, 1) == FLATEND_EINVAL)
    CHECK(flatend_context_printf(ctx, NULL) == FLATEND_EINVAL)
    CHECK(flatend_context_fail(ctx, 99, "a") == FLATEND_EINVAL)
    CHECK(flatend_context_fail(ctx, 500, NULL) == FLATEND_EINVAL)
    CHECK(flatend_context_write(ctx, NULL, 0) == 0) /* sends the head */
    CHECK(flatend_context_set_status(ctx, 201) == FLATEND_ESTATE)
    CHECK(flatend_context_set_header(ctx, "a", "b") == FLATEND_ESTATE)
    CHECK(flatend_context_add_header(ctx, "a", "b") == FLATEND_ESTATE)
    CHECK(flatend_context_finish(ctx) == FLATEND_ESTATE)
    report(ctx, NULL);
}

/* On behalf of a request of another node, whose thread it is that ends what belongs to it. */
static void call_elsewhere(struct flatend_context *ctx, void *arg)
{
    const struct world *world = arg;
    const char *const names[] = {"respond"};
    struct flatend_request request = {.services = names, .n_services = 1, .parent = ctx};
    struct flatend_stream *stream;
    struct flatend_error error;

    CHECK(flatend_push(world->peer, &request, &stream, &error) == FLATEND_EINVAL)
    CHECK(stream == NULL)
    CHECK(strstr(error.text, "parent") != NULL)
    report(ctx, NULL);
}

/* After the failure nothing goes. */
static void fail_twice(struct flatend_context *ctx, void *arg)
{
    int *n_bad = arg;

    *n_bad += flatend_context_fail(ctx, 500, "as documented") != 0;
    *n_bad += flatend_context_fail(ctx, 500, "again") != FLATEND_ESTATE;
    *n_bad += flatend_context_write(ctx, "a", 1) != FLATEND_ESTATE;
    *n_bad += flatend_context_set_status(ctx, 200) != FLATEND_ESTATE;
    *n_bad += flatend_context_keep(ctx, NULL, NULL) != FLATEND_ESTATE;
    *n_bad += flatend_context_finish(ctx) != FLATEND_ESTATE;
}

static void keep_twice(struct flatend_context *ctx, void *arg)
{
    (void)arg;
    CHECK(flatend_context_keep(ctx, NULL, NULL) == 0)
    if (flatend_context_keep(ctx, NULL, NULL) == FLATEND_ESTATE) {
        report(ctx, NULL);
    }
    flatend_context_finish(ctx);
}

static void say_nothing(struct flatend_context *ctx, void *arg)
{
    struct world *world = arg;

    (void)ctx;
    latch_count(&world->entered);
    latch_wait(&world->let, 1);
}

static int n_bad_failures;

static int setup(void **state)
{
    static struct world world;
    const struct flatend_service services[] = {
        {.name = "handler", .handler = misuse_in_handler, .arg = &world},
        {.name = "inline",
         .handler = misuse_in_inline_handler,
         .arg = &world,
         .flags = FLATEND_SERVICE_INLINE},
        {.name = "itself",
         .handler = wait_for_itself,
         .arg = &world,
         .flags = FLATEND_SERVICE_INLINE},
        {.name = "respond", .handler = respond},
        {.name = "respond_inline", .handler = respond, .flags = FLATEND_SERVICE_INLINE},
        {.name = "fail", .handler = fail_twice, .arg = &n_bad_failures},
        {.name = "keep", .handler = keep_twice},
        {.name = "elsewhere", .handler = call_elsewhere, .arg = &world},
    };
    const struct flatend_service silent = {.name = "silent", .handler = say_nothing, .arg = &world};

    n_bad_failures = 0;
    latch_init(&world.let);
    latch_init(&world.entered);
    world.node = nodes_listen(services, sizeof(services) / sizeof(services[0]), world.addr);
    world.peer = nodes_join(&silent, 1, world.addr);
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    assert_int_equal(flatend_node_free(world->peer), 0);
    assert_int_equal(flatend_node_free(world->node), 0);
    latch_deinit(&world->let);
    latch_deinit(&world->entered);
    return 0;
}

static void expect_answer(struct world *world, const char *service, const char *expected)
{
    struct nodes_answer answer;

    assert_int_equal(nodes_call(world->peer, service, NULL, 0, &answer), 0);
    assert_string_equal(answer.text, expected);
    flatend_stream_close(answer.stream);
}

static void expect_as_documented(const char *found)
{
    if (found != NULL) {
        fail_msg("%s", found);
    }
}

/* ---- nodes ---- */

static void test_states_of_a_node(void **state)
{
    struct flatend_options options;
    struct flatend_node *node;
    char addr[64];

    (void)state;
    flatend_options_init(&options, sizeof(options));
    assert_int_equal(flatend_node_new(&options, &node, NULL), 0);
    expect_as_documented(misuse_node(node, MISUSE_NEW));
    assert_int_equal(flatend_node_shutdown(node), 0);
    expect_as_documented(misuse_node(node, MISUSE_NEVER));
    assert_int_equal(flatend_node_free(node), 0);

    node = nodes_listen(NULL, 0, addr);
    expect_as_documented(misuse_node(node, MISUSE_RUNNING));
    assert_int_equal(flatend_node_shutdown(node), 0);
    expect_as_documented(misuse_node(node, MISUSE_SHUT));
    assert_int_equal(flatend_node_free(node), 0);
}

static void test_threads_of_a_node(void **state)
{
    expect_answer(*state, "handler", "as documented");
    expect_answer(*state, "inline", "as documented");
}

static void test_addresses(void **state)
{
    static const char *const addrs[] = {NULL};
    struct flatend_options options;
    struct flatend_error error;
    struct flatend_node *node;

    (void)state;
    flatend_options_init(&options, sizeof(options));
    assert_int_equal(flatend_node_new(&options, &node, NULL), 0);
    assert_int_equal(flatend_node_start(node, NULL, 1, &error), FLATEND_EINVAL);
    assert_string_equal(error.text, "addrs: NULL, but not none");
    assert_int_equal(flatend_node_start(node, addrs, 1, &error), FLATEND_EINVAL);
    assert_string_equal(error.text, "addrs[0]: NULL");
    assert_int_equal(flatend_node_start(node, NULL, 0, &error), 0); /* it was not started */
    assert_int_equal(flatend_node_free(node), 0);
}

/* ---- requests and calls ---- */

static void test_states_of_a_response(void **state)
{
    struct nodes_answer answer;

    expect_answer(*state, "respond", "as documented");
    expect_answer(*state, "respond_inline", "as documented");
    expect_answer(*state, "keep", "as documented");
    assert_int_equal(nodes_call(((struct world *)*state)->peer, "fail", NULL, 0, &answer), 0);
    assert_int_equal(answer.status, 500);
    assert_string_equal(answer.text, "{\"error\": \"as documented\"}");
    assert_int_equal(n_bad_failures, 0);
    flatend_stream_close(answer.stream);
}

static void test_states_of_a_call(void **state)
{
    struct world *world = *state;
    const char *const names[] = {"respond"};
    const struct flatend_request request = {.services = names, .n_services = 1};
    struct flatend_stream *stream;
    const char *data;
    size_t len;
    char byte;

    assert_int_equal(flatend_push(world->peer, &request, &stream, NULL), 0);
    assert_int_equal(flatend_stream_write(stream, NULL, 1), FLATEND_EINVAL);
    assert_int_equal(flatend_stream_write(stream, NULL, 0), 0);
    assert_int_equal(flatend_stream_add_trailer(stream, NULL, "a"), FLATEND_EINVAL);
    assert_int_equal(flatend_stream_add_trailer(stream, "a", NULL), FLATEND_EINVAL);
    assert_int_equal(flatend_stream_finish(stream), 0);
    assert_int_equal(flatend_stream_finish(stream), 0);
    assert_int_equal(flatend_stream_write(stream, "a", 1), FLATEND_ESTATE);
    assert_int_equal(flatend_stream_add_trailer(stream, "a", "b"), FLATEND_ESTATE);
    assert_int_equal(flatend_stream_response(stream, NULL, NULL, NULL), 0);
    assert_int_equal(flatend_stream_read(stream, NULL, 1), FLATEND_EINVAL);
    assert_int_equal(flatend_stream_read(stream, &byte, 0), FLATEND_EINVAL);
    assert_int_equal(flatend_stream_read_all(stream, 1, NULL, &len), FLATEND_EINVAL);
    assert_int_equal(flatend_stream_read_all(stream, 1, &data, NULL), FLATEND_EINVAL);
    assert_null(flatend_stream_trailers(stream, NULL));
    assert_int_equal(flatend_stream_read_all(stream, 3, &data, &len), FLATEND_ETOOBIG);
    assert_int_equal(flatend_stream_read_all(stream, 3, &data, &len), FLATEND_ETOOBIG);
    assert_int_equal(flatend_stream_read_all(stream, 1, &data, &len), FLATEND_ETOOBIG);
    assert_int_equal(flatend_stream_read_all(stream, 100, &data, &len), 0);
    assert_int_equal(flatend_stream_read(stream, &byte, 1), 0); /* at the end, again */
    flatend_stream_close(stream);
}

static void test_calls_for_another_node(void **state)
{
    expect_answer(*state, "elsewhere", "as documented");
}

/* A call that waits is of no use on the thread that it would wait for. */
static void test_waiting_for_itself(void **state)
{
    struct world *world = *state;
    const char *const names[] = {"silent"};
    const struct flatend_request request = {.services = names, .n_services = 1};

    assert_int_equal(flatend_push(world->node, &request, &world->stream, NULL), 0);
    assert_int_equal(flatend_stream_write(world->stream, "a", 1), 0);
    latch_wait(&world->entered, 1);
    expect_answer(world, "itself", "as documented");
    latch_count(&world->let);
    flatend_stream_close(world->stream);
}

static void test_no_objects(void **state)
{
    (void)state;
    expect_as_documented(misuse_without_objects());
}

/* They say so whatever they are given. */
static void test_what_is_not_built(void **state)
{
    const void *data;
    size_t len;

    (void)state;
    assert_int_equal(flatend_context_read_message(NULL, 1, &data, &len), FLATEND_ESTATE);
    assert_int_equal(flatend_context_write_message(NULL, "", 0), FLATEND_ESTATE);
    assert_int_equal(flatend_stream_read_message(NULL, 1, &data, &len), FLATEND_ESTATE);
    assert_int_equal(flatend_stream_write_message(NULL, "", 0), FLATEND_ESTATE);
    assert_int_equal(flatend_node_metrics(NULL, NULL, 0, &len), FLATEND_ESTATE);
    assert_int_equal(flatend_context_trace(NULL, NULL), FLATEND_ESTATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states_of_a_node),
        cmocka_unit_test_setup_teardown(test_threads_of_a_node, setup, teardown),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test_setup_teardown(test_states_of_a_response, setup, teardown),
        cmocka_unit_test_setup_teardown(test_states_of_a_call, setup, teardown),
        cmocka_unit_test_setup_teardown(test_calls_for_another_node, setup, teardown),
        cmocka_unit_test_setup_teardown(test_waiting_for_itself, setup, teardown),
        cmocka_unit_test(test_no_objects),
        cmocka_unit_test(test_what_is_not_built),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
