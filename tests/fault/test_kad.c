#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mesh/kad/lookup.h"
#include "support/fault.h"

static const uint8_t zero_key[FE_KEY_LEN];

static struct fe_id node_of(uint8_t first)
{
    struct fe_id id = {.addr = {.family = FE_IPV4, .port = 9000}};

    id.public_key[0] = first;
    return id;
}

/* Eight nodes, each in a bucket of its own. What failed is tried again and must then succeed. */
static void test_table(void **state)
{
    (void)state;
    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        struct fe_kad_table table;
        size_t n_failed = 0;

        fe_kad_table_init(&table, zero_key);
        for (unsigned bit = 0; bit < 8; bit++) {
            struct fe_id id = node_of((uint8_t)(1u << bit));
            int code = fe_kad_table_update(&table, &id);

            if (code == FLATEND_ENOMEM) {
                n_failed++;
                assert_int_equal(table.n, bit);
                assert_null(fe_kad_table_find(&table, id.public_key));
                code = fe_kad_table_update(&table, &id);
            }
            assert_int_equal(code, FE_KAD_INSERTED);
        }
        assert_int_equal(n_failed, fe_fault_disarm());
        assert_int_equal(table.n, 8);
        fe_kad_table_deinit(&table);
    }
}

static void test_lookup(void **state)
{
    (void)state;
    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        struct fe_kad_lookup lookup;
        size_t n_failed = 0;

        fe_kad_lookup_init(&lookup, zero_key, zero_key, 4);
        for (unsigned i = 1; i < 100; i++) {
            struct fe_id id = node_of((uint8_t)i);
            int code = fe_kad_lookup_add(&lookup, &id, 1);

            if (code == FLATEND_ENOMEM) {
                n_failed++;
                code = fe_kad_lookup_add(&lookup, &id, 1);
            }
            assert_int_equal(code, 1);
        }
        assert_int_equal(n_failed, fe_fault_disarm());
        fe_kad_lookup_deinit(&lookup);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_lookup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
