/* Chains of filters between a fake exchange and a backend of the test's, and the gateway's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/filters/chains.h"
#include "gateway/filters/hsts.h"
#include "gateway/filters/no_cache.h"
#include "support/fake_exchange.h"
#include "support/test_filters.h"
#include "support/trace_http.h"
#include "web/http/problem.h"

enum { FILTERS_MAX = 4 };

struct world {
    struct trace trace; /* of exchange, filters and backend */
    struct fake_exchange fake;
    struct fe_arena arena;
    size_t appetite; /* bytes that the backend takes in one call */
    const struct fe_filter_stage *held;
};

/* ---- a backend that writes down what it hears ------------------------------------------------ */

static void start(const struct fe_backend *backend, struct fe_exchange *ex)
{
    struct world *const world = ex->state;

    (void)backend;
    trace_add(&world->trace, "start");
    if (ex->request.content_length != 0) {
        fe_exchange_resume(ex);
    }
}

static size_t on_data(struct fe_exchange *ex, struct fe_view data)
{
    struct world *const world = ex->state;
    const size_t n = data.len < world->appetite ? data.len : world->appetite;

    trace_body(&world->trace, fe_view_of(data.ptr, n));
    return n;
}

static void on_end(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    trace_body_end(&((struct world *)ex->state)->trace, trailers);
}

static void on_writable(struct fe_exchange *ex)
{
    trace_add(&((struct world *)ex->state)->trace, "writable");
}

static void on_reset(struct fe_exchange *ex, int code)
{
    trace_add(&((struct world *)ex->state)->trace, "reset:%s", flatend_error_name(code));
}

static const struct fe_backend_ops backend_ops = {start, on_data, on_end, on_writable, on_reset};
static const struct fe_backend backend = {&backend_ops};

static int setup(void **state)
{
    struct world *const world = calloc(1, sizeof(*world));

    assert_non_null(world);
    fe_arena_init(&world->arena, 0);
    world->appetite = SIZE_MAX;
    fake_exchange_init(&world->fake, &world->trace);
    world->fake.ex.state = world;
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *const world = *state;

    fake_exchange_deinit(&world->fake);
    fe_arena_deinit(&world->arena);
    free(world);
    return 0;
}

static const struct fe_filter_chain *chain(struct world *world, const struct fe_filter_chain *base,
                                           const struct fe_filter *one, const struct fe_filter *two)
{
    const struct fe_filter *const own[] = {one, two};
    const struct fe_filter_chain *const made =
        fe_filter_chain_new(&world->arena, base, own, two != NULL ? 2 : 1);

    assert_non_null(made);
    return made;
}

static void use(struct world *world, const struct fe_filter *one, const struct fe_filter *two)
{
    world->fake.ex.filters = chain(world, NULL, one, two);
}

static int respond(struct world *world, uint64_t length, const char *name, const char *value)
{
    struct fe_field field = {fe_view_str(name), fe_view_str(value)};
    const struct fe_response response = {
        .status = 200, .fields = {&field, 1, 1}, .content_length = length};

    return fe_exchange_respond(&world->fake.ex, &response);
}

/* ---- chains --------------------------------------------------------------------------------- */

static void test_order(void **state)
{
    struct world *const world = *state;
    const struct tracing_filter a = tracing_filter("a", &world->trace);
    const struct tracing_filter b = tracing_filter("b", &world->trace);
    struct fe_exchange *const ex = &world->fake.ex;

    use(world, &a.filter, &b.filter);
    ex->request.content_length = 1;
    fe_backend_start(&backend, ex);
    trace_expect(&world->trace, "a:request b:request start b:resume a:resume resume");
    assert_int_equal(fake_exchange_body(&world->fake, "x"), 1);
    fake_exchange_body_end(&world->fake);
    trace_expect(&world->trace, "a:data b:data body(x) a:end b:end end");
    assert_int_equal(respond(world, 3, "n", "v"), 0);
    world->fake.room = 1;
    assert_int_equal(fe_exchange_write(ex, FE_VIEW_LIT("abc")), 1);
    fake_exchange_writable(&world->fake, SIZE_MAX);
    trace_expect(&world->trace, "b:respond a:respond respond(200,#3,n=v) b:write a:write write(a) "
                                "a:writable b:writable writable");
    fe_exchange_finish(ex, NULL);
    trace_expect(&world->trace, "b:finish a:finish a:over b:over end");
}

/* A route's filters come in when the route is known; those of the listener are not asked again. */
static const struct fe_filter_chain *route_filters;

static void route(const struct fe_backend *dispatch, struct fe_exchange *ex)
{
    (void)dispatch;
    trace_add(&((struct world *)ex->state)->trace, "route");
    ex->filters = route_filters;
    fe_backend_start(&backend, ex);
}

