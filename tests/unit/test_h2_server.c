/* One HTTP/2 connection and its exchanges, with nghttp2's client as the peer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/h2_rig.h"
#include "web/http/h2/connection.h"

#define DATE  "date=Sun, 06 Nov 1994 08:49:37 GMT"
#define HELLO "200 " DATE " content-length=5"

static int setup(void **state)
{
    static struct h2_rig rig;

    *state = &rig;
    return h2_rig_init(&rig, true) ? 0 : -1;
}

static int teardown(void **state)
{
    h2_rig_deinit(*state);
    return 0;
}

static void expect_reply(const struct h2_reply *reply, const char *head, const char *body)
{
    assert_string_equal(reply->head, head);
    assert_string_equal(reply->body, body);
    assert_true(reply->is_closed);
    assert_int_equal(reply->code, NGHTTP2_NO_ERROR);
}

/* ---- responses ------------------------------------------------------------------------------ */

static void test_handshake(void **state)
{
    struct h2_rig *rig = *state;

    expect_reply(h2_rig_get(rig, "/hello"), HELLO, "hello");
    trace_expect(&rig->trace, "exchange(/hello)");
    trace_expect(&rig->frames, "SETTINGS WINDOW_UPDATE(0) SETTINGS(ack) HEADERS(1) DATA(1,5,end)");
}

static void test_unknown_length(void **state)
{
    expect_reply(h2_rig_get(*state, "/chunks"), "200 " DATE, "hello");
}

static void test_no_content(void **state)
{
    struct h2_rig *rig = *state;

    expect_reply(h2_rig_get(rig, "/none"), "204 " DATE, "");
    trace_expect(&rig->frames, "SETTINGS WINDOW_UPDATE(0) SETTINGS(ack) HEADERS(1,end)");
}

static void test_head(void **state)
{
    struct h2_rig *rig = *state;
    int32_t id = h2_rig_request(rig, "HEAD", "/hello", NULL);

    h2_rig_pump(rig);
    expect_reply(h2_rig_reply(rig, id), HELLO, "");
    trace_expect(&rig->frames, "SETTINGS WINDOW_UPDATE(0) SETTINGS(ack) HEADERS(1,end)");
}

static void test_not_modified(void **state)
{
    struct h2_rig *rig = *state;
    const struct h2_reply *reply = h2_rig_get(rig, "/hold");

    assert_int_equal(h2_rig_respond(rig, 0, 304, 77), 0);
    assert_int_equal(fe_exchange_write(rig->held[0], FE_VIEW_LIT("dropped")), 7);
    fe_exchange_finish(rig->held[0], NULL);
    rig->n_running--;
    h2_rig_pump(rig);
    expect_reply(reply, "304 " DATE " content-length=77", "");
}

/* RFC 9113 §8.2.2: none of these may be sent, whatever a handler says. */
static void test_hop_by_hop(void **state)
{
    struct h2_rig *rig = *state;
    struct fe_field fields[] = {
        {FE_VIEW_LIT("X-Mixed"), FE_VIEW_LIT(" a ")},
        {FE_VIEW_LIT("connection"), FE_VIEW_LIT("close, X-Hop")},
        {FE_VIEW_LIT("x-hop"), FE_VIEW_LIT("1")},
        {FE_VIEW_LIT("Keep-Alive"), FE_VIEW_LIT("5")},
        {FE_VIEW_LIT("transfer-encoding"), FE_VIEW_LIT("chunked")},
        {FE_VIEW_LIT("upgrade"), FE_VIEW_LIT("x")},
        {FE_VIEW_LIT("content-length"), FE_VIEW_LIT("500")},
        {FE_VIEW_LIT("proxy-connection"), FE_VIEW_LIT("x")},
        {FE_VIEW_LIT("Date"), FE_VIEW_LIT("now")},
    };
    struct fe_response response = {.status = 299, .fields = {fields, 9, 9}};
    const struct h2_reply *reply = h2_rig_get(rig, "/hold");
    struct fe_exchange *ex = rig->held[0];

    assert_int_equal(fe_exchange_respond(ex, &response), 0);
    fe_exchange_finish(ex, NULL);
    rig->n_running--;
    h2_rig_pump(rig);
    expect_reply(reply, "299 x-mixed=a date=now content-length=0", "");
}

static void test_invalid_response(void **state)
{
    struct h2_rig *rig = *state;
    struct fe_field field = {FE_VIEW_LIT("a"), FE_VIEW_LIT("b\r\nc: d")};
    struct fe_response response = {.status = 200, .fields = {&field, 1, 1}};
    const struct h2_reply *reply = h2_rig_get(rig, "/hold");
    struct fe_exchange *ex = rig->held[0];

    assert_int_equal(fe_exchange_respond(ex, &response), FLATEND_EINVAL);
    field = (struct fe_field){FE_VIEW_LIT("a b"), FE_VIEW_LIT("c")};
    assert_int_equal(fe_exchange_respond(ex, &response), FLATEND_EINVAL);
    assert_int_equal(h2_rig_respond(rig, 0, 199, 0), FLATEND_EINVAL);
    assert_int_equal(h2_rig_respond(rig, 0, 600, 0), FLATEND_EINVAL);
    assert_int_equal(h2_rig_respond(rig, 0, 599, 0), 0);
    fe_exchange_finish(ex, NULL);
    rig->n_running--;
    h2_rig_pump(rig);
    expect_reply(reply, "599 " DATE " content-length=0", "");
}

/* Names and values count, up to the limit. */
static void test_large_response_head(void **state)
{
    struct h2_rig *rig = *state;
    uint8_t *value = malloc(FE_RESPONSE_HEAD_MAX);
    struct fe_field field = {FE_VIEW_LIT("a"), {value, FE_RESPONSE_HEAD_MAX}};
    struct fe_response response = {.status = 200, .fields = {&field, 1, 1}};
    const struct h2_reply *reply = h2_rig_get(rig, "/hold");
    struct fe_exchange *ex = rig->held[0];

    assert_non_null(value);
    memset(value, 'v', FE_RESPONSE_HEAD_MAX);
    assert_int_equal(fe_exchange_respond(ex, &response), FLATEND_EINVAL);
    field.value.len = FE_H2_FIELD_MAX + 1;
    assert_int_equal(fe_exchange_respond(ex, &response), FLATEND_EINVAL);
    field.value.len = FE_H2_FIELD_MAX;
    assert_int_equal(fe_exchange_respond(ex, &response), 0);
    free(value);
    fe_exchange_finish(ex, NULL);
    rig->n_running--;
    h2_rig_pump(rig);
    assert_true(reply->is_closed);
    assert_int_equal(reply->code, NGHTTP2_NO_ERROR);
    assert_memory_equal(reply->head, "200 a=vvv", 9);
}

