/* All streams of a connection together: faults of the peer, limits, turns, closing, re-entrancy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/fake_peer.h"

enum { N_OWNERS = 3 };

struct world {
    struct trace trace;
    struct fake_peer fake;
    struct fake_owner owners[N_OWNERS];
};

static int setup(void **state)
{
    static struct world world;

    world.trace.len = 0;
    world.trace.is_off = false;
    fake_peer_init(&world.fake, &world.trace, 1);
    for (int i = 0; i < N_OWNERS; i++) {
        fake_owner_init(&world.owners[i], &world.trace);
        world.owners[i].arg = &world;
    }
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    for (int i = 0; i < N_OWNERS; i++) {
        world->owners[i].hook = NULL; /* what it looks at was the test's */
    }
    fake_peer_deinit(&world->fake);
    return 0;
}

/* Streams 1, 3, 5 of ours. */
static void open_all(struct world *world)
{
    for (int i = 0; i < N_OWNERS; i++) {
        assert_int_equal(fake_open(&world->fake, &world->owners[i]), 0);
    }
    trace_expect(&world->trace, "request(1,echo) request(3,echo) request(5,echo)");
}

/* A stream of the peer's, for the first owner. */
static void open_remote(struct world *world, uint32_t id)
{
    world->fake.acceptor = &world->owners[0];
    assert_int_equal(feed_request(&world->fake, id), 0);
    trace_expect(&world->trace, "on_request(echo)");
}

/* ---- faults of the peer ---- */

static void an_id_twice_is_a_fault(void **state)
{
    struct world *world = *state;

    open_remote(world, 2);
    assert_int_equal(feed_request(&world->fake, 2), FLATEND_EPROTO);
    assert_string_equal(world->fake.err.text, "stream 2 is already open");
}

static void an_id_of_ours_is_a_fault(void **state)
{
    struct world *world = *state;

    open_all(world);
    assert_int_equal(feed_request(&world->fake, 3), FLATEND_EPROTO);
}

static void our_next_id_skips_one_that_the_peer_took(void **state)
{
    struct world *world = *state;

    open_remote(world, 1);
    assert_int_equal(fake_open(&world->fake, &world->owners[1]), 0);
    trace_expect(&world->trace, "request(3,echo)");
}

static void packets_for_no_stream_are_faults(void **state)
{
    struct world *world = *state;

    assert_int_equal(feed_data(&world->fake, 9, "x"), FLATEND_EPROTO);
    assert_string_equal(world->fake.err.text, "data for stream 9, which was never opened");
    assert_int_equal(feed_end(&world->fake, 9), FLATEND_EPROTO);
    assert_int_equal(feed_response(&world->fake, 9, true), FLATEND_EPROTO);
}

static void a_response_to_the_peers_own_request_is_a_fault(void **state)
{
    struct world *world = *state;

    open_remote(world, 2);
    assert_int_equal(feed_response(&world->fake, 2, true), FLATEND_EPROTO);
    assert_int_equal(feed_response(&world->fake, 2, false), FLATEND_EPROTO);
}

static void a_second_response_is_a_fault(void **state)
{
    struct world *world = *state;

    open_all(world);
    assert_int_equal(feed_response(&world->fake, 1, true), 0);
    assert_int_equal(feed_response(&world->fake, 1, true), FLATEND_EPROTO);
    assert_string_equal(world->fake.err.text, "second response for stream 1");
}

static void a_body_before_the_response_is_a_fault(void **state)
{
    struct world *world = *state;

    open_all(world);
    assert_int_equal(feed_data(&world->fake, 1, "x"), FLATEND_EPROTO);
    assert_int_equal(feed_end(&world->fake, 3), FLATEND_EPROTO);
    assert_string_equal(world->fake.err.text, "end before the response of stream 3");
}

