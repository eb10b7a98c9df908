/* One connection of a mesh: saying hello, faults, back-pressure, the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mesh/session/old.h"
#include "support/rig.h"

static const struct fe_view svc = {(const uint8_t *)"svc", 3};

static struct fe_peer *provider(struct rig *rig)
{
    return fe_registry_choose(fe_mesh_registry(rig->mesh), &svc, 1, NULL, 0);
}

static bool is_in_table(struct rig *rig, const struct fe_self *self)
{
    return fe_kad_table_find(&rig->mesh->table, self->id.public_key) != NULL;
}

/* A peer that has said hello. */
static struct rig_conn *open_peer(struct rig *rig, const struct fe_self *self)
{
    struct rig_conn *conn = rig_accept(rig, self);

    assert_non_null(conn);
    assert_int_equal(rig_carry(conn), 0);
    assert_int_equal(conn->n_handshakes, 1);
    return conn;
}

static void test_handshake_of_a_node(void **state)
{
    static const size_t pieces[] = {0, 1, 7, 100};

    (void)state;
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct fe_self self;
        struct rig rig;

        assert_int_equal(rig_init(&rig, 1), 0);
        rig.piece = pieces[i];
        rig_make_self(&rig, &self, 2);
        open_peer(&rig, &self);
        assert_string_equal(
            rig.trace,
            rig_with_key(
                &rig, &self,
                "10.0.0.2:9000 has connected. Services: [svc] (key @, from 10.9.9.9:50000)\n"));
        assert_true(is_in_table(&rig, &self));
        assert_non_null(provider(&rig));
        assert_memory_equal(provider(&rig)->id.public_key, self.id.public_key, FE_KEY_LEN);
        assert_int_not_equal(provider(&rig)->handle, 0);
        rig_deinit(&rig);
    }
}

static void test_handshake_of_an_anonymous_provider(void **state)
{
    struct fe_self self;
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    self.is_anonymous = true;
    open_peer(&rig, &self);
    assert_string_equal(rig.trace, "10.9.9.9:50000 has connected to you. Services: [svc]\n");
    assert_int_equal(rig.mesh->table.n, 0);
    assert_true(provider(&rig)->is_anonymous);
    rig_deinit(&rig);
}

static void test_services_are_listed(void **state)
{
    struct fe_view names[] = {FE_VIEW_LIT("all_todos"), FE_VIEW_LIT("add_todo")};
    struct fe_self self;
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    self.services = names;
    self.n_services = 2;
    open_peer(&rig, &self);
    assert_true(rig_has_logged(&rig, "Services: [all_todos add_todo] ("));
    rig_deinit(&rig);
}

/* As Go peers do whenever they probe. */
static void test_handshake_again(void **state)
{
    struct fe_view names[] = {FE_VIEW_LIT("svc"), FE_VIEW_LIT("more")};
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    self.is_old_only = true;
    conn = open_peer(&rig, &self);
    rig_forget_log(&rig);
    rig_run(&rig, FE_MESH_HOLD_MS);
    self.services = names;
    self.n_services = 2;
    assert_int_equal(fe_old_send_handshake(&conn->session), 0);
    assert_int_equal(rig_carry(conn), 0);
    assert_int_equal(conn->n_handshakes, 2);
    assert_string_equal(rig.trace, "");
    rig_run(&rig, FE_MESH_HOLD_MS); /* requests wait while it probes */
    assert_ptr_equal(fe_registry_choose(fe_mesh_registry(rig.mesh), &names[1], 1, NULL, 0),
                     &conn->link->peer);
    assert_int_equal(fe_registry_list(fe_mesh_registry(rig.mesh), &svc, 1, NULL, 0), 1);
    rig_lose(conn, FLATEND_ECLOSED);
    assert_true(rig_has_logged(
        &rig, "has disconnected from you. Services: [svc more] (from 10.9.9.9:50000)\n"));
    rig_deinit(&rig);
}

