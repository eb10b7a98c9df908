/* One connection between two nodes, as fast as it goes; bench/mesh.mjs runs it.
 *
 *     mesh serve ADDRESS             the services `sink` and `echo`, until it is ended
 *     mesh stream ADDRESS SECONDS    one stream to `sink`: prints bytes a second
 *     mesh calls ADDRESS SECONDS N   calls of 64 bytes to `echo`, N at a time: calls a second
 *
 * The client uses what the gateway uses: calls on the node's own loop. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "mesh/crypto/crypto.h"
#include "mesh/node/node.h"

enum {
    CALLS_MAX = 1024,
    CALL_BYTES = 64,
    PIECE = 256 * 1024, /* of the stream, offered at once */
};

struct client {
    struct fe_worker *worker;
    struct flatend_node *node;
    const char *address;
    uint64_t start_ms;
    uint64_t duration_ms;
    uint64_t n_done; /* calls, or bytes */
    unsigned n_running;
    bool is_stream;
    struct fe_view service;
    unsigned n_parallel;
    struct fe_timer deadline;
    struct call {
        struct fe_call call;
        struct client *client;
        size_t n_received;
    } calls[CALLS_MAX];
};

static const uint8_t bytes[PIECE];

static void die(const char *what, int code)
{
    fprintf(stderr, "mesh: %s: %s\n", what, flatend_strerror(code));
    exit(1);
}

/* ---- the server ---- */

static void sink(struct flatend_context *ctx, void *arg)
{
    static __thread char buf[PIECE];

    (void)arg;
    if (flatend_context_write(ctx, "", 0) != 0) {
        return;
    }
    while (flatend_context_read(ctx, buf, sizeof(buf)) > 0) {
    }
}

static void echo(struct flatend_context *ctx, void *arg)
{
    char buf[CALL_BYTES];
    ssize_t n = flatend_context_read(ctx, buf, sizeof(buf));

    (void)arg;
    if (n > 0) {
        flatend_context_write(ctx, buf, (size_t)n);
    }
}

static int serve(const char *address)
{
    const struct flatend_service services[] = {
        {.name = "sink", .handler = sink},
        {.name = "echo", .handler = echo, .flags = FLATEND_SERVICE_INLINE},
    };
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_secret_key key;
    struct flatend_error error;
    struct flatend_node *node;

    if (flatend_secret_key_generate(&key) != 0) {
        die("key", FLATEND_EIO);
    }
    options.secret_key = &key;
    options.bind_addrs = &address;
    options.n_bind_addrs = 1;
    options.services = services;
    options.n_services = 2;
    options.log = flatend_log_stderr;
    if (flatend_node_new(&options, &node, &error) != 0 ||
        flatend_node_start(node, NULL, 0, &error) != 0) {
        fprintf(stderr, "mesh: %s\n", error.text);
        return 1;
    }
    flatend_node_wait(node);
    flatend_node_free(node);
    return 0;
}

/* ---- the client ---- */

static bool is_over(const struct client *client)
{
    return fe_clock_ms() - client->start_ms >= client->duration_ms;
}

static void on_closed(void *arg)
{
    struct client *client = arg;

    flatend_node_free(client->node);
    fe_worker_stop(client->worker);
}

static void finish(struct client *client)
{
    double seconds = (double)(fe_clock_ms() - client->start_ms) / 1000;

    printf("%.0f\n", (double)client->n_done / seconds);
    fe_node_close_on(client->node, on_closed, client);
}

static void start_one(struct call *call);

static void on_response(struct fe_call *call, struct fe_headers headers)
{
    (void)call;
    (void)headers;
}

static size_t on_data(struct fe_call *fe_call, struct fe_view data)
{
    ((struct call *)fe_call->owner)->n_received += data.len;
    return data.len;
}