static void test_lengths_are_kept(void **state)
{
    struct h2_rig *rig = *state;
    const struct h2_reply *reply = h2_rig_get(rig, "/hold");
    struct fe_exchange *ex = rig->held[0];

    assert_int_equal(h2_rig_respond(rig, 0, 200, 3), 0);
    assert_int_equal(fe_exchange_write(ex, FE_VIEW_LIT("abcd")), FLATEND_ETOOBIG);
    assert_int_equal(fe_exchange_write(ex, FE_VIEW_LIT("ab")), 2);
    fe_exchange_finish(ex, NULL); /* too little: the client must see that it is not whole */
    rig->n_running--;
    h2_rig_pump(rig);
    assert_true(reply->is_closed);
    assert_int_equal(reply->code, NGHTTP2_INTERNAL_ERROR);
}

static void test_abort(void **state)
{
    struct h2_rig *rig = *state;
    const struct h2_reply *reply = h2_rig_get(rig, "/abort");

    assert_true(reply->is_closed);
    assert_int_equal(reply->code, NGHTTP2_INTERNAL_ERROR);
    expect_reply(h2_rig_get(rig, "/hello"), HELLO, "hello"); /* the connection goes on */
}

static void test_response_trailers(void **state)
{
    struct h2_rig *rig = *state;
    struct fe_field fields[] = {
        {FE_VIEW_LIT("Grpc-Status"), FE_VIEW_LIT("0")},
        {FE_VIEW_LIT("content-length"), FE_VIEW_LIT("5")},
    };
    const struct fe_fields trailers = {fields, 2, 2};
    const struct h2_reply *reply = h2_rig_get(rig, "/hold");
    struct fe_exchange *ex = rig->held[0];

    trace_expect(&rig->frames, "SETTINGS WINDOW_UPDATE(0) SETTINGS(ack)");
    assert_int_equal(h2_rig_respond(rig, 0, 200, FE_BODY_UNKNOWN), 0);
    assert_int_equal(fe_exchange_write(ex, FE_VIEW_LIT("hello")), 5);
    fe_exchange_finish(ex, &trailers);
    rig->n_running--;
    h2_rig_pump(rig);
    expect_reply(reply, "200 " DATE, "hello");
    assert_string_equal(reply->trailers, "grpc-status=0");
    trace_expect(&rig->frames, "HEADERS(1) DATA(1,5) HEADERS(1,end)");
}

/* As gRPC answers what it refuses: no body, but trailers. */
static void test_trailers_only(void **state)
{
    struct h2_rig *rig = *state;
    struct fe_field field = {FE_VIEW_LIT("grpc-status"), FE_VIEW_LIT("12")};
    const struct fe_fields trailers = {&field, 1, 1};
    const struct h2_reply *reply = h2_rig_get(rig, "/hold");

    assert_int_equal(h2_rig_respond(rig, 0, 200, FE_BODY_UNKNOWN), 0);
    fe_exchange_finish(rig->held[0], &trailers);
    rig->n_running--;
    h2_rig_pump(rig);
    expect_reply(reply, "200 " DATE, "");
    assert_string_equal(reply->trailers, "grpc-status=12");
}

/* RFC 9110 §9.3.2, §15.3.5, §15.4.5: such a response ends with its header section. */
static void test_no_trailers_without_a_body(void **state)
{
    static const struct {
        const char *method;
        int status;
    } cases[] = {{"HEAD", 200}, {"GET", 204}, {"GET", 205}, {"GET", 304}};
    struct h2_rig *rig = *state;
    struct fe_field field = {FE_VIEW_LIT("grpc-status"), FE_VIEW_LIT("0")};
    const struct fe_fields trailers = {&field, 1, 1};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const int32_t id = h2_rig_request(rig, cases[i].method, "/hold", NULL);
        char expected[32];

        h2_rig_pump(rig);
        rig->frames.len = 0;
        assert_int_equal(h2_rig_respond(rig, 0, cases[i].status, FE_BODY_UNKNOWN), 0);
        fe_exchange_finish(rig->held[0], &trailers);
        rig->held[0] = NULL;
        rig->n_running--;
        h2_rig_pump(rig);
        (void)snprintf(expected, sizeof(expected), "HEADERS(%d,end)", (int)id);
        trace_expect(&rig->frames, expected);
        assert_string_equal(h2_rig_reply(rig, id)->trailers, "");
    }
}

/* RFC 9110 §15.3.6: whatever its handler says. */
static void test_reset_content(void **state)
{
    struct h2_rig *rig = *state;
    const struct h2_reply *reply = h2_rig_get(rig, "/hold");

    assert_int_equal(h2_rig_respond(rig, 0, 205, 7), 0);
    assert_int_equal(fe_exchange_write(rig->held[0], FE_VIEW_LIT("dropped")), 7);
    fe_exchange_finish(rig->held[0], NULL);
    rig->n_running--;
    h2_rig_pump(rig);
    assert_non_null(strstr(reply->head, "content-length=0"));
    assert_int_equal(reply->n_body, 0);
    assert_true(reply->is_closed);
}

static void test_invalid_trailers(void **state)
{
    struct h2_rig *rig = *state;
    struct fe_field field = {FE_VIEW_LIT("a"), FE_VIEW_LIT("\n")};
    const struct fe_fields trailers = {&field, 1, 1};
    const struct h2_reply *reply = h2_rig_get(rig, "/hold");

    assert_int_equal(h2_rig_respond(rig, 0, 200, FE_BODY_UNKNOWN), 0);
    fe_exchange_finish(rig->held[0], &trailers);
    rig->n_running--;
    h2_rig_pump(rig);
    assert_int_equal(reply->code, NGHTTP2_INTERNAL_ERROR);
}

/* ---- requests ------------------------------------------------------------------------------- */

