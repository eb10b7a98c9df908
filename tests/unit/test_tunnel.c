/* Tunnels over HTTP/1.1, over HTTP/2, and from one worker to another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ground/base/rng.h"
#include "support/counting.h"
#include "support/crossings.h"
#include "support/h1_rig.h"
#include "support/h2_rig.h"
#include "support/trace_http.h"
#include "support/tunnels.h"
#include "web/http/h2/connection.h"

#define UPGRADE    "Connection: keep-alive, Upgrade\r\nUpgrade: echo/1, other\r\n"
#define GET_TUNNEL "GET /hold HTTP/1.1\r\nHost: h\r\n" UPGRADE "\r\n"
#define SWITCHING                                                                                  \
    "HTTP/1.1 101 Switching Protocols\r\nn: v\r\n" H1_DATE                                         \
    "connection: upgrade\r\nupgrade: echo/1\r\n\r\n"

static int open_tunnel(struct fe_exchange *ex)
{
    struct fe_field field = {FE_VIEW_LIT("n"), FE_VIEW_LIT("v")};
    const struct fe_response response = {
        .status = 200, .fields = {&field, 1, 1}, .content_length = FE_BODY_UNKNOWN};

    return fe_exchange_tunnel(ex, &response);
}

/* ---- HTTP/1.1 ------------------------------------------------------------------------------- */

static int setup_h1(void **state)
{
    struct h1_rig *const rig = calloc(1, sizeof(*rig));

    assert_non_null(rig);
    assert_true(h1_rig_init(rig));
    *state = rig;
    return 0;
}

static int teardown_h1(void **state)
{
    h1_rig_deinit(*state);
    free(*state);
    return 0;
}

static struct h1_rig *open_h1(void **state, const char *behind)
{
    struct h1_rig *const rig = *state;

    h1_rig_feed(rig, GET_TUNNEL);
    trace_expect(&rig->trace, "exchange(/hold)");
    assert_int_equal(open_tunnel(rig->ex), 0);
    h1_rig_expect(rig, SWITCHING);
    if (behind[0] != '\0') {
        h1_rig_feed(rig, behind);
    }
    fe_exchange_resume(rig->ex);
    h1_rig_pass(rig, 0);
    return rig;
}

static void test_h1_both_ways(void **state)
{
    struct h1_rig *const rig = open_h1(state, "GET / HTTP/1.1\r\n");

    trace_expect(&rig->trace, "body(GET / HTTP/1.1\r\n)");
    assert_int_equal(fe_exchange_write(rig->ex, FE_VIEW_LIT("0\r\n\r\n")), 5);
    h1_rig_expect(rig, "0\r\n\r\n");
    h1_rig_feed(rig, "\r\n");
    trace_expect(&rig->trace, "body(\r\n)");
    fe_exchange_reset(rig->ex, FLATEND_ERESET);
    rig->ex = NULL;
    trace_expect(&rig->trace, "reset");
}

static void test_h1_bytes_with_the_head(void **state)
{
    struct h1_rig *const rig = *state;

    h1_rig_feed(rig, GET_TUNNEL "early");
    assert_int_equal(open_tunnel(rig->ex), 0);
    fe_exchange_resume(rig->ex);
    h1_rig_pass(rig, 0);
    trace_expect(&rig->trace, "exchange(/hold) body(early)");
}

static void test_h1_client_ends_first(void **state)
{
    struct h1_rig *const rig = open_h1(state, "abc");

    fe_http_server_on_eof(rig->server);
    trace_expect(&rig->trace, "body(abc) end");
    assert_int_equal(fe_exchange_write(rig->ex, FE_VIEW_LIT("bye")), 3);
    fe_exchange_finish(rig->ex, NULL);
    rig->ex = NULL;
    trace_expect(&rig->trace, "close");
    h1_rig_expect(rig, "bye");
}

static void test_h1_backend_ends_first(void **state)
{
    struct h1_rig *const rig = open_h1(state, "");
    struct fe_exchange *const ex = rig->ex;

    fe_exchange_finish(ex, NULL);
    trace_expect(&rig->trace, "close");
    h1_rig_feed(rig, "abc");
    trace_expect(&rig->trace, "body(abc)");
    fe_http_server_on_eof(rig->server);
    trace_expect(&rig->trace, "end");
    assert_true(fe_exchange_is_over(ex));
    rig->ex = NULL;
    h1_rig_feed(rig, "more"); /* discarded */
    trace_expect(&rig->trace, "");
}

/* The end comes behind the bytes that a slow backend has not taken yet. */
static void test_h1_end_waits_for_the_bytes(void **state)
{
    struct h1_rig *const rig = *state;

    rig->appetite = 2;
    (void)open_h1(state, "abc");
    trace_expect(&rig->trace, "body(ab)");
    fe_http_server_on_eof(rig->server);
    trace_expect(&rig->trace, "");
    fe_exchange_resume(rig->ex);
    h1_rig_pass(rig, 0);
    trace_expect(&rig->trace, "body(c) end");
}

/* With both FINs the owner would close, and the bytes were lost: ours waits. */
static void test_h1_backend_ends_before_it_has_read(void **state)
{
    struct h1_rig *const rig = *state;
    struct fe_exchange *ex;

    rig->appetite = 2;
    ex = open_h1(state, "abc")->ex;
    fe_http_server_on_eof(rig->server);
    fe_exchange_finish(ex, NULL);
    trace_expect(&rig->trace, "body(ab)");
    fe_exchange_resume(ex);
    h1_rig_pass(rig, 0);
    trace_expect(&rig->trace, "body(c) end close");
    rig->ex = NULL;
}

