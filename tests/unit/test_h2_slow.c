/* HTTP/2: streams whose client is slower than `min_rate`, here 100 bytes a second over 6 seconds;
 * and routes with times of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/h2_rig.h"
#include "web/http/h2/connection.h"

enum { RATE = 100, GRACE_S = 6, N_SHARED = 50 };

static int setup(void **state)
{
    static struct h2_rig rig;

    *state = &rig;
    if (!h2_rig_init(&rig, true)) {
        return -1;
    }
    rig.limits.times.min_rate = RATE;
    rig.frames.is_off = true;
    return 0;
}

static int teardown(void **state)
{
    h2_rig_deinit(*state);
    return 0;
}

/* A large response, with no window but what the test gives. */
static int32_t request_big(struct h2_rig *rig)
{
    const nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0};
    int32_t id;

    rig->is_stingy = true;
    assert_int_equal(nghttp2_submit_settings(rig->client, NGHTTP2_FLAG_NONE, &entry, 1), 0);
    assert_int_equal(
        nghttp2_session_set_local_window_size(rig->client, NGHTTP2_FLAG_NONE, 0, 1 << 30), 0);
    h2_rig_pump(rig);
    id = h2_rig_request(rig, "GET", "/big/1000000", NULL);
    h2_rig_pump(rig);
    return id;
}

/* Window for so many bytes at the beginning of each second. */
static void take_for(struct h2_rig *rig, int32_t id, unsigned seconds, int32_t each)
{
    for (unsigned i = 0; i < seconds; i++) {
        assert_int_equal(nghttp2_submit_window_update(rig->client, NGHTTP2_FLAG_NONE, id, each), 0);
        h2_rig_pump(rig);
        h2_rig_pass(rig, 1000);
    }
}

/* A request whose body the test sends. */
static int32_t request_with_body(struct h2_rig *rig, const char *path)
{
    nghttp2_nv nv[] = {H2_NV(":method", "POST"), H2_NV(":scheme", "http"), H2_NV(":path", ""),
                       H2_NV(":authority", "h")};
    int32_t id;

    nv[2].value = (uint8_t *)(uintptr_t)path;
    nv[2].valuelen = strlen(path);
    id = nghttp2_submit_headers(rig->client, NGHTTP2_FLAG_NONE, -1, NULL, nv, 4, NULL);
    h2_rig_pump(rig);
    return id;
}

static void send_for(struct h2_rig *rig, int32_t id, unsigned seconds, size_t each)
{
    static const uint8_t zeros[1000];

    for (unsigned i = 0; i < seconds; i++) {
        h2_rig_frame(rig, NGHTTP2_DATA, 0, (uint32_t)id, zeros, each);
        h2_rig_pump(rig);
        h2_rig_pass(rig, 1000);
    }
}

/* ---- what it takes -------------------------------------------------------------------------- */

static void test_reader_at_the_rate(void **state)
{
    struct h2_rig *rig = *state;
    const int32_t id = request_big(rig);

    take_for(rig, id, 500, RATE);
    trace_expect(&rig->trace, "exchange(/big/1000000)");
    assert_int_equal(h2_rig_reply(rig, id)->n_body, 500 * RATE);
}

/* One stream; the others do not notice. */
static void test_window_that_trickles(void **state)
{
    struct h2_rig *rig = *state;
    const int32_t id = request_big(rig);

    (void)h2_rig_request(rig, "GET", "/hold", NULL);
    take_for(rig, id, GRACE_S - 1, 1);
    trace_expect(&rig->trace, "exchange(/big/1000000) exchange(/hold)");
    take_for(rig, id, 1, 1);
    trace_expect(&rig->trace, "slow(reader) abort");
    assert_int_equal(h2_rig_reply(rig, id)->code, NGHTTP2_CANCEL);
    assert_int_equal(h2_rig_reply(rig, id)->n_body, GRACE_S);
    assert_false(rig->is_closed);
    assert_int_equal(rig->n_running, 1);
    assert_int_equal(rig->counters.stalled, 0);
}

static void test_reader_just_under_the_rate(void **state)
{
    struct h2_rig *rig = *state;
    const int32_t id = request_big(rig);

    take_for(rig, id, GRACE_S, RATE - 1);
    trace_expect(&rig->trace, "exchange(/big/1000000) slow(reader) abort");
}

