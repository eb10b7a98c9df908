/* Meshes of many nodes on a virtual network: discovering, losing and finding each other again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/sim.h"

/* ---- what is true of a mesh at any time ---- */

/* Every node in the table is connected. */
static void check_table(struct sim *sim, size_t index)
{
    struct fe_mesh *mesh = sim_node(sim, index)->mesh;
    struct fe_id ids[FE_KAD_BUCKET_SIZE];
    size_t n = fe_kad_table_closest(&mesh->table, sim_node(sim, index)->self.id.public_key, ids,
                                    FE_KAD_BUCKET_SIZE);

    for (size_t i = 0; i < n; i++) {
        assert_non_null(fe_mesh_find_link(mesh, ids[i].public_key));
    }
}

/* Exactly the connected nodes are providers. */
static void check_registry(struct sim *sim, size_t index)
{
    struct fe_mesh *mesh = sim_node(sim, index)->mesh;
    struct fe_view service = FE_VIEW_LIT("node");
    size_t n_nodes = 0;

    FE_LIST_FOREACH (node, next, &mesh->links) {
        const struct fe_link *link = FE_CONTAINER_OF(node, struct fe_link, node);

        n_nodes +=
            link->state == FE_LINK_READY &&
            (link->peer.is_anonymous || fe_mesh_find_link(mesh, link->peer.id.public_key) == link);
    }
    assert_int_equal(fe_registry_list(fe_mesh_registry(mesh), &service, 1, NULL, 0), n_nodes);
}

static void check(struct sim *sim, size_t n_nodes)
{
    for (size_t i = 0; i < n_nodes; i++) {
        if (sim_node(sim, i)->mesh != NULL) {
            check_table(sim, i);
            check_registry(sim, i);
        }
    }
}

static void assert_full_mesh(struct sim *sim, size_t n_nodes)
{
    for (size_t a = 0; a < n_nodes; a++) {
        for (size_t b = 0; b < n_nodes; b++) {
            assert_true(a == b || sim_is_linked(sim, a, b));
        }
    }
}

/* All nodes start, and all but the first join through it, `gap_ms` apart. */
static void join_all(struct sim *sim, size_t n_nodes, uint64_t gap_ms)
{
    for (size_t i = 0; i < n_nodes; i++) {
        sim_start(sim, i);
        if (i > 0) {
            sim_join(sim, i, 0);
        }
        sim_run(sim, gap_ms);
    }
}

static struct sim *start_mesh(size_t n_nodes, uint64_t seed, uint64_t gap_ms)
{
    struct sim *sim = sim_new(n_nodes, seed);

    join_all(sim, n_nodes, gap_ms);
    return sim;
}

/* ---- the trace of one node ---- */

struct line {
    uint64_t at_ms;
    const char *text;
    size_t len;
};

/* The next line from `*offset` on that contains `text`; false at the end. */
static bool next_line(const struct fe_buf *trace, size_t *offset, const char *text,
                      struct line *line)
{
    while (*offset < trace->len) {
        const char *start = (const char *)trace->data + *offset;
        const char *end = memchr(start, '\n', trace->len - *offset);
        char *after;

        assert_non_null(end);
        *offset += (size_t)(end - start) + 1;
        line->at_ms = strtoull(start, &after, 10);
        line->text = after + 1;
        line->len = (size_t)(end - line->text);
        if (memmem(line->text, line->len, text, strlen(text)) != NULL) {
            return true;
        }
    }
    return false;
}

static unsigned delay_of(const struct line *line)
{
    static const char before[] = "Sleeping for ";
    const char *at = memmem(line->text, line->len, before, sizeof(before) - 1);

    assert_non_null(at);
    at += sizeof(before) - 1;
    return memcmp(at, "1s.", 3) == 0 ? 1000 : (unsigned)strtoul(at, NULL, 10);
}

/* From `from_ms` on the node has tried to come back: how often it has waited for that, every time
 * as long as it said, which is within its bounds. */