/* Or the client's does, which comes behind its bytes. */
static void test_h1_backend_ends_and_reads_slowly(void **state)
{
    struct h1_rig *const rig = *state;
    struct fe_exchange *ex;

    rig->appetite = 2;
    ex = open_h1(state, "")->ex;
    fe_exchange_finish(ex, NULL);
    h1_rig_feed(rig, "abc");
    trace_expect(&rig->trace, "close body(ab) pause");
    fe_exchange_resume(ex);
    h1_rig_pass(rig, 0);
    trace_expect(&rig->trace, "body(c) read");
    fe_http_server_on_eof(rig->server);
    trace_expect(&rig->trace, "end");
    rig->ex = NULL;
}

/* A client that sends and is not read from is not read any more; one that does not read stops the
 * backend, which hears of it when there is space again. */
static void test_h1_back_pressure(void **state)
{
    struct h1_rig *const rig = *state;
    const size_t n = 1024 * 1024;
    uint8_t *const bytes = calloc(1, n);
    char *const text = malloc(20001);
    ssize_t taken;

    assert_non_null(bytes);
    assert_non_null(text);
    memset(text, 'x', 20000);
    text[20000] = '\0';
    rig->appetite = 0;
    (void)open_h1(state, "a");
    trace_expect(&rig->trace, "body()");
    h1_rig_feed(rig, text);
    trace_expect(&rig->trace, "pause");
    taken = fe_exchange_write(rig->ex, fe_view_of(bytes, n));
    assert_in_range(taken, 1, n - 1);
    assert_true(h1_rig_take(rig, SIZE_MAX) >= (size_t)taken);
    trace_expect(&rig->trace, "writable");
    free(text);
    free(bytes);
}

/* More than goes out at once, and the end behind it. Nothing is heard of that direction any more.
 */
static void write_and_finish(struct fe_exchange *ex)
{
    const size_t n = 1024 * 1024;
    uint8_t *const bytes = calloc(1, n);

    assert_non_null(bytes);
    assert_in_range(fe_exchange_write(ex, fe_view_of(bytes, n)), 1, n - 1);
    fe_exchange_finish(ex, NULL);
    free(bytes);
}

static void test_h1_nothing_follows_the_end(void **state)
{
    struct h1_rig *const rig = open_h1(state, "");

    write_and_finish(rig->ex);
    trace_expect(&rig->trace, "close");
    while (h1_rig_take(rig, SIZE_MAX) > 0) {
    }
    h1_rig_feed(rig, "abc");
    trace_expect(&rig->trace, "body(abc)");
}

/* Of a backend that does not resume. */
static struct h1_rig *open_h1_unread(void **state)
{
    struct h1_rig *const rig = *state;

    h1_rig_feed(rig, GET_TUNNEL);
    assert_int_equal(open_tunnel(rig->ex), 0);
    trace_expect(&rig->trace, "exchange(/hold)");
    return rig;
}

/* Both directions have ended, and there is nothing to read: the tunnel is over, whether the backend
 * has asked for more or not. */
static void test_h1_both_end_and_nothing_is_read(void **state)
{
    struct h1_rig *const rig = open_h1_unread(state);
    struct fe_exchange *const ex = rig->ex;

    fe_http_server_on_eof(rig->server);
    fe_exchange_finish(ex, NULL);
    trace_expect(&rig->trace, ""); /* not from within its call */
    h1_rig_pass(rig, 0);
    trace_expect(&rig->trace, "end close");
    assert_true(fe_exchange_is_over(ex));
    rig->ex = NULL;
}

static void test_h1_backend_ends_and_nothing_is_read(void **state)
{
    struct h1_rig *const rig = open_h1_unread(state);
    struct fe_exchange *const ex = rig->ex;

    fe_exchange_finish(ex, NULL);
    trace_expect(&rig->trace, "close");
    fe_http_server_on_eof(rig->server);
    trace_expect(&rig->trace, "end");
    assert_true(fe_exchange_is_over(ex));
    rig->ex = NULL;
}

/* The client's FIN behind bytes that nobody has read is not read either. */
static void test_h1_backend_ends_and_bytes_are_left(void **state)
{
    struct h1_rig *const rig = open_h1_unread(state);

    fe_exchange_finish(rig->ex, NULL);
    h1_rig_feed(rig, "abc");
    trace_expect(&rig->trace, "close pause");
    fe_exchange_resume(rig->ex);
    h1_rig_pass(rig, 0);
    trace_expect(&rig->trace, "body(abc) read");
    fe_http_server_on_eof(rig->server);
    trace_expect(&rig->trace, "end");
    rig->ex = NULL;
}

static void test_h1_idle(void **state)
{
    struct h1_rig *const rig = open_h1(state, "");

    h1_rig_pass(rig, 9000);
    h1_rig_feed(rig, "a");
    h1_rig_pass(rig, 9000);
    assert_int_equal(fe_exchange_write(rig->ex, FE_VIEW_LIT("b")), 1);
    h1_rig_expect(rig, "b");
    h1_rig_pass(rig, 9000);
    trace_expect(&rig->trace, "body(a)");
    h1_rig_pass(rig, 1001);
    trace_expect(&rig->trace, "abort reset");
}

