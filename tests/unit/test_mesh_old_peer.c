/* Old peers: which implementation they are, when requests reach them, which nodes they are told of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mesh/rpc/call.h"
#include "mesh/session/old.h"
#include "support/rig.h"

enum { N = 5 };

static const struct fe_view svc = {(const uint8_t *)"svc", 3};

struct world {
    struct rig rig;
    struct fe_self selves[N];
    struct rig_conn *conns[N];
    struct fe_call call;
    unsigned n_writable;
    int code;
};

static void on_response(struct fe_call *call, struct fe_headers headers)
{
    (void)call;
    (void)headers;
}

static size_t on_data(struct fe_call *call, struct fe_view data)
{
    (void)call;
    return data.len;
}

static void on_writable(struct fe_call *call)
{
    ((struct world *)call->owner)->n_writable++;
}

static void on_end(struct fe_call *call, struct fe_headers trailers)
{
    (void)trailers;
    ((struct world *)call->owner)->code = 0;
}

static void on_reset(struct fe_call *call, int code)
{
    ((struct world *)call->owner)->code = code;
}

static const struct fe_call_ops call_ops = {
    .on_response = on_response,
    .on_data = on_data,
    .on_end = on_end,
    .on_writable = on_writable,
    .on_reset = on_reset,
};

static int setup(void **state)
{
    static struct world world;

    memset(&world, 0, sizeof(world));
    world.code = 1;
    *state = &world;
    assert_int_equal(rig_init(&world.rig, 1), 0);
    for (unsigned i = 0; i < N; i++) {
        rig_make_self(&world.rig, &world.selves[i], (uint8_t)(2 + i));
        world.selves[i].is_old_only = true;
    }
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    rig_deinit(&world->rig);
    return 0;
}

/* Peer `i` connects, as it is said to be in `selves`. */
static struct rig_conn *come(struct world *world, size_t i)
{
    world->conns[i] = rig_accept(&world->rig, &world->selves[i]);
    assert_non_null(world->conns[i]);
    assert_int_equal(rig_carry(world->conns[i]), 0);
    return world->conns[i];
}

/* Answers the question that was asked last, as a node that knows no other. */
static void answer(struct rig_conn *conn, uint32_t token)
{
    assert_int_equal(rig_sender(conn)->ops->nodes(rig_sender(conn), token, NULL, 0), 0);
    assert_int_equal(rig_carry(conn), 0);
}

/* A Node.js node has not answered the question that has a number of its own; a Go node has. */
static void answer_as_npm(struct rig_conn *conn)
{
    assert_true(conn->find_token != 0);
    answer(conn, conn->find_token);
}

static void answer_as_go(struct rig_conn *conn)
{
    assert_true(conn->session.self->is_go_like); /* it has answered that by itself */
    answer(conn, conn->find_token);
}

/* Looks for its own key; how many nodes it is told of. */
static size_t look(struct world *world, size_t i)
{
    struct rig_conn *conn = world->conns[i];
    uint32_t token;

    conn->has_nodes = false;
    assert_int_equal(
        rig_sender(conn)->ops->find_node(rig_sender(conn), world->selves[i].id.public_key, &token),
        0);
    assert_int_equal(rig_carry(conn), 0);
    return conn->has_nodes ? conn->n_nodes : SIZE_MAX;
}

static bool is_told_of(const struct world *world, size_t i, size_t of)
{
    const struct rig_conn *conn = world->conns[i];

    for (size_t j = 0; j < conn->n_nodes; j++) {
        if (memcmp(conn->nodes[j].public_key, world->selves[of].id.public_key, FE_KEY_LEN) == 0) {
            return true;
        }
    }
    return false;
}

static void call(struct world *world)
{
    const struct fe_call_env env = {fe_mesh_registry(world->rig.mesh), &world->rig.timers, NULL};
    const struct fe_call_request request = {
        .services = &svc, .n_services = 1, .deadline_ms = FE_TIME_NEVER};

    assert_int_equal(fe_call_start(&world->call, &env, &request, &call_ops, world), 0);
}

/* Whether the request has reached it. */
static bool is_asked(struct world *world, size_t i)
{
    rig_run(&world->rig, 1); /* what a timer does is followed by what it leads to */
    assert_int_equal(rig_carry(world->conns[i]), 0);
    return world->conns[i]->stream != 0;
}

static void stop(struct world *world)
{
    fe_call_reset(&world->call, FE_REASON_CANCEL);
}

/* ---- when requests reach them ---- */

