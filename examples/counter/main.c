/* A service that counts its requests, from zero.
 *
 *     counter [ADDRESS...]     nodes to join the mesh by, 127.0.0.1:9000 by default
 */
#include <flatend.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

/* `arg` is what the service was registered with. Handlers run on many threads at once. */
static void count(struct flatend_context *ctx, void *arg)
{
    atomic_uint_fast64_t *counter = arg;

    flatend_context_set_header(ctx, "content-type", "text/plain; charset=utf-8");
    flatend_context_printf(ctx, "%" PRIuFAST64, atomic_fetch_add(counter, 1));
}

int main(int argc, char **argv)
{
    static const char *const gateway[] = {"127.0.0.1:9000"};
    atomic_uint_fast64_t counter = 0;
    const struct flatend_service services[] = {
        {.name = "count", .handler = count, .arg = &counter},
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
