/* One stream at a time: requests of ours, requests of the peer's, back-pressure both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/fake_peer.h"

struct world {
    struct trace trace;
    struct fake_peer fake;
    struct fake_owner owner;
};

static int setup(void **state)
{
    static struct world world;

    world.trace.len = 0;
    fake_peer_init(&world.fake, &world.trace, 1);
    fake_owner_init(&world.owner, &world.trace);
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    fake_peer_deinit(&world->fake);
    return 0;
}

/* Opens stream 1 of ours and forgets the trace so far. */
static void open_local(struct world *world)
{
    assert_int_equal(fake_open(&world->fake, &world->owner), 0);
    trace_expect(&world->trace, "request(1,echo)");
}

/* The peer opens stream 2, which the owner takes. */
static void open_remote(struct world *world)
{
    world->fake.acceptor = &world->owner;
    assert_int_equal(feed_request(&world->fake, 2), 0);
    trace_expect(&world->trace, "on_request(echo)");
}

static void request_and_response(void **state)
{
    struct world *world = *state;

    open_local(world);
    assert_int_equal(world->fake.peer.n_streams, 1);
    assert_int_equal(fake_write(&world->owner, "ping"), 4);
    assert_int_equal(fake_finish(&world->owner, NULL, 0), 0);
    trace_expect(&world->trace, "data(1,ping) end(1)");
    assert_int_equal(feed_response(&world->fake, 1, true), 0);
    assert_int_equal(feed_data(&world->fake, 1, "pong"), 0);
    assert_int_equal(feed_end(&world->fake, 1), 0);
    trace_expect(&world->trace, "on_response(1) on_data(1,pong) on_end(1)");
    assert_int_equal(world->fake.peer.n_streams, 0);
    assert_int_equal(world->fake.n_outputs, 3);
}

static void a_request_of_the_peer_is_answered(void **state)
{
    struct world *world = *state;

    open_remote(world);
    assert_int_equal(feed_data(&world->fake, 2, "ping"), 0);
    assert_int_equal(feed_end(&world->fake, 2), 0);
    trace_expect(&world->trace, "on_data(2,ping) on_end(2)");
    assert_int_equal(fe_stream_respond(world->owner.stream, NULL, 0), 0);
    assert_int_equal(fake_write(&world->owner, "pong"), 4);
    assert_int_equal(fake_finish(&world->owner, NULL, 0), 0);
    trace_expect(&world->trace, "response(2) data(2,pong) end(2)");
    assert_int_equal(world->fake.peer.n_streams, 0);
    assert_int_equal(world->fake.peer.streams.n, 0);
    assert_int_equal(world->fake.peer.n_free_streams, 1);
}

static void nothing_comes_after_a_response_is_finished(void **state)
{
    struct world *world = *state;

    open_remote(world);
    assert_int_equal(fe_stream_respond(world->owner.stream, NULL, 0), 0);
    assert_int_equal(fake_finish(&world->owner, NULL, 0), 0);
    trace_expect(&world->trace, "response(2) end(2)");
    assert_int_equal(world->fake.peer.n_late, 1);
    assert_int_equal(feed_end(&world->fake, 2), 0);
    trace_expect(&world->trace, "");
    assert_int_equal(world->fake.peer.n_late, 0);
}

static void a_late_request_body_is_discarded(void **state)
{
    struct world *world = *state;

    open_remote(world);
    assert_int_equal(fe_stream_respond(world->owner.stream, NULL, 0), 0);
    assert_int_equal(fake_finish(&world->owner, NULL, 0), 0);
    fe_peer_settle(&world->fake.peer);
    trace_expect(&world->trace, "response(2) end(2)");
    for (int i = 0; i < 100; i++) {
        assert_int_equal(feed_bytes(&world->fake, 2, 65536), 0);
    }
    assert_int_equal(world->fake.peer.n_waiting, 0);
    assert_int_equal(feed_end(&world->fake, 2), 0);
    trace_expect(&world->trace, "");
    /* Now it is over, and its id may be used again. */
    assert_int_equal(feed_data(&world->fake, 2, "x"), FLATEND_EPROTO);
    open_remote(world);
}

