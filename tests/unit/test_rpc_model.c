/* Random operations against a simple model of each stream. The remote side is an old peer: it does
 * nothing wrong, and goes on sending whatever we cancel. What has to hold, always:
 *
 * - every byte arrives once and in order, on_end after the last one, on_close once and last;
 * - nothing is sent after an end, and no body after the end of the response;
 * - no event is a fault;
 * - when all is over, every request has exactly one end and every response an end or an abort, and
 *   nothing is left.
 *
 * Callbacks call back at random, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ground/base/rng.h"
#include "mesh/rpc/peer.h"

enum { N_SLOTS = 24, N_STEPS = 2000, N_SEEDS = 100, CHUNK_MAX = 3000, DEPTH_MAX = 3 };

/* What the remote side sends next. */
enum remote { REMOTE_NONE, REMOTE_HEAD, REMOTE_BODY, REMOTE_ABORTED, REMOTE_DONE };

struct world;

struct slot {
    struct world *world;
    uint32_t id;
    bool is_remote;
    enum remote remote;
    uint32_t n_fed; /* body bytes that the remote side has sent */
    /* the owner */
    struct fe_stream *stream; /* NULL: closed or canceled */
    uint32_t n_taken;
    uint32_t n_written;
    bool has_head;    /* on_response came, or respond was called */
    bool has_end;     /* on_end came */
    bool is_finished; /* end was called */
    bool is_stalled;  /* on_data took less than all, and resume was not called since */
    bool is_in_data;
    bool is_blocked;
    /* what was sent */
    uint32_t n_sent;
    bool sent_head;
    bool sent_end;
    bool sent_abort;
};

struct world {
    struct fe_sender sender;
    struct fe_peer peer;
    struct fe_pool pool;
    struct fe_rng_seeded seeded;
    struct fe_rng rng;
    size_t space;
    uint32_t next_local;
    uint32_t next_remote;
    struct slot *acceptor;
    unsigned depth;
    bool is_draining; /* owners take everything and do nothing else */
    struct slot slots[N_SLOTS];
};

static uint32_t below(struct world *world, uint32_t n)
{
    return fe_rng_below(&world->rng, n);
}

static struct slot *slot_of(struct world *world, uint32_t id)
{
    for (int i = 0; i < N_SLOTS; i++) {
        if (world->slots[i].remote != REMOTE_NONE && world->slots[i].id == id) {
            return &world->slots[i];
        }
    }
    fail_msg("a packet for stream %u, which never was", id);
    return NULL;
}

/* Byte `at` of each body of stream `id`. */
static uint8_t byte_at(uint32_t id, uint32_t at)
{
    return (uint8_t)(id * 31 + at % 251);
}

static struct fe_view body_of(uint32_t id, uint32_t at, uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        buf[i] = byte_at(id, at + (uint32_t)i);
    }
    return fe_view_of(buf, len);
}

static void check_body(uint32_t id, uint32_t at, struct fe_view bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        assert_int_equal(bytes.ptr[i], byte_at(id, at + (uint32_t)i));
    }
}

/* ---- what is sent ---- */

static struct world *world_of(const struct fe_sender *sender)
{
    return (struct world *)(uintptr_t)sender; /* its first member */
}

static uint32_t next_stream(struct fe_sender *sender)
{
    return world_of(sender)->next_local += 2;
}

static int send_request(struct fe_sender *sender, uint32_t stream, const struct fe_view *services,
                        size_t n_services, const struct fe_header *headers, size_t n_headers)
{
    (void)sender;
    (void)stream;
    (void)services;
    (void)n_services;
    (void)headers;
    (void)n_headers;
    return 0;
}

static int send_response(struct fe_sender *sender, uint32_t stream, bool handled,
                         const struct fe_header *headers, size_t n_headers)
{
    struct slot *slot = slot_of(world_of(sender), stream);

    (void)headers;
    (void)n_headers;
    assert_true(slot->is_remote);
    assert_false(slot->sent_end || slot->sent_abort);
    if (handled) {
        assert_false(slot->sent_head);
        slot->sent_head = true;
    } else {
        slot->sent_abort = true;
    }
    return 0;
}

