/* Connections and listeners, on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ground/base/list.h"
#include "ground/uv/conn.h"
#include "support/temp_dir.h"

enum { BIG = 16 * 1024 * 1024, PIECE = 100 * 1000 };

/* One end of a connection, and what has happened to it. */
struct end {
    struct fe_conn *conn;
    struct fe_worker *worker;
    size_t n_read;
    size_t n_written; /* appended so far, of `n_to_write` */
    size_t n_to_write;
    size_t close_after; /* close after so many bytes; 0: never */
    int n_opens;
    int open_code;
    int n_eofs;
    int n_drains;
    int n_flushes;
    int n_closes;
    int close_code;
    bool finishes; /* once all is written, and when the other end has finished */
    bool aborts;   /* instead of closing */
    bool is_late;  /* appends, at the end of the turn, what it writes first */
};

struct world {
    struct fe_worker *worker;
    struct fe_listener *listener;
    struct fe_addr addr;
    struct end dialed;
    struct end accepted;
    int n_listener_closes;
};

static void stop_when_done(struct world *world)
{
    if (world->dialed.n_closes == 1 && world->accepted.n_closes == 1) {
        fe_listener_close(world->listener);
    }
}

static uint8_t byte_at(size_t i)
{
    return (uint8_t)((i * 2654435761u) >> 13);
}

/* Appends until the high-water mark is reached. */
static void write_more(struct end *end)
{
    struct fe_chain *out = fe_conn_out(end->conn);
    uint8_t piece[PIECE];

    while (end->n_written < end->n_to_write && out->len < 256 * 1024) {
        size_t n = end->n_to_write - end->n_written;

        n = n < PIECE ? n : PIECE;
        for (size_t i = 0; i < n; i++) {
            piece[i] = byte_at(end->n_written + i);
        }
        assert_int_equal(fe_chain_append(out, piece, n), 0);
        end->n_written += n;
        fe_conn_flush(end->conn);
    }
    if (end->n_written == end->n_to_write && end->finishes) {
        fe_conn_finish(end->conn);
    }
}

static void on_open(void *owner, int code)
{
    struct end *end = owner;

    end->n_opens++;
    end->open_code = code;
    if (code == 0) {
        write_more(end);
    }
}

static void on_read(void *owner, uint8_t *data, size_t len)
{
    struct end *end = owner;

    assert_int_equal(end->n_closes, 0);
    for (size_t i = 0; i < len; i++) {
        if (data[i] != byte_at(end->n_read + i)) {
            fail_msg("byte %zu differs", end->n_read + i);
        }
    }
    end->n_read += len;
    if (end->close_after > 0) {
        assert_true(end->n_read - len < end->close_after); /* nothing comes after a close */
        if (end->n_read >= end->close_after) {
            (end->aborts ? fe_conn_abort : fe_conn_close)(end->conn);
            assert_int_equal(end->n_closes, 0); /* never from within */
        }
    }
}

static void on_eof(void *owner)
{
    struct end *end = owner;

    end->n_eofs++;
    /* The other direction is still open, and goes on. */
    if (end->n_written == end->n_to_write) {
        fe_conn_finish(end->conn);
    }
}

/* Appends without a word: the end of the turn is when it leaves. */
static void on_flush(void *owner)
{
    struct end *end = owner;
    uint8_t first = byte_at(end->n_written);

    end->n_flushes++;
    if (end->is_late && end->n_written == 0) {
        assert_int_equal(fe_chain_append(fe_conn_out(end->conn), &first, 1), 0);
        end->n_written++;
    }
}

static void on_drain(void *owner)
{
    struct end *end = owner;

    end->n_drains++;
    write_more(end);
}

static void end_on_close(struct end *end, int code)
{
    end->n_closes++;
    end->close_code = code;
}

static void on_dialed_close(void *owner, int code)
{
    struct world *world = FE_CONTAINER_OF(owner, struct world, dialed);

    end_on_close(&world->dialed, code);
    stop_when_done(world);
}

static void on_accepted_close(void *owner, int code)
{
    struct world *world = FE_CONTAINER_OF(owner, struct world, accepted);

    end_on_close(&world->accepted, code);
    stop_when_done(world);
}