static void test_h1_drain_leaves_it(void **state)
{
    struct h1_rig *const rig = open_h1(state, "");

    fe_http_server_drain(rig->server);
    h1_rig_feed(rig, "a");
    trace_expect(&rig->trace, "body(a)");
}

/* RFC 9110 §7.8. */
static void test_h1_requests_that_ask_for_none(void **state)
{
    static const char *const requests[] = {
        "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /hold HTTP/1.1\r\nHost: h\r\nUpgrade: echo\r\n\r\n",
        "GET /hold HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\n\r\n",
        "GET /hold HTTP/1.0\r\nConnection: upgrade, keep-alive\r\nUpgrade: echo\r\n\r\n",
        "POST /hold HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n" UPGRADE "\r\nx",
        "POST /hold HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n" UPGRADE
        "\r\n1\r\nx\r\n0\r\n\r\n",
    };
    struct h1_rig *const rig = *state;

    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        struct fe_exchange *ex;

        h1_rig_feed(rig, requests[i]);
        ex = rig->ex;
        assert_int_equal(open_tunnel(ex), FLATEND_EINVAL);
        assert_int_equal(h1_rig_respond(rig, 200, 0, NULL, NULL), 0); /* it can still be answered */
        rig->ex = NULL;
        fe_exchange_finish(ex, NULL);
        h1_rig_pass(rig, 0);
    }
}

/* An upgrade that the backend does not follow is a request like any other. */
static void test_h1_not_followed(void **state)
{
    struct h1_rig *const rig = *state;

    h1_rig_feed(rig, "GET /hello HTTP/1.1\r\nHost: h\r\n" UPGRADE "\r\n");
    h1_rig_expect(rig, H1_HELLO);
}

/* ---- HTTP/2 --------------------------------------------------------------------------------- */

static int setup_h2(void **state)
{
    struct h2_rig *const rig = calloc(1, sizeof(*rig));

    assert_non_null(rig);
    assert_true(h2_rig_init_with_tunnels(rig));
    *state = rig;
    return 0;
}

static int teardown_h2(void **state)
{
    h2_rig_deinit(*state);
    free(*state);
    return 0;
}

static int32_t send_connect(struct h2_rig *rig, const struct fe_view *bytes)
{
    static const nghttp2_nv nv[] = {H2_NV(":method", "CONNECT"), H2_NV(":protocol", "echo"),
                                    H2_NV(":scheme", "http"), H2_NV(":path", "/hold?a=b"),
                                    H2_NV(":authority", "h")};

    return h2_rig_request_with(rig, nv, 5, bytes);
}

static int32_t connect_h2(struct h2_rig *rig, const struct fe_view *bytes)
{
    int32_t id;

    h2_rig_pump(rig); /* the client learns that it may */
    id = send_connect(rig, bytes);
    h2_rig_pump(rig);
    trace_expect(&rig->trace, "exchange(/hold)");
    assert_true(fe_view_equal(rig->held[0]->request.upgrade, FE_VIEW_LIT("echo")));
    assert_true(fe_view_equal(rig->held[0]->request.query, FE_VIEW_LIT("a=b")));
    return id;
}

static void test_h2_client_ends_first(void **state)
{
    struct h2_rig *const rig = *state;
    const struct fe_view bytes = FE_VIEW_LIT("abc");
    const int32_t id = connect_h2(rig, &bytes);
    struct fe_exchange *const ex = rig->held[0];

    assert_int_equal(open_tunnel(ex), 0);
    fe_exchange_resume(ex);
    h2_rig_pump(rig);
    trace_expect(&rig->trace, "body(abc) end");
    assert_int_equal(fe_exchange_write(ex, FE_VIEW_LIT("xyz")), 3);
    h2_rig_pump(rig);
    assert_string_equal(h2_rig_reply(rig, id)->body, "xyz");
    assert_false(h2_rig_reply(rig, id)->is_closed);
    fe_exchange_finish(ex, NULL);
    rig->held[0] = NULL;
    rig->n_running--;
    h2_rig_pump(rig);
    assert_true(h2_rig_reply(rig, id)->is_closed);
    assert_int_equal(h2_rig_reply(rig, id)->code, NGHTTP2_NO_ERROR);
    assert_memory_equal(h2_rig_reply(rig, id)->head, "200 n=v", 7);
}

/* What the client still has to say comes after our end, and nothing is reset. */
static void test_h2_backend_ends_first(void **state)
{
    struct h2_rig *const rig = *state;
    const struct fe_view bytes = fe_view_of(calloc(1, 400000), 400000);
    const int32_t id = connect_h2(rig, &bytes);
    struct fe_exchange *const ex = rig->held[0];

    assert_non_null(bytes.ptr);
    rig->trace.is_off = true;
    assert_int_equal(open_tunnel(ex), 0);
    assert_int_equal(fe_exchange_write(ex, FE_VIEW_LIT("xyz")), 3);
    fe_exchange_finish(ex, NULL);
    h2_rig_pump(rig);
    assert_string_equal(h2_rig_reply(rig, id)->body, "xyz");
    assert_false(h2_rig_reply(rig, id)->is_closed);
    assert_int_equal(ex->phase, FE_EXCHANGE_TUNNEL_READ);
    rig->held[0] = NULL;
    rig->n_running--;
    fe_exchange_resume(ex);
    h2_rig_pump(rig);
    assert_true(h2_rig_reply(rig, id)->is_closed);
    assert_int_equal(h2_rig_reply(rig, id)->code, NGHTTP2_NO_ERROR);
    assert_null(strstr(rig->frames.text, "RST_STREAM"));
    free((void *)(uintptr_t)bytes.ptr);
}

