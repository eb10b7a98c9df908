/* One request to a service: a fake exchange on one side, fake providers on the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/filters/chains.h"
#include "gateway/relay/service.h"
#include "support/fake_exchange.h"
#include "support/fake_peer.h"

enum { N_PROVIDERS = 2, TIMEOUT_MS = 1000, LONG_MS = 10000, START_MS = 5000 };

/* An answer of the gateway's own. */
#define PROBLEM(status, length, reason)                                                            \
    "respond(" status ",#" length ",content-type=text/plain; charset=utf-8) write(" reason "\n) "  \
    "end"

#define TOO_LARGE PROBLEM("431", "56", "header fields and parameters too large for the provider")

/* The first stream of provider i is 100 * (i + 1). */
struct world {
    struct trace trace;
    struct fe_rng_seeded seeded;
    struct fe_registry registry;
    struct fe_timers timers;
    struct fe_pool pool;
    uint64_t now_ms;
    struct fe_mesh_access mesh;
    struct fake_peer providers[N_PROVIDERS];
    struct fake_exchange fake;
    struct fe_view services[2];
    struct fe_config_route route;
    struct fe_match match;
    struct fe_service_backend backend;
    struct fe_arena filter_arena;
};

static uint64_t now_ms(void *arg)
{
    return ((struct world *)arg)->now_ms;
}

static int setup(void **state)
{
    static struct world world;
    struct fe_rng rng;

    memset(&world, 0, sizeof(world));
    rng = fe_rng_from_seed(&world.seeded, 1);
    fe_registry_init(&world.registry, &rng);
    fe_timers_init(&world.timers);
    fe_pool_init(&world.pool);
    world.now_ms = START_MS;
    world.mesh = (struct fe_mesh_access){
        .registry = &world.registry,
        .timers = &world.timers,
        .pool = &world.pool,
        .now_ms = now_ms,
        .now_arg = &world,
    };
    for (uint32_t i = 0; i < N_PROVIDERS; i++) {
        fake_peer_init(&world.providers[i], &world.trace, 100 * (i + 1));
        world.providers[i].peer.is_anonymous = true;
    }
    fake_exchange_init(&world.fake, &world.trace);
    world.services[0] = FE_VIEW_LIT("echo");
    world.services[1] = FE_VIEW_LIT("other");
    world.route = (struct fe_config_route){.kind = FE_ROUTE_SERVICE,
                                           .services = world.services,
                                           .n_services = 1,
                                           .timeout_ms = TIMEOUT_MS,
                                           .body_max = UINT64_MAX};
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    world->trace.is_off = true;
    for (int i = 0; i < N_PROVIDERS; i++) {
        fake_peer_deinit(&world->providers[i]);
    }
    assert_int_equal(world->timers.n, 0); /* nothing is left behind, however it ended */
    fe_registry_deinit(&world->registry);
    fe_timers_deinit(&world->timers);
    fe_pool_deinit(&world->pool);
    fake_exchange_deinit(&world->fake);
    fe_arena_deinit(&world->filter_arena);
    return 0;
}

/* The first `n` providers offer "echo"; with two, they are asked in this order. */
static void provide(struct world *world, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(
            fe_registry_offer(&world->registry, &world->providers[i].peer,
                              (struct fe_names){.bytes = FE_VIEW_LIT("\4echo"), .n = 1}),
            0);
        fake_load(&world->providers[i], 100 * i);
    }
}

/* The route's limits are filters', with which the gateway uses the backend. */
static const struct fe_filter_chain *make_filters(struct world *world)
{
    const struct fe_route_filters filters = {.body_min = world->route.body_min,
                                             .body_max = world->route.body_max,
                                             .no_cache = world->route.no_cache};

    return fe_filters_of_route(&world->filter_arena,
                               fe_filters_of_listener(&world->filter_arena, fe_view_of(NULL, 0)),
                               &filters);
}

