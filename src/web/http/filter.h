/* Stages between the protocol and the backend of an exchange.
 *
 *     protocol ── on_request, on_data, on_end, on_writable ──▶ filter 0 ──▶ filter 1 ──▶ backend
 *     protocol ◀── respond, write, finish, resume ──────────── filter 0 ◀── filter 1 ◀── backend
 *
 * A filter leaves out of its table what it does not care about; such calls go past it, and a call
 * that no filter of a chain cares about costs one branch. A hook does its work and calls
 * fe_filter_next_... to pass on what it was given, changed or not, at once or later, in one piece
 * or several. What is passed keeps the contract of ground/base/flow.h on each side of the filter:
 * one that takes more than the next one accepts holds the rest, within a bound, and says itself
 * when there is space again (fe_filter_next_writable) or when it is ready for more
 * (fe_filter_next_resume).
 *
 * Every response passes through the whole chain, whatever made it: the backend, a filter that
 * answers in place of it (web/http/problem.h), the protocol because of a request that cannot be
 * read. So response hooks may come without on_request before them; the filter's state is NULL then.
 * A hook that returns an error may be called again with another response.
 *
 * Filters and chains are immutable and shared by all threads. What a filter needs for one exchange
 * is its state, in the exchange's arena, zeroed before on_request. */
#ifndef FE_WEB_HTTP_FILTER_H
#define FE_WEB_HTTP_FILTER_H

#include "web/http/message.h"

struct fe_exchange;
struct fe_filter_stage;
struct fe_problem;
struct fe_problem_page;

/* X(name): in the table below, and each an index in a stage's `next`. */
#define FE_FILTER_HOOKS(X)                                                                         \
    X(on_request)                                                                                  \
    X(on_data)                                                                                     \
    X(on_end)                                                                                      \
    X(on_writable)                                                                                 \
    X(on_turn)                                                                                     \
    X(respond)                                                                                     \
    X(write)                                                                                       \
    X(finish)                                                                                      \
    X(resume)                                                                                      \
    X(problem)                                                                                     \
    X(on_over)

enum fe_filter_hook {
#define FE_FILTER_HOOK(name) FE_FILTER_##name,
    FE_FILTER_HOOKS(FE_FILTER_HOOK)
#undef FE_FILTER_HOOK
        FE_FILTER_N_HOOKS,
};

struct fe_filter_ops {
    size_t state_size; /* 0: none */

    /* The request's head, which may be changed. Passes it on, now or later; or answers. */
    void (*on_request)(const struct fe_filter_stage *at, struct fe_exchange *ex);
    /* Request body, after the backend or a filter has resumed it; how many bytes were taken. */
    size_t (*on_data)(const struct fe_filter_stage *at, struct fe_exchange *ex,
                      struct fe_view data);
    void (*on_end)(const struct fe_filter_stage *at, struct fe_exchange *ex,
                   const struct fe_fields *trailers);
    /* The next one towards the protocol has space again. */
    void (*on_writable)(const struct fe_filter_stage *at, struct fe_exchange *ex);
    /* Asked for with fe_filter_defer, by this filter or another one. */
    void (*on_turn)(const struct fe_filter_stage *at, struct fe_exchange *ex);

    /* As fe_exchange_respond, _write, _finish and _resume (web/http/exchange.h). */
    int (*respond)(const struct fe_filter_stage *at, struct fe_exchange *ex,
                   const struct fe_response *response);
    ssize_t (*write)(const struct fe_filter_stage *at, struct fe_exchange *ex, struct fe_view data);
    void (*finish)(const struct fe_filter_stage *at, struct fe_exchange *ex,
                   const struct fe_fields *trailers);
    void (*resume)(const struct fe_filter_stage *at, struct fe_exchange *ex);

    /* What a problem looks like: writes the page. */
    void (*problem)(const struct fe_filter_stage *at, struct fe_exchange *ex,
                    const struct fe_problem *problem, struct fe_problem_page *page);

    /* The exchange is over, the last hook: 0: it was finished; else the code of the reset. */
    void (*on_over)(const struct fe_filter_stage *at, struct fe_exchange *ex, int code);
};

/* The first member of each filter. */
struct fe_filter {
    const struct fe_filter_ops *ops;
};

/* A filter at its place. */
struct fe_filter_stage {
    const struct fe_filter *filter;
    size_t index;
    /* By hook: the stage that comes after this one and has it; NULL: none. */
    const struct fe_filter_stage *next[FE_FILTER_N_HOOKS];
};

struct fe_filter_chain {
    const struct fe_filter_stage *stages;
    size_t n;
    bool has_start; /* on_request or state: something is to be done when a request starts */
    const struct fe_filter_stage *first[FE_FILTER_N_HOOKS];
    const struct fe_filter_chain *in_tunnel; /* what an exchange has left of it in a tunnel */
};

/* The filters of `base` (NULL: none), then `n` of its own, all of which outlive the chain; it lives
 * in `arena`. NULL: out of memory. */
const struct fe_filter_chain *fe_filter_chain_new(struct fe_arena *arena,
                                                  const struct fe_filter_chain *base,
                                                  const struct fe_filter *const *own,
                                                  size_t n) FE_MUST_USE;

/* ---- for filters ---------------------------------------------------------------------------- */

/* NULL: see above. */
void *fe_filter_state(const struct fe_filter_stage *at, const struct fe_exchange *ex);

/* Passes on to the next stage that has the hook, behind the last to the backend or the protocol. */
void fe_filter_next_request(const struct fe_filter_stage *at, struct fe_exchange *ex);
size_t fe_filter_next_data(const struct fe_filter_stage *at, struct fe_exchange *ex,
                           struct fe_view data) FE_MUST_USE;
void fe_filter_next_end(const struct fe_filter_stage *at, struct fe_exchange *ex,
                        const struct fe_fields *trailers);
void fe_filter_next_writable(const struct fe_filter_stage *at, struct fe_exchange *ex);
int fe_filter_next_respond(const struct fe_filter_stage *at, struct fe_exchange *ex,
                           const struct fe_response *response) FE_MUST_USE;
ssize_t fe_filter_next_write(const struct fe_filter_stage *at, struct fe_exchange *ex,
                             struct fe_view data) FE_MUST_USE;
void fe_filter_next_finish(const struct fe_filter_stage *at, struct fe_exchange *ex,
                           const struct fe_fields *trailers);
void fe_filter_next_resume(const struct fe_filter_stage *at, struct fe_exchange *ex);
void fe_filter_next_problem(const struct fe_filter_stage *at, struct fe_exchange *ex,
                            const struct fe_problem *problem, struct fe_problem_page *page);

/* on_turn comes soon, not from within this call: for held bytes, when the backend has resumed. */
void fe_filter_defer(struct fe_exchange *ex);

/* The exchange cannot go on: the backend, if it has not finished, hears on_reset; the client sees
 * that the response is not whole. To answer instead: fe_problem_fail. */
void fe_filter_reset(struct fe_exchange *ex, int code);

#endif
