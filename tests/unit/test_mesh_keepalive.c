/* Whether a peer is there: asking a silent one, and giving it up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/rig.h"
#include "support/seeds.h"

enum { DEAD_MS = 1000, HALF_MS = DEAD_MS / 2 };

/* A mesh that watches its peers, and a peer that has said hello. */
static struct rig_conn *open_watched(struct rig *rig, bool is_old)
{
    struct fe_self *self = calloc(1, sizeof(*self)); /* outlives the session */
    struct rig_conn *conn;

    rig_prepare(rig, 1);
    rig->config.dead_after_ms = DEAD_MS;
    assert_int_equal(rig_start(rig), 0);
    assert_non_null(self);
    rig_make_self(rig, self, 2);
    self->is_old_only = is_old;
    rig->arg = self;
    conn = rig_accept(rig, self);
    assert_non_null(conn);
    assert_int_equal(rig_carry(conn), 0);
    assert_int_equal(conn->n_handshakes, 1);
    rig_forget_log(rig);
    return conn;
}

static void close_watched(struct rig *rig)
{
    void *self = rig->arg;

    rig_deinit(rig);
    free(self);
}

static struct fe_peer *provider(struct rig *rig)
{
    const struct fe_view svc = FE_VIEW_LIT("svc");

    return fe_registry_choose(fe_mesh_registry(rig->mesh), &svc, 1, NULL, 0);
}

/* Whether the mesh has just asked: the peer has not answered, nor read it. */
static bool is_asked(const struct rig_conn *conn)
{
    return conn->out.len > 0;
}

static void test_silent_peer_is_asked_then_given_up(void **state)
{
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    conn = open_watched(&rig, false);
    rig_run(&rig, HALF_MS - 1);
    assert_false(is_asked(conn));
    rig_run(&rig, 1);
    assert_true(is_asked(conn));
    rig_run(&rig, HALF_MS - 1);
    assert_int_equal(conn->n_closes, 0);
    assert_non_null(provider(&rig));
    rig_run(&rig, 1);
    assert_int_equal(conn->n_closes, 1);
    assert_null(provider(&rig)); /* at once, and not when the connection is gone */
    assert_string_equal(rig.trace, "Closed the connection to 10.0.0.2:9000 (key 0e7665b3): "
                                   "keep-alive timed out after 1000 ms.\n");
    close_watched(&rig);
}

/* Nothing that is sent to it will arrive: so nothing is waited for. */
static void test_dead_peer_is_closed_at_once(void **state)
{
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    conn = open_watched(&rig, false);
    rig_run(&rig, DEAD_MS);
    assert_int_equal(conn->n_closes, 1);
    assert_false(conn->is_drained);
    close_watched(&rig);
}

static void test_peer_that_answers_lives(void **state)
{
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    conn = open_watched(&rig, false);
    for (int i = 0; i < 100; i++) {
        assert_false(is_asked(conn));
        rig_run(&rig, HALF_MS);
        assert_true(is_asked(conn));
        rig_run(&rig, HALF_MS - 1);
        assert_int_equal(rig_carry(conn), 0); /* at the last moment */
    }
    assert_int_equal(conn->n_closes, 0);
    assert_string_equal(rig.trace, "");
    rig_run(&rig, DEAD_MS);
    assert_int_equal(conn->n_closes, 1);
    close_watched(&rig);
}

static void say_something(struct rig_conn *conn)
{
    struct fe_sender *sender = rig_sender(conn);

    assert_int_equal(sender->ops->ping(sender, 7), 0);
    rig_carry_to_mesh(conn);
}

/* A peer that talks is not asked. */
static void test_anything_heard_will_do(void **state)
{
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    conn = open_watched(&rig, false);
    for (int i = 0; i < 10; i++) {
        rig_run(&rig, HALF_MS - 1);
        say_something(conn);
        fe_chain_consume(&conn->out, SIZE_MAX); /* the answer to that, lost */
    }
    rig_run(&rig, HALF_MS - 1);
    assert_false(is_asked(conn));
    rig_run(&rig, 1);
    assert_true(is_asked(conn));
    rig_run(&rig, HALF_MS - 1);
    say_something(conn); /* not the answer, but a sign of life */
    rig_run(&rig, HALF_MS);
    assert_int_equal(conn->n_closes, 0);
    close_watched(&rig);
}

/* Time passes without a timer being run, as in a process that is stopped. */
static void stop_process(struct rig *rig, uint64_t ms)
{
    rig->now_ms += ms;
    rig_run(rig, 0);
}

static void test_process_that_was_stopped_asks_first(void **state)
{
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    conn = open_watched(&rig, false);
    stop_process(&rig, 60000); /* it had not asked yet */
    assert_true(is_asked(conn));
    assert_int_equal(conn->n_closes, 0);
    stop_process(&rig, 60000); /* it had, and cannot know whether there was an answer */
    assert_int_equal(conn->n_closes, 0);
    assert_int_equal(rig_carry(conn), 0);
    rig_run(&rig, HALF_MS - 1);
    assert_false(is_asked(conn));

    rig_run(&rig, 1);
    assert_true(is_asked(conn));
    stop_process(&rig, 60000);
    rig_run(&rig, HALF_MS - 1);
    assert_int_equal(conn->n_closes, 0);
    rig_run(&rig, 1); /* now it has had its time */
    assert_int_equal(conn->n_closes, 1);
    close_watched(&rig);
}

static void test_old_peer_is_not_watched(void **state)
{
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    conn = open_watched(&rig, true);
    rig_run(&rig, 86400000);
    assert_int_equal(conn->n_closes, 0);
    assert_false(is_asked(conn));
    close_watched(&rig);
}

/* Draining, it still serves: whether the peer is there still counts. */
static void test_watched_while_draining_not_while_closing(void **state)
{
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    conn = open_watched(&rig, false);
    fe_mesh_drain(rig.mesh);
    rig_run(&rig, HALF_MS);
    assert_int_equal(conn->n_closes, 0);
    rig_run(&rig, HALF_MS);
    assert_int_equal(conn->n_closes, 1);
    close_watched(&rig);

    conn = open_watched(&rig, false);
    fe_mesh_close(rig.mesh, true);
    rig_run(&rig, DEAD_MS);
    assert_int_equal(conn->n_closes, 1); /* its own deadline is later */
    assert_string_equal(rig.trace, "");
    close_watched(&rig);
}

/* A dialed peer that is dead is dialed again. */
static void test_dead_peer_is_dialed_again(void **state)
{
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    rig_prepare(&rig, 1);
    rig.config.dead_after_ms = DEAD_MS;
    assert_int_equal(rig_start(&rig), 0);
    rig_make_self(&rig, &self, 2);
    assert_int_equal(join_id(rig.mesh, &self.id), 0);
    conn = rig_conn(&rig, 0);
    assert_int_equal(rig_open(conn, &self), 0);
    assert_int_equal(rig_carry(conn), 0);
    rig_run(&rig, DEAD_MS);
    assert_int_equal(conn->n_closes, 1);
    rig_reap(&rig);
    rig_run(&rig, 1000);
    assert_int_equal(rig.n_conns, 2);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silent_peer_is_asked_then_given_up),
        cmocka_unit_test(test_dead_peer_is_closed_at_once),
        cmocka_unit_test(test_peer_that_answers_lives),
        cmocka_unit_test(test_anything_heard_will_do),
        cmocka_unit_test(test_process_that_was_stopped_asks_first),
        cmocka_unit_test(test_old_peer_is_not_watched),
        cmocka_unit_test(test_watched_while_draining_not_while_closing),
        cmocka_unit_test(test_dead_peer_is_dialed_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
