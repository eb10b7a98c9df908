/* A TLS client of OpenSSL's own on a socket, which trusts any certificate. */
#ifndef TESTS_SUPPORT_TLS_CLIENT_H
#define TESTS_SUPPORT_TLS_CLIENT_H

#include <openssl/ssl.h>

#include "support/http_client.h"

struct tls_client {
    struct http_client http; /* its socket */
    SSL_CTX *ctx;
    SSL *ssl;
};

/* Connects to 127.0.0.1. `protocol`: the only one that is asked for, "h2" or "http/1.1". What takes
 * longer than 20 seconds fails the test. */
void tls_client_open(struct tls_client *client, uint16_t port, const char *protocol);
void tls_client_close(struct tls_client *client);

/* All of it. */
void tls_client_send(struct tls_client *client, const void *data, size_t len);

/* Some of what comes, at most `len`; 0: the server has sent close_notify. Any other end fails the
 * test. */
size_t tls_client_receive(struct tls_client *client, void *data, size_t len);

/* close_notify, and nothing of TCP: the server may go on. */
void tls_client_end(struct tls_client *client);

/* Sends what it can without waiting, at most `len`. 0: nothing at the moment. Not to be mixed with
 * other lengths of the same bytes. */
size_t tls_client_try_send(struct tls_client *client, const void *data, size_t len);

/* Until there is something to read, or `or_space` to write; whether there is something to read. */
bool tls_client_wait(struct tls_client *client, bool or_space);

#endif