static int send_data(struct fe_sender *sender, uint32_t stream, struct fe_view bytes)
{
    struct world *world = world_of(sender);
    struct slot *slot = slot_of(world, stream);

    assert_in_range(bytes.len, 1, world->space);
    assert_false(slot->sent_end || slot->sent_abort);
    if (slot->is_remote) {
        assert_true(slot->sent_head);
    } else {
        assert_int_not_equal(slot->remote, REMOTE_DONE);
    }
    check_body(stream, slot->n_sent, bytes);
    slot->n_sent += (uint32_t)bytes.len;
    world->space -= bytes.len;
    return 0;
}

static int send_end(struct fe_sender *sender, uint32_t stream, const struct fe_header *trailers,
                    size_t n_trailers)
{
    (void)trailers;
    (void)n_trailers;
    struct slot *slot = slot_of(world_of(sender), stream);

    assert_false(slot->sent_end);
    assert_true(!slot->is_remote || slot->sent_head);
    slot->sent_end = true;
    return 0;
}

static size_t space(const struct fe_sender *sender)
{
    return world_of(sender)->space;
}

/* ---- owners ---- */

static void act_somewhere(struct world *world);

/* In one of four callbacks something happens, here or in another stream. */
static void act_inside(struct world *world)
{
    if (!world->is_draining && world->depth < DEPTH_MAX && below(world, 4) == 0) {
        world->depth++;
        act_somewhere(world);
        world->depth--;
    }
}

static void on_response(struct fe_stream *stream, struct fe_headers headers)
{
    struct slot *slot = fe_stream_owner(stream);

    (void)headers;
    assert_ptr_equal(slot->stream, stream);
    assert_false(slot->is_remote || slot->has_head);
    slot->has_head = true;
    act_inside(slot->world);
}

static size_t on_data(struct fe_stream *stream, struct fe_view data)
{
    struct slot *slot = fe_stream_owner(stream);
    struct world *world = slot->world;
    size_t n = data.len;

    assert_ptr_equal(slot->stream, stream);
    assert_false(slot->is_stalled || slot->has_end || slot->is_in_data);
    assert_true(slot->is_remote || slot->has_head);
    assert_in_range(data.len, 1, slot->n_fed - slot->n_taken);
    if (!world->is_draining && below(world, 2) == 0) {
        n = below(world, (uint32_t)data.len + 1);
    }
    slot->is_in_data = true;
    slot->is_stalled = n < data.len;
    act_inside(world);
    check_body(slot->id, slot->n_taken, data);
    slot->is_in_data = false;
    slot->n_taken += (uint32_t)n;
    return n;
}

static void on_end(struct fe_stream *stream, struct fe_headers trailers)
{
    struct slot *slot = fe_stream_owner(stream);

    (void)trailers;
    assert_ptr_equal(slot->stream, stream);
    assert_false(slot->has_end);
    assert_int_equal(slot->n_taken, slot->n_fed);
    assert_int_equal(slot->remote, REMOTE_DONE);
    slot->has_end = true;
    if (!slot->is_remote) {
        slot->stream = NULL; /* it was the last event */
    }
    act_inside(slot->world);
}

static void on_writable(struct fe_stream *stream)
{
    struct slot *slot = fe_stream_owner(stream);

    assert_ptr_equal(slot->stream, stream);
    assert_true(slot->is_blocked);
    slot->is_blocked = false;
    act_inside(slot->world);
}

static void on_reset(struct fe_stream *stream, int code)
{
    struct slot *slot = fe_stream_owner(stream);

    assert_ptr_equal(slot->stream, stream);
    slot->stream = NULL;
    assert_false(slot->is_remote || slot->has_end);
    assert_int_equal(code, slot->has_head ? FLATEND_ERESET : FLATEND_EUNHANDLED);
    act_inside(slot->world);
}

static const struct fe_stream_ops stream_ops = {
    .on_response = on_response,
    .on_data = on_data,
    .on_end = on_end,
    .on_writable = on_writable,
    .on_reset = on_reset,
};

static void respond(struct slot *slot)
{
    if (slot->is_remote && !slot->has_head) {
        slot->has_head = true;
        assert_int_equal(fe_stream_respond(slot->stream, NULL, 0), 0);
    }
}

