/* Bodies that are not copied: received bytes by reference, and written ones that are handed over.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/calls.h"
#include "support/counting.h"
#include "support/latch.h"
#include "support/nodes.h"

enum {
    PIECE = 1024 * 1024, /* more than any buffer on the way */
    N_PIECES = 8,
    BIG = N_PIECES * PIECE,
    N_EVENTS = 16,
    PATIENCE_MS = 20000,
};

/* Bytes that are lent piece by piece; each piece is given back once. */
struct lender {
    uint8_t *bytes;
    struct latch released;
};

static void lender_init(struct lender *lender)
{
    lender->bytes = malloc(BIG);
    assert_non_null(lender->bytes);
    counting_fill(lender->bytes, BIG, 0);
    latch_init(&lender->released);
}

static void lender_deinit(struct lender *lender)
{
    latch_deinit(&lender->released);
    free(lender->bytes);
}

static void release(void *arg)
{
    struct lender *lender = arg;

    latch_count(&lender->released);
}

static struct flatend_event next(struct flatend_queue *queue)
{
    struct flatend_event event;

    assert_int_equal(flatend_queue_take(queue, &event, 1, PATIENCE_MS), 1);
    return event;
}

static struct flatend_stream *push(struct flatend_node *node, const char *name,
                                   struct flatend_queue *queue)
{
    const struct flatend_request request = {.services = &name, .n_services = 1, .queue = queue};
    struct flatend_stream *stream;

    assert_int_equal(flatend_push(node, &request, &stream, NULL), 0);
    return stream;
}

/* ---- writing -------------------------------------------------------------------------------- */

/* Takes part in each way in which a handler may write. */
static void lend_all(struct flatend_context *ctx, void *arg)
{
    struct lender *lender = arg;

    for (size_t i = 0; i < N_PIECES; i++) {
        assert_int_equal(
            flatend_context_write_buffer(ctx, lender->bytes + i * PIECE, PIECE, release, lender),
            0);
    }
}

static void lend_kept(struct flatend_context *ctx, void *arg)
{
    struct lender *lender = arg;
    struct flatend_queue *queue;

    assert_int_equal(flatend_queue_new(&queue), 0);
    assert_int_equal(flatend_context_keep(ctx, queue, NULL), 0);
    for (size_t i = 0; i < N_PIECES; i++) {
        int code;

        while ((code = flatend_context_write_buffer(ctx, lender->bytes + i * PIECE, PIECE, release,
                                                    lender)) == FLATEND_EAGAIN) {
            assert_int_equal(next(queue).type, FLATEND_EVENT_WRITABLE);
        }
        assert_int_equal(code, 0);
    }
    assert_int_equal(flatend_context_finish(ctx), 0);
    flatend_queue_free(queue);
}

static void lend_inline(struct flatend_context *ctx, void *arg)
{
    struct lender *lender = arg;

    assert_int_equal(flatend_context_write_buffer(ctx, lender->bytes, PIECE / 2, release, lender),
                     0);
    assert_int_equal(flatend_context_write_buffer(ctx, lender->bytes, PIECE, release, lender),
                     FLATEND_ETOOBIG);
    assert_int_equal(
        flatend_context_write_buffer(ctx, lender->bytes + PIECE / 2, 10, release, lender), 0);
}

static void expect_bytes(struct flatend_stream *stream, size_t len)
{
    const char *data;
    size_t n;

    assert_int_equal(flatend_stream_read_all(stream, BIG, &data, &n), 0);
    assert_int_equal(n, len);
    assert_true(counting_continues(fe_view_of(data, n), 0));
    flatend_stream_close(stream);
}

