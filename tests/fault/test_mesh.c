/* A mesh through its whole life, while each allocation in turn fails, the transport refuses, or the
 * mesh is closed after each step. Whatever happens: no leak, nothing used after its end, and each
 * completion that was promised comes exactly once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/fault.h"
#include "support/rig.h"
#include "support/seeds.h"

static const struct fe_view svc = {(const uint8_t *)"svc", 3};

static size_t on_data(struct fe_stream *stream, struct fe_view data)
{
    (void)stream;
    return data.len;
}

static void on_end(struct fe_stream *stream, struct fe_headers trailers)
{
    struct rig *rig = fe_stream_owner(stream);
    ssize_t n = -1;

    (void)trailers;
    if (fe_stream_respond(stream, NULL, 0) == 0) {
        n = fe_stream_write(stream, FE_VIEW_LIT("hello"));
    }
    if (n < 0 || fe_stream_finish(stream, NULL, 0) != 0) {
        fe_stream_reset(stream, FE_REASON_CANCEL);
    }
    ++*(unsigned *)rig->arg;
}

static void on_reset(struct fe_stream *stream, int code)
{
    struct rig *rig = fe_stream_owner(stream);

    (void)code;
    ++*(unsigned *)rig->arg;
}

static const struct fe_stream_ops stream_ops = {
    .on_data = on_data,
    .on_end = on_end,
    .on_reset = on_reset,
};

static void take(struct rig *rig, struct fe_stream *stream)
{
    fe_stream_accept(stream, &stream_ops, rig);
}

/* What each step may leave undone because of the fault is skipped by the next ones. */
struct life {
    struct rig rig;
    struct fe_self selves[3];
    int join;        /* what fe_mesh_join returned */
    unsigned n_over; /* streams whose owner knows of the end, or has given them up */
};

static void request(struct rig_conn *conn)
{
    struct fe_sender *sender = rig_sender(conn);
    uint32_t stream = sender->ops->next_stream(sender);

    if (sender->ops->request(sender, stream, &svc, 1, NULL, 0) == 0 &&
        sender->ops->data(sender, stream, FE_VIEW_LIT("body")) == 0 &&
        sender->ops->end(sender, stream, NULL, 0) == 0) {
        (void)!rig_carry(conn);
    }
}

static void step_accept(struct life *life)
{
    struct rig_conn *conn = rig_accept(&life->rig, &life->selves[0]);

    if (conn != NULL && rig_carry(conn) == 0 && conn->n_handshakes > 0) {
        request(conn);
    }
}

static void step_join(struct life *life)
{
    const struct fe_addr addr = fe_addr_of_ip(&life->selves[1].id.addr);
    const struct fe_addr addrs[] = {addr, addr};

    life->join = join_addrs(life->rig.mesh, addrs, 2);
}

static bool is_alive(const struct rig_conn *conn)
{
    return conn->link != NULL && conn->n_closes == 0;
}

static void answer(struct rig_conn *conn, const struct fe_id *known)
{
    struct fe_sender *sender = rig_sender(conn);

    if (rig_carry(conn) == 0 && conn->find_token != 0 &&
        sender->ops->nodes(sender, conn->find_token, known, 1) == 0) {
        conn->find_token = 0;
        (void)!rig_carry(conn);
    }
}

/* Every connection that the mesh has dialed meanwhile is opened by `self`; each node that is asked
 * knows one more node. */
static void answer_all(struct life *life, const struct fe_self *self, const struct fe_id *known)
{
    struct rig *rig = &life->rig;

    for (size_t i = 0; i < rig->n_conns; i++) {
        struct rig_conn *conn = rig_conn(rig, i);

        if (is_alive(conn) && !conn->has_session && rig_open(conn, self) == 0) {
            (void)!rig_carry(conn);
        }
    }
    for (size_t i = 0, n = rig->n_conns; i < n; i++) {
        if (is_alive(rig_conn(rig, i)) && rig_conn(rig, i)->has_session) {
            answer(rig_conn(rig, i), known);
        }
    }
    rig_reap(rig);
}

static void step_answer(struct life *life)
{
    answer_all(life, &life->selves[1], &life->selves[2].id);
}

static void step_discovered(struct life *life)
{
    answer_all(life, &life->selves[2], &life->selves[1].id);
}

