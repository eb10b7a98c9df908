/* The timeouts of a connection and of its streams. All of them live on one timer that is hardly
 * ever moved: deadlines are stored, and the timer, when it fires, looks which of them has really
 * come. */
#include "web/http/h2/connection.h"

/* ---- one stream ----------------------------------------------------------------------------- */

/* The route's; the connection's until that is known. */
static const struct fe_http_times *times_of(const struct fe_h2_stream *stream)
{
    return stream->ex.times != NULL ? stream->ex.times : &stream->server->setup.limits->times;
}

static struct fe_h2_mark mark(const struct fe_h2_stream *stream, uint64_t taken)
{
    return (struct fe_h2_mark){stream->sent.n, stream->server->sent.n, taken};
}

/* What is on its way now says nothing of the client. */
static struct fe_h2_mark mark_behind_all(const struct fe_h2_stream *stream)
{
    const struct fe_http_setup *const setup = &stream->server->setup;

    return mark(stream, setup->ops->queued(setup->owner));
}

/* There is something to look at in a while. */
static void start_pace(struct fe_h2_stream *stream, uint64_t now)
{
    struct fe_h2_server *server = stream->server;

    if (stream->pace_ms == FE_TIME_NEVER && times_of(stream)->min_rate > 0) {
        stream->pace_ms = now + fe_pace_step_ms(server->setup.limits->grace_ms);
        stream->looked_ms = now;
        stream->at_look = mark_behind_all(stream);
        server->check_ms = fe_earlier(server->check_ms, stream->pace_ms);
    }
}

/* The client's time for its body passes while that is awaited, and not while it is held back. */
static void count_body(struct fe_h2_stream *stream, bool waits, uint64_t now)
{
    if (stream->since_ms != FE_TIME_NEVER) {
        stream->waited_ms += now - stream->since_ms;
    }
    stream->since_ms = waits ? now : FE_TIME_NEVER;
    if (waits && times_of(stream)->read_ms > 0) {
        start_pace(stream, now);
    }
}

static bool waits_for_body(const struct fe_h2_stream *stream)
{
    return stream->state == FE_H2_EXCHANGE && stream->body == FE_H2_BODY_FLOWING &&
           stream->held.len == 0 && !stream->is_complete;
}

void fe_h2_timeout_read(struct fe_h2_stream *stream)
{
    struct fe_h2_server *server = stream->server;
    bool waits = waits_for_body(stream);
    uint64_t limit_ms;
    uint64_t now;

    if (!waits && stream->since_ms == FE_TIME_NEVER && !stream->ex.is_tunnel) {
        stream->read_ms = FE_TIME_NEVER;
        return;
    }
    now = fe_h2_now(server);
    limit_ms = times_of(stream)->read_ms;
    if (stream->ex.is_tunnel) {
        waits = stream->state == FE_H2_EXCHANGE;
        limit_ms = server->setup.limits->tunnel_idle_ms;
    } else {
        count_body(stream, waits, now);
    }
    stream->read_ms = waits ? fe_deadline(now, limit_ms) : FE_TIME_NEVER;
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
    uint64_t now;

    if (stream->output.len == 0) {
        stream->write_ms = FE_TIME_NEVER;
        stream->full_ms = FE_TIME_NEVER;
    } else if (stream->full_ms == FE_TIME_NEVER) {
        now = fe_h2_now(server);
        stream->full_ms = now;
        stream->write_ms = fe_deadline(now, times_of(stream)->write_ms);
        stream->at_write = mark_behind_all(stream);
        server->check_ms = fe_earlier(server->check_ms, stream->write_ms);
        start_pace(stream, now);
    }
}

static bool is_own_shut(const struct fe_h2_stream *stream)
{
    return nghttp2_session_get_stream_remote_window_size(stream->server->session, stream->id) <= 0;
}

/* Only a client that gives no window stalls its stream: that it waits for its turn is our doing,
 * and that nothing is read from the connection has a timeout of its own. */
static bool is_shut(const struct fe_h2_stream *stream)
{
    return is_own_shut(stream) ||
           nghttp2_session_get_remote_window_size(stream->server->session) <= 0;
}

/* What moved, for a stream that is shut. Such a window says nothing of a client that has not got
 * yet what filled it: so if nothing was sent, what reaches the client counts, up to the last byte
 * of DATA; what it asks for besides, as by PING, does not. Where only the connection's window is
 * shut, the streams wait for it in turn, and all of them count. */
static uint64_t moved_since(const struct fe_h2_stream *stream, const struct fe_h2_mark *before,
                            uint64_t taken)
{
    const bool is_own = is_own_shut(stream);
    const struct fe_h2_sent *const sent = is_own ? &stream->sent : &stream->server->sent;
    const uint64_t n = sent->n - (is_own ? before->n_own : before->n_all);

    if (n > 0) {
        return n;
    }
    taken = taken < sent->end ? taken : sent->end;
    return taken > before->taken ? taken - before->taken : 0;
}

