/* Each order of what can happen to a request that is kept, and to a call with a queue, up to so
 * many steps: what the peer does, what the application does, when the node's loop turns, and that
 * the node closes. Beside each goes a model of what flatend.h promises: what every call returns,
 * which events there are to be taken, and what the peer is sent in the end. The node is a real one,
 * on a loop that the test turns; its peers are fakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <uv.h>

#include <cmocka.h>

#include "mesh/node/context.h"
#include "mesh/node/outgoing.h"
#include "support/fake_peer.h"

enum {
    STEPS = 5,
    STEPS_CLOSED = 4, /* with a node that closes, which is made for it */
    PIECE = FE_HANDOFF_SMALL,
    N_EVENTS = 16,
    N_TURNS = 1000,
    STREAM = 2,      /* of the peer's request */
    CALL_STREAM = 1, /* of ours */
};

/* What happened in the world, and what has to come of it. */
struct model {
    bool is_left; /* finished, failed, closed: nothing is told any more */
    bool has_stream;
    bool is_freed;
    bool is_closed; /* the node */
    int code;       /* why it is gone */
    /* coming */
    size_t n_in;
    bool has_end;
    bool has_trailers;
    bool has_head; /* a call's response */
    bool owes_readable;
    /* going */
    size_t n_out;
    bool is_open;    /* the peer reads what is sent */
    bool is_blocked; /* it is waited for */
    bool has_written;
    bool has_finished;
    bool is_over; /* a call's response is complete */
    bool owes_writable;
    /* for the loop's next turn */
    bool is_posted;
    bool sends_head;
    bool resets;
    bool is_started; /* a call */
    /* told, and not taken */
    unsigned pending;
    /* what the peer is sent */
    int n_heads;
    int n_ends;
    int n_resets;
};

struct rig {
    uv_loop_t loop;
    struct fe_worker *worker;
    struct flatend_node *node;
    bool is_started;
    bool is_closed;
    struct flatend_queue *queue;
    struct trace trace;
    struct fake_peer peer;
    struct fe_peer_ops peer_ops;
    struct flatend_context *ctx;
    struct flatend_stream *stream;
    struct model model;
};

static struct rig rig;
static char sequence[STEPS + 1]; /* that is tried: of letters */
static char tag;
static uint8_t piece[PIECE];

/* ---- the model ------------------------------------------------------------------------------ */

static void model_post(struct model *model, enum flatend_event_type type)
{
    model->pending |= model->is_left ? 0 : 1U << type;
}

static void model_news(struct model *model)
{
    if (model->owes_readable) {
        model->owes_readable = false;
        model_post(model, FLATEND_EVENT_READABLE);
    }
}

static void model_space(struct model *model)
{
    if (model->owes_writable) {
        model->owes_writable = false;
        model_post(model, FLATEND_EVENT_WRITABLE);
    }
}

static void model_gone(struct model *model, int code, enum flatend_event_type type)
{
    model->has_stream = false;
    model->is_blocked = false;
    model->code = code;
    model_news(model);
    model_space(model);
    model_post(model, type);
}

/* Of the events that are pending a taker gets the lowest type first. */
static void expect_taken(void)
{
    struct model *const model = &rig.model;
    struct flatend_event events[N_EVENTS];
    const ssize_t n = flatend_queue_take(rig.queue, events, N_EVENTS, 0);
    ssize_t at = 0;

    for (int type = 1; type <= FLATEND_EVENT_TIMER; type++) {
        if ((model->pending & 1U << type) == 0) {
            continue;
        }
        assert_true(at < n);
        assert_int_equal(events[at].type, type);
        assert_ptr_equal(events[at].arg, &tag);
        assert_ptr_equal(events[at].context, rig.ctx);
        assert_ptr_equal(events[at].stream, rig.stream);
        assert_int_equal(events[at].code, type == FLATEND_EVENT_CANCELED ||
                                                  type == FLATEND_EVENT_DEADLINE ||
                                                  type == FLATEND_EVENT_FAILED
                                              ? model->code
                                              : 0);
        at++;
    }
    assert_int_equal(at, n);
    model->pending = 0;
}

