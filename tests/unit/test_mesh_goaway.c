/* GOAWAY sent and received, requests that are on their way, on_drained. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/rig.h"
#include "support/seeds.h"

static const struct fe_view svc = {(const uint8_t *)"svc", 3};

static struct fe_peer *provider(struct rig *rig)
{
    return fe_registry_choose(fe_mesh_registry(rig->mesh), &svc, 1, NULL, 0);
}

static struct rig_conn *open_peer(struct rig *rig, const struct fe_self *self)
{
    struct rig_conn *conn = rig_accept(rig, self);

    assert_non_null(conn);
    assert_int_equal(rig_carry(conn), 0);
    assert_int_equal(conn->n_handshakes, 1);
    return conn;
}

static void request(struct rig_conn *conn)
{
    struct fe_sender *sender = rig_sender(conn);
    uint32_t stream = sender->ops->next_stream(sender);

    assert_int_equal(sender->ops->request(sender, stream, &svc, 1, NULL, 0), 0);
}

/* ---- sending GOAWAY ---- */

static size_t on_data(struct fe_stream *stream, struct fe_view data)
{
    (void)stream;
    return data.len;
}

static void on_end(struct fe_stream *stream, struct fe_headers trailers)
{
    (void)stream;
    (void)trailers;
}

static void on_nothing(struct fe_stream *stream)
{
    (void)stream;
}

static void on_reset(struct fe_stream *stream, int code)
{
    (void)stream;
    (void)code;
}

static const struct fe_stream_ops stream_ops = {
    .on_data = on_data,
    .on_end = on_end,
    .on_writable = on_nothing,
    .on_reset = on_reset,
};

static void take(struct rig *rig, struct fe_stream *stream)
{
    fe_stream_accept(stream, &stream_ops, rig);
}

static void test_drain_without_links(void **state)
{
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    fe_mesh_drain(rig.mesh);
    fe_mesh_drain(rig.mesh);
    assert_int_equal(rig.n_drained, 0); /* not from within the call */
    rig_run(&rig, 0);
    assert_int_equal(rig.n_drained, 1);
    rig_run(&rig, 60000);
    rig_deinit(&rig);
    assert_int_equal(rig.n_drained, 1);
}

/* What the peer had asked before it knew is taken; what it asks later is not. */
static void test_requests_on_their_way_are_taken(void **state)
{
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig.on_request = take;
    rig_make_self(&rig, &self, 2);
    conn = open_peer(&rig, &self);
    request(conn); /* sent, not arrived */
    fe_mesh_drain(rig.mesh);
    request(conn); /* not even sent */
    rig_run(&rig, 5000);
    assert_int_equal(rig.n_drained, 0);

    rig_carry_to_mesh(conn);
    assert_int_equal(rig.n_requests, 2);
    rig_run(&rig, 0);
    assert_int_equal(rig.n_drained, 0); /* the peer may still not know */

    assert_int_equal(rig_carry(conn), 0);
    assert_int_equal(conn->n_goaways, 1);
    assert_int_equal(conn->goaway_reason, FE_REASON_NONE);
    assert_string_equal(conn->goaway_text, "shutting down");
    assert_int_equal(rig.n_drained, 0); /* not from within the call */
    rig_run(&rig, 0);
    assert_int_equal(rig.n_drained, 1);
    assert_int_equal(fe_mesh_n_streams(rig.mesh), 2); /* what runs goes on */

    request(conn);
    assert_int_equal(rig_carry(conn), 0);
    assert_int_equal(rig.n_requests, 2);
    assert_int_equal(conn->n_unhandled + conn->n_refused, 1);
    assert_int_equal(conn->n_closes, 0);
    rig_deinit(&rig);
    assert_int_equal(rig.n_drained, 1);
}

