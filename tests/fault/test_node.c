/* Two nodes on one worker, one calls an inline service of the other; each allocation fails in turn.
 * Whatever fails, the worker ends, every callback has come, and nothing is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mesh/node/node.h"
#include "mesh/rpc/call.h"
#include "support/fault.h"

enum { CALL_DEADLINE_MS = 2000 };

struct scenario {
    struct fe_worker *worker;
    struct flatend_node *nodes[2]; /* the server, the client */
    struct fe_call call;
    const char *addrs[1];
    char addr[64];
    int n_started;
    int n_closed;
    int n_call_ends;
    int call_code;
    bool is_answered;
};

static void hello(struct flatend_context *ctx, void *arg)
{
    (void)arg;
    (void)flatend_context_set_header(ctx, "content-type", "text/plain");
    (void)flatend_context_set_status(ctx, 201);
    (void)flatend_context_write(ctx, "hello", 5);
}

static void on_closed(void *arg)
{
    struct scenario *scenario = arg;

    if (++scenario->n_closed == 2) {
        fe_worker_stop(scenario->worker);
    }
}

static void close_both(struct scenario *scenario)
{
    for (size_t i = 0; i < 2; i++) {
        if (scenario->nodes[i] != NULL) {
            fe_node_close_on(scenario->nodes[i], on_closed, scenario);
        } else {
            on_closed(scenario);
        }
    }
}

/* ---- the call ---- */

static void on_response(struct fe_call *call, struct fe_headers headers)
{
    struct scenario *scenario = call->owner;

    (void)headers;
    scenario->is_answered = true;
}

static size_t on_data(struct fe_call *call, struct fe_view data)
{
    (void)call;
    assert_true(fe_view_equal(data, FE_VIEW_LIT("hello")));
    return data.len;
}

static void on_writable(struct fe_call *call)
{
    (void)call;
}

static void on_call_over(struct scenario *scenario, int code)
{
    scenario->n_call_ends++;
    scenario->call_code = code;
    close_both(scenario);
}

static void on_end(struct fe_call *call, struct fe_headers trailers)
{
    (void)trailers;
    on_call_over(call->owner, 0);
}

static void on_reset(struct fe_call *call, int code)
{
    on_call_over(call->owner, code);
}

static const struct fe_call_ops call_ops = {on_response, on_data, on_writable, on_end, on_reset};

static void start_call(struct scenario *scenario)
{
    static const struct fe_view services[] = {{(const uint8_t *)"hello", 5}};
    const struct fe_call_request request = {
        .services = services,
        .n_services = 1,
        .deadline_ms = fe_worker_now(scenario->worker) + CALL_DEADLINE_MS,
    };
    const struct fe_call_env env = {fe_node_registry(scenario->nodes[1]),
                                    fe_worker_timers(scenario->worker),
                                    fe_worker_pool(scenario->worker)};
    int code = fe_call_start(&scenario->call, &env, &request, &call_ops, scenario);

    if (code == 0) {
        code = fe_call_finish(&scenario->call, NULL, 0);
        if (code != 0) {
            fe_call_reset(&scenario->call, FE_REASON_CANCEL);
        }
    }
    if (code != 0) {
        on_call_over(scenario, code);
    }
}

/* ---- the nodes ---- */

static void on_client_started(void *arg, int code)
{
    struct scenario *scenario = arg;

    scenario->n_started++;
    if (code == 0) {
        start_call(scenario);
    } else {
        scenario->call_code = code;
        close_both(scenario);
    }
}

static void on_server_started(void *arg, int code)
{
    struct scenario *scenario = arg;
    struct flatend_options options = FLATEND_OPTIONS_INIT;

    scenario->n_started++;
    options.reconnect_attempts = -1;
    options.shutdown_timeout_ms = 0;
    if (code == 0) {
        code = flatend_node_listen_addr(scenario->nodes[0], 0, scenario->addr, 64);
    }
    if (code == 0) {
        code = fe_node_new_on(&options, scenario->worker, &scenario->nodes[1], NULL);
    }
    scenario->addrs[0] = scenario->addr;
    if (code == 0) {
        code = fe_node_start_on(scenario->nodes[1], scenario->addrs, 1, on_client_started, scenario,
                                NULL);
    }
    if (code != 0) {
        scenario->call_code = code;
        close_both(scenario);
    }
}

static int start_server(struct scenario *scenario)
{
    static const struct flatend_service service = {
        .name = "hello", .handler = hello, .flags = FLATEND_SERVICE_INLINE};
    static const char *const bind_addrs[] = {"127.0.0.1:0"};
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_secret_key key;
    int code = flatend_secret_key_generate(&key);

    assert_int_equal(code, 0);
    options.secret_key = &key;
    options.bind_addrs = bind_addrs;
    options.n_bind_addrs = 1;
    options.services = &service;
    options.n_services = 1;
    options.shutdown_timeout_ms = 0;
    code = fe_node_new_on(&options, scenario->worker, &scenario->nodes[0], NULL);
    if (code == 0) {
        code = fe_node_start_on(scenario->nodes[0], NULL, 0, on_server_started, scenario, NULL);
    }
    return code;
}

/* Runs it all; the code of whatever failed first. */
static int run(struct scenario *scenario)
{
    int code;

    *scenario = (struct scenario){0};
    code = fe_worker_new(&scenario->worker, NULL);
    if (code != 0) {
        return code;
    }
    code = start_server(scenario);
    if (code != 0) {
        scenario->call_code = code;
        close_both(scenario);
    }
    fe_worker_run(scenario->worker);
    assert_int_equal(scenario->n_closed, 2);
    flatend_node_free(scenario->nodes[0]);
    flatend_node_free(scenario->nodes[1]);
    fe_worker_free(scenario->worker, NULL, NULL);
    return scenario->call_code;
}

static void test_no_fault(void **state)
{
    struct scenario scenario;

    (void)state;
    assert_int_equal(run(&scenario), 0);
    assert_true(scenario.is_answered);
    assert_int_equal(scenario.n_started, 2);
    assert_int_equal(scenario.n_call_ends, 1);
}

static void test_each_allocation_fails(void **state)
{
    size_t n_failed = 0;

    (void)state;
    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        struct scenario scenario;
        int code = run(&scenario);
        bool failed = fe_fault_disarm();

        assert_true(scenario.n_call_ends <= 1);
        if (!failed) {
            assert_int_equal(code, 0);
        }
        n_failed += code != 0;
    }
    /* Some are survived (a pool grows less, a peer is asked again); most are not. */
    assert_true(n_failed > 20);
}

/* The options are copied before anything runs: all of it fails cleanly. */
static void test_new_fails(void **state)
{
    const struct flatend_service services[] = {{.name = "a", .handler = hello},
                                               {.name = "b", .handler = hello}};
    struct flatend_options options = FLATEND_OPTIONS_INIT;

    (void)state;
    options.services = services;
    options.n_services = 2;
    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        struct flatend_node *node;
        struct flatend_error error = {0};
        int code = flatend_node_new(&options, &node, &error);

        if (fe_fault_disarm()) {
            assert_int_equal(code, FLATEND_ENOMEM);
            assert_int_equal(error.code, FLATEND_ENOMEM);
            assert_null(node);
        } else {
            assert_int_equal(code, 0);
            flatend_node_free(node);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_fault),
        cmocka_unit_test(test_each_allocation_fails),
        cmocka_unit_test(test_new_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