static const struct fe_backend_ops dispatch_ops = {.start = route};
static const struct fe_backend dispatch = {&dispatch_ops};

static void test_route(void **state)
{
    struct world *const world = *state;
    const struct tracing_filter a = tracing_filter("a", &world->trace);
    const struct tracing_filter b = tracing_filter("b", &world->trace);

    use(world, &a.filter, NULL);
    route_filters = chain(world, world->fake.ex.filters, &b.filter, NULL);
    fe_backend_start(&dispatch, &world->fake.ex);
    trace_expect(&world->trace, "a:request route b:request start");
    fake_exchange_abort(&world->fake);
    trace_expect(&world->trace, "reset:ECLOSED a:broken b:broken");
}

static void test_answer(void **state)
{
    struct world *const world = *state;
    const struct tracing_filter a = tracing_filter("a", &world->trace);
    struct tracing_filter b = tracing_filter("b", &world->trace);

    b.answers = true;
    use(world, &a.filter, &b.filter);
    fe_backend_start(&backend, &world->fake.ex);
    trace_expect(&world->trace,
                 "a:request b:request b:respond a:respond "
                 "respond(403,#3,content-type=text/plain; charset=utf-8) b:write a:write "
                 "write(no\n) b:finish a:finish a:over b:over end");
}

static void test_held_request(void **state)
{
    struct world *const world = *state;
    struct tracing_filter a = tracing_filter("a", &world->trace);

    a.holds = true;
    a.held = &world->held;
    use(world, &a.filter, NULL);
    fe_backend_start(&backend, &world->fake.ex);
    trace_expect(&world->trace, "a:request");
    fe_filter_next_request(world->held, &world->fake.ex);
    trace_expect(&world->trace, "start");
    fake_exchange_abort(&world->fake);
    trace_expect(&world->trace, "reset:ECLOSED a:broken");
}

static void test_client_that_goes_before_the_start(void **state)
{
    struct world *const world = *state;
    struct tracing_filter a = tracing_filter("a", &world->trace);

    a.holds = true;
    a.held = &world->held;
    use(world, &a.filter, NULL);
    fe_backend_start(&backend, &world->fake.ex);
    fake_exchange_abort(&world->fake);
    trace_expect(&world->trace, "a:request a:broken");
}

static void test_failure(void **state)
{
    struct world *const world = *state;
    const struct tracing_filter a = tracing_filter("a", &world->trace);

    use(world, &a.filter, NULL);
    fe_backend_start(&backend, &world->fake.ex);
    fe_problem_fail(&world->fake.ex, 413, "no");
    trace_expect(&world->trace, "a:request start reset:ETOOBIG a:respond "
                                "respond(413,#3,content-type=text/plain; charset=utf-8) a:write "
                                "write(no\n) a:finish a:over end");
}

/* What flows in a tunnel is not a body, and its end is still that of the exchange. */
static void test_tunnel(void **state)
{
    struct world *const world = *state;
    const struct tracing_filter a = tracing_filter("a", &world->trace);
    const struct fe_response head = {.status = 200, .content_length = FE_BODY_UNKNOWN};
    struct fe_exchange *const ex = &world->fake.ex;

    use(world, &a.filter, NULL);
    ex->request.upgrade = FE_VIEW_LIT("echo");
    fe_backend_start(&backend, ex);
    assert_int_equal(fe_exchange_tunnel(ex, &head), 0);
    trace_expect(&world->trace, "a:request start a:respond tunnel(0)");
    fe_exchange_resume(ex);
    assert_int_equal(fe_exchange_write(ex, FE_VIEW_LIT("x")), 1);
    assert_int_equal(fake_exchange_body(&world->fake, "y"), 1);
    fe_exchange_finish(ex, NULL);
    trace_expect(&world->trace, "resume write(x) body(y) end");
    fake_exchange_body_end(&world->fake);
    trace_expect(&world->trace, "a:over end");
}

/* ---- bytes that are held --------------------------------------------------------------------- */

static void test_request_that_grows(void **state)
{
    struct world *const world = *state;
    const struct repeating_filter twice = repeating_filter(2);

    use(world, &twice.filter, NULL);
    world->fake.ex.request.content_length = FE_BODY_UNKNOWN;
    fe_backend_start(&backend, &world->fake.ex);
    world->appetite = 3;
    assert_int_equal(fake_exchange_body(&world->fake, "ab"), 2);
    trace_expect(&world->trace, "start resume body(aab)");
    assert_int_equal(fake_exchange_body(&world->fake, "c"), 1); /* held, as "b" is */
    trace_expect(&world->trace, "");
    fake_exchange_body_end(&world->fake);
    trace_expect(&world->trace, "");

    fe_exchange_resume(&world->fake.ex); /* nothing comes from within */
    trace_expect(&world->trace, "");
    fake_exchange_turn(&world->fake);
    trace_expect(&world->trace, "body(bcc) end");
    fake_exchange_abort(&world->fake);
    trace_expect(&world->trace, "reset:ECLOSED");
}

