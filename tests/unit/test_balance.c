/* Weights, lists that replace earlier ones, and the ejection of providers that fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mesh/rpc/providers.h"
#include "mesh/rpc/registry.h"
#include "support/fake_peer.h"

enum { N_PEERS = 4 };

struct world {
    struct trace trace;
    struct fe_rng_seeded seeded;
    struct fe_registry registry;
    struct fake_peer fakes[N_PEERS];
    uint64_t now_ms;
    unsigned n_clock;
};

static uint64_t now(void *arg)
{
    struct world *world = arg;

    world->n_clock++;
    return world->now_ms;
}

static int setup(void **state)
{
    static struct world world;
    struct fe_rng rng = fe_rng_from_seed(&world.seeded, 1);

    fe_registry_init(&world.registry, &rng);
    fe_registry_set_clock(&world.registry, now, &world);
    world.now_ms = 5000;
    world.n_clock = 0;
    for (int i = 0; i < N_PEERS; i++) {
        fake_peer_init(&world.fakes[i], &world.trace, 1);
        world.fakes[i].peer.is_anonymous = true;
    }
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    for (int i = 0; i < N_PEERS; i++) {
        world->fakes[i].peer.n_streams = 0;
        fake_peer_deinit(&world->fakes[i]);
    }
    assert_int_equal(world->registry.n_ejected, 0);
    fe_registry_deinit(&world->registry);
    return 0;
}

static struct fe_peer *peer(struct world *world, int i)
{
    return &world->fakes[i].peer;
}

/* `bytes` are encoded offers: "\1a\0\100". */
#define REPLACE(world, i, bytes, n)                                                                \
    fe_registry_replace(&(world)->registry, peer(world, i),                                        \
                        (struct fe_offers){FE_VIEW_LIT(bytes), n})

/* All peers up to the `n`-th offer "a" with weight 100. */
static void offer_equally(struct world *world, int n)
{
    for (int i = 0; i < n; i++) {
        assert_int_equal(REPLACE(world, i, "\1a\0\144", 1), 0);
    }
}

static struct fe_peer *choose(struct world *world, const char *service)
{
    struct fe_view name = fe_view_str(service);

    return fe_registry_choose(&world->registry, &name, 1, NULL, 0);
}

/* How often each is chosen for "a", of `n` times. */
static void count(struct world *world, int n, int chosen[N_PEERS])
{
    memset(chosen, 0, N_PEERS * sizeof(*chosen));
    for (int i = 0; i < n; i++) {
        chosen[(struct fake_peer *)choose(world, "a")->owner - world->fakes]++;
    }
}

/* ---- names ---- */

/* No request has more on the wire. */
static void as_many_names_as_a_request_has(void **state)
{
    enum { N_NAMES = FE_CANDIDATE_NAMES_MAX + 1 };
    struct fe_view names[N_NAMES];
    struct world *world = *state;

    offer_equally(world, 1);
    for (size_t i = 0; i < N_NAMES; i++) {
        names[i] = FE_VIEW_LIT("a");
    }
    assert_ptr_equal(fe_registry_choose(&world->registry, names, N_NAMES, NULL, 0), peer(world, 0));
    for (size_t i = 0; i + 1 < N_NAMES; i++) {
        names[i] = FE_VIEW_LIT("b");
    }
    assert_null(fe_registry_choose(&world->registry, names, N_NAMES, NULL, 0));
}

/* ---- lists ---- */

static void a_list_replaces_the_earlier_one(void **state)
{
    struct world *world = *state;

    assert_int_equal(REPLACE(world, 0, "\1a\0\1\1b\0\1", 2), 0);
    assert_int_equal(peer(world, 0)->n_offers, 2);
    assert_int_equal(REPLACE(world, 0, "\1c\0\1\1b\0\2\1c\0\1", 3), 0);
    assert_int_equal(peer(world, 0)->n_offers, 2);
    assert_null(choose(world, "a"));
    assert_ptr_equal(choose(world, "b"), peer(world, 0));
    assert_ptr_equal(choose(world, "c"), peer(world, 0));
    assert_int_equal(world->registry.services.n, 2);
    assert_int_equal(REPLACE(world, 0, "", 0), 0);
    assert_null(choose(world, "b"));
    assert_int_equal(world->registry.services.n, 0);
    assert_ptr_equal(fe_registry_find(&world->registry, peer(world, 0)->handle), peer(world, 0));
}

