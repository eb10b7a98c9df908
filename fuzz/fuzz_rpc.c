/* Peers that say anything that a session lets through, in any order, to streams, calls and the
 * registry. The input says what comes next, and what owners do meanwhile, from within events too;
 * the invariants look at the rest. */
#include <stdlib.h>

#include "mesh/rpc/call.h"
#include "mesh/rpc/peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { N_PEERS = 3, N_CALLS = 8, N_HANDLERS = 16, BODY_MAX = 4096, SPACE = 65536 };

struct world;

struct node {
    struct fe_sender sender;
    struct fe_peer peer;
    struct world *world;
    uint32_t next_stream;
    size_t space;
    bool is_there;
    bool is_open; /* its Handshake has come */
};

/* A request of a peer. */
struct handler {
    struct fe_stream *stream; /* NULL: free */
    struct world *world;
    bool has_responded;
};

struct caller {
    struct fe_call call;
    struct world *world;
    bool is_running;
    bool has_finished;
};

struct world {
    const uint8_t *data;
    size_t left;
    unsigned depth; /* of owners that act within events */
    struct fe_rng_seeded seeded;
    struct fe_rng rng;
    struct fe_timers timers;
    struct fe_pool pool;
    struct fe_registry registry;
    uint64_t now_ms;
    struct node nodes[N_PEERS];
    struct handler handlers[N_HANDLERS];
    struct caller callers[N_CALLS];
};

static const uint8_t body[BODY_MAX];
static const struct fe_view service = {(const uint8_t *)"a", 1};
static const struct fe_header header = {{(const uint8_t *)"b", 1}, {(const uint8_t *)"c", 1}};

static unsigned take(struct world *world)
{
    if (world->left == 0) {
        return 0;
    }
    world->left--;
    return *world->data++;
}

static struct fe_view take_body(struct world *world)
{
    return fe_view_of(body, (size_t)take(world) * 16 % BODY_MAX);
}

static void act(struct world *world);

/* ---- what is sent --------------------------------------------------------------------------- */

static struct node *node_of(const struct fe_sender *sender)
{
    return FE_CONTAINER_OF(sender, struct node, sender);
}

static int fail_sometimes(struct fe_sender *sender)
{
    return node_of(sender)->world->left % 61 == 7 ? FLATEND_ENOMEM : 0;
}

static uint32_t next_stream(struct fe_sender *sender)
{
    struct node *node = node_of(sender);
    const uint32_t stream = node->next_stream;

    node->next_stream += 2;
    return stream;
}

static int send_request(struct fe_sender *sender, uint32_t stream, const struct fe_view *services,
                        size_t n_services, const struct fe_header *headers, size_t n_headers)
{
    (void)stream;
    (void)services;
    (void)n_services;
    (void)headers;
    (void)n_headers;
    return node_of(sender)->world->left % 37 == 5 ? FLATEND_ETOOBIG : fail_sometimes(sender);
}

static int send_response(struct fe_sender *sender, uint32_t stream, bool is_handled,
                         const struct fe_header *headers, size_t n_headers)
{
    (void)stream;
    (void)is_handled;
    (void)headers;
    (void)n_headers;
    return fail_sometimes(sender);
}

static int send_data(struct fe_sender *sender, uint32_t stream, struct fe_view bytes)
{
    struct node *node = node_of(sender);

    (void)stream;
    node->space -= bytes.len < node->space ? bytes.len : node->space;
    return fail_sometimes(sender);
}

static int send_end(struct fe_sender *sender, uint32_t stream, const struct fe_header *trailers,
                    size_t n_trailers)
{
    (void)stream;
    (void)trailers;
    (void)n_trailers;
    return fail_sometimes(sender);
}

static size_t space(const struct fe_sender *sender)
{
    return node_of(sender)->space;
}

static int send_reset(struct fe_sender *sender, uint32_t stream, enum fe_reason reason,
                      struct fe_view text)
{
    (void)stream;
    (void)reason;
    (void)text;
    return fail_sometimes(sender);
}

