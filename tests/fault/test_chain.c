#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ground/base/chain.h"
#include "support/fault.h"

enum { LARGE = 3 * FE_BLOCK_SIZE };

/* All or nothing: after a failure the chain is what it was, and goes on working. */
static void an_append_that_fails_changes_nothing(void **state)
{
    static const uint8_t bytes[LARGE];

    (void)state;
    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        struct fe_pool pool;
        struct fe_chain chain;
        struct fe_view views[8];
        int code;

        fe_pool_init(&pool);
        fe_chain_init(&chain, &pool);
        code = fe_chain_append(&chain, "head", 4);
        if (code == 0) {
            code = fe_chain_append(&chain, bytes, sizeof(bytes));
        }
        if (fe_fault_disarm()) {
            assert_int_equal(code, FLATEND_ENOMEM);
            assert_int_equal(chain.len, nth == 1 ? 0 : 4);
            assert_int_equal(fe_chain_peek(&chain, views, 8), nth == 1 ? 0 : 1);
            assert_int_equal(fe_chain_append(&chain, bytes, sizeof(bytes)), 0);
        }
        assert_true(chain.len == LARGE || chain.len == LARGE + 4);
        fe_chain_deinit(&chain);
        fe_pool_deinit(&pool);
    }
}

static void few_bytes_without_memory_change_nothing(void **state)
{
    struct fe_chain chain;

    (void)state;
    fe_chain_init(&chain, NULL);
    assert_int_equal(fe_chain_append_few(&chain, "head", 4), 0);
    assert_true(fe_fault_arm(1));
    assert_int_equal(
        fe_chain_append_few(&chain, "fits behind it: a block has 64 bytes at least.", 47), 0);
    assert_false(fe_fault_disarm());
    assert_true(fe_fault_arm(1));
    assert_int_equal(fe_chain_append_few(&chain, "and a second time it has none", 30),
                     FLATEND_ENOMEM);
    assert_true(fe_fault_disarm());
    assert_int_equal(chain.len, 51);
    assert_int_equal(fe_chain_append_few(&chain, "and a second time it has none", 30), 0);
    assert_int_equal(chain.len, 81);
    fe_chain_deinit(&chain);
}

static void a_reservation_that_fails_changes_nothing(void **state)
{
    struct fe_chain chain;

    (void)state;
    fe_chain_init(&chain, NULL);
    assert_true(fe_fault_arm(1));
    assert_null(fe_chain_reserve(&chain, 1));
    assert_true(fe_fault_disarm());
    assert_int_equal(chain.len, 0);
    assert_int_equal(fe_chain_append(&chain, "head", 4), 0);
    assert_true(fe_fault_arm(1));
    assert_null(fe_chain_reserve(&chain, FE_BLOCK_SIZE));
    assert_true(fe_fault_disarm());
    assert_true(fe_view_equal(fe_chain_front(&chain), FE_VIEW_LIT("head")));
    fe_chain_deinit(&chain);
}

static void never(void *arg)
{
    (void)arg;
    fail_msg("what was not taken is not given back");
}

static void a_loan_that_fails_is_not_taken(void **state)
{
    struct fe_pool *pool;
    struct fe_chain chain;

    (void)state;
    fe_chain_init(&chain, NULL);
    assert_true(fe_fault_arm(1));
    assert_int_equal(fe_chain_lend(&chain, "text", 4, never, NULL), FLATEND_ENOMEM);
    assert_true(fe_fault_disarm());
    assert_int_equal(chain.len, 0);
    fe_chain_deinit(&chain);
    assert_true(fe_fault_arm(1));
    assert_int_equal(fe_pool_new_shared(&pool), FLATEND_ENOMEM);
    assert_true(fe_fault_disarm());
    assert_null(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_append_that_fails_changes_nothing),
        cmocka_unit_test(few_bytes_without_memory_change_nothing),
        cmocka_unit_test(a_reservation_that_fails_changes_nothing),
        cmocka_unit_test(a_loan_that_fails_is_not_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
