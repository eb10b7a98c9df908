/* HTTP/1.1: clients that are slower than `min_rate`, here 100 bytes a second over 6 seconds; and
 * routes with times of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ground/base/list.h"
#include "support/h1_rig.h"
#include "web/http/h1/connection.h"

#define GET(path)  "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"
#define POST(path) "POST " path " HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n"
#define TOO_SLOW                                                                                   \
    "HTTP/1.1 408 Request Timeout\r\ncontent-type: text/plain; charset=utf-8\r\n" H1_DATE          \
    "content-length: 34\r\nconnection: close\r\n\r\nthe request body comes too slowly\n"

enum { RATE = 100, GRACE_S = 6, BIG = 100000 };

static int setup(void **state)
{
    static struct h1_rig rig;

    *state = &rig;
    if (!h1_rig_init(&rig)) {
        return -1;
    }
    rig.limits.times.min_rate = RATE;
    return 0;
}

static int teardown(void **state)
{
    h1_rig_deinit(*state);
    return 0;
}

/* A response of which the client has taken the head, and something waits. */
static void respond_big(struct h1_rig *rig)
{
    static uint8_t body[BIG];

    assert_int_equal(h1_rig_respond(rig, 200, BIG, NULL, NULL), 0);
    (void)h1_rig_take(rig, SIZE_MAX);
    assert_int_equal(fe_exchange_write(rig->ex, fe_view_of(body, BIG)), BIG);
}

/* Takes so many bytes at the beginning of each second. */
static void take_for(struct h1_rig *rig, unsigned seconds, size_t each)
{
    for (unsigned i = 0; i < seconds; i++) {
        (void)h1_rig_take(rig, each);
        h1_rig_pass(rig, 1000);
    }
}

/* Sends so many bytes at the beginning of each second. */
static void send_for(struct h1_rig *rig, unsigned seconds, size_t each)
{
    char text[RATE + 1] = {0};

    memset(text, 'x', each);
    for (unsigned i = 0; i < seconds; i++) {
        h1_rig_feed(rig, text);
        h1_rig_pass(rig, 1000);
    }
}

/* ---- what it takes -------------------------------------------------------------------------- */

static void test_reader_at_the_rate(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, GET("/hold"));
    respond_big(rig);
    take_for(rig, 500, RATE);
    trace_expect(&rig->trace, "exchange(/hold)");
}

/* Progress alone, which is all that the write timeout asks for, is not enough. */
static void test_slow_reader(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, GET("/hold"));
    respond_big(rig);
    take_for(rig, GRACE_S, RATE - 1); /* in which its head counts */
    trace_expect(&rig->trace, "exchange(/hold)");
    take_for(rig, 1, RATE - 1);
    trace_expect(&rig->trace, "slow(reader) abort reset");
    h1_rig_pass(rig, 100000);
    trace_expect(&rig->trace, "");
}

/* All of the response is said, and it is the connection that goes on. */
static void test_slow_reader_of_a_whole_response(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, GET("/hold"));
    respond_big(rig);
    fe_exchange_finish(rig->ex, NULL);
    rig->ex = NULL;
    take_for(rig, 2 * GRACE_S + 1, 1);
    trace_expect(&rig->trace, "exchange(/hold) slow(reader) reset");
}

/* Behind the last answer what the system holds counts as well. */
static void test_slow_reader_of_the_last_bytes(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, "GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    h1_rig_expect(rig, H1_HELLO_CLOSE);
    rig->is_on_the_way = true;
    trace_expect(&rig->trace, "exchange(/hello) close");
    for (unsigned i = 0; i < 2 * GRACE_S + 1; i++) {
        h1_rig_pass(rig, 1000);
        rig->written++;
    }
    trace_expect(&rig->trace, "slow(reader) reset");
}

/* Nothing waits: neither for as long as the response says nothing, nor while all of it is taken;
 * and what has waited before counts once. */
static void test_idle_stream(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, GET("/hold"));
    assert_int_equal(h1_rig_respond(rig, 200, FE_BODY_UNKNOWN, NULL, NULL), 0);
    h1_rig_pass(rig, 3000);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(fe_exchange_write(rig->ex, FE_VIEW_LIT("x")), 1);
        h1_rig_pass(rig, 0);
        (void)h1_rig_take(rig, SIZE_MAX);
        h1_rig_pass(rig, 60000);
    }
    trace_expect(&rig->trace, "exchange(/hold)");
}

