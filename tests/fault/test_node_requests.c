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

enum { N_MODES = 4, TIMEOUT_MS = 10000 };

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
        cmocka_unit_test(each_allocation_fails),
        cmocka_unit_test(a_program_says_what_it_has_no_memory_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