static void test_h2_nothing_follows_the_end(void **state)
{
    struct h2_rig *const rig = *state;
    const struct fe_view bytes = fe_view_of(calloc(1, 400000), 400000);
    const int32_t id = connect_h2(rig, &bytes);
    struct fe_exchange *const ex = rig->held[0];

    assert_non_null(bytes.ptr);
    assert_int_equal(open_tunnel(ex), 0);
    write_and_finish(ex);
    h2_rig_pump(rig);
    assert_int_equal(h2_rig_reply(rig, id)->n_body, FE_H2_STREAM_OUT_MAX);
    trace_expect(&rig->trace, "");
    fe_exchange_reset(ex, FLATEND_ERESET);
    rig->held[0] = NULL;
    rig->n_running--;
    free((void *)(uintptr_t)bytes.ptr);
}

/* Both directions have ended, and there is nothing to read: the tunnel is over, whether the backend
 * has asked for more or not. */
static void test_h2_both_end_and_nothing_is_read(void **state)
{
    struct h2_rig *const rig = *state;
    const int32_t id = connect_h2(rig, NULL); /* END_STREAM with the head */
    struct fe_exchange *const ex = rig->held[0];

    assert_int_equal(open_tunnel(ex), 0);
    fe_exchange_finish(ex, NULL);
    trace_expect(&rig->trace, ""); /* not from within its call */
    h2_rig_pump(rig);
    trace_expect(&rig->trace, "end");
    assert_true(fe_exchange_is_over(ex));
    assert_true(h2_rig_reply(rig, id)->is_closed);
    assert_int_equal(h2_rig_reply(rig, id)->code, NGHTTP2_NO_ERROR);
    rig->held[0] = NULL;
    rig->n_running--;
}

/* A client that has said all, and a backend that has read nothing of it. */
static struct fe_exchange *open_h2_unread(struct h2_rig *rig, int32_t *id)
{
    static const struct fe_view bytes = {(const uint8_t *)"abc", 3};
    struct fe_exchange *ex;

    *id = connect_h2(rig, &bytes);
    ex = rig->held[0];
    assert_int_equal(open_tunnel(ex), 0);
    fe_exchange_finish(ex, NULL);
    h2_rig_pump(rig);
    assert_true(h2_rig_reply(rig, *id)->is_closed); /* to the client it is over */
    assert_int_equal(h2_rig_reply(rig, *id)->code, NGHTTP2_NO_ERROR);
    trace_expect(&rig->trace, "");
    rig->frames.text[0] = '\0';
    rig->frames.len = 0;
    return ex;
}

static void test_h2_backend_ends_before_it_has_read(void **state)
{
    struct h2_rig *const rig = *state;
    int32_t id;
    struct fe_exchange *const ex = open_h2_unread(rig, &id);

    rig->appetite = 2;
    fe_exchange_resume(ex);
    h2_rig_pump(rig);
    trace_expect(&rig->trace, "body(ab)");
    fe_exchange_resume(ex);
    h2_rig_pump(rig);
    trace_expect(&rig->trace, "body(c) end");
    rig->held[0] = NULL;
    rig->n_running--;
    assert_string_equal(h2_rig_get(rig, "/hello")->body, "hello");
    assert_null(strstr(rig->frames.text, "RST_STREAM"));
}

/* Or the client ends later, while the backend is behind. */
static void test_h2_backend_ends_and_reads_slowly(void **state)
{
    struct h2_rig *const rig = *state;
    const struct fe_view bytes = fe_view_of(calloc(1, 400000), 400000);
    const int32_t id = connect_h2(rig, &bytes);
    struct fe_exchange *const ex = rig->held[0];
    size_t n_behind = 0;

    assert_non_null(bytes.ptr);
    rig->trace.is_off = true;
    rig->appetite = 1000;
    assert_int_equal(open_tunnel(ex), 0);
    fe_exchange_finish(ex, NULL);
    while (!fe_exchange_is_over(ex)) {
        fe_exchange_resume(ex);
        h2_rig_pump(rig);
        n_behind += h2_rig_reply(rig, id)->is_closed;
    }
    assert_true(n_behind > 1); /* the test is about that */
    assert_ptr_equal(rig->held[0], ex);
    rig->held[0] = NULL;
    rig->n_running--;
    h2_rig_pump(rig);
    free((void *)(uintptr_t)bytes.ptr);
}

/* Of a stream that the client knows to be closed it hears nothing any more. */
static void test_h2_reset_behind_both_ends(void **state)
{
    struct h2_rig *const rig = *state;
    int32_t id;
    struct fe_exchange *const ex = open_h2_unread(rig, &id);

    fe_exchange_reset(ex, FLATEND_ERESET);
    rig->held[0] = NULL;
    rig->n_running--;
    h2_rig_pump(rig);
    assert_null(strstr(rig->frames.text, "RST_STREAM"));
    h2_rig_pass(rig, 12000);
    trace_expect(&rig->trace, "");
}

