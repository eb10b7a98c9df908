/* Streams towards a peer that knows RESET, trailers and GOAWAY, and whose ids grow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mesh/rpc/internal.h"
#include "mesh/rpc/lingering.h"
#include "support/fake_peer.h"
#include "support/headers.h"

enum { N_OWNERS = 3 };

struct world {
    struct trace trace;
    struct fake_peer fake;
    struct fake_owner owners[N_OWNERS];
};

static const struct fe_flow flow = {.stream_out = 1000000,
                                    .connection_out = 10000000,
                                    .stream_in = 1000000,
                                    .connection_in = 10000000,
                                    .streams_out = 3};

static int setup(void **state)
{
    static struct world world;

    world.trace.len = 0;
    world.trace.is_off = false;
    fake_peer_init_secure(&world.fake, &world.trace, 1, &flow);
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

    world->trace.is_off = true;
    for (int i = 0; i < N_OWNERS; i++) {
        world->owners[i].hook = NULL; /* what it looks at was the test's */
    }
    fake_peer_deinit(&world->fake);
    return 0;
}

/* Stream 1 of ours, the first owner's. */
static void open_local(struct world *world)
{
    assert_int_equal(fake_open(&world->fake, &world->owners[0]), 0);
    trace_expect(&world->trace, "request(1,echo)");
}

/* A stream of the peer's, the first owner's. */
static void open_remote(struct world *world, uint32_t id)
{
    world->fake.acceptor = &world->owners[0];
    assert_int_equal(feed_request(&world->fake, id), 0);
    trace_expect(&world->trace, "on_request(echo)");
}

static void expect_nothing_left(struct world *world)
{
    assert_int_equal(world->fake.peer.n_streams, 0);
    assert_int_equal(world->fake.peer.n_remote, 0);
    assert_int_equal(world->fake.peer.streams.n, 0);
    assert_int_equal(world->fake.peer.n_late, 0);
    assert_int_equal(world->fake.peer.n_waiting, 0);
}

/* ---- giving up ---- */

static void a_canceled_request_is_reset_and_forgotten(void **state)
{
    struct world *world = *state;

    open_local(world);
    fake_cancel(&world->owners[0]);
    trace_expect(&world->trace, "reset(1,CANCEL)");
    expect_nothing_left(world);
    /* What was under way is discarded. */
    assert_int_equal(feed_response(&world->fake, 1, true), 0);
    assert_int_equal(feed_data(&world->fake, 1, "pong"), 0);
    assert_int_equal(feed_window(&world->fake, 1, 5), 0);
    assert_int_equal(feed_reset(&world->fake, 1, FE_REASON_INTERNAL), 0);
    assert_int_equal(feed_end(&world->fake, 1), 0);
    trace_expect(&world->trace, "");
}

static void a_reason_is_told(void **state)
{
    struct world *world = *state;

    open_local(world);
    assert_int_equal(fake_finish(&world->owners[0], NULL, 0), 0);
    assert_int_equal(feed_response(&world->fake, 1, true), 0);
    fake_reset(&world->owners[0], FE_REASON_TIMEOUT); /* the response is open */
    trace_expect(&world->trace, "end(1) on_response(1) reset(1,TIMEOUT)");
    open_remote(world, 2);
    fake_reset(&world->owners[0], FE_REASON_REFUSED);
    trace_expect(&world->trace, "reset(2,REFUSED)");
    open_remote(world, 4);
    assert_int_equal(fe_stream_respond(world->owners[0].stream, NULL, 0), 0);
    fake_reset(&world->owners[0], FE_REASON_INTERNAL);
    trace_expect(&world->trace, "response(4) reset(4,INTERNAL)");
    expect_nothing_left(world);
}

static void a_complete_stream_is_not_reset(void **state)
{
    struct world *world = *state;

    open_local(world);
    world->owners[0].appetite = 0;
    assert_int_equal(fake_finish(&world->owners[0], NULL, 0), 0);
    assert_int_equal(feed_response(&world->fake, 1, true), 0);
    assert_int_equal(feed_data(&world->fake, 1, "pong"), 0);
    assert_int_equal(feed_end(&world->fake, 1), 0);
    trace_expect(&world->trace, "end(1) on_response(1) on_data(1,pong)");
    fake_cancel(&world->owners[0]); /* before its reader has taken it */
    trace_expect(&world->trace, "");
    open_remote(world, 2);
    assert_int_equal(feed_end(&world->fake, 2), 0);
    assert_int_equal(fe_stream_respond(world->owners[0].stream, NULL, 0), 0);
    assert_int_equal(fake_finish(&world->owners[0], NULL, 0), 0);
    trace_expect(&world->trace, "on_end(2) response(2) end(2)");
    expect_nothing_left(world);
}

