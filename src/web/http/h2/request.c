/* A request as it comes: fields, body, trailers; and what of it is given to the backend. */

#include "ground/base/assert.h"
#include "web/http/h2/connection.h"
#include "web/http/syntax.h"
#include "web/http/trailers.h"

/* What RFC 9113 §6.5.2 counts for a field beyond its name and value. */
enum { FIELD_OVERHEAD = 32 };

/* ---- fields --------------------------------------------------------------------------------- */

static struct fe_view copy(struct fe_h2_stream *stream, struct fe_view v)
{
    return fe_view_of(fe_arena_copy(&stream->ex.arena, v), v.len);
}

/* RFC 9113 §8.3.1: :authority takes the place of Host, and backends know it by that name. */
static int on_authority(struct fe_h2_stream *stream, struct fe_view value)
{
    struct fe_request *request = &stream->ex.request;

    if (request->authority.ptr != NULL) {
        if (!fe_view_equal_nocase(request->authority, value)) {
            (void)fe_http_refuse(&stream->fault, 400, "Host differs from :authority");
        }
        return 0;
    }
    request->authority = copy(stream, value);
    if (request->authority.ptr == NULL) {
        return FLATEND_ENOMEM;
    }
    return fe_fields_add(&request->fields, &stream->ex.arena, FE_VIEW_LIT("host"),
                         request->authority);
}

/* nghttp2 lets each of them come once, before the fields, and no others. */
static int on_pseudo(struct fe_h2_stream *stream, struct fe_view name, struct fe_view value)
{
    struct fe_request *request = &stream->ex.request;

    if (fe_view_equal(name, FE_VIEW_LIT(":authority"))) {
        return on_authority(stream, value);
    }
    if (fe_view_equal(name, FE_VIEW_LIT(":method"))) {
        request->method_text = copy(stream, value);
        request->method = fe_method_of(value);
        return request->method_text.ptr != NULL ? 0 : FLATEND_ENOMEM;
    }
    if (fe_view_equal(name, FE_VIEW_LIT(":protocol"))) { /* RFC 8441 §4 */
        request->upgrade = copy(stream, value);
        return request->upgrade.ptr != NULL ? 0 : FLATEND_ENOMEM;
    }
    if (fe_view_equal(name, FE_VIEW_LIT(":path"))) {
        request->path = copy(stream, value);
        return request->path.ptr != NULL ? 0 : FLATEND_ENOMEM;
    }
    if (fe_view_equal(name, FE_VIEW_LIT(":scheme")) &&
        !fe_view_equal_nocase(value, FE_VIEW_LIT("http")) &&
        !fe_view_equal_nocase(value, FE_VIEW_LIT("https"))) {
        (void)fe_http_refuse(&stream->fault, 400, ":scheme is neither http nor https");
    }
    return 0; /* which of the two: the connection's counts, as behind a proxy they differ */
}

static void note_expect(struct fe_h2_stream *stream, struct fe_view list)
{
    struct fe_view expectation;

    while (fe_list_next(&list, &expectation)) {
        if (fe_view_equal_nocase(expectation, FE_VIEW_LIT("100-continue"))) {
            stream->expects_continue = true;
        } else {
            (void)fe_http_refuse(&stream->fault, 417, "only 'Expect: 100-continue' is supported");
        }
    }
}

/* nghttp2 has checked that these are digits, and holds the body to it (RFC 9113 §8.1.1). */
static uint64_t parse_length(struct fe_view v)
{
    uint64_t n = 0;

    for (size_t i = 0; i < v.len; i++) {
        n = n * 10 + (v.ptr[i] - (unsigned)'0');
    }
    return n;
}

