/* One HTTP/2 connection: bytes in, through the guard, to nghttp2; what backends say, at the end of
 * the turn, through nghttp2 to the output.
 *
 * Happy path: feed, which dispatches requests and gives bodies to backends; run, which gives their
 * answers to nghttp2 and fills the output; on_drain, the same for what did not fit.
 *
 * Failure modes: the client breaks the protocol: nghttp2 says so to it, and has nothing more to
 * read or write; we finish. It does too much of something: GOAWAY, and finish. Memory is short: a
 * stream is refused, or the connection is reset. */
#include <stdlib.h>

#include "ground/base/assert.h"
#include "web/http/h2/connection.h"

static const struct fe_h2_rate rates[FE_H2_N_FLOODS] = FE_H2_RATES;

static struct fe_h2_server *server_of(struct fe_http_server *base)
{
    return FE_CONTAINER_OF(base, struct fe_h2_server, base);
}

/* ---- ends ----------------------------------------------------------------------------------- */

/* Every backend hears that its exchange is over. */
static void close_streams(struct fe_h2_server *server)
{
    while (!fe_list_is_empty(&server->streams)) {
        fe_h2_stream_close(FE_CONTAINER_OF(server->streams.next, struct fe_h2_stream, link));
    }
}

void fe_h2_finish(struct fe_h2_server *server)
{
    if (fe_h2_is_gone(server)) {
        return;
    }
    server->phase = FE_H2_LINGER;
    close_streams(server);
    fe_h2_session_drop(server);
    server->setup.ops->flush(server->setup.owner);
    server->setup.ops->close(server->setup.owner, false);
}

void fe_h2_reset(struct fe_h2_server *server)
{
    if (server->phase == FE_H2_CLOSED) {
        return;
    }
    server->phase = FE_H2_CLOSED;
    close_streams(server);
    fe_h2_session_drop(server);
    server->setup.ops->close(server->setup.owner, true);
}

/* By hand, for when nghttp2 is in no state to do it: RFC 9113 §6.8. FLATEND_ENOMEM. */
static int append_goaway(struct fe_h2_server *server, uint32_t code, const char *why)
{
    uint32_t last = (uint32_t)nghttp2_session_get_last_proc_stream_id(server->session);
    size_t len = strlen(why);
    uint8_t frame[17 + 64] = {0, 0, (uint8_t)(8 + len), NGHTTP2_GOAWAY};

    FE_ASSERT(len <= 64, "the reason fits the frame");
    for (int i = 0; i < 4; i++) {
        frame[9 + i] = (uint8_t)(last >> (24 - 8 * i));
        frame[13 + i] = (uint8_t)(code >> (24 - 8 * i));
    }
    memcpy(frame + 17, why, len);
    return fe_chain_append(server->setup.out, frame, 17 + len);
}

void fe_h2_terminate(struct fe_h2_server *server, uint32_t code, const char *why)
{
    if (fe_h2_is_gone(server)) {
        return;
    }
    if (append_goaway(server, code, why) != 0) {
        fe_h2_reset(server);
    } else {
        fe_h2_finish(server);
    }
}

static void on_flood(struct fe_h2_server *server, enum fe_h2_flood kind)
{
    server->counters->closed[kind]++;
    server->setup.ops->on_abuse(server->setup.owner, rates[kind].problem);
    fe_h2_terminate(server, NGHTTP2_ENHANCE_YOUR_CALM, rates[kind].problem);
}

/* What a call of nghttp2's says when it cannot go on; 0 or more is none of that. */
static void on_session_error(struct fe_h2_server *server, ssize_t code)
{
    if (server->flood != FE_H2_NO_FLOOD) {
        on_flood(server, server->flood);
    } else if (code == NGHTTP2_ERR_FLOODED) {
        server->counters->seen[FE_H2_ACKS]++;
        on_flood(server, FE_H2_ACKS);
    } else if (code == NGHTTP2_ERR_BAD_CLIENT_MAGIC) {
        fe_h2_terminate(server, NGHTTP2_PROTOCOL_ERROR, "invalid HTTP/2 connection preface");
    } else {
        fe_h2_reset(server); /* out of memory */
    }
}

