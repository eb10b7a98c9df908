/* Two peers with windows, one at each end of a wire that delivers late, do random things to each
 * other. What has to hold, always:
 *
 * - every byte arrives once and in order, on_end after the last one, with the trailers that were
 *   sent, on_close once and last;
 * - no window is exceeded, of a stream or of the connection, by counts that are kept here;
 * - nothing is sent on a stream that its sender has ended or reset; no packet is a fault;
 * - a stream fails only if the other side gave it up; a response that was ended arrives whole,
 *   unless its requester gave up;
 * - when both sides read and write again, everything comes to an end: no writer waits for a window
 *   that is not granted. Then nothing is left, and no byte of the connection's windows is lost.
 *
 * Callbacks call back at random, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ground/base/rng.h"
#include "mesh/rpc/peer.h"

enum {
    N_TALKS = 600, /* requests in one run */
    N_STEPS = 3000,
    N_SEEDS = 60,
    N_ROUNDS = 10000, /* of draining; more is a deadlock */
    CHUNK_MAX = 3000,
    DEPTH_MAX = 3,
    TRAILERS_MAX = 2,
};

struct world;

struct packet {
    struct packet *next;
    struct fe_event event;
    uint8_t data[]; /* exactly as long as it is: the sanitizer sees a read beyond */
};

struct side {
    struct fe_sender sender; /* first */
    struct world *world;
    struct fe_peer peer;
    struct packet *first; /* on the wire, to the other side */
    struct packet **last;
    size_t space;
    uint32_t next_id;
    int64_t credit; /* connection: what it may send */
};

/* One side's view of one request. */
struct end {
    struct side *side;
    struct end *other;
    uint32_t id;
    bool is_requester;
    struct fe_stream *stream; /* NULL: none yet, closed or given up */
    int64_t credit;
    uint32_t n_written;
    uint32_t n_taken;
    unsigned n_trailers;
    bool has_head; /* on_response came, or respond was called */
    bool has_end;  /* on_end came */
    bool is_finished;
    bool is_blocked;
    bool is_stalled;
    bool is_in_data;
    bool gave_up; /* reset it, or did not take the request */
    /* what was sent */
    bool sent_head;
    bool sent_end;
    bool sent_reset;
};

struct world {
    struct side sides[2];
    struct fe_pool pool;
    struct fe_rng_seeded seeded;
    struct fe_rng rng;
    struct end talks[N_TALKS][2]; /* requester, provider */
    unsigned n_talks;
    struct end *opening;  /* while a request is sent */
    struct end *incoming; /* while one is received; NULL: it is not to be taken */
    unsigned depth;
    bool is_draining;
};

static uint32_t below(struct world *world, uint32_t n)
{
    return fe_rng_below(&world->rng, n);
}

static struct end *end_of(struct side *side, uint32_t id)
{
    struct world *world = side->world;

    for (unsigned i = 0; i < world->n_talks; i++) {
        struct end *ends = world->talks[i];

        if (ends[0].id == id) {
            return ends[0].side == side ? &ends[0] : &ends[1];
        }
    }
    fail_msg("a packet for stream %u, which never was", id);
    return NULL;
}

static uint8_t byte_at(const struct end *writer, uint32_t at)
{
    return (uint8_t)(writer->id * 31 + at % 251 + writer->is_requester * 101);
}

/* ---- the wire ---- */

static struct side *side_of(const struct fe_sender *sender)
{
    return (struct side *)(uintptr_t)sender;
}

static void put(struct side *side, const struct fe_event *event, struct fe_view data)
{
    struct packet *packet = malloc(sizeof(*packet) + data.len);

    assert_non_null(packet);
    packet->next = NULL;
    packet->event = *event;
    if (data.len > 0) {
        memcpy(packet->data, data.ptr, data.len);
        packet->event.u.data = fe_view_of(packet->data, data.len);
    }
    *side->last = packet;
    side->last = &packet->next;
}

static struct packet *take(struct side *side)
{
    struct packet *packet = side->first;

    if (packet != NULL) {
        side->first = packet->next;
        if (side->first == NULL) {
            side->last = &side->first;
        }
    }
    return packet;
}

static uint32_t next_stream(struct fe_sender *sender)
{
    uint32_t id = side_of(sender)->next_id;

    side_of(sender)->next_id += 2;
    return id;
}

