/* A service that says "Hello world!".
 *
 *     hello_world [ADDRESS...]     nodes to join the mesh by, 127.0.0.1:9000 by default
 */
#include <flatend.h>
#include <stdio.h>

static void hello_world(struct flatend_context *ctx, void *arg)
{
    static const char text[] = "Hello world!";

    (void)arg;
    flatend_context_set_header(ctx, "content-type", "text/plain; charset=utf-8");
    flatend_context_write(ctx, text, sizeof(text) - 1);
}

int main(int argc, char **argv)
{
    static const char *const gateway[] = {"127.0.0.1:9000"};
    const struct flatend_service services[] = {
        /* It never blocks, so it may run right on the node's own thread. */
        {.name = "hello_world", .handler = hello_world, .flags = FLATEND_SERVICE_INLINE},
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
