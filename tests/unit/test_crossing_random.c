/* Exchanges by crossing at random: sizes, what either side does next, and what goes wrong. The two
 * sides are two threads, of which one is stopped wherever it takes or leaves the lock, while the
 * other one goes on (support/interleave.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/relay/crossing_internal.h"
#include "ground/base/rng.h"
#include "support/counting.h"
#include "support/crossings.h"
#include "support/interleave.h"

enum {
    N_SEEDS = 1500,
    N_ACTS = 3000,   /* at random, before each side does what is left to do */
    N_RESTS = 20000, /* the same in turns: one that hangs fails */
    PIECE_MAX = 70000,
};

struct world {
    struct crossings crossings;
    struct fe_rng_seeded seeded;
    struct fe_rng rng;
    struct interleave interleave;
    unsigned scale;  /* bits of a random size */
    bool is_unlucky; /* things may go wrong */
    bool is_rough;   /* one has */
    uint8_t bytes[PIECE_MAX];
    /* The request. */
    size_t n_body;
    size_t n_offered;
    size_t n_up;
    bool has_body_ended;
    bool was_asked; /* the provider */
    bool has_request_end;
    /* The response. */
    bool is_patient; /* it ends behind the request */
    size_t n_reply;
    size_t n_fed;
    size_t n_down;
    bool has_responded;
    bool has_replied;
};

enum { NEAR, FAR, N_THREADS };

static uint32_t below(struct world *world, uint32_t n)
{
    return fe_rng_below(&world->rng, n);
}

static size_t random_size(struct world *world)
{
    return below(world, 1U << below(world, world->scale + 1));
}

static size_t at_most(size_t n, size_t max)
{
    return n < max ? n : max;
}

/* ---- what is seen --------------------------------------------------------------------------- */

static void on_sent(struct fake_sender *fake, enum fake_sent what, uint32_t stream,
                    struct fe_view bytes)
{
    struct world *const world = fake->arg;

    assert_int_equal(stream, CROSSINGS_STREAM);
    switch (what) {
    case FAKE_SENT_REQUEST:
        world->was_asked = true;
        break;
    case FAKE_SENT_DATA:
        assert_true(counting_continues(bytes, world->n_up));
        world->n_up += bytes.len;
        break;
    case FAKE_SENT_END: /* of the request, unless it says that it is given up */
        if (!world->is_rough && !world->has_replied) {
            assert_true(world->has_body_ended || world->n_body == 0);
            assert_int_equal(world->n_up, world->n_body);
        }
        world->has_request_end = true;
        break;
    }
}

static void on_written(struct fake_exchange *fake, struct fe_view bytes)
{
    struct world *const world = fake->arg;

    if (world->has_responded && !world->is_rough) {
        assert_true(counting_continues(bytes, world->n_down));
        world->n_down += bytes.len;
    }
}

static void check_held(const struct world *world)
{
    assert_true(crossings_held_up(&world->crossings) <= FE_CROSSING_BYTES_MAX);
    assert_true(crossings_held_down(&world->crossings) <= FE_CROSSING_BYTES_MAX);
    assert_true(crossings_blocks(&world->crossings) <= 6 * FE_CROSSING_BYTES_MAX / FE_BLOCK_SIZE);
}

/* ---- the near side's thread ----------------------------------------------------------------- */

static void send_body(struct world *world)
{
    struct fake_exchange *const fake = &world->crossings.fake;
    const size_t n =
        at_most(at_most(random_size(world) + 1, PIECE_MAX), world->n_body - world->n_offered);

    if (fake->is_over || !fake->wants_body || world->has_body_ended) {
        return;
    }
    if (n > 0) {
        counting_fill(world->bytes, n, world->n_offered);
        world->n_offered += fake_exchange_body_view(fake, fe_view_of(world->bytes, n));
    } else {
        world->has_body_ended = true;
        fake_exchange_body_end(fake);
    }
}

static void read_response(struct world *world, size_t n)
{
    struct fake_exchange *const fake = &world->crossings.fake;

    if (fake->is_over) {
        return;
    }
    if (fake->is_blocked) {
        fake_exchange_writable(fake, n);
    } else {
        fake->room = n;
    }
}

static void near_misfortune(struct world *world)
{
    struct fake_exchange *const fake = &world->crossings.fake;

    if (!world->is_unlucky || fake->is_over || below(world, 60) != 0) {
        return;
    }
    world->is_rough = true;
    if (below(world, 2) == 0) {
        crossings_leave(&world->crossings);
    } else {
        fake->error = below(world, 2) == 0 ? FLATEND_ENOMEM : FLATEND_ETOOBIG;
    }
}

static void near_act(struct world *world)
{
    switch (below(world, 7)) {
    case 0:
    case 1:
        crossings_run_tasks(&world->crossings.near);
        break;
    case 2:
    case 3:
        crossings_run_deferred(&world->crossings.near);
        break;
    case 4:
        send_body(world);
        break;
    case 5:
        read_response(world, random_size(world));
        break;
    case 6:
        near_misfortune(world);
        break;
    }
}