/* Until it has what was on its way when the time began, nobody knows how fast that is. */
static bool is_on_its_way(const struct fe_h2_stream *stream, uint64_t taken)
{
    const uint64_t end = is_own_shut(stream) ? stream->sent.end : stream->server->sent.end;

    return taken < stream->at_write.taken && taken < end;
}

static bool is_stalled(struct fe_h2_stream *stream, uint64_t now)
{
    const struct fe_http_setup *const setup = &stream->server->setup;
    const uint64_t taken = setup->ops->written(setup->owner);

    if (is_shut(stream) && moved_since(stream, &stream->at_write, taken) == 0 &&
        !is_on_its_way(stream, taken)) {
        return true;
    }
    stream->at_write = mark(stream, taken);
    stream->write_ms = fe_deadline(now, times_of(stream)->write_ms);
    return false;
}

/* Of the time since the last look that counts in which there was always something to send. */
static bool takes_too_slowly(struct fe_h2_stream *stream, const struct fe_pace_limit *limit,
                             uint64_t now)
{
    const struct fe_http_setup *const setup = &stream->server->setup;
    const uint64_t taken = setup->ops->written(setup->owner);
    const uint64_t since =
        stream->full_ms > stream->looked_ms ? stream->full_ms : stream->looked_ms;
    const bool waits = stream->output.len > 0 && is_shut(stream);
    const uint64_t n = waits ? moved_since(stream, &stream->at_look, taken)
                             : stream->sent.n - stream->at_look.n_own;

    stream->at_look = mark(stream, taken);
    return fe_pace_add(&stream->taking, limit, waits ? now - since : 0, n);
}

/* While the bodies that backends have left are too many, the client gets no window for more. */
static bool is_held_back(const struct fe_h2_stream *stream)
{
    return stream->server->n_held > FE_H2_HELD_MAX && waits_for_body(stream) &&
           !stream->ex.is_tunnel;
}

/* A route that lets its clients be silent for as long as they like does not mind how fast they
 * are. */
