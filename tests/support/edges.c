#include "support/edges.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/pem.h"

static void on_edge_closed(void *arg)
{
    struct edges *const edges = arg;

    if (++edges->n_closed == EDGES_N) {
        fe_worker_stop(edges->worker);
    }
}

static void on_acceptors_closed(void *arg)
{
    struct edges *const edges = arg;

    for (size_t i = 0; i < EDGES_N; i++) {
        fe_edge_worker_drain(&edges->workers[i]);
    }
}

static void on_stop(struct fe_task *task)
{
    fe_acceptors_close(&FE_CONTAINER_OF(task, struct edges, stop)->acceptors);
}

static void *run(void *arg)
{
    fe_worker_run(((struct edges *)arg)->worker);
    return NULL;
}

static void open_store(struct edges *edges)
{
    static struct pem pem;
    struct fe_cert *cert;

    pem_make(&pem, "localhost", 30);
    cert = pem_parse(&pem);
    assert_int_equal(fe_tls_tickets_new(&edges->tickets), 0);
    assert_int_equal(
        fe_tls_store_new(edges->tickets, FE_VIEW_LIT("edges"), true, &edges->https.store), 0);
    assert_int_equal(fe_tls_store_set(edges->https.store, &cert, 1), 0);
    fe_cert_unref(cert);
}

static void open_workers(struct edges *edges, const struct fe_backend *backend)
{
    const struct fe_edge_worker_setup setup = {.main_worker = edges->worker,
                                               .config = edges->config,
                                               .services = backend,
                                               .has_tunnels = true,
                                               .https = &edges->https,
                                               .answers = &edges->answers,
                                               .log = &edges->log,
                                               .on_closed = on_edge_closed,
                                               .closed_arg = edges};

    for (size_t i = 0; i < EDGES_N; i++) {
        assert_int_equal(i == 0 ? fe_edge_worker_open_main(&edges->workers[i], &setup)
                                : fe_edge_worker_open_threaded(&edges->workers[i], &setup),
                         0);
    }
}

void edges_init(struct edges *edges, const struct fe_backend *backend, bool is_tls)
{
    const struct fe_view text = FE_VIEW_LIT("[[http]]\naddr = \"127.0.0.1:0\"\n"
                                            "timeout.shutdown = \"100ms\"\n"
                                            "[[http.routes]]\npath = \"GET /tunnel\"\n"
                                            "service = \"tunnel\"\n");
    struct fe_acceptors_setup setup = {.edges = edges->workers,
                                       .n_edges = EDGES_N,
                                       .log = &edges->log,
                                       .on_closed = on_acceptors_closed,
                                       .closed_arg = edges};
    struct flatend_error err;
    struct fe_addr addr;

    memset(edges, 0, sizeof(*edges));
    assert_int_equal(fe_worker_new(&edges->worker, NULL), 0);
    if (fe_config_parse("config.toml", text, &edges->config, &err) != 0) {
        fail_msg("%s", err.text);
    }
    fe_acme_answers_init(&edges->answers);
    if (is_tls) {
        open_store(edges);
    }
    open_workers(edges, backend);
    setup.config = edges->config;
    assert_int_equal(fe_acceptors_open(&edges->acceptors, &setup, &err), 0);
    assert_int_equal(fe_acceptors_addr(&edges->acceptors, 0, &addr), 0);
    edges->port = addr.port;
    fe_task_init(&edges->stop, on_stop);
    assert_int_equal(pthread_create(&edges->thread, NULL, run, edges), 0);
}

void edges_deinit(struct edges *edges)
{
    fe_task_post(edges->worker, &edges->stop);
    assert_int_equal(pthread_join(edges->thread, NULL), 0);
    fe_acceptors_deinit(&edges->acceptors);
    for (size_t i = 0; i < EDGES_N; i++) {
        fe_edge_worker_deinit(&edges->workers[i]);
    }
    fe_worker_free(edges->worker, NULL, NULL);
    fe_acme_answers_deinit(&edges->answers);
    fe_config_unref(edges->config);
    fe_tls_store_free(edges->https.store);
    fe_tls_tickets_free(edges->tickets);
}
