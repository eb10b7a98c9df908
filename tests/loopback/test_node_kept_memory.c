/* What requests that wait take: little each, whatever they came with, and nothing once they are
 * answered. bench/kept_requests.c is the same with 100,000 of them. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ground/base/chain.h"
#include "support/nodes.h"

enum {
    N_KEPT = 2000,
    N_HEADERS = 16, /* as many as from a browser, of 50 bytes each */
    BODY = 200,
    EACH_MAX = 4096, /* bytes */
    /* What is kept for the next requests: contexts and streams, and blocks of two pools. */
    SPARE_MAX = 256 * EACH_MAX + 2 * FE_POOL_KEEP * (FE_BLOCK_SIZE + 64),
    PATIENCE_MS = 60000,
};

/* ---- the requester, in a process of its own, so that its memory is not counted --------------- */

/* What a child has found wrong. */
enum verdict { ALL_RIGHT = 0, NOT_CONNECTED = 1, NOT_SENT, NOT_ANSWERED, WRONG_ANSWER };

static void expect(bool is_right, enum verdict verdict)
{
    if (!is_right) {
        _exit((int)verdict);
    }
}

static void push(struct flatend_node *node, struct flatend_queue *queue, unsigned number)
{
    static const char *const services[] = {"keep"};
    static const char body[BODY];
    struct flatend_header headers[1 + N_HEADERS];
    const struct flatend_request request = {.services = services,
                                            .n_services = 1,
                                            .headers = headers,
                                            .n_headers = 1 + N_HEADERS,
                                            .body = body,
                                            .body_len = sizeof(body),
                                            .queue = queue,
                                            .arg = (void *)(uintptr_t)number};
    struct flatend_stream *stream;
    char text[16];

    memset(headers, 0, sizeof(headers));
    for (unsigned i = 0; i < N_HEADERS; i++) {
        headers[i].name = "x-extra-header";
        headers[i].value = "a value of thirty-six bytes, or such";
        headers[i].value_len = strlen(headers[i].value);
    }
    (void)snprintf(text, sizeof(text), "%u", number);
    headers[N_HEADERS].name = "number";
    headers[N_HEADERS].value = text;
    headers[N_HEADERS].value_len = strlen(text);
    expect(flatend_push(node, &request, &stream, NULL) == 0, NOT_SENT);
}

/* Each is answered with its own number. */
static void compare(const struct flatend_event *event)
{
    const char *body;
    char text[16];
    size_t len;

    expect(event->type != FLATEND_EVENT_FAILED, NOT_ANSWERED);
    (void)snprintf(text, sizeof(text), "%u", (unsigned)(uintptr_t)event->arg);
    expect(flatend_stream_read_all(event->stream, sizeof(text), &body, &len) == 0 &&
               strcmp(body, text) == 0,
           WRONG_ANSWER);
    flatend_stream_close(event->stream);
}

static void request_all(const char *addr)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_queue *queue;
    struct flatend_node *node;
    struct flatend_event event;

    expect(flatend_queue_new(&queue) == 0 && flatend_node_new(&options, &node, NULL) == 0 &&
               flatend_node_start(node, &addr, 1, NULL) == 0,
           NOT_CONNECTED);
    for (unsigned i = 0; i < N_KEPT; i++) {
        push(node, queue, i);
    }
    for (unsigned n = 0; n < N_KEPT; n += event.type == FLATEND_EVENT_END) {
        expect(flatend_queue_take(queue, &event, 1, PATIENCE_MS) == 1, NOT_ANSWERED);
        if (event.type == FLATEND_EVENT_END || event.type == FLATEND_EVENT_FAILED) {
            compare(&event);
        }
    }
    flatend_node_free(node);
    flatend_queue_free(queue);
    _exit(ALL_RIGHT);
}

/* Begins when it is given an address. */
static pid_t start_requester(int *to)
{
    int ends[2];
    char addr[64];
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        expect(read(ends[0], addr, sizeof(addr)) == (ssize_t)sizeof(addr), NOT_CONNECTED);
        request_all(addr);
    }
    (void)close(ends[0]);
    *to = ends[1];
    return pid;
}

static int status_of(pid_t pid)
{
    int status = 0;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- the service ---------------------------------------------------------------------------- */

/* Of the sanitizers, which have their own malloc. */
extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t allocated(void)
{
    struct mallinfo2 info;

    if (__sanitizer_get_current_allocated_bytes != NULL) {
        return __sanitizer_get_current_allocated_bytes();
    }
    info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void take_all(struct flatend_queue *queue, struct flatend_context *kept[N_KEPT])
{
    struct flatend_event event;

    for (unsigned n = 0; n < N_KEPT; n++) {
        assert_int_equal(flatend_queue_take(queue, &event, 1, PATIENCE_MS), 1);
        assert_int_equal(event.type, FLATEND_EVENT_REQUEST);
        kept[n] = event.context;
    }
}

static void answer_all(struct flatend_context *const kept[N_KEPT])
{
    for (unsigned i = 0; i < N_KEPT; i++) {
        const char *number = flatend_context_header(kept[i], "number");

        assert_non_null(number);
        assert_int_equal(flatend_context_write(kept[i], number, strlen(number)), 0);
        assert_int_equal(flatend_context_finish(kept[i]), 0);
    }
}

static void kept_requests_take_little_memory(void **state)
{
    static struct flatend_context *kept[N_KEPT];
    struct flatend_queue *queue;
    struct flatend_node *server;
    char addr[64] = {0};
    size_t before;
    int to;
    pid_t pid = start_requester(&to); /* before there are threads */

    (void)state;
    assert_int_equal(flatend_queue_new(&queue), 0);
    {
        const struct flatend_service service = {.name = "keep", .queue = queue};

        server = nodes_listen(&service, 1, addr);
    }
    before = allocated();
    assert_int_equal(write(to, addr, sizeof(addr)), (ssize_t)sizeof(addr));
    take_all(queue, kept);
    assert_in_range(allocated(), before, before + (size_t)N_KEPT * EACH_MAX);
    answer_all(kept);
    assert_int_equal(status_of(pid), ALL_RIGHT);
    assert_in_range(allocated(), 0, before + SPARE_MAX);
    (void)close(to);
    flatend_node_free(server);
    flatend_queue_free(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_requests_take_little_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
