/* Making chains of filters while each allocation fails in turn. Requests through one: test_h1.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/filters/chains.h"
#include "support/fault.h"

static void test_chain(void **state)
{
    const struct fe_route_filters all = {.body_min = 1, .body_max = 2, .no_cache = true};

    (void)state;
    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        const struct fe_filter_chain *listener;
        const struct fe_filter_chain *route = NULL;
        struct fe_arena arena;
        bool has_failed;

        fe_arena_init(&arena, 0);
        listener = fe_filters_of_listener(&arena, FE_VIEW_LIT("max-age=60"));
        if (listener != NULL) {
            route = fe_filters_of_route(&arena, listener, &all);
        }
        has_failed = fe_fault_disarm();
        assert_int_equal(route == NULL, has_failed);
        fe_arena_deinit(&arena);
    }
}

/* All of it fits a block of the arena: whatever is made of it last does not. */
static void test_chain_in_a_small_arena(void **state)
{
    const struct fe_route_filters all = {.body_min = 1, .body_max = 2, .no_cache = true};
    bool is_made = false;
    size_t max = 0;

    (void)state;
    while (!is_made) {
        const struct fe_filter_chain *listener;
        struct fe_arena arena;

        fe_arena_init(&arena, ++max);
        listener = fe_filters_of_listener(&arena, FE_VIEW_LIT("max-age=60"));
        is_made = listener != NULL && fe_filters_of_route(&arena, listener, &all) != NULL;
        fe_arena_deinit(&arena);
    }
    assert_in_range(max, sizeof(struct fe_filter_chain), 65536);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_chain_in_a_small_arena),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