static void a_body_after_its_end_is_a_fault(void **state)
{
    struct world *world = *state;

    open_remote(world, 2);
    assert_int_equal(feed_end(&world->fake, 2), 0);
    assert_int_equal(feed_data(&world->fake, 2, "x"), FLATEND_EPROTO);
    assert_int_equal(feed_end(&world->fake, 2), FLATEND_EPROTO);
    trace_expect(&world->trace, "on_end(2)");
}

static void a_body_after_its_end_is_a_fault_while_some_waits(void **state)
{
    struct world *world = *state;

    open_remote(world, 2);
    world->owners[0].appetite = 0;
    assert_int_equal(feed_data(&world->fake, 2, "x"), 0);
    assert_int_equal(feed_end(&world->fake, 2), 0);
    assert_int_equal(feed_data(&world->fake, 2, "y"), FLATEND_EPROTO);
    trace_expect(&world->trace, "on_data(2,x)");
}

/* ---- limits ---- */

static void a_request_that_is_not_accepted_is_unhandled(void **state)
{
    struct world *world = *state;

    assert_int_equal(feed_request(&world->fake, 2), 0);
    trace_expect(&world->trace, "on_request(echo) response(2,unhandled)");
    assert_int_equal(world->fake.peer.n_streams, 0);
    assert_int_equal(feed_bytes(&world->fake, 2, 65536), 0);
    assert_int_equal(feed_end(&world->fake, 2), 0);
    assert_int_equal(world->fake.peer.streams.n, 0);
}

static void one_stream_too_many_is_unhandled(void **state)
{
    static struct fake_owner owners[FE_PEER_STREAMS_MAX];
    struct world *world = *state;

    world->trace.is_off = true;
    for (uint32_t i = 0; i < FE_PEER_STREAMS_MAX; i++) {
        fake_owner_init(&owners[i], &world->trace);
        world->fake.acceptor = &owners[i];
        assert_int_equal(feed_request(&world->fake, 2 * i), 0);
    }
    world->trace.is_off = false;
    assert_int_equal(world->fake.peer.n_streams, FE_PEER_STREAMS_MAX);
    assert_int_equal(feed_request(&world->fake, 2 * FE_PEER_STREAMS_MAX), 0);
    trace_expect(&world->trace, "response(8192,unhandled)");
    /* Ours are not counted among them. */
    assert_int_equal(fake_open(&world->fake, &world->owners[0]), 0);
    fake_cancel(&owners[7]);
    trace_expect(&world->trace, "request(1,echo) response(14,unhandled)");
    world->fake.acceptor = &owners[7];
    assert_int_equal(feed_request(&world->fake, 2 * FE_PEER_STREAMS_MAX + 2), 0);
    trace_expect(&world->trace, "on_request(echo)");
    world->trace.is_off = true;
}

static void late_streams_are_bounded(void **state)
{
    struct world *world = *state;

    world->trace.is_off = true;
    for (uint32_t i = 0; i < FE_PEER_LATE_MAX; i++) {
        assert_int_equal(feed_request(&world->fake, 2 * i), 0);
    }
    assert_int_equal(world->fake.peer.streams.n, FE_PEER_LATE_MAX);
    assert_int_equal(feed_data(&world->fake, 99, "x"), FLATEND_EPROTO);
    assert_int_equal(feed_request(&world->fake, 2 * FE_PEER_LATE_MAX), 0);
    assert_int_equal(world->fake.peer.streams.n, FE_PEER_LATE_MAX);
    assert_int_equal(world->fake.peer.n_forgotten, 1);
    /* Stream 0 was forgotten, and may still send; so may all that could have been forgotten. */
    assert_int_equal(feed_data(&world->fake, 0, "x"), 0);
    assert_int_equal(feed_end(&world->fake, 0), 0);
    assert_int_equal(feed_data(&world->fake, 99, "x"), 0);
    /* The others are still known. */
    assert_int_equal(feed_request(&world->fake, 2), FLATEND_EPROTO);
}

