#include "support/crossings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/filters/chains.h"
#include "gateway/relay/crossing_internal.h"

enum { BLOCKS_MAX = 1024 };

/* What dies with the call that starts the backend. */
struct crossings_lent {
    struct fe_match match;
    char id[2];
    char remote[16];
};

/* ---- two workers ---------------------------------------------------------------------------- */

static void post(void *to, struct fe_task *task)
{
    struct crossings_side *const side = to;

    assert_false(fe_list_is_linked(&task->link));
    fe_list_push_back(&side->tasks, &task->link);
}

static void deferred(void *to, struct fe_deferred *deferred)
{
    struct crossings_side *const side = to;

    if (!fe_list_is_linked(&deferred->link)) {
        fe_list_push_back(&side->deferreds, &deferred->link);
    }
}

static struct fe_crossing_executor port_of(struct crossings_side *side)
{
    fe_list_init(&side->tasks);
    fe_list_init(&side->deferreds);
    return (struct fe_crossing_executor){post, deferred, side};
}

void crossings_run_tasks(struct crossings_side *side)
{
    struct fe_list tasks;
    struct fe_list *link;

    fe_list_init(&tasks);
    if (!fe_list_is_empty(&side->tasks)) {
        fe_list_insert_before(&side->tasks, &tasks);
        fe_list_remove(&side->tasks);
    }
    while ((link = fe_list_pop_front(&tasks)) != NULL) {
        struct fe_task *const task = FE_CONTAINER_OF(link, struct fe_task, link);

        task->fn(task);
    }
}

void crossings_run_deferred(struct crossings_side *side)
{
    struct fe_list *link;

    while ((link = fe_list_pop_front(&side->deferreds)) != NULL) {
        struct fe_deferred *const item = FE_CONTAINER_OF(link, struct fe_deferred, link);

        item->fn(item);
    }
}

void crossings_run(struct crossings_side *side)
{
    crossings_run_tasks(side);
    crossings_run_deferred(side);
}

static bool is_idle(const struct crossings_side *side)
{
    return fe_list_is_empty(&side->tasks) && fe_list_is_empty(&side->deferreds);
}

bool crossings_is_idle(const struct crossings *crossings)
{
    return is_idle(&crossings->near) && is_idle(&crossings->far);
}

void crossings_settle(struct crossings *crossings)
{
    for (int i = 0; i < 10000 && !crossings_is_idle(crossings); i++) {
        crossings_run(&crossings->near);
        crossings_run(&crossings->far);
    }
    assert_true(crossings_is_idle(crossings));
}

/* ---- the world ------------------------------------------------------------------------------ */

static uint64_t now_ms(void *arg)
{
    return ((struct crossings *)arg)->now_ms;
}

static void on_empty(void *arg)
{
    struct crossings *const crossings = arg;

    assert_int_equal(crossings->channel.n_crossings, 0);
    crossings->n_empty++;
    crossings->crossing = NULL;
}

static void init_provider(struct crossings *crossings, bool is_secure)
{
    static const struct fe_flow flow = {
        .stream_out = 1 << 20,
        .connection_out = 1 << 30,
        .stream_in = 1 << 20,
        .connection_in = 1 << 30,
        .streams_out = 10,
    };

    if (is_secure) {
        fake_peer_init_secure(&crossings->provider, &crossings->service, CROSSINGS_STREAM, &flow);
    } else {
        fake_peer_init(&crossings->provider, &crossings->service, CROSSINGS_STREAM);
    }
    crossings->provider.peer.is_anonymous = true;
    assert_int_equal(fe_registry_offer(&crossings->registry, &crossings->provider.peer,
                                       (struct fe_names){.bytes = FE_VIEW_LIT("\4echo"), .n = 1}),
                     0);
}

