/* many N ADDR: N nodes in one process, each with the service "many", each connected to the gateway
 * at ADDR over a connection of its own. Prints "ready" when all are, and ends with SIGTERM. */
#include <flatend.h>
#include <stdio.h>
#include <stdlib.h>

enum { NODES_MAX = 1000 };

static void serve(struct flatend_context *ctx, void *arg)
{
    (void)arg;
    flatend_context_printf(ctx, "many");
}

static struct flatend_node *start(const char *addr)
{
    static const struct flatend_service service = {
        .name = "many", .handler = serve, .flags = FLATEND_SERVICE_INLINE};
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_error error = {0};
    struct flatend_node *node;

    options.services = &service;
    options.n_services = 1;
    options.start_flags = FLATEND_START_NEEDS_PEER;
    if (flatend_node_new(&options, &node, &error) != 0) {
        fprintf(stderr, "%s\n", error.text);
        return NULL;
    }
    if (flatend_node_start(node, &addr, 1, &error) != 0) {
        fprintf(stderr, "%s\n", error.text);
        flatend_node_free(node);
        return NULL;
    }
    return node;
}

int main(int argc, char **argv)
{
    static struct flatend_node *nodes[NODES_MAX];
    const int n = argc == 3 ? atoi(argv[1]) : 0;
    int n_started = 0;

    while (n_started < n && n <= NODES_MAX && (nodes[n_started] = start(argv[2])) != NULL) {
        n_started++;
    }
    if (n > 0 && n_started == n) {
        puts("ready");
        fflush(stdout);
        flatend_node_wait(nodes[0]);
    }
    for (int i = 0; i < n_started; i++) {
        flatend_node_free(nodes[i]);
    }
    return n > 0 && n_started == n ? 0 : 1;
}
