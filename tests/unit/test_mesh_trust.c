/* Which peers are allowed: pins, rejections both ways and what becomes of the address; what a peer
 * at fault is told; what happens to output that is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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

/* Trust in one key only. */
struct only {
    struct fe_trust trust;
    uint8_t keys[1][FE_KEY_LEN];
};

static void only_init(struct only *only, const uint8_t key[FE_KEY_LEN])
{
    *only = (struct only){.trust.n_allowed = 1};
    only->trust.allowed = (const uint8_t(*)[FE_KEY_LEN])only->keys;
    memcpy(only->keys[0], key, FE_KEY_LEN);
}

/* A far end that allows only a key that no node has. */
static void refuse_all(struct fe_self *self, struct only *only)
{
    static const uint8_t none[FE_KEY_LEN] = {1};

    only_init(only, none);
    self->trust = &only->trust;
}

/* ---- pins ---- */

static void join_pinned(struct rig *rig, const struct fe_self *there, const uint8_t key[FE_KEY_LEN])
{
    struct fe_seed seed = {.addr = fe_addr_of_ip(&there->id.addr), .is_pinned = true};

    memcpy(seed.key, key, FE_KEY_LEN);
    assert_int_equal(fe_mesh_join(rig->mesh, &seed, 1), 0);
    assert_int_equal(rig->n_conns, 1);
}

static void test_pinned_node(void **state)
{
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    join_pinned(&rig, &self, self.id.public_key);
    for (size_t i = 0; i < 2; i++) { /* the pin holds for a later node at the address, too */
        conn = rig_conn(&rig, i);
        assert_int_equal(rig_open(conn, &self), 0);
        assert_int_equal(rig_carry(conn), 0);
        assert_int_equal(conn->n_handshakes, 1);
        assert_int_equal(conn->n_closes, 0);
        assert_non_null(provider(&rig));
        rig_lose(conn, FLATEND_ERESET);
        rig_run(&rig, 1000);
        assert_int_equal(rig.n_conns, i + 2);
    }
    rig_deinit(&rig);
}

/* Another key, an anonymous peer, an old peer with the right key: which proves nothing. */
static void test_another_node_at_a_pinned_address(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        struct fe_self right;
        struct fe_self self;
        struct rig rig;
        struct rig_conn *conn;

        assert_int_equal(rig_init(&rig, 1), 0);
        rig_make_self(&rig, &right, 2);
        rig_make_self(&rig, &self, 2);
        self.is_anonymous = kind == 1;
        if (kind == 2) {
            self = right;
            self.is_old_only = true;
        }
        join_pinned(&rig, &self, right.id.public_key);
        conn = rig_conn(&rig, 0);
        assert_int_equal(rig_open(conn, &self), 0);
        (void)!rig_carry(conn);
        assert_int_equal(conn->n_closes, 1);
        assert_null(provider(&rig));
        assert_int_equal(rig.mesh->table.n, 0);
        assert_true(rig_has_logged(&rig, "Closed the connection to 10.0.0.2:9000: "));
        assert_false(rig_has_logged(&rig, "You are now connected"));
        rig_reap(&rig);
        assert_true(rig_has_logged(&rig, "Rejected 10.0.0.2:9000: not allowed; retrying in 1m0s."));

        /* The right one comes back. */
        rig_run(&rig, FE_MESH_REFUSED_MS);
        conn = rig_conn(&rig, rig.n_conns - 1);
        assert_ptr_not_equal(conn, rig_conn(&rig, 0));
        assert_int_equal(rig_open(conn, &right), 0);
        assert_int_equal(rig_carry(conn), 0);
        assert_non_null(provider(&rig));
        rig_deinit(&rig);
    }
}

/* ---- refusals ---- */

/* The far end of this connection does not let the mesh in. */
static void refuse(struct rig_conn *conn, const struct fe_self *self)
{
    assert_int_equal(rig_open(conn, self), 0);
    assert_int_equal(rig_carry(conn), FLATEND_EDENIED);
    rig_carry_to_mesh(conn);
    assert_int_equal(conn->n_closes, 1);
    rig_reap(conn->rig);
}