static void a_request_that_is_not_accepted_is_forgotten(void **state)
{
    struct world *world = *state;

    assert_int_equal(feed_request(&world->fake, 2), 0);
    trace_expect(&world->trace, "on_request(echo) response(2,unhandled)");
    expect_nothing_left(world);
    assert_int_equal(feed_data(&world->fake, 2, "body"), 0);
    assert_int_equal(feed_end(&world->fake, 2), 0);
    trace_expect(&world->trace, "");
}

static void unhandled_needs_no_end(void **state)
{
    struct world *world = *state;

    open_local(world);
    assert_int_equal(feed_response(&world->fake, 1, false), 0);
    trace_expect(&world->trace, "on_reset(1,EUNHANDLED)");
    expect_nothing_left(world);
}

static void unhandled_after_the_head_is_a_fault(void **state)
{
    struct world *world = *state;

    open_local(world);
    assert_int_equal(feed_response(&world->fake, 1, true), 0);
    assert_int_equal(feed_response(&world->fake, 1, false), FLATEND_EPROTO);
}

/* ---- RESET from the peer ---- */

static void a_reset_closes_with_what_its_reason_means(void **state)
{
    static const struct {
        uint32_t reason;
        int before_head;
        int after_head;
    } cases[] = {
        {FE_REASON_NONE, FLATEND_ERESET, FLATEND_ERESET},
        {FE_REASON_CANCEL, FLATEND_ERESET, FLATEND_ERESET},
        {FE_REASON_REFUSED, FLATEND_EUNHANDLED, FLATEND_ERESET},
        {FE_REASON_TIMEOUT, FLATEND_ETIMEDOUT, FLATEND_ETIMEDOUT},
        {FE_REASON_TOO_LARGE, FLATEND_ETOOBIG, FLATEND_ETOOBIG},
        {FE_REASON_DENIED, FLATEND_EDENIED, FLATEND_EDENIED},
        {4711, FLATEND_ERESET, FLATEND_ERESET},
    };
    struct world *world = *state;

    world->trace.is_off = true;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int has_head = 0; has_head < 2; has_head++) {
            struct fake_owner *owner = &world->owners[0];

            assert_int_equal(fake_open(&world->fake, owner), 0);
            if (has_head) {
                assert_int_equal(feed_response(&world->fake, owner->id, true), 0);
            }
            assert_int_equal(feed_reset(&world->fake, owner->id, cases[i].reason), 0);
            assert_null(owner->stream);
            assert_int_equal(owner->code, has_head ? cases[i].after_head : cases[i].before_head);
            expect_nothing_left(world);
        }
    }
}

static void a_reset_of_the_peers_own_request(void **state)
{
    struct world *world = *state;

    open_remote(world, 2);
    assert_int_equal(feed_end(&world->fake, 2), 0);
    assert_int_equal(fe_stream_respond(world->owners[0].stream, NULL, 0), 0);
    world->fake.sender.space = 0;
    assert_int_equal(fake_write(&world->owners[0], "pong"), 0);
    assert_int_equal(feed_reset(&world->fake, 2, FE_REASON_CANCEL), 0);
    trace_expect(&world->trace, "on_end(2) response(2) on_reset(2,ERESET)");
    expect_nothing_left(world);
    /* It stood in the row. */
    world->fake.sender.space = 10;
    fe_peer_on_writable(&world->fake.peer);
    trace_expect(&world->trace, "");
}

static void what_waits_is_lost_with_a_reset(void **state)
{
    struct world *world = *state;

    open_remote(world, 2);
    world->owners[0].appetite = 0;
    assert_int_equal(feed_data(&world->fake, 2, "ping"), 0);
    assert_int_equal(feed_end(&world->fake, 2), 0);
    assert_int_equal(feed_reset(&world->fake, 2, FE_REASON_CANCEL), 0);
    trace_expect(&world->trace, "on_data(2,ping) on_reset(2,ERESET)");
    expect_nothing_left(world);
}