static void test_request_fields(void **state)
{
    struct h2_rig *rig = *state;
    const nghttp2_nv nv[] = {
        H2_NV(":method", "M-SEARCH"), H2_NV(":scheme", "https"), H2_NV(":path", "/hold?a=b"),
        H2_NV(":authority", "a.b:8"), H2_NV("x-y", "z"),         H2_NV("cookie", "c=d"),
        H2_NV("host", "A.b:8"),
    };
    const struct fe_request *request;

    (void)h2_rig_request_with(rig, nv, 7, NULL);
    h2_rig_pump(rig);
    request = &rig->held[0]->request;
    assert_int_equal(request->method, FE_METHOD_OTHER);
    assert_memory_equal(request->method_text.ptr, "M-SEARCH", request->method_text.len);
    assert_memory_equal(request->scheme.ptr, "http", request->scheme.len);
    assert_memory_equal(request->path.ptr, "/hold", request->path.len);
    assert_memory_equal(request->query.ptr, "a=b", request->query.len);
    assert_memory_equal(request->authority.ptr, "a.b:8", request->authority.len);
    assert_int_equal(request->content_length, 0);
    assert_int_equal(request->fields.n, 3);
    assert_memory_equal(request->fields.items[0].name.ptr, "host", 4);
    assert_memory_equal(request->fields.items[0].value.ptr, "a.b:8", 5);
    assert_memory_equal(request->fields.items[1].name.ptr, "x-y", 3);
    assert_memory_equal(request->fields.items[1].value.ptr, "z", 1);
    assert_memory_equal(request->fields.items[2].value.ptr, "c=d", 3);
}

static void test_host_alone(void **state)
{
    struct h2_rig *rig = *state;
    const nghttp2_nv nv[] = {H2_NV(":method", "GET"), H2_NV(":scheme", "http"),
                             H2_NV(":path", "/hold"), H2_NV("host", "h")};

    (void)h2_rig_request_with(rig, nv, 4, NULL);
    h2_rig_pump(rig);
    assert_memory_equal(rig->held[0]->request.authority.ptr, "h", 1);
    assert_int_equal(rig->held[0]->request.fields.n, 1);
}

static void expect_problem(struct h2_rig *rig, const nghttp2_nv *nv, size_t n, const char *status,
                           const char *body)
{
    int32_t id = h2_rig_request_with(rig, nv, n, NULL);
    const struct h2_reply *reply = h2_rig_reply(rig, id);

    h2_rig_pump(rig);
    assert_memory_equal(reply->head, status, 3);
    assert_string_equal(reply->body, body);
}

static void expect_reset(struct h2_rig *rig, const nghttp2_nv *nv, size_t n)
{
    const int32_t id = h2_rig_request_with(rig, nv, n, NULL);

    h2_rig_pump(rig);
    assert_int_equal(h2_rig_reply(rig, id)->code, NGHTTP2_PROTOCOL_ERROR);
}

#define GET_OF(authority, path)                                                                    \
    H2_NV(":method", "GET"), H2_NV(":scheme", "http"), H2_NV(":path", path),                       \
        H2_NV(":authority", authority)

static void test_refused_heads(void **state)
{
    struct h2_rig *rig = *state;
    const nghttp2_nv other_host[] = {GET_OF("h", "/hello"), H2_NV("host", "x")};
    const nghttp2_nv user[] = {GET_OF("u@h", "/hello")};
    const nghttp2_nv port[] = {GET_OF("h:x", "/hello")};
    const nghttp2_nv fragment[] = {GET_OF("h", "/hello#x")};
    const nghttp2_nv expect[] = {GET_OF("h", "/hello"), H2_NV("expect", "wonders")};
    const nghttp2_nv connect[] = {H2_NV(":method", "CONNECT"), H2_NV(":authority", "h:1")};
    const nghttp2_nv absolute[] = {GET_OF("h", "http://x/hello")};
    nghttp2_nv scheme[] = {GET_OF("h", "http://x/hello")};
    nghttp2_nv other_scheme[] = {GET_OF("h", "/hello")};
    nghttp2_nv star[] = {GET_OF("h", "*")};

    /* nghttp2 looks at the path of these two schemes only. */
    expect_reset(rig, absolute, 4);
    scheme[1] = (nghttp2_nv)H2_NV(":scheme", "foo");
    expect_problem(rig, scheme, 4, "400", ":scheme is neither http nor https\n");
    other_scheme[1] = (nghttp2_nv)H2_NV(":scheme", "ftp");
    expect_problem(rig, other_scheme, 4, "400", ":scheme is neither http nor https\n");
    other_scheme[1] = (nghttp2_nv)H2_NV(":scheme", "HTTPS");
    expect_problem(rig, other_scheme, 4, "200", "hello");
    trace_expect(&rig->trace, "exchange(/hello)");

    expect_problem(rig, other_host, 5, "400", "Host differs from :authority\n");
    expect_problem(rig, user, 4, "400", "invalid Host\n");
    expect_problem(rig, port, 4, "400", "invalid Host\n");
    expect_problem(rig, fragment, 4, "400", "request target with an invalid character\n");
    expect_problem(rig, expect, 5, "417", "only 'Expect: 100-continue' is supported\n");
    expect_problem(rig, connect, 2, "501", "CONNECT is not supported\n");
    star[0] = (nghttp2_nv)H2_NV(":method", "OPTIONS");
    (void)h2_rig_request_with(rig, star, 4, NULL);
    h2_rig_pump(rig);
    trace_expect(&rig->trace, "exchange(*)");
}

static void test_large_heads(void **state)
{
    struct h2_rig *rig = *state;
    static char text[4096];
    nghttp2_nv many[4 + FE_FIELDS_MAX] = {GET_OF("h", "/hello")};
    nghttp2_nv nv[] = {GET_OF("h", "/hello"), H2_NV("x", "")};

    memset(text, 'a', sizeof(text));
    text[0] = '/';
    nv[4].value = (uint8_t *)text;
    nv[4].valuelen = sizeof(text);
    expect_problem(rig, nv, 5, "431", "header section too large\n");
    nv[2].value = (uint8_t *)text;
    nv[2].valuelen = sizeof(text);
    expect_problem(rig, nv, 4, "414", "request line too long\n");
    for (size_t i = 4; i < 4 + FE_FIELDS_MAX; i++) {
        many[i] = (nghttp2_nv)H2_NV("x", "");
    }
    rig->limits.header_max = 1024 * 1024;
    expect_problem(rig, many, FE_FIELDS_MAX, "200", "hello");
    expect_problem(rig, many, FE_FIELDS_MAX + 1, "431", "header section too large\n");
    assert_int_equal(rig->counters.heads_too_large, 3);
}

