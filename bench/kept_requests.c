/* What a request costs that a service keeps: how much memory, and that all of it goes back.
 *
 *     kept_requests [PEERS [EACH [BODY [HEADERS]]]]    25 peers, 4,000 requests each, bodies of 0
 *                                                      bytes, 0 headers of 50 bytes
 *
 * This process has the service, which takes requests from a queue and reads nothing of them; each
 * peer is a process of its own. When all requests are there, the memory is measured; then each is
 * answered with its own number, which its peer compares, and the memory is measured again. */
#include <flatend.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    BATCH = 64,
    ADDR_MAX = 120,
    PATIENCE_MS = 60000,
    EXTRA_HEADERS_MAX = 64,
    BODY_MAX = 64 * 1024,
    NUMBER_MAX = 24,
    IDLE_MS = 200,
};

struct load {
    size_t n_peers;
    size_t n_each;
    size_t n_body;
    size_t n_headers;
};

static void die(const char *what, int code)
{
    fprintf(stderr, "kept_requests: %s: %s\n", what, flatend_strerror(code));
    exit(1);
}

static void check(const char *what, int code)
{
    if (code < 0) {
        die(what, code);
    }
}

/* ---- a peer --------------------------------------------------------------------------------- */

struct peer_call {
    struct flatend_stream *stream;
    size_t number;
};

static void push(struct flatend_node *node, struct flatend_queue *queue, const struct load *load,
                 struct peer_call *call)
{
    static const char *const services[] = {"keep"};
    static const char body[BODY_MAX];
    struct flatend_header headers[1 + EXTRA_HEADERS_MAX];
    char number[NUMBER_MAX];
    struct flatend_request request = {.services = services,
                                      .n_services = 1,
                                      .headers = headers,
                                      .n_headers = 1 + load->n_headers,
                                      .body = body,
                                      .body_len = load->n_body,
                                      .queue = queue,
                                      .arg = call};
    struct flatend_error error;

    memset(headers, 0, sizeof(headers));
    snprintf(number, sizeof(number), "%zu", call->number);
    headers[0].name = "number";
    headers[0].value = number;
    headers[0].value_len = strlen(number);
    for (size_t i = 1; i < request.n_headers; i++) {
        headers[i].name = "x-extra-header";
        headers[i].value = "a value of thirty-six bytes, or such";
        headers[i].value_len = strlen(headers[i].value);
    }
    check("push", flatend_push(node, &request, &call->stream, &error));
}

/* The response of one call is there. */
static void compare(struct peer_call *call)
{
    char number[NUMBER_MAX];
    const char *body;
    size_t len;

    snprintf(number, sizeof(number), "%zu", call->number);
    check("response", flatend_stream_read_all(call->stream, sizeof(number), &body, &len));
    if (strcmp(body, number) != 0) {
        fprintf(stderr, "kept_requests: '%s' in place of '%s'\n", body, number);
        exit(1);
    }
    flatend_stream_close(call->stream);
}

static void compare_all(struct flatend_queue *queue, size_t n)
{
    struct flatend_event events[BATCH];

    while (n > 0) {
        ssize_t n_taken = flatend_queue_take(queue, events, BATCH, PATIENCE_MS);

        if (n_taken <= 0) {
            die("take", n_taken < 0 ? (int)n_taken : FLATEND_ETIMEDOUT);
        }
        for (ssize_t i = 0; i < n_taken; i++) {
            if (events[i].type == FLATEND_EVENT_FAILED) {
                die("call", events[i].code);
            }
            if (events[i].type == FLATEND_EVENT_END) {
                compare(events[i].arg);
                n--;
            }
        }
    }
}

static void read_fully(int fd, void *buf, size_t len)
{
    if (read(fd, buf, len) != (ssize_t)len) {
        exit(1); /* the service has said why */
    }
}

/* Says that it is connected, and begins when it is told to. */
static void run_peer(int from, int to, const struct load *load)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct peer_call *calls = calloc(load->n_each, sizeof(*calls));
    struct flatend_queue *queue;
    struct flatend_node *node;
    struct flatend_error error;
    char addr[ADDR_MAX];
    const char *const addrs[] = {addr};
    char byte = 0;

    if (calls == NULL) {
        die("peer", FLATEND_ENOMEM);
    }
    read_fully(from, addr, sizeof(addr));
    check("queue", flatend_queue_new(&queue));
    check("peer", flatend_node_new(&options, &node, &error));
    check("connect", flatend_node_start(node, addrs, 1, &error));
    if (write(to, &byte, 1) != 1) {
        exit(1);
    }
    read_fully(from, &byte, 1);
    for (size_t i = 0; i < load->n_each; i++) {
        calls[i].number = i;
        push(node, queue, load, &calls[i]);
    }
    compare_all(queue, load->n_each);
    if (write(to, &byte, 1) != 1) {
        exit(1);
    }
    read_fully(from, &byte, 1); /* connected until all is measured */
    flatend_node_free(node);
    flatend_queue_free(queue);
    free(calls);
    exit(0);
}

struct peer_process {
    pid_t pid;
    int to;
    int from;
};

static void start_peer(struct peer_process *peer, const struct load *load)
{
    int there[2];
    int back[2];

    if (pipe(there) != 0 || pipe(back) != 0 || (peer->pid = fork()) < 0) {
        perror("kept_requests");
        exit(1);
    }
    if (peer->pid == 0) {
        close(there[1]);
        close(back[0]);
        run_peer(there[0], back[1], load);
    }
    close(there[0]);
    close(back[1]);
    peer->to = there[1];
    peer->from = back[0];
}

static void tell(const struct peer_process *peer, const void *data, size_t len)
{
    if (write(peer->to, data, len) != (ssize_t)len) {
        exit(1);
    }
}