/* ---- the rig -------------------------------------------------------------------------------- */

static void turn(void)
{
    uv_run(&rig.loop, UV_RUN_NOWAIT);
}

static void on_started(void *arg, int code)
{
    (void)arg;
    assert_int_equal(code, 0);
    rig.is_started = true;
}

static void on_node_closed(void *arg)
{
    (void)arg;
    rig.is_closed = true;
}

static void on_request(struct fe_peer *peer, struct fe_stream *stream, struct fe_names services,
                       struct fe_headers headers)
{
    fe_node_on_request(rig.node, peer, stream, services, headers);
}

static void keep(struct flatend_context *ctx, void *arg)
{
    (void)arg;
    rig.ctx = ctx;
    assert_int_equal(flatend_context_keep(ctx, rig.queue, &tag), 0);
}

static void open_node(void)
{
    const struct flatend_service services[] = {
        {.name = "echo", .queue = rig.queue, .arg = &tag, .flags = FLATEND_SERVICE_STREAMING},
        {.name = "kept",
         .handler = keep,
         .flags = FLATEND_SERVICE_INLINE | FLATEND_SERVICE_STREAMING},
        {.name = "whole", .queue = rig.queue, .arg = &tag},
    };
    struct flatend_options options = FLATEND_OPTIONS_INIT;

    options.services = services;
    options.n_services = 3;
    options.shutdown_timeout_ms = 0;
    rig.is_started = false;
    rig.is_closed = false;
    assert_int_equal(uv_loop_init(&rig.loop), 0);
    assert_int_equal(fe_worker_new(&rig.worker, &rig.loop), 0);
    fe_worker_enter(rig.worker);
    assert_int_equal(fe_node_new_on(&options, rig.worker, &rig.node, NULL), 0);
    assert_int_equal(fe_node_start_on(rig.node, NULL, 0, on_started, NULL, NULL), 0);
    for (int i = 0; i < N_TURNS && !rig.is_started; i++) {
        turn();
    }
    assert_true(rig.is_started);
    /* So that a direction is full after one piece: others hold all that they may. */
    atomic_fetch_add(&rig.node->handoffs.n_waiting, FE_HANDOFF_ALL_MAX);
}

static void close_node(void)
{
    if (!rig.is_closed) {
        fe_node_close_on(rig.node, on_node_closed, NULL);
    }
    for (int i = 0; i < N_TURNS && !rig.is_closed; i++) {
        uv_run(&rig.loop, UV_RUN_ONCE);
        if (fe_node_get_state(rig.node) == FE_NODE_CLOSING && rig.peer.peer.registry != NULL) {
            fe_registry_remove(rig.peer.peer.registry, &rig.peer.peer); /* as its link would */
        }
    }
    assert_true(rig.is_closed);
}

static void free_node(void)
{
    atomic_fetch_sub(&rig.node->handoffs.n_waiting, FE_HANDOFF_ALL_MAX);
    assert_int_equal(flatend_node_free(rig.node), 0);
    rig.node = NULL;
    fe_worker_free(rig.worker, NULL, NULL);
    uv_run(&rig.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&rig.loop), 0);
}

static int count(const char *what)
{
    int n = 0;

    for (const char *at = rig.trace.text; (at = strstr(at, what)) != NULL; at++) {
        n++;
    }
    return n;
}