/* RFC 9113 §8.2.3: browsers send each cookie as a field of its own. They are one, for the limit and
 * for whoever gets the request. */
static void test_cookie_crumbs(void **state)
{
    enum { N = 126 };
    struct h2_rig *rig = *state;
    nghttp2_nv nv[FE_FIELDS_MAX + N] = {GET_OF("h", "/hold")};
    const struct fe_fields *fields;
    char expected[N * 8];
    size_t len = 0;
    size_t n = 4;

    rig->limits.header_max = 64 * 1024;
    for (size_t i = 0; i < N; i++) {
        nv[n++] = (nghttp2_nv)H2_NV("cookie", "a=1");
        len += (size_t)snprintf(expected + len, sizeof(expected) - len, "%sa=1", i > 0 ? "; " : "");
        if (i == 0) {
            nv[n++] = (nghttp2_nv)H2_NV("x", "y");
        }
    }
    while (n < FE_FIELDS_MAX + N - 1) {
        nv[n++] = (nghttp2_nv)H2_NV("x", "y");
    }
    (void)h2_rig_request_with(rig, nv, n, NULL);
    h2_rig_pump(rig);
    trace_expect(&rig->trace, "exchange(/hold)");
    fields = &rig->held[0]->request.fields;
    assert_int_equal(fields->n, FE_FIELDS_MAX - 3); /* three pseudo-fields are none to a backend */
    assert_true(fe_view_equal(fe_fields_find(fields, FE_VIEW_LIT("cookie"))->value,
                              fe_view_of(expected, len)));
    for (size_t i = 0; i < fields->n; i++) {
        assert_true(i == 1 || !fe_view_equal(fields->items[i].name, FE_VIEW_LIT("cookie")));
    }
    nv[n++] = (nghttp2_nv)H2_NV("x", "y");
    expect_problem(rig, nv, n, "431", "header section too large\n");
}

/* HPACK makes much of little; what all requests together may hold is bounded too. */
static void test_heads_together(void **state)
{
    enum { EACH = 900 * 1000 };
    struct h2_rig *rig = *state;
    char *text = malloc(EACH);
    nghttp2_nv nv[] = {GET_OF("h", "/hold"), H2_NV("x", "")};
    int32_t id = 0;

    assert_non_null(text);
    memset(text, 'a', EACH);
    nv[4].value = (uint8_t *)text;
    nv[4].valuelen = EACH / 16;
    rig->limits.header_max = 1024 * 1024;
    rig->trace.is_off = true;
    for (size_t i = 0; i <= FE_H2_HEADS_MAX / (EACH / 16); i++) {
        id = h2_rig_request_with(rig, nv, 5, NULL);
        h2_rig_pump(rig);
        rig->n_held = 0; /* not needed */
    }
    assert_memory_equal(h2_rig_reply(rig, id)->head, "503", 3);
    assert_int_equal(rig->counters.heads_refused, 1);
    free(text);
}

/* ---- request bodies ------------------------------------------------------------------------- */

static void test_echo(void **state)
{
    const struct fe_view body = FE_VIEW_LIT("what is said");
    struct h2_rig *rig = *state;
    int32_t id = h2_rig_request(rig, "POST", "/echo", &body);

    h2_rig_pump(rig);
    expect_reply(h2_rig_reply(rig, id), "200 " DATE, "what is said");
}

/* Many times the windows, both ways. */
static void test_echo_much(void **state)
{
    enum { MUCH = 8 * 1024 * 1024 };
    struct h2_rig *rig = *state;
    const struct fe_view body = fe_view_of(calloc(1, MUCH), MUCH);
    int32_t id;

    assert_non_null(body.ptr);
    rig->frames.is_off = true;
    id = h2_rig_request(rig, "POST", "/echo", &body);
    h2_rig_pump(rig);
    assert_int_equal(h2_rig_reply(rig, id)->n_body, MUCH);
    assert_int_equal(h2_rig_reply(rig, id)->code, 0);
    assert_true(h2_rig_reply(rig, id)->is_closed);
    free((void *)(uintptr_t)body.ptr);
}

static void test_body_is_pulled(void **state)
{
    struct h2_rig *rig = *state;
    const struct fe_view body = FE_VIEW_LIT("abcdef");

    rig->appetite = 4;
    (void)h2_rig_request(rig, "POST", "/hold", &body);
    h2_rig_pump(rig);
    trace_expect(&rig->trace, "exchange(/hold)");
    fe_exchange_resume(rig->held[0]);
    trace_expect(&rig->trace, ""); /* nothing from within the handler's call */
    h2_rig_pump(rig);
    trace_expect(&rig->trace, "body(abcd)");
    fe_exchange_resume(rig->held[0]);
    h2_rig_pump(rig);
    trace_expect(&rig->trace, "body(ef) end");
    fe_exchange_resume(rig->held[0]); /* harmless */
    h2_rig_pump(rig);
    trace_expect(&rig->trace, "");
}

/* A body that is not taken stops at its window; another one on the same connection does not, for as
 * long as it likes. */
static void test_slow_handler_stops_its_stream_only(void **state)
{
    enum { MUCH = 4 * 1024 * 1024 };
    struct h2_rig *rig = *state;
    const struct fe_view body = fe_view_of(calloc(1, MUCH), MUCH);
    int32_t slow;
    int32_t fast;

    assert_non_null(body.ptr);
    rig->frames.is_off = true;
    rig->trace.is_off = true;
    slow = h2_rig_request(rig, "POST", "/hold", &body);
    h2_rig_pump(rig);
    fast = h2_rig_request(rig, "POST", "/echo", &body);
    h2_rig_pump(rig);
    assert_int_equal(h2_rig_reply(rig, fast)->n_body, MUCH);
    assert_int_equal(rig->sent[(slow - 1) / 2], FE_H2_STREAM_WINDOW);
    fe_exchange_resume(rig->held[0]);
    h2_rig_pump(rig);
    assert_int_equal(rig->sent[(slow - 1) / 2], MUCH);
    free((void *)(uintptr_t)body.ptr);
}

