/* Tunnels over TLS through real listeners, most of them by crossing: 101 over HTTP/1.1, CONNECT
 * over HTTP/2; each direction ends by itself, and is held back by itself. */
#include <nghttp2/nghttp2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "support/counting.h"
#include "support/edges.h"
#include "support/latch.h"
#include "support/tls_client.h"
#include "support/tunnels.h"

enum { N_CLIENTS = 6, PIECE = 8192, SAID = 100 * PIECE, MUCH = 8 * 1024 * 1024 };
/* How often a client is to be held back, and what no buffers between hold. */
enum { N_BLOCKED = 100, TOO_MUCH = 256 * 1024 * 1024 };

/* ---- a backend that ends first -------------------------------------------------------------- */

/* Says "hi", ends, and reads what the client has to say. All on the thread of the edges; the test
 * looks when all have ended. */
struct sink {
    struct fe_backend backend;
    struct latch ended;
    size_t n_bytes;
    size_t n_resets;
};

static void sink_start(const struct fe_backend *backend, struct fe_exchange *ex)
{
    const struct fe_response response = {.status = 200, .content_length = FE_BODY_UNKNOWN};

    ex->state = (struct sink *)(uintptr_t)FE_CONTAINER_OF(backend, const struct sink, backend);
    ex->request.content_length = 0; /* where nobody looks any more: what was read */
    assert_int_equal(fe_exchange_tunnel(ex, &response), 0);
    assert_int_equal(fe_exchange_write(ex, FE_VIEW_LIT("hi")), 2);
    fe_exchange_finish(ex, NULL);
    fe_exchange_resume(ex);
}

static size_t sink_on_data(struct fe_exchange *ex, struct fe_view data)
{
    struct sink *const sink = ex->state;

    assert_true(counting_continues(data, (size_t)ex->request.content_length));
    ex->request.content_length += data.len;
    sink->n_bytes += data.len;
    return data.len;
}

static void sink_on_end(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    (void)trailers;
    latch_count(&((struct sink *)ex->state)->ended);
}

static void sink_on_reset(struct fe_exchange *ex, int code)
{
    struct sink *const sink = ex->state;

    (void)code;
    sink->n_resets++;
    latch_count(&sink->ended);
}

static void sink_init(struct sink *sink)
{
    static const struct fe_backend_ops ops = {sink_start, sink_on_data, sink_on_end, NULL,
                                              sink_on_reset};

    *sink = (struct sink){.backend = {&ops}};
    latch_init(&sink->ended);
}

/* So many clients have said `n` bytes each, and their end was heard. */
static void sink_expect(struct sink *sink, int n_clients, size_t n)
{
    latch_wait(&sink->ended, n_clients);
    assert_int_equal(sink->n_resets, 0);
    assert_int_equal(sink->n_bytes, (size_t)n_clients * n);
}

/* ---- HTTP/1.1 ------------------------------------------------------------------------------- */

static void open_h1(struct tls_client *client, uint16_t port)
{
    static const char request[] = "GET /tunnel HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\n"
                                  "Upgrade: echo\r\n\r\n";
    static const char expected[] = "HTTP/1.1 101 ";
    char head[HTTP_HEAD_MAX] = "";
    size_t n = 0;

    tls_client_open(client, port, "http/1.1");
    tls_client_send(client, request, sizeof(request) - 1);
    while (strstr(head, "\r\n\r\n") == NULL) {
        assert_true(n < sizeof(head) - 1);
        assert_int_equal(tls_client_receive(client, head + n, 1), 1);
        head[++n] = '\0';
    }
    assert_memory_equal(head, expected, sizeof(expected) - 1);
}

static void say(struct tls_client *client, size_t n, size_t from)
{
    static uint8_t bytes[PIECE];

    for (size_t done = 0; done < n; done += PIECE) {
        const size_t len = n - done < PIECE ? n - done : PIECE;

        counting_fill(bytes, len, from + done);
        tls_client_send(client, bytes, len);
    }
}

