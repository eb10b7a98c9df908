/* One connection and its exchanges, in the order of what a client may do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ground/base/list.h"
#include "support/h1_rig.h"
#include "web/http/h1/connection.h"

#define GET(path)          "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"
#define POST(path, fields) "POST " path " HTTP/1.1\r\nHost: h\r\n" fields "\r\n"
#define HEAD_200(fields)   "HTTP/1.1 200 OK\r\n" H1_DATE fields "\r\n"
#define PROBLEM(status, length, reason)                                                            \
    "HTTP/1.1 " status "\r\ncontent-type: text/plain; charset=utf-8\r\n" H1_DATE                   \
    "content-length: " length "\r\nconnection: close\r\n\r\n" reason "\n"

static int setup(void **state)
{
    static struct h1_rig rig;

    *state = &rig;
    return h1_rig_init(&rig) ? 0 : -1;
}

static int teardown(void **state)
{
    h1_rig_deinit(*state);
    return 0;
}

/* ---- framing -------------------------------------------------------------------------------- */

static void test_length(void **state)
{
    h1_rig_feed(*state, GET("/hello"));
    h1_rig_expect(*state, H1_HELLO);
    trace_expect(&((struct h1_rig *)*state)->trace, "exchange(/hello)");
}

static void test_chunks(void **state)
{
    h1_rig_feed(*state, GET("/chunks"));
    h1_rig_expect(*state, HEAD_200("transfer-encoding: chunked\r\n") "5\r\nhello\r\n0\r\n\r\n");
}

static void test_until_close(void **state)
{
    h1_rig_feed(*state, "GET /chunks HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    h1_rig_expect(*state, HEAD_200("connection: close\r\n") "hello");
    trace_expect(&((struct h1_rig *)*state)->trace, "exchange(/chunks) close");
}

static void test_no_content(void **state)
{
    h1_rig_feed(*state, GET("/none"));
    h1_rig_expect(*state, "HTTP/1.1 204 No Content\r\n" H1_DATE "\r\n");
}

/* RFC 9110 §15.3.6: whatever its handler says. */
static void test_reset_content(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, GET("/hold"));
    assert_int_equal(h1_rig_respond(rig, 205, FE_BODY_UNKNOWN, NULL, NULL), 0);
    assert_int_equal(fe_exchange_write(rig->ex, FE_VIEW_LIT("dropped")), 7);
    fe_exchange_finish(rig->ex, NULL);
    rig->ex = NULL;
    h1_rig_feed(rig, GET("/hold"));
    assert_int_equal(h1_rig_respond(rig, 205, 7, NULL, NULL), 0);
    fe_exchange_finish(rig->ex, NULL);
    rig->ex = NULL;
    h1_rig_feed(rig, GET("/hello"));
    h1_rig_expect(rig,
                  "HTTP/1.1 205 Reset Content\r\n" H1_DATE "content-length: 0\r\n\r\n"
                  "HTTP/1.1 205 Reset Content\r\n" H1_DATE "content-length: 0\r\n\r\n" H1_HELLO);
}

static void test_head(void **state)
{
    h1_rig_feed(*state, "HEAD /hello HTTP/1.1\r\nHost: h\r\n\r\n"
                        "HEAD /chunks HTTP/1.1\r\nHost: h\r\n\r\n" GET("/hello"));
    h1_rig_expect(*state, HEAD_200("content-length: 5\r\n")
                              HEAD_200("transfer-encoding: chunked\r\n") H1_HELLO);
}

static void test_not_modified(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, GET("/hold"));
    assert_int_equal(h1_rig_respond(rig, 304, 77, "etag", "\"x\""), 0);
    assert_int_equal(fe_exchange_write(rig->ex, FE_VIEW_LIT("dropped")), 7);
    fe_exchange_finish(rig->ex, NULL);
    h1_rig_expect(rig, "HTTP/1.1 304 Not Modified\r\netag: \"x\"\r\n" H1_DATE
                       "content-length: 77\r\n\r\n");
}

static void test_own_date(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, GET("/hold"));
    assert_int_equal(h1_rig_respond(rig, 299, 0, "Date", "now"), 0);
    fe_exchange_finish(rig->ex, NULL);
    h1_rig_expect(rig, "HTTP/1.1 299 \r\nDate: now\r\ncontent-length: 0\r\n\r\n");
}

static void test_hop_by_hop(void **state)
{
    static const struct {
        const char *name;
        const char *value;
    } skipped[] = {
        {"connection", "close"}, {"Keep-Alive", "5"},       {"te", "x"},
        {"trailer", "x"},        {"content-length", "500"}, {"Transfer-Encoding", "chunked"},
        {"upgrade", "x"},        {"proxy-connection", "x"}, {"proxy-authenticate", "x"},
    };
    struct h1_rig *rig = *state;

    for (size_t i = 0; i < sizeof(skipped) / sizeof(skipped[0]); i++) {
        h1_rig_feed(rig, GET("/hold"));
        assert_int_equal(h1_rig_respond(rig, 200, 0, skipped[i].name, skipped[i].value), 0);
        fe_exchange_finish(rig->ex, NULL);
        rig->ex = NULL;
        h1_rig_expect(rig, HEAD_200("content-length: 0\r\n"));
    }
}

static void test_named_by_connection(void **state)
{
    struct h1_rig *rig = *state;
    struct fe_field fields[] = {
        {FE_VIEW_LIT("x-hop"), FE_VIEW_LIT("1")},
        {FE_VIEW_LIT("x-end"), FE_VIEW_LIT("2")},
        {FE_VIEW_LIT("connection"), FE_VIEW_LIT("close, X-Hop")},
    };
    struct fe_response response = {.status = 200, .fields = {fields, 3, 3}};

    h1_rig_feed(rig, GET("/hold"));
    assert_int_equal(fe_exchange_respond(rig->ex, &response), 0);
    fe_exchange_finish(rig->ex, NULL);
    h1_rig_expect(rig, "HTTP/1.1 200 OK\r\nx-end: 2\r\n" H1_DATE "content-length: 0\r\n\r\n");
}