/* Answers are small and not held back: a peer that only asks must not fill the output. */
static void requests_of_a_peer_that_does_not_read_are_bounded(void **state)
{
    struct world *world = *state;

    world->trace.is_off = true;
    world->fake.sender.space = 0;
    for (uint32_t i = 0; i < FE_PEER_QUEUED_HEADS_MAX; i++) {
        assert_int_equal(feed_request(&world->fake, 2 * i), 0);
        assert_int_equal(feed_end(&world->fake, 2 * i), 0);
    }
    assert_int_equal(feed_request(&world->fake, 1), FLATEND_ELIMIT);
    assert_int_equal(fake_open(&world->fake, &world->owners[0]), FLATEND_ELIMIT);
    world->fake.sender.space = 1;
    fe_peer_on_writable(&world->fake.peer);
    world->fake.sender.space = 0;
    assert_int_equal(feed_request(&world->fake, 1), 0);
}

static void many_slow_readers_stop_the_reading_together(void **state)
{
    enum { EACH = 65536, N = FE_PEER_WAITING_MAX / EACH + 1 };
    static struct fake_owner owners[N];
    struct world *world = *state;

    world->trace.is_off = true;
    for (uint32_t i = 0; i < N; i++) {
        assert_true(fe_peer_want_read(&world->fake.peer));
        fake_owner_init(&owners[i], &world->trace);
        owners[i].appetite = 0;
        world->fake.acceptor = &owners[i];
        assert_int_equal(feed_request(&world->fake, 2 * i), 0);
        assert_int_equal(feed_bytes(&world->fake, 2 * i, EACH), 0);
    }
    assert_false(fe_peer_want_read(&world->fake.peer));
    owners[N - 1].appetite = 1;
    fe_stream_resume(owners[N - 1].stream);
    assert_true(fe_peer_want_read(&world->fake.peer));
}

/* ---- turns ---- */

static void write_again(struct fake_owner *owner, enum fake_callback callback)
{
    if (callback == FAKE_ON_WRITABLE) {
        assert_int_equal(fake_write(owner, "abcd"), 2);
    }
}

static void blocked_streams_take_turns(void **state)
{
    struct world *world = *state;

    open_all(world);
    world->fake.sender.space = 0;
    for (int i = 0; i < N_OWNERS; i++) {
        assert_int_equal(fake_write(&world->owners[i], "abcd"), 0);
        world->owners[i].hook = write_again;
    }
    world->fake.sender.space = 2;
    fe_peer_on_writable(&world->fake.peer);
    trace_expect(&world->trace, "on_writable(1) data(1,ab)");
    world->fake.sender.space = 2;
    fe_peer_on_writable(&world->fake.peer);
    trace_expect(&world->trace, "on_writable(3) data(3,ab)");
    world->fake.sender.space = 2;
    world->owners[2].hook = NULL; /* has nothing to write after all */
    fe_peer_on_writable(&world->fake.peer);
    trace_expect(&world->trace, "on_writable(5) on_writable(1) data(1,ab)");
}

static void a_later_writer_queues_behind(void **state)
{
    struct world *world = *state;

    open_all(world);
    world->fake.sender.space = 0;
    assert_int_equal(fake_write(&world->owners[0], "abcd"), 0);
    world->fake.sender.space = 4; /* the output drains, but on_writable has not come yet */
    assert_int_equal(fake_write(&world->owners[1], "abcd"), 0);
    trace_expect(&world->trace, "");
    fe_peer_on_writable(&world->fake.peer);
    trace_expect(&world->trace, "on_writable(1) on_writable(3)");
}

static void write_much(struct fake_owner *owner, enum fake_callback callback)
{
    static const uint8_t zeros[256 * 1024];

    if (callback == FAKE_ON_WRITABLE) {
        assert_true(fe_stream_write(owner->stream, fe_view_of(zeros, sizeof(zeros))) > 0);
    }
}

static void one_turn_does_not_take_all(void **state)
{
    struct world *world = *state;

    open_all(world);
    world->fake.sender.space = 0;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fake_write(&world->owners[i], "abcd"), 0);
        world->owners[i].hook = write_much;
    }
    world->fake.sender.space = 100000;
    fe_peer_on_writable(&world->fake.peer);
    trace_expect(&world->trace, "on_writable(1) data(1,#65536) on_writable(3) data(3,#34464)");
}