static size_t check_attempts(struct sim *sim, size_t index, uint64_t from_ms)
{
    static const unsigned longest[] = {500, 625, 781, 976, 1000, 1000, 1000};
    const struct fe_buf *trace = &sim_node(sim, index)->trace;
    uint64_t due_ms = from_ms;
    size_t offset = 0;
    size_t n = 0;
    struct line line;

    while (next_line(trace, &offset, "Trying to reconnect to 10.0.0.0:9000.", &line)) {
        if (line.at_ms < from_ms) {
            continue;
        }
        assert_in_range(n, 0, 6);
        assert_in_range(delay_of(&line), 0, longest[n]);
        assert_in_range(line.at_ms, due_ms, due_ms + 2 * SIM_ROUND_TRIP_MAX_MS + 2);
        due_ms = line.at_ms + delay_of(&line);
        n++;
    }
    return n;
}

/* ---- scenarios ---- */

static void test_small_mesh_is_a_full_one(void **state)
{
    enum { N = FE_KAD_BUCKET_SIZE };
    struct sim *sim = start_mesh(N, 1, 50);

    (void)state;
    sim_run(sim, 2000);
    assert_full_mesh(sim, N);
    check(sim, N);
    for (size_t i = 1; i < N; i++) {
        assert_int_equal(sim_node(sim, i)->n_joined, 1);
        assert_int_equal(sim_node(sim, i)->n_connected, 1);
        assert_int_equal(sim_count(sim, i, "Discovered "), 1);
    }
    sim_free(sim);
}

static void test_anonymous_nodes_find_all(void **state)
{
    enum { N = 8 };
    struct sim *sim = sim_new(N + 1, 2);

    (void)state;
    sim_make_anonymous(sim, N);
    for (size_t i = 0; i <= N; i++) {
        sim_start(sim, i);
        if (i > 0) {
            sim_join(sim, i, 0);
        }
        sim_run(sim, 500);
    }
    for (size_t i = 0; i < N; i++) {
        assert_true(sim_is_linked(sim, N, i));
        assert_int_equal(sim_count(sim, i, " has connected to you. Services: [node]"), 1);
    }
    check(sim, N + 1);
    sim_free(sim);
}

/* How many of the 16 nodes that are closest to this one it is linked to. */
static size_t n_neighbours(struct sim *sim, size_t index, size_t n_nodes)
{
    const uint8_t *key = sim_node(sim, index)->self.id.public_key;
    struct fe_kad_lookup all;
    struct fe_id id;
    size_t n = 0;

    fe_kad_lookup_init(&all, key, key, FE_KAD_BUCKET_SIZE);
    for (size_t i = 0; i < n_nodes; i++) {
        assert_in_range(fe_kad_lookup_add(&all, &sim_node(sim, i)->self.id, 1), 0, 1);
    }
    while (fe_kad_lookup_next(&all, &id)) {
        n += fe_mesh_find_link(sim_node(sim, index)->mesh, id.public_key) != NULL;
    }
    fe_kad_lookup_deinit(&all);
    return n;
}

/* Through one node, almost at once. The ways between them are found within three seconds: every
 * node is linked to (nearly: a bucket that is full keeps what it has) all of its sixteen
 * neighbours.
 */
static void test_many_nodes(void **state)
{
    enum { N = 200 };
    struct sim *sim = start_mesh(N, 3, 20);

    (void)state;
    sim_run(sim, 3000);
    for (size_t i = 1; i < N; i++) {
        assert_int_equal(sim_node(sim, i)->n_joined, 1);
        assert_in_range(n_neighbours(sim, i, N), 12, FE_KAD_BUCKET_SIZE);
    }
    assert_int_equal(sim_n_peers(sim, 0), N - 1);
    check(sim, N);
    sim_free(sim);
}

/* The node through which all have joined is restarted. Its connections come back one attempt after
 * it does, and no other node is disturbed. */