static void test_invalid_response(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, GET("/hold"));
    assert_int_equal(h1_rig_respond(rig, 200, 0, "x", "a\r\nb: c"), FLATEND_EINVAL);
    assert_int_equal(h1_rig_respond(rig, 200, 0, "x\n", "a"), FLATEND_EINVAL);
    assert_int_equal(h1_rig_respond(rig, 200, 0, "", "a"), FLATEND_EINVAL);
    assert_int_equal(h1_rig_respond(rig, 199, 0, NULL, NULL), FLATEND_EINVAL);
    assert_int_equal(h1_rig_respond(rig, 600, 0, NULL, NULL), FLATEND_EINVAL);
    assert_int_equal(rig->out.len, 0);
    assert_int_equal(h1_rig_respond(rig, 502, 0, NULL, NULL), 0);
    fe_exchange_finish(rig->ex, NULL);
    h1_rig_expect(rig, "HTTP/1.1 502 Bad Gateway\r\n" H1_DATE "content-length: 0\r\n\r\n");
}

static void test_large_head(void **state)
{
    enum { LEN = 100000 };
    struct h1_rig *rig = *state;
    char *value = malloc(LEN + 1);

    assert_non_null(value);
    memset(value, 'v', LEN);
    value[LEN] = '\0';
    h1_rig_feed(rig, GET("/hold"));
    assert_int_equal(h1_rig_respond(rig, 200, 0, "x", value), 0);
    fe_exchange_finish(rig->ex, NULL);
    while (h1_rig_take(rig, SIZE_MAX) > 0) {
    }
    assert_int_equal(rig->n_output, sizeof(HEAD_200("x: \r\ncontent-length: 0\r\n")) - 1 + LEN);
    free(value);
}

/* The handler is told of them apart from the head, and its own go behind the chunks. */
static void test_trailers(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, POST("/hold", "Transfer-Encoding: chunked\r\n"));
    fe_exchange_resume(rig->ex);
    h1_rig_feed(rig, "3\r\nabc\r\n0\r\nX-Sum: 1\r\nCookie: no\r\n\r\n");
    trace_expect(&rig->trace, "exchange(/hold) body(abc) end trailer(x-sum=1)");
    assert_null(fe_fields_find(&rig->ex->request.fields, FE_VIEW_LIT("x-sum")));
}

static void test_response_trailers(void **state)
{
    struct h1_rig *rig = *state;
    struct fe_field fields[] = {
        {FE_VIEW_LIT("x-sum"), FE_VIEW_LIT("1")},
        {FE_VIEW_LIT("Content-Length"), FE_VIEW_LIT("5")},
        {FE_VIEW_LIT("grpc-status"), FE_VIEW_LIT("0")},
    };
    const struct fe_fields trailers = {fields, 3, 3};

    h1_rig_feed(rig, GET("/hold") GET("/hold") GET("/hold"));
    assert_int_equal(h1_rig_respond(rig, 200, FE_BODY_UNKNOWN, NULL, NULL), 0);
    fe_exchange_finish(rig->ex, &trailers);
    h1_rig_expect(
        rig, HEAD_200("transfer-encoding: chunked\r\n") "0\r\nx-sum: 1\r\ngrpc-status: 0\r\n\r\n");
    rig->ex = NULL;
    h1_rig_pass(rig, 0); /* no chunks, no place for them */
    assert_int_equal(h1_rig_respond(rig, 200, 0, NULL, NULL), 0);
    fe_exchange_finish(rig->ex, &trailers);
    h1_rig_expect(rig, HEAD_200("content-length: 0\r\n"));
    rig->ex = NULL;
    h1_rig_pass(rig, 0);
    fields[2].value = FE_VIEW_LIT("0\r\nx: y");
    assert_int_equal(h1_rig_respond(rig, 200, FE_BODY_UNKNOWN, NULL, NULL), 0);
    fe_exchange_finish(rig->ex, &trailers);
    h1_rig_expect(rig, HEAD_200("transfer-encoding: chunked\r\n"));
    trace_expect(&rig->trace, "exchange(/hold) exchange(/hold) exchange(/hold) reset");
}

static void test_too_much_body(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, GET("/hold"));
    assert_int_equal(h1_rig_respond(rig, 200, 3, NULL, NULL), 0);
    assert_int_equal(fe_exchange_write(rig->ex, FE_VIEW_LIT("abcd")), FLATEND_ETOOBIG);
    assert_int_equal(fe_exchange_write(rig->ex, FE_VIEW_LIT("abc")), 3);
    fe_exchange_finish(rig->ex, NULL);
    h1_rig_expect(rig, HEAD_200("content-length: 3\r\n") "abc");
}

static void test_too_little_body(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, GET("/hold"));
    assert_int_equal(h1_rig_respond(rig, 200, 3, NULL, NULL), 0);
    fe_exchange_finish(rig->ex, NULL);
    trace_expect(&rig->trace, "exchange(/hold) reset");
}