/* ---- closing ---- */

static void closing_fails_all_streams(void **state)
{
    struct world *world = *state;

    open_remote(world, 2);
    assert_int_equal(fake_open(&world->fake, &world->owners[1]), 0);
    assert_int_equal(fake_open(&world->fake, &world->owners[2]), 0);
    fake_cancel(&world->owners[2]);
    assert_int_equal(feed_response(&world->fake, 1, true), 0);
    trace_expect(&world->trace, "request(1,echo) request(3,echo) end(3) on_response(1)");
    world->trace.is_off = true; /* their order is not defined */
    fe_peer_close(&world->fake.peer, FLATEND_ETIMEDOUT);
    assert_int_equal(world->owners[0].code, FLATEND_ETIMEDOUT);
    assert_int_equal(world->owners[1].code, FLATEND_ETIMEDOUT);
    assert_int_equal(world->owners[2].code, FAKE_OPEN);
    assert_int_equal(world->fake.peer.n_streams, 0);
    assert_int_equal(world->fake.peer.streams.n, 0);
    assert_int_equal(world->fake.peer.n_late, 0);
}

static void a_closed_peer_sends_and_takes_nothing(void **state)
{
    struct world *world = *state;
    size_t n_sent;

    open_all(world);
    n_sent = world->fake.sender.n_sent;
    fe_peer_close(&world->fake.peer, FLATEND_ECLOSED);
    world->trace.is_off = true;
    assert_int_equal(fake_open(&world->fake, &world->owners[0]), FLATEND_ECLOSED);
    assert_int_equal(feed_request(&world->fake, 2), FLATEND_ECLOSED);
    fe_peer_on_writable(&world->fake.peer);
    fe_peer_close(&world->fake.peer, FLATEND_ECLOSED);
    assert_int_equal(world->fake.sender.n_sent, n_sent);
}

static void a_response_that_was_finished_is_not_reset_by_closing(void **state)
{
    struct world *world = *state;

    open_remote(world, 2);
    assert_int_equal(fe_stream_respond(world->owners[0].stream, NULL, 0), 0);
    assert_int_equal(fake_finish(&world->owners[0], NULL, 0), 0);
    fe_peer_close(&world->fake.peer, FLATEND_ECLOSED);
    trace_expect(&world->trace, "response(2) end(2)");
    assert_int_equal(world->owners[0].code, 0);
}

static void close_and_finish(struct fake_owner *owner, enum fake_callback callback)
{
    struct world *world = owner->arg;

    if (callback == FAKE_ON_DATA) {
        assert_int_equal(fe_stream_respond(owner->stream, NULL, 0), 0);
        fe_peer_close(&world->fake.peer, FLATEND_ECLOSED);
        assert_int_equal(fake_write(owner, "pong"), 4); /* accepted, and dropped */
        assert_int_equal(fake_finish(owner, NULL, 0), 0);
    }
}

/* The owner of a response that it has finished may be gone: the reset that was due must not come.
 */
static void a_response_is_finished_while_its_reset_is_due(void **state)
{
    struct world *world = *state;

    open_remote(world, 2);
    world->owners[0].hook = close_and_finish;
    assert_int_equal(feed_data(&world->fake, 2, "x"), 0);
    trace_expect(&world->trace, "on_data(2,x) response(2)");
    assert_int_equal(world->fake.peer.streams.n, 0);
}

static void what_waited_is_not_delivered_after_closing(void **state)
{
    struct world *world = *state;

    open_remote(world, 2);
    world->owners[0].appetite = 0;
    assert_int_equal(feed_data(&world->fake, 2, "x"), 0);
    assert_int_equal(feed_end(&world->fake, 2), 0);
    fe_peer_close(&world->fake.peer, FLATEND_ECLOSED);
    trace_expect(&world->trace, "on_data(2,x) on_reset(2,ECLOSED)");
    assert_int_equal(world->fake.peer.n_waiting, 0);
}