/* A world of its own for each sequence, but for the node, which is there until one closes it. */
static void open_world(enum fe_dialect dialect)
{
    static const struct fe_flow flow = {
        .stream_out = 1 << 20,
        .connection_out = 1 << 30,
        .stream_in = 1 << 20,
        .connection_in = 1 << 30,
        .streams_out = 10,
    };

    if (rig.node == NULL) {
        open_node();
    }
    rig.trace = (struct trace){.len = 0};
    rig.ctx = NULL;
    rig.stream = NULL;
    if (dialect == FE_DIALECT_SECURE) {
        fake_peer_init_secure(&rig.peer, &rig.trace, CALL_STREAM, &flow);
    } else {
        fake_peer_init(&rig.peer, &rig.trace, CALL_STREAM);
    }
    rig.peer.peer.is_anonymous = true;
    rig.peer_ops = *rig.peer.peer.ops;
    rig.peer_ops.on_request = on_request;
    rig.peer.peer.ops = &rig.peer_ops;
    rig.peer.sender.sender.head_max = FE_HEAD_MAX;
    rig.model = (struct model){.is_open = true, .has_stream = true};
}

/* What the peer was sent is what the model says, and nobody is told anything any more. */
static void close_world(void)
{
    const struct model *const model = &rig.model;

    expect_taken();
    assert_int_equal(count("response("), rig.ctx != NULL ? model->n_heads : 0);
    assert_int_equal(count("request("), rig.stream != NULL ? model->n_heads : 0);
    assert_int_equal(count("end("), model->n_ends);
    assert_int_equal(count("reset("), model->n_resets);
    if (rig.node != NULL && rig.is_closed) {
        free_node();
    } else if (rig.node != NULL) {
        assert_int_equal(rig.node->n_contexts, 0);
        assert_int_equal(rig.node->n_calls, 0);
        assert_int_equal(atomic_load(&rig.node->handoffs.n_waiting), FE_HANDOFF_ALL_MAX);
    }
    fake_peer_deinit(&rig.peer);
    expect_taken();
}

/* ---- what requests and calls have in common ------------------------------------------------- */

/* Sends what it may. */
static void model_send(struct model *model)
{
    if (!model->is_open) {
        model->is_blocked = model->n_out > 0;
        return;
    }
    model->is_blocked = false;
    model->n_out = 0;
    model_space(model);
}

static ssize_t model_read(struct model *model)
{
    const size_t n = model->n_in;

    model->n_in = 0;
    if (n > 0) {
        return (ssize_t)n;
    }
    if (model->has_end) {
        return 0;
    }
    if (model->code != 0) {
        return model->code;
    }
    model->owes_readable = true;
    model->pending &= ~(1U << FLATEND_EVENT_READABLE);
    return FLATEND_EAGAIN;
}

static int model_write(struct model *model)
{
    if (model->code != 0) {
        return model->code;
    }
    if (model->n_out >= PIECE) {
        model->owes_writable = true;
        model->pending &= ~(1U << FLATEND_EVENT_WRITABLE);
        return FLATEND_EAGAIN;
    }
    model->n_out += PIECE;
    model->sends_head = true;
    model->is_posted = !model->is_closed;
    return 0;
}

static void model_leave(struct model *model)
{
    model->is_left = true;
    model->pending = 0;
    model->is_posted = true;
}

static void feed_open_or_close(struct model *model)
{
    model->is_open = !model->is_open;
    rig.peer.sender.space = model->is_open ? SIZE_MAX : 0;
    if (model->is_open) {
        fe_peer_on_writable(&rig.peer.peer);
    }
}

/* ---- a request ------------------------------------------------------------------------------ */

static void begin_request(const char *service)
{
    struct fe_event event = {
        .type = FE_EVENT_REQUEST,
        .stream = STREAM,
        .u.request.services = {.bytes = fe_view_str(service), .n = 1},
    };
    struct flatend_event told;

    open_world(FE_DIALECT_SECURE);
    assert_int_equal(fe_peer_on_event(&rig.peer.peer, &event, NULL), 0);
    if (rig.ctx != NULL) {
        turn(); /* its handler has returned */
        return;
    }
    assert_int_equal(flatend_queue_take(rig.queue, &told, 1, 0), 1);
    assert_int_equal(told.type, FLATEND_EVENT_REQUEST);
    rig.ctx = told.context;
}