/* It listens on all interfaces: where the connection came from is where it can be reached. */
static void test_unspecified_address(void **state)
{
    struct fe_self self;
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    memset(self.id.addr.ip, 0, sizeof(self.id.addr.ip));
    open_peer(&rig, &self);
    assert_true(rig_has_logged(&rig, "10.9.9.9:9000 has connected."));
    assert_int_equal(fe_kad_table_find(&rig.mesh->table, self.id.public_key)->addr.ip[3], 9);
    rig_deinit(&rig);
}

static void test_lost_peer_is_forgotten(void **state)
{
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    conn = open_peer(&rig, &self);
    rig_forget_log(&rig);
    rig_lose(conn, FLATEND_ECLOSED);
    assert_string_equal(rig.trace, rig_with_key(&rig, &self,
                                                "10.0.0.2:9000 has disconnected from you. "
                                                "Services: [svc] (key @, from 10.9.9.9:50000)\n"));
    assert_false(is_in_table(&rig, &self));
    assert_null(provider(&rig));
    rig_run(&rig, 60000);
    assert_int_equal(rig.n_conns, 1); /* it came to us; it comes again by itself */
    rig_deinit(&rig);
}

static void test_two_links_to_one_node(void **state)
{
    struct fe_self self;
    struct rig rig;
    struct rig_conn *a;
    struct rig_conn *b;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    a = open_peer(&rig, &self);
    b = open_peer(&rig, &self);
    rig_lose(a, FLATEND_ECLOSED);
    assert_true(is_in_table(&rig, &self));
    assert_non_null(provider(&rig));
    rig_lose(b, FLATEND_ECLOSED);
    assert_false(is_in_table(&rig, &self));
    assert_null(provider(&rig));
    rig_deinit(&rig);
}

static void test_own_key_is_closed_quietly(void **state)
{
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    conn = rig_accept(&rig, &rig.self);
    assert_non_null(conn);
    assert_int_equal(rig_carry(conn), 0);
    assert_int_equal(conn->n_closes, 1);
    rig_reap(&rig);
    assert_string_equal(rig.trace, "");
    assert_int_equal(rig.mesh->table.n, 0);
    rig_deinit(&rig);
}

static void test_find_node(void **state)
{
    struct fe_addr told;
    struct fe_addr expected;
    struct fe_self selves[3];
    struct rig_conn *conns[3];
    struct rig rig;
    uint32_t token;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    for (uint8_t i = 0; i < 3; i++) {
        rig_make_self(&rig, &selves[i], (uint8_t)(2 + i));
        conns[i] = open_peer(&rig, &selves[i]);
    }
    assert_int_equal(
        rig_sender(conns[0])->ops->find_node(rig_sender(conns[0]), selves[2].id.public_key, &token),
        0);
    assert_int_equal(rig_carry(conns[0]), 0);
    assert_true(conns[0]->has_nodes);
    assert_int_equal(conns[0]->n_nodes, 1); /* neither itself nor the one that it looks for */
    assert_memory_equal(conns[0]->nodes[0].public_key, selves[1].id.public_key, FE_KEY_LEN);
    told = fe_addr_of_ip(&conns[0]->nodes[0].addr);
    expected = fe_addr_of_ip(&selves[1].id.addr);
    assert_true(fe_addr_equal(&told, &expected));
    rig_deinit(&rig);
}

/* ---- faults ---- */