/* The answer to the ping behind GOAWAY counts, and no other. */
static void test_every_peer_is_waited_for(void **state)
{
    enum { N = 3 };
    struct fe_self selves[N + 1];
    struct rig_conn *conns[N + 1];
    struct rig rig;

    (void)state;
    rig_prepare(&rig, 1);
    rig.config.dead_after_ms = 1000;
    assert_int_equal(rig_start(&rig), 0);
    for (size_t i = 0; i <= N; i++) {
        rig_make_self(&rig, &selves[i], (uint8_t)(2 + i));
        selves[i].is_old_only = i == N; /* cannot be told, and is not waited for */
        conns[i] = open_peer(&rig, &selves[i]);
    }
    rig_run(&rig, 500); /* all are asked whether they are there */
    fe_mesh_drain(rig.mesh);
    for (size_t i = 0; i < N; i++) {
        rig_run(&rig, 0);
        assert_int_equal(rig.n_drained, 0);
        assert_int_equal(rig_carry(conns[i]), 0);
        assert_int_equal(conns[i]->n_goaways, 1);
    }
    rig_run(&rig, 0);
    assert_int_equal(rig.n_drained, 1);
    assert_int_equal(conns[N]->out.len, 0);
    rig_deinit(&rig);
    assert_int_equal(rig.n_drained, 1);
}

/* A pong that was under way before GOAWAY does not mean that it was received. */
static void test_answer_to_another_ping_does_not_count(void **state)
{
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    rig_prepare(&rig, 1);
    rig.config.dead_after_ms = 1000;
    assert_int_equal(rig_start(&rig), 0);
    rig_make_self(&rig, &self, 2);
    conn = open_peer(&rig, &self);
    rig_run(&rig, 500);
    assert_int_equal(rig_carry_from_mesh(conn), 0); /* it has answered; that is on its way */
    assert_true(conn->sent.len > 0);
    fe_mesh_drain(rig.mesh);
    rig_carry_to_mesh(conn);
    rig_run(&rig, 0);
    assert_int_equal(rig.n_drained, 0);
    assert_int_equal(rig_carry(conn), 0);
    rig_run(&rig, 0);
    assert_int_equal(rig.n_drained, 1);
    rig_deinit(&rig);
}

static void test_peer_lost_while_draining(void **state)
{
    struct fe_self selves[2];
    struct rig_conn *conns[2];
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    for (uint8_t i = 0; i < 2; i++) {
        rig_make_self(&rig, &selves[i], (uint8_t)(2 + i));
        conns[i] = open_peer(&rig, &selves[i]);
    }
    fe_mesh_drain(rig.mesh);
    rig_lose(conns[0], FLATEND_ERESET);
    rig_run(&rig, 0);
    assert_int_equal(rig.n_drained, 0); /* the other one is still waited for */
    rig_lose(conns[1], FLATEND_ERESET);
    assert_int_equal(rig.n_drained, 0);
    rig_run(&rig, 0);
    assert_int_equal(rig.n_drained, 1);
    rig_deinit(&rig);
    assert_int_equal(rig.n_drained, 1);
}

/* It violates the protocol instead of answering. */
static void test_fault_while_draining(void **state)
{
    uint8_t garbage[64] = {0, 0, 0, 60};
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    conn = open_peer(&rig, &self);
    fe_mesh_drain(rig.mesh);
    rig_feed(conn, garbage, sizeof(garbage));
    assert_int_equal(conn->n_closes, 1);
    rig_run(&rig, FE_MESH_LINGER_MS);
    rig_reap(&rig);
    rig_run(&rig, 0);
    assert_int_equal(rig.n_drained, 1);
    rig_deinit(&rig);
    assert_int_equal(rig.n_drained, 1);
}

/* Closing does not wait for that; and what is reported is reported once. */
static void test_close_while_draining(void **state)
{
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    for (int is_drained = 0; is_drained < 2; is_drained++) {
        assert_int_equal(rig_init(&rig, 1), 0);
        rig_make_self(&rig, &self, 2);
        conn = open_peer(&rig, &self);
        fe_mesh_drain(rig.mesh);
        fe_mesh_close(rig.mesh, is_drained);
        assert_int_equal(conn->n_closes, 1);
        rig_lose(conn, 0);
        rig_run(&rig, 0);
        assert_int_equal(rig.n_closed, 1);
        assert_true(rig.n_drained <= 1);
        rig_deinit(&rig);
        assert_true(rig.n_drained <= 1);
    }
}

