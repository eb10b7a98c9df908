#include "support/fake_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void run_hook(struct fake_owner *owner, enum fake_callback callback)
{
    if (owner->hook != NULL) {
        owner->hook(owner, callback);
    }
}

static void on_response(struct fe_stream *stream, struct fe_headers headers)
{
    struct fake_owner *owner = fe_stream_owner(stream);

    (void)headers;
    trace_add(owner->trace, "on_response(%u)", owner->id);
    run_hook(owner, FAKE_ON_RESPONSE);
}

static size_t on_data(struct fe_stream *stream, struct fe_view data)
{
    struct fake_owner *owner = fe_stream_owner(stream);
    size_t n = data.len < owner->appetite ? data.len : owner->appetite;
    char text[24];

    trace_add(owner->trace, "on_data(%u,%s)", owner->id, fake_body(data, text));
    run_hook(owner, FAKE_ON_DATA);
    return n;
}

static void on_end(struct fe_stream *stream, struct fe_headers trailers)
{
    struct fake_owner *owner = fe_stream_owner(stream);

    assert_ptr_equal(owner->stream, stream);
    if (!owner->is_remote) {
        owner->stream = NULL; /* it was the last event */
        owner->code = 0;
    }
    owner->trailers = trailers;
    trace_add(owner->trace, "on_end(%u)", owner->id);
    run_hook(owner, FAKE_ON_END);
}

static void on_writable(struct fe_stream *stream)
{
    struct fake_owner *owner = fe_stream_owner(stream);

    trace_add(owner->trace, "on_writable(%u)", owner->id);
    run_hook(owner, FAKE_ON_WRITABLE);
}

static void on_reset(struct fe_stream *stream, int code)
{
    struct fake_owner *owner = fe_stream_owner(stream);

    assert_ptr_equal(owner->stream, stream);
    owner->stream = NULL;
    owner->code = code;
    trace_add(owner->trace, "on_reset(%u,%s)", owner->id, flatend_error_name(code));
    run_hook(owner, FAKE_ON_RESET);
}

static const struct fe_stream_ops stream_ops = {
    .on_response = on_response,
    .on_data = on_data,
    .on_end = on_end,
    .on_writable = on_writable,
    .on_reset = on_reset,
};

static void on_request(struct fe_peer *peer, struct fe_stream *stream, struct fe_names services,
                       struct fe_headers headers)
{
    struct fake_peer *fake = peer->owner;
    struct fake_owner *owner = fake->acceptor;
    struct fe_view name;

    (void)headers;
    assert_true(fe_names_next(&services, &name));
    trace_add(fake->trace, "on_request(%.*s)", (int)name.len, (const char *)name.ptr);
    if (owner != NULL) {
        owner->stream = stream;
        owner->is_remote = true;
        fe_stream_accept(stream, &stream_ops, owner);
        fake->acceptor = NULL;
    }
}

static void on_output(struct fe_peer *peer)
{
    ((struct fake_peer *)peer->owner)->n_outputs++;
}

static void on_want_read(struct fe_peer *peer)
{
    struct fake_peer *fake = peer->owner;

    trace_add(fake->trace, "want_read(%d)", fe_peer_want_read(peer));
}

void fake_peer_init(struct fake_peer *fake, struct trace *trace, uint32_t first_stream)
{
    static const struct fe_peer_ops ops = {
        .on_request = on_request,
        .on_output = on_output,
        .on_want_read = on_want_read,
    };
    static const uint8_t seed[16] = {1};

    *fake = (struct fake_peer){.trace = trace};
    fake_sender_init(&fake->sender, trace, first_stream);
    fe_pool_init(&fake->pool);
    fe_peer_init(&fake->peer, &fake->sender.sender, &fake->pool, seed, &ops, fake);
}

void fake_peer_init_secure(struct fake_peer *fake, struct trace *trace, uint32_t first_stream,
                           const struct fe_flow *flow)
{
    const struct fe_event hello = {.type = FE_EVENT_HANDSHAKE};

    fake_peer_init(fake, trace, first_stream);
    fake->sender.sender.dialect = FE_DIALECT_SECURE;
    fake->sender.sender.flow = *flow;
    assert_int_equal(fe_peer_on_event(&fake->peer, &hello, &fake->err), 0);
}

void fake_peer_deinit(struct fake_peer *fake)
{
    fe_peer_close(&fake->peer, FLATEND_ECLOSED);
    fe_peer_deinit(&fake->peer);
    fe_pool_deinit(&fake->pool);
}

void fake_owner_init(struct fake_owner *owner, struct trace *trace)
{
    *owner = (struct fake_owner){.trace = trace, .code = FAKE_OPEN, .appetite = SIZE_MAX};
}

int fake_open(struct fake_peer *fake, struct fake_owner *owner)
{
    struct fe_view service = FE_VIEW_LIT("echo");
    const struct fe_stream_request request = {.services = &service, .n_services = 1};

    owner->is_remote = false;
    owner->id = fake->peer.has_windows ? fake->peer.next_local : fake->sender.next_stream;
    return fe_stream_open(&fake->peer, &request, &stream_ops, owner, &owner->stream);
}

