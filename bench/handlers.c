/* The same services by handlers of every kind; bench/handlers.mjs loads them.
 *
 *     handlers ADDRESS     a node to join the mesh by
 *
 *     inline, pooled, kept, queued,    "Hello world!"; kept: by a thread that the handler hands the
 *     callback                         request to; queued: without a handler, taken by a thread;
 *                                      callback: without a handler, on the node's thread
 *     source                           as many bytes as the query's `n` says, on the pool
 *     sink                             reads what comes, on the pool, and says how much it was
 *     source_lent, sink_lent           the same without copying
 *     turns                            each byte of the request comes back at once, on the pool
 */
#include <flatend.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 64, PIECE = 64 * 1024 };

static void say_hello(struct flatend_context *ctx)
{
    flatend_context_set_header(ctx, "content-type", "text/plain; charset=utf-8");
    flatend_context_write(ctx, "Hello world!", 12);
}

static void hello(struct flatend_context *ctx, void *arg)
{
    (void)arg;
    say_hello(ctx);
}

/* ---- kept, and answered by another thread ---- */

struct kept {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct flatend_context *waiting[65536];
    size_t n;
};

static void keep(struct flatend_context *ctx, void *arg)
{
    struct kept *kept = arg;
    bool was_empty;

    if (flatend_context_keep(ctx, NULL, NULL) != 0) {
        return;
    }
    pthread_mutex_lock(&kept->lock);
    was_empty = kept->n == 0;
    kept->waiting[kept->n++] = ctx; /* fewer than a peer may have open */
    pthread_mutex_unlock(&kept->lock);
    if (was_empty) {
        pthread_cond_signal(&kept->changed);
    }
}

static void *answer_kept(void *arg)
{
    struct kept *kept = arg;
    static struct flatend_context *batch[sizeof(kept->waiting) / sizeof(kept->waiting[0])];

    for (;;) {
        size_t n;

        pthread_mutex_lock(&kept->lock);
        while (kept->n == 0) {
            pthread_cond_wait(&kept->changed, &kept->lock);
        }
        n = kept->n;
        memcpy(batch, kept->waiting, n * sizeof(batch[0]));
        kept->n = 0;
        pthread_mutex_unlock(&kept->lock);
        for (size_t i = 0; i < n; i++) {
            say_hello(batch[i]);
            flatend_context_finish(batch[i]);
        }
    }
    return NULL;
}

static void *answer_queued(void *arg)
{
    struct flatend_queue *queue = arg;
    struct flatend_event events[BATCH];
    ssize_t n;

    while ((n = flatend_queue_take(queue, events, BATCH, -1)) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            if (events[i].type == FLATEND_EVENT_REQUEST) {
                say_hello(events[i].context);
                flatend_context_finish(events[i].context);
            }
        }
    }
    return NULL;
}

static void answer_event(void *arg, const struct flatend_event *event)
{
    (void)arg;
    if (event->type == FLATEND_EVENT_REQUEST) {
        say_hello(event->context);
        flatend_context_finish(event->context);
    }
}

/* ---- bodies ---- */

static void source(struct flatend_context *ctx, void *arg)
{
    static const char bytes[PIECE];
    const char *text = flatend_context_header(ctx, "query.n");
    unsigned long long left = text != NULL ? strtoull(text, NULL, 10) : 0;

    (void)arg;
    while (left > 0) {
        size_t n = left < PIECE ? (size_t)left : PIECE;

        if (flatend_context_write(ctx, bytes, n) != 0) {
            return;
        }
        left -= n;
    }
}

static void sink(struct flatend_context *ctx, void *arg)
{
    static _Thread_local char buf[PIECE];
    unsigned long long n_read = 0;
    ssize_t n;

    (void)arg;
    while ((n = flatend_context_read(ctx, buf, sizeof(buf))) > 0) {
        n_read += (unsigned long long)n;
    }
    flatend_context_printf(ctx, "%llu", n_read);
}

/* The same without copying. */
static void source_lent(struct flatend_context *ctx, void *arg)
{
    static const char bytes[PIECE];
    const char *text = flatend_context_header(ctx, "query.n");
    unsigned long long left = text != NULL ? strtoull(text, NULL, 10) : 0;

    (void)arg;
    while (left > 0) {
        size_t n = left < PIECE ? (size_t)left : PIECE;

        if (flatend_context_write_buffer(ctx, bytes, n, NULL, NULL) != 0) {
            return;
        }
        left -= n;
    }
}

static void sink_lent(struct flatend_context *ctx, void *arg)
{
    unsigned long long n_read = 0;
    struct flatend_buffer *buffer;
    const void *data;
    ssize_t n;

    (void)arg;
    while ((n = flatend_context_read_buffer(ctx, &data, &buffer)) > 0) {
        n_read += (unsigned long long)n;
        flatend_buffer_release(buffer);
    }
    flatend_context_printf(ctx, "%llu", n_read);
}

static void turns(struct flatend_context *ctx, void *arg)
{
    char byte;

    (void)arg;
    while (flatend_context_read(ctx, &byte, 1) == 1 && flatend_context_write(ctx, &byte, 1) == 0) {
    }
}

int main(int argc, char **argv)
{
    static struct kept kept = {.lock = PTHREAD_MUTEX_INITIALIZER,
                               .changed = PTHREAD_COND_INITIALIZER};
    struct flatend_queue *queue;
    struct flatend_queue *callback;
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    const char *const addrs[] = {argc > 1 ? argv[1] : "127.0.0.1:9000"};
    struct flatend_error error;
    struct flatend_node *node;
    pthread_t threads[2];

    if (flatend_queue_new(&queue) != 0 ||
        flatend_queue_new_callback(answer_event, NULL, &callback) != 0) {
        return 1;
    }
    {
        const struct flatend_service services[] = {
            {.name = "inline", .handler = hello, .flags = FLATEND_SERVICE_INLINE},
            {.name = "pooled", .handler = hello},
            {.name = "kept", .handler = keep, .arg = &kept, .flags = FLATEND_SERVICE_INLINE},
            {.name = "queued", .queue = queue},
            {.name = "callback", .queue = callback},
            {.name = "source", .handler = source},
            {.name = "source_lent", .handler = source_lent},
            {.name = "sink", .handler = sink},
            {.name = "sink_lent", .handler = sink_lent},
            {.name = "turns", .handler = turns, .flags = FLATEND_SERVICE_STREAMING},
        };

        options.services = services;
        options.n_services = sizeof(services) / sizeof(services[0]);
        options.log = flatend_log_stderr;
        options.handler_threads = 4096;
        if (flatend_node_new(&options, &node, &error) != 0) {
            fprintf(stderr, "%s\n", error.text);
            return 1;
        }
    }
    if (pthread_create(&threads[0], NULL, answer_kept, &kept) != 0 ||
        pthread_create(&threads[1], NULL, answer_queued, queue) != 0) {
        return 1;
    }
    if (flatend_node_start(node, addrs, 1, &error) != 0) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    flatend_node_wait(node);
    flatend_node_free(node);
    return 0; /* the two threads end with the process */
}
