/* A connection whose other end is a plain socket that reads when the test says so. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "ground/uv/accept.h"
#include "ground/uv/conn.h"
#include "ground/uv/task_queue.h"

enum {
    SEND_BUFFER = 100 * 1024,
    MARK = SEND_BUFFER, /* its quarter fits in the buffer several times */
    TRIES_MAX = 1000,
    STEP = 4099, /* another length each time: what is left is another part of a write */
};

struct squeeze {
    struct fe_worker *worker;
    struct fe_conn *conn;
    int socket;
    int n_tries;
    int n_closes;
    bool is_squeezed; /* the writer is a little above the mark, and waits */
};

/* Two connected sockets: the one returned has the send buffer, `*peer` is the other. */
static int connect_pair(int *peer)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(name);
    int buffer = SEND_BUFFER;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int dialed = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(listener, (struct sockaddr *)&name, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&name, &len), 0);
    assert_int_equal(setsockopt(dialed, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer)), 0);
    assert_int_equal(connect(dialed, (struct sockaddr *)&name, len), 0);
    *peer = accept(listener, NULL, NULL);
    assert_true(*peer >= 0);
    close(listener);
    return dialed;
}

/* Reads some of what has arrived; false when there is nothing. */
static bool read_some(struct squeeze *squeeze)
{
    uint8_t sink[65536];
    ssize_t n = recv(squeeze->socket, sink, sizeof(sink), MSG_DONTWAIT);

    assert_true(n > 0 || (n < 0 && errno == EAGAIN));
    return n > 0;
}

static void squeeze_append(struct squeeze *squeeze, size_t len)
{
    uint8_t *bytes = calloc(1, len);

    assert_non_null(bytes);
    assert_int_equal(fe_chain_append(fe_conn_out(squeeze->conn), bytes, len), 0);
    free(bytes);
    fe_conn_flush(squeeze->conn);
}

/* How much is left when the low-water mark is passed is the system's choice: tried until it is
 * something, so that a block is on its way. */
static void on_squeeze_drain(void *owner)
{
    struct squeeze *squeeze = owner;
    size_t left = fe_conn_out(squeeze->conn)->len;

    if (squeeze->is_squeezed) {
        fe_conn_close(squeeze->conn);
        return;
    }
    if (left == 0) {
        assert_true(squeeze->n_tries++ < TRIES_MAX);
        squeeze_append(squeeze, 10 * (size_t)MARK + STEP * (size_t)squeeze->n_tries);
        return;
    }
    squeeze->is_squeezed = true;
    fe_conn_set_high_water(squeeze->conn, left + 1);
    squeeze_append(squeeze, 2);
    while (read_some(squeeze)) { /* all that is left fits in one write */
    }
}

static void on_squeeze_read(void *owner, uint8_t *data, size_t len)
{
    (void)owner;
    (void)data;
    (void)len;
    fail();
}

static void on_squeeze_eof(void *owner)
{
    (void)owner;
    fail();
}

static void on_squeeze_close(void *owner, int code)
{
    struct squeeze *squeeze = owner;

    assert_int_equal(code, 0);
    squeeze->n_closes++;
}

static const struct fe_conn_ops squeeze_ops = {
    .on_read = on_squeeze_read,
    .on_eof = on_squeeze_eof,
    .on_drain = on_squeeze_drain,
    .on_close = on_squeeze_close,
};

/* A task that posts itself again until the connection has closed: the reader, one turn at a time.
 */
struct reader {
    struct fe_task task;
    struct squeeze *squeeze;
    unsigned n_turns;
};

static void on_reader(struct fe_task *task)
{
    struct reader *reader = FE_CONTAINER_OF(task, struct reader, task);
    struct squeeze *squeeze = reader->squeeze;

    if (squeeze->n_closes > 0) {
        fe_worker_stop(squeeze->worker);
        return;
    }
    if (reader->n_turns++ > 1000 * 1000) {
        fail_msg("no on_drain after the last write");
    }
    if (!squeeze->is_squeezed) {
        (void)read_some(squeeze);
    }
    fe_task_post(squeeze->worker, task);
}

static void squeeze_run(struct squeeze *squeeze, struct fe_task *task,
                        void (*fn)(struct fe_task *task))
{
    struct fe_addr peer = {.family = FE_IPV4};

    assert_int_equal(fe_worker_new(&squeeze->worker, NULL), 0);
    assert_int_equal(
        fe_conn_adopt(squeeze->worker, connect_pair(&squeeze->socket), &peer, &squeeze->conn), 0);
    fe_conn_accept(squeeze->conn, &squeeze_ops, squeeze);
    fe_conn_set_high_water(squeeze->conn, MARK);
    squeeze_append(squeeze, 10 * MARK);
    fe_task_init(task, fn);
    fe_task_post(squeeze->worker, task);
    fe_worker_run(squeeze->worker);
    fe_worker_free(squeeze->worker, NULL, NULL);
    close(squeeze->socket);
}

