/* What a CA finds below /.well-known/acme-challenge/, and what is somebody else's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/acme_answer.h"
#include "support/fake_exchange.h"

static struct fe_list answers;
static struct fe_acme_answer one = {.token = "abc", .text = "abc.def"};
static struct fe_acme_answer two = {.token = "abcd", .text = "abcd.def"};

static int setup(void **state)
{
    (void)state;
    fe_list_init(&answers);
    fe_list_push_back(&answers, &one.link);
    fe_list_push_back(&answers, &two.link);
    return 0;
}

static void check(enum fe_method method, const char *path, const char *expected)
{
    struct trace trace = {.len = 0};
    struct fake_exchange fake;

    fake_exchange_init(&fake, &trace);
    fake.ex.request.method = method;
    fake.ex.request.path = fe_view_str(path);
    assert_int_equal(fe_acme_answer_serve(&answers, &fake.ex), expected[0] != '\0');
    trace_expect(&trace, expected);
    fake_exchange_deinit(&fake);
}

#define ANSWER "respond(200,#7,content-type=application/octet-stream) write(abc.def) end"

static void test_answers(void **state)
{
    (void)state;
    check(FE_METHOD_GET, "/.well-known/acme-challenge/abc", ANSWER);
    check(FE_METHOD_HEAD, "/.well-known/acme-challenge/abc", ANSWER);
    check(FE_METHOD_GET, "/.well-known/acme-challenge/abcd",
          "respond(200,#8,content-type=application/octet-stream) write(abcd.def) end");
}

static void test_other_requests(void **state)
{
    (void)state;
    check(FE_METHOD_GET, "/.well-known/acme-challenge/ab", "");
    check(FE_METHOD_GET, "/.well-known/acme-challenge/", "");
    check(FE_METHOD_GET, "/.well-known/acme-challenge/abc/", "");
    check(FE_METHOD_GET, "/abc", "");
    check(FE_METHOD_POST, "/.well-known/acme-challenge/abc", "");
    fe_list_remove(&one.link);
    check(FE_METHOD_GET, "/.well-known/acme-challenge/abc", "");
}

static void test_out_of_memory(void **state)
{
    struct trace trace = {.len = 0};
    struct fake_exchange fake;

    (void)state;
    fake_exchange_init(&fake, &trace);
    fake.ex.request.path = FE_VIEW_LIT("/.well-known/acme-challenge/abc");
    fake.error = FLATEND_ENOMEM;
    assert_true(fe_acme_answer_serve(&answers, &fake.ex));
    trace_expect(&trace, "abort");
    fake_exchange_deinit(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_answers, setup),
        cmocka_unit_test_setup(test_other_requests, setup),
        cmocka_unit_test_setup(test_out_of_memory, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
