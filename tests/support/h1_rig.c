#include "support/h1_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/filters/error_page.h"
#include "support/trace_http.h"
#include "support/tunnels.h"
#include "web/http/h1/server.h"

enum { LOW_WATER = FE_HTTP_OUT_HIGH_WATER / 4, START_MS = 1000000 };

static struct h1_rig *rig_of(struct fe_exchange *ex)
{
    return ex->state;
}

/* ---- handlers ------------------------------------------------------------------------------- */

static size_t hold_on_data(struct fe_exchange *ex, struct fe_view data)
{
    struct h1_rig *rig = rig_of(ex);
    size_t n = data.len < rig->appetite ? data.len : rig->appetite;

    trace_body(&rig->trace, fe_view_of(data.ptr, n));
    if (rig->is_eager) {
        fe_exchange_resume(ex);
    }
    return n;
}

static void hold_on_end(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    trace_body_end(&rig_of(ex)->trace, trailers);
}

static void hold_on_writable(struct fe_exchange *ex)
{
    trace_add(&rig_of(ex)->trace, "writable");
}

static void on_reset(struct fe_exchange *ex, int code)
{
    struct h1_rig *rig = rig_of(ex);

    (void)code;
    trace_add(&rig->trace, "abort");
    rig->ex = NULL;
}

static void end(struct h1_rig *rig, const struct fe_fields *trailers)
{
    struct fe_exchange *ex = rig->ex;

    rig->ex = NULL;
    fe_exchange_finish(ex, trailers);
}

static void give_up(struct h1_rig *rig)
{
    struct fe_exchange *ex = rig->ex;

    rig->ex = NULL;
    fe_exchange_reset(ex, FLATEND_ERESET);
}

static size_t echo_on_data(struct fe_exchange *ex, struct fe_view data)
{
    ssize_t n = fe_exchange_write(ex, data);

    if (n < 0) {
        give_up(rig_of(ex));
        return 0;
    }
    return (size_t)n;
}

static void echo_on_end(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    end(rig_of(ex), trailers);
}

static void echo_on_writable(struct fe_exchange *ex)
{
    fe_exchange_resume(ex);
}

static const struct fe_backend_ops hold_ops = {NULL, hold_on_data, hold_on_end, hold_on_writable,
                                               on_reset};
static const struct fe_backend hold_backend = {&hold_ops};
static const struct fe_backend_ops echo_ops = {NULL, echo_on_data, echo_on_end, echo_on_writable,
                                               on_reset};
static const struct fe_backend echo_backend = {&echo_ops};

int h1_rig_respond(struct h1_rig *rig, int status, uint64_t length, const char *name,
                   const char *value)
{
    struct fe_field field = {.name = {NULL, 0}};
    struct fe_response response = {
        .status = status, .fields = {&field, name != NULL, 1}, .content_length = length};

    if (name != NULL) {
        field.name = fe_view_str(name);
        field.value = fe_view_str(value);
    }
    return fe_exchange_respond(rig->ex, &response);
}

static void answer(struct h1_rig *rig, int status, uint64_t length, const char *body)
{
    if (h1_rig_respond(rig, status, length, NULL, NULL) != 0 ||
        fe_exchange_write(rig->ex, fe_view_str(body)) != (ssize_t)strlen(body)) {
        give_up(rig);
        return;
    }
    end(rig, NULL);
}

static bool is_path(const struct fe_exchange *ex, const char *path)
{
    return fe_view_equal(ex->request.path, fe_view_str(path));
}

static void start(const struct fe_backend *backend, struct fe_exchange *ex)
{
    struct h1_rig *rig = ex->state;

    (void)backend;
    assert_null(rig->ex); /* one at a time */
    rig->ex = ex;
    rig->n_exchanges++;
    ex->snapshot = fe_refcount_ref(rig->snapshot);
    ex->times = rig->times;
    ex->backend = &hold_backend;
    trace_add(&rig->trace, "exchange(%.*s)", (int)ex->request.path.len,
              (const char *)ex->request.path.ptr);
    if (is_path(ex, "/hello") || is_path(ex, "/early")) {
        answer(rig, 200, 5, "hello");
    } else if (is_path(ex, "/chunks")) {
        answer(rig, 200, FE_BODY_UNKNOWN, "hello");
    } else if (is_path(ex, "/none")) {
        answer(rig, 204, 0, "");
    } else if (is_path(ex, "/echo")) {
        ex->backend = &echo_backend;
        fe_exchange_resume(ex);
        if (h1_rig_respond(rig, 200, ex->request.content_length, NULL, NULL) != 0) {
            give_up(rig);
        }
    } else if (is_path(ex, "/tunnel")) {
        rig->ex = NULL; /* it does without the rig */
        fe_backend_start(&tunnel_echo_backend, ex);
    } else if (is_path(ex, "/abort")) {
        if (h1_rig_respond(rig, 200, 10, NULL, NULL) != 0 ||
            fe_exchange_write(ex, FE_VIEW_LIT("hello")) != 0) {
            give_up(rig);
        }
    }
}

static void on_exchange(void *owner, struct fe_exchange *ex)
{
    static const struct fe_backend_ops ops = {.start = start};
    static const struct fe_backend dispatch = {&ops};

    ex->state = owner;
    fe_backend_start(&dispatch, ex);
}

/* ---- the owner ------------------------------------------------------------------------------ */

static void flush(void *owner)
{
    ((struct h1_rig *)owner)->wants_run = true; /* the client takes what it likes, when it likes */
}

static void set_reading(void *owner, bool reading)
{
    trace_add(&((struct h1_rig *)owner)->trace, reading ? "read" : "pause");
}