void crossings_init(struct crossings *crossings, bool is_secure)
{
    struct fe_rng rng;

    memset(crossings, 0, sizeof(*crossings));
    rng = fe_rng_from_seed(&crossings->seeded, 1);
    fe_registry_init(&crossings->registry, &rng);
    fe_timers_init(&crossings->timers);
    fe_pool_init(&crossings->pool);
    crossings->now_ms = 5000;
    fe_arena_init(&crossings->filter_arena, 0);
    crossings->mesh = (struct fe_mesh_access){
        .registry = &crossings->registry,
        .timers = &crossings->timers,
        .pool = &crossings->pool,
        .now_ms = now_ms,
        .now_arg = crossings,
    };
    crossings->service_backend = fe_service_backend(&crossings->mesh);
    crossings->crossing_backend = fe_crossing_backend(&crossings->channel);
    init_provider(crossings, is_secure);
    fake_exchange_init(&crossings->fake, &crossings->client);
    crossings->services[0] = FE_VIEW_LIT("echo");
    crossings->route = (struct fe_config_route){.kind = FE_ROUTE_SERVICE,
                                                .services = crossings->services,
                                                .n_services = 1,
                                                .timeout_ms = CROSSINGS_TIMEOUT_MS,
                                                .timeout_text = FE_VIEW_LIT("1000"),
                                                .body_max = UINT64_MAX};
    crossings->channel =
        (struct fe_crossing_channel){.near = port_of(&crossings->near),
                                     .far = port_of(&crossings->far),
                                     .backend = &crossings->service_backend.backend,
                                     .on_empty = on_empty,
                                     .arg = crossings};
    fe_list_init(&crossings->channel.unread);
}

void crossings_fill_channel(struct crossings *crossings)
{
    crossings->n_others = FE_CROSSING_CHANNEL_MAX;
    crossings->channel.n_held += FE_CROSSING_CHANNEL_MAX;
}

void crossings_deinit(struct crossings *crossings)
{
    assert_true(crossings->fake.is_over);
    assert_true(crossings_is_idle(crossings));
    assert_int_equal(crossings->channel.n_crossings, 0);
    assert_int_equal(crossings->channel.n_held, crossings->n_others);
    assert_int_equal(crossings->provider.peer.n_streams, 0);
    assert_int_equal(crossings->timers.n, 0);
    crossings->service.is_off = true;
    fake_peer_deinit(&crossings->provider);
    fe_registry_deinit(&crossings->registry);
    fe_timers_deinit(&crossings->timers);
    fe_pool_deinit(&crossings->pool);
    fake_exchange_deinit(&crossings->fake);
    fe_arena_deinit(&crossings->filter_arena);
    free(crossings->lent);
}

/* ---- the client ----------------------------------------------------------------------------- */

void crossings_add_field(struct crossings *crossings, const char *name, const char *value)
{
    struct fe_exchange *const ex = &crossings->fake.ex;
    const char *const name_copy = fe_arena_copy(&ex->arena, fe_view_str(name));
    const char *const value_copy = fe_arena_copy(&ex->arena, fe_view_str(value));

    assert_non_null(name_copy);
    assert_non_null(value_copy);
    assert_int_equal(fe_fields_add(&ex->request.fields, &ex->arena, fe_view_str(name_copy),
                                   fe_view_str(value_copy)),
                     0);
}

static struct crossings_lent *lend(size_t n_more_params)
{
    static const char names[] = "abcdefghijklmnop";
    struct crossings_lent *const lent = calloc(1, sizeof(*lent));

    if (lent == NULL) {
        return NULL;
    }
    memcpy(lent->id, "7", 2);
    memcpy(lent->remote, "192.0.2.1:5000", 15);
    lent->match.params[lent->match.n_params++] =
        (struct fe_param){FE_VIEW_LIT("id"), fe_view_str(lent->id)};
    for (size_t i = 0; i < n_more_params; i++) {
        lent->match.params[lent->match.n_params++] =
            (struct fe_param){fe_view_of(&names[i], 1), fe_view_str(lent->id)};
    }
    return lent;
}

/* In the exchange's arena, as far as there is memory. */
static void own(struct fe_exchange *ex, struct fe_view *view)
{
    const char *const copy = fe_arena_copy(&ex->arena, *view);

    if (copy != NULL) {
        view->ptr = (const uint8_t *)copy;
    }
}

static const struct fe_filter_chain *make_filters(struct crossings *crossings)
{
    const struct fe_config_route *const route = &crossings->route;
    const struct fe_route_filters filters = {route->body_min, route->body_max, route->no_cache};
    const struct fe_filter_chain *const listener =
        fe_filters_of_listener(&crossings->filter_arena, fe_view_of(NULL, 0));

    return listener == NULL ? NULL
                            : fe_filters_of_route(&crossings->filter_arena, listener, &filters);
}

