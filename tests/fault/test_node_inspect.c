/* A node is looked into while a request runs, and each allocation fails in turn: what asked learns
 * that, and the node goes on as if nothing had been. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mesh/node/inspect.h"
#include "mesh/node/node.h"
#include "support/fault.h"

enum { ALL = FE_INSPECT_PEERS | FE_INSPECT_REQUESTS };

/* Two nodes on one worker; the client calls an inline service, which waits for the rest of the
 * body. */
struct scenario {
    struct fe_worker *worker;
    struct flatend_node *nodes[2]; /* the server, the client */
    struct fe_call call;
    const char *addrs[1];
    char addr[64];
    struct fe_timer poll;
    unsigned n_done;
    unsigned n_closed;
    int code;
};

static void never(struct flatend_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
}

static void on_closed(void *arg)
{
    struct scenario *scenario = arg;

    if (++scenario->n_closed == 2) {
        fe_worker_stop(scenario->worker);
    }
}

/* ---- looking -------------------------------------------------------------------------------- */

static void expect_snapshot(const struct fe_node_snapshot *snapshot)
{
    assert_int_equal(snapshot->n_peers, 1);
    assert_int_equal(snapshot->n_requests, 1);
    assert_string_equal(snapshot->requests[0].service, "held");
    assert_string_equal(snapshot->requests[0].method, "PUT");
    assert_null(snapshot->requests[0].path);
}

/* A first snapshot pings the peer, and no other does while its answer has not come. */
static void look_at_once(struct flatend_node *node)
{
    struct fe_node_snapshot *first;

    assert_int_equal(fe_node_inspect_wait(node, ALL, &first), 0);
    fe_node_snapshot_free(first);
    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        struct fe_node_snapshot *snapshot;
        int code = fe_node_inspect_wait(node, ALL, &snapshot);

        assert_int_equal(code, fe_fault_disarm() ? FLATEND_ENOMEM : 0);
        assert_int_equal(snapshot == NULL, code != 0);
        if (snapshot != NULL) {
            expect_snapshot(snapshot);
        }
        fe_node_snapshot_free(snapshot);
    }
}

static void on_snapshot(void *arg, int code, struct fe_node_snapshot *snapshot)
{
    struct scenario *scenario = arg;

    scenario->n_done++;
    scenario->code = code;
    assert_int_equal(snapshot == NULL, code != 0);
    fe_node_snapshot_free(snapshot);
    fe_worker_stop(scenario->worker);
}

/* The code comes back at once or later, but once. Of a node without peers: what else goes on while
 * the loop runs would meet the fault, too. */
static void look_later(struct scenario *scenario, struct flatend_node *node)
{
    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        int code;

        scenario->n_done = 0;
        code = fe_node_inspect(node, ALL, scenario->worker, on_snapshot, scenario);
        assert_int_equal(scenario->n_done, 0);
        if (code == 0) {
            fe_worker_run(scenario->worker);
            assert_int_equal(scenario->n_done, 1);
            code = scenario->code;
        }
        assert_int_equal(code, fe_fault_disarm() ? FLATEND_ENOMEM : 0);
    }
}

/* ---- the request ---------------------------------------------------------------------------- */

static void on_response(struct fe_call *call, struct fe_headers headers)
{
    (void)call;
    (void)headers;
}

static size_t on_data(struct fe_call *call, struct fe_view data)
{
    (void)call;
    return data.len;
}

static void on_event(struct fe_call *call)
{
    (void)call;
}

static void on_end(struct fe_call *call, struct fe_headers trailers)
{
    (void)call;
    (void)trailers;
}

static void on_reset(struct fe_call *call, int code)
{
    (void)call;
    fail_msg("the call failed: %s", flatend_strerror(code));
}

static const struct fe_call_ops call_ops = {
    .on_response = on_response,
    .on_data = on_data,
    .on_writable = on_event,
    .on_end = on_end,
    .on_reset = on_reset,
};