static void fill(struct call *call)
{
    for (;;) {
        ssize_t n;

        if (is_over(call->client)) {
            if (fe_call_finish(&call->call, NULL, 0) != 0) {
                die("finish", FLATEND_ENOMEM);
            }
            return;
        }
        n = fe_call_write(&call->call, fe_view_of(bytes, sizeof(bytes)));
        if (n < 0) {
            die("write", (int)n);
        }
        call->client->n_done += (uint64_t)n;
        if ((size_t)n < sizeof(bytes)) {
            return;
        }
    }
}

static void on_writable(struct fe_call *fe_call)
{
    struct call *call = fe_call->owner;

    if (call->client->is_stream) {
        fill(call);
    }
}

static void on_end(struct fe_call *fe_call, struct fe_headers trailers)
{
    struct call *call = fe_call->owner;
    struct client *client = call->client;

    (void)trailers;
    if (!client->is_stream) {
        if (call->n_received != CALL_BYTES) {
            die("echo", FLATEND_EPROTO);
        }
        client->n_done++;
        if (!is_over(client)) {
            start_one(call);
            return;
        }
    }
    if (--client->n_running == 0) {
        finish(client);
    }
}

static void on_reset(struct fe_call *call, int code)
{
    (void)call;
    die("call", code);
}

static const struct fe_call_ops call_ops = {on_response, on_data, on_writable, on_end, on_reset};

static void start_one(struct call *call)
{
    struct client *client = call->client;
    const struct fe_call_request request = {
        .services = &client->service,
        .n_services = 1,
        .deadline_ms = FE_TIME_NEVER,
    };
    const struct fe_call_env env = {fe_node_registry(client->node),
                                    fe_worker_timers(client->worker),
                                    fe_worker_pool(client->worker)};
    int code = fe_call_start(&call->call, &env, &request, &call_ops, call);

    call->n_received = 0;
    if (code != 0) {
        die("start", code);
    }
    if (client->is_stream) {
        fill(call);
        return;
    }
    if (fe_call_write(&call->call, fe_view_of(bytes, CALL_BYTES)) != CALL_BYTES ||
        fe_call_finish(&call->call, NULL, 0) != 0) {
        die("send", FLATEND_ENOMEM);
    }
}

static void on_started(void *arg, int code)
{
    struct client *client = arg;

    if (code != 0) {
        die(client->address, code);
    }
    client->start_ms = fe_clock_ms();
    client->n_running = client->n_parallel;
    for (unsigned i = 0; i < client->n_parallel; i++) {
        client->calls[i].client = client;
        start_one(&client->calls[i]);
    }
}

static int run_client(struct client *client)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_error error;

    if (fe_worker_new(&client->worker, NULL) != 0 ||
        fe_node_new_on(&options, client->worker, &client->node, &error) != 0 ||
        fe_node_start_on(client->node, &client->address, 1, on_started, client, &error) != 0) {
        die("node", FLATEND_ENOMEM);
    }
    fe_worker_run(client->worker);
    fe_worker_free(client->worker, NULL, NULL);
    return 0;
}

int main(int argc, char **argv)
{
    static struct client client = {.n_parallel = 1};

    if (argc == 3 && strcmp(argv[1], "serve") == 0) {
        return serve(argv[2]);
    }
    if (argc == 4 && strcmp(argv[1], "stream") == 0) {
        client.is_stream = true;
    } else if (argc == 5 && strcmp(argv[1], "calls") == 0) {
        client.n_parallel = (unsigned)strtoul(argv[4], NULL, 10);
    } else {
        fputs("usage: mesh serve|stream|calls ADDRESS [SECONDS [N]]\n", stderr);
        return 2;
    }
    if (client.n_parallel < 1 || client.n_parallel > CALLS_MAX) {
        return 2;
    }
    client.service = fe_view_str(client.is_stream ? "sink" : "echo");
    client.address = argv[2];
    client.duration_ms = (uint64_t)(strtod(argv[3], NULL) * 1000);
    return run_client(&client);
}
