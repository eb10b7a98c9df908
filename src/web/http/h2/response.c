/* The exchange as the backend sees it: what it says becomes HTTP/2. Nothing is given to nghttp2
 * within its calls, so that the frames of one turn are as few as can be. */

#include "ground/base/assert.h"
#include "web/http/h2/connection.h"
#include "web/http/hop_by_hop.h"
#include "web/http/syntax.h"
#include "web/http/trailers.h"

/* ---- fields --------------------------------------------------------------------------------- */

/* Fields as nghttp2 takes them without copying: name and value stay in the arena. */
struct nv_list {
    nghttp2_nv *items;
    size_t n;
    uint8_t *text; /* for what has to be copied */
};

static void add(struct nv_list *list, struct fe_view name, struct fe_view value)
{
    list->items[list->n++] = (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name.ptr,
        .value = (uint8_t *)(uintptr_t)value.ptr,
        .namelen = name.len,
        .valuelen = value.len,
        .flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE,
    };
}

static struct fe_view copy_value(struct nv_list *list, struct fe_view value)
{
    uint8_t *to = list->text;

    if (value.len > 0) {
        memcpy(to, value.ptr, value.len);
    }
    list->text += value.len;
    return fe_view_of(to, value.len);
}

/* RFC 9113 §8.2: names are in lower case. */
static struct fe_view copy_name(struct nv_list *list, struct fe_view name)
{
    uint8_t *to = list->text;

    for (size_t i = 0; i < name.len; i++) {
        to[i] = fe_token_lower[name.ptr[i]];
    }
    list->text += name.len;
    return fe_view_of(to, name.len);
}

static void add_copied(struct nv_list *list, struct fe_view name, struct fe_view value)
{
    struct fe_view own_name = copy_name(list, name);

    /* RFC 9113 §8.2.1: none begins or ends with whitespace. */
    add(list, own_name, copy_value(list, fe_trim_ows(value)));
}

/* Space for the fields and for `n_extra` of our own with `len_extra` bytes. FLATEND_EINVAL: a name
 * or value that HTTP forbids, one of more than FE_H2_FIELD_MAX, or FE_RESPONSE_HEAD_MAX in all.
 * FLATEND_ENOMEM. */
static int list_init(struct nv_list *list, struct fe_arena *arena, const struct fe_fields *fields,
                     size_t n_extra, size_t len_extra)
{
    size_t len = len_extra;
    size_t n = fields->n + n_extra;
    uint8_t *block;

    for (size_t i = 0; i < fields->n; i++) {
        const struct fe_field *field = &fields->items[i];

        if (!fe_field_is_valid(field) || field->name.len > FE_H2_FIELD_MAX ||
            field->value.len > FE_H2_FIELD_MAX) {
            return FLATEND_EINVAL;
        }
        len += field->name.len + field->value.len;
        if (len > FE_RESPONSE_HEAD_MAX) {
            return FLATEND_EINVAL;
        }
    }
    block = fe_arena_alloc(arena, n * sizeof(*list->items) + len);
    if (block == NULL) {
        return FLATEND_ENOMEM;
    }
    list->items = (nghttp2_nv *)(void *)block;
    list->n = 0;
    list->text = block + n * sizeof(*list->items);
    return 0;
}

/* Digits, at most 20, into `list->text`. */
static struct fe_view print_number(struct nv_list *list, uint64_t n)
{
    uint8_t digits[FE_DIGITS_MAX];

    return copy_value(list, fe_view_of_number(digits, n));
}

/* RFC 9110 §8.6: no Content-Length with 204, and with 304 only that of the representation, which is
 * hardly ever empty. */
static bool has_length_field(const struct fe_response *response)
{
    uint64_t length = response->content_length;
    int status = response->status;

    return length != FE_BODY_UNKNOWN && status != 204 && (status != 304 || length > 0);
}

static int build_head(struct fe_h2_stream *stream, const struct fe_response *response)
{
    const struct fe_fields *fields = &response->fields;
    struct fe_view date = stream->server->setup.ops->date(stream->server->setup.owner);
    bool has_connection = false;
    bool has_date = false;
    struct nv_list list;
    int code = list_init(&list, &stream->ex.arena, fields, 3, 20 + 20 + date.len);

    if (code != 0) {
        return code;
    }
    add(&list, FE_VIEW_LIT(":status"), print_number(&list, (uint64_t)response->status));
    for (size_t i = 0; i < fields->n; i++) {
        has_connection |= fe_view_equal_nocase(fields->items[i].name, FE_VIEW_LIT("connection"));
    }
    for (size_t i = 0; i < fields->n; i++) {
        const struct fe_field *field = &fields->items[i];

        if (fe_is_hop_by_hop(field->name) ||
            (has_connection && fe_is_named_by_connection(fields, field->name))) {
            continue; /* RFC 9113 §8.2.2 */
        }
        has_date |= fe_view_equal_nocase(field->name, FE_VIEW_LIT("date"));
        add_copied(&list, field->name, field->value);
    }
    if (!has_date) { /* RFC 9110 §6.6.1 */
        add(&list, FE_VIEW_LIT("date"), copy_value(&list, date));
    }
    if (has_length_field(response)) {
        add(&list, FE_VIEW_LIT("content-length"), print_number(&list, response->content_length));
    }
    stream->head = list.items;
    stream->n_head_nv = list.n;
    return 0;
}