/* ---- a response that ends before its request ---- */

static void an_early_answer_wants_no_more_of_the_request(void **state)
{
    struct world *world = *state;

    open_remote(world, 2);
    assert_int_equal(feed_data(&world->fake, 2, "pi"), 0);
    assert_int_equal(fe_stream_respond(world->owners[0].stream, NULL, 0), 0);
    assert_int_equal(fake_finish(&world->owners[0], NULL, 0), 0);
    fe_peer_settle(&world->fake.peer);
    trace_expect(&world->trace, "on_data(2,pi) response(2) end(2) reset(2,NONE)");
    expect_nothing_left(world);
    assert_int_equal(feed_data(&world->fake, 2, "ng"), 0);
    assert_int_equal(feed_reset(&world->fake, 2, FE_REASON_NONE), 0);
    trace_expect(&world->trace, "");
}

static void a_request_answered_early_stops_and_succeeds(void **state)
{
    struct world *world = *state;

    open_local(world);
    world->owners[0].appetite = 0;
    world->fake.sender.space = 0;
    assert_int_equal(fake_write(&world->owners[0], "ping"), 0);
    assert_int_equal(feed_response(&world->fake, 1, true), 0);
    assert_int_equal(feed_data(&world->fake, 1, "pong"), 0);
    assert_int_equal(feed_end(&world->fake, 1), 0);
    trace_expect(&world->trace, "on_response(1) on_data(1,pong) reset(1,NONE) on_writable(1)");
    assert_int_equal(feed_reset(&world->fake, 1, FE_REASON_NONE), 0);
    assert_int_equal(fake_write(&world->owners[0], "ping"), 4);
    assert_int_equal(fake_finish(&world->owners[0], NULL, 0), 0);
    trace_expect(&world->trace, "");
    world->owners[0].appetite = SIZE_MAX;
    fe_stream_resume(world->owners[0].stream);
    trace_expect(&world->trace, "on_data(1,pong) on_end(1)");
    expect_nothing_left(world);
}

/* Which of its two waits a writer was in makes no difference. */
static void a_writer_without_a_window_learns_of_an_early_answer(void **state)
{
    static const uint8_t zeros[1000001];
    struct world *world = *state;

    open_local(world);
    world->owners[0].appetite = 0;
    assert_int_equal(fe_stream_write(world->owners[0].stream, fe_view_of(zeros, sizeof(zeros))),
                     1000000);
    assert_int_equal(feed_response(&world->fake, 1, true), 0);
    assert_int_equal(feed_data(&world->fake, 1, "no"), 0);
    assert_int_equal(feed_end(&world->fake, 1), 0);
    trace_expect(&world->trace, "data(1,#1000000) on_response(1) on_data(1,no) reset(1,NONE) "
                                "on_writable(1)");
    assert_int_equal(feed_window(&world->fake, 1, 5), 0);
    trace_expect(&world->trace, "");
}

/* ---- trailers ---- */

static void trailers_are_sent(void **state)
{
    const struct fe_header status = {FE_VIEW_LIT("grpc-status"), FE_VIEW_LIT("0")};
    struct world *world = *state;

    open_remote(world, 2);
    assert_int_equal(feed_end(&world->fake, 2), 0);
    assert_int_equal(fe_stream_respond(world->owners[0].stream, NULL, 0), 0);
    world->fake.sender.error = FLATEND_ETOOBIG;
    assert_int_equal(fake_finish(&world->owners[0], &status, 1), FLATEND_ETOOBIG);
    assert_int_equal(fake_finish(&world->owners[0], &status, 1), 0);
    trace_expect(&world->trace, "on_end(2) response(2) end(2,grpc-status)");
}

static void look_at_trailers(struct fake_owner *owner, enum fake_callback callback)
{
    if (callback == FAKE_ON_END) {
        struct fe_view value = FE_VIEW_LIT("none");

        (void)headers_find(owner->trailers, FE_VIEW_LIT("a"), &value);
        trace_add(owner->trace, "trailer(%.*s)", (int)value.len, (const char *)value.ptr);
    }
}

static int feed_trailers(struct world *world, uint32_t id)
{
    char bytes[] = "\1a\0\2bc"; /* on the stack: nothing may read it later */
    int code = feed_end_with(&world->fake, id, fe_view_of(bytes, 6), 1);

    memset(bytes, 0, sizeof(bytes));
    return code;
}