/* What was commanded so far is done. `by_task`: the last command, too. */
static void model_pump(struct model *model, bool by_task)
{
    if (model->has_stream && model->sends_head) {
        model->n_heads = 1;
    }
    if (model->has_stream && model->resets) {
        model->n_resets++;
        model_gone(model, FLATEND_ERESET, FLATEND_EVENT_CANCELED);
    } else if (model->has_stream && model->sends_head) {
        model_send(model);
        if (model->has_finished && model->n_out == 0) {
            model->n_ends++;
            model->n_resets += model->has_end ? 0 : 1; /* the rest of the request is not needed */
            model->has_stream = false;
        }
    }
    if (!model->has_stream && model->is_left && (by_task || !model->is_posted)) {
        model->is_freed = true;
    }
}

static void model_turn(struct model *model)
{
    if (model->is_posted) {
        model->is_posted = false;
        model_pump(model, true);
    }
}

static bool peer_sends_data(struct model *model)
{
    if (!model->has_stream || model->has_end) {
        return false;
    }
    assert_int_equal(feed_data(&rig.peer, STREAM, "abc"), 0);
    model->n_in += 3;
    model_news(model);
    return true;
}

static bool peer_ends(struct model *model)
{
    if (!model->has_stream || model->has_end) {
        return false;
    }
    assert_int_equal(feed_end(&rig.peer, STREAM), 0);
    model->has_end = true;
    model_news(model);
    return true;
}

static bool peer_cancels(struct model *model)
{
    if (!model->has_stream) {
        return false;
    }
    assert_int_equal(feed_reset(&rig.peer, STREAM, FE_REASON_CANCEL), 0);
    model_gone(model, FLATEND_ERESET, FLATEND_EVENT_CANCELED);
    model_pump(model, false);
    return true;
}

static bool time_is_up(struct model *model)
{
    if (!model->has_stream) {
        return false;
    }
    fe_context_on_deadline(&rig.ctx->deadline);
    if (model->n_heads == 0) { /* it is the head's */
        model->n_resets++;
        model_gone(model, FLATEND_ETIMEDOUT, FLATEND_EVENT_DEADLINE);
    }
    return true;
}

static bool peer_reads_or_not(struct model *model)
{
    const bool was_blocked = model->is_blocked;

    if (!model->has_stream) {
        return false;
    }
    feed_open_or_close(model);
    if (model->is_open && was_blocked) {
        model_pump(model, false);
    }
    return true;
}

static bool read_request(struct model *model)
{
    char bytes[64];

    if (model->is_left) {
        return false;
    }
    assert_int_equal(flatend_context_read(rig.ctx, bytes, sizeof(bytes)), model_read(model));
    return true;
}

static bool write_response(struct model *model)
{
    if (model->is_left) {
        return false;
    }
    model->has_written = true; /* also if it fails: the head is as it is */
    assert_int_equal(flatend_context_write(rig.ctx, piece, PIECE), model_write(model));
    return true;
}

static bool finish_response(struct model *model)
{
    if (model->is_left) {
        return false;
    }
    assert_int_equal(flatend_context_finish(rig.ctx), model->code);
    model->has_finished = model->code == 0;
    model->sends_head = model->sends_head || model->code == 0;
    model->resets = model->code != 0;
    model_leave(model);
    return true;
}

static bool fail_request(struct model *model)
{
    int code;

    if (model->is_left) {
        return false;
    }
    code = flatend_context_fail(rig.ctx, 404, "not there");
    if (model->has_written) {
        assert_int_equal(code, 0);
        model->resets = true;
    } else {
        assert_int_equal(code, model->code);
        model->n_out += code == 0 ? 1 : 0;
        model->has_finished = code == 0;
        model->sends_head = code == 0;
        model->resets = code != 0;
    }
    model_leave(model);
    return true;
}

static bool take(struct model *model)
{
    (void)model;
    expect_taken();
    return true;
}

static bool loop_turns(struct model *model)
{
    if (model->is_closed) {
        return false;
    }
    turn();
    model_turn(model);
    return true;
}

