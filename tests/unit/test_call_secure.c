/* Calls to providers that know windows, RESET and trailers; and what calls tell the registry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mesh/rpc/call.h"
#include "support/fake_peer.h"
#include "support/headers.h"

enum { N_PEERS = 2 };

/* The first stream of provider i of ours is 100 * (i + 1) + 1. */
struct world {
    struct trace trace;
    struct fe_rng_seeded seeded;
    struct fe_registry registry;
    struct fe_timers timers;
    struct fe_pool pool;
    struct fake_peer fakes[N_PEERS];
    struct fe_call call;
    struct fe_call_request request;
    size_t appetite;
    unsigned n_clock; /* how often the registry's clock was read */
};

static void on_response(struct fe_call *call, struct fe_headers headers)
{
    (void)headers;
    trace_add(&((struct world *)call->owner)->trace, "response");
}

static size_t on_data(struct fe_call *call, struct fe_view data)
{
    struct world *world = call->owner;
    char text[24];

    trace_add(&world->trace, "data:%s", fake_body(data, text));
    return data.len < world->appetite ? data.len : world->appetite;
}

static void on_writable(struct fe_call *call)
{
    trace_add(&((struct world *)call->owner)->trace, "writable");
}

static void on_end(struct fe_call *call, struct fe_headers trailers)
{
    struct world *world = call->owner;
    struct fe_view value = FE_VIEW_LIT("");

    (void)headers_find(trailers, FE_VIEW_LIT("a"), &value);
    trace_add(&world->trace, "done%.*s", (int)value.len, (const char *)value.ptr);
    memset(call, 0xdd, sizeof(*call)); /* it is the owner's again */
}

static void on_reset(struct fe_call *call, int code)
{
    struct world *world = call->owner;

    trace_add(&world->trace, "reset:%s", flatend_error_name(code));
    memset(call, 0xdd, sizeof(*call));
}

static const struct fe_call_ops call_ops = {
    .on_response = on_response,
    .on_data = on_data,
    .on_writable = on_writable,
    .on_end = on_end,
    .on_reset = on_reset,
};

static uint64_t now(void *arg)
{
    ((struct world *)arg)->n_clock++;
    return 0;
}

static int setup(void **state)
{
    static const struct fe_flow flow = {.stream_out = 6,
                                        .connection_out = 1000,
                                        .stream_in = 100,
                                        .connection_in = 1000,
                                        .streams_out = 1};
    static const struct fe_view echo = {(const uint8_t *)"echo", 4};
    static struct world world;
    struct fe_rng rng;

    memset(&world, 0, sizeof(world));
    rng = fe_rng_from_seed(&world.seeded, 1);
    fe_registry_init(&world.registry, &rng);
    fe_registry_set_clock(&world.registry, now, &world);
    fe_timers_init(&world.timers);
    fe_pool_init(&world.pool);
    for (uint32_t i = 0; i < N_PEERS; i++) {
        fake_peer_init_secure(&world.fakes[i], &world.trace, 100 * (i + 1) + 1, &flow);
        world.fakes[i].peer.is_anonymous = true;
    }
    world.request =
        (struct fe_call_request){.services = &echo, .n_services = 1, .deadline_ms = FE_TIME_NEVER};
    world.appetite = SIZE_MAX;
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    world->trace.is_off = true;
    for (int i = 0; i < N_PEERS; i++) {
        fake_peer_deinit(&world->fakes[i]);
    }
    fe_registry_deinit(&world->registry);
    fe_timers_deinit(&world->timers);
    fe_pool_deinit(&world->pool);
    return 0;
}

/* The first `n` fakes provide the service. Of two the first is asked first: it is the first two
 * times as large. */
static void provide(struct world *world, unsigned n)
{
    static const struct fe_offers offers[] = {{FE_VIEW_LIT("\4echo\0\1"), 1},
                                              {FE_VIEW_LIT("\4echo\0\0"), 1}};

    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(fe_registry_replace(&world->registry, &world->fakes[i].peer, offers[i]),
                         0);
    }
}