static void serve(struct world *world)
{
    world->backend = fe_service_backend(&world->mesh);
    world->match.route = &world->route;
    world->fake.ex.match = &world->match;
    world->fake.ex.filters = make_filters(world);
    world->fake.ex.remote = FE_VIEW_LIT("192.0.2.1:5000");
    fe_backend_start(&world->backend.backend, &world->fake.ex);
}

/* A POST with a body of this length, which begins to be asked for. */
static void serve_post(struct world *world, uint64_t length)
{
    world->fake.ex.request.method = FE_METHOD_POST;
    world->fake.ex.request.method_text = FE_VIEW_LIT("POST");
    world->fake.ex.request.content_length = length;
    serve(world);
}

/* The head of a response, with encoded headers. */
static void feed_head(struct world *world, uint32_t stream, struct fe_headers headers)
{
    struct fake_peer *provider = &world->providers[stream / 100 - 1];
    struct fe_event event = {
        .type = FE_EVENT_RESPONSE,
        .stream = stream,
        .u.response = {.handled = true, .headers = headers},
    };

    assert_int_equal(fe_peer_on_event(&provider->peer, &event, NULL), 0);
}

static void pass(struct world *world, uint64_t ms)
{
    world->now_ms += ms;
    fe_timers_run(&world->timers, world->now_ms);
}

/* ---- the happy path ------------------------------------------------------------------------- */

static void test_get(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    serve(world);
    trace_expect(&world->trace, "request(100,echo) end(100)");
    feed_head(world, 100,
              (struct fe_headers){.bytes = FE_VIEW_LIT("\7:status\0\003201\1a\0\1b"), .n = 2});
    assert_int_equal(feed_data(&world->providers[0], 100, "hello"), 0);
    trace_expect(&world->trace, "respond(201,a=b) write(hello)");
    assert_int_equal(feed_end(&world->providers[0], 100), 0);
    trace_expect(&world->trace, "end");
}

static void test_post_both_ways_at_once(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    serve_post(world, FE_BODY_UNKNOWN);
    trace_expect(&world->trace, "request(100,echo) resume");
    assert_int_equal(fake_exchange_body(&world->fake, "one"), 3);
    feed_head(world, 100, (struct fe_headers){.n = 0});
    assert_int_equal(feed_data(&world->providers[0], 100, "one"), 0);
    assert_int_equal(fake_exchange_body(&world->fake, "two"), 3);
    fake_exchange_body_end(&world->fake);
    assert_int_equal(feed_data(&world->providers[0], 100, "two"), 0);
    assert_int_equal(feed_end(&world->providers[0], 100), 0);
    trace_expect(&world->trace,
                 "data(100,one) respond(200) write(one) data(100,two) end(100) write(two) end");
}

static void test_service_that_does_not_keep_up(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    serve_post(world, 6);
    world->providers[0].sender.space = 2;
    assert_int_equal(fake_exchange_body(&world->fake, "abcdef"), 2);
    trace_expect(&world->trace, "request(100,echo) resume data(100,ab)");
    assert_false(world->fake.wants_body);
    world->providers[0].sender.space = SIZE_MAX;
    fe_peer_on_writable(&world->providers[0].peer);
    trace_expect(&world->trace, "resume");
    assert_int_equal(fake_exchange_body(&world->fake, "cdef"), 4);
    fake_exchange_body_end(&world->fake);
    trace_expect(&world->trace, "data(100,cdef) end(100)");
    fake_exchange_abort(&world->fake);
}

static void test_client_that_does_not_keep_up(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    serve(world);
    feed_head(world, 100, (struct fe_headers){.n = 0});
    world->fake.room = 2;
    assert_int_equal(feed_data(&world->providers[0], 100, "abcdef"), 0);
    assert_int_equal(feed_data(&world->providers[0], 100, "ghi"), 0);
    assert_int_equal(feed_end(&world->providers[0], 100), 0);
    trace_expect(&world->trace, "request(100,echo) end(100) respond(200) write(ab)");
    fake_exchange_writable(&world->fake, 4);
    trace_expect(&world->trace, "write(cdef)");
    fake_exchange_writable(&world->fake, SIZE_MAX);
    trace_expect(&world->trace, "write(ghi) end");
}