static bool node_closes(struct model *model)
{
    if (model->is_closed) {
        return false;
    }
    close_node();
    model_turn(model);
    if (model->has_stream) {
        model->n_resets++;
        model_gone(model, FLATEND_ECANCELED, FLATEND_EVENT_CANCELED);
    } else if (!model->is_left && model->code == 0) {
        model->code = FLATEND_ECANCELED;
    }
    model->is_freed = model->is_left;
    model->is_closed = true;
    return true;
}

static void end_request(struct model *model)
{
    expect_taken();
    if (!model->is_left) {
        (void)finish_response(model);
    }
    if (!model->is_closed) {
        turn();
        model_turn(model);
    }
    if (!model->is_open && model->has_stream) {
        (void)peer_reads_or_not(model);
    }
    close_world();
}

/* ---- a call --------------------------------------------------------------------------------- */

static void begin_call(void)
{
    const char *name = "far";
    const struct flatend_request request = {
        .services = &name, .n_services = 1, .queue = rig.queue, .arg = &tag};

    open_world(FE_DIALECT_SECURE);
    assert_int_equal(fe_registry_offer(fe_node_registry(rig.node), &rig.peer.peer,
                                       (struct fe_names){.bytes = FE_VIEW_LIT("\3far"), .n = 1}),
                     0);
    assert_int_equal(flatend_push(rig.node, &request, &rig.stream, NULL), 0);
    rig.model.is_posted = true;
    rig.model.sends_head = true;
}

static void model_pump_call(struct model *model)
{
    if (!model->has_stream) {
        return;
    }
    model_send(model);
    if (model->has_finished && model->n_out == 0) {
        model->n_ends = 1;
    }
}

static void model_turn_call(struct model *model)
{
    if (!model->is_posted) {
        return;
    }
    model->is_posted = false;
    if (model->is_left) {
        model->n_resets += model->is_started && model->has_stream;
        model->has_stream = false;
        return;
    }
    model->is_started = true;
    model->n_heads = 1;
    model_pump_call(model);
}

static bool is_running(const struct model *model)
{
    return model->is_started && model->has_stream;
}

static bool provider_responds(struct model *model)
{
    if (!is_running(model) || model->has_head) {
        return false;
    }
    assert_int_equal(feed_response(&rig.peer, CALL_STREAM, true), 0);
    model->has_head = true;
    model_post(model, FLATEND_EVENT_RESPONSE);
    return true;
}

static bool provider_sends_data(struct model *model)
{
    if (!is_running(model) || !model->has_head) {
        return false;
    }
    assert_int_equal(feed_data(&rig.peer, CALL_STREAM, "abc"), 0);
    model->n_in += 3;
    model_news(model);
    return true;
}

/* The rest of the request is not needed any more. */
static void model_end_call(struct model *model)
{
    model->has_end = true;
    model->has_stream = false;
    model->is_over = true;
    model->n_resets += model->n_ends == 0;
    model->n_out = 0;
    model_news(model);
    model_space(model);
    model_post(model, FLATEND_EVENT_END);
}

static bool provider_ends(struct model *model)
{
    if (!is_running(model) || !model->has_head) {
        return false;
    }
    assert_int_equal(feed_end(&rig.peer, CALL_STREAM), 0);
    model_end_call(model);
    return true;
}

static bool provider_ends_with_trailers(struct model *model)
{
    if (!is_running(model) || !model->has_head) {
        return false;
    }
    assert_int_equal(feed_end_with(&rig.peer, CALL_STREAM, FE_VIEW_LIT("\1a\0\1b"), 1), 0);
    model->has_trailers = true;
    model_post(model, FLATEND_EVENT_TRAILERS);
    model_end_call(model);
    return true;
}

static bool provider_fails(struct model *model)
{
    if (!is_running(model)) {
        return false;
    }
    assert_int_equal(feed_reset(&rig.peer, CALL_STREAM, FE_REASON_INTERNAL), 0);
    model_gone(model, FLATEND_ERESET, FLATEND_EVENT_FAILED);
    return true;
}

