/* The share that each connection has of a turn, in both directions: neither one that sends without
 * end nor many that download keep the others waiting. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "ground/uv/conn.h"
#include "ground/uv/task_queue.h"

enum {
    READ_SIZE = 64 * 1024, /* what a connection may read in a turn */
    TURN_MAX = 2 * 1024 * 1024,
    SHARE = 64 * 1024,
    N_LARGE = 2 * TURN_MAX / SHARE, /* two turns for all of them */
    N_ENDS = N_LARGE + 1,
};

struct world;

struct end {
    struct world *world;
    struct fe_conn *conn;
    int peer; /* the other end of the socket */
    int n_reads;
};

struct world {
    struct fe_worker *worker;
    struct fe_task stop;
    struct end ends[N_ENDS];
    struct end *last;  /* that has read */
    int n_alternating; /* full reads that followed one of another end */
    int n_in_a_row;    /* and those that did not */
    int n_open;
};

static void on_read(void *owner, uint8_t *data, size_t len)
{
    struct end *end = owner;
    struct world *world = end->world;

    (void)data;
    end->n_reads++;
    if (len == READ_SIZE && world->last != NULL) {
        world->n_alternating += world->last != end;
        world->n_in_a_row += world->last == end;
    }
    world->last = end;
}

static void on_eof(void *owner)
{
    fe_conn_close(((struct end *)owner)->conn);
}

static void on_drain(void *owner)
{
    (void)owner;
}

static void on_close(void *owner, int code)
{
    (void)code;
    ((struct end *)owner)->world->n_open--;
}

static const struct fe_conn_ops ops = {
    .on_read = on_read, .on_eof = on_eof, .on_drain = on_drain, .on_close = on_close};

static void end_open(struct world *world, struct end *end)
{
    const struct fe_addr addr = {.family = FE_UNIX};
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    *end = (struct end){.world = world, .peer = fds[1]};
    assert_int_equal(fe_conn_adopt(world->worker, fds[0], &addr, &end->conn), 0);
    fe_conn_accept(end->conn, &ops, end);
    world->n_open++;
}

static void on_stop(struct fe_task *task)
{
    fe_worker_stop(FE_CONTAINER_OF(task, struct world, stop)->worker);
}

/* One end of a turn, and the events after it. */
static void turn(struct world *world)
{
    fe_task_init(&world->stop, on_stop);
    fe_task_post(world->worker, &world->stop);
    fe_worker_run(world->worker);
}

static void world_close(struct world *world, int n_ends)
{
    for (int i = 0; i < n_ends; i++) {
        fe_conn_close(world->ends[i].conn);
    }
    while (world->n_open > 0) {
        turn(world);
    }
    for (int i = 0; i < n_ends; i++) {
        assert_int_equal(close(world->ends[i].peer), 0);
    }
    fe_worker_free(world->worker, NULL, NULL);
}

/* As much as the system holds. */
static size_t fill(int fd)
{
    static const char bytes[READ_SIZE];
    size_t n_sent = 0;
    ssize_t n;

    while ((n = send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL)) > 0) {
        n_sent += (size_t)n;
    }
    assert_int_equal(errno, EAGAIN);
    return n_sent;
}

/* Two that have sent several buffers each: one of each in turns, not all of the first. */
static void senders_are_read_in_turns(void **state)
{
    static struct world world;
    size_t n_sent;

    (void)state;
    assert_int_equal(fe_worker_new(&world.worker, NULL), 0);
    for (int i = 0; i < 2; i++) {
        end_open(&world, &world.ends[i]);
        n_sent = fill(world.ends[i].peer);
        assert_true(n_sent >= 2 * READ_SIZE);
    }
    for (size_t i = 0; i < n_sent / READ_SIZE + 1; i++) {
        turn(&world);
    }
    assert_int_equal(world.n_in_a_row, 0);
    assert_true(world.n_alternating >= 3);
    world_close(&world, 2);
}

/* How many ends have written anything. */
static int count_begun(const struct world *world)
{
    int n = 0;

    for (int i = 0; i < N_LARGE; i++) {
        n += fe_conn_n_written(world->ends[i].conn) > 0;
    }
    return n;
}

/* Downloads that have more than a turn writes, and one short answer behind them. */
static void a_short_output_waits_for_one_turn_at_most(void **state)
{
    static struct world world;
    static const uint8_t bytes[4 * SHARE];
    struct end *brief = &world.ends[N_LARGE];

    (void)state;
    assert_int_equal(fe_worker_new(&world.worker, NULL), 0);
    for (int i = 0; i < N_LARGE; i++) {
        end_open(&world, &world.ends[i]);
        assert_int_equal(fe_chain_append(fe_conn_out(world.ends[i].conn), bytes, sizeof(bytes)), 0);
        fe_conn_flush(world.ends[i].conn);
    }
    end_open(&world, brief);
    assert_int_equal(fe_chain_append(fe_conn_out(brief->conn), "brief", 5), 0);
    fe_conn_flush(brief->conn);
    turn(&world);
    assert_int_equal(fe_conn_n_written(brief->conn), 5);
    assert_int_equal(count_begun(&world), N_LARGE / 2);
    turn(&world);
    assert_int_equal(count_begun(&world), N_LARGE); /* those that had no turn were the first */
    world_close(&world, N_ENDS);
}

/* One alone has all of a turn. */
static void a_large_output_alone_is_written_at_once(void **state)
{
    static struct world world;
    static const uint8_t bytes[2 * SHARE];

    (void)state;
    assert_int_equal(fe_worker_new(&world.worker, NULL), 0);
    end_open(&world, &world.ends[0]);
    assert_int_equal(fe_chain_append(fe_conn_out(world.ends[0].conn), bytes, sizeof(bytes)), 0);
    fe_conn_flush(world.ends[0].conn);
    turn(&world);
    assert_int_equal(fe_conn_n_written(world.ends[0].conn), sizeof(bytes));
    world_close(&world, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(senders_are_read_in_turns),
        cmocka_unit_test(a_short_output_waits_for_one_turn_at_most),
        cmocka_unit_test(a_large_output_alone_is_written_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