static void test_h2_idle_behind_both_ends(void **state)
{
    struct h2_rig *const rig = *state;
    int32_t id;

    (void)open_h2_unread(rig, &id);
    h2_rig_pass(rig, 10200);
    trace_expect(&rig->trace, "abort");
    h2_rig_pump(rig);
    assert_null(strstr(rig->frames.text, "RST_STREAM"));
}

/* A connection that drains waits for it, too. */
static void test_h2_drain_behind_both_ends(void **state)
{
    struct h2_rig *const rig = *state;
    int32_t id;
    struct fe_exchange *const ex = open_h2_unread(rig, &id);

    fe_http_server_drain(rig->server);
    h2_rig_pump(rig);
    h2_rig_pass(rig, FE_H2_NOTICE_MS + 1);
    h2_rig_pump(rig);
    assert_non_null(strstr(rig->frames.text, "GOAWAY(1,"));
    trace_expect(&rig->trace, "");
    fe_exchange_resume(ex);
    h2_rig_pump(rig);
    trace_expect(&rig->trace, "body(abc) end close");
    rig->held[0] = NULL;
    rig->n_running--;
}

static void test_h2_client_goes_behind_both_ends(void **state)
{
    struct h2_rig *const rig = *state;
    int32_t id;

    (void)open_h2_unread(rig, &id);
    fe_http_server_on_eof(rig->server);
    trace_expect(&rig->trace, "abort close");
}

/* nghttp2 does not count them any more, but we do. */
static void test_h2_number_behind_both_ends(void **state)
{
    struct h2_rig *const rig = *state;
    const struct fe_view bytes = FE_VIEW_LIT("abc");
    int32_t id;

    rig->trace.is_off = true;
    rig->frames.is_off = true;
    h2_rig_pump(rig);
    for (size_t i = 0; i < FE_H2_STREAMS_MAX; i++) {
        id = send_connect(rig, &bytes);
        h2_rig_pump(rig);
        assert_int_equal(open_tunnel(rig->held[i]), 0);
        fe_exchange_finish(rig->held[i], NULL);
        h2_rig_pump(rig);
        assert_int_equal(h2_rig_reply(rig, id)->code, NGHTTP2_NO_ERROR);
    }
    id = send_connect(rig, &bytes);
    h2_rig_pump(rig);
    assert_int_equal(rig->n_held, FE_H2_STREAMS_MAX);
    assert_true(h2_rig_reply(rig, id)->is_closed);
    assert_int_equal(h2_rig_reply(rig, id)->code, NGHTTP2_REFUSED_STREAM);
    fe_exchange_reset(rig->held[0], FLATEND_ERESET);
    rig->held[0] = NULL;
    rig->n_running--;
    h2_rig_pump(rig);
    assert_string_equal(h2_rig_get(rig, "/hello")->body, "hello");
}

static void test_h2_reset(void **state)
{
    struct h2_rig *const rig = *state;
    const struct fe_view bytes = FE_VIEW_LIT("abc");
    const int32_t id = connect_h2(rig, &bytes);

    assert_int_equal(open_tunnel(rig->held[0]), 0);
    fe_exchange_reset(rig->held[0], FLATEND_ERESET);
    rig->held[0] = NULL;
    rig->n_running--;
    h2_rig_pump(rig);
    assert_int_equal(h2_rig_reply(rig, id)->code, NGHTTP2_INTERNAL_ERROR);
}

static void test_h2_idle(void **state)
{
    struct h2_rig *const rig = *state;
    const struct fe_view bytes = FE_VIEW_LIT("abc");
    const int32_t id = connect_h2(rig, &bytes);

    assert_int_equal(open_tunnel(rig->held[0]), 0);
    fe_exchange_resume(rig->held[0]);
    h2_rig_pump(rig);
    h2_rig_pass(rig, 9000);
    assert_int_equal(fe_exchange_write(rig->held[0], FE_VIEW_LIT("x")), 1);
    h2_rig_pump(rig);
    h2_rig_pass(rig, 9000);
    trace_expect(&rig->trace, "body(abc) end");
    h2_rig_pass(rig, 1200);
    trace_expect(&rig->trace, "abort");
    h2_rig_pump(rig);
    assert_int_equal(h2_rig_reply(rig, id)->code, NGHTTP2_CANCEL);
}

/* RFC 8441 §3: without the setting such a request is malformed. */
static void test_h2_not_offered(void **state)
{
    static const nghttp2_nv nv[] = {H2_NV(":method", "CONNECT"), H2_NV(":protocol", "echo"),
                                    H2_NV(":scheme", "http"), H2_NV(":path", "/hold"),
                                    H2_NV(":authority", "h")};
    static struct h2_rig rig;

    (void)state;
    assert_true(h2_rig_init(&rig, true));
    h2_rig_pump(&rig);
    (void)h2_rig_request_with(&rig, nv, 5, NULL);
    h2_rig_pump(&rig);
    assert_int_equal(rig.n_held, 0);
    h2_rig_deinit(&rig);
}

/* ---- from one worker to another ------------------------------------------------------------- */

enum { N_SEEDS = 300, N_STEPS = 200, BODY_MAX = 700000, PIECE_MAX = 40000 };