static int send_request(struct fe_sender *sender, uint32_t stream, const struct fe_view *services,
                        size_t n_services, const struct fe_header *headers, size_t n_headers)
{
    const struct fe_event event = {.type = FE_EVENT_REQUEST, .stream = stream};
    struct side *side = side_of(sender);

    (void)services;
    (void)n_services;
    (void)headers;
    (void)n_headers;
    side->world->opening[0].id = stream;
    side->world->opening[1].id = stream;
    put(side, &event, (struct fe_view){0});
    return 0;
}

static struct end *speaker(struct fe_sender *sender, uint32_t stream)
{
    struct end *end = end_of(side_of(sender), stream);

    assert_false(end->sent_end && !end->is_requester);
    assert_false(end->sent_reset);
    return end;
}

static int send_response(struct fe_sender *sender, uint32_t stream, bool handled,
                         const struct fe_header *headers, size_t n_headers)
{
    const struct fe_event event = {
        .type = FE_EVENT_RESPONSE, .stream = stream, .u.response.handled = handled};
    struct end *end = speaker(sender, stream);

    (void)headers;
    (void)n_headers;
    assert_false(end->is_requester || end->sent_head);
    end->sent_head = true;
    end->gave_up = end->gave_up || !handled;
    end->sent_reset = !handled; /* nothing may follow */
    put(side_of(sender), &event, (struct fe_view){0});
    return 0;
}

static int send_data(struct fe_sender *sender, uint32_t stream, struct fe_view bytes)
{
    const struct fe_event event = {.type = FE_EVENT_DATA, .stream = stream};
    struct side *side = side_of(sender);
    struct end *end = speaker(sender, stream);

    assert_in_range(bytes.len, 1, side->space);
    assert_true((int64_t)bytes.len <= end->credit && (int64_t)bytes.len <= side->credit);
    assert_true(!end->sent_end && (end->is_requester || end->sent_head));
    end->credit -= (int64_t)bytes.len;
    side->credit -= (int64_t)bytes.len;
    side->space -= side->space == SIZE_MAX ? 0 : bytes.len;
    put(side, &event, bytes);
    return 0;
}

static int send_end(struct fe_sender *sender, uint32_t stream, const struct fe_header *trailers,
                    size_t n_trailers)
{
    static const uint8_t encoded[] = "\1a\0\0\1a\0"; /* its last NUL belongs to it */
    struct fe_event event = {.type = FE_EVENT_END, .stream = stream};
    struct end *end = speaker(sender, stream);

    (void)trailers;
    assert_true(!end->sent_end && (end->is_requester || end->sent_head));
    end->sent_end = true;
    event.u.trailers.n = (uint16_t)n_trailers;
    event.u.trailers.bytes = fe_view_of(encoded, 4 * n_trailers);
    put(side_of(sender), &event, (struct fe_view){0});
    return 0;
}

static int send_reset(struct fe_sender *sender, uint32_t stream, enum fe_reason reason,
                      struct fe_view text)
{
    const struct fe_event event = {
        .type = FE_EVENT_RESET, .stream = stream, .u.reset.reason = reason};
    struct end *end = end_of(side_of(sender), stream);

    (void)text;
    assert_false(end->sent_reset);
    assert_true(end->is_requester || !end->sent_end || reason == FE_REASON_NONE);
    end->sent_reset = true;
    put(side_of(sender), &event, (struct fe_view){0});
    return 0;
}

static int send_window(struct fe_sender *sender, uint32_t stream, uint32_t increment)
{
    const struct fe_event event = {
        .type = FE_EVENT_WINDOW, .stream = stream, .u.increment = increment};

    assert_true(increment > 0);
    put(side_of(sender), &event, (struct fe_view){0});
    return 0;
}

static size_t space(const struct fe_sender *sender)
{
    return side_of(sender)->space;
}

/* The other side gets the next packet. */
static bool deliver(struct side *from)
{
    struct world *world = from->world;
    struct side *to = from == &world->sides[0] ? &world->sides[1] : &world->sides[0];
    struct packet *packet = take(from);
    struct flatend_error err;

    if (packet == NULL) {
        return false;
    }
    if (packet->event.type == FE_EVENT_WINDOW) {
        int64_t *credit =
            packet->event.stream == 0 ? &to->credit : &end_of(to, packet->event.stream)->credit;

        *credit += packet->event.u.increment;
    }
    if (packet->event.type == FE_EVENT_REQUEST && (world->is_draining || below(world, 8) != 0)) {
        world->incoming = end_of(to, packet->event.stream);
    }
    if (fe_peer_on_event(&to->peer, &packet->event, &err) != 0) {
        fail_msg("%s", err.text);
    }
    world->incoming = NULL;
    free(packet);
    return true;
}

