/* The timeouts of a connection and of its streams. All of them live on one timer that is hardly
 * ever moved: deadlines are stored, and the timer, when it fires, looks which of them has really
 * come. */
#include "web/http/h2/connection.h"

/* ---- one stream ----------------------------------------------------------------------------- */

void fe_h2_timeout_read(struct fe_h2_stream *stream)
{
    struct fe_h2_server *server = stream->server;
    uint64_t limit_ms = server->setup.limits->read_ms;
    bool waits = stream->state == FE_H2_EXCHANGE && stream->body == FE_H2_BODY_FLOWING &&
                 stream->held.len == 0 && !stream->is_complete;

    if (stream->ex.is_tunnel) {
        waits = stream->state == FE_H2_EXCHANGE;
        limit_ms = server->setup.limits->tunnel_idle_ms;
    }
    stream->read_ms = waits ? fe_deadline(fe_h2_now(server), limit_ms) : FE_TIME_NEVER;
    server->check_ms = fe_earlier(server->check_ms, stream->read_ms);
}

void fe_h2_timeout_discard(struct fe_h2_stream *stream)
{
    struct fe_h2_server *server = stream->server;

    stream->read_ms = fe_h2_now(server) + FE_H2_DISCARD_MS;
    server->check_ms = fe_earlier(server->check_ms, stream->read_ms);
}

void fe_h2_timeout_write(struct fe_h2_stream *stream)
{
    struct fe_h2_server *server = stream->server;

    if (stream->output.len == 0) {
        stream->write_ms = FE_TIME_NEVER;
    } else if (stream->write_ms == FE_TIME_NEVER) {
        stream->write_ms = fe_deadline(fe_h2_now(server), server->setup.limits->write_ms);
        stream->was_sent = stream->n_sent;
        server->check_ms = fe_earlier(server->check_ms, stream->write_ms);
    }
}

/* Only a client that gives no window stalls its stream: that it waits for its turn is our doing,
 * and that nothing is read from the connection has a timeout of its own. */
static bool is_stalled(struct fe_h2_stream *stream, uint64_t now)
{
    struct fe_h2_server *server = stream->server;
    bool is_shut =
        nghttp2_session_get_stream_remote_window_size(server->session, stream->id) <= 0 ||
        nghttp2_session_get_remote_window_size(server->session) <= 0;

    if (is_shut && stream->was_sent == stream->n_sent) {
        return true;
    }
    stream->was_sent = stream->n_sent;
    stream->write_ms = fe_deadline(now, server->setup.limits->write_ms);
    return false;
}

static void on_read_timeout(struct fe_h2_stream *stream)
{
    if (stream->state == FE_H2_ENDED) {
        fe_h2_stream_reset(stream, NGHTTP2_NO_ERROR); /* answered long ago */
    } else if (stream->ex.is_tunnel) {
        fe_h2_fail(stream, 408, "tunnel idle");
    } else {
        fe_h2_fail(stream, 408, "timed out reading the request body");
    }
}

/* The client is too slow for one of its streams; the others go on. */
static void check_stream(struct fe_h2_stream *stream, uint64_t now)
{
    struct fe_h2_server *server = stream->server;

    if (now >= stream->write_ms && is_stalled(stream, now)) {
        bool has_backend = stream->state == FE_H2_EXCHANGE;

        stream->write_ms = FE_TIME_NEVER;
        stream->read_ms = FE_TIME_NEVER;
        stream->state = FE_H2_RESET;
        server->counters->stalled++;
        if (has_backend) {
            fe_exchange_deliver_reset(&stream->ex, FLATEND_ETIMEDOUT);
        }
        fe_h2_stream_reset(stream, NGHTTP2_CANCEL);
    } else if (now >= stream->read_ms) {
        stream->read_ms = FE_TIME_NEVER;
        on_read_timeout(stream);
    }
}

static void check_streams(struct fe_h2_server *server, uint64_t now)
{
    uint64_t next = FE_TIME_NEVER;

    FE_LIST_FOREACH (link, tmp, &server->streams) {
        struct fe_h2_stream *stream = FE_CONTAINER_OF(link, struct fe_h2_stream, link);

        check_stream(stream, now);
        next = fe_earlier(next, fe_earlier(stream->read_ms, stream->write_ms));
    }
    server->check_ms =
        next == FE_TIME_NEVER || next > now + FE_H2_CHECK_MS ? next : now + FE_H2_CHECK_MS;
}

/* ---- the connection ------------------------------------------------------------------------- */

static enum fe_h2_wait waits_for(const struct fe_h2_server *server)
{
    switch (server->phase) {
    case FE_H2_OPEN:
    case FE_H2_GOAWAY_SENT:
        if (server->receiving != NULL || !server->had_request) {
            return FE_H2_WAIT_HEAD;
        }
        return server->n_streams == 0 ? FE_H2_WAIT_IDLE : FE_H2_WAIT_NONE;
    case FE_H2_NOTICE_SENT:
        return FE_H2_WAIT_NOTICE;
    case FE_H2_LINGER:
        return FE_H2_WAIT_LINGER;
    case FE_H2_CLOSED:
        break;
    }
    return FE_H2_WAIT_NONE;
}