static void trailers_come_with_the_end(void **state)
{
    struct world *world = *state;

    world->owners[0].hook = look_at_trailers;
    open_remote(world, 2);
    assert_int_equal(feed_trailers(world, 2), 0);
    fake_cancel(&world->owners[0]);
    trace_expect(&world->trace, "on_end(2) trailer(bc) reset(2,CANCEL)");
    open_remote(world, 4);
    assert_int_equal(feed_end(&world->fake, 4), 0);
    trace_expect(&world->trace, "on_end(4) trailer(none)");
}

static void trailers_wait_with_the_body(void **state)
{
    struct world *world = *state;

    open_local(world);
    world->owners[0].hook = look_at_trailers;
    world->owners[0].appetite = 1;
    assert_int_equal(feed_response(&world->fake, 1, true), 0);
    assert_int_equal(feed_data(&world->fake, 1, "xyz"), 0);
    assert_int_equal(feed_trailers(world, 1), 0);
    assert_int_equal(world->fake.peer.n_trailers, 6);
    trace_expect(&world->trace, "on_response(1) on_data(1,xyz) reset(1,NONE)");
    world->owners[0].appetite = SIZE_MAX;
    fe_stream_resume(world->owners[0].stream);
    trace_expect(&world->trace, "on_data(1,yz) on_end(1) trailer(bc)");
    assert_int_equal(world->fake.peer.n_trailers, 0);
}

static void trailers_that_wait_are_bounded(void **state)
{
    static const uint8_t trailers[65535];
    enum { N = FE_PEER_TRAILERS_MAX / sizeof(trailers) + 1 };
    static struct fake_owner owners[N];
    struct world *world = *state;

    world->trace.is_off = true;
    for (uint32_t i = 0; i < N; i++) {
        fake_owner_init(&owners[i], &world->trace);
        owners[i].appetite = 0;
        world->fake.acceptor = &owners[i];
        assert_int_equal(feed_request(&world->fake, 2 + 2 * i), 0);
        assert_int_equal(feed_data(&world->fake, 2 + 2 * i, "x"), 0);
        world->trace.is_off = i < N - 1;
        assert_int_equal(
            feed_end_with(&world->fake, 2 + 2 * i, fe_view_of(trailers, sizeof(trailers)), 1), 0);
    }
    trace_expect(&world->trace, "reset(34,TOO_LARGE) on_reset(34,ETOOBIG)");
    assert_int_equal(world->fake.peer.n_trailers, (N - 1) * sizeof(trailers));
    world->trace.is_off = true;
    fake_cancel(&owners[0]);
    assert_int_equal(world->fake.peer.n_trailers, (N - 2) * sizeof(trailers));
}

/* ---- ids ---- */

static void ids_of_the_peer_grow(void **state)
{
    struct world *world = *state;

    world->trace.is_off = true;
    assert_int_equal(feed_request(&world->fake, 10), 0);
    assert_int_equal(world->fake.peer.last_remote, 10);
    assert_int_equal(feed_request(&world->fake, 10), FLATEND_EPROTO);
    assert_int_equal(feed_request(&world->fake, 8), FLATEND_EPROTO);
    assert_string_equal(world->fake.err.text, "stream 8 is not a new peer stream");
    assert_int_equal(feed_request(&world->fake, 0), FLATEND_EPROTO);
    assert_int_equal(feed_request(&world->fake, 11), FLATEND_EPROTO); /* ours are odd */
    assert_int_equal(world->fake.peer.fault_reason, FE_REASON_PROTOCOL);
    /* Half way round, twice: old is what is behind. */
    assert_int_equal(feed_request(&world->fake, 0x80000008), 0);
    assert_int_equal(feed_request(&world->fake, 6), 0);
    assert_int_equal(feed_request(&world->fake, 0x80000008), FLATEND_EPROTO);
    assert_int_equal(feed_data(&world->fake, 0x80000008, "x"), 0);
}