/* What the system does not take holds up all streams of the connection. */
static void test_connection_that_trickles(void **state)
{
    struct h2_rig *rig = *state;

    h2_rig_pump(rig);
    rig->is_unread = true;
    (void)h2_rig_request(rig, "GET", "/big/1000000", NULL);
    h2_rig_pump(rig);
    for (unsigned i = 1; i < GRACE_S; i++) {
        rig->written++; /* the write timeout is content */
        h2_rig_pass(rig, 1000);
    }
    trace_expect(&rig->trace, "exchange(/big/1000000)");
    rig->written++;
    h2_rig_pass(rig, 1000);
    trace_expect(&rig->trace, "slow(reader) abort reset");
}

/* Many streams share the connection's window: each waits for its turn for longer than any limit,
 * while the client takes many times what it must. */
static void share_connection(struct h2_rig *rig, unsigned seconds, int32_t each)
{
    const nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 30};

    rig->is_stingy = true;
    assert_int_equal(nghttp2_submit_settings(rig->client, NGHTTP2_FLAG_NONE, &entry, 1), 0);
    for (unsigned i = 0; i < N_SHARED; i++) {
        (void)h2_rig_request(rig, "GET", "/big/1000000", NULL);
    }
    h2_rig_pump(rig);
    rig->trace.is_off = true;
    take_for(rig, 0, seconds, each);
}

static void test_many_streams_of_one_window(void **state)
{
    struct h2_rig *rig = *state;
    size_t n_body = 0;

    share_connection(rig, 100, 20 * RATE);
    assert_int_equal(rig->counters.stalled, 0);
    for (unsigned i = 0; i < N_SHARED; i++) {
        const struct h2_reply *reply = h2_rig_reply(rig, (int32_t)(2 * i + 1));

        assert_false(reply->is_closed);
        n_body += reply->n_body;
    }
    assert_int_equal(n_body, 65535 + 100 * 20 * RATE);
}

/* And if the client takes less than it must of all of them, it is cut. */
static void test_window_of_the_connection_that_trickles(void **state)
{
    struct h2_rig *rig = *state;

    share_connection(rig, 2 * GRACE_S, RATE / 2);
    for (unsigned i = 0; i < N_SHARED; i++) {
        assert_true(h2_rig_reply(rig, (int32_t)(2 * i + 1))->is_closed);
    }
}

/* What it has sent besides, and gets, is no reason to wait for it: neither at once nor later. */
static void ping_for(struct h2_rig *rig, unsigned seconds)
{
    for (unsigned i = 0; i < seconds; i++) {
        for (unsigned k = 0; k < 4 * RATE / 17; k++) { /* the bytes of an answer */
            assert_int_equal(nghttp2_submit_ping(rig->client, NGHTTP2_FLAG_NONE, NULL), 0);
        }
        h2_rig_pump(rig);
        h2_rig_pass(rig, 1000);
    }
}

static void test_window_of_the_connection_beside_pings(void **state)
{
    struct h2_rig *rig = *state;

    share_connection(rig, 0, 0);
    ping_for(rig, GRACE_S + 1);
    for (unsigned i = 0; i < N_SHARED; i++) {
        assert_true(h2_rig_reply(rig, (int32_t)(2 * i + 1))->is_closed);
    }
}

static void test_stalled_beside_pings(void **state)
{
    struct h2_rig *rig = *state;

    rig->limits.times.min_rate = 0;
    share_connection(rig, 0, 0);
    ping_for(rig, 13);
    assert_int_equal(rig->counters.stalled, N_SHARED);
}

/* A byte of window now and then makes no others of them. */
static void test_byte_beside_pings(void **state)
{
    struct h2_rig *rig = *state;

    share_connection(rig, 0, 0);
    for (unsigned i = 0; i < GRACE_S + 1; i++) {
        ping_for(rig, 1);
        take_for(rig, 0, 1, 1);
    }
    assert_true(h2_rig_reply(rig, 1)->is_closed);
}

/* A window of 10,000 bytes that is used up, all of which are still on their way. */
static int32_t fill_line(struct h2_rig *rig)
{
    const int32_t id = request_big(rig);

    take_for(rig, id, 1, 10000);
    assert_int_equal(h2_rig_reply(rig, id)->n_body, 10000);
    rig->unacked = 10000;
    return id;
}

static void arrive_for(struct h2_rig *rig, unsigned seconds, uint64_t each)
{
    for (unsigned i = 0; i < seconds; i++) {
        rig->unacked -= each;
        h2_rig_pass(rig, 1000);
    }
}