static int on_request_field(struct fe_h2_stream *stream, struct fe_view name, struct fe_view value)
{
    struct fe_request *request = &stream->ex.request;
    struct fe_view copied;
    char *both;

    if (name.len > 0 && name.ptr[0] == ':') {
        return on_pseudo(stream, name, value);
    }
    if (fe_view_equal(name, FE_VIEW_LIT("host"))) {
        return on_authority(stream, value);
    }
    if (fe_view_equal(name, FE_VIEW_LIT("expect"))) {
        note_expect(stream, value);
    } else if (fe_view_equal(name, FE_VIEW_LIT("content-length"))) {
        request->content_length = parse_length(value);
    }
    both = fe_arena_alloc(&stream->ex.arena, name.len + value.len);
    if (both == NULL) {
        return FLATEND_ENOMEM;
    }
    memcpy(both, name.ptr, name.len);
    if (value.len > 0) {
        memcpy(both + name.len, value.ptr, value.len);
    }
    copied = fe_view_of(both, name.len + value.len);
    return fe_fields_add(&request->fields, &stream->ex.arena, fe_view_of(both, name.len),
                         fe_view_skip(copied, name.len));
}

static int on_trailer_field(struct fe_h2_stream *stream, struct fe_view name, struct fe_view value)
{
    struct fe_view own_name;
    struct fe_view own_value;

    if (!fe_trailer_is_allowed(name)) {
        return 0;
    }
    own_name = copy(stream, name);
    own_value = copy(stream, value);
    if (own_name.ptr == NULL || own_value.ptr == NULL) {
        return FLATEND_ENOMEM;
    }
    return fe_fields_add(&stream->trailers, &stream->ex.arena, own_name, own_value);
}

/* RFC 9113 §8.2.3: crumbs of a cookie are one field. */
static size_t n_counted(const struct fe_h2_stream *stream)
{
    return stream->n_fields - (stream->n_crumbs > 1 ? stream->n_crumbs - 1 : 0);
}

/* RFC 9113 §10.5.1: too large a head is answered, for which the rest of it need not be kept. */
static bool is_too_large(struct fe_h2_stream *stream, bool is_trailer, struct fe_view name,
                         size_t size)
{
    struct fe_h2_server *server = stream->server;
    size_t header_max = server->setup.limits->header_max;
    size_t total_max = header_max > FE_H2_HEADS_MAX ? header_max : FE_H2_HEADS_MAX;

    if (n_counted(stream) > FE_FIELDS_MAX || size > header_max - stream->n_head) {
        bool is_path = fe_view_equal(name, FE_VIEW_LIT(":path"));

        (void)fe_http_refuse(&stream->fault, is_path ? 414 : 431,
                             is_path      ? "request line too long"
                             : is_trailer ? "trailer section too large"
                                          : "header section too large");
        server->counters->heads_too_large++;
        return true;
    }
    if (size > total_max - server->n_heads) {
        (void)fe_http_refuse(&stream->fault, 503,
                             "overloaded: request heads exceed the connection's limit");
        server->counters->heads_refused++;
        return true;
    }
    return false;
}

int fe_h2_on_field(struct fe_h2_stream *stream, bool is_trailer, struct fe_view name,
                   struct fe_view value)
{
    size_t size = name.len + value.len + FIELD_OVERHEAD;

    if (++stream->n_fields > FE_H2_FIELDS_SEEN_MAX) {
        return FLATEND_ELIMIT;
    }
    if (!is_trailer && fe_view_equal(name, FE_VIEW_LIT("cookie"))) {
        stream->n_crumbs++;
    }
    if (stream->fault.status != 0 || is_too_large(stream, is_trailer, name, size)) {
        return 0;
    }
    stream->n_head += size;
    stream->server->n_heads += size;
    return is_trailer ? on_trailer_field(stream, name, value)
                      : on_request_field(stream, name, value);
}

