#include <stdlib.h>

#include "ground/base/assert.h"
#include "ground/base/list.h"
#include "web/http/h1/connection.h"
#include "web/http/problem.h"

/* The exchange is over; its backend hears nothing after this. */
static void end_exchange(struct fe_h1_server *server, enum fe_h1_phase phase)
{
    server->phase = phase;
    fe_exchange_deliver_reset(&server->ex, FLATEND_ECLOSED);
}

/* ---- input ---------------------------------------------------------------------------------- */

bool fe_h1_has_input(const struct fe_h1_server *server)
{
    return server->held.len > 0 || server->fed.len > 0;
}

struct fe_view fe_h1_input(const struct fe_h1_server *server)
{
    return server->held.len > 0 ? fe_chain_front(&server->held) : server->fed;
}

void fe_h1_consume(struct fe_h1_server *server, size_t n)
{
    if (server->held.len > 0) {
        fe_chain_consume(&server->held, n);
    } else {
        server->fed = fe_view_skip(server->fed, n);
    }
}

static void drop_input(struct fe_h1_server *server)
{
    server->n_dropped += server->held.len + server->fed.len;
    fe_chain_consume(&server->held, server->held.len);
    server->fed = fe_view_of(NULL, 0);
}

/* Decodes up to the next event; consumes what comes before it. */
static enum fe_h1_event decode(struct fe_h1_server *server)
{
    struct fe_view in = fe_h1_input(server);
    struct fe_view rest = in;
    enum fe_h1_event event = fe_h1_decoder_feed(&server->decoder, &rest);

    fe_h1_consume(server, in.len - rest.len);
    return event;
}

static void take(struct fe_h1_server *server, size_t n)
{
    struct fe_view in = fe_h1_input(server);

    fe_h1_decoder_take(&server->decoder, &in, n);
    fe_h1_consume(server, n);
}

/* ---- ends ----------------------------------------------------------------------------------- */

void fe_h1_finish(struct fe_h1_server *server)
{
    server->phase = FE_H1_LINGER;
    server->n_dropped = 0;
    server->ops->flush(server->owner);
    server->ops->close(server->owner, false);
    fe_h1_update(server);
}

void fe_h1_reset(struct fe_h1_server *server)
{
    server->phase = FE_H1_CLOSED;
    server->ops->close(server->owner, true);
}

static void exchange_init(struct fe_h1_server *server)
{
    struct fe_exchange *ex = &server->ex;

    fe_exchange_begin(ex, server->filters);
    server->phase = FE_H1_EXCHANGE;
    server->body = FE_H1_BODY_NOT_STARTED;
    server->is_blocked = false;
    server->must_close = false;
    server->had_request = true;
    server->owes_continue =
        server->decoder.head.expects_continue && ex->request.content_length != 0;
    fe_h1_timeout_begin(server);
    fe_h1_timeout_probe(server);
}

/* RFC 9112 §9.3: after a fault the start of the next request is unknown. */
void fe_h1_answer(struct fe_h1_server *server, int status, const char *reason)
{
    exchange_init(server);
    server->must_close = true;
    fe_problem_respond(&server->ex, status, reason);
}

void fe_h1_fail(struct fe_h1_server *server, int status, const char *reason)
{
    fe_problem_fail(&server->ex, status, reason);
}

void fe_h1_abandon(struct fe_h1_server *server)
{
    const bool has_responded = fe_exchange_has_sent_head(&server->ex);

    end_exchange(server, FE_H1_LINGER);
    if (has_responded) {
        fe_h1_reset(server);
    } else {
        fe_h1_finish(server); /* answers to earlier requests may be on their way */
    }
}

/* What the last exchange was served by is not needed any more: nobody is within a call about it. */
static void release_snapshot(struct fe_h1_server *server)
{
    if (server->ex.snapshot != NULL && !fe_h1_has_exchange(server)) {
        struct fe_refcount *const snapshot = server->ex.snapshot;

        server->ex.snapshot = NULL;
        fe_refcount_unref(snapshot);
    }
}

/* ---- steps: each does one thing and says whether another may follow ------------------------- */

static bool step_wait(struct fe_h1_server *server)
{
    release_snapshot(server);
    if (fe_h1_has_read_all(server)) {
        fe_h1_finish(server);
        return false;
    }
    if (server->out->len > FE_HTTP_OUT_HIGH_WATER || !fe_h1_has_input(server)) {
        return false; /* a client that does not read its answers gets no more of them */
    }
    if (fe_h1_decoder_is_idle(&server->decoder)) {
        fe_arena_reset(&server->ex.arena); /* only now no call about the last request is running */
        server->ex.request =
            (struct fe_request){.scheme = server->ex.request.scheme, .version = 11};
    }
    switch (decode(server)) {
    case FE_H1_ON_HEAD:
        exchange_init(server);
        server->ops->on_exchange(server->owner, &server->ex);
        FE_ASSERT(server->phase != FE_H1_EXCHANGE || server->ex.backend != NULL ||
                      server->ex.next_backend != NULL,
                  "an exchange is answered or has a backend");
        return true;
    case FE_H1_ON_FAULT:
        if (server->decoder.fault.status == 0) {
            fe_h1_finish(server);
        } else {
            fe_h1_answer(server, server->decoder.fault.status, server->decoder.fault.reason);
        }
        return true;
    default:
        return true;
    }
}