static const struct fe_conn_ops dialed_ops = {
    .on_open = on_open,
    .on_read = on_read,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .on_close = on_dialed_close,
};

static const struct fe_conn_ops accepted_ops = {
    .on_open = on_open,
    .on_read = on_read,
    .on_eof = on_eof,
    .on_flush = on_flush,
    .on_drain = on_drain,
    .on_close = on_accepted_close,
};

static void on_accept(void *owner, struct fe_conn *conn)
{
    struct world *world = owner;

    world->accepted.conn = conn;
    fe_conn_accept(conn, &accepted_ops, &world->accepted);
    if (world->accepted.is_late) {
        fe_conn_flush(conn);
        fe_conn_flush(conn);
    } else {
        write_more(&world->accepted);
    }
}

static void on_accept_refuse(void *owner, struct fe_conn *conn)
{
    struct world *world = owner;

    (void)conn;
    world->accepted.n_closes = 1;
}

static void on_listener_close(void *owner)
{
    struct world *world = owner;

    world->n_listener_closes++;
    fe_worker_stop(world->worker);
}

static const struct fe_listener_ops listener_ops = {.on_accept = on_accept,
                                                    .on_close = on_listener_close};
static const struct fe_listener_ops refusing_ops = {.on_accept = on_accept_refuse,
                                                    .on_close = on_listener_close};

static void world_init(struct world *world, const char *addr, const struct fe_listener_ops *ops)
{
    struct fe_addr bind;

    *world = (struct world){0};
    assert_int_equal(fe_worker_new(&world->worker, NULL), 0);
    assert_int_equal(fe_addr_parse(&bind, addr, NULL), 0);
    assert_int_equal(fe_listener_open(world->worker, &bind, ops, world, &world->listener, NULL), 0);
    fe_listener_addr(world->listener, &world->addr);
    assert_int_equal(world->addr.port > 0, world->addr.family != FE_UNIX);
}

static void world_run(struct world *world)
{
    fe_worker_run(world->worker);
    assert_int_equal(world->n_listener_closes, 1);
    fe_worker_free(world->worker, NULL, NULL);
}

static void world_dial(struct world *world)
{
    assert_int_equal(
        fe_conn_dial(world->worker, &world->addr, &dialed_ops, &world->dialed, &world->dialed.conn),
        0);
    assert_int_equal(world->dialed.n_opens, 0);
}

/* ---- connections ---- */

static void both_ways_at_once(const char *addr)
{
    struct world world;

    world_init(&world, addr, &listener_ops);
    world.dialed.n_to_write = BIG;
    world.dialed.finishes = true;
    world.accepted.n_to_write = BIG + 1;
    world.accepted.finishes = true;
    world_dial(&world);
    world_run(&world);
    assert_int_equal(world.dialed.open_code, 0);
    assert_int_equal(world.dialed.n_read, BIG + 1);
    assert_int_equal(world.accepted.n_read, BIG);
    assert_int_equal(world.dialed.n_eofs, 1);
    assert_int_equal(world.accepted.n_eofs, 1);
    assert_true(world.dialed.n_drains > 0);
    assert_int_equal(world.dialed.close_code, 0);
    assert_int_equal(world.accepted.close_code, 0);
}

static void test_both_ways_at_once(void **state)
{
    (void)state;
    both_ways_at_once("127.0.0.1:0");
}

static void test_both_ways_over_a_unix_socket(void **state)
{
    struct temp_dir dir;
    char addr[FE_ADDR_TEXT_MAX];

    (void)state;
    temp_dir_make(&dir);
    snprintf(addr, sizeof(addr), "unix:%s", temp_dir_path(&dir, "socket"));
    both_ways_at_once(addr);
    temp_dir_remove(&dir);
}

/* Once a turn, however often it was asked for, and early enough to append to what is written. */
static void test_flush_is_told(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, "127.0.0.1:0", &listener_ops);
    world.dialed.close_after = 1;
    world.accepted.n_to_write = 1;
    world.accepted.is_late = true;
    world_dial(&world);
    world_run(&world);
    assert_int_equal(world.accepted.n_flushes, 2); /* the second is of the end */
    assert_int_equal(world.dialed.n_read, 1);
}