void crossings_serve(struct crossings *crossings)
{
    struct fe_exchange *const ex = &crossings->fake.ex;

    own(ex, &ex->request.method_text);
    own(ex, &ex->request.scheme);
    own(ex, &ex->request.authority);
    own(ex, &ex->request.path);
    own(ex, &ex->request.query);
    crossings->lent = lend(crossings->n_more_params);
    if (crossings->lent == NULL) {
        crossings->fake.is_over = true;
        return;
    }
    crossings->lent->match.route = &crossings->route;
    ex->match = &crossings->lent->match;
    ex->filters = make_filters(crossings);
    if (ex->filters == NULL) {
        crossings->fake.is_over = true;
        return;
    }
    ex->remote = fe_view_str(crossings->lent->remote);
    if (crossings->is_direct) {
        fe_backend_start(&crossings->service_backend.backend, ex);
        return;
    }
    fe_backend_start(&crossings->crossing_backend.backend, ex);
    crossings->crossing = ex->state;
    crossings->has_crossed = crossings->channel.n_crossings > 0;
    memset(crossings->lent, 'x', sizeof(*crossings->lent)); /* seen without ASan, too */
    free(crossings->lent);
    crossings->lent = NULL;
}

void crossings_serve_post(struct crossings *crossings, uint64_t length)
{
    struct fe_request *const request = &crossings->fake.ex.request;

    request->method = FE_METHOD_POST;
    request->method_text = FE_VIEW_LIT("POST");
    request->content_length = length;
    crossings_serve(crossings);
}

void crossings_leave(struct crossings *crossings)
{
    fake_exchange_abort(&crossings->fake);
    fe_arena_deinit(&crossings->fake.ex.arena);
}

/* ---- the provider --------------------------------------------------------------------------- */

static void feed(struct crossings *crossings, const struct fe_event *event)
{
    struct fe_peer *const peer = &crossings->provider.peer;
    const int code = peer->is_closed ? 0 : fe_peer_on_event(peer, event, NULL);

    if (code != 0) {
        fe_peer_close(peer, code);
    }
}

void crossings_respond(struct crossings *crossings, struct fe_headers headers)
{
    struct fe_event event = {
        .type = FE_EVENT_RESPONSE,
        .stream = CROSSINGS_STREAM,
        .u.response = {.handled = true, .headers = {.n = headers.n}},
    };
    uint8_t *const copy = malloc(headers.bytes.len + 1);

    if (copy == NULL) {
        return;
    }
    if (headers.bytes.len > 0) {
        memcpy(copy, headers.bytes.ptr, headers.bytes.len);
    }
    event.u.response.headers.bytes = fe_view_of(copy, headers.bytes.len);
    feed(crossings, &event);
    free(copy);
}

void crossings_data(struct crossings *crossings, struct fe_view data)
{
    const struct fe_event event = {
        .type = FE_EVENT_DATA, .stream = CROSSINGS_STREAM, .u.data = data};

    feed(crossings, &event);
}

void crossings_end(struct crossings *crossings)
{
    const struct fe_event event = {.type = FE_EVENT_END, .stream = CROSSINGS_STREAM};

    feed(crossings, &event);
}

void crossings_lose(struct crossings *crossings)
{
    fe_peer_close(&crossings->provider.peer, FLATEND_ECLOSED);
}

void crossings_pass(struct crossings *crossings, uint64_t ms)
{
    crossings->now_ms += ms;
    fe_timers_run(&crossings->timers, crossings->now_ms);
}

/* ---- what is held --------------------------------------------------------------------------- */

size_t crossings_held_up(const struct crossings *crossings)
{
    const struct fe_crossing *const crossing = crossings->crossing;

    return crossing == NULL ? 0
                            : crossing->near.out.bytes.len + crossing->near.in_transit.bytes.len +
                                  crossing->far.in.bytes.len;
}

size_t crossings_held_down(const struct crossings *crossings)
{
    const struct fe_crossing *const crossing = crossings->crossing;

    return crossing == NULL ? 0
                            : crossing->far.out.bytes.len + crossing->far.in_transit.bytes.len +
                                  crossing->near.in.bytes.len;
}

size_t crossings_blocks(const struct crossings *crossings)
{
    const struct fe_crossing *const crossing = crossings->crossing;
    struct fe_view views[BLOCKS_MAX];

    if (crossing == NULL) {
        return 0;
    }
    return fe_chain_peek(&crossing->near.out.bytes, views, BLOCKS_MAX) +
           fe_chain_peek(&crossing->near.in_transit.bytes, views, BLOCKS_MAX) +
           fe_chain_peek(&crossing->near.in.bytes, views, BLOCKS_MAX) +
           fe_chain_peek(&crossing->far.out.bytes, views, BLOCKS_MAX) +
           fe_chain_peek(&crossing->far.in_transit.bytes, views, BLOCKS_MAX) +
           fe_chain_peek(&crossing->far.in.bytes, views, BLOCKS_MAX);
}
