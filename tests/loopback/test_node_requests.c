/* What a request says by its meaning, whole responses, and calls in one function. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/latch.h"
#include "support/nodes.h"

enum { LIMIT = 4 * 1024 * 1024, PATIENCE_MS = 20000 };

struct world {
    struct flatend_node *server;
    struct flatend_node *client;
};

static struct world open_world(struct flatend_service service)
{
    struct world world;
    char addr[64];

    service.name = "it";
    world.server = nodes_listen(&service, 1, addr);
    world.client = nodes_join(NULL, 0, addr);
    return world;
}

static void close_world(const struct world *world)
{
    flatend_node_free(world->client);
    flatend_node_free(world->server);
}

static struct flatend_response *ask(const struct world *world, const struct flatend_header *headers,
                                    size_t n_headers)
{
    const char *service = "it";
    const struct flatend_request request = {
        .services = &service, .n_services = 1, .headers = headers, .n_headers = n_headers};
    struct flatend_response *response;
    struct flatend_error error = {0};

    if (flatend_call(world->client, &request, LIMIT, &response, &error) != 0) {
        fail_msg("%s", error.text);
    }
    return response;
}

static struct flatend_header header(const char *name, const char *value)
{
    return (struct flatend_header){.name = name, .value = value, .value_len = strlen(value)};
}

static const char *value_of(const struct flatend_response *response, const char *name)
{
    for (size_t i = 0; i < response->n_headers; i++) {
        if (strcmp(response->headers[i].name, name) == 0) {
            return response->headers[i].value;
        }
    }
    return NULL;
}

/* ---- what a request says -------------------------------------------------------------------- */

static const char *or_none(const char *text)
{
    return text != NULL ? text : "-";
}

static void tell(struct flatend_context *ctx, void *arg)
{
    (void)arg;
    flatend_context_printf(
        ctx, "%s %s %s %s %s", or_none(flatend_context_method(ctx)),
        or_none(flatend_context_path(ctx)), or_none(flatend_context_param(ctx, "ID")),
        or_none(flatend_context_query(ctx, "page")), or_none(flatend_context_query(ctx, "pag")));
}

static void a_request_says_what_it_is_about(void **state)
{
    const struct flatend_header headers[] = {
        header("params.id", "0"), header("params.id", "7"),      header("query.page", "2"),
        header(":method", "GET"), header(":path", "/it?page=2"),
    };
    const struct world world = open_world((struct flatend_service){.handler = tell});
    struct flatend_response *response = ask(&world, headers, 5);

    (void)state;
    assert_string_equal(response->body, "GET /it?page=2 7 2 -");
    flatend_response_free(response);
    response = ask(&world, NULL, 0);
    assert_string_equal(response->body, "- - - - -");
    flatend_response_free(response);
    close_world(&world);
}

static void tell_cookie(struct flatend_context *ctx, void *arg)
{
    const char *name = flatend_context_header(ctx, "name");

    (void)arg;
    flatend_context_printf(ctx, "%s", or_none(flatend_context_cookie(ctx, name)));
}

static void cookies_are_those_of_the_rfc(void **state)
{
    static const struct {
        const char *cookies;
        const char *name;
        const char *value;
    } cases[] = {
        {"a=1", "a", "1"},         {"a=1; b=2", "b", "2"},
        {"a=1;b=2", "b", "2"},     {" a=1 ; b=2 ", "b", "2"},
        {"a=1; a=2", "a", "1"},    {"a=", "a", ""},
        {"a=\"\"", "a", ""},       {"a=\"x y\"; b=2", "a", "-"},
        {"a=\"xy\"", "a", "xy"},   {"a=\"xy", "a", "-"},
        {"a=x\"y", "a", "-"},      {"a=\"", "a", "-"},
        {"a=x\\y; a=2", "a", "2"}, {"a=x,y", "a", "-"},
        {"a=x y", "a", "-"},       {"a=\xc3\xa4", "a", "-"},
        {"a=b=c", "a", "b=c"},     {"A=1", "a", "-"},
        {"ab=1", "a", "-"},        {"a", "a", "-"},
        {"=1", "", "-"},           {"a b=1", "a b", "-"},
        {"; ;; a=1;", "a", "1"},   {"", "a", "-"},
    };
    const struct world world = open_world((struct flatend_service){.handler = tell_cookie});

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct flatend_header headers[] = {header("cookie", cases[i].cookies),
                                                 header("name", cases[i].name)};
        struct flatend_response *response = ask(&world, headers, 2);

        if (strcmp(response->body, cases[i].value) != 0) {
            fail_msg("'%s': %s is '%s'", cases[i].cookies, cases[i].name, response->body);
        }
        flatend_response_free(response);
    }
    close_world(&world);
}

