/* Clients that no library is: floods, malformed requests, broken frames. Each ends with what it
 * cost, and every handler has heard of the end of its exchange (the rig checks that). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/h2_rig.h"
#include "web/http/h2/connection.h"

#define GREETED  "SETTINGS WINDOW_UPDATE(0) SETTINGS(ack)"
#define CALM(id) "GOAWAY(" #id ",ENHANCE_YOUR_CALM)"

/* GET /hold, with no entry made in the table. */
#define HOLD "\x82\x86\x04\x05/hold\x01\x01h"
/* POST of the same */
#define POST "\x83\x86\x04\x05/hold\x01\x01h"

enum {
    END = NGHTTP2_FLAG_END_STREAM,
    WHOLE = NGHTTP2_FLAG_END_HEADERS,
    FEW = 1000 * 1000, /* frames: more than any limit */
};

static const struct fe_h2_rate rates[FE_H2_N_FLOODS] = FE_H2_RATES;

static int setup(void **state)
{
    static struct h2_rig rig;

    *state = &rig;
    if (!h2_rig_init(&rig, false)) {
        return -1;
    }
    h2_rig_greet(&rig);
    trace_expect(&rig.frames, GREETED);
    return 0;
}

static int setup_silent(void **state)
{
    static struct h2_rig rig;

    *state = &rig;
    return h2_rig_init(&rig, false) ? 0 : -1;
}

static int teardown(void **state)
{
    h2_rig_deinit(*state);
    return 0;
}

static void frame(struct h2_rig *rig, uint8_t type, uint8_t flags, uint32_t id, const void *payload,
                  size_t len)
{
    h2_rig_frame(rig, type, flags, id, payload, len);
    h2_rig_pump(rig);
}

/* ---- floods --------------------------------------------------------------------------------- */

/* Frames until the connection is closed: how many of them. */
static size_t flood(struct h2_rig *rig, void (*one)(struct h2_rig *rig, uint32_t id))
{
    size_t n = 0;

    rig->trace.is_off = true;
    rig->frames.is_off = true;
    while (!rig->is_closed) {
        rig->n_held = 0;
        one(rig, (uint32_t)(2 * n + 1));
        assert_true(++n < FEW);
    }
    return n;
}

static void expect_closed_for(const struct h2_rig *rig, enum fe_h2_flood kind)
{
    for (int i = 0; i < FE_H2_N_FLOODS; i++) {
        assert_int_equal(rig->counters.closed[i], i == (int)kind);
    }
    assert_true(rig->counters.seen[kind] > rates[kind].burst);
    assert_int_equal(rig->n_running, 0);
}

static void open_and_reset(struct h2_rig *rig, uint32_t id)
{
    frame(rig, NGHTTP2_HEADERS, END | WHOLE, id, HOLD, sizeof(HOLD) - 1);
    if (!rig->is_closed) {
        frame(rig, NGHTTP2_RST_STREAM, 0, id, "\0\0\0\x8", 4);
    }
}

/* CVE-2023-44487. */
static void test_rapid_reset(void **state)
{
    struct h2_rig *rig = *state;

    assert_int_equal(flood(rig, open_and_reset), rates[FE_H2_RAPID_RESETS].burst + 1);
    expect_closed_for(rig, FE_H2_RAPID_RESETS);
}

static void test_what_is_told(void **state)
{
    struct h2_rig *rig = *state;

    for (uint32_t i = 0; i <= rates[FE_H2_PINGS].burst; i++) {
        rig->frames.len = 0;
        frame(rig, NGHTTP2_PING, 0, 0, "12345678", 8);
    }
    trace_expect(&rig->frames, CALM(0));
    trace_expect(&rig->trace, "abuse(too many PING frames) close");
    frame(rig, NGHTTP2_PING, 0, 0, "12345678", 8); /* dropped */
    trace_expect(&rig->frames, "");
    h2_rig_pass(rig, FE_H2_LINGER_MS);
    trace_expect(&rig->trace, "reset");
}

/* A client that resets some of its requests all day is no attacker. */
static void test_resets_over_time(void **state)
{
    struct h2_rig *rig = *state;

    rig->trace.is_off = true;
    rig->frames.is_off = true;
    for (uint32_t i = 0; i < 10 * rates[FE_H2_RAPID_RESETS].burst; i++) {
        rig->n_held = 0;
        open_and_reset(rig, 2 * i + 1);
        h2_rig_pass(rig, 1000 / rates[FE_H2_RAPID_RESETS].per_s);
    }
    assert_false(rig->is_closed);
    assert_int_equal(rig->counters.seen[FE_H2_RAPID_RESETS], 10 * rates[FE_H2_RAPID_RESETS].burst);
}

