/* A node for end-to-end tests.
 *
 *     peer [OPTIONS] [ADDRESS...]     joins by these addresses ("host:port", "KEY@host:port")
 *
 *     -b ADDRESS    listen here             -k PATH   secret key
 *     -s TEXT       mesh secret             -r        no old peers
 *     -a KEY        allow this key          -p NAME=KEY  the key that may provide a service
 *     -n NAME       what it calls itself    -d MS     a silent peer is gone after this
 *     -S SERVICE    offer a service         -1        do not reconnect
 *
 * Services: `name` answers with -n; `who` with the header peer.id; `hang` waits until its requester
 * is gone, says so, and `relay` asks `hang` on behalf of its request; `echo` echoes body and
 * trailers; `mirror` sends the headers that begin with "x-" back and says how long all of them
 * were; any other is as `name`. Lines on standard input: "add SERVICE", "remove SERVICE", "call
 * SERVICE". What happens is logged on standard error. */
#include <flatend.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIST_MAX = 16, HANG_POLL_US = 1000 };

struct peer {
    struct flatend_options options;
    struct flatend_node *node;
    const char *name;
    struct flatend_secret_key key;
    struct flatend_service services[LIST_MAX];
    struct flatend_public_key allowed[LIST_MAX];
    struct flatend_service_rule rules[LIST_MAX];
    struct flatend_public_key rule_keys[LIST_MAX];
    const char *bind_addr;
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "peer: %s: %s\n", what, why);
    exit(1);
}

/* ---- services ---- */

static void answer_name(struct flatend_context *ctx, void *arg)
{
    const struct peer *peer = arg;

    flatend_context_printf(ctx, "%s", peer->name);
}

static void answer_who(struct flatend_context *ctx, void *arg)
{
    const char *id = flatend_context_header(ctx, "peer.id");
    size_t n;
    const struct flatend_header *headers = flatend_context_headers(ctx, &n);

    (void)arg;
    for (size_t i = 0; i < n; i++) {
        flatend_context_printf(ctx, "%s: %s\n", headers[i].name, headers[i].value);
    }
    flatend_context_printf(ctx, "proven %d, %s\n", flatend_context_id(ctx)->is_proven,
                           id != NULL ? id : "nobody");
}

static void hang(struct flatend_context *ctx, void *arg)
{
    char buf[64];

    (void)arg;
    fprintf(stderr, "hanging, %u ms left\n", flatend_context_remaining_ms(ctx));
    while (flatend_context_read(ctx, buf, sizeof(buf)) > 0) {
    }
    while (!flatend_context_is_canceled(ctx)) {
        usleep(HANG_POLL_US); /* stands for a long computation */
    }
    fprintf(stderr, "canceled\n");
}

static void relay(struct flatend_context *ctx, void *arg)
{
    static const char *const services[] = {"hang"};
    const struct peer *peer = arg;
    const struct flatend_request request = {
        .services = services, .n_services = 1, .body = "", .parent = ctx};
    struct flatend_stream *stream;
    struct flatend_error error;
    int code = flatend_push(peer->node, &request, &stream, &error);

    if (code != 0) {
        flatend_context_fail(ctx, 502, "%s", error.text);
        return;
    }
    code = flatend_stream_response(stream, NULL, NULL, NULL);
    fprintf(stderr, "relay: %s\n", flatend_error_name(code));
    flatend_stream_close(stream);
}

static void echo(struct flatend_context *ctx, void *arg)
{
    const struct flatend_header *trailers;
    char buf[16384];
    ssize_t n;
    size_t n_trailers;

    (void)arg;
    while ((n = flatend_context_read(ctx, buf, sizeof(buf))) > 0) {
        if (flatend_context_write(ctx, buf, (size_t)n) != 0) {
            return;
        }
    }
    trailers = flatend_context_trailers(ctx, &n_trailers);
    for (size_t i = 0; i < n_trailers; i++) {
        flatend_context_add_trailer(ctx, trailers[i].name, trailers[i].value);
    }
}

static void mirror(struct flatend_context *ctx, void *arg)
{
    size_t n;
    const struct flatend_header *headers = flatend_context_headers(ctx, &n);
    size_t len = 0;

    (void)arg;
    for (size_t i = 0; i < n; i++) {
        len += strlen(headers[i].name) + headers[i].value_len;
        if (strncmp(headers[i].name, "x-", 2) == 0) {
            flatend_context_add_header(ctx, headers[i].name, headers[i].value);
        }
    }
    flatend_context_printf(ctx, "%zu", len);
}

static struct flatend_service service_of(struct peer *peer, const char *name)
{
    static const struct {
        const char *name;
        flatend_handler handler;
    } known[] = {
        {"who", answer_who}, {"hang", hang}, {"relay", relay}, {"echo", echo}, {"mirror", mirror}};
    struct flatend_service service = {.name = name, .handler = answer_name, .arg = peer};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(known[i].name, name) == 0) {
            service.handler = known[i].handler;
        }
    }
    return service;
}