static void cookies_may_stand_in_several_headers(void **state)
{
    const struct flatend_header headers[] = {header("cookie", "a=1"), header("cookie", "b=2; a=3"),
                                             header("name", "b")};
    const struct world world = open_world((struct flatend_service){.handler = tell_cookie});
    struct flatend_response *response = ask(&world, headers, 3);

    (void)state;
    assert_string_equal(response->body, "2");
    flatend_response_free(response);
    close_world(&world);
}

static void tell_node(struct flatend_context *ctx, void *arg)
{
    struct flatend_node **node = arg;

    *node = flatend_context_node(ctx);
}

static void a_request_knows_its_node(void **state)
{
    struct flatend_node *node = NULL;
    const struct world world =
        open_world((struct flatend_service){.handler = tell_node, .arg = &node});

    (void)state;
    flatend_response_free(ask(&world, NULL, 0));
    assert_ptr_equal(node, world.server);
    close_world(&world);
}

/* ---- whole responses ------------------------------------------------------------------------ */

static const char json[] = "{\"id\":7}";

static void answer_json(struct flatend_context *ctx, void *arg)
{
    (void)arg;
    assert_int_equal(flatend_context_json(ctx, 99, json, sizeof(json) - 1), FLATEND_EINVAL);
    assert_int_equal(flatend_context_json(ctx, 204, json, sizeof(json) - 1), FLATEND_EINVAL);
    assert_int_equal(flatend_context_json(ctx, 200, NULL, 0), FLATEND_EINVAL);
    assert_int_equal(flatend_context_set_header(ctx, "location", "/it/7"), 0);
    assert_int_equal(flatend_context_json(ctx, 201, json, sizeof(json) - 1), 0);
    assert_int_equal(flatend_context_json(ctx, 201, json, sizeof(json) - 1), FLATEND_ESTATE);
    assert_int_equal(flatend_context_write(ctx, "x", 1), FLATEND_ESTATE);
    assert_int_equal(flatend_context_fail(ctx, 500, "x"), FLATEND_ESTATE);
    assert_int_equal(flatend_context_keep(ctx, NULL, NULL), FLATEND_ESTATE);
}

static void expect_json(struct flatend_service service)
{
    const struct world world = open_world(service);
    struct flatend_response *response = ask(&world, NULL, 0);

    assert_int_equal(response->status, 201);
    assert_string_equal(response->body, json);
    assert_int_equal(response->body_len, sizeof(json) - 1);
    assert_string_equal(value_of(response, "content-type"), "application/json");
    assert_string_equal(value_of(response, "content-length"), "8");
    assert_string_equal(value_of(response, "location"), "/it/7");
    flatend_response_free(response);
    close_world(&world);
}

static void json_is_a_whole_response(void **state)
{
    (void)state;
    expect_json((struct flatend_service){.handler = answer_json});
    expect_json((struct flatend_service){.handler = answer_json, .flags = FLATEND_SERVICE_INLINE});
}

static void answer_too_much(struct flatend_context *ctx, void *arg)
{
    char *text = calloc(1, FLATEND_INLINE_RESPONSE_MAX + 1);

    (void)arg;
    assert_non_null(text);
    assert_int_equal(flatend_context_json(ctx, 200, text, FLATEND_INLINE_RESPONSE_MAX + 1),
                     FLATEND_ETOOBIG);
    free(text);
    assert_int_equal(flatend_context_problem(ctx, 507, "\"too much\" of %d", 7), 0);
}