/* The body of a HEAD is discarded, and the service may never come to its end. */
static void test_head_ends_with_the_head(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    world->fake.ex.request.method = FE_METHOD_HEAD;
    world->fake.ex.request.method_text = FE_VIEW_LIT("HEAD");
    serve(world);
    feed_head(world, 100,
              (struct fe_headers){.bytes = FE_VIEW_LIT("\16content-length\0\0015"), .n = 1});
    assert_int_equal(feed_data(&world->providers[0], 100, "hello"), 0);
    trace_expect(&world->trace, "request(100,echo) end(100) respond(200,#5) end");
}

static void test_response_before_the_request_is_complete(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    serve_post(world, 100);
    assert_int_equal(fake_exchange_body(&world->fake, "a part"), 6);
    feed_head(world, 100, (struct fe_headers){.n = 0});
    assert_int_equal(feed_end(&world->providers[0], 100), 0);
    trace_expect(&world->trace,
                 "request(100,echo) resume data(100,a part) respond(200) end(100) end");
}

/* ---- what the client is told ---------------------------------------------------------------- */

static void test_no_provider(void **state)
{
    struct world *world = *state;

    world->route.n_services = 2;
    serve(world);
    trace_expect(&world->trace, PROBLEM("503", "32", "no provider for 'echo', 'other'"));
}

static void test_not_handled(void **state)
{
    struct world *world = *state;

    provide(world, 2);
    serve_post(world, 0);
    assert_int_equal(feed_response(&world->providers[0], 100, false), 0);
    trace_expect(&world->trace, "request(100,echo) end(100) request(200,echo) end(200)");
    assert_int_equal(feed_response(&world->providers[1], 200, false), 0);
    trace_expect(&world->trace,
                 PROBLEM("503", "46", "request not handled by any provider of 'echo'"));
}

static void test_provider_lost_before_the_head(void **state)
{
    struct world *world = *state;

    provide(world, 2);
    serve_post(world, 0); /* not idempotent: no other provider is asked */
    fe_peer_close(&world->providers[0].peer, FLATEND_ECLOSED);
    trace_expect(&world->trace, "request(100,echo) end(100) " PROBLEM(
                                    "502", "42", "connection lost to the provider of 'echo'"));
}

static void test_idempotent_request_is_retried(void **state)
{
    struct world *world = *state;

    provide(world, 2);
    serve(world);
    fe_peer_close(&world->providers[0].peer, FLATEND_ECLOSED);
    trace_expect(&world->trace, "request(100,echo) end(100) request(200,echo) end(200)");
    feed_head(world, 200, (struct fe_headers){.n = 0});
    assert_int_equal(feed_end(&world->providers[1], 200), 0);
    trace_expect(&world->trace, "respond(200) end");
}

static void test_provider_lost_after_the_head(void **state)
{
    struct world *world = *state;

    provide(world, 2);
    serve(world);
    feed_head(world, 100, (struct fe_headers){.n = 0});
    assert_int_equal(feed_data(&world->providers[0], 100, "half"), 0);
    fe_peer_close(&world->providers[0].peer, FLATEND_ECLOSED);
    trace_expect(&world->trace, "request(100,echo) end(100) respond(200) write(half) abort");
}

static void test_head_that_does_not_fit(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    world->providers[0].sender.error = FLATEND_ETOOBIG;
    serve(world);
    trace_expect(&world->trace, TOO_LARGE);
}

static void test_too_many_parameters(void **state)
{
    struct world *world = *state;
    char query[1000];

    for (size_t i = 0; i < sizeof(query); i++) {
        query[i] = i % 2 == 0 ? 'a' : '&';
    }
    provide(world, 1);
    world->fake.ex.request.query = fe_view_of(query, sizeof(query));
    serve(world);
    trace_expect(&world->trace, TOO_LARGE);
}