/* ---- calls from within callbacks ---- */

/* Cancels the stream of owner `victim` in the callback `when` of the first one. */
struct cancellation {
    enum fake_callback when;
    struct fake_owner *victim;
};

static void cancel_victim(struct fake_owner *owner, enum fake_callback callback)
{
    struct cancellation *cancellation = owner->arg;

    if (callback == cancellation->when && cancellation->victim->stream != NULL) {
        fake_cancel(cancellation->victim);
    }
}

static void a_stream_cancels_itself_in_each_callback(void **state)
{
    static const char *const traces[] = {
        [FAKE_ON_RESPONSE] = "request(1,echo) on_response(1) end(1)",
        [FAKE_ON_DATA] = "request(1,echo) on_response(1) on_data(1,ab) end(1)",
        [FAKE_ON_END] = "request(1,echo) on_response(1) on_data(1,ab) end(1) on_end(1)",
    };
    struct world *world = *state;
    struct fake_owner *owner = &world->owners[0];

    for (enum fake_callback when = FAKE_ON_RESPONSE; when <= FAKE_ON_END; when++) {
        struct cancellation cancellation = {.when = when, .victim = owner};
        uint32_t id = world->fake.sender.next_stream = 1;

        owner->hook = cancel_victim;
        owner->arg = &cancellation;
        assert_int_equal(fake_open(&world->fake, owner), 0);
        assert_int_equal(feed_response(&world->fake, id, true), 0);
        assert_int_equal(feed_data(&world->fake, id, "ab"), 0);
        assert_int_equal(feed_end(&world->fake, id), 0);
        trace_expect(&world->trace, traces[when]);
        assert_int_equal(world->fake.peer.streams.n, 0);
        assert_int_equal(world->fake.peer.n_streams, 0);
    }
}

static void a_stream_cancels_itself_while_waiting_bytes_are_delivered(void **state)
{
    struct world *world = *state;
    struct fake_owner *owner = &world->owners[0];
    struct cancellation cancellation = {.when = FAKE_ON_DATA, .victim = owner};

    open_remote(world, 2);
    owner->appetite = 1;
    assert_int_equal(feed_data(&world->fake, 2, "ab"), 0);
    owner->hook = cancel_victim;
    owner->arg = &cancellation;
    fe_stream_resume(owner->stream);
    trace_expect(&world->trace, "on_data(2,ab) on_data(2,b) response(2,unhandled)");
    assert_int_equal(world->fake.peer.n_waiting, 0);
    assert_null(owner->stream);
}

static void a_stream_cancels_the_next_one_that_is_blocked(void **state)
{
    struct world *world = *state;
    struct cancellation cancellation = {.when = FAKE_ON_WRITABLE, .victim = &world->owners[1]};

    open_all(world);
    world->fake.sender.space = 0;
    for (int i = 0; i < N_OWNERS; i++) {
        assert_int_equal(fake_write(&world->owners[i], "abcd"), 0);
    }
    world->owners[0].hook = cancel_victim;
    world->owners[0].arg = &cancellation;
    world->fake.sender.space = 100;
    fe_peer_on_writable(&world->fake.peer);
    trace_expect(&world->trace, "on_writable(1) end(3) on_writable(5)");
}

static void a_stream_cancels_another_while_the_peer_closes(void **state)
{
    struct world *world = *state;
    struct cancellation cancellations[2] = {
        {.when = FAKE_ON_RESET, .victim = &world->owners[1]},
        {.when = FAKE_ON_RESET, .victim = &world->owners[0]},
    };

    open_all(world);
    for (int i = 0; i < 2; i++) {
        world->owners[i].hook = cancel_victim;
        world->owners[i].arg = &cancellations[i];
    }
    world->trace.is_off = true;
    fe_peer_close(&world->fake.peer, FLATEND_ECLOSED);
    /* Whichever came first has taken the other with it. */
    assert_true((world->owners[0].code == FLATEND_ECLOSED) !=
                (world->owners[1].code == FLATEND_ECLOSED));
    assert_int_equal(world->owners[2].code, FLATEND_ECLOSED);
}

