/* What is plain text, of which a response without a type is said to be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/relay/held_response.h"

static void test_text(void **state)
{
    static const struct {
        const char *bytes;
        bool is_whole;
        bool is_text;
    } cases[] = {
        {"plain\r\n\ttext\f", true, true},
        {"\x1b[1mbold", true, true},
        {"gr\xc3\xbc\xc3\x9f", true, true},
        {"\xe2\x82\xac \xf0\x9f\x98\x80", true, true},
        {"cut \xe2\x82", false, true},
        {"cut \xe2\x82", true, false},
        {"latin \xfc!", true, false},
        {"\xc0\xaf", true, false},
        {"\x80", true, false},
        {"\x01", true, false},
        {"\x7f", true, false},
        {"\x89PNG\r\n", true, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(fe_is_text(fe_view_str(cases[i].bytes), cases[i].is_whole),
                         cases[i].is_text);
    }
    assert_false(fe_is_text(fe_view_of((const uint8_t *)"a\0b", 3), true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_text)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
