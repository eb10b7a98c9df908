/* What a CA finds below /.well-known/acme-challenge/, and what is not for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/certs/acme_answer.h"
#include "support/fake_exchange.h"

static struct fe_acme_answers answers;
static struct fe_acme_answer one = {.token = "abc", .text = "abc.def"};
static struct fe_acme_answer two = {.token = "abcd", .text = "abcd.def"};

static int setup(void **state)
{
    (void)state;
    fe_acme_answers_init(&answers);
    fe_acme_answers_add(&answers, &one);
    fe_acme_answers_add(&answers, &two);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fe_acme_answers_remove(&answers, &one);
    fe_acme_answers_remove(&answers, &two);
    fe_acme_answers_deinit(&answers);
    return 0;
}

static bool serve(struct fe_exchange *ex)
{
    const struct fe_acme_answers_backend backend = fe_acme_answers_backend(&answers);

    if (!fe_acme_answers_have(&answers, &ex->request)) {
        return false;
    }
    fe_backend_start(&backend.backend, ex);
    return true;
}

static void check(enum fe_method method, const char *path, const char *expected)
{
    struct trace trace = {.len = 0};
    struct fake_exchange fake;

    fake_exchange_init(&fake, &trace);
    fake.ex.request.method = method;
    fake.ex.request.path = fe_view_str(path);
    assert_int_equal(serve(&fake.ex), expected[0] != '\0');
    trace_expect(&trace, expected);
    fake_exchange_deinit(&fake);
}

#define ANSWER "respond(200,#7,content-type=application/octet-stream) write(abc.def) end"
#define GONE                                                                                       \
    "respond(404,#23,content-type=text/plain; charset=utf-8) write(no route for this path\n) end"

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
    fe_acme_answers_remove(&answers, &one);
    fe_acme_answers_remove(&answers, &one);
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
    assert_true(serve(&fake.ex));
    trace_expect(&trace, "abort");
    fake_exchange_deinit(&fake);
}

/* ---- meanwhile ------------------------------------------------------------------------------ */

/* A fake exchange's operations, but for one. */
struct meddler {
    struct fake_exchange fake;
    const struct fe_exchange_ops *real;
};

static int respond_without(struct fe_exchange *ex, const struct fe_response *response)
{
    const struct meddler *const meddler = FE_CONTAINER_OF(ex, struct meddler, fake.ex);

    fe_acme_answers_remove(&answers, &one);
    memset(one.text, 'x', 3);
    return meddler->real->respond(ex, response);
}

/* The caller may do anything while it sends: nothing is locked, and the text is a copy. */
static void test_removed_while_it_is_sent(void **state)
{
    struct trace trace = {.len = 0};
    struct fe_exchange_ops ops;
    struct meddler meddler;

    (void)state;
    fake_exchange_init(&meddler.fake, &trace);
    meddler.real = meddler.fake.ex.ops;
    ops = *meddler.real;
    ops.respond = respond_without;
    meddler.fake.ex.ops = &ops;
    meddler.fake.ex.request.path = FE_VIEW_LIT("/.well-known/acme-challenge/abc");
    assert_true(serve(&meddler.fake.ex));
    trace_expect(&trace, ANSWER);
    fake_exchange_deinit(&meddler.fake);
    memcpy(one.text, "abc", 3);
}

enum { N_ROUNDS = 2000 };

static void *serve_often(void *arg)
{
    for (int i = 0; i < N_ROUNDS; i++) {
        struct trace trace = {.len = 0};
        struct fake_exchange fake;
        bool is_there;

        fake_exchange_init(&fake, &trace);
        fake.ex.request.path = FE_VIEW_LIT("/.well-known/acme-challenge/abc");
        is_there = serve(&fake.ex);
        trace_expect(&trace, fake.status == 404 ? GONE : is_there ? ANSWER : "");
        fake_exchange_deinit(&fake);
    }
    return arg;
}

/* What goes wrong here shows under TSan. */
static void test_threads(void **state)
{
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, serve_often, NULL), 0);
    for (int i = 0; i < N_ROUNDS; i++) {
        fe_acme_answers_remove(&answers, &one);
        memcpy(one.text, "abc.def", 8); /* it is not read now */
        fe_acme_answers_add(&answers, &one);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_requests, setup, teardown),
        cmocka_unit_test_setup_teardown(test_out_of_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_removed_while_it_is_sent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
