/* The timeouts of a connection. All of them live on one timer that is hardly ever moved: deadlines
 * are stored, and the timer, when it fires, looks which of them has really come. */
#include "ground/base/list.h"
#include "web/http/h1/connection.h"

/* The route's, as long as its exchange runs. */
static const struct fe_http_times *times_of(const struct fe_h1_server *server)
{
    return fe_h1_has_exchange(server) && server->ex.times != NULL ? server->ex.times
                                                                  : &server->limits->times;
}

static enum fe_h1_wait waits_for(const struct fe_h1_server *server)
{
    switch (server->phase) {
    case FE_H1_WAIT:
        return server->had_request && fe_h1_decoder_is_idle(&server->decoder) ? FE_H1_WAIT_IDLE
                                                                              : FE_H1_WAIT_HEAD;
    case FE_H1_EXCHANGE:
        return server->body == FE_H1_BODY_FLOWING ? FE_H1_WAIT_BODY : FE_H1_WAIT_NONE;
    case FE_H1_TUNNEL:
        return FE_H1_WAIT_TUNNEL;
    case FE_H1_DISCARD:
    case FE_H1_LINGER:
        return FE_H1_WAIT_LINGER;
    case FE_H1_CLOSED:
        break;
    }
    return FE_H1_WAIT_NONE;
}

static uint64_t read_timeout(const struct fe_h1_server *server)
{
    switch (server->waiting) {
    case FE_H1_WAIT_HEAD:
        return server->limits->read_header_ms;
    case FE_H1_WAIT_IDLE:
        return server->limits->idle_ms;
    case FE_H1_WAIT_BODY:
        return times_of(server)->read_ms;
    case FE_H1_WAIT_TUNNEL:
        return server->limits->tunnel_idle_ms;
    case FE_H1_WAIT_LINGER:
        return FE_H1_LINGER_MS;
    case FE_H1_WAIT_NONE:
        break;
    }
    return 0;
}

/* After the last answer, what waits in the system's buffer counts too: a reset would drop it. */
static bool is_sending(const struct fe_h1_server *server)
{
    return server->out->len > 0 ||
           (server->phase == FE_H1_LINGER && !server->ops->is_all_acked(server->owner));
}

void fe_h1_timeout_restart(struct fe_h1_server *server)
{
    server->waiting = FE_H1_WAIT_NONE;
    server->read_ms = FE_TIME_NEVER;
    server->trim_ms = FE_TIME_NEVER; /* what was idle memory is in use */
}

void fe_h1_timeout_begin(struct fe_h1_server *server)
{
    fe_h1_timeout_restart(server);
    fe_pace_reset(&server->sending);
    server->body_since_ms = FE_TIME_NEVER;
    server->body_waited_ms = 0;
    server->n_body = 0;
}

/* ---- how fast ------------------------------------------------------------------------------- */

/* What a client is asked for by one route says nothing about another one. */
static void use_times(struct fe_h1_server *server, const struct fe_http_times *times)
{
    server->times = times;
    server->write_ms = FE_TIME_NEVER;
    fe_pace_reset(&server->taking);
}

/* Time is counted as it passes, and looked at later: this may be within a backend's call. */
static void count_body(struct fe_h1_server *server, uint64_t now)
{
    if (server->body_since_ms != FE_TIME_NEVER) {
        server->body_waited_ms += now - server->body_since_ms;
    }
    server->body_since_ms = server->waiting == FE_H1_WAIT_BODY ? now : FE_TIME_NEVER;
}

/* There is something to look at in a while. */
static void pace_update(struct fe_h1_server *server, uint64_t now)
{
    count_body(server, now);
    if (server->pace_ms == FE_TIME_NEVER && server->times->min_rate > 0 &&
        (server->out->len > 0 || server->phase == FE_H1_LINGER ||
         (server->waiting == FE_H1_WAIT_BODY && server->times->read_ms > 0))) {
        server->pace_ms = now + fe_pace_step_ms(server->limits->grace_ms);
        server->looked_ms = now;
    }
}

/* How long bytes have waited for the client since the last look. Behind the last answer what the
 * system holds counts as well, as for the write timeout. */