static void test_npm_is_ready_once_it_is_known(void **state)
{
    struct world *world = *state;

    come(world, 0);
    call(world);
    assert_false(is_asked(world, 0));
    answer_as_npm(world->conns[0]);
    assert_true(is_asked(world, 0));
    assert_int_equal(world->conns[0]->link->session.sender.head_max, FE_OLD_NPM_HEAD_MAX);
    stop(world);
}

static void test_go_is_ready_when_it_looks_for_nodes(void **state)
{
    struct world *world = *state;

    world->selves[0].is_go_like = true;
    come(world, 0);
    call(world);
    answer_as_go(world->conns[0]);
    assert_false(is_asked(world, 0));
    assert_int_equal(look(world, 0), 0);
    assert_true(is_asked(world, 0));
    assert_int_equal(world->conns[0]->link->session.sender.head_max, FE_OLD_HEAD_MAX);
    stop(world);
}

/* For the time of a probe it has forgotten who we are. */
static void test_go_that_probes_again_is_waited_for(void **state)
{
    struct world *world = *state;

    world->selves[0].is_go_like = true;
    come(world, 0);
    answer_as_go(world->conns[0]);
    assert_int_equal(look(world, 0), 0);
    assert_int_equal(fe_old_send_handshake(&world->conns[0]->session), 0);
    assert_int_equal(rig_carry(world->conns[0]), 0);
    call(world);
    assert_false(is_asked(world, 0));
    assert_int_equal(look(world, 0), 0);
    assert_true(is_asked(world, 0));
    stop(world);
}

/* It has reconnected, and looks for nothing. */
static void test_go_is_not_waited_for_for_ever(void **state)
{
    struct world *world = *state;

    world->selves[0].is_go_like = true;
    come(world, 0);
    answer_as_go(world->conns[0]);
    call(world);
    rig_run(&world->rig, FE_MESH_HOLD_MS - 2);
    assert_false(is_asked(world, 0));
    rig_run(&world->rig, 1);
    assert_true(is_asked(world, 0));
    stop(world);
}

static void test_peer_that_does_not_answer_is_not_waited_for_for_ever(void **state)
{
    struct world *world = *state;

    come(world, 0);
    call(world);
    rig_run(&world->rig, FE_MESH_HOLD_MS);
    assert_true(is_asked(world, 0));
    stop(world);
}

/* A Go node that begins to look for nodes while it has something to write dials once more. */
static void test_anonymous_peer_is_asked_once_it_has_looked(void **state)
{
    struct world *world = *state;

    world->selves[0].is_anonymous = true;
    come(world, 0);
    assert_int_equal(world->conns[0]->find_token, 0);
    (void)look(world, 0);
    answer_as_npm(world->conns[0]);
    call(world);
    assert_true(is_asked(world, 0));
    stop(world);
}

static void test_anonymous_peer_that_does_not_look_is_asked_all_the_same(void **state)
{
    struct world *world = *state;

    world->selves[0].is_anonymous = true;
    come(world, 0);
    call(world);
    rig_run(&world->rig, FE_MESH_LOOK_MS);
    assert_false(is_asked(world, 0));
    answer_as_npm(world->conns[0]);
    assert_true(is_asked(world, 0));
    stop(world);
}

static void test_body_waits_with_its_request(void **state)
{
    struct world *world = *state;

    come(world, 0);
    call(world);
    assert_int_equal(fe_call_write(&world->call, svc), 0);
    answer_as_npm(world->conns[0]);
    rig_run(&world->rig, 0);
    assert_int_equal(world->n_writable, 1);
    assert_int_equal(fe_call_write(&world->call, svc), 3);
    assert_int_equal(fe_call_finish(&world->call, NULL, 0), 0);
    assert_true(is_asked(world, 0));
    stop(world);
}

static void test_request_of_a_peer_that_goes_fails(void **state)
{
    struct world *world = *state;

    come(world, 0);
    call(world);
    rig_lose(world->conns[0], FLATEND_ECLOSED);
    assert_int_equal(world->code, 1); /* not from within somebody's call */
    rig_run(&world->rig, 0);
    assert_int_equal(world->code, FLATEND_ENOPROVIDER);
}

static void test_request_that_waits_is_given_up(void **state)
{
    struct world *world = *state;

    come(world, 0);
    call(world);
    stop(world);
    answer_as_npm(world->conns[0]);
    assert_false(is_asked(world, 0));
}

static void test_one_that_is_ready_is_asked_instead(void **state)
{
    struct world *world = *state;

    come(world, 0);
    answer_as_npm(world->conns[0]);
    come(world, 1);
    for (int i = 0; i < 20; i++) {
        call(world);
        assert_true(is_asked(world, 0));
        assert_false(is_asked(world, 1));
        stop(world);
    }
}