/* A backend need not wait for the space that it was short of; the next one was not short of any. */
static void test_end_of_what_is_held_back(void **state)
{
    struct h1_rig *rig = *state;
    uint8_t *large = calloc(1, FE_H1_OUT_MAX);

    assert_non_null(large);
    h1_rig_feed(rig, GET("/hold"));
    assert_int_equal(h1_rig_respond(rig, 200, FE_BODY_UNKNOWN, NULL, NULL), 0);
    assert_in_range(fe_exchange_write(rig->ex, fe_view_of(large, FE_H1_OUT_MAX)), 1,
                    FE_H1_OUT_MAX - 1);
    free(large);
    fe_exchange_finish(rig->ex, NULL);
    rig->ex = NULL;
    while (h1_rig_take(rig, SIZE_MAX) > 0) {
    }
    h1_rig_feed(rig, GET("/hold"));
    assert_int_equal(h1_rig_respond(rig, 200, FE_BODY_UNKNOWN, NULL, NULL), 0);
    h1_rig_pass(rig, 0);
    trace_expect(&rig->trace, "exchange(/hold) exchange(/hold)");
}

static void test_abort(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, GET("/abort") GET("/hello"));
    trace_expect(&rig->trace, "exchange(/abort) reset");
}

/* ---- persistence ---------------------------------------------------------------------------- */

static void test_keep_alive(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, GET("/hello"));
    h1_rig_expect(rig, H1_HELLO);
    h1_rig_feed(rig, "GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" GET("/hello"));
    h1_rig_expect(rig, H1_HELLO_CLOSE);
    trace_expect(&rig->trace, "exchange(/hello) exchange(/hello) close");
}

static void test_keep_alive_1_0(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    h1_rig_expect(rig, HEAD_200("content-length: 5\r\nconnection: keep-alive\r\n") "hello");
    h1_rig_feed(rig, "GET /hello HTTP/1.0\r\n\r\n");
    h1_rig_expect(rig, H1_HELLO_CLOSE);
    trace_expect(&rig->trace, "exchange(/hello) exchange(/hello) close");
}

static void test_pipelining_in_order(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, GET("/hold") GET("/hello") GET("/none"));
    trace_expect(&rig->trace, "exchange(/hold)");
    assert_int_equal(h1_rig_respond(rig, 200, 0, NULL, NULL), 0);
    fe_exchange_finish(rig->ex, NULL);
    rig->ex = NULL;
    trace_expect(&rig->trace, ""); /* nothing from within the handler's call */
    h1_rig_pass(rig, 0);
    trace_expect(&rig->trace, "exchange(/hello) exchange(/none)");
    h1_rig_expect(rig, HEAD_200("content-length: 0\r\n") H1_HELLO
                  "HTTP/1.1 204 No Content\r\n" H1_DATE "\r\n");
}

/* The stack of a hundred thousand requests is that of one, and the answers do not pile up. */
static void test_pipelining_deep(void **state)
{
    enum { N = 100000 };
    const size_t len = sizeof(GET("/hello")) - 1;
    struct h1_rig *rig = *state;
    char *requests = malloc(N * len + 1);
    size_t n_read = 0;

    assert_non_null(requests);
    for (size_t i = 0; i < N; i++) {
        memcpy(requests + i * len, GET("/hello"), len + 1);
    }
    rig->trace.is_off = true;
    h1_rig_feed(rig, requests);
    free(requests);
    assert_true(rig->out.len < 2 * FE_HTTP_OUT_HIGH_WATER);
    assert_true(rig->n_exchanges < N);
    while (rig->out.len > 0) {
        n_read += h1_rig_take(rig, SIZE_MAX);
        rig->n_output = 0;
    }
    assert_int_equal(rig->n_exchanges, N);
    assert_int_equal(n_read, N * (sizeof(H1_HELLO) - 1));
}

static void test_pipelining_pauses(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, GET("/hold"));
    for (size_t i = 0; i < 600; i++) {
        h1_rig_feed(rig, GET("/hello"));
    }
    trace_expect(&rig->trace, "exchange(/hold) pause");
    fe_exchange_reset(rig->ex, FLATEND_ERESET);
    trace_expect(&rig->trace, "reset");
}

static void test_early_answer_small_rest(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, POST("/early", "Content-Length: 6\r\n") "abc");
    h1_rig_expect(rig, H1_HELLO);
    h1_rig_feed(rig, "def" GET("/hello"));
    h1_rig_expect(rig, H1_HELLO);
    trace_expect(&rig->trace, "exchange(/early) exchange(/hello)");
}

static void test_early_answer_large_rest(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, POST("/early", "Content-Length: 300000\r\n") "abc");
    h1_rig_expect(rig, H1_HELLO_CLOSE);
    trace_expect(&rig->trace, "exchange(/early) close");
    h1_rig_feed(rig, GET("/hello"));
    trace_expect(&rig->trace, "");
    h1_rig_pass(rig, 4999);
    trace_expect(&rig->trace, "");
    h1_rig_pass(rig, 1);
    trace_expect(&rig->trace, "reset");
}

static void test_early_answer_endless_rest(void **state)
{
    enum { LEN = 300000 };
    struct h1_rig *rig = *state;
    char *body = malloc(LEN + 1);

    assert_non_null(body);
    memset(body, 'b', LEN);
    body[LEN] = '\0';
    h1_rig_feed(rig, POST("/early", "Transfer-Encoding: chunked\r\n") "fffff\r\n");
    h1_rig_expect(rig, H1_HELLO);
    h1_rig_feed(rig, body);
    trace_expect(&rig->trace, "exchange(/early) close");
    free(body);
}

/* ---- request bodies ------------------------------------------------------------------------- */

static void test_echo(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, POST("/echo", "Content-Length: 5\r\n") "he");
    h1_rig_expect(rig, HEAD_200("content-length: 5\r\n") "he");
    h1_rig_feed(rig, "llo" GET("/hello"));
    h1_rig_expect(rig, "llo" H1_HELLO);
}

