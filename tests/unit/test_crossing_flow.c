/* Bodies on a crossing: every byte once and in order, no more held than there may be, and a side
 * that does not keep up holds back the other one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/counting.h"
#include "support/crossings.h"

enum {
    LARGE = 3 * FE_CROSSING_BYTES_MAX + 1000,
    MANY = 2000, /* small pieces */
    BLOCKS_MAX =
        2 * FE_CROSSING_BYTES_MAX / FE_BLOCK_SIZE + 6, /* two half full ones for each, ends */
};

struct world {
    struct crossings crossings;
    uint8_t *bytes;
    size_t n_offered; /* bytes of the request that were taken */
    size_t n_up;      /* bytes that the service has */
    size_t n_fed;     /* bytes of the response */
    size_t n_down;    /* bytes that the client has */
};

static void on_sent(struct fake_sender *fake, enum fake_sent what, uint32_t stream,
                    struct fe_view bytes)
{
    struct world *const world = fake->arg;

    (void)what;
    (void)stream;
    assert_true(counting_continues(bytes, world->n_up));
    world->n_up += bytes.len;
}

static void on_written(struct fake_exchange *fake, struct fe_view bytes)
{
    struct world *const world = fake->arg;

    assert_true(counting_continues(bytes, world->n_down));
    world->n_down += bytes.len;
}

static int setup(void **state)
{
    static struct world world;

    memset(&world, 0, sizeof(world));
    crossings_init(&world.crossings, false);
    world.crossings.client.is_off = true;
    world.crossings.service.is_off = true;
    world.crossings.provider.sender.on_sent = on_sent;
    world.crossings.provider.sender.arg = &world;
    world.crossings.fake.on_written = on_written;
    world.crossings.fake.arg = &world;
    world.bytes = malloc(LARGE);
    assert_non_null(world.bytes);
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    struct world *const world = *state;

    crossings_deinit(&world->crossings);
    free(world->bytes);
    return 0;
}

static void check_held(const struct world *world)
{
    const size_t max =
        world->crossings.n_others > 0 ? FE_CROSSING_BYTES_MIN : FE_CROSSING_BYTES_MAX;

    assert_true(crossings_held_up(&world->crossings) <= max);
    assert_true(crossings_held_down(&world->crossings) <= max);
    assert_true(crossings_blocks(&world->crossings) <= BLOCKS_MAX);
}

static void settle(struct world *world)
{
    check_held(world);
    crossings_settle(&world->crossings);
    check_held(world);
}

/* The client sends up to `total` bytes in all, as long as they are wanted. */
static void send(struct world *world, size_t total, size_t piece)
{
    struct fake_exchange *const fake = &world->crossings.fake;

    while (world->n_offered < total && fake->wants_body) {
        const size_t rest = total - world->n_offered;
        const size_t n = rest < piece ? rest : piece;

        counting_fill(world->bytes, n, world->n_offered);
        world->n_offered += fake_exchange_body_view(fake, fe_view_of(world->bytes, n));
        settle(world);
    }
}

/* The service, as long as its connection is read. */
static void feed(struct world *world, size_t total, size_t piece)
{
    struct crossings *const crossings = &world->crossings;

    while (world->n_fed < total && fe_peer_want_read(&crossings->provider.peer)) {
        const size_t rest = total - world->n_fed;
        const size_t n = rest < piece ? rest : piece;

        counting_fill(world->bytes, n, world->n_fed);
        crossings_data(crossings, fe_view_of(world->bytes, n));
        world->n_fed += n;
        settle(world);
    }
}

static void serve_post(struct world *world)
{
    crossings_serve_post(&world->crossings, FE_BODY_UNKNOWN);
    settle(world);
    assert_true(world->crossings.fake.wants_body);
}

static void serve_get(struct world *world)
{
    crossings_serve(&world->crossings);
    settle(world);
}

static void respond(struct world *world)
{
    crossings_respond(&world->crossings, (struct fe_headers){.n = 0});
    settle(world);
}

static void end(struct world *world)
{
    crossings_end(&world->crossings);
    settle(world);
}

/* The provider takes `space` more bytes. */
static void take(struct world *world, size_t space)
{
    world->crossings.provider.sender.space = space;
    fe_peer_on_writable(&world->crossings.provider.peer);
    settle(world);
}

/* ---- every byte ----------------------------------------------------------------------------- */

static void pass_up(struct world *world, size_t total, size_t piece)
{
    serve_post(world);
    send(world, total, piece);
    fake_exchange_body_end(&world->crossings.fake);
    settle(world);
    assert_int_equal(world->n_up, total);
    respond(world);
    end(world);
    assert_true(world->crossings.fake.has_ended);
}

