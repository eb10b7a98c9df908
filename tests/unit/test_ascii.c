#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ground/base/ascii.h"

static const char lower[] = "abcdefghijklmnopqrstuvwxyz";
static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

static bool is_in(const char *set, uint8_t c)
{
    return c != 0 && strchr(set, c) != NULL;
}

static void it_knows_each_byte(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        const uint8_t c = (uint8_t)i;
        const uint8_t expected = is_in(upper, c) ? (uint8_t)lower[strchr(upper, c) - upper] : c;

        assert_int_equal(fe_ascii_is_upper(c), is_in(upper, c));
        assert_int_equal(fe_ascii_lower(c), expected);
        assert_int_equal(fe_ascii_is_alphanumeric(c),
                         is_in(upper, c) || is_in(lower, c) || is_in("0123456789", c));
    }
}

static void it_lowers_all_of_a_text(void **state)
{
    char text[] = "X-Name: @[`{ \xc3\x84";

    (void)state;
    fe_ascii_lower_all(text, 6);
    assert_string_equal(text, "x-name: @[`{ \xc3\x84");
    fe_ascii_lower_all(text, 0);
    memcpy(text, "ABC", 3);
    fe_ascii_lower_all(text, 2);
    assert_memory_equal(text, "abCame", 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_knows_each_byte),
        cmocka_unit_test(it_lowers_all_of_a_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
