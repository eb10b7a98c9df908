#include "web/http/filter.h"

#include "web/http/exchange.h"
#include "web/http/problem.h"

/* ---- chains --------------------------------------------------------------------------------- */

/* Requests pass a chain forwards, responses and problems backwards. */
static bool is_forward(enum fe_filter_hook hook)
{
    return hook <= FE_FILTER_on_turn || hook == FE_FILTER_on_over;
}

static bool has_hook(const struct fe_filter *filter, enum fe_filter_hook hook)
{
    switch (hook) {
#define FE_FILTER_HOOK(name)                                                                       \
    case FE_FILTER_##name:                                                                         \
        return filter->ops->name != NULL;
        FE_FILTER_HOOKS(FE_FILTER_HOOK)
#undef FE_FILTER_HOOK
    case FE_FILTER_N_HOOKS:
        break;
    }
    return false;
}

static void link_hook(struct fe_filter_chain *chain, struct fe_filter_stage *stages,
                      enum fe_filter_hook hook)
{
    const struct fe_filter_stage *next = NULL;

    for (size_t i = 0; i < chain->n; i++) {
        struct fe_filter_stage *const stage = &stages[is_forward(hook) ? chain->n - 1 - i : i];

        stage->next[hook] = next;
        if (has_hook(stage->filter, hook)) {
            next = stage;
        }
    }
    chain->first[hook] = next;
}

const struct fe_filter_chain *fe_filter_chain_new(struct fe_arena *arena,
                                                  const struct fe_filter_chain *base,
                                                  const struct fe_filter *const *own, size_t n)
{
    const size_t n_base = base != NULL ? base->n : 0;
    struct fe_filter_chain *const chain = fe_arena_alloc(arena, 2 * sizeof(*chain));
    struct fe_filter_stage *const stages =
        fe_arena_alloc(arena, (n_base + n + 1) * sizeof(*stages));

    if (chain == NULL || stages == NULL) {
        return NULL;
    }
    *chain = (struct fe_filter_chain){.stages = stages, .n = n_base + n};
    for (size_t i = 0; i < chain->n; i++) {
        stages[i] = (struct fe_filter_stage){
            .filter = i < n_base ? base->stages[i].filter : own[i - n_base], .index = i};
        chain->has_start |=
            stages[i].filter->ops->on_request != NULL || stages[i].filter->ops->state_size > 0;
    }
    for (int hook = 0; hook < FE_FILTER_N_HOOKS; hook++) {
        link_hook(chain, stages, (enum fe_filter_hook)hook);
    }
    chain[1] = (struct fe_filter_chain){.stages = stages, .n = chain->n};
    chain[1].first[FE_FILTER_on_over] = chain->first[FE_FILTER_on_over];
    chain->in_tunnel = &chain[1];
    return chain;
}

/* ---- the start ------------------------------------------------------------------------------ */

void *fe_filter_state(const struct fe_filter_stage *at, const struct fe_exchange *ex)
{
    return at->index < ex->n_filter_states ? ex->filter_states[at->index] : NULL;
}

/* For the stages that have none yet. FLATEND_ENOMEM. */
static int make_states(struct fe_exchange *ex)
{
    const struct fe_filter_chain *const chain = ex->filters;
    const size_t n_old = ex->n_filter_states;
    void **states;

    if (chain->n == n_old) {
        return 0;
    }
    states = fe_arena_alloc(&ex->arena, chain->n * sizeof(*states));
    if (states == NULL) {
        return FLATEND_ENOMEM;
    }
    if (n_old > 0) {
        memcpy(states, ex->filter_states, n_old * sizeof(*states));
    }
    for (size_t i = n_old; i < chain->n; i++) {
        const size_t size = chain->stages[i].filter->ops->state_size;

        states[i] = size > 0 ? fe_arena_alloc(&ex->arena, size) : NULL;
        if (size > 0 && states[i] == NULL) {
            return FLATEND_ENOMEM;
        }
        if (size > 0) {
            memset(states[i], 0, size);
        }
    }
    ex->filter_states = states;
    ex->n_filter_states = chain->n;
    return 0;
}

/* The stages that the request has not passed yet, then the backend. */
static void pass_request(struct fe_exchange *ex)
{
    const struct fe_filter_chain *const chain = ex->filters;
    const struct fe_backend *const backend = ex->next_backend;

    while (ex->n_entered < chain->n) {
        const struct fe_filter_stage *const stage = &chain->stages[ex->n_entered++];

        if (stage->filter->ops->on_request != NULL) {
            stage->filter->ops->on_request(stage, ex);
            return;
        }
    }
    ex->backend = backend;
    backend->ops->start(backend, ex);
}

void fe_filters_start(struct fe_exchange *ex, const struct fe_backend *backend)
{
    ex->backend = NULL;
    ex->next_backend = backend;
    if (make_states(ex) != 0) {
        fe_problem_respond(ex, 503, "overloaded: out of memory");
        return;
    }
    pass_request(ex);
}

void fe_filter_next_request(const struct fe_filter_stage *at, struct fe_exchange *ex)
{
    FE_ASSERT(at->index + 1 == ex->n_entered, "a request passes each filter once");
    FE_ASSERT(ex->phase == FE_EXCHANGE_OPEN, "a request that is answered goes no further");
    pass_request(ex);
}

/* ---- towards the backend -------------------------------------------------------------------- */

