#include "support/http_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_S = 20, READ_SIZE = 65536, SMALL_BUFFER = 4096 };

static void open_with(struct http_client *client, uint16_t port, int buffer)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};

    *client = (struct http_client){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_true(client->fd >= 0);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)),
                     0);
    assert_int_equal(setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)),
                     0);
    if (buffer > 0) {
        assert_int_equal(setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer)), 0);
    }
    assert_int_equal(connect(client->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
}

void http_open(struct http_client *client, uint16_t port)
{
    open_with(client, port, 0);
}

void http_open_slow(struct http_client *client, uint16_t port)
{
    open_with(client, port, SMALL_BUFFER);
}

void http_abort(struct http_client *client)
{
    const struct linger reset = {.l_onoff = 1};

    assert_int_equal(setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    http_close(client);
}

void http_close(struct http_client *client)
{
    close(client->fd);
    free(client->held);
}

void http_send(struct http_client *client, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        ssize_t n = send(client->fd, at, len, MSG_NOSIGNAL);

        assert_true(n > 0);
        at += n;
        len -= (size_t)n;
    }
}

void http_send_text(struct http_client *client, const char *text)
{
    http_send(client, text, strlen(text));
}

/* Receives more; false at the end of the connection, whichever way it ended. */
static bool receive_more(struct http_client *client)
{
    char *held = realloc(client->held, client->n_held + READ_SIZE + 1);
    ssize_t n;

    assert_non_null(held);
    client->held = held;
    n = recv(client->fd, held + client->n_held, READ_SIZE, 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        fail_msg("nothing came for %d s", PATIENCE_S);
    }
    client->n_held += n > 0 ? (size_t)n : 0;
    client->held[client->n_held] = '\0';
    return n > 0;
}

static void drop(struct http_client *client, size_t n)
{
    client->n_held -= n;
    memmove(client->held, client->held + n, client->n_held + 1);
}

/* What is held up to and with `mark`; 0: the connection ended before it came. */
static size_t find(struct http_client *client, const char *mark)
{
    const char *found;

    while (client->n_held == 0 || (found = strstr(client->held, mark)) == NULL) {
        if (!receive_more(client)) {
            return 0;
        }
    }
    return (size_t)(found - client->held) + strlen(mark);
}

static void append(struct http_answer *answer, const char *data, size_t len)
{
    if (answer->body_cap - answer->body_len <= len) {
        answer->body_cap = 2 * answer->body_cap + len + 1;
        answer->body = realloc(answer->body, answer->body_cap);
        assert_non_null(answer->body);
    }
    if (len > 0) {
        memcpy(answer->body + answer->body_len, data, len);
    }
    answer->body_len += len;
    answer->body[answer->body_len] = '\0';
}

/* Moves `n` bytes to the body; false: the connection ended before they came. */
static bool take(struct http_client *client, struct http_answer *answer, size_t n)
{
    append(answer, NULL, 0);
    while (n > 0) {
        size_t got = client->n_held < n ? client->n_held : n;

        if (got == 0 && !receive_more(client)) {
            return false;
        }
        if (got > 0) {
            append(answer, client->held, got);
            drop(client, got);
            n -= got;
        }
    }
    return true;
}

static bool receive_chunks(struct http_client *client, struct http_answer *answer)
{
    for (;;) {
        size_t line = find(client, "\r\n");
        size_t size;

        if (line == 0) {
            return false;
        }
        size = strtoul(client->held, NULL, 16);
        drop(client, line);
        if (!take(client, answer, size) || find(client, "\r\n") == 0) {
            return false;
        }
        assert_memory_equal(client->held, "\r\n", 2);
        drop(client, 2);
        if (size == 0) {
            return true;
        }
    }
}

void http_receive(struct http_client *client, bool to_head, struct http_answer *answer)
{
    size_t head = find(client, "\r\n\r\n");
    const char *length;

    *answer = (struct http_answer){.status = 0};
    append(answer, NULL, 0);
    while (head > 9 && client->held[9] == '1') {
        drop(client, head);
        head = find(client, "\r\n\r\n");
    }
    if (head == 0) {
        return;
    }
    assert_true(head < sizeof(answer->head));
    memcpy(answer->head, client->held, head);
    drop(client, head);
    assert_memory_equal(answer->head, "HTTP/1.1 ", 9);
    answer->status = (int)strtol(answer->head + 9, NULL, 10);
    length = strstr(answer->head, "\r\ncontent-length: ");
    if (to_head || answer->status == 204 || answer->status == 304) {
        answer->is_whole = true;
    } else if (strstr(answer->head, "\r\ntransfer-encoding: chunked\r\n") != NULL) {
        answer->is_whole = receive_chunks(client, answer);
    } else {
        assert_non_null(length);
        answer->is_whole = take(client, answer, strtoul(length + 18, NULL, 10));
    }
}

void http_answer_deinit(struct http_answer *answer)
{
    free(answer->body);
}

bool http_is_closed(struct http_client *client)
{
    return client->n_held == 0 && !receive_more(client);
}

void http_ask(uint16_t port, const char *request, struct http_answer *answer)
{
    struct http_client client;

    http_open(&client, port);
    http_send_text(&client, request);
    http_receive(&client, strncmp(request, "HEAD ", 5) == 0, answer);
    http_close(&client);
}

void http_check(uint16_t port, const char *request, int status, const char *body, const char *file,
                int line)
{
    struct http_answer answer;
    bool is_expected;

    http_ask(port, request, &answer);
    is_expected = answer.status == status && answer.is_whole &&
                  (body == NULL || strcmp(answer.body, body) == 0);
    if (!is_expected) {
        print_error("%s\nexpected: %d %s\nanswered: %d %s%s\n", request, status,
                    body != NULL ? body : "", answer.status, answer.body,
                    answer.is_whole ? "" : " (cut)");
    }
    http_answer_deinit(&answer);
    if (!is_expected) {
        _fail(file, line);
    }
}