static void test_fault_closes_one_link_with_one_line(void **state)
{
    uint8_t garbage[64];
    struct fe_self self;
    struct rig rig;
    struct rig_conn *good;
    struct rig_conn *bad;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    good = open_peer(&rig, &self);
    bad = open_peer(&rig, &self);
    rig_forget_log(&rig);
    memset(garbage, 0, sizeof(garbage));
    garbage[3] = sizeof(garbage) - 4; /* a record that was not sealed */
    rig_feed(bad, garbage, sizeof(garbage));
    assert_int_equal(bad->n_closes, 1);
    assert_int_equal(rig_sender(good)->ops->space(rig_sender(good)) > 0, 1);
    assert_true(rig_has_logged(&rig, "Closed the connection to 10.0.0.2:9000 (key 0e7665b3): "));
    assert_ptr_equal(strchr(rig.trace, '\n'), strrchr(rig.trace, '\n'));
    assert_ptr_equal(provider(&rig), &good->link->peer); /* the bad one is not chosen any more */
    rig_feed(bad, garbage, sizeof(garbage));             /* what still comes is not looked at */
    rig_reap(&rig);
    assert_ptr_equal(strchr(rig.trace, '\n'), strrchr(rig.trace, '\n'));
    assert_int_equal(good->n_closes, 0);
    assert_true(is_in_table(&rig, &self));
    rig_deinit(&rig);
}

static void test_record_that_is_too_large(void **state)
{
    static const uint8_t length[4] = {0xff, 0xff, 0xff, 0xff};
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    conn = open_peer(&rig, &self);
    rig_feed(conn, length, sizeof(length));
    assert_int_equal(conn->n_closes, 1);
    assert_true(rig_has_logged(&rig, "Closed the connection to 10.0.0.2:9000 (key 0e7665b3): "));
    rig_deinit(&rig);
}

static void test_silent_peer(void **state)
{
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    conn = rig_accept(&rig, &self);
    assert_non_null(conn);
    rig_run(&rig, FE_MESH_HANDSHAKE_MS - 1);
    assert_int_equal(conn->n_closes, 0);
    rig_run(&rig, 1);
    assert_int_equal(conn->n_closes, 1);
    assert_string_equal(
        rig.trace,
        "Closed the connection to 10.9.9.9:50000: handshake timed out after 10000 ms.\n");
    rig_deinit(&rig);
}

static void test_no_deadline_once_it_is_ready(void **state)
{
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    conn = open_peer(&rig, &self);
    rig_run(&rig, 86400000);
    assert_int_equal(conn->n_closes, 0);
    rig_deinit(&rig);
}

static void test_peer_that_does_not_read(void **state)
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
        assert_int_equal(fe_session_flush(&conn->session), 0);
        rig_feed(conn, fe_chain_front(&conn->sent).ptr, conn->sent.len);
        fe_chain_consume(&conn->sent, SIZE_MAX);
    }
    assert_int_equal(conn->n_closes, 1);
    assert_true(rig_has_logged(&rig, "output limit exceeded: peer does not read"));
    rig_deinit(&rig);
}

/* Asks the mesh something, so that it has output, and reads none of it. */
static void ask_and_not_read(struct rig_conn *conn)
{
    const uint8_t key[FE_KEY_LEN] = {1};
    uint32_t token;

    assert_int_equal(rig_sender(conn)->ops->find_node(rig_sender(conn), key, &token), 0);
    assert_int_equal(fe_session_flush(&conn->session), 0);
    rig_feed(conn, fe_chain_front(&conn->sent).ptr, conn->sent.len);
    fe_chain_consume(&conn->sent, SIZE_MAX);
}

static void test_output_that_is_never_read(void **state)
{
    struct fe_self selves[2];
    struct rig_conn *conns[2];
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    for (uint8_t i = 0; i < 2; i++) {
        rig_make_self(&rig, &selves[i], (uint8_t)(2 + i));
        conns[i] = open_peer(&rig, &selves[i]);
        ask_and_not_read(conns[i]);
        assert_true(conns[i]->out.len > 0);
    }
    /* One of them reads now and then, however little. */
    for (unsigned ms = 0; ms < FE_MESH_UNREAD_MS; ms += 5000) {
        rig_run(&rig, 5000);
        fe_chain_consume(&conns[1]->out, 1);
        conns[1]->n_sent++;
        assert_int_equal(conns[0]->n_closes, 0);
    }
    rig_run(&rig, 5000);
    assert_int_equal(conns[0]->n_closes, 1);
    assert_true(rig_has_logged(&rig, "peer does not read: "));
    assert_int_equal(conns[1]->n_closes, 0);
    /* Read, and silent: it may be so for ever. */
    fe_chain_consume(&conns[1]->out, SIZE_MAX);
    rig_run(&rig, 10 * FE_MESH_UNREAD_MS);
    assert_int_equal(conns[1]->n_closes, 0);
    rig_deinit(&rig);
}

