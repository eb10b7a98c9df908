/* Exchanges by crossing between two workers on two threads: many at a time, some of which the
 * client leaves, and some that the service answers before it has read them. For TSan above all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/relay/crossing.h"
#include "gateway/relay/service.h"
#include "ground/base/rng.h"
#include "ground/uv/worker_thread.h"
#include "support/counting.h"
#include "support/fake_exchange.h"
#include "support/fake_peer.h"

enum {
    N_EXCHANGES = 2000,
    N_CLIENTS = 24, /* at a time */
    FIRST_STREAM = 100,
    EARLY = 7, /* bytes of an answer that did not wait for the request */
    BODY_MIN = 10,
    PIECE_MAX = 40000,
};

/* One request as the service has it. */
struct service {
    size_t n_up;
    size_t n_fed;
    size_t n_reply;
    bool is_early;
    bool has_end;
    bool has_responded;
    bool has_replied;
};

struct client {
    struct fake_exchange fake;
    size_t n_body;
    size_t n_sent;
    size_t n_down;
    bool is_rapid_reset; /* it leaves at some time */
    bool is_used;
};

struct world {
    /* The far side's thread, which is the test's. */
    struct fe_worker *home;
    struct fe_worker_thread worker_thread;
    struct trace service_trace;
    struct fe_rng_seeded far_seeded;
    struct fe_rng far_rng;
    struct fe_registry registry;
    struct fe_timers timers;
    struct fe_pool pool;
    struct fe_mesh_access mesh;
    struct fe_service_backend service_backend;
    struct fe_crossing_backend crossing_backend;
    struct fake_peer provider;
    struct service services[N_EXCHANGES];
    size_t n_services;
    struct fe_task far_tick;
    bool has_ended;
    /* Both only read it. */
    struct fe_view name;
    struct fe_config_route route;
    struct fe_match match;
    /* The near side's. */
    struct fe_crossing_channel channel;
    struct trace client_trace;
    struct fe_rng_seeded near_seeded;
    struct fe_rng near_rng;
    struct client clients[N_CLIENTS];
    size_t n_served;
    size_t n_ended;
    struct fe_task near_tick;
};

/* ---- the service ---------------------------------------------------------------------------- */

static void on_sent(struct fake_sender *fake, enum fake_sent what, uint32_t stream,
                    struct fe_view bytes)
{
    struct world *const world = fake->arg;
    const size_t i = (stream - FIRST_STREAM) / 2;
    struct service *const service = &world->services[i];

    assert_true(i < N_EXCHANGES);
    switch (what) {
    case FAKE_SENT_REQUEST:
        world->n_services++;
        service->is_early = fe_rng_below(&world->far_rng, 4) == 0;
        break;
    case FAKE_SENT_DATA:
        assert_true(counting_continues(bytes, service->n_up));
        service->n_up += bytes.len;
        break;
    case FAKE_SENT_END:
        service->has_end = true;
        break;
    }
}

static void feed(struct world *world, size_t i, struct fe_event event)
{
    event.stream = (uint32_t)(FIRST_STREAM + 2 * i);
    assert_int_equal(fe_peer_on_event(&world->provider.peer, &event, NULL), 0);
}

static void reply(struct world *world, size_t i)
{
    struct service *const service = &world->services[i];
    static uint8_t bytes[PIECE_MAX];
    size_t n;

    if (service->has_replied || !(service->has_end || service->is_early)) {
        return;
    }
    if (!service->has_responded) {
        service->has_responded = true;
        service->n_reply = service->is_early ? EARLY : service->n_up;
        feed(world, i, (struct fe_event){.type = FE_EVENT_RESPONSE, .u.response.handled = true});
        return;
    }
    n = service->n_reply - service->n_fed;
    n = n < PIECE_MAX ? n : PIECE_MAX;
    counting_fill(bytes, n, service->n_fed);
    service->n_fed += n;
    if (n > 0) {
        feed(world, i, (struct fe_event){.type = FE_EVENT_DATA, .u.data = fe_view_of(bytes, n)});
    } else {
        service->has_replied = true;
        feed(world, i, (struct fe_event){.type = FE_EVENT_END});
    }
}

static void on_far_tick(struct fe_task *task)
{
    struct world *const world = FE_CONTAINER_OF(task, struct world, far_tick);

    for (size_t i = 0; i < world->n_services; i++) {
        if (fe_peer_want_read(&world->provider.peer)) {
            reply(world, i);
        }
    }
    if (world->has_ended) {
        fe_worker_stop(world->home);
    } else {
        fe_task_post(world->home, task);
    }
}

static void on_ended(void *arg)
{
    ((struct world *)arg)->has_ended = true;
}

/* ---- the clients ---------------------------------------------------------------------------- */

static void on_written(struct fake_exchange *fake, struct fe_view bytes)
{
    struct client *const client = fake->arg;

    assert_true(counting_continues(bytes, client->n_down));
    client->n_down += bytes.len;
}

static void serve(struct world *world, struct client *client)
{
    const struct fe_rng *const rng = &world->near_rng;
    struct fe_exchange *const ex = &client->fake.ex;

    *client = (struct client){.is_used = true};
    fake_exchange_init(&client->fake, &world->client_trace);
    client->fake.on_written = on_written;
    client->fake.arg = client;
    client->n_body = BODY_MIN + fe_rng_below(rng, 1U << (1 + fe_rng_below(rng, 18)));
    client->is_rapid_reset = fe_rng_below(rng, 5) == 0;
    ex->request.method = FE_METHOD_POST;
    ex->request.method_text = FE_VIEW_LIT("POST");
    ex->request.content_length = client->n_body;
    world->match.route = &world->route;
    ex->match = &world->match;
    ex->remote = FE_VIEW_LIT("192.0.2.1:5000");
    fe_backend_start(&world->crossing_backend.backend, ex);
    world->n_served++;
}

