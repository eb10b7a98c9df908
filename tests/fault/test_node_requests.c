/* Calls in one function, answered with JSON or a problem; each allocation fails in turn. The caller
 * has a whole response or a code, and nothing is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/fault.h"
#include "support/nodes.h"

enum { N_MODES = 4, TIMEOUT_MS = 10000, PIECE = 1000, N_PIECES = 4 };

static void answer(struct flatend_context *ctx)
{
    const char *cookie = flatend_context_cookie(ctx, "user");
    int code = cookie == NULL ? flatend_context_problem(ctx, 403, "no cookie")
                              : flatend_context_json(ctx, 200, cookie, strlen(cookie));

    (void)code; /* a kept request is gone, whichever it is */
}

static void by_handler(struct flatend_context *ctx, void *arg)
{
    (void)arg;
    answer(ctx);
}

static void by_keeping(struct flatend_context *ctx, void *arg)
{
    (void)arg;
    if (flatend_context_keep(ctx, NULL, NULL) == 0) {
        answer(ctx);
    }
}

static int call(struct flatend_node *node, const char *service, const char *cookies)
{
    const struct flatend_header header = {
        .name = "cookie", .value = cookies, .value_len = strlen(cookies)};
    const struct flatend_request request = {.services = &service,
                                            .n_services = 1,
                                            .headers = &header,
                                            .n_headers = 1,
                                            .timeout_ms = TIMEOUT_MS};
    struct flatend_response *response;
    int code = flatend_call(node, &request, 65536, &response, NULL);

    if (code != 0) {
        assert_null(response);
        return code;
    }
    if (response->status == 200) {
        assert_string_equal(response->body, "me");
    }
    code = response->status;
    flatend_response_free(response);
    return code;
}

static void each_allocation_fails(void **state)
{
    const struct flatend_service services[] = {
        {.name = "pooled", .handler = by_handler},
        {.name = "inline", .handler = by_handler, .flags = FLATEND_SERVICE_INLINE},
        {.name = "kept", .handler = by_keeping},
        {.name = "kept_inline", .handler = by_keeping, .flags = FLATEND_SERVICE_INLINE},
    };
    size_t n_failed = 0;
    bool failed = true;

    (void)state;
    for (size_t nth = 1; failed; nth++) {
        char addr[64];
        struct flatend_node *server = nodes_listen(services, N_MODES, addr);
        struct flatend_node *client = nodes_join(NULL, 0, addr);
        int codes[2 * N_MODES];

        assert_true(fe_fault_arm(nth));
        for (int i = 0; i < N_MODES; i++) {
            codes[i] = call(client, services[i].name, "user=me");
            codes[N_MODES + i] = call(client, services[i].name, "user");
        }
        failed = fe_fault_disarm();
        for (int i = 0; i < N_MODES; i++) {
            n_failed += codes[i] != 200 || codes[N_MODES + i] != 403;
            assert_true(failed || (codes[i] == 200 && codes[N_MODES + i] == 403));
        }
        flatend_node_free(client);
        flatend_node_free(server);
    }
    assert_true(n_failed > 20);
}

/* As a handler may that has read what a code of a read means: that nobody is there. */
static void copy(struct flatend_context *ctx, void *arg)
{
    char buf[1000];
    ssize_t n;

    (void)arg;
    while ((n = flatend_context_read(ctx, buf, sizeof(buf))) > 0) {
        if (flatend_context_write(ctx, buf, (size_t)n) != 0) {
            (void)flatend_context_fail(ctx, 500, "out of memory");
            return;
        }
    }
}

/* In turns: 0, or why the answer is not whole. */
static int converse(struct flatend_node *node)
{
    const char *name = "copy";
    const struct flatend_request request = {.services = &name, .n_services = 1};
    struct flatend_stream *stream;
    char buf[PIECE] = {0};
    int code = flatend_push(node, &request, &stream, NULL);

    if (code != 0) {
        return code;
    }
    for (int i = 0; code == 0 && i < N_PIECES; i++) {
        size_t n_read = 0;
        int status;

        code = flatend_stream_write(stream, buf, PIECE);
        if (code == 0) {
            code = flatend_stream_response(stream, &status, NULL, NULL);
        }
        if (code == 0 && status != 200) {
            code = FLATEND_ERESET;
        }
        while (code == 0 && n_read < PIECE) {
            const ssize_t n = flatend_stream_read(stream, buf, PIECE - n_read);

            assert_int_not_equal(n, 0); /* it is not the end */
            n_read += n > 0 ? (size_t)n : 0;
            code = n < 0 ? (int)n : 0;
        }
    }
    flatend_stream_close(stream);
    return code;
}

/* What could not be read to its end is not answered as if it had been. */
static void no_answer_is_cut(void **state)
{
    const struct flatend_service service = {
        .name = "copy", .handler = copy, .flags = FLATEND_SERVICE_STREAMING};
    bool failed = true;

    (void)state;
    for (size_t nth = 1; failed; nth++) {
        char addr[64];
        struct flatend_node *node = nodes_listen(&service, 1, addr);
        int code;

        assert_true(fe_fault_arm(nth));
        code = converse(node);
        failed = fe_fault_disarm();
        assert_true(failed || code == 0);
        flatend_node_free(node);
    }
}

static void a_program_says_what_it_has_no_memory_for(void **state)
{
    (void)state;
    assert_int_equal(setenv("FLATEND_ADDRS", "127.0.0.1:0x", 1), 0);
    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        int code = flatend_serve("it", by_handler);

        assert_int_equal(code, fe_fault_disarm() ? FLATEND_ENOMEM : FLATEND_EADDR);
    }
    unsetenv("FLATEND_ADDRS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_answer_is_cut),
        cmocka_unit_test(each_allocation_fails),
        cmocka_unit_test(a_program_says_what_it_has_no_memory_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
