/* Nodes that are looked into while they work, while they close, and from everywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mesh/node/inspect.h"
#include "support/latch.h"
#include "support/nodes.h"

enum {
    ALL = FE_INSPECT_PEERS | FE_INSPECT_REQUESTS,
    N_THREADS = 8,
    N_TIMES = 50,
    ENTERED = 1, /* of a gate: the handler is there, */
    OPENED,      /* and may go on */
};

/* Says that it runs, and waits. */
static void hold(struct flatend_context *ctx, void *arg)
{
    struct latch *gate = arg;

    (void)flatend_context_write(ctx, "12345", 5);
    latch_count(gate);
    latch_wait(gate, OPENED);
}

static struct fe_node_snapshot *look(struct flatend_node *node)
{
    struct fe_node_snapshot *snapshot;

    assert_int_equal(fe_node_inspect_wait(node, ALL, &snapshot), 0);
    assert_non_null(snapshot);
    return snapshot;
}

/* ---- what is seen --------------------------------------------------------------------------- */

static struct flatend_stream *push(struct flatend_node *node, const char *service)
{
    static const struct flatend_header headers[] = {
        {.name = ":method", .value = "POST", .value_len = 4},
        {.name = ":path", .value = "/a/b?c", .value_len = 6}};
    const struct flatend_request request = {.services = &service,
                                            .n_services = 1,
                                            .headers = headers,
                                            .n_headers = 2,
                                            .body = "123",
                                            .body_len = 3};
    struct flatend_stream *stream;

    assert_int_equal(flatend_push(node, &request, &stream, NULL), 0);
    return stream;
}

static void expect_request(const struct fe_request_info *request, bool is_outgoing)
{
    assert_int_equal(request->is_outgoing, is_outgoing);
    assert_string_equal(request->service, "hold");
    assert_string_equal(request->method, "POST");
    assert_string_equal(request->path, "/a/b?c");
    assert_true(request->peer_handle != 0);
    assert_true(request->age_ms < 60000); /* and not since the machine was started */
}

static void expect_server(struct flatend_node *server, const char *client_host)
{
    struct fe_node_snapshot *snapshot;

    /* The body may come behind the handler's first step. */
    for (snapshot = look(server); snapshot->requests[0].bytes_received < 3;
         snapshot = look(server)) {
        fe_node_snapshot_free(snapshot);
    }
    assert_int_equal(snapshot->n_peers, 1);
    assert_true(snapshot->peers[0].is_anonymous);
    assert_false(snapshot->peers[0].is_dialed);
    assert_int_equal(snapshot->peers[0].n_streams, 1);
    assert_int_equal(snapshot->n_requests, 1);
    assert_int_equal(snapshot->stats.requests, 1);
    assert_int_equal(snapshot->stats.requests_received, 1);
    assert_int_equal(snapshot->stats.requests_refused, 0);
    assert_int_equal(snapshot->stats.accepted, 1);
    expect_request(&snapshot->requests[0], false);
    assert_memory_equal(snapshot->requests[0].peer, client_host, strlen(client_host));
    assert_int_equal(snapshot->requests[0].bytes_received, 3);
    fe_node_snapshot_free(snapshot);
}

static void expect_client(struct flatend_node *client, const char *server_addr)
{
    struct fe_node_snapshot *snapshot = look(client);

    assert_int_equal(snapshot->n_peers, 1);
    assert_true(snapshot->peers[0].is_dialed);
    assert_true(snapshot->peers[0].is_proven);
    assert_int_equal(snapshot->peers[0].n_services, 1);
    assert_string_equal(snapshot->peers[0].services[0].name, "hold");
    assert_memory_equal(snapshot->peers[0].name, server_addr, strlen(server_addr));
    assert_true(snapshot->peers[0].bytes_sent > 0);
    assert_int_equal(snapshot->n_requests, 1);
    assert_int_equal(snapshot->stats.calls, 1);
    assert_int_equal(snapshot->stats.calls_started, 1);
    expect_request(&snapshot->requests[0], true);
    assert_string_equal(snapshot->requests[0].peer, snapshot->peers[0].name);
    assert_int_equal(snapshot->requests[0].bytes_sent, 3);
    fe_node_snapshot_free(snapshot);
}

