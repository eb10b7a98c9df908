/* Flow control towards a peer that knows it: windows of streams and of the connection, both ways.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mesh/rpc/internal.h"
#include "support/fake_peer.h"

enum { N_OWNERS = 3 };

struct world {
    struct trace trace;
    struct fake_peer fake;
    struct fake_owner owners[N_OWNERS];
};

static const struct fe_flow small = {
    .stream_out = 4, .connection_out = 10, .stream_in = 8, .connection_in = 20, .streams_out = 100};

static void init(struct world *world, const struct fe_flow *flow)
{
    world->trace.len = 0;
    world->trace.is_off = false;
    fake_peer_init_secure(&world->fake, &world->trace, 1, flow);
    for (int i = 0; i < N_OWNERS; i++) {
        fake_owner_init(&world->owners[i], &world->trace);
        world->owners[i].arg = world;
    }
}

static int setup(void **state)
{
    static struct world world;

    init(&world, &small);
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    world->trace.is_off = true;
    for (int i = 0; i < N_OWNERS; i++) {
        world->owners[i].hook = NULL; /* what it looks at was the test's */
    }
    fake_peer_deinit(&world->fake);
    return 0;
}

static void again_with(struct world *world, const struct fe_flow *flow)
{
    fake_peer_deinit(&world->fake);
    init(world, flow);
}

/* Streams 1, 3, 5 of ours. */
static void open_all(struct world *world)
{
    for (int i = 0; i < N_OWNERS; i++) {
        assert_int_equal(fake_open(&world->fake, &world->owners[i]), 0);
    }
    trace_expect(&world->trace, "request(1,echo) request(3,echo) request(5,echo)");
}

/* Streams 2, 4, 6 of the peer's. */
static void accept_all(struct world *world)
{
    for (int i = 0; i < N_OWNERS; i++) {
        world->fake.acceptor = &world->owners[i];
        assert_int_equal(feed_request(&world->fake, 2 + 2 * (uint32_t)i), 0);
    }
    trace_expect(&world->trace, "on_request(echo) on_request(echo) on_request(echo)");
}

/* ---- sending ---- */

static void a_write_ends_at_the_streams_window(void **state)
{
    struct world *world = *state;

    open_all(world);
    assert_int_equal(fake_write(&world->owners[0], "abcdef"), 4);
    assert_int_equal(fake_write(&world->owners[0], "ef"), 0);
    fe_peer_on_writable(&world->fake.peer); /* it is not the output that it waits for */
    trace_expect(&world->trace, "data(1,abcd)");
    assert_int_equal(feed_window(&world->fake, 1, 1), 0);
    trace_expect(&world->trace, "on_writable(1)");
    assert_int_equal(fake_write(&world->owners[0], "ef"), 1);
    assert_int_equal(feed_window(&world->fake, 1, 1), 0);
    assert_int_equal(fake_write(&world->owners[0], "f"), 1);
    trace_expect(&world->trace, "data(1,e) on_writable(1) data(1,f)");
    /* Nothing waits any more. */
    assert_int_equal(feed_window(&world->fake, 1, 100), 0);
    trace_expect(&world->trace, "");
}

static void a_write_ends_at_the_connections_window(void **state)
{
    struct world *world = *state;

    open_all(world);
    for (int i = 0; i < N_OWNERS; i++) {
        assert_int_equal(fake_write(&world->owners[i], "abcd"), i < 2 ? 4 : 2);
    }
    trace_expect(&world->trace, "data(1,abcd) data(3,abcd) data(5,ab)");
    fe_peer_on_writable(&world->fake.peer);
    assert_int_equal(feed_window(&world->fake, 1, 100), 0);
    trace_expect(&world->trace, ""); /* the first has something to say no more */
    assert_int_equal(feed_window(&world->fake, 0, 100), 0);
    trace_expect(&world->trace, "on_writable(5)");
    assert_int_equal(fake_write(&world->owners[2], "cd"), 2);
    trace_expect(&world->trace, "data(5,cd)");
}