static void test_parameter_that_cannot_be_told(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    world->fake.ex.request.query = FE_VIEW_LIT("id%00=2&id=1");
    serve(world);
    trace_expect(&world->trace, PROBLEM("400", "41", "query parameter with a control character"));
}

static void test_announced_lengths(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    world->route.body_min = 10;
    world->route.body_max = 20;
    serve_post(world, 9);
    trace_expect(&world->trace, PROBLEM("400", "35", "request body smaller than 10 bytes"));
    fake_exchange_deinit(&world->fake);
    fake_exchange_init(&world->fake, &world->trace);
    serve_post(world, 21);
    trace_expect(&world->trace, PROBLEM("413", "23", "request body too large"));
    fake_exchange_deinit(&world->fake);
    fake_exchange_init(&world->fake, &world->trace);
    serve_post(world, 20);
    trace_expect(&world->trace, "request(100,echo) resume");
    fake_exchange_abort(&world->fake);
}

static void test_unannounced_body_that_is_too_large(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    world->route.body_max = 4;
    serve_post(world, FE_BODY_UNKNOWN);
    assert_int_equal(fake_exchange_body(&world->fake, "abcd"), 4);
    (void)fake_exchange_body(&world->fake, "e");
    trace_expect(&world->trace, "request(100,echo) resume data(100,abcd) end(100) " PROBLEM(
                                    "413", "23", "request body too large"));
}

static void test_unannounced_body_that_is_too_small(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    world->route.body_min = 4;
    serve_post(world, FE_BODY_UNKNOWN);
    assert_int_equal(fake_exchange_body(&world->fake, "abc"), 3);
    fake_exchange_body_end(&world->fake);
    trace_expect(&world->trace, "request(100,echo) resume data(100,abc) end(100) " PROBLEM(
                                    "400", "34", "request body smaller than 4 bytes"));
}

/* ---- hostile providers ---------------------------------------------------------------------- */

static void test_invalid_heads(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    serve(world);
    feed_head(world, 100, (struct fe_headers){.bytes = FE_VIEW_LIT("\7:status\0\003999"), .n = 1});
    trace_expect(&world->trace,
                 "request(100,echo) end(100) " PROBLEM("502", "16", "invalid :status"));

    fake_exchange_deinit(&world->fake);
    fake_exchange_init(&world->fake, &world->trace);
    serve(world);
    world->fake.error = FLATEND_EINVAL; /* what the protocol says of a name or a value */
    feed_head(world, 102, (struct fe_headers){.bytes = FE_VIEW_LIT("\3a b\0\0"), .n = 1});
    trace_expect(&world->trace, "request(102,echo) end(102) " PROBLEM(
                                    "502", "44", "invalid status, header name or header value"));
}

static void test_more_than_announced(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    serve(world);
    feed_head(world, 100, (struct fe_headers){.n = 0});
    world->fake.error = FLATEND_ETOOBIG;
    assert_int_equal(feed_data(&world->providers[0], 100, "too much"), 0);
    trace_expect(&world->trace, "request(100,echo) end(100) respond(200) abort");
    assert_int_equal(feed_data(&world->providers[0], 100, "and more"), 0);
    trace_expect(&world->trace, "");
}

/* ---- time, and clients that go -------------------------------------------------------------- */

static void test_no_answer_in_time(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    serve(world);
    pass(world, TIMEOUT_MS - 1);
    trace_expect(&world->trace, "request(100,echo) end(100)");
    pass(world, 1);
    trace_expect(&world->trace, PROBLEM("504", "29", "timed out waiting for 'echo'"));
}

static void test_head_stops_the_deadline(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    serve(world);
    feed_head(world, 100, (struct fe_headers){.n = 0});
    pass(world, LONG_MS);
    trace_expect(&world->trace, "request(100,echo) end(100) respond(200)");
    fake_exchange_abort(&world->fake);
}

