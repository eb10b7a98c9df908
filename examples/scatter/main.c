/* One request, twenty calls: what many nodes can do at the same time is asked of them at once, and
 * put together as it comes.
 *
 *     scatter -l ADDRESS [ADDRESS...]    listen there; join the mesh by the nodes given, by
 *                                        127.0.0.1:9000 if there are none
 *
 * Every node offers `square`, which is slow, and `sum`, which asks for the squares of 1 to 20 and
 * answers {"sum":2870,"missing":0}.
 */
#include <flatend.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    N_CALLS = 20,
    SLOW_MS = 50,
    ANSWER_MAX = 32,      /* bytes */
    ANSWER_MAX_MS = 5000, /* what is not there by then is missing */
};

static void square(struct flatend_context *ctx, void *arg)
{
    const struct timespec slow = {.tv_nsec = SLOW_MS * 1000000L};
    const char *text;
    size_t len;
    long number;

    (void)arg;
    if (flatend_context_read_all(ctx, ANSWER_MAX, &text, &len) != 0) {
        flatend_context_problem(ctx, 400, "not a number");
        return;
    }
    number = strtol(text, NULL, 10);
    nanosleep(&slow, NULL);
    flatend_context_printf(ctx, "%ld", number * number);
}

/* On behalf of `ctx`: if its client goes away, all of them are canceled. NULL: it could not be
 * asked. */
static struct flatend_stream *ask(struct flatend_context *ctx, struct flatend_queue *queue,
                                  int number)
{
    static const char *const services[] = {"square"};
    char text[ANSWER_MAX];
    const struct flatend_request request = {
        .services = services,
        .n_services = 1,
        .body = text,
        .body_len = (size_t)snprintf(text, sizeof(text), "%d", number),
        .timeout_ms = ANSWER_MAX_MS,
        .parent = ctx,
        .queue = queue,
    };
    struct flatend_stream *stream;

    return flatend_push(flatend_context_node(ctx), &request, &stream, NULL) == 0 ? stream : NULL;
}

/* Takes events until each call has had its last one. Returns how many have failed. */
static int gather(struct flatend_queue *queue, int n_open, long *sum)
{
    struct flatend_event events[N_CALLS];
    int n_failed = 0;

    while (n_open > 0) {
        ssize_t n = flatend_queue_take(queue, events, N_CALLS, -1);

        for (ssize_t i = 0; i < n; i++) {
            const char *text;
            size_t len;

            if (events[i].type != FLATEND_EVENT_END && events[i].type != FLATEND_EVENT_FAILED) {
                continue;
            }
            if (events[i].type == FLATEND_EVENT_END &&
                flatend_stream_read_all(events[i].stream, ANSWER_MAX, &text, &len) == 0) {
                *sum += strtol(text, NULL, 10);
            } else {
                n_failed++;
            }
            flatend_stream_close(events[i].stream);
            n_open--;
        }
    }
    return n_failed;
}

static void sum(struct flatend_context *ctx, void *arg)
{
    struct flatend_queue *queue;
    char json[64];
    int n_open = 0;
    int n_missing;
    long total = 0;

    (void)arg;
    if (flatend_queue_new(&queue) != 0) {
        flatend_context_problem(ctx, 503, "out of memory");
        return;
    }
    for (int number = 1; number <= N_CALLS; number++) {
        n_open += ask(ctx, queue, number) != NULL;
    }
    n_missing = N_CALLS - n_open;
    n_missing += gather(queue, n_open, &total);
    flatend_queue_free(queue);
    (void)snprintf(json, sizeof(json), "{\"sum\":%ld,\"missing\":%d}", total, n_missing);
    flatend_context_json(ctx, 200, json, strlen(json));
}

int main(int argc, char **argv)
{
    static const char *const first_node[] = {"127.0.0.1:9000"};
    const struct flatend_service services[] = {
        {.name = "square", .handler = square},
        {.name = "sum", .handler = sum},
    };
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_secret_key key;
    struct flatend_error error;
    struct flatend_node *node;
    const char *const *addrs = first_node;
    size_t n_addrs = 1;
    int code;

    if (getopt(argc, argv, "l:") != 'l') {
        fprintf(stderr, "usage: scatter -l ADDRESS [ADDRESS...]\n");
        return 2;
    }
    options.public_addr = optarg;
    if (optind < argc) {
        addrs = (const char *const *)(argv + optind);
        n_addrs = (size_t)(argc - optind);
    }
    if (flatend_secret_key_generate(&key) != 0) {
        fprintf(stderr, "the system has no randomness to give\n");
        return 1;
    }
    options.secret_key = &key; /* without one the nodes could not reach each other */
    options.services = services;
    options.n_services = 2;
    options.log = flatend_log_stderr;
    code = flatend_node_new(&options, &node, &error);
    if (code == 0) {
        code = flatend_node_start(node, addrs, n_addrs, &error);
    }
    if (code == 0) {
        flatend_node_wait(node);
    } else {
        fprintf(stderr, "%s\n", error.text);
    }
    flatend_node_free(node);
    return code == 0 ? 0 : 1;
}