static void pass_down(struct world *world, size_t total, size_t piece)
{
    serve_get(world);
    respond(world);
    feed(world, total, piece);
    end(world);
    assert_int_equal(world->n_down, total);
    assert_true(world->crossings.fake.has_ended);
}

static void bytes_go_up_one_by_one(void **state)
{
    pass_up(*state, MANY, 1);
}

static void bytes_go_up_in_large_pieces(void **state)
{
    pass_up(*state, LARGE, LARGE);
}

static void bytes_go_up_as_they_are_read(void **state)
{
    pass_up(*state, LARGE, 65536);
}

static void bytes_come_down_one_by_one(void **state)
{
    pass_down(*state, MANY, 1);
}

static void bytes_come_down_in_large_pieces(void **state)
{
    pass_down(*state, LARGE, 65536);
}

static void bytes_come_down_in_packets(void **state)
{
    pass_down(*state, LARGE, 2048);
}

/* ---- back-pressure -------------------------------------------------------------------------- */

static void a_slow_client_holds_back_the_service(void **state)
{
    struct world *const world = *state;
    struct crossings *const crossings = &world->crossings;

    serve_get(world);
    respond(world);
    crossings->fake.room = 1000;
    feed(world, LARGE, 2048);
    assert_false(fe_peer_want_read(&crossings->provider.peer));
    assert_int_equal(world->n_down, 1000); /* too little for the far side to be told of it */
    assert_int_equal(crossings_held_down(crossings), FE_CROSSING_BYTES_MAX - 1000);
    assert_true(world->n_fed < LARGE);
    while (world->n_down < LARGE) {
        assert_true(crossings->fake.is_blocked);
        fake_exchange_writable(&crossings->fake, 70000);
        settle(world);
        feed(world, LARGE, 2048);
    }
    assert_false(crossings->fake.is_over);
    end(world);
    assert_true(crossings->fake.has_ended);
}

static void a_slow_service_holds_back_the_client(void **state)
{
    struct world *const world = *state;
    struct crossings *const crossings = &world->crossings;

    serve_post(world);
    crossings->provider.sender.space = 1000;
    send(world, LARGE, 5000);
    assert_false(crossings->fake.wants_body);
    assert_int_equal(world->n_up, 1000);
    assert_int_equal(crossings_held_up(crossings), FE_CROSSING_BYTES_MAX - 1000);
    assert_int_equal(world->n_offered, FE_CROSSING_BYTES_MAX);
    for (int i = 0; i < 1000 && world->n_up < LARGE; i++) {
        take(world, 70000);
        send(world, LARGE, 5000);
    }
    assert_int_equal(world->n_up, LARGE);
    fake_exchange_body_end(&crossings->fake);
    settle(world);
    respond(world);
    end(world);
    assert_true(crossings->fake.has_ended);
}

/* ---- a line on which much waits ------------------------------------------------------------- */

static void bytes_pass_while_others_hold_the_line(void **state)
{
    struct world *const world = *state;

    crossings_fill_channel(&world->crossings);
    pass_down(world, LARGE, 65536);
}

static void so_do_those_of_the_client(void **state)
{
    struct world *const world = *state;

    crossings_fill_channel(&world->crossings);
    pass_up(world, LARGE, 65536);
}

/* The others let go while this one waits with more than it would have got: it goes on at once. */
static void a_slow_client_of_a_full_channel(void **state)
{
    struct world *const world = *state;
    struct crossings *const crossings = &world->crossings;

    crossings_fill_channel(crossings);
    serve_get(world);
    respond(world);
    crossings->fake.room = 0;
    feed(world, LARGE, 2048);
    assert_int_equal(crossings_held_down(crossings), FE_CROSSING_BYTES_MIN);
    crossings->channel.n_held -= crossings->n_others;
    crossings->n_others = 0;
    fake_exchange_writable(&crossings->fake, FE_CROSSING_BYTES_MIN / 2);
    crossings->fake.room = 0;
    settle(world);
    feed(world, LARGE, 2048);
    assert_int_equal(crossings_held_down(crossings), FE_CROSSING_BYTES_MAX);
    while (world->n_down < LARGE) {
        fake_exchange_writable(&crossings->fake, 70000);
        settle(world);
        feed(world, LARGE, 2048);
    }
    end(world);
    assert_true(crossings->fake.has_ended);
}