struct crossed {
    struct crossings crossings;
    struct fe_rng_seeded seeded;
    struct fe_rng rng;
    size_t n_bytes; /* that the client sends */
    size_t n_sent;
    size_t n_back;
    bool has_ended; /* the client */
};

static void on_written(struct fake_exchange *fake, struct fe_view data)
{
    struct crossed *const world = fake->arg;

    assert_true(counting_continues(data, world->n_back));
    world->n_back += data.len;
}

static void begin_crossed(struct crossed *world, const struct fe_backend *backend, uint64_t seed)
{
    struct crossings *const crossings = &world->crossings;

    memset(world, 0, sizeof(*world));
    world->rng = fe_rng_from_seed(&world->seeded, seed);
    crossings_init(crossings, false);
    crossings->channel.backend = backend;
    crossings->client.is_off = true;
    crossings->fake.on_written = on_written;
    crossings->fake.arg = world;
    crossings->fake.ex.request.upgrade = FE_VIEW_LIT("echo");
    world->n_bytes = fe_rng_below(&world->rng, BODY_MAX);
    crossings_serve(crossings);
}

static void send(struct crossed *world, size_t max)
{
    static uint8_t bytes[PIECE_MAX];
    struct fake_exchange *const fake = &world->crossings.fake;
    const size_t rest = world->n_bytes - world->n_sent;
    const size_t n = rest < max ? rest : max;

    if (fake->is_over || !fake->wants_body || world->has_ended) {
        return;
    }
    if (n > 0) {
        counting_fill(bytes, n, world->n_sent);
        world->n_sent += fake_exchange_body_view(fake, fe_view_of(bytes, n));
    } else {
        world->has_ended = true;
        fake_exchange_body_end(fake);
    }
}

static void take(struct crossed *world, size_t room)
{
    struct fake_exchange *const fake = &world->crossings.fake;

    if (!fake->is_over && fake->is_blocked) {
        fake_exchange_writable(fake, room);
    } else {
        fake->room = room;
    }
}

static void step(struct crossed *world)
{
    struct crossings *const crossings = &world->crossings;

    switch (fe_rng_below(&world->rng, 6)) {
    case 0:
    case 1:
        send(world, 1 + fe_rng_below(&world->rng, PIECE_MAX));
        break;
    case 2:
        take(world, fe_rng_below(&world->rng, PIECE_MAX));
        break;
    case 3:
        crossings_run_tasks(&crossings->near);
        crossings_run_deferred(&crossings->near);
        break;
    case 4:
        crossings_run_tasks(&crossings->far);
        break;
    default:
        crossings_run(&crossings->far);
        break;
    }
    assert_true(crossings_held_up(crossings) <= FE_CROSSING_BYTES_MAX);
    assert_true(crossings_held_down(crossings) <= FE_CROSSING_BYTES_MAX);
}

static void run_to_the_end(struct crossed *world)
{
    for (int i = 0; i < 10000 && !world->crossings.fake.is_over; i++) {
        send(world, PIECE_MAX);
        crossings_settle(&world->crossings);
        take(world, SIZE_MAX);
        crossings_settle(&world->crossings);
    }
    assert_true(world->crossings.fake.is_over);
    crossings_settle(&world->crossings);
}

/* In whatever order the two sides run: what comes back is what was sent, all of it, or the client
 * has gone. */
static void test_crossed_echo(void **state)
{
    static struct crossed world;

    (void)state;
    for (uint64_t seed = 0; seed < N_SEEDS; seed++) {
        const bool goes = seed % 3 == 0;

        begin_crossed(&world, &tunnel_echo_backend, seed);
        for (int i = 0; i < N_STEPS; i++) {
            step(&world);
        }
        if (goes && !world.crossings.fake.is_over) {
            crossings_leave(&world.crossings);
            crossings_settle(&world.crossings);
        } else {
            run_to_the_end(&world);
            assert_true(world.crossings.fake.has_ended);
            assert_int_equal(world.n_back, world.n_bytes);
        }
        crossings_deinit(&world.crossings);
    }
}

/* The backend ends first, and goes on reading. */
static void test_crossed_greeting(void **state)
{
    static struct crossed world;

    (void)state;
    for (uint64_t seed = 0; seed < N_SEEDS; seed++) {
        begin_crossed(&world, &tunnel_greeting_backend, seed);
        for (int i = 0; i < N_STEPS; i++) {
            step(&world);
        }
        run_to_the_end(&world);
        assert_int_equal(world.n_back, TUNNEL_GREETING);
        assert_int_equal(world.n_sent, world.n_bytes);
        crossings_deinit(&world.crossings);
    }
}

/* A tunnel that is ended from outside of its events, such as by a timer. */
static struct fe_exchange *kept;

static void keep(const struct fe_backend *backend, struct fe_exchange *ex)
{
    (void)backend;
    kept = ex;
    assert_int_equal(open_tunnel(ex), 0);
    fe_exchange_resume(ex);
}

static size_t kept_on_data(struct fe_exchange *ex, struct fe_view data)
{
    (void)ex;
    return data.len;
}

static void kept_on_end(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    (void)ex;
    (void)trailers;
    kept = NULL;
}

static void kept_on_reset(struct fe_exchange *ex, int code)
{
    (void)ex;
    assert_int_equal(code, FLATEND_ECLOSED);
    kept = NULL;
}