/* ---- options ---- */

static struct flatend_public_key parse_key(const char *text)
{
    struct flatend_public_key key;

    if (flatend_public_key_parse(&key, text) != 0) {
        die(text, "not a key");
    }
    return key;
}

static void add_rule(struct peer *peer, char *text)
{
    size_t i = peer->options.n_service_rules++;
    char *equals = strchr(text, '=');

    if (equals == NULL || i == LIST_MAX) {
        die(text, "NAME=KEY is expected");
    }
    *equals = '\0';
    peer->rule_keys[i] = parse_key(equals + 1);
    peer->rules[i] =
        (struct flatend_service_rule){.service = text, .keys = &peer->rule_keys[i], .n_keys = 1};
}

static void load_key(struct peer *peer, const char *path)
{
    struct flatend_error error;

    if (flatend_secret_key_load(&peer->key, path, &error) != 0) {
        die(path, error.text);
    }
    peer->options.secret_key = &peer->key;
}

static void take_option(struct peer *peer, int option, char *value)
{
    struct flatend_options *options = &peer->options;

    switch (option) {
    case 'b':
        peer->bind_addr = value;
        options->bind_addrs = &peer->bind_addr;
        options->n_bind_addrs = 1;
        break;
    case 'k':
        load_key(peer, value);
        break;
    case 's':
        options->mesh_secret = value;
        options->mesh_secret_len = strlen(value);
        break;
    case 'r':
        options->require_secure = true;
        break;
    case 'a':
        if (options->n_allowed_keys == LIST_MAX) {
            die(value, "too many keys");
        }
        peer->allowed[options->n_allowed_keys++] = parse_key(value);
        break;
    case 'p':
        add_rule(peer, value);
        break;
    case 'n':
        peer->name = value;
        break;
    case 'd':
        options->dead_after_ms = (unsigned)strtoul(value, NULL, 10);
        break;
    case 'S':
        if (options->n_services == LIST_MAX) {
            die(value, "too many services");
        }
        peer->services[options->n_services++] = service_of(peer, value);
        break;
    case '1':
        options->reconnect_attempts = -1;
        break;
    default:
        exit(2);
    }
}

/* ---- commands ---- */

static int call(struct peer *peer, const char *name)
{
    const struct flatend_request request = {
        .services = &name, .n_services = 1, .body = "", .timeout_ms = 10000};
    struct flatend_stream *stream;
    const char *data;
    size_t len;
    int code = flatend_push(peer->node, &request, &stream, NULL);

    if (code != 0) {
        return code;
    }
    code = flatend_stream_response(stream, NULL, NULL, NULL);
    if (code == 0) {
        code = flatend_stream_read_all(stream, 65536, &data, &len);
    }
    if (code == 0) {
        fprintf(stderr, "answer: %.*s\n", (int)len, data);
    }
    flatend_stream_close(stream);
    return code;
}

static int obey(struct peer *peer, const char *verb, const char *name)
{
    if (strcmp(verb, "add") == 0) {
        const struct flatend_service service = service_of(peer, name);

        return flatend_node_add_service(peer->node, &service);
    }
    if (strcmp(verb, "remove") == 0) {
        return flatend_node_remove_service(peer->node, name);
    }
    return strcmp(verb, "call") == 0 ? call(peer, name) : FLATEND_EINVAL;
}

static void *read_commands(void *arg)
{
    struct peer *peer = arg;
    char line[256];

    while (fgets(line, sizeof(line), stdin) != NULL) {
        char verb[16];
        char name[200];

        if (sscanf(line, "%15s %199s", verb, name) == 2) {
            int code = obey(peer, verb, name);

            fprintf(stderr, "%s %s: %s\n", verb, name, flatend_error_name(code));
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static struct peer peer = {.options = FLATEND_OPTIONS_INIT, .name = "peer"};
    struct flatend_error error;
    pthread_t thread;
    int option;

    while ((option = getopt(argc, argv, "b:k:s:ra:p:n:d:S:1")) != -1) {
        take_option(&peer, option, optarg);
    }
    peer.options.services = peer.services;
    peer.options.allowed_keys = peer.allowed;
    peer.options.service_rules = peer.rules;
    peer.options.log = flatend_log_stderr;
    peer.options.log_level = FLATEND_LOG_DEBUG;
    if (flatend_node_new(&peer.options, &peer.node, &error) != 0) {
        die("options", error.text);
    }
    if (flatend_node_start(peer.node, (const char *const *)&argv[optind], (size_t)(argc - optind),
                           &error) != 0) {
        flatend_node_free(peer.node);
        die("start", error.text);
    }
    fprintf(stderr, "ready\n");
    if (pthread_create(&thread, NULL, read_commands, &peer) != 0) {
        die("thread", "cannot be started");
    }
    (void)pthread_detach(thread);
    flatend_node_wait(peer.node);
    flatend_node_free(peer.node);
    return 0;
}