static void test_both_sides_of_a_request(void **state)
{
    struct latch gate;
    const struct flatend_service service = {.name = "hold", .handler = hold, .arg = &gate};
    struct flatend_node *server;
    struct flatend_node *client;
    struct flatend_stream *stream;
    struct fe_node_snapshot *snapshot;
    const char *answer;
    char addr[64];
    size_t len;

    (void)state;
    latch_init(&gate);
    server = nodes_listen(&service, 1, addr);
    client = nodes_join(NULL, 0, addr);
    stream = push(client, "hold");
    latch_wait(&gate, ENTERED);
    expect_server(server, "127.0.0.1:");
    expect_client(client, addr);
    latch_count(&gate);
    assert_int_equal(flatend_stream_read_all(stream, 100, &answer, &len), 0);
    assert_int_equal(len, 5);
    snapshot = look(client);
    assert_int_equal(snapshot->n_requests, 0);
    assert_int_equal(snapshot->stats.calls, 0);
    assert_int_equal(snapshot->stats.streams_opened, 1);
    fe_node_snapshot_free(snapshot);
    flatend_stream_close(stream);
    flatend_node_free(client);
    flatend_node_free(server);
    latch_deinit(&gate);
}

/* Its stream is gone, but the handler is not. */
static void test_abandoned_request(void **state)
{
    struct latch gate;
    const struct flatend_service service = {.name = "hold", .handler = hold, .arg = &gate};
    struct flatend_node *server;
    struct flatend_node *client;
    struct flatend_stream *stream;
    struct fe_node_snapshot *snapshot;
    char addr[64];

    (void)state;
    latch_init(&gate);
    server = nodes_listen(&service, 1, addr);
    client = nodes_join(NULL, 0, addr);
    stream = push(client, "hold");
    latch_wait(&gate, ENTERED);
    flatend_stream_close(stream);
    for (snapshot = look(server); snapshot->requests[0].state != FE_REQUEST_ABANDONED;
         snapshot = look(server)) {
        fe_node_snapshot_free(snapshot);
    }
    assert_string_equal(snapshot->requests[0].peer, "");
    assert_int_equal(snapshot->requests[0].peer_handle, 0);
    assert_string_equal(snapshot->requests[0].service, "hold");
    fe_node_snapshot_free(snapshot);
    latch_count(&gate);
    flatend_node_free(client);
    flatend_node_free(server);
    latch_deinit(&gate);
}

/* ---- from where it is asked ----------------------------------------------------------------- */

static void look_inside(struct flatend_context *ctx, void *arg)
{
    struct flatend_node *node = *(struct flatend_node **)arg;
    struct fe_node_snapshot *snapshot;

    if (fe_node_inspect_wait(node, ALL, &snapshot) == 0 && snapshot->n_requests == 1) {
        (void)flatend_context_write(ctx, snapshot->requests[0].service,
                                    strlen(snapshot->requests[0].service));
        fe_node_snapshot_free(snapshot);
    }
}

/* From a thread of the pool, and from the node's own. */
static void test_asked_by_handlers(void **state)
{
    struct flatend_node *server;
    const struct flatend_service services[] = {
        {.name = "pooled", .handler = look_inside, .arg = &server},
        {.name = "inline", .handler = look_inside, .arg = &server, .flags = FLATEND_SERVICE_INLINE},
    };
    struct flatend_node *client;
    char addr[64];

    (void)state;
    server = nodes_listen(services, 2, addr);
    client = nodes_join(NULL, 0, addr);
    for (size_t i = 0; i < 2; i++) {
        struct nodes_answer answer;

        assert_int_equal(nodes_call(client, services[i].name, NULL, 0, &answer), 0);
        assert_string_equal(answer.text, services[i].name);
        flatend_stream_close(answer.stream);
    }
    flatend_node_free(client);
    flatend_node_free(server);
}

static void test_asked_before_start(void **state)
{
    const struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_node *node;
    struct fe_node_snapshot *snapshot = NULL;

    (void)state;
    assert_int_equal(flatend_node_new(&options, &node, NULL), 0);
    assert_int_equal(fe_node_inspect_wait(node, ALL, &snapshot), FLATEND_ESTATE);
    assert_null(snapshot);
    assert_int_equal(fe_node_inspect(node, ALL, NULL, NULL, NULL), FLATEND_ESTATE);
    flatend_node_free(node);
}

/* ---- by many at once ------------------------------------------------------------------------ */

struct crowd {
    struct flatend_node *server;
    struct flatend_node *client;
};

static void *run_calls(void *arg)
{
    const struct crowd *crowd = arg;

    for (int i = 0; i < N_TIMES; i++) {
        struct nodes_answer answer;

        assert_int_equal(nodes_call(crowd->client, "echo", "abc", 3, &answer), 0);
        flatend_stream_close(answer.stream);
    }
    return NULL;
}