/* CVE-2025-8671: the server resets, for a fault that the client makes. */
static void end_too_early(struct h2_rig *rig, uint32_t id)
{
    frame(rig, NGHTTP2_HEADERS, WHOLE, id,
          POST "\x0f\x0d\x01"
               "3",
          sizeof(POST) + 3);
    if (!rig->is_closed) {
        frame(rig, NGHTTP2_DATA, END, id, "ab", 2);
    }
}

static void test_made_you_reset(void **state)
{
    struct h2_rig *rig = *state;

    assert_int_equal(flood(rig, end_too_early), rates[FE_H2_PROVOKED_RESETS].burst + 1);
    expect_closed_for(rig, FE_H2_PROVOKED_RESETS);
}

static void overflow_window(struct h2_rig *rig, uint32_t id)
{
    frame(rig, NGHTTP2_HEADERS, WHOLE, id, POST, sizeof(POST) - 1);
    if (!rig->is_closed) {
        frame(rig, NGHTTP2_WINDOW_UPDATE, 0, id, "\x7f\xff\xff\xff", 4);
    }
}

static void test_made_you_reset_by_overflow(void **state)
{
    assert_int_equal(flood(*state, overflow_window), rates[FE_H2_PROVOKED_RESETS].burst + 1);
    expect_closed_for(*state, FE_H2_PROVOKED_RESETS);
}

static void continue_for_ever(struct h2_rig *rig, uint32_t id)
{
    if (id == 1) {
        frame(rig, NGHTTP2_HEADERS, END, 1, "\x82", 1);
    } else {
        frame(rig, NGHTTP2_CONTINUATION, 0, 1, "\x04\x01/", 3);
    }
}

/* CVE-2024-27316. */
static void test_continuations(void **state)
{
    assert_int_equal(flood(*state, continue_for_ever), FE_H2_CONTINUATIONS_EXTRA + 2);
    expect_closed_for(*state, FE_H2_CONTINUATIONS);
}

/* Each byte is a field of the static table. */
static void test_fields(void **state)
{
    struct h2_rig *rig = *state;
    static uint8_t block[16384];

    memset(block, 0x90, sizeof(block)); /* accept-encoding: gzip, deflate */
    memcpy(block, HOLD, sizeof(HOLD) - 1);
    frame(rig, NGHTTP2_HEADERS, END | WHOLE, 1, block, FE_H2_FIELDS_SEEN_MAX);
    trace_expect(&rig->trace, "");
    assert_int_equal(rig->counters.heads_too_large, 1);
    assert_false(rig->is_closed);
    rig->frames.len = 0;
    frame(rig, NGHTTP2_HEADERS, END | WHOLE, 3, block, sizeof(block));
    trace_expect(&rig->frames, CALM(3));
    trace_expect(&rig->trace, "abuse(too many header fields) close");
}

static void change_settings(struct h2_rig *rig, uint32_t id)
{
    (void)id;
    frame(rig, NGHTTP2_SETTINGS, 0, 0, "\0\4\0\1\0\0", 6);
}

static void test_settings(void **state)
{
    assert_int_equal(flood(*state, change_settings), rates[FE_H2_SETTINGS].burst);
    expect_closed_for(*state, FE_H2_SETTINGS); /* the first came with the preface */
}

static void send_empty_data(struct h2_rig *rig, uint32_t id)
{
    if (id == 1) {
        frame(rig, NGHTTP2_HEADERS, WHOLE, 1, POST, sizeof(POST) - 1);
    } else {
        frame(rig, NGHTTP2_DATA, 0, 1, NULL, 0);
    }
}

static void test_empty_data(void **state)
{
    assert_int_equal(flood(*state, send_empty_data), rates[FE_H2_EMPTY].burst + 2);
    expect_closed_for(*state, FE_H2_EMPTY);
}

static void send_empty_headers(struct h2_rig *rig, uint32_t id)
{
    frame(rig, NGHTTP2_HEADERS, 0, id, NULL, 0);
    if (!rig->is_closed) {
        frame(rig, NGHTTP2_CONTINUATION, WHOLE, id, HOLD, sizeof(HOLD) - 1);
        frame(rig, NGHTTP2_DATA, END, id, NULL, 0);
        if (rig->held[0] != NULL) { /* an honest answer */
            struct fe_exchange *ex = rig->held[0];

            assert_int_equal(h2_rig_respond(rig, 0, 200, 0), 0);
            rig->held[0] = NULL;
            rig->n_running--;
            fe_exchange_finish(ex, NULL);
        }
    }
}

