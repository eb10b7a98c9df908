/* What serving files is made of: media types, ranges, dates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/files/mime.h"
#include "gateway/files/range.h"
#include "web/http/date.h"
#include "web/http/date_parse.h"

static void test_media_types(void **state)
{
    static const char *const rows[][2] = {
        {"index.html", "text/html; charset=utf-8"},
        {"a/b/INDEX.HTM", "text/html; charset=utf-8"},
        {"app.js", "text/javascript; charset=utf-8"},
        {"module.mjs", "text/javascript; charset=utf-8"},
        {"style.css", "text/css; charset=utf-8"},
        {"data.json", "application/json"},
        {"image.svg", "image/svg+xml"},
        {"photo.jpeg", "image/jpeg"},
        {"a.tar.gz", "application/gzip"},
        {"first.7z", "application/x-7z-compressed"},
        {"last.zst", "application/zstd"},
        {"app.webmanifest", "application/manifest+json"},
        {"module.wasm", "application/wasm"},
        {"README", "application/octet-stream"},
        {"dir.html/README", "application/octet-stream"},
        {"name.", "application/octet-stream"},
        {"name.webmanifests", "application/octet-stream"},
        {"html", "application/octet-stream"},
        {".html", "text/html; charset=utf-8"},
        {"", "application/octet-stream"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct fe_view type = fe_mime_type(fe_view_str(rows[i][0]));
        if (!fe_view_equal(type, fe_view_str(rows[i][1]))) {
            fail_msg("%s: %.*s", rows[i][0], (int)type.len, (const char *)type.ptr);
        }
    }
}

struct range_row {
    const char *value;
    uint64_t size;
    enum fe_range_result result;
    uint64_t first;
    uint64_t last;
};

#define ALL UINT64_C(18446744073709551615)

static void test_ranges(void **state)
{
    static const struct range_row rows[] = {
        {"bytes=0-0", 10, FE_RANGE_PART, 0, 0},
        {"bytes=0-9", 10, FE_RANGE_PART, 0, 9},
        {"bytes=0-10", 10, FE_RANGE_PART, 0, 9},
        {"bytes=9-", 10, FE_RANGE_PART, 9, 9},
        {"bytes=10-", 10, FE_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=10-11", 10, FE_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=-1", 10, FE_RANGE_PART, 9, 9},
        {"bytes=-10", 10, FE_RANGE_PART, 0, 9},
        {"bytes=-11", 10, FE_RANGE_PART, 0, 9},
        {"bytes=-0", 10, FE_RANGE_UNSATISFIABLE, 0, 0},
        {"Bytes=1-2", 10, FE_RANGE_PART, 1, 2},
        {"bytes= 1-2 ", 10, FE_RANGE_PART, 1, 2},
        {"bytes=0-18446744073709551615", ALL, FE_RANGE_PART, 0, ALL - 1},
        {"bytes=0-99999999999999999999999", 10, FE_RANGE_PART, 0, 9},
        {"bytes=99999999999999999999999-", ALL, FE_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=-99999999999999999999999", 10, FE_RANGE_PART, 0, 9},
        /* Nothing to take a part of. */
        {"bytes=0-", 0, FE_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=-1", 0, FE_RANGE_WHOLE, 0, 0},
        /* Not for us, or no ranges at all. */
        {"bytes=0-1,2-3", 10, FE_RANGE_WHOLE, 0, 0},
        {"bytes=0-1,", 10, FE_RANGE_WHOLE, 0, 0},
        {"bytes=-1,0-1", 10, FE_RANGE_WHOLE, 0, 0},
        {"bytes=2-1", 10, FE_RANGE_WHOLE, 0, 0},
        {"bytes=", 10, FE_RANGE_WHOLE, 0, 0},
        {"bytes=-", 10, FE_RANGE_WHOLE, 0, 0},
        {"bytes=1", 10, FE_RANGE_WHOLE, 0, 0},
        {"bytes=a-", 10, FE_RANGE_WHOLE, 0, 0},
        {"bytes=1-a", 10, FE_RANGE_WHOLE, 0, 0},
        {"bytes=1--", 10, FE_RANGE_WHOLE, 0, 0},
        {"bytes=--1", 10, FE_RANGE_WHOLE, 0, 0},
        {"bytes=+1-2", 10, FE_RANGE_WHOLE, 0, 0},
        {"bytes 1-2", 10, FE_RANGE_WHOLE, 0, 0},
        {"items=1-2", 10, FE_RANGE_WHOLE, 0, 0},
        {"", 10, FE_RANGE_WHOLE, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fe_range range = {0, 0};
        const enum fe_range_result result =
            fe_range_parse(fe_view_str(rows[i].value), rows[i].size, &range);
        if (result != rows[i].result || (result == FE_RANGE_PART && (range.first != rows[i].first ||
                                                                     range.last != rows[i].last))) {
            fail_msg("%s: %d, %llu-%llu", rows[i].value, result, (unsigned long long)range.first,
                     (unsigned long long)range.last);
        }
    }
}

static void test_good_dates(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } rows[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
        {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
        {"Sun Nov  6 08:49:37 1994", 784111777},
        {"Sun Nov 16 08:49:37 1994", 784975777},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Wed, 31 Dec 1969 23:59:59 GMT", -1},
        {"Tue, 29 Feb 2000 12:00:00 GMT", 951825600},
        {"Wed, 01 Mar 2000 00:00:00 GMT", 951868800},
        {"Tuesday, 19-Jan-38 03:14:08 GMT", INT64_C(2147483648)},
        {"Fri, 31 Dec 9999 23:59:59 GMT", INT64_C(253402300799)},
        {"Fri, 30 Jun 1972 23:59:60 GMT", 78796800},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t seconds = -99;
        assert_true(fe_http_date_parse(fe_view_str(rows[i].text), &seconds));
        assert_true(seconds == rows[i].seconds);
    }
}

static void test_bad_dates(void **state)
{
    static const char *const rows[] = {
        "",
        "Sun",
        "Sunday",
        "yesterday",
        "784111777",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun,06 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 0x:49:37 GMT",
        "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov 06 08:49:37 1994 GMT",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t seconds;
        if (fe_http_date_parse(fe_view_str(rows[i]), &seconds)) {
            fail_msg("taken for a date: %s", rows[i]);
        }
    }
}

/* What we say we also understand: each day of 400 years, at changing times of the day. */
static void test_dates_round_trip(void **state)
{
    char text[FE_HTTP_DATE_LEN + 1];

    (void)state;
    for (int64_t seconds = -INT64_C(86400000); seconds < INT64_C(86400) * 146097;
         seconds += 90061) {
        int64_t parsed;
        fe_http_date_format(text, seconds);
        assert_true(fe_http_date_parse(fe_view_str(text), &parsed));
        assert_true(parsed == seconds);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_media_types),      cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_good_dates),       cmocka_unit_test(test_bad_dates),
        cmocka_unit_test(test_dates_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