static void serve_kept(struct crossings *crossings)
{
    static const struct fe_backend_ops ops = {
        .start = keep, .on_data = kept_on_data, .on_end = kept_on_end, .on_reset = kept_on_reset};
    static const struct fe_backend backend = {&ops};

    crossings_init(crossings, false);
    crossings->channel.backend = &backend;
    crossings->fake.ex.request.upgrade = FE_VIEW_LIT("echo");
    crossings_serve(crossings);
}

static void test_crossed_end_at_any_time(void **state)
{
    static struct crossings crossings;

    (void)state;
    serve_kept(&crossings);
    crossings_settle(&crossings);
    trace_expect(&crossings.client, "tunnel(1) resume");
    fe_exchange_finish(kept, NULL);
    crossings_settle(&crossings);
    trace_expect(&crossings.client, "end");
    assert_int_equal(fake_exchange_body(&crossings.fake, "abc"), 3);
    fake_exchange_body_end(&crossings.fake);
    crossings_settle(&crossings);
    assert_null(kept);
    assert_int_equal(crossings.n_empty, 1);
    crossings_deinit(&crossings);
}

static void test_crossed_without_memory_for_the_head(void **state)
{
    static struct crossings crossings;

    (void)state;
    serve_kept(&crossings);
    crossings.fake.error = FLATEND_ENOMEM;
    crossings_settle(&crossings);
    assert_int_equal(crossings.fake.status, 503);
    assert_true(crossings.fake.has_ended);
    assert_null(kept);
    assert_int_equal(crossings.n_empty, 1);
    crossings_deinit(&crossings);
}

static void test_crossed_but_not_asked_for(void **state)
{
    static struct crossed world;

    (void)state;
    begin_crossed(&world, &tunnel_echo_backend, 1);
    world.crossings.fake.on_written = NULL;
    crossings_leave(&world.crossings);
    crossings_settle(&world.crossings);
    crossings_deinit(&world.crossings);

    crossings_init(&world.crossings, false);
    world.crossings.channel.backend = &tunnel_echo_backend;
    crossings_serve(&world.crossings);
    crossings_settle(&world.crossings);
    trace_expect(&world.crossings.client, "respond(426,#17,content-type=text/plain; charset=utf-8) "
                                          "write(ask for a tunnel\n) end");
    crossings_deinit(&world.crossings);
}

/* A backend that does nothing by itself, behind a crossing. */
struct holder {
    struct fe_backend backend;
    struct crossings crossings;
    struct trace trace;
    struct fe_exchange *ex;
    size_t appetite; /* bytes that it takes in one call */
};

static void holder_start(const struct fe_backend *backend, struct fe_exchange *ex)
{
    struct holder *const holder =
        (struct holder *)(uintptr_t)FE_CONTAINER_OF(backend, const struct holder, backend);

    assert_int_equal(open_tunnel(ex), 0);
    ex->state = holder;
    holder->ex = ex;
}

static size_t holder_on_data(struct fe_exchange *ex, struct fe_view data)
{
    struct holder *const holder = ex->state;
    const size_t n = data.len < holder->appetite ? data.len : holder->appetite;

    trace_body(&holder->trace, fe_view_of(data.ptr, n));
    return n;
}

static void holder_on_end(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    trace_body_end(&((struct holder *)ex->state)->trace, trailers);
}

static void holder_on_writable(struct fe_exchange *ex)
{
    trace_add(&((struct holder *)ex->state)->trace, "writable");
}

static void holder_on_reset(struct fe_exchange *ex, int code)
{
    assert_int_equal(code, FLATEND_ECLOSED);
    trace_add(&((struct holder *)ex->state)->trace, "abort");
}

static void begin_held(struct holder *holder)
{
    static const struct fe_backend_ops ops = {holder_start, holder_on_data, holder_on_end,
                                              holder_on_writable, holder_on_reset};
    struct crossings *const crossings = &holder->crossings;

    memset(holder, 0, sizeof(*holder));
    holder->backend.ops = &ops;
    holder->appetite = SIZE_MAX;
    crossings_init(crossings, false);
    crossings->channel.backend = &holder->backend;
    crossings->client.is_off = true;
    crossings->fake.ex.request.upgrade = FE_VIEW_LIT("echo");
    crossings_serve(crossings);
    crossings_settle(crossings);
    assert_non_null(holder->ex);
}

static void test_crossed_nothing_follows_the_end(void **state)
{
    static struct holder holder;
    struct fake_exchange *const fake = &holder.crossings.fake;

    (void)state;
    begin_held(&holder);
    write_and_finish(holder.ex);
    crossings_settle(&holder.crossings);
    assert_true(fake->has_ended && !fake->is_over);
    trace_expect(&holder.trace, "");
    fe_exchange_resume(holder.ex);
    crossings_settle(&holder.crossings);
    (void)fake_exchange_body(fake, "abc");
    fake_exchange_body_end(fake);
    crossings_settle(&holder.crossings);
    trace_expect(&holder.trace, "body(abc) end");
    crossings_deinit(&holder.crossings);
}

