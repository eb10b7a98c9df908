/* Streams, registry and calls while each allocation fails in turn: the code comes back, everything
 * stays valid, every stream and call is told its end exactly once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mesh/rpc/call.h"
#include "support/fake_peer.h"
#include "support/fault.h"

#define TRY(call)                                                                                  \
    do {                                                                                           \
        int code = (call);                                                                         \
        if (code != 0) {                                                                           \
            return code;                                                                           \
        }                                                                                          \
    } while (0)

/* ---- streams ---- */

static int streams_of_both_sides(struct fake_peer *fake, struct fake_owner *local,
                                 struct fake_owner *remote)
{
    TRY(fake_open(fake, local));
    fake->acceptor = remote;
    TRY(feed_request(fake, 2));
    local->appetite = 1;
    TRY(feed_response(fake, 1, true));
    for (int i = 0; i < 3; i++) { /* more than one block has to wait */
        TRY(feed_bytes(fake, 1, 10000));
    }
    TRY(feed_end(fake, 1));
    TRY(feed_data(fake, 2, "ping"));
    TRY(feed_end(fake, 2));
    TRY(fe_stream_respond(remote->stream, NULL, 0));
    TRY(fake_finish(remote, NULL, 0));
    local->appetite = SIZE_MAX;
    fe_stream_resume(local->stream);
    TRY(feed_request(fake, 4)); /* not accepted */
    return 0;
}

static void a_stream_is_lost_or_complete(void **state)
{
    static struct trace trace;
    size_t nth;

    (void)state;
    trace.is_off = true;
    for (nth = 1; fe_fault_arm(nth); nth++) {
        struct fake_peer fake;
        struct fake_owner local;
        struct fake_owner remote;
        int code;

        fake_peer_init(&fake, &trace, 1);
        fake_owner_init(&local, &trace);
        fake_owner_init(&remote, &trace);
        code = streams_of_both_sides(&fake, &local, &remote);
        assert_int_equal(code, fe_fault_disarm() ? FLATEND_ENOMEM : 0);
        if (code == 0) {
            assert_int_equal(local.code, 0);
            assert_int_equal(remote.code, 0);
        }
        fe_peer_close(&fake.peer, FLATEND_ENOMEM);
        assert_null(local.stream);
        assert_null(remote.stream);
        assert_int_equal(fake.peer.n_streams, 0);
        assert_int_equal(fake.peer.n_waiting, 0);
        fake_peer_deinit(&fake);
    }
    assert_true(nth > 5);
}

/* Windows, trailers that wait, resets and early answers. */
static int full_streams_of_both_sides(struct fake_peer *fake, struct fake_owner *local,
                                      struct fake_owner *remote)
{
    const struct fe_header trailer = {FE_VIEW_LIT("a"), FE_VIEW_LIT("b")};

    TRY(fake_open(fake, local));
    TRY(fake_write(local, "ping") < 0 ? FLATEND_ENOMEM : 0);
    fake->acceptor = remote;
    TRY(feed_request(fake, 2));
    local->appetite = 1;
    TRY(feed_response(fake, 1, true));
    TRY(feed_data(fake, 1, "few")); /* two bytes wait, then more than a few, then trailers */
    TRY(feed_bytes(fake, 1, 20000));
    TRY(feed_end_with(fake, 1, FE_VIEW_LIT("\1a\0\1b"), 1));
    TRY(feed_bytes(fake, 2, 65536));
    TRY(fe_stream_respond(remote->stream, NULL, 0));
    TRY(fake_finish(remote, &trailer, 1));
    TRY(feed_bytes(fake, 2, 65536)); /* too late, and given back */
    local->appetite = SIZE_MAX;
    fe_stream_resume(local->stream);
    TRY(feed_request(fake, 4)); /* not accepted */
    TRY(feed_reset(fake, 4, FE_REASON_CANCEL));
    return 0;
}

