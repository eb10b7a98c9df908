/* A blocking HTTP/2 client in clear text: one GET at a time. */
#ifndef TESTS_SUPPORT_H2_CLIENT_H
#define TESTS_SUPPORT_H2_CLIENT_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stdint.h>

struct h2_client {
    int fd;
    nghttp2_session *session;
    int status; /* of the last answer; 0: none */
    char body[64];
    size_t n_body;
    bool is_over;  /* the stream is closed */
    uint32_t code; /* with this */
};

/* Connects to 127.0.0.1. Whatever takes longer than 20 seconds fails the test. */
void h2_client_open(struct h2_client *client, uint16_t port);
void h2_client_close(struct h2_client *client);

/* Sends a request; waits for its answer. */
void h2_client_send(struct h2_client *client, const char *path);
void h2_client_receive(struct h2_client *client);

#endif