/* Its answers come on the wrong one of two connections. */
static void test_requests_go_over_one_link_to_a_go_node(void **state)
{
    struct world *world = *state;

    for (size_t i = 0; i < 2; i++) {
        world->selves[1] = world->selves[0];
        world->selves[i].is_go_like = true;
        come(world, i);
        answer_as_go(world->conns[i]);
        assert_int_equal(look(world, i), 0);
    }
    for (int i = 0; i < 20; i++) {
        call(world);
        assert_true(is_asked(world, 0));
        assert_false(is_asked(world, 1));
        stop(world);
    }
    rig_lose(world->conns[0], FLATEND_ECLOSED);
    call(world);
    assert_true(is_asked(world, 1));
    stop(world);
}

/* Late, or of another connection: no fault of this one. */
static void test_go_may_answer_what_it_was_not_asked(void **state)
{
    struct world *world = *state;
    struct fe_sender *sender;

    world->selves[0].is_go_like = true;
    come(world, 0);
    answer_as_go(world->conns[0]);
    sender = rig_sender(world->conns[0]);
    assert_int_equal(sender->ops->response(sender, 77, true, NULL, 0), 0);
    assert_int_equal(sender->ops->data(sender, 77, svc), 0);
    assert_int_equal(sender->ops->end(sender, 77, NULL, 0), 0);
    assert_int_equal(rig_carry(world->conns[0]), 0);
    assert_int_equal(look(world, 0), 0);
}

/* ---- which nodes they are told of ---- */

static void test_npm_is_told_of_each_node_once(void **state)
{
    struct world *world = *state;

    world->selves[1].is_old_only = false;
    world->selves[2].is_old_only = false;
    come(world, 0);
    answer_as_npm(world->conns[0]);
    come(world, 1);
    assert_int_equal(look(world, 0), 1);
    assert_true(is_told_of(world, 0, 1));
    assert_int_equal(look(world, 0), 0);
    come(world, 2);
    assert_int_equal(look(world, 0), 1);
    assert_true(is_told_of(world, 0, 2));
}

/* They would name each other, and it would ask them for ever. */
static void test_npm_is_not_told_of_two_old_nodes(void **state)
{
    struct world *world = *state;

    world->selves[2].is_old_only = false;
    come(world, 0);
    answer_as_npm(world->conns[0]);
    come(world, 1);
    come(world, 2);
    come(world, 3);
    assert_int_equal(look(world, 0), 1);
    assert_true(is_told_of(world, 0, 2));
}

static void test_npm_is_told_of_one_old_node(void **state)
{
    struct world *world = *state;

    come(world, 0);
    answer_as_npm(world->conns[0]);
    come(world, 1);
    assert_int_equal(look(world, 0), 1);
    assert_true(is_told_of(world, 0, 1));
}

static void come_as_go(struct world *world, size_t i)
{
    world->selves[i].is_go_like = true;
    come(world, i);
    answer_as_go(world->conns[i]);
}

static void test_go_is_told_of_all_but_npm_each_time(void **state)
{
    struct world *world = *state;

    world->selves[2].is_old_only = false;
    come_as_go(world, 0);
    come_as_go(world, 1);
    come(world, 2);
    come_as_go(world, 3);
    come(world, 4);
    answer_as_npm(world->conns[4]);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(look(world, 0), 3);
        assert_false(is_told_of(world, 0, 0));
        assert_false(is_told_of(world, 0, 4));
    }
}

/* It would get the responses of others from it, and end. */
static void test_npm_is_not_told_of_go(void **state)
{
    struct world *world = *state;

    come(world, 0);
    answer_as_npm(world->conns[0]);
    come_as_go(world, 1);
    assert_int_equal(look(world, 0), 0);
    come_as_go(world, 2);
    come(world, 3);
    answer_as_npm(world->conns[3]);
    assert_int_equal(look(world, 0), 1); /* the only one that it could meet */
    assert_true(is_told_of(world, 0, 3));
}

/* It takes the address "2001:db8::1:9000" for none, and ends. */
static void test_npm_is_told_of_no_ipv6_address(void **state)
{
    const struct fe_ip_addr v6 = {
        .family = FE_IPV6, .ip = {0x20, 1, 0xd, 0xb8, [15] = 1}, .port = 9000};
    struct world *world = *state;

    for (size_t i = 1; i < 3; i++) {
        world->selves[i].is_old_only = false;
    }
    world->selves[1].id.addr = v6;
    come(world, 0);
    answer_as_npm(world->conns[0]);
    come_as_go(world, 3);
    come(world, 1);
    come(world, 2);
    assert_int_equal(look(world, 0), 1);
    assert_true(is_told_of(world, 0, 2));
    assert_int_equal(look(world, 3), 2);
    assert_true(is_told_of(world, 3, 1));
}