static bool provider_reads_or_not(struct model *model)
{
    const bool was_blocked = model->is_blocked;

    if (!is_running(model)) {
        return false;
    }
    feed_open_or_close(model);
    if (model->is_open && was_blocked) {
        model_pump_call(model);
    }
    return true;
}

static bool ask_for_response(struct model *model)
{
    int code = model->code != 0 ? model->code : FLATEND_EAGAIN;
    int status = 0;

    if (model->is_left) {
        return false;
    }
    assert_int_equal(flatend_stream_response(rig.stream, &status, NULL, NULL),
                     model->has_head ? 0 : code);
    assert_int_equal(status, model->has_head ? 200 : 0);
    return true;
}

static bool read_response(struct model *model)
{
    char bytes[64];
    ssize_t n;
    size_t n_trailers;

    if (model->is_left) {
        return false;
    }
    n = model_read(model);
    assert_int_equal(flatend_stream_read(rig.stream, bytes, sizeof(bytes)), n);
    (void)flatend_stream_trailers(rig.stream, &n_trailers);
    assert_int_equal(n_trailers, model->has_trailers && model->n_in == 0 ? 1 : 0);
    return true;
}

static bool write_request(struct model *model)
{
    int code;

    if (model->is_left) {
        return false;
    }
    if (model->has_finished) {
        code = FLATEND_ESTATE;
    } else {
        code = model->is_over ? 0 : model_write(model);
    }
    assert_int_equal(flatend_stream_write(rig.stream, piece, PIECE), code);
    return true;
}

static bool finish_request(struct model *model)
{
    if (model->is_left || model->has_finished) {
        return false;
    }
    assert_int_equal(flatend_stream_finish(rig.stream), 0);
    model->has_finished = true;
    model->is_posted = !model->is_closed;
    return true;
}

static bool close_call(struct model *model)
{
    if (model->is_left) {
        return false;
    }
    flatend_stream_close(rig.stream);
    model_leave(model);
    return true;
}

static bool loop_turns_for_call(struct model *model)
{
    if (model->is_closed) {
        return false;
    }
    turn();
    model_turn_call(model);
    return true;
}

static bool node_closes_with_call(struct model *model)
{
    if (model->is_closed) {
        return false;
    }
    close_node();
    model_turn_call(model);
    if (model->has_stream) {
        model->n_resets++;
        model_gone(model, FLATEND_ECANCELED, FLATEND_EVENT_FAILED);
    }
    model->is_closed = true;
    return true;
}

static void end_call(struct model *model)
{
    expect_taken();
    (void)close_call(model);
    (void)loop_turns_for_call(model);
    close_world();
}

/* ---- sequences ------------------------------------------------------------------------------ */

struct step {
    char letter;
    bool (*take)(struct model *model); /* false: it cannot happen now */
};

struct machine {
    const struct step *steps;
    size_t n_steps;
    void (*begin)(void);
    void (*end)(struct model *model);
};

/* Runs the sequence that `at` says; returns how many steps could be taken. */
static size_t run(const struct machine *machine, const size_t *at, size_t n)
{
    size_t i = 0;

    machine->begin();
    memset(sequence, 0, sizeof(sequence));
    while (i < n) {
        sequence[i] = machine->steps[at[i]].letter;
        if (!machine->steps[at[i]].take(&rig.model)) {
            break;
        }
        i++;
    }
    machine->end(&rig.model);
    return i;
}

/* The next one behind all that begin as this one does up to `i`. False: there is none. */
static bool next(const struct machine *machine, size_t *at, size_t n, size_t i)
{
    for (size_t j = i + 1; j < n; j++) {
        at[j] = 0;
    }
    while (++at[i] == machine->n_steps) {
        at[i] = 0;
        if (i == 0) {
            return false;
        }
        i--;
    }
    return true;
}