/* Once the backend is over, what still comes is dropped. */
size_t fe_filters_on_data(const struct fe_filter_stage *stage, struct fe_exchange *ex,
                          struct fe_view data)
{
    size_t n;

    if (stage != NULL) {
        n = stage->filter->ops->on_data(stage, ex, data);
    } else if (ex->phase == FE_EXCHANGE_OVER) {
        return data.len;
    } else {
        n = ex->backend->ops->on_data(ex, data);
    }
    return ex->phase == FE_EXCHANGE_OVER ? data.len : fe_flow_taken(data, n);
}

size_t fe_filter_next_data(const struct fe_filter_stage *at, struct fe_exchange *ex,
                           struct fe_view data)
{
    return fe_filters_on_data(at->next[FE_FILTER_on_data], ex, data);
}

void fe_filters_on_end(const struct fe_filter_stage *stage, struct fe_exchange *ex,
                       const struct fe_fields *trailers)
{
    if (stage != NULL) {
        stage->filter->ops->on_end(stage, ex, trailers);
    } else if (ex->phase != FE_EXCHANGE_OVER) {
        ex->backend->ops->on_end(ex, trailers);
    }
}

void fe_filter_next_end(const struct fe_filter_stage *at, struct fe_exchange *ex,
                        const struct fe_fields *trailers)
{
    fe_filters_on_end(at->next[FE_FILTER_on_end], ex, trailers);
}

void fe_filters_on_writable(const struct fe_filter_stage *stage, struct fe_exchange *ex)
{
    if (stage != NULL) {
        stage->filter->ops->on_writable(stage, ex);
    } else if (ex->phase != FE_EXCHANGE_OVER) {
        ex->backend->ops->on_writable(ex);
    }
}

void fe_filter_next_writable(const struct fe_filter_stage *at, struct fe_exchange *ex)
{
    fe_filters_on_writable(at->next[FE_FILTER_on_writable], ex);
}

/* ---- turns ---------------------------------------------------------------------------------- */

void fe_filter_defer(struct fe_exchange *ex)
{
    if (!ex->is_deferred) {
        ex->is_deferred = true;
        ex->ops->defer(ex);
    }
}

void fe_exchange_deliver_turn(struct fe_exchange *ex)
{
    const struct fe_filter_stage *stage = ex->filters->first[FE_FILTER_on_turn];

    ex->is_deferred = false;
    while (stage != NULL && ex->sent != FE_EXCHANGE_OVER) {
        stage->filter->ops->on_turn(stage, ex);
        stage = stage->next[FE_FILTER_on_turn];
    }
}

/* ---- towards the protocol ------------------------------------------------------------------- */

int fe_filters_respond(const struct fe_filter_stage *stage, struct fe_exchange *ex,
                       const struct fe_response *response)
{
    return stage != NULL ? stage->filter->ops->respond(stage, ex, response)
                         : fe_exchange_send_head(ex, response);
}

int fe_filter_next_respond(const struct fe_filter_stage *at, struct fe_exchange *ex,
                           const struct fe_response *response)
{
    return fe_filters_respond(at->next[FE_FILTER_respond], ex, response);
}

ssize_t fe_filter_next_write(const struct fe_filter_stage *at, struct fe_exchange *ex,
                             struct fe_view data)
{
    const struct fe_filter_stage *const next = at->next[FE_FILTER_write];

    return next != NULL ? next->filter->ops->write(next, ex, data) : ex->ops->write(ex, data);
}

void fe_filter_next_finish(const struct fe_filter_stage *at, struct fe_exchange *ex,
                           const struct fe_fields *trailers)
{
    const struct fe_filter_stage *const next = at->next[FE_FILTER_finish];

    if (next != NULL) {
        next->filter->ops->finish(next, ex, trailers);
    } else {
        fe_exchange_send_end(ex, trailers);
    }
}

void fe_filter_next_resume(const struct fe_filter_stage *at, struct fe_exchange *ex)
{
    const struct fe_filter_stage *const next = at->next[FE_FILTER_resume];

    if (next != NULL) {
        next->filter->ops->resume(next, ex);
    } else {
        ex->ops->resume(ex);
    }
}

/* ---- problems ------------------------------------------------------------------------------- */

void fe_filters_problem(const struct fe_filter_stage *stage, struct fe_exchange *ex,
                        const struct fe_problem *problem, struct fe_problem_page *page)
{
    if (stage != NULL) {
        stage->filter->ops->problem(stage, ex, problem, page);
    } else {
        fe_problem_page_text(page, problem);
    }
}

void fe_filter_next_problem(const struct fe_filter_stage *at, struct fe_exchange *ex,
                            const struct fe_problem *problem, struct fe_problem_page *page)
{
    fe_filters_problem(at->next[FE_FILTER_problem], ex, problem, page);
}

/* ---- the end -------------------------------------------------------------------------------- */

void fe_filters_on_over(struct fe_exchange *ex, int code)
{
    const struct fe_filter_stage *stage = ex->filters->first[FE_FILTER_on_over];

    while (stage != NULL) {
        stage->filter->ops->on_over(stage, ex, code);
        stage = stage->next[FE_FILTER_on_over];
    }
}

void fe_filter_reset(struct fe_exchange *ex, int code)
{
    if (ex->phase != FE_EXCHANGE_OVER) {
        ex->phase = FE_EXCHANGE_OVER;
        if (ex->backend != NULL) {
            ex->backend->ops->on_reset(ex, code);
        }
    }
    fe_exchange_leave(ex, code);
    ex->ops->reset(ex, code);
}