static void test_echo_chunks(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, POST("/echo", "Transfer-Encoding: chunked\r\n") "3\r\nabc\r\n0\r\n\r\n");
    h1_rig_expect(rig, HEAD_200("transfer-encoding: chunked\r\n") "3\r\nabc\r\n0\r\n\r\n");
}

static void test_body_is_pulled(void **state)
{
    struct h1_rig *rig = *state;

    rig->appetite = 2;
    h1_rig_feed(rig, POST("/hold", "Content-Length: 5\r\n") "hello");
    trace_expect(&rig->trace, "exchange(/hold)");
    fe_exchange_resume(rig->ex);
    trace_expect(&rig->trace, "");
    h1_rig_pass(rig, 0);
    trace_expect(&rig->trace, "body(he)");
    fe_exchange_resume(rig->ex);
    h1_rig_pass(rig, 0);
    trace_expect(&rig->trace, "body(ll)");
    h1_rig_pass(rig, 10);
    trace_expect(&rig->trace, "");
    fe_exchange_resume(rig->ex);
    h1_rig_pass(rig, 0);
    trace_expect(&rig->trace, "body(o) end");
}

/* It goes on, but not in a circle: others have their turn in between. */
static void test_body_is_pulled_from_within(void **state)
{
    struct h1_rig *rig = *state;

    rig->appetite = 2;
    rig->is_eager = true;
    h1_rig_feed(rig, POST("/hold", "Content-Length: 5\r\n"));
    fe_exchange_resume(rig->ex);
    h1_rig_feed(rig, "hello");
    trace_expect(&rig->trace, "exchange(/hold) body(he)");
    h1_rig_pass(rig, 0);
    trace_expect(&rig->trace, "body(ll)");
    h1_rig_pass(rig, 1);
    trace_expect(&rig->trace, "body(o) end");
}

static void test_no_body_has_an_end(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, GET("/hold"));
    trace_expect(&rig->trace, "exchange(/hold)");
    fe_exchange_resume(rig->ex);
    h1_rig_pass(rig, 0);
    trace_expect(&rig->trace, "end");
    fe_exchange_resume(rig->ex);
    h1_rig_pass(rig, 0);
    trace_expect(&rig->trace, "");
}

/* A client that sends and does not read stops its own upload, and gets all of it in the end. */
static void test_echo_back_pressure(void **state)
{
    enum { LEN = 1024 * 1024, PIECE = 65536 };
    struct h1_rig *rig = *state;
    char *piece = malloc(PIECE + 1);
    size_t sent = 0;

    assert_non_null(piece);
    memset(piece, 'x', PIECE);
    piece[PIECE] = '\0';
    h1_rig_feed(rig, POST("/echo", "Content-Length: 1048576\r\n"));
    while (rig->trace.len == sizeof("exchange(/echo)") - 1) {
        h1_rig_feed(rig, piece);
        sent += PIECE;
    }
    trace_expect(&rig->trace, "exchange(/echo) pause");
    assert_true(sent < LEN / 2);
    h1_rig_pass(rig, 3500); /* the client's own doing: no read timeout */
    trace_expect(&rig->trace, "");
    while (rig->n_output < LEN) {
        h1_rig_take(rig, SIZE_MAX);
        h1_rig_pass(rig, 0);
        if (sent < LEN) {
            h1_rig_feed(rig, piece);
            sent += PIECE;
        }
    }
    assert_null(rig->ex);
    assert_int_equal(rig->n_output, sizeof(HEAD_200("content-length: 1048576\r\n")) - 1 + LEN);
    free(piece);
}

static void test_body_too_large(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, POST("/hold", "Transfer-Encoding: chunked\r\n"));
    rig->body_limits.max = 4;
    fe_exchange_resume(rig->ex);
    h1_rig_feed(rig, "3\r\nabc\r\n");
    h1_rig_feed(rig, "2\r\nde\r\n");
    trace_expect(&rig->trace, "exchange(/hold) body(abc) abort close");
    h1_rig_expect(rig, PROBLEM("413 Content Too Large", "23", "request body too large"));
}

static void test_body_malformed(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, POST("/hold", "Transfer-Encoding: chunked\r\n") "x");
    fe_exchange_resume(rig->ex);
    h1_rig_pass(rig, 0);
    trace_expect(&rig->trace, "exchange(/hold) abort close");
    h1_rig_expect(rig, PROBLEM("400 Bad Request", "21", "malformed chunk size"));
}

static void test_body_malformed_after_response(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, POST("/echo", "Transfer-Encoding: chunked\r\n") "1\r\nax");
    trace_expect(&rig->trace, "exchange(/echo) abort reset");
}

/* ---- Expect --------------------------------------------------------------------------------- */

static void test_continue(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, POST("/hold", "Content-Length: 3\r\nExpect: 100-continue\r\n"));
    h1_rig_expect(rig, "");
    fe_exchange_resume(rig->ex);
    h1_rig_expect(rig, "HTTP/1.1 100 Continue\r\n\r\n");
    fe_exchange_resume(rig->ex);
    h1_rig_expect(rig, "");
    h1_rig_feed(rig, "abc");
    trace_expect(&rig->trace, "exchange(/hold) body(abc) end");
    assert_int_equal(h1_rig_respond(rig, 200, 0, NULL, NULL), 0);
    h1_rig_expect(rig, HEAD_200("content-length: 0\r\n"));
}

/* The client may or may not send the body now: where the next request begins cannot be known. */
static void test_no_continue(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, POST("/early", "Content-Length: 3\r\nExpect: 100-continue\r\n"));
    h1_rig_expect(rig, H1_HELLO_CLOSE);
    trace_expect(&rig->trace, "exchange(/early) close");
}