/* Hands body to the backend, which may end the exchange meanwhile: then nothing of it was taken,
 * and the rest is discarded. */
static bool deliver_body(struct fe_h1_server *server)
{
    struct fe_exchange *ex = &server->ex;
    struct fe_view data = server->decoder.body;
    size_t n;

    server->body = FE_H1_BODY_PAUSED;
    n = fe_exchange_deliver_data(ex, data);
    if (server->phase != FE_H1_EXCHANGE) {
        return true;
    }
    take(server, n);
    server->n_body += n;
    fe_h1_timeout_restart(server);
    if (n == data.len) {
        server->body = FE_H1_BODY_FLOWING;
    } else if (server->body == FE_H1_BODY_FLOWING) {
        server->run_ms = server->ops->now_ms(server->owner); /* asked from within: no circles */
        return false;
    }
    return true;
}

/* False: it is to be done again, but not in a circle. */
static bool deliver_turn(struct fe_h1_server *server)
{
    fe_exchange_deliver_turn(&server->ex);
    if (server->phase == FE_H1_EXCHANGE && server->ex.is_deferred) {
        server->run_ms = server->ops->now_ms(server->owner);
        return false;
    }
    return true;
}

static bool step_exchange(struct fe_h1_server *server)
{
    struct fe_exchange *ex = &server->ex;

    if (server->is_blocked && server->out->len <= FE_HTTP_OUT_HIGH_WATER) {
        server->is_blocked = false;
        fe_exchange_deliver_writable(ex);
        return true;
    }
    if (ex->is_deferred && !deliver_turn(server)) {
        return false;
    }
    if (server->phase != FE_H1_EXCHANGE) {
        return true;
    }
    if (server->body != FE_H1_BODY_FLOWING) {
        return false;
    }
    switch (decode(server)) {
    case FE_H1_ON_BODY:
        return deliver_body(server);
    case FE_H1_ON_END:
        server->body = FE_H1_BODY_DONE;
        fe_exchange_deliver_end(ex, &server->decoder.trailers);
        return true;
    case FE_H1_ON_FAULT:
        fe_h1_fail(server, server->decoder.fault.status, server->decoder.fault.reason);
        return true;
    default:
        if (fe_h1_has_read_all(server)) {
            fe_h1_abandon(server);
        }
        return fe_h1_has_input(server);
    }
}

void fe_h1_discard(struct fe_h1_server *server)
{
    for (;;) {
        switch (decode(server)) {
        case FE_H1_ON_BODY:
            server->n_dropped += server->decoder.body.len;
            take(server, server->decoder.body.len);
            if (server->n_dropped > FE_H1_DISCARD_MAX) {
                fe_h1_finish(server);
                return;
            }
            break;
        case FE_H1_ON_END:
            fe_h1_decoder_next(&server->decoder);
            server->phase = FE_H1_WAIT;
            if (server->is_draining || fe_h1_has_read_all(server)) {
                fe_h1_finish(server);
            }
            return;
        case FE_H1_ON_FAULT:
            fe_h1_finish(server);
            return;
        default:
            if (fe_h1_has_input(server)) {
                break;
            }
            if (server->has_eof) {
                fe_h1_finish(server); /* the rest does not come any more */
            }
            return;
        }
    }
}

static bool step(struct fe_h1_server *server)
{
    switch (server->phase) {
    case FE_H1_WAIT:
        return step_wait(server);
    case FE_H1_EXCHANGE:
        return step_exchange(server);
    case FE_H1_TUNNEL:
        return fe_h1_tunnel_step(server);
    case FE_H1_DISCARD:
        fe_h1_discard(server);
        return server->phase == FE_H1_WAIT;
    case FE_H1_LINGER:
        drop_input(server);
        if (server->n_dropped > FE_H1_LINGER_MAX) {
            fe_h1_reset(server);
        }
        return false;
    case FE_H1_CLOSED:
        drop_input(server);
        break;
    }
    return false;
}

void fe_h1_run(struct fe_h1_server *server)
{
    FE_ASSERT(!server->is_running, "the owner does not call from within a backend's call");
    server->is_running = true;
    while (step(server)) {
    }
    server->is_running = false;
    release_snapshot(server);
    fe_h1_update(server);
    FE_CHECK(fe_h1_check(server));
}

void fe_h1_schedule_run(struct fe_h1_server *server)
{
    if (!server->is_running) {
        server->run_ms = server->ops->now_ms(server->owner);
    }
}

void fe_h1_update(struct fe_h1_server *server)
{
    bool pause = server->held.len >= FE_H1_HELD_MAX ||
                 (server->phase == FE_H1_TUNNEL && fe_h1_tunnel_is_paused(server));

    if (server->is_running || server->phase == FE_H1_CLOSED) {
        return;
    }
    if (server->out->len > 0) {
        server->ops->flush(server->owner);
    }
    if (pause != server->is_paused) {
        server->is_paused = pause;
        server->ops->set_reading(server->owner, !pause);
    }
    fe_h1_timeout_update(server);
}

