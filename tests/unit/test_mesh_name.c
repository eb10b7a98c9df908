/* Host names: looked up before each attempt, all of their addresses dialed, found again when they
 * have moved; and the name that is our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/rig.h"

static struct fe_addr addr_of(uint8_t number)
{
    return (struct fe_addr){.family = FE_IPV4, .ip = {10, 0, 0, number}};
}

static void start(struct rig *rig)
{
    rig_prepare(rig, 1);
    rig->config.reconnect_attempts = FLATEND_RECONNECT_UNSET;
    assert_int_equal(rig_start(rig), 0);
}

static void join_names(struct rig *rig, const char *const *hosts, size_t n)
{
    struct fe_seed seeds[16] = {0};

    for (size_t i = 0; i < n; i++) {
        seeds[i].host = fe_view_str(hosts[i]);
        seeds[i].addr.port = (uint16_t)(9000 + i);
    }
    assert_int_equal(fe_mesh_join(rig->mesh, seeds, n), 0);
}

static void join_name(struct rig *rig, const char *host)
{
    join_names(rig, &host, 1);
}

static void resolve_to(struct rig *rig, const char *host, uint8_t number)
{
    const struct fe_addr addr = addr_of(number);

    rig_resolve(rig, host, &addr, 1);
}

/* The connection's far end is `self`, and both have said hello. */
static void open_conn(struct rig_conn *conn, const struct fe_self *self)
{
    assert_int_equal(rig_open(conn, self), 0);
    assert_int_equal(rig_carry(conn), 0);
    assert_int_equal(conn->n_handshakes, 1);
}

static void assert_dialed(struct rig *rig, size_t index, uint8_t number)
{
    assert_int_equal(rig->n_conns, index + 1);
    assert_int_equal(rig_conn(rig, index)->addr.ip[3], number);
    assert_int_equal(rig_conn(rig, index)->addr.port, 9000);
}

/* ---- peers by name ---- */

static void test_joins_by_name(void **state)
{
    struct fe_self self;
    struct rig rig;

    (void)state;
    start(&rig);
    rig_make_self(&rig, &self, 2);
    join_name(&rig, "gw");
    assert_int_equal(rig.n_look_ups, 1);
    assert_int_equal(rig.n_conns, 0);
    resolve_to(&rig, "gw", 2);
    assert_dialed(&rig, 0, 2);
    open_conn(rig_conn(&rig, 0), &self);
    assert_true(rig_has_logged(&rig, "You are now connected to 10.0.0.2:9000."));
    rig_deinit(&rig);
}

/* Not before five seconds have passed, however often it is dialed; right then, so that it is found
 * again within six seconds. */
static void test_name_that_moves(void **state)
{
    struct fe_self self;
    struct rig rig;
    uint64_t moved_ms;
    size_t n = 1;

    (void)state;
    start(&rig);
    rig_make_self(&rig, &self, 3);
    join_name(&rig, "gw");
    resolve_to(&rig, "gw", 2);
    moved_ms = rig.now_ms; /* just now */
    rig_refuse(rig_conn(&rig, 0));
    while (rig.n_look_ups == 1) {
        rig_run(&rig, 1);
        while (n < rig.n_conns) {
            assert_dialed(&rig, n, 2);
            rig_refuse(rig_conn(&rig, n++));
        }
    }
    assert_in_range(rig.now_ms - moved_ms, 5000, 5000 + FE_MESH_LOOK_UP_JITTER_MS);
    assert_in_range(n, 4, 40); /* what was known was tried meanwhile */
    resolve_to(&rig, "gw", 3);
    assert_dialed(&rig, n, 3);
    open_conn(rig_conn(&rig, n), &self);
    assert_in_range(rig.now_ms - moved_ms, 0, 6000);
    rig_deinit(&rig);
}

/* A name that was not known at start is asked for every five seconds; it costs no attempt between
 * these. */
static void test_name_that_comes_late(void **state)
{
    struct rig rig;

    (void)state;
    start(&rig);
    join_name(&rig, "gw");
    for (size_t i = 1; i <= 12; i++) {
        const uint64_t from_ms = rig.now_ms;

        assert_int_equal(rig.n_look_ups, i);
        rig_resolve(&rig, "gw", NULL, 0);
        rig_run(&rig, FE_MESH_LOOK_UP_MS - 1);
        assert_int_equal(rig.n_look_ups, i);
        while (rig.n_look_ups == i) {
            rig_run(&rig, 1);
        }
        assert_in_range(rig.now_ms - from_ms, FE_MESH_LOOK_UP_MS,
                        FE_MESH_LOOK_UP_MS + FE_MESH_LOOK_UP_JITTER_MS);
    }
    assert_true(
        rig_has_logged(&rig, "Tried 8 times reconnecting to gw:9000: no such host. Trying on.\n"));
    assert_int_equal(rig.n_conns, 0);
    resolve_to(&rig, "gw", 2);
    assert_dialed(&rig, 0, 2);
    rig_deinit(&rig);
}

