#include "support/h2_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_S = 20 };

/* NOLINTNEXTLINE(readability-function-size): the parameters are nghttp2's */
static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *arg)
{
    struct h2_client *const client = arg;
    char text[8] = "";

    (void)session;
    (void)frame;
    (void)flags;
    if (name_len == 7 && memcmp(name, ":status", 7) == 0 && value_len < sizeof(text)) {
        memcpy(text, value, value_len);
        client->status = (int)strtol(text, NULL, 10);
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *arg)
{
    struct h2_client *const client = arg;
    const size_t room = sizeof(client->body) - 1 - client->n_body;
    const size_t n = len < room ? len : room;

    (void)session;
    (void)flags;
    (void)id;
    memcpy(client->body + client->n_body, data, n);
    client->n_body += n;
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
    struct h2_client *const client = arg;

    (void)session;
    (void)id;
    client->is_over = true;
    client->code = code;
    return 0;
}

static void flush(struct h2_client *client)
{
    const uint8_t *data;
    ssize_t n;

    while ((n = nghttp2_session_mem_send(client->session, &data)) > 0) {
        for (ssize_t sent = 0; sent < n;) {
            const ssize_t more = send(client->fd, data + sent, (size_t)(n - sent), MSG_NOSIGNAL);

            assert_true(more > 0);
            sent += more;
        }
    }
    assert_int_equal(n, 0);
}

void h2_client_open(struct h2_client *client, uint16_t port)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
    nghttp2_session_callbacks *callbacks;

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *client = (struct h2_client){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_true(client->fd >= 0);
    assert_int_equal(setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)),
                     0);
    assert_int_equal(connect(client->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    assert_int_equal(nghttp2_session_client_new(&client->session, callbacks, client), 0);
    nghttp2_session_callbacks_del(callbacks);
    assert_int_equal(nghttp2_submit_settings(client->session, NGHTTP2_FLAG_NONE, NULL, 0), 0);
    flush(client);
}

void h2_client_close(struct h2_client *client)
{
    nghttp2_session_del(client->session);
    close(client->fd);
}

#define NV(name, value)                                                                            \
    {                                                                                              \
        (uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value), strlen(name), strlen(value),  \
            NGHTTP2_NV_FLAG_NONE                                                                   \
    }

void h2_client_send(struct h2_client *client, const char *path)
{
    const nghttp2_nv nv[] = {NV(":method", "GET"), NV(":scheme", "http"), NV(":authority", "a"),
                             NV(":path", path)};

    client->is_over = false;
    client->status = 0;
    client->n_body = 0;
    memset(client->body, 0, sizeof(client->body));
    assert_true(nghttp2_submit_request(client->session, NULL, nv, sizeof(nv) / sizeof(nv[0]), NULL,
                                       NULL) > 0);
    flush(client);
}

void h2_client_receive(struct h2_client *client)
{
    uint8_t block[4096];

    while (!client->is_over) {
        const ssize_t n = recv(client->fd, block, sizeof(block), 0);

        assert_true(n > 0);
        assert_int_equal(nghttp2_session_mem_recv(client->session, block, (size_t)n), n);
        flush(client);
    }
}