static void test_other_expectation(void **state)
{
    h1_rig_feed(*state, POST("/echo", "Content-Length: 3\r\nExpect: miracles\r\n"));
    h1_rig_expect(*state, PROBLEM("417 Expectation Failed", "41",
                                  "only 'Expect: 100-continue' is supported"));
}

/* ---- faults --------------------------------------------------------------------------------- */

static void test_fault(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, GET("/hello") "GET / HTTP/1.1\r\n\r\n" GET("/hello"));
    h1_rig_expect(rig, H1_HELLO PROBLEM("400 Bad Request", "13", "missing Host"));
    trace_expect(&rig->trace, "exchange(/hello) close");
}

static void test_fault_json(void **state)
{
    h1_rig_feed(*state, "GET / HTTP/1.1\r\nAccept: application/json\r\n\r\n");
    h1_rig_expect(*state,
                  "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\n" H1_DATE
                  "content-length: 61\r\nconnection: close\r\n\r\n"
                  "{\"title\":\"Bad Request\",\"status\":400,\"detail\":\"missing Host\"}\n");
}

/* What the client wanted before does not shape the answer to a fault: HEAD would drop its body. */
static void test_fault_after_head(void **state)
{
    h1_rig_feed(*state, "HEAD /none HTTP/1.1\r\nHost: h\r\nAccept: application/json\r\n\r\n");
    h1_rig_feed(*state, "\x16\x03\x01");
    h1_rig_expect(*state, "HTTP/1.1 204 No Content\r\n" H1_DATE
                          "\r\n" PROBLEM("400 Bad Request", "20", "not an HTTP request"));
}

/* ---- time ----------------------------------------------------------------------------------- */

static void test_head_timeout_silent(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_pass(rig, 1999);
    trace_expect(&rig->trace, "");
    h1_rig_pass(rig, 1);
    trace_expect(&rig->trace, "close");
    h1_rig_expect(rig, "");
}

/* Absolute: a byte now and then does not help. */
static void test_head_timeout(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, "G");
    for (size_t i = 0; i < 19; i++) {
        h1_rig_pass(rig, 100);
        h1_rig_feed(rig, "E");
    }
    trace_expect(&rig->trace, "");
    h1_rig_pass(rig, 100);
    trace_expect(&rig->trace, "close");
    h1_rig_expect(rig, PROBLEM("408 Request Timeout", "35", "timed out reading the request head"));
}

static void test_head_timeout_of_second(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, GET("/hello"));
    h1_rig_expect(rig, H1_HELLO);
    h1_rig_pass(rig, 50000);
    h1_rig_feed(rig, "GET");
    h1_rig_pass(rig, 1999);
    trace_expect(&rig->trace, "exchange(/hello)");
    h1_rig_pass(rig, 1);
    trace_expect(&rig->trace, "close");
}

static void test_idle_timeout(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, GET("/hello"));
    h1_rig_expect(rig, H1_HELLO);
    h1_rig_pass(rig, 59999);
    trace_expect(&rig->trace, "exchange(/hello)");
    h1_rig_feed(rig, GET("/hello"));
    h1_rig_expect(rig, H1_HELLO);
    h1_rig_pass(rig, 59999);
    trace_expect(&rig->trace, "exchange(/hello)");
    h1_rig_pass(rig, 1);
    trace_expect(&rig->trace, "close");
    h1_rig_expect(rig, "");
}

/* Progress of the body counts, and only while it is read. */
static void test_body_timeout(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, POST("/hold", "Content-Length: 5\r\n"));
    h1_rig_pass(rig, 100000);
    trace_expect(&rig->trace, "exchange(/hold)");
    fe_exchange_resume(rig->ex);
    for (size_t i = 0; i < 4; i++) {
        h1_rig_pass(rig, 2999);
        h1_rig_feed(rig, "x");
    }
    trace_expect(&rig->trace, "body(x) body(x) body(x) body(x)");
    h1_rig_pass(rig, 3000);
    trace_expect(&rig->trace, "abort close");
    h1_rig_expect(rig, PROBLEM("408 Request Timeout", "35", "timed out reading the request body"));
}

/* The owner frees a connection that was reset only when its handle is closed: what comes due until
 * then finds no exchange. */
static void test_body_timeout_after_a_reset(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, POST("/hold", "Content-Length: 5\r\n"));
    fe_exchange_resume(rig->ex);
    h1_rig_pass(rig, 1000);
    fe_exchange_reset(rig->ex, FLATEND_ERESET);
    h1_rig_pass(rig, 10000);
    trace_expect(&rig->trace, "exchange(/hold) reset");
}

/* The client's time does not run while the handler is behind; nor does a deadline
 * that has passed meanwhile keep waking us. */
static void test_no_timeout_while_the_handler_is_behind(void **state)
{
    struct h1_rig *rig = *state;

    rig->appetite = 1;
    h1_rig_feed(rig, POST("/hold", "Content-Length: 5\r\n"));
    fe_exchange_resume(rig->ex);
    h1_rig_feed(rig, "xxxx");
    trace_expect(&rig->trace, "exchange(/hold) body(x)");
    h1_rig_pass(rig, 100000);
    trace_expect(&rig->trace, "");
    assert_true(fe_timers_next(&rig->timers) > rig->now_ms + 1);
}

/* Neither a new connection nor what a backend has asked for, once it is done, is looked at again.
 */
static void test_wakes_only_for_what_is_to_be_done(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, POST("/hold", "Content-Length: 5\r\n") "ab");
    assert_true(fe_timers_next(&rig->timers) > rig->now_ms + 1);
    fe_exchange_resume(rig->ex);
    assert_int_equal(fe_timers_next(&rig->timers), rig->now_ms);
    h1_rig_pass(rig, 0);
    trace_expect(&rig->trace, "exchange(/hold) body(ab)");
    assert_true(fe_timers_next(&rig->timers) > rig->now_ms + 1);
}

