/* Turns over one stream, a byte each way: how long one takes. bench/handlers.mjs runs it.
 *
 *     turns [N [KIND]]     20,000 turns with a handler on the `pool`, or a request that a thread in
 *                          flatend_queue_take has (`queue`)
 *
 * Prints the median and the 99th percentile in microseconds. The service is a process of its own.
 * With -DTURNS_BEFORE it can be built with libraries that have neither queues nor
 * FLATEND_SERVICE_STREAMING. */
#include <flatend.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ADDR_MAX = 120, WARM_UP = 1000, BATCH = 16 };

static void check(const char *what, int code)
{
    if (code < 0) {
        fprintf(stderr, "turns: %s: %s\n", what, flatend_strerror(code));
        exit(1);
    }
}

/* ---- the service ---------------------------------------------------------------------------- */

static void take_turns(struct flatend_context *ctx, void *arg)
{
    char byte;

    (void)arg;
    while (flatend_context_read(ctx, &byte, 1) == 1 && flatend_context_write(ctx, &byte, 1) == 0) {
    }
}

#ifdef TURNS_BEFORE
static struct flatend_service service_of(const char *kind)
{
    (void)kind;
    return (struct flatend_service){.name = "turns", .handler = take_turns};
}
#else
/* Every byte there is; the event for the next follows. */
static void answer(struct flatend_context *ctx)
{
    ssize_t n;
    char byte;

    while ((n = flatend_context_read(ctx, &byte, 1)) == 1) {
        check("write", flatend_context_write(ctx, &byte, 1));
    }
    if (n != FLATEND_EAGAIN) {
        flatend_context_finish(ctx);
    }
}

static void *answer_queued(void *arg)
{
    struct flatend_event events[BATCH];
    ssize_t n;

    while ((n = flatend_queue_take(arg, events, BATCH, -1)) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            if (events[i].type == FLATEND_EVENT_REQUEST ||
                events[i].type == FLATEND_EVENT_READABLE) {
                answer(events[i].context);
            }
        }
    }
    return NULL;
}

static struct flatend_service service_of(const char *kind)
{
    struct flatend_service service = {.name = "turns", .flags = FLATEND_SERVICE_STREAMING};
    pthread_t thread;

    if (strcmp(kind, "queue") != 0) {
        service.handler = take_turns;
        return service;
    }
    check("queue", flatend_queue_new(&service.queue));
    if (pthread_create(&thread, NULL, answer_queued, service.queue) != 0) {
        exit(1);
    }
    return service;
}
#endif

/* Until its parent closes the other end of `from`. */
static void serve(const char *kind, int from, int to)
{
    const struct flatend_service service = service_of(kind);
    const char *const bind[] = {"127.0.0.1:0"};
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_secret_key key;
    struct flatend_error error;
    struct flatend_node *node;
    char addr[ADDR_MAX] = {0};

    check("key", flatend_secret_key_generate(&key));
    options.secret_key = &key;
    options.bind_addrs = bind;
    options.n_bind_addrs = 1;
    options.services = &service;
    options.n_services = 1;
    check("service", flatend_node_new(&options, &node, &error));
    check("listen", flatend_node_start(node, NULL, 0, &error));
    check("address", flatend_node_listen_addr(node, 0, addr, ADDR_MAX));
    if (write(to, addr, sizeof(addr)) != (ssize_t)sizeof(addr) || read(from, addr, 1) != 0) {
        exit(1);
    }
    _exit(0);
}

/* ---- the client ----------------------------------------------------------------------------- */

static double now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double turn(struct flatend_stream *stream, char byte)
{
    const double began = now_us();
    char back = 0;

    check("write", flatend_stream_write(stream, &byte, 1));
    if (flatend_stream_read(stream, &back, 1) != 1 || back != byte) {
        fprintf(stderr, "turns: another byte came back\n");
        exit(1);
    }
    return now_us() - began;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;

    return (x > y) - (x < y);
}

static void run(const char *addr, size_t n)
{
    static const char *const services[] = {"turns"};
    const struct flatend_request request = {.services = services, .n_services = 1};
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    double *took = malloc((n + 1) * sizeof(double));
    struct flatend_stream *stream;
    struct flatend_error error;
    struct flatend_node *node;

    if (took == NULL) {
        exit(1);
    }
    check("client", flatend_node_new(&options, &node, &error));
    check("connect", flatend_node_start(node, &addr, 1, &error));
    check("push", flatend_push(node, &request, &stream, &error));
    for (size_t i = 0; i < WARM_UP; i++) {
        (void)turn(stream, (char)i);
    }
    for (size_t i = 0; i < n; i++) {
        took[i] = turn(stream, (char)i);
    }
    qsort(took, n, sizeof(double), compare);
    printf("%.2f %.2f\n", took[n / 2], took[n - 1 - n / 100]);
    flatend_stream_close(stream);
    flatend_node_free(node);
    free(took);
}

int main(int argc, char **argv)
{
    const size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000;
    const char *kind = argc > 2 ? argv[2] : "pool";
    char addr[ADDR_MAX];
    int there[2];
    int back[2];
    pid_t pid;

    if (n == 0 || pipe(there) != 0 || pipe(back) != 0 || (pid = fork()) < 0) {
        return 1;
    }
    if (pid == 0) {
        close(there[1]);
        serve(kind, there[0], back[1]);
    }
    if (read(back[0], addr, sizeof(addr)) != (ssize_t)sizeof(addr)) {
        return 1;
    }
    run(addr, n);
    return 0;
}
