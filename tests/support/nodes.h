/* Nodes on loopback, for tests of flatend.h. */
#ifndef TESTS_SUPPORT_NODES_H
#define TESTS_SUPPORT_NODES_H

#include <flatend.h>
#include <pthread.h>

/* What a node has logged, to wait for. */
struct journal {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char text[65536]; /* lines, each with a newline */
    size_t len;
};

void journal_init(struct journal *journal);
void journal_deinit(struct journal *journal);

/* A flatend_log_fn. */
void journal_log(void *journal, enum flatend_log_level level, const char *line);

/* Waits until a line that contains `part` stands behind the first `from` bytes; returns the offset
 * behind it. Fails the test after 20 seconds. */
size_t journal_wait(struct journal *journal, size_t from, const char *part);

/* A node with an identity on a free port of 127.0.0.1, started; its address goes to `addr`. It does
 * not ask whether its peers are there: on a machine that is busy they may not answer in time. */
struct flatend_node *nodes_listen(const struct flatend_service *services, size_t n_services,
                                  char addr[64]);

/* The same with more options: those of FLATEND_OPTIONS_INIT, changed. The key is made here. */
struct flatend_node *nodes_listen_with(struct flatend_options *options, const char *bind_addr,
                                       char addr[64]);

/* An anonymous node, connected to `addr`, which does not ask either. */
struct flatend_node *nodes_join(const struct flatend_service *services, size_t n_services,
                                const char *addr);

/* Handlers: the request's body, as it comes; "Hello world!". */
void nodes_echo(struct flatend_context *ctx, void *arg);
void nodes_hello(struct flatend_context *ctx, void *arg);

struct nodes_answer {
    struct flatend_stream *stream;
    int status;
    const char *text;
    size_t len;
};

/* Calls `service` with a whole body and no headers, and reads the whole answer. Returns 0 or the
 * code of the step that failed. The text lives as long as the stream, which the caller closes. */
int nodes_call(struct flatend_node *node, const char *service, const void *body, size_t body_len,
               struct nodes_answer *answer);

#endif