/* What an idle connection gives back is not taken from the request that follows: an allocation of
 * the request's arena lives as long as it. */
static void test_request_after_idle_keeps_its_memory(void **state)
{
    struct h1_rig *rig = *state;
    char *kept;

    h1_rig_feed(rig, GET("/hello"));
    h1_rig_expect(rig, H1_HELLO);
    trace_expect(&rig->trace, "exchange(/hello)");
    h1_rig_pass(rig, FE_H1_TRIM_MS / 2);
    h1_rig_feed(rig, GET("/hold"));
    trace_expect(&rig->trace, "exchange(/hold)");
    kept = fe_arena_copy(&rig->ex->arena, FE_VIEW_LIT("kept"));
    h1_rig_pass(rig, 2 * FE_H1_TRIM_MS);
    assert_string_equal(kept, "kept");
}

static void test_write_timeout(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, GET("/hold"));
    assert_int_equal(h1_rig_respond(rig, 200, 100, NULL, NULL), 0);
    for (size_t i = 0; i < 10; i++) {
        h1_rig_pass(rig, 3999);
        assert_int_equal(h1_rig_take(rig, 1), 1); /* slow, but alive */
    }
    trace_expect(&rig->trace, "exchange(/hold)");
    h1_rig_pass(rig, 8000);
    trace_expect(&rig->trace, "abort reset");
}

/* What the system still holds of a last answer is not lost to a client that reads it slowly. */
static void test_last_answer_is_read_slowly(void **state)
{
    struct h1_rig *rig = *state;

    rig->is_on_the_way = true;
    h1_rig_feed(rig, "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    h1_rig_expect(rig, H1_HELLO_CLOSE);
    for (size_t i = 0; i < 10; i++) {
        h1_rig_pass(rig, 3999);
        rig->written++;
    }
    trace_expect(&rig->trace, "exchange(/hello) close");
    rig->is_on_the_way = false;
    h1_rig_pass(rig, 10000);
    trace_expect(&rig->trace, "reset");
}

static void test_last_answer_is_not_read(void **state)
{
    struct h1_rig *rig = *state;

    rig->is_on_the_way = true;
    h1_rig_feed(rig, "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    h1_rig_expect(rig, H1_HELLO_CLOSE);
    h1_rig_pass(rig, 8000);
    trace_expect(&rig->trace, "exchange(/hello) close reset");
}

/* What comes after the last answer is dropped, so that the answer can be read, up to a limit. */
static void test_sends_on_after_the_last_answer(void **state)
{
    struct h1_rig *rig = *state;
    char piece[64 * 1024 + 1];

    memset(piece, 'x', sizeof(piece) - 1);
    piece[sizeof(piece) - 1] = '\0';
    h1_rig_feed(rig, "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    h1_rig_expect(rig, H1_HELLO_CLOSE);
    for (size_t n = 0; n < FE_H1_LINGER_MAX; n += sizeof(piece) - 1) {
        h1_rig_feed(rig, piece);
    }
    trace_expect(&rig->trace, "exchange(/hello) close");
    h1_rig_feed(rig, "x");
    trace_expect(&rig->trace, "reset");
}

static void test_no_timeouts(void **state)
{
    struct h1_rig *rig = *state;

    rig->limits.read_header_ms = rig->limits.idle_ms = rig->limits.times.write_ms = 0;
    h1_rig_feed(rig, GET("/hello"));
    h1_rig_pass(rig, 1000 * 1000 * 1000);
    h1_rig_feed(rig, "GET");
    h1_rig_pass(rig, 1000 * 1000 * 1000);
    trace_expect(&rig->trace, "exchange(/hello)");
    h1_rig_expect(rig, H1_HELLO);
}

/* ---- ends ----------------------------------------------------------------------------------- */

static void test_eof_idle(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, GET("/hello"));
    fe_http_server_on_eof(rig->server);
    trace_expect(&rig->trace, "exchange(/hello) close");
    h1_rig_expect(rig, H1_HELLO);
}

/* RFC 9112 §9.6: the client has said all, and waits. */
static void test_eof_before_the_answer(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, GET("/hold"));
    fe_http_server_on_eof(rig->server);
    trace_expect(&rig->trace, "exchange(/hold)");
    assert_int_equal(h1_rig_respond(rig, 200, 2, NULL, NULL), 0);
    assert_int_equal(fe_exchange_write(rig->ex, FE_VIEW_LIT("hi")), 2);
    trace_expect(&rig->trace, "");
    fe_exchange_finish(rig->ex, NULL);
    rig->ex = NULL;
    trace_expect(&rig->trace, "close");
    h1_rig_expect(rig, HEAD_200("content-length: 2\r\nconnection: close\r\n") "hi");
}

static void test_eof_during_response(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, GET("/hold"));
    assert_int_equal(h1_rig_respond(rig, 200, FE_BODY_UNKNOWN, NULL, NULL), 0);
    fe_http_server_on_eof(rig->server);
    trace_expect(&rig->trace, "exchange(/hold)");
    h1_rig_expect(rig, HEAD_200("transfer-encoding: chunked\r\n"));
    assert_int_equal(fe_exchange_write(rig->ex, FE_VIEW_LIT("hi")), 2);
    fe_exchange_finish(rig->ex, NULL);
    rig->ex = NULL;
    trace_expect(&rig->trace, "close");
    h1_rig_expect(rig, "2\r\nhi\r\n0\r\n\r\n");
}

/* What the client has ended in the middle of is no request. */
static void test_eof_within_a_request(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, POST("/hold", "Content-Length: 5\r\n") "he");
    fe_exchange_resume(rig->ex);
    fe_http_server_on_eof(rig->server);
    trace_expect(&rig->trace, "exchange(/hold) body(he) abort close");
    h1_rig_expect(rig, "");
}