/* ---- owners ---- */

static void act_somewhere(struct world *world);

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
    struct end *end = fe_stream_owner(stream);

    (void)headers;
    assert_ptr_equal(end->stream, stream);
    assert_true(end->is_requester && !end->has_head && end->other->sent_head);
    end->has_head = true;
    act_inside(end->side->world);
}

static size_t on_data(struct fe_stream *stream, struct fe_view data)
{
    struct end *end = fe_stream_owner(stream);
    struct world *world = end->side->world;
    size_t n = data.len;

    assert_ptr_equal(end->stream, stream);
    assert_false(end->is_stalled || end->has_end || end->is_in_data);
    assert_true(!end->is_requester || end->has_head);
    assert_in_range(data.len, 1, end->other->n_written - end->n_taken);
    if (!world->is_draining && below(world, 2) == 0) {
        n = below(world, (uint32_t)data.len + 1);
    }
    end->is_in_data = true;
    end->is_stalled = n < data.len;
    act_inside(world);
    for (size_t i = 0; i < data.len; i++) {
        assert_int_equal(data.ptr[i], byte_at(end->other, end->n_taken + (uint32_t)i));
    }
    end->is_in_data = false;
    end->n_taken += (uint32_t)n;
    return n;
}

static void on_end(struct fe_stream *stream, struct fe_headers trailers)
{
    struct end *end = fe_stream_owner(stream);
    struct fe_header header;
    unsigned n = 0;

    assert_ptr_equal(end->stream, stream);
    assert_true(!end->has_end && end->other->is_finished);
    assert_int_equal(end->n_taken, end->other->n_written);
    while (fe_headers_next(&trailers, &header)) {
        assert_true(fe_view_equal(header.name, FE_VIEW_LIT("a")));
        n++;
    }
    assert_int_equal(n, end->other->n_trailers);
    end->has_end = true;
    if (end->is_requester) {
        end->stream = NULL; /* it was the last event */
    }
    act_inside(end->side->world);
}

static void on_writable(struct fe_stream *stream)
{
    struct end *end = fe_stream_owner(stream);

    assert_ptr_equal(end->stream, stream);
    assert_true(end->is_blocked);
    end->is_blocked = false;
    act_inside(end->side->world);
}

static void on_reset(struct fe_stream *stream, int code)
{
    struct end *end = fe_stream_owner(stream);

    assert_ptr_equal(end->stream, stream);
    end->stream = NULL;
    assert_false(end->is_requester ? end->has_end : end->is_finished);
    if (code != FLATEND_ECLOSED) {
        assert_true(end->other->gave_up);
    }
    act_inside(end->side->world);
}

static const struct fe_stream_ops stream_ops = {
    .on_response = on_response,
    .on_data = on_data,
    .on_end = on_end,
    .on_writable = on_writable,
    .on_reset = on_reset,
};

static void respond(struct end *end)
{
    if (!end->is_requester && !end->has_head) {
        end->has_head = true;
        assert_int_equal(fe_stream_respond(end->stream, NULL, 0), 0);
    }
}

static void write_some(struct end *end)
{
    uint8_t buf[CHUNK_MAX];
    size_t len = below(end->side->world, CHUNK_MAX + 1);
    ssize_t n;

    for (size_t i = 0; i < len; i++) {
        buf[i] = byte_at(end, end->n_written + (uint32_t)i);
    }
    respond(end);
    n = fe_stream_write(end->stream, fe_view_of(buf, len));
    assert_in_range(n, 0, len);
    end->n_written += (uint32_t)n;
    end->is_blocked = end->is_blocked || (size_t)n < len;
}

static void finish(struct end *end)
{
    const struct fe_header trailers[TRAILERS_MAX] = {{FE_VIEW_LIT("a"), {0}},
                                                     {FE_VIEW_LIT("a"), {0}}};

    respond(end);
    end->is_finished = true;
    end->is_blocked = false;
    end->n_trailers = below(end->side->world, TRAILERS_MAX + 1);
    assert_int_equal(fe_stream_finish(end->stream, trailers, end->n_trailers), 0);
    if (!end->is_requester) {
        end->stream = NULL; /* complete */
    }
}