static void write_some(struct slot *slot)
{
    uint8_t buf[CHUNK_MAX];
    size_t len = below(slot->world, CHUNK_MAX + 1);
    ssize_t n;

    respond(slot);
    n = fe_stream_write(slot->stream, body_of(slot->id, slot->n_written, buf, len));
    assert_in_range(n, 0, len);
    slot->n_written += (uint32_t)n;
    slot->is_blocked = slot->is_blocked || (size_t)n < len;
    if (!slot->is_remote && slot->remote == REMOTE_DONE) {
        assert_int_equal(n, len);
    } else {
        assert_int_equal(slot->n_sent, slot->n_written);
    }
}

static void finish(struct slot *slot)
{
    respond(slot);
    slot->is_finished = true;
    slot->is_blocked = false;
    assert_int_equal(fe_stream_finish(slot->stream, NULL, 0), 0);
    if (slot->is_remote) {
        slot->stream = NULL; /* complete */
    }
}

static void resume(struct slot *slot)
{
    slot->is_stalled = false;
    fe_stream_resume(slot->stream);
}

static void cancel(struct slot *slot)
{
    struct fe_stream *stream = slot->stream;

    slot->stream = NULL;
    fe_stream_reset(stream, FE_REASON_CANCEL);
}

static void act_on(struct slot *slot)
{
    uint32_t what = below(slot->world, 20);

    if (what < 8) {
        resume(slot);
    } else if (what < 15) {
        if (!slot->is_finished) {
            write_some(slot);
        }
    } else if (what < 18) {
        if (!slot->is_finished) {
            finish(slot);
        }
    } else if (what < 19) {
        cancel(slot);
    }
}

/* ---- the remote side ---- */

static struct slot *free_slot(struct world *world)
{
    for (int i = 0; i < N_SLOTS; i++) {
        struct slot *slot = &world->slots[i];

        if (slot->is_in_data) {
            continue; /* its on_data is still on the stack */
        }
        if (slot->remote == REMOTE_NONE || (slot->remote == REMOTE_DONE && slot->stream == NULL)) {
            assert_true(slot->remote == REMOTE_NONE || slot->sent_end || slot->sent_abort);
            return slot;
        }
    }
    return NULL;
}

static void feed(struct world *world, const struct fe_event *event)
{
    struct flatend_error err;

    if (fe_peer_on_event(&world->peer, event, &err) != 0) {
        fail_msg("%s", err.text);
    }
}

static void feed_type(struct slot *slot, enum fe_event_type type, bool handled)
{
    struct fe_event event = {.type = type, .stream = slot->id};

    if (type == FE_EVENT_RESPONSE) {
        event.u.response.handled = handled;
    }
    feed(slot->world, &event);
}

static void feed_some(struct slot *slot)
{
    uint8_t buf[CHUNK_MAX];
    size_t len = 1 + below(slot->world, CHUNK_MAX);
    struct fe_event event = {.type = FE_EVENT_DATA, .stream = slot->id};

    event.u.data = body_of(slot->id, slot->n_fed, buf, len);
    slot->n_fed += (uint32_t)len;
    feed(slot->world, &event);
}

static void feed_end(struct slot *slot)
{
    slot->remote = REMOTE_DONE;
    feed_type(slot, FE_EVENT_END, false);
}

/* The next packet of one stream. */
static void remote_sends(struct slot *slot)
{
    uint32_t what = below(slot->world, 20);

    if (slot->remote == REMOTE_HEAD) {
        slot->remote = what < 18 ? REMOTE_BODY : REMOTE_DONE;
        feed_type(slot, FE_EVENT_RESPONSE, what < 18);
    } else if (slot->remote == REMOTE_ABORTED) {
        feed_end(slot);
    } else if (slot->remote == REMOTE_BODY) {
        if (what < 16) {
            feed_some(slot);
        } else if (what < 17 && !slot->is_remote) {
            slot->remote = REMOTE_ABORTED;
            feed_type(slot, FE_EVENT_RESPONSE, false);
        } else {
            feed_end(slot);
        }
    }
}

static void remote_requests(struct world *world)
{
    struct slot *slot = free_slot(world);

    if (slot == NULL) {
        return;
    }
    *slot = (struct slot){
        .world = world, .id = world->next_remote, .is_remote = true, .remote = REMOTE_BODY};
    world->next_remote += 2;
    world->acceptor = below(world, 8) == 0 ? NULL : slot;
    feed_type(slot, FE_EVENT_REQUEST, false);
    assert_true(world->acceptor != NULL || slot->sent_abort);
}

