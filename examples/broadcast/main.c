/* A chat: what is typed here appears at every node that provides `chat`.
 *
 *     broadcast -l ADDRESS [ADDRESS...]    listen there; join the mesh by the nodes given, if any
 *     broadcast [ADDRESS...]               listen on any free port; join by 127.0.0.1:9000 if
 *                                          none is given
 *
 * Ends when its input does.
 */
#include <flatend.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MESSAGE_MAX = 4096,    /* bytes of a line that is accepted from others */
    PROVIDERS_MAX = 256,   /* nodes that a line is sent to */
    RECEIPT_MAX_MS = 5000, /* how long to wait for a node to confirm */
};

static void chat(struct flatend_context *ctx, void *arg)
{
    const struct flatend_id *from = flatend_context_id(ctx);
    const char *text;
    size_t len;

    (void)arg;
    if (flatend_context_read_all(ctx, MESSAGE_MAX, &text, &len) != 0) {
        flatend_context_fail(ctx, 413, "at most %d bytes", MESSAGE_MAX);
        return;
    }
    if (from->is_anonymous) {
        printf("Got '%.*s' from <anon>!\n", (int)len, text);
    } else {
        printf("Got '%.*s' from %s:%u!\n", (int)len, text, from->host, from->port);
    }
}

/* Sends `text` to this one provider, and waits for it to have been received. */
static int send_to(struct flatend_node *node, const struct flatend_provider *to, const char *text)
{
    static const char *const services[] = {"chat"};
    const struct flatend_request request = {.services = services,
                                            .n_services = 1,
                                            .body = text,
                                            .body_len = strlen(text),
                                            .provider = to->handle,
                                            .timeout_ms = RECEIPT_MAX_MS};
    struct flatend_stream *stream;
    int code = flatend_push(node, &request, &stream, NULL);

    if (code == 0) {
        code = flatend_stream_response(stream, NULL, NULL, NULL);
        flatend_stream_close(stream);
    }
    return code;
}

static void broadcast(struct flatend_node *node, const char *text)
{
    static const char *const services[] = {"chat"};
    struct flatend_provider providers[PROVIDERS_MAX];
    ssize_t n = flatend_node_providers(node, services, 1, providers, PROVIDERS_MAX);

    for (ssize_t i = 0; i < n && i < PROVIDERS_MAX; i++) {
        int code = send_to(node, &providers[i], text);
        if (code != 0) {
            printf("Unable to broadcast to %s:%u: %s\n", providers[i].id.host, providers[i].id.port,
                   flatend_strerror(code));
        }
    }
}

static void broadcast_input(struct flatend_node *node)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;

    while ((len = getline(&line, &cap, stdin)) != -1) {
        if (len > 0 && line[len - 1] == '\n') {
            line[len - 1] = '\0';
        }
        if (line[0] != '\0') {
            broadcast(node, line);
        }
    }
    free(line);
}

int main(int argc, char **argv)
{
    static const char *const first_node[] = {"127.0.0.1:9000"};
    const struct flatend_service services[] = {{.name = "chat", .handler = chat}};
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
            fprintf(stderr, "usage: broadcast [-l ADDRESS] [ADDRESS...]\n");
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
        broadcast_input(node);
        status = 0;
    } else {
        fprintf(stderr, "%s\n", error.text);
    }
    flatend_node_free(node);
    return status;
}
