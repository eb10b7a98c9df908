/* Calls over two or more fake providers: retries, replay, deadlines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mesh/rpc/call.h"
#include "support/fake_peer.h"

enum { N_PEERS = FE_CALL_ATTEMPTS_MAX + 1 };

/* The first stream of provider i of ours is 100 * (i + 1). */
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
    void (*hook)(struct world *world); /* in each callback of the call, after its line */
};

static void run_hook(struct world *world)
{
    if (world->hook != NULL) {
        world->hook(world);
    }
}

static void on_response(struct fe_call *call, struct fe_headers headers)
{
    struct world *world = call->owner;

    (void)headers;
    trace_add(&world->trace, "response");
    run_hook(world);
}

static size_t on_data(struct fe_call *call, struct fe_view data)
{
    struct world *world = call->owner;
    char text[24];

    trace_add(&world->trace, "data:%s", fake_body(data, text));
    run_hook(world);
    return data.len < world->appetite ? data.len : world->appetite;
}

static void on_writable(struct fe_call *call)
{
    struct world *world = call->owner;

    trace_add(&world->trace, "writable");
    run_hook(world);
}

/* The call's memory is the owner's again in its last callback: any later use would be seen. */
static void on_end(struct fe_call *call, struct fe_headers trailers)
{
    struct world *world = call->owner;

    (void)trailers;
    trace_add(&world->trace, "done");
    memset(call, 0xdd, sizeof(*call));
    run_hook(world);
}

static void on_reset(struct fe_call *call, int code)
{
    struct world *world = call->owner;

    trace_add(&world->trace, "reset:%s", flatend_error_name(code));
    memset(call, 0xdd, sizeof(*call));
    run_hook(world);
}

static const struct fe_call_ops call_ops = {
    .on_response = on_response,
    .on_data = on_data,
    .on_writable = on_writable,
    .on_end = on_end,
    .on_reset = on_reset,
};

static const struct fe_view echo = {(const uint8_t *)"echo", 4};