static void problems_have_the_form_of_the_gateway(void **state)
{
    const struct world world = open_world(
        (struct flatend_service){.handler = answer_too_much, .flags = FLATEND_SERVICE_INLINE});
    struct flatend_response *response = ask(&world, NULL, 0);

    (void)state;
    assert_int_equal(response->status, 507);
    assert_string_equal(response->body, "{\"title\":\"Insufficient Storage\",\"status\":507,"
                                        "\"detail\":\"\\\"too much\\\" of 7\"}\n");
    assert_string_equal(value_of(response, "content-type"), "application/problem+json");
    assert_null(value_of(response, "content-length"));
    flatend_response_free(response);
    close_world(&world);
}

static void answer_late(struct flatend_context *ctx, void *arg)
{
    (void)arg;
    assert_int_equal(flatend_context_write(ctx, "begun", 5), 0);
    assert_int_equal(flatend_context_json(ctx, 200, json, 8), FLATEND_ESTATE);
    assert_int_equal(flatend_context_problem(ctx, 500, "it"), 0);
    assert_int_equal(flatend_context_problem(ctx, 500, "it"), FLATEND_ESTATE);
}

static void a_problem_behind_the_head_aborts(void **state)
{
    const struct world world = open_world((struct flatend_service){.handler = answer_late});
    const char *service = "it";
    const struct flatend_request request = {.services = &service, .n_services = 1};
    struct flatend_response *response;
    struct flatend_error error;

    (void)state;
    assert_int_equal(flatend_call(world.client, &request, LIMIT, &response, &error),
                     FLATEND_ERESET);
    assert_null(response);
    assert_string_equal(error.text, "service 'it': stream reset by the peer");
    close_world(&world);
}

/* Kept requests, answered from another thread in one call, with as many bytes as it takes. */
static void kept_requests_are_gone_with_their_response(void **state)
{
    static char big[1024 * 1024];
    struct flatend_queue *queue;
    struct flatend_event event;
    struct world world;

    (void)state;
    assert_int_equal(flatend_queue_new(&queue), 0);
    world = open_world((struct flatend_service){.queue = queue});
    for (int i = 0; i < 2; i++) {
        const char *service = "it";
        const struct flatend_request request = {
            .services = &service, .n_services = 1, .body = "", .body_len = 0};
        struct flatend_stream *stream;
        const char *body;
        size_t len;
        int status;

        assert_int_equal(flatend_push(world.client, &request, &stream, NULL), 0);
        assert_int_equal(flatend_queue_take(queue, &event, 1, PATIENCE_MS), 1);
        assert_int_equal(event.type, FLATEND_EVENT_REQUEST);
        if (i == 0) {
            assert_int_equal(flatend_context_json(event.context, 304, big, 1), FLATEND_EINVAL);
            assert_int_equal(flatend_context_json(event.context, 200, big, sizeof(big)), 0);
        } else {
            assert_int_equal(flatend_context_problem(event.context, 404, "no"), 0);
        }
        assert_int_equal(flatend_stream_response(stream, &status, NULL, NULL), 0);
        assert_int_equal(status, i == 0 ? 200 : 404);
        assert_int_equal(flatend_stream_read_all(stream, LIMIT, &body, &len), 0);
        assert_int_equal(len, i == 0 ? sizeof(big)
                                     : strlen("{\"title\":\"Not Found\",\"status\":404,"
                                              "\"detail\":\"no\"}\n"));
        flatend_stream_close(stream);
    }
    close_world(&world);
    flatend_queue_free(queue);
}

/* ---- calls ---------------------------------------------------------------------------------- */

static void answer_all(struct flatend_context *ctx, void *arg)
{
    flatend_context_set_status(ctx, 418);
    nodes_echo(ctx, arg);
    flatend_context_add_trailer(ctx, "x-after", "all");
}

