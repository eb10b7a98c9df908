/* The gateway's own requests, when no server answers as it should; and work on other threads. That
 * they succeed is what tests/e2e/acme.test.js shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/certs/fetch.h"
#include "ground/uv/conn.h"
#include "ground/uv/work.h"
#include "support/pem.h"

/* A server that accepts, says something or nothing, and may close. */
struct fixture {
    struct temp_dir dir;
    struct fe_worker *worker;
    struct fe_tls_trust *trust;
    struct fe_listener *listener;
    struct fe_conn *conn; /* accepted, not closed */
    const char *greeting; /* sent at the first byte */
    bool closes;          /* and closes then */
    struct fe_fetch *fetch;
    bool cancels; /* at the first byte */
    unsigned n_gone;
    char url[128];
    char error[256];
    unsigned n_results;
};

static void stop_if_done(struct fixture *f)
{
    if (f->conn == NULL && f->n_results + f->n_gone > 0) {
        fe_worker_stop(f->worker);
    }
}

static void on_gone(void *arg)
{
    struct fixture *f = arg;

    f->n_gone++;
    stop_if_done(f);
}

/* ---- the server ----------------------------------------------------------------------------- */

static void on_read(void *owner, uint8_t *data, size_t len)
{
    struct fixture *f = owner;

    (void)data;
    (void)len;
    if (f->cancels) {
        f->cancels = false;
        fe_fetch_cancel(f->fetch, on_gone, f);
    }
    if (f->greeting != NULL) {
        assert_int_equal(fe_chain_append(fe_conn_out(f->conn), f->greeting, strlen(f->greeting)),
                         0);
        fe_conn_flush(f->conn);
        f->greeting = NULL;
    }
    if (f->closes) {
        fe_conn_finish(f->conn);
    }
}

static void on_eof(void *owner)
{
    fe_conn_close(((struct fixture *)owner)->conn);
}

static void on_drain(void *owner)
{
    (void)owner;
}

static void on_close(void *owner, int code)
{
    struct fixture *f = owner;

    (void)code;
    f->conn = NULL;
    stop_if_done(f);
}

static const struct fe_conn_ops conn_ops = {
    .on_read = on_read,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .on_close = on_close,
};

static void on_accept(void *owner, struct fe_conn *conn)
{
    struct fixture *f = owner;

    f->conn = conn;
    fe_conn_accept(conn, &conn_ops, f);
}

static void on_listener_closed(void *owner)
{
    fe_worker_stop(((struct fixture *)owner)->worker);
}

static const struct fe_listener_ops listener_ops = {
    .on_accept = on_accept,
    .on_close = on_listener_closed,
};

/* ---- set up --------------------------------------------------------------------------------- */

static int set_up(void **state)
{
    static struct fixture f;
    const struct fe_addr loopback = {.family = FE_IPV4, .ip = {127, 0, 0, 1}};
    struct fe_addr bound;
    struct flatend_error err;
    struct pem pem;

    f = (struct fixture){.n_gone = 0};
    temp_dir_make(&f.dir);
    pem_make(&pem, "ca.test", 60);
    pem_write(&pem, &f.dir, "ca");
    if (fe_worker_new(&f.worker, NULL) != 0 ||
        fe_tls_trust_new(temp_dir_path(&f.dir, "ca.pem"), &f.trust, &err) != 0 ||
        fe_listener_open(f.worker, &loopback, &listener_ops, &f, &f.listener, &err) != 0) {
        return -1;
    }
    fe_listener_addr(f.listener, &bound);
    snprintf(f.url, sizeof(f.url), "https://127.0.0.1:%u/dir", (unsigned)bound.port);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    if (f->listener != NULL) {
        fe_listener_close(f->listener);
        fe_worker_run(f->worker);
    }
    fe_tls_trust_free(f->trust);
    fe_worker_free(f->worker, NULL, NULL);
    temp_dir_remove(&f->dir);
    return 0;
}