/* As long as it waits for its own window it must not be asked, whatever else opens. */
static void a_stream_that_waits_for_its_own_window_holds_up_no_other(void **state)
{
    struct world *world = *state;

    open_all(world);
    assert_int_equal(fake_write(&world->owners[0], "abcdef"), 4);
    assert_int_equal(fake_write(&world->owners[1], "abcd"), 4);
    assert_int_equal(fake_write(&world->owners[2], "abcd"), 2);
    trace_expect(&world->trace, "data(1,abcd) data(3,abcd) data(5,ab)");
    assert_int_equal(feed_window(&world->fake, 0, 1000), 0);
    assert_int_equal(fake_write(&world->owners[2], "cd"), 2);
    trace_expect(&world->trace, "on_writable(5) data(5,cd)");
    world->fake.sender.space = 0;
    assert_int_equal(feed_window(&world->fake, 1, 2), 0); /* now it stands in the row */
    trace_expect(&world->trace, "");
    world->fake.sender.space = 100;
    fe_peer_on_writable(&world->fake.peer);
    trace_expect(&world->trace, "on_writable(1)");
}

static void write_all(struct fake_owner *owner, enum fake_callback callback)
{
    static const uint8_t zeros[65536];

    while (callback == FAKE_ON_WRITABLE &&
           fe_stream_write(owner->stream, fe_view_of(zeros, sizeof(zeros))) == sizeof(zeros)) {
        /* until it has to wait */
    }
}

/* One stream of a hundred is never read by the peer. The others get the same turns, and the same
 * number of them, as without it. */
static void a_stalled_stream_of_a_hundred_costs_the_others_nothing(void **state)
{
    enum { N = 100, ROUNDS = 50, WINDOW = 256 * 1024 };
    static struct fake_owner owners[N];
    const struct fe_flow flow = {WINDOW, FE_WINDOW_MAX, WINDOW, WINDOW, N, 0};
    struct world *world = *state;
    struct fe_peer *peer = &world->fake.peer;

    again_with(world, &flow);
    world->trace.is_off = true;
    world->fake.sender.space = 0;
    for (int i = 0; i < N; i++) {
        fake_owner_init(&owners[i], &world->trace);
        owners[i].hook = write_all;
        assert_int_equal(fake_open(&world->fake, &owners[i]), 0);
        write_all(&owners[i], FAKE_ON_WRITABLE);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 1; i < N; i++) { /* all but the first read at once what has come */
            uint32_t n = WINDOW - owners[i].stream->window_out;

            assert_int_equal(n, round == 0 ? 0 : 65536);
            if (n > 0) {
                assert_int_equal(feed_window(&world->fake, owners[i].id, n), 0);
            }
        }
        /* Room for one turn each: of a hundred at first, of the others later. */
        world->fake.sender.space = (round < WINDOW / 65536 ? N : N - 1) * (size_t)65536;
        fe_peer_on_writable(peer);
        assert_int_equal(world->fake.sender.space, 0);
    }
    assert_true(owners[0].stream->is_window_blocked);
    for (int i = 0; i < N; i++) {
        owners[i].hook = NULL;
    }
}

static void a_window_beyond_2_31_is_a_fault(void **state)
{
    struct world *world = *state;

    open_all(world);
    assert_int_equal(feed_window(&world->fake, 1, FE_WINDOW_MAX - 4), 0);
    assert_int_equal(feed_window(&world->fake, 1, 1), FLATEND_EPROTO);
    assert_int_equal(world->fake.peer.fault_reason, FE_REASON_FLOW);
    assert_string_equal(world->fake.err.text, "window of stream 1 too large");
    assert_int_equal(feed_window(&world->fake, 0, FE_WINDOW_MAX - 10), 0);
    assert_int_equal(feed_window(&world->fake, 0, 1), FLATEND_EPROTO);
    assert_int_equal(feed_window(&world->fake, 3, UINT32_MAX), FLATEND_EPROTO);
}

