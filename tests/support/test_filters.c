#include "support/test_filters.h"

#include "ground/base/list.h"
#include "web/http/exchange.h"
#include "web/http/problem.h"

/* ---- repeating ------------------------------------------------------------------------------ */

/* One direction: what has been made and not been taken. */
struct held {
    uint8_t bytes[TEST_FILTER_HELD_MAX];
    size_t n;
    bool was_short; /* the writer was told to wait */
    bool has_end;   /* and what comes behind the bytes */
    const struct fe_fields *trailers;
};

struct repeating_state {
    struct held up; /* towards the backend */
    struct held down;
    bool is_paused; /* the backend has not taken all */
};

static size_t times_of(const struct fe_filter_stage *at)
{
    return FE_CONTAINER_OF(at->filter, const struct repeating_filter, filter)->n_times;
}

/* Takes as many bytes as there is room for their repetitions. */
static size_t hold(struct held *held, struct fe_view data, size_t n_times)
{
    size_t n = 0;

    while (n < data.len && held->n + n_times <= sizeof(held->bytes)) {
        memset(held->bytes + held->n, data.ptr[n++], n_times);
        held->n += n_times;
    }
    held->was_short = n < data.len;
    return n;
}

static void drop(struct held *held, size_t n)
{
    held->n -= n;
    memmove(held->bytes, held->bytes + n, held->n);
}

static void send_up(const struct fe_filter_stage *at, struct fe_exchange *ex)
{
    struct repeating_state *const state = fe_filter_state(at, ex);
    struct held *const up = &state->up;

    if (up->n > 0) {
        const size_t n = fe_filter_next_data(at, ex, fe_view_of(up->bytes, up->n));

        if (ex->sent == FE_EXCHANGE_OVER) {
            return;
        }
        state->is_paused = n < up->n;
        drop(up, n);
    }
    if (state->is_paused) {
        return;
    }
    if (up->was_short) {
        up->was_short = false;
        fe_filter_next_resume(at, ex);
    } else if (up->has_end) {
        up->has_end = false;
        fe_filter_next_end(at, ex, up->trailers);
    }
}

static size_t repeat_on_data(const struct fe_filter_stage *at, struct fe_exchange *ex,
                             struct fe_view data)
{
    struct repeating_state *const state = fe_filter_state(at, ex);
    const size_t n = hold(&state->up, data, times_of(at));

    if (!state->is_paused) {
        send_up(at, ex);
    }
    return n;
}

static void repeat_on_end(const struct fe_filter_stage *at, struct fe_exchange *ex,
                          const struct fe_fields *trailers)
{
    struct repeating_state *const state = fe_filter_state(at, ex);

    state->up.has_end = true;
    state->up.trailers = trailers;
    if (!state->is_paused) {
        send_up(at, ex);
    }
}

/* The backend has taken less before, or begins: what is held goes first. */
static void repeat_resume(const struct fe_filter_stage *at, struct fe_exchange *ex)
{
    struct repeating_state *const state = fe_filter_state(at, ex);

    state->is_paused = false;
    if (state->up.n > 0 || state->up.has_end) {
        fe_filter_defer(ex);
    } else {
        fe_filter_next_resume(at, ex);
    }
}

static void repeat_on_turn(const struct fe_filter_stage *at, struct fe_exchange *ex)
{
    send_up(at, ex);
}

static int repeat_respond(const struct fe_filter_stage *at, struct fe_exchange *ex,
                          const struct fe_response *response)
{
    struct fe_response changed = *response;

    if (changed.content_length != FE_BODY_UNKNOWN) {
        changed.content_length *= times_of(at);
    }
    return fe_filter_next_respond(at, ex, &changed);
}

/* 0, or what writing has failed with. */
static int send_down(const struct fe_filter_stage *at, struct fe_exchange *ex)
{
    struct repeating_state *const state = fe_filter_state(at, ex);
    struct held *const down = &state->down;

    while (down->n > 0) {
        const ssize_t n = fe_filter_next_write(at, ex, fe_view_of(down->bytes, down->n));

        if (n < 0) {
            return (int)n;
        }
        if (n == 0) {
            return 0;
        }
        drop(down, (size_t)n);
    }
    return 0;
}

static ssize_t repeat_write(const struct fe_filter_stage *at, struct fe_exchange *ex,
                            struct fe_view data)
{
    struct repeating_state *const state = fe_filter_state(at, ex);
    size_t n = 0;

