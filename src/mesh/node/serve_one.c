/* A whole program in one function: a node with one service. */
#include <stdlib.h>

#include "ground/base/err.h"
#include "ground/os/log_stderr.h"
#include "mesh/node/internal.h"

#define DEFAULT_ADDRS "127.0.0.1:9000"

enum { ADDRS_MAX = 64 };

static const char separators[] = ", \t\n";

struct addrs {
    char *text; /* what `items` points into */
    const char *items[ADDRS_MAX];
    size_t n;
};

static int read_addrs(struct addrs *addrs, const char *text, struct flatend_error *error)
{
    const size_t size = strlen(text) + 1;
    char *rest;

    *addrs = (struct addrs){.text = malloc(size)};
    if (addrs->text == NULL) {
        return fe_err_code(error, FLATEND_ENOMEM);
    }
    rest = memcpy(addrs->text, text, size);
    for (;;) {
        char *next;

        rest += strspn(rest, separators);
        if (*rest == '\0') {
            return addrs->n > 0 ? 0
                                : fe_err_set(error, FLATEND_EADDR,
                                             "FLATEND_ADDRS: no address (expected host:port)");
        }
        if (addrs->n == ADDRS_MAX) {
            return fe_err_set(error, FLATEND_EINVAL, "FLATEND_ADDRS: at most %d addresses",
                              ADDRS_MAX);
        }
        addrs->items[addrs->n++] = rest;
        next = rest + strcspn(rest, separators);
        if (*next != '\0') {
            *next++ = '\0';
        }
        rest = next;
    }
}

static int serve_at(const struct addrs *addrs, const struct flatend_service *service,
                    struct flatend_error *error)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_node *node;
    int code;

    options.services = service;
    options.n_services = 1;
    options.log = flatend_log_stderr;
    code = flatend_node_new(&options, &node, error);
    if (code == 0) {
        code = flatend_node_start(node, addrs->items, addrs->n, error);
    }
    if (code == 0) {
        code = flatend_node_wait(node);
        if (code != 0) {
            (void)fe_err_set(error, code, "wait: %s", flatend_strerror(code));
        }
    }
    (void)flatend_node_free(node);
    return code;
}

int flatend_serve(const char *name, flatend_handler handler)
{
    const struct flatend_service service = {.name = name, .handler = handler};
    const char *given = getenv("FLATEND_ADDRS");
    struct flatend_error error;
    struct addrs addrs;
    int code = read_addrs(&addrs, given != NULL ? given : DEFAULT_ADDRS, &error);

    if (code == 0) {
        code = serve_at(&addrs, &service, &error);
    }
    free(addrs.text);
    if (code != 0) {
        fe_log_stderr_within(error.text, FE_STDERR_WAIT_MS);
    }
    return code;
}