static int send_window(struct fe_sender *sender, uint32_t stream, uint32_t increment)
{
    (void)stream;
    (void)increment;
    return fail_sometimes(sender);
}

static const struct fe_sender_ops sender_ops = {
    .next_stream = next_stream,
    .request = send_request,
    .response = send_response,
    .data = send_data,
    .end = send_end,
    .space = space,
    .reset = send_reset,
    .window = send_window,
};

/* ---- handlers ------------------------------------------------------------------------------- */

static void handler_write(struct handler *handler)
{
    if (fe_stream_write(handler->stream, take_body(handler->world)) < 0) {
        fe_stream_reset(handler->stream, FE_REASON_INTERNAL);
        handler->stream = NULL;
    }
}

static void handler_act(struct handler *handler)
{
    struct fe_stream *const stream = handler->stream;
    const unsigned what = take(handler->world) % 6;

    if (stream == NULL) {
        return;
    }
    if (what == 0) {
        fe_stream_resume(stream);
    } else if (what == 1) {
        handler->stream = NULL;
        fe_stream_reset(stream, FE_REASON_CANCEL);
    } else if (!handler->has_responded) {
        handler->has_responded = fe_stream_respond(stream, &header, 1) == 0;
    } else if (what < 5) {
        handler_write(handler);
    } else if (fe_stream_finish(stream, &header, take(handler->world) % 2) == 0) {
        handler->stream = NULL;
    }
}

static size_t taken_of(struct world *world, struct fe_view data)
{
    const size_t n = (size_t)take(world) * 16;

    act(world);
    return n < data.len ? n : data.len;
}

static size_t handler_on_data(struct fe_stream *stream, struct fe_view data)
{
    return taken_of(((struct handler *)fe_stream_owner(stream))->world, data);
}

static void handler_on_end(struct fe_stream *stream, struct fe_headers trailers)
{
    (void)trailers;
    act(((struct handler *)fe_stream_owner(stream))->world);
}

static void handler_on_writable(struct fe_stream *stream)
{
    act(((struct handler *)fe_stream_owner(stream))->world);
}

static void handler_on_reset(struct fe_stream *stream, int code)
{
    struct handler *const handler = fe_stream_owner(stream);

    (void)code;
    handler->stream = NULL;
    act(handler->world);
}

static const struct fe_stream_ops handler_ops = {
    .on_data = handler_on_data,
    .on_end = handler_on_end,
    .on_writable = handler_on_writable,
    .on_reset = handler_on_reset,
};

static void on_request(struct fe_peer *peer, struct fe_stream *stream, struct fe_names services,
                       struct fe_headers headers)
{
    struct world *const world = ((struct node *)peer->owner)->world;

    (void)services;
    (void)headers;
    for (size_t i = 0; i < N_HANDLERS; i++) {
        if (world->handlers[i].stream == NULL) {
            world->handlers[i] = (struct handler){.stream = stream, .world = world};
            fe_stream_accept(stream, &handler_ops, &world->handlers[i]);
            act(world);
            return;
        }
    }
}

/* ---- calls ---------------------------------------------------------------------------------- */

static void call_on_response(struct fe_call *call, struct fe_headers headers)
{
    (void)headers;
    act(((struct caller *)call->owner)->world);
}

static size_t call_on_data(struct fe_call *call, struct fe_view data)
{
    return taken_of(((struct caller *)call->owner)->world, data);
}

static void call_on_writable(struct fe_call *call)
{
    act(((struct caller *)call->owner)->world);
}

static void call_on_end(struct fe_call *call, struct fe_headers trailers)
{
    struct caller *const caller = call->owner;

    (void)trailers;
    caller->is_running = false;
    act(caller->world);
}

static void call_on_reset(struct fe_call *call, int code)
{
    struct caller *const caller = call->owner;

    (void)code;
    caller->is_running = false;
    act(caller->world);
}

static const struct fe_call_ops call_ops = {
    .on_response = call_on_response,
    .on_data = call_on_data,
    .on_writable = call_on_writable,
    .on_end = call_on_end,
    .on_reset = call_on_reset,
};

