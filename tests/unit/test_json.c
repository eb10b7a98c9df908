#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ground/base/json.h"

static void it_escapes_what_a_string_may_not_hold(void **state)
{
    struct fe_buf text;

    (void)state;
    fe_buf_init(&text, 4096);
    assert_int_equal(fe_json_put_string(&text, "a\"b\\c\n\x7f\xc3\xa4"), 0);
    assert_true(
        fe_view_equal(fe_buf_view(&text), FE_VIEW_LIT("\"a\\\"b\\\\c\\u000a\\u007f\xc3\xa4\"")));
    fe_buf_deinit(&text);
}

static void it_escapes_every_byte_within_its_limit(void **state)
{
    char out[FE_JSON_ESCAPED_MAX];

    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        const uint8_t byte = (uint8_t)i;
        const size_t n = fe_json_escape(out, fe_view_of(&byte, 1));

        if (i < 0x20 || i == 0x7f) {
            assert_int_equal(n, FE_JSON_ESCAPED_MAX);
            assert_memory_equal(out, "\\u00", 4);
        } else if (i == '"' || i == '\\') {
            assert_int_equal(n, 2);
            assert_int_equal(out[0], '\\');
            assert_int_equal((uint8_t)out[1], byte);
        } else {
            assert_int_equal(n, 1);
            assert_int_equal((uint8_t)out[0], byte);
        }
    }
    assert_int_equal(fe_json_escape(out, fe_view_of("\0", 1)), FE_JSON_ESCAPED_MAX);
    assert_memory_equal(out, "\\u0000", FE_JSON_ESCAPED_MAX);
}

static void it_writes_lists(void **state)
{
    static const char *const texts[] = {"a", "\"", ""};
    struct fe_buf text;

    (void)state;
    fe_buf_init(&text, 4096);
    assert_int_equal(fe_json_put_strings(&text, "{\"x\":", texts, 3, "}"), 0);
    assert_int_equal(fe_json_put_strings(&text, "", NULL, 0, ""), 0);
    assert_true(fe_view_equal(fe_buf_view(&text), FE_VIEW_LIT("{\"x\":[\"a\",\"\\\"\",\"\"]}[]")));
    fe_buf_deinit(&text);
}

static void it_says_when_there_is_no_room(void **state)
{
    static const char *const texts[] = {"ab"};

    (void)state;
    for (size_t limit = 0; limit < 6; limit++) {
        struct fe_buf text;

        fe_buf_init(&text, limit);
        assert_int_equal(fe_json_put_strings(&text, "", texts, 1, ""), FLATEND_ETOOBIG);
        fe_buf_deinit(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_escapes_what_a_string_may_not_hold),
        cmocka_unit_test(it_escapes_every_byte_within_its_limit),
        cmocka_unit_test(it_writes_lists),
        cmocka_unit_test(it_says_when_there_is_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
