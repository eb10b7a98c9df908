/* A libuv program with a mesh in it: the node serves, calls and ends on the program's own loop,
 * which has other things to do. No thread is started.
 *
 *     libuv -l ADDRESS [ADDRESS...]    listen there; join the mesh by the nodes given, if any
 */
#include <flatend.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

enum { N_EVENTS = 16, ANSWER_MAX = 64, PAUSE_MS = 200, ANSWER_MAX_MS = 5000 };

struct app {
    uv_loop_t loop;
    uv_timer_t ticker; /* what the program does itself */
    uv_signal_t interrupt;
    uv_poll_t mesh; /* something is in the queue */
    struct flatend_queue *queue;
    struct flatend_node *node;
    unsigned n_ticks;
};

/* Inline handlers run on the loop. */
static void ticks(struct flatend_context *ctx, void *arg)
{
    const struct app *app = arg;

    flatend_context_printf(ctx, "%u", app->n_ticks);
}

/* Asks a node how far it is; the answer comes as events. */
static void ask(struct app *app)
{
    static const char *const services[] = {"ticks"};
    const struct flatend_request request = {.services = services,
                                            .n_services = 1,
                                            .body = "",
                                            .timeout_ms = ANSWER_MAX_MS,
                                            .queue = app->queue};
    struct flatend_stream *stream;

    if (flatend_push(app->node, &request, &stream, NULL) != 0) {
        printf("Nobody can be asked.\n");
    }
}

static void on_event(const struct flatend_event *event)
{
    const char *text;
    size_t len;

    switch (event->type) {
    case FLATEND_EVENT_PEER_UP:
        printf("There is one more peer.\n");
        break;
    case FLATEND_EVENT_END:
        if (flatend_stream_read_all(event->stream, ANSWER_MAX, &text, &len) == 0) {
            printf("A node has ticked %s times.\n", text);
        }
        flatend_stream_close(event->stream);
        break;
    case FLATEND_EVENT_FAILED: /* nobody is there yet, say */
        flatend_stream_close(event->stream);
        break;
    default:
        break;
    }
}

static void on_mesh(uv_poll_t *mesh, int status, int what)
{
    struct app *app = mesh->data;
    struct flatend_event events[N_EVENTS];
    ssize_t n;

    (void)status;
    (void)what;
    do {
        n = flatend_queue_take(app->queue, events, N_EVENTS, 0);
        for (ssize_t i = 0; i < n; i++) {
            on_event(&events[i]);
        }
    } while (n == N_EVENTS);
}

static void on_tick(uv_timer_t *ticker)
{
    struct app *app = ticker->data;

    app->n_ticks++;
    ask(app);
}

/* Once all of these have closed, and the node has, uv_run returns. */
static void on_interrupt(uv_signal_t *interrupt, int signum)
{
    struct app *app = interrupt->data;

    (void)signum;
    flatend_node_shutdown(app->node);
    uv_close((uv_handle_t *)&app->ticker, NULL);
    uv_close((uv_handle_t *)&app->interrupt, NULL);
    uv_close((uv_handle_t *)&app->mesh, NULL);
}

static void start_handles(struct app *app)
{
    uv_timer_init(&app->loop, &app->ticker);
    uv_signal_init(&app->loop, &app->interrupt);
    uv_poll_init(&app->loop, &app->mesh, flatend_queue_fd(app->queue));
    app->ticker.data = app;
    app->interrupt.data = app;
    app->mesh.data = app;
    uv_timer_start(&app->ticker, on_tick, PAUSE_MS, PAUSE_MS);
    uv_signal_start(&app->interrupt, on_interrupt, SIGINT);
    uv_poll_start(&app->mesh, UV_READABLE, on_mesh);
}

static int start_node(struct app *app, const char *addr, const char *const *peers, size_t n_peers,
                      struct flatend_error *error)
{
    const struct flatend_service services[] = {
        {.name = "ticks", .handler = ticks, .arg = app, .flags = FLATEND_SERVICE_INLINE},
    };
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_secret_key key;
    int code = flatend_secret_key_generate(&key);

    options.loop = &app->loop;
    options.public_addr = addr;
    options.secret_key = &key;
    options.services = services;
    options.n_services = 1;
    options.log = flatend_log_stderr;
    if (code == 0) {
        code = flatend_node_new(&options, &app->node, error);
    }
    if (code == 0) {
        flatend_node_watch(app->node, app->queue, NULL);
        code = flatend_node_start(app->node, peers, n_peers, error);
    }
    return code;
}

int main(int argc, char **argv)
{
    static struct app app;
    struct flatend_error error = {0};
    int code;

    if (getopt(argc, argv, "l:") != 'l') {
        fprintf(stderr, "usage: libuv -l ADDRESS [ADDRESS...]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN); /* as libuv asks of programs with sockets */
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (uv_loop_init(&app.loop) != 0 || flatend_queue_new(&app.queue) != 0) {
        return 1;
    }
    code = start_node(&app, optarg, (const char *const *)(argv + optind), (size_t)(argc - optind),
                      &error);
    if (code == 0) {
        start_handles(&app);
    } else {
        fprintf(stderr, "%s\n", error.text);
        flatend_node_shutdown(app.node);
    }
    uv_run(&app.loop, UV_RUN_DEFAULT);
    flatend_node_free(app.node);
    uv_run(&app.loop, UV_RUN_DEFAULT);
    uv_loop_close(&app.loop);
    flatend_queue_free(app.queue);
    return code == 0 ? 0 : 1;
}
