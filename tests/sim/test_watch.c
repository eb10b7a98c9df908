/* Meshes of old and new nodes together; networks that are cut without notice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/sim.h"

enum { DEAD_MS = 2000 };

/* All of them start, and join through the first one. */
static void start_all(struct sim *sim, size_t n_nodes)
{
    for (size_t i = 0; i < n_nodes; i++) {
        sim_start(sim, i);
        if (i > 0) {
            sim_join(sim, i, 0);
        }
        sim_run(sim, 50);
    }
    sim_run(sim, 3000);
}

static void assert_full_mesh(struct sim *sim, size_t n_nodes)
{
    for (size_t a = 0; a < n_nodes; a++) {
        for (size_t b = 0; b < n_nodes; b++) {
            assert_true(a == b || sim_is_linked(sim, a, b));
        }
    }
}

static const struct fe_link *link_between(struct sim *sim, size_t a, size_t b)
{
    const struct fe_link *link =
        fe_mesh_find_link(sim_node(sim, a)->mesh, sim_node(sim, b)->self.id.public_key);

    assert_non_null(link);
    return link;
}

/* ---- old and new ---- */

/* Which are old: the first one, so that the mesh is joined through it; all but it; every other one.
 */
static bool is_old(size_t index, int pattern)
{
    return pattern == 0 ? index == 0 : pattern == 1 ? index != 0 : index % 2 == 0;
}

static void test_old_and_new_find_each_other(void **state)
{
    enum { N = 14 };

    (void)state;
    for (int pattern = 0; pattern < 3; pattern++) {
        struct sim *sim = sim_new(N, 20 + (uint64_t)pattern);

        sim_watch(sim, DEAD_MS);
        for (size_t i = 0; i < N; i++) {
            if (is_old(i, pattern)) {
                sim_make_old(sim, i);
            }
        }
        start_all(sim, N);
        assert_full_mesh(sim, N);
        for (size_t a = 0; a < N; a++) {
            for (size_t b = 0; b < N; b++) {
                bool both_secure = !is_old(a, pattern) && !is_old(b, pattern);

                if (a != b) {
                    assert_int_equal(fe_sender_is_secure(&link_between(sim, a, b)->session.sender),
                                     both_secure);
                    assert_int_equal(link_between(sim, a, b)->peer.is_proven, both_secure);
                }
            }
        }
        sim_run(sim, 10 * DEAD_MS); /* old ones are silent, and not taken for dead */
        assert_full_mesh(sim, N);
        for (size_t i = 0; i < N; i++) {
            assert_int_equal(sim_count(sim, i, "Closed the connection"), 0);
            assert_int_equal(sim_node(sim, i)->n_joined, sim_node(sim, i)->n_joins);
        }
        sim_free(sim);
    }
}

/* ---- cut without a word ---- */

static void cut(struct sim *sim, size_t n_nodes, bool is_cut)
{
    for (size_t i = 0; i < n_nodes; i++) {
        sim_cut(sim, i, is_cut && i >= n_nodes / 2);
    }
}

static size_t count_all(struct sim *sim, size_t n_nodes, const char *text)
{
    size_t n = 0;

    for (size_t i = 0; i < n_nodes; i++) {
        n += sim_count(sim, i, text);
    }
    return n;
}

static void test_cut_is_noticed_and_healed(void **state)
{
    enum { N = 12 };
    const struct fe_view service = FE_VIEW_LIT("node");
    struct sim *sim = sim_new(N, 30);

    (void)state;
    sim_watch(sim, DEAD_MS);
    start_all(sim, N);
    cut(sim, N, true);
    sim_run(sim, DEAD_MS / 2 - SIM_ROUND_TRIP_MAX_MS);
    assert_full_mesh(sim, N); /* not noticed yet */
    sim_run(sim, DEAD_MS / 2 + 2 * SIM_ROUND_TRIP_MAX_MS);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(sim_n_peers(sim, i), N / 2 - 1);
        assert_int_equal(
            fe_registry_list(fe_mesh_registry(sim_node(sim, i)->mesh), &service, 1, NULL, 0),
            N / 2 - 1);
        assert_true(sim_count(sim, i, "keep-alive timed out after") >= N / 2);
    }
    cut(sim, N, false);
    sim_run(sim, 3000);
    assert_full_mesh(sim, N);
    sim_free(sim);
}

/* Too short to be noticed: everything that was sent still arrives. */
static void test_short_cuts_are_not_noticed(void **state)
{
    enum { N = 8 };
    struct sim *sim = sim_new(N, 31);

    (void)state;
    sim_watch(sim, DEAD_MS);
    start_all(sim, N);
    for (int i = 0; i < 20; i++) {
        cut(sim, N, true);
        sim_run(sim, DEAD_MS / 2 - SIM_ROUND_TRIP_MAX_MS);
        cut(sim, N, false);
        sim_run(sim, 3 * SIM_ROUND_TRIP_MAX_MS);
        assert_full_mesh(sim, N);
    }
    assert_int_equal(count_all(sim, N, "Closed the connection"), 0);
    assert_int_equal(count_all(sim, N, "Trying to reconnect"), 0);
    sim_free(sim);
}

static void test_link_that_flaps(void **state)
{
    enum { N = 6 };

    (void)state;
    for (uint64_t seed = 32; seed < 42; seed++) {
        struct sim *sim = sim_new(N, seed);

        sim_watch(sim, DEAD_MS);
        start_all(sim, N);
        for (int i = 0; i < 30; i++) {
            cut(sim, N, i % 2 == 0);
            /* Peace is long enough for one attempt: else an address is given up at last. */
            sim_run(sim, (i % 2 == 0 ? 0 : 1500) + fe_rng_below(sim_rng(sim), 2 * DEAD_MS));
        }
        cut(sim, N, false);
        sim_run(sim, DEAD_MS + 5000);
        assert_int_equal(count_all(sim, N, "Giving up"), 0);
        assert_true(count_all(sim, N, "keep-alive timed out after") > 0);
        assert_full_mesh(sim, N);
        sim_free(sim);
    }
}

/* One host is cut off: the others do not notice each other's absence. */
static void test_one_node_is_cut_off(void **state)
{
    enum { N = 8 };
    struct sim *sim = sim_new(N, 50);

    (void)state;
    sim_watch(sim, DEAD_MS);
    start_all(sim, N);
    sim_cut(sim, 3, 1);
    sim_run(sim, DEAD_MS + SIM_ROUND_TRIP_MAX_MS);
    assert_int_equal(sim_n_peers(sim, 3), 0);
    for (size_t i = 0; i < N; i++) {
        if (i != 3) {
            assert_int_equal(sim_n_peers(sim, i), N - 2);
            assert_true(sim_count(sim, i, "keep-alive timed out after") >= 1);
            assert_int_equal(sim_count(sim, i, "keep-alive timed out after"),
                             sim_count(sim, i, "Closed the connection to 10.0.0.3:"));
        }
    }
    sim_cut(sim, 3, 0);
    sim_run(sim, 3000);
    assert_full_mesh(sim, N);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_old_and_new_find_each_other),
        cmocka_unit_test(test_cut_is_noticed_and_healed),
        cmocka_unit_test(test_short_cuts_are_not_noticed),
        cmocka_unit_test(test_link_that_flaps),
        cmocka_unit_test(test_one_node_is_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
