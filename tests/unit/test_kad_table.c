#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ground/base/rng.h"
#include "mesh/kad/table.h"

static const uint8_t zero_key[FE_KEY_LEN];

/* A node whose key is zero but for its first byte and, to tell nodes apart, its last. */
static struct fe_id node_of(uint8_t first, uint8_t last)
{
    struct fe_id id = {.addr = {.family = FE_IPV4, .ip = {10, 0, first, last}, .port = 9000}};

    id.public_key[0] = first;
    id.public_key[FE_KEY_LEN - 1] = last;
    return id;
}

static void assert_key(const struct fe_id *id, uint8_t first, uint8_t last)
{
    assert_int_equal(id->public_key[0], first);
    assert_int_equal(id->public_key[FE_KEY_LEN - 1], last);
}

static void test_shared_prefix(void **state)
{
    uint8_t a[FE_KEY_LEN] = {0};
    uint8_t b[FE_KEY_LEN] = {0};

    (void)state;
    assert_int_equal(fe_kad_shared_prefix(a, b), -1);
    b[0] = 0x80;
    assert_int_equal(fe_kad_shared_prefix(a, b), 0);
    b[0] = 0x01;
    assert_int_equal(fe_kad_shared_prefix(a, b), 7);
    a[0] = 0x01;
    b[1] = 0x40;
    assert_int_equal(fe_kad_shared_prefix(a, b), 9);
    b[1] = 0;
    b[FE_KEY_LEN - 1] = 1;
    assert_int_equal(fe_kad_shared_prefix(a, b), 255);
}

/* Distance is XOR: 0x10 is nearer to 0x1f than 0x20 is, though |0x20 - 0x1f| is smaller. */
static void test_compare(void **state)
{
    uint8_t target[FE_KEY_LEN] = {0x1f};
    uint8_t a[FE_KEY_LEN] = {0x10};
    uint8_t b[FE_KEY_LEN] = {0x20};

    (void)state;
    assert_true(fe_kad_compare(target, a, b) < 0);
    assert_true(fe_kad_compare(target, b, a) > 0);
    assert_int_equal(fe_kad_compare(target, a, a), 0);
    memcpy(b, a, sizeof(b));
    b[FE_KEY_LEN - 1] = 1;
    assert_true(fe_kad_compare(target, a, b) < 0);
    target[FE_KEY_LEN - 1] = 1;
    assert_true(fe_kad_compare(target, a, b) > 0);
}

static void test_update(void **state)
{
    uint8_t self[FE_KEY_LEN] = {0x42};
    struct fe_kad_table table;
    struct fe_id own = node_of(0x42, 0);
    struct fe_id a = node_of(0x80, 1);
    struct fe_id b = node_of(0x80, 2);

    (void)state;
    fe_kad_table_init(&table, self);
    assert_int_equal(fe_kad_table_update(&table, &own), FE_KAD_IGNORED);
    assert_int_equal(table.n, 0);
    assert_int_equal(fe_kad_table_update(&table, &a), FE_KAD_INSERTED);
    assert_int_equal(fe_kad_table_update(&table, &b), FE_KAD_INSERTED);
    assert_int_equal(table.n, 2);
    assert_key(&table.buckets[0]->ids[0], 0x80, 2);
    a.addr.port = 9001;
    assert_int_equal(fe_kad_table_update(&table, &a), FE_KAD_MOVED);
    assert_int_equal(table.n, 2);
    assert_key(&table.buckets[0]->ids[0], 0x80, 1);
    assert_key(&table.buckets[0]->ids[1], 0x80, 2);
    assert_int_equal(fe_kad_table_find(&table, a.public_key)->addr.port, 9001);
    fe_kad_table_deinit(&table);
}

/* Anonymous nodes are in no table, and have one themselves. */
static void test_anonymous(void **state)
{
    const uint8_t self[FE_KEY_LEN] = {0x42};
    struct fe_id anonymous = {.addr = {.family = FE_IPV4, .port = 9000}};
    struct fe_id id = node_of(0x01, 0);
    struct fe_kad_table table;

    (void)state;
    fe_kad_table_init(&table, self);
    assert_int_equal(fe_kad_table_update(&table, &anonymous), FE_KAD_IGNORED);
    assert_null(fe_kad_table_find(&table, zero_key));
    fe_kad_table_deinit(&table);

    fe_kad_table_init(&table, zero_key);
    assert_int_equal(fe_kad_table_update(&table, &anonymous), FE_KAD_IGNORED);
    assert_int_equal(fe_kad_table_update(&table, &id), FE_KAD_INSERTED);
    assert_non_null(table.buckets[7]);
    fe_kad_table_deinit(&table);
}

static void test_full_bucket_keeps_its_nodes(void **state)
{
    struct fe_kad_table table;
    struct fe_id late = node_of(0x80, FE_KAD_BUCKET_SIZE);
    struct fe_id other = node_of(0x40, 0);

    (void)state;
    fe_kad_table_init(&table, zero_key);
    for (unsigned i = 0; i < FE_KAD_BUCKET_SIZE; i++) {
        struct fe_id id = node_of(0x80, (uint8_t)i);

        assert_int_equal(fe_kad_table_update(&table, &id), FE_KAD_INSERTED);
    }
    assert_int_equal(fe_kad_table_update(&table, &late), FE_KAD_FULL);
    assert_null(fe_kad_table_find(&table, late.public_key));
    assert_int_equal(fe_kad_table_update(&table, &other), FE_KAD_INSERTED);

    fe_kad_table_remove(&table, node_of(0x80, 7).public_key);
    assert_int_equal(fe_kad_table_update(&table, &late), FE_KAD_INSERTED);
    assert_int_equal(table.n, FE_KAD_BUCKET_SIZE + 1);
    fe_kad_table_deinit(&table);
}

