#include "support/tls_client.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

enum { PATIENCE_MS = 20000, ALPN_MAX = 32 };

void tls_client_open(struct tls_client *client, uint16_t port, const char *protocol)
{
    const size_t len = strlen(protocol);
    const int on = 1; /* windows are given in small pieces */
    unsigned char alpn[ALPN_MAX] = {(unsigned char)len};

    assert_true(len < sizeof(alpn));
    memcpy(alpn + 1, protocol, len);
    http_open(&client->http, port);
    assert_int_equal(setsockopt(client->http.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
    client->ctx = SSL_CTX_new(TLS_client_method());
    assert_non_null(client->ctx);
    client->ssl = SSL_new(client->ctx);
    assert_non_null(client->ssl);
    SSL_set_mode(client->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    assert_int_equal(SSL_set_alpn_protos(client->ssl, alpn, (unsigned)len + 1), 0);
    assert_int_equal(SSL_set_fd(client->ssl, client->http.fd), 1);
    assert_int_equal(SSL_connect(client->ssl), 1);
}

void tls_client_close(struct tls_client *client)
{
    SSL_free(client->ssl);
    SSL_CTX_free(client->ctx);
    http_close(&client->http);
}

void tls_client_send(struct tls_client *client, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        const int n = SSL_write(client->ssl, at, (int)len);

        assert_true(n > 0);
        at += n;
        len -= (size_t)n;
    }
}

size_t tls_client_receive(struct tls_client *client, void *data, size_t len)
{
    const int n = SSL_read(client->ssl, data, (int)len);

    if (n <= 0) {
        assert_int_equal(SSL_get_error(client->ssl, n), SSL_ERROR_ZERO_RETURN);
    }
    return n > 0 ? (size_t)n : 0;
}

void tls_client_end(struct tls_client *client)
{
    assert_true(SSL_shutdown(client->ssl) >= 0);
}

static void set_blocking(struct tls_client *client, bool blocks)
{
    const int flags = fcntl(client->http.fd, F_GETFL);

    assert_true(flags >= 0);
    assert_int_equal(
        fcntl(client->http.fd, F_SETFL, blocks ? flags & ~O_NONBLOCK : flags | O_NONBLOCK), 0);
}

size_t tls_client_try_send(struct tls_client *client, const void *data, size_t len)
{
    int n;

    set_blocking(client, false);
    ERR_clear_error();
    n = SSL_write(client->ssl, data, (int)len);
    if (n <= 0) {
        assert_int_equal(SSL_get_error(client->ssl, n), SSL_ERROR_WANT_WRITE);
    }
    set_blocking(client, true);
    return n > 0 ? (size_t)n : 0;
}

bool tls_client_wait(struct tls_client *client, bool or_space)
{
    struct pollfd fd = {.fd = client->http.fd,
                        .events = (short)(or_space ? POLLIN | POLLOUT : POLLIN)};

    if (SSL_pending(client->ssl) > 0) {
        return true;
    }
    assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
    return (fd.revents & POLLIN) != 0;
}