static void unhandled_closes(void **state)
{
    struct world *world = *state;

    open_local(world);
    assert_int_equal(fake_finish(&world->owner, NULL, 0), 0);
    assert_int_equal(feed_response(&world->fake, 1, false), 0);
    trace_expect(&world->trace, "end(1) on_reset(1,EUNHANDLED)");
    assert_int_equal(world->fake.peer.streams.n, 0);
}

/* Old peers keep a stream in their table until they see the request's end. */
static void unhandled_ends_the_request(void **state)
{
    struct world *world = *state;

    open_local(world);
    assert_int_equal(feed_response(&world->fake, 1, false), 0);
    trace_expect(&world->trace, "end(1) on_reset(1,EUNHANDLED)");
}

static void the_end_of_the_response_ends_the_request(void **state)
{
    struct world *world = *state;

    open_local(world);
    world->owner.appetite = 0;
    assert_int_equal(feed_response(&world->fake, 1, true), 0);
    assert_int_equal(feed_data(&world->fake, 1, "pong"), 0);
    assert_int_equal(feed_end(&world->fake, 1), 0);
    trace_expect(&world->trace, "on_response(1) on_data(1,pong) end(1)");
    /* The reader is slow; what is written meanwhile goes nowhere. */
    assert_int_equal(fake_write(&world->owner, "more"), 4);
    assert_int_equal(fake_finish(&world->owner, NULL, 0), 0);
    trace_expect(&world->trace, "");
    world->owner.appetite = SIZE_MAX;
    fe_stream_resume(world->owner.stream);
    trace_expect(&world->trace, "on_data(1,pong) on_end(1)");
}

static void a_blocked_writer_learns_that_the_response_has_ended(void **state)
{
    struct world *world = *state;

    open_local(world);
    world->fake.sender.space = 0;
    assert_int_equal(fake_write(&world->owner, "ping"), 0);
    world->owner.appetite = 0;
    assert_int_equal(feed_response(&world->fake, 1, true), 0);
    assert_int_equal(feed_data(&world->fake, 1, "pong"), 0);
    assert_int_equal(feed_end(&world->fake, 1), 0);
    trace_expect(&world->trace, "on_response(1) on_data(1,pong) end(1) on_writable(1)");
    assert_int_equal(fake_write(&world->owner, "ping"), 4);
    trace_expect(&world->trace, "");
}

static void what_is_not_taken_waits(void **state)
{
    struct world *world = *state;

    open_remote(world);
    world->owner.appetite = 2;
    assert_int_equal(feed_data(&world->fake, 2, "abcde"), 0);
    assert_int_equal(feed_data(&world->fake, 2, "fg"), 0);
    assert_int_equal(feed_end(&world->fake, 2), 0);
    trace_expect(&world->trace, "on_data(2,abcde)");
    fe_stream_resume(world->owner.stream);
    trace_expect(&world->trace, "on_data(2,cdefg)");
    fe_stream_resume(world->owner.stream);
    trace_expect(&world->trace, "on_data(2,efg)");
    world->owner.appetite = SIZE_MAX;
    fe_stream_resume(world->owner.stream);
    trace_expect(&world->trace, "on_data(2,g) on_end(2)");
    fe_stream_resume(world->owner.stream);
    trace_expect(&world->trace, "");
}

static void resume_inside(struct fake_owner *owner, enum fake_callback callback)
{
    if (callback == FAKE_ON_DATA) {
        fe_stream_resume(owner->stream);
    }
}

static void resume_within_on_data_goes_on(void **state)
{
    struct world *world = *state;

    open_remote(world);
    world->owner.appetite = 2;
    world->owner.hook = resume_inside;
    assert_int_equal(feed_data(&world->fake, 2, "abcde"), 0);
    trace_expect(&world->trace, "on_data(2,abcde) on_data(2,cde) on_data(2,e)");
    assert_int_equal(world->fake.peer.n_waiting, 0);
}

