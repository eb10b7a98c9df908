/* A conversation, however it is cut: the handlers see the same, and so does the client. The same of
 * the preface, by which HTTP/2 is told from HTTP/1.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/h2_rig.h"
#include "web/http/detect.h"

enum { CUT_MAX = 100 };

static void converse(size_t cut)
{
    static struct h2_rig rig;
    const struct fe_view body = FE_VIEW_LIT("abcdef");
    const nghttp2_nv nv[] = {H2_NV(":method", "GET"), H2_NV(":scheme", "http"),
                             H2_NV(":path", "/none"), H2_NV(":authority", "h"),
                             H2_NV("x-long", "a field that goes into the table of HPACK")};
    int32_t echo;
    int32_t none;

    assert_true(h2_rig_init(&rig, true));
    rig.cut = cut;
    assert_string_equal(h2_rig_get(&rig, "/hello")->body, "hello");
    echo = h2_rig_request(&rig, "POST", "/echo", &body);
    none = h2_rig_request_with(&rig, nv, 5, NULL);
    h2_rig_pump(&rig);
    assert_string_equal(h2_rig_reply(&rig, echo)->body, "abcdef");
    assert_memory_equal(h2_rig_reply(&rig, none)->head, "204", 3);
    trace_expect(&rig.trace, "exchange(/hello) exchange(/echo) exchange(/none)");
    h2_rig_deinit(&rig);
}

static void test_every_size_of_piece(void **state)
{
    (void)state;
    converse(0);
    for (size_t cut = 1; cut <= CUT_MAX; cut++) {
        converse(cut);
    }
}

static void feed_at(struct h2_rig *rig, const char *bytes, size_t len, size_t cut)
{
    h2_rig_feed(rig, bytes, cut);
    if (cut < len) {
        h2_rig_feed(rig, bytes + cut, len - cut);
    }
}

/* Preface, SETTINGS, a request with padding and in two frames, a ping, an unknown frame. */
#define BYTES                                                                                      \
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"                                                             \
    "\0\0\6\4\0\0\0\0\0\0\4\0\1\0\0"                                                               \
    "\0\0\5\1\x9\0\0\0\1\2\x82\x86\0\0"                                                            \
    "\0\0\x0b\x9\4\0\0\0\1\x04\x06/hello\x01\x01h"                                                 \
    "\0\0\x8\6\0\0\0\0\0"                                                                          \
    "12345678"                                                                                     \
    "\0\0\3\xfe\0\0\0\0\0abc"

static void test_each_single_cut(void **state)
{
    static struct h2_rig rig;
    const size_t len = sizeof(BYTES) - 1;

    (void)state;
    for (size_t cut = 1; cut <= len; cut++) {
        assert_true(h2_rig_init(&rig, false));
        feed_at(&rig, BYTES, len, cut);
        trace_expect(&rig.trace, "exchange(/hello)");
        assert_int_equal(rig.counters.seen[FE_H2_PINGS], 1);
        assert_int_equal(rig.counters.seen[FE_H2_CONTINUATIONS], 1);
        assert_int_equal(rig.counters.seen[FE_H2_IGNORED], 1);
        assert_int_equal(rig.counters.seen[FE_H2_EMPTY], 0);
        assert_false(rig.is_closed);
        h2_rig_deinit(&rig);
    }
}

/* ---- the preface ---------------------------------------------------------------------------- */

static enum fe_http_detected detect_all(struct fe_http_detect *detect, const char *text,
                                        size_t piece)
{
    enum fe_http_detected detected = FE_HTTP_DETECT_MORE;
    size_t len = strlen(text);

    *detect = (struct fe_http_detect){0};
    for (size_t at = 0; at < len && detected == FE_HTTP_DETECT_MORE; at += piece) {
        size_t n = len - at < piece ? len - at : piece;

        detected = fe_http_detect(detect, fe_view_of(text + at, n));
        if (detected != FE_HTTP_DETECT_MORE) {
            struct fe_view seen = fe_http_detect_seen(detect);

            assert_int_equal(seen.len, at);
            assert_memory_equal(seen.ptr, text, at);
        }
    }
    return detected;
}

static void test_preface(void **state)
{
    struct fe_http_detect detect;

    (void)state;
    for (size_t piece = 1; piece <= 30; piece++) {
        assert_int_equal(detect_all(&detect, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore", piece),
                         FE_HTTP_DETECT_HTTP_2);
        assert_int_equal(detect_all(&detect, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r", piece),
                         FE_HTTP_DETECT_MORE);
        assert_int_equal(detect_all(&detect, "PRI * HTTP/2.0\r\n\r\nSM\r\n\rX", piece),
                         FE_HTTP_DETECT_HTTP_1_1);
        assert_int_equal(detect_all(&detect, "PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n", piece),
                         FE_HTTP_DETECT_HTTP_1_1);
        assert_int_equal(detect_all(&detect, "GET / HTTP/1.1\r\n\r\n", piece),
                         FE_HTTP_DETECT_HTTP_1_1);
        assert_int_equal(detect_all(&detect, "PUT / HTTP/1.1\r\n\r\n", piece),
                         FE_HTTP_DETECT_HTTP_1_1);
        assert_int_equal(detect_all(&detect, "P", piece), FE_HTTP_DETECT_MORE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_size_of_piece),
        cmocka_unit_test(test_each_single_cut),
        cmocka_unit_test(test_preface),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