/* But all of them together hold no more than is said. */
static void test_held_bodies_are_bounded(void **state)
{
    enum { N = 64 };
    struct h2_rig *rig = *state;
    const struct fe_view body = fe_view_of(calloc(1, FE_H2_STREAM_WINDOW), FE_H2_STREAM_WINDOW);
    const struct fe_h2_server *server = FE_CONTAINER_OF(rig->server, struct fe_h2_server, base);

    assert_non_null(body.ptr);
    for (size_t i = 0; i < N; i++) {
        (void)h2_rig_request(rig, "POST", "/hold", &body);
        h2_rig_pump(rig);
        rig->n_held = 0; /* not needed */
    }
    assert_true(server->n_held > FE_H2_HELD_MAX);
    assert_true(server->n_held <= FE_H2_HELD_MAX + FE_H2_CONNECTION_WINDOW);
    free((void *)(uintptr_t)body.ptr);
}

static void test_body_too_large(void **state)
{
    struct h2_rig *rig = *state;
    const struct fe_view body = FE_VIEW_LIT("abcdef");
    int32_t id;

    rig->body_limits.max = 5;
    id = h2_rig_request(rig, "POST", "/hold", &body);
    h2_rig_pump(rig);
    fe_exchange_resume(rig->held[0]);
    h2_rig_pump(rig);
    assert_true(h2_rig_reply(rig, id)->is_closed);
    trace_expect(&rig->trace, "exchange(/hold) abort");
    assert_memory_equal(h2_rig_reply(rig, id)->head, "413", 3);
    assert_string_equal(h2_rig_reply(rig, id)->body, "request body too large\n");
}

static void test_continue(void **state)
{
    struct h2_rig *rig = *state;
    const struct fe_view body = FE_VIEW_LIT("abc");
    const nghttp2_nv nv[] = {H2_NV(":method", "POST"), H2_NV(":scheme", "http"),
                             H2_NV(":path", "/echo"), H2_NV(":authority", "h"),
                             H2_NV("expect", "100-Continue")};
    int32_t id = h2_rig_request_with(rig, nv, 5, &body);

    h2_rig_pump(rig);
    assert_memory_equal(h2_rig_reply(rig, id)->head, "100 200 ", 8);
    assert_string_equal(h2_rig_reply(rig, id)->body, "abc");
}

/* RFC 9113 §8.1: the answer is whole, what the client still has to say is not wanted. */
static void test_early_answer(void **state)
{
    struct h2_rig *rig = *state;
    const struct fe_view body = fe_view_of(calloc(1, 1024 * 1024), 1024 * 1024);
    int32_t id = h2_rig_request(rig, "POST", "/early", &body);

    assert_non_null(body.ptr);
    h2_rig_pump(rig);
    expect_reply(h2_rig_reply(rig, id), HELLO, "hello");
    assert_true(rig->sent[0] < body.len);
    trace_expect(&rig->frames, "SETTINGS WINDOW_UPDATE(0) SETTINGS(ack) HEADERS(1) DATA(1,5,end) "
                               "RST_STREAM(1,NO_ERROR)");
    free((void *)(uintptr_t)body.ptr);
}

/* What was still on its way then uses up no window. */
static void test_early_answers_cost_no_window(void **state)
{
    enum { N = 40 };
    struct h2_rig *rig = *state;
    const struct fe_view body = fe_view_of(calloc(1, 1024 * 1024), 1024 * 1024);
    int32_t id;

    assert_non_null(body.ptr);
    rig->trace.is_off = true;
    rig->frames.is_off = true;
    for (size_t i = 0; i < N; i++) {
        id = h2_rig_request(rig, "POST", "/early", &body);
        h2_rig_pump(rig);
        assert_int_equal(h2_rig_reply(rig, id)->code, NGHTTP2_NO_ERROR);
        assert_string_equal(h2_rig_reply(rig, id)->body, "hello");
    }
    assert_true(rig->sent[0] > 0);
    id = h2_rig_request(rig, "POST", "/echo", &body);
    h2_rig_pump(rig);
    assert_int_equal(h2_rig_reply(rig, id)->n_body, body.len);
    free((void *)(uintptr_t)body.ptr);
}

/* ---- flow control towards the client -------------------------------------------------------- */

static void set_client_window(struct h2_rig *rig, uint32_t window)
{
    const nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window};

    assert_int_equal(nghttp2_submit_settings(rig->client, NGHTTP2_FLAG_NONE, &entry, 1), 0);
}

static void test_slow_reader_stops_its_stream_only(void **state)
{
    struct h2_rig *rig = *state;
    const struct fe_h2_server *server = FE_CONTAINER_OF(rig->server, struct fe_h2_server, base);
    int32_t slow;

    rig->is_stingy = true;
    rig->frames.is_off = true;
    set_client_window(rig, 0);
    slow = h2_rig_request(rig, "GET", "/big/10000000", NULL);
    h2_rig_pump(rig);
    assert_int_equal(h2_rig_reply(rig, slow)->n_body, 0);
    assert_int_equal(server->n_output, FE_H2_STREAM_OUT_MAX);
    set_client_window(rig, 1000);
    h2_rig_pump(rig);
    assert_int_equal(h2_rig_reply(rig, slow)->n_body, 1000);
    expect_reply(h2_rig_get(rig, "/hello"), HELLO, "hello");
    rig->is_stingy = false;
    set_client_window(rig, 1000 * 1000 * 1000);
    assert_int_equal(nghttp2_session_consume_connection(rig->client, 1005), 0);
    h2_rig_pump(rig);
    assert_int_equal(h2_rig_reply(rig, slow)->n_body, 10000000);
    assert_int_equal(server->n_output, 0);
}