static void a_slow_reader_stops_the_reading(void **state)
{
    struct world *world = *state;

    open_remote(world);
    world->owner.appetite = 0;
    for (size_t n = 0; n < FE_STREAM_WAITING_MAX; n += 65536) {
        assert_true(fe_peer_want_read(&world->fake.peer));
        assert_int_equal(feed_bytes(&world->fake, 2, 65536), 0);
    }
    trace_expect(&world->trace, "on_data(2,#65536)");
    assert_int_equal(feed_data(&world->fake, 2, "x"), 0);
    assert_false(fe_peer_want_read(&world->fake.peer));
    trace_expect(&world->trace, "want_read(0)");
    world->trace.is_off = true;
    world->owner.appetite = 1024;
    while (world->fake.peer.n_waiting >= FE_STREAM_WAITING_MAX / 2) {
        assert_false(fe_peer_want_read(&world->fake.peer));
        fe_stream_resume(world->owner.stream);
    }
    world->trace.is_off = false;
    assert_true(fe_peer_want_read(&world->fake.peer));
}

static void canceling_a_full_stream_starts_the_reading_again(void **state)
{
    struct world *world = *state;

    open_local(world);
    world->owner.appetite = 0;
    assert_int_equal(feed_response(&world->fake, 1, true), 0);
    for (size_t n = 0; n <= FE_STREAM_WAITING_MAX; n += 65536) {
        assert_int_equal(feed_bytes(&world->fake, 1, 65536), 0);
    }
    trace_expect(&world->trace, "on_response(1) on_data(1,#65536) want_read(0)");
    fake_cancel(&world->owner);
    trace_expect(&world->trace, "end(1) want_read(1)");
    assert_int_equal(world->fake.peer.n_waiting, 0);
}

static void a_write_takes_what_there_is_space_for(void **state)
{
    struct world *world = *state;

    open_local(world);
    world->fake.sender.space = 3;
    assert_int_equal(fake_write(&world->owner, "abcde"), 3);
    assert_int_equal(fake_write(&world->owner, "de"), 0);
    trace_expect(&world->trace, "data(1,abc)");
    fe_peer_on_writable(&world->fake.peer); /* still full */
    trace_expect(&world->trace, "");
    world->fake.sender.space = 10;
    fe_peer_on_writable(&world->fake.peer);
    trace_expect(&world->trace, "on_writable(1)");
    assert_int_equal(fake_write(&world->owner, "de"), 2);
    fe_peer_on_writable(&world->fake.peer);
    trace_expect(&world->trace, "data(1,de)");
}

static void a_head_that_is_too_big_can_be_made_smaller(void **state)
{
    struct world *world = *state;

    open_remote(world);
    world->fake.sender.error = FLATEND_ETOOBIG;
    assert_int_equal(fe_stream_respond(world->owner.stream, NULL, 0), FLATEND_ETOOBIG);
    assert_int_equal(fe_stream_respond(world->owner.stream, NULL, 0), 0);
    trace_expect(&world->trace, "response(2)");
}

static void a_request_that_is_too_big_leaves_nothing(void **state)
{
    struct world *world = *state;
    const size_t n_outputs = world->fake.n_outputs;

    world->fake.sender.error = FLATEND_ETOOBIG;
    assert_int_equal(fake_open(&world->fake, &world->owner), FLATEND_ETOOBIG);
    assert_int_equal(world->fake.n_outputs, n_outputs);
    world->fake.sender.error = FLATEND_ENOMEM; /* a part of it may be on its way */
    assert_int_equal(fake_open(&world->fake, &world->owner), FLATEND_ENOMEM);
    assert_int_equal(world->fake.n_outputs, n_outputs + 1);
    assert_int_equal(world->fake.peer.n_streams, 0);
    assert_int_equal(world->fake.peer.streams.n, 0);
    trace_expect(&world->trace, "");
}

static void a_canceled_request_ends_and_discards(void **state)
{
    struct world *world = *state;

    open_local(world);
    fake_cancel(&world->owner);
    trace_expect(&world->trace, "end(1)");
    assert_int_equal(world->fake.peer.n_streams, 0);
    assert_int_equal(feed_response(&world->fake, 1, true), 0);
    assert_int_equal(feed_bytes(&world->fake, 1, 65536), 0);
    assert_int_equal(world->fake.peer.n_late, 1);
    assert_int_equal(feed_end(&world->fake, 1), 0);
    assert_int_equal(world->fake.peer.n_late, 0);
    trace_expect(&world->trace, "");
    assert_int_equal(feed_data(&world->fake, 1, "x"), FLATEND_EPROTO);
}