static void test_remove(void **state)
{
    struct fe_kad_table table;

    (void)state;
    fe_kad_table_init(&table, zero_key);
    for (uint8_t i = 0; i < 3; i++) {
        struct fe_id id = node_of(0x80, i);

        assert_int_equal(fe_kad_table_update(&table, &id), FE_KAD_INSERTED);
    }
    fe_kad_table_remove(&table, zero_key);                    /* our own */
    fe_kad_table_remove(&table, node_of(0x40, 0).public_key); /* no such bucket */
    fe_kad_table_remove(&table, node_of(0x80, 9).public_key); /* not in its bucket */
    assert_int_equal(table.n, 3);
    fe_kad_table_remove(&table, node_of(0x80, 1).public_key);
    assert_int_equal(table.n, 2);
    assert_null(fe_kad_table_find(&table, node_of(0x80, 1).public_key));
    assert_non_null(fe_kad_table_find(&table, node_of(0x80, 0).public_key));
    assert_non_null(fe_kad_table_find(&table, node_of(0x80, 2).public_key));
    fe_kad_table_deinit(&table);
}

enum { MANY = 300 };

struct by_distance {
    uint8_t target[FE_KEY_LEN];
    struct fe_id ids[MANY];
    size_t n;
};

/* The definition, slowly: the node at `rank` has exactly `rank` nodes closer than itself. */
static const struct fe_id *ranked(const struct by_distance *all, size_t rank)
{
    for (size_t i = 0; i < all->n; i++) {
        size_t n_closer = 0;

        for (size_t j = 0; j < all->n; j++) {
            uint8_t d_i[FE_KEY_LEN];
            uint8_t d_j[FE_KEY_LEN];

            for (size_t b = 0; b < FE_KEY_LEN; b++) {
                d_i[b] = all->ids[i].public_key[b] ^ all->target[b];
                d_j[b] = all->ids[j].public_key[b] ^ all->target[b];
            }
            n_closer += memcmp(d_j, d_i, FE_KEY_LEN) < 0;
        }
        if (n_closer == rank) {
            return &all->ids[i];
        }
    }
    return NULL;
}

/* Whatever the target, not only for our own key. */
static void test_closest_is_sorted_by_distance_to_the_target(void **state)
{
    struct by_distance all = {.n = 0};
    struct fe_rng_seeded seeded;
    struct fe_rng rng = fe_rng_from_seed(&seeded, 7);
    struct fe_id closest[FE_KAD_BUCKET_SIZE];
    struct fe_kad_table table;
    uint8_t self[FE_KEY_LEN];

    (void)state;
    fe_rng_fill(&rng, self, sizeof(self));
    fe_kad_table_init(&table, self);
    for (size_t i = 0; i < MANY; i++) {
        struct fe_id id = {.addr = {.family = FE_IPV4, .port = 9000}};

        fe_rng_fill(&rng, id.public_key, FE_KEY_LEN);
        if (fe_kad_table_update(&table, &id) == FE_KAD_INSERTED) {
            all.ids[all.n++] = id;
        }
    }
    assert_int_equal(all.n, table.n);
    assert_true(all.n / 2 > FE_KAD_BUCKET_SIZE);
    for (int round = 0; round < 20; round++) {
        fe_rng_fill(&rng, all.target, FE_KEY_LEN);
        assert_int_equal(fe_kad_table_closest(&table, all.target, closest, FE_KAD_BUCKET_SIZE),
                         FE_KAD_BUCKET_SIZE);
        for (size_t i = 0; i < FE_KAD_BUCKET_SIZE; i++) {
            assert_memory_equal(closest[i].public_key, ranked(&all, i)->public_key, FE_KEY_LEN);
        }
    }
    fe_kad_table_deinit(&table);
}

static void test_closest_of_few(void **state)
{
    struct fe_id closest[2];
    struct fe_kad_table table;

    (void)state;
    fe_kad_table_init(&table, zero_key);
    assert_int_equal(fe_kad_table_closest(&table, zero_key, closest, 2), 0);
    for (uint8_t i = 1; i <= 3; i++) {
        struct fe_id id = node_of(i, 0);

        assert_int_equal(fe_kad_table_update(&table, &id), FE_KAD_INSERTED);
    }
    assert_int_equal(fe_kad_table_closest(&table, zero_key, closest, 0), 0);
    assert_int_equal(fe_kad_table_closest(&table, zero_key, closest, 2), 2);
    assert_key(&closest[0], 1, 0);
    assert_key(&closest[1], 2, 0);
    fe_kad_table_deinit(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared_prefix),
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_update),
        cmocka_unit_test(test_anonymous),
        cmocka_unit_test(test_full_bucket_keeps_its_nodes),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_closest_is_sorted_by_distance_to_the_target),
        cmocka_unit_test(test_closest_of_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
