/* One host, several addresses: the first that answers, whatever the others do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "ground/os/socket.h"
#include "ground/uv/dialer.h"

enum { N_FILLERS = 8 };

struct fixture {
    struct fe_worker *worker;
    struct fe_listener *listener;
    struct fe_addr good;    /* somebody listens */
    struct fe_addr refused; /* nobody does */
    struct fe_addr silent;  /* the system drops what comes: its backlog is full */
    int silent_fds[1 + N_FILLERS];
    struct fe_dialer *dialer;
    unsigned n_results;
    int code;
    struct fe_addr peer;
    struct fe_conn *conn;
    struct fe_conn *accepted;
};

/* ---- both ends ---- */

static void on_read(void *owner, uint8_t *data, size_t len)
{
    (void)owner;
    (void)data;
    (void)len;
}

static void on_nothing(void *owner)
{
    (void)owner;
}

static void on_accepted_eof(void *owner)
{
    fe_conn_close(((struct fixture *)owner)->accepted);
}

static void stop_if_over(struct fixture *f)
{
    if (f->conn == NULL && f->accepted == NULL && f->listener == NULL) {
        fe_worker_stop(f->worker);
    }
}

static void on_conn_closed(void *owner, int code)
{
    struct fixture *f = owner;

    (void)code;
    f->conn = NULL;
    stop_if_over(f);
}

static void on_accepted_closed(void *owner, int code)
{
    struct fixture *f = owner;

    (void)code;
    f->accepted = NULL;
    stop_if_over(f);
}

static const struct fe_conn_ops conn_ops = {
    .on_read = on_read, .on_eof = on_nothing, .on_drain = on_nothing, .on_close = on_conn_closed};

static const struct fe_conn_ops accepted_ops = {.on_read = on_read,
                                                .on_eof = on_accepted_eof,
                                                .on_drain = on_nothing,
                                                .on_close = on_accepted_closed};

static void on_accept(void *owner, struct fe_conn *conn)
{
    struct fixture *f = owner;

    assert_null(f->accepted); /* of the connections that lose none is there */
    f->accepted = conn;
    fe_conn_accept(conn, &accepted_ops, f);
}

static void on_listener_closed(void *owner)
{
    struct fixture *f = owner;

    f->listener = NULL;
    stop_if_over(f);
}

static const struct fe_listener_ops listener_ops = {.on_accept = on_accept,
                                                    .on_close = on_listener_closed};

/* ---- set up ---- */

static int listen_on_loopback(int backlog, struct fe_addr *addr)
{
    const struct fe_addr loopback = {.family = FE_IPV4, .ip = {127, 0, 0, 1}};
    struct sockaddr_storage storage;
    const unsigned len = fe_addr_to_sockaddr(&loopback, &storage);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t bound_len = sizeof(storage);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&storage, len), 0);
    assert_int_equal(backlog < 0 ? 0 : listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&storage, &bound_len), 0);
    assert_int_equal(fe_addr_from_sockaddr(addr, (struct sockaddr *)&storage, bound_len), 0);
    return fd;
}

/* More connections than its backlog takes, and nobody accepts them. */
static void make_silent(struct fixture *f)
{
    struct sockaddr_storage storage;
    unsigned len;

    f->silent_fds[0] = listen_on_loopback(0, &f->silent);
    len = fe_addr_to_sockaddr(&f->silent, &storage);
    for (int i = 1; i <= N_FILLERS; i++) {
        f->silent_fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_true(f->silent_fds[i] >= 0);
        (void)!connect(f->silent_fds[i], (struct sockaddr *)&storage, len);
    }
}