    if (state == NULL) {
        return fe_filter_next_write(at, ex, data);
    }
    for (;;) {
        const size_t taken = hold(&state->down, fe_view_skip(data, n), times_of(at));
        const int code = send_down(at, ex);

        n += taken;
        if (code != 0) {
            return code;
        }
        if (state->down.n > 0 || n == data.len) {
            break;
        }
    }
    state->down.was_short = n < data.len;
    return (ssize_t)n;
}

static void repeat_finish(const struct fe_filter_stage *at, struct fe_exchange *ex,
                          const struct fe_fields *trailers)
{
    struct repeating_state *const state = fe_filter_state(at, ex);

    if (state == NULL || state->down.n == 0) {
        fe_filter_next_finish(at, ex, trailers);
        return;
    }
    state->down.has_end = true; /* the trailers are dropped: they would have to be copied */
}

static void repeat_on_writable(const struct fe_filter_stage *at, struct fe_exchange *ex)
{
    struct repeating_state *const state = fe_filter_state(at, ex);
    const int code = send_down(at, ex);

    if (code != 0) {
        fe_filter_reset(ex, code);
    } else if (state->down.has_end && state->down.n == 0) {
        fe_filter_next_finish(at, ex, NULL);
    } else if (state->down.was_short && state->down.n == 0) {
        state->down.was_short = false;
        fe_filter_next_writable(at, ex);
    }
}

struct repeating_filter repeating_filter(size_t n_times)
{
    static const struct fe_filter_ops ops = {
        .state_size = sizeof(struct repeating_state),
        .on_data = repeat_on_data,
        .on_end = repeat_on_end,
        .on_writable = repeat_on_writable,
        .on_turn = repeat_on_turn,
        .respond = repeat_respond,
        .write = repeat_write,
        .finish = repeat_finish,
        .resume = repeat_resume,
    };

    return (struct repeating_filter){{&ops}, n_times};
}

/* ---- tracing -------------------------------------------------------------------------------- */

static const struct tracing_filter *trace_of(const struct fe_filter_stage *at, const char *what)
{
    const struct tracing_filter *const filter =
        FE_CONTAINER_OF(at->filter, const struct tracing_filter, filter);

    trace_add(filter->trace, "%s:%s", filter->name, what);
    return filter;
}

static void trace_on_request(const struct fe_filter_stage *at, struct fe_exchange *ex)
{
    const struct tracing_filter *const filter = trace_of(at, "request");

    if (filter->answers) {
        fe_problem_respond(ex, 403, "no");
    } else if (filter->holds) {
        *filter->held = at;
    } else {
        fe_filter_next_request(at, ex);
    }
}

static size_t trace_on_data(const struct fe_filter_stage *at, struct fe_exchange *ex,
                            struct fe_view data)
{
    (void)trace_of(at, "data");
    return fe_filter_next_data(at, ex, data);
}

static void trace_on_end(const struct fe_filter_stage *at, struct fe_exchange *ex,
                         const struct fe_fields *trailers)
{
    (void)trace_of(at, "end");
    fe_filter_next_end(at, ex, trailers);
}

static void trace_on_writable(const struct fe_filter_stage *at, struct fe_exchange *ex)
{
    (void)trace_of(at, "writable");
    fe_filter_next_writable(at, ex);
}

static int trace_respond(const struct fe_filter_stage *at, struct fe_exchange *ex,
                         const struct fe_response *response)
{
    (void)trace_of(at, "respond");
    return fe_filter_next_respond(at, ex, response);
}

static ssize_t trace_write(const struct fe_filter_stage *at, struct fe_exchange *ex,
                           struct fe_view data)
{
    (void)trace_of(at, "write");
    return fe_filter_next_write(at, ex, data);
}

static void trace_finish(const struct fe_filter_stage *at, struct fe_exchange *ex,
                         const struct fe_fields *trailers)
{
    (void)trace_of(at, "finish");
    fe_filter_next_finish(at, ex, trailers);
}

static void trace_resume(const struct fe_filter_stage *at, struct fe_exchange *ex)
{
    (void)trace_of(at, "resume");
    fe_filter_next_resume(at, ex);
}

static void trace_on_over(const struct fe_filter_stage *at, struct fe_exchange *ex, int code)
{
    (void)ex;
    (void)trace_of(at, code == 0 ? "over" : "broken");
}

struct tracing_filter tracing_filter(const char *name, struct trace *trace)
{
    static const struct fe_filter_ops ops = {
        .on_request = trace_on_request,
        .on_data = trace_on_data,
        .on_end = trace_on_end,
        .on_writable = trace_on_writable,
        .respond = trace_respond,
        .write = trace_write,
        .finish = trace_finish,
        .resume = trace_resume,
        .on_over = trace_on_over,
    };

    return (struct tracing_filter){.filter = {&ops}, .name = name, .trace = trace};
}
