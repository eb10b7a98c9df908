#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mesh/rpc/registry.h"
#include "support/fake_peer.h"

enum { N_PEERS = 4 };

struct world {
    struct trace trace;
    struct fe_rng_seeded seeded;
    struct fe_registry registry;
    struct fake_peer fakes[N_PEERS];
};

static int setup(void **state)
{
    static struct world world;
    struct fe_rng rng = fe_rng_from_seed(&world.seeded, 1);

    fe_registry_init(&world.registry, &rng);
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
        fake_peer_deinit(&world->fakes[i]);
    }
    fe_registry_deinit(&world->registry);
    return 0;
}

static struct fe_peer *peer(struct world *world, int i)
{
    return &world->fakes[i].peer;
}

/* `bytes` are encoded names: "\1a\1b". */
#define OFFER(world, i, bytes, n)                                                                  \
    fe_registry_offer(&(world)->registry, peer(world, i),                                          \
                      (struct fe_names){FE_VIEW_LIT(bytes), n, false})

static struct fe_peer *choose(struct world *world, const char *service)
{
    struct fe_view name = fe_view_str(service);

    return fe_registry_choose(&world->registry, &name, 1, NULL, 0);
}

static size_t count(struct world *world, const char *service)
{
    struct fe_view name = fe_view_str(service);

    return fe_registry_list(&world->registry, &name, 1, NULL, 0);
}

static void a_peer_that_offers_is_chosen(void **state)
{
    struct world *world = *state;

    assert_null(choose(world, "a"));
    assert_int_equal(OFFER(world, 0, "\1a", 1), 0);
    assert_ptr_equal(choose(world, "a"), peer(world, 0));
    assert_null(choose(world, "b"));
    assert_null(choose(world, ""));
}

static void offers_add_up(void **state)
{
    struct world *world = *state;

    assert_int_equal(OFFER(world, 0, "\1a", 1), 0);
    assert_int_equal(OFFER(world, 0, "\1a\1b", 2), 0);
    assert_int_equal(peer(world, 0)->n_offers, 2);
    assert_ptr_equal(choose(world, "a"), peer(world, 0));
    assert_ptr_equal(choose(world, "b"), peer(world, 0));
    assert_int_equal(count(world, "a"), 1);
}

static void a_handle_finds_its_peer(void **state)
{
    struct world *world = *state;

    assert_int_equal(OFFER(world, 0, "", 0), 0);
    assert_int_equal(OFFER(world, 1, "\1a", 1), 0);
    assert_int_not_equal(peer(world, 0)->handle, peer(world, 1)->handle);
    assert_ptr_equal(fe_registry_find(&world->registry, peer(world, 0)->handle), peer(world, 0));
    assert_ptr_equal(fe_registry_find(&world->registry, peer(world, 1)->handle), peer(world, 1));
    assert_null(fe_registry_find(&world->registry, 0));
    assert_null(fe_registry_find(&world->registry, 99));
}

static void a_removed_peer_is_not_found(void **state)
{
    struct world *world = *state;
    uint64_t handle;

    assert_int_equal(OFFER(world, 0, "\1a\1b", 2), 0);
    assert_int_equal(OFFER(world, 1, "\1a", 1), 0);
    assert_int_equal(OFFER(world, 2, "\1a", 1), 0);
    handle = peer(world, 0)->handle;
    fe_registry_remove(&world->registry, peer(world, 0));
    fe_registry_remove(&world->registry, peer(world, 0));
    assert_null(choose(world, "b"));
    assert_null(fe_registry_find(&world->registry, handle));
    assert_int_equal(count(world, "a"), 2);
    /* The one that took the removed one's place is removed from there. */
    fe_registry_remove(&world->registry, peer(world, 2));
    assert_ptr_equal(choose(world, "a"), peer(world, 1));
}

static void closing_a_peer_removes_it(void **state)
{
    struct world *world = *state;

    assert_int_equal(OFFER(world, 0, "\1a", 1), 0);
    fe_peer_close(peer(world, 0), FLATEND_ECLOSED);
    assert_null(choose(world, "a"));
    assert_int_equal(world->registry.services.n, 0);
}

static void the_less_loaded_of_two_is_chosen(void **state)
{
    struct world *world = *state;

    assert_int_equal(OFFER(world, 0, "\1a", 1), 0);
    assert_int_equal(OFFER(world, 1, "\1a", 1), 0);
    peer(world, 0)->n_streams = 1;
    for (int i = 0; i < 100; i++) {
        assert_ptr_equal(choose(world, "a"), peer(world, 1));
    }
    peer(world, 0)->n_streams = 0;
}

static void equals_share_the_work(void **state)
{
    struct world *world = *state;
    int n_chosen[N_PEERS] = {0};

    for (int i = 0; i < N_PEERS; i++) {
        assert_int_equal(OFFER(world, i, "\1a", 1), 0);
    }
    for (int i = 0; i < 4000; i++) {
        n_chosen[(struct fake_peer *)choose(world, "a")->owner - world->fakes]++;
    }
    for (int i = 0; i < N_PEERS; i++) {
        assert_in_range(n_chosen[i], 800, 1200);
    }
}

/* The two are never the same one, so one of them is always better. */
static void the_most_loaded_is_never_chosen(void **state)
{
    struct world *world = *state;

    for (int i = 0; i < N_PEERS; i++) {
        assert_int_equal(OFFER(world, i, "\1a", 1), 0);
    }
    peer(world, 2)->n_streams = 1;
    for (int i = 0; i < 1000; i++) {
        assert_ptr_not_equal(choose(world, "a"), peer(world, 2));
    }
    peer(world, 2)->n_streams = 0;
}

