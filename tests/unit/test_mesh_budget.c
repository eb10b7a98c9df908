/* What costs a node more than it is worth: repeated Handshakes, lists of services, questions for
 * nodes. So many at once, and so many a second; more is a fault of that one peer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mesh/session/old.h"
#include "support/rig.h"

/* Sends one of its kind; zero. */
typedef int (*send_fn)(struct rig_conn *conn);

static struct rig_conn *open_peer(struct rig *rig, const struct fe_self *self)
{
    struct rig_conn *conn = rig_accept(rig, self);

    assert_non_null(conn);
    assert_int_equal(rig_carry(conn), 0);
    rig_forget_log(rig);
    return conn;
}

/* How many of at most `max` are taken before the connection is closed. */
static unsigned count_taken(struct rig *rig, struct rig_conn *conn, send_fn send, unsigned max)
{
    unsigned n = 0;

    while (n < max) {
        assert_int_equal(send(conn), 0);
        rig_carry_to_mesh(conn);
        if (conn->n_closes > 0) {
            break;
        }
        assert_int_equal(rig_carry(conn), 0);
        rig_forget_log(rig);
        n++;
    }
    return n;
}

static void check(bool is_old, send_fn send, unsigned burst, unsigned a_second, const char *words)
{
    struct fe_self self;
    struct rig rig;
    struct rig_conn *conn;
    struct rig_conn *other;

    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    self.is_old_only = is_old;
    conn = open_peer(&rig, &self);
    assert_int_equal(count_taken(&rig, conn, send, burst), burst);
    /* Time makes room for as many again. */
    rig_run(&rig, 1000);
    assert_int_equal(count_taken(&rig, conn, send, a_second + 1), a_second);
    assert_true(rig_has_logged(&rig, words));
    /* Another peer has a budget of its own. */
    rig_reap(&rig);
    rig_forget_log(&rig);
    rig_make_self(&rig, &self, 3);
    self.is_old_only = is_old;
    other = open_peer(&rig, &self);
    assert_int_equal(count_taken(&rig, other, send, 1), 1);
    rig_deinit(&rig);
}

static int send_handshake(struct rig_conn *conn)
{
    return fe_old_send_handshake(&conn->session);
}

static void repeated_handshakes_are_bounded(void **state)
{
    (void)state;
    check(true, send_handshake, FE_BUDGET_HANDSHAKES, 1, "too many Handshakes");
}

static int send_services(struct rig_conn *conn)
{
    static struct fe_offer offers[FE_SERVICES_MAX];
    static uint8_t names[FE_SERVICES_MAX][2];

    for (size_t i = 0; i < FE_SERVICES_MAX; i++) {
        names[i][0] = (uint8_t)('a' + i / 16);
        names[i][1] = (uint8_t)('a' + i % 16);
        offers[i] = (struct fe_offer){fe_view_of(names[i], 2), FE_WEIGHT_DEFAULT};
    }
    return rig_sender(conn)->ops->services(rig_sender(conn), offers, FE_SERVICES_MAX);
}

static void lists_of_services_are_bounded(void **state)
{
    (void)state;
    check(false, send_services, FE_BUDGET_NAMES / (1 + FE_SERVICES_MAX), 10,
          "too many SERVICES packets");
}

static int find_node(struct rig_conn *conn)
{
    static const uint8_t key[FE_KEY_LEN] = {1};
    uint32_t token;

    return rig_sender(conn)->ops->find_node(rig_sender(conn), key, &token);
}

static void questions_for_nodes_are_bounded(void **state)
{
    (void)state;
    check(false, find_node, FE_BUDGET_FIND_NODES, 32, "too many FIND_NODE packets");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repeated_handshakes_are_bounded),
        cmocka_unit_test(lists_of_services_are_bounded),
        cmocka_unit_test(questions_for_nodes_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
