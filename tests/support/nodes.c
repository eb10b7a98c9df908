#include "support/nodes.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { PATIENCE_S = 20, ANSWER_MAX = 64 * 1024 * 1024 };

void journal_init(struct journal *journal)
{
    assert_int_equal(pthread_mutex_init(&journal->lock, NULL), 0);
    assert_int_equal(pthread_cond_init(&journal->changed, NULL), 0);
    journal->len = 0;
    journal->text[0] = '\0';
}

void journal_deinit(struct journal *journal)
{
    pthread_cond_destroy(&journal->changed);
    pthread_mutex_destroy(&journal->lock);
}

void journal_log(void *arg, enum flatend_log_level level, const char *line)
{
    struct journal *journal = arg;
    size_t len = strlen(line);

    (void)level;
    pthread_mutex_lock(&journal->lock);
    if (len + 2 <= sizeof(journal->text) - journal->len) {
        memcpy(journal->text + journal->len, line, len);
        memcpy(journal->text + journal->len + len, "\n", 2);
        journal->len += len + 1;
    }
    pthread_cond_broadcast(&journal->changed);
    pthread_mutex_unlock(&journal->lock);
}

size_t journal_wait(struct journal *journal, size_t from, const char *part)
{
    struct timespec deadline;
    const char *found;
    size_t end = 0;
    int code = 0;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&journal->lock);
    while ((found = strstr(journal->text + from, part)) == NULL && code != ETIMEDOUT) {
        code = pthread_cond_timedwait(&journal->changed, &journal->lock, &deadline);
    }
    if (found != NULL) {
        end = (size_t)(strchr(found, '\n') + 1 - journal->text);
    } else {
        print_error("no '%s' in:\n%s", part, journal->text);
    }
    pthread_mutex_unlock(&journal->lock);
    assert_true(end > 0);
    return end;
}

static struct flatend_node *start(const struct flatend_options *options, const char *addr)
{
    struct flatend_error error = {0};
    struct flatend_node *node;

    if (flatend_node_new(options, &node, &error) != 0 ||
        flatend_node_start(node, &addr, addr != NULL ? 1 : 0, &error) != 0) {
        fail_msg("%s", error.text);
    }
    return node;
}

struct flatend_node *nodes_listen_with(struct flatend_options *options, const char *bind_addr,
                                       char addr[64])
{
    struct flatend_secret_key key;
    struct flatend_node *node;

    assert_int_equal(flatend_secret_key_generate(&key), 0);
    options->secret_key = &key;
    options->bind_addrs = &bind_addr;
    options->n_bind_addrs = 1;
    node = start(options, NULL);
    assert_int_equal(flatend_node_listen_addr(node, 0, addr, 64), 0);
    return node;
}

struct flatend_node *nodes_listen(const struct flatend_service *services, size_t n_services,
                                  char addr[64])
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;

    options.services = services;
    options.n_services = n_services;
    options.dead_after_ms = 0;
    return nodes_listen_with(&options, "127.0.0.1:0", addr);
}

struct flatend_node *nodes_join(const struct flatend_service *services, size_t n_services,
                                const char *addr)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;

    options.services = services;
    options.n_services = n_services;
    options.dead_after_ms = 0;
    return start(&options, addr);
}

int nodes_call(struct flatend_node *node, const char *service, const void *body, size_t body_len,
               struct nodes_answer *answer)
{
    struct flatend_request request = {
        .services = &service,
        .n_services = 1,
        .body = body != NULL ? body : "",
        .body_len = body_len,
    };
    int code;

    *answer = (struct nodes_answer){.text = ""};
    code = flatend_push(node, &request, &answer->stream, NULL);
    if (code == 0) {
        code = flatend_stream_response(answer->stream, &answer->status, NULL, NULL);
    }
    if (code == 0) {
        code = flatend_stream_read_all(answer->stream, ANSWER_MAX, &answer->text, &answer->len);
    }
    return code;
}

void nodes_echo(struct flatend_context *ctx, void *arg)
{
    char buf[16384];
    ssize_t n;

    (void)arg;
    while ((n = flatend_context_read(ctx, buf, sizeof(buf))) > 0) {
        if (flatend_context_write(ctx, buf, (size_t)n) != 0) {
            return;
        }
    }
}

void nodes_hello(struct flatend_context *ctx, void *arg)
{
    (void)arg;
    flatend_context_write(ctx, "Hello world!", 12);
}