/* Many that do not read: the one that holds the most goes, although each is within its own bound.
 */
static void test_outputs_of_all_are_bounded(void **state)
{
    enum { MORE = 50000, EACH = FE_MESH_OUT_MAX - 2 * MORE, N = FE_MESH_OUT_ALL_MAX / EACH + 1 };
    uint8_t *unread = calloc(1, EACH + MORE);
    struct rig_conn *conns[N];
    struct fe_self selves[N];
    struct rig rig;

    (void)state;
    assert_non_null(unread);
    assert_int_equal(rig_init(&rig, 1), 0);
    for (unsigned i = 0; i < N; i++) {
        rig_make_self(&rig, &selves[i], (uint8_t)(2 + i));
        conns[i] = open_peer(&rig, &selves[i]);
        assert_int_equal(fe_chain_append(&conns[i]->out, unread, EACH + (i == 1 ? MORE : 0)), 0);
        assert_int_equal(conns[1 % (i + 1)]->n_closes, 0);
        ask_and_not_read(conns[i]);
    }
    free(unread);
    assert_int_equal(conns[1]->n_closes, 1);
    assert_true(rig_has_logged(&rig, "outputs of all peers exceed 128 MiB"));
    for (unsigned i = 2; i < N; i++) {
        assert_int_equal(conns[i]->n_closes, 0);
    }
    rig_deinit(&rig);
}

static void test_limit_of_links(void **state)
{
    struct fe_self self;
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    rig.mesh->links_max = 0;
    assert_null(rig_accept(&rig, &self));
    assert_true(rig_has_logged(&rig, "Refused a connection"));
    rig.mesh->links_max = 1;
    open_peer(&rig, &self);
    rig_deinit(&rig);
}

static void test_silent_links_make_room(void **state)
{
    struct fe_self self;
    struct rig rig;
    struct rig_conn *silent;
    struct rig_conn *next;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    silent = rig_accept(&rig, &self);
    assert_non_null(silent);
    rig.mesh->links_max = 1;
    next = rig_accept(&rig, &self);
    assert_non_null(next);
    assert_int_equal(silent->n_closes, 1);
    assert_int_equal(next->n_closes, 0);
    rig_deinit(&rig);
}

/* One address cannot have more than its share of connections without a proof; the oldest gives way,
 * others' are not touched, and one that has proven itself counts no more. */
static void test_strangers_of_an_address(void **state)
{
    const struct fe_addr elsewhere = {.family = FE_IPV4, .ip = {10, 9, 9, 8}, .port = 50000};
    struct rig_conn *conns[3];
    struct rig_conn *other;
    struct rig_conn *proven;
    struct fe_self self;
    struct fe_self friend;
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    rig_make_self(&rig, &friend, 3);
    rig.mesh->strangers.max = 2;
    other = rig_accept_from(&rig, &self, &elsewhere);
    proven = open_peer(&rig, &friend);
    assert_int_equal(proven->link->state, FE_LINK_READY);
    for (size_t i = 0; i < 3; i++) {
        conns[i] = rig_accept(&rig, &self);
        assert_non_null(conns[i]);
    }
    assert_int_equal(conns[0]->n_closes, 1);
    assert_int_equal(conns[1]->n_closes, 0);
    assert_int_equal(conns[2]->n_closes, 0);
    assert_int_equal(other->n_closes, 0);
    assert_int_equal(proven->n_closes, 0);
    assert_int_equal(rig.mesh->stats.displaced, 1);
    assert_true(rig_has_logged(&rig, " for a newer one: limit of 2 connections without a "
                                     "Handshake from one address reached."));
    rig_deinit(&rig);
}