/* ---- invariants ----------------------------------------------------------------------------- */

void fe_h1_check(const struct fe_h1_server *server)
{
    const struct fe_exchange *const ex = &server->ex;

    FE_ASSERT(server->phase != FE_H1_EXCHANGE || ex->sent < FE_EXCHANGE_TUNNEL,
              "a backend that has ended its exchange has left it");
    FE_ASSERT((server->phase == FE_H1_TUNNEL) ==
                  (ex->sent >= FE_EXCHANGE_TUNNEL && ex->sent < FE_EXCHANGE_OVER),
              "a tunnel's connection serves nothing else");
    FE_ASSERT(!fe_h1_has_exchange(server) || server->had_request, "an exchange has a request");
    FE_ASSERT(!server->is_blocked || !fe_h1_has_exchange(server) || fe_exchange_has_sent_head(ex),
              "only a response is held back");
    FE_ASSERT(!server->is_blocked || ex->phase != FE_EXCHANGE_TUNNEL_READ,
              "a direction that has ended is not held back");
    FE_ASSERT(server->phase != FE_H1_EXCHANGE || server->framing == FE_H1_FRAMING_LENGTH ||
                  server->left == 0 || ex->sent == FE_EXCHANGE_OPEN,
              "only an announced length has a rest");
    FE_ASSERT(server->fed.len == 0 || server->phase != FE_H1_CLOSED,
              "a closed connection keeps nothing");
    FE_ASSERT(server->body != FE_H1_BODY_DONE || server->phase != FE_H1_TUNNEL || server->has_eof,
              "the client's direction ends with its FIN");
    if (fe_h1_has_exchange(server)) {
        fe_exchange_check(ex);
    }
}

/* ---- the owner's calls ---------------------------------------------------------------------- */

static struct fe_h1_server *server_of(struct fe_http_server *base)
{
    return FE_CONTAINER_OF(base, struct fe_h1_server, base);
}

static void feed(struct fe_http_server *base, struct fe_view data)
{
    struct fe_h1_server *server = server_of(base);

    server->fed = data;
    fe_h1_run(server);
    if (server->fed.len > 0) {
        int code = fe_chain_append(&server->held, server->fed.ptr, server->fed.len);

        server->fed = fe_view_of(NULL, 0);
        if (code != 0) {
            server->ops->close(server->owner, true); /* the backend hears of it when we are freed */
            return;
        }
        fe_h1_update(server);
    }
}

/* RFC 9112 §9.6: a client that has nothing more to ask may end its direction, and is answered all
 * the same. What it has sent is handled as ever; what is missing then does not come any more. */
static void on_eof(struct fe_http_server *base)
{
    struct fe_h1_server *server = server_of(base);

    server->has_eof = true;
    fe_h1_timeout_probe(server);
    fe_h1_run(server);
}

static void on_drain(struct fe_http_server *base)
{
    fe_h1_run(server_of(base));
}

/* At the end of a turn. */
static void run(struct fe_http_server *base)
{
    release_snapshot(server_of(base));
}

static void drain(struct fe_http_server *base)
{
    struct fe_h1_server *server = server_of(base);

    server->is_draining = true;
    if (server->phase == FE_H1_WAIT) {
        fe_h1_finish(server);
    }
}

static void server_free(struct fe_http_server *base)
{
    struct fe_h1_server *server = server_of(base);

    FE_ASSERT(!server->is_running, "the owner does not call from within a backend's call");
    if (fe_h1_has_exchange(server)) {
        end_exchange(server, FE_H1_CLOSED);
    }
    release_snapshot(server);
    fe_h1_timeout_deinit(server);
    fe_h1_decoder_deinit(&server->decoder);
    fe_chain_deinit(&server->held);
    fe_arena_deinit(&server->ex.arena);
    free(server);
}

static const struct fe_http_server_ops server_ops = {
    .feed = feed,
    .run = run,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .drain = drain,
    .free = server_free,
};

struct fe_http_server *fe_h1_server_new(const struct fe_http_setup *setup)
{
    struct fe_h1_server *server = calloc(1, sizeof(*server));

    if (server == NULL) {
        return NULL;
    }
    server->base.ops = &server_ops;
    server->limits = setup->limits;
    server->timers = setup->timers;
    server->out = setup->out;
    server->ops = setup->ops;
    server->owner = setup->owner;
    server->phase = FE_H1_WAIT;
    server->ex.ops = &fe_h1_exchange_ops;
    server->ex.request.scheme = setup->scheme;
    server->ex.remote = setup->remote;
    server->filters = setup->filters;
    fe_arena_init(&server->ex.arena, 0);
    fe_chain_init(&server->held, setup->out->pool);
    fe_h1_decoder_init(&server->decoder, setup->limits->header_max, &server->ex.arena,
                       &server->ex.request);
    if (fe_h1_timeout_init(server) != 0) {
        free(server);
        return NULL;
    }
    return &server->base;
}
