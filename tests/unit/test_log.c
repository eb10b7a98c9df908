#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "ground/base/log.h"
#include "ground/base/log_limit.h"
#include "ground/base/view.h"

struct sink {
    unsigned n;
    enum flatend_log_level level;
    char line[FE_LOG_LINE_MAX];
};

static void on_line(void *arg, enum flatend_log_level level, const char *line)
{
    struct sink *sink = arg;

    sink->n++;
    sink->level = level;
    assert_true(strlen(line) < sizeof(sink->line));
    memcpy(sink->line, line, strlen(line) + 1);
}

static void lines_up_to_the_level_are_written(void **state)
{
    struct sink sink = {0};
    const struct fe_log log = {on_line, &sink, FLATEND_LOG_INFO};

    (void)state;
    fe_log(&log, FLATEND_LOG_INFO, "Discovered %d peer(s).", 2);
    assert_int_equal(sink.n, 1);
    assert_int_equal(sink.level, FLATEND_LOG_INFO);
    assert_string_equal(sink.line, "Discovered 2 peer(s).");
    fe_log(&log, FLATEND_LOG_DEBUG, "unheard");
    assert_int_equal(sink.n, 1);
    assert_false(fe_log_wants(&log, FLATEND_LOG_DEBUG));
    fe_log(NULL, FLATEND_LOG_ERROR, "unheard");
    fe_log(&(struct fe_log){0}, FLATEND_LOG_ERROR, "unheard");
}

static void what_a_peer_sends_cannot_forge_a_line(void **state)
{
    struct sink sink = {0};
    const struct fe_log log = {on_line, &sink, FLATEND_LOG_INFO};

    (void)state;
    fe_log(&log, FLATEND_LOG_WARN, "service '%s'", "a\n2020 \x1b[31m\x7f\xc3\xa9");
    assert_string_equal(sink.line, "service 'a\\x0a2020 \\x1b[31m\\x7f\xc3\xa9'");
}

static void what_is_no_text_is_escaped(void **state)
{
    static const struct {
        const char *said;
        const char *line;
    } cases[] = {
        {"\xc2\x9b[31m", "\\xc2\\x9b[31m"}, /* U+009B is ESC [ */
        {"\xc2\xa0", "\xc2\xa0"},
        {"\x9b[31m", "\\x9b[31m"}, /* the same in Latin-1 */
        {"\xe2\x82\xac", "\xe2\x82\xac"},
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
        {"\xe2\x82", "\\xe2\\x82"}, /* cut short */
        {"\xe2\x82z", "\\xe2\\x82z"},
        {"\xc0\x8a", "\\xc0\\x8a"}, /* a line feed, in too many bytes */
        {"\xe0\x80\x8a", "\\xe0\\x80\\x8a"},
        {"\xf0\x80\x80\x8a", "\\xf0\\x80\\x80\\x8a"},
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},          /* a surrogate */
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* above U+10FFFF */
        {"\xf5\xff\xfe", "\\xf5\\xff\\xfe"},
    };
    struct sink sink = {0};
    const struct fe_log log = {on_line, &sink, FLATEND_LOG_INFO};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fe_log(&log, FLATEND_LOG_WARN, "%s", cases[i].said);
        assert_string_equal(sink.line, cases[i].line);
    }
}

static void long_lines_are_cut(void **state)
{
    struct sink sink = {0};
    const struct fe_log log = {on_line, &sink, FLATEND_LOG_INFO};
    char text[2 * FE_LOG_LINE_MAX];

    (void)state;
    memset(text, '\n', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    fe_log(&log, FLATEND_LOG_INFO, "%s", text);
    assert_true(strlen(sink.line) < FE_LOG_LINE_MAX);
    assert_int_equal(strlen(sink.line) % 4, 0); /* no escape is cut in two */
}

/* "2020/06/18 04:07:07 line", as the README shows it. */
static void standard_error_gets_a_time_stamp(void **state)
{
    char path[] = "log-XXXXXX";
    char line[64] = "";
    int saved = dup(STDERR_FILENO);
    int fd = mkstemp(path);
    FILE *in;

    (void)state;
    assert_true(saved >= 0 && fd >= 0);
    assert_true(dup2(fd, STDERR_FILENO) >= 0);
    flatend_log_stderr(NULL, FLATEND_LOG_INFO, "Listening");
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    in = fdopen(fd, "r");
    assert_non_null(in);
    rewind(in);
    assert_non_null(fgets(line, sizeof(line), in));
    fclose(in);
    unlink(path);
    for (const char *p = "dddd/dd/dd dd:dd:dd Listening\n", *q = line; *p != '\0'; p++, q++) {
        if (*p == 'd') {
            assert_true(*q >= '0' && *q <= '9');
        } else {
            assert_int_equal(*q, *p);
        }
    }
}

/* So many at once, so many a second; what was left out is told with the next line. */
static void lines_that_strangers_cause_are_bounded(void **state)
{
    struct sink sink = {0};
    const struct fe_log log = {on_line, &sink, FLATEND_LOG_INFO};
    struct fe_log_limit limit = {0};
    const uint64_t now_ms = 5000000;

    (void)state;
    for (int i = 0; i < FE_LOG_LIMIT_BURST; i++) {
        assert_true(fe_log_limit_passes(&limit, &log, FLATEND_LOG_INFO, "peers", now_ms));
    }
    for (int i = 0; i < 7; i++) {
        assert_false(fe_log_limit_passes(&limit, &log, FLATEND_LOG_WARN, "peers", now_ms + 50));
    }
    /* What is not wanted anyway is not counted. */
    assert_false(fe_log_limit_passes(&limit, &log, FLATEND_LOG_DEBUG, "peers", now_ms + 50));
    assert_int_equal(sink.n, 0);
    assert_true(fe_log_limit_passes(&limit, &log, FLATEND_LOG_INFO, "peers",
                                    now_ms + 1000 / FE_LOG_LIMIT_PER_S));
    assert_string_equal(sink.line, "Left out 7 line(s) about peers.");
    assert_false(fe_log_limit_passes(&limit, &log, FLATEND_LOG_INFO, "peers",
                                     now_ms + 1000 / FE_LOG_LIMIT_PER_S));
    for (int i = 0; i < FE_LOG_LIMIT_PER_S; i++) {
        assert_true(fe_log_limit_passes(&limit, &log, FLATEND_LOG_INFO, "peers",
                                        now_ms + 1000 / FE_LOG_LIMIT_PER_S + 1000));
    }
    assert_int_equal(sink.n, 2);
    assert_string_equal(sink.line, "Left out 1 line(s) about peers.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_up_to_the_level_are_written),
        cmocka_unit_test(what_a_peer_sends_cannot_forge_a_line),
        cmocka_unit_test(what_is_no_text_is_escaped),
        cmocka_unit_test(lines_that_strangers_cause_are_bounded),
        cmocka_unit_test(long_lines_are_cut),
        cmocka_unit_test(standard_error_gets_a_time_stamp),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