/* Closed ones make room at once, before their sockets are gone, and by themselves. */
static void test_closed_stranger_does_not_count(void **state)
{
    struct rig_conn *conns[2];
    struct fe_self self;
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    rig.mesh->strangers.max = 1;
    conns[0] = rig_accept(&rig, &self);
    rig_run(&rig, FE_MESH_HANDSHAKE_MS);
    assert_int_equal(conns[0]->n_closes, 1);
    conns[1] = rig_accept(&rig, &self);
    assert_non_null(conns[1]);
    assert_int_equal(rig.mesh->stats.displaced, 0);
    rig_deinit(&rig);
}

/* What a flood of connections writes into the log is bounded, like all that peers can cause. */
static void test_lines_about_strangers_are_bounded(void **state)
{
    struct fe_self self;
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    rig.mesh->strangers.max = 1;
    assert_non_null(rig_accept(&rig, &self));
    while (fe_log_limit_passes(&rig.mesh->peer_lines, &rig.mesh->log, FLATEND_LOG_WARN, "peers",
                               rig.now_ms)) {
    }
    rig_forget_log(&rig);
    assert_non_null(rig_accept(&rig, &self));
    rig.mesh->links_max = 0;
    assert_null(rig_accept(&rig, &self)); /* refused: the next line that it would be */
    assert_int_equal(rig.mesh->stats.displaced, 2);
    assert_string_equal(rig.trace, "");
    rig_deinit(&rig);
}

static struct rig_conn *open_old_peer(struct rig *rig, struct fe_self *self, uint8_t seed)
{
    struct rig_conn *conn;

    rig_make_self(rig, self, seed);
    self->is_old_only = true;
    conn = rig_accept(rig, self);
    assert_non_null(conn);
    assert_int_equal(rig_carry(conn), 0);
    return conn;
}

/* An old Handshake can be a recording: one address may have so many, beyond which it has no more.
 * That keeps no new node of the address out, nor old ones that we have dialed. */
static void test_old_nodes_of_an_address(void **state)
{
    struct rig_conn *conns[5];
    struct fe_self selves[5];
    struct fe_self self;
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    assert_int_equal(rig.mesh->old_strangers.max, FE_STRANGERS_OLD_MAX);
    rig.mesh->strangers.max = 1;
    rig.mesh->old_strangers.max = 2;
    for (uint8_t i = 0; i < 3; i++) {
        conns[i] = open_old_peer(&rig, &selves[i], 2 + i);
        assert_int_equal(conns[i]->n_closes, i == 2);
    }
    assert_true(rig_has_logged(&rig, "limit of 2 old nodes at one address reached"));
    assert_int_equal(rig.mesh->stats.displaced, 0);
    rig_make_self(&rig, &self, 6);
    assert_int_equal(open_peer(&rig, &self)->link->state, FE_LINK_READY);
    assert_int_equal(conns[0]->n_closes + conns[1]->n_closes, 0);

    fe_link_close(conns[0]->link, false);
    rig_reap(&rig);
    conns[3] = open_old_peer(&rig, &selves[3], 7);
    assert_int_equal(conns[3]->n_closes, 0);
    assert_int_equal(conns[3]->link->state, FE_LINK_READY);
    rig_deinit(&rig);
}

/* ---- streams ---- */

static uint32_t request(struct rig_conn *conn)
{
    struct fe_sender *sender = rig_sender(conn);
    uint32_t stream = sender->ops->next_stream(sender);

    assert_int_equal(sender->ops->request(sender, stream, &svc, 1, NULL, 0), 0);
    return stream;
}

