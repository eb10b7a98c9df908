/* What is asked of the sender becomes packets (docs/PROTOCOL.md §2.3). A large body is not copied:
 * it is encrypted from where it lies, behind what has gathered in the record that is being filled.
 */
#include "ground/base/assert.h"
#include "mesh/session/pending.h"
#include "mesh/session/record.h"
#include "mesh/session/secure.h"

enum {
    DIRECT_MIN = 4096 /* bytes of DATA for which a copy costs more than a record of their own */
};

/* ---- streams ---- */

static uint32_t next_stream(struct fe_sender *sender)
{
    struct fe_session *session = fe_session_of(sender);
    uint32_t stream = session->next_stream;

    FE_ASSERT(stream != 0, "0 is the connection itself");
    session->next_stream = fe_stream_id_after(stream);
    return stream;
}

static int send_request(struct fe_sender *sender, uint32_t stream, const struct fe_view *services,
                        size_t n_services, const struct fe_header *headers, size_t n_headers)
{
    struct fe_session *session = fe_session_of(sender);
    struct fe_writer writer;
    size_t size = fe_secure_request_size(services, n_services, headers, n_headers);
    int code = fe_secure_begin_packet(session, FE_SECURE_REQUEST, 0, stream, size, &writer);

    if (code != 0) {
        const struct fe_secure_head head = {FE_SECURE_REQUEST, services, n_services, headers,
                                            n_headers};

        return code == FLATEND_ETOOBIG ? fe_secure_send_head(session, stream, &head) : code;
    }
    fe_secure_request_encode(&writer, services, n_services, headers, n_headers);
    return fe_secure_end_packet(session, &writer);
}

static int send_response(struct fe_sender *sender, uint32_t stream, bool is_handled,
                         const struct fe_header *headers, size_t n_headers)
{
    struct fe_session *session = fe_session_of(sender);
    struct fe_writer writer;
    size_t size = fe_secure_response_size(headers, n_headers);
    int code = fe_secure_begin_packet(session, FE_SECURE_RESPONSE, 0, stream, size, &writer);

    if (code != 0) {
        const struct fe_secure_head head = {
            .type = FE_SECURE_RESPONSE, .headers = headers, .n_headers = n_headers};

        FE_ASSERT(code != FLATEND_ETOOBIG || is_handled, "what is not handled has no head");
        return code == FLATEND_ETOOBIG ? fe_secure_send_head(session, stream, &head) : code;
    }
    fe_secure_response_encode(&writer, is_handled, headers, n_headers);
    return fe_secure_end_packet(session, &writer);
}

static int copy_data(struct fe_session *session, uint32_t stream, uint8_t flags,
                     struct fe_view piece)
{
    struct fe_writer writer;
    int code = fe_secure_begin_packet(session, FE_SECURE_DATA, flags, stream, piece.len, &writer);

    if (code != 0) {
        return code;
    }
    fe_write_bytes(&writer, piece);
    return fe_secure_end_packet(session, &writer);
}

/* What has gathered, and as much of the bytes as still fits: one record, made without a copy. */
static int seal_data(struct fe_session *session, uint32_t stream, struct fe_view *bytes)
{
    uint8_t header[FE_SECURE_HEADER_SIZE];
    struct fe_writer writer = fe_writer_of(header, sizeof(header));
    size_t room = session->plaintext_max - FE_SECURE_HEADER_SIZE - session->record_len;
    size_t n = bytes->len < room ? bytes->len : room;
    const struct fe_view parts[] = {fe_view_of(session->record_buf, session->record_len),
                                    fe_view_of(header, sizeof(header)), fe_view_of(bytes->ptr, n)};
    int code;

    FE_ASSERT(n > 0 && room <= session->plaintext_max, "a record has room for what is put into it");
    fe_secure_header_encode(&writer, FE_SECURE_DATA, 0, stream, n);
    code = fe_record_seal(session, parts, 3);
    if (code == 0) {
        session->record_len = 0;
        *bytes = fe_view_skip(*bytes, n);
    }
    return code;
}