static int start(struct world *world)
{
    const struct fe_call_env env = {&world->registry, &world->timers, &world->pool};

    return fe_call_start(&world->call, &env, &world->request, &call_ops, world);
}

/* ---- the call itself ---- */

static void trailers_go_both_ways(void **state)
{
    const struct fe_header trailer = {FE_VIEW_LIT("sum"), FE_VIEW_LIT("1")};
    struct world *world = *state;

    provide(world, 1);
    assert_int_equal(start(world), 0);
    assert_int_equal(fe_call_finish(&world->call, &trailer, 1), 0);
    assert_int_equal(feed_response(&world->fakes[0], 101, true), 0);
    assert_int_equal(feed_end_with(&world->fakes[0], 101, FE_VIEW_LIT("\1a\0\2bc"), 1), 0);
    trace_expect(&world->trace, "request(101,echo) end(101,sum) response donebc");
}

static void trailers_wait_for_a_slow_reader(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    world->appetite = 1;
    assert_int_equal(start(world), 0);
    assert_int_equal(fe_call_finish(&world->call, NULL, 0), 0);
    assert_int_equal(feed_response(&world->fakes[0], 101, true), 0);
    assert_int_equal(feed_data(&world->fakes[0], 101, "xyz"), 0);
    assert_int_equal(feed_end_with(&world->fakes[0], 101, FE_VIEW_LIT("\1a\0\2bc"), 1), 0);
    world->appetite = SIZE_MAX;
    fe_call_resume(&world->call);
    trace_expect(&world->trace, "request(101,echo) end(101) response data:xyz data:yz donebc");
}

static void trailers_are_sent_again(void **state)
{
    const struct fe_header trailer = {FE_VIEW_LIT("sum"), FE_VIEW_LIT("1")};
    struct world *world = *state;

    provide(world, 2);
    assert_int_equal(start(world), 0);
    assert_int_equal(fe_call_write(&world->call, FE_VIEW_LIT("ping")), 4);
    assert_int_equal(fe_call_finish(&world->call, &trailer, 1), 0);
    assert_int_equal(feed_reset(&world->fakes[0], 101, FE_REASON_REFUSED), 0);
    trace_expect(&world->trace, "request(101,echo) data(101,ping) end(101,sum) "
                                "request(201,echo) data(201,ping) end(201,sum)");
    fe_call_reset(&world->call, FE_REASON_CANCEL);
}

static void a_replay_keeps_to_the_window(void **state)
{
    struct world *world = *state;

    provide(world, 2);
    assert_int_equal(start(world), 0);
    assert_int_equal(fe_call_write(&world->call, FE_VIEW_LIT("abcdefgh")), 6);
    assert_int_equal(feed_window(&world->fakes[0], 101, 2), 0);
    assert_int_equal(fe_call_write(&world->call, FE_VIEW_LIT("gh")), 2);
    trace_expect(&world->trace, "request(101,echo) data(101,abcdef) writable data(101,gh)");
    assert_int_equal(fe_call_finish(&world->call, NULL, 0), 0);
    assert_int_equal(feed_reset(&world->fakes[0], 101, FE_REASON_REFUSED), 0);
    trace_expect(&world->trace, "end(101) request(201,echo) data(201,abcdef)");
    assert_int_equal(feed_window(&world->fakes[1], 201, 100), 0);
    trace_expect(&world->trace, "data(201,gh) end(201)");
    fe_call_reset(&world->call, FE_REASON_CANCEL);
}

static void the_deadline_says_timeout(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    world->request.deadline_ms = 1000;
    assert_int_equal(start(world), 0);
    fe_timers_run(&world->timers, 1000);
    trace_expect(&world->trace, "request(101,echo) reset(101,TIMEOUT) reset:ETIMEDOUT");
}

