/* Several workers: which gets which client, and many clients of all of them at once. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "gateway/certs/https.h"
#include "gateway/edge/acceptor.h"
#include "support/gateways.h"
#include "support/latch.h"

/* ---- the acceptor --------------------------------------------------------------------------- */

enum { N_EDGES = FE_ACCEPTORS_MAX + 2, N_CLIENTS = 3 * N_EDGES, N_MANY = 20 * N_EDGES };

/* An acceptor and its edge workers without the rest of a gateway. */
struct hall {
    struct fe_worker *worker;
    struct fe_config *config;
    struct fe_https https;
    struct fe_acme_answers answers;
    struct fe_log log;
    struct fe_edge_worker edges[N_EDGES];
    struct fe_acceptors acceptors;
    size_t n_closed;
};

static void on_edge_closed(void *arg)
{
    struct hall *hall = arg;

    if (++hall->n_closed == N_EDGES) {
        fe_worker_stop(hall->worker);
    }
}

static void on_acceptors_closed(void *arg)
{
    struct hall *hall = arg;

    for (size_t i = 0; i < N_EDGES; i++) {
        fe_edge_worker_drain(&hall->edges[i]);
    }
}

static void hall_open(struct hall *hall)
{
    const char text[] = "[[http]]\naddr = \"127.0.0.1:0\"\n";
    const struct fe_edge_worker_setup setup = {
        .https = &hall->https,
        .answers = &hall->answers,
        .log = &hall->log,
        .on_closed = on_edge_closed,
        .closed_arg = hall,
    };
    struct fe_acceptors_setup acceptors = {
        .edges = hall->edges,
        .n_edges = N_EDGES,
        .log = &hall->log,
        .on_closed = on_acceptors_closed,
        .closed_arg = hall,
    };
    struct flatend_error err;

    memset(hall, 0, sizeof(*hall));
    fe_acme_answers_init(&hall->answers);
    assert_int_equal(fe_config_parse("test.toml", fe_view_str(text), &hall->config, &err), 0);
    assert_int_equal(fe_worker_new(&hall->worker, NULL), 0);
    for (size_t i = 0; i < N_EDGES; i++) {
        struct fe_edge_worker_setup mine = setup;

        mine.main_worker = hall->worker;
        mine.config = hall->config;
        assert_int_equal(i == 0 ? fe_edge_worker_open_main(&hall->edges[i], &mine)
                                : fe_edge_worker_open_threaded(&hall->edges[i], &mine),
                         0);
    }
    acceptors.config = hall->config;
    assert_int_equal(fe_acceptors_open(&hall->acceptors, &acceptors, &err), 0);
}

static void hall_close(struct hall *hall)
{
    for (size_t i = 0; i < N_EDGES; i++) {
        fe_edge_worker_deinit(&hall->edges[i]);
    }
    fe_acceptors_deinit(&hall->acceptors);
    fe_acme_answers_deinit(&hall->answers);
    fe_worker_free(hall->worker, NULL, NULL);
    fe_config_unref(hall->config);
}

static void expect_404(struct http_client *client)
{
    struct http_answer answer;

    http_send_text(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    http_receive(client, false, &answer);
    assert_int_equal(answer.status, 404);
    http_answer_deinit(&answer);
}

static void expect_loads(struct hall *hall, size_t load)
{
    for (size_t i = 0; i < N_EDGES; i++) {
        assert_int_equal(atomic_load(&hall->edges[i].load), load);
    }
}

struct visit {
    struct hall *hall;
    uint16_t port;
    struct fe_task stop;
};

static void on_stop(struct fe_task *task)
{
    fe_acceptors_close(&FE_CONTAINER_OF(task, struct visit, stop)->hall->acceptors);
}

/* The end of a visit: the hall closes. */
static void leave(struct visit *visit, struct http_client *clients, size_t n)
{
    fe_task_init(&visit->stop, on_stop);
    fe_task_post(visit->hall->worker, &visit->stop);
    for (size_t i = 0; i < n; i++) {
        assert_true(http_is_closed(&clients[i]));
        http_close(&clients[i]);
    }
}

static void open_all(struct visit *visit, struct http_client *clients, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        http_open(&clients[i], visit->port);
        expect_404(&clients[i]); /* has been counted */
    }
}