static void send_body(struct world *world, struct client *client)
{
    static uint8_t bytes[PIECE_MAX];
    const size_t rest = client->n_body - client->n_sent;
    const size_t piece = 1 + fe_rng_below(&world->near_rng, PIECE_MAX);
    const size_t n = rest < piece ? rest : piece;

    if (n > 0) {
        counting_fill(bytes, n, client->n_sent);
        client->n_sent += fake_exchange_body_view(&client->fake, fe_view_of(bytes, n));
    } else {
        fake_exchange_body_end(&client->fake);
    }
}

static void advance(struct world *world, struct client *client)
{
    struct fake_exchange *const fake = &client->fake;

    if (client->is_rapid_reset && fe_rng_below(&world->near_rng, 4) == 0) {
        fake_exchange_abort(fake);
        return;
    }
    if (fake->wants_body) {
        send_body(world, client);
    }
    if (fake->is_blocked) {
        fake_exchange_writable(fake, PIECE_MAX);
    } else {
        fake->room = fe_rng_below(&world->near_rng, PIECE_MAX);
    }
}

static void finish(struct world *world, struct client *client)
{
    const struct fake_exchange *const fake = &client->fake;

    assert_true(fake->has_ended || client->is_rapid_reset);
    if (fake->has_ended) {
        assert_true(client->n_down == EARLY || client->n_down == client->n_body);
        world->n_ended++;
    }
    fake_exchange_deinit(&client->fake);
    client->is_used = false;
}

static void on_near_tick(struct fe_task *task)
{
    struct world *const world = FE_CONTAINER_OF(task, struct world, near_tick);

    for (size_t i = 0; i < N_CLIENTS; i++) {
        struct client *const client = &world->clients[i];

        if (client->is_used && client->fake.is_over) {
            finish(world, client);
        } else if (client->is_used) {
            advance(world, client);
        } else if (world->n_served < N_EXCHANGES) {
            serve(world, client);
        }
    }
    if (world->n_served < N_EXCHANGES || world->channel.n_crossings > 0) {
        fe_task_post(world->worker_thread.worker, task);
        return;
    }
    for (size_t i = 0; i < N_CLIENTS; i++) {
        if (world->clients[i].is_used) {
            finish(world, &world->clients[i]);
        }
    }
    fe_worker_thread_finish(&world->worker_thread);
}

static void on_empty(void *arg)
{
    (void)arg; /* on_near_tick will see */
}

/* ---- the test ------------------------------------------------------------------------------- */

static uint64_t now_ms(void *arg)
{
    (void)arg;
    return 1;
}

static void init_far(struct world *world)
{
    world->service_trace.is_off = true;
    world->far_rng = fe_rng_from_seed(&world->far_seeded, 1);
    fe_registry_init(&world->registry, &world->far_rng);
    fe_timers_init(&world->timers);
    fe_pool_init(&world->pool);
    world->mesh = (struct fe_mesh_access){.registry = &world->registry,
                                          .timers = &world->timers,
                                          .pool = &world->pool,
                                          .now_ms = now_ms};
    world->service_backend = fe_service_backend(&world->mesh);
    world->crossing_backend = fe_crossing_backend(&world->channel);
    fake_peer_init(&world->provider, &world->service_trace, FIRST_STREAM);
    world->provider.peer.is_anonymous = true;
    world->provider.sender.on_sent = on_sent;
    world->provider.sender.arg = world;
    assert_int_equal(fe_registry_offer(&world->registry, &world->provider.peer,
                                       (struct fe_names){.bytes = FE_VIEW_LIT("\4echo"), .n = 1}),
                     0);
    world->name = FE_VIEW_LIT("echo");
    world->route =
        (struct fe_config_route){.services = &world->name, .n_services = 1, .body_max = UINT64_MAX};
    fe_task_init(&world->far_tick, on_far_tick);
}

static void init_near(struct world *world)
{
    world->client_trace.is_off = true;
    world->near_rng = fe_rng_from_seed(&world->near_seeded, 2);
    world->channel =
        (struct fe_crossing_channel){.near = fe_crossing_executor_of(world->worker_thread.worker),
                                     .far = fe_crossing_executor_of(world->home),
                                     .backend = &world->service_backend.backend,
                                     .on_empty = on_empty};
    fe_list_init(&world->channel.unread);
    fe_task_init(&world->near_tick, on_near_tick);
}

static void exchanges_between_two_threads(void **state)
{
    static struct world world;

    (void)state;
    assert_int_equal(fe_worker_new(&world.home, NULL), 0);
    assert_int_equal(fe_worker_thread_init(&world.worker_thread, world.home, on_ended, &world), 0);
    init_far(&world);
    init_near(&world);
    fe_task_post(world.worker_thread.worker, &world.near_tick);
    fe_task_post(world.home, &world.far_tick);
    assert_int_equal(fe_worker_thread_start(&world.worker_thread), 0);
    fe_worker_run(world.home);
    assert_int_equal(world.n_served, N_EXCHANGES);
    assert_in_range(world.n_ended, N_EXCHANGES / 2, N_EXCHANGES);
    assert_int_equal(world.channel.n_crossings, 0);
    assert_int_equal(world.provider.peer.n_streams, 0);
    fake_peer_deinit(&world.provider);
    fe_registry_deinit(&world.registry);
    fe_timers_deinit(&world.timers);
    fe_pool_deinit(&world.pool);
    fe_worker_free(world.home, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exchanges_between_two_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