/* ---- links that are not there yet ---- */

/* It has said nothing, so nothing is lost: it is not waited for, nor accepted any more. */
static void test_stranger_is_closed_when_draining(void **state)
{
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    conn = rig_accept(&rig, &self);
    assert_non_null(conn);
    fe_mesh_drain(rig.mesh);
    assert_int_equal(conn->n_closes, 1);
    rig_run(&rig, 0);
    assert_int_equal(rig.n_drained, 1);
    rig_deinit(&rig);
}

/* It has sent its key, and may be a Node.js process: a reset would end it. */
static void test_stranger_with_a_key_is_not_reset_when_draining(void **state)
{
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    conn = rig_accept(&rig, &self);
    assert_non_null(conn);
    rig_carry_to_mesh(conn);
    assert_int_equal(conn->n_closes, 0);
    fe_mesh_drain(rig.mesh);
    assert_int_equal(conn->n_closes, 1);
    assert_true(conn->is_drained);
    rig_run(&rig, 0);
    assert_int_equal(rig.n_drained, 1); /* nor is it waited for */
    rig_deinit(&rig);
}

/* A rig that dials `self`. */
static struct rig_conn *dial(struct rig *rig, struct fe_self *self)
{
    assert_int_equal(rig_init(rig, 1), 0);
    rig_make_self(rig, self, 2);
    assert_int_equal(join_id(rig->mesh, &self->id), 0);
    return rig_conn(rig, 0);
}

/* Nobody answers: a moment later it is over. */
static void test_dial_is_closed_when_draining(void **state)
{
    struct fe_self self;
    struct rig rig;
    struct rig_conn *const conn = dial(&rig, &self);

    (void)state;
    fe_mesh_drain(rig.mesh);
    assert_int_equal(conn->n_closes, 0);
    rig_run(&rig, FE_MESH_DIAL_LINGER_MS - 1);
    assert_int_equal(rig.n_drained, 0);
    rig_run(&rig, 1);
    assert_int_equal(conn->n_closes, 1);
    rig_reap(&rig);
    rig_run(&rig, 0);
    assert_int_equal(rig.n_drained, 1);
    rig_deinit(&rig);
}

/* Its system has accepted the connection already: it gets the key that it waits for, and GOAWAY.
 */
static void test_dial_that_connects_when_draining(void **state)
{
    struct fe_self self;
    struct rig rig;
    struct rig_conn *const conn = dial(&rig, &self);

    (void)state;
    fe_mesh_drain(rig.mesh);
    assert_int_equal(rig_open(conn, &self), 0);
    assert_true(conn->out.len >= FE_KEY_LEN);
    rig_run(&rig, FE_MESH_DIAL_LINGER_MS);
    assert_int_equal(conn->n_closes, 0);
    assert_int_equal(rig_carry(conn), 0);
    assert_int_equal(conn->n_goaways, 1);
    rig_run(&rig, 0);
    assert_int_equal(rig.n_drained, 1);
    rig_deinit(&rig);
}

/* The peer has answered our hello: for it we are there, and it may have asked already. */
static void test_node_that_is_just_met_is_told(void **state)
{
    struct fe_self self;
    struct rig rig;
    struct rig_conn *const conn = dial(&rig, &self);

    (void)state;
    rig.on_request = take;
    assert_int_equal(rig_open(conn, &self), 0);
    for (int i = 0; i < 2; i++) { /* the keys, the hello and its answer, which is on its way */
        rig_carry_to_mesh(conn);
        assert_int_equal(rig_carry_from_mesh(conn), 0);
    }
    assert_int_equal(conn->n_handshakes, 1);
    request(conn);
    fe_mesh_drain(rig.mesh);
    assert_int_equal(conn->n_closes, 0);
    rig_run(&rig, 0);
    assert_int_equal(rig.n_drained, 0);

    rig_carry_to_mesh(conn);
    assert_int_equal(rig.n_requests, 1);
    assert_int_equal(fe_mesh_n_streams(rig.mesh), 1);
    assert_int_equal(rig_carry(conn), 0);
    assert_int_equal(conn->n_goaways, 1);
    rig_run(&rig, 0);
    assert_int_equal(rig.n_drained, 1);
    rig_deinit(&rig);
}

