/* Each allocation of a router's making and matching fails in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/fault.h"
#include "web/http/router.h"

enum { N_ROUTES = 60 };

/* Enough routes for more than one chunk of the arena, and for children to grow. */
static int build(struct fe_router **router)
{
    const struct fe_router_options options = {true, true};

    *router = fe_router_new(&options);
    if (*router == NULL) {
        return FLATEND_ENOMEM;
    }
    for (int i = 0; i < N_ROUTES; i++) {
        char pattern[32];
        int code;

        snprintf(pattern, sizeof(pattern), "/x%d/:id/%d", i % 20, i);
        code = fe_router_add(*router, FE_VIEW_LIT("GET"), fe_view_str(pattern), NULL, NULL);
        if (code != 0) {
            return code;
        }
    }
    return 0;
}

static void test_build(void **state)
{
    (void)state;
    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        struct fe_router *router;
        int code = build(&router);

        assert_int_equal(code, fe_fault_disarm() ? FLATEND_ENOMEM : 0);
        fe_router_free(router);
    }
}

static int match(const struct fe_router *router, const char *path, enum fe_match_result *result)
{
    struct fe_request request = {
        .method = FE_METHOD_GET, .method_text = FE_VIEW_LIT("GET"), .path = fe_view_str(path)};
    struct fe_arena arena;
    struct fe_match m;
    int code;

    fe_arena_init(&arena, 0);
    code = fe_router_match(router, &request, &arena, &m);
    *result = m.result;
    fe_arena_deinit(&arena);
    return code;
}

static void test_match(void **state)
{
    static const struct {
        const char *path;
        enum fe_match_result result;
    } cases[] = {
        {"/x3/%41/3", FE_MATCH_FOUND},
        {"/X3/%41/3", FE_MATCH_REDIRECT},
        {"/x3/a/3/", FE_MATCH_REDIRECT},
        {"/nothing", FE_MATCH_NOT_FOUND},
    };
    struct fe_router *router;

    (void)state;
    assert_int_equal(build(&router), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t nth = 1; fe_fault_arm(nth); nth++) {
            enum fe_match_result result;
            int code = match(router, cases[i].path, &result);

            if (fe_fault_disarm()) {
                assert_int_equal(code, FLATEND_ENOMEM);
            } else {
                assert_int_equal(code, 0);
                assert_int_equal(result, cases[i].result);
            }
        }
    }
    fe_router_free(router);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_build),
        cmocka_unit_test(test_match),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