static void test_request_is_not_accepted(void **state)
{
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    conn = open_peer(&rig, &self);
    request(conn);
    assert_int_equal(rig_carry(conn), 0);
    assert_int_equal(rig.n_requests, 1);
    assert_int_equal(conn->n_unhandled, 1);
    assert_int_equal(fe_mesh_n_streams(rig.mesh), 0);
    rig_deinit(&rig);
}

/* A reader that takes nothing until it is ready. */
struct reader {
    bool is_old; /* the peer */
    struct fe_self requester;
    struct fe_stream *stream;
    bool is_ready;
    size_t n_read;
    unsigned n_ended;
    unsigned n_writable;
    unsigned n_closed;
    int code;
};

static size_t on_data(struct fe_stream *stream, struct fe_view data)
{
    struct reader *reader = fe_stream_owner(stream);

    if (!reader->is_ready) {
        return 0;
    }
    reader->n_read += data.len;
    return data.len;
}

static void on_end(struct fe_stream *stream, struct fe_headers trailers)
{
    (void)trailers;
    ((struct reader *)fe_stream_owner(stream))->n_ended++;
}

static void on_writable(struct fe_stream *stream)
{
    ((struct reader *)fe_stream_owner(stream))->n_writable++;
}

static void on_reset(struct fe_stream *stream, int code)
{
    struct reader *reader = fe_stream_owner(stream);

    reader->n_closed++;
    reader->code = code;
}

static const struct fe_stream_ops reader_ops = {
    .on_data = on_data,
    .on_end = on_end,
    .on_writable = on_writable,
    .on_reset = on_reset,
};

static void take(struct rig *rig, struct fe_stream *stream)
{
    struct reader *reader = rig->arg;

    reader->stream = stream;
    fe_stream_accept(stream, &reader_ops, reader);
}

/* A peer with a request of which `reader` takes nothing yet. */
static struct rig_conn *open_request(struct rig *rig, struct reader *reader, uint32_t *stream)
{
    struct rig_conn *conn;

    rig->arg = reader;
    rig->on_request = take;
    rig_make_self(rig, &reader->requester, 2);
    reader->requester.is_old_only = reader->is_old;
    conn = open_peer(rig, &reader->requester);
    *stream = request(conn);
    assert_int_equal(rig_carry(conn), 0);
    assert_non_null(reader->stream);
    assert_int_equal(fe_mesh_n_streams(rig->mesh), 1);
    return conn;
}

/* The only brake on an old peer; a new one minds its window, and the connection is read on. */
static void test_slow_reader_stops_the_connection(void **state)
{
    enum { BODY = 2 * FE_STREAM_WAITING_MAX };
    struct reader reader = {.is_old = true};
    uint8_t bytes[1024] = {0};
    struct rig rig;
    struct rig_conn *conn;
    uint32_t stream;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    conn = open_request(&rig, &reader, &stream);
    for (size_t sent = 0; sent < BODY; sent += sizeof(bytes)) {
        assert_int_equal(
            rig_sender(conn)->ops->data(rig_sender(conn), stream, fe_view_of(bytes, sizeof(bytes))),
            0);
    }
    assert_int_equal(rig_sender(conn)->ops->end(rig_sender(conn), stream, NULL, 0), 0);
    assert_int_equal(rig_carry(conn), 0);
    assert_false(conn->is_reading);
    assert_true(conn->sent.len > 0);

    reader.is_ready = true;
    fe_stream_resume(reader.stream);
    assert_true(conn->is_reading);
    assert_int_equal(rig_carry(conn), 0);
    assert_int_equal(reader.n_read, BODY);
    assert_int_equal(reader.n_ended, 1);
    rig_deinit(&rig);
    assert_int_equal(reader.n_closed, 1);
    assert_int_equal(reader.code, FLATEND_ECANCELED);
}