static void test_refused_node_asks_again_in_a_minute(void **state)
{
    struct only none;
    struct fe_self self;
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    refuse_all(&self, &none);
    assert_int_equal(join_id(rig.mesh, &self.id), 0);
    refuse(rig_conn(&rig, 0), &self);
    assert_string_equal(rig.trace, "Closed the connection to 10.0.0.2:9000: rejected by the peer: "
                                   "key not allowed.\n"
                                   "Rejected by 10.0.0.2:9000: not allowed; retrying in 1m0s.\n");
    rig_run(&rig, 0);
    assert_int_equal(rig.n_joined, 1); /* without waiting for a minute */
    assert_int_equal(rig.n_connected, 0);
    rig_run(&rig, FE_MESH_REFUSED_MS - 1);
    assert_int_equal(rig.n_conns, 1);
    rig_run(&rig, 1);
    assert_int_equal(rig.n_conns, 2);
    rig_deinit(&rig);
}

/* An attacker on the way may reject in the peer's name, as often as it likes: once it does not, the
 * two connect. */
static void test_forged_refusals_do_not_part_two_nodes(void **state)
{
    enum { N = 50 }; /* far more than the attempts that an address has */
    struct only none;
    struct fe_self forger;
    struct fe_self self;
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    rig_make_self(&rig, &forger, 2);
    refuse_all(&forger, &none);
    assert_int_equal(join_id(rig.mesh, &self.id), 0);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(rig.n_conns, i + 1);
        refuse(rig_conn(&rig, i), &forger);
        rig_run(&rig, FE_MESH_REFUSED_MS);
    }
    assert_int_equal(rig_open(rig_conn(&rig, N), &self), 0);
    assert_int_equal(rig_carry(rig_conn(&rig, N)), 0);
    assert_non_null(provider(&rig));
    assert_int_not_equal(rig_conn(&rig, N)->find_token,
                         0); /* the nodes that it knows are missing */
    assert_int_equal(rig.n_joined, 1);
    assert_int_equal(rig.n_connected, 0);
    assert_int_equal(rig.n_waiting, 0);
    assert_int_equal(rig.join_error.code, FLATEND_EDENIED);
    rig_deinit(&rig);
}

/* A refusal was an answer: the attempts after it are all there. */
static void test_attempts_after_a_refusal(void **state)
{
    struct only none;
    struct fe_self self;
    struct rig rig;

    (void)state;
    rig_prepare(&rig, 1);
    rig.config.reconnect_attempts = 2;
    assert_int_equal(rig_start(&rig), 0);
    rig_make_self(&rig, &self, 2);
    refuse_all(&self, &none);
    assert_int_equal(join_id(rig.mesh, &self.id), 0);
    rig_refuse(rig_conn(&rig, 0));
    rig_run(&rig, 1000);
    assert_int_equal(rig.n_conns, 2);
    refuse(rig_conn(&rig, 1), &self);
    rig_run(&rig, FE_MESH_REFUSED_MS);
    for (size_t i = 2; i <= 4; i++) {
        assert_int_equal(rig.n_conns, i + 1);
        rig_refuse(rig_conn(&rig, i));
        rig_run(&rig, 1000);
    }
    assert_int_equal(rig.n_conns, 5);
    assert_true(rig_has_logged(&rig, "Tried 2 times reconnecting to 10.0.0.2:9000. Giving up.\n"));
    rig_deinit(&rig);
}