static void a_stream_with_windows_is_lost_or_complete(void **state)
{
    static const struct fe_flow flow = {100000, 100000, 100000, 100000, 10, 0};
    static struct trace trace;
    size_t nth;

    (void)state;
    trace.is_off = true;
    for (nth = 1; fe_fault_arm(nth); nth++) {
        struct fake_peer fake;
        struct fake_owner local;
        struct fake_owner remote;
        int code;

        fake_peer_init_secure(&fake, &trace, 1, &flow);
        fake_owner_init(&local, &trace);
        fake_owner_init(&remote, &trace);
        code = full_streams_of_both_sides(&fake, &local, &remote);
        assert_int_equal(code, fe_fault_disarm() ? FLATEND_ENOMEM : 0);
        if (code == 0) {
            assert_int_equal(local.code, 0);
            assert_int_equal(remote.code, 0);
            assert_int_equal(fake.peer.window_in + fake.peer.returned, flow.connection_in);
        }
        fe_peer_close(&fake.peer, FLATEND_ENOMEM);
        assert_null(local.stream);
        assert_null(remote.stream);
        assert_int_equal(fake.peer.n_streams, 0);
        assert_int_equal(fake.peer.n_waiting, 0);
        assert_int_equal(fake.peer.n_trailers, 0);
        fake_peer_deinit(&fake);
    }
    assert_true(nth > 7);
}

/* ---- registry ---- */

static int offer(struct fe_registry *registry, struct fe_peer *peer)
{
    return fe_registry_offer(registry, peer,
                             (struct fe_names){.bytes = FE_VIEW_LIT("\1a\1b\1c"), .n = 3});
}

static void an_offer_that_fails_can_be_made_again(void **state)
{
    static struct trace trace;
    size_t nth;

    (void)state;
    for (nth = 1; fe_fault_arm(nth); nth++) {
        struct fe_rng_seeded seeded;
        struct fe_rng rng = fe_rng_from_seed(&seeded, 1);
        struct fe_view name = FE_VIEW_LIT("c");
        struct fe_registry registry;
        struct fake_peer fakes[2];
        int code;

        fe_registry_init(&registry, &rng);
        for (int i = 0; i < 2; i++) {
            fake_peer_init(&fakes[i], &trace, 1);
            fakes[i].peer.is_anonymous = true;
        }
        code = offer(&registry, &fakes[0].peer);
        if (code == 0) {
            code = offer(&registry, &fakes[1].peer);
        }
        assert_int_equal(code, fe_fault_disarm() ? FLATEND_ENOMEM : 0);
        assert_int_equal(offer(&registry, &fakes[0].peer), 0);
        assert_int_equal(offer(&registry, &fakes[1].peer), 0);
        assert_int_equal(fe_registry_list(&registry, &name, 1, NULL, 0), 2);
        assert_int_equal(registry.services.n, 3);
        for (int i = 0; i < 2; i++) {
            fake_peer_deinit(&fakes[i]);
        }
        assert_int_equal(registry.services.n, 0);
        assert_int_equal(registry.handles.n, 0);
        fe_registry_deinit(&registry);
    }
    assert_true(nth > 9);
}

static int replace(struct fe_registry *registry, struct fe_peer *peer)
{
    return fe_registry_replace(
        registry, peer, (struct fe_offers){FE_VIEW_LIT("\1c\0\1\1d\0\1\1e\0\1\1f\0\1\1g\0\1"), 5});
}

static void a_list_that_fails_can_be_given_again(void **state)
{
    static struct trace trace;
    size_t nth;

    (void)state;
    for (nth = 1; fe_fault_arm(nth); nth++) {
        struct fe_rng_seeded seeded;
        struct fe_rng rng = fe_rng_from_seed(&seeded, 1);
        struct fe_registry registry;
        struct fake_peer fake;
        int code;

        fe_registry_init(&registry, &rng);
        fake_peer_init(&fake, &trace, 1);
        fake.peer.is_anonymous = true;
        code = offer(&registry, &fake.peer);
        if (code == 0) {
            code = replace(&registry, &fake.peer);
        }
        assert_int_equal(code, fe_fault_disarm() ? FLATEND_ENOMEM : 0);
        assert_int_equal(replace(&registry, &fake.peer), 0);
        assert_int_equal(fake.peer.n_offers, 5);
        assert_int_equal(registry.services.n, 5);
        fake_peer_deinit(&fake);
        assert_int_equal(registry.services.n, 0);
        assert_int_equal(registry.handles.n, 0);
        fe_registry_deinit(&registry);
    }
    assert_true(nth > 12);
}

/* ---- calls ---- */

struct outcome {
    int n_ends;
    int n_fails;
};

static void on_response(struct fe_call *call, struct fe_headers headers)
{
    (void)call;
    (void)headers;
}

static size_t on_data(struct fe_call *call, struct fe_view data)
{
    (void)call;
    return data.len;
}

