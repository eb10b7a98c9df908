/* Flow control towards peers that know it (docs/PROTOCOL.md §2.3), as in HTTP/2 (RFC 9113 §5.2).
 *
 * Both directions have a window for each stream and one for the connection, and the rule is the
 * same everywhere: granted = may still come + waits for its reader + taken, but not granted again.
 * So a connection never holds more bytes than were granted, whatever its peer does. */
#include "ground/base/assert.h"
#include "mesh/rpc/internal.h"

static uint32_t clamp(uint32_t window)
{
    return window < FE_WINDOW_MAX ? window : FE_WINDOW_MAX;
}

void fe_peer_start_windows(struct fe_peer *peer)
{
    const struct fe_flow *flow = &peer->sender->flow;

    if (peer->has_windows || !fe_sender_is_secure(peer->sender)) {
        return;
    }
    peer->has_windows = true;
    peer->flow = (struct fe_flow){
        .stream_out = clamp(flow->stream_out),
        .connection_out = clamp(flow->connection_out),
        .stream_in = clamp(flow->stream_in),
        .connection_in = clamp(flow->connection_in),
        .streams_out = flow->streams_out,
        .connection_in_max = clamp(flow->connection_in_max),
    };
    FE_ASSERT(peer->streams.n == 0, "windows count from the first byte");
    peer->window_out = peer->flow.connection_out;
    peer->window_in = peer->flow.connection_in;
    peer->whole_in = peer->flow.connection_in;
    peer->next_local = fe_peer_next_id(peer);
}

void fe_stream_start_windows(struct fe_stream *stream)
{
    stream->window_out = stream->peer->flow.stream_out;
    stream->window_in = stream->peer->flow.stream_in;
    stream->target = stream->peer->flow.stream_in;
}

/* ---- sending ---- */

size_t fe_stream_clip(const struct fe_stream *stream, size_t len)
{
    const struct fe_peer *peer = stream->peer;

    if (!peer->has_windows) {
        return len;
    }
    if (len > stream->window_out) {
        len = stream->window_out;
    }
    return len < peer->window_out ? len : peer->window_out;
}

void fe_stream_spend(struct fe_stream *stream, size_t n)
{
    if (stream->peer->has_windows) {
        FE_ASSERT(n <= stream->window_out && n <= stream->peer->window_out,
                  "no more is sent than the peer takes");
        stream->window_out -= (uint32_t)n;
        stream->peer->window_out -= (uint32_t)n;
    }
}

/* RFC 9113 §6.9.1: a window never grows beyond 2^31-1. */
static int grow(struct fe_peer *peer, uint32_t *window, uint32_t stream, uint32_t increment,
                struct flatend_error *err)
{
    if (increment > FE_WINDOW_MAX - *window) {
        peer->fault_reason = FE_REASON_FLOW;
        return fe_err_set(err, FLATEND_EPROTO, "window of stream %u too large", stream);
    }
    *window += increment;
    return 0;
}

int fe_peer_grow_window(struct fe_peer *peer, uint32_t increment, struct flatend_error *err)
{
    return grow(peer, &peer->window_out, 0, increment, err);
}

int fe_stream_grow_window(struct fe_stream *stream, uint32_t increment, struct flatend_error *err)
{
    int code = grow(stream->peer, &stream->window_out, stream->id, increment, err);

    if (code == 0 && stream->is_window_blocked) {
        stream->is_window_blocked = false;
        fe_list_push_back(&stream->peer->blocked, &stream->link);
    }
    return code;
}

/* One that has used up its own window stands in no row: it would only be asked in vain, and those
 * behind it would wait for nothing. */
void fe_stream_block(struct fe_stream *stream)
{
    FE_ASSERT(stream->out == FE_HALF_BODY, "only a body waits to be written");
    if (stream->peer->has_windows && stream->window_out == 0) {
        fe_list_remove(&stream->link);
        stream->is_window_blocked = true;
    } else if (!fe_list_is_linked(&stream->link)) {
        fe_list_push_back(&stream->peer->blocked, &stream->link);
    }
}

bool fe_stream_is_blocked(const struct fe_stream *stream)
{
    return stream->is_window_blocked || fe_list_is_linked(&stream->link);
}

void fe_stream_unblock(struct fe_stream *stream)
{
    stream->is_window_blocked = false;
    fe_list_remove(&stream->link);
}

/* ---- receiving ---- */

static int charge(struct fe_peer *peer, uint32_t *window, uint32_t stream, size_t n,
                  struct flatend_error *err)
{
    if (n > *window) {
        peer->fault_reason = FE_REASON_FLOW;
        return fe_err_set(err, FLATEND_EPROTO, "%zu bytes on stream %u exceed its window of %u", n,
                          stream, *window);
    }
    *window -= (uint32_t)n;
    return 0;
}

