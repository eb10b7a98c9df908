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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