static void on_writable(struct fe_call *call)
{
    (void)call;
}

static void on_end(struct fe_call *call, struct fe_headers trailers)
{
    struct outcome *outcome = call->owner;

    (void)trailers;
    outcome->n_ends++;
}

static void on_reset(struct fe_call *call, int code)
{
    struct outcome *outcome = call->owner;

    /* Without memory to keep the body, or to send it again. */
    assert_true(code == FLATEND_EUNHANDLED || code == FLATEND_ENOMEM);
    outcome->n_fails++;
}

struct world {
    struct trace trace;
    struct fe_rng_seeded seeded;
    struct fe_registry registry;
    struct fe_timers timers;
    struct fe_pool pool;
    struct fake_peer fakes[2];
    struct fe_call call;
    struct outcome outcome;
};

static void world_init(struct world *world)
{
    struct fe_rng rng;

    memset(world, 0, sizeof(*world));
    world->trace.is_off = true;
    rng = fe_rng_from_seed(&world->seeded, 1);
    fe_registry_init(&world->registry, &rng);
    fe_timers_init(&world->timers);
    fe_pool_init(&world->pool);
    for (int i = 0; i < 2; i++) {
        fake_peer_init(&world->fakes[i], &world->trace, 1);
        world->fakes[i].peer.is_anonymous = true;
        fake_load(&world->fakes[i], (unsigned)i); /* the first is asked first */
    }
}

static void world_deinit(struct world *world)
{
    for (int i = 0; i < 2; i++) {
        fake_peer_deinit(&world->fakes[i]);
    }
    fe_registry_deinit(&world->registry);
    fe_timers_deinit(&world->timers);
    fe_pool_deinit(&world->pool);
}

/* A body of two writes; the first provider does not handle it, the second answers. */
static int call_with_a_retry(struct world *world)
{
    static const struct fe_call_ops ops = {
        .on_response = on_response,
        .on_data = on_data,
        .on_writable = on_writable,
        .on_end = on_end,
        .on_reset = on_reset,
    };
    static const uint8_t body[20000];
    const struct fe_view name = FE_VIEW_LIT("echo");
    const struct fe_call_request request = {
        .services = &name, .n_services = 1, .deadline_ms = 1000};
    const struct fe_call_env env = {&world->registry, &world->timers, &world->pool};

    TRY(fe_call_start(&world->call, &env, &request, &ops, &world->outcome));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fe_call_write(&world->call, fe_view_of(body, sizeof(body))), sizeof(body));
    }
    TRY(fe_call_finish(&world->call, NULL, 0));
    for (int i = 0; i < 2 && world->outcome.n_fails == 0; i++) {
        if (world->fakes[i].peer.streams.n > 0) {
            TRY(feed_response(&world->fakes[i], 1, i == 1));
        }
    }
    if (world->outcome.n_fails == 0) {
        TRY(feed_end(&world->fakes[1], 1));
    }
    return 0;
}

static void a_call_fails_once_or_succeeds(void **state)
{
    static struct world world;
    int n_survived = 0;
    size_t nth;

    (void)state;
    for (nth = 1;; nth++) {
        int code;

        world_init(&world);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(
                fe_registry_offer(&world.registry, &world.fakes[i].peer,
                                  (struct fe_names){.bytes = FE_VIEW_LIT("\4echo"), .n = 1}),
                0);
        }
        if (!fe_fault_arm(nth)) {
            world_deinit(&world);
            break;
        }
        code = call_with_a_retry(&world);
        if (!fe_fault_disarm()) {
            assert_int_equal(code, 0);
            assert_int_equal(world.outcome.n_ends, 1);
        }
        if (code != 0) {
            assert_int_equal(code, FLATEND_ENOMEM);
            assert_int_equal(world.outcome.n_ends + world.outcome.n_fails, 0);
        } else {
            assert_int_equal(world.outcome.n_ends + world.outcome.n_fails, 1);
            n_survived += world.outcome.n_ends;
        }
        world_deinit(&world);
    }
    assert_true(nth > 5);
    assert_true(n_survived >= 2); /* a provider out of reach is not the end of a call */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_is_lost_or_complete),
        cmocka_unit_test(a_stream_with_windows_is_lost_or_complete),
        cmocka_unit_test(a_list_that_fails_can_be_given_again),
        cmocka_unit_test(an_offer_that_fails_can_be_made_again),
        cmocka_unit_test(a_call_fails_once_or_succeeds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
