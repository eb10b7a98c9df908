#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "ground/base/utc.h"

#define DAY_S INT64_C(86400)

static void compare_to_libc(int64_t seconds)
{
    const time_t time = (time_t)seconds;
    const struct fe_utc utc = fe_utc_of_seconds(seconds);
    struct tm tm;

    assert_non_null(gmtime_r(&time, &tm));
    assert_int_equal(utc.year, tm.tm_year + 1900);
    assert_int_equal(utc.month, tm.tm_mon + 1);
    assert_int_equal(utc.day, tm.tm_mday);
    assert_int_equal(utc.hour, tm.tm_hour);
    assert_int_equal(utc.minute, tm.tm_min);
    assert_int_equal(utc.second, tm.tm_sec);
    assert_int_equal(fe_utc_weekday(seconds), tm.tm_wday);
    assert_int_equal(fe_utc_to_seconds(&utc), seconds);
}

/* Every day of ten thousand years, at another time of day each. */
static void it_knows_every_day(void **state)
{
    const int64_t first = INT64_C(-62167219200);
    const int64_t last = INT64_C(253402300799);

    (void)state;
    for (int64_t day = 0; first + day * DAY_S <= last; day++) {
        compare_to_libc(first + day * DAY_S + day * 7919 % DAY_S);
    }
    compare_to_libc(first);
    compare_to_libc(last);
    compare_to_libc(-1);
    compare_to_libc(0);
}

static void it_keeps_to_years_of_four_digits(void **state)
{
    char text[FE_UTC_TEXT_MAX];

    (void)state;
    assert_string_equal(fe_utc_format(INT64_MIN, text), "0000-01-01 00:00:00");
    assert_string_equal(fe_utc_format(INT64_MAX, text), "9999-12-31 23:59:59");
    assert_string_equal(fe_utc_format(784111777, text), "1994-11-06 08:49:37");
    assert_int_equal(fe_utc_weekday(INT64_MAX), 5);
    assert_int_equal(fe_utc_weekday(INT64_MIN), 6);
}

static void it_refuses_what_cannot_be(void **state)
{
    const struct fe_utc good = {2026, 11, 30, 23, 59, 60};
    const struct fe_utc leap = {2023, 2, 29, 0, 0, 0};
    const struct fe_utc march = {2023, 3, 1, 0, 0, 0};
    const struct fe_utc bad[] = {
        {0, 1, 1, 0, 0, 0},     {10000, 1, 1, 0, 0, 0}, {2026, 0, 1, 0, 0, 0},
        {2026, 13, 1, 0, 0, 0}, {2026, 1, 0, 0, 0, 0},  {2026, 11, 31, 0, 0, 0},
        {2026, 2, 30, 0, 0, 0}, {2026, 1, 1, 24, 0, 0}, {2026, 1, 1, 0, 60, 0},
        {2026, 1, 1, 0, 0, 61},
    };

    (void)state;
    assert_true(fe_utc_is_valid(&good));
    assert_true(fe_utc_is_valid(&leap));
    assert_int_equal(fe_utc_to_seconds(&leap), fe_utc_to_seconds(&march));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(fe_utc_is_valid(&bad[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_knows_every_day),
        cmocka_unit_test(it_keeps_to_years_of_four_digits),
        cmocka_unit_test(it_refuses_what_cannot_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