static void announced_windows_are_clamped(void **state)
{
    const struct fe_flow flow = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, 0};
    struct world *world = *state;

    again_with(world, &flow);
    open_all(world);
    assert_int_equal(world->fake.peer.window_out, FE_WINDOW_MAX);
    assert_int_equal(world->fake.peer.window_in, FE_WINDOW_MAX);
    assert_int_equal(world->owners[0].stream->window_out, FE_WINDOW_MAX);
    assert_int_equal(feed_window(&world->fake, 0, 1), FLATEND_EPROTO);
}

static void only_the_first_handshake_sets_the_windows(void **state)
{
    const struct fe_event hello = {.type = FE_EVENT_HANDSHAKE};
    struct world *world = *state;

    open_all(world);
    assert_int_equal(fake_write(&world->owners[0], "abcd"), 4);
    assert_int_equal(fe_peer_on_event(&world->fake.peer, &hello, &world->fake.err), 0);
    assert_int_equal(world->fake.peer.window_out, 6);
}

static void a_stream_may_begin_without_a_window(void **state)
{
    const struct fe_flow flow = {0, 0, 0, 0, 1, 0};
    struct world *world = *state;

    again_with(world, &flow);
    assert_int_equal(fake_open(&world->fake, &world->owners[0]), 0);
    assert_int_equal(fake_write(&world->owners[0], "ab"), 0);
    assert_int_equal(feed_window(&world->fake, 1, 1), 0);
    assert_int_equal(feed_window(&world->fake, 0, 1), 0);
    assert_int_equal(fake_write(&world->owners[0], "ab"), 1);
    trace_expect(&world->trace, "request(1,echo) on_writable(1) data(1,a)");
    assert_int_equal(feed_response(&world->fake, 1, true), 0);
    assert_int_equal(feed_data(&world->fake, 1, "x"), FLATEND_EPROTO);
}

static void tiny_windows_call_back_once_each(void **state)
{
    struct world *world = *state;

    open_all(world);
    world->trace.is_off = true;
    assert_int_equal(fake_write(&world->owners[0], "abcdef"), 4);
    for (int i = 0; i < 1000; i++) {
        world->trace.is_off = false;
        assert_int_equal(feed_window(&world->fake, 1, 1), 0);
        trace_expect(&world->trace, "on_writable(1)");
        world->trace.is_off = true;
        assert_int_equal(feed_window(&world->fake, 0, 1), 0);
        assert_int_equal(fake_write(&world->owners[0], "xy"), 1);
    }
}

/* ---- receiving ---- */

static void what_is_taken_is_granted_again_by_halves(void **state)
{
    struct world *world = *state;

    accept_all(world);
    assert_int_equal(feed_data(&world->fake, 2, "abc"), 0);
    trace_expect(&world->trace, "on_data(2,abc)");
    assert_int_equal(feed_data(&world->fake, 2, "d"), 0);
    trace_expect(&world->trace, "on_data(2,d) window(2,4)");
    assert_int_equal(feed_data(&world->fake, 4, "abc"), 0);
    assert_int_equal(feed_data(&world->fake, 6, "abc"), 0);
    trace_expect(&world->trace, "on_data(4,abc) on_data(6,abc) window(0,10)");
    assert_int_equal(world->fake.peer.window_in, 20);
    assert_int_equal(world->owners[0].stream->window_in, 8);
    assert_int_equal(world->owners[1].stream->window_in, 5);
}

static void what_waits_is_not_granted_again(void **state)
{
    struct world *world = *state;

    accept_all(world);
    world->owners[0].appetite = 2;
    assert_int_equal(feed_data(&world->fake, 2, "abcdefgh"), 0);
    trace_expect(&world->trace, "on_data(2,abcdefgh)");
    assert_true(fe_peer_want_read(&world->fake.peer));
    fe_stream_resume(world->owners[0].stream);
    trace_expect(&world->trace, "on_data(2,cdefgh) window(2,4)");
    world->owners[0].appetite = SIZE_MAX;
    fe_stream_resume(world->owners[0].stream);
    trace_expect(&world->trace, "on_data(2,efgh) window(2,4)");
    assert_int_equal(world->fake.peer.n_waiting, 0);
    assert_int_equal(world->fake.peer.returned, 8);
}