static void step_lose(struct life *life)
{
    for (size_t i = 0; i < life->rig.n_conns; i++) {
        rig_lose(rig_conn(&life->rig, i), FLATEND_ERESET);
    }
}

static void step_wait(struct life *life)
{
    rig_run(&life->rig, 700);
}

static void carry_all(struct life *life)
{
    for (size_t i = 0; i < life->rig.n_conns; i++) {
        struct rig_conn *conn = rig_conn(&life->rig, i);

        if (is_alive(conn) && conn->has_session) {
            (void)!rig_carry(conn);
        }
    }
}

/* Both sides change what they offer. */
static void step_offer(struct life *life)
{
    static const struct fe_view names[] = {{(const uint8_t *)"svc", 3}, {(const uint8_t *)"b", 1}};
    const struct fe_offer offers[] = {{names[1], 10}, {names[0], FE_WEIGHT_DEFAULT}};

    fe_mesh_set_services(life->rig.mesh, names, 2);
    for (size_t i = 0; i < life->rig.n_conns; i++) {
        struct rig_conn *conn = rig_conn(&life->rig, i);

        if (is_alive(conn) && conn->n_handshakes > 0) {
            (void)!rig_sender(conn)->ops->services(rig_sender(conn), offers, 2);
        }
    }
    carry_all(life);
}

static void step_goaway(struct life *life)
{
    for (size_t i = 0; i < life->rig.n_conns; i += 2) {
        struct rig_conn *conn = rig_conn(&life->rig, i);

        if (is_alive(conn) && conn->n_handshakes > 0) {
            (void)!rig_sender(conn)->ops->goaway(rig_sender(conn), UINT32_MAX, FE_REASON_NONE,
                                                 FE_VIEW_LIT("tired"));
        }
    }
    carry_all(life);
}

static void step_drain(struct life *life)
{
    fe_mesh_drain(life->rig.mesh);
}

/* The peers hear of it. */
static void step_drained(struct life *life)
{
    carry_all(life);
    rig_run(&life->rig, 0);
}

static void (*const steps[])(struct life *life) = {
    step_accept, step_join,   step_answer, step_discovered, step_offer,  step_lose,  step_accept,
    step_wait,   step_answer, step_offer,  step_wait,       step_goaway, step_drain, step_drained,
};

enum { N_STEPS = sizeof(steps) / sizeof(steps[0]) };

/* Lives through the first `n_steps`, then closes. */
static void live(struct life *life, size_t n_steps)
{
    struct rig *rig = &life->rig;

    life->join = FLATEND_ESTATE;
    life->n_over = 0;
    rig_prepare(rig, 1);
    rig->config.dead_after_ms = 1000; /* so that step_wait asks */
    if (rig_start(rig) != 0) {
        return;
    }
    rig->on_request = take;
    rig->arg = &life->n_over;
    for (uint8_t i = 0; i < 3; i++) {
        rig_make_self(rig, &life->selves[i], (uint8_t)(2 + i));
    }
    for (size_t i = 0; i < n_steps; i++) {
        steps[i](life);
    }
    rig_deinit(rig); /* asserts that on_closed came once */
    assert_int_equal(life->n_over, rig->n_requests);
    assert_int_equal(rig->n_joined, life->join == 0);
    assert_true(rig->n_drained <= 1);
}

static void test_each_allocation_fails(void **state)
{
    struct life *life = malloc(sizeof(*life));
    size_t nth;

    (void)state;
    assert_non_null(life);
    for (nth = 1; fe_fault_arm(nth); nth++) {
        live(life, N_STEPS);
        fe_fault_disarm();
    }
    assert_true(nth > 30); /* the scenario did get somewhere */
    free(life);
}

static void test_closed_after_each_step(void **state)
{
    struct life *life = malloc(sizeof(*life));

    (void)state;
    assert_non_null(life);
    for (size_t n = 0; n <= N_STEPS; n++) {
        live(life, n);
    }
    assert_int_equal(life->rig.n_requests, 2);
    assert_int_equal(life->rig.n_connected, 2);
    assert_int_equal(life->rig.n_drained, 1);
    free(life);
}

/* Timers until the heap is full: the next one has to grow it. */
struct filler {
    struct fe_timer timers[64];
};

static void never(struct fe_timer *timer)
{
    (void)timer;
    abort();
}