static void a_list_replaces_what_a_handshake_offered(void **state)
{
    struct world *world = *state;

    assert_int_equal(fe_registry_offer(&world->registry, peer(world, 0),
                                       (struct fe_names){.bytes = FE_VIEW_LIT("\1a\1b"), .n = 2}),
                     0);
    assert_int_equal(fe_registry_offer(&world->registry, peer(world, 1),
                                       (struct fe_names){.bytes = FE_VIEW_LIT("\1a"), .n = 1}),
                     0);
    assert_int_equal(REPLACE(world, 0, "\1b\0\1", 1), 0);
    assert_ptr_equal(choose(world, "a"), peer(world, 1));
    assert_ptr_equal(choose(world, "b"), peer(world, 0));
}

static void a_full_list_can_be_replaced_by_another(void **state)
{
    struct world *world = *state;
    uint8_t bytes[256 * 6];

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 256; i++) {
            const uint8_t offer[6] = {3, (uint8_t)('x' + round), (uint8_t)(i / 16), (uint8_t)i, 0,
                                      1};

            memcpy(bytes + 6 * i, offer, 6);
        }
        assert_int_equal(
            fe_registry_replace(&world->registry, peer(world, 0),
                                (struct fe_offers){fe_view_of(bytes, sizeof(bytes)), 256}),
            FLATEND_ELIMIT);
        assert_int_equal(fe_registry_replace(&world->registry, peer(world, 0),
                                             (struct fe_offers){fe_view_of(bytes, 255 * 6), 255}),
                         0);
        assert_int_equal(peer(world, 0)->n_offers, 255);
    }
    assert_int_equal(world->registry.services.n, 255);
}

static void a_name_is_not_empty(void **state)
{
    struct world *world = *state;

    assert_int_equal(REPLACE(world, 0, "\0\0\1", 1), FLATEND_EINVAL);
}

/* ---- weights ---- */

static void the_load_is_compared_by_weight(void **state)
{
    struct world *world = *state;

    assert_int_equal(REPLACE(world, 0, "\1a\0\1", 1), 0);
    assert_int_equal(REPLACE(world, 1, "\1a\0\3", 1), 0);
    peer(world, 0)->n_streams = 2;
    peer(world, 1)->n_streams = 5;
    for (int i = 0; i < 100; i++) {
        assert_ptr_equal(choose(world, "a"), peer(world, 1));
    }
    peer(world, 1)->n_streams = 7;
    for (int i = 0; i < 100; i++) {
        assert_ptr_equal(choose(world, "a"), peer(world, 0));
    }
}

static void idle_providers_share_by_weight(void **state)
{
    struct world *world = *state;
    int chosen[N_PEERS];

    assert_int_equal(REPLACE(world, 0, "\1a\0\1", 1), 0);
    assert_int_equal(REPLACE(world, 1, "\1a\0\3", 1), 0);
    count(world, 4000, chosen);
    assert_in_range(chosen[0], 850, 1150);
    /* A new weight counts at once. */
    assert_int_equal(REPLACE(world, 0, "\1a\0\3", 1), 0);
    count(world, 4000, chosen);
    assert_in_range(chosen[0], 1850, 2150);
}

static void weight_0_is_for_when_there_is_nobody_else(void **state)
{
    struct world *world = *state;
    struct fe_view name = FE_VIEW_LIT("a");
    uint64_t excluded;

    assert_int_equal(REPLACE(world, 0, "\1a\0\0", 1), 0);
    assert_ptr_equal(choose(world, "a"), peer(world, 0));
    assert_int_equal(REPLACE(world, 1, "\1a\0\1", 1), 0);
    peer(world, 1)->n_streams = 1000;
    for (int i = 0; i < 100; i++) {
        assert_ptr_equal(choose(world, "a"), peer(world, 1));
    }
    excluded = peer(world, 1)->handle;
    assert_ptr_equal(fe_registry_choose(&world->registry, &name, 1, &excluded, 1), peer(world, 0));
}

/* ---- ejection ---- */