static void packets_of_what_never_was_are_faults(void **state)
{
    struct world *world = *state;

    open_local(world);
    assert_int_equal(feed_request(&world->fake, 4), 0);
    assert_int_equal(feed_data(&world->fake, 2, "x"), 0); /* skipped: over */
    for (uint32_t id = 3; id <= 6; id += 3) {             /* newer: ours, theirs */
        assert_int_equal(feed_response(&world->fake, id, true), FLATEND_EPROTO);
        assert_int_equal(feed_data(&world->fake, id, "x"), FLATEND_EPROTO);
        assert_int_equal(feed_end(&world->fake, id), FLATEND_EPROTO);
        assert_int_equal(feed_window(&world->fake, id, 1), FLATEND_EPROTO);
        assert_int_equal(feed_reset(&world->fake, id, FE_REASON_CANCEL), FLATEND_EPROTO);
    }
    assert_string_equal(world->fake.err.text, "reset for stream 6, which was never opened");
    assert_int_equal(feed_data(&world->fake, 0, "x"), FLATEND_EPROTO);
}

static void an_id_that_could_not_be_sent_is_used_again(void **state)
{
    struct world *world = *state;

    world->fake.sender.error = FLATEND_ETOOBIG;
    assert_int_equal(fake_open(&world->fake, &world->owners[0]), FLATEND_ETOOBIG);
    expect_nothing_left(world);
    open_local(world);
}

static void our_ids_wrap_around_those_in_use(void **state)
{
    struct world *world = *state;

    open_local(world);
    world->fake.sender.next_stream = UINT32_MAX;
    assert_int_equal(fake_open(&world->fake, &world->owners[1]), 0);
    assert_int_equal(world->fake.peer.next_local, UINT32_MAX);
    assert_int_equal(fake_open(&world->fake, &world->owners[2]), 0);
    assert_int_equal(world->fake.peer.next_local, 5); /* 1 and 3 are in use */
}

/* ---- limits ---- */

static void the_peers_limit_of_streams_is_kept(void **state)
{
    struct world *world = *state;
    struct fake_owner one_more;

    fake_owner_init(&one_more, &world->trace);
    for (int i = 0; i < N_OWNERS; i++) {
        assert_int_equal(fake_open(&world->fake, &world->owners[i]), 0);
    }
    assert_int_equal(fake_open(&world->fake, &one_more), FLATEND_ELIMIT);
    trace_expect(&world->trace, "request(1,echo) request(3,echo) request(5,echo)");
    fake_cancel(&world->owners[1]);
    assert_int_equal(fake_open(&world->fake, &one_more), 0);
    trace_expect(&world->trace, "reset(3,CANCEL) request(7,echo)");
    /* Those of the peer do not count. */
    world->fake.acceptor = &world->owners[1];
    assert_int_equal(feed_request(&world->fake, 2), 0);
    fake_cancel(&one_more);
    assert_int_equal(fake_open(&world->fake, &one_more), 0);
    fake_cancel(&one_more);
}

/* ---- requests whose handlers run on ---- */

/* The handler of a request that was reset. */
struct handler {
    struct fake_owner owner;
    const struct fe_stream *stream;
    struct fe_lingering lingering;
};

static void linger(struct fake_owner *owner, enum fake_callback callback)
{
    struct handler *handler = FE_CONTAINER_OF(owner, struct handler, owner);

    if (callback == FAKE_ON_RESET) {
        fe_stream_linger(handler->stream, &handler->lingering);
    }
}

/* A request that is taken, if there is place for it, and reset while its handler runs on. False: it
 * was refused. */
static bool request_and_reset(struct world *world, struct handler *handler, size_t head_len)
{
    const uint32_t id = world->fake.peer.last_remote + 2;
    bool is_taken;

    fake_owner_init(&handler->owner, &world->trace);
    fe_lingering_init(&handler->lingering);
    handler->owner.hook = linger;
    world->fake.acceptor = &handler->owner;
    assert_int_equal(head_len > 0 ? feed_large_request(&world->fake, id, head_len)
                                  : feed_request(&world->fake, id),
                     0);
    handler->stream = handler->owner.stream;
    is_taken = handler->stream != NULL;
    assert_int_equal(feed_reset(&world->fake, id, FE_REASON_CANCEL), 0);
    return is_taken;
}

static struct handler *handlers_new(size_t n)
{
    struct handler *handlers = calloc(n, sizeof(*handlers));

    assert_non_null(handlers);
    return handlers;
}

/* Rapid reset: each request starts a handler, which does not stop as fast. So many may run on; then
 * requests are refused, and the connection that others share stays. */
