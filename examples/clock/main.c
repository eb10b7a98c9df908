/* Nodes that ask each other for the time: discovery and calls without a gateway.
 *
 *     clock -l ADDRESS [ADDRESS...]    listen there; join the mesh by the nodes given, if any
 *     clock [ADDRESS...]               listen on any free port; join by 127.0.0.1:9000 by default
 */
#include <flatend.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    TIME_MAX = 32,        /* bytes of a formatted time */
    PAUSE_MAX_MS = 1000,  /* between two questions */
    ANSWER_MAX_MS = 5000, /* how long to wait for an answer */
};

static const char *format_time(char text[TIME_MAX])
{
    time_t now = time(NULL);
    struct tm fields;

    strftime(text, TIME_MAX, "%b %e %H:%M:%S", localtime_r(&now, &fields));
    return text;
}

static void clock_service(struct flatend_context *ctx, void *arg)
{
    char ours[TIME_MAX];
    const char *theirs;
    size_t len;

    (void)arg;
    if (flatend_context_read_all(ctx, TIME_MAX, &theirs, &len) != 0) {
        flatend_context_fail(ctx, 400, "not a time");
        return;
    }
    format_time(ours);
    printf("Got someone's time ('%.*s')! Sent back ours ('%s').\n", (int)len, theirs, ours);
    flatend_context_write(ctx, ours, strlen(ours));
}

/* Asks one node that has a clock; which one is up to the mesh. Returns FLATEND_ECANCELED once the
 * node is shut down. */
static int ask(struct flatend_node *node, unsigned number)
{
    static const char *const services[] = {"clock"};
    char ours[TIME_MAX];
    struct flatend_request request = {
        .services = services, .n_services = 1, .timeout_ms = ANSWER_MAX_MS};
    struct flatend_stream *stream;
    const char *theirs;
    size_t len;
    int code;

    request.body = format_time(ours);
    request.body_len = strlen(ours);
    code = flatend_push(node, &request, &stream, NULL);
    if (code != 0) {
        return code; /* no node has joined yet, say */
    }
    printf("[%u] Asked someone for their current time. Ours is '%s'.\n", number, ours);
    code = flatend_stream_response(stream, NULL, NULL, NULL);
    if (code == 0) {
        code = flatend_stream_read_all(stream, TIME_MAX, &theirs, &len);
    }
    if (code == 0) {
        printf("[%u] Got a response! Their current time is: '%.*s'\n", number, (int)len, theirs);
    } else if (code != FLATEND_ECANCELED) {
        printf("[%u] No response: %s.\n", number, flatend_strerror(code));
    }
    flatend_stream_close(stream);
    return code;
}

static void *ask_forever(void *arg)
{
    struct flatend_node *node = arg;
    unsigned seed = (unsigned)getpid();
    unsigned number = 0;
    int code;

    do {
        struct timespec pause = {.tv_nsec = rand_r(&seed) % PAUSE_MAX_MS * 1000000L};
        nanosleep(&pause, NULL);
        code = ask(node, number);
        if (code != FLATEND_ENOPROVIDER) {
            number++;
        }
    } while (code != FLATEND_ECANCELED);
    return NULL;
}

static int run(struct flatend_node *node)
{
    pthread_t asker;

    if (pthread_create(&asker, NULL, ask_forever, node) != 0) {
        fprintf(stderr, "no thread to ask from\n");
        return 1;
    }
    flatend_node_wait(node);
    pthread_join(asker, NULL);
    return 0;
}

int main(int argc, char **argv)
{
    static const char *const first_node[] = {"127.0.0.1:9000"};
    const struct flatend_service services[] = {{.name = "clock", .handler = clock_service}};
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_secret_key key;
    struct flatend_error error;
    struct flatend_node *node;
    const char *const *addrs;
    size_t n_addrs;
    int option;
    int status = 1;

    while ((option = getopt(argc, argv, "l:")) != -1) {
        if (option != 'l') {
            fprintf(stderr, "usage: clock [-l ADDRESS] [ADDRESS...]\n");
            return 2;
        }
        options.public_addr = optarg;
    }
    addrs = (const char *const *)(argv + optind);
    n_addrs = (size_t)(argc - optind);
    if (n_addrs == 0 && options.public_addr == NULL) {
        addrs = first_node;
        n_addrs = 1;
    }
    if (flatend_secret_key_generate(&key) != 0) {
        fprintf(stderr, "the system has no randomness to give\n");
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    options.secret_key = &key;
    options.services = services;
    options.n_services = 1;
    options.log = flatend_log_stderr;
    if (flatend_node_new(&options, &node, &error) == 0 &&
        flatend_node_start(node, addrs, n_addrs, &error) == 0) {
        status = run(node);
    } else {
        fprintf(stderr, "%s\n", error.text);
    }
    flatend_node_free(node);
    return status;
}