static int setup(void **state)
{
    static struct world world;
    struct fe_rng rng;

    memset(&world, 0, sizeof(world));
    rng = fe_rng_from_seed(&world.seeded, 1);
    fe_registry_init(&world.registry, &rng);
    fe_timers_init(&world.timers);
    fe_pool_init(&world.pool);
    for (uint32_t i = 0; i < N_PEERS; i++) {
        fake_peer_init(&world.fakes[i], &world.trace, 100 * (i + 1));
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

/* The first `n` fakes provide the service; the earlier, the less loaded: with two they are asked in
 * this order. */
static void provide(struct world *world, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(
            fe_registry_offer(&world->registry, &world->fakes[i].peer,
                              (struct fe_names){.bytes = FE_VIEW_LIT("\4echo"), .n = 1}),
            0);
        fake_load(&world->fakes[i], 100 * i);
    }
}

static int start(struct world *world)
{
    const struct fe_call_env env = {&world->registry, &world->timers, &world->pool};

    return fe_call_start(&world->call, &env, &world->request, &call_ops, world);
}

static ssize_t write_text(struct world *world, const char *text)
{
    return fe_call_write(&world->call, fe_view_str(text));
}

/* The connection to provider `i` breaks. */
static void break_off(struct world *world, int i)
{
    fe_peer_close(&world->fakes[i].peer, FLATEND_ECLOSED);
}

/* ---- the good case ---- */

static void a_call_is_answered(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    assert_int_equal(start(world), 0);
    assert_int_equal(write_text(world, "ping"), 4);
    assert_int_equal(fe_call_finish(&world->call, NULL, 0), 0);
    trace_expect(&world->trace, "request(100,echo) data(100,ping) end(100)");
    assert_int_equal(feed_response(&world->fakes[0], 100, true), 0);
    assert_int_equal(feed_data(&world->fakes[0], 100, "pong"), 0);
    assert_int_equal(feed_end(&world->fakes[0], 100), 0);
    trace_expect(&world->trace, "response data:pong done");
}

static void a_slow_reader_resumes(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    world->appetite = 1;
    assert_int_equal(start(world), 0);
    assert_int_equal(fe_call_finish(&world->call, NULL, 0), 0);
    assert_int_equal(feed_response(&world->fakes[0], 100, true), 0);
    assert_int_equal(feed_data(&world->fakes[0], 100, "abc"), 0);
    assert_int_equal(feed_end(&world->fakes[0], 100), 0);
    trace_expect(&world->trace, "request(100,echo) end(100) response data:abc");
    world->appetite = SIZE_MAX;
    fe_call_resume(&world->call);
    trace_expect(&world->trace, "data:bc done");
}

static void back_pressure_reaches_the_writer(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    assert_int_equal(start(world), 0);
    world->fakes[0].sender.space = 2;
    assert_int_equal(write_text(world, "ping"), 2);
    trace_expect(&world->trace, "request(100,echo) data(100,pi)");
    world->fakes[0].sender.space = 100;
    fe_peer_on_writable(&world->fakes[0].peer);
    trace_expect(&world->trace, "writable");
    assert_int_equal(write_text(world, "ng"), 2);
    trace_expect(&world->trace, "data(100,ng)");
    fe_call_reset(&world->call, FE_REASON_CANCEL);
}

static void a_response_that_ends_early_discards_the_rest_of_the_body(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    world->appetite = 0;
    assert_int_equal(start(world), 0);
    assert_int_equal(feed_response(&world->fakes[0], 100, true), 0);
    assert_int_equal(feed_data(&world->fakes[0], 100, "no"), 0);
    assert_int_equal(feed_end(&world->fakes[0], 100), 0);
    trace_expect(&world->trace, "request(100,echo) response data:no end(100)");
    assert_int_equal(write_text(world, "ping"), 4);
    assert_int_equal(fe_call_finish(&world->call, NULL, 0), 0);
    world->appetite = SIZE_MAX;
    fe_call_resume(&world->call);
    trace_expect(&world->trace, "data:no done");
}

/* ---- starting ---- */

static void no_node_provides_it(void **state)
{
    struct world *world = *state;

    assert_int_equal(start(world), FLATEND_ENOPROVIDER);
    trace_expect(&world->trace, "");
}

static void a_given_provider_is_asked(void **state)
{
    struct world *world = *state;

    provide(world, 2);
    world->request.provider = world->fakes[1].peer.handle;
    assert_int_equal(start(world), 0);
    trace_expect(&world->trace, "request(200,echo)");
    /* And no other one after it. */
    assert_int_equal(feed_response(&world->fakes[1], 200, false), 0);
    trace_expect(&world->trace, "end(200) reset:EUNHANDLED");
}

static void a_given_provider_that_is_gone_is_no_provider(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    world->request.provider = 99;
    assert_int_equal(start(world), FLATEND_ENOPROVIDER);
}

static void a_request_that_cannot_be_sent_goes_elsewhere(void **state)
{
    struct world *world = *state;

    provide(world, 2);
    world->fakes[0].sender.error = FLATEND_ENOMEM;
    assert_int_equal(start(world), 0);
    trace_expect(&world->trace, "request(200,echo)");
    fe_call_reset(&world->call, FE_REASON_CANCEL);
}

static void a_request_that_no_provider_can_be_sent_fails_to_start(void **state)
{
    struct world *world = *state;

    provide(world, 2);
    world->request.deadline_ms = 10;
    world->fakes[0].sender.error = FLATEND_ETOOBIG;
    world->fakes[1].sender.error = FLATEND_ETOOBIG;
    assert_int_equal(start(world), FLATEND_ETOOBIG);
    fe_timers_run(&world->timers, 10);
    trace_expect(&world->trace, "");
}

/* ---- large heads ---- */

/* A header of 20,000 bytes; `kinds` says for each provider what it takes: 0: an old one, 1: one
 * without large heads, 2: all. */
static void provide_kinds(struct world *world, const char *kinds)
{
    static const uint32_t head_max[] = {4075, 16000, FE_HEAD_MAX};
    static const uint8_t value[20000];
    static struct fe_header header;

    header = (struct fe_header){FE_VIEW_LIT("a"), fe_view_of(value, sizeof(value))};
    provide(world, (unsigned)strlen(kinds));
    for (size_t i = 0; kinds[i] != '\0'; i++) {
        world->fakes[i].sender.sender.head_max = head_max[kinds[i] - '0'];
    }
    world->request.headers = &header;
    world->request.n_headers = 1;
}

/* However many cannot: none of them is an attempt. */
static void a_large_head_goes_to_one_that_takes_it(void **state)
{
    struct world *world = *state;

    provide_kinds(world, "01012");
    assert_int_equal(start(world), 0);
    trace_expect(&world->trace, "request(500,echo)");
    assert_int_equal(world->call.n_tried, 1);
    fe_call_reset(&world->call, FE_REASON_CANCEL);
}

static void a_large_head_that_none_takes(void **state)
{
    struct world *world = *state;

    provide_kinds(world, "0101");
    assert_int_equal(start(world), FLATEND_ETOOBIG);
    trace_expect(&world->trace, "");
}

static void a_large_head_to_a_given_provider(void **state)
{
    struct world *world = *state;

    provide_kinds(world, "02");
    world->request.provider = world->fakes[0].peer.handle;
    assert_int_equal(start(world), FLATEND_ETOOBIG);
    trace_expect(&world->trace, "");
    world->request.provider = world->fakes[1].peer.handle;
    assert_int_equal(start(world), 0);
    trace_expect(&world->trace, "request(200,echo)");
    fe_call_reset(&world->call, FE_REASON_CANCEL);
}

/* What became of the request counts, and not that others could not have been asked. */
static void a_large_head_that_is_not_handled(void **state)
{
    struct world *world = *state;

    provide_kinds(world, "02");
    assert_int_equal(start(world), 0);
    assert_int_equal(fe_call_finish(&world->call, NULL, 0), 0);
    assert_int_equal(feed_response(&world->fakes[1], 200, false), 0);
    trace_expect(&world->trace, "request(200,echo) end(200) reset:EUNHANDLED");
}

/* One of middle size, which only old connections cannot carry. */
static void a_head_goes_where_it_fits(void **state)
{
    struct fe_header header;
    struct world *world = *state;

    provide_kinds(world, "01");
    header = world->request.headers[0];
    header.value.len = 10000;
    world->request.headers = &header;
    assert_int_equal(start(world), 0);
    trace_expect(&world->trace, "request(200,echo)");
    fe_call_reset(&world->call, FE_REASON_CANCEL);
}

/* ---- retries ---- */

static void unhandled_is_asked_elsewhere(void **state)
{
    struct world *world = *state;

    provide(world, 2);
    assert_int_equal(start(world), 0);
    assert_int_equal(write_text(world, "ping"), 4);
    assert_int_equal(fe_call_finish(&world->call, NULL, 0), 0);
    assert_int_equal(feed_response(&world->fakes[0], 100, false), 0);
    trace_expect(&world->trace, "request(100,echo) data(100,ping) end(100) "
                                "request(200,echo) data(200,ping) end(200)");
    assert_int_equal(feed_response(&world->fakes[1], 200, false), 0);
    trace_expect(&world->trace, "reset:EUNHANDLED");
}

static void a_retried_body_goes_on(void **state)
{
    struct world *world = *state;

    provide(world, 2);
    assert_int_equal(start(world), 0);
    assert_int_equal(write_text(world, "pi"), 2);
    assert_int_equal(feed_response(&world->fakes[0], 100, false), 0);
    assert_int_equal(write_text(world, "ng"), 2);
    assert_int_equal(fe_call_finish(&world->call, NULL, 0), 0);
    trace_expect(&world->trace, "request(100,echo) data(100,pi) end(100) "
                                "request(200,echo) data(200,pi) data(200,ng) end(200)");
    fe_call_reset(&world->call, FE_REASON_CANCEL);
}

static void a_lost_connection_is_retried_when_idempotent(void **state)
{
    struct world *world = *state;

    provide(world, 2);
    world->request.is_idempotent = true;
    assert_int_equal(start(world), 0);
    assert_int_equal(fe_call_finish(&world->call, NULL, 0), 0);
    break_off(world, 0);
    trace_expect(&world->trace, "request(100,echo) end(100) request(200,echo) end(200)");
    assert_int_equal(feed_response(&world->fakes[1], 200, true), 0);
    assert_int_equal(feed_end(&world->fakes[1], 200), 0);
    trace_expect(&world->trace, "response done");
}

static void a_lost_connection_is_not_retried_otherwise(void **state)
{
    struct world *world = *state;

    provide(world, 2);
    assert_int_equal(start(world), 0);
    assert_int_equal(fe_call_finish(&world->call, NULL, 0), 0);
    break_off(world, 0);
    trace_expect(&world->trace, "request(100,echo) end(100) reset:ECLOSED");
}

static void nothing_is_retried_after_the_head(void **state)
{
    struct world *world = *state;

    provide(world, 2);
    world->request.is_idempotent = true;
    assert_int_equal(start(world), 0);
    assert_int_equal(fe_call_finish(&world->call, NULL, 0), 0);
    assert_int_equal(feed_response(&world->fakes[0], 100, true), 0);
    break_off(world, 0);
    trace_expect(&world->trace, "request(100,echo) end(100) response reset:ECLOSED");
}

static void an_aborted_response_fails_the_call(void **state)
{
    struct world *world = *state;

    provide(world, 2);
    world->request.is_idempotent = true;
    assert_int_equal(start(world), 0);
    assert_int_equal(feed_response(&world->fakes[0], 100, true), 0);
    assert_int_equal(feed_response(&world->fakes[0], 100, false), 0);
    trace_expect(&world->trace, "request(100,echo) response end(100) reset:ERESET");
}

static void a_long_body_is_not_kept(void **state)
{
    static const uint8_t zeros[FE_CALL_REPLAY_MAX];
    struct world *world = *state;

    provide(world, 2);
    world->request.is_idempotent = true;
    assert_int_equal(start(world), 0);
    assert_int_equal(fe_call_write(&world->call, fe_view_of(zeros, sizeof(zeros))), sizeof(zeros));
    assert_int_equal(write_text(world, "x"), 1);
    assert_int_equal(world->call.replay.len, 0);
    assert_int_equal(feed_response(&world->fakes[0], 100, false), 0);
    trace_expect(&world->trace, "request(100,echo) data(100,#65536) data(100,x) end(100) "
                                "reset:EUNHANDLED");
}

static void the_longest_kept_body_is_sent_again(void **state)
{
    static const uint8_t zeros[FE_CALL_REPLAY_MAX];
    struct world *world = *state;
    size_t n = 0;

    provide(world, 2);
    assert_int_equal(start(world), 0);
    assert_int_equal(fe_call_write(&world->call, fe_view_of(zeros, sizeof(zeros))), sizeof(zeros));
    assert_int_equal(fe_call_finish(&world->call, NULL, 0), 0);
    world->fakes[1].sender.space = 1000;
    assert_int_equal(feed_response(&world->fakes[0], 100, false), 0);
    trace_expect(&world->trace, "request(100,echo) data(100,#65536) end(100) "
                                "request(200,echo) data(200,#1000)");
    world->trace.is_off = true;
    for (n = 1000; n < sizeof(zeros); n += 1000) {
        assert_int_equal(world->call.n_replayed, n);
        world->fakes[1].sender.space = 1000;
        fe_peer_on_writable(&world->fakes[1].peer);
    }
    assert_int_equal(world->call.n_replayed, sizeof(zeros));
    /* Its end was sent too: the stream ends with the response, and nothing else is sent. */
    world->trace.is_off = false;
    assert_int_equal(feed_response(&world->fakes[1], 200, true), 0);
    assert_int_equal(feed_end(&world->fakes[1], 200), 0);
    trace_expect(&world->trace, "response done");
}

static void a_writer_waits_for_the_replay(void **state)
{
    struct world *world = *state;

    provide(world, 2);
    assert_int_equal(start(world), 0);
    assert_int_equal(write_text(world, "ping"), 4);
    world->fakes[1].sender.space = 3;
    assert_int_equal(feed_response(&world->fakes[0], 100, false), 0);
    assert_int_equal(write_text(world, "more"), 0);
    trace_expect(&world->trace, "request(100,echo) data(100,ping) end(100) "
                                "request(200,echo) data(200,pin)");
    world->fakes[1].sender.space = 100;
    fe_peer_on_writable(&world->fakes[1].peer);
    assert_int_equal(write_text(world, "more"), 4);
    trace_expect(&world->trace, "data(200,g) writable data(200,more)");
    fe_call_reset(&world->call, FE_REASON_CANCEL);
}

/* The writer was blocked by the first provider, the second has space at once. */
static void a_blocked_writer_is_called_after_a_retry(void **state)
{
    struct world *world = *state;

    provide(world, 2);
    assert_int_equal(start(world), 0);
    world->fakes[0].sender.space = 1;
    assert_int_equal(write_text(world, "ping"), 1);
    assert_int_equal(feed_response(&world->fakes[0], 100, false), 0);
    trace_expect(&world->trace, "request(100,echo) data(100,p) end(100) "
                                "request(200,echo) data(200,p) writable");
    fe_call_reset(&world->call, FE_REASON_CANCEL);
}

static void no_provider_is_asked_twice(void **state)
{
    struct world *world = *state;

    provide(world, N_PEERS);
    world->trace.is_off = true;
    assert_int_equal(start(world), 0);
    for (unsigned n = 1; n <= FE_CALL_ATTEMPTS_MAX; n++) {
        struct fe_peer *peer = fe_stream_peer(world->call.stream);
        struct fake_peer *fake = peer->owner;

        assert_int_equal(world->call.n_tried, n);
        for (unsigned i = 0; i < n - 1; i++) {
            assert_int_not_equal(world->call.tried[i], peer->handle);
        }
        if (n == FE_CALL_ATTEMPTS_MAX) {
            world->trace.is_off = false;
        }
        assert_int_equal(feed_response(fake, fake->sender.next_stream - 2, false), 0);
    }
    assert_non_null(strstr(world->trace.text, "reset:EUNHANDLED"));
}

static void the_failure_that_may_have_done_something_is_told(void **state)
{
    struct world *world = *state;

    provide(world, 2);
    world->request.is_idempotent = true;
    assert_int_equal(start(world), 0);
    break_off(world, 0);
    assert_int_equal(feed_response(&world->fakes[1], 200, false), 0);
    trace_expect(&world->trace, "request(100,echo) request(200,echo) end(200) reset:ECLOSED");
}

/* ---- the deadline ---- */

static void the_deadline_cancels(void **state)
{
    struct world *world = *state;

    provide(world, 2);
    world->request.is_idempotent = true;
    world->request.deadline_ms = 1000;
    assert_int_equal(start(world), 0);
    fe_timers_run(&world->timers, 999);
    trace_expect(&world->trace, "request(100,echo)");
    fe_timers_run(&world->timers, 1000);
    trace_expect(&world->trace, "end(100) reset:ETIMEDOUT");
    assert_int_equal(feed_response(&world->fakes[0], 100, true), 0);
    assert_int_equal(feed_end(&world->fakes[0], 100), 0);
    trace_expect(&world->trace, "");
}

static void the_deadline_is_met_by_the_head(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    world->request.deadline_ms = 1000;
    assert_int_equal(start(world), 0);
    assert_int_equal(feed_response(&world->fakes[0], 100, true), 0);
    fe_timers_run(&world->timers, 1000);
    assert_int_equal(feed_end(&world->fakes[0], 100), 0);
    trace_expect(&world->trace, "request(100,echo) response end(100) done");
}

static void the_deadline_covers_retries(void **state)
{
    struct world *world = *state;

    provide(world, 2);
    world->request.deadline_ms = 1000;
    assert_int_equal(start(world), 0);
    assert_int_equal(feed_response(&world->fakes[0], 100, false), 0);
    fe_timers_run(&world->timers, 1000);
    trace_expect(&world->trace,
                 "request(100,echo) end(100) request(200,echo) end(200) reset:ETIMEDOUT");
}

/* ---- canceling ---- */

static void no_callback_follows_a_cancel(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    world->request.deadline_ms = 1000;
    assert_int_equal(start(world), 0);
    fe_call_reset(&world->call, FE_REASON_CANCEL);
    fe_call_reset(&world->call, FE_REASON_CANCEL);
    memset(&world->call, 0xdd, sizeof(world->call));
    fe_timers_run(&world->timers, 1000);
    assert_int_equal(feed_response(&world->fakes[0], 100, true), 0);
    break_off(world, 0);
    trace_expect(&world->trace, "request(100,echo) end(100)");
}

static void cancel_in_callback(struct world *world)
{
    fe_call_reset(&world->call, FE_REASON_CANCEL);
    memset(&world->call, 0xdd, sizeof(world->call));
    world->hook = NULL;
}

static void a_call_is_canceled_in_each_callback(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    world->hook = cancel_in_callback;
    assert_int_equal(start(world), 0);
    assert_int_equal(feed_response(&world->fakes[0], 100, true), 0);
    trace_expect(&world->trace, "request(100,echo) response end(100)");

    assert_int_equal(start(world), 0);
    assert_int_equal(feed_response(&world->fakes[0], 102, true), 0);
    world->hook = cancel_in_callback;
    assert_int_equal(feed_data(&world->fakes[0], 102, "x"), 0);
    trace_expect(&world->trace, "request(102,echo) response data:x end(102)");

    assert_int_equal(start(world), 0);
    world->fakes[0].sender.space = 0;
    assert_int_equal(write_text(world, "x"), 0);
    world->fakes[0].sender.space = 1;
    world->hook = cancel_in_callback;
    fe_peer_on_writable(&world->fakes[0].peer);
    trace_expect(&world->trace, "request(104,echo) writable end(104)");
}

static void start_again(struct world *world)
{
    world->hook = NULL;
    assert_int_equal(start(world), 0);
}

static void a_call_is_started_from_the_last_callback_of_another(void **state)
{
    struct world *world = *state;

    provide(world, 1);
    assert_int_equal(start(world), 0);
    world->hook = start_again;
    assert_int_equal(feed_response(&world->fakes[0], 100, false), 0);
    trace_expect(&world->trace, "request(100,echo) end(100) reset:EUNHANDLED request(102,echo)");
    fe_call_reset(&world->call, FE_REASON_CANCEL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_call_is_answered),
        TEST(a_slow_reader_resumes),
        TEST(back_pressure_reaches_the_writer),
        TEST(a_response_that_ends_early_discards_the_rest_of_the_body),
        TEST(no_node_provides_it),
        TEST(a_given_provider_is_asked),
        TEST(a_given_provider_that_is_gone_is_no_provider),
        TEST(a_request_that_cannot_be_sent_goes_elsewhere),
        TEST(a_request_that_no_provider_can_be_sent_fails_to_start),
        TEST(a_large_head_goes_to_one_that_takes_it),
        TEST(a_large_head_that_none_takes),
        TEST(a_large_head_to_a_given_provider),
        TEST(a_large_head_that_is_not_handled),
        TEST(a_head_goes_where_it_fits),
        TEST(unhandled_is_asked_elsewhere),
        TEST(a_retried_body_goes_on),
        TEST(a_lost_connection_is_retried_when_idempotent),
        TEST(a_lost_connection_is_not_retried_otherwise),
        TEST(nothing_is_retried_after_the_head),
        TEST(an_aborted_response_fails_the_call),
        TEST(a_long_body_is_not_kept),
        TEST(the_longest_kept_body_is_sent_again),
        TEST(a_writer_waits_for_the_replay),
        TEST(a_blocked_writer_is_called_after_a_retry),
        TEST(no_provider_is_asked_twice),
        TEST(the_failure_that_may_have_done_something_is_told),
        TEST(the_deadline_cancels),
        TEST(the_deadline_is_met_by_the_head),
        TEST(the_deadline_covers_retries),
        TEST(no_callback_follows_a_cancel),
        TEST(a_call_is_canceled_in_each_callback),
        TEST(a_call_is_started_from_the_last_callback_of_another),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