/* One that never says hello does not hold us up for the ten seconds that it otherwise has. */
static void test_node_that_sends_no_handshake(void **state)
{
    (void)state;
    for (int is_draining = 0; is_draining <= 1; is_draining++) { /* when it connects */
        struct fe_self self;
        struct rig rig;
        struct rig_conn *const conn = dial(&rig, &self);

        if (is_draining) {
            fe_mesh_drain(rig.mesh);
        }
        assert_int_equal(rig_open(conn, &self), 0);
        fe_mesh_drain(rig.mesh);
        rig_run(&rig, FE_MESH_LINGER_MS);
        assert_int_equal(conn->n_closes, 1);
        rig_reap(&rig);
        rig_run(&rig, 0);
        assert_int_equal(rig.n_drained, 1);
        assert_string_equal(rig.trace, ""); /* it is no fault */
        rig_deinit(&rig);
    }
}

/* An old one cannot be told when it has said hello, and is waited for no longer. */
static void test_old_node_that_is_just_met(void **state)
{
    struct fe_self self;
    struct rig rig;
    struct rig_conn *const conn = dial(&rig, &self);

    (void)state;
    self.is_old_only = true;
    assert_int_equal(rig_open(conn, &self), 0);
    fe_mesh_drain(rig.mesh);
    rig_run(&rig, 0);
    assert_int_equal(rig.n_drained, 0);
    assert_int_equal(rig_carry(conn), 0);
    assert_int_equal(conn->n_handshakes, 1);
    rig_run(&rig, 0);
    assert_int_equal(rig.n_drained, 1);
    request(conn);
    assert_int_equal(rig_carry(conn), 0);
    assert_int_equal(conn->n_unhandled, 1);
    rig_deinit(&rig);
}

/* ---- receiving GOAWAY ---- */

static void send_goaway(struct rig_conn *conn, uint32_t last, const char *text)
{
    struct fe_sender *sender = rig_sender(conn);

    assert_int_equal(sender->ops->goaway(sender, last, FE_REASON_NONE, fe_view_str(text)), 0);
    assert_int_equal(rig_carry(conn), 0);
}

static void offer(struct rig_conn *conn, const char *name)
{
    struct fe_sender *sender = rig_sender(conn);
    struct fe_offer offers[] = {{fe_view_str(name), FE_WEIGHT_DEFAULT}};

    assert_int_equal(sender->ops->services(sender, offers, name[0] != '\0'), 0);
    assert_int_equal(rig_carry(conn), 0);
}

static void test_peer_that_leaves_is_not_asked(void **state)
{
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    conn = open_peer(&rig, &self);
    rig_forget_log(&rig);
    send_goaway(conn, UINT32_MAX, "");
    assert_null(provider(&rig));
    assert_string_equal(rig.trace,
                        "10.0.0.2:9000 (key 0e7665b3) accepts no more requests: no error.\n");
    assert_int_equal(conn->n_closes, 0); /* what runs goes on, both ways */
    request(conn);
    assert_int_equal(rig_carry(conn), 0);
    assert_int_equal(rig.n_requests, 1);
    rig_deinit(&rig);
}

/* It has its say once; what it says is one line, whatever is in it. */
static void test_goaway_is_logged_once(void **state)
{
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    conn = open_peer(&rig, &self);
    rig_forget_log(&rig);
    for (int i = 0; i < 100; i++) {
        send_goaway(conn, UINT32_MAX, "tired\nof \x1b[1mthis");
    }
    assert_string_equal(
        rig.trace,
        "10.0.0.2:9000 (key 0e7665b3) accepts no more requests: tired\\x0aof \\x1b[1mthis.\n");
    rig_deinit(&rig);
}