static void what_is_lent_is_given_back_when_it_was_sent(void **state)
{
    static const struct {
        flatend_handler handler;
        unsigned flags;
        size_t len;
        int n_pieces;
    } cases[] = {
        {lend_all, 0, BIG, N_PIECES},
        {lend_kept, 0, BIG, N_PIECES},
        {lend_inline, FLATEND_SERVICE_INLINE, PIECE / 2 + 10, 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lender lender;
        const struct flatend_service service = {
            .name = "lend", .handler = cases[i].handler, .arg = &lender, .flags = cases[i].flags};
        struct flatend_node *server;
        struct flatend_node *client;
        char addr[64];

        lender_init(&lender);
        server = nodes_listen(&service, 1, addr);
        client = nodes_join(NULL, 0, addr);
        expect_bytes(calls_push(client, "lend", "", NULL, NULL), cases[i].len);
        latch_wait(&lender.released, cases[i].n_pieces);
        flatend_node_free(client);
        flatend_node_free(server);
        assert_int_equal(lender.released.n, cases[i].n_pieces);
        lender_deinit(&lender);
    }
}

/* The requester has gone, or the node: nothing of it is sent, all of it is given back. */
static void what_is_not_sent_is_given_back_too(void **state)
{
    struct flatend_queue *queue;
    struct lender lender;
    struct flatend_node *server;
    struct flatend_node *client;
    char addr[64];

    (void)state;
    assert_int_equal(flatend_queue_new(&queue), 0);
    lender_init(&lender);
    {
        const struct flatend_service service = {.name = "lend", .queue = queue};

        server = nodes_listen(&service, 1, addr);
    }
    client = nodes_join(NULL, 0, addr);
    for (int round = 0; round < 2; round++) {
        const char *name = "lend";
        const struct flatend_request request = {.services = &name, .n_services = 1, .body = ""};
        struct flatend_stream *stream;
        struct flatend_event event;

        assert_int_equal(flatend_push(client, &request, &stream, NULL), 0);
        event = next(queue);
        assert_int_equal(event.type, FLATEND_EVENT_REQUEST);
        assert_int_equal(
            flatend_context_write_buffer(event.context, lender.bytes, BIG, release, &lender), 0);
        assert_int_equal(
            flatend_context_write_buffer(event.context, lender.bytes, BIG, release, &lender),
            FLATEND_EAGAIN);
        if (round == 0) {
            flatend_stream_close(stream);
            do {
                event = next(queue);
            } while (event.type == FLATEND_EVENT_WRITABLE);
            assert_int_equal(event.type, FLATEND_EVENT_CANCELED);
            assert_true(flatend_context_write_buffer(event.context, lender.bytes, BIG, release,
                                                     &lender) < 0);
            (void)flatend_context_finish(event.context);
            latch_wait(&lender.released, 1);
        } else {
            flatend_node_free(server); /* and the request, which is never finished, with it */
            flatend_stream_close(stream);
        }
    }
    assert_int_equal(lender.released.n, 2);
    flatend_node_free(client);
    flatend_queue_free(queue);
    lender_deinit(&lender);
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Sends back what comes, in the memory in which it came. */
static void release_buffer(void *arg)
{
    flatend_buffer_release(arg);
}

static void reflect(struct flatend_context *ctx, void *arg)
{
    struct flatend_buffer *buffer;
    const void *data;
    ssize_t n;

    (void)arg;
    while ((n = flatend_context_read_buffer(ctx, &data, &buffer)) > 0) {
        assert_int_equal(flatend_context_write_buffer(ctx, data, (size_t)n, release_buffer, buffer),
                         0);
    }
    assert_int_equal(n, 0);
    assert_null(buffer);
    assert_null(data);
}

struct upload {
    struct flatend_stream *stream;
    struct lender lender;
};

static void *send_up(void *arg)
{
    struct upload *upload = arg;

    for (size_t i = 0; i < N_PIECES; i++) {
        assert_int_equal(flatend_stream_write_buffer(upload->stream,
                                                     upload->lender.bytes + i * PIECE, PIECE,
                                                     release, &upload->lender),
                         0);
    }
    assert_int_equal(flatend_stream_write_buffer(upload->stream, NULL, 0, release, &upload->lender),
                     0);
    assert_int_equal(flatend_stream_finish(upload->stream), 0);
    assert_int_equal(flatend_stream_write_buffer(upload->stream, upload->lender.bytes, PIECE,
                                                 release, &upload->lender),
                     FLATEND_ESTATE);
    return NULL;
}

static void bytes_go_there_and_back_without_a_copy(void **state)
{
    const struct flatend_service service = {.name = "reflect", .handler = reflect};
    struct upload upload;
    struct flatend_buffer *buffer;
    struct flatend_node *server;
    struct flatend_node *client;
    pthread_t thread;
    const void *data;
    size_t n_read = 0;
    ssize_t n;
    char addr[64];

    (void)state;
    server = nodes_listen(&service, 1, addr);
    client = nodes_join(NULL, 0, addr);
    lender_init(&upload.lender);
    upload.stream = push(client, "reflect", NULL);
    assert_int_equal(pthread_create(&thread, NULL, send_up, &upload), 0);
    while ((n = flatend_stream_read_buffer(upload.stream, &data, &buffer)) > 0) {
        assert_true(counting_continues(fe_view_of(data, (size_t)n), n_read));
        n_read += (size_t)n;
        flatend_buffer_release(buffer);
    }
    assert_int_equal(n, 0);
    assert_int_equal(n_read, BIG);
    assert_int_equal(pthread_join(thread, NULL), 0);
    latch_wait(&upload.lender.released, N_PIECES + 1);
    flatend_stream_close(upload.stream);
    flatend_node_free(client);
    flatend_node_free(server);
    lender_deinit(&upload.lender);
}

/* A call whose owner does not wait, and buffers that are there longer than all else. */
static void a_buffer_outlives_its_node(void **state)
{
    const struct flatend_service service = {.name = "echo", .handler = nodes_echo};
    struct flatend_buffer *buffers[2] = {NULL, NULL};
    const void *data[2];
    struct flatend_queue *queue;
    struct flatend_node *server;
    struct flatend_node *client;
    struct flatend_stream *stream;
    char addr[64];

    (void)state;
    assert_int_equal(flatend_queue_new(&queue), 0);
    server = nodes_listen(&service, 1, addr);
    client = nodes_join(NULL, 0, addr);
    stream = push(client, "echo", queue);
    for (int i = 0; i < 2; i++) {
        ssize_t n;

        assert_int_equal(flatend_stream_write_buffer(stream, i == 0 ? "one" : "two", 3, NULL, NULL),
                         0);
        while ((n = flatend_stream_read_buffer(stream, &data[i], &buffers[i])) == FLATEND_EAGAIN) {
            struct flatend_event event;

            do {
                event = next(queue);
            } while (event.type != FLATEND_EVENT_READABLE);
        }
        assert_int_equal(n, 3);
    }
    flatend_stream_close(stream);
    flatend_node_free(client);
    flatend_node_free(server);
    flatend_queue_free(queue);
    assert_memory_equal(data[0], "one", 3);
    assert_memory_equal(data[1], "two", 3);
    flatend_buffer_release(buffers[0]);
    flatend_buffer_release(buffers[1]);
    flatend_buffer_release(NULL);
}

/* ---- wrong calls ---------------------------------------------------------------------------- */

static void misuse(struct flatend_context *ctx, void *arg)
{
    struct lender *lender = arg;
    struct flatend_buffer *buffer;
    const void *data;

    assert_int_equal(flatend_context_read_buffer(ctx, NULL, &buffer), FLATEND_EINVAL);
    assert_int_equal(flatend_context_read_buffer(ctx, &data, NULL), FLATEND_EINVAL);
    assert_int_equal(flatend_context_write_buffer(ctx, NULL, 1, release, lender), FLATEND_EINVAL);
    assert_int_equal(flatend_context_fail(ctx, 500, "no"), 0);
    assert_int_equal(flatend_context_write_buffer(ctx, "x", 1, release, lender), FLATEND_ESTATE);
}

static void wrong_calls_are_told(void **state)
{
    struct lender lender;
    const struct flatend_service service = {.name = "misuse", .handler = misuse, .arg = &lender};
    struct flatend_buffer *buffer;
    const void *data;
    struct nodes_answer answer;
    struct flatend_node *server;
    char addr[64];

    (void)state;
    lender_init(&lender);
    server = nodes_listen(&service, 1, addr);
    assert_int_equal(nodes_call(server, "misuse", "", 0, &answer), 0);
    assert_int_equal(answer.status, 500);
    flatend_stream_close(answer.stream);
    assert_int_equal(flatend_context_read_buffer(NULL, &data, &buffer), FLATEND_EINVAL);
    assert_int_equal(flatend_stream_read_buffer(NULL, &data, &buffer), FLATEND_EINVAL);
    assert_int_equal(flatend_context_write_buffer(NULL, "x", 1, release, &lender), FLATEND_EINVAL);
    assert_int_equal(flatend_stream_write_buffer(NULL, "x", 1, release, &lender), FLATEND_EINVAL);
    flatend_node_free(server);
    assert_int_equal(lender.released.n, 0);
    lender_deinit(&lender);
}

/* To a service of the same node, which gets it in large pieces, and does not look at it. */
static void answer_unread(struct flatend_context *ctx, void *arg)
{
    (void)arg;
    assert_int_equal(flatend_context_write(ctx, "ok", 2), 0);
}

static void what_is_lent_waits_as_all_does(void **state)
{
    const struct flatend_service services[] = {{.name = "unread", .handler = answer_unread},
                                               {.name = "echo", .handler = nodes_echo}};
    struct flatend_stream *stream;
    struct flatend_node *node;
    struct lender lender;
    const char *answer;
    char addr[64];
    size_t len;

    (void)state;
    lender_init(&lender);
    node = nodes_listen(services, 2, addr);
    stream = push(node, "unread", NULL);
    assert_int_equal(flatend_stream_write_buffer(stream, lender.bytes, BIG, release, &lender), 0);
    assert_string_equal(calls_read(stream), "ok");
    flatend_stream_close(stream);
    stream = push(node, "echo", NULL);
    assert_int_equal(flatend_stream_write_buffer(stream, lender.bytes, BIG, release, &lender), 0);
    assert_int_equal(flatend_stream_finish(stream), 0);
    assert_int_equal(flatend_stream_read_all(stream, BIG, &answer, &len), 0);
    assert_int_equal(len, BIG);
    assert_memory_equal(answer, lender.bytes, BIG);
    flatend_stream_close(stream);
    flatend_node_free(node);
    latch_wait(&lender.released, 2);
    lender_deinit(&lender);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_lent_waits_as_all_does),
        cmocka_unit_test(what_is_lent_is_given_back_when_it_was_sent),
        cmocka_unit_test(what_is_not_sent_is_given_back_too),
        cmocka_unit_test(bytes_go_there_and_back_without_a_copy),
        cmocka_unit_test(a_buffer_outlives_its_node),
        cmocka_unit_test(wrong_calls_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
