#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ground/base/list.h"
#include "ground/base/map.h"

enum { N = 1000 };

static const uint8_t seed[16] = {1, 2, 3};

struct item {
    struct fe_map_node node;
    uint32_t key;
    unsigned n_seen;
};

static void item_init(struct item *item, uint32_t key)
{
    item->key = key;
    item->n_seen = 0;
    item->node.key = fe_view_of(&item->key, sizeof(item->key));
}

static struct item *find(const struct fe_map *map, uint32_t key)
{
    struct fe_map_node *node = fe_map_find(map, fe_view_of(&key, sizeof(key)));

    return node != NULL ? FE_CONTAINER_OF(node, struct item, node) : NULL;
}

static void what_is_in_it_is_found(void **state)
{
    static struct item items[N];
    struct fe_map map;

    (void)state;
    fe_map_init(&map, seed);
    assert_null(find(&map, 0));
    for (uint32_t i = 0; i < N; i++) {
        item_init(&items[i], i);
        assert_int_equal(fe_map_insert(&map, &items[i].node), 0);
        assert_int_equal(map.n, i + 1);
    }
    for (uint32_t i = 0; i < N; i += 2) {
        fe_map_remove(&map, &items[i].node);
    }
    assert_int_equal(map.n, N / 2);
    for (uint32_t i = 0; i < N; i++) {
        assert_ptr_equal(find(&map, i), i % 2 == 0 ? NULL : &items[i]);
    }
    fe_map_deinit(&map);
}

static void iterating_sees_each_once(void **state)
{
    static struct item items[N];
    struct fe_map map;

    (void)state;
    fe_map_init(&map, seed);
    assert_null(fe_map_next(&map, NULL));
    for (uint32_t i = 0; i < N; i++) {
        item_init(&items[i], i);
        assert_int_equal(fe_map_insert(&map, &items[i].node), 0);
    }
    for (struct fe_map_node *node = NULL; (node = fe_map_next(&map, node)) != NULL;) {
        FE_CONTAINER_OF(node, struct item, node)->n_seen++;
    }
    for (uint32_t i = 0; i < N; i++) {
        assert_int_equal(items[i].n_seen, 1);
    }
    fe_map_deinit(&map);
}

static void a_removed_node_may_come_back(void **state)
{
    struct item item;
    struct fe_map map;

    (void)state;
    fe_map_init(&map, seed);
    item_init(&item, 7);
    assert_int_equal(fe_map_insert(&map, &item.node), 0);
    fe_map_remove(&map, &item.node);
    assert_null(find(&map, 7));
    item_init(&item, 8);
    assert_int_equal(fe_map_insert(&map, &item.node), 0);
    assert_ptr_equal(find(&map, 8), &item);
    fe_map_deinit(&map);
}

static void keys_may_be_empty(void **state)
{
    struct fe_map_node node = {.key = {0}};
    struct fe_map map;

    (void)state;
    fe_map_init(&map, seed);
    assert_int_equal(fe_map_insert(&map, &node), 0);
    assert_ptr_equal(fe_map_find(&map, FE_VIEW_LIT("")), &node);
    fe_map_deinit(&map);
}

/* No peer can choose names that fall into one bucket: where they fall depends on the seed. */
static void the_hash_depends_on_the_seed(void **state)
{
    static const uint8_t other_seed[16] = {9};
    struct item a, b;
    struct fe_map map, other;

    (void)state;
    fe_map_init(&map, seed);
    fe_map_init(&other, other_seed);
    item_init(&a, 7);
    item_init(&b, 7);
    assert_int_equal(fe_map_insert(&map, &a.node), 0);
    assert_int_equal(fe_map_insert(&other, &b.node), 0);
    assert_int_not_equal(a.node.hash, b.node.hash);
    fe_map_deinit(&map);
    fe_map_deinit(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_in_it_is_found),       cmocka_unit_test(iterating_sees_each_once),
        cmocka_unit_test(a_removed_node_may_come_back), cmocka_unit_test(keys_may_be_empty),
        cmocka_unit_test(the_hash_depends_on_the_seed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