static void try_all(const struct machine *machine, size_t n)
{
    size_t at[STEPS] = {0};
    size_t n_taken;

    do {
        n_taken = run(machine, at, n);
    } while (next(machine, at, n, n_taken < n ? n_taken : n - 1));
    sequence[0] = '\0';
}

static const struct step request_steps[] = {
    {'d', peer_sends_data},   {'e', peer_ends},    {'x', peer_cancels},   {'l', time_is_up},
    {'o', peer_reads_or_not}, {'r', read_request}, {'w', write_response}, {'f', finish_response},
    {'k', fail_request},      {'t', take},         {'u', loop_turns},     {'n', node_closes},
};

static const struct step call_steps[] = {
    {'h', provider_responds},   {'d', provider_sends_data},
    {'e', provider_ends},       {'i', provider_ends_with_trailers},
    {'x', provider_fails},      {'o', provider_reads_or_not},
    {'q', ask_for_response},    {'r', read_response},
    {'w', write_request},       {'f', finish_request},
    {'c', close_call},          {'t', take},
    {'u', loop_turns_for_call}, {'n', node_closes_with_call},
};

enum { N_CALL_STEPS = sizeof(call_steps) / sizeof(call_steps[0]) };
enum { N_REQUEST_STEPS = sizeof(request_steps) / sizeof(request_steps[0]) };

static void begin_queued(void)
{
    begin_request("\4echo");
}

static void begin_kept(void)
{
    begin_request("\4kept");
}

/* The last step closes the node. */
static void try_machine(struct machine machine)
{
    machine.n_steps--;
    try_all(&machine, STEPS);
    machine.n_steps++;
    try_all(&machine, STEPS_CLOSED);
}

static void each_order_of_a_queued_request(void **state)
{
    (void)state;
    try_machine((struct machine){request_steps, N_REQUEST_STEPS, begin_queued, end_request});
}

static void each_order_of_a_kept_request(void **state)
{
    (void)state;
    try_machine((struct machine){request_steps, N_REQUEST_STEPS, begin_kept, end_request});
}

static void each_order_of_a_call(void **state)
{
    (void)state;
    try_machine((struct machine){call_steps, N_CALL_STEPS, begin_call, end_call});
}

/* An old peer is not told that time is up, and its request goes on: it is not started any more. */
static void a_request_that_is_late_is_not_told(void **state)
{
    struct fe_event event = {
        .type = FE_EVENT_REQUEST,
        .stream = STREAM,
        .u.request.services = {.bytes = FE_VIEW_LIT("\5whole"), .n = 1},
    };
    struct flatend_context *ctx;
    struct flatend_event told;

    (void)state;
    open_world(FE_DIALECT_OLD);
    assert_int_equal(fe_peer_on_event(&rig.peer.peer, &event, NULL), 0);
    ctx = FE_CONTAINER_OF(rig.node->contexts.next, struct flatend_context, link);
    fe_context_on_deadline(&ctx->deadline);
    assert_int_equal(feed_end(&rig.peer, STREAM), 0);
    assert_int_equal(flatend_queue_take(rig.queue, &told, 1, 0), 0);
    assert_int_equal(rig.node->n_contexts, 0);
    rig.trace.len = 0;
    rig.trace.text[0] = '\0';
    close_world();
}

static int setup(void **state)
{
    (void)state;
    return flatend_queue_new(&rig.queue);
}

static int teardown(void **state)
{
    (void)state;
    if (sequence[0] != '\0') {
        print_error("sequence \"%s\": %s\n", sequence, rig.trace.text);
        return 0;
    }
    if (rig.node != NULL) {
        close_node();
        free_node();
    }
    flatend_queue_free(rig.queue);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_order_of_a_queued_request, setup, teardown),
        cmocka_unit_test_setup_teardown(each_order_of_a_kept_request, setup, teardown),
        cmocka_unit_test_setup_teardown(each_order_of_a_call, setup, teardown),
        cmocka_unit_test_setup_teardown(a_request_that_is_late_is_not_told, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
