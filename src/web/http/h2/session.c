/* nghttp2 as it is used here: its callbacks, options, settings and memory. */
#include "web/http/h2/connection.h"

static struct fe_h2_stream *stream_of(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

/* ---- what comes ----------------------------------------------------------------------------- */

/* RFC 9113 §5.1.2: nghttp2 counts the streams that are open, we those that it has closed and a
 * backend still reads, too. */
static int refuse(nghttp2_session *session, int32_t id)
{
    return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM) == 0
               ? 0
               : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct fe_h2_server *server = user_data;
    struct fe_h2_stream *stream = stream_of(session, frame->hd.stream_id);

    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST && server->n_streams >= FE_H2_STREAMS_MAX) {
        return refuse(session, frame->hd.stream_id);
    }
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        stream = fe_h2_stream_new(server, frame->hd.stream_id);
        if (stream == NULL) {
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* RST_STREAM */
        }
        (void)nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream);
    }
    server->receiving = stream;
    return 0;
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are nghttp2's */
static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user_data)
{
    struct fe_h2_server *server = user_data;
    struct fe_h2_stream *stream = stream_of(session, frame->hd.stream_id);
    int code;

    (void)flags;
    if (stream == NULL) {
        return 0;
    }
    code = fe_h2_on_field(stream, frame->headers.cat != NGHTTP2_HCAT_REQUEST,
                          fe_view_of(name, name_len), fe_view_of(value, value_len));
    if (code == FLATEND_ELIMIT) {
        server->flood = FE_H2_FIELDS;
        return NGHTTP2_ERR_CALLBACK_FAILURE; /* the rest of the block is not even decoded */
    }
    return code == 0 ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* RFC 9113 §8.2.1: such a request is malformed. nghttp2 alone would leave the field out. */
/* NOLINTNEXTLINE(readability-function-size): the parameters are nghttp2's */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
                             const uint8_t *name, size_t name_len, const uint8_t *value,
                             size_t value_len, uint8_t flags, void *user_data)
{
    struct fe_h2_stream *stream = stream_of(session, frame->hd.stream_id);

    (void)name;
    (void)name_len;
    (void)value;
    (void)value_len;
    (void)flags;
    (void)user_data;
    if (stream != NULL && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        (void)fe_http_refuse(&stream->fault, 400, "invalid header name or value");
    } else if (stream != NULL) {
        fe_h2_stream_reset(stream, NGHTTP2_PROTOCOL_ERROR);
    }
    return 0;
}

