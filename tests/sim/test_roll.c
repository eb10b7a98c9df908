/* Providers that are replaced while requests keep coming, on virtual time: whatever the schedule,
 * no request is lost, and none is handled twice. None of them is idempotent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mesh/rpc/call.h"
#include "support/headers.h"
#include "support/sim.h"

enum {
    N_NODES = 4, /* the first one asks; the others provide, and are replaced */
    N_SEEDS = 30,
    N_STEPS = 1500,
    SERVE_MAX_MS = 60, /* what a handler takes */
    CALLS_MAX = 4096,
};

/* A request on its way through the caller's side. */
struct call {
    struct roll *roll;
    struct fe_call call;
    char id[16];
    struct fe_header header;
    unsigned n_handled;
    bool is_over;
    int code;
};

struct roll {
    struct sim *sim;
    struct call *calls;
    size_t n_calls;
};

static const struct fe_view service = {(const uint8_t *)"node", 4};

/* ---- the provider's side ---- */

struct serving {
    struct sim_node *node;
    struct fe_stream *stream;
    struct fe_timer timer;
};

static size_t on_body(struct fe_stream *stream, struct fe_view data)
{
    (void)stream;
    return data.len;
}

static void on_nothing(struct fe_stream *stream)
{
    (void)stream;
}

static void on_body_end(struct fe_stream *stream, struct fe_headers trailers)
{
    (void)stream;
    (void)trailers;
}

static void on_gone(struct fe_stream *stream, int code)
{
    struct serving *serving = fe_stream_owner(stream);

    (void)code;
    fe_timer_stop(sim_timers(serving->node->sim), &serving->timer);
    free(serving);
}

static const struct fe_stream_ops serving_ops = {
    .on_data = on_body,
    .on_end = on_body_end,
    .on_writable = on_nothing,
    .on_reset = on_gone,
};

static void on_served(struct fe_timer *timer)
{
    struct serving *serving = FE_CONTAINER_OF(timer, struct serving, timer);

    assert_int_equal(fe_stream_respond(serving->stream, NULL, 0), 0);
    assert_int_equal(fe_stream_write(serving->stream, FE_VIEW_LIT("done")), 4);
    assert_int_equal(fe_stream_finish(serving->stream, NULL, 0), 0);
    free(serving);
}

static size_t id_of(struct fe_headers headers)
{
    struct fe_view text = {0};
    size_t id = 0;

    assert_true(headers_find(headers, FE_VIEW_LIT("id"), &text));
    for (size_t i = 0; i < text.len; i++) {
        id = id * 10 + (size_t)(text.ptr[i] - '0');
    }
    return id;
}

static void serve(struct sim_node *node, struct fe_stream *stream, struct fe_headers headers)
{
    struct roll *roll = node->arg;
    struct serving *serving = calloc(1, sizeof(*serving));

    assert_non_null(serving);
    roll->calls[id_of(headers)].n_handled++;
    serving->node = node;
    serving->stream = stream;
    fe_timer_init(&serving->timer, on_served);
    fe_stream_accept(stream, &serving_ops, serving);
    assert_int_equal(
        fe_timer_start(sim_timers(node->sim), &serving->timer,
                       sim_now(node->sim) + fe_rng_below(sim_rng(node->sim), SERVE_MAX_MS)),
        0);
}

/* ---- the caller's side ---- */

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
    (void)trailers;
    ((struct call *)call->owner)->is_over = true;
}

static void on_reset(struct fe_call *fe_call, int code)
{
    struct call *call = fe_call->owner;

    call->is_over = true;
    call->code = code;
}

static const struct fe_call_ops call_ops = {on_response, on_data, on_writable, on_end, on_reset};