static void test_restart_of_the_bootstrap_node(void **state)
{
    enum { N = 30, DOWN_MS = 1000 };
    struct sim *sim = start_mesh(N, 4, 20);
    uint64_t lost_ms;

    (void)state;
    sim_run(sim, 3000);
    lost_ms = sim_now(sim);
    sim_stop(sim, 0);
    sim_run(sim, DOWN_MS);
    for (size_t i = 1; i < N; i++) {
        assert_int_equal(sim_count(sim, i, "10.0.0.0:9000 has disconnected from you."), 1);
        assert_false(sim_is_linked(sim, i, 0));
        assert_in_range(check_attempts(sim, i, lost_ms), 1, 7); /* of up to a second */
    }
    sim_start(sim, 0);
    sim_run(sim, 1000 + 10 * SIM_LATENCY_MAX_MS);
    for (size_t i = 1; i < N; i++) {
        assert_true(sim_is_linked(sim, i, 0));
        assert_int_equal(
            sim_count(sim, i, "You are now connected to 10.0.0.0:9000. Services: [node]"), 2);
        assert_int_equal(sim_count(sim, i, "has disconnected"), 1);
        assert_int_equal(sim_count(sim, i, "Giving up"), 0);
    }
    assert_int_equal(sim_n_peers(sim, 0), N - 1);
    check(sim, N);
    sim_free(sim);
}

/* The connection alone is lost: it is there again at once, and not after the first delay. */
static void test_broken_link_is_replaced_at_once(void **state)
{
    struct sim *sim = start_mesh(2, 11, 1000);

    (void)state;
    assert_true(sim_break_one(sim));
    sim_run(sim, SIM_LATENCY_MAX_MS);
    assert_int_equal(sim_count(sim, 1, "10.0.0.0:9000 has disconnected from you."), 1);
    sim_run(sim, 3 * SIM_ROUND_TRIP_MAX_MS);
    assert_true(sim_is_linked(sim, 1, 0));
    assert_int_equal(sim_count(sim, 1, "Trying to reconnect"), 0);
    sim_free(sim);
}

/* Where in the trace of one node something was said, and how often in all. */
static size_t count_lines(struct sim *sim, size_t index, const char *text, uint64_t from_ms,
                          uint64_t *last_ms)
{
    size_t offset = 0;
    size_t n = 0;
    struct line line;

    while (next_line(&sim_node(sim, index)->trace, &offset, text, &line)) {
        if (line.at_ms >= from_ms) {
            *last_ms = line.at_ms;
            n++;
        }
    }
    return n;
}

/* The node that 200 others have been told of is away for ten minutes. All of them are back two
 * seconds after it is, no second of which has more than a fair share of that; and each has said
 * little more than once in thirty seconds that it tries. */
static void test_away_for_ten_minutes(void **state)
{
    enum { N = 201, AWAY_MS = 10 * 60 * 1000, SLICE_MS = 100, SLICES = 20 };
    struct sim *sim = sim_new(N, 12);
    unsigned n_back[SLICES] = {0};
    uint64_t lost_ms;
    uint64_t back_ms;
    uint64_t at_ms = 0;

    (void)state;
    for (size_t i = 1; i < N; i++) {
        sim_make_anonymous(sim, i); /* as services are: only the gateway can be dialed */
    }
    for (size_t i = 0; i < N; i++) {
        sim_start(sim, i);
        if (i > 0) {
            sim_join(sim, i, 0);
        }
    }
    sim_run(sim, 2000);
    lost_ms = sim_now(sim);
    sim_stop(sim, 0);
    sim_run(sim, AWAY_MS);
    for (size_t i = 1; i < N; i++) {
        assert_in_range(count_lines(sim, i, "Tried ", lost_ms, &at_ms), AWAY_MS / 30000 - 2,
                        AWAY_MS / 30000 + 1);
        assert_in_range(count_lines(sim, i, "", lost_ms, &at_ms), 1, AWAY_MS / 30000 + 10);
        assert_int_equal(sim_count(sim, i, "Giving up"), 0);
    }
    back_ms = sim_now(sim);
    sim_start(sim, 0);
    sim_run(sim, SLICES * SLICE_MS);
    for (size_t i = 1; i < N; i++) {
        assert_int_equal(count_lines(sim, i, "You are now connected", back_ms, &at_ms), 1);
        assert_in_range(at_ms - back_ms, 0, SLICES * SLICE_MS - 1);
        n_back[(at_ms - back_ms) / SLICE_MS]++;
    }
    for (size_t i = 0; i < SLICES; i++) {
        assert_in_range(n_back[i], 0, N / 3);
    }
    sim_free(sim);
}