/* Each edge worker gets as many, and when all those of one have gone, the next come there. */
static void *visit(void *arg)
{
    struct visit *visit = arg;
    struct hall *hall = visit->hall;
    struct http_client clients[N_CLIENTS];

    open_all(visit, clients, N_CLIENTS);
    expect_loads(hall, N_CLIENTS / N_EDGES);
    for (size_t i = 1; i < N_CLIENTS; i += N_EDGES) { /* those of the second edge worker */
        assert_int_equal(shutdown(clients[i].fd, SHUT_WR), 0);
        assert_true(http_is_closed(&clients[i]));
        http_close(&clients[i]);
    }
    while (atomic_load(&hall->edges[1].load) >
           0) { /* it is told of the end before the edge worker is */
        sched_yield();
    }
    for (size_t i = 1; i < N_CLIENTS; i += N_EDGES) {
        http_open(&clients[i], visit->port);
        expect_404(&clients[i]);
    }
    expect_loads(hall, N_CLIENTS / N_EDGES);
    leave(visit, clients, N_CLIENTS);
    return NULL;
}

/* An edge worker whose thread waits in a task until it is let go. */
struct hold {
    struct fe_task task;
    struct latch latch;
};

enum { HELD = 1, LET_GO, GONE };

static void on_hold(struct fe_task *task)
{
    struct hold *hold = FE_CONTAINER_OF(task, struct hold, task);

    latch_count(&hold->latch);
    latch_wait(&hold->latch, LET_GO);
    latch_count(&hold->latch);
}

static void hold_edge(struct hold *hold, struct fe_edge_worker *edge)
{
    latch_init(&hold->latch);
    fe_task_init(&hold->task, on_hold);
    fe_task_post(edge->worker, &hold->task);
    latch_wait(&hold->latch, HELD);
}

static void let_go(struct hold *hold)
{
    latch_count(&hold->latch);
    latch_wait(&hold->latch, GONE);
    latch_deinit(&hold->latch);
}

/* While the first edge worker is busy, another one lets in a client that is not for the first. */
static void *visit_while_the_first_is_busy(void *arg)
{
    struct visit *visit = arg;
    struct http_client clients[2];
    struct hold hold;

    open_all(visit, clients, 1);
    hold_edge(&hold, &visit->hall->edges[0]);
    open_all(visit, clients + 1, 1);
    let_go(&hold);
    leave(visit, clients, 2);
    return NULL;
}

/* From eight clients a worker on, the one that accepts keeps a client even if others have one
 * fewer. These are busy here, and would not serve it. */
static void *visit_while_the_others_are_busy(void *arg)
{
    enum { N = 8 * N_EDGES };
    static struct http_client clients[N + 2];
    struct visit *visit = arg;
    struct hold holds[N_EDGES];

    open_all(visit, clients, N);
    expect_loads(visit->hall, 8);
    for (size_t i = 1; i < N_EDGES; i++) {
        hold_edge(&holds[i], &visit->hall->edges[i]);
    }
    open_all(visit, clients + N, 2);
    for (size_t i = 1; i < N_EDGES; i++) {
        let_go(&holds[i]);
    }
    leave(visit, clients, N + 2);
    return NULL;
}

/* Of many clients none has more than an eighth beyond the fewest, and one. */
static void *visit_in_crowds(void *arg)
{
    static struct http_client clients[N_MANY];
    struct visit *visit = arg;
    size_t fewest = SIZE_MAX;
    size_t most = 0;

    open_all(visit, clients, N_MANY);
    for (size_t i = 0; i < N_EDGES; i++) {
        const size_t load = atomic_load(&visit->hall->edges[i].load);

        fewest = load < fewest ? load : fewest;
        most = load > most ? load : most;
    }
    assert_true(most <= fewest + fewest / 8 + 1);
    leave(visit, clients, N_MANY);
    return NULL;
}

static void receive(void *(*visitor)(void *arg))
{
    static struct hall hall;
    struct visit to = {.hall = &hall};
    struct fe_addr addr;
    pthread_t thread;

    hall_open(&hall);
    assert_int_equal(fe_acceptors_addr(&hall.acceptors, 0, &addr), 0);
    to.port = addr.port;
    assert_int_equal(pthread_create(&thread, NULL, visitor, &to), 0);
    fe_worker_run(hall.worker);
    assert_int_equal(pthread_join(thread, NULL), 0);
    expect_loads(&hall, 0);
    hall_close(&hall);
}

static void test_clients_are_spread(void **state)
{
    (void)state;
    receive(visit);
}

static void test_a_busy_worker_keeps_no_client_waiting(void **state)
{
    (void)state;
    receive(visit_while_the_first_is_busy);
}

static void test_accepting_worker_keeps(void **state)
{
    (void)state;
    receive(visit_while_the_others_are_busy);
}

static void test_crowds_stay_in_balance(void **state)
{
    (void)state;
    receive(visit_in_crowds);
}

