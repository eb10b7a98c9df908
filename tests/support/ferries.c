#include "support/ferries.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/relay/ferry_internal.h"

enum { BLOCKS_MAX = 1024 };

/* What the caller of fe_ferry_serve has on its stack. */
struct ferries_lent {
    struct fe_match match;
    char id[2];
    char remote[16];
};

/* ---- two workers -------------------------------------------------------------------------- */

static void post(void *to, struct fe_mail *mail)
{
    struct ferries_side *const side = to;

    assert_false(fe_list_is_linked(&mail->link));
    fe_list_push_back(&side->mails, &mail->link);
}

static void later(void *to, struct fe_later *later)
{
    struct ferries_side *const side = to;

    if (!fe_list_is_linked(&later->link)) {
        fe_list_push_back(&side->laters, &later->link);
    }
}

static struct fe_ferry_port port_of(struct ferries_side *side)
{
    fe_list_init(&side->mails);
    fe_list_init(&side->laters);
    return (struct fe_ferry_port){post, later, side};
}

void ferries_run_mails(struct ferries_side *side)
{
    struct fe_list mails;
    struct fe_list *link;

    fe_list_init(&mails);
    if (!fe_list_is_empty(&side->mails)) {
        fe_list_insert_before(&side->mails, &mails);
        fe_list_remove(&side->mails);
    }
    while ((link = fe_list_pop_front(&mails)) != NULL) {
        struct fe_mail *const mail = FE_CONTAINER_OF(link, struct fe_mail, link);

        mail->fn(mail);
    }
}

void ferries_run_laters(struct ferries_side *side)
{
    struct fe_list *link;

    while ((link = fe_list_pop_front(&side->laters)) != NULL) {
        struct fe_later *const item = FE_CONTAINER_OF(link, struct fe_later, link);

        item->fn(item);
    }
}

void ferries_run(struct ferries_side *side)
{
    ferries_run_mails(side);
    ferries_run_laters(side);
}

static bool is_idle(const struct ferries_side *side)
{
    return fe_list_is_empty(&side->mails) && fe_list_is_empty(&side->laters);
}

bool ferries_is_idle(const struct ferries *ferries)
{
    return is_idle(&ferries->near) && is_idle(&ferries->far);
}

void ferries_settle(struct ferries *ferries)
{
    for (int i = 0; i < 10000 && !ferries_is_idle(ferries); i++) {
        ferries_run(&ferries->near);
        ferries_run(&ferries->far);
    }
    assert_true(ferries_is_idle(ferries));
}

/* ---- the world ---------------------------------------------------------------------------- */

static uint64_t now_ms(void *arg)
{
    return ((struct ferries *)arg)->now_ms;
}

static void on_empty(void *arg)
{
    struct ferries *const ferries = arg;

    assert_int_equal(ferries->line.n_ferries, 0);
    ferries->n_empty++;
    ferries->ferry = NULL;
}

static void init_provider(struct ferries *ferries, bool is_full)
{
    static const struct fe_flow flow = {
        .stream_out = 1 << 20,
        .connection_out = 1 << 30,
        .stream_in = 1 << 20,
        .connection_in = 1 << 30,
        .streams_out = 10,
    };

    if (is_full) {
        fake_peer_init_full(&ferries->provider, &ferries->service, FERRIES_STREAM, &flow);
    } else {
        fake_peer_init(&ferries->provider, &ferries->service, FERRIES_STREAM);
    }
    ferries->provider.peer.is_anonymous = true;
    assert_int_equal(fe_registry_offer(&ferries->registry, &ferries->provider.peer,
                                       (struct fe_names){FE_VIEW_LIT("\4echo"), 1}),
                     0);
}

void ferries_init(struct ferries *ferries, bool is_full)
{
    struct fe_rng rng;

    memset(ferries, 0, sizeof(*ferries));
    rng = fe_rng_from_seed(&ferries->seeded, 1);
    fe_registry_init(&ferries->registry, &rng);
    fe_timers_init(&ferries->timers);
    fe_pool_init(&ferries->pool);
    ferries->now_ms = 5000;
    ferries->mesh = (struct fe_mesh_access){
        .registry = &ferries->registry,
        .timers = &ferries->timers,
        .pool = &ferries->pool,
        .now_ms = now_ms,
        .now_arg = ferries,
    };
    init_provider(ferries, is_full);
    fake_exchange_init(&ferries->fake, &ferries->client);
    ferries->services[0] = FE_VIEW_LIT("echo");
    ferries->route = (struct fe_config_route){.kind = FE_ROUTE_SERVICE,
                                              .services = ferries->services,
                                              .n_services = 1,
                                              .timeout_ms = FERRIES_TIMEOUT_MS,
                                              .timeout_text = FE_VIEW_LIT("1000"),
                                              .body_max = UINT64_MAX};
    ferries->line = (struct fe_ferry_line){.near = port_of(&ferries->near),
                                           .far = port_of(&ferries->far),
                                           .mesh = &ferries->mesh,
                                           .on_empty = on_empty,
                                           .arg = ferries};
}

void ferries_fill_line(struct ferries *ferries)
{
    ferries->n_others = FE_FERRY_LINE_MAX;
    ferries->line.n_held += FE_FERRY_LINE_MAX;
}

void ferries_deinit(struct ferries *ferries)
{
    assert_true(ferries->fake.is_over);
    assert_true(ferries_is_idle(ferries));
    assert_int_equal(ferries->line.n_ferries, 0);
    assert_int_equal(ferries->line.n_held, ferries->n_others);
    assert_int_equal(ferries->provider.peer.n_streams, 0);
    assert_int_equal(ferries->timers.n, 0);
    ferries->service.is_off = true;
    fake_peer_deinit(&ferries->provider);
    fe_registry_deinit(&ferries->registry);
    fe_timers_deinit(&ferries->timers);
    fe_pool_deinit(&ferries->pool);
    fake_exchange_deinit(&ferries->fake);
    free(ferries->lent);
}