static int build_trailers(struct fe_h2_stream *stream, const struct fe_fields *trailers)
{
    struct nv_list list;
    int code = list_init(&list, &stream->ex.arena, trailers, 0, 0);

    if (code != 0) {
        return code;
    }
    for (size_t i = 0; i < trailers->n; i++) {
        if (fe_trailer_is_allowed(trailers->items[i].name)) {
            add_copied(&list, trailers->items[i].name, trailers->items[i].value);
        }
    }
    stream->end = list.items;
    stream->n_end_nv = list.n;
    return 0;
}

/* ---- the exchange's calls ------------------------------------------------------------------- */

static struct fe_h2_stream *stream_of(struct fe_exchange *ex)
{
    struct fe_h2_stream *stream = FE_CONTAINER_OF(ex, struct fe_h2_stream, ex);

    FE_ASSERT(stream->state == FE_H2_EXCHANGE, "an exchange that is over has no calls");
    return stream;
}

static int respond(struct fe_exchange *ex, const struct fe_response *given)
{
    struct fe_h2_stream *stream = stream_of(ex);
    const struct fe_response response = fe_response_as_sent(given);
    int code;

    if (!fe_status_is_valid(response.status)) {
        return FLATEND_EINVAL;
    }
    code = build_head(stream, &response);
    if (code != 0) {
        return code;
    }
    stream->has_no_body = !fe_response_has_content(&response, ex->request.method);
    stream->has_length = !stream->has_no_body && response.content_length != FE_BODY_UNKNOWN;
    stream->left = stream->has_length ? response.content_length : 0;
    fe_h2_schedule(stream);
    return 0;
}

/* RFC 8441 §5: a success; from here on DATA frames are the bytes of the other protocol. */
static int tunnel(struct fe_exchange *ex, const struct fe_response *response)
{
    struct fe_h2_stream *stream = stream_of(ex);
    struct fe_response head = *response;
    int code;

    head.status = 200;
    head.content_length = FE_BODY_UNKNOWN;
    code = build_head(stream, &head);
    if (code != 0) {
        return code;
    }
    fe_h2_timeout_read(stream);
    fe_h2_schedule(stream);
    return 0;
}

size_t fe_h2_room(const struct fe_h2_stream *stream)
{
    size_t max =
        stream->server->n_output < FE_H2_OUT_MAX ? FE_H2_STREAM_OUT_MAX : FE_H2_STREAM_OUT_MIN;

    return stream->output.len < max ? max - stream->output.len : 0;
}

static ssize_t write_body(struct fe_exchange *ex, struct fe_view data)
{
    struct fe_h2_stream *stream = stream_of(ex);
    size_t room = fe_h2_room(stream);
    size_t n = data.len < room ? data.len : room;

    if (stream->has_no_body) {
        return (ssize_t)data.len;
    }
    if (stream->has_length && data.len > stream->left) {
        return FLATEND_ETOOBIG;
    }
    if (n > 0) {
        int code = fe_chain_append(&stream->output, data.ptr, n);

        if (code != 0) {
            return code;
        }
        stream->server->n_output += n;
        stream->left -= stream->has_length ? n : 0;
        fe_h2_timeout_write(stream);
        fe_h2_schedule(stream);
        if (ex->is_tunnel) {
            fe_h2_timeout_read(stream);
        }
    }
    stream->is_blocked = n < data.len;
    return (ssize_t)n;
}

/* RFC 9113 §7: to the client it is its own doing, or ours; more it is not told. */
static void reset(struct fe_exchange *ex, int code)
{
    struct fe_h2_stream *stream = stream_of(ex);

    (void)code;
    stream->state = FE_H2_RESET;
    stream->read_ms = FE_TIME_NEVER; /* the RST_STREAM may wait for longer */
    fe_h2_stream_reset(stream, ex->is_failed ? NGHTTP2_CANCEL : NGHTTP2_INTERNAL_ERROR);
}

static void finish(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    struct fe_h2_stream *stream = stream_of(ex);
    /* RFC 9110 §15.3.5, §15.4.5: what has no body ends with its header section. */
    const bool has_trailers = trailers != NULL && !stream->has_no_body;

    if (stream->left > 0 || (has_trailers && build_trailers(stream, trailers) != 0)) {
        reset(ex, FLATEND_EINVAL);
        return;
    }
    if (fe_exchange_is_tunnel(ex)) {
        stream->has_finished = true; /* what comes from the client goes on */
        stream->is_blocked = false;
        fe_h2_schedule(stream);
        return;
    }
    stream->state = FE_H2_ENDED;
    stream->read_ms = FE_TIME_NEVER;
    fe_h2_schedule(stream);
}