static void a_call_is_reset_with_a_reason(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    assert_int_equal(start(world), 0);
    fe_call_reset(&world->call, FE_REASON_TOO_LARGE);
    fe_call_reset(&world->call, FE_REASON_TOO_LARGE);
    assert_int_equal(start(world), 0);
    fe_call_reset(&world->call, FE_REASON_CANCEL);
    trace_expect(&world->trace, "request(101,echo) reset(101,TOO_LARGE) "
                                "request(103,echo) reset(103,CANCEL)");
}

static void only_what_was_refused_is_retried(void **state)
{
    struct world *world = *state;

    provide(world, 2);
    assert_int_equal(start(world), 0);
    assert_int_equal(feed_reset(&world->fakes[0], 101, FE_REASON_REFUSED), 0);
    assert_int_equal(feed_reset(&world->fakes[1], 201, FE_REASON_INTERNAL), 0);
    trace_expect(&world->trace, "request(101,echo) request(201,echo) reset:ERESET");
    world->request.is_idempotent = true;
    assert_int_equal(start(world), 0);
    assert_int_equal(feed_reset(&world->fakes[0], 103, FE_REASON_INTERNAL), 0);
    assert_int_equal(feed_response(&world->fakes[1], 203, true), 0);
    assert_int_equal(feed_reset(&world->fakes[1], 203, FE_REASON_INTERNAL), 0);
    trace_expect(&world->trace, "request(103,echo) request(203,echo) response reset:ERESET");
}

static void what_was_not_accepted_goes_elsewhere(void **state)
{
    struct world *world = *state;

    provide(world, 2);
    assert_int_equal(start(world), 0);
    assert_int_equal(fe_call_finish(&world->call, NULL, 0), 0);
    assert_int_equal(feed_goaway(&world->fakes[0], 0), 0);
    trace_expect(&world->trace, "request(101,echo) end(101) request(201,echo) end(201)");
    fe_call_reset(&world->call, FE_REASON_CANCEL);
}

static void a_provider_that_takes_no_more_is_passed_over(void **state)
{
    struct world *world = *state;
    const struct fe_call_env env = {&world->registry, &world->timers, &world->pool};
    struct fake_owner owner;
    struct fe_call second;

    provide(world, 2);
    fake_owner_init(&owner, &world->trace);
    assert_int_equal(fake_open(&world->fakes[0], &owner), 0);
    assert_int_equal(start(world), 0);
    trace_expect(&world->trace, "request(101,echo) request(201,echo)");
    assert_int_equal(fe_call_start(&second, &env, &world->request, &call_ops, world),
                     FLATEND_ELIMIT);
    fe_call_reset(&world->call, FE_REASON_CANCEL);
    fake_cancel(&owner);
}

/* ---- what the registry hears ---- */

static struct fe_health *health(struct world *world)
{
    return &world->fakes[0].peer.health;
}

static void failures_are_reported(void **state)
{
    static const struct {
        uint32_t reason;
        unsigned n;
    } cases[] = {
        {FE_REASON_REFUSED, 1}, {FE_REASON_TIMEOUT, 1},   {FE_REASON_INTERNAL, 1},
        {FE_REASON_DENIED, 0},  {FE_REASON_TOO_LARGE, 0}, /* these are about the request */
    };
    struct world *world = *state;

    provide(world, 1);
    world->trace.is_off = true;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        *health(world) = (struct fe_health){0};
        assert_int_equal(start(world), 0);
        assert_int_equal(
            feed_reset(&world->fakes[0], world->fakes[0].peer.next_local - 2, cases[i].reason), 0);
        assert_int_equal(health(world)->n_failures, cases[i].n);
    }
    *health(world) = (struct fe_health){0};
    world->request.deadline_ms = 10;
    assert_int_equal(start(world), 0);
    fe_timers_run(&world->timers, 10);
    assert_int_equal(health(world)->n_failures, 1);
}

/* Requests 101, 103, ... of the first provider; the next one, with the head of its response. */
static uint32_t begin_response(struct world *world)
{
    uint32_t id;

    assert_int_equal(start(world), 0);
    id = world->fakes[0].peer.next_local - 2;
    assert_int_equal(feed_response(&world->fakes[0], id, true), 0);
    return id;
}