static void the_window_of_a_fast_reader_grows(void **state)
{
    const struct fe_flow flow = {8, 1000, 8, 32 * FE_STREAM_SHARE, 10, 0};
    struct world *world = *state;

    again_with(world, &flow);
    accept_all(world);
    assert_int_equal(feed_bytes(&world->fake, 2, 8), 0);
    assert_int_equal(feed_bytes(&world->fake, 2, 16), 0);
    assert_int_equal(feed_bytes(&world->fake, 2, 32), 0); /* its share of the connection's */
    world->trace.len = 0;
    assert_int_equal(world->owners[0].stream->window_in, 32);
    /* Once it is behind, it comes down to where it began. */
    world->owners[0].appetite = 0;
    assert_int_equal(feed_bytes(&world->fake, 2, 32), 0);
    world->owners[0].appetite = 8;
    trace_expect(&world->trace, "on_data(2,#32)");
    for (int i = 0; i < 3; i++) {
        fe_stream_resume(world->owners[0].stream);
        assert_int_equal(world->owners[0].stream->window_in, 0);
        assert_int_equal(world->owners[0].stream->returned, 0);
    }
    world->trace.len = 0;
    assert_int_equal(world->owners[0].stream->target, 8);
    assert_int_equal(feed_bytes(&world->fake, 2, 1), FLATEND_EPROTO);
}

static void a_slow_readers_window_stays_as_it_was(void **state)
{
    const struct fe_flow flow = {8, 1000, 8, 32 * FE_STREAM_SHARE, 10, 0};
    struct world *world = *state;

    again_with(world, &flow);
    accept_all(world);
    world->owners[0].appetite = 6;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(feed_bytes(&world->fake, 2, world->owners[0].stream->window_in), 0);
        world->trace.len = 0;
        assert_int_equal(world->owners[0].stream->target, 8);
        if (fe_stream_waiting(world->owners[0].stream) > 6) {
            fe_stream_resume(world->owners[0].stream);
        }
    }
}

static void more_than_the_streams_window_is_a_fault(void **state)
{
    struct world *world = *state;

    accept_all(world);
    world->owners[0].appetite = 0;
    assert_int_equal(feed_data(&world->fake, 2, "abcdefgh"), 0);
    assert_int_equal(feed_data(&world->fake, 2, ""), 0);
    assert_int_equal(feed_data(&world->fake, 2, "i"), FLATEND_EPROTO);
    assert_int_equal(world->fake.peer.fault_reason, FE_REASON_FLOW);
    assert_string_equal(world->fake.err.text, "1 bytes on stream 2 exceed its window of 0");
    assert_int_equal(world->fake.peer.n_waiting, 8);
}

static void more_than_the_connections_window_is_a_fault(void **state)
{
    struct world *world = *state;

    accept_all(world);
    for (uint32_t i = 0; i < N_OWNERS; i++) {
        world->owners[i].appetite = 0;
        assert_int_equal(feed_data(&world->fake, 2 + 2 * i, "abcdefgh"),
                         i < 2 ? 0 : FLATEND_EPROTO);
    }
    assert_int_equal(world->fake.peer.fault_reason, FE_REASON_FLOW);
    assert_int_equal(world->fake.peer.n_waiting, 16);
}

static void after_its_end_a_stream_needs_no_window(void **state)
{
    struct world *world = *state;

    accept_all(world);
    world->owners[0].appetite = 0;
    assert_int_equal(feed_data(&world->fake, 2, "abcdefgh"), 0);
    assert_int_equal(feed_end(&world->fake, 2), 0);
    world->owners[0].appetite = SIZE_MAX;
    fe_stream_resume(world->owners[0].stream);
    trace_expect(&world->trace, "on_data(2,abcdefgh) on_data(2,abcdefgh) on_end(2)");
    assert_int_equal(world->fake.peer.returned, 8);
}

