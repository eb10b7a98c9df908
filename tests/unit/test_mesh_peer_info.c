/* What a node tells of its peers, and what it counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mesh/net/peer_info.h"
#include "support/rig.h"

struct peers {
    struct fe_arena arena;
    struct fe_peer_info *infos;
    size_t n;
};

static void look(struct rig *rig, struct peers *peers)
{
    fe_arena_init(&peers->arena, 0);
    assert_int_equal(fe_mesh_list_peers(rig->mesh, &peers->arena, &peers->infos, &peers->n), 0);
}

static void forget(struct peers *peers)
{
    fe_arena_deinit(&peers->arena);
}

static struct rig_conn *open_peer(struct rig *rig, const struct fe_self *self)
{
    struct rig_conn *conn = rig_accept(rig, self);

    assert_non_null(conn);
    assert_int_equal(rig_carry(conn), 0);
    return conn;
}

/* Also in the order in which they came. */
static void test_keys_and_addresses(void **state)
{
    struct fe_view names[] = {FE_VIEW_LIT("a"), FE_VIEW_LIT("bb")};
    struct fe_self proven;
    struct fe_self anonymous;
    struct fe_self old;
    struct peers peers;
    struct rig rig;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &proven, 2);
    rig_make_self(&rig, &anonymous, 3);
    rig_make_self(&rig, &old, 4);
    proven.services = names;
    proven.n_services = 2;
    anonymous.is_anonymous = true;
    old.is_old_only = true;
    (void)open_peer(&rig, &proven);
    rig_run(&rig, 50);
    (void)open_peer(&rig, &anonymous);
    rig_run(&rig, 50);
    (void)open_peer(&rig, &old);
    assert_non_null(rig_accept(&rig, &old)); /* has not sent its id yet */
    look(&rig, &peers);
    assert_int_equal(peers.n, 3);
    assert_string_equal(peers.infos[0].name, rig_with_key(&rig, &proven, "10.0.0.2:9000 (key @)"));
    assert_string_equal(peers.infos[1].name, "10.9.9.9:50000");
    assert_string_equal(peers.infos[2].name, "10.0.0.4:9000");
    assert_memory_equal(peers.infos[0].key, proven.id.public_key, FE_KEY_LEN);
    assert_true(peers.infos[0].is_proven && !peers.infos[0].is_anonymous);
    assert_true(peers.infos[1].is_anonymous && !peers.infos[1].is_proven);
    assert_true(!peers.infos[2].is_anonymous && !peers.infos[2].is_proven);
    assert_int_equal(peers.infos[0].dialect, FE_DIALECT_SECURE);
    assert_int_equal(peers.infos[2].dialect, FE_DIALECT_OLD);
    assert_false(peers.infos[0].is_dialed);
    assert_int_equal(peers.infos[0].source.port, 50000);
    assert_int_equal(peers.infos[0].addr.port, 9000);
    assert_int_equal(peers.infos[0].n_services, 2);
    assert_int_equal(peers.infos[0].n_offers, 2);
    assert_string_equal(peers.infos[0].services[1].name, "bb");
    assert_int_equal(peers.infos[0].services[1].weight, FE_WEIGHT_DEFAULT);
    assert_int_equal(peers.infos[0].age_ms, 100);
    assert_int_equal(peers.infos[1].age_ms, 50);
    assert_true(peers.infos[0].bytes_received > 0);
    assert_true(peers.infos[0].handle != 0 && peers.infos[0].handle != peers.infos[2].handle);
    forget(&peers);
    rig_deinit(&rig);
}

/* Nothing is measured until a snapshot is taken; old peers cannot be asked. */
static void test_round_trip_time(void **state)
{
    struct fe_self self;
    struct fe_self old;
    struct peers peers;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    rig_make_self(&rig, &old, 3);
    old.is_old_only = true;
    conn = open_peer(&rig, &self);
    (void)open_peer(&rig, &old);
    assert_int_equal(conn->out.len, 0);
    look(&rig, &peers);
    assert_false(peers.infos[0].has_rtt);
    forget(&peers);
    rig_run(&rig, 30);
    look(&rig, &peers); /* the ping waits still: no second one */
    forget(&peers);
    rig_run(&rig, 10);
    assert_int_equal(rig_carry(conn), 0);
    look(&rig, &peers);
    assert_true(peers.infos[0].has_rtt);
    assert_int_equal(peers.infos[0].rtt_us, 40000);
    assert_int_equal(peers.infos[0].rtt_min_us, 40000);
    assert_false(peers.infos[1].has_rtt);
    forget(&peers);
    rig_deinit(&rig);
}

static void test_ejection(void **state)
{
    struct fe_self self;
    struct peers peers;
    struct rig rig;
    struct rig_conn *conn;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    conn = open_peer(&rig, &self);
    for (int i = 0; i < FE_EJECT_AFTER; i++) {
        fe_registry_report(fe_mesh_registry(rig.mesh), &conn->link->peer, FLATEND_ETIMEDOUT);
    }
    rig_run(&rig, 400);
    look(&rig, &peers);
    assert_true(peers.infos[0].is_ejected);
    assert_int_equal(peers.infos[0].ejected_ms, FE_EJECT_MIN_MS - 400);
    forget(&peers);
    rig_run(&rig, FE_EJECT_MIN_MS); /* nothing has asked for it since */
    look(&rig, &peers);
    assert_false(peers.infos[0].is_ejected);
    assert_int_equal(peers.infos[0].ejected_ms, 0);
    forget(&peers);
    rig_deinit(&rig);
}

static void test_counters(void **state)
{
    struct fe_self self;
    struct fe_node_stats stats;
    struct rig rig;
    struct rig_conn *conn;
    uint64_t n_received;

    (void)state;
    assert_int_equal(rig_init(&rig, 1), 0);
    rig_make_self(&rig, &self, 2);
    conn = open_peer(&rig, &self);
    fe_mesh_copy_stats(rig.mesh, &stats);
    assert_int_equal(stats.peers, 1);
    assert_int_equal(stats.proven_peers, 1);
    assert_int_equal(stats.accepted, 1);
    assert_int_equal(stats.handshakes, 1);
    assert_int_equal(stats.failures, 0);
    n_received = stats.bytes_received;
    assert_true(n_received > 0);
    rig_feed(conn, "\xff\xff\xff\xff", 4);
    rig_reap(&rig);
    fe_mesh_copy_stats(rig.mesh, &stats);
    assert_int_equal(stats.peers, 0);
    assert_int_equal(stats.failures, 1);
    assert_int_equal(stats.bytes_received, n_received + 4); /* what is gone counts on */
    fe_mesh_drain(rig.mesh);
    assert_null(rig_accept(&rig, &self));
    fe_mesh_copy_stats(rig.mesh, &stats);
    assert_int_equal(stats.accepted, 1);
    assert_int_equal(stats.rejected, 1);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_and_addresses),
        cmocka_unit_test(test_round_trip_time),
        cmocka_unit_test(test_ejection),
        cmocka_unit_test(test_counters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