static void report_failures(struct world *world, int i, int n)
{
    while (n-- > 0) {
        fe_registry_report(&world->registry, peer(world, i), FLATEND_ECLOSED);
    }
}

static void report_successes(struct world *world, int i, int n)
{
    while (n-- > 0) {
        fe_registry_report(&world->registry, peer(world, i), 0);
    }
}

static bool is_chosen(struct world *world, int i)
{
    int chosen[N_PEERS];

    count(world, 50, chosen);
    return chosen[i] > 0;
}

static void a_provider_that_keeps_failing_is_left_out_for_a_time(void **state)
{
    struct world *world = *state;

    offer_equally(world, 3);
    report_failures(world, 0, FE_EJECT_AFTER - 1);
    assert_true(is_chosen(world, 0));
    report_failures(world, 0, 1);
    assert_false(is_chosen(world, 0));
    world->now_ms += FE_EJECT_MIN_MS - 1;
    assert_false(is_chosen(world, 0));
    world->now_ms++;
    assert_true(is_chosen(world, 0));
    assert_int_equal(world->registry.n_ejected, 0);
}

static void only_failures_in_a_row_count(void **state)
{
    struct world *world = *state;

    offer_equally(world, 2);
    for (int i = 0; i < 10; i++) {
        report_failures(world, 0, FE_EJECT_AFTER - 1);
        report_successes(world, 0, 1);
    }
    assert_true(is_chosen(world, 0));
}

static void only_what_says_something_about_the_provider_counts(void **state)
{
    static const int codes[] = {FLATEND_ECANCELED, FLATEND_ETOOBIG, FLATEND_ENOMEM,
                                FLATEND_EDENIED};
    static const int failures[] = {FLATEND_ETIMEDOUT, FLATEND_ERESET, FLATEND_ECLOSED,
                                   FLATEND_EUNHANDLED, FLATEND_ERESET};
    struct world *world = *state;

    offer_equally(world, 2);
    for (int i = 0; i < 4 * FE_EJECT_AFTER; i++) {
        fe_registry_report(&world->registry, peer(world, 0), codes[i % 4]);
    }
    assert_true(is_chosen(world, 0));
    for (int i = 0; i < FE_EJECT_AFTER; i++) {
        fe_registry_report(&world->registry, peer(world, 0), failures[i]);
    }
    assert_false(is_chosen(world, 0));
}

/* How long the peer is left out after `n` more failures, in steps of half the shortest time. */
static uint64_t eject_again(struct world *world, int n)
{
    uint64_t start_ms = world->now_ms;

    report_failures(world, 0, n);
    for (;;) {
        const bool was_chosen = is_chosen(world, 0); /* once it is back, seldom at first */

        if (!peer(world, 0)->health.is_ejected) {
            break;
        }
        assert_false(was_chosen);
        world->now_ms += FE_EJECT_MIN_MS / 2;
    }
    return world->now_ms - start_ms;
}

static void the_time_grows_up_to_a_limit(void **state)
{
    struct world *world = *state;
    uint64_t expected_ms = FE_EJECT_MIN_MS;

    offer_equally(world, 2);
    assert_int_equal(eject_again(world, FE_EJECT_AFTER), expected_ms);
    for (int i = 0; i < 10; i++) {
        expected_ms = expected_ms * 2 < FE_EJECT_MAX_MS ? expected_ms * 2 : FE_EJECT_MAX_MS;
        assert_int_equal(eject_again(world, 1), expected_ms); /* one is enough now */
    }
}

static void what_was_under_way_does_not_lengthen_it(void **state)
{
    struct world *world = *state;

    offer_equally(world, 2);
    assert_int_equal(eject_again(world, FE_EJECT_AFTER + 100), FE_EJECT_MIN_MS);
}

static void successes_bring_it_back_to_normal(void **state)
{
    struct world *world = *state;

    offer_equally(world, 2);
    (void)eject_again(world, FE_EJECT_AFTER);
    report_successes(world, 0, FE_EJECT_AFTER - 1);
    assert_int_equal(eject_again(world, 1), 2 * FE_EJECT_MIN_MS);
    report_successes(world, 0, 1); /* in a row */
    assert_int_equal(eject_again(world, 1), 4 * FE_EJECT_MIN_MS);
    report_successes(world, 0, FE_EJECT_AFTER);
    report_failures(world, 0, FE_EJECT_AFTER - 1);
    assert_true(is_chosen(world, 0));
    assert_int_equal(eject_again(world, 1), FE_EJECT_MIN_MS);
}