static void respond_at_end(struct fake_owner *owner, enum fake_callback callback)
{
    if (callback == FAKE_ON_END) {
        assert_int_equal(fe_stream_respond(owner->stream, NULL, 0), 0);
        assert_int_equal(fake_write(owner, "pong"), 4);
        assert_int_equal(fake_finish(owner, NULL, 0), 0);
    }
}

static void a_response_from_within_on_end_is_the_last_event(void **state)
{
    struct world *world = *state;

    open_remote(world, 2);
    world->owners[0].hook = respond_at_end;
    assert_int_equal(feed_end(&world->fake, 2), 0);
    trace_expect(&world->trace, "on_end(2) response(2) data(2,pong) end(2)");
}

static void close_peer(struct fake_owner *owner, enum fake_callback callback)
{
    struct world *world = owner->arg;

    if (callback == FAKE_ON_DATA) {
        fe_peer_close(&world->fake.peer, FLATEND_ECANCELED);
    }
}

static void the_peer_is_closed_from_within_on_data(void **state)
{
    struct world *world = *state;

    open_remote(world, 2);
    world->owners[0].hook = close_peer;
    world->owners[0].appetite = 0;
    assert_int_equal(feed_data(&world->fake, 2, "ab"), 0);
    trace_expect(&world->trace, "on_data(2,ab) on_reset(2,ECANCELED)");
    assert_int_equal(world->fake.peer.n_waiting, 0);
}

static void open_another(struct fake_owner *owner, enum fake_callback callback)
{
    struct world *world = owner->arg;

    if (callback == FAKE_ON_RESET) {
        assert_int_equal(fake_open(&world->fake, &world->owners[1]), 0);
    }
}

static void a_stream_is_opened_from_within_on_reset(void **state)
{
    struct world *world = *state;

    assert_int_equal(fake_open(&world->fake, &world->owners[0]), 0);
    world->owners[0].hook = open_another;
    assert_int_equal(feed_response(&world->fake, 1, false), 0);
    trace_expect(&world->trace, "request(1,echo) end(1) on_reset(1,EUNHANDLED) request(3,echo)");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_id_twice_is_a_fault),
        TEST(an_id_of_ours_is_a_fault),
        TEST(our_next_id_skips_one_that_the_peer_took),
        TEST(packets_for_no_stream_are_faults),
        TEST(a_response_to_the_peers_own_request_is_a_fault),
        TEST(a_second_response_is_a_fault),
        TEST(a_body_before_the_response_is_a_fault),
        TEST(a_body_after_its_end_is_a_fault),
        TEST(a_body_after_its_end_is_a_fault_while_some_waits),
        TEST(a_request_that_is_not_accepted_is_unhandled),
        TEST(one_stream_too_many_is_unhandled),
        TEST(late_streams_are_bounded),
        TEST(requests_of_a_peer_that_does_not_read_are_bounded),
        TEST(many_slow_readers_stop_the_reading_together),
        TEST(blocked_streams_take_turns),
        TEST(a_later_writer_queues_behind),
        TEST(one_turn_does_not_take_all),
        TEST(closing_fails_all_streams),
        TEST(a_closed_peer_sends_and_takes_nothing),
        TEST(a_response_that_was_finished_is_not_reset_by_closing),
        TEST(a_response_is_finished_while_its_reset_is_due),
        TEST(what_waited_is_not_delivered_after_closing),
        TEST(a_stream_cancels_itself_in_each_callback),
        TEST(a_stream_cancels_itself_while_waiting_bytes_are_delivered),
        TEST(a_stream_cancels_the_next_one_that_is_blocked),
        TEST(a_stream_cancels_another_while_the_peer_closes),
        TEST(a_response_from_within_on_end_is_the_last_event),
        TEST(the_peer_is_closed_from_within_on_data),
        TEST(a_stream_is_opened_from_within_on_reset),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
