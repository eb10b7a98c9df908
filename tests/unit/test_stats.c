/* Blocks of counters: the tables describe all of them, and they add up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/edge/stats.h"
#include "mesh/net/stats.h"

static const struct fe_stats_type *const types[] = {&fe_edge_stats_type, &fe_h2_stats_type,
                                                    &fe_node_stats_type};

enum { N_TYPES = sizeof(types) / sizeof(types[0]), VALUES_MAX = 64 };

/* Each value of the block has one row, and each row a value. */
static void test_tables_are_complete(void **state)
{
    (void)state;
    for (size_t t = 0; t < N_TYPES; t++) {
        bool is_seen[VALUES_MAX] = {false};

        assert_int_equal(types[t]->size, types[t]->n_stats * sizeof(uint64_t));
        for (size_t i = 0; i < types[t]->n_stats; i++) {
            size_t value = types[t]->stats[i].offset / sizeof(uint64_t);

            assert_true(value < types[t]->n_stats && value < VALUES_MAX);
            assert_false(is_seen[value]);
            is_seen[value] = true;
        }
    }
}

static bool has_suffix(const char *text, const char *suffix)
{
    size_t len = strlen(text);

    return len >= strlen(suffix) && strcmp(text + len - strlen(suffix), suffix) == 0;
}

/* https://prometheus.io/docs/practices/naming: the unit is a suffix, that of counters is "total".
 */
static void test_names_are_those_of_prometheus(void **state)
{
    (void)state;
    for (size_t t = 0; t < N_TYPES; t++) {
        for (size_t i = 0; i < types[t]->n_stats; i++) {
            const struct fe_stat *stat = &types[t]->stats[i];
            bool is_counter = stat->kind == FE_STAT_COUNTER;

            assert_memory_equal(stat->name, "flatend_", 8);
            assert_int_equal(strspn(stat->name, "abcdefghijklmnopqrstuvwxyz0123456789_"),
                             strlen(stat->name));
            assert_int_equal(has_suffix(stat->name, "_total"), is_counter);
            if (strcmp(stat->unit, "bytes") == 0) {
                assert_true(has_suffix(stat->name, is_counter ? "_bytes_total" : "_bytes"));
            }
            assert_true(strlen(stat->unit) > 0);
            assert_true(strlen(stat->help) > 0 && !has_suffix(stat->help, "."));
        }
    }
}

static bool is_same_family(const struct fe_stat *a, const struct fe_stat *b)
{
    return strcmp(a->name, b->name) == 0;
}

/* Values of one name stand together, mean the same, and are told apart by their labels. */
static void test_families(void **state)
{
    (void)state;
    for (size_t t = 0; t < N_TYPES; t++) {
        for (size_t i = 0; i < types[t]->n_stats; i++) {
            const struct fe_stat *stat = &types[t]->stats[i];

            for (size_t j = 0; j < i; j++) {
                const struct fe_stat *other = &types[t]->stats[j];

                if (!is_same_family(stat, other)) {
                    continue;
                }
                assert_true(is_same_family(stat, stat - 1));
                assert_int_equal(stat->kind, other->kind);
                assert_string_equal(stat->unit, other->unit);
                assert_string_equal(stat->help, other->help);
                assert_string_not_equal(stat->labels, other->labels);
            }
        }
    }
}

static void test_labels_name_the_field(void **state)
{
    struct fe_h2_counters h2 = {.seen[FE_H2_PINGS] = 7, .closed[FE_H2_PINGS] = 9};
    uint64_t sum = 0;

    (void)state;
    for (size_t i = 0; i < fe_h2_stats_type.n_stats; i++) {
        const struct fe_stat *stat = &fe_h2_stats_type.stats[i];

        if (stat->labels != NULL && strcmp(stat->labels, "kind=\"pings\"") == 0) {
            sum = sum * 10 + fe_stats_get(&fe_h2_stats_type, &h2, i);
        }
    }
    assert_int_equal(sum, 79);
}

static void fill(const struct fe_stats_type *type, uint64_t *values, uint64_t factor)
{
    for (size_t i = 0; i < type->n_stats; i++) {
        values[i] = factor * (i + 1);
    }
}

static void test_sums(void **state)
{
    (void)state;
    for (size_t t = 0; t < N_TYPES; t++) {
        uint64_t a[VALUES_MAX];
        uint64_t b[VALUES_MAX];

        fill(types[t], a, 1);
        fill(types[t], b, 1000);
        fe_stats_add(types[t], b, a);
        for (size_t i = 0; i < types[t]->n_stats; i++) {
            assert_int_equal(b[i], 1001 * (i + 1));
            assert_int_equal(a[i], i + 1);
            assert_int_equal(fe_stats_get(types[t], b, i),
                             b[types[t]->stats[i].offset / sizeof(uint64_t)]);
        }
    }
}

static void test_totals(void **state)
{
    struct fe_edge_totals sum = {.edge.accepts = 1, .h2.stalled = 2};
    const struct fe_edge_totals one = {.edge.accepts = 10, .h2.stalled = 20};

    (void)state;
    fe_edge_totals_add(&sum, &one);
    assert_int_equal(sum.edge.accepts, 11);
    assert_int_equal(sum.h2.stalled, 22);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables_are_complete),
        cmocka_unit_test(test_names_are_those_of_prometheus),
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_labels_name_the_field),
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_totals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