static void call_begin(struct caller *caller)
{
    struct world *const world = caller->world;
    const struct fe_call_env env = {&world->registry, &world->timers, &world->pool};
    const unsigned options = take(world);
    const struct fe_call_request request = {
        .services = &service,
        .n_services = 1,
        .headers = &header,
        .n_headers = 1,
        .is_idempotent = (options & 1) != 0,
        .deadline_ms = (options & 2) != 0 ? FE_TIME_NEVER : world->now_ms + options,
    };

    caller->has_finished = false;
    caller->is_running = fe_call_start(&caller->call, &env, &request, &call_ops, caller) == 0;
}

static void call_give_up(struct caller *caller)
{
    caller->is_running = false;
    fe_call_reset(&caller->call, FE_REASON_CANCEL);
}

/* 0, or what the call fails with. */
static int call_send(struct caller *caller, bool is_end)
{
    ssize_t n;

    if (caller->has_finished) {
        return 0;
    }
    if (is_end) {
        caller->has_finished = true;
        return fe_call_finish(&caller->call, &header, take(caller->world) % 2);
    }
    n = fe_call_write(&caller->call, take_body(caller->world));
    return n < 0 ? (int)n : 0;
}

static void call_act(struct caller *caller)
{
    const unsigned what = take(caller->world) % 6;

    if (!caller->is_running) {
        call_begin(caller);
    } else if (what == 1) {
        fe_call_resume(&caller->call);
    } else if (what == 0 || call_send(caller, what == 2) != 0) {
        call_give_up(caller);
    }
}

/* ---- peers ---------------------------------------------------------------------------------- */

static void on_output(struct fe_peer *peer)
{
    (void)peer;
}

static const struct fe_peer_ops peer_ops = {
    .on_request = on_request,
    .on_output = on_output,
    .on_want_read = on_output,
};

static void node_open(struct node *node)
{
    static const uint8_t seed[16];
    struct world *const world = node->world;
    const unsigned options = take(world);

    node->sender = (struct fe_sender){
        .ops = &sender_ops,
        .dialect = (options & 1) != 0 ? FE_DIALECT_SECURE : FE_DIALECT_OLD,
        .head_max = (options & 2) != 0 ? FE_HEAD_MAX : 65000,
        .flow = {(options & 4) != 0 ? 65536 : 100, (options & 8) != 0 ? 65536 : 300, 4096, 16384, 4,
                 (options & 8) != 0 ? 1 << 20 : 0},
    };
    node->next_stream = (options & 16) != 0 ? 1 : 2;
    node->space = SPACE;
    fe_peer_init(&node->peer, &node->sender, &world->pool, seed, &peer_ops, node);
    node->is_there = true;
    node->is_open = false;
}

static void node_close(struct node *node)
{
    fe_peer_close(&node->peer, FLATEND_ECLOSED);
    fe_peer_deinit(&node->peer);
    node->is_there = false;
}

static void offer(struct node *node)
{
    static const uint8_t name[] = {1, 'a'};

    if (fe_registry_offer(&node->world->registry, &node->peer,
                          (struct fe_names){.bytes = {name, sizeof(name)}, .n = 1}) != 0) {
        abort(); /* there is memory */
    }
}

/* A stream that is there, often; or one next to it. */
static uint32_t take_stream(struct node *node)
{
    const unsigned what = take(node->world);

    if (what < 96) {
        return node->peer.last_remote + what % 6 - 2;
    }
    return what < 240 ? node->next_stream - 2 * (what % 8) : what;
}