/* ---- many at once --------------------------------------------------------------------------- */

#define ROUTES                                                                                     \
    "[[http.routes]]\npath = \"POST /echo\"\nservice = \"echo\"\n"                                 \
    "[[http.routes]]\npath = \"GET /hello\"\nservice = \"hello\"\n"                                \
    "[http.timeout]\nshutdown = \"1h\"\n"

enum { N_THREADS = 8, N_REQUESTS = 20, BODY = 300 * 1024 };

static const struct flatend_service services[] = {
    {.name = "echo", .handler = nodes_echo},
    {.name = "hello", .handler = nodes_hello},
};

struct caller {
    pthread_t thread;
    struct http_client client;
    uint8_t mark; /* what its bodies are made of */
    atomic_uint *n_answers;
};

/* A client sends all of its body before it reads: so the body has to fit what waits on the way. */
static void *echo_often(void *arg)
{
    struct caller *caller = arg;
    struct http_client *client = &caller->client;
    char *body = malloc(BODY);
    char head[128];

    assert_non_null(body);
    memset(body, caller->mark, BODY);
    for (unsigned i = 0; i < N_REQUESTS; i++) {
        const size_t len = BODY - i * 1001u;
        struct http_answer answer;

        snprintf(head, sizeof(head),
                 "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", len);
        http_send_text(client, head);
        http_send(client, body, len);
        http_receive(client, false, &answer);
        assert_int_equal(answer.status, 200);
        assert_true(answer.is_whole);
        assert_int_equal(answer.body_len, len);
        assert_memory_equal(answer.body, body, len);
        http_answer_deinit(&answer);
    }
    http_close(client);
    free(body);
    return NULL;
}

static void test_many_bodies_at_once(void **state)
{
    static struct gateway gateway;
    struct caller callers[N_THREADS];
    struct flatend_node *node;

    (void)state;
    gateway_start(&gateway, ROUTES);
    node = nodes_join(services, 2, gateway.addr);
    for (size_t i = 0; i < N_THREADS; i++) {
        callers[i] = (struct caller){.mark = (uint8_t)('a' + i)};
        http_open(&callers[i].client, gateway.port);
        assert_int_equal(pthread_create(&callers[i].thread, NULL, echo_often, &callers[i]), 0);
    }
    for (size_t i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_join(callers[i].thread, NULL), 0);
    }
    gateway_stop(&gateway);
    gateway_join(&gateway);
    flatend_node_free(node);
}

/* Until the gateway closes the connection: what it has begun to answer it answers whole. */
static void *ask_until_closed(void *arg)
{
    struct caller *caller = arg;
    struct http_client *client = &caller->client;
    bool is_open = true;

    while (is_open) {
        static const char request[] = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
        struct http_answer answer;

        if (send(client->fd, request, sizeof(request) - 1, MSG_NOSIGNAL) <= 0) {
            break;
        }
        http_receive(client, false, &answer);
        is_open = answer.status != 0;
        if (is_open) {
            assert_int_equal(answer.status, 200);
            assert_string_equal(answer.body, "Hello world!");
            atomic_fetch_add(caller->n_answers, 1);
        }
        http_answer_deinit(&answer);
    }
    http_close(client);
    return NULL;
}

static void test_stop_under_load(void **state)
{
    enum { ENOUGH = 500 };
    static struct gateway gateway;
    struct caller callers[N_THREADS];
    struct flatend_node *node;
    atomic_uint n_answers = 0;

    (void)state;
    gateway_start(&gateway, ROUTES);
    node = nodes_join(services, 2, gateway.addr);
    for (size_t i = 0; i < N_THREADS; i++) {
        callers[i] = (struct caller){.n_answers = &n_answers};
        http_open(&callers[i].client, gateway.port);
        assert_int_equal(pthread_create(&callers[i].thread, NULL, ask_until_closed, &callers[i]),
                         0);
    }
    while (atomic_load(&n_answers) < ENOUGH) {
        sched_yield();
    }
    gateway_stop(&gateway);
    gateway_join(&gateway);
    for (size_t i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_join(callers[i].thread, NULL), 0);
    }
    flatend_node_free(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clients_are_spread),
        cmocka_unit_test(test_a_busy_worker_keeps_no_client_waiting),
        cmocka_unit_test(test_accepting_worker_keeps),
        cmocka_unit_test(test_crowds_stay_in_balance),
        cmocka_unit_test(test_many_bodies_at_once),
        cmocka_unit_test(test_stop_under_load),
    };

    gateway_use_workers(2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