/* on_drain at the low-water mark comes while a block is still on its way. What the writer then adds
 * may be above the high-water mark by less than that block; it is owed its next on_drain all the
 * same. */
static void test_a_little_over_the_mark(void **state)
{
    struct squeeze squeeze = {0};
    struct reader reader = {.squeeze = &squeeze};

    (void)state;
    squeeze_run(&squeeze, &reader.task, on_reader);
    assert_true(squeeze.is_squeezed);
}

static void read_until_taken(struct squeeze *squeeze)
{
    size_t left = fe_conn_out(squeeze->conn)->len;
    uint64_t taken = fe_conn_n_acked(squeeze->conn);

    while (fe_conn_n_acked(squeeze->conn) == taken) {
        assert_true(squeeze->n_tries++ < TRIES_MAX);
        (void)read_some(squeeze);
    }
    assert_int_equal(fe_conn_out(squeeze->conn)->len, left);
    squeeze->is_squeezed = true;
    fe_conn_close(squeeze->conn);
}

static void on_taking(struct fe_task *task)
{
    struct squeeze *squeeze = FE_CONTAINER_OF(task, struct reader, task)->squeeze;

    if (squeeze->n_closes > 0) {
        fe_worker_stop(squeeze->worker);
        return;
    }
    if (!squeeze->is_squeezed && fe_conn_out(squeeze->conn)->len < 10 * (size_t)MARK) {
        read_until_taken(squeeze);
    }
    fe_task_post(squeeze->worker, task);
}

/* A slow reader makes progress long before the socket takes more from us. */
static void test_taken_is_acknowledged(void **state)
{
    struct squeeze squeeze = {0};
    struct reader reader = {.squeeze = &squeeze};

    (void)state;
    squeeze_run(&squeeze, &reader.task, on_taking);
    assert_true(squeeze.is_squeezed);
}

/* What waits for room counts, to the millisecond; what was written at once, or has left, does not.
 */
enum { WAIT_MS = 20 };

struct waiter {
    struct fe_task task;
    struct squeeze squeeze;
    uint64_t begun_ms;
    uint64_t left_ms;   /* when all of it had left; 0: not yet */
    uint64_t waited_ms; /* by then */
};

static void on_waiter_drain(void *owner)
{
    (void)owner;
}

static const struct fe_conn_ops waiter_ops = {
    .on_read = on_squeeze_read,
    .on_eof = on_squeeze_eof,
    .on_drain = on_waiter_drain,
    .on_close = on_squeeze_close,
};

static void look(struct waiter *waiter)
{
    struct squeeze *squeeze = &waiter->squeeze;
    const uint64_t now_ms = fe_worker_now(squeeze->worker);
    const uint64_t waited_ms = fe_conn_waited_ms(squeeze->conn);

    if (waiter->left_ms == 0) {
        assert_true(waited_ms <= now_ms - waiter->begun_ms);
        if (waited_ms >= WAIT_MS) {
            (void)read_some(squeeze);
        }
        if (fe_conn_out(squeeze->conn)->len == 0) {
            waiter->left_ms = now_ms;
            waiter->waited_ms = waited_ms;
            squeeze_append(squeeze, 1); /* there is room for it */
        }
    } else {
        assert_int_equal(waited_ms, waiter->waited_ms);
        if (now_ms >= waiter->left_ms + WAIT_MS) {
            fe_conn_close(squeeze->conn);
        }
    }
}

static void on_waiter(struct fe_task *task)
{
    struct waiter *waiter = FE_CONTAINER_OF(task, struct waiter, task);

    if (waiter->squeeze.n_closes > 0) {
        fe_worker_stop(waiter->squeeze.worker);
        return;
    }
    look(waiter);
    fe_task_post(waiter->squeeze.worker, task);
}

static void test_waiting_is_timed(void **state)
{
    struct waiter waiter = {0};
    struct squeeze *squeeze = &waiter.squeeze;
    const struct fe_addr peer = {.family = FE_IPV4};

    (void)state;
    assert_int_equal(fe_worker_new(&squeeze->worker, NULL), 0);
    assert_int_equal(
        fe_conn_adopt(squeeze->worker, connect_pair(&squeeze->socket), &peer, &squeeze->conn), 0);
    fe_conn_accept(squeeze->conn, &waiter_ops, squeeze);
    squeeze_append(squeeze, 100 * MARK); /* more than all buffers on the way have room for */
    waiter.begun_ms = fe_worker_now(squeeze->worker);
    fe_task_init(&waiter.task, on_waiter);
    fe_task_post(squeeze->worker, &waiter.task);
    fe_worker_run(squeeze->worker);
    fe_worker_free(squeeze->worker, NULL, NULL);
    close(squeeze->socket);
    assert_true(waiter.waited_ms >= WAIT_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_little_over_the_mark),
        cmocka_unit_test(test_taken_is_acknowledged),
        cmocka_unit_test(test_waiting_is_timed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