/* ---- output --------------------------------------------------------------------------------- */

/* One stream's turn: what it was told of, then what can be told to its backend. */
static void step(struct fe_h2_stream *stream)
{
    struct fe_exchange *ex = &stream->ex;

    if (stream->is_closed && stream->state != FE_H2_EXCHANGE) {
        fe_h2_stream_close(stream);
        return;
    }
    fe_h2_submit(stream);
    if (stream->state == FE_H2_EXCHANGE && ex->is_deferred) {
        fe_exchange_deliver_turn(ex);
    }
    fe_h2_deliver(stream);
    if (stream->state == FE_H2_EXCHANGE && stream->is_blocked &&
        stream->output.len <= FE_H2_STREAM_OUT_MAX / 2 && fe_h2_room(stream) > 0) {
        stream->is_blocked = false;
        fe_exchange_deliver_writable(ex);
        fe_h2_submit(stream);
    }
}

static void step_all(struct fe_h2_server *server)
{
    struct fe_list due;
    struct fe_list *link;

    fe_list_init(&due);
    fe_list_move(&due, &server->todo);
    while ((link = fe_list_pop_front(&due)) != NULL) {
        step(FE_CONTAINER_OF(link, struct fe_h2_stream, todo));
    }
}

/* Frames into the output, up to the mark. False: the session is of no use any more. */
static bool fill(struct fe_h2_server *server)
{
    struct fe_chain *out = server->setup.out;

    while (out->len <= FE_HTTP_OUT_HIGH_WATER) {
        const uint8_t *data = NULL;
        ssize_t n = nghttp2_session_mem_send(server->session, &data);

        if (n > 0 && fe_chain_append(out, data, (size_t)n) != 0) {
            n = NGHTTP2_ERR_NOMEM;
        }
        if (n < 0 || server->flood != FE_H2_NO_FLOOD) {
            on_session_error(server, n);
            return false;
        }
        if (n == 0) {
            break;
        }
    }
    return true;
}

/* What bodies that have arrived had used up of the connection's window, unless too much of them
 * lies here. */
static void give_window(struct fe_h2_server *server)
{
    size_t n = server->n_owed;

    if (n == 0 || server->n_held > FE_H2_HELD_MAX) {
        return;
    }
    server->n_owed = 0;
    if (nghttp2_session_consume_connection(server->session, n) != 0) {
        server->is_out_of_memory = true;
    }
}

static void run_rounds(struct fe_h2_server *server)
{
    for (unsigned round = 0; round < FE_H2_ROUNDS_MAX; round++) {
        step_all(server);
        give_window(server);
        if (!fill(server)) {
            return;
        }
        if (server->is_out_of_memory) {
            fe_h2_reset(server);
            return;
        }
        if (fe_list_is_empty(&server->todo)) {
            break;
        }
    }
}

/* RFC 9113 §6.8: no stream runs, and none will. nghttp2 does not know of those that it has closed
 * and a backend still reads. */
static bool is_done(const struct fe_h2_server *server)
{
    if (nghttp2_session_want_write(server->session)) {
        return false;
    }
    if (server->n_streams == 0 && server->phase == FE_H2_GOAWAY_SENT) {
        return true;
    }
    return !nghttp2_session_want_read(server->session) &&
           (server->n_closed == 0 || server->n_closed < server->n_streams);
}

static void finish_if_done(struct fe_h2_server *server)
{
    if (!fe_h2_is_gone(server) && is_done(server)) {
        fe_h2_finish(server);
    }
}

/* What is in the output now is sent without asking, but not what could not be done yet. */
static void run(struct fe_http_server *base)
{
    struct fe_h2_server *server = server_of(base);

    FE_ASSERT(!server->is_running, "the owner does not call from within a backend's call");
    if (!fe_h2_is_gone(server)) {
        server->is_running = true;
        run_rounds(server);
        server->is_running = false;
        finish_if_done(server);
    }
    if (!fe_list_is_empty(&server->todo)) {
        server->setup.ops->flush(server->setup.owner);
    }
    fe_h2_timeout_update(server);
    FE_CHECK(fe_h2_check(server));
}