/* ---- the far side's ------------------------------------------------------------------------- */

static void reply(struct world *world)
{
    struct crossings *const crossings = &world->crossings;
    const size_t n =
        at_most(at_most(random_size(world) + 1, PIECE_MAX), world->n_reply - world->n_fed);
    static uint8_t bytes[PIECE_MAX]; /* the other thread may be within send_body */

    if (!world->was_asked || world->has_replied || !fe_peer_want_read(&crossings->provider.peer)) {
        return;
    }
    if (!world->has_responded) {
        world->has_responded = true;
        crossings_respond(crossings, (struct fe_headers){.bytes = FE_VIEW_LIT("\1a\0\1b"), .n = 1});
    } else if (n > 0) {
        counting_fill(bytes, n, world->n_fed);
        world->n_fed += n;
        crossings_data(crossings, fe_view_of(bytes, n));
    } else if (!world->is_patient || world->has_request_end) {
        world->has_replied = true;
        crossings_end(crossings);
    }
}

static void take(struct world *world, size_t space)
{
    struct fake_peer *const provider = &world->crossings.provider;

    if (!provider->peer.is_closed) {
        provider->sender.space = space;
        fe_peer_on_writable(&provider->peer);
    }
}

static void far_misfortune(struct world *world)
{
    if (!world->is_unlucky || below(world, 60) != 0) {
        return;
    }
    world->is_rough = true;
    if (below(world, 2) == 0) {
        crossings_lose(&world->crossings);
    } else {
        crossings_pass(&world->crossings, CROSSINGS_TIMEOUT_MS);
    }
}

static void far_act(struct world *world)
{
    switch (below(world, 7)) {
    case 0:
    case 1:
        crossings_run_tasks(&world->crossings.far);
        break;
    case 2:
    case 3:
        crossings_run_deferred(&world->crossings.far);
        break;
    case 4:
        reply(world);
        break;
    case 5:
        take(world, random_size(world));
        break;
    case 6:
        far_misfortune(world);
        break;
    }
}

static void act(struct interleave *interleave, unsigned thread)
{
    struct world *const world = FE_CONTAINER_OF(interleave, struct world, interleave);

    if (thread == NEAR) {
        near_act(world);
    } else {
        far_act(world);
    }
}

/* ---- the test ------------------------------------------------------------------------------- */

static void init(struct world *world, uint64_t seed)
{
    static const unsigned scales[] = {4,  4,  13,
                                      13, 13, 20}; /* one in six is large for a crossing */
    struct crossings *const crossings = &world->crossings;

    memset(world, 0, sizeof(*world));
    world->rng = fe_rng_from_seed(&world->seeded, seed);
    crossings_init(crossings, below(world, 2) == 0);
    crossings->client.is_off = true;
    crossings->service.is_off = true;
    crossings->fake.on_written = on_written;
    crossings->fake.arg = world;
    crossings->provider.sender.on_sent = on_sent;
    crossings->provider.sender.arg = world;
    world->scale = scales[below(world, 6)];
    world->is_unlucky = below(world, 2) == 0;
    world->is_patient = below(world, 3) != 0;
    world->n_body = below(world, 4) == 0 ? 0 : below(world, 1U << world->scale);
    world->n_reply = below(world, 1U << world->scale);
    if (world->is_unlucky && below(world, 4) == 0) { /* ended from within on_end */
        world->is_rough = true;
        crossings->route.body_min = world->n_body + 1;
    }
    world->interleave = (struct interleave){
        .rng = &world->rng, .n_threads = N_THREADS, .n_stopped_max = 1, .act = act};
    crossings_serve_post(crossings, world->n_body == 0 ? 0 : FE_BODY_UNKNOWN);
}

/* No thread is stopped any more, and both do what they can. */
static void do_the_rest(struct world *world)
{
    for (int i = 0; i < N_RESTS && !world->crossings.fake.is_over; i++) {
        send_body(world);
        crossings_settle(&world->crossings);
        reply(world);
        take(world, SIZE_MAX);
        crossings_settle(&world->crossings);
        read_response(world, SIZE_MAX);
        check_held(world);
    }
    crossings_settle(&world->crossings);
    assert_true(world->crossings.fake.is_over);
}

static void run(uint64_t seed)
{
    static struct world world;

    init(&world, seed);
    interleave_begin(&world.interleave);
    for (int i = 0; i < N_ACTS && !world.crossings.fake.is_over; i++) {
        interleave_act(&world.interleave, below(&world, N_THREADS));
        check_held(&world);
    }
    interleave_end(&world.interleave);
    do_the_rest(&world);
    if (!world.is_rough) {
        assert_true(world.crossings.fake.has_ended);
        assert_int_equal(world.n_down, world.n_reply);
    }
    assert_int_equal(world.crossings.n_empty, world.crossings.has_crossed ? 1 : 0);
    crossings_deinit(&world.crossings);
}

static void whatever_happens(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < N_SEEDS; seed++) {
        run(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_happens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