static void on_ping_answered(struct fe_h2_server *server)
{
    if (server->phase == FE_H2_NOTICE_SENT) {
        fe_h2_goaway(server);
    }
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct fe_h2_server *server = user_data;
    struct fe_h2_stream *stream;
    bool is_end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        server->receiving = NULL;
        stream = stream_of(session, frame->hd.stream_id);
        if (stream != NULL && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
            fe_h2_on_head(stream, is_end);
        } else if (stream != NULL && is_end) {
            fe_h2_on_complete(stream);
        }
        break;
    case NGHTTP2_DATA:
        stream = is_end ? stream_of(session, frame->hd.stream_id) : NULL;
        if (stream != NULL) {
            fe_h2_on_complete(stream);
        }
        break;
    case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) {
            on_ping_answered(server);
        }
        break;
    default:
        break;
    }
    return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                         size_t len, void *user_data)
{
    struct fe_h2_server *server = user_data;
    struct fe_h2_stream *stream = stream_of(session, id);

    (void)flags;
    server->n_owed += len;
    if (stream != NULL) {
        fe_h2_on_data(stream, fe_view_of(data, len));
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user_data)
{
    struct fe_h2_stream *stream = stream_of(session, id);

    (void)code;
    (void)user_data;
    if (stream != NULL) {
        fe_h2_stream_on_close(stream);
    }
    return 0;
}

/* ---- what goes ------------------------------------------------------------------------------ */

/* Resets that are the client's fault; ours are INTERNAL_ERROR, CANCEL and NO_ERROR. */
static bool is_provoked(uint32_t code)
{
    return code != NGHTTP2_NO_ERROR && code != NGHTTP2_INTERNAL_ERROR && code != NGHTTP2_CANCEL;
}

static void on_end_sent(struct fe_h2_stream *stream)
{
    stream->has_sent_end = true;
    if (!stream->is_complete && stream->state != FE_H2_EXCHANGE) {
        fe_h2_discard(stream);
    }
}

static void on_reset_sent(struct fe_h2_server *server, uint32_t code)
{
    if (is_provoked(code) && fe_h2_guard_count(&server->guard, FE_H2_PROVOKED_RESETS,
                                               fe_h2_now(server)) != FE_H2_NO_FLOOD) {
        server->flood = FE_H2_PROVOKED_RESETS;
    }
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct fe_h2_server *server = user_data;
    struct fe_h2_stream *stream;

    switch (frame->hd.type) {
    case NGHTTP2_DATA:
    case NGHTTP2_HEADERS:
        if (frame->hd.type == NGHTTP2_DATA) {
            fe_h2_guard_on_data(&server->guard);
        }
        stream = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0
                     ? stream_of(session, frame->hd.stream_id)
                     : NULL;
        if (stream != NULL) {
            on_end_sent(stream);
        }
        break;
    case NGHTTP2_RST_STREAM:
        on_reset_sent(server, frame->rst_stream.error_code);
        break;
    case NGHTTP2_GOAWAY: /* only now: a PING would overtake it */
        if (server->phase == FE_H2_NOTICE_SENT &&
            nghttp2_submit_ping(session, NGHTTP2_FLAG_NONE, NULL) != 0) {
            server->is_out_of_memory = true;
        }
        break;
    default:
        break;
    }
    return 0;
}

/* ---- the session ---------------------------------------------------------------------------- */

static int callbacks_new(nghttp2_session_callbacks **out)
{
    nghttp2_session_callbacks *cb;

    if (nghttp2_session_callbacks_new(&cb) != 0) {
        return FLATEND_ENOMEM;
    }
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(cb, on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_send);
    nghttp2_session_callbacks_set_send_data_callback(cb, fe_h2_send_output);
    *out = cb;
    return 0;
}

/* The guard counts resets and CONTINUATION frames itself, so nghttp2 need not. */
static int option_new(const struct fe_h2_server *server, nghttp2_option **out)
{
    nghttp2_option *option;

    if (nghttp2_option_new(&option) != 0) {
        return FLATEND_ENOMEM;
    }
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_outbound_ack(option, FE_H2_ACKS_MAX);
    nghttp2_option_set_max_send_header_block_length(option, 2 * (size_t)FE_RESPONSE_HEAD_MAX);
    nghttp2_option_set_max_continuations(option, server->guard.max_continuations + 1);
    nghttp2_option_set_stream_reset_rate_limit(option, UINT64_MAX, UINT64_MAX);
    *out = option;
    return 0;
}

static int session_make(struct fe_h2_server *server)
{
    nghttp2_mem mem = fe_h2_memory_hooks(&server->memory);
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    int code = callbacks_new(&callbacks);

    if (code == 0) {
        code = option_new(server, &option);
    }
    if (code == 0 &&
        nghttp2_session_server_new3(&server->session, callbacks, server, option, &mem) != 0) {
        code = FLATEND_ENOMEM;
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return code;
}

/* The server's preface (RFC 9113 §3.4). Without the priorities of RFC 7540, which are deprecated, a
 * client cannot make us keep a tree of them; those of RFC 9218 are nghttp2's to honour. */
static int session_send_settings(struct fe_h2_server *server)
{
    size_t header_max = server->setup.limits->header_max;
    /* The last one only if it is so: 0 would be an offer taken back (RFC 8441 §3). */
    const size_t n_without = server->setup.has_tunnels ? 0 : 1;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, FE_H2_STREAMS_MAX},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, FE_H2_STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
         header_max < UINT32_MAX ? (uint32_t)header_max : UINT32_MAX},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
    };

    if (nghttp2_submit_settings(server->session, NGHTTP2_FLAG_NONE, settings,
                                sizeof(settings) / sizeof(settings[0]) - n_without) != 0 ||
        nghttp2_session_set_local_window_size(server->session, NGHTTP2_FLAG_NONE, 0,
                                              FE_H2_CONNECTION_WINDOW) != 0) {
        return FLATEND_ENOMEM;
    }
    return 0;
}

int fe_h2_session_new(struct fe_h2_server *server)
{
    int code = session_make(server);

    if (code == 0) {
        code = session_send_settings(server);
    }
    if (code != 0) {
        fe_h2_session_drop(server);
    }
    return code;
}

void fe_h2_session_drop(struct fe_h2_server *server)
{
    fe_h2_memory_deinit(&server->memory);
    server->session = NULL;
}