static void test_services_after_goaway_do_not_count(void **state)
{
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    conn = open_peer(&rig, &self);
    send_goaway(conn, UINT32_MAX, "");
    rig_forget_log(&rig);
    offer(conn, "svc");
    assert_null(provider(&rig));
    assert_string_equal(rig.trace, "");
    rig_deinit(&rig);
}

/* ---- what is offered changes ---- */

static void test_services_replace(void **state)
{
    const struct fe_view other = FE_VIEW_LIT("other");
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    conn = open_peer(&rig, &self);
    rig_forget_log(&rig);
    offer(conn, "other");
    assert_null(provider(&rig));
    assert_int_equal(fe_registry_list(fe_mesh_registry(rig.mesh), &other, 1, NULL, 0), 1);
    offer(conn, "");
    assert_int_equal(fe_registry_list(fe_mesh_registry(rig.mesh), &other, 1, NULL, 0), 0);
    offer(conn, "svc");
    assert_non_null(provider(&rig));
    assert_string_equal(rig.trace,
                        "10.0.0.2:9000 (key 0e7665b3) has updated its services. Services: [other]\n"
                        "10.0.0.2:9000 (key 0e7665b3) has updated its services. Services: []\n"
                        "10.0.0.2:9000 (key 0e7665b3) has updated its services. Services: [svc]\n");
    rig_lose(conn, FLATEND_ECLOSED);
    assert_null(provider(&rig));
    rig_deinit(&rig);
}

static void test_peers_are_told_what_we_offer(void **state)
{
    struct fe_view names[] = {FE_VIEW_LIT("one"), FE_VIEW_LIT("two")};
    struct fe_self selves[3];
    struct rig_conn *conns[3];
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    for (uint8_t i = 0; i < 3; i++) {
        rig_make_self(&rig, &selves[i], (uint8_t)(2 + i));
    }
    selves[1].is_old_only = true;
    conns[0] = open_peer(&rig, &selves[0]);
    conns[1] = open_peer(&rig, &selves[1]);
    conns[2] = rig_accept(&rig, &selves[2]); /* has not said hello: will learn it from ours */
    assert_non_null(conns[2]);
    fe_mesh_set_services(rig.mesh, names, 2);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(rig_carry(conns[i]), 0);
        assert_int_equal(conns[i]->n_handshakes, 1);
        assert_int_equal(conns[i]->n_offers, i == 0);
    }
    assert_string_equal(conns[0]->offers, "one two ");
    fe_mesh_set_services(rig.mesh, NULL, 0);
    assert_int_equal(rig_carry(conns[2]), 0);
    assert_int_equal(conns[2]->n_offers, 1);
    assert_string_equal(conns[2]->offers, "");
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drain_without_links),
        cmocka_unit_test(test_requests_on_their_way_are_taken),
        cmocka_unit_test(test_every_peer_is_waited_for),
        cmocka_unit_test(test_answer_to_another_ping_does_not_count),
        cmocka_unit_test(test_peer_lost_while_draining),
        cmocka_unit_test(test_fault_while_draining),
        cmocka_unit_test(test_close_while_draining),
        cmocka_unit_test(test_stranger_is_closed_when_draining),
        cmocka_unit_test(test_stranger_with_a_key_is_not_reset_when_draining),
        cmocka_unit_test(test_dial_is_closed_when_draining),
        cmocka_unit_test(test_dial_that_connects_when_draining),
        cmocka_unit_test(test_node_that_is_just_met_is_told),
        cmocka_unit_test(test_node_that_sends_no_handshake),
        cmocka_unit_test(test_old_node_that_is_just_met),
        cmocka_unit_test(test_peer_that_leaves_is_not_asked),
        cmocka_unit_test(test_goaway_is_logged_once),
        cmocka_unit_test(test_services_after_goaway_do_not_count),
        cmocka_unit_test(test_services_replace),
        cmocka_unit_test(test_peers_are_told_what_we_offer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