static uint64_t wait_timeout(const struct fe_h2_server *server)
{
    switch (server->waiting) {
    case FE_H2_WAIT_HEAD:
        return server->setup.limits->read_header_ms;
    case FE_H2_WAIT_IDLE:
        return server->setup.limits->idle_ms;
    case FE_H2_WAIT_NOTICE:
        return FE_H2_NOTICE_MS;
    case FE_H2_WAIT_LINGER:
        return FE_H2_LINGER_MS;
    case FE_H2_WAIT_NONE:
        break;
    }
    return 0;
}

/* After the last frame, what waits in the system's buffer counts too: a reset would drop it. */
static bool is_sending(const struct fe_h2_server *server)
{
    return server->setup.out->len > 0 ||
           (server->phase == FE_H2_LINGER && !server->setup.ops->is_all_acked(server->setup.owner));
}

void fe_h2_timeout_update(struct fe_h2_server *server)
{
    enum fe_h2_wait waiting = waits_for(server);
    uint64_t now = fe_h2_now(server);
    uint64_t next;

    if (waiting != server->waiting) {
        server->waiting = waiting;
        server->wait_ms = fe_deadline(now, wait_timeout(server));
        server->trim_ms = waiting == FE_H2_WAIT_IDLE ? now + FE_H2_TRIM_MS : FE_TIME_NEVER;
    }
    if (server->write_ms == FE_TIME_NEVER && server->phase != FE_H2_CLOSED && is_sending(server)) {
        server->write_ms = fe_deadline(now, server->setup.limits->write_ms);
        server->written = server->setup.ops->written(server->setup.owner);
    }
    next = fe_earlier(fe_earlier(server->wait_ms, server->trim_ms),
                      fe_earlier(server->write_ms, server->check_ms));
    if (next < server->timer.deadline_ms &&
        fe_timer_start(server->setup.timers, &server->timer, next) != 0) {
        fe_h2_reset(server); /* without its timer the connection could hang for ever */
    }
}

/* Has the client stopped taking what we send? */
static bool is_unread(struct fe_h2_server *server, uint64_t now)
{
    uint64_t written = server->setup.ops->written(server->setup.owner);

    if (now < server->write_ms) {
        return false;
    }
    server->write_ms = FE_TIME_NEVER;
    return is_sending(server) && written == server->written;
}

static void on_wait_over(struct fe_h2_server *server)
{
    server->wait_ms = FE_TIME_NEVER;
    switch (server->waiting) {
    case FE_H2_WAIT_HEAD:
        if (server->receiving == NULL) {
            fe_h2_terminate(server, NGHTTP2_NO_ERROR, "");
        } else { /* nothing else can come before the rest of it */
            fe_h2_terminate(server, NGHTTP2_ENHANCE_YOUR_CALM,
                            "timed out reading the request head");
        }
        break;
    case FE_H2_WAIT_IDLE:
        fe_h2_terminate(server, NGHTTP2_NO_ERROR, "");
        break;
    case FE_H2_WAIT_NOTICE:
        fe_h2_goaway(server);
        server->setup.ops->flush(server->setup.owner);
        break;
    case FE_H2_WAIT_LINGER:
        /* While the last frame is not sent it is the write timeout that counts. */
        if (!is_sending(server)) {
            fe_h2_reset(server);
        } else {
            server->waiting = FE_H2_WAIT_NONE;
        }
        break;
    case FE_H2_WAIT_NONE:
        break;
    }
}

static void on_timer(struct fe_timer *timer)
{
    struct fe_h2_server *server = FE_CONTAINER_OF(timer, struct fe_h2_server, timer);
    uint64_t now = fe_h2_now(server);

    if (is_unread(server, now)) {
        fe_h2_reset(server);
        return;
    }
    if (now >= server->trim_ms) {
        server->trim_ms = FE_TIME_NEVER;
        fe_h2_streams_trim(server);
        fe_h2_sequence_trim(&server->guard.sequence);
    }
    if (now >= server->check_ms) {
        check_streams(server, now);
    }
    if (now >= server->wait_ms) {
        on_wait_over(server);
    }
    fe_h2_timeout_update(server);
}

/* Arms the timer even if no timeout is set, so that it is in the heap: from then on moving it does
 * not fail. */
int fe_h2_timeout_init(struct fe_h2_server *server)
{
    uint64_t now = fe_h2_now(server);

    fe_timer_init(&server->timer, on_timer);
    server->waiting = FE_H2_WAIT_HEAD;
    server->wait_ms = fe_deadline(now, wait_timeout(server));
    server->trim_ms = FE_TIME_NEVER;
    server->check_ms = FE_TIME_NEVER;
    server->write_ms = FE_TIME_NEVER;
    return fe_timer_start(server->setup.timers, &server->timer,
                          fe_earlier(server->wait_ms, now + FE_H2_TRIM_MS));
}

void fe_h2_timeout_deinit(struct fe_h2_server *server)
{
    fe_timer_stop(server->setup.timers, &server->timer);
}