/* RFC 9113 §8.2.3: one field for whom crumbs mean nothing. FLATEND_ENOMEM. */
static int join_cookie(struct fe_h2_stream *stream)
{
    const struct fe_view name = FE_VIEW_LIT("cookie");
    struct fe_fields *const fields = &stream->ex.request.fields;
    struct fe_view *whole = NULL;
    size_t size = 0;
    size_t n = 0;
    uint8_t *to;

    if (stream->n_crumbs < 2) {
        return 0;
    }
    for (size_t i = 0; i < fields->n; i++) {
        size += fe_view_equal(fields->items[i].name, name) ? fields->items[i].value.len + 2 : 0;
    }
    to = fe_arena_alloc(&stream->ex.arena, size);
    if (to == NULL) {
        return FLATEND_ENOMEM;
    }
    for (size_t i = 0; i < fields->n; i++) {
        const struct fe_view crumb = fields->items[i].value;

        if (!fe_view_equal(fields->items[i].name, name)) {
            fields->items[n++] = fields->items[i];
            continue;
        }
        memcpy(to, "; ", 2);
        if (crumb.len > 0) {
            memcpy(to + 2, crumb.ptr, crumb.len);
        }
        to += crumb.len + 2;
        if (whole == NULL) {
            fields->items[n] = (struct fe_field){name, fe_view_of(to - crumb.len, size - 2)};
            whole = &fields->items[n++].value;
        }
    }
    fields->n = n;
    return 0;
}

/* ---- the head ------------------------------------------------------------------------------- */

/* What nghttp2 leaves unchecked. FLATEND_EPROTO: the fault says what. */
static int check_head(struct fe_h2_stream *stream)
{
    struct fe_request *request = &stream->ex.request;

    if (stream->fault.status != 0) {
        return FLATEND_EPROTO;
    }
    if (!fe_http_is_authority(request->authority)) {
        return fe_http_refuse(&stream->fault, 400, "invalid Host");
    }
    /* RFC 9113 §8.3.1: :authority has the authority, and :path nothing but the path. */
    if (request->path.len > 0 && request->path.ptr[0] != '/' &&
        !fe_view_equal(request->path, FE_VIEW_LIT("*"))) {
        return fe_http_refuse(&stream->fault, 400, ":path is not a path");
    }
    return fe_http_target_parse(request, request->path, &stream->fault);
}

void fe_h2_on_head(struct fe_h2_stream *stream, bool is_complete)
{
    struct fe_h2_server *server = stream->server;
    struct fe_exchange *ex = &stream->ex;

    stream->n_fields = 0;
    stream->is_complete = is_complete;
    if (is_complete) {
        ex->request.content_length = 0;
    }
    stream->owes_continue = stream->expects_continue && ex->request.content_length != 0;
    if (join_cookie(stream) != 0) {
        (void)fe_http_refuse(&stream->fault, 503, "out of memory");
    }
    stream->n_crumbs = 0;
    if (check_head(stream) != 0) {
        fe_h2_answer(stream, stream->fault.status, stream->fault.reason);
        return;
    }
    stream->state = FE_H2_EXCHANGE;
    server->setup.ops->on_exchange(server->setup.owner, ex);
    FE_ASSERT(stream->state != FE_H2_EXCHANGE || ex->backend != NULL || ex->next_backend != NULL,
              "an exchange is answered or has a backend");
}

/* ---- the body ------------------------------------------------------------------------------- */

/* The client may send as much again. */
static void give_window(struct fe_h2_stream *stream, size_t n)
{
    struct fe_h2_server *server = stream->server;

    if (n > 0 && nghttp2_session_consume_stream(server->session, stream->id, n) != 0) {
        server->is_out_of_memory = true;
    }
}

/* Hands body to the backend, which may end the exchange meanwhile: then nothing of it was taken. */
static size_t offer(struct fe_h2_stream *stream, struct fe_view data)
{
    size_t n;

    stream->body = FE_H2_BODY_PAUSED;
    n = fe_exchange_deliver_data(&stream->ex, data);
    if (stream->state != FE_H2_EXCHANGE) {
        return 0;
    }
    if (n == data.len) {
        stream->body = FE_H2_BODY_FLOWING;
    }
    stream->n_body += n;
    give_window(stream, n);
    return n;
}

/* The client's end is next, and may be told: the backend of a tunnel that has ended its own
 * direction need not ask, it has nothing more to ask for. */
