#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ground/base/buf.h"

static void it_grows_and_keeps_its_bytes(void **state)
{
    struct fe_buf buf;

    (void)state;
    fe_buf_init(&buf, 100000);
    for (unsigned i = 0; i < 100000; i++) {
        uint8_t byte = (uint8_t)(i * 7);

        assert_int_equal(fe_buf_append(&buf, &byte, 1), 0);
    }
    assert_int_equal(buf.len, 100000);
    for (unsigned i = 0; i < 100000; i++) {
        assert_int_equal(buf.data[i], (uint8_t)(i * 7));
    }
    fe_buf_deinit(&buf);
}

static void it_never_holds_more_than_its_limit(void **state)
{
    struct fe_buf buf;

    (void)state;
    fe_buf_init(&buf, 10);
    assert_int_equal(fe_buf_append(&buf, "12345678", 8), 0);
    assert_int_equal(fe_buf_append(&buf, "abc", 3), FLATEND_ETOOBIG);
    assert_int_equal(fe_buf_reserve(&buf, SIZE_MAX), FLATEND_ETOOBIG);
    assert_true(fe_view_equal(fe_buf_view(&buf), FE_VIEW_LIT("12345678")));
    assert_int_equal(fe_buf_append(&buf, "ab", 2), 0);
    assert_true(buf.cap <= 10);
    assert_int_equal(fe_buf_append(&buf, NULL, 0), 0);
    fe_buf_deinit(&buf);
}

static void text_is_formatted_at_the_back(void **state)
{
    struct fe_buf buf;

    (void)state;
    fe_buf_init(&buf, 12);
    assert_int_equal(fe_buf_printf(&buf, "%s-%d", "ab", 12), 0);
    assert_int_equal(fe_buf_printf(&buf, "%s", "cdefg"), 0);
    assert_true(fe_view_equal(fe_buf_view(&buf), FE_VIEW_LIT("ab-12cdefg")));
    assert_int_equal(fe_buf_printf(&buf, "%s", "hi"), FLATEND_ETOOBIG);
    assert_int_equal(buf.len, 10);
    fe_buf_deinit(&buf);
}

static void the_front_is_consumed(void **state)
{
    struct fe_buf buf;

    (void)state;
    fe_buf_init(&buf, 64);
    fe_buf_consume(&buf, 5);
    assert_int_equal(fe_buf_append(&buf, "abcdef", 6), 0);
    fe_buf_consume(&buf, 0);
    fe_buf_consume(&buf, 2);
    assert_true(fe_view_equal(fe_buf_view(&buf), FE_VIEW_LIT("cdef")));
    fe_buf_consume(&buf, 100);
    assert_int_equal(buf.len, 0);
    fe_buf_deinit(&buf);
}

static void a_reset_gives_large_memory_back(void **state)
{
    struct fe_buf buf;

    (void)state;
    fe_buf_init(&buf, 1 << 20);
    assert_int_equal(fe_buf_reserve(&buf, 1000), 0);
    fe_buf_reset(&buf);
    assert_true(buf.cap >= 1000);
    assert_int_equal(fe_buf_reserve(&buf, 1 << 19), 0);
    fe_buf_reset(&buf);
    assert_int_equal(buf.cap, 0);
    assert_int_equal(fe_buf_append(&buf, "again", 5), 0);
    fe_buf_deinit(&buf);
}

static void views_compare(void **state)
{
    (void)state;
    assert_true(fe_view_equal((struct fe_view){0}, FE_VIEW_LIT("")));
    assert_false(fe_view_equal(FE_VIEW_LIT("a"), FE_VIEW_LIT("A")));
    assert_true(fe_view_equal_nocase(FE_VIEW_LIT("Content-Type"), FE_VIEW_LIT("content-tYPE")));
    assert_false(fe_view_equal_nocase(FE_VIEW_LIT("@"), FE_VIEW_LIT("`")));
    assert_false(fe_view_equal_nocase(FE_VIEW_LIT("ab"), FE_VIEW_LIT("abc")));
    assert_true(fe_view_has_prefix(FE_VIEW_LIT("query.x"), FE_VIEW_LIT("query.")));
    assert_false(fe_view_has_prefix(FE_VIEW_LIT("que"), FE_VIEW_LIT("query.")));
    assert_true(fe_view_equal(fe_view_skip(FE_VIEW_LIT("abc"), 1), FE_VIEW_LIT("bc")));
    assert_int_equal(fe_view_skip((struct fe_view){0}, 0).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_grows_and_keeps_its_bytes),
        cmocka_unit_test(it_never_holds_more_than_its_limit),
        cmocka_unit_test(text_is_formatted_at_the_back),
        cmocka_unit_test(the_front_is_consumed),
        cmocka_unit_test(a_reset_gives_large_memory_back),
        cmocka_unit_test(views_compare),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
