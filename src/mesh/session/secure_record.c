/* Packets gather in one record, which is sealed when it is full or the output is about to be
 * written: small ones share a tag, a header and a write (docs/PROTOCOL.md §2.2). */
#include <stdlib.h>

#include "ground/base/assert.h"
#include "mesh/session/record.h"
#include "mesh/session/secure.h"

int fe_secure_seal_record(struct fe_session *session)
{
    const struct fe_view part = fe_view_of(session->record_buf, session->record_len);
    int code = session->record_len > 0 ? fe_record_seal(session, &part, 1) : 0;

    if (code == 0) {
        session->record_len = 0;
    }
    return code;
}

int fe_secure_flush(struct fe_session *session)
{
    int code = session->is_cut ? FLATEND_ENOMEM : fe_secure_seal_record(session);

    session->n_pings = 0;
    if (code == 0) {
        free(session->record_buf);
        session->record_buf = NULL;
    }
    return code;
}

int fe_secure_begin_packet(struct fe_session *session, enum fe_secure_type type, uint8_t flags,
                           uint32_t stream, size_t size, struct fe_writer *writer)
{
    int code = 0;

    if (session->state != FE_SESSION_OPEN) {
        return FLATEND_ESTATE;
    }
    FE_ASSERT(session->record_len <= session->plaintext_max, "what is filled fits a record");
    if (size > session->plaintext_max - FE_SECURE_HEADER_SIZE) {
        return FLATEND_ETOOBIG;
    }
    if (FE_SECURE_HEADER_SIZE + size > session->plaintext_max - session->record_len) {
        code = fe_secure_seal_record(session);
    }
    if (code == 0 && session->record_buf == NULL) {
        session->record_buf = malloc(session->plaintext_max);
        code = session->record_buf != NULL ? 0 : FLATEND_ENOMEM;
    }
    if (code == 0) {
        *writer =
            fe_writer_of(session->record_buf + session->record_len, FE_SECURE_HEADER_SIZE + size);
        fe_secure_header_encode(writer, (uint8_t)type, flags, stream, size);
    }
    return code;
}

int fe_secure_end_packet(struct fe_session *session, const struct fe_writer *writer)
{
    FE_ASSERT(fe_writer_is_complete(writer),
              "the size that was computed is the size that was written");
    session->last_packet = session->record_len;
    session->record_len = (size_t)(writer->ptr - session->record_buf);
    return 0;
}

enum fe_reason fe_secure_reason_of(int code)
{
    switch (code) {
    case FLATEND_EDENIED:
        return FE_REASON_DENIED;
    case FLATEND_ENOMEM:
    case FLATEND_ETOOBIG:
        return FE_REASON_INTERNAL;
    default:
        return FE_REASON_PROTOCOL;
    }
}

void fe_secure_give_up(struct fe_session *session, int code, const char *text)
{
    uint8_t packet[FE_SECURE_HEADER_SIZE + 4 + 4 + 1 + FE_REASON_TEXT_MAX];
    struct fe_writer writer = fe_writer_of(packet, sizeof(packet));
    struct fe_view view = fe_view_str(text);
    struct fe_view part;

    fe_secure_header_encode(&writer, FE_SECURE_GOAWAY, 0, 0, fe_secure_goaway_size(view));
    fe_secure_goaway_encode(&writer, session->peer_stream, fe_secure_reason_of(code), view);
    part = fe_view_of(packet, sizeof(packet) - writer.left);
    if (fe_secure_seal_record(session) == 0) {
        (void)!fe_record_seal(session, &part, 1);
    }
}