static int send_piece(struct fe_session *session, uint32_t stream, struct fe_view *bytes)
{
    size_t most = session->plaintext_max - FE_SECURE_HEADER_SIZE;
    size_t n = bytes->len < most ? bytes->len : most;
    int code;

    if (n < DIRECT_MIN) {
        code = copy_data(session, stream, 0, fe_view_of(bytes->ptr, n));
        if (code == 0) {
            *bytes = fe_view_skip(*bytes, n);
        }
        return code;
    }
    /* Not a sliver beside a record that is nearly full. */
    code = session->record_len > most - DIRECT_MIN ? fe_secure_seal_record(session) : 0;
    return code == 0 ? seal_data(session, stream, bytes) : code;
}

static int send_data(struct fe_sender *sender, uint32_t stream, struct fe_view bytes)
{
    struct fe_session *session = fe_session_of(sender);
    int code = session->state == FE_SESSION_OPEN ? 0 : FLATEND_ESTATE;

    FE_ASSERT(stream != 0, "a body is a stream's");
    while (code == 0 && bytes.len > 0) {
        code = send_piece(session, stream, &bytes);
    }
    return code;
}

static int send_trailers(struct fe_session *session, uint32_t stream,
                         const struct fe_header *trailers, size_t n_trailers)
{
    struct fe_writer writer;
    int code = fe_secure_begin_packet(session, FE_SECURE_TRAILERS, 0, stream,
                                      fe_old_headers_size(trailers, n_trailers), &writer);

    if (code != 0) {
        const struct fe_secure_head head = {
            .type = FE_SECURE_TRAILERS, .headers = trailers, .n_headers = n_trailers};

        return code == FLATEND_ETOOBIG ? fe_secure_send_head(session, stream, &head) : code;
    }
    fe_old_headers_encode(&writer, trailers, n_trailers);
    return fe_secure_end_packet(session, &writer);
}

/* Sets the flag of the last packet, if that is the stream's and still here. */
static bool mark_end(struct fe_session *session, uint32_t stream)
{
    struct fe_reader reader = fe_reader_of(fe_view_of(session->record_buf, session->record_len));
    struct fe_secure_packet packet;

    if (session->record_len == 0) {
        return false;
    }
    (void)fe_read_bytes(&reader, session->last_packet);
    if (fe_secure_packet_decode(&reader, &packet) != 0 || packet.stream != stream ||
        packet.type > FE_SECURE_RESPONSE) {
        return false;
    }
    FE_ASSERT(session->last_packet + FE_SECURE_HEADER_SIZE <= session->record_len,
              "a packet lies within its record");
    session->record_buf[session->last_packet + 4] |= FE_SECURE_END;
    return true;
}

static int send_end(struct fe_sender *sender, uint32_t stream, const struct fe_header *trailers,
                    size_t n_trailers)
{
    struct fe_session *session = fe_session_of(sender);

    if (session->state != FE_SESSION_OPEN) {
        return FLATEND_ESTATE;
    }
    if (n_trailers > 0) {
        return send_trailers(session, stream, trailers, n_trailers);
    }
    return mark_end(session, stream)
               ? 0
               : copy_data(session, stream, FE_SECURE_END, (struct fe_view){0});
}

static int send_reset(struct fe_sender *sender, uint32_t stream, enum fe_reason reason,
                      struct fe_view text)
{
    struct fe_session *session = fe_session_of(sender);
    struct fe_writer writer;
    int code = fe_secure_begin_packet(session, FE_SECURE_RESET, 0, stream,
                                      fe_secure_reset_size(text), &writer);

    if (code != 0) {
        return code;
    }
    fe_secure_reset_encode(&writer, reason, text);
    return fe_secure_end_packet(session, &writer);
}

