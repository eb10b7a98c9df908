/* Durations and sizes as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/config/units.h"

struct row {
    const char *text;
    int code;
    uint64_t value;
};

#define HOUR_MS UINT64_C(3600000)

static void test_durations(void **state)
{
    static const struct row rows[] = {
        {"0", 0, 0},
        {"0s", 0, 0},
        {"10s", 0, 10000},
        {"500ms", 0, 500},
        {"1m30s", 0, 90000},
        {"1h", 0, HOUR_MS},
        {"1h1m1s1ms", 0, HOUR_MS + 61001},
        {"1s1h", 0, HOUR_MS + 1000},
        {"1.5s", 0, 1500},
        {"0.25h", 0, HOUR_MS / 4},
        {"1.999999h", 0, 2 * HOUR_MS - 4},
        {"0.1ms", 0, 0},
        {"100h", 0, 100 * HOUR_MS},
        {"99.5h30m", 0, 100 * HOUR_MS},
        {"100h1ms", FLATEND_ETOOBIG, 0},
        {"100.000001h", FLATEND_ETOOBIG, 0},
        {"18446744073709551616s", FLATEND_ETOOBIG, 0},
        {"5124095576030431h", FLATEND_ETOOBIG, 0},
        {"", FLATEND_ESYNTAX, 0},
        {"10", FLATEND_ESYNTAX, 0},
        {"s", FLATEND_ESYNTAX, 0},
        {"-1s", FLATEND_ESYNTAX, 0},
        {"+1s", FLATEND_ESYNTAX, 0},
        {" 1s", FLATEND_ESYNTAX, 0},
        {"1 s", FLATEND_ESYNTAX, 0},
        {"1s ", FLATEND_ESYNTAX, 0},
        {"1d", FLATEND_ESYNTAX, 0},
        {"1us", FLATEND_ESYNTAX, 0},
        {"1S", FLATEND_ESYNTAX, 0},
        {"1.s", FLATEND_ESYNTAX, 0},
        {".5s", FLATEND_ESYNTAX, 0},
        {"1.0000000s", FLATEND_ESYNTAX, 0},
        {"1.5", FLATEND_ESYNTAX, 0},
        {"1m30", FLATEND_ESYNTAX, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t ms = 0;
        const int code = fe_duration_parse(fe_view_str(rows[i].text), 100 * HOUR_MS, &ms);
        if (code != rows[i].code || ms != rows[i].value) {
            fail_msg("\"%s\": code %d, %llu ms", rows[i].text, code, (unsigned long long)ms);
        }
    }
}

static void test_sizes(void **state)
{
    static const struct row rows[] = {
        {"0", 0, 0},
        {"512", 0, 512},
        {"7B", 0, 7},
        {"2kB", 0, 2000},
        {"2KB", 0, 2000},
        {"2KiB", 0, 2048},
        {"3MB", 0, 3000000},
        {"3MiB", 0, 3145728},
        {"4GB", 0, UINT64_C(4000000000)},
        {"4GiB", 0, UINT64_C(4294967296)},
        {"1024GiB", 0, UINT64_C(1) << 40},
        {"1025GiB", FLATEND_ETOOBIG, 0},
        {"1099511627777", FLATEND_ETOOBIG, 0},
        {"99999999999999999999", FLATEND_ETOOBIG, 0},
        {"", FLATEND_ESYNTAX, 0},
        {"MB", FLATEND_ESYNTAX, 0},
        {"-1", FLATEND_ESYNTAX, 0},
        {"1.5MB", FLATEND_ESYNTAX, 0},
        {"1 MB", FLATEND_ESYNTAX, 0},
        {"1M", FLATEND_ESYNTAX, 0},
        {"1MBs", FLATEND_ESYNTAX, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t bytes = 0;
        const int code = fe_size_parse(fe_view_str(rows[i].text), UINT64_C(1) << 40, &bytes);
        if (code != rows[i].code || bytes != rows[i].value) {
            fail_msg("\"%s\": code %d, %llu", rows[i].text, code, (unsigned long long)bytes);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