static void on_result(void *arg, const struct fe_response *response, struct fe_view body,
                      const struct flatend_error *err)
{
    struct fixture *f = arg;

    (void)body;
    assert_null(response);
    snprintf(f->error, sizeof(f->error), "%s", err->text);
    f->fetch = NULL;
    f->n_results++;
    stop_if_done(f);
}

static int start(struct fixture *f, const char *url)
{
    const struct fe_fetch_request request = {
        .method = "GET",
        .url = url,
        .body_max = 1000,
        .fn = on_result,
        .arg = f,
    };
    struct flatend_error err = {0};
    const int code = fe_fetch_start(f->worker, f->trust, &request, &f->fetch, &err);

    snprintf(f->error, sizeof(f->error), "%s", err.text);
    return code;
}

static void check(struct fixture *f, const char *expected)
{
    assert_int_equal(start(f, f->url), 0);
    assert_int_equal(f->n_results, 0); /* later, and once */
    fe_worker_run(f->worker);
    assert_int_equal(f->n_results, 1);
    assert_int_equal(f->n_gone, 0);
    if (strncmp(f->error, expected, strlen(expected)) != 0) {
        fail_msg("%s", f->error);
    }
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void test_no_tls(void **state)
{
    struct fixture *f = *state;

    f->greeting = "HTTP/1.1 200 OK\r\n\r\n";
    check(f, "127.0.0.1: ");
}

static void test_closes(void **state)
{
    struct fixture *f = *state;

    f->closes = true;
    check(f, "127.0.0.1: the connection was closed before the response was complete");
}

static void test_refused(void **state)
{
    struct fixture *f = *state;

    fe_listener_close(f->listener);
    f->listener = NULL;
    fe_worker_run(f->worker);
    check(f, "127.0.0.1: connection refused");
}

static void test_canceled_while_talking(void **state)
{
    struct fixture *f = *state;

    f->cancels = true;
    assert_int_equal(start(f, f->url), 0);
    fe_worker_run(f->worker);
    assert_int_equal(f->n_results, 0);
    assert_int_equal(f->n_gone, 1);
}

static void on_gone_at_once(void *arg)
{
    ((struct fixture *)arg)->n_gone++;
}

/* The worker may be freed before the name has been looked up. */
static void test_canceled_while_looking_up(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(start(f, f->url), 0);
    fe_fetch_cancel(f->fetch, on_gone_at_once, f);
    assert_int_equal(f->n_gone, 1);
}

static void test_urls(void **state)
{
    static const char *const bad[] = {"http://a.test/",  "https://",      "https:///x",
                                      "https://a@b/",    "https://[::1/", "https://a:b:c/",
                                      "https://a:99999/"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (start(f, bad[i]) != FLATEND_EADDR || f->error[0] == '\0') {
            fail_msg("%s: %s", bad[i], f->error);
        }
    }
}

/* ---- work on other threads ------------------------------------------------------------------ */

struct work {
    struct fe_worker *worker;
    unsigned n_run;
    unsigned n_done;
};

static void run(void *arg)
{
    ((struct work *)arg)->n_run++;
}

static void done(void *arg)
{
    struct work *work = arg;

    assert_int_equal(work->n_run, ++work->n_done);
    if (work->n_done < 10) {
        assert_int_equal(fe_work_start(work->worker, run, done, work), 0);
    } else {
        fe_worker_stop(work->worker);
    }
}

static void test_tasks(void **state)
{
    struct fixture *f = *state;
    struct work work = {.worker = f->worker};

    assert_int_equal(fe_work_start(f->worker, run, done, &work), 0);
    assert_int_equal(work.n_done, 0);
    fe_worker_run(f->worker);
    assert_int_equal(work.n_done, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_no_tls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_closes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_canceled_while_talking, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_canceled_while_looking_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_urls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tasks, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
