#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ground/base/arena.h"

static void items_are_aligned_and_apart(void **state)
{
    struct fe_arena arena;
    uint8_t *last = NULL;

    (void)state;
    fe_arena_init(&arena, 0);
    for (size_t size = 0; size < 6000; size += 37) {
        uint8_t *item = fe_arena_alloc(&arena, size);

        assert_non_null(item);
        assert_int_equal((uintptr_t)item % alignof(max_align_t), 0);
        assert_ptr_not_equal(item, last);
        memset(item, 0xa5, size);
        last = item;
    }
    fe_arena_deinit(&arena);
}

static void large_items_do_not_waste_the_chunk(void **state)
{
    struct fe_arena arena;
    uint8_t *a, *b;

    (void)state;
    fe_arena_init(&arena, 0);
    a = fe_arena_alloc(&arena, 16);
    assert_non_null(a);
    assert_non_null(fe_arena_alloc(&arena, 100000));
    b = fe_arena_alloc(&arena, 16);
    assert_ptr_equal(b, a + 16);
    fe_arena_deinit(&arena);
}

static void the_limit_holds(void **state)
{
    struct fe_arena arena;

    (void)state;
    fe_arena_init(&arena, 100);
    assert_non_null(fe_arena_alloc(&arena, 90));
    assert_null(fe_arena_alloc(&arena, 11));
    assert_null(fe_arena_alloc(&arena, SIZE_MAX));
    assert_non_null(fe_arena_alloc(&arena, 4));
    assert_null(fe_arena_alloc(&arena, 1));
    fe_arena_reset(&arena);
    assert_non_null(fe_arena_alloc(&arena, 100));
    fe_arena_deinit(&arena);
}

static void a_reset_keeps_the_first_chunk(void **state)
{
    struct fe_arena arena;
    void *first;

    (void)state;
    fe_arena_init(&arena, 0);
    fe_arena_reset(&arena);
    first = fe_arena_alloc(&arena, 10);
    assert_non_null(fe_arena_alloc(&arena, 50000));
    fe_arena_reset(&arena);
    assert_int_equal(arena.used, 0);
    assert_ptr_equal(fe_arena_alloc(&arena, 20), first);
    fe_arena_deinit(&arena);
    assert_non_null(fe_arena_alloc(&arena, 50000));
    fe_arena_reset(&arena);
    assert_null(arena.chunks);
    fe_arena_deinit(&arena);
}

/* Few bytes take little; many of them take the same chunk again and again, once it is known how
 * much it is. */
static void a_small_one_begins_small_and_learns(void **state)
{
    struct fe_arena arena;
    void *first = NULL;

    (void)state;
    fe_arena_init_small(&arena, 0);
    assert_non_null(fe_arena_alloc(&arena, 100));
    assert_in_range(arena.left, 1, 1024);
    for (unsigned round = 0; round < 8; round++) {
        void *item;

        fe_arena_reset(&arena);
        item = fe_arena_alloc(&arena, 1300);
        assert_non_null(item);
        assert_non_null(fe_arena_alloc(&arena, 700));
        assert_non_null(fe_arena_alloc(&arena, 1500));
        if (round < 5) {
            first = item;
        }
        assert_ptr_equal(item, first);
    }
    assert_in_range(arena.left, 0, 4096);
    fe_arena_deinit(&arena);
}

/* An item that would not fit takes its own size, not that of a page. */
static void a_small_one_takes_what_is_needed(void **state)
{
    struct fe_arena arena;

    (void)state;
    fe_arena_init_small(&arena, 0);
    assert_non_null(fe_arena_alloc(&arena, 1504));
    assert_int_equal(arena.left, 0);
    assert_non_null(fe_arena_alloc(&arena, 16));
    assert_in_range(arena.left, 1, 1024);
    fe_arena_deinit(&arena);
}

static void text_is_copied_with_its_nul(void **state)
{
    struct fe_arena arena;

    (void)state;
    fe_arena_init(&arena, 0);
    assert_string_equal(fe_arena_copy(&arena, FE_VIEW_LIT("hello")), "hello");
    assert_string_equal(fe_arena_copy(&arena, (struct fe_view){0}), "");
    assert_string_equal(fe_arena_printf(&arena, "%s:%d", "a", 7), "a:7");
    fe_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_are_aligned_and_apart),
        cmocka_unit_test(large_items_do_not_waste_the_chunk),
        cmocka_unit_test(the_limit_holds),
        cmocka_unit_test(a_reset_keeps_the_first_chunk),
        cmocka_unit_test(a_small_one_begins_small_and_learns),
        cmocka_unit_test(a_small_one_takes_what_is_needed),
        cmocka_unit_test(text_is_copied_with_its_nul),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