/* Some of what comes, `from` bytes in; 0: close_notify. */
static size_t hear(struct tls_client *client, size_t from)
{
    static uint8_t bytes[PIECE];
    const size_t n = tls_client_receive(client, bytes, sizeof(bytes));

    assert_true(counting_continues(fe_view_of(bytes, n), from));
    return n;
}

static void hear_all(struct tls_client *client, size_t n, size_t from)
{
    while (n > 0) {
        const size_t got = hear(client, from);

        assert_in_range(got, 1, n);
        from += got;
        n -= got;
    }
}

static void expect_fin(struct tls_client *client)
{
    char byte;

    assert_int_equal(recv(client->http.fd, &byte, 1, 0), 0);
}

static void test_h1_client_ends_first(void **state)
{
    static struct edges edges;
    static struct tls_client clients[N_CLIENTS];

    (void)state;
    edges_init(&edges, &tunnel_echo_backend, true);
    for (size_t i = 0; i < N_CLIENTS; i++) {
        open_h1(&clients[i], edges.port);
    }
    for (size_t i = 0; i < N_CLIENTS; i++) {
        say(&clients[i], PIECE, 0);
        hear_all(&clients[i], PIECE, 0);
        say(&clients[i], 100, PIECE);
        tls_client_end(&clients[i]);
        hear_all(&clients[i], 100, PIECE);
        assert_int_equal(hear(&clients[i], 0), 0);
        expect_fin(&clients[i]);
        tls_client_close(&clients[i]);
    }
    edges_deinit(&edges);
}

static void test_h1_backend_ends_first(void **state)
{
    static struct edges edges;
    static struct sink sink;
    static struct tls_client clients[N_CLIENTS];

    (void)state;
    sink_init(&sink);
    edges_init(&edges, &sink.backend, true);
    for (size_t i = 0; i < N_CLIENTS; i++) {
        char text[3] = "";

        open_h1(&clients[i], edges.port);
        assert_int_equal(tls_client_receive(&clients[i], text, 1), 1);
        assert_int_equal(tls_client_receive(&clients[i], text + 1, 1), 1);
        assert_string_equal(text, "hi");
        assert_int_equal(tls_client_receive(&clients[i], text, 1), 0);
        say(&clients[i], SAID, 0); /* into a direction that is still open */
        tls_client_end(&clients[i]);
    }
    sink_expect(&sink, N_CLIENTS, SAID);
    for (size_t i = 0; i < N_CLIENTS; i++) {
        tls_client_close(&clients[i]);
    }
    edges_deinit(&edges);
    latch_deinit(&sink.ended);
}

/* The client reads only while it cannot send: then what it has not read fills all that is between,
 * and the echo is held back, and so is the client. */
static void test_h1_held_back(void **state)
{
    static struct edges edges;
    static struct tls_client client;
    static uint8_t bytes[PIECE];
    size_t n_sent = 0;
    size_t n_got = 0;
    size_t n_blocked = 0;
    size_t n = 1;

    (void)state;
    edges_init(&edges, &tunnel_echo_backend, true);
    open_h1(&client, edges.port);
    while (n_blocked < N_BLOCKED || n == 0) { /* a record is sent to its end */
        assert_true(n_sent < TOO_MUCH);
        counting_fill(bytes, PIECE, n_sent);
        n = tls_client_try_send(&client, bytes, PIECE);
        n_sent += n;
        if (n == 0 && tls_client_wait(&client, true)) {
            n_blocked++;
            n_got += hear(&client, n_got);
        }
    }
    hear_all(&client, n_sent - n_got, n_got);
    tls_client_end(&client);
    assert_int_equal(hear(&client, 0), 0);
    tls_client_close(&client);
    edges_deinit(&edges);
}

/* ---- HTTP/2 --------------------------------------------------------------------------------- */

/* One tunnel on a connection of its own. */
struct h2_tunnel {
    struct tls_client tls;
    nghttp2_session *session;
    int32_t id;
    int status;
    size_t n_total; /* to be said */
    size_t n_said;
    bool ends;    /* behind that */
    bool takes;   /* gives window for what it gets */
    bool is_text; /* what comes does not count */
    size_t n_heard;
    size_t n_owed; /* window */
    bool has_end;  /* the server's */
    bool is_closed;
    uint32_t code;
};