static void test_empty_headers(void **state)
{
    assert_int_equal(flood(*state, send_empty_headers), rates[FE_H2_EMPTY].burst + 1);
    expect_closed_for(*state, FE_H2_EMPTY);
}

static void prioritize(struct h2_rig *rig, uint32_t id)
{
    frame(rig, NGHTTP2_PRIORITY, 0, id, "\0\0\0\0\x10", 5);
}

static void test_priorities(void **state)
{
    assert_int_equal(flood(*state, prioritize), rates[FE_H2_IGNORED].burst + 1);
    expect_closed_for(*state, FE_H2_IGNORED);
}

static void send_unknown(struct h2_rig *rig, uint32_t id)
{
    frame(rig, 0xfa, 0xff, id, "x", 1);
}

static void test_unknown_frames(void **state)
{
    assert_int_equal(flood(*state, send_unknown), rates[FE_H2_IGNORED].burst + 1);
    expect_closed_for(*state, FE_H2_IGNORED);
}

static void update_window(struct h2_rig *rig, uint32_t id)
{
    (void)id;
    frame(rig, NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4);
}

static void test_window_updates(void **state)
{
    assert_int_equal(flood(*state, update_window), rates[FE_H2_WINDOW_UPDATES].burst + 1);
    expect_closed_for(*state, FE_H2_WINDOW_UPDATES);
}

static void ping(struct h2_rig *rig, uint32_t id)
{
    (void)id;
    frame(rig, NGHTTP2_PING, 0, 0, "12345678", 8);
}

/* CVE-2019-9512: responses that are not read; few that take little room, many that do not pile up.
 */
static void test_unread_answers(void **state)
{
    struct h2_rig *rig = *state;

    rig->is_unread = true;
    (void)flood(rig, ping);
    assert_true(rig->out.len < 32 * 1024);
    expect_closed_for(rig, FE_H2_PINGS);
}

static void test_unread_answers_behind_a_body(void **state)
{
    struct h2_rig *rig = *state;

    rig->frames.is_off = true;
    frame(rig, NGHTTP2_SETTINGS, 0, 0, "\0\4\x7f\xff\xff\xff", 6);
    frame(rig, NGHTTP2_WINDOW_UPDATE, 0, 0, "\x3f\xff\xff\xff", 4);
    rig->is_unread = true;
    frame(rig, NGHTTP2_HEADERS, END | WHOLE, 1, "\x82\x86\x04\x0c/big/1000000\x01\x01h", 19);
    assert_true(rig->out.len > FE_HTTP_OUT_HIGH_WATER);
    assert_true(flood(rig, ping) <= FE_H2_ACKS_MAX + 2);
    assert_int_equal(rig->counters.closed[FE_H2_ACKS], 1);
}

/* ---- malformed requests --------------------------------------------------------------------- */

struct malformed {
    const char *name;
    nghttp2_nv nv[8];
    const char *frames; /* what is answered */
};

#define PSEUDO                                                                                     \
    H2_NV(":method", "GET"), H2_NV(":scheme", "http"), H2_NV(":path", "/hold"),                    \
        H2_NV(":authority", "h")
#define RESET   "RST_STREAM(1,PROTOCOL_ERROR)"
#define PROBLEM "HEADERS(1) DATA"

/* RFC 9113 §8.1.1, §8.2 and §8.3. */
static const struct malformed malformed[] = {
    {"no method", {H2_NV(":scheme", "http"), H2_NV(":path", "/"), H2_NV(":authority", "h")}, RESET},
    {"no scheme", {H2_NV(":method", "GET"), H2_NV(":path", "/"), H2_NV(":authority", "h")}, RESET},
    {"no path",
     {H2_NV(":method", "GET"), H2_NV(":scheme", "http"), H2_NV(":authority", "h")},
     RESET},
    {"no authority",
     {H2_NV(":method", "GET"), H2_NV(":scheme", "http"), H2_NV(":path", "/")},
     RESET},
    {"empty path",
     {H2_NV(":method", "GET"), H2_NV(":scheme", "http"), H2_NV(":path", ""),
      H2_NV(":authority", "h")},
     RESET},
    {"relative path",
     {H2_NV(":method", "GET"), H2_NV(":scheme", "http"), H2_NV(":path", "a"),
      H2_NV(":authority", "h")},
     RESET},
    {"two methods", {PSEUDO, H2_NV(":method", "GET")}, RESET},
    {"unknown pseudo-field", {PSEUDO, H2_NV(":protocol", "x")}, RESET},
    {"pseudo-field of a response", {PSEUDO, H2_NV(":status", "200")}, RESET},
    {"pseudo-field behind a field",
     {H2_NV(":method", "GET"), H2_NV(":scheme", "http"), H2_NV("a", "b"), H2_NV(":path", "/"),
      H2_NV(":authority", "h")},
     RESET},
    {"connection", {PSEUDO, H2_NV("connection", "close")}, RESET},
    {"transfer-encoding", {PSEUDO, H2_NV("transfer-encoding", "chunked")}, RESET},
    {"upgrade", {PSEUDO, H2_NV("upgrade", "websocket")}, RESET},
    {"te", {PSEUDO, H2_NV("te", "gzip")}, RESET},
    {"length without body", {PSEUDO, H2_NV("content-length", "5")}, RESET},
    {"two lengths", {PSEUDO, H2_NV("content-length", "0"), H2_NV("content-length", "0")}, RESET},
    {"length with a sign", {PSEUDO, H2_NV("content-length", "+0")}, RESET},
    {"length beyond 2^63", {PSEUDO, H2_NV("content-length", "9223372036854775808")}, RESET},
    {"upper case", {PSEUDO, H2_NV("X-Y", "z")}, RESET},
    {"space in a name", {PSEUDO, H2_NV("x y", "z")}, PROBLEM},
    {"empty name", {PSEUDO, H2_NV("", "z")}, PROBLEM},
    {"line end in a value", {PSEUDO, H2_NV("x", "y\r\nz: a")}, PROBLEM},
    {"NUL in a value", {PSEUDO, H2_NV("x", "y\0z")}, PROBLEM},
    {"space around a value", {PSEUDO, H2_NV("x", " y")}, PROBLEM},
};

