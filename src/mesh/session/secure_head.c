/* Large heads, in pieces that nothing comes between (docs/PROTOCOL.md §2.3).
 *
 *          first piece, more to come             last piece: the event
 *     NONE ─────────────────────────▶ INCOMPLETE ─────────────────────▶ NONE
 *       └── one piece that is all: the event ──────────────────────────▶ ┘
 *
 * INCOMPLETE is `head.size` > 0. Anything but the next piece is a fault there, so that a connection
 * holds one incomplete head at most, whatever its peer does. */
#include <stdlib.h>

#include "ground/base/assert.h"
#include "mesh/session/record.h"
#include "mesh/session/secure.h"

/* ---- sending -------------------------------------------------------------------------------- */

/* One record: a packet with the next piece of what is left. The first has the prefix before it. */
static int seal_piece(struct fe_session *session, uint32_t stream, struct fe_view prefix,
                      struct fe_view *left)
{
    uint8_t header[FE_SECURE_HEADER_SIZE];
    struct fe_writer writer = fe_writer_of(header, sizeof(header));
    size_t room = session->plaintext_max - FE_SECURE_HEADER_SIZE - prefix.len;
    size_t n = left->len < room ? left->len : room;
    const struct fe_view parts[] = {fe_view_of(header, sizeof(header)), prefix,
                                    fe_view_of(left->ptr, n)};
    int code;

    FE_ASSERT(n > 0, "a piece is not empty");
    fe_secure_header_encode(&writer, FE_SECURE_HEAD, 0, stream, prefix.len + n);
    code = fe_record_seal(session, parts, 3);
    if (code == 0) {
        *left = fe_view_skip(*left, n);
    }
    return code;
}

/* Once a piece was sent the peer waits for all others: without memory for them it is lost. */
static int seal_pieces(struct fe_session *session, uint32_t stream, struct fe_view prefix,
                       struct fe_view bytes)
{
    int code = seal_piece(session, stream, prefix, &bytes);

    if (code != 0) {
        return code;
    }
    while (code == 0 && bytes.len > 0) {
        code = seal_piece(session, stream, (struct fe_view){0}, &bytes);
    }
    session->is_cut = code != 0;
    return code;
}

int fe_secure_send_head(struct fe_session *session, uint32_t stream,
                        const struct fe_secure_head *head)
{
    size_t size = fe_secure_head_size(head);
    uint8_t prefix[FE_SECURE_HEAD_PREFIX];
    struct fe_writer writer = fe_writer_of(prefix, sizeof(prefix));
    uint8_t *bytes;
    int code;

    FE_ASSERT(stream != 0, "a head is a stream's");
    if (!session->has_heads || size == SIZE_MAX) {
        return FLATEND_ETOOBIG;
    }
    bytes = malloc(size);
    if (bytes == NULL) {
        return FLATEND_ENOMEM;
    }
    fe_secure_head_prefix_encode(&writer, (uint8_t)head->type, size);
    writer = fe_writer_of(bytes, size);
    fe_secure_head_encode(&writer, head);
    FE_ASSERT(fe_writer_is_complete(&writer),
              "the size that was computed is the size that was written");
    code = fe_secure_seal_record(session); /* what was said before */
    if (code == 0) {
        code = seal_pieces(session, stream, fe_view_of(prefix, sizeof(prefix)),
                           fe_view_of(bytes, size));
    }
    free(bytes);
    return code;
}

/* ---- receiving ------------------------------------------------------------------------------ */

static int malformed(uint32_t stream, struct flatend_error *err)
{
    return fe_err_set(err, FLATEND_EPROTO, "malformed HEAD of stream %u", (unsigned)stream);
}

/* What is announced is compared before anything is kept. */
static int begin(struct fe_session *session, const struct fe_secure_packet *packet,
                 struct fe_view *piece, struct flatend_error *err)
{
    struct fe_session_head *head = &session->head;
    struct fe_reader reader = fe_reader_of(packet->body);
    uint32_t size;
    int code;

    if (fe_secure_head_prefix_decode(&reader, &head->type, &size) != 0) {
        return malformed(packet->stream, err);
    }
    code = fe_secure_check_stream(session, head->type, packet->stream, err);
    if (code != 0) {
        return code;
    }
    FE_ASSERT(head->n_pieces == 0 && head->bytes.len == 0, "a head begins when none is incomplete");
    head->stream = packet->stream;
    head->size = size;
    *piece = fe_view_of(reader.ptr, reader.left);
    return 0;
}

/* The head as its packet would have told it. */
static int complete(struct fe_session *session, struct fe_view bytes, struct fe_event *event,
                    struct flatend_error *err)
{
    static const enum fe_event_type events[] = {
        [FE_SECURE_REQUEST] = FE_EVENT_REQUEST,
        [FE_SECURE_RESPONSE] = FE_EVENT_RESPONSE,
        [FE_SECURE_TRAILERS] = FE_EVENT_END,
    };
    struct fe_session_head *head = &session->head;

    head->size = 0;
    head->n_pieces = 0;
    event->type = events[head->type];
    event->stream = head->stream;
    event->token = 0;
    if (fe_secure_head_decode(head->type, bytes, event) != 0) {
        return malformed(head->stream, err);
    }
    if (head->type == FE_SECURE_REQUEST) {
        session->peer_stream = head->stream;
    }
    return 1;
}

int fe_secure_on_head(struct fe_session *session, const struct fe_secure_packet *packet,
                      struct fe_event *event, struct flatend_error *err)
{
    struct fe_session_head *head = &session->head;
    struct fe_view piece = packet->body;
    int code;

    if (head->size == 0) {
        code = begin(session, packet, &piece, err);
        if (code != 0) {
            return code;
        }
    } else if (packet->type != FE_SECURE_HEAD || packet->stream != head->stream) {
        return fe_err_set(err, FLATEND_EPROTO, "packet of type %u within the head of stream %u",
                          packet->type, (unsigned)head->stream);
    }
    if (piece.len == 0 || piece.len > head->size - head->bytes.len ||
        head->n_pieces == FE_SECURE_HEAD_PIECES_MAX) {
        return malformed(head->stream, err);
    }
    if (piece.len == head->size) {
        return complete(session, piece, event, err); /* where it lies */
    }
    head->n_pieces++;
    code = fe_buf_append(&head->bytes, piece.ptr, piece.len);
    if (code != 0) {
        return fe_err_set(err, code, "head: %s", flatend_strerror(code));
    }
    if (head->bytes.len < head->size) {
        return 0;
    }
    return complete(session, fe_buf_view(&head->bytes), event, err);
}