static bool is_end_due(const struct fe_h2_stream *stream)
{
    return stream->state == FE_H2_EXCHANGE && stream->is_complete && stream->held.len == 0 &&
           (stream->body == FE_H2_BODY_FLOWING ||
            (stream->has_finished && stream->body != FE_H2_BODY_DONE));
}

void fe_h2_deliver(struct fe_h2_stream *stream)
{
    struct fe_exchange *ex = &stream->ex;

    while (stream->state == FE_H2_EXCHANGE && stream->body == FE_H2_BODY_FLOWING &&
           stream->held.len > 0) {
        struct fe_view front = fe_chain_front(&stream->held);
        size_t n = offer(stream, front);

        fe_chain_consume(&stream->held, n);
        stream->server->n_held -= n;
        if (n < front.len) {
            if (stream->body == FE_H2_BODY_FLOWING) {
                fe_h2_schedule(stream); /* asked from within: no circles */
            }
            return;
        }
        fe_h2_timeout_read(stream); /* the next bytes are awaited from here on */
    }
    if (is_end_due(stream)) {
        stream->body = FE_H2_BODY_DONE;
        fe_exchange_deliver_end(ex, &stream->trailers);
        if (stream->state == FE_H2_EXCHANGE && stream->has_finished) {
            stream->state = FE_H2_ENDED; /* a tunnel's other direction has ended before */
            stream->read_ms = FE_TIME_NEVER;
            fe_h2_schedule(stream); /* if nothing but that was left of it */
        }
    }
}

static void hold(struct fe_h2_stream *stream, struct fe_view data)
{
    if (data.len == 0) {
        return;
    }
    if (fe_chain_append(&stream->held, data.ptr, data.len) != 0) {
        fe_h2_fail(stream, 503, "out of memory");
        return;
    }
    stream->server->n_held += data.len;
}

/* RFC 9113 §8.1: the response is complete, and the rest of the request is not needed. A client that
 * may have little left is let end it, which costs less than telling it not to. */
void fe_h2_discard(struct fe_h2_stream *stream)
{
    const uint64_t length = stream->ex.request.content_length;

    if (stream->ex.is_failed || (length != FE_BODY_UNKNOWN && length > FE_H2_DISCARD_MAX)) {
        fe_h2_stream_reset(stream, NGHTTP2_NO_ERROR);
    } else {
        fe_h2_timeout_discard(stream);
    }
}

static void discard(struct fe_h2_stream *stream, size_t n)
{
    stream->n_discarded += n;
    if (stream->has_sent_end && stream->n_discarded > FE_H2_DISCARD_MAX) {
        stream->read_ms = FE_TIME_NEVER;
        fe_h2_stream_reset(stream, NGHTTP2_NO_ERROR);
    }
}

void fe_h2_on_data(struct fe_h2_stream *stream, struct fe_view data)
{
    if (stream->state == FE_H2_ENDED) {
        discard(stream, data.len);
        return;
    }
    if (stream->state != FE_H2_EXCHANGE) {
        return; /* not needed, and the client has been or will be notified */
    }
    if (stream->body == FE_H2_BODY_FLOWING && stream->held.len == 0) {
        data = fe_view_skip(data, offer(stream, data));
    }
    if (stream->state == FE_H2_EXCHANGE) {
        hold(stream, data);
    }
    if (stream->body == FE_H2_BODY_FLOWING && stream->held.len > 0) {
        fe_h2_schedule(stream);
    }
    fe_h2_timeout_read(stream);
}

void fe_h2_on_complete(struct fe_h2_stream *stream)
{
    stream->is_complete = true;
    if (stream->state != FE_H2_EXCHANGE) {
        return;
    }
    if (stream->fault.status != 0) { /* of the trailers */
        fe_h2_fail(stream, stream->fault.status, stream->fault.reason);
        return;
    }
    fe_h2_deliver(stream);
    fe_h2_timeout_read(stream);
}