/* Literal fields without indexing, lengths below 127 (RFC 7541 §6.2.2). */
static size_t encode(uint8_t *to, const nghttp2_nv *nv, size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < max && nv[i].name != NULL; i++) {
        to[n++] = 0;
        to[n++] = (uint8_t)nv[i].namelen;
        memcpy(to + n, nv[i].name, nv[i].namelen);
        n += nv[i].namelen;
        to[n++] = (uint8_t)nv[i].valuelen;
        memcpy(to + n, nv[i].value, nv[i].valuelen);
        n += nv[i].valuelen;
    }
    return n;
}

static void test_malformed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        static struct h2_rig rig;
        uint8_t block[1024];
        size_t n = encode(block, malformed[i].nv, 8);

        assert_true(h2_rig_init(&rig, false));
        h2_rig_greet(&rig);
        trace_expect(&rig.frames, GREETED);
        frame(&rig, NGHTTP2_HEADERS, END | WHOLE, 1, block, n);
        if (strncmp(rig.frames.text, malformed[i].frames, strlen(malformed[i].frames)) != 0) {
            fail_msg("%s: %s", malformed[i].name, rig.frames.text);
        }
        trace_expect(&rig.trace, ""); /* no handler has seen it */
        assert_false(rig.is_closed);
        h2_rig_deinit(&rig);
    }
}

/* RFC 9113 §8.1.1: the body has the announced length. */
static void test_body_of_another_length(void **state)
{
    struct h2_rig *rig = *state;
    const nghttp2_nv nv[] = {PSEUDO, H2_NV("content-length", "3")};
    uint8_t block[256];
    size_t n = encode(block, nv, 5);

    frame(rig, NGHTTP2_HEADERS, WHOLE, 1, block, n);
    frame(rig, NGHTTP2_DATA, END, 1, "ab", 2);
    trace_expect(&rig->frames, "RST_STREAM(1,PROTOCOL_ERROR)");
    frame(rig, NGHTTP2_HEADERS, WHOLE, 3, block, n);
    frame(rig, NGHTTP2_DATA, 0, 3, "abcd", 4);
    trace_expect(&rig->frames, "RST_STREAM(3,PROTOCOL_ERROR)");
    trace_expect(&rig->trace, "exchange(/hold) abort exchange(/hold) abort");
}

static void test_trailers(void **state)
{
    struct h2_rig *rig = *state;
    const nghttp2_nv nv[] = {H2_NV("x-sum", "1"), H2_NV("authorization", "9"), H2_NV("y", "2")};
    uint8_t block[256];
    size_t n = encode(block, nv, 3);

    frame(rig, NGHTTP2_HEADERS, WHOLE, 1, POST, sizeof(POST) - 1);
    frame(rig, NGHTTP2_DATA, 0, 1, "abc", 3);
    fe_exchange_resume(rig->held[0]);
    h2_rig_pump(rig);
    frame(rig, NGHTTP2_HEADERS, WHOLE | END, 1, block, n);
    trace_expect(&rig->trace, "exchange(/hold) body(abc) end trailer(x-sum=1) trailer(y=2)");
}