static void bytes_for_streams_that_are_over_come_back(void **state)
{
    struct world *world = *state;

    accept_all(world);
    world->owners[0].appetite = 0;
    assert_int_equal(feed_data(&world->fake, 2, "abcdefgh"), 0);
    trace_expect(&world->trace, "on_data(2,abcdefgh)");
    fake_cancel(&world->owners[0]); /* 8 that waited */
    trace_expect(&world->trace, "reset(2,CANCEL)");
    assert_int_equal(feed_data(&world->fake, 2, "ij"), 0); /* 2 that came too late */
    trace_expect(&world->trace, "window(0,10)");
    assert_int_equal(world->fake.peer.window_in, 20);
    assert_int_equal(feed_end(&world->fake, 2), 0);
    trace_expect(&world->trace, "");
}

static void cancel_inside(struct fake_owner *owner, enum fake_callback callback)
{
    if (callback == FAKE_ON_DATA) {
        fake_cancel(owner);
    }
}

static void bytes_come_back_once_when_the_reader_gives_up(void **state)
{
    struct world *world = *state;

    accept_all(world);
    world->owners[0].hook = cancel_inside;
    assert_int_equal(feed_data(&world->fake, 2, "abcdefg"), 0);
    assert_int_equal(world->fake.peer.returned, 7);
    world->owners[1].appetite = 0;
    assert_int_equal(feed_data(&world->fake, 4, "ab"), 0);
    world->owners[1].hook = cancel_inside;
    fe_stream_resume(world->owners[1].stream);
    assert_int_equal(world->fake.peer.returned, 9);
    assert_int_equal(world->fake.peer.window_in, 11);
    assert_int_equal(world->fake.peer.n_waiting, 0);
}

static void bytes_come_back_when_the_peer_resets(void **state)
{
    struct world *world = *state;

    accept_all(world);
    world->owners[0].appetite = 0;
    assert_int_equal(feed_data(&world->fake, 2, "abcdefgh"), 0);
    assert_int_equal(feed_reset(&world->fake, 2, FE_REASON_CANCEL), 0);
    trace_expect(&world->trace, "on_data(2,abcdefgh) on_reset(2,ERESET)");
    assert_int_equal(world->fake.peer.returned, 8);
}

static void a_window_that_cannot_be_sent_ends_the_connection(void **state)
{
    struct world *world = *state;

    accept_all(world);
    world->fake.sender.error = FLATEND_ENOMEM;
    assert_int_equal(feed_data(&world->fake, 2, "abcdefgh"), FLATEND_ENOMEM);
}

/* The peer has used up its window: no event of it would tell. */
static void so_does_one_that_cannot_be_sent_later(void **state)
{
    struct world *world = *state;
    size_t n_outputs;

    accept_all(world);
    world->owners[0].appetite = 0;
    assert_int_equal(feed_data(&world->fake, 2, "abcdefgh"), 0);
    assert_int_equal(fe_peer_settle(&world->fake.peer), 0);
    n_outputs = world->fake.n_outputs;
    world->owners[0].appetite = SIZE_MAX;
    world->fake.sender.error = FLATEND_ENOMEM;
    fe_stream_resume(world->owners[0].stream);
    assert_int_equal(world->fake.n_outputs, n_outputs + 1);
    assert_int_equal(fe_peer_settle(&world->fake.peer), FLATEND_ENOMEM);
}

/* ---- what a hostile peer can make us hold ---- */

static size_t memory_of(struct fe_peer *peer)
{
    struct fe_map_node *node = NULL;
    size_t n = 0;

    while ((node = fe_map_next(&peer->streams, node)) != NULL) {
        const struct fe_stream *stream = FE_CONTAINER_OF(node, struct fe_stream, node);
        struct fe_view views[64];

        n += stream->small.cap + fe_chain_peek(&stream->waiting, views, 64) * FE_BLOCK_SIZE;
    }
    return n;
}

/* Each packet is as small, or as costly for us, as can be; nothing is read. The bytes are at most
 * what was granted, the memory for them a small multiple of it. */