static void excluded_ones_are_not_chosen(void **state)
{
    struct world *world = *state;
    struct fe_view name = FE_VIEW_LIT("a");
    uint64_t excluded[N_PEERS];

    for (int i = 0; i < N_PEERS; i++) {
        assert_int_equal(OFFER(world, i, "\1a", 1), 0);
        excluded[i] = peer(world, i)->handle;
    }
    for (int i = 0; i < 100; i++) {
        assert_ptr_equal(fe_registry_choose(&world->registry, &name, 1, excluded, N_PEERS - 1),
                         peer(world, N_PEERS - 1));
    }
    assert_null(fe_registry_choose(&world->registry, &name, 1, excluded, N_PEERS));
}

static void any_of_several_services_will_do(void **state)
{
    struct world *world = *state;
    struct fe_view names[] = {FE_VIEW_LIT("x"), FE_VIEW_LIT("a"), FE_VIEW_LIT("b")};
    bool seen[N_PEERS] = {false};
    struct fe_peer *listed[N_PEERS];

    assert_int_equal(OFFER(world, 0, "\1a", 1), 0);
    assert_int_equal(OFFER(world, 1, "\1a\1b", 2), 0);
    assert_int_equal(OFFER(world, 2, "\1b", 1), 0);
    assert_int_equal(OFFER(world, 3, "\1c", 1), 0);
    for (int i = 0; i < 100; i++) {
        struct fe_peer *chosen = fe_registry_choose(&world->registry, names, 3, NULL, 0);

        seen[(struct fake_peer *)chosen->owner - world->fakes] = true;
    }
    assert_true(seen[0] && seen[1] && seen[2] && !seen[3]);
    assert_int_equal(fe_registry_list(&world->registry, names, 3, listed, N_PEERS), 3);
    assert_ptr_equal(listed[0], peer(world, 0));
    assert_ptr_equal(listed[1], peer(world, 1));
    assert_ptr_equal(listed[2], peer(world, 2));
}

static void a_node_is_listed_once(void **state)
{
    struct world *world = *state;
    struct fe_view name = FE_VIEW_LIT("a");
    struct fe_peer *listed[N_PEERS] = {NULL};

    for (int i = 0; i < N_PEERS; i++) {
        assert_int_equal(OFFER(world, i, "\1a", 1), 0);
    }
    for (int i = 1; i < 3; i++) { /* two connections with one node */
        peer(world, i)->is_anonymous = false;
        memset(peer(world, i)->id.public_key, 7, FE_KEY_LEN);
    }
    assert_int_equal(fe_registry_list(&world->registry, &name, 1, listed, 2), 3);
    assert_ptr_equal(listed[0], peer(world, 0));
    assert_ptr_equal(listed[1], peer(world, 1));
    assert_null(listed[2]);
    /* That which proves its key is it, whichever came first. */
    peer(world, 2)->is_proven = true;
    assert_int_equal(fe_registry_list(&world->registry, &name, 1, listed, N_PEERS), 3);
    assert_ptr_equal(listed[1], peer(world, 2));
    assert_ptr_equal(listed[2], peer(world, 3));
}

static void a_peer_offers_at_most_255(void **state)
{
    struct world *world = *state;
    uint8_t bytes[255 * 4];

    for (int i = 0; i < 255; i++) {
        const uint8_t name[4] = {3, (uint8_t)('0' + i / 100), (uint8_t)('0' + i / 10 % 10),
                                 (uint8_t)('0' + i % 10)};

        memcpy(bytes + 4 * i, name, 4);
    }
    assert_int_equal(
        fe_registry_offer(&world->registry, peer(world, 0),
                          (struct fe_names){.bytes = fe_view_of(bytes, sizeof(bytes)), .n = 255}),
        0);
    assert_int_equal(OFFER(world, 0, "\003007", 1), 0); /* known already */
    assert_int_equal(OFFER(world, 0, "\1a", 1), FLATEND_ELIMIT);
    assert_null(choose(world, "a"));
    assert_ptr_equal(choose(world, "254"), peer(world, 0));
}

static void a_name_has_1_to_255_bytes(void **state)
{
    struct world *world = *state;
    uint8_t bytes[256];
    struct fe_view longest;

    memset(bytes, 255, sizeof(bytes));
    longest = fe_view_of(bytes + 1, 255);
    assert_int_equal(
        fe_registry_offer(&world->registry, peer(world, 0),
                          (struct fe_names){.bytes = fe_view_of(bytes, sizeof(bytes)), .n = 1}),
        0);
    assert_ptr_equal(fe_registry_choose(&world->registry, &longest, 1, NULL, 0), peer(world, 0));
    assert_int_equal(OFFER(world, 0, "\0", 1), FLATEND_EINVAL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_peer_that_offers_is_chosen), TEST(offers_add_up),
        TEST(a_handle_finds_its_peer),      TEST(a_removed_peer_is_not_found),
        TEST(closing_a_peer_removes_it),    TEST(the_less_loaded_of_two_is_chosen),
        TEST(equals_share_the_work),        TEST(the_most_loaded_is_never_chosen),
        TEST(excluded_ones_are_not_chosen), TEST(any_of_several_services_will_do),
        TEST(a_node_is_listed_once),        TEST(a_peer_offers_at_most_255),
        TEST(a_name_has_1_to_255_bytes),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