static uint64_t out_waited(struct fe_h1_server *server, uint64_t now)
{
    const uint64_t total = server->ops->waited_ms(server->owner);
    const uint64_t waited = total - server->out_waited_ms;

    server->out_waited_ms = total;
    if (server->phase == FE_H1_LINGER && server->out->len == 0 &&
        !server->ops->is_all_acked(server->owner)) {
        return now - server->looked_ms;
    }
    return waited;
}

static bool takes_too_slowly(struct fe_h1_server *server, const struct fe_pace_limit *limit,
                             uint64_t now)
{
    const uint64_t waited = out_waited(server, now);
    uint64_t before = server->n_taken;

    if (waited == 0) {
        return false;
    }
    server->n_taken = server->ops->written(server->owner);
    /* What is on its way is known about only: the count may fall. */
    before = before < server->n_taken ? before : server->n_taken;
    return fe_pace_add(&server->taking, limit, waited, server->n_taken - before);
}

/* A route that lets its clients be silent for as long as they like does not mind how fast they
 * are. */
static bool sends_too_slowly(struct fe_h1_server *server, const struct fe_pace_limit *limit,
                             uint64_t now)
{
    const uint64_t n = server->n_body;
    uint64_t waited;

    count_body(server, now);
    waited = server->body_waited_ms;
    server->body_waited_ms = 0;
    server->n_body = 0;
    return server->times->read_ms > 0 && fe_pace_add(&server->sending, limit, waited, n);
}

void fe_h1_timeout_update(struct fe_h1_server *server)
{
    const struct fe_http_times *times = times_of(server);
    enum fe_h1_wait waiting = waits_for(server);
    uint64_t now = server->ops->now_ms(server->owner);
    uint64_t next;

    if (times != server->times) {
        use_times(server, times);
    }
    if (waiting != server->waiting) {
        server->waiting = waiting;
        server->read_ms = fe_deadline(now, read_timeout(server));
        server->trim_ms = waiting == FE_H1_WAIT_IDLE ? now + FE_H1_TRIM_MS : FE_TIME_NEVER;
    }
    if (server->write_ms == FE_TIME_NEVER && is_sending(server)) {
        server->write_ms = fe_deadline(now, times->write_ms);
        server->written = server->ops->written(server->owner);
    }
    pace_update(server, now);
    next = fe_earlier(fe_earlier(fe_earlier(server->read_ms, server->trim_ms), server->probe_ms),
                      fe_earlier(fe_earlier(server->write_ms, server->run_ms), server->pace_ms));
    if (next < server->timer.deadline_ms &&
        fe_timer_start(server->timers, &server->timer, next) != 0) {
        /* Without its timer the connection could hang for ever. A backend hears of it when the
         * owner frees the server. */
        server->ops->close(server->owner, true);
    }
}

/* Has the client stopped taking what we send? */
static bool is_stalled(struct fe_h1_server *server, uint64_t now)
{
    uint64_t written = server->ops->written(server->owner);

    if (now < server->write_ms) {
        return false;
    }
    server->write_ms = FE_TIME_NEVER;
    if (!is_sending(server) || written != server->written) {
        return false; /* the update that follows sets the next deadline if there is need */
    }
    return true;
}

static void on_stalled(struct fe_h1_server *server)
{
    bool has_backend = fe_h1_has_exchange(server);

    server->phase = FE_H1_CLOSED;
    if (has_backend) {
        fe_exchange_deliver_reset(&server->ex, FLATEND_ETIMEDOUT);
    }
    server->ops->close(server->owner, true);
}

/* True: the connection is over. */
static bool look_at_pace(struct fe_h1_server *server, uint64_t now)
{
    const struct fe_pace_limit limit = {server->times->min_rate, server->limits->grace_ms};

    server->pace_ms = FE_TIME_NEVER; /* the update that follows sets the next if there is need */
    if (limit.min_rate == 0) {
        return false;
    }
    if (takes_too_slowly(server, &limit, now)) {
        server->ops->on_slow(server->owner, FE_HTTP_SLOW_READER);
        on_stalled(server);
        return true;
    }
    if (sends_too_slowly(server, &limit, now) && server->phase == FE_H1_EXCHANGE) {
        server->ops->on_slow(server->owner, FE_HTTP_SLOW_SENDER);
        fe_h1_timeout_restart(server);
        fe_h1_fail(server, 408, "the request body comes too slowly");
    }
    return false;
}