/* A slow client is not a slow service. */
static void test_deadline_waits_for_the_body(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    serve_post(world, 6);
    pass(world, LONG_MS);
    assert_int_equal(fake_exchange_body(&world->fake, "abcdef"), 6);
    pass(world, LONG_MS);
    trace_expect(&world->trace, "request(100,echo) resume data(100,abcdef)");
    fake_exchange_body_end(&world->fake);
    trace_expect(&world->trace, "end(100)");
    pass(world, TIMEOUT_MS);
    trace_expect(&world->trace, PROBLEM("504", "29", "timed out waiting for 'echo'"));
}

static void test_service_that_does_not_take_the_body(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    serve_post(world, 6);
    world->providers[0].sender.space = 0;
    assert_int_equal(fake_exchange_body(&world->fake, "abcdef"), 0);
    pass(world, TIMEOUT_MS - 1);
    world->providers[0].sender.space = 3;
    fe_peer_on_writable(&world->providers[0].peer);
    assert_int_equal(fake_exchange_body(&world->fake, "abcdef"), 3);
    pass(world, TIMEOUT_MS - 1);
    trace_expect(&world->trace, "request(100,echo) resume resume data(100,abc)");
    pass(world, 1);
    trace_expect(&world->trace, "end(100) " PROBLEM("504", "29", "timed out waiting for 'echo'"));
}

/* It takes the body again, and now the client has to go on. */
static void test_deadline_stops_when_the_body_is_taken(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    serve_post(world, 6);
    world->providers[0].sender.space = 0;
    assert_int_equal(fake_exchange_body(&world->fake, "abc"), 0);
    world->providers[0].sender.space = SIZE_MAX;
    fe_peer_on_writable(&world->providers[0].peer);
    assert_int_equal(fake_exchange_body(&world->fake, "abc"), 3);
    pass(world, LONG_MS);
    trace_expect(&world->trace, "request(100,echo) resume resume data(100,abc)");
    fake_exchange_abort(&world->fake);
}

static void test_no_limit(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    world->route.timeout_ms = 0;
    serve(world);
    pass(world, UINT32_MAX);
    trace_expect(&world->trace, "request(100,echo) end(100)");
    fake_exchange_abort(&world->fake);
}

static void test_client_that_goes(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    serve_post(world, 6);
    fake_exchange_abort(&world->fake);
    trace_expect(&world->trace, "request(100,echo) resume end(100)");
    feed_head(world, 100, (struct fe_headers){.n = 0});
    assert_int_equal(feed_data(&world->providers[0], 100, "late"), 0);
    assert_int_equal(feed_end(&world->providers[0], 100), 0);
    trace_expect(&world->trace, "");
    assert_int_equal(world->providers[0].peer.n_streams, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_get, setup, teardown),
        cmocka_unit_test_setup_teardown(test_post_both_ways_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_service_that_does_not_keep_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_client_that_does_not_keep_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_head_ends_with_the_head, setup, teardown),
        cmocka_unit_test_setup_teardown(test_response_before_the_request_is_complete, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_no_provider, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_handled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_provider_lost_before_the_head, setup, teardown),
        cmocka_unit_test_setup_teardown(test_idempotent_request_is_retried, setup, teardown),
        cmocka_unit_test_setup_teardown(test_provider_lost_after_the_head, setup, teardown),
        cmocka_unit_test_setup_teardown(test_head_that_does_not_fit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_parameters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_parameter_that_cannot_be_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_announced_lengths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unannounced_body_that_is_too_large, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unannounced_body_that_is_too_small, setup, teardown),
        cmocka_unit_test_setup_teardown(test_invalid_heads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_more_than_announced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_answer_in_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_head_stops_the_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deadline_waits_for_the_body, setup, teardown),
        cmocka_unit_test_setup_teardown(test_service_that_does_not_take_the_body, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deadline_stops_when_the_body_is_taken, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_no_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_client_that_goes, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