static void a_canceled_request_that_is_not_handled_is_over(void **state)
{
    struct world *world = *state;

    open_local(world);
    assert_int_equal(fake_finish(&world->owner, NULL, 0), 0);
    fake_cancel(&world->owner);
    trace_expect(&world->trace, "end(1)");
    assert_int_equal(feed_response(&world->fake, 1, false), 0);
    assert_int_equal(world->fake.peer.streams.n, 0);
}

static void a_canceled_request_may_be_aborted_after_its_head(void **state)
{
    struct world *world = *state;

    open_local(world);
    fake_cancel(&world->owner);
    assert_int_equal(feed_response(&world->fake, 1, true), 0);
    assert_int_equal(feed_response(&world->fake, 1, false), 0);
    assert_int_equal(feed_end(&world->fake, 1), 0);
    assert_int_equal(world->fake.peer.streams.n, 0);
    trace_expect(&world->trace, "end(1)");
}

static void canceling_before_the_head_says_unhandled(void **state)
{
    struct world *world = *state;

    open_remote(world);
    fake_cancel(&world->owner);
    trace_expect(&world->trace, "response(2,unhandled)");
    assert_int_equal(feed_end(&world->fake, 2), 0);
    assert_int_equal(world->fake.peer.streams.n, 0);
}

static void canceling_after_the_head_aborts_the_response(void **state)
{
    struct world *world = *state;

    open_remote(world);
    assert_int_equal(feed_end(&world->fake, 2), 0);
    assert_int_equal(fe_stream_respond(world->owner.stream, NULL, 0), 0);
    trace_expect(&world->trace, "on_end(2) response(2)");
    fake_cancel(&world->owner);
    trace_expect(&world->trace, "response(2,unhandled) end(2)");
    assert_int_equal(world->fake.peer.streams.n, 0);
}

static void an_aborted_response_is_a_reset(void **state)
{
    struct world *world = *state;

    open_local(world);
    assert_int_equal(feed_response(&world->fake, 1, true), 0);
    assert_int_equal(feed_data(&world->fake, 1, "po"), 0);
    assert_int_equal(feed_response(&world->fake, 1, false), 0);
    trace_expect(&world->trace, "on_response(1) on_data(1,po) end(1) on_reset(1,ERESET)");
    assert_int_equal(feed_end(&world->fake, 1), 0);
    assert_int_equal(world->fake.peer.streams.n, 0);
}

/* What could not be said for lack of memory leaves both sides with different beliefs. */
static void a_cancel_that_cannot_be_sent_ends_the_connection(void **state)
{
    struct world *world = *state;

    open_local(world);
    world->fake.sender.error = FLATEND_ENOMEM;
    fake_cancel(&world->owner);
    assert_int_equal(feed_response(&world->fake, 1, true), FLATEND_ENOMEM);
    trace_expect(&world->trace, "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(request_and_response),
        TEST(a_request_of_the_peer_is_answered),
        TEST(nothing_comes_after_a_response_is_finished),
        TEST(a_late_request_body_is_discarded),
        TEST(unhandled_closes),
        TEST(unhandled_ends_the_request),
        TEST(the_end_of_the_response_ends_the_request),
        TEST(a_blocked_writer_learns_that_the_response_has_ended),
        TEST(what_is_not_taken_waits),
        TEST(resume_within_on_data_goes_on),
        TEST(a_slow_reader_stops_the_reading),
        TEST(canceling_a_full_stream_starts_the_reading_again),
        TEST(a_write_takes_what_there_is_space_for),
        TEST(a_head_that_is_too_big_can_be_made_smaller),
        TEST(a_request_that_is_too_big_leaves_nothing),
        TEST(a_canceled_request_ends_and_discards),
        TEST(a_canceled_request_that_is_not_handled_is_over),
        TEST(a_canceled_request_may_be_aborted_after_its_head),
        TEST(canceling_before_the_head_says_unhandled),
        TEST(canceling_after_the_head_aborts_the_response),
        TEST(an_aborted_response_is_a_reset),
        TEST(a_cancel_that_cannot_be_sent_ends_the_connection),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