static void handlers_that_run_on_are_bounded(void **state)
{
    enum { N = FE_PEER_LINGERING_MAX };
    struct handler *handlers = handlers_new(N + 1);
    struct world *world = *state;

    world->trace.is_off = true;
    for (int i = 0; i < N; i++) {
        assert_true(request_and_reset(world, &handlers[i], 0));
    }
    assert_int_equal(world->fake.peer.n_streams, 0);
    assert_int_equal(world->fake.peer.n_lingering, N);
    assert_false(request_and_reset(world, &handlers[N], 0));
    fe_lingering_end(&handlers[0].lingering);
    fe_lingering_end(&handlers[0].lingering); /* of one that does not: nothing */
    assert_true(request_and_reset(world, &handlers[N], 0));
    assert_false(request_and_reset(world, &handlers[0], 0));
    fe_peer_check(&world->fake.peer);
    /* The connection ends before the handlers do. */
    fe_peer_close(&world->fake.peer, FLATEND_ECLOSED);
    assert_int_equal(world->fake.peer.n_lingering, 0);
    for (int i = 0; i <= N; i++) {
        assert_null(handlers[i].lingering.peer);
        fe_lingering_end(&handlers[i].lingering);
    }
    free(handlers);
}

/* Handlers hold on to the heads of their requests, so that large ones count for more. */
static void handlers_of_large_requests_count_for_more(void **state)
{
    enum {
        SHARES = FE_HEAD_MAX / FE_PEER_HEAD_SHARE,
        N = FE_PEER_LINGERING_MAX / (1 + SHARES) + 1
    };
    struct handler *handlers = handlers_new(N + 1);
    struct world *world = *state;

    world->trace.is_off = true;
    for (int i = 0; i < N; i++) {
        assert_true(request_and_reset(world, &handlers[i], FE_HEAD_MAX));
    }
    assert_false(request_and_reset(world, &handlers[N], FE_HEAD_MAX));
    fe_lingering_end(&handlers[0].lingering);
    assert_true(request_and_reset(world, &handlers[N], FE_HEAD_MAX));
    fe_peer_close(&world->fake.peer, FLATEND_ECLOSED);
    free(handlers);
}

/* One whose connection is gone does not linger: it counts against none. */
static void none_lingers_behind_its_connection(void **state)
{
    struct handler handler;
    struct world *world = *state;

    world->trace.is_off = true;
    fake_owner_init(&handler.owner, &world->trace);
    fe_lingering_init(&handler.lingering);
    handler.owner.hook = linger;
    world->fake.acceptor = &handler.owner;
    assert_int_equal(feed_request(&world->fake, 2), 0);
    handler.stream = handler.owner.stream;
    fe_peer_close(&world->fake.peer, FLATEND_ECLOSED);
    assert_null(handler.lingering.peer);
}

/* As many streams as ordinary heads of the same size would be. */
static void large_requests_at_once_are_bounded(void **state)
{
    enum { SHARES = FE_HEAD_MAX / FE_PEER_HEAD_SHARE, N = FE_PEER_STREAMS_MAX / (1 + SHARES) };
    struct fake_owner *owners = calloc(N, sizeof(*owners));
    struct world *world = *state;
    uint32_t id = 2;

    assert_non_null(owners);
    world->trace.is_off = true;
    for (int i = 0; i < N; i++, id += 2) {
        fake_owner_init(&owners[i], &world->trace);
        world->fake.acceptor = &owners[i];
        assert_int_equal(feed_large_request(&world->fake, id, FE_HEAD_MAX), 0);
        assert_non_null(owners[i].stream);
    }
    world->fake.acceptor = &world->owners[0];
    assert_int_equal(feed_large_request(&world->fake, id, FE_HEAD_MAX), 0);
    assert_null(world->owners[0].stream);
    /* A small one still has a place, and a large one has when another is over. */
    assert_int_equal(feed_request(&world->fake, id + 2), 0);
    assert_non_null(world->owners[0].stream);
    world->trace.is_off = true;
    fake_cancel(&owners[0]);
    world->fake.acceptor = &owners[0];
    assert_int_equal(feed_large_request(&world->fake, id + 4, FE_HEAD_MAX), 0);
    assert_non_null(owners[0].stream);
    fe_peer_close(&world->fake.peer, FLATEND_ECLOSED);
    assert_int_equal(world->fake.peer.n_head_shares, 0);
    free(owners);
}

