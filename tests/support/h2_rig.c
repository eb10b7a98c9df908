#include "support/h2_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/filters/error_page.h"

enum { START_MS = 1000000, LOW_WATER = FE_HTTP_OUT_HIGH_WATER / 4, PIECE = 16384 };

/* ---- the owner ------------------------------------------------------------------------------ */

static void flush(void *owner)
{
    ((struct h2_rig *)owner)->wants_run = true;
}

static void set_reading(void *owner, bool reading)
{
    (void)owner;
    (void)reading;
    fail_msg("flow control needs no pauses");
}

static void close_connection(void *owner, bool reset)
{
    struct h2_rig *rig = owner;

    rig->is_closed = true;
    trace_add(&rig->trace, reset ? "reset" : "close");
}

static uint64_t now_ms(void *owner)
{
    return ((struct h2_rig *)owner)->now_ms;
}

static uint64_t written(void *owner)
{
    struct h2_rig *rig = owner;

    return rig->written - rig->unacked;
}

static uint64_t queued(void *owner)
{
    struct h2_rig *rig = owner;

    return rig->written + rig->out.len;
}

static uint64_t waited_ms(void *owner)
{
    return ((struct h2_rig *)owner)->waited_ms;
}

static void on_slow(void *owner, enum fe_http_slow what)
{
    trace_add(&((struct h2_rig *)owner)->trace, "slow(%s)",
              what == FE_HTTP_SLOW_READER ? "reader" : "sender");
}

static bool is_all_acked(void *owner)
{
    const struct h2_rig *rig = owner;

    return rig->out.len == 0 && rig->unacked == 0;
}

static struct fe_view date(void *owner)
{
    (void)owner;
    return FE_VIEW_LIT("Sun, 06 Nov 1994 08:49:37 GMT");
}

static void on_abuse(void *owner, const char *what)
{
    trace_add(&((struct h2_rig *)owner)->trace, "abuse(%s)", what);
}

static const struct fe_http_owner_ops owner_ops = {
    .on_exchange = h2_rig_on_exchange,
    .flush = flush,
    .set_reading = set_reading,
    .close = close_connection,
    .now_ms = now_ms,
    .written = written,
    .queued = queued,
    .waited_ms = waited_ms,
    .on_slow = on_slow,
    .is_all_acked = is_all_acked,
    .date = date,
    .on_abuse = on_abuse,
};

/* ---- what the server sends, as a trace ------------------------------------------------------ */

