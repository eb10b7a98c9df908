#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mesh/kad/lookup.h"

static const uint8_t self_key[FE_KEY_LEN] = {0xff};
static const uint8_t target[FE_KEY_LEN] = {0};

/* The larger the number, the farther from the target. */
static struct fe_id node_of(uint16_t number)
{
    struct fe_id id = {.addr = {.family = FE_IPV4, .port = 9000}};

    id.public_key[1] = (uint8_t)(number >> 8);
    id.public_key[2] = (uint8_t)number;
    return id;
}

static void add(struct fe_kad_lookup *lookup, uint16_t number, int expected)
{
    struct fe_id id = node_of(number);

    assert_int_equal(fe_kad_lookup_add(lookup, &id, 1), expected);
}

static void assert_next(struct fe_kad_lookup *lookup, uint16_t number)
{
    struct fe_id expected = node_of(number);
    struct fe_id id;

    assert_true(fe_kad_lookup_next(lookup, &id));
    assert_memory_equal(id.public_key, expected.public_key, FE_KEY_LEN);
}

static void done(struct fe_kad_lookup *lookup, uint16_t number)
{
    struct fe_id id = node_of(number);

    fe_kad_lookup_done(lookup, id.public_key);
}

static void test_empty(void **state)
{
    struct fe_kad_lookup lookup;
    struct fe_id id;

    (void)state;
    fe_kad_lookup_init(&lookup, self_key, target, 2);
    assert_true(fe_kad_lookup_is_finished(&lookup));
    assert_false(fe_kad_lookup_next(&lookup, &id));
    fe_kad_lookup_deinit(&lookup);
}

static void test_asks_the_closest_first_and_until_nothing_is_new(void **state)
{
    struct fe_kad_lookup lookup;
    struct fe_id id;

    (void)state;
    fe_kad_lookup_init(&lookup, self_key, target, 2);
    add(&lookup, 30, 1);
    add(&lookup, 10, 1);
    add(&lookup, 20, 1);
    assert_next(&lookup, 10);
    assert_next(&lookup, 20);
    assert_false(fe_kad_lookup_next(&lookup, &id)); /* two at once */
    assert_false(fe_kad_lookup_is_finished(&lookup));

    add(&lookup, 5, 1);
    add(&lookup, 20, 0);
    add(&lookup, 30, 0);
    done(&lookup, 10);
    assert_next(&lookup, 5);
    done(&lookup, 20);
    assert_next(&lookup, 30);
    done(&lookup, 5);
    assert_false(fe_kad_lookup_is_finished(&lookup));
    done(&lookup, 30);
    assert_true(fe_kad_lookup_is_finished(&lookup));
    add(&lookup, 10, 0);
    assert_true(fe_kad_lookup_is_finished(&lookup)); /* no node is asked twice */
    fe_kad_lookup_deinit(&lookup);
}

static void test_done_counts_once(void **state)
{
    struct fe_kad_lookup lookup;
    struct fe_id id;

    (void)state;
    fe_kad_lookup_init(&lookup, self_key, target, 1);
    add(&lookup, 1, 1);
    add(&lookup, 2, 1);
    add(&lookup, 3, 1);
    assert_next(&lookup, 1);
    done(&lookup, 2); /* not asked yet */
    done(&lookup, 9); /* never heard of */
    assert_false(fe_kad_lookup_next(&lookup, &id));
    done(&lookup, 1);
    done(&lookup, 1);
    assert_next(&lookup, 2);
    assert_false(fe_kad_lookup_next(&lookup, &id));
    fe_kad_lookup_deinit(&lookup);
}

static void test_never_asks_ourselves_or_anonymous_nodes(void **state)
{
    struct fe_kad_lookup lookup;
    struct fe_id own = {.addr = {.family = FE_IPV4, .port = 9000}};
    struct fe_id anonymous = own;

    (void)state;
    memcpy(own.public_key, self_key, FE_KEY_LEN);
    fe_kad_lookup_init(&lookup, self_key, target, 1);
    assert_int_equal(fe_kad_lookup_add(&lookup, &own, 1), 0);
    assert_int_equal(fe_kad_lookup_add(&lookup, &anonymous, 1), 0);
    assert_true(fe_kad_lookup_is_finished(&lookup));
    fe_kad_lookup_deinit(&lookup);
}

/* A peer that invents sixteen nodes with every answer, each of which answers likewise. */
static void test_invented_nodes_are_bounded(void **state)
{
    struct fe_kad_lookup lookup;
    uint16_t invented = 1;
    size_t n_asked = 0;
    struct fe_id id;

    (void)state;
    fe_kad_lookup_init(&lookup, self_key, target, 16);
    add(&lookup, 60000, 1);
    while (fe_kad_lookup_next(&lookup, &id)) {
        n_asked++;
        for (int i = 0; i < 16; i++) {
            struct fe_id claim = node_of(invented++);

            assert_in_range(fe_kad_lookup_add(&lookup, &claim, 1), 0, 1);
        }
        fe_kad_lookup_done(&lookup, id.public_key);
    }
    assert_true(fe_kad_lookup_is_finished(&lookup));
    assert_int_equal(n_asked, FE_KAD_LOOKUP_MAX);
    fe_kad_lookup_deinit(&lookup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_asks_the_closest_first_and_until_nothing_is_new),
        cmocka_unit_test(test_done_counts_once),
        cmocka_unit_test(test_never_asks_ourselves_or_anonymous_nodes),
        cmocka_unit_test(test_invented_nodes_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