int fe_peer_charge(struct fe_peer *peer, size_t n, struct flatend_error *err)
{
    return peer->has_windows ? charge(peer, &peer->window_in, 0, n, err) : 0;
}

int fe_stream_charge(struct fe_stream *stream, size_t n, struct flatend_error *err)
{
    struct fe_peer *peer = stream->peer;

    return peer->has_windows ? charge(peer, &stream->window_in, stream->id, n, err) : 0;
}

/* Grants what has come together once it is half of the whole window: often enough that the
 * peer need not stop, and seldom enough that small reads do not become packets. */
static void return_credit(struct fe_peer *peer, uint32_t stream, uint32_t whole, uint32_t *window,
                          uint32_t *returned)
{
    int code;

    if (*returned == 0 || *returned < whole / 2) {
        return;
    }
    code = peer->sender->ops->window(peer->sender, stream, *returned);
    if (code != 0) {
        fe_peer_break(peer, code); /* the peer might wait for ever for what it is owed */
        return;
    }
    FE_ASSERT(*returned <= whole - *window, "no more is granted than the whole window");
    *window += *returned;
    *returned = 0;
    peer->ops->on_output(peer);
}

static inline void check_is_granted(size_t n, uint32_t whole, uint32_t window, uint32_t returned)
{
    FE_ASSERT(n <= whole - window - returned, "no more is given back than was granted");
}

void fe_peer_return_credit(struct fe_peer *peer, size_t n)
{
    if (!peer->has_windows || peer->is_closed) {
        return;
    }
    FE_CHECK(check_is_granted(n, peer->whole_in, peer->window_in, peer->returned));
    peer->returned += (uint32_t)n;
    return_credit(peer, 0, peer->whole_in, &peer->window_in, &peer->returned);
}

/* What waits for slow readers is not to be what all others wait for: while it is half of the
 * connection's window, that doubles. Each stream has its own window as before, so that this is no
 * more than they add up to. */
void fe_peer_make_room(struct fe_peer *peer)
{
    const uint32_t most = peer->flow.connection_in_max;
    uint32_t n;

    if (!peer->has_windows || peer->is_closed || peer->whole_in >= most ||
        peer->n_waiting < peer->whole_in / 2) {
        return;
    }
    n = most - peer->whole_in < peer->whole_in ? most - peer->whole_in : peer->whole_in;
    peer->whole_in += n;
    peer->returned += n;
    return_credit(peer, 0, peer->whole_in, &peer->window_in, &peer->returned);
}

/* What a stream's window may grow to. With many streams it is less: all of them may stall at once,
 * and what they had grown to would be what all others wait for. */
static uint32_t share_of(const struct fe_peer *peer)
{
    const uint32_t n = peer->n_streams / FE_STREAM_SHARE_CROWD;

    return peer->flow.connection_in / (n > FE_STREAM_SHARE ? n : FE_STREAM_SHARE);
}

/* A reader that has taken everything gets a larger window each time that it used up half of it, so
 * that a fast stream is not bound to a small one; a reader that is behind loses again what it had
 * got. So streams may begin with a small window, and those that stall hold little of the
 * connection's, which all others need too. */
static void adapt(struct fe_stream *stream)
{
    const struct fe_flow *flow = &stream->peer->flow;
    const uint32_t share = share_of(stream->peer);
    uint32_t n;

    FE_ASSERT(stream->target >= flow->stream_in, "a window shrinks to what it began with");
    if (fe_stream_waiting(stream) > 0) {
        n = stream->target - flow->stream_in;
        n = n < stream->returned ? n : stream->returned;
        stream->target -= n;
        stream->returned -= n;
    } else if (stream->returned >= stream->target / 2 && stream->target < share) {
        n = share - stream->target;
        n = n < stream->target ? n : stream->target;
        stream->target += n;
        stream->returned += n;
    }
}

void fe_stream_return_credit(struct fe_stream *stream, size_t n)
{
    struct fe_peer *peer = stream->peer;

    fe_peer_return_credit(peer, n);
    if (!peer->has_windows || peer->is_closed || stream->in != FE_HALF_BODY) {
        return; /* after its end the peer needs no window */
    }
    FE_CHECK(check_is_granted(n, stream->target, stream->window_in, stream->returned));
    stream->returned += (uint32_t)n;
    adapt(stream);
    return_credit(peer, stream->id, stream->target, &stream->window_in, &stream->returned);
}