/* The gateway moves to another host, as containers do, and its name a while later: six seconds
 * after that all have found it. Nobody has asked for the name more than once in five seconds. */
static void test_name_that_moves(void **state)
{
    enum { N = 50, AWAY_MS = 60000, MOVED_MS = 6000 };
    const size_t old_host = 0;
    const size_t new_host = 1;
    struct sim *sim = sim_new(N, 14);
    uint64_t from_ms;

    (void)state;
    sim_name(sim, "gw", &old_host, 1);
    for (size_t i = 2; i < N; i++) {
        sim_make_anonymous(sim, i);
        sim_start(sim, i);
        sim_join_by_name(sim, i, "gw");
    }
    sim_start(sim, old_host);
    sim_run(sim, 10000);
    assert_int_equal(sim_node(sim, 2)->n_joined, 1);
    for (size_t i = 2; i < N; i++) {
        assert_true(sim_is_linked(sim, i, old_host));
    }
    from_ms = sim_now(sim);
    sim_stop(sim, old_host);
    sim_start(sim, new_host);
    sim_run(sim, AWAY_MS);
    sim_name(sim, "gw", &new_host, 1);
    sim_run(sim, MOVED_MS);
    for (size_t i = 2; i < N; i++) {
        assert_true(sim_is_linked(sim, i, new_host));
        assert_in_range(sim_node(sim, i)->n_look_ups, 2, 2 + sim_now(sim) / 5000);
    }
    assert_in_range(sim_now(sim) - from_ms, AWAY_MS + MOVED_MS, AWAY_MS + MOVED_MS + 100);
    sim_free(sim);
}

/* One name for three hosts, of which one is up, and another one later. */
static void test_name_of_several_hosts(void **state)
{
    const size_t hosts[] = {0, 1, 2};
    struct sim *sim = sim_new(4, 15);

    (void)state;
    sim_name(sim, "gw", hosts, 3);
    sim_start(sim, 2);
    sim_start(sim, 3);
    sim_join_by_name(sim, 3, "gw");
    sim_run(sim, 1000);
    assert_true(sim_is_linked(sim, 3, 2));
    sim_start(sim, 1);
    sim_stop(sim, 2);
    sim_run(sim, 1000);
    assert_true(sim_is_linked(sim, 3, 1));
    sim_free(sim);
}

/* A peer that is not there yet when the others start. */
static void test_bootstrap_node_comes_late(void **state)
{
    enum { N = 5 };
    struct sim *sim = sim_new(N, 13);

    (void)state;
    for (size_t i = 1; i < N; i++) {
        sim_start(sim, i);
        sim_join(sim, i, 0);
    }
    sim_run(sim, 60000);
    for (size_t i = 1; i < N; i++) {
        assert_int_equal(sim_node(sim, i)->n_joined, 1);
        assert_int_equal(sim_node(sim, i)->n_connected, 0);
    }
    sim_start(sim, 0);
    sim_run(sim, 5000); /* the first of them knows nobody: those that come after it find it */
    for (size_t i = 1; i < N; i++) {
        assert_true(sim_is_linked(sim, i, 0));
    }
    assert_full_mesh(sim, N);
    check(sim, N);
    sim_free(sim);
}