/* What waits in the output of a peer that does not read is bounded in bytes, too. */
static void large_heads_in_a_full_output_are_bounded(void **state)
{
    static const uint8_t value[FE_HEAD_MAX];
    const struct fe_header header = {.value = fe_view_of(value, sizeof(value))};
    const unsigned each = FE_HEAD_MAX / FE_PEER_QUEUED_HEAD_SIZE;
    struct world *world = *state;
    unsigned n = 0;
    uint32_t id = 2;
    int code;

    world->trace.is_off = true;
    world->fake.sender.space = 0;
    do {
        world->fake.acceptor = &world->owners[0];
        assert_int_equal(feed_request(&world->fake, id), 0);
        code = fe_stream_respond(world->owners[0].stream, &header, 1);
        n += code == 0;
        if (code == 0) {
            assert_int_equal(fake_finish(&world->owners[0], NULL, 0), 0);
        }
        id += 2;
    } while (code == 0);
    assert_int_equal(code, FLATEND_ELIMIT);
    assert_int_equal(n, FE_PEER_QUEUED_HEADS_MAX / (each + 1));
    /* A small head does, trailers of that size do not. */
    assert_int_equal(fe_stream_respond(world->owners[0].stream, NULL, 0), 0);
    assert_int_equal(fake_finish(&world->owners[0], &header, 1), FLATEND_ELIMIT);
    /* Nor does a request of ours, until the peer reads. */
    assert_int_equal(fake_finish(&world->owners[0], NULL, 0), 0);
    world->fake.sender.space = 1;
    fe_peer_on_writable(&world->fake.peer);
    assert_int_equal(world->fake.peer.n_queued_heads, 0);
}

/* ---- GOAWAY ---- */

static void goaway_gives_back_what_was_not_accepted(void **state)
{
    struct world *world = *state;

    for (int i = 0; i < N_OWNERS; i++) {
        assert_int_equal(fake_open(&world->fake, &world->owners[i]), 0);
    }
    world->fake.sender.space = 0;
    assert_int_equal(fake_write(&world->owners[2], "ping"), 0);
    assert_int_equal(feed_goaway(&world->fake, 1), 0);
    trace_expect(&world->trace, "request(1,echo) request(3,echo) request(5,echo) "
                                "on_reset(3,EUNHANDLED) on_reset(5,EUNHANDLED)");
    assert_int_equal(world->fake.peer.n_streams, 1);
    assert_int_equal(feed_response(&world->fake, 1, true), 0);
    assert_int_equal(feed_end(&world->fake, 1), 0);
    trace_expect(&world->trace, "on_response(1) reset(1,NONE) on_end(1)");
}

static void goaway_may_accept_all_that_is_on_its_way(void **state)
{
    struct world *world = *state;

    open_local(world);
    assert_int_equal(feed_goaway(&world->fake, UINT32_MAX), 0);
    trace_expect(&world->trace, "");
}

/* ---- calling back from within ---- */

static void close_inside(struct fake_owner *owner, enum fake_callback callback)
{
    struct world *world = owner->arg;

    (void)callback;
    owner->hook = NULL;
    fe_peer_close(&world->fake.peer, FLATEND_ECLOSED);
}

static void reset_inside(struct fake_owner *owner, enum fake_callback callback)
{
    (void)callback;
    owner->hook = NULL;
    if (owner->stream != NULL) {
        fake_reset(owner, FE_REASON_INTERNAL);
    }
}

static void reset_another_inside(struct fake_owner *owner, enum fake_callback callback)
{
    struct world *world = owner->arg;

    (void)callback;
    owner->hook = NULL;
    fake_reset(&world->owners[1], FE_REASON_INTERNAL);
}

static void finish_inside(struct fake_owner *owner, enum fake_callback callback)
{
    owner->hook = NULL;
    if (callback != FAKE_ON_RESET && owner->is_remote) {
        assert_int_equal(fe_stream_respond(owner->stream, NULL, 0), 0);
        assert_int_equal(fake_finish(owner, NULL, 0), 0);
    }
}