static void close_connection(void *owner, bool reset)
{
    trace_add(&((struct h1_rig *)owner)->trace, reset ? "reset" : "close");
}

static uint64_t now_ms(void *owner)
{
    return ((struct h1_rig *)owner)->now_ms;
}

static uint64_t written(void *owner)
{
    return ((struct h1_rig *)owner)->written;
}

static uint64_t waited_ms(void *owner)
{
    return ((struct h1_rig *)owner)->waited_ms;
}

static void on_slow(void *owner, enum fe_http_slow what)
{
    trace_add(&((struct h1_rig *)owner)->trace, "slow(%s)",
              what == FE_HTTP_SLOW_READER ? "reader" : "sender");
}

static bool is_all_acked(void *owner)
{
    const struct h1_rig *rig = owner;

    return rig->out.len == 0 && !rig->is_on_the_way;
}

static struct fe_view date(void *owner)
{
    (void)owner;
    return FE_VIEW_LIT("Sun, 06 Nov 1994 08:49:37 GMT");
}

static const struct fe_http_owner_ops owner_ops = {
    .on_exchange = on_exchange,
    .flush = flush,
    .set_reading = set_reading,
    .close = close_connection,
    .now_ms = now_ms,
    .written = written,
    .queued = written,
    .waited_ms = waited_ms,
    .on_slow = on_slow,
    .is_all_acked = is_all_acked,
    .date = date,
};

static bool make_filters(struct h1_rig *rig)
{
    const struct fe_filter *const own[] = {&fe_error_page_filter, &rig->body_limits.filter};

    fe_arena_init(&rig->filter_arena, 0);
    rig->body_limits = fe_body_limits_filter(0, 1024 * 1024);
    rig->filters = fe_filter_chain_new(&rig->filter_arena, NULL, own, 2);
    return rig->filters != NULL;
}

bool h1_rig_init(struct h1_rig *rig)
{
    *rig = (struct h1_rig){.limits = {.header_max = 4096,
                                      .read_header_ms = 2000,
                                      .idle_ms = 60000,
                                      .tunnel_idle_ms = 10000,
                                      .times = {.read_ms = 3000, .write_ms = 4000},
                                      .grace_ms = 6000},
                           .now_ms = START_MS,
                           .appetite = SIZE_MAX};
    if (!make_filters(rig)) {
        return false;
    }
    fe_timers_init(&rig->timers);
    fe_pool_init(&rig->pool);
    fe_chain_init(&rig->out, &rig->pool);
    rig->output = malloc(H1_RIG_OUTPUT_MAX + 1);
    rig->server = fe_h1_server_new(&(struct fe_http_setup){
        .limits = &rig->limits,
        .timers = &rig->timers,
        .out = &rig->out,
        .scheme = FE_VIEW_LIT("http"),
        .filters = rig->filters,
        .ops = &owner_ops,
        .owner = rig,
    });
    return rig->output != NULL && rig->server != NULL;
}

void h1_rig_deinit(struct h1_rig *rig)
{
    fe_http_server_free(rig->server);
    assert_int_equal(rig->timers.n, 0);
    fe_chain_deinit(&rig->out);
    fe_pool_deinit(&rig->pool);
    fe_timers_deinit(&rig->timers);
    fe_arena_deinit(&rig->filter_arena);
    free(rig->output);
}

/* A fault that is armed is for the code under test: it fails once, so the rig asks again. */
static void *own_malloc(size_t size)
{
    void *memory = malloc(size);

    if (memory == NULL) {
        memory = malloc(size);
    }
    assert_non_null(memory);
    return memory;
}

void h1_rig_feed(struct h1_rig *rig, const char *text)
{
    size_t len = strlen(text);
    uint8_t *exact = own_malloc(len);

    memcpy(exact, text, len);
    fe_http_server_feed(rig->server, fe_view_of(exact, len));
    free(exact);
}

/* What is in the output waits for the client. */
static void pass_until(struct h1_rig *rig, uint64_t then_ms)
{
    rig->waited_ms += rig->out.len > 0 ? then_ms - rig->now_ms : 0;
    rig->now_ms = then_ms;
}

void h1_rig_pass(struct h1_rig *rig, uint64_t ms)
{
    uint64_t until = rig->now_ms + ms;

    for (;;) {
        uint64_t next = fe_timers_next(&rig->timers);

        if (next > until) {
            break;
        }
        pass_until(rig, next > rig->now_ms ? next : rig->now_ms);
        fe_timers_run(&rig->timers, rig->now_ms);
    }
    pass_until(rig, until);
}

size_t h1_rig_take(struct h1_rig *rig, size_t max)
{
    bool was_high = rig->out.len > FE_HTTP_OUT_HIGH_WATER;
    size_t room = H1_RIG_OUTPUT_MAX - rig->n_output;
    size_t n = fe_chain_read(&rig->out, rig->output + rig->n_output, max < room ? max : room);

    rig->n_output += n;
    rig->written += n;
    rig->output[rig->n_output] = '\0';
    if (was_high && rig->out.len <= LOW_WATER) {
        fe_http_server_on_drain(rig->server);
    }
    return n;
}

void h1_rig_check(struct h1_rig *rig, const char *expected, const char *file, int line)
{
    while (h1_rig_take(rig, SIZE_MAX) > 0) {
    }
    rig->n_output = 0;
    if (strcmp(rig->output, expected) != 0) {
        print_error("expected: %s\nwritten: %s\n", expected, rig->output);
        _fail(file, line);
    }
    rig->output[0] = '\0';
}