static void ask(struct roll *roll)
{
    struct call *call = &roll->calls[roll->n_calls];
    struct fe_call_request request = {
        .services = &service,
        .n_services = 1,
        .headers = &call->header,
        .n_headers = 1,
        .deadline_ms = FE_TIME_NEVER,
    };
    struct fe_call_env env;
    int code;

    assert_true(roll->n_calls < CALLS_MAX);
    call->roll = roll;
    (void)snprintf(call->id, sizeof(call->id), "%zu", roll->n_calls++);
    call->header = (struct fe_header){FE_VIEW_LIT("id"), fe_view_str(call->id)};
    env = (struct fe_call_env){fe_mesh_registry(sim_node(roll->sim, 0)->mesh),
                               sim_timers(roll->sim), sim_pool(roll->sim)};
    code = fe_call_start(&call->call, &env, &request, &call_ops, call);
    assert_int_equal(code, 0);
    assert_int_equal(fe_call_finish(&call->call, NULL, 0), 0);
}

/* ---- providers come and go ---- */

/* The caller may ask it, and it is not about to go. */
static bool is_settled(struct roll *roll, size_t index)
{
    const struct sim_node *node = sim_node(roll->sim, index);

    return node->mesh != NULL && node->mesh->state == FE_MESH_RUNNING &&
           sim_is_linked(roll->sim, 0, index) && sim_is_linked(roll->sim, index, 0);
}

/* Another node than this one can be asked. */
static bool can_be_spared(struct roll *roll, size_t index)
{
    for (size_t i = 1; i < N_NODES; i++) {
        if (i != index && is_settled(roll, i)) {
            return true;
        }
    }
    return false;
}

static void start(struct roll *roll, size_t index)
{
    struct sim_node *node = sim_node(roll->sim, index);

    node->on_request = serve;
    node->arg = roll;
    node->n_drained = 0;
    sim_start(roll->sim, index);
    if (index > 0) {
        sim_join(roll->sim, index, 0);
    }
}

/* The next step of this provider's life, if it is due. */
static void step(struct roll *roll, size_t index)
{
    struct sim_node *node = sim_node(roll->sim, index);
    uint32_t percent = fe_rng_below(sim_rng(roll->sim), 100);

    if (node->mesh == NULL) {
        if (percent < 10) {
            start(roll, index);
        }
    } else if (node->mesh->state == FE_MESH_DRAINING) {
        if (node->n_drained > 0 && fe_mesh_n_streams(node->mesh) == 0) {
            fe_mesh_close(node->mesh, true);
        }
    } else if (node->mesh->state == FE_MESH_RUNNING && percent < 4 && can_be_spared(roll, index)) {
        fe_mesh_drain(node->mesh); /* wherever it has got to: it may just say hello */
    }
}

static void roll_init(struct roll *roll, uint64_t seed)
{
    *roll = (struct roll){.sim = sim_new(N_NODES, seed)};
    roll->calls = calloc(CALLS_MAX, sizeof(*roll->calls));
    assert_non_null(roll->calls);
    sim_node(roll->sim, 0)->self.n_services = 0;
    for (size_t i = 0; i < N_NODES; i++) {
        start(roll, i);
    }
    sim_run(roll->sim, 1000);
}

/* How many providers were replaced. */
static size_t roll_deinit(struct roll *roll)
{
    size_t n_starts = 0;

    sim_run(roll->sim, 5000);
    for (size_t i = 0; i < roll->n_calls; i++) {
        assert_true(roll->calls[i].is_over);
        assert_int_equal(roll->calls[i].code, 0);
        assert_int_equal(roll->calls[i].n_handled, 1);
    }
    for (size_t i = 1; i < N_NODES; i++) {
        n_starts += sim_node(roll->sim, i)->n_starts - 1;
    }
    sim_free(roll->sim);
    free(roll->calls);
    return n_starts;
}

static void test_no_request_is_lost(void **state)
{
    size_t n_replaced = 0;

    (void)state;
    for (uint64_t seed = 1000; seed < 1000 + N_SEEDS; seed++) {
        struct roll roll;

        roll_init(&roll, seed);
        for (int i = 0; i < N_STEPS; i++) {
            for (size_t index = 1; index < N_NODES; index++) {
                step(&roll, index);
            }
            if (fe_rng_below(sim_rng(roll.sim), 2) == 0) {
                ask(&roll);
            }
            sim_run(roll.sim, fe_rng_below(sim_rng(roll.sim), 3));
        }
        n_replaced += roll_deinit(&roll);
    }
    assert_true(n_replaced > (size_t)N_SEEDS * 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_request_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