/* What is held is bounded: the client is held back by a backend that takes nothing. */
static void test_request_that_is_held_back(void **state)
{
    struct world *const world = *state;
    const struct repeating_filter often = repeating_filter(TEST_FILTER_HELD_MAX / 2);

    use(world, &often.filter, NULL);
    world->fake.ex.request.content_length = FE_BODY_UNKNOWN;
    fe_backend_start(&backend, &world->fake.ex);
    world->appetite = 0;
    assert_int_equal(fake_exchange_body(&world->fake, "abc"), 2);
    assert_false(world->fake.wants_body);
    trace_expect(&world->trace, "start resume body()");
    world->appetite = SIZE_MAX;
    fe_exchange_resume(&world->fake.ex);
    assert_false(world->fake.wants_body);
    fake_exchange_turn(&world->fake);
    trace_expect(&world->trace, "body(#64) resume");
    fake_exchange_abort(&world->fake);
}

static void test_response_that_grows(void **state)
{
    struct world *const world = *state;
    const struct repeating_filter twice = repeating_filter(2);
    struct fe_exchange *const ex = &world->fake.ex;

    use(world, &twice.filter, NULL);
    fe_backend_start(&backend, ex);
    assert_int_equal(respond(world, 3, "n", "v"), 0);
    world->fake.room = 3;
    assert_int_equal(fe_exchange_write(ex, FE_VIEW_LIT("abc")), 3); /* held: "bcc" */
    fe_exchange_finish(ex, NULL);
    trace_expect(&world->trace, "start respond(200,#6,n=v) write(aab) write()");
    assert_false(world->fake.is_over); /* though the backend is done */
    assert_true(fe_exchange_is_over(ex));
    fake_exchange_writable(&world->fake, 2);
    trace_expect(&world->trace, "write(bc) write()");
    fake_exchange_writable(&world->fake, SIZE_MAX);
    trace_expect(&world->trace, "write(c) end");
}

static void test_response_that_is_held_back(void **state)
{
    struct world *const world = *state;
    const struct repeating_filter often = repeating_filter(TEST_FILTER_HELD_MAX / 2);
    struct fe_exchange *const ex = &world->fake.ex;

    use(world, &often.filter, NULL);
    fe_backend_start(&backend, ex);
    assert_int_equal(respond(world, FE_BODY_UNKNOWN, "n", "v"), 0);
    world->fake.room = 0;
    assert_int_equal(fe_exchange_write(ex, FE_VIEW_LIT("abc")), 2);
    trace_expect(&world->trace, "start respond(200,n=v) write()");
    fake_exchange_writable(&world->fake, 10); /* not enough for the backend to go on */
    trace_expect(&world->trace, "write(aaaaaaaaaa) write()");
    fake_exchange_writable(&world->fake, SIZE_MAX);
    world->trace.len = 0;
    assert_int_equal(fe_exchange_write(ex, FE_VIEW_LIT("c")), 1);
    fe_exchange_finish(ex, NULL);
    assert_true(world->fake.has_ended);
}

/* The client goes while the filter sends what the backend has finished: the backend hears nothing.
 */
static void test_client_that_goes_after_the_backend(void **state)
{
    struct world *const world = *state;
    const struct repeating_filter twice = repeating_filter(2);
    const struct tracing_filter a = tracing_filter("a", &world->trace);
    struct fe_exchange *const ex = &world->fake.ex;

    use(world, &a.filter, &twice.filter);
    fe_backend_start(&backend, ex);
    assert_int_equal(respond(world, 1, "n", "v"), 0);
    world->fake.room = 0;
    assert_int_equal(fe_exchange_write(ex, FE_VIEW_LIT("a")), 1);
    fe_exchange_finish(ex, NULL);
    world->trace.len = 0;
    fake_exchange_abort(&world->fake);
    trace_expect(&world->trace, "a:broken");
}

static void test_write_that_fails_later(void **state)
{
    struct world *const world = *state;
    const struct repeating_filter twice = repeating_filter(2);
    struct fe_exchange *const ex = &world->fake.ex;

    use(world, &twice.filter, NULL);
    fe_backend_start(&backend, ex);
    assert_int_equal(respond(world, 9, "n", "v"), 0);
    world->fake.room = 0;
    assert_int_equal(fe_exchange_write(ex, FE_VIEW_LIT("a")), 1);
    world->trace.len = 0;
    world->fake.error = FLATEND_ENOMEM;
    fake_exchange_writable(&world->fake, SIZE_MAX);
    trace_expect(&world->trace, "reset:ENOMEM abort");
}

