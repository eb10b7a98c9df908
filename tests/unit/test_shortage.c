/* What has run out: one line at the beginning, one at the end, however often it is asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ground/base/shortage.h"

struct sink {
    int n;
    char line[FE_LOG_LINE_MAX];
};

static void on_line(void *arg, enum flatend_log_level level, const char *line)
{
    struct sink *const sink = arg;

    assert_int_equal(level, FLATEND_LOG_WARN);
    sink->n++;
    snprintf(sink->line, sizeof(sink->line), "%s", line);
}

static void one_line_at_each_end(void **state)
{
    struct sink sink = {0};
    const struct fe_log log = {on_line, &sink, FLATEND_LOG_INFO};
    struct fe_shortage shortage;

    (void)state;
    fe_shortage_init(&shortage, &log, "beds", "guests wait");
    fe_shortage_pass(&shortage, 10);
    assert_int_equal(sink.n, 0);
    for (uint64_t ms = 1000; ms <= 8000; ms += 1000) { /* it comes and goes */
        fe_shortage_hit(&shortage, ms);
        fe_shortage_pass(&shortage, ms + 1);
        assert_int_equal(sink.n, 1);
        assert_string_equal(sink.line, "Out of beds: guests wait.");
    }
    fe_shortage_pass(&shortage, 8000 + FE_SHORTAGE_CALM_MS - 1);
    assert_int_equal(sink.n, 1);
    fe_shortage_pass(&shortage, 8000 + FE_SHORTAGE_CALM_MS);
    fe_shortage_pass(&shortage, 8000 + FE_SHORTAGE_CALM_MS);
    assert_int_equal(sink.n, 2);
    assert_string_equal(sink.line, "Enough beds again: they were short for 7 s.");
    fe_shortage_hit(&shortage, 60000);
    assert_int_equal(sink.n, 3);
    fe_shortage_pass(&shortage, 59000); /* another thread's clock */
    assert_int_equal(sink.n, 3);
}

static void nobody_needs_to_be_told(void **state)
{
    (void)state;
    fe_shortage_hit(NULL, 1);
    fe_shortage_pass(NULL, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_line_at_each_end),
        cmocka_unit_test(nobody_needs_to_be_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