/* ---- the client --------------------------------------------------------------------------- */

void ferries_add_field(struct ferries *ferries, const char *name, const char *value)
{
    struct fe_exchange *const ex = &ferries->fake.ex;
    const char *const name_copy = fe_arena_copy(&ex->arena, fe_view_str(name));
    const char *const value_copy = fe_arena_copy(&ex->arena, fe_view_str(value));

    assert_non_null(name_copy);
    assert_non_null(value_copy);
    assert_int_equal(fe_fields_add(&ex->request.fields, &ex->arena, fe_view_str(name_copy),
                                   fe_view_str(value_copy)),
                     0);
}

static struct ferries_lent *lend(void)
{
    struct ferries_lent *const lent = calloc(1, sizeof(*lent));

    if (lent == NULL) {
        return NULL;
    }
    memcpy(lent->id, "7", 2);
    memcpy(lent->remote, "192.0.2.1:5000", 15);
    lent->match.params[lent->match.n_params++] =
        (struct fe_param){FE_VIEW_LIT("id"), fe_view_str(lent->id)};
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

void ferries_serve(struct ferries *ferries)
{
    struct fe_exchange *const ex = &ferries->fake.ex;

    own(ex, &ex->request.method_text);
    own(ex, &ex->request.scheme);
    own(ex, &ex->request.authority);
    own(ex, &ex->request.path);
    own(ex, &ex->request.query);
    ferries->lent = lend();
    if (ferries->lent == NULL) {
        ferries->fake.is_over = true;
        return;
    }
    if (ferries->is_direct) {
        fe_service_serve(ex, &ferries->route, &ferries->lent->match,
                         fe_view_str(ferries->lent->remote), &ferries->mesh);
        return;
    }
    fe_ferry_serve(ex, &ferries->route, &ferries->lent->match, fe_view_str(ferries->lent->remote),
                   &ferries->line);
    ferries->ferry = ex->handler;
    memset(ferries->lent, 'x', sizeof(*ferries->lent)); /* seen without ASan, too */
    free(ferries->lent);
    ferries->lent = NULL;
}

void ferries_serve_post(struct ferries *ferries, uint64_t length)
{
    struct fe_request *const request = &ferries->fake.ex.request;

    request->method = FE_METHOD_POST;
    request->method_text = FE_VIEW_LIT("POST");
    request->content_length = length;
    ferries_serve(ferries);
}

void ferries_leave(struct ferries *ferries)
{
    fake_exchange_abort(&ferries->fake);
    fe_arena_deinit(&ferries->fake.ex.arena);
}

/* ---- the provider ------------------------------------------------------------------------- */

static void feed(struct ferries *ferries, const struct fe_event *event)
{
    struct fe_peer *const peer = &ferries->provider.peer;
    const int code = peer->is_closed ? 0 : fe_peer_on_event(peer, event, NULL);

    if (code != 0) {
        fe_peer_close(peer, code);
    }
}

void ferries_respond(struct ferries *ferries, struct fe_headers headers)
{
    struct fe_event event = {
        .type = FE_EVENT_RESPONSE,
        .stream = FERRIES_STREAM,
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
    feed(ferries, &event);
    free(copy);
}

void ferries_data(struct ferries *ferries, struct fe_view data)
{
    const struct fe_event event = {.type = FE_EVENT_DATA, .stream = FERRIES_STREAM, .u.data = data};

    feed(ferries, &event);
}

void ferries_end(struct ferries *ferries)
{
    const struct fe_event event = {.type = FE_EVENT_END, .stream = FERRIES_STREAM};

    feed(ferries, &event);
}

void ferries_lose(struct ferries *ferries)
{
    fe_peer_close(&ferries->provider.peer, FLATEND_ECLOSED);
}

void ferries_pass(struct ferries *ferries, uint64_t ms)
{
    ferries->now_ms += ms;
    fe_timers_run(&ferries->timers, ferries->now_ms);
}

/* ---- what is held ------------------------------------------------------------------------- */

size_t ferries_held_up(const struct ferries *ferries)
{
    const struct fe_ferry *const ferry = ferries->ferry;

    return ferry == NULL ? 0
                         : ferry->near.out.bytes.len + ferry->near.crossing.bytes.len +
                               ferry->far.in.bytes.len;
}

size_t ferries_held_down(const struct ferries *ferries)
{
    const struct fe_ferry *const ferry = ferries->ferry;

    return ferry == NULL ? 0
                         : ferry->far.out.bytes.len + ferry->far.crossing.bytes.len +
                               ferry->near.in.bytes.len;
}

size_t ferries_blocks(const struct ferries *ferries)
{
    const struct fe_ferry *const ferry = ferries->ferry;
    struct fe_view views[BLOCKS_MAX];

    if (ferry == NULL) {
        return 0;
    }
    return fe_chain_peek(&ferry->near.out.bytes, views, BLOCKS_MAX) +
           fe_chain_peek(&ferry->near.crossing.bytes, views, BLOCKS_MAX) +
           fe_chain_peek(&ferry->near.in.bytes, views, BLOCKS_MAX) +
           fe_chain_peek(&ferry->far.out.bytes, views, BLOCKS_MAX) +
           fe_chain_peek(&ferry->far.crossing.bytes, views, BLOCKS_MAX) +
           fe_chain_peek(&ferry->far.in.bytes, views, BLOCKS_MAX);
}