/* It is the time of waiting that is measured: what it takes in a second of each minute. */
static void test_slow_reader_now_and_then(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, GET("/hold"));
    assert_int_equal(h1_rig_respond(rig, 200, FE_BODY_UNKNOWN, NULL, NULL), 0);
    (void)h1_rig_take(rig, SIZE_MAX);
    for (unsigned i = 0; i < 3 * GRACE_S && rig->ex != NULL; i++) {
        assert_int_equal(fe_exchange_write(rig->ex, FE_VIEW_LIT("x")), 1);
        h1_rig_pass(rig, 1000);
        (void)h1_rig_take(rig, SIZE_MAX);
        h1_rig_pass(rig, 59000);
    }
    trace_expect(&rig->trace, "exchange(/hold) slow(reader) abort reset");
}

/* ---- what it sends -------------------------------------------------------------------------- */

static void test_sender_at_the_rate(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, POST("/hold"));
    fe_exchange_resume(rig->ex);
    rig->trace.is_off = true;
    send_for(rig, 500, RATE);
    rig->trace.is_off = false;
    trace_expect(&rig->trace, "exchange(/hold)");
    h1_rig_expect(rig, "");
}

static void test_slow_sender(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, POST("/hold"));
    fe_exchange_resume(rig->ex);
    send_for(rig, GRACE_S - 1, 1);
    trace_expect(&rig->trace, "exchange(/hold) body(x) body(x) body(x) body(x) body(x)");
    h1_rig_pass(rig, 1000);
    trace_expect(&rig->trace, "slow(sender) abort close");
    h1_rig_expect(rig, TOO_SLOW);
}

/* What came before counts for as long as the grace. */
static void test_sender_that_gets_slow(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, POST("/hold"));
    fe_exchange_resume(rig->ex);
    rig->trace.is_off = true;
    send_for(rig, 20, RATE);
    send_for(rig, GRACE_S, 1);
    assert_null(rig->ex);
}

/* The response has begun: there is nothing left to say but that it is not whole. */
static void test_slow_sender_that_has_a_response(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, POST("/echo"));
    rig->trace.is_off = true;
    for (unsigned i = 0; i < 2 * GRACE_S; i++) {
        send_for(rig, 1, 1);
        (void)h1_rig_take(rig, SIZE_MAX);
    }
    rig->trace.is_off = false;
    assert_null(rig->ex);
}

/* The handler is what is slow. */
static void test_sender_that_is_held_back(void **state)
{
    struct h1_rig *rig = *state;

    rig->appetite = 1;
    h1_rig_feed(rig, POST("/hold"));
    fe_exchange_resume(rig->ex);
    rig->trace.is_off = true;
    for (unsigned i = 0; i < 100; i++) {
        h1_rig_feed(rig, "xx");
        h1_rig_pass(rig, 10000);
        fe_exchange_resume(rig->ex);
        h1_rig_pass(rig, 0);
    }
    rig->trace.is_off = false;
    assert_non_null(rig->ex);
}

/* Each body has its own grace. */
static void test_bodies_are_measured_one_by_one(void **state)
{
    struct h1_rig *rig = *state;

    rig->trace.is_off = true;
    for (unsigned i = 0; i < 5; i++) {
        h1_rig_feed(rig, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n");
        for (unsigned k = 0; k < 4; k++) {
            h1_rig_feed(rig, "x");
            (void)h1_rig_take(rig, SIZE_MAX);
            h1_rig_pass(rig, 1000);
        }
        assert_null(rig->ex);
    }
    assert_int_equal(rig->n_exchanges, 5);
}

/* ---- routes --------------------------------------------------------------------------------- */

static void test_route_without_a_rate(void **state)
{
    static const struct fe_http_times times = {.read_ms = 3000, .write_ms = 4000};
    struct h1_rig *rig = *state;

    rig->times = &times;
    h1_rig_feed(rig, POST("/hold"));
    fe_exchange_resume(rig->ex);
    rig->trace.is_off = true;
    send_for(rig, 100, 1);
    rig->trace.is_off = false;
    trace_expect(&rig->trace, "exchange(/hold)");
    h1_rig_pass(rig, 3000); /* its own limit counts */
    trace_expect(&rig->trace, "abort close");
}

/* An upload that pauses, and one that trickles, are the same to us. */
static void test_route_without_read_timeout(void **state)
{
    static const struct fe_http_times times = {.write_ms = 4000, .min_rate = RATE};
    struct h1_rig *rig = *state;

    rig->times = &times;
    h1_rig_feed(rig, POST("/hold"));
    fe_exchange_resume(rig->ex);
    assert_int_equal(h1_rig_respond(rig, 200, FE_BODY_UNKNOWN, NULL, NULL), 0);
    rig->trace.is_off = true;
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(fe_exchange_write(rig->ex, FE_VIEW_LIT("x")), 1);
        (void)h1_rig_take(rig, SIZE_MAX); /* that is looked at, too */
        h1_rig_pass(rig, 3600 * 1000);
        h1_rig_feed(rig, "x");
    }
    rig->trace.is_off = false;
    trace_expect(&rig->trace, "exchange(/hold)");
}