static void *run_looks(void *arg)
{
    const struct crowd *crowd = arg;

    for (int i = 0; i < N_TIMES; i++) {
        struct flatend_node *node = i % 2 == 0 ? crowd->server : crowd->client;
        struct fe_node_snapshot *snapshot = look(node);

        assert_int_equal(snapshot->n_peers, 1);
        assert_int_equal(snapshot->n_requests, snapshot->stats.requests + snapshot->stats.calls);
        fe_node_snapshot_free(snapshot);
    }
    return NULL;
}

static void test_asked_while_requests_run(void **state)
{
    static const struct flatend_service echo = {.name = "echo", .handler = nodes_echo};
    pthread_t threads[N_THREADS];
    struct fe_node_snapshot *snapshot;
    struct crowd crowd;
    char addr[64];

    (void)state;
    crowd.server = nodes_listen(&echo, 1, addr);
    crowd.client = nodes_join(NULL, 0, addr);
    for (size_t i = 0; i < N_THREADS; i++) {
        assert_int_equal(
            pthread_create(&threads[i], NULL, i % 2 == 0 ? run_calls : run_looks, &crowd), 0);
    }
    for (size_t i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    snapshot = look(crowd.server);
    assert_int_equal(snapshot->stats.requests_received, N_THREADS / 2 * N_TIMES);
    assert_int_equal(snapshot->stats.streams_opened, N_THREADS / 2 * N_TIMES);
    fe_node_snapshot_free(snapshot);
    snapshot = look(crowd.client);
    assert_int_equal(snapshot->stats.calls_started, N_THREADS / 2 * N_TIMES);
    fe_node_snapshot_free(snapshot);
    flatend_node_free(crowd.client);
    flatend_node_free(crowd.server);
}

/* ---- while it closes ------------------------------------------------------------------------ */

/* A loop that asks, and asks again from within each answer, until it is refused. */
struct asker {
    struct fe_worker *worker;
    struct flatend_node *node;
    struct latch *begun;
    unsigned n_asked;
    unsigned n_done;
    int code;
};

static void on_done(void *arg, int code, struct fe_node_snapshot *snapshot);

static void ask(struct asker *asker)
{
    asker->code = fe_node_inspect(asker->node, ALL, asker->worker, on_done, asker);
    if (asker->code == 0) {
        asker->n_asked++;
    } else {
        fe_worker_stop(asker->worker);
    }
}

static void on_done(void *arg, int code, struct fe_node_snapshot *snapshot)
{
    struct asker *asker = arg;

    assert_int_equal(code, 0);
    assert_int_equal(snapshot->n_requests, 0);
    fe_node_snapshot_free(snapshot);
    if (asker->n_done++ == 0) {
        latch_count(asker->begun);
    }
    ask(asker);
}

static void *run_asker(void *arg)
{
    struct asker *asker = arg;

    assert_int_equal(fe_worker_new(&asker->worker, NULL), 0);
    ask(asker);
    fe_worker_run(asker->worker);
    fe_worker_free(asker->worker, NULL, NULL);
    return NULL;
}

static void *run_waiter(void *arg)
{
    struct asker *asker = arg;
    struct fe_node_snapshot *snapshot;

    while ((asker->code = fe_node_inspect_wait(asker->node, ALL, &snapshot)) == 0) {
        fe_node_snapshot_free(snapshot);
        if (asker->n_done++ == 0) {
            latch_count(asker->begun);
        }
        asker->n_asked++;
    }
    assert_null(snapshot);
    return NULL;
}

/* Each question is answered or refused, once. */
static void test_asked_while_it_closes(void **state)
{
    struct asker askers[N_THREADS];
    pthread_t threads[N_THREADS];
    struct flatend_node *node;
    struct latch begun;
    char addr[64];

    (void)state;
    latch_init(&begun);
    node = nodes_listen(NULL, 0, addr);
    for (size_t i = 0; i < N_THREADS; i++) {
        askers[i] = (struct asker){.node = node, .begun = &begun};
        assert_int_equal(
            pthread_create(&threads[i], NULL, i % 2 == 0 ? run_asker : run_waiter, &askers[i]), 0);
    }
    latch_wait(&begun, N_THREADS);
    flatend_node_shutdown(node);
    for (size_t i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(askers[i].code, FLATEND_ECANCELED);
        assert_int_equal(askers[i].n_done, askers[i].n_asked);
        assert_true(askers[i].n_done > 0);
    }
    flatend_node_free(node);
    latch_deinit(&begun);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_sides_of_a_request),
        cmocka_unit_test(test_abandoned_request),
        cmocka_unit_test(test_asked_by_handlers),
        cmocka_unit_test(test_asked_before_start),
        cmocka_unit_test(test_asked_while_requests_run),
        cmocka_unit_test(test_asked_while_it_closes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