static void resume(struct end *end)
{
    end->is_stalled = false;
    fe_stream_resume(end->stream);
}

static void give_up(struct end *end)
{
    struct fe_stream *stream = end->stream;

    end->stream = NULL;
    end->gave_up = true;
    fe_stream_reset(stream, (enum fe_reason)below(end->side->world, FE_REASON_DENIED + 1));
}

static void act_on(struct end *end)
{
    uint32_t what = below(end->side->world, 40);

    if (what < 15) {
        resume(end);
    } else if (what < 30) {
        if (!end->is_finished) {
            write_some(end);
        }
    } else if (what < 34) {
        if (!end->is_finished) {
            finish(end);
        }
    } else if (what < 35) {
        give_up(end);
    }
}

static void on_request(struct fe_peer *peer, struct fe_stream *stream, struct fe_names services,
                       struct fe_headers headers)
{
    struct world *world = ((struct side *)peer->owner)->world;
    struct end *end = world->incoming;

    (void)services;
    (void)headers;
    world->incoming = NULL;
    if (end != NULL) {
        end->stream = stream;
        fe_stream_accept(stream, &stream_ops, end);
        act_inside(world);
    }
}

static void on_output(struct fe_peer *peer)
{
    (void)peer;
}

static void on_want_read(struct fe_peer *peer)
{
    (void)peer;
    fail_msg("the reading of a peer with windows never stops");
}

/* ---- the run ---- */

static void open_one(struct world *world)
{
    const struct fe_view service = FE_VIEW_LIT("echo");
    const struct fe_stream_request request = {.services = &service, .n_services = 1};
    uint32_t from = below(world, 2);
    struct side *side = &world->sides[from];
    struct end *ends = world->talks[world->n_talks];
    unsigned n_local = side->peer.n_streams - side->peer.n_remote;
    int code;

    if (world->n_talks == N_TALKS) {
        return;
    }
    for (int i = 0; i < 2; i++) {
        struct side *own = &world->sides[i == 0 ? from : 1 - from];

        ends[i] = (struct end){
            .side = own,
            .other = &ends[1 - i],
            .is_requester = i == 0,
            .credit = own->sender.flow.stream_out,
        };
    }
    world->opening = ends;
    world->n_talks++;
    code = fe_stream_open(&side->peer, &request, &stream_ops, &ends[0], &ends[0].stream);
    if (code != 0) {
        assert_int_equal(code, FLATEND_ELIMIT);
        assert_int_equal(n_local, side->sender.flow.streams_out);
        world->n_talks--;
    }
}

static void act_somewhere(struct world *world)
{
    /* The latest ones: the others are over, mostly. */
    unsigned n = world->n_talks < 40 ? world->n_talks : 40;

    if (n == 0 || below(world, 10) == 0) {
        open_one(world);
    } else {
        struct end *ends = world->talks[world->n_talks - 1 - below(world, n)];
        struct end *end = &ends[below(world, 2)];

        if (end->stream != NULL) {
            act_on(end);
        }
    }
}

static void step(struct world *world)
{
    struct side *side = &world->sides[below(world, 2)];
    uint32_t what = below(world, 10);

    if (what < 4) {
        act_somewhere(world);
    } else if (what < 5) {
        side->space = below(world, 2) == 0 ? 0 : below(world, 20000);
        fe_peer_on_writable(&side->peer);
    } else {
        (void)deliver(side);
    }
    fe_peer_settle(&side->peer);
}

/* One end goes on as far as it may; false when it is over. */
static bool go_on(struct end *end)
{
    if (end->stream != NULL && end->is_stalled) {
        resume(end);
    }
    if (end->stream != NULL && !end->is_finished && !end->is_blocked) {
        /* A writer that was blocked and can write again shows it, before it ends. */
        write_some(end);
        if (!end->is_blocked) {
            finish(end);
        }
    }
    return end->stream != NULL;
}

static void drain(struct world *world)
{
    bool is_busy = true;

    world->is_draining = true;
    for (int round = 0; is_busy; round++) {
        assert_true(round < N_ROUNDS);
        is_busy = false;
        for (unsigned i = 0; i < world->n_talks; i++) {
            is_busy = go_on(&world->talks[i][0]) || is_busy;
            is_busy = go_on(&world->talks[i][1]) || is_busy;
        }
        for (int i = 0; i < 2; i++) {
            world->sides[i].space = SIZE_MAX;
            fe_peer_on_writable(&world->sides[i].peer);
            while (deliver(&world->sides[i])) {
                is_busy = true;
            }
        }
    }
}