/* The end comes from within the handler's on_writable: behind bytes that wait at the service. */
static void the_end_waits_with_the_bytes(void **state)
{
    struct world *const world = *state;
    struct crossings *const crossings = &world->crossings;

    serve_get(world);
    respond(world);
    crossings->fake.room = 0;
    feed(world, FE_CROSSING_BYTES_MAX + 1000, 65536);
    end(world);
    assert_int_equal(crossings->provider.peer.n_streams, 1);
    fake_exchange_writable(&crossings->fake, FE_CROSSING_BYTES_MAX);
    settle(world);
    assert_int_equal(crossings->provider.peer.n_streams, 0);
    assert_false(crossings->fake.is_over);
    fake_exchange_writable(&crossings->fake, SIZE_MAX);
    assert_int_equal(world->n_down, FE_CROSSING_BYTES_MAX + 1000);
    assert_true(crossings->fake.has_ended);
}

/* ---- memory --------------------------------------------------------------------------------- */

/* A byte in a turn of its own must not keep a whole block: check_held. */
static void small_pieces_do_not_add_up_for_a_slow_client(void **state)
{
    struct world *const world = *state;

    serve_get(world);
    respond(world);
    world->crossings.fake.room = 0;
    feed(world, MANY, 1);
    assert_int_equal(crossings_held_down(&world->crossings), MANY);
    fake_exchange_writable(&world->crossings.fake, SIZE_MAX);
    end(world);
    assert_int_equal(world->n_down, MANY);
}

static void small_pieces_do_not_add_up_for_a_slow_service(void **state)
{
    struct world *const world = *state;

    serve_post(world);
    world->crossings.provider.sender.space = 0;
    send(world, MANY, 1);
    assert_int_equal(crossings_held_up(&world->crossings), MANY);
    take(world, SIZE_MAX);
    assert_int_equal(world->n_up, MANY);
    crossings_leave(&world->crossings);
    settle(world);
}

/* Nor while the other side's thread has no time for its task. */
static void small_pieces_do_not_add_up_on_their_way(void **state)
{
    struct world *const world = *state;
    struct crossings *const crossings = &world->crossings;

    serve_post(world);
    while (world->n_offered < MANY) {
        counting_fill(world->bytes, 1, world->n_offered);
        world->n_offered += fake_exchange_body_view(&crossings->fake, fe_view_of(world->bytes, 1));
        crossings_run(&crossings->near);
        check_held(world);
    }
    settle(world);
    assert_int_equal(world->n_up, MANY);
    crossings_leave(crossings);
    settle(world);
}

/* ---- a response that is complete before the request ----------------------------------------- */

/* Without the service the rest of the body has no reader; a client that reads its answer after that
 * must get rid of it. */
static void send_the_rest(struct world *world)
{
    struct crossings *const crossings = &world->crossings;
    const size_t held = crossings_held_up(crossings);

    send(world, LARGE, 65536);
    assert_int_equal(world->n_offered, LARGE);
    assert_int_equal(crossings_held_up(crossings), held);
    fake_exchange_body_end(&crossings->fake);
    settle(world);
    assert_false(crossings->fake.is_over);
    fake_exchange_writable(&crossings->fake, SIZE_MAX);
    assert_int_equal(world->n_down, 100);
    assert_true(crossings->fake.has_ended);
}

static void body_behind_a_complete_response_is_dropped(void **state)
{
    struct world *const world = *state;

    serve_post(world);
    world->crossings.fake.room = 0;
    respond(world);
    feed(world, 100, 100);
    end(world);
    send_the_rest(world);
}

static void client_that_was_held_back_goes_on_then(void **state)
{
    struct world *const world = *state;

    serve_post(world);
    world->crossings.provider.sender.space = 0;
    send(world, LARGE, 65536);
    assert_false(world->crossings.fake.wants_body);
    world->crossings.fake.room = 0;
    respond(world);
    feed(world, 100, 100);
    assert_false(world->crossings.fake.wants_body); /* there is still no room */
    end(world);
    assert_true(world->crossings.fake.wants_body);
    send_the_rest(world);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bytes_go_up_one_by_one),
        TEST(bytes_go_up_in_large_pieces),
        TEST(bytes_go_up_as_they_are_read),
        TEST(bytes_come_down_one_by_one),
        TEST(bytes_come_down_in_large_pieces),
        TEST(bytes_come_down_in_packets),
        TEST(a_slow_client_holds_back_the_service),
        TEST(a_slow_service_holds_back_the_client),
        TEST(bytes_pass_while_others_hold_the_line),
        TEST(so_do_those_of_the_client),
        TEST(a_slow_client_of_a_full_channel),
        TEST(the_end_waits_with_the_bytes),
        TEST(small_pieces_do_not_add_up_for_a_slow_client),
        TEST(small_pieces_do_not_add_up_for_a_slow_service),
        TEST(small_pieces_do_not_add_up_on_their_way),
        TEST(body_behind_a_complete_response_is_dropped),
        TEST(client_that_was_held_back_goes_on_then),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
