#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ground/base/array.h"

enum { N_ITEMS = 1000 };

struct item {
    uint64_t number;
    char more[5];
};

static void items_stay_where_they_are_in_line(void **state)
{
    struct item *items = NULL;
    size_t cap = 0;
    size_t n_moves = 0;

    (void)state;
    for (size_t n = 0; n < N_ITEMS; n++) {
        const size_t before = cap;

        assert_int_equal(FE_ARRAY_RESERVE(items, n, cap), 0);
        assert_true(n < cap);
        n_moves += cap != before;
        items[n].number = n;
    }
    for (size_t n = 0; n < N_ITEMS; n++) {
        assert_int_equal(items[n].number, n);
    }
    assert_int_equal(n_moves, 8); /* 8, 16, ... 1024 */
    free(items);
}

static void more_than_there_can_be(void **state)
{
    struct item *items = malloc(sizeof(*items));
    struct item *const before = items;
    size_t cap = SIZE_MAX / sizeof(*items);

    (void)state;
    assert_int_equal(FE_ARRAY_RESERVE(items, cap, cap), FLATEND_ENOMEM);
    assert_int_equal(cap, SIZE_MAX / sizeof(*items));
    assert_ptr_equal(items, before);
    free(items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_stay_where_they_are_in_line),
        cmocka_unit_test(more_than_there_can_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