static void test_writer_waits_for_the_output(void **state)
{
    enum { BODY = 2 * FE_SESSION_OUT_MAX };
    uint8_t *body = calloc(1, BODY);
    struct reader reader = {.is_old = true}; /* no window holds it back */
    struct rig rig;
    struct rig_conn *conn;
    uint32_t stream;

    (void)state;
    assert_non_null(body);
    assert_int_equal(rig_init(&rig, 1), 0);
    conn = open_request(&rig, &reader, &stream);
    assert_int_equal(fe_stream_respond(reader.stream, NULL, 0), 0);
    assert_in_range(fe_stream_write(reader.stream, fe_view_of(body, BODY)), 1, FE_SESSION_OUT_MAX);
    fe_link_on_drain(conn->link); /* not true: it is as full as before */
    assert_int_equal(reader.n_writable, 0);
    assert_int_equal(rig_carry(conn), 0);
    fe_link_on_drain(conn->link);
    assert_int_equal(reader.n_writable, 1);
    free(body);
    rig_deinit(&rig);
}

/* The response ends outside of any event: it was the owner's word, and none comes back. */
static void test_stream_that_is_finished_is_gone(void **state)
{
    struct reader reader = {.is_ready = true};
    struct rig rig;
    struct rig_conn *conn;
    uint32_t stream;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    conn = open_request(&rig, &reader, &stream);
    assert_int_equal(rig_sender(conn)->ops->end(rig_sender(conn), stream, NULL, 0), 0);
    assert_int_equal(rig_carry(conn), 0);
    assert_int_equal(fe_stream_respond(reader.stream, NULL, 0), 0);
    assert_int_equal(fe_stream_finish(reader.stream, NULL, 0), 0);
    assert_int_equal(fe_mesh_n_streams(rig.mesh), 0);
    rig_run(&rig, 0);
    rig_deinit(&rig);
    assert_int_equal(reader.n_ended, 1);
    assert_int_equal(reader.n_closed, 0);
}

static void test_lost_connection_ends_its_streams(void **state)
{
    struct reader reader = {0};
    struct rig rig;
    struct rig_conn *conn;
    uint32_t stream;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    conn = open_request(&rig, &reader, &stream);
    rig_lose(conn, FLATEND_ERESET);
    assert_int_equal(reader.n_closed, 1);
    assert_int_equal(reader.code, FLATEND_ECLOSED);
    assert_int_equal(fe_mesh_n_streams(rig.mesh), 0);
    rig_deinit(&rig);
}

/* ---- the end ---- */

/* An old peer cannot be told: what it asks is answered with `handled` 0. */
static void test_drain_takes_no_more(void **state)
{
    struct reader reader = {.is_ready = true, .is_old = true};
    struct fe_self other;
    struct rig rig;
    struct rig_conn *conn;
    uint32_t stream;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    conn = open_request(&rig, &reader, &stream);
    fe_mesh_drain(rig.mesh);
    request(conn);
    assert_int_equal(rig_carry(conn), 0);
    assert_int_equal(rig.n_requests, 1);
    assert_int_equal(conn->n_unhandled, 1);
    assert_int_equal(fe_mesh_n_streams(rig.mesh), 1); /* what runs goes on */
    assert_int_equal(rig_sender(conn)->ops->end(rig_sender(conn), stream, NULL, 0), 0);
    assert_int_equal(rig_carry(conn), 0);
    assert_int_equal(reader.n_ended, 1);
    rig_make_self(&rig, &other, 3);
    assert_null(rig_accept(&rig, &other));
    rig_deinit(&rig);
}

static void test_close_without_links(void **state)
{
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    fe_mesh_close(rig.mesh, true);
    assert_int_equal(rig.n_closed, 0); /* not from within the call */
    rig_run(&rig, 1);
    assert_int_equal(rig.n_closed, 1);
    fe_mesh_close(rig.mesh, false);
    rig_run(&rig, 1);
    assert_int_equal(rig.n_closed, 1);
    rig_deinit(&rig);
}