/* It stays away: as many attempts as were asked for, then no node tries any more. */
static void test_bootstrap_node_stays_away(void **state)
{
    enum { N = 10, ATTEMPTS = 8 };
    struct sim *sim = sim_new(N, 5);
    uint64_t lost_ms;

    (void)state;
    sim_limit_attempts(sim, ATTEMPTS);
    join_all(sim, N, 20);
    sim_run(sim, 3000);
    lost_ms = sim_now(sim);
    sim_stop(sim, 0);
    sim_run(sim, 10000);
    for (size_t i = 1; i < N; i++) {
        assert_int_equal(check_attempts(sim, i, lost_ms), ATTEMPTS - 1); /* one came at once */
        assert_int_equal(
            sim_count(sim, i, "Tried 8 times reconnecting to 10.0.0.0:9000. Giving up."), 1);
        assert_int_equal(sim_n_peers(sim, i), N - 2);
    }
    sim_start(sim, 0);
    sim_run(sim, 60000);
    assert_int_equal(sim_n_peers(sim, 0), 0);
    sim_free(sim);
}

static void split(struct sim *sim, size_t n_nodes, bool is_split)
{
    for (size_t i = 0; i < n_nodes; i++) {
        sim_partition(sim, i, is_split && i >= n_nodes / 2);
    }
}

static void test_partition_heals(void **state)
{
    enum { N = 16 };
    struct sim *sim = start_mesh(N, 6, 50);

    (void)state;
    sim_run(sim, 2000);
    split(sim, N, true);
    sim_run(sim, 3000);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(sim_n_peers(sim, i), N / 2 - 1);
    }
    check(sim, N);
    split(sim, N, false);
    sim_run(sim, 3000);
    assert_full_mesh(sim, N);
    check(sim, N);
    sim_free(sim);
}

/* Those on the other side have been given up, but for the node that all were told of: once it can
 * be reached it says where the others are. */
static void test_partition_that_lasts(void **state)
{
    enum { N = 16 };
    struct sim *sim = start_mesh(N, 7, 50);

    (void)state;
    sim_run(sim, 2000);
    split(sim, N, true);
    sim_run(sim, 60000);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(sim_n_peers(sim, i), N / 2 - 1);
    }
    split(sim, N, false);
    sim_run(sim, 5000);
    assert_full_mesh(sim, N);
    check(sim, N);
    sim_free(sim);
}

static void test_partition_that_outlasts_the_attempts(void **state)
{
    enum { N = 16 };
    struct sim *sim = sim_new(N, 7);

    (void)state;
    sim_limit_attempts(sim, 8);
    join_all(sim, N, 50);
    sim_run(sim, 2000);
    split(sim, N, true);
    sim_run(sim, 15000);
    split(sim, N, false);
    sim_run(sim, 15000);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(sim_n_peers(sim, i), N / 2 - 1); /* all attempts were used up */
    }
    check(sim, N);
    sim_free(sim);
}

/* Bytes that arrive late are not a fault, but a discovery does not wait for them for ever. */
static void test_network_that_stalls(void **state)
{
    enum { N = 6 };
    struct sim *sim = start_mesh(N, 8, 100);

    (void)state;
    sim_run(sim, 1000);
    sim_stop(sim, N - 1);
    sim_start(sim, N - 1);
    sim_join(sim, N - 1, 0);
    for (int ms = 0; sim_count(sim, N - 1, "Re-probed") < 2; ms++) {
        assert_true(ms < 1000);
        sim_run(sim, 1); /* it is asked; the answer is on its way */
    }
    sim_hold(sim, true);
    sim_run(sim, FE_MESH_ANSWER_MS + 10);
    assert_int_equal(sim_node(sim, N - 1)->n_joined, 2);
    assert_false(sim_is_linked(sim, N - 1, 1));
    sim_hold(sim, false);
    sim_run(sim, 1000);
    assert_true(sim_is_linked(sim, N - 1, 0));
    assert_int_equal(sim_count(sim, N - 1, "Closed the connection"), 0);
    check(sim, N);
    sim_free(sim);
}

/* ---- at random ---- */

enum { CHAOS_NODES = 12, CHAOS_STEPS = 120 };