/* All interfaces means both families. */
static void test_dual_stack(void **state)
{
    static const char *const hosts[] = {"127.0.0.1:0", "[::1]:0"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct world world;
        struct fe_addr peer;
        uint16_t port;

        world_init(&world, ":0", &listener_ops);
        port = world.addr.port;
        assert_int_equal(fe_addr_parse(&world.addr, hosts[i], NULL), 0);
        world.addr.port = port;
        world.dialed.finishes = true;
        world_dial(&world);
        fe_conn_peer_addr(world.dialed.conn, &peer);
        assert_true(fe_addr_equal(&peer, &world.addr));
        world_run(&world);
        assert_int_equal(world.accepted.close_code, 0);
    }
}

static void test_close_while_reading(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, "127.0.0.1:0", &listener_ops);
    world.dialed.n_to_write = BIG;
    world.accepted.close_after = 1000;
    world_dial(&world);
    world_run(&world);
    assert_int_equal(world.accepted.close_code, 0);
    assert_int_equal(world.dialed.close_code, FLATEND_ECLOSED);
}

static void test_abort_resets(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, "127.0.0.1:0", &listener_ops);
    world.dialed.n_to_write = 10;
    world.accepted.close_after = 10;
    world.accepted.aborts = true;
    world_dial(&world);
    world_run(&world);
    assert_int_equal(world.accepted.close_code, 0);
    assert_int_equal(world.dialed.n_eofs, 0); /* a reset, not an end */
    assert_int_equal(world.dialed.close_code, FLATEND_ECLOSED);
}

static void test_not_accepted_is_closed(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, "127.0.0.1:0", &refusing_ops);
    world_dial(&world);
    world_run(&world);
    assert_int_equal(world.dialed.n_opens, 1);
    assert_int_equal(world.dialed.n_closes, 1);
}

static void test_dial_refused(void **state)
{
    struct world world;
    struct fe_addr other;

    (void)state;
    world_init(&world, "127.0.0.1:0", &listener_ops);
    other = world.addr;
    fe_listener_close(world.listener);
    world_run(&world);

    world_init(&world, "127.0.0.1:0", &listener_ops);
    world.addr = other;
    world.accepted.n_closes = 1; /* there will be none */
    world_dial(&world);
    world_run(&world);
    assert_int_equal(world.dialed.n_opens, 1);
    assert_int_equal(world.dialed.open_code, FLATEND_EREFUSED);
    assert_int_equal(world.dialed.n_closes, 1);
    assert_int_equal(world.dialed.close_code, FLATEND_EREFUSED);
}

static void test_close_while_dialing(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, "127.0.0.1:0", &refusing_ops);
    world.accepted.n_closes = 1;
    world_dial(&world);
    fe_conn_close(world.dialed.conn);
    fe_conn_close(world.dialed.conn);
    assert_int_equal(world.dialed.n_closes, 0);
    world_run(&world);
    assert_int_equal(world.dialed.n_opens, 0);
    assert_int_equal(world.dialed.n_closes, 1);
    assert_int_equal(world.dialed.close_code, 0);
}

static void test_address_in_use(void **state)
{
    struct fe_listener *second;
    struct flatend_error err;
    struct world world;
    char text[FE_ADDR_TEXT_MAX];

    (void)state;
    world_init(&world, "127.0.0.1:0", &listener_ops);
    assert_int_equal(
        fe_listener_open(world.worker, &world.addr, &listener_ops, &world, &second, &err),
        FLATEND_EADDRINUSE);
    assert_null(second);
    assert_non_null(strstr(err.text, fe_addr_format(&world.addr, text)));
    fe_listener_close(world.listener);
    world_run(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways_at_once),
        cmocka_unit_test(test_dual_stack),
        cmocka_unit_test(test_close_while_reading),
        cmocka_unit_test(test_abort_resets),
        cmocka_unit_test(test_not_accepted_is_closed),
        cmocka_unit_test(test_dial_refused),
        cmocka_unit_test(test_close_while_dialing),
        cmocka_unit_test(test_address_in_use),
        cmocka_unit_test(test_flush_is_told),
        cmocka_unit_test(test_both_ways_over_a_unix_socket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
