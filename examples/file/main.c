/* A service that answers with its own source code, read from the disk at each request.
 *
 *     file [ADDRESS...]     nodes to join the mesh by, 127.0.0.1:9000 by default
 *
 * Run it in the repository's top folder, where examples/file/main.c is.
 */
#include <errno.h>
#include <flatend.h>
#include <stdio.h>
#include <string.h>

static void file(struct flatend_context *ctx, void *arg)
{
    const char *path = arg;
    FILE *source = fopen(path, "rb");
    char block[4096];
    size_t len;

    if (source == NULL) {
        flatend_context_fail(ctx, 404, "%s: %s", path, strerror(errno));
        return;
    }
    flatend_context_set_header(ctx, "content-type", "text/plain; charset=utf-8");
    while ((len = fread(block, 1, sizeof(block), source)) > 0) {
        if (flatend_context_write(ctx, block, len) != 0) {
            break; /* the requester is gone */
        }
    }
    if (ferror(source)) {
        /* Part of the file is on its way: the requester must not take it for the whole. */
        flatend_context_fail(ctx, 500, "%s: cannot be read", path);
    }
    fclose(source);
}

int main(int argc, char **argv)
{
    static const char *const gateway[] = {"127.0.0.1:9000"};
    char path[] = "examples/file/main.c";
    const struct flatend_service services[] = {
        {.name = "file", .handler = file, .arg = path},
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