/* The client's direction ends although the backend has asked for nothing. */
static void test_crossed_both_end_and_nothing_is_read(void **state)
{
    static struct holder holder;
    struct fake_exchange *const fake = &holder.crossings.fake;

    (void)state;
    begin_held(&holder);
    fe_exchange_finish(holder.ex, NULL);
    crossings_settle(&holder.crossings);
    assert_true(fake->has_ended && !fake->is_over);
    fake_exchange_body_end(fake);
    crossings_settle(&holder.crossings);
    trace_expect(&holder.trace, "end");
    assert_true(fake->is_over);
    crossings_deinit(&holder.crossings);
}

/* The same, where the end was there before: the backend had asked, and taken less than there was.
 */
static void test_crossed_end_waits_for_the_bytes(void **state)
{
    static struct holder holder;
    struct fake_exchange *const fake = &holder.crossings.fake;

    (void)state;
    begin_held(&holder);
    fe_exchange_resume(holder.ex);
    crossings_settle(&holder.crossings);
    (void)fake_exchange_body(fake, "abc");
    fake_exchange_body_end(fake);
    holder.appetite = 2;
    crossings_settle(&holder.crossings);
    trace_expect(&holder.trace, "body(ab)");
    fe_exchange_finish(holder.ex, NULL);
    crossings_settle(&holder.crossings);
    trace_expect(&holder.trace, "");
    fe_exchange_resume(holder.ex);
    crossings_settle(&holder.crossings);
    trace_expect(&holder.trace, "body(c) end");
    assert_true(fake->is_over);
    crossings_deinit(&holder.crossings);
}

/* To the client it is over, and the backend has not read all: with the channel's end it hears so.
 */
static void test_crossed_channel_ends(void **state)
{
    static struct holder holder;
    struct crossings *const crossings = &holder.crossings;

    (void)state;
    begin_held(&holder);
    fe_exchange_resume(holder.ex);
    crossings_settle(crossings);
    holder.appetite = 2;
    (void)fake_exchange_body(&crossings->fake, "abc");
    fake_exchange_body_end(&crossings->fake);
    fe_exchange_finish(holder.ex, NULL);
    crossings_settle(crossings);
    assert_true(crossings->fake.is_over);
    trace_expect(&holder.trace, "body(ab)");
    assert_int_equal(crossings->channel.n_crossings, 1);
    fe_crossing_channel_abort(&crossings->channel);
    crossings_settle(crossings);
    trace_expect(&holder.trace, "abort");
    assert_int_equal(crossings->channel.n_crossings, 0);
    fe_crossing_channel_abort(&crossings->channel); /* there is none any more */
    crossings_deinit(crossings);
}

/* Others are their clients' to end. */
static void test_crossed_channel_ends_with_clients(void **state)
{
    static struct holder holder;

    (void)state;
    begin_held(&holder);
    fe_crossing_channel_abort(&holder.crossings.channel);
    crossings_settle(&holder.crossings);
    trace_expect(&holder.trace, "");
    crossings_leave(&holder.crossings);
    crossings_settle(&holder.crossings);
    crossings_deinit(&holder.crossings);
}

#define H1(test) cmocka_unit_test_setup_teardown(test, setup_h1, teardown_h1)
#define H2(test) cmocka_unit_test_setup_teardown(test, setup_h2, teardown_h2)

int main(void)
{
    const struct CMUnitTest tests[] = {
        H1(test_h1_both_ways),
        H1(test_h1_bytes_with_the_head),
        H1(test_h1_client_ends_first),
        H1(test_h1_backend_ends_first),
        H1(test_h1_end_waits_for_the_bytes),
        H1(test_h1_backend_ends_before_it_has_read),
        H1(test_h1_backend_ends_and_reads_slowly),
        H1(test_h1_back_pressure),
        H1(test_h1_nothing_follows_the_end),
        H1(test_h1_both_end_and_nothing_is_read),
        H1(test_h1_backend_ends_and_nothing_is_read),
        H1(test_h1_backend_ends_and_bytes_are_left),
        H1(test_h1_idle),
        H1(test_h1_drain_leaves_it),
        H1(test_h1_requests_that_ask_for_none),
        H1(test_h1_not_followed),
        H2(test_h2_client_ends_first),
        H2(test_h2_backend_ends_first),
        H2(test_h2_nothing_follows_the_end),
        H2(test_h2_both_end_and_nothing_is_read),
        H2(test_h2_backend_ends_before_it_has_read),
        H2(test_h2_backend_ends_and_reads_slowly),
        H2(test_h2_reset_behind_both_ends),
        H2(test_h2_idle_behind_both_ends),
        H2(test_h2_drain_behind_both_ends),
        H2(test_h2_client_goes_behind_both_ends),
        H2(test_h2_number_behind_both_ends),
        H2(test_h2_reset),
        H2(test_h2_idle),
        cmocka_unit_test(test_h2_not_offered),
        cmocka_unit_test(test_crossed_echo),
        cmocka_unit_test(test_crossed_greeting),
        cmocka_unit_test(test_crossed_end_at_any_time),
        cmocka_unit_test(test_crossed_without_memory_for_the_head),
        cmocka_unit_test(test_crossed_but_not_asked_for),
        cmocka_unit_test(test_crossed_nothing_follows_the_end),
        cmocka_unit_test(test_crossed_both_end_and_nothing_is_read),
        cmocka_unit_test(test_crossed_end_waits_for_the_bytes),
        cmocka_unit_test(test_crossed_channel_ends),
        cmocka_unit_test(test_crossed_channel_ends_with_clients),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