static void a_response_tells_when_it_is_over(void **state)
{
    struct world *world = *state;
    uint32_t id;

    provide(world, 1);
    world->trace.is_off = true;
    health(world)->n_failures = 2;
    id = begin_response(world);
    assert_int_equal(health(world)->n_failures, 2); /* a head is no response yet */
    assert_int_equal(feed_end(&world->fakes[0], id), 0);
    assert_int_equal(health(world)->n_failures, 0);
    /* What breaks off, or cannot be used, is a failure. */
    id = begin_response(world);
    assert_int_equal(feed_reset(&world->fakes[0], id, FE_REASON_INTERNAL), 0);
    assert_int_equal(health(world)->n_failures, 1);
    (void)begin_response(world);
    fe_call_reject(&world->call, FE_REASON_CANCEL);
    assert_int_equal(health(world)->n_failures, 2);
    fe_call_reject(&world->call, FE_REASON_CANCEL); /* once */
    assert_int_equal(health(world)->n_failures, 2);
    /* Its requester wants no more of it: so far it was well. */
    (void)begin_response(world);
    fe_call_reset(&world->call, FE_REASON_CANCEL);
    assert_int_equal(health(world)->n_failures, 0);
}

static void a_response_of_another_length_than_announced_is_a_failure(void **state)
{
    struct world *world = *state;
    uint32_t id;

    provide(world, 1);
    world->trace.is_off = true;
    for (uint64_t expected = 3; expected <= 5; expected++) {
        id = begin_response(world);
        fe_call_expect(&world->call, expected);
        assert_int_equal(feed_data(&world->fakes[0], id, "1234"), 0);
        assert_int_equal(feed_end(&world->fakes[0], id), 0);
        assert_int_equal(health(world)->n_failures, expected == 4 ? 0 : 1);
    }
}

/* The gateway has deadlines of its own. */
static void what_is_given_up_for_its_time_is_a_failure(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    world->trace.is_off = true;
    assert_int_equal(start(world), 0);
    fe_call_reset(&world->call, FE_REASON_TIMEOUT);
    assert_int_equal(health(world)->n_failures, 1);
    fe_call_reset(&world->call, FE_REASON_TIMEOUT); /* once */
    assert_int_equal(health(world)->n_failures, 1);
}

static void a_cancel_before_the_head_is_nothing(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    world->trace.is_off = true;
    health(world)->n_failures = 3;
    assert_int_equal(start(world), 0);
    fe_call_reset(&world->call, FE_REASON_CANCEL);
    assert_int_equal(health(world)->n_failures, 3);
    assert_int_equal(world->n_clock, 0);
}

static void a_provider_that_fails_is_left_out(void **state)
{
    struct world *world = *state;

    provide(world, 2);
    world->trace.is_off = true;
    for (int i = 0; i < FE_EJECT_AFTER; i++) {
        assert_int_equal(start(world), 0);
        assert_int_equal(feed_reset(&world->fakes[0], 101 + 2 * (uint32_t)i, FE_REASON_INTERNAL),
                         0);
    }
    world->trace.is_off = false;
    assert_int_equal(start(world), 0);
    trace_expect(&world->trace, "request(201,echo)");
    fe_call_reset(&world->call, FE_REASON_CANCEL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(trailers_go_both_ways),
        TEST(trailers_wait_for_a_slow_reader),
        TEST(trailers_are_sent_again),
        TEST(a_replay_keeps_to_the_window),
        TEST(the_deadline_says_timeout),
        TEST(a_call_is_reset_with_a_reason),
        TEST(only_what_was_refused_is_retried),
        TEST(what_was_not_accepted_goes_elsewhere),
        TEST(a_provider_that_takes_no_more_is_passed_over),
        TEST(failures_are_reported),
        TEST(a_response_tells_when_it_is_over),
        TEST(a_response_of_another_length_than_announced_is_a_failure),
        TEST(what_is_given_up_for_its_time_is_a_failure),
        TEST(a_cancel_before_the_head_is_nothing),
        TEST(a_provider_that_fails_is_left_out),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