static bool sends_too_slowly(struct fe_h2_stream *stream, const struct fe_pace_limit *limit,
                             uint64_t now)
{
    const bool counts = times_of(stream)->read_ms > 0 && !is_held_back(stream);
    const uint64_t n = stream->n_body;
    uint64_t waited;

    count_body(stream, waits_for_body(stream), now);
    waited = stream->waited_ms;
    stream->waited_ms = 0;
    stream->n_body = 0;
    return counts && !stream->ex.is_tunnel && fe_pace_add(&stream->sending, limit, waited, n);
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
static void cut(struct fe_h2_stream *stream)
{
    const bool has_backend = stream->state == FE_H2_EXCHANGE;

    stream->write_ms = FE_TIME_NEVER;
    stream->read_ms = FE_TIME_NEVER;
    stream->state = FE_H2_RESET;
    if (has_backend) {
        fe_exchange_deliver_reset(&stream->ex, FLATEND_ETIMEDOUT);
    }
    fe_h2_stream_reset(stream, NGHTTP2_CANCEL);
}

/* True: it was too slow, and has been told so. */
static bool look_at_pace(struct fe_h2_stream *stream, uint64_t now)
{
    struct fe_h2_server *server = stream->server;
    const struct fe_pace_limit limit = {times_of(stream)->min_rate, server->setup.limits->grace_ms};
    const bool is_slow_reader = takes_too_slowly(stream, &limit, now);
    const bool is_slow_sender = sends_too_slowly(stream, &limit, now);

    stream->looked_ms = now;
    stream->pace_ms = FE_TIME_NEVER;
    if (is_slow_reader && stream->state != FE_H2_RESET) {
        server->setup.ops->on_slow(server->setup.owner, FE_HTTP_SLOW_READER);
        cut(stream);
        return true;
    }
    if (is_slow_sender && stream->state == FE_H2_EXCHANGE) {
        server->setup.ops->on_slow(server->setup.owner, FE_HTTP_SLOW_SENDER);
        stream->read_ms = FE_TIME_NEVER;
        fe_h2_fail(stream, 408, "the request body comes too slowly");
        return true;
    }
    if (stream->full_ms != FE_TIME_NEVER || stream->since_ms != FE_TIME_NEVER) {
        stream->pace_ms = now + fe_pace_step_ms(limit.grace_ms);
    }
    return false;
}

static void check_stream(struct fe_h2_stream *stream, uint64_t now)
{
    if (now >= stream->pace_ms && look_at_pace(stream, now)) {
        return;
    }
    if (now >= stream->write_ms && is_stalled(stream, now)) {
        stream->server->counters->stalled++;
        cut(stream);
    } else if (now >= stream->read_ms && is_held_back(stream)) {
        stream->read_ms = fe_deadline(now, times_of(stream)->read_ms);
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
        next = fe_earlier(
            next, fe_earlier(stream->pace_ms, fe_earlier(stream->read_ms, stream->write_ms)));
    }
    server->check_ms =
        next == FE_TIME_NEVER || next > now + FE_H2_CHECK_MS ? next : now + FE_H2_CHECK_MS;
}

/* ---- the connection ------------------------------------------------------------------------- */

/* A block of fields is coming, be it one of a stream that was refused in the middle of it. */
static bool is_in_head(const struct fe_h2_server *server)
{
    return server->receiving != NULL || server->guard.is_in_block;
}

static enum fe_h2_wait waits_for(const struct fe_h2_server *server)
{
    switch (server->phase) {
    case FE_H2_OPEN:
    case FE_H2_GOAWAY_SENT:
        if (is_in_head(server) || !server->had_request) {
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

/* What the system does not take for the client holds up all streams, and it is the most patient one
 * that counts: its route has said so. Behind the last stream it is the listener. */
static struct fe_http_times patient_times(const struct fe_h2_server *server)
{
    const struct fe_http_times *const own = &server->setup.limits->times;
    struct fe_http_times all = *own;

    FE_LIST_FOREACH (link, tmp, &server->streams) {
        const struct fe_http_times *const times =
            times_of(FE_CONTAINER_OF(link, struct fe_h2_stream, link));

        if (all.write_ms > 0 && (times->write_ms == 0 || times->write_ms > all.write_ms)) {
            all.write_ms = times->write_ms;
        }
        all.min_rate = all.min_rate < times->min_rate ? all.min_rate : times->min_rate;
    }
    return all;
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
        server->write_ms = fe_deadline(now, server->setup.limits->times.write_ms);
        server->written = server->setup.ops->written(server->setup.owner);
        server->unread_ms = now;
    }
    if (server->pace_ms == FE_TIME_NEVER && server->setup.limits->times.min_rate > 0 &&
        (server->setup.out->len > 0 || server->phase == FE_H2_LINGER)) {
        server->pace_ms = now + fe_pace_step_ms(server->setup.limits->grace_ms);
        server->looked_ms = now;
    }
    next = fe_earlier(fe_earlier(fe_earlier(server->wait_ms, server->trim_ms), server->pace_ms),
                      fe_earlier(server->write_ms, server->check_ms));
    if (next < server->timer.deadline_ms &&
        fe_timer_start(server->setup.timers, &server->timer, next) != 0) {
        fe_h2_reset(server); /* without its timer the connection could hang for ever */
    }
}

/* Has the client stopped taking what we send? */
static bool is_unread(struct fe_h2_server *server, uint64_t now)
{
    uint64_t limit_ms;

    if (now < server->write_ms) {
        return false;
    }
    server->write_ms = FE_TIME_NEVER;
    if (!is_sending(server) || server->setup.ops->written(server->setup.owner) != server->written) {
        return false;
    }
    limit_ms = patient_times(server).write_ms;
    if (limit_ms != 0 && now - server->unread_ms >= limit_ms) {
        return true;
    }
    server->write_ms = limit_ms != 0 ? server->unread_ms + limit_ms
                                     : fe_deadline(now, server->setup.limits->times.write_ms);
    return false;
}

/* How long bytes have waited for the client since the last look. Behind the last frame what the
 * system holds counts as well, as for the write timeout. */
static uint64_t out_waited(struct fe_h2_server *server, uint64_t now)
{
    const uint64_t total = server->setup.ops->waited_ms(server->setup.owner);
    const uint64_t waited = total - server->out_waited_ms;

    server->out_waited_ms = total;
    if (server->phase == FE_H2_LINGER && server->setup.out->len == 0 &&
        !server->setup.ops->is_all_acked(server->setup.owner)) {
        return now - server->looked_ms;
    }
    return waited;
}

/* Is the client too slow for what is sent to it altogether? */
static bool is_trickling(struct fe_h2_server *server, uint64_t now)
{
    struct fe_pace_limit limit = {.grace_ms = server->setup.limits->grace_ms};
    uint64_t before = server->n_taken;
    uint64_t waited;

    if (now < server->pace_ms) {
        return false;
    }
    server->pace_ms = FE_TIME_NEVER; /* the update that follows sets the next if there is need */
    waited = out_waited(server, now);
    if (waited == 0) {
        return false;
    }
    server->n_taken = server->setup.ops->written(server->setup.owner);
    /* What is on its way is known about only: the count may fall. */
    before = before < server->n_taken ? before : server->n_taken;
    limit.min_rate = patient_times(server).min_rate;
    return fe_pace_add(&server->taking, &limit, waited, server->n_taken - before);
}

static void on_wait_over(struct fe_h2_server *server)
{
    server->wait_ms = FE_TIME_NEVER;
    switch (server->waiting) {
    case FE_H2_WAIT_HEAD:
        if (!is_in_head(server)) {
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
    if (is_trickling(server, now)) {
        server->setup.ops->on_slow(server->setup.owner, FE_HTTP_SLOW_READER);
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
    server->pace_ms = FE_TIME_NEVER;
    return fe_timer_start(server->setup.timers, &server->timer,
                          fe_earlier(server->wait_ms, now + FE_H2_TRIM_MS));
}

void fe_h2_timeout_deinit(struct fe_h2_server *server)
{
    fe_timer_stop(server->setup.timers, &server->timer);
}