static void test_join_that_does_not_resolve(void **state)
{
    struct rig rig;

    (void)state;
    rig_prepare(&rig, 1);
    rig.config.reconnect_attempts = -1;
    assert_int_equal(rig_start(&rig), 0);
    join_name(&rig, "gw");
    rig_resolve(&rig, "gw", NULL, 0);
    rig_run(&rig, 1);
    assert_int_equal(rig.n_joined, 1);
    assert_int_equal(rig.n_waiting, 0);
    assert_int_equal(rig.join_error.code, FLATEND_ENOENT);
    rig_deinit(&rig);
}

static void test_all_addresses_are_dialed(void **state)
{
    const struct fe_addr addrs[] = {{.family = FE_IPV6, .ip = {[15] = 1}}, addr_of(2), addr_of(3)};
    struct rig rig;

    (void)state;
    start(&rig);
    join_name(&rig, "gw");
    rig_resolve(&rig, "gw", addrs, 3);
    assert_int_equal(rig.n_conns, 1);
    assert_int_equal(rig_conn(&rig, 0)->n_addrs, 3);
    for (size_t i = 0; i < 3; i++) {
        struct fe_addr expected = addrs[i];

        expected.port = 9000;
        assert_true(fe_addr_equal(&rig_conn(&rig, 0)->addrs[i], &expected));
    }
    rig_refuse(rig_conn(&rig, 0));
    rig_run(&rig, 500);
    assert_true(fe_addr_equal(&rig_conn(&rig, 1)->addrs[0], &rig_conn(&rig, 0)->addrs[0]));
    rig_deinit(&rig);
}

/* An address that accepts and is not the peer is the last one the next time. */
static void test_address_of_another(void **state)
{
    const struct fe_addr addrs[] = {addr_of(2), addr_of(3)};
    struct rig rig;

    (void)state;
    start(&rig);
    join_name(&rig, "gw");
    rig_resolve(&rig, "gw", addrs, 2);
    fe_link_on_open(rig_conn(&rig, 0)->link, 0);
    rig_lose(rig_conn(&rig, 0), FLATEND_ECLOSED);
    rig_run(&rig, 500);
    assert_int_equal(rig_conn(&rig, 1)->n_addrs, 2);
    assert_dialed(&rig, 1, 3);
    assert_int_equal(rig_conn(&rig, 1)->addrs[1].ip[3], 2);
    rig_deinit(&rig);
}

/* No server of names answers: the attempt has failed, or goes on with what was known. */
static void test_look_up_without_an_answer(void **state)
{
    struct fe_self self;
    struct rig rig;

    (void)state;
    start(&rig);
    rig_make_self(&rig, &self, 2);
    join_name(&rig, "gw");
    rig_run(&rig, FE_MESH_LOOK_UP_WAIT_MS);
    assert_true(rig_has_logged(&rig, "Trying to reconnect to gw:9000."));
    rig_run(&rig, 10000);
    assert_int_equal(rig.n_look_ups, 1); /* it still runs */
    resolve_to(&rig, "gw", 2);
    assert_int_equal(rig.n_conns, 0);
    rig_run(&rig, 6000);
    rig_resolve(&rig, "gw", (struct fe_addr[]){addr_of(2)}, 1);
    open_conn(rig_conn(&rig, 0), &self);
    rig_run(&rig, FE_MESH_LOOK_UP_MS);
    rig_lose(rig_conn(&rig, 0), FLATEND_ERESET);
    rig_run(&rig, 1);
    assert_int_equal(rig.n_look_ups, 3);
    assert_int_equal(rig.n_conns, 1);
    rig_run(&rig, FE_MESH_LOOK_UP_WAIT_MS);
    assert_dialed(&rig, 1, 2);
    rig_deinit(&rig);
    assert_true(rig.look_ups[2].is_canceled);
}

