#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ground/base/token.h"

static void it_knows_the_characters_of_tokens(void **state)
{
    static const char others[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz";

    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        const uint8_t c = (uint8_t)i;
        const uint8_t lower = (uint8_t)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        const bool is_one = lower != 0 && memchr(others, lower, sizeof(others) - 1) != NULL;

        assert_int_equal(fe_token_lower[i], is_one ? lower : 0);
        assert_int_equal(fe_is_token(fe_view_of(&c, 1)), is_one);
    }
    assert_false(fe_is_token(FE_VIEW_LIT("")));
    assert_true(fe_is_token(FE_VIEW_LIT("X-Name")));
    assert_false(fe_is_token(FE_VIEW_LIT("X Name")));
}

static void it_knows_the_characters_of_values(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        const uint8_t c = (uint8_t)i;
        const bool is_one = (i >= 0x20 && i != 0x7f) || i == '\t';

        assert_int_equal(fe_is_field_char(c), is_one);
        assert_int_equal(fe_is_field_value(fe_view_of(&c, 1)), is_one);
    }
    assert_true(fe_is_field_value(FE_VIEW_LIT("")));
    assert_false(fe_is_field_value(FE_VIEW_LIT("a\r\nb")));
}

/* A value is looked at in words of eight bytes, and then what is left of it. */
static void it_finds_a_bad_character_anywhere(void **state)
{
    uint8_t value[20];

    (void)state;
    for (size_t len = 1; len <= sizeof(value); len++) {
        for (size_t at = 0; at < len; at++) {
            for (unsigned i = 0; i < 256; i++) {
                memset(value, at % 2 == 0 ? '\t' : 0xff, sizeof(value));
                value[at] = (uint8_t)i;
                assert_int_equal(fe_is_field_value(fe_view_of(value, len)),
                                 fe_is_field_char((uint8_t)i));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_knows_the_characters_of_tokens),
        cmocka_unit_test(it_knows_the_characters_of_values),
        cmocka_unit_test(it_finds_a_bad_character_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