static void a_call_brings_all_of_the_response(void **state)
{
    const struct world world = open_world((struct flatend_service){.handler = answer_all});
    const char *service = "it";
    struct flatend_request request = {
        .services = &service, .n_services = 1, .body = "ping", .body_len = 4};
    struct flatend_response *response;
    struct flatend_error error;

    (void)state;
    assert_int_equal(flatend_call(world.client, &request, 4, &response, NULL), 0);
    assert_int_equal(response->status, 418);
    assert_string_equal(response->body, "ping");
    assert_int_equal(response->n_trailers, 1);
    assert_string_equal(response->trailers[0].value, "all");
    /* One byte fewer is too few. */
    {
        struct flatend_response *none;

        assert_int_equal(flatend_call(world.client, &request, 3, &none, &error), FLATEND_ETOOBIG);
        assert_null(none);
        assert_string_equal(error.text, "service 'it': too large");
    }
    close_world(&world);
    assert_string_equal(response->body, "ping"); /* also after its node has gone */
    flatend_response_free(response);
    flatend_response_free(NULL);
}

/* The service writes while it reads, and waits for the caller to read. */
static void a_call_with_a_long_body_reads_while_it_is_sent(void **state)
{
    static char big[LIMIT];
    const struct world world = open_world((struct flatend_service){.handler = nodes_echo});
    const char *service = "it";
    const struct flatend_request request = {
        .services = &service, .n_services = 1, .body = big, .body_len = sizeof(big)};
    struct flatend_response *response;

    (void)state;
    memset(big, 'x', sizeof(big));
    assert_int_equal(flatend_call(world.client, &request, LIMIT, &response, NULL), 0);
    assert_int_equal(response->body_len, sizeof(big));
    assert_memory_equal(response->body, big, sizeof(big));
    flatend_response_free(response);
    close_world(&world);
}

static void a_call_that_cannot_be_says_why(void **state)
{
    const struct world world = open_world((struct flatend_service){.handler = nodes_hello});
    const char *service = "other";
    struct flatend_request request = {.services = &service, .n_services = 1};
    struct flatend_response *response = (struct flatend_response *)&request;
    struct flatend_queue *queue;
    struct flatend_error error;

    (void)state;
    assert_int_equal(flatend_call(world.client, &request, LIMIT, &response, &error),
                     FLATEND_ENOPROVIDER);
    assert_null(response);
    assert_non_null(strstr(error.text, "service 'other': no provider for the service"));
    request.n_services = 0;
    assert_int_equal(flatend_call(world.client, &request, LIMIT, &response, NULL), FLATEND_EINVAL);
    request.n_services = 1;
    request.body_len = 1;
    assert_int_equal(flatend_call(world.client, &request, LIMIT, &response, NULL), FLATEND_EINVAL);
    request.body_len = 0;
    assert_int_equal(flatend_queue_new(&queue), 0);
    request.queue = queue;
    assert_int_equal(flatend_call(world.client, &request, LIMIT, &response, &error),
                     FLATEND_EINVAL);
    flatend_queue_free(queue);
    close_world(&world);
}

struct inline_call {
    struct latch done;
    int code;
};

static void call_inline(struct flatend_context *ctx, void *arg)
{
    const char *service = "it";
    const struct flatend_request request = {.services = &service, .n_services = 1};
    struct inline_call *call = arg;
    struct flatend_response *response;

    call->code = flatend_call(flatend_context_node(ctx), &request, LIMIT, &response, NULL);
}

static void the_nodes_own_thread_does_not_wait(void **state)
{
    struct inline_call call = {.code = 0};
    const struct world world = open_world((struct flatend_service){
        .handler = call_inline, .arg = &call, .flags = FLATEND_SERVICE_INLINE});

    (void)state;
    flatend_response_free(ask(&world, NULL, 0));
    assert_int_equal(call.code, FLATEND_ESTATE);
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_says_what_it_is_about),
        cmocka_unit_test(cookies_are_those_of_the_rfc),
        cmocka_unit_test(cookies_may_stand_in_several_headers),
        cmocka_unit_test(a_request_knows_its_node),
        cmocka_unit_test(json_is_a_whole_response),
        cmocka_unit_test(problems_have_the_form_of_the_gateway),
        cmocka_unit_test(a_problem_behind_the_head_aborts),
        cmocka_unit_test(kept_requests_are_gone_with_their_response),
        cmocka_unit_test(a_call_brings_all_of_the_response),
        cmocka_unit_test(a_call_with_a_long_body_reads_while_it_is_sent),
        cmocka_unit_test(a_call_that_cannot_be_says_why),
        cmocka_unit_test(the_nodes_own_thread_does_not_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