static void memory_is_bounded_by_the_windows(void **state)
{
    enum { N = FE_PEER_STREAMS_MAX, CONNECTION = 4 * 1024 * 1024 };
    static struct fake_owner owners[N];
    static const size_t sizes[] = {1, 255, FE_STREAM_SMALL_MAX, FE_STREAM_SMALL_MAX + 1, 65536};
    const struct fe_flow flow = {CONNECTION, CONNECTION, 65536, CONNECTION, N, 0};
    struct world *world = *state;

    for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
        struct fe_peer *peer = &world->fake.peer;
        uint32_t n = 0;
        int code = 0;

        again_with(world, &flow);
        world->trace.is_off = true;
        for (; n < N && code == 0; n++) {
            fake_owner_init(&owners[n], &world->trace);
            owners[n].appetite = 0;
            world->fake.acceptor = &owners[n];
            assert_int_equal(feed_request(&world->fake, 2 + 2 * n), 0);
            code = feed_bytes(&world->fake, 2 + 2 * n, sizes[k]);
        }
        assert_int_equal(code, sizes[k] * N <= CONNECTION ? 0 : FLATEND_EPROTO);
        assert_true(peer->n_waiting <= CONNECTION);
        assert_true(memory_of(peer) <= 4 * CONNECTION + N * 256);
        assert_true(memory_of(peer) <= 4 * peer->n_waiting + n * 256);
        fe_peer_close(peer, FLATEND_ECLOSED);
        assert_int_equal(peer->n_waiting, 0);
    }
}

/* Streams whose readers stall take up the connection's window, and it grows: another stream goes
 * on. */
static void stalled_streams_leave_room(void **state)
{
    static const struct fe_flow growing = {.stream_out = 4,
                                           .connection_out = 10,
                                           .stream_in = 8,
                                           .connection_in = 16,
                                           .streams_out = 100,
                                           .connection_in_max = 40};
    struct world *world = *state;
    struct fe_peer *peer;

    again_with(world, &growing);
    peer = &world->fake.peer;
    accept_all(world);
    world->owners[0].appetite = 0;
    world->owners[1].appetite = 0;
    assert_int_equal(feed_data(&world->fake, 2, "12345678"), 0);
    assert_int_equal(peer->whole_in, 32);
    assert_int_equal(feed_data(&world->fake, 4, "12345678"), 0);
    assert_int_equal(peer->whole_in, 40); /* and no more */
    assert_int_equal(feed_data(&world->fake, 6, "abcdefgh"), 0);
    assert_int_equal(peer->whole_in, 40);
    trace_expect(&world->trace, "on_data(2,12345678) window(0,16) on_data(4,12345678) "
                                "on_data(6,abcdefgh) window(6,8)");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_write_ends_at_the_streams_window),
        TEST(a_write_ends_at_the_connections_window),
        TEST(a_stream_that_waits_for_its_own_window_holds_up_no_other),
        TEST(a_stalled_stream_of_a_hundred_costs_the_others_nothing),
        TEST(a_window_beyond_2_31_is_a_fault),
        TEST(announced_windows_are_clamped),
        TEST(only_the_first_handshake_sets_the_windows),
        TEST(a_stream_may_begin_without_a_window),
        TEST(tiny_windows_call_back_once_each),
        TEST(what_is_taken_is_granted_again_by_halves),
        TEST(what_waits_is_not_granted_again),
        TEST(the_window_of_a_fast_reader_grows),
        TEST(a_slow_readers_window_stays_as_it_was),
        TEST(more_than_the_streams_window_is_a_fault),
        TEST(more_than_the_connections_window_is_a_fault),
        TEST(after_its_end_a_stream_needs_no_window),
        TEST(bytes_for_streams_that_are_over_come_back),
        TEST(bytes_come_back_once_when_the_reader_gives_up),
        TEST(bytes_come_back_when_the_peer_resets),
        TEST(a_window_that_cannot_be_sent_ends_the_connection),
        TEST(so_does_one_that_cannot_be_sent_later),
        TEST(memory_is_bounded_by_the_windows),
        TEST(stalled_streams_leave_room),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