static void on_request(struct fe_peer *peer, struct fe_stream *stream, struct fe_names services,
                       struct fe_headers headers)
{
    struct world *world = peer->owner;
    struct slot *slot = world->acceptor;

    (void)services;
    (void)headers;
    if (slot != NULL) {
        slot->stream = stream;
        fe_stream_accept(stream, &stream_ops, slot);
        act_inside(world);
    }
}

static void on_nothing(struct fe_peer *peer)
{
    (void)peer;
}

/* ---- the run ---- */

static void open_one(struct world *world)
{
    const struct fe_view service = FE_VIEW_LIT("echo");
    const struct fe_stream_request request = {.services = &service, .n_services = 1};
    struct slot *slot = free_slot(world);

    if (slot == NULL) {
        return;
    }
    *slot = (struct slot){.world = world, .id = world->next_local + 2, .remote = REMOTE_HEAD};
    assert_int_equal(fe_stream_open(&world->peer, &request, &stream_ops, slot, &slot->stream), 0);
}

static void act_somewhere(struct world *world)
{
    struct slot *slot = &world->slots[below(world, N_SLOTS)];

    if (below(world, 8) == 0) {
        open_one(world);
    } else if (slot->remote != REMOTE_NONE && slot->stream != NULL) {
        act_on(slot);
    }
}

static void step(struct world *world)
{
    struct slot *slot = &world->slots[below(world, N_SLOTS)];
    uint32_t what = below(world, 10);

    if (what < 4) {
        act_somewhere(world);
    } else if (what < 5) {
        world->space = below(world, 2) == 0 ? 0 : below(world, 20000);
        fe_peer_on_writable(&world->peer);
    } else if (!fe_peer_want_read(&world->peer)) {
        return;
    } else if (what < 6) {
        remote_requests(world);
    } else if (slot->remote != REMOTE_NONE) {
        remote_sends(slot);
    }
}

/* Every stream comes to an end. */
static void drain(struct world *world)
{
    world->is_draining = true;
    world->space = SIZE_MAX;
    fe_peer_on_writable(&world->peer);
    for (int i = 0; i < N_SLOTS; i++) {
        struct slot *slot = &world->slots[i];

        if (slot->stream != NULL) {
            assert_false(slot->is_blocked);
            resume(slot);
        }
        while (slot->remote != REMOTE_NONE && slot->remote != REMOTE_DONE) {
            remote_sends(slot);
        }
        if (slot->stream != NULL) {
            assert_int_equal(slot->n_taken, slot->n_fed);
            assert_true(slot->has_end);
            finish(slot);
        }
        fe_peer_settle(&world->peer);
        assert_null(slot->stream);
        assert_true(slot->remote == REMOTE_NONE || slot->sent_end || slot->sent_abort);
    }
}

static void run(uint64_t seed)
{
    static const struct fe_sender_ops sender_ops = {
        .next_stream = next_stream,
        .request = send_request,
        .response = send_response,
        .data = send_data,
        .end = send_end,
        .space = space,
    };
    static const struct fe_peer_ops peer_ops = {
        .on_request = on_request,
        .on_output = on_nothing,
        .on_want_read = on_nothing,
    };
    static const uint8_t map_seed[16] = {1};
    static struct world world;

    world = (struct world){.sender = {.ops = &sender_ops}, .next_local = 1, .space = 10000};
    world.rng = fe_rng_from_seed(&world.seeded, seed);
    fe_pool_init(&world.pool);
    fe_peer_init(&world.peer, &world.sender, &world.pool, map_seed, &peer_ops, &world);
    for (int i = 0; i < N_STEPS; i++) {
        step(&world);
    }
    drain(&world);
    assert_int_equal(world.peer.n_streams, 0);
    assert_int_equal(world.peer.n_remote, 0);
    assert_int_equal(world.peer.n_late, 0);
    assert_int_equal(world.peer.n_waiting, 0);
    assert_int_equal(world.peer.n_backlogged, 0);
    assert_int_equal(world.peer.streams.n, 0);
    fe_peer_close(&world.peer, FLATEND_ECLOSED);
    fe_peer_deinit(&world.peer);
    fe_pool_deinit(&world.pool);
}

static void random_operations_keep_the_rules(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= N_SEEDS; seed++) {
        run(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_operations_keep_the_rules)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