static void test_malformed_trailers(void **state)
{
    struct h2_rig *rig = *state;
    const nghttp2_nv pseudo[] = {H2_NV(":path", "/other")};
    const nghttp2_nv value[] = {H2_NV("x", "\n")};
    uint8_t block[256];
    size_t n = encode(block, pseudo, 1);

    frame(rig, NGHTTP2_HEADERS, WHOLE, 1, POST, sizeof(POST) - 1);
    frame(rig, NGHTTP2_HEADERS, WHOLE | END, 1, block, n);
    frame(rig, NGHTTP2_HEADERS, WHOLE, 3, POST, sizeof(POST) - 1);
    n = encode(block, value, 1);
    frame(rig, NGHTTP2_HEADERS, WHOLE | END, 3, block, n);
    frame(rig, NGHTTP2_HEADERS, WHOLE, 5, POST, sizeof(POST) - 1);
    frame(rig, NGHTTP2_HEADERS, WHOLE, 5, "", 0); /* trailers end the stream */
    trace_expect(&rig->trace, "exchange(/hold) abort exchange(/hold) abort exchange(/hold) abort");
    trace_expect(&rig->frames, "RST_STREAM(1,PROTOCOL_ERROR) RST_STREAM(3,PROTOCOL_ERROR) "
                               "RST_STREAM(5,PROTOCOL_ERROR)");
}

/* ---- broken connections --------------------------------------------------------------------- */

static void test_no_preface(void **state)
{
    struct h2_rig *rig = *state;

    h2_rig_feed(rig, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 27);
    trace_expect(&rig->frames, "SETTINGS WINDOW_UPDATE(0) GOAWAY(0,PROTOCOL_ERROR)");
    trace_expect(&rig->trace, "close");
}