/* NOLINTNEXTLINE(readability-function-size): the parameters are nghttp2's */
static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *arg)
{
    (void)session;
    (void)frame;
    (void)flags;
    if (name_len == 7 && memcmp(name, ":status", 7) == 0) {
        assert_int_equal(value_len, 3);
        ((struct h2_tunnel *)arg)->status = memcmp(value, "200", 3) == 0 ? 200 : -1;
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *arg)
{
    struct h2_tunnel *const tunnel = arg;

    (void)flags;
    assert_true(tunnel->is_text || counting_continues(fe_view_of(data, len), tunnel->n_heard));
    tunnel->n_heard += len;
    if (tunnel->takes) {
        return nghttp2_session_consume(session, id, len);
    }
    tunnel->n_owed += len;
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    (void)session;
    if (frame->hd.type == NGHTTP2_DATA && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        ((struct h2_tunnel *)arg)->has_end = true;
    }
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
    struct h2_tunnel *const tunnel = arg;

    (void)session;
    (void)id;
    tunnel->is_closed = true;
    tunnel->code = code;
    return 0;
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are nghttp2's */
static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *buf, size_t len,
                       uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    struct h2_tunnel *const tunnel = arg;
    const size_t rest = tunnel->n_total - tunnel->n_said;
    const size_t n = rest < len ? rest : len;

    (void)session;
    (void)id;
    (void)source;
    counting_fill(buf, n, tunnel->n_said);
    tunnel->n_said += n;
    if (n == rest && tunnel->ends) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    } else if (n == 0) {
        return NGHTTP2_ERR_DEFERRED;
    }
    return (ssize_t)n;
}

static void flush(struct h2_tunnel *tunnel)
{
    const uint8_t *data;
    ssize_t n;

    while ((n = nghttp2_session_mem_send(tunnel->session, &data)) > 0) {
        tls_client_send(&tunnel->tls, data, (size_t)n);
    }
    assert_int_equal(n, 0);
}

static void receive(struct h2_tunnel *tunnel)
{
    static uint8_t bytes[PIECE];
    const size_t n = tls_client_receive(&tunnel->tls, bytes, sizeof(bytes));

    assert_true(n > 0);
    assert_int_equal(nghttp2_session_mem_recv(tunnel->session, bytes, n), n);
    flush(tunnel);
}

static void make_session(struct h2_tunnel *tunnel)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;

    assert_int_equal(nghttp2_option_new(&option), 0);
    nghttp2_option_set_no_auto_window_update(option, 1);
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    assert_int_equal(nghttp2_session_client_new2(&tunnel->session, callbacks, tunnel, option), 0);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    assert_int_equal(nghttp2_submit_settings(tunnel->session, NGHTTP2_FLAG_NONE, NULL, 0), 0);
}

#define NV(name, value)                                                                            \
    {                                                                                              \
        (uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value), sizeof(name) - 1,             \
            sizeof(value) - 1, NGHTTP2_NV_FLAG_NONE                                                \
    }

/* RFC 8441 §3: once the server has said that it may. */
static void open_h2(struct h2_tunnel *tunnel, uint16_t port, bool is_text)
{
    static const nghttp2_nv nv[] = {NV(":method", "CONNECT"), NV(":protocol", "echo"),
                                    NV(":scheme", "https"), NV(":path", "/tunnel"),
                                    NV(":authority", "h")};
    const nghttp2_data_provider provider = {.read_callback = on_read};

    *tunnel = (struct h2_tunnel){.takes = true, .is_text = is_text};
    tls_client_open(&tunnel->tls, port, "h2");
    make_session(tunnel);
    flush(tunnel);
    while (nghttp2_session_get_remote_settings(tunnel->session,
                                               NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) != 1) {
        receive(tunnel);
    }
    tunnel->id = nghttp2_submit_request(tunnel->session, NULL, nv, 5, &provider, NULL);
    assert_true(tunnel->id > 0);
    flush(tunnel);
    while (tunnel->status == 0) {
        receive(tunnel);
    }
    assert_int_equal(tunnel->status, 200);
}