/* ---- how a link to it ends ---- */

/* More questions than a peer may have; whether what it still sends is read until it closes. */
static bool ends_with_a_drain(struct world *world, size_t i)
{
    struct rig_conn *conn = world->conns[i];
    struct fe_sender *sender = rig_sender(conn);
    uint32_t token;

    while (conn->n_closes == 0) {
        assert_int_equal(sender->ops->find_node(sender, world->selves[i].id.public_key, &token), 0);
        if (rig_carry(conn) != 0) {
            break;
        }
    }
    return conn->is_drained;
}

/* A Node.js process ends when a connection of it is reset. */
static void test_npm_at_fault_is_not_reset(void **state)
{
    struct world *world = *state;

    come(world, 0);
    answer_as_npm(world->conns[0]);
    come_as_go(world, 1);
    assert_true(ends_with_a_drain(world, 0));
    assert_false(ends_with_a_drain(world, 1));
}

/* ---- an anonymous node that calls ---- */

/* The mesh, anonymous, has dialed peer 0. */
static void dial(struct world *world)
{
    const struct fe_seed seed = {.addr = fe_addr_of_ip(&world->selves[0].id.addr)};

    rig_deinit(&world->rig);
    rig_prepare(&world->rig, 1);
    world->rig.config.self.is_anonymous = true;
    assert_int_equal(rig_start(&world->rig), 0);
    rig_make_self(&world->rig, &world->selves[0], 2);
    world->selves[0].is_old_only = true;
    assert_int_equal(fe_mesh_join(world->rig.mesh, &seed, 1), 0);
    world->conns[0] = rig_conn(&world->rig, 0);
}

static void test_anonymous_node_introduces_itself_to_go(void **state)
{
    const uint8_t broadcast[] = {255, 255, 255, 255}; /* where no node can be */
    struct world *world = *state;
    struct rig_conn *conn;

    dial(world);
    world->selves[0].is_go_like = true;
    conn = world->conns[0];
    assert_int_equal(rig_open(conn, &world->selves[0]), 0);
    assert_int_equal(rig_carry(conn), 0);
    assert_int_equal(conn->n_handshakes, 2);
    assert_true(conn->session.has_peer_id);
    assert_memory_equal(conn->session.peer_id.addr.ip, broadcast, sizeof(broadcast));
    call(world);
    assert_true(is_asked(world, 0));
    stop(world);
}

static void test_anonymous_node_does_not_introduce_itself_to_npm(void **state)
{
    struct world *world = *state;

    dial(world);
    assert_int_equal(rig_open(world->conns[0], &world->selves[0]), 0);
    assert_int_equal(rig_carry(world->conns[0]), 0);
    call(world);
    answer(world->conns[0], world->conns[0]->find_token - 2); /* behind it we look for nodes */
    assert_true(is_asked(world, 0));
    assert_int_equal(world->conns[0]->n_handshakes, 1);
    stop(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_npm_is_ready_once_it_is_known, setup, teardown),
        cmocka_unit_test_setup_teardown(test_go_is_ready_when_it_looks_for_nodes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_go_that_probes_again_is_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_go_is_not_waited_for_for_ever, setup, teardown),
        cmocka_unit_test_setup_teardown(test_peer_that_does_not_answer_is_not_waited_for_for_ever,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_anonymous_peer_is_asked_once_it_has_looked, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_anonymous_peer_that_does_not_look_is_asked_all_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(test_body_waits_with_its_request, setup, teardown),
        cmocka_unit_test_setup_teardown(test_request_of_a_peer_that_goes_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_request_that_waits_is_given_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_that_is_ready_is_asked_instead, setup, teardown),
        cmocka_unit_test_setup_teardown(test_requests_go_over_one_link_to_a_go_node, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_go_may_answer_what_it_was_not_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_npm_is_told_of_each_node_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_npm_is_not_told_of_two_old_nodes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_npm_is_told_of_one_old_node, setup, teardown),
        cmocka_unit_test_setup_teardown(test_go_is_told_of_all_but_npm_each_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_npm_is_not_told_of_go, setup, teardown),
        cmocka_unit_test_setup_teardown(test_npm_is_told_of_no_ipv6_address, setup, teardown),
        cmocka_unit_test_setup_teardown(test_npm_at_fault_is_not_reset, setup, teardown),
        cmocka_unit_test_setup_teardown(test_anonymous_node_introduces_itself_to_go, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_anonymous_node_does_not_introduce_itself_to_npm, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