static void on_idle_reset(struct fe_stream *stream, int code)
{
    (void)stream;
    (void)code;
}

void fake_load(struct fake_peer *fake, unsigned n)
{
    static const struct fe_stream_ops idle_ops = {.on_reset = on_idle_reset};
    const struct fe_view service = FE_VIEW_LIT("load");
    const struct fe_stream_request request = {.services = &service, .n_services = 1};
    uint32_t next_stream = fake->sender.next_stream;
    bool is_off = fake->trace->is_off;
    struct fe_stream *stream;

    fake->trace->is_off = true;
    fake->sender.next_stream = 0x10000001;
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(fe_stream_open(&fake->peer, &request, &idle_ops, NULL, &stream), 0);
    }
    fake->trace->is_off = is_off;
    fake->sender.next_stream = next_stream;
}

ssize_t fake_write(struct fake_owner *owner, const char *text)
{
    return fe_stream_write(owner->stream, fe_view_str(text));
}

void fake_cancel(struct fake_owner *owner)
{
    struct fe_stream *stream = owner->stream;

    owner->stream = NULL;
    fe_stream_reset(stream, FE_REASON_CANCEL);
}

int fake_finish(struct fake_owner *owner, const struct fe_header *trailers, size_t n_trailers)
{
    int code = fe_stream_finish(owner->stream, trailers, n_trailers);

    if (code == 0 && owner->is_remote) {
        owner->stream = NULL;
        owner->code = 0;
    }
    return code;
}

void fake_reset(struct fake_owner *owner, enum fe_reason reason)
{
    struct fe_stream *stream = owner->stream;

    owner->stream = NULL;
    fe_stream_reset(stream, reason);
}

static int feed(struct fake_peer *fake, const struct fe_event *event)
{
    return fe_peer_on_event(&fake->peer, event, &fake->err);
}

int feed_request(struct fake_peer *fake, uint32_t stream)
{
    struct fe_event event = {
        .type = FE_EVENT_REQUEST,
        .stream = stream,
        .u.request.services = {.bytes = FE_VIEW_LIT("\4echo"), .n = 1},
    };

    if (fake->acceptor != NULL) {
        fake->acceptor->id = stream;
    }
    return feed(fake, &event);
}

int feed_large_request(struct fake_peer *fake, uint32_t stream, size_t len)
{
    static const uint8_t bytes[FE_HEAD_MAX];
    struct fe_event event = {
        .type = FE_EVENT_REQUEST,
        .stream = stream,
        .u.request = {.services = {.bytes = FE_VIEW_LIT("\0\4echo"), .n = 1, .is_long = true},
                      .headers = {.is_long = true}},
    };

    /* Nothing looks into it. */
    event.u.request.headers.bytes = fe_view_of(bytes, len - event.u.request.services.bytes.len);
    if (fake->acceptor != NULL) {
        fake->acceptor->id = stream;
    }
    return feed(fake, &event);
}

int feed_response(struct fake_peer *fake, uint32_t stream, bool handled)
{
    struct fe_event event = {
        .type = FE_EVENT_RESPONSE, .stream = stream, .u.response.handled = handled};

    return feed(fake, &event);
}

int feed_data(struct fake_peer *fake, uint32_t stream, const char *text)
{
    struct fe_event event = {.type = FE_EVENT_DATA, .stream = stream, .u.data = fe_view_str(text)};

    return feed(fake, &event);
}

int feed_bytes(struct fake_peer *fake, uint32_t stream, size_t len)
{
    static const uint8_t zeros[65536];
    struct fe_event event = {
        .type = FE_EVENT_DATA, .stream = stream, .u.data = fe_view_of(zeros, len)};

    assert_true(len <= sizeof(zeros));
    return feed(fake, &event);
}

int feed_end(struct fake_peer *fake, uint32_t stream)
{
    struct fe_event event = {.type = FE_EVENT_END, .stream = stream};

    return feed(fake, &event);
}

int feed_end_with(struct fake_peer *fake, uint32_t stream, struct fe_view trailers,
                  uint16_t n_trailers)
{
    struct fe_event event = {
        .type = FE_EVENT_END, .stream = stream, .u.trailers = {.bytes = trailers, .n = n_trailers}};

    return feed(fake, &event);
}

int feed_reset(struct fake_peer *fake, uint32_t stream, uint32_t reason)
{
    struct fe_event event = {.type = FE_EVENT_RESET, .stream = stream, .u.reset.reason = reason};

    return feed(fake, &event);
}

int feed_window(struct fake_peer *fake, uint32_t stream, uint32_t increment)
{
    struct fe_event event = {.type = FE_EVENT_WINDOW, .stream = stream, .u.increment = increment};

    return feed(fake, &event);
}

int feed_goaway(struct fake_peer *fake, uint32_t last)
{
    struct fe_event event = {.type = FE_EVENT_GOAWAY, .u.goaway.last = last};

    return feed(fake, &event);
}
