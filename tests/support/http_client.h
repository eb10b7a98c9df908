/* A blocking HTTP/1.1 client that sends what it is told and reads answers strictly. */
#ifndef TESTS_SUPPORT_HTTP_CLIENT_H
#define TESTS_SUPPORT_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HTTP_HEAD_MAX = 8192 };

struct http_client {
    int fd;
    char *held; /* received and not looked at */
    size_t n_held;
};

struct http_answer {
    int status; /* 0: the connection ended before a head */
    char head[HTTP_HEAD_MAX];
    char *body; /* NUL-terminated */
    size_t body_len;
    size_t body_cap;
    bool is_whole; /* false: the connection ended before the body did */
};

/* Connects to 127.0.0.1. Whatever takes longer than 20 seconds fails the test. */
void http_open(struct http_client *client, uint16_t port);

/* The same with a small receive buffer, for a client that does not keep up. */
void http_open_slow(struct http_client *client, uint16_t port);
void http_close(struct http_client *client);

/* Closes it with a reset: it does not want the rest. */
void http_abort(struct http_client *client);

void http_send(struct http_client *client, const void *data, size_t len);
void http_send_text(struct http_client *client, const char *text);

/* Reads one answer, behind interim ones; `to_head`: one without a body. To be freed with
 * http_answer_deinit. */
void http_receive(struct http_client *client, bool to_head, struct http_answer *answer);
void http_answer_deinit(struct http_answer *answer);

/* Waits until the other side has ended the connection; false: there was something to read. */
bool http_is_closed(struct http_client *client);

/* One request on a connection of its own. */
void http_ask(uint16_t port, const char *request, struct http_answer *answer);

/* The same, and checks status and body; NULL: any body. */
#define http_expect(port, request, status, body)                                                   \
    http_check((port), (request), (status), (body), __FILE__, __LINE__)
void http_check(uint16_t port, const char *request, int status, const char *body, const char *file,
                int line);

#endif