static void restart(struct sim *sim, size_t index)
{
    sim_start(sim, index);
    sim_join(sim, index, (index + 1 + fe_rng_below(sim_rng(sim), CHAOS_NODES - 1)) % CHAOS_NODES);
}

static void disturb(struct sim *sim)
{
    size_t index = fe_rng_below(sim_rng(sim), CHAOS_NODES);

    switch (fe_rng_below(sim_rng(sim), 6)) {
    case 0:
        sim_partition(sim, index, 1);
        break;
    case 1:
        sim_partition(sim, index, 0);
        break;
    case 2:
        sim_hold(sim, fe_rng_below(sim_rng(sim), 2) == 0);
        break;
    case 3:
        if (sim_node(sim, index)->mesh != NULL) {
            sim_stop(sim, index);
        } else {
            restart(sim, index);
        }
        break;
    default:
        sim_break_one(sim);
        break;
    }
}

/* At the end every node is up, on one side, and joins once more. */
static void make_peace(struct sim *sim)
{
    sim_hold(sim, false);
    for (size_t i = 0; i < CHAOS_NODES; i++) {
        sim_partition(sim, i, 0);
        if (sim_node(sim, i)->mesh != NULL) {
            sim_stop(sim, i);
        }
    }
    for (size_t i = 0; i < CHAOS_NODES; i++) {
        sim_start(sim, i);
        if (i > 0) {
            sim_join(sim, i, 0);
        }
        sim_run(sim, 50);
    }
    sim_run(sim, 3000);
}

static void test_at_random(void **state)
{
    (void)state;
    for (uint64_t seed = 100; seed < 108; seed++) {
        struct sim *sim = start_mesh(CHAOS_NODES, seed, 20);

        for (int step = 0; step < CHAOS_STEPS; step++) {
            disturb(sim);
            sim_run(sim, fe_rng_below(sim_rng(sim), 400));
            check(sim, CHAOS_NODES);
        }
        make_peace(sim);
        assert_full_mesh(sim, CHAOS_NODES);
        check(sim, CHAOS_NODES);
        for (size_t i = 0; i < CHAOS_NODES; i++) {
            const struct sim_node *node = sim_node(sim, i);

            assert_int_equal(node->n_joined, node->n_joins);
            assert_int_equal(node->n_closed, node->n_starts - 1);
        }
        sim_free(sim);
    }
}

/* The same seed gives the same run, to the millisecond. */
static void test_runs_repeat(void **state)
{
    struct sim *a = start_mesh(CHAOS_NODES, 9, 20);
    struct sim *b = start_mesh(CHAOS_NODES, 9, 20);

    (void)state;
    for (int step = 0; step < 20; step++) {
        disturb(a);
        disturb(b);
        sim_run(a, 200);
        sim_run(b, 200);
    }
    for (size_t i = 0; i < CHAOS_NODES; i++) {
        assert_int_equal(sim_node(a, i)->trace.len, sim_node(b, i)->trace.len);
        assert_memory_equal(sim_node(a, i)->trace.data, sim_node(b, i)->trace.data,
                            sim_node(a, i)->trace.len);
    }
    sim_free(a);
    sim_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_mesh_is_a_full_one),
        cmocka_unit_test(test_anonymous_nodes_find_all),
        cmocka_unit_test(test_many_nodes),
        cmocka_unit_test(test_restart_of_the_bootstrap_node),
        cmocka_unit_test(test_broken_link_is_replaced_at_once),
        cmocka_unit_test(test_away_for_ten_minutes),
        cmocka_unit_test(test_name_that_moves),
        cmocka_unit_test(test_name_of_several_hosts),
        cmocka_unit_test(test_bootstrap_node_comes_late),
        cmocka_unit_test(test_bootstrap_node_stays_away),
        cmocka_unit_test(test_partition_heals),
        cmocka_unit_test(test_partition_that_lasts),
        cmocka_unit_test(test_partition_that_outlasts_the_attempts),
        cmocka_unit_test(test_network_that_stalls),
        cmocka_unit_test(test_at_random),
        cmocka_unit_test(test_runs_repeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
