#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ground/base/utf8.h"

static bool is_scalar_value(uint32_t c)
{
    return c < 0xd800 || (c > 0xdfff && c <= 0x10ffff);
}

/* Every character there is: encoded, measured, decoded; and cut short it is none. */
static void test_every_character(void **state)
{
    (void)state;
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        uint8_t bytes[FE_UTF8_MAX];
        size_t len;

        if (!is_scalar_value(c)) {
            continue;
        }
        len = fe_utf8_encode(bytes, c);
        assert_int_equal(fe_utf8_len(bytes, len), len);
        assert_int_equal(fe_utf8_decode(bytes, len), c);
        assert_int_equal(fe_utf8_len(bytes, len - 1), 0);
    }
}

/* All that begins with two given bytes is a character, or it is none: beside the table of RFC 3629
 * §4, where the second byte decides. */
static void test_every_beginning(void **state)
{
    (void)state;
    for (unsigned first = 0x80; first <= 0xff; first++) {
        for (unsigned second = 0; second <= 0xff; second++) {
            const uint8_t bytes[4] = {(uint8_t)first, (uint8_t)second, 0x80, 0xbf};
            size_t expected = 0;

            if (first >= 0xc2 && first <= 0xdf && second >= 0x80 && second <= 0xbf) {
                expected = 2;
            } else if (first >= 0xe0 && first <= 0xef && second >= (first == 0xe0 ? 0xa0 : 0x80) &&
                       second <= (first == 0xed ? 0x9f : 0xbf)) {
                expected = 3;
            } else if (first >= 0xf0 && first <= 0xf4 && second >= (first == 0xf0 ? 0x90 : 0x80) &&
                       second <= (first == 0xf4 ? 0x8f : 0xbf)) {
                expected = 4;
            }
            assert_int_equal(fe_utf8_len(bytes, sizeof(bytes)), expected);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_character),
        cmocka_unit_test(test_every_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