/* Who has not got what it was sent cannot give window for more. */
static void test_window_that_fills_the_line(void **state)
{
    struct h2_rig *rig = *state;
    const int32_t id = fill_line(rig);

    arrive_for(rig, 10000 / (2 * RATE), 2 * RATE);
    assert_int_equal(rig->unacked, 0);
    take_for(rig, id, 1, 10000);
    assert_int_equal(h2_rig_reply(rig, id)->n_body, 20000);
    trace_expect(&rig->trace, "exchange(/big/1000000)");
    h2_rig_pass(rig, 9000);
    trace_expect(&rig->trace, "abort"); /* now it has it all, and gives none */
    assert_int_equal(rig->counters.stalled, 1);
}

static void test_line_that_trickles(void **state)
{
    struct h2_rig *rig = *state;

    (void)fill_line(rig);
    arrive_for(rig, GRACE_S - 1, RATE / 2);
    trace_expect(&rig->trace, "exchange(/big/1000000)");
    arrive_for(rig, 1, RATE / 2);
    trace_expect(&rig->trace, "slow(reader) abort");
}

static void test_line_that_is_cut(void **state)
{
    struct h2_rig *rig = *state;

    rig->limits.times.min_rate = 0;
    (void)fill_line(rig);
    h2_rig_pass(rig, 13000);
    trace_expect(&rig->trace, "exchange(/big/1000000) abort");
    assert_int_equal(rig->counters.stalled, 1);
}

/* What others take says nothing of it. */
static void test_window_beside_others(void **state)
{
    struct h2_rig *rig = *state;

    rig->limits.times.min_rate = 0;
    (void)fill_line(rig);
    rig->unacked = 0;
    for (unsigned i = 0; i < 13; i++) {
        rig->written += 100000;
        h2_rig_pass(rig, 1000);
    }
    trace_expect(&rig->trace, "exchange(/big/1000000) abort");
    assert_int_equal(rig->counters.stalled, 1);
}

/* Nothing waits; and what has waited before counts once. */
static void test_idle_stream(void **state)
{
    struct h2_rig *rig = *state;

    (void)h2_rig_get(rig, "/hold");
    assert_int_equal(h2_rig_respond(rig, 0, 200, FE_BODY_UNKNOWN), 0);
    h2_rig_pump(rig);
    rig->is_unread = true;
    assert_int_equal(fe_exchange_write(rig->held[0], FE_VIEW_LIT("x")), 1);
    h2_rig_pass(rig, 3000);
    rig->is_unread = false;
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(fe_exchange_write(rig->held[0], FE_VIEW_LIT("x")), 1);
        h2_rig_pass(rig, 60000);
    }
    trace_expect(&rig->trace, "exchange(/hold)");
}

/* A window that is used up is no fault as long as there is nothing to send. */
static void test_idle_stream_without_window(void **state)
{
    const nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0};
    struct h2_rig *rig = *state;
    int32_t id;

    rig->is_stingy = true;
    assert_int_equal(nghttp2_submit_settings(rig->client, NGHTTP2_FLAG_NONE, &entry, 1), 0);
    h2_rig_pump(rig);
    id = h2_rig_request(rig, "GET", "/hold", NULL);
    h2_rig_pump(rig);
    assert_int_equal(h2_rig_respond(rig, 0, 200, FE_BODY_UNKNOWN), 0);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(fe_exchange_write(rig->held[0], FE_VIEW_LIT("x")), 1);
        take_for(rig, id, 1, 1);
        h2_rig_pass(rig, 60000);
    }
    trace_expect(&rig->trace, "exchange(/hold)");
}

/* ---- what it sends -------------------------------------------------------------------------- */

static void test_sender_at_the_rate(void **state)
{
    struct h2_rig *rig = *state;
    const int32_t id = request_with_body(rig, "/hold");

    fe_exchange_resume(rig->held[0]);
    rig->trace.is_off = true;
    send_for(rig, id, 500, RATE);
    assert_non_null(rig->held[0]);
    assert_int_equal(h2_rig_reply(rig, id)->is_closed, false);
}

static void test_slow_sender(void **state)
{
    struct h2_rig *rig = *state;
    const int32_t id = request_with_body(rig, "/hold");

    fe_exchange_resume(rig->held[0]);
    (void)h2_rig_request(rig, "GET", "/hold", NULL);
    rig->trace.is_off = true;
    send_for(rig, id, GRACE_S - 1, RATE - 1);
    assert_non_null(rig->held[0]);
    rig->trace.is_off = false;
    h2_rig_pass(rig, 1000);
    trace_expect(&rig->trace, "exchange(/hold) slow(sender) abort");
    assert_memory_equal(h2_rig_reply(rig, id)->head, "408", 3);
    assert_string_equal(h2_rig_reply(rig, id)->body, "the request body comes too slowly\n");
    assert_false(rig->is_closed);
    assert_int_equal(rig->n_running, 1);
}