static int send_window(struct fe_sender *sender, uint32_t stream, uint32_t increment)
{
    struct fe_session *session = fe_session_of(sender);
    struct fe_writer writer;
    int code = fe_secure_begin_packet(session, FE_SECURE_WINDOW, 0, stream, FE_SECURE_WINDOW_SIZE,
                                      &writer);

    if (code != 0) {
        return code;
    }
    FE_ASSERT(increment > 0, "a window grows");
    fe_write_u32(&writer, increment);
    return fe_secure_end_packet(session, &writer);
}

/* ---- the connection ---- */

static int send_find_node(struct fe_sender *sender, const uint8_t target[FE_KEY_LEN],
                          uint32_t *token)
{
    struct fe_session *session = fe_session_of(sender);
    uint32_t *slot = fe_pending_find(session, 0);
    struct fe_writer writer;
    int code;

    if (slot == NULL) {
        return FLATEND_ELIMIT;
    }
    code = fe_secure_begin_packet(session, FE_SECURE_FIND_NODE, 0, 0, FE_SECURE_FIND_NODE_SIZE,
                                  &writer);
    if (code != 0) {
        return code;
    }
    *token = session->next_seq;
    FE_ASSERT(*token != 0, "0 marks a free slot");
    *slot = *token;
    session->next_seq += 2; /* odd: never 0, which marks a free slot */
    fe_write_u32(&writer, *token);
    fe_write_bytes(&writer, fe_view_of(target, FE_KEY_LEN));
    return fe_secure_end_packet(session, &writer);
}

static int send_nodes(struct fe_sender *sender, uint32_t token, const struct fe_id *ids, size_t n)
{
    struct fe_session *session = fe_session_of(sender);
    struct fe_writer writer;
    int code = fe_secure_begin_packet(session, FE_SECURE_NODES, 0, 0, fe_secure_nodes_size(ids, n),
                                      &writer);

    if (code != 0) {
        return code;
    }
    fe_secure_nodes_encode(&writer, token, ids, n);
    return fe_secure_end_packet(session, &writer);
}

static int send_services(struct fe_sender *sender, const struct fe_offer *offers, size_t n)
{
    struct fe_session *session = fe_session_of(sender);
    struct fe_writer writer;
    int code = fe_secure_begin_packet(session, FE_SECURE_SERVICES, 0, 0,
                                      fe_secure_services_size(offers, n), &writer);

    if (code != 0) {
        return code;
    }
    fe_secure_services_encode(&writer, offers, n);
    return fe_secure_end_packet(session, &writer);
}

static int send_goaway(struct fe_sender *sender, uint32_t last, enum fe_reason reason,
                       struct fe_view text)
{
    struct fe_session *session = fe_session_of(sender);
    struct fe_writer writer;
    int code = fe_secure_begin_packet(session, FE_SECURE_GOAWAY, 0, 0, fe_secure_goaway_size(text),
                                      &writer);

    if (code != 0) {
        return code;
    }
    fe_secure_goaway_encode(&writer, last, reason, text);
    return fe_secure_end_packet(session, &writer);
}

static int send_ping_or_pong(struct fe_session *session, uint8_t flags, uint64_t token)
{
    struct fe_writer writer;
    int code =
        fe_secure_begin_packet(session, FE_SECURE_PING, flags, 0, FE_SECURE_PING_SIZE, &writer);

    if (code != 0) {
        return code;
    }
    fe_secure_ping_encode(&writer, token);
    return fe_secure_end_packet(session, &writer);
}

static int send_ping(struct fe_sender *sender, uint64_t token)
{
    return send_ping_or_pong(fe_session_of(sender), 0, token);
}

int fe_secure_send_pong(struct fe_session *session, uint64_t token)
{
    return send_ping_or_pong(session, FE_SECURE_ACK, token);
}

const struct fe_sender_ops fe_secure_sender_ops = {
    .next_stream = next_stream,
    .request = send_request,
    .response = send_response,
    .data = send_data,
    .end = send_end,
    .find_node = send_find_node,
    .nodes = send_nodes,
    .space = fe_session_space,
    .reset = send_reset,
    .window = send_window,
    .services = send_services,
    .goaway = send_goaway,
    .ping = send_ping,
};