static void fill(struct rig *rig, struct filler *filler)
{
    size_t n = 0;

    while (rig->timers.n < rig->timers.cap) {
        fe_timer_init(&filler->timers[n], never);
        assert_int_equal(fe_timer_start(&rig->timers, &filler->timers[n++], UINT64_MAX - 1), 0);
    }
}

/* A peer that was dialed, and has nothing more to say. */
static struct rig_conn *open_dialed(struct rig *rig, struct fe_self *self)
{
    struct rig_conn *conn;

    rig_make_self(rig, self, 2);
    assert_int_equal(join_id(rig->mesh, &self->id), 0);
    conn = rig_conn(rig, 0);
    assert_int_equal(rig_open(conn, self), 0);
    assert_int_equal(rig_carry(conn), 0);
    assert_int_equal(rig_sender(conn)->ops->nodes(rig_sender(conn), conn->find_token, NULL, 0), 0);
    assert_int_equal(rig_carry(conn), 0);
    rig_run(rig, 1);
    assert_int_equal(rig->n_joined, 1);
    return conn;
}

static void test_no_memory_to_wait_for_the_next_attempt(void **state)
{
    struct filler filler;
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    conn = open_dialed(&rig, &self);
    fill(&rig, &filler);
    assert_true(fe_fault_arm(1));
    rig_lose(conn, FLATEND_ERESET);
    assert_true(fe_fault_disarm());
    assert_true(rig_has_logged(&rig, "Cannot reconnect to 10.0.0.2:9000: out of memory.\n"));
    rig_run(&rig, 60000);
    assert_int_equal(rig.n_conns, 1);
    rig_deinit(&rig);
}

/* Then it is closed at once, and not for ever. */
static void test_no_memory_to_bound_a_draining_close(void **state)
{
    struct filler filler;
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    conn = open_dialed(&rig, &self);
    fill(&rig, &filler);
    assert_true(fe_fault_arm(1));
    fe_mesh_close(rig.mesh, true);
    assert_true(fe_fault_disarm());
    assert_int_equal(conn->n_closes, 1);
    assert_false(conn->is_drained);
    rig_deinit(&rig);
}

/* The link needs a timer; the transport closes the connection that the mesh does not take. */
static void test_no_memory_to_accept(void **state)
{
    struct filler filler;
    struct fe_self self;
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    fill(&rig, &filler);
    for (size_t nth = 1; nth <= 2; nth++) {
        assert_true(fe_fault_arm(nth));
        assert_null(rig_accept(&rig, &self));
        assert_true(fe_fault_disarm());
    }
    assert_non_null(rig_accept(&rig, &self));
    rig_deinit(&rig);
}

/* What was promised to the peer is lost, and the peer cannot be told: the connection is closed, but
 * at the end of the turn, and not from within the transport's call. */
static void test_no_memory_to_flush(void **state)
{
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    conn = open_dialed(&rig, &self);
    rig_forget_log(&rig);
    assert_int_equal(conn->link->session.sender.ops->ping(&conn->link->session.sender, 7), 0);
    assert_true(fe_fault_arm(1));
    fe_link_on_flush(conn->link);
    assert_true(fe_fault_disarm());
    assert_int_equal(conn->n_closes, 0);
    rig_run(&rig, 0);
    assert_int_equal(conn->n_closes, 1);
    assert_string_equal(rig.trace,
                        "Closed the connection to 10.0.0.2:9000 (key 0e7665b3): out of memory.\n");
    rig_deinit(&rig);
}

/* The transport has no descriptor left, from some dial on. */
static void test_dial_fails(void **state)
{
    struct fe_addr addrs[2];
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    addrs[0] = fe_addr_of_ip(&rig.self.id.addr);
    addrs[1] = addrs[0];
    rig.dial_code = FLATEND_ELIMIT;
    assert_int_equal(join_addrs(rig.mesh, addrs, 2), 0);
    rig_run(&rig, 60000);
    assert_int_equal(rig.n_conns, 0);
    assert_int_equal(rig.n_joined, 1);
    assert_int_equal(rig.n_connected, 0);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation_fails),
        cmocka_unit_test(test_closed_after_each_step),
        cmocka_unit_test(test_no_memory_to_wait_for_the_next_attempt),
        cmocka_unit_test(test_no_memory_to_bound_a_draining_close),
        cmocka_unit_test(test_no_memory_to_accept),
        cmocka_unit_test(test_no_memory_to_flush),
        cmocka_unit_test(test_dial_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