/* A fault of the moment does not take away what was known. */
static void test_look_up_that_fails(void **state)
{
    struct fe_self self;
    struct rig rig;

    (void)state;
    start(&rig);
    rig_make_self(&rig, &self, 2);
    join_name(&rig, "gw");
    resolve_to(&rig, "gw", 2);
    open_conn(rig_conn(&rig, 0), &self);
    rig_run(&rig, FE_MESH_LOOK_UP_MS);
    rig_lose(rig_conn(&rig, 0), FLATEND_ERESET);
    rig_run(&rig, 1);
    rig_fail_look_up(&rig, "gw");
    assert_dialed(&rig, 1, 2);
    rig_lose(rig_conn(&rig, 1), FLATEND_ERESET);
    rig.look_up_code = FLATEND_ELIMIT;
    rig_run(&rig, 20000);
    assert_int_equal(rig_conn(&rig, rig.n_conns - 1)->addr.ip[3], 2);
    rig_deinit(&rig);
}

/* Several ports of one host are one name. Not more than eight are looked up at once. */
static void test_many_names(void **state)
{
    static const char *const hosts[] = {"a", "A", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
    struct fe_addr addr = addr_of(2);
    struct rig rig;

    (void)state;
    start(&rig);
    join_names(&rig, hosts, sizeof(hosts) / sizeof(hosts[0]));
    assert_int_equal(rig.n_look_ups, FE_MESH_LOOK_UPS_MAX);
    for (size_t i = 0; i < 2; i++) {
        struct rig_look_up *look_up = &rig.look_ups[i];
        struct fe_name *name = look_up->name;

        look_up->name = NULL;
        fe_name_on_resolved(name, &addr, 1, NULL);
    }
    assert_int_equal(rig.n_look_ups, 10);
    assert_string_equal(rig.look_ups[9].host, "j");
    assert_int_equal(rig.n_conns, 3); /* a, A and b */
    fe_mesh_drain(rig.mesh);
    for (size_t i = 2; i < rig.n_look_ups; i++) {
        assert_true(rig.look_ups[i].is_canceled);
    }
    rig_deinit(&rig);
}

/* The names of all nodes of a mesh may be in the configuration of each. */
static void test_name_of_this_node(void **state)
{
    const struct fe_addr addrs[] = {addr_of(1), addr_of(2)};
    struct fe_self self;
    struct rig rig;

    (void)state;
    start(&rig);
    rig_make_self(&rig, &self, 2);
    join_name(&rig, "all");
    rig_resolve(&rig, "all", addrs, 1);
    assert_int_equal(rig_open(rig_conn(&rig, 0), &rig.self), 0);
    assert_int_equal(rig_carry(rig_conn(&rig, 0)), 0);
    assert_int_equal(rig_conn(&rig, 0)->n_closes, 1);
    rig_reap(&rig);
    rig_run(&rig, 1000);
    assert_int_equal(rig.n_conns, 1);
    assert_int_equal(rig.n_joined, 1); /* there is nothing to wait for */
    assert_int_equal(rig.n_connected, 0);
    rig_run(&rig, FE_MESH_REFUSED_MS);
    rig_resolve(&rig, "all", addrs, 2);
    assert_int_equal(rig.n_conns, 2);
    assert_int_equal(rig_conn(&rig, 1)->n_addrs, 1);
    assert_dialed(&rig, 1, 2);
    open_conn(rig_conn(&rig, 1), &self);
    rig_deinit(&rig);
}

/* Told of an address that a name has, a node is not dialed twice. */
static void test_discovered_under_a_name(void **state)
{
    static const char *const hosts[] = {"a", "b"};
    struct fe_self selves[2];
    struct fe_sender *sender;
    struct rig rig;

    (void)state;
    start(&rig);
    rig_make_self(&rig, &selves[0], 2);
    rig_make_self(&rig, &selves[1], 3);
    selves[1].id.addr.port = 9001;
    join_names(&rig, hosts, 2);
    rig.n_look_ups = 1;
    resolve_to(&rig, "a", 2);
    rig.n_look_ups = 2;
    resolve_to(&rig, "b", 3);
    assert_int_equal(rig.n_conns, 2);
    open_conn(rig_conn(&rig, 0), &selves[0]);
    rig_run(&rig, FE_MESH_GRACE_MS);
    assert_int_equal(rig_carry(rig_conn(&rig, 0)), 0);
    sender = rig_sender(rig_conn(&rig, 0));
    assert_int_equal(sender->ops->nodes(sender, rig_conn(&rig, 0)->find_token, &selves[1].id, 1),
                     0);
    assert_int_equal(rig_carry(rig_conn(&rig, 0)), 0);
    assert_int_equal(rig.n_conns, 2);
    rig_deinit(&rig);
}

/* ---- our own name ---- */

static void start_named(struct rig *rig)
{
    rig_prepare(rig, 1);
    rig->config.public_host = FE_VIEW_LIT("me");
    rig->config.self.id.addr = (struct fe_ip_addr){.family = FE_IPV6, .port = 9000};
    assert_int_equal(rig_start(rig), 0);
}

/* Where the mesh has told its peer that it is. */
static const struct fe_ip_addr *told(const struct rig_conn *conn)
{
    return &conn->session.peer_id.addr;
}

/* Nothing of a Handshake is said before it is known. */
static void test_own_name(void **state)
{
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    start_named(&rig);
    rig_make_self(&rig, &self, 2);
    conn = rig_accept(&rig, &self);
    assert_non_null(conn);
    assert_false(conn->is_reading);
    resolve_to(&rig, "me", 7);
    assert_true(conn->is_reading);
    assert_int_equal(rig_carry(conn), 0);
    assert_int_equal(told(conn)->ip[3], 7);
    assert_int_equal(told(conn)->port, 9000);
    assert_true(rig_has_logged(&rig, "This node's address is 10.0.0.7:9000 now (me).\n"));

    /* It moves: those who come later are told. */
    conn = rig_accept(&rig, &self);
    assert_true(conn->is_reading); /* it was looked up a moment ago */
    rig_run(&rig, FE_MESH_LOOK_UP_MS);
    conn = rig_accept(&rig, &self);
    assert_false(conn->is_reading);
    rig_resolve(&rig, "me", (struct fe_addr[]){addr_of(9), addr_of(8)}, 2);
    assert_int_equal(rig_carry(conn), 0);
    assert_int_equal(told(conn)->ip[3], 9);

    /* Of several, the one that is known stays. */
    rig_run(&rig, FE_MESH_LOOK_UP_MS);
    conn = rig_accept(&rig, &self);
    rig_resolve(&rig, "me", (struct fe_addr[]){addr_of(8), addr_of(9)}, 2);
    assert_int_equal(rig_carry(conn), 0);
    assert_int_equal(told(conn)->ip[3], 9);
    rig_deinit(&rig);
}

/* A server of names that does not answer does not keep peers out. */
static void test_own_name_without_an_answer(void **state)
{
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    start_named(&rig);
    rig_make_self(&rig, &self, 2);
    conn = rig_accept(&rig, &self);
    rig_run(&rig, FE_MESH_LOOK_UP_WAIT_MS - 1);
    assert_false(conn->is_reading);
    rig_run(&rig, 1);
    assert_true(conn->is_reading);
    assert_int_equal(rig_carry(conn), 0);
    assert_int_equal(conn->n_handshakes, 1);
    rig_deinit(&rig);
}

/* Before it dials, too. */
static void test_own_name_before_dialing(void **state)
{
    const struct fe_seed seed = {.addr = {.family = FE_IPV4, .ip = {10, 0, 0, 2}, .port = 9000}};
    struct fe_self self;
    struct rig rig;

    (void)state;
    start_named(&rig);
    rig_make_self(&rig, &self, 2);
    assert_int_equal(fe_mesh_join(rig.mesh, &seed, 1), 0);
    assert_int_equal(rig.n_conns, 0);
    resolve_to(&rig, "me", 7);
    open_conn(rig_conn(&rig, 0), &self);
    assert_int_equal(told(rig_conn(&rig, 0))->ip[3], 7);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joins_by_name),
        cmocka_unit_test(test_name_that_moves),
        cmocka_unit_test(test_name_that_comes_late),
        cmocka_unit_test(test_join_that_does_not_resolve),
        cmocka_unit_test(test_all_addresses_are_dialed),
        cmocka_unit_test(test_address_of_another),
        cmocka_unit_test(test_look_up_without_an_answer),
        cmocka_unit_test(test_look_up_that_fails),
        cmocka_unit_test(test_many_names),
        cmocka_unit_test(test_name_of_this_node),
        cmocka_unit_test(test_discovered_under_a_name),
        cmocka_unit_test(test_own_name),
        cmocka_unit_test(test_own_name_without_an_answer),
        cmocka_unit_test(test_own_name_before_dialing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