/* The handler is what is slow. */
static void test_sender_that_is_held_back(void **state)
{
    struct h2_rig *rig = *state;
    const int32_t id = request_with_body(rig, "/hold");

    rig->appetite = 1;
    rig->trace.is_off = true;
    fe_exchange_resume(rig->held[0]);
    for (unsigned i = 0; i < 100; i++) {
        send_for(rig, id, 1, 2);
        h2_rig_pass(rig, 10000);
        fe_exchange_resume(rig->held[0]);
        h2_rig_pump(rig);
    }
    assert_non_null(rig->held[0]);
}

/* The next bytes are awaited from when the handler has taken what was there. */
static void test_silence_behind_what_was_held_back(void **state)
{
    struct h2_rig *rig = *state;
    const int32_t id = request_with_body(rig, "/hold");

    send_for(rig, id, 20, 1);
    fe_exchange_resume(rig->held[0]);
    rig->trace.is_off = true;
    h2_rig_pass(rig, 2999);
    rig->trace.is_off = false;
    trace_expect(&rig->trace, "exchange(/hold)");
    h2_rig_pass(rig, 1 + FE_H2_CHECK_MS);
    trace_expect(&rig->trace, "abort");
}

/* It is we who give no window: too much of other bodies lies here. */
static void test_silence_while_others_are_held_back(void **state)
{
    enum { N = 64 };
    struct h2_rig *rig = *state;
    const struct fe_view body = fe_view_of(calloc(1, FE_H2_STREAM_WINDOW), FE_H2_STREAM_WINDOW);
    const struct fe_h2_server *server = FE_CONTAINER_OF(rig->server, struct fe_h2_server, base);

    assert_non_null(body.ptr);
    rig->trace.is_off = true;
    (void)request_with_body(rig, "/hold");
    fe_exchange_resume(rig->held[0]);
    for (size_t i = 0; i < N; i++) {
        (void)h2_rig_request(rig, "POST", "/hold", &body);
        h2_rig_pump(rig);
    }
    assert_true(server->n_held > FE_H2_HELD_MAX);
    h2_rig_pass(rig, 100000);
    assert_non_null(rig->held[0]);
    free((void *)(uintptr_t)body.ptr);
}

/* ---- routes --------------------------------------------------------------------------------- */

static void test_route_without_a_rate(void **state)
{
    static const struct fe_http_times times = {.read_ms = 3000, .write_ms = 4000};
    struct h2_rig *rig = *state;
    int32_t id;

    rig->times = &times;
    id = request_big(rig);
    take_for(rig, id, 100, 1);
    trace_expect(&rig->trace, "exchange(/big/1000000)");
    h2_rig_pass(rig, 8000);
    assert_int_equal(rig->counters.stalled, 1); /* its own limit counts */
}

static void test_route_without_read_timeout(void **state)
{
    static const struct fe_http_times times = {.write_ms = 4000, .min_rate = RATE};
    struct h2_rig *rig = *state;
    int32_t id;

    rig->times = &times;
    id = request_with_body(rig, "/hold");
    fe_exchange_resume(rig->held[0]);
    assert_int_equal(h2_rig_respond(rig, 0, 200, FE_BODY_UNKNOWN), 0);
    rig->trace.is_off = true;
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(fe_exchange_write(rig->held[0], FE_VIEW_LIT("x")), 1);
        h2_rig_pass(rig, 3600 * 1000); /* what is written is looked at, too */
        send_for(rig, id, 1, 1);
    }
    assert_non_null(rig->held[0]);
}

/* Neither for its window, nor for the connection, which has no other stream. */
static void test_route_without_write_timeout(void **state)
{
    static const struct fe_http_times times = {.read_ms = 3000};
    struct h2_rig *rig = *state;

    rig->times = &times;
    (void)request_big(rig);
    h2_rig_pass(rig, 3600 * 1000);
    assert_int_equal(rig->counters.stalled, 0);
    rig->is_unread = true;
    (void)h2_rig_request(rig, "GET", "/big/1000000", NULL);
    h2_rig_pass(rig, 3600 * 1000);
    trace_expect(&rig->trace, "exchange(/big/1000000) exchange(/big/1000000)");
}