static void start_call(struct scenario *scenario)
{
    static const struct fe_view service = FE_VIEW_LIT("held");
    static const struct fe_header header = {FE_VIEW_LIT(":method"), FE_VIEW_LIT("PUT")};
    const struct fe_call_request request = {.services = &service,
                                            .n_services = 1,
                                            .headers = &header,
                                            .n_headers = 1,
                                            .deadline_ms = FE_TIME_NEVER};

    const struct fe_call_env env = {.registry = fe_node_registry(scenario->nodes[1]),
                                    .timers = fe_worker_timers(scenario->worker),
                                    .pool = fe_worker_pool(scenario->worker)};

    assert_int_equal(fe_call_start(&scenario->call, &env, &request, &call_ops, scenario), 0);
}

/* ---- the nodes ------------------------------------------------------------------------------ */

/* Until the server has the request. */
static void on_poll(struct fe_timer *timer)
{
    struct scenario *scenario = FE_CONTAINER_OF(timer, struct scenario, poll);
    struct fe_node_stats stats;

    fe_node_copy_stats(scenario->nodes[0], &stats);
    if (stats.requests == 1) {
        fe_worker_stop(scenario->worker);
        return;
    }
    assert_int_equal(fe_timer_start(fe_worker_timers(scenario->worker), timer,
                                    fe_worker_now(scenario->worker) + 1),
                     0);
}

static void on_client_started(void *arg, int code)
{
    struct scenario *scenario = arg;

    assert_int_equal(code, 0);
    start_call(scenario);
    fe_timer_init(&scenario->poll, on_poll);
    on_poll(&scenario->poll);
}

static void on_server_started(void *arg, int code)
{
    struct scenario *scenario = arg;

    assert_int_equal(code, 0);
    fe_worker_stop(scenario->worker);
}

static void open_server(struct scenario *scenario)
{
    static const struct flatend_service service = {
        .name = "held", .handler = never, .flags = FLATEND_SERVICE_INLINE};
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    const char *const bind_addr = "127.0.0.1:0";
    struct flatend_secret_key key;

    assert_int_equal(flatend_secret_key_generate(&key), 0);
    options.secret_key = &key;
    options.bind_addrs = &bind_addr;
    options.n_bind_addrs = 1;
    options.services = &service;
    options.n_services = 1;
    assert_int_equal(fe_node_new_on(&options, scenario->worker, &scenario->nodes[0], NULL), 0);
    assert_int_equal(
        fe_node_start_on(scenario->nodes[0], NULL, 0, on_server_started, scenario, NULL), 0);
    assert_int_equal(
        flatend_node_listen_addr(scenario->nodes[0], 0, scenario->addr, sizeof(scenario->addr)), 0);
    scenario->addrs[0] = scenario->addr;
}

static void open_client(struct scenario *scenario)
{
    const struct flatend_options options = FLATEND_OPTIONS_INIT;

    assert_int_equal(fe_node_new_on(&options, scenario->worker, &scenario->nodes[1], NULL), 0);
    assert_int_equal(
        fe_node_start_on(scenario->nodes[1], scenario->addrs, 1, on_client_started, scenario, NULL),
        0);
}

static void test_each_allocation_fails(void **state)
{
    struct scenario scenario = {0};

    (void)state;
    assert_int_equal(fe_worker_new(&scenario.worker, NULL), 0);
    open_server(&scenario);
    fe_worker_run(scenario.worker);
    look_later(&scenario, scenario.nodes[0]);
    open_client(&scenario);
    fe_worker_run(scenario.worker);
    for (size_t i = 0; i < 2; i++) {
        look_at_once(scenario.nodes[i]);
    }
    fe_call_reset(&scenario.call, FE_REASON_CANCEL);
    fe_node_close_on(scenario.nodes[0], on_closed, &scenario);
    fe_node_close_on(scenario.nodes[1], on_closed, &scenario);
    fe_worker_run(scenario.worker);
    flatend_node_free(scenario.nodes[0]);
    flatend_node_free(scenario.nodes[1]);
    fe_worker_free(scenario.worker, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