static void test_close_waits_for_its_links(void **state)
{
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    conn = open_peer(&rig, &self);
    rig_forget_log(&rig);
    fe_mesh_close(rig.mesh, true);
    assert_true(conn->is_drained);
    assert_null(provider(&rig));
    rig_run(&rig, FE_MESH_LINGER_MS - 1);
    assert_int_equal(conn->n_closes, 1);
    assert_int_equal(rig.n_closed, 0);
    rig_run(&rig, 1); /* it took too long */
    assert_int_equal(conn->n_closes, 2);
    assert_false(conn->is_drained);
    rig_lose(conn, 0);
    rig_run(&rig, 0);
    assert_int_equal(rig.n_closed, 1);
    assert_string_equal(rig.trace, "");
    rig_deinit(&rig);
}

static void test_second_close_ends_the_draining_one(void **state)
{
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    conn = open_peer(&rig, &self);
    fe_mesh_close(rig.mesh, true);
    fe_mesh_close(rig.mesh, true);
    assert_int_equal(conn->n_closes, 1);
    fe_mesh_close(rig.mesh, false);
    assert_int_equal(conn->n_closes, 2);
    rig_deinit(&rig);
}

static void close_mesh(struct rig *rig, struct fe_stream *stream)
{
    (void)stream;
    fe_mesh_close(rig->mesh, false);
}

static void test_close_from_within_a_request(void **state)
{
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    conn = open_peer(&rig, &self);
    rig.on_request = close_mesh;
    request(conn);
    request(conn); /* in the same bytes; the link is closing when its turn comes */
    assert_int_equal(fe_session_flush(&conn->session), 0);
    rig_feed(conn, fe_chain_front(&conn->sent).ptr, conn->sent.len);
    assert_int_equal(rig.n_requests, 1);
    assert_int_equal(conn->n_closes, 1);
    rig_lose(conn, 0);
    rig_run(&rig, 0);
    assert_int_equal(rig.n_closed, 1);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handshake_of_a_node),
        cmocka_unit_test(test_handshake_of_an_anonymous_provider),
        cmocka_unit_test(test_services_are_listed),
        cmocka_unit_test(test_handshake_again),
        cmocka_unit_test(test_unspecified_address),
        cmocka_unit_test(test_lost_peer_is_forgotten),
        cmocka_unit_test(test_two_links_to_one_node),
        cmocka_unit_test(test_own_key_is_closed_quietly),
        cmocka_unit_test(test_find_node),
        cmocka_unit_test(test_fault_closes_one_link_with_one_line),
        cmocka_unit_test(test_record_that_is_too_large),
        cmocka_unit_test(test_silent_peer),
        cmocka_unit_test(test_no_deadline_once_it_is_ready),
        cmocka_unit_test(test_peer_that_does_not_read),
        cmocka_unit_test(test_output_that_is_never_read),
        cmocka_unit_test(test_outputs_of_all_are_bounded),
        cmocka_unit_test(test_limit_of_links),
        cmocka_unit_test(test_silent_links_make_room),
        cmocka_unit_test(test_strangers_of_an_address),
        cmocka_unit_test(test_closed_stranger_does_not_count),
        cmocka_unit_test(test_lines_about_strangers_are_bounded),
        cmocka_unit_test(test_old_nodes_of_an_address),
        cmocka_unit_test(test_request_is_not_accepted),
        cmocka_unit_test(test_slow_reader_stops_the_connection),
        cmocka_unit_test(test_writer_waits_for_the_output),
        cmocka_unit_test(test_stream_that_is_finished_is_gone),
        cmocka_unit_test(test_lost_connection_ends_its_streams),
        cmocka_unit_test(test_drain_takes_no_more),
        cmocka_unit_test(test_close_without_links),
        cmocka_unit_test(test_close_waits_for_its_links),
        cmocka_unit_test(test_second_close_ends_the_draining_one),
        cmocka_unit_test(test_close_from_within_a_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