/* Brings the stream of the first owner to a callback, which runs the hook. */
static void provoke(struct world *world, enum fake_callback callback, bool is_remote)
{
    static const uint8_t zeros[1000001];
    struct fake_owner *owner = &world->owners[0];
    void (*hook)(struct fake_owner *, enum fake_callback) = owner->hook;

    owner->hook = NULL;
    if (is_remote) {
        world->fake.acceptor = owner;
        assert_int_equal(feed_request(&world->fake, 2), 0);
    } else {
        assert_int_equal(fake_open(&world->fake, owner), 0);
        if (callback == FAKE_ON_DATA || callback == FAKE_ON_END) {
            assert_int_equal(feed_response(&world->fake, owner->id, true), 0);
        }
    }
    owner->hook = hook;
    switch (callback) {
    case FAKE_ON_RESPONSE:
        assert_int_equal(feed_response(&world->fake, owner->id, true), 0);
        break;
    case FAKE_ON_DATA:
        assert_int_equal(feed_data(&world->fake, owner->id, "x"), 0);
        break;
    case FAKE_ON_END:
        assert_int_equal(feed_end(&world->fake, owner->id), 0);
        break;
    case FAKE_ON_WRITABLE:
        assert_int_equal(fe_stream_write(owner->stream, fe_view_of(zeros, sizeof(zeros))), 1000000);
        assert_int_equal(feed_window(&world->fake, owner->id, 1), 0);
        break;
    case FAKE_ON_RESET:
        assert_int_equal(feed_reset(&world->fake, owner->id, FE_REASON_CANCEL), 0);
        break;
    }
}

static void anything_may_happen_in_each_callback(void **state)
{
    static void (*const hooks[])(struct fake_owner *, enum fake_callback) = {
        close_inside, reset_inside, reset_another_inside, finish_inside};
    struct world *world = *state;

    for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
        for (int callback = FAKE_ON_RESPONSE; callback <= FAKE_ON_RESET; callback++) {
            for (int is_remote = 0; is_remote < 2; is_remote++) {
                struct fake_owner *other = &world->owners[1];

                if (is_remote && (callback == FAKE_ON_RESPONSE || callback == FAKE_ON_WRITABLE)) {
                    continue; /* the first never comes, the second is the same */
                }
                teardown(state);
                setup(state);
                world->trace.is_off = true;
                assert_int_equal(fake_open(&world->fake, other), 0);
                world->owners[0].hook = hooks[i];
                provoke(world, (enum fake_callback)callback, is_remote);
                assert_null(world->owners[0].hook);
                assert_true((other->stream == NULL) == (i == 0 || i == 2));
                fe_peer_close(&world->fake.peer, FLATEND_ECLOSED);
                assert_null(world->owners[0].stream);
                expect_nothing_left(world);
            }
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_canceled_request_is_reset_and_forgotten),
        TEST(a_reason_is_told),
        TEST(a_complete_stream_is_not_reset),
        TEST(a_request_that_is_not_accepted_is_forgotten),
        TEST(unhandled_needs_no_end),
        TEST(unhandled_after_the_head_is_a_fault),
        TEST(a_reset_closes_with_what_its_reason_means),
        TEST(a_reset_of_the_peers_own_request),
        TEST(what_waits_is_lost_with_a_reset),
        TEST(an_early_answer_wants_no_more_of_the_request),
        TEST(a_request_answered_early_stops_and_succeeds),
        TEST(a_writer_without_a_window_learns_of_an_early_answer),
        TEST(trailers_are_sent),
        TEST(trailers_come_with_the_end),
        TEST(trailers_wait_with_the_body),
        TEST(trailers_that_wait_are_bounded),
        TEST(ids_of_the_peer_grow),
        TEST(packets_of_what_never_was_are_faults),
        TEST(an_id_that_could_not_be_sent_is_used_again),
        TEST(our_ids_wrap_around_those_in_use),
        TEST(the_peers_limit_of_streams_is_kept),
        TEST(handlers_that_run_on_are_bounded),
        TEST(handlers_of_large_requests_count_for_more),
        TEST(large_requests_at_once_are_bounded),
        TEST(large_heads_in_a_full_output_are_bounded),
        TEST(none_lingers_behind_its_connection),
        TEST(goaway_gives_back_what_was_not_accepted),
        TEST(goaway_may_accept_all_that_is_on_its_way),
        TEST(anything_may_happen_in_each_callback),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