/* A backend that was short of space hears once that there is some, whatever it makes of that. */
static void test_space_is_told_once(void **state)
{
    enum { LEN = 2 * FE_H2_STREAM_OUT_MAX };
    struct h2_rig *rig = *state;
    uint8_t *bytes = calloc(1, LEN);
    int32_t id;

    assert_non_null(bytes);
    rig->is_stingy = true;
    rig->frames.is_off = true;
    set_client_window(rig, 0);
    id = h2_rig_request(rig, "GET", "/hold", NULL);
    h2_rig_pump(rig);
    assert_int_equal(h2_rig_respond(rig, 0, 200, FE_BODY_UNKNOWN), 0);
    assert_in_range(fe_exchange_write(rig->held[0], fe_view_of(bytes, LEN)), 1, LEN - 1);
    free(bytes);
    h2_rig_pump(rig);
    trace_expect(&rig->trace, "exchange(/hold)");
    for (int i = 0; i < 4; i++) {
        assert_int_equal(nghttp2_submit_window_update(rig->client, NGHTTP2_FLAG_NONE, id,
                                                      FE_H2_STREAM_OUT_MAX / 4),
                         0);
        h2_rig_pump(rig);
    }
    fe_exchange_resume(rig->held[0]);
    h2_rig_pump(rig);
    trace_expect(&rig->trace, "writable end");
}

/* However many there are, what waits is bounded. */
static void test_many_slow_readers(void **state)
{
    enum { N = 500 };
    struct h2_rig *rig = *state;
    const struct fe_h2_server *server = FE_CONTAINER_OF(rig->server, struct fe_h2_server, base);

    rig->trace.is_off = true;
    rig->frames.is_off = true;
    set_client_window(rig, 0);
    h2_rig_pump(rig);
    for (size_t i = 0; i < N; i++) {
        (void)h2_rig_request(rig, "GET", "/big/100000", NULL);
    }
    h2_rig_pump(rig);
    assert_true(server->n_output > FE_H2_OUT_MAX);
    assert_true(server->n_output <= FE_H2_OUT_MAX + N * FE_H2_STREAM_OUT_MIN);
    set_client_window(rig, 1000 * 1000);
    h2_rig_pump(rig);
    for (int32_t i = 0; i < N; i++) {
        assert_int_equal(h2_rig_reply(rig, 2 * i + 1)->n_body, 100000);
    }
}

/* A client that reads nothing at all: the output stops at its mark. */
static void test_unread_connection(void **state)
{
    struct h2_rig *rig = *state;

    h2_rig_pump(rig);
    rig->frames.is_off = true;
    assert_int_equal(nghttp2_session_set_local_window_size(rig->client, 0, 0, 1 << 30), 0);
    set_client_window(rig, 1 << 30);
    h2_rig_pump(rig);
    rig->is_unread = true;
    (void)h2_rig_request(rig, "GET", "/big/10000000", NULL);
    h2_rig_pump(rig);
    assert_true(rig->out.len > FE_HTTP_OUT_HIGH_WATER);
    assert_true(rig->out.len < FE_HTTP_OUT_HIGH_WATER + 64 * 1024);
    rig->is_unread = false;
    h2_rig_pump(rig);
    assert_int_equal(h2_rig_reply(rig, 1)->n_body, 10000000);
}

static void test_thousand_streams(void **state)
{
    struct h2_rig *rig = *state;

    h2_rig_pump(rig);
    rig->trace.is_off = true;
    rig->frames.is_off = true;
    for (size_t i = 0; i < FE_H2_STREAMS_MAX; i++) {
        (void)h2_rig_request(rig, "GET", "/hello", NULL);
    }
    h2_rig_pump(rig);
    for (int32_t i = 0; i < FE_H2_STREAMS_MAX; i++) {
        expect_reply(h2_rig_reply(rig, 2 * i + 1), HELLO, "hello");
    }
    assert_int_equal(rig->counters.streams, FE_H2_STREAMS_MAX);
}

/* ---- ends ----------------------------------------------------------------------------------- */

static void test_client_resets(void **state)
{
    struct h2_rig *rig = *state;

    (void)h2_rig_get(rig, "/hold");
    nghttp2_submit_rst_stream(rig->client, NGHTTP2_FLAG_NONE, 1, NGHTTP2_CANCEL);
    h2_rig_pump(rig);
    trace_expect(&rig->trace, "exchange(/hold) abort");
    expect_reply(h2_rig_get(rig, "/hello"), HELLO, "hello");
}

static void test_eof(void **state)
{
    struct h2_rig *rig = *state;

    (void)h2_rig_get(rig, "/hold");
    fe_http_server_on_eof(rig->server);
    h2_rig_pump(rig);
    trace_expect(&rig->trace, "exchange(/hold) abort close");
}

static void test_free_aborts(void **state)
{
    struct h2_rig *rig = *state;

    (void)h2_rig_get(rig, "/hold");
    fe_http_server_free(rig->server);
    rig->server = NULL;
    trace_expect(&rig->trace, "exchange(/hold) abort");
}

static void test_client_goes(void **state)
{
    struct h2_rig *rig = *state;

    (void)h2_rig_get(rig, "/hello");
    assert_int_equal(nghttp2_session_terminate_session(rig->client, NGHTTP2_NO_ERROR), 0);
    h2_rig_pump(rig);
    trace_expect(&rig->trace, "exchange(/hello) close");
}

static void test_drain_idle(void **state)
{
    struct h2_rig *rig = *state;

    (void)h2_rig_get(rig, "/hello");
    trace_expect(&rig->frames, "SETTINGS WINDOW_UPDATE(0) SETTINGS(ack) HEADERS(1) DATA(1,5,end)");
    fe_http_server_drain(rig->server);
    h2_rig_pump(rig);
    trace_expect(&rig->frames, "GOAWAY(1,NO_ERROR)");
    trace_expect(&rig->trace, "exchange(/hello) close");
}

/* RFC 9113 §6.8: what is on its way when the client learns of it is answered. */
static void test_drain_running(void **state)
{
    struct h2_rig *rig = *state;
    const struct h2_reply *reply = h2_rig_get(rig, "/hold");
    int32_t id;

    trace_expect(&rig->frames, "SETTINGS WINDOW_UPDATE(0) SETTINGS(ack)");
    fe_http_server_drain(rig->server);
    id = h2_rig_request(rig, "GET", "/hello", NULL);
    fe_http_server_run(rig->server); /* the notice is on its way, and so is the request */
    h2_rig_pump(rig);
    expect_reply(h2_rig_reply(rig, id), HELLO, "hello");
    trace_expect(&rig->frames, "GOAWAY(2147483647,NO_ERROR) PING HEADERS(3) DATA(3,5,end) "
                               "GOAWAY(3,NO_ERROR)");
    assert_int_equal(h2_rig_respond(rig, 0, 200, 0), 0);
    fe_exchange_finish(rig->held[0], NULL);
    rig->n_running--;
    h2_rig_pump(rig);
    expect_reply(reply, "200 " DATE " content-length=0", "");
    trace_expect(&rig->trace, "exchange(/hold) exchange(/hello) close");
}