/* And behind its last byte the listener's limits count again. */
static void test_route_without_write_timeout(void **state)
{
    static const struct fe_http_times times = {.read_ms = 3000};
    struct h1_rig *rig = *state;

    rig->times = &times;
    h1_rig_feed(rig, GET("/hello") GET("/hold"));
    respond_big(rig);
    h1_rig_pass(rig, 3600 * 1000);
    trace_expect(&rig->trace, "exchange(/hello) exchange(/hold)");
    fe_exchange_finish(rig->ex, NULL);
    rig->ex = NULL;
    h1_rig_pass(rig, 4000);
    trace_expect(&rig->trace, "reset");
}

/* Shorter than the listener's, which was on its way before. */
static void test_route_with_a_short_write_timeout(void **state)
{
    static const struct fe_http_times times = {.read_ms = 3000, .write_ms = 1000};
    struct h1_rig *rig = *state;

    rig->limits.times.write_ms = 3600 * 1000;
    h1_rig_feed(rig, GET("/hello"));
    h1_rig_expect(rig, H1_HELLO);
    rig->times = &times;
    h1_rig_feed(rig, GET("/hold"));
    respond_big(rig);
    h1_rig_pass(rig, 1999); /* it has taken the head */
    trace_expect(&rig->trace, "exchange(/hello) exchange(/hold)");
    h1_rig_pass(rig, 1);
    trace_expect(&rig->trace, "abort reset");
}

/* ---- what has limits of its own ------------------------------------------------------------- */

/* A head and trailers have a time in all, in whatever pieces they come. */
static void test_trickled_head(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, "GET / HTTP/1.1\r\nHost: h\r\n");
    for (unsigned i = 0; i < 19; i++) {
        h1_rig_pass(rig, 100);
        h1_rig_feed(rig, "a");
    }
    trace_expect(&rig->trace, "");
    h1_rig_pass(rig, 100);
    trace_expect(&rig->trace, "close");
}

static void test_trickled_trailers(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, "POST /hold HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    fe_exchange_resume(rig->ex);
    h1_rig_feed(rig, "1\r\nx\r\n0\r\na: ");
    for (unsigned i = 0; i < 29; i++) {
        h1_rig_pass(rig, 100);
        h1_rig_feed(rig, "b");
    }
    trace_expect(&rig->trace, "exchange(/hold) body(x)");
    h1_rig_pass(rig, 100);
    trace_expect(&rig->trace, "abort close");
}

/* What frames a body is no body. */
static void test_trickled_chunk_extension(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, "POST /hold HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    fe_exchange_resume(rig->ex);
    h1_rig_feed(rig, "1;");
    for (unsigned i = 0; i < 29; i++) {
        h1_rig_pass(rig, 100);
        h1_rig_feed(rig, "b");
    }
    trace_expect(&rig->trace, "exchange(/hold)");
    h1_rig_pass(rig, 100);
    trace_expect(&rig->trace, "abort close");
}

/* The rest of an answered request, too. */
static void test_trickled_rest(void **state)
{
    struct h1_rig *rig = *state;

    h1_rig_feed(rig, POST("/early"));
    h1_rig_expect(rig, H1_HELLO);
    for (unsigned i = 0; i < 49; i++) {
        h1_rig_pass(rig, 100);
        h1_rig_feed(rig, "b");
    }
    trace_expect(&rig->trace, "exchange(/early)");
    h1_rig_pass(rig, 100);
    trace_expect(&rig->trace, "close");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_reader_at_the_rate),
        TEST(test_slow_reader),
        TEST(test_slow_reader_of_a_whole_response),
        TEST(test_slow_reader_of_the_last_bytes),
        TEST(test_idle_stream),
        TEST(test_slow_reader_now_and_then),
        TEST(test_sender_at_the_rate),
        TEST(test_slow_sender),
        TEST(test_sender_that_gets_slow),
        TEST(test_slow_sender_that_has_a_response),
        TEST(test_sender_that_is_held_back),
        TEST(test_bodies_are_measured_one_by_one),
        TEST(test_route_without_a_rate),
        TEST(test_route_without_read_timeout),
        TEST(test_route_without_write_timeout),
        TEST(test_route_with_a_short_write_timeout),
        TEST(test_trickled_head),
        TEST(test_trickled_trailers),
        TEST(test_trickled_chunk_extension),
        TEST(test_trickled_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