static void test_no_settings(void **state)
{
    struct h2_rig *rig = *state;

    h2_rig_feed(rig, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    frame(rig, NGHTTP2_PING, 0, 0, "12345678", 8);
    trace_expect(&rig->frames, "SETTINGS WINDOW_UPDATE(0) GOAWAY(0,PROTOCOL_ERROR)");
    trace_expect(&rig->trace, "close");
}

struct broken {
    const char *name;
    uint8_t type;
    uint8_t flags;
    uint32_t id;
    const char *payload;
    size_t len;
    const char *code;
};

static const struct broken broken[] = {
    {"data on no stream", NGHTTP2_DATA, 0, 0, "x", 1, "PROTOCOL_ERROR"},
    {"data on an idle stream", NGHTTP2_DATA, 0, 7, "x", 1, "PROTOCOL_ERROR"},
    {"headers on no stream", NGHTTP2_HEADERS, END | WHOLE, 0, HOLD, 12, "PROTOCOL_ERROR"},
    {"headers on our stream", NGHTTP2_HEADERS, END | WHOLE, 2, HOLD, 12, "PROTOCOL_ERROR"},
    {"broken compression", NGHTTP2_HEADERS, END | WHOLE, 3, "\xff\xff\xff\xff\xff\xff", 6,
     "COMPRESSION_ERROR"},
    {"padding beyond the frame", NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, "\x09x", 2,
     "PROTOCOL_ERROR"},
    {"continuation of nothing", NGHTTP2_CONTINUATION, WHOLE, 1, "x", 1, "PROTOCOL_ERROR"},
    {"push from a client", NGHTTP2_PUSH_PROMISE, WHOLE, 1, "\0\0\0\2", 4, "PROTOCOL_ERROR"},
    {"short ping", NGHTTP2_PING, 0, 0, "x", 1, "FRAME_SIZE_ERROR"},
    {"settings on a stream", NGHTTP2_SETTINGS, 0, 1, "", 0, "PROTOCOL_ERROR"},
    {"uneven settings", NGHTTP2_SETTINGS, 0, 0, "xxxxx", 5, "FRAME_SIZE_ERROR"},
    {"impossible window", NGHTTP2_SETTINGS, 0, 0, "\0\4\xff\xff\xff\xff", 6, "FLOW_CONTROL_ERROR"},
    {"unasked acknowledgement", NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, "", 0, "PROTOCOL_ERROR"},
    {"window of nothing", NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\0", 4, "PROTOCOL_ERROR"},
    {"window too large", NGHTTP2_WINDOW_UPDATE, 0, 0, "\x7f\xff\xff\xff", 4, "FLOW_CONTROL_ERROR"},
    {"reset of an idle stream", NGHTTP2_RST_STREAM, 0, 9, "\0\0\0\0", 4, "PROTOCOL_ERROR"},
};

static void test_broken(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        const struct broken *b = &broken[i];
        static struct h2_rig rig;
        char expected[64];

        assert_true(h2_rig_init(&rig, false));
        h2_rig_greet(&rig);
        h2_rig_frame(&rig, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
        frame(&rig, NGHTTP2_HEADERS, WHOLE, 1, POST, sizeof(POST) - 1);
        rig.frames.len = 0;
        frame(&rig, b->type, b->flags, b->id, b->payload, b->len);
        (void)snprintf(expected, sizeof(expected), "GOAWAY(%d,%s)", b->id == 3 ? 3 : 1, b->code);
        if (strncmp(rig.frames.text, expected, strlen(expected)) != 0) {
            fail_msg("%s: %s", b->name, rig.frames.text);
        }
        trace_expect(&rig.trace, "exchange(/hold) abort close");
        h2_rig_deinit(&rig);
    }
}

/* ---- the order of frames -------------------------------------------------------------------- */

/* RFC 9113 §5.1: what the client has ended itself it cannot go on with, whether nghttp2 still knows
 * the stream or not. */
static void test_frames_on_an_ended_stream(void **state)
{
    static const struct {
        uint8_t type;
        const char *payload;
        size_t len;
    } frames[] = {{NGHTTP2_DATA, "x", 1}, {NGHTTP2_HEADERS, HOLD, sizeof(HOLD) - 1}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        for (int how = 0; how < 4; how++) {
            static struct h2_rig rig;

            assert_true(h2_rig_init(&rig, false));
            h2_rig_greet(&rig);
            switch (how) {
            case 0: /* half-closed: the answer is still to come */
                frame(&rig, NGHTTP2_HEADERS, WHOLE | END, 1, HOLD, sizeof(HOLD) - 1);
                break;
            case 1: /* closed */
                frame(&rig, NGHTTP2_HEADERS, WHOLE | END, 1, "\x82\x86\x04\x06/hello\x01\x01h", 13);
                break;
            case 2: /* reset by the client */
                frame(&rig, NGHTTP2_HEADERS, WHOLE, 1, POST, sizeof(POST) - 1);
                frame(&rig, NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\x08", 4);
                break;
            default: /* ended behind the server's own reset */
                frame(&rig, NGHTTP2_HEADERS, WHOLE, 1, POST, sizeof(POST) - 1);
                fe_exchange_reset(rig.held[0], FLATEND_EIO);
                h2_rig_pump(&rig);
                rig.n_running--;
                frame(&rig, NGHTTP2_DATA, END, 1, "x", 1);
                break;
            }
            rig.frames.len = 0;
            frame(&rig, frames[i].type, WHOLE, 1, frames[i].payload, frames[i].len);
            trace_expect(&rig.frames, "GOAWAY(1,STREAM_CLOSED)");
            assert_true(rig.is_closed);
            h2_rig_deinit(&rig);
        }
    }
}

/* What was on its way when the server has reset a stream is let pass, and so are these on any. */
static void test_frames_that_were_on_their_way(void **state)
{
    struct h2_rig *rig = *state;

    frame(rig, NGHTTP2_HEADERS, WHOLE, 1, POST, sizeof(POST) - 1);
    fe_exchange_reset(rig->held[0], FLATEND_EIO);
    h2_rig_pump(rig);
    rig->n_running--;
    trace_expect(&rig->frames, "RST_STREAM(1,INTERNAL_ERROR)");
    frame(rig, NGHTTP2_DATA, 0, 1, "x", 1);
    frame(rig, NGHTTP2_HEADERS, WHOLE | END, 1, "", 0);
    frame(rig, NGHTTP2_WINDOW_UPDATE, 0, 1, "\0\0\0\1", 4);
    frame(rig, NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\x08", 4);
    frame(rig, NGHTTP2_PRIORITY, 0, 1, "\0\0\0\0\1", 5);
    trace_expect(&rig->frames, "");
    assert_false(rig->is_closed);
}

static void answer(struct h2_rig *rig, uint32_t id, const nghttp2_nv *nv, size_t n)
{
    uint8_t block[256];
    const struct fe_response response = {.status = 204};
    struct fe_exchange *ex;

    rig->n_held = 0;
    frame(rig, NGHTTP2_HEADERS, WHOLE, id, block, encode(block, nv, n));
    ex = rig->held[0];
    assert_int_equal(fe_exchange_respond(ex, &response), 0);
    fe_exchange_finish(ex, NULL);
    rig->held[0] = NULL;
    rig->n_running--;
    h2_rig_pump(rig);
}

/* RFC 9113 §8.1: what is left of a request that is answered is discarded if it is little, and else
 * the client is told to stop. */
static void test_rest_of_an_answered_request(void **state)
{
    static const uint8_t data[16384];
    struct h2_rig *rig = *state;
    const nghttp2_nv small[] = {PSEUDO, H2_NV("content-length", "1")};
    const nghttp2_nv large[] = {PSEUDO, H2_NV("content-length", "1000000")};

    rig->trace.is_off = true;
    answer(rig, 1, small, 5);
    frame(rig, NGHTTP2_DATA, END, 1, data, 1);
    trace_expect(&rig->frames, "HEADERS(1,end)");
    answer(rig, 3, small, 5); /* and it is still looked at */
    frame(rig, NGHTTP2_DATA, END, 3, data, 2);
    trace_expect(&rig->frames, "HEADERS(3,end) RST_STREAM(3,PROTOCOL_ERROR)");
    answer(rig, 5, small, 5);
    h2_rig_pass(rig, FE_H2_DISCARD_MS + FE_H2_CHECK_MS);
    trace_expect(&rig->frames, "HEADERS(5,end) RST_STREAM(5,NO_ERROR)");
    answer(rig, 7, large, 5);
    trace_expect(&rig->frames, "HEADERS(7,end) RST_STREAM(7,NO_ERROR)");
    answer(rig, 9, small, 4);
    for (size_t n = 0; n < FE_H2_DISCARD_MAX; n += sizeof(data)) {
        frame(rig, NGHTTP2_DATA, 0, 9, data, sizeof(data));
    }
    trace_expect(&rig->frames, "HEADERS(9,end)");
    frame(rig, NGHTTP2_DATA, 0, 9, data, 1);
    trace_expect(&rig->frames, "RST_STREAM(9,NO_ERROR)");
}

/* RFC 9113 §5.1.1: ids only grow. */
static void test_smaller_stream_id(void **state)
{
    struct h2_rig *rig = *state;

    frame(rig, NGHTTP2_HEADERS, WHOLE | END, 1, HOLD, sizeof(HOLD) - 1);
    frame(rig, NGHTTP2_HEADERS, WHOLE | END, 9, HOLD, sizeof(HOLD) - 1);
    frame(rig, NGHTTP2_HEADERS, WHOLE | END, 5, HOLD, sizeof(HOLD) - 1);
    trace_expect(&rig->frames, "GOAWAY(9,PROTOCOL_ERROR)");
    trace_expect(&rig->trace, "exchange(/hold) exchange(/hold) abort abort close");
}

/* Of a client that leaves more requests open than can run, the oldest are not kept in mind. */
static void test_more_unended_streams_than_are_known(void **state)
{
    struct h2_rig *rig = *state;

    rig->trace.is_off = rig->frames.is_off = true;
    for (uint32_t i = 0; i <= FE_H2_UNENDED_MAX; i++) {
        const uint32_t id = 2 * i + 1;

        rig->n_held = 0;
        frame(rig, NGHTTP2_HEADERS, WHOLE, id, POST, sizeof(POST) - 1);
        fe_exchange_reset(rig->held[0], FLATEND_EIO);
        rig->n_running--;
        h2_rig_pump(rig);
    }
    rig->frames.is_off = false;
    frame(rig, NGHTTP2_DATA, END, 1, "x", 1);
    frame(rig, NGHTTP2_DATA, END, 1, "x", 1);
    trace_expect(&rig->frames, "");
    frame(rig, NGHTTP2_DATA, END, FE_H2_UNENDED_MAX + 1, "x", 1);
    trace_expect(&rig->frames, "");
    frame(rig, NGHTTP2_DATA, END, FE_H2_UNENDED_MAX + 1, "x", 1);
    assert_true(rig->is_closed);
}

/* The same of frames that nghttp2 does not look at, whole or byte by byte. */
static void test_faults_in_what_is_ignored(void **state)
{
    static const struct broken faults[] = {
        {"priority on no stream", NGHTTP2_PRIORITY, 0, 0, "\0\0\0\3\1", 5, "PROTOCOL_ERROR"},
        {"priority of itself", NGHTTP2_PRIORITY, 0, 3, "\x80\0\0\3\1", 5, "PROTOCOL_ERROR"},
        {"window of nothing", NGHTTP2_WINDOW_UPDATE, 0, 1, "\x80\0\0\0", 4, "PROTOCOL_ERROR"},
        {"padding beyond the frame", NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 3, "\x02x", 2,
         "PROTOCOL_ERROR"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        const struct broken *b = &faults[i];
        static struct h2_rig rig;
        char expected[64];

        assert_true(h2_rig_init(&rig, false));
        rig.cut = i % 2;
        h2_rig_greet(&rig);
        frame(&rig, NGHTTP2_HEADERS, WHOLE | END, 1, "\x82\x86\x04\x06/hello\x01\x01h", 13);
        frame(&rig, NGHTTP2_HEADERS, WHOLE, 3, POST, sizeof(POST) - 1);
        fe_exchange_reset(rig.held[0], FLATEND_EIO);
        rig.n_running--;
        h2_rig_pump(&rig);
        rig.frames.len = 0;
        frame(&rig, b->type, b->flags, b->id, b->payload, b->len);
        (void)snprintf(expected, sizeof(expected), "GOAWAY(3,%s)", b->code);
        if (strcmp(rig.frames.text, expected) != 0) {
            fail_msg("%s: %s", b->name, rig.frames.text);
        }
        h2_rig_deinit(&rig);
    }
}

static void test_frame_too_large(void **state)
{
    struct h2_rig *rig = *state;

    h2_rig_feed(rig, "\0\x40\1\0\0\0\0\0\1", 9);
    trace_expect(&rig->frames, "GOAWAY(0,FRAME_SIZE_ERROR)");
    trace_expect(&rig->trace, "close");
}

static void test_too_many_streams(void **state)
{
    struct h2_rig *rig = *state;

    h2_rig_frame(rig, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
    rig->trace.is_off = true;
    for (uint32_t i = 0; i < FE_H2_STREAMS_MAX; i++) {
        rig->n_held = 0;
        frame(rig, NGHTTP2_HEADERS, END | WHOLE, 2 * i + 1, HOLD, sizeof(HOLD) - 1);
    }
    assert_int_equal(rig->n_running, FE_H2_STREAMS_MAX);
    assert_false(rig->is_closed);
    frame(rig, NGHTTP2_HEADERS, END | WHOLE, 2 * FE_H2_STREAMS_MAX + 1, HOLD, sizeof(HOLD) - 1);
    assert_true(rig->is_closed);
    assert_int_equal(rig->n_running, 0);
}

/* A client that does not say that it has read the notice is not waited for. */
static void test_notice_without_answer(void **state)
{
    struct h2_rig *rig = *state;

    frame(rig, NGHTTP2_HEADERS, END | WHOLE, 1, HOLD, sizeof(HOLD) - 1);
    fe_http_server_drain(rig->server);
    h2_rig_pass(rig, FE_H2_NOTICE_MS - 1);
    trace_expect(&rig->frames, "GOAWAY(2147483647,NO_ERROR) PING");
    h2_rig_pass(rig, 1);
    trace_expect(&rig->frames, "GOAWAY(1,NO_ERROR)");
    frame(rig, NGHTTP2_HEADERS, END | WHOLE, 3, HOLD, sizeof(HOLD) - 1); /* ignored */
    frame(rig, NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\x8", 4);
    trace_expect(&rig->trace, "exchange(/hold) abort close");
}

/* What comes after the end is dropped, but not for ever. */
static void test_lingering(void **state)
{
    struct h2_rig *rig = *state;
    static const uint8_t junk[16384];

    h2_rig_feed(rig, "\0\x40\1\0\0\0\0\0\1", 9);
    trace_expect(&rig->trace, "close");
    for (size_t i = 0; i < FE_H2_LINGER_MAX / sizeof(junk); i++) {
        h2_rig_feed(rig, junk, sizeof(junk));
    }
    trace_expect(&rig->trace, "");
    h2_rig_feed(rig, junk, 1);
    trace_expect(&rig->trace, "reset");
}

#define TEST(name)   cmocka_unit_test_setup_teardown(name, setup, teardown)
#define SILENT(name) cmocka_unit_test_setup_teardown(name, setup_silent, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rapid_reset),
        TEST(test_what_is_told),
        TEST(test_resets_over_time),
        TEST(test_made_you_reset),
        TEST(test_made_you_reset_by_overflow),
        TEST(test_continuations),
        TEST(test_fields),
        TEST(test_settings),
        TEST(test_empty_data),
        TEST(test_empty_headers),
        TEST(test_priorities),
        TEST(test_unknown_frames),
        TEST(test_window_updates),
        TEST(test_unread_answers),
        TEST(test_unread_answers_behind_a_body),
        cmocka_unit_test(test_malformed),
        TEST(test_body_of_another_length),
        TEST(test_trailers),
        TEST(test_malformed_trailers),
        SILENT(test_no_preface),
        SILENT(test_no_settings),
        cmocka_unit_test(test_broken),
        TEST(test_frames_on_an_ended_stream),
        TEST(test_frames_that_were_on_their_way),
        TEST(test_rest_of_an_answered_request),
        TEST(test_smaller_stream_id),
        TEST(test_more_unended_streams_than_are_known),
        TEST(test_faults_in_what_is_ignored),
        TEST(test_frame_too_large),
        TEST(test_too_many_streams),
        TEST(test_notice_without_answer),
        TEST(test_lingering),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