static int set_up(void **state)
{
    static struct fixture f;
    const struct fe_addr loopback = {.family = FE_IPV4, .ip = {127, 0, 0, 1}};
    struct flatend_error err;

    f = (struct fixture){0};
    assert_int_equal(fe_worker_new(&f.worker, NULL), 0);
    assert_int_equal(fe_listener_open(f.worker, &loopback, &listener_ops, &f, &f.listener, &err),
                     0);
    fe_listener_addr(f.listener, &f.good);
    close(listen_on_loopback(-1, &f.refused));
    make_silent(&f);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    if (f->conn != NULL) {
        fe_conn_close(f->conn);
    }
    fe_listener_close(f->listener);
    fe_worker_run(f->worker);
    fe_worker_free(f->worker, NULL, NULL);
    for (int i = 0; i <= N_FILLERS; i++) {
        close(f->silent_fds[i]);
    }
    return 0;
}

static void on_dialed(void *arg, struct fe_conn *conn, int code)
{
    struct fixture *f = arg;

    f->dialer = NULL;
    f->n_results++;
    f->code = code;
    if (conn != NULL) {
        assert_int_equal(code, 0);
        f->conn = conn;
        fe_conn_hand_over(conn, &conn_ops, f);
        fe_conn_peer_addr(conn, &f->peer);
    }
    fe_worker_stop(f->worker);
}

/* Dials these, and returns what has come of it. */
static int dial(struct fixture *f, const struct fe_addr *addrs, size_t n)
{
    assert_int_equal(fe_dialer_start(f->worker, addrs, n, on_dialed, f, &f->dialer), 0);
    assert_int_equal(f->n_results, 0);
    fe_worker_run(f->worker);
    assert_int_equal(f->n_results, 1);
    return f->code;
}

/* ---- tests ---- */

static void the_first_one(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(dial(f, &f->good, 1), 0);
    assert_true(fe_addr_equal(&f->peer, &f->good));
}

static void the_first_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct fe_addr addrs[] = {f->refused, f->refused, f->good, f->refused};

    assert_int_equal(dial(f, addrs, 4), 0);
    assert_true(fe_addr_equal(&f->peer, &f->good));
}

static void the_first_is_silent(void **state)
{
    struct fixture *f = *state;
    const struct fe_addr addrs[] = {f->silent, f->good};

    assert_int_equal(dial(f, addrs, 2), 0);
    assert_true(fe_addr_equal(&f->peer, &f->good));
}

/* It is the one that was dialed after a moment; nothing of the other is heard of any more. */
static void another_answers_while_the_first_is_silent(void **state)
{
    struct fixture *f = *state;
    const struct fe_addr addrs[] = {f->silent, f->refused, f->silent, f->good};

    assert_int_equal(dial(f, addrs, 4), 0);
    assert_true(fe_addr_equal(&f->peer, &f->good));
}

static void all_are_refused(void **state)
{
    struct fixture *f = *state;
    const struct fe_addr addrs[] = {f->refused, f->refused};

    assert_int_equal(dial(f, addrs, 2), FLATEND_EREFUSED);
    assert_null(f->conn);
}

struct canceling {
    struct fe_timer timer;
    struct fixture *fixture;
};

static void on_timer(struct fe_timer *timer)
{
    struct fixture *f = FE_CONTAINER_OF(timer, struct canceling, timer)->fixture;

    fe_dialer_cancel(f->dialer);
    fe_dialer_cancel(f->dialer);
    assert_int_equal(f->n_results, 0); /* not from within the call */
}

static void canceled(void **state)
{
    struct fixture *f = *state;
    const struct fe_addr addrs[] = {f->silent, f->silent, f->good};
    struct canceling canceling = {.fixture = f};

    fe_timer_init(&canceling.timer, on_timer);
    assert_int_equal(
        fe_timer_start(fe_worker_timers(f->worker), &canceling.timer, fe_worker_now(f->worker) + 1),
        0);
    assert_int_equal(dial(f, addrs, 3), FLATEND_ECANCELED);
    assert_null(f->conn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_first_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_first_is_silent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_answers_while_the_first_is_silent, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(all_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(canceled, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