static void on_read_timeout(struct fe_h1_server *server)
{
    enum fe_h1_wait waiting = server->waiting;

    fe_h1_timeout_restart(server);
    switch (waiting) {
    case FE_H1_WAIT_HEAD:
        if (fe_h1_decoder_is_idle(&server->decoder)) {
            fe_h1_finish(server);
        } else {
            fe_h1_answer(server, 408, "timed out reading the request head");
        }
        break;
    case FE_H1_WAIT_IDLE:
        fe_h1_finish(server);
        break;
    case FE_H1_WAIT_TUNNEL:
        fe_h1_fail(server, 408, "tunnel idle");
        break;
    case FE_H1_WAIT_BODY:
        fe_h1_fail(server, 408, "timed out reading the request body");
        break;
    case FE_H1_WAIT_LINGER:
        /* While the answer is not sent it is the write timeout that counts. */
        if (server->phase == FE_H1_LINGER && !is_sending(server)) {
            fe_h1_reset(server);
        } else if (server->phase == FE_H1_DISCARD) {
            fe_h1_finish(server);
        }
        break;
    case FE_H1_WAIT_NONE:
        break;
    }
}

void fe_h1_timeout_probe(struct fe_h1_server *server)
{
    server->probe_ms =
        server->has_eof ? server->ops->now_ms(server->owner) + FE_H1_PROBE_MS : FE_TIME_NEVER;
}

/* Those who abandon a request, and those who have only said all, end their direction alike. The
 * system of a client that is gone answers any byte with a reset, and one that waits ignores what is
 * interim (RFC 9110 §15.2), but for HTTP/1.0, where there is nothing such. */
static void probe(struct fe_h1_server *server)
{
    server->probe_ms = FE_TIME_NEVER;
    if (server->phase == FE_H1_EXCHANGE && !fe_exchange_has_sent_head(&server->ex) &&
        server->ex.request.version != 10 && fe_h1_encode_continue(server->out) == 0) {
        server->owes_continue = false;
    }
}

static void trim(struct fe_h1_server *server)
{
    fe_arena_deinit(&server->ex.arena);
    fe_h1_decoder_trim(&server->decoder);
    server->trim_ms = FE_TIME_NEVER;
}

static void on_timer(struct fe_timer *timer)
{
    struct fe_h1_server *server = FE_CONTAINER_OF(timer, struct fe_h1_server, timer);
    uint64_t now = server->ops->now_ms(server->owner);

    if (server->phase == FE_H1_CLOSED) {
        return; /* the owner frees it soon; what was waited for is over */
    }
    if (now >= server->run_ms) {
        server->run_ms = FE_TIME_NEVER;
    }
    if (is_stalled(server, now)) {
        on_stalled(server);
        return;
    }
    if (now >= server->pace_ms && look_at_pace(server, now)) {
        return;
    }
    if (now >= server->trim_ms) {
        trim(server);
    }
    if (now >= server->probe_ms) {
        probe(server);
    }
    if (now >= server->read_ms) {
        on_read_timeout(server);
    }
    fe_h1_run(server);
}

/* Arms the timer even if no timeout is set, so that it is in the heap: from then on moving it does
 * not fail. */
int fe_h1_timeout_init(struct fe_h1_server *server)
{
    uint64_t now = server->ops->now_ms(server->owner);

    fe_timer_init(&server->timer, on_timer);
    server->waiting = FE_H1_WAIT_HEAD;
    server->read_ms = fe_deadline(now, read_timeout(server));
    server->trim_ms = FE_TIME_NEVER;
    server->write_ms = FE_TIME_NEVER;
    server->run_ms = FE_TIME_NEVER;
    server->probe_ms = FE_TIME_NEVER;
    server->pace_ms = FE_TIME_NEVER;
    server->body_since_ms = FE_TIME_NEVER;
    server->times = &server->limits->times;
    return fe_timer_start(server->timers, &server->timer,
                          fe_earlier(server->read_ms, now + FE_H1_TRIM_MS));
}

void fe_h1_timeout_deinit(struct fe_h1_server *server)
{
    fe_timer_stop(server->timers, &server->timer);
}