/* ---- time ----------------------------------------------------------------------------------- */

static void test_silent_client(void **state)
{
    struct h2_rig *rig = *state;

    nghttp2_session_del(rig->client);
    rig->client = NULL;
    h2_rig_pass(rig, 1999);
    trace_expect(&rig->trace, "");
    h2_rig_pass(rig, 1);
    trace_expect(&rig->trace, "close");
    h2_rig_pass(rig, FE_H2_LINGER_MS);
    trace_expect(&rig->trace, "reset");
}

static void test_head_timeout(void **state)
{
    struct h2_rig *rig = *state;

    nghttp2_session_del(rig->client);
    rig->client = NULL;
    h2_rig_greet(rig);
    h2_rig_frame(rig, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, "\x82", 1);
    h2_rig_pump(rig);
    trace_expect(&rig->frames, "SETTINGS WINDOW_UPDATE(0) SETTINGS(ack)");
    h2_rig_pass(rig, 1999);
    trace_expect(&rig->trace, "");
    h2_rig_pass(rig, 1);
    trace_expect(&rig->trace, "close");
    trace_expect(&rig->frames, "GOAWAY(1,ENHANCE_YOUR_CALM)");
}

static void test_idle_timeout(void **state)
{
    struct h2_rig *rig = *state;

    (void)h2_rig_get(rig, "/hello");
    h2_rig_pass(rig, 30000);
    (void)h2_rig_get(rig, "/hello");
    h2_rig_pass(rig, 59999);
    trace_expect(&rig->trace, "exchange(/hello) exchange(/hello)");
    h2_rig_pass(rig, 1);
    trace_expect(&rig->trace, "close");
}

static void test_body_timeout(void **state)
{
    struct h2_rig *rig = *state;
    const nghttp2_nv nv[] = {GET_OF("h", "/echo")};
    int32_t id = nghttp2_submit_headers(rig->client, NGHTTP2_FLAG_NONE, -1, NULL, nv, 4, NULL);

    rig->limits.idle_ms = 0;
    h2_rig_pump(rig);
    h2_rig_pass(rig, 2999);
    trace_expect(&rig->trace, "exchange(/echo)");
    h2_rig_pass(rig, FE_H2_CHECK_MS);
    trace_expect(&rig->trace, "abort");
    assert_true(h2_rig_reply(rig, id)->is_closed); /* the head was sent: no answer but that */
    assert_int_equal(h2_rig_reply(rig, id)->code, NGHTTP2_CANCEL);
    (void)nghttp2_submit_headers(rig->client, NGHTTP2_FLAG_NONE, -1, NULL, nv, 4, NULL);
}

static void test_body_timeout_is_answered(void **state)
{
    struct h2_rig *rig = *state;
    const nghttp2_nv nv[] = {GET_OF("h", "/hold")};
    int32_t id = nghttp2_submit_headers(rig->client, NGHTTP2_FLAG_NONE, -1, NULL, nv, 4, NULL);

    h2_rig_pump(rig);
    h2_rig_pass(rig, 10000); /* its body is not being read */
    trace_expect(&rig->trace, "exchange(/hold)");
    fe_exchange_resume(rig->held[0]);
    h2_rig_pass(rig, 3000);
    trace_expect(&rig->trace, "abort");
    assert_memory_equal(h2_rig_reply(rig, id)->head, "408", 3);
    assert_string_equal(h2_rig_reply(rig, id)->body, "timed out reading the request body\n");
}

/* The RST_STREAM waits for a client that reads nothing, and so does the stream: the time for its
 * body is over with its exchange. */
static void test_body_timeout_after_a_reset(void **state)
{
    struct h2_rig *rig = *state;
    const nghttp2_nv nv[] = {GET_OF("h", "/hold")};

    rig->limits.times.write_ms = 0;
    h2_rig_pump(rig);
    rig->frames.is_off = true;
    assert_int_equal(nghttp2_session_set_local_window_size(rig->client, 0, 0, 1 << 30), 0);
    set_client_window(rig, 1 << 30);
    (void)nghttp2_submit_headers(rig->client, NGHTTP2_FLAG_NONE, -1, NULL, nv, 4, NULL);
    h2_rig_pump(rig);
    fe_exchange_resume(rig->held[0]);
    h2_rig_pump(rig);
    rig->is_unread = true;
    (void)h2_rig_request(rig, "GET", "/big/10000000", NULL);
    h2_rig_pump(rig);
    assert_true(rig->out.len > FE_HTTP_OUT_HIGH_WATER);
    fe_exchange_reset(rig->held[0], FLATEND_ERESET);
    rig->held[0] = NULL;
    rig->n_running--;
    h2_rig_pass(rig, 10000);
    trace_expect(&rig->trace, "exchange(/hold) exchange(/big/10000000)");
    rig->is_unread = false;
    h2_rig_pump(rig);
    assert_int_equal(h2_rig_reply(rig, 1)->code, NGHTTP2_INTERNAL_ERROR);
}

/* A stream without window is reset; the others do not notice. */
static void test_stalled_stream(void **state)
{
    struct h2_rig *rig = *state;
    int32_t id;

    rig->is_stingy = true;
    set_client_window(rig, 10);
    id = h2_rig_request(rig, "GET", "/big/1000", NULL);
    (void)h2_rig_request(rig, "GET", "/hold", NULL);
    h2_rig_pump(rig);
    h2_rig_pass(rig, 3999);
    assert_int_equal(nghttp2_submit_window_update(rig->client, NGHTTP2_FLAG_NONE, id, 10), 0);
    h2_rig_pump(rig);
    h2_rig_pass(rig, 3999); /* it moves, however slowly */
    assert_false(h2_rig_reply(rig, id)->is_closed);
    h2_rig_pass(rig, 4001);
    assert_true(h2_rig_reply(rig, id)->is_closed);
    assert_int_equal(h2_rig_reply(rig, id)->code, NGHTTP2_CANCEL);
    assert_int_equal(h2_rig_reply(rig, id)->n_body, 20);
    assert_int_equal(rig->counters.stalled, 1);
    trace_expect(&rig->trace, "exchange(/big/1000) exchange(/hold)");
    assert_false(rig->is_closed);
}