static void on_drain(struct fe_http_server *base)
{
    struct fe_h2_server *server = server_of(base);

    run(base);
    if (server->setup.out->len > 0) {
        server->setup.ops->flush(server->setup.owner);
    }
}

/* ---- input ---------------------------------------------------------------------------------- */

static void drop_input(struct fe_h2_server *server, size_t n)
{
    server->n_dropped += n;
    if (server->phase == FE_H2_LINGER && server->n_dropped > FE_H2_LINGER_MAX) {
        fe_h2_reset(server);
    }
}

static void receive(struct fe_h2_server *server, struct fe_view data)
{
    enum fe_h2_flood kind = fe_h2_guard_feed(&server->guard, data, fe_h2_now(server));
    ssize_t n;

    if (kind != FE_H2_NO_FLOOD) {
        on_flood(server, kind);
        return;
    }
    if (server->guard.fault.code != 0) { /* GOAWAY says that none of these bytes was looked at */
        fe_h2_terminate(server, server->guard.fault.code, server->guard.fault.why);
        return;
    }
    n = nghttp2_session_mem_recv(server->session, data.ptr, data.len);
    if (n < 0 || server->flood != FE_H2_NO_FLOOD) {
        on_session_error(server, n);
    }
}

/* What the requests of one turn have caused is put together at its end. */
static void feed(struct fe_http_server *base, struct fe_view data)
{
    struct fe_h2_server *server = server_of(base);

    if (fe_h2_is_gone(server)) {
        drop_input(server, data.len);
        return;
    }
    server->is_running = true;
    receive(server, data);
    server->is_running = false;
    if (!fe_h2_is_gone(server)) {
        server->setup.ops->flush(server->setup.owner);
    }
    fe_h2_timeout_update(server);
}

/* ---- invariants ----------------------------------------------------------------------------- */

static void check_stream(const struct fe_h2_stream *stream)
{
    FE_ASSERT((stream->state == FE_H2_EXCHANGE) == (stream->ex.sent != FE_EXCHANGE_OVER) ||
                  stream->state == FE_H2_HEAD,
              "a stream has a backend as long as its exchange goes on");
    FE_ASSERT(stream->state == FE_H2_EXCHANGE || stream->read_ms == FE_TIME_NEVER ||
                  (stream->state == FE_H2_ENDED && stream->has_sent_end),
              "a body is waited for as long as its exchange goes on, and a while behind it");
    FE_ASSERT(!stream->is_submitted || stream->head != NULL, "what is sent has a head");
    FE_ASSERT(!stream->has_finished || stream->ex.is_tunnel, "only a tunnel is half-closed");
    FE_ASSERT(!stream->is_closed || (stream->has_finished && stream->is_complete),
              "a stream outlives nghttp2's when both directions have ended");
    FE_ASSERT(!stream->has_finished || !stream->is_blocked,
              "a direction that has ended is not held back");
    FE_ASSERT(stream->left == 0 || stream->has_length, "only an announced length has a rest");
    FE_ASSERT(stream->body != FE_H2_BODY_DONE || stream->is_complete,
              "a body ends when the client has ended it");
    if (stream->state == FE_H2_EXCHANGE) {
        fe_exchange_check(&stream->ex);
    }
}