static uint32_t number(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void trace_frame(struct h2_rig *rig)
{
    static const char *const names[] = {"DATA",          "HEADERS",      "PRIORITY", "RST_STREAM",
                                        "SETTINGS",      "PUSH_PROMISE", "PING",     "GOAWAY",
                                        "WINDOW_UPDATE", "CONTINUATION"};
    const uint8_t *h = rig->header;
    size_t len = number(h) >> 8;
    unsigned id = number(h + 5);
    const char *flag = (h[4] & 1) != 0 ? ",end" : "";

    assert_true(h[3] < sizeof(names) / sizeof(names[0]));
    switch (h[3]) {
    case NGHTTP2_DATA:
        trace_add(&rig->frames, "DATA(%u,%zu%s)", id, len, flag);
        break;
    case NGHTTP2_RST_STREAM:
        trace_add(&rig->frames, "RST_STREAM(%u,%s)", id,
                  nghttp2_http2_strerror(number(rig->payload)));
        break;
    case NGHTTP2_GOAWAY:
        trace_add(&rig->frames, "GOAWAY(%u,%s)", number(rig->payload),
                  nghttp2_http2_strerror(number(rig->payload + 4)));
        break;
    case NGHTTP2_SETTINGS:
    case NGHTTP2_PING:
        trace_add(&rig->frames, "%s%s", names[h[3]], (h[4] & 1) != 0 ? "(ack)" : "");
        break;
    default:
        trace_add(&rig->frames, "%s(%u%s)", names[h[3]], id, h[3] == NGHTTP2_HEADERS ? flag : "");
        break;
    }
}

/* Follows the frames; of a payload its first bytes are kept. */
static void trace_bytes(struct h2_rig *rig, const uint8_t *data, size_t len)
{
    while (len > 0) {
        size_t n = 1;

        if (rig->n_header < sizeof(rig->header)) {
            rig->header[rig->n_header++] = *data;
        } else if (rig->n_payload < sizeof(rig->payload)) {
            rig->payload[rig->n_payload++] = *data;
        } else {
            n = (number(rig->header) >> 8) - rig->n_payload;
            n = n < len ? n : len;
            rig->n_payload += n;
        }
        data += n;
        len -= n;
        if (rig->n_header == sizeof(rig->header) && rig->n_payload == number(rig->header) >> 8) {
            trace_frame(rig);
            rig->n_header = 0;
            rig->n_payload = 0;
        }
    }
}

/* ---- the client ----------------------------------------------------------------------------- */

static struct h2_reply *reply_of(struct h2_rig *rig, int32_t id)
{
    assert_true(id > 0 && (size_t)(id - 1) / 2 < H2_RIG_REPLIES_MAX);
    return &rig->replies[(id - 1) / 2];
}

const struct h2_reply *h2_rig_reply(const struct h2_rig *rig, int32_t id)
{
    return &rig->replies[(id - 1) / 2];
}

static void append_text(char text[H2_RIG_TEXT_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void append_text(char text[H2_RIG_TEXT_MAX], const char *format, ...)
{
    size_t len = strlen(text);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text + len, H2_RIG_TEXT_MAX - len, format, args);
    va_end(args);
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are nghttp2's */
static int client_on_header(nghttp2_session *session, const nghttp2_frame *frame,
                            const uint8_t *name, size_t name_len, const uint8_t *value,
                            size_t value_len, uint8_t flags, void *user_data)
{
    struct h2_reply *reply = reply_of(user_data, frame->hd.stream_id);
    bool is_trailer =
        frame->headers.cat == NGHTTP2_HCAT_HEADERS && strstr(reply->head, "100") == NULL;
    char *text = is_trailer ? reply->trailers : reply->head;
    const char *blank = text[0] != '\0' ? " " : "";

    (void)session;
    (void)flags;
    if (name_len == 7 && memcmp(name, ":status", 7) == 0) {
        append_text(text, "%s%.*s", blank, (int)value_len, (const char *)value);
    } else {
        append_text(text, "%s%.*s=%.*s", blank, (int)name_len, (const char *)name, (int)value_len,
                    (const char *)value);
    }
    return 0;
}

static int client_on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                          size_t len, void *user_data)
{
    struct h2_rig *rig = user_data;
    struct h2_reply *reply = reply_of(rig, id);

    (void)flags;
    if (reply->n_body < H2_RIG_TEXT_MAX - 1) {
        size_t room = H2_RIG_TEXT_MAX - 1 - reply->n_body;

        memcpy(reply->body + reply->n_body, data, len < room ? len : room);
    }
    reply->n_body += len;
    return rig->is_stingy ? 0 : nghttp2_session_consume(session, id, len);
}

static int client_on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user_data)
{
    struct h2_reply *reply = reply_of(user_data, id);

    (void)session;
    reply->is_closed = true;
    reply->code = code;
    return 0;
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are nghttp2's */
static ssize_t client_read(nghttp2_session *session, int32_t id, uint8_t *buf, size_t len,
                           uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
    struct h2_rig *rig = user_data;
    size_t i = (size_t)(id - 1) / 2;
    struct fe_view rest = fe_view_skip(*rig->bodies[i], rig->sent[i]);
    size_t n = rest.len < len ? rest.len : len;

    (void)session;
    (void)source;
    memcpy(buf, rest.ptr, n);
    rig->sent[i] += n;
    if (n == rest.len) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)n;
}

static void client_init(struct h2_rig *rig)
{
    const nghttp2_settings_entry settings = {NGHTTP2_SETTINGS_ENABLE_PUSH, 0};
    nghttp2_session_callbacks *cb;
    nghttp2_option *option;

    assert_int_equal(nghttp2_option_new(&option), 0);
    nghttp2_option_set_no_auto_window_update(option, 1);
    assert_int_equal(nghttp2_session_callbacks_new(&cb), 0);
    nghttp2_session_callbacks_set_on_header_callback(cb, client_on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, client_on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, client_on_close);
    assert_int_equal(nghttp2_session_client_new2(&rig->client, cb, rig, option), 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(cb);
    assert_int_equal(nghttp2_submit_settings(rig->client, NGHTTP2_FLAG_NONE, &settings, 1), 0);
}

int32_t h2_rig_request_with(struct h2_rig *rig, const nghttp2_nv *nv, size_t n,
                            const struct fe_view *body)
{
    nghttp2_data_provider provider = {.read_callback = client_read};
    int32_t id =
        nghttp2_submit_request(rig->client, NULL, nv, n, body != NULL ? &provider : NULL, NULL);

    assert_true(id > 0 && (size_t)(id - 1) / 2 < H2_RIG_REPLIES_MAX);
    rig->bodies[(id - 1) / 2] = body;
    rig->sent[(id - 1) / 2] = 0;
    return id;
}

int32_t h2_rig_request(struct h2_rig *rig, const char *method, const char *path,
                       const struct fe_view *body)
{
    nghttp2_nv nv[] = {H2_NV(":method", ""), H2_NV(":scheme", "http"), H2_NV(":path", ""),
                       H2_NV(":authority", "h")};

    nv[0].value = (uint8_t *)(uintptr_t)method;
    nv[0].valuelen = strlen(method);
    nv[2].value = (uint8_t *)(uintptr_t)path;
    nv[2].valuelen = strlen(path);
    return h2_rig_request_with(rig, nv, 4, body);
}

/* ---- both sides ----------------------------------------------------------------------------- */

static bool make_filters(struct h2_rig *rig)
{
    const struct fe_filter *const own[] = {&fe_error_page_filter, &rig->body_limits.filter};

    fe_arena_init(&rig->filter_arena, 0);
    rig->body_limits = fe_body_limits_filter(0, 16 * 1024 * 1024);
    rig->filters = fe_filter_chain_new(&rig->filter_arena, NULL, own, 2);
    return rig->filters != NULL;
}

static bool init(struct h2_rig *rig, bool has_client, bool has_tunnels)
{
    *rig = (struct h2_rig){.limits = {.header_max = 4096,
                                      .read_header_ms = 2000,
                                      .idle_ms = 60000,
                                      .tunnel_idle_ms = 10000,
                                      .times = {.read_ms = 3000, .write_ms = 4000},
                                      .grace_ms = 6000},
                           .now_ms = START_MS,
                           .appetite = SIZE_MAX};
    if (!make_filters(rig)) {
        return false;
    }
    fe_timers_init(&rig->timers);
    fe_pool_init(&rig->pool);
    fe_chain_init(&rig->out, &rig->pool);
    rig->server = fe_h2_server_new(&(struct fe_http_setup){.limits = &rig->limits,
                                                           .timers = &rig->timers,
                                                           .out = &rig->out,
                                                           .scheme = FE_VIEW_LIT("http"),
                                                           .filters = rig->filters,
                                                           .has_tunnels = has_tunnels,
                                                           .ops = &owner_ops,
                                                           .owner = rig},
                                   &rig->counters);
    rig->replies = calloc(H2_RIG_REPLIES_MAX, sizeof(*rig->replies));
    if (rig->server == NULL || rig->replies == NULL) {
        return false;
    }
    if (has_client) {
        client_init(rig);
    }
    return true;
}

bool h2_rig_init(struct h2_rig *rig, bool has_client)
{
    return init(rig, has_client, false);
}

bool h2_rig_init_with_tunnels(struct h2_rig *rig)
{
    return init(rig, true, true);
}

void h2_rig_deinit(struct h2_rig *rig)
{
    fe_http_server_free(rig->server);
    assert_int_equal(rig->n_running, 0);
    nghttp2_session_del(rig->client);
    fe_chain_deinit(&rig->out);
    fe_pool_deinit(&rig->pool);
    fe_timers_deinit(&rig->timers);
    fe_arena_deinit(&rig->filter_arena);
    free(rig->replies);
}

/* A copy of the exact size, so that a byte beyond is seen. A fault that is armed is for the code
 * under test: it fails once, so the rig asks again. */
static void feed_piece(struct h2_rig *rig, const uint8_t *data, size_t len)
{
    uint8_t *exact = malloc(len);

    if (exact == NULL) {
        exact = malloc(len);
    }
    assert_non_null(exact);
    memcpy(exact, data, len);
    fe_http_server_feed(rig->server, fe_view_of(exact, len));
    free(exact);
}

static void feed_cut(struct h2_rig *rig, const uint8_t *data, size_t len)
{
    size_t cut = rig->cut > 0 ? rig->cut : len;

    while (len > 0) {
        size_t n = cut < len ? cut : len;

        feed_piece(rig, data, n);
        data += n;
        len -= n;
    }
}

/* The client reads what has been sent; true if that was anything. */
static bool take(struct h2_rig *rig)
{
    static uint8_t piece[PIECE];
    bool was_high = rig->out.len > FE_HTTP_OUT_HIGH_WATER;
    bool any = false;
    size_t n;

    while (!rig->is_unread && (n = fe_chain_read(&rig->out, piece, sizeof(piece))) > 0) {
        any = true;
        rig->written += n;
        trace_bytes(rig, piece, n);
        if (rig->client != NULL && nghttp2_session_mem_recv(rig->client, piece, n) != (ssize_t)n) {
            trace_add(&rig->frames, "!client");
        }
        if (was_high && rig->out.len <= LOW_WATER) {
            was_high = false;
            fe_http_server_on_drain(rig->server);
        }
    }
    return any;
}

static bool turn(struct h2_rig *rig)
{
    const uint8_t *data;
    ssize_t n = 0;

    if (rig->client != NULL && !rig->is_closed) {
        n = nghttp2_session_mem_send(rig->client, &data);
        assert_true(n >= 0);
        if (n > 0) {
            feed_cut(rig, data, (size_t)n);
            return true;
        }
    }
    if (rig->wants_run) {
        rig->wants_run = false;
        fe_http_server_run(rig->server);
        (void)take(rig);
        return true;
    }
    return take(rig);
}

void h2_rig_pump(struct h2_rig *rig)
{
    while (turn(rig)) {
    }
}

void h2_rig_feed(struct h2_rig *rig, const void *data, size_t len)
{
    feed_cut(rig, data, len);
    h2_rig_pump(rig);
}

/* What is in the output waits for the client. */
static void pass_until(struct h2_rig *rig, uint64_t then_ms)
{
    rig->waited_ms += rig->out.len > 0 ? then_ms - rig->now_ms : 0;
    rig->now_ms = then_ms;
}

void h2_rig_pass(struct h2_rig *rig, uint64_t ms)
{
    uint64_t until = rig->now_ms + ms;

    h2_rig_pump(rig);
    for (;;) {
        uint64_t next = fe_timers_next(&rig->timers);

        if (next > until) {
            break;
        }
        pass_until(rig, next > rig->now_ms ? next : rig->now_ms);
        fe_timers_run(&rig->timers, rig->now_ms);
        h2_rig_pump(rig);
    }
    pass_until(rig, until);
}

void h2_rig_greet(struct h2_rig *rig)
{
    h2_rig_feed(rig, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);
}

void h2_rig_frame(struct h2_rig *rig, uint8_t type, uint8_t flags, uint32_t id, const void *payload,
                  size_t len)
{
    static uint8_t frame[9 + PIECE];

    assert_true(len <= PIECE);
    for (int i = 0; i < 3; i++) {
        frame[i] = (uint8_t)(len >> (16 - 8 * i));
    }
    frame[3] = type;
    frame[4] = flags;
    for (int i = 0; i < 4; i++) {
        frame[5 + i] = (uint8_t)(id >> (24 - 8 * i));
    }
    if (len > 0) {
        memcpy(frame + 9, payload, len);
    }
    feed_cut(rig, frame, 9 + len);
}

const struct h2_reply *h2_rig_get(struct h2_rig *rig, const char *path)
{
    int32_t id = h2_rig_request(rig, "GET", path, NULL);

    h2_rig_pump(rig);
    return h2_rig_reply(rig, id);
}