/* Its time counts from when it has something to send again. */
static void test_stream_that_stalls_later(void **state)
{
    struct h2_rig *rig = *state;
    int32_t id;

    rig->is_stingy = true;
    set_client_window(rig, 10);
    id = h2_rig_request(rig, "GET", "/hold", NULL);
    h2_rig_pump(rig);
    assert_int_equal(h2_rig_respond(rig, 0, 200, FE_BODY_UNKNOWN), 0);
    assert_int_equal(fe_exchange_write(rig->held[0], FE_VIEW_LIT("0123456789")), 10);
    h2_rig_pump(rig);
    assert_int_equal(h2_rig_reply(rig, id)->n_body, 10);
    h2_rig_pass(rig, 10000);
    assert_int_equal(fe_exchange_write(rig->held[0], FE_VIEW_LIT("0123456789")), 10);
    h2_rig_pump(rig);
    h2_rig_pass(rig, 3999);
    trace_expect(&rig->trace, "exchange(/hold)");
    h2_rig_pass(rig, 1001); /* it is looked at once a second */
    trace_expect(&rig->trace, "abort");
    assert_int_equal(rig->counters.stalled, 1);
}

static void test_write_timeout(void **state)
{
    struct h2_rig *rig = *state;

    h2_rig_pump(rig);
    rig->is_unread = true;
    (void)h2_rig_get(rig, "/hold");
    assert_int_equal(h2_rig_respond(rig, 0, 200, 10), 0);
    h2_rig_pump(rig);
    h2_rig_pass(rig, 3999);
    trace_expect(&rig->trace, "exchange(/hold)");
    h2_rig_pass(rig, 4001);
    trace_expect(&rig->trace, "abort reset");
}

static void test_no_timeouts(void **state)
{
    struct h2_rig *rig = *state;

    rig->limits = (struct fe_http_limits){.header_max = 4096};
    (void)h2_rig_get(rig, "/hello");
    h2_rig_pass(rig, 3600 * 1000);
    rig->limits.idle_ms = 1;
    expect_reply(h2_rig_get(rig, "/hello"), HELLO, "hello");
}

static void test_idle_memory(void **state)
{
    struct h2_rig *rig = *state;
    const struct fe_h2_server *server = FE_CONTAINER_OF(rig->server, struct fe_h2_server, base);

    for (size_t i = 0; i < 2 * FE_H2_FREE_STREAMS_MAX; i++) {
        (void)h2_rig_request(rig, "GET", "/hello", NULL);
    }
    h2_rig_pump(rig);
    assert_int_equal(server->n_free_streams, FE_H2_FREE_STREAMS_MAX);
    h2_rig_pass(rig, FE_H2_TRIM_MS);
    assert_int_equal(server->n_free_streams, 0);
    assert_true(sizeof(*server) <= 1024);
    assert_true(sizeof(struct fe_h2_stream) <= 1024);
    for (size_t i = 0; i < 3; i++) {
        expect_reply(h2_rig_get(rig, "/hello"), HELLO, "hello");
        assert_int_equal(server->n_free_streams, 1); /* the same one again */
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* ---- what an exchange is served by ---------------------------------------------------------- */

static void on_zero(struct fe_refcount *refs)
{
    (void)refs;
    fail();
}

/* It is held by each stream, until that is closed. */
static void test_snapshot(void **state)
{
    struct h2_rig *rig = *state;
    struct fe_refcount refs;

    fe_refcount_init(&refs, on_zero);
    rig->snapshot = &refs;
    (void)h2_rig_get(rig, "/hello");
    assert_int_equal(refs.n, 1);
    (void)h2_rig_request(rig, "GET", "/hold", NULL);
    (void)h2_rig_request(rig, "GET", "/hold", NULL);
    h2_rig_pump(rig);
    assert_int_equal(refs.n, 3);
    assert_int_equal(h2_rig_respond(rig, 0, 200, 0), 0);
    fe_exchange_finish(rig->held[0], NULL);
    rig->held[0] = NULL;
    rig->n_running--;
    assert_int_equal(refs.n, 3); /* we may still be its handler */
    h2_rig_pump(rig);
    assert_int_equal(refs.n, 2);
    fe_http_server_free(rig->server);
    rig->server = NULL;
    assert_int_equal(refs.n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_handshake),
        TEST(test_unknown_length),
        TEST(test_no_content),
        TEST(test_head),
        TEST(test_not_modified),
        TEST(test_hop_by_hop),
        TEST(test_invalid_response),
        TEST(test_large_response_head),
        TEST(test_lengths_are_kept),
        TEST(test_abort),
        TEST(test_response_trailers),
        TEST(test_trailers_only),
        TEST(test_no_trailers_without_a_body),
        TEST(test_reset_content),
        TEST(test_invalid_trailers),
        TEST(test_request_fields),
        TEST(test_host_alone),
        TEST(test_refused_heads),
        TEST(test_large_heads),
        TEST(test_cookie_crumbs),
        TEST(test_heads_together),
        TEST(test_echo),
        TEST(test_echo_much),
        TEST(test_body_is_pulled),
        TEST(test_slow_handler_stops_its_stream_only),
        TEST(test_held_bodies_are_bounded),
        TEST(test_body_too_large),
        TEST(test_continue),
        TEST(test_early_answer),
        TEST(test_early_answers_cost_no_window),
        TEST(test_slow_reader_stops_its_stream_only),
        TEST(test_space_is_told_once),
        TEST(test_many_slow_readers),
        TEST(test_unread_connection),
        TEST(test_thousand_streams),
        TEST(test_client_resets),
        TEST(test_eof),
        TEST(test_free_aborts),
        TEST(test_client_goes),
        TEST(test_drain_idle),
        TEST(test_drain_running),
        TEST(test_silent_client),
        TEST(test_head_timeout),
        TEST(test_idle_timeout),
        TEST(test_body_timeout),
        TEST(test_body_timeout_is_answered),
        TEST(test_body_timeout_after_a_reset),
        TEST(test_stalled_stream),
        TEST(test_stream_that_stalls_later),
        TEST(test_write_timeout),
        TEST(test_no_timeouts),
        TEST(test_idle_memory),
        TEST(test_snapshot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