static void expect_nothing_lost(struct world *world)
{
    for (int i = 0; i < 2; i++) {
        const struct fe_peer *peer = &world->sides[i].peer;
        const struct fe_peer *other = &world->sides[1 - i].peer;

        assert_int_equal(peer->n_streams, 0);
        assert_int_equal(peer->n_remote, 0);
        assert_int_equal(peer->streams.n, 0);
        assert_int_equal(peer->n_waiting, 0);
        assert_int_equal(peer->n_trailers, 0);
        assert_true(fe_list_is_empty(&peer->blocked));
        assert_int_equal(world->sides[i].credit, peer->window_out);
        assert_int_equal(peer->window_out, other->window_in);
        assert_int_equal(other->window_in + other->returned, other->whole_in);
    }
}

static void side_init(struct world *world, int i, const struct fe_flow *flow)
{
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
    static const struct fe_peer_ops peer_ops = {
        .on_request = on_request,
        .on_output = on_output,
        .on_want_read = on_want_read,
    };
    static const uint8_t map_seed[16] = {1};
    const struct fe_event hello = {.type = FE_EVENT_HANDSHAKE};
    struct side *side = &world->sides[i];
    struct flatend_error err;

    *side = (struct side){
        .sender = {.ops = &sender_ops, .dialect = FE_DIALECT_SECURE, .flow = *flow},
        .world = world,
        .space = 10000,
        .next_id = i == 0 ? 1 : 2,
        .credit = flow->connection_out,
    };
    if (below(world, 2) == 0) {
        side->next_id -= 500; /* they wrap around in the middle of the run */
    }
    side->last = &side->first;
    fe_peer_init(&side->peer, &side->sender, &world->pool, map_seed, &peer_ops, side);
    assert_int_equal(fe_peer_on_event(&side->peer, &hello, &err), 0);
}

static void world_init(struct world *world, uint64_t seed)
{
    struct fe_flow flow;

    memset(world, 0, sizeof(*world));
    world->rng = fe_rng_from_seed(&world->seeded, seed);
    fe_pool_init(&world->pool);
    flow = (struct fe_flow){
        .stream_out = 1 + below(world, 5000),
        .connection_out = 1 + below(world, 20000),
        .stream_in = 1 + below(world, 5000),
        .connection_in = 1 + below(world, 20000),
        .streams_out = 1 + below(world, 30),
        .connection_in_max = below(world, 100000), /* mostly above: it may grow */
    };
    side_init(world, 0, &flow);
    flow = (struct fe_flow){
        .stream_out = flow.stream_in,
        .connection_out = flow.connection_in,
        .stream_in = flow.stream_out,
        .connection_in = flow.connection_out,
        .streams_out = 1 + below(world, 30),
    };
    side_init(world, 1, &flow);
    for (int i = 0; i < 2; i++) {
        uint32_t first = world->sides[i].peer.next_local;

        world->sides[1 - i].peer.last_remote = first > INT32_MAX ? first - 2 : 0;
    }
}

static void world_deinit(struct world *world)
{
    for (int i = 0; i < 2; i++) {
        struct packet *packet;

        fe_peer_close(&world->sides[i].peer, FLATEND_ECLOSED);
        while ((packet = take(&world->sides[i])) != NULL) {
            free(packet);
        }
    }
    for (unsigned i = 0; i < world->n_talks; i++) {
        assert_null(world->talks[i][0].stream);
        assert_null(world->talks[i][1].stream);
    }
    fe_peer_deinit(&world->sides[0].peer);
    fe_peer_deinit(&world->sides[1].peer);
    fe_pool_deinit(&world->pool);
}

static void both_sides_keep_the_rules(void **state)
{
    static struct world world;

    (void)state;
    for (uint64_t seed = 1; seed <= N_SEEDS; seed++) {
        world_init(&world, seed);
        for (int i = 0; i < N_STEPS; i++) {
            step(&world);
        }
        if (seed % 4 != 0) { /* else the connection is lost, in the middle of it all */
            drain(&world);
            expect_nothing_lost(&world);
        }
        world.is_draining = true;
        world_deinit(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(both_sides_keep_the_rules)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