void fe_h2_check(const struct fe_h2_server *server)
{
    size_t n = 0;
    size_t n_closed = 0;
    size_t n_head = 0;
    size_t n_held = 0;
    size_t n_output = 0;

    FE_ASSERT(fe_h2_is_gone(server) == (server->session == NULL), "a session ends with its frames");
    FE_ASSERT(!fe_h2_is_gone(server) || server->n_streams == 0, "streams end with their session");
    FE_LIST_FOREACH (link, tmp, &server->streams) {
        const struct fe_h2_stream *const stream = FE_CONTAINER_OF(link, struct fe_h2_stream, link);

        check_stream(stream);
        n++;
        n_closed += stream->is_closed;
        n_head += stream->n_head;
        n_held += stream->held.len;
        n_output += stream->output.len;
    }
    FE_ASSERT(n == server->n_streams, "each stream is counted");
    FE_ASSERT(n_closed == server->n_closed, "each stream that is still read is counted");
    FE_ASSERT(n_head == server->n_heads, "each byte of a head is counted");
    FE_ASSERT(n_held == server->n_held, "each byte of a body that waits is counted");
    FE_ASSERT(n_output == server->n_output, "each byte of a response that waits is counted");
}

/* ---- the owner's calls ---------------------------------------------------------------------- */

static void on_eof(struct fe_http_server *base)
{
    struct fe_h2_server *server = server_of(base);

    fe_h2_finish(server);
    fe_h2_timeout_update(server);
}

void fe_h2_goaway(struct fe_h2_server *server)
{
    server->phase = FE_H2_GOAWAY_SENT;
    if (nghttp2_submit_goaway(server->session, NGHTTP2_FLAG_NONE,
                              nghttp2_session_get_last_proc_stream_id(server->session),
                              NGHTTP2_NO_ERROR, NULL, 0) != 0) {
        server->is_out_of_memory = true;
    }
}

/* RFC 9113 §6.8: requests that are on their way are to be answered, so the client is first told to
 * send no more, and then which was the last. */
static void drain(struct fe_http_server *base)
{
    struct fe_h2_server *server = server_of(base);

    if (server->phase != FE_H2_OPEN) {
        return;
    }
    if (server->n_streams == 0) {
        fe_h2_terminate(server, NGHTTP2_NO_ERROR, "");
    } else {
        server->phase = FE_H2_NOTICE_SENT;
        if (nghttp2_submit_shutdown_notice(server->session) != 0) {
            server->is_out_of_memory = true;
        }
        server->setup.ops->flush(server->setup.owner);
    }
    fe_h2_timeout_update(server);
}

static void server_free(struct fe_http_server *base)
{
    struct fe_h2_server *server = server_of(base);

    FE_ASSERT(!server->is_running, "the owner does not call from within a backend's call");
    server->phase = FE_H2_CLOSED;
    close_streams(server);
    fe_h2_streams_trim(server);
    fe_h2_session_drop(server);
    fe_h2_timeout_deinit(server);
    fe_h2_guard_deinit(&server->guard);
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

/* Our preface goes before anything else, even a GOAWAY. */
static int send_settings(struct fe_h2_server *server)
{
    const uint8_t *data;
    ssize_t n;

    while ((n = nghttp2_session_mem_send(server->session, &data)) > 0) {
        if (fe_chain_append(server->setup.out, data, (size_t)n) != 0) {
            return FLATEND_ENOMEM;
        }
    }
    return n == 0 ? 0 : FLATEND_ENOMEM;
}

struct fe_http_server *fe_h2_server_new(const struct fe_http_setup *setup,
                                        struct fe_h2_counters *counters)
{
    struct fe_h2_server *server = calloc(1, sizeof(*server));

    if (server == NULL) {
        return NULL;
    }
    server->base.ops = &server_ops;
    server->setup = *setup;
    server->counters = counters;
    server->phase = FE_H2_OPEN;
    server->flood = FE_H2_NO_FLOOD;
    fe_list_init(&server->streams);
    fe_list_init(&server->todo);
    fe_list_init(&server->free_streams);
    fe_h2_memory_init(&server->memory);
    fe_h2_guard_init(&server->guard, setup->limits->header_max, counters);
    if (fe_h2_session_new(server) != 0) {
        free(server);
        return NULL;
    }
    if (send_settings(server) != 0 || fe_h2_timeout_init(server) != 0) {
        fe_h2_session_drop(server);
        free(server);
        return NULL;
    }
    counters->connections++;
    return &server->base;
}