/* It lets us in, and later not any more. */
static void test_thrown_out(void **state)
{
    struct fe_sender *sender;
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    assert_int_equal(join_id(rig.mesh, &self.id), 0);
    conn = rig_conn(&rig, 0);
    assert_int_equal(rig_open(conn, &self), 0);
    assert_int_equal(rig_carry(conn), 0);
    sender = rig_sender(conn);
    assert_int_equal(sender->ops->goaway(sender, 0, FE_REASON_DENIED, FE_VIEW_LIT("go")), 0);
    rig_carry_to_mesh(conn);
    assert_int_equal(conn->n_closes, 1);
    assert_null(provider(&rig));
    rig_reap(&rig);
    rig_run(&rig, FE_MESH_REFUSED_MS - 1);
    assert_int_equal(rig.n_conns, 1);
    rig_run(&rig, 1);
    assert_int_equal(rig.n_conns, 2);
    rig_deinit(&rig);
}

/* An address that discovery has heard of is worth one attempt. */
static void test_discovered_node_that_refuses_is_forgotten(void **state)
{
    struct only none;
    struct fe_self selves[2];
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &selves[0], 2);
    rig_make_self(&rig, &selves[1], 3);
    refuse_all(&selves[1], &none);
    assert_int_equal(join_id(rig.mesh, &selves[0].id), 0);
    conn = rig_conn(&rig, 0);
    assert_int_equal(rig_open(conn, &selves[0]), 0);
    assert_int_equal(rig_carry(conn), 0);
    assert_int_equal(
        rig_sender(conn)->ops->nodes(rig_sender(conn), conn->find_token, &selves[1].id, 1), 0);
    assert_int_equal(rig_carry(conn), 0);
    assert_int_equal(rig.n_conns, 2);
    refuse(rig_conn(&rig, 1), &selves[1]);
    assert_false(rig_has_logged(&rig, "Asking again"));
    rig_run(&rig, 3600000);
    assert_int_equal(rig.n_conns, 2);
    assert_int_equal(rig.n_joined, 1);
    rig_deinit(&rig);
}

/* Peers that dial us: each is told, and nothing else fails. */
static void test_stranger_is_told(void **state)
{
    struct only only;
    struct fe_self friend;
    struct fe_self stranger;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    rig_prepare(&rig, 1);
    rig_make_self(&rig, &friend, 2);
    rig_make_self(&rig, &stranger, 3);
    only_init(&only, friend.id.public_key);
    rig.config.self.trust = &only.trust;
    assert_int_equal(rig_start(&rig), 0);
    open_peer(&rig, &friend);
    rig_forget_log(&rig);
    conn = rig_accept(&rig, &stranger);
    assert_non_null(conn);
    assert_int_equal(rig_carry(conn), FLATEND_EDENIED); /* the far end knows why */
    assert_true(conn->session.is_refused);
    assert_int_equal(conn->n_closes, 1);
    assert_true(conn->is_drained);
    assert_string_equal(rig.trace, "Closed the connection to 10.9.9.9:50000: key not allowed.\n");
    rig_reap(&rig);
    assert_int_equal(fe_registry_list(fe_mesh_registry(rig.mesh), &svc, 1, NULL, 0), 1);
    assert_int_equal(rig.mesh->table.n, 1);
    rig_deinit(&rig);
}

/* ---- faults of peers that are connected ---- */

/* What the peer is told is what the log says. */
static void test_fault_is_told(void **state)
{
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;
    char line[512];

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    conn = open_peer(&rig, &self);
    rig_forget_log(&rig);
    /* A window for all streams that no honest peer lets grow so far. */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rig_sender(conn)->ops->window(rig_sender(conn), 0, INT32_MAX), 0);
    }
    assert_int_equal(rig_carry(conn), 0);
    assert_int_equal(conn->n_closes, 1);
    assert_true(conn->is_drained);
    assert_int_equal(conn->n_goaways, 1);
    assert_int_equal(conn->goaway_reason, FE_REASON_FLOW);
    (void)snprintf(line, sizeof(line),
                   "Closed the connection to 10.0.0.2:9000 (key 0e7665b3): %s.\n",
                   conn->goaway_text);
    assert_string_equal(rig.trace, line);
    rig_deinit(&rig);
}