static void tell_all(const struct peer_process *peers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        tell(&peers[i], "", 1);
    }
}

static void await_all(const struct peer_process *peers, size_t n)
{
    char byte;

    for (size_t i = 0; i < n; i++) {
        read_fully(peers[i].from, &byte, 1);
    }
}

/* ---- the service ---------------------------------------------------------------------------- */

struct memory {
    size_t resident;  /* that is this process's alone */
    size_t allocated; /* by malloc */
};

static size_t resident(void)
{
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    size_t total = 0;
    size_t kib;

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "Private_Clean: %zu", &kib) == 1 ||
            sscanf(line, "Private_Dirty: %zu", &kib) == 1) {
            total += kib * 1024;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return total;
}

static struct memory measure(void)
{
    struct mallinfo2 info;

    usleep(IDLE_MS * 1000); /* until the node sleeps */
    info = mallinfo2();
    return (struct memory){.resident = resident(), .allocated = info.uordblks + info.hblkhd};
}

static double kib_each(size_t now, size_t before, size_t n)
{
    return ((double)now - (double)before) / 1024 / (double)n;
}

static void report(const char *what, struct memory now, struct memory before, size_t n)
{
    printf("%-22s %7.1f MiB, a request %6.2f KiB resident, %6.2f KiB allocated\n", what,
           (double)now.resident / (1 << 20), kib_each(now.resident, before.resident, n),
           kib_each(now.allocated, before.allocated, n));
    fflush(stdout);
}

static void take_requests(struct flatend_queue *queue, struct flatend_context **kept, size_t n)
{
    struct flatend_event events[BATCH];

    for (size_t n_kept = 0; n_kept < n;) {
        ssize_t n_taken = flatend_queue_take(queue, events, BATCH, PATIENCE_MS);

        if (n_taken <= 0) {
            fprintf(stderr, "kept_requests: %zu of %zu requests have come\n", n_kept, n);
            exit(1);
        }
        for (ssize_t i = 0; i < n_taken; i++) {
            if (events[i].type != FLATEND_EVENT_REQUEST) {
                fprintf(stderr, "kept_requests: event %d\n", events[i].type);
                exit(1);
            }
            kept[n_kept++] = events[i].context;
        }
    }
}

static void answer(struct flatend_context *ctx)
{
    const char *number = flatend_context_header(ctx, "number");

    check("write", flatend_context_write(ctx, number, strlen(number)));
    check("finish", flatend_context_finish(ctx));
}

static void run(struct flatend_queue *queue, const struct peer_process *peers,
                const struct load *load)
{
    const size_t n = load->n_peers * load->n_each;
    struct flatend_context **kept = malloc(n * sizeof(struct flatend_context *));
    struct memory before;

    if (kept == NULL) {
        die("kept", FLATEND_ENOMEM);
    }
    memset(kept, 1, n * sizeof(struct flatend_context *)); /* its pages are no news */
    before = measure();
    report("before", before, before, n);
    tell_all(peers, load->n_peers);
    take_requests(queue, kept, n);
    report("kept", measure(), before, n);
    for (size_t i = 0; i < n; i++) {
        answer(kept[i]);
    }
    await_all(peers, load->n_peers);
    report("answered", measure(), before, n);
    malloc_trim(0);
    report("and given back", measure(), before, n);
    free(kept);
}

static struct flatend_node *start_service(struct flatend_queue *queue, char addr[ADDR_MAX])
{
    const struct flatend_service service = {.name = "keep", .queue = queue};
    const char *const bind[] = {"127.0.0.1:0"};
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_secret_key key;
    struct flatend_error error;
    struct flatend_node *node;

    check("key", flatend_secret_key_generate(&key));
    options.secret_key = &key;
    options.bind_addrs = bind;
    options.n_bind_addrs = 1;
    options.services = &service;
    options.n_services = 1;
    check("service", flatend_node_new(&options, &node, &error));
    check("listen", flatend_node_start(node, NULL, 0, &error));
    memset(addr, 0, ADDR_MAX);
    check("address", flatend_node_listen_addr(node, 0, addr, ADDR_MAX));
    return node;
}

static size_t argument(int argc, char **argv, int i, size_t otherwise)
{
    return argc > i ? strtoul(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    const struct load load = {.n_peers = argument(argc, argv, 1, 25),
                              .n_each = argument(argc, argv, 2, 4000),
                              .n_body = argument(argc, argv, 3, 0),
                              .n_headers = argument(argc, argv, 4, 0)};
    struct peer_process *peers = calloc(load.n_peers + 1, sizeof(*peers));
    struct flatend_queue *queue;
    struct flatend_node *node;
    char addr[ADDR_MAX];
    int status = 1;

    if (peers == NULL || load.n_peers == 0 || load.n_each == 0 || load.n_body > BODY_MAX ||
        load.n_headers > EXTRA_HEADERS_MAX) {
        fprintf(stderr, "usage: kept_requests [PEERS [EACH [BODY [HEADERS]]]]\n");
        exit(1);
    }
    for (size_t i = 0; i < load.n_peers; i++) {
        start_peer(&peers[i], &load);
    }
    check("queue", flatend_queue_new(&queue));
    node = start_service(queue, addr);
    for (size_t i = 0; i < load.n_peers; i++) {
        tell(&peers[i], addr, sizeof(addr));
    }
    await_all(peers, load.n_peers);
    run(queue, peers, &load);
    tell_all(peers, load.n_peers);
    for (size_t i = 0; i < load.n_peers; i++) {
        if (waitpid(peers[i].pid, &status, 0) != peers[i].pid || status != 0) {
            exit(1);
        }
    }
    flatend_node_free(node);
    flatend_queue_free(queue);
    free(peers);
    return 0;
}