static void test_route_with_a_long_write_timeout(void **state)
{
    static const struct fe_http_times times = {.read_ms = 3000, .write_ms = 60000};
    struct h2_rig *rig = *state;

    rig->times = &times;
    h2_rig_pump(rig);
    rig->is_unread = true;
    (void)h2_rig_get(rig, "/hold");
    assert_int_equal(h2_rig_respond(rig, 0, 200, 10), 0);
    h2_rig_pump(rig);
    h2_rig_pass(rig, 59999);
    trace_expect(&rig->trace, "exchange(/hold)");
    h2_rig_pass(rig, 60001);
    trace_expect(&rig->trace, "abort reset");
}

/* ---- what has limits of its own ------------------------------------------------------------- */

/* A block of fields has a time in all, in whatever frames it comes: CONTINUATION. */
static void trickle_head(struct h2_rig *rig, const char *field, size_t len)
{
    nghttp2_session_del(rig->client);
    rig->client = NULL;
    h2_rig_greet(rig);
    h2_rig_frame(rig, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, "\x82\x86\x84\x01\x01h", 6);
    for (unsigned i = 0; i < 4; i++) {
        h2_rig_pass(rig, 400);
        h2_rig_frame(rig, NGHTTP2_CONTINUATION, 0, 1, field, len);
    }
    h2_rig_pass(rig, 399);
    trace_expect(&rig->trace, "");
    rig->frames.is_off = false;
    h2_rig_pass(rig, 1);
    trace_expect(&rig->trace, "close");
    trace_expect(&rig->frames, "GOAWAY(1,ENHANCE_YOUR_CALM)");
}

static void test_trickled_head(void **state)
{
    trickle_head(*state,
                 "\x00\x01"
                 "a"
                 "\x01"
                 "b",
                 5);
}

/* The stream has been refused since the second :path, and its block goes on. */
static void test_trickled_head_of_a_refused_stream(void **state)
{
    trickle_head(*state, "\x84", 1);
}

/* Trailers are such a block. */
static void test_trickled_trailers(void **state)
{
    struct h2_rig *rig = *state;
    const int32_t id = request_with_body(rig, "/hold");

    fe_exchange_resume(rig->held[0]);
    h2_rig_frame(rig, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, (uint32_t)id, "\x0f", 1);
    h2_rig_pass(rig, 1999);
    trace_expect(&rig->trace, "exchange(/hold)");
    h2_rig_pass(rig, 1);
    trace_expect(&rig->trace, "abort close");
}

/* Pings are no requests. */
static void test_pings_on_an_idle_connection(void **state)
{
    struct h2_rig *rig = *state;

    (void)h2_rig_get(rig, "/hello");
    for (unsigned i = 0; i < 59; i++) {
        h2_rig_pass(rig, 1000);
        assert_int_equal(nghttp2_submit_ping(rig->client, NGHTTP2_FLAG_NONE, NULL), 0);
    }
    trace_expect(&rig->trace, "exchange(/hello)");
    h2_rig_pass(rig, 1000);
    trace_expect(&rig->trace, "close");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_reader_at_the_rate),
        TEST(test_window_that_trickles),
        TEST(test_reader_just_under_the_rate),
        TEST(test_connection_that_trickles),
        TEST(test_many_streams_of_one_window),
        TEST(test_window_of_the_connection_that_trickles),
        TEST(test_window_of_the_connection_beside_pings),
        TEST(test_stalled_beside_pings),
        TEST(test_byte_beside_pings),
        TEST(test_window_that_fills_the_line),
        TEST(test_line_that_trickles),
        TEST(test_line_that_is_cut),
        TEST(test_window_beside_others),
        TEST(test_idle_stream),
        TEST(test_idle_stream_without_window),
        TEST(test_sender_at_the_rate),
        TEST(test_slow_sender),
        TEST(test_sender_that_is_held_back),
        TEST(test_silence_behind_what_was_held_back),
        TEST(test_silence_while_others_are_held_back),
        TEST(test_route_without_a_rate),
        TEST(test_route_without_read_timeout),
        TEST(test_route_without_write_timeout),
        TEST(test_route_with_a_long_write_timeout),
        TEST(test_trickled_head),
        TEST(test_trickled_head_of_a_refused_stream),
        TEST(test_trickled_trailers),
        TEST(test_pings_on_an_idle_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
