/* The progress of a long job, as it comes: server-sent events from a request that is kept and a
 * timer. No thread waits, however many watch.
 *
 *     progress [ADDRESS...]    nodes to join the mesh by, 127.0.0.1:9000 by default
 */
#include <flatend.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEP_MS = 100, PERCENT_A_STEP = 10 };

/* One that watches. */
struct watcher {
    struct flatend_context *ctx;
    struct flatend_timer *timer;
    int percent;
};

static void end(struct watcher *watcher)
{
    flatend_context_finish(watcher->ctx);
    flatend_timer_stop(watcher->timer);
    free(watcher);
}

/* On the node's thread. A client that does not keep up misses a step, and sees the next one. */
static void on_step(void *arg)
{
    struct watcher *watcher = arg;
    char event[64];
    int len = snprintf(event, sizeof(event), "data: {\"percent\":%d}\n\n", watcher->percent);
    int code = flatend_context_write(watcher->ctx, event, (size_t)len);

    if (code == FLATEND_EAGAIN) {
        return;
    }
    if (code != 0 || watcher->percent == 100) {
        end(watcher); /* or it has gone */
        return;
    }
    watcher->percent += PERCENT_A_STEP;
}

/* Runs on the node's thread as well (FLATEND_SERVICE_INLINE): no step comes before it returns. */
static void progress(struct flatend_context *ctx, void *arg)
{
    struct watcher *watcher = calloc(1, sizeof(*watcher));

    (void)arg;
    if (watcher == NULL) {
        flatend_context_problem(ctx, 503, "out of memory");
        return;
    }
    flatend_context_set_header(ctx, "content-type", "text/event-stream");
    flatend_context_set_header(ctx, "cache-control", "no-store");
    flatend_context_keep(ctx, NULL, NULL);
    watcher->ctx = ctx;
    if (flatend_timer_start(flatend_context_node(ctx), 0, STEP_MS, on_step, watcher,
                            &watcher->timer) != 0) {
        free(watcher);
        flatend_context_problem(ctx, 503, "no timer");
    }
}

int main(int argc, char **argv)
{
    static const char *const gateway[] = {"127.0.0.1:9000"};
    const struct flatend_service services[] = {
        {.name = "progress", .handler = progress, .flags = FLATEND_SERVICE_INLINE},
    };
    const char *const *addrs = argc > 1 ? (const char *const *)(argv + 1) : gateway;
    size_t n_addrs = argc > 1 ? (size_t)argc - 1 : 1;
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_error error;
    struct flatend_node *node;
    int code;

    options.services = services;
    options.n_services = 1;
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
