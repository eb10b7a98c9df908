/* The statistics of a gateway's workers, asked for while they work and while they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/gateways.h"
#include "support/latch.h"

enum { N_WORKERS = 3, N_THREADS = 8, N_REQUESTS = 25, N_AGAIN = 10 };

static const char request[] = "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n";
static const char last_request[] = "GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/* One question, from a thread that waits for the answer. */
struct asked {
    struct fe_task task;
    struct gateway *gateway;
    struct latch latch; /* what was called has returned, and on_done has come */
    int code;
    int n_again; /* questions from within on_done */
    struct fe_edge_totals totals;
    uint64_t n_mesh_accepts;
};

static void ask(struct asked *asked);

static void on_done(void *arg, const struct fe_gateway_stats *stats)
{
    struct asked *asked = arg;

    asked->totals = stats->http;
    asked->n_mesh_accepts = stats->node.accepted;
    if (asked->n_again > 0) {
        asked->n_again--;
        ask(asked);
    }
    latch_count(&asked->latch); /* last: what waits for it may end */
}

static void ask(struct asked *asked)
{
    asked->code = fe_gateway_stats(asked->gateway->gateway, on_done, asked);
}

static void on_task(struct fe_task *task)
{
    ask(FE_CONTAINER_OF(task, struct asked, task));
}

static void post(struct asked *asked, struct gateway *gateway, int n_again)
{
    *asked = (struct asked){.gateway = gateway, .n_again = n_again};
    latch_init(&asked->latch);
    fe_task_init(&asked->task, on_task);
    fe_task_post(gateway->worker, &asked->task);
}

static struct fe_edge_totals totals_of(struct gateway *gateway)
{
    struct asked asked;

    post(&asked, gateway, 0);
    latch_wait(&asked.latch, 1);
    latch_deinit(&asked.latch);
    assert_int_equal(asked.code, 0);
    return asked.totals;
}

static void send_one(struct http_client *client, const char *text)
{
    struct http_answer answer;

    http_send_text(client, text);
    http_receive(client, false, &answer);
    assert_int_equal(answer.status, 404);
    http_answer_deinit(&answer);
}

/* With those of the client that gateway_start has left on the first worker. */
static void test_all_workers_are_counted(void **state)
{
    struct http_client clients[2 * N_WORKERS];
    struct fe_edge_totals totals;
    struct gateway gateway;

    (void)state;
    gateway_use_workers(N_WORKERS);
    gateway_start(&gateway, "");
    for (size_t i = 0; i < 2 * N_WORKERS; i++) {
        http_open(&clients[i], gateway.port);
        send_one(&clients[i], request);
    }
    totals = totals_of(&gateway);
    assert_int_equal(totals.edge.accepts, 2 * N_WORKERS + 1);
    assert_int_equal(totals.edge.clients, 2 * N_WORKERS + 1);
    assert_int_equal(totals.edge.open_clients, 2 * N_WORKERS + 1);
    assert_int_equal(totals.edge.exchanges, 2 * N_WORKERS + 1);
    assert_int_equal(totals.edge.bytes_received, (2 * N_WORKERS + 1) * strlen(request));
    assert_true(totals.edge.handovers > 0);
    assert_int_equal(totals.edge.refused_clients, 0);
    assert_int_equal(totals.h2.connections, 0);
    for (size_t i = 0; i < 2 * N_WORKERS; i++) {
        send_one(&clients[i], last_request);
        assert_true(http_is_closed(&clients[i]));
        http_close(&clients[i]);
    }
    do {
        totals = totals_of(&gateway);
    } while (totals.edge.open_clients > 1);
    assert_int_equal(totals.edge.clients, 2 * N_WORKERS + 1);
    assert_int_equal(totals.edge.exchanges, 4 * N_WORKERS + 1);
    assert_true(totals.edge.bytes_sent > totals.edge.bytes_received);
    gateway_stop(&gateway);
    gateway_join(&gateway);
}

static void test_http2_is_counted(void **state)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
                                  "\0\0\10\6\0\0\0\0\0"
                                  "12345678";
    struct http_client client;
    struct fe_edge_totals totals;
    struct gateway gateway;

    (void)state;
    gateway_start(&gateway, "");
    http_open(&client, gateway.port);
    http_send(&client, preface, sizeof(preface) - 1);
    do {
        totals = totals_of(&gateway);
    } while (totals.h2.seen[FE_H2_PINGS] == 0);
    assert_int_equal(totals.h2.connections, 1);
    assert_int_equal(totals.h2.seen[FE_H2_PINGS], 1);
    assert_int_equal(totals.h2.streams, 0);
    http_close(&client);
    gateway_stop(&gateway);
    gateway_join(&gateway);
}

struct crowd {
    struct gateway *gateway;
    atomic_int n_running;
};

static void *run_client(void *arg)
{
    struct crowd *crowd = arg;
    struct http_client client;

    http_open(&client, crowd->gateway->port);
    for (int i = 0; i < N_REQUESTS; i++) {
        send_one(&client, request);
    }
    http_close(&client);
    (void)atomic_fetch_sub(&crowd->n_running, 1);
    return NULL;
}

static void test_asked_while_requests_run(void **state)
{
    struct fe_edge_totals before = {0};
    struct fe_edge_totals totals;
    struct gateway gateway;
    struct crowd crowd = {.gateway = &gateway};
    pthread_t threads[N_THREADS];

    (void)state;
    gateway_start(&gateway, "");
    atomic_init(&crowd.n_running, N_THREADS);
    for (size_t i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, run_client, &crowd), 0);
    }
    while (atomic_load(&crowd.n_running) > 0) {
        totals = totals_of(&gateway);
        assert_true(totals.edge.exchanges >= before.edge.exchanges);
        assert_true(totals.edge.bytes_sent >= before.edge.bytes_sent);
        before = totals;
    }
    for (size_t i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    totals = totals_of(&gateway);
    assert_int_equal(totals.edge.exchanges, N_THREADS * N_REQUESTS + 1);
    gateway_stop(&gateway);
    gateway_join(&gateway);
}

/* Each question is answered, also those that come from within an answer, before it has stopped. */
static void test_asked_while_it_stops(void **state)
{
    struct asked asked[N_THREADS];
    struct gateway gateway;

    (void)state;
    gateway_start(&gateway, "");
    for (size_t i = 0; i < N_THREADS; i++) {
        post(&asked[i], &gateway, N_AGAIN);
    }
    gateway_stop(&gateway);
    gateway_join(&gateway);
    for (size_t i = 0; i < N_THREADS; i++) {
        latch_wait(&asked[i].latch, N_AGAIN + 1);
        assert_int_equal(asked[i].code, 0);
        assert_int_equal(asked[i].n_again, 0);
        assert_int_equal(asked[i].totals.edge.exchanges, 1);
        assert_int_equal(asked[i].n_mesh_accepts, 0);
        latch_deinit(&asked[i].latch);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_workers_are_counted),
        cmocka_unit_test(test_http2_is_counted),
        cmocka_unit_test(test_asked_while_requests_run),
        cmocka_unit_test(test_asked_while_it_stops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
