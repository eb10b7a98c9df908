/* A service that sends back what it is sent, while it is still being sent.
 *
 *     pipe [ADDRESS...]     nodes to join the mesh by, 127.0.0.1:9000 by default
 */
#include <flatend.h>
#include <stdio.h>

/* Reading waits for the requester, and writing waits for it to keep up: however much goes through,
 * this block is all the memory that it takes. */
static void echo(struct flatend_context *ctx, void *arg)
{
    char block[16384];
    ssize_t len;

    (void)arg;
    while ((len = flatend_context_read(ctx, block, sizeof(block))) > 0) {
        if (flatend_context_write(ctx, block, (size_t)len) != 0) {
            return; /* the requester is gone */
        }
    }
    if (len < 0) {
        flatend_context_fail(ctx, 400, "the request broke off: %s", flatend_strerror((int)len));
    }
}

int main(int argc, char **argv)
{
    static const char *const gateway[] = {"127.0.0.1:9000"};
    const struct flatend_service services[] = {{.name = "pipe", .handler = echo}};
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