/* Says bytes up to the `n`-th, and perhaps the end, as far as there is window. */
static void say_h2(struct h2_tunnel *tunnel, size_t n, bool ends)
{
    tunnel->n_total = n;
    tunnel->ends = ends;
    assert_int_equal(nghttp2_session_resume_data(tunnel->session, tunnel->id), 0);
    flush(tunnel);
}

static void close_h2(struct h2_tunnel *tunnel)
{
    nghttp2_session_del(tunnel->session);
    tls_client_close(&tunnel->tls);
}

static void expect_closed(struct h2_tunnel *tunnel)
{
    while (!tunnel->is_closed) {
        receive(tunnel);
    }
    assert_true(tunnel->has_end);
    assert_int_equal(tunnel->code, NGHTTP2_NO_ERROR);
}

static void test_h2_client_ends_first(void **state)
{
    static struct edges edges;
    static struct h2_tunnel tunnels[N_CLIENTS];

    (void)state;
    edges_init(&edges, &tunnel_echo_backend, true);
    for (size_t i = 0; i < N_CLIENTS; i++) {
        open_h2(&tunnels[i], edges.port, false);
    }
    for (size_t i = 0; i < N_CLIENTS; i++) {
        say_h2(&tunnels[i], PIECE, false);
        while (tunnels[i].n_heard < PIECE) {
            receive(&tunnels[i]);
        }
        assert_false(tunnels[i].has_end);
        say_h2(&tunnels[i], SAID, true);
        expect_closed(&tunnels[i]);
        assert_int_equal(tunnels[i].n_heard, SAID);
        close_h2(&tunnels[i]);
    }
    edges_deinit(&edges);
}

static void test_h2_backend_ends_first(void **state)
{
    static struct edges edges;
    static struct sink sink;
    static struct h2_tunnel tunnels[N_CLIENTS];

    (void)state;
    sink_init(&sink);
    edges_init(&edges, &sink.backend, true);
    for (size_t i = 0; i < N_CLIENTS; i++) {
        struct h2_tunnel *const tunnel = &tunnels[i];

        open_h2(tunnel, edges.port, true);
        while (!tunnel->has_end) {
            receive(tunnel);
        }
        assert_false(tunnel->is_closed);
        say_h2(tunnel, SAID, true); /* into a direction that is still open */
        expect_closed(tunnel);
    }
    sink_expect(&sink, N_CLIENTS, SAID);
    for (size_t i = 0; i < N_CLIENTS; i++) {
        close_h2(&tunnels[i]);
    }
    edges_deinit(&edges);
    latch_deinit(&sink.ended);
}

/* A client that gives no window gets as much as it had given, and cannot say all it has to say: the
 * echo is held back, and so is the client. */
static void test_h2_held_back(void **state)
{
    static struct edges edges;
    static struct h2_tunnel tunnel;

    (void)state;
    edges_init(&edges, &tunnel_echo_backend, true);
    open_h2(&tunnel, edges.port, false);
    tunnel.takes = false;
    say_h2(&tunnel, MUCH, true);
    while (tunnel.n_heard < NGHTTP2_INITIAL_WINDOW_SIZE) {
        receive(&tunnel);
    }
    assert_true(tunnel.n_said < MUCH);
    assert_int_equal(tunnel.n_heard, NGHTTP2_INITIAL_WINDOW_SIZE);
    tunnel.takes = true;
    assert_int_equal(nghttp2_session_consume(tunnel.session, tunnel.id, tunnel.n_owed), 0);
    flush(&tunnel);
    expect_closed(&tunnel);
    assert_int_equal(tunnel.n_heard, MUCH);
    close_h2(&tunnel);
    edges_deinit(&edges);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_h1_client_ends_first),  cmocka_unit_test(test_h1_backend_ends_first),
        cmocka_unit_test(test_h1_held_back),          cmocka_unit_test(test_h2_client_ends_first),
        cmocka_unit_test(test_h2_backend_ends_first), cmocka_unit_test(test_h2_held_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