static void event_init(struct node *node, struct fe_event *event)
{
    static const enum fe_event_type types[] = {
        FE_EVENT_REQUEST, FE_EVENT_RESPONSE, FE_EVENT_DATA, FE_EVENT_DATA,   FE_EVENT_END,
        FE_EVENT_RESET,   FE_EVENT_WINDOW,   FE_EVENT_DATA, FE_EVENT_GOAWAY,
    };
    struct world *const world = node->world;
    const unsigned what = take(world) % 32;

    *event =
        (struct fe_event){.type = types[what == 31 ? 8 : what % 8], .stream = take_stream(node)};
    if (event->type == FE_EVENT_REQUEST && (world->left & 3) != 0) {
        event->stream =
            node->peer.last_remote == 0 ? 3 - (node->next_stream & 1) : node->peer.last_remote + 2;
    }
    if (event->type == FE_EVENT_RESPONSE) {
        event->u.response.handled = take(world) % 4 != 0;
    } else if (event->type == FE_EVENT_DATA) {
        event->u.data = take_body(world);
    } else if (event->type == FE_EVENT_END) {
        event->u.trailers = (struct fe_headers){{body, take(world)}, 0, false};
    } else if (event->type == FE_EVENT_RESET) {
        event->u.reset.reason = take(world) % 10;
    } else if (event->type == FE_EVENT_WINDOW) {
        event->stream = take(world) % 2 != 0 ? 0 : event->stream;
        event->u.increment = 1 + take(world) * 8;
    } else if (event->type == FE_EVENT_GOAWAY) {
        event->u.goaway.last = take(world) % 2 != 0 ? UINT32_MAX : event->stream;
    }
}

static void node_act(struct node *node)
{
    struct flatend_error err;
    struct fe_event event = {.type = FE_EVENT_HANDSHAKE};
    int code;

    if (!node->is_there) {
        node_open(node);
    }
    if (node->is_open) {
        event_init(node, &event);
    }
    code = fe_peer_on_event(&node->peer, &event, &err);
    if (code != 0) {
        node_close(node);
    } else if (!node->is_open) {
        node->is_open = true;
        offer(node);
    }
}

static void node_drain(struct node *node)
{
    if (node->is_there && node->is_open) {
        node->space = (size_t)take(node->world) * 256;
        fe_peer_on_writable(&node->peer);
        if (fe_peer_settle(&node->peer) != 0) {
            node_close(node);
        }
    }
}

/* ---- the world ------------------------------------------------------------------------------ */

/* What an owner may do, from within an event too. */
static void act(struct world *world)
{
    const unsigned what = take(world);

    if (world->depth > 4 || what < 64) {
        return;
    }
    world->depth++;
    if (what < 160) {
        call_act(&world->callers[what % N_CALLS]);
    } else {
        handler_act(&world->handlers[what % N_HANDLERS]);
    }
    world->depth--;
}

static uint64_t now_of(void *arg)
{
    return ((struct world *)arg)->now_ms;
}

static void step(struct world *world)
{
    const unsigned what = take(world);
    struct node *const node = &world->nodes[take(world) % N_PEERS];

    if (what < 150) {
        node_act(node);
    } else if (what < 220) {
        act(world);
    } else if (what < 240) {
        node_drain(node);
    } else if (what < 253) {
        world->now_ms += what;
        fe_timers_run(&world->timers, world->now_ms);
    } else if (node->is_there) {
        node_close(node);
    }
}

static void world_init(struct world *world, const uint8_t *data, size_t size)
{
    world->data = data;
    world->left = size;
    world->rng = fe_rng_from_seed(&world->seeded, 1);
    fe_timers_init(&world->timers);
    fe_pool_init(&world->pool);
    fe_registry_init(&world->registry, &world->rng);
    fe_registry_set_clock(&world->registry, now_of, world);
    for (size_t i = 0; i < N_PEERS; i++) {
        world->nodes[i].world = world;
    }
    for (size_t i = 0; i < N_HANDLERS; i++) {
        world->handlers[i].world = world;
    }
    for (size_t i = 0; i < N_CALLS; i++) {
        world->callers[i].world = world;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world *const world = calloc(1, sizeof(*world));

    world_init(world, data, size);
    while (world->left > 0) {
        step(world);
    }
    for (size_t i = 0; i < N_PEERS; i++) {
        if (world->nodes[i].is_there) {
            node_close(&world->nodes[i]);
        }
    }
    for (size_t i = 0; i < N_CALLS; i++) {
        if (world->callers[i].is_running) {
            abort(); /* a call ends with the last of its providers */
        }
    }
    fe_registry_deinit(&world->registry);
    fe_timers_deinit(&world->timers);
    fe_pool_deinit(&world->pool);
    free(world);
    return 0;
}