static void test_eof_within_a_request_that_is_answered(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, POST("/echo", "Content-Length: 5\r\n") "he");
    fe_http_server_on_eof(rig->server);
    trace_expect(&rig->trace, "exchange(/echo) abort reset");
}

/* A backend that needs no body answers a client that has not sent all of it. */
static void test_eof_within_a_body_that_is_not_read(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, POST("/early", "Content-Length: 5\r\n") "he");
    trace_expect(&rig->trace, "exchange(/early)");
    fe_http_server_on_eof(rig->server);
    trace_expect(&rig->trace, "close");
    h1_rig_expect(rig, H1_HELLO);
}

static void test_eof_within_a_head(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, "GET / HTTP/1.1\r\nHo");
    fe_http_server_on_eof(rig->server);
    trace_expect(&rig->trace, "close");
    h1_rig_expect(rig, "");
}

/* All that has come counts: what waits for the backend, and the requests behind it. */
static void test_eof_behind_what_waits(void **state)
{
    struct h1_rig *rig = *state;

    rig->appetite = 2;
    h1_rig_feed(rig, POST("/hold", "Content-Length: 3\r\n") "abc" GET("/hello"));
    fe_exchange_resume(rig->ex);
    h1_rig_pass(rig, 0);
    fe_http_server_on_eof(rig->server);
    trace_expect(&rig->trace, "exchange(/hold) body(ab)");
    fe_exchange_resume(rig->ex);
    h1_rig_pass(rig, 0);
    trace_expect(&rig->trace, "body(c) end");
    assert_int_equal(h1_rig_respond(rig, 204, 0, NULL, NULL), 0);
    fe_exchange_finish(rig->ex, NULL);
    rig->ex = NULL;
    h1_rig_pass(rig, 0);
    trace_expect(&rig->trace, "exchange(/hello) close");
    h1_rig_expect(rig, "HTTP/1.1 204 No Content\r\n" H1_DATE "\r\n" H1_HELLO_CLOSE);
}

/* A request that was given up looks the same: what is written finds that out. */
static void test_eof_asks_the_client(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, GET("/hold"));
    fe_http_server_on_eof(rig->server);
    h1_rig_pass(rig, FE_H1_PROBE_MS - 1);
    h1_rig_expect(rig, "");
    h1_rig_pass(rig, 1);
    h1_rig_expect(rig, "HTTP/1.1 100 Continue\r\n\r\n");
    h1_rig_pass(rig, 10 * FE_H1_PROBE_MS);
    h1_rig_expect(rig, "");
    trace_expect(&rig->trace, "exchange(/hold)");
}

/* RFC 9110 §15.2: HTTP/1.0 has no interim responses; and behind a head there is no place for one.
 */
static void test_eof_asks_no_client_that_would_not_understand(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, "GET /hold HTTP/1.0\r\n\r\n");
    fe_http_server_on_eof(rig->server);
    h1_rig_pass(rig, 2 * FE_H1_PROBE_MS);
    h1_rig_expect(rig, "");
    assert_int_equal(h1_rig_respond(rig, 200, FE_BODY_UNKNOWN, NULL, NULL), 0);
    h1_rig_expect(rig, HEAD_200("connection: close\r\n"));
    h1_rig_pass(rig, 2 * FE_H1_PROBE_MS);
    h1_rig_expect(rig, "");
}

static void test_free_aborts(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, GET("/hold"));
    fe_http_server_free(rig->server);
    rig->server = NULL;
    trace_expect(&rig->trace, "exchange(/hold) abort");
}

static void test_drain_idle(void **state)
{
    struct h1_rig *rig = *state;

    fe_http_server_drain(rig->server);
    trace_expect(&rig->trace, "close");
}

static void test_drain_running(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, GET("/hold") GET("/hello"));
    fe_http_server_drain(rig->server);
    trace_expect(&rig->trace, "exchange(/hold)");
    assert_int_equal(h1_rig_respond(rig, 200, 0, NULL, NULL), 0);
    fe_exchange_finish(rig->ex, NULL);
    h1_rig_pass(rig, 0);
    trace_expect(&rig->trace, "close");
    h1_rig_expect(rig, HEAD_200("content-length: 0\r\nconnection: close\r\n"));
}

static void test_drain_discarding(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, POST("/early", "Content-Length: 3\r\n"));
    fe_http_server_drain(rig->server);
    h1_rig_feed(rig, "abc");
    trace_expect(&rig->trace, "exchange(/early) close");
}

/* Too many lines are refused as they come, and not kept until their end. */
static void test_lines_are_counted_as_they_come(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, "GET /hello HTTP/1.1\r\n");
    for (int i = 0; i < FE_FIELDS_MAX; i++) {
        h1_rig_feed(rig, "a: b\r\n");
    }
    assert_int_equal(rig->out.len, 0);
    h1_rig_feed(rig, "a: b\r\n");
    assert_memory_equal(fe_chain_front(&rig->out).ptr, "HTTP/1.1 431 ", 13);
    trace_expect(&rig->trace, "close");
}