/* The only one is asked although it is left out: once it answers again it is like any other. */
static void successes_end_it(void **state)
{
    struct world *world = *state;

    offer_equally(world, 1);
    report_failures(world, 0, FE_EJECT_AFTER);
    assert_int_equal(world->registry.n_ejected, 1);
    report_successes(world, 0, FE_EJECT_AFTER - 1);
    assert_int_equal(world->registry.n_ejected, 1);
    report_successes(world, 0, 1);
    assert_int_equal(world->registry.n_ejected, 0);
    offer_equally(world, 2);
    assert_true(is_chosen(world, 0));
    report_failures(world, 0, FE_EJECT_AFTER - 1);
    assert_true(is_chosen(world, 0));
}

static void the_last_one_is_never_left_out(void **state)
{
    struct world *world = *state;
    int chosen[N_PEERS];

    offer_equally(world, 2);
    report_failures(world, 0, FE_EJECT_AFTER);
    report_failures(world, 1, FE_EJECT_AFTER);
    count(world, 100, chosen);
    assert_true(chosen[0] > 0 && chosen[1] > 0);
    /* And of another service it is the only one. */
    assert_int_equal(REPLACE(world, 0, "\1a\0\144\1b\0\144", 2), 0);
    assert_ptr_equal(choose(world, "b"), peer(world, 0));
}

/* Then what fails is hardly theirs, and the last one could not do the work of all. */
static void most_are_not_left_out(void **state)
{
    struct world *world = *state;
    int chosen[N_PEERS];

    offer_equally(world, 4);
    report_failures(world, 0, FE_EJECT_AFTER);
    report_failures(world, 1, FE_EJECT_AFTER);
    count(world, 1000, chosen);
    assert_int_equal(chosen[0] + chosen[1], 0); /* half of them are */
    report_failures(world, 2, FE_EJECT_AFTER);
    count(world, 4000, chosen);
    for (int i = 0; i < 3; i++) {
        assert_in_range(chosen[i], 400, 1100);
    }
    /* But for how much they fail. */
    for (int i = 0; i < 3; i++) {
        report_failures(world, i, 200);
    }
    count(world, 4000, chosen);
    assert_in_range(chosen[3], 3700, 3999);
}

static void a_large_weight_is_a_share_and_not_all(void **state)
{
    struct world *world = *state;
    int chosen[N_PEERS];

    offer_equally(world, 1);
    assert_int_equal(REPLACE(world, 1, "\1a\xff\xff", 1), 0);
    count(world, 11000, chosen);
    assert_in_range(chosen[0], 850, 1150); /* 1 of 11 */
    peer(world, 1)->n_streams = 11;
    peer(world, 0)->n_streams = 1;
    assert_ptr_equal(choose(world, "a"), peer(world, 0));
}

/* Not enough in a row to be ejected. */
static void failures_make_a_share_smaller(void **state)
{
    struct world *world = *state;
    int chosen[N_PEERS];

    offer_equally(world, 2);
    for (int i = 0; i < 100; i++) {
        report_failures(world, 0, FE_EJECT_AFTER - 1);
        report_successes(world, 0, 1);
    }
    count(world, 6000, chosen);
    assert_in_range(chosen[0], 700, 1300); /* 1 of 5 to 1 */
    report_successes(world, 0, 1000);
    assert_int_equal(peer(world, 0)->health.failing, 0);
}