/* Without memory for it the client goes on by itself, after a while (RFC 9110 §10.1.1). */
static void send_continue(struct fe_h2_stream *stream)
{
    nghttp2_nv status = {.name = (uint8_t *)(uintptr_t) ":status",
                         .value = (uint8_t *)(uintptr_t) "100",
                         .namelen = 7,
                         .valuelen = 3};

    stream->owes_continue = false;
    (void)nghttp2_submit_headers(stream->server->session, NGHTTP2_FLAG_NONE, stream->id, NULL,
                                 &status, 1, NULL);
}

static void resume(struct fe_exchange *ex)
{
    struct fe_h2_stream *stream = stream_of(ex);

    if (stream->body == FE_H2_BODY_DONE) {
        return;
    }
    if (stream->owes_continue && !fe_exchange_has_sent_head(ex)) {
        send_continue(stream);
    }
    stream->body = FE_H2_BODY_FLOWING;
    fe_h2_timeout_read(stream);
    fe_h2_schedule(stream);
}

static void defer(struct fe_exchange *ex)
{
    fe_h2_schedule(stream_of(ex));
}

const struct fe_exchange_ops fe_h2_exchange_ops = {
    .respond = respond,
    .write = write_body,
    .finish = finish,
    .reset = reset,
    .resume = resume,
    .tunnel = tunnel,
    .defer = defer,
};

/* ---- to nghttp2 ----------------------------------------------------------------------------- */

static bool has_ended(const struct fe_h2_stream *stream)
{
    return stream->state == FE_H2_ENDED || stream->has_finished;
}

static int submit_head(struct fe_h2_stream *stream)
{
    nghttp2_data_provider provider = {.source = {.ptr = stream},
                                      .read_callback = fe_h2_read_output};
    bool is_all = has_ended(stream) && stream->output.len == 0 && stream->n_end_nv == 0;

    stream->is_submitted = true;
    return nghttp2_submit_response(stream->server->session, stream->id, stream->head,
                                   stream->n_head_nv, is_all ? NULL : &provider);
}

void fe_h2_submit(struct fe_h2_stream *stream)
{
    int code = 0;

    if (stream->state == FE_H2_RESET || stream->head == NULL) {
        return;
    }
    if (!stream->is_submitted) {
        code = submit_head(stream);
    } else if (stream->is_deferred && (stream->output.len > 0 || has_ended(stream))) {
        stream->is_deferred = false;
        code = nghttp2_session_resume_data(stream->server->session, stream->id);
    }
    if (code == NGHTTP2_ERR_NOMEM) {
        stream->server->is_out_of_memory = true;
    } /* else the stream is being closed, and that is told elsewhere */
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are nghttp2's */
ssize_t fe_h2_read_output(nghttp2_session *session, int32_t id, uint8_t *buf, size_t len,
                          uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
    struct fe_h2_stream *stream = source->ptr;
    size_t n = stream->output.len < len ? stream->output.len : len;

    (void)buf;
    (void)user_data;
    if (n == 0 && !has_ended(stream)) {
        stream->is_deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (has_ended(stream) && n == stream->output.len) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (stream->n_end_nv > 0) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            if (nghttp2_submit_trailer(session, id, stream->end, stream->n_end_nv) != 0) {
                stream->server->is_out_of_memory = true;
            }
        }
    }
    return (ssize_t)n;
}

/* Moves a frame's payload from the stream's output to the connection's. After a failure the
 * connection is of no use, which is what the code says. */
int fe_h2_send_output(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *header,
                      size_t len, nghttp2_data_source *source, void *user_data)
{
    struct fe_h2_server *server = user_data;
    struct fe_h2_stream *stream = source->ptr;

    (void)session;
    (void)frame;
    if (fe_chain_append(server->setup.out, header, FE_H2_FRAME_HEADER_LEN) != 0) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    stream->sent.n += len;
    server->sent.n += len;
    server->n_output -= len;
    while (len > 0) {
        struct fe_view front = fe_chain_front(&stream->output);
        size_t n = front.len < len ? front.len : len;

        if (fe_chain_append(server->setup.out, front.ptr, n) != 0) {
            server->n_output += len;
            return NGHTTP2_ERR_CALLBACK_FAILURE;
        }
        fe_chain_consume(&stream->output, n);
        len -= n;
    }
    server->sent.end = server->setup.ops->queued(server->setup.owner);
    stream->sent.end = server->sent.end;
    fe_h2_timeout_write(stream);
    if (stream->is_blocked) {
        fe_h2_schedule(stream);
    }
    return 0;
}