/* An idle connection keeps hardly anything: 10,000 of them are to fit 100 MiB with all else. */
static void test_idle_memory(void **state)
{
    struct h1_rig *rig = *state;
    struct fe_h1_server *server = FE_CONTAINER_OF(rig->server, struct fe_h1_server, base);

    h1_rig_feed(rig, "GET /hel");
    h1_rig_feed(rig, "lo HTTP/1.1\r\nHost: h\r\n\r\n");
    h1_rig_expect(rig, H1_HELLO);
    assert_non_null(server->ex.arena.chunks);
    h1_rig_pass(rig, 1000);
    assert_null(server->ex.arena.chunks);
    assert_null(server->decoder.section.data);
    assert_null(server->held.head);
    assert_true(sizeof(*server) <= 1024);
    h1_rig_feed(rig, GET("/hello")); /* and works as before */
    h1_rig_expect(rig, H1_HELLO);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* ---- what an exchange is served by ---------------------------------------------------------- */

static void on_zero(struct fe_refcount *refs)
{
    (void)refs;
    fail();
}

/* It is held until the last call about the exchange has returned, and no longer. */
static void test_snapshot(void **state)
{
    struct h1_rig *rig = *state;
    struct fe_refcount refs;

    fe_refcount_init(&refs, on_zero);
    rig->snapshot = &refs;
    h1_rig_feed(rig, GET("/hello") GET("/nowhere"));
    assert_int_equal(refs.n, 2); /* of the second one */
    assert_int_equal(h1_rig_respond(rig, 200, 0, NULL, NULL), 0);
    fe_exchange_finish(rig->ex, NULL);
    assert_int_equal(refs.n, 2); /* we may still be its handler */
    fe_http_server_run(rig->server);
    assert_int_equal(refs.n, 1);
    rig->ex = NULL;
    h1_rig_feed(rig, GET("/hello"));
    assert_int_equal(refs.n, 1);
}

/* There is nothing to send when it ends, but something to do at the end of the turn. */
static void test_snapshot_after_the_body(void **state)
{
    struct h1_rig *rig = *state;
    struct fe_refcount refs;

    fe_refcount_init(&refs, on_zero);
    rig->snapshot = &refs;
    h1_rig_feed(rig, GET("/nowhere"));
    assert_int_equal(h1_rig_respond(rig, 200, 5, NULL, NULL), 0);
    assert_int_equal(rig->ex->ops->write(rig->ex, FE_VIEW_LIT("hello")), 5);
    (void)h1_rig_take(rig, SIZE_MAX);
    rig->wants_run = false;
    fe_exchange_finish(rig->ex, NULL);
    rig->ex = NULL;
    assert_true(rig->wants_run);
    fe_http_server_run(rig->server);
    assert_int_equal(refs.n, 1);
}

/* The client goes away. */
static void test_snapshot_of_a_lost_exchange(void **state)
{
    struct h1_rig *rig = *state;
    struct fe_refcount refs;

    fe_refcount_init(&refs, on_zero);
    rig->snapshot = &refs;
    h1_rig_feed(rig, GET("/hold"));
    assert_int_equal(refs.n, 2);
    fe_http_server_free(rig->server);
    rig->server = NULL;
    assert_int_equal(refs.n, 1);
}

static const struct CMUnitTest tests[] = {
    TEST(test_length),
    TEST(test_chunks),
    TEST(test_until_close),
    TEST(test_no_content),
    TEST(test_reset_content),
    TEST(test_head),
    TEST(test_not_modified),
    TEST(test_own_date),
    TEST(test_hop_by_hop),
    TEST(test_named_by_connection),
    TEST(test_invalid_response),
    TEST(test_large_head),
    TEST(test_trailers),
    TEST(test_response_trailers),
    TEST(test_too_much_body),
    TEST(test_too_little_body),
    TEST(test_end_of_what_is_held_back),
    TEST(test_abort),
    TEST(test_keep_alive),
    TEST(test_keep_alive_1_0),
    TEST(test_pipelining_in_order),
    TEST(test_pipelining_deep),
    TEST(test_pipelining_pauses),
    TEST(test_early_answer_small_rest),
    TEST(test_early_answer_large_rest),
    TEST(test_early_answer_endless_rest),
    TEST(test_echo),
    TEST(test_echo_chunks),
    TEST(test_body_is_pulled),
    TEST(test_body_is_pulled_from_within),
    TEST(test_no_body_has_an_end),
    TEST(test_echo_back_pressure),
    TEST(test_body_too_large),
    TEST(test_body_malformed),
    TEST(test_body_malformed_after_response),
    TEST(test_continue),
    TEST(test_no_continue),
    TEST(test_other_expectation),
    TEST(test_fault),
    TEST(test_fault_json),
    TEST(test_fault_after_head),
    TEST(test_head_timeout_silent),
    TEST(test_head_timeout),
    TEST(test_head_timeout_of_second),
    TEST(test_idle_timeout),
    TEST(test_body_timeout),
    TEST(test_body_timeout_after_a_reset),
    TEST(test_no_timeout_while_the_handler_is_behind),
    TEST(test_wakes_only_for_what_is_to_be_done),
    TEST(test_request_after_idle_keeps_its_memory),
    TEST(test_write_timeout),
    TEST(test_last_answer_is_read_slowly),
    TEST(test_last_answer_is_not_read),
    TEST(test_sends_on_after_the_last_answer),
    TEST(test_no_timeouts),
    TEST(test_eof_idle),
    TEST(test_eof_before_the_answer),
    TEST(test_eof_during_response),
    TEST(test_eof_within_a_request),
    TEST(test_eof_within_a_request_that_is_answered),
    TEST(test_eof_within_a_body_that_is_not_read),
    TEST(test_eof_within_a_head),
    TEST(test_eof_behind_what_waits),
    TEST(test_eof_asks_the_client),
    TEST(test_eof_asks_no_client_that_would_not_understand),
    TEST(test_free_aborts),
    TEST(test_drain_idle),
    TEST(test_drain_running),
    TEST(test_drain_discarding),
    TEST(test_lines_are_counted_as_they_come),
    TEST(test_idle_memory),
    TEST(test_snapshot),
    TEST(test_snapshot_after_the_body),
    TEST(test_snapshot_of_a_lost_exchange),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