/* Also one that only the mesh sees. */
static void test_peer_that_does_not_read_is_told(void **state)
{
    uint8_t *unread = calloc(1, FE_MESH_OUT_MAX);
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;
    uint32_t token;

    (void)state;
    assert_non_null(unread);
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    conn = open_peer(&rig, &self);
    assert_int_equal(fe_chain_append(&conn->out, unread, FE_MESH_OUT_MAX), 0);
    free(unread);
    for (int i = 0; i < 2; i++) { /* the answer to the first is the byte too much */
        assert_int_equal(conn->n_closes, 0);
        assert_int_equal(
            rig_sender(conn)->ops->find_node(rig_sender(conn), self.id.public_key, &token), 0);
        rig_carry_to_mesh(conn);
    }
    assert_int_equal(conn->n_closes, 1);
    fe_chain_consume(&conn->out, FE_MESH_OUT_MAX); /* now it reads */
    assert_int_equal(rig_carry_from_mesh(conn), 0);
    assert_int_equal(conn->n_goaways, 1);
    assert_int_equal(conn->goaway_reason, FE_REASON_PROTOCOL);
    assert_string_equal(conn->goaway_text, "output limit exceeded: peer does not read");
    rig_deinit(&rig);
}

/* A service that it may not provide: offered in SERVICES, it ends the session. */
static void test_service_that_is_not_allowed(void **state)
{
    static const uint8_t owner[1][FE_KEY_LEN] = {{1}};
    const struct fe_trust_rule rule = {FE_VIEW_LIT("guarded"), owner, 1};
    const struct fe_trust trust = {.rules = &rule, .n_rules = 1};
    const struct fe_offer offer = {FE_VIEW_LIT("guarded"), FE_WEIGHT_DEFAULT};
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    rig_prepare(&rig, 1);
    rig.config.self.trust = &trust;
    assert_int_equal(rig_start(&rig), 0);
    rig_make_self(&rig, &self, 2);
    conn = open_peer(&rig, &self);
    assert_int_equal(rig_sender(conn)->ops->services(rig_sender(conn), &offer, 1), 0);
    assert_int_equal(rig_carry(conn), FLATEND_EDENIED);
    assert_int_equal(conn->n_closes, 1);
    assert_null(provider(&rig));
    rig_deinit(&rig);
}

/* ---- which connection makes room ---- */

/* The one that has been silent for longest; not one that we have dialed, nor one that is in. */
static void test_which_makes_room(void **state)
{
    struct fe_self self;
    struct rig rig;
    struct rig_conn *ready;
    struct rig_conn *dialed;
    struct rig_conn *silent[2];

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    ready = open_peer(&rig, &self);
    assert_int_equal(join_id(rig.mesh, &self.id), 0);
    dialed = rig_conn(&rig, 1);
    assert_int_equal(rig_open(dialed, &self), 0);
    silent[0] = rig_accept(&rig, &self);
    silent[1] = rig_accept(&rig, &self);
    rig.mesh->links_max = 4;
    assert_non_null(rig_accept(&rig, &self));
    assert_int_equal(silent[0]->n_closes, 1);
    assert_int_equal(silent[1]->n_closes, 0);
    assert_non_null(rig_accept(&rig, &self));
    assert_int_equal(silent[0]->n_closes, 1);
    assert_int_equal(silent[1]->n_closes, 1);
    assert_int_equal(ready->n_closes, 0);
    assert_int_equal(dialed->n_closes, 0);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pinned_node),
        cmocka_unit_test(test_another_node_at_a_pinned_address),
        cmocka_unit_test(test_refused_node_asks_again_in_a_minute),
        cmocka_unit_test(test_forged_refusals_do_not_part_two_nodes),
        cmocka_unit_test(test_attempts_after_a_refusal),
        cmocka_unit_test(test_thrown_out),
        cmocka_unit_test(test_discovered_node_that_refuses_is_forgotten),
        cmocka_unit_test(test_stranger_is_told),
        cmocka_unit_test(test_fault_is_told),
        cmocka_unit_test(test_peer_that_does_not_read_is_told),
        cmocka_unit_test(test_service_that_is_not_allowed),
        cmocka_unit_test(test_which_makes_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