static void one_that_is_back_begins_slowly(void **state)
{
    struct world *world = *state;
    int chosen[N_PEERS];

    offer_equally(world, 2);
    report_failures(world, 0, FE_EJECT_AFTER);
    peer(world, 0)->health.failing = 0; /* that apart */
    world->now_ms += FE_EJECT_MIN_MS;
    count(world, 11000, chosen);
    assert_in_range(chosen[0], 850, 1150); /* a tenth, beside a whole */
    assert_int_equal(world->registry.n_returning, 1);
    world->now_ms += FE_RETURN_MS / 2;
    count(world, 3100, chosen);
    assert_in_range(chosen[0], 950, 1250); /* 0.55 to 1 */
    /* Failing again it is left out again, without ever having returned. */
    report_failures(world, 0, 1);
    assert_int_equal(world->registry.n_returning, 0);
    assert_false(is_chosen(world, 0));
    peer(world, 0)->health.failing = 0;
    world->now_ms += 2 * FE_EJECT_MIN_MS;
    assert_true(is_chosen(world, 0));
    world->now_ms += FE_RETURN_MS;
    count(world, 2000, chosen);
    assert_in_range(chosen[0], 900, 1100);
    assert_int_equal(world->registry.n_returning, 0);
    world->n_clock = 0;
    (void)choose(world, "a");
    assert_int_equal(world->n_clock, 0);
}

static void one_that_leaves_while_it_returns_is_forgotten(void **state)
{
    struct world *world = *state;

    offer_equally(world, 2);
    report_failures(world, 0, FE_EJECT_AFTER);
    world->now_ms += FE_EJECT_MIN_MS;
    assert_true(is_chosen(world, 0));
    assert_int_equal(world->registry.n_returning, 1);
    fe_registry_remove(&world->registry, peer(world, 0));
    assert_int_equal(world->registry.n_returning, 0);
}

static void weight_0_is_better_than_failing(void **state)
{
    struct world *world = *state;

    assert_int_equal(REPLACE(world, 0, "\1a\0\0", 1), 0);
    assert_int_equal(REPLACE(world, 1, "\1a\0\1", 1), 0);
    report_failures(world, 1, FE_EJECT_AFTER);
    assert_ptr_equal(choose(world, "a"), peer(world, 0));
}

static void a_provider_that_leaves_is_forgotten(void **state)
{
    struct world *world = *state;

    offer_equally(world, 2);
    report_failures(world, 0, FE_EJECT_AFTER);
    assert_int_equal(world->registry.n_ejected, 1);
    fe_registry_remove(&world->registry, peer(world, 0));
    assert_int_equal(world->registry.n_ejected, 0);
    report_failures(world, 0, FE_EJECT_AFTER);
    assert_int_equal(world->registry.n_ejected, 0);
    offer_equally(world, 2);
    assert_true(is_chosen(world, 0));
}

static void no_clock_is_read_while_all_are_well(void **state)
{
    struct world *world = *state;

    offer_equally(world, 3);
    for (int i = 0; i < 100; i++) {
        (void)choose(world, "a");
        report_successes(world, 0, 1);
    }
    report_failures(world, 0, FE_EJECT_AFTER - 1);
    assert_int_equal(world->n_clock, 0);
}

static void without_a_clock_none_is_ejected(void **state)
{
    struct world *world = *state;

    fe_registry_set_clock(&world->registry, NULL, NULL);
    offer_equally(world, 2);
    report_failures(world, 0, 10 * FE_EJECT_AFTER);
    assert_true(is_chosen(world, 0));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(as_many_names_as_a_request_has),
        TEST(a_list_replaces_the_earlier_one),
        TEST(a_list_replaces_what_a_handshake_offered),
        TEST(a_full_list_can_be_replaced_by_another),
        TEST(a_name_is_not_empty),
        TEST(the_load_is_compared_by_weight),
        TEST(idle_providers_share_by_weight),
        TEST(weight_0_is_for_when_there_is_nobody_else),
        TEST(a_provider_that_keeps_failing_is_left_out_for_a_time),
        TEST(only_failures_in_a_row_count),
        TEST(only_what_says_something_about_the_provider_counts),
        TEST(the_time_grows_up_to_a_limit),
        TEST(what_was_under_way_does_not_lengthen_it),
        TEST(successes_bring_it_back_to_normal),
        TEST(successes_end_it),
        TEST(the_last_one_is_never_left_out),
        TEST(most_are_not_left_out),
        TEST(a_large_weight_is_a_share_and_not_all),
        TEST(failures_make_a_share_smaller),
        TEST(one_that_is_back_begins_slowly),
        TEST(one_that_leaves_while_it_returns_is_forgotten),
        TEST(weight_0_is_better_than_failing),
        TEST(a_provider_that_leaves_is_forgotten),
        TEST(no_clock_is_read_while_all_are_well),
        TEST(without_a_clock_none_is_ejected),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