/* ---- the gateway's own ----------------------------------------------------------------------- */

#define NO_CACHE                                                                                   \
    "cache-control=no-cache, no-store, no-transform, must-revalidate, private, max-age=0,"         \
    "expires=Thu, 01 Jan 1970 00:00:00 GMT,pragma=no-cache"

static void test_no_cache(void **state)
{
    struct world *const world = *state;

    use(world, &fe_no_cache_filter, NULL);
    fe_backend_start(&backend, &world->fake.ex);
    assert_int_equal(respond(world, 0, "cache-control", "public"), 0);
    trace_expect(&world->trace, "start respond(200,#0," NO_CACHE ")");
    fe_exchange_finish(&world->fake.ex, NULL);
}

static void test_no_cache_keeps_other_fields(void **state)
{
    struct world *const world = *state;

    use(world, &fe_no_cache_filter, NULL);
    fe_backend_start(&backend, &world->fake.ex);
    assert_int_equal(respond(world, 0, "etag", "\"1\""), 0);
    trace_expect(&world->trace, "start respond(200,#0,etag=\"1\"," NO_CACHE ")");
    fe_exchange_finish(&world->fake.ex, NULL);
}

static void test_no_cache_leaves_problems_alone(void **state)
{
    struct world *const world = *state;

    use(world, &fe_no_cache_filter, NULL);
    fe_backend_start(&backend, &world->fake.ex);
    fe_problem_respond(&world->fake.ex, 404, "no");
    trace_expect(&world->trace,
                 "start respond(404,#3,content-type=text/plain; charset=utf-8) write(no\n) end");
}

/* RFC 6797 §6.1: one Strict-Transport-Security; the response's own counts. §7.2: over TLS only. */
static void test_hsts(void **state)
{
    static const struct {
        const char *scheme;
        const char *name;
        const char *expected;
    } cases[] = {
        {"https", "n", "start respond(200,#0,n=max-age=0,strict-transport-security=max-age=60)"},
        {"http", "n", "start respond(200,#0,n=max-age=0)"},
        {"https", "Strict-Transport-Security",
         "start respond(200,#0,Strict-Transport-Security=max-age=0)"},
    };
    struct world *const world = *state;
    const struct fe_hsts_filter hsts = fe_hsts_filter(FE_VIEW_LIT("max-age=60"));

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fake_exchange_deinit(&world->fake);
        fake_exchange_init(&world->fake, &world->trace);
        world->fake.ex.state = world;
        world->fake.ex.request.scheme = fe_view_str(cases[i].scheme);
        use(world, &hsts.filter, NULL);
        fe_backend_start(&backend, &world->fake.ex);
        assert_int_equal(respond(world, 0, cases[i].name, "max-age=0"), 0);
        trace_expect(&world->trace, cases[i].expected);
        fake_exchange_abort(&world->fake);
        trace_expect(&world->trace, "reset:ECLOSED");
    }
}

/* What the gateway builds: nothing on a route that has nothing of its own. */
static void test_chains(void **state)
{
    struct world *const world = *state;
    const struct fe_filter_chain *const plain =
        fe_filters_of_listener(&world->arena, fe_view_of(NULL, 0));
    const struct fe_filter_chain *const secure =
        fe_filters_of_listener(&world->arena, FE_VIEW_LIT("max-age=60"));
    const struct fe_route_filters none = {.body_max = UINT64_MAX};
    const struct fe_route_filters all = {.body_min = 1, .body_max = 2, .no_cache = true};

    assert_int_equal(plain->n, 1);
    assert_false(plain->has_start);
    assert_null(plain->first[FE_FILTER_respond]);
    assert_int_equal(secure->n, 2);
    assert_ptr_equal(fe_filters_of_route(&world->arena, plain, &none), plain);
    assert_int_equal(fe_filters_of_route(&world->arena, secure, &all)->n, 4);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_order),
        TEST(test_route),
        TEST(test_answer),
        TEST(test_held_request),
        TEST(test_client_that_goes_before_the_start),
        TEST(test_failure),
        TEST(test_tunnel),
        TEST(test_request_that_grows),
        TEST(test_request_that_is_held_back),
        TEST(test_response_that_grows),
        TEST(test_response_that_is_held_back),
        TEST(test_client_that_goes_after_the_backend),
        TEST(test_write_that_fails_later),
        TEST(test_no_cache),
        TEST(test_no_cache_keeps_other_fields),
        TEST(test_no_cache_leaves_problems_alone),
        TEST(test_hsts),
        TEST(test_chains),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
