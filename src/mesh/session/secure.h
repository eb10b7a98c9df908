/* The secure session (docs/PROTOCOL.md part 2): how two nodes find out that both know it, packets
 * to events, and what is asked of the sender to packets. */
#ifndef FE_MESH_SESSION_SECURE_H
#define FE_MESH_SESSION_SECURE_H

#include "mesh/session/session.h"
#include "mesh/wire/old.h"
#include "mesh/wire/secure.h"

extern const struct fe_sender_ops fe_secure_sender_ops;

/* ---- the handshake -------------------------------------------------------------------------- */

/* The initiator's Handshake with its extension: its first record. FLATEND_ETOOBIG, FLATEND_ENOMEM.
 */
int fe_secure_send_handshake(struct fe_session *session) FE_MUST_USE;

/* The peer's first record, decrypted in place: the HANDSHAKE event, or a fault. The session uses
 * the peer's dialect from now on. */
int fe_secure_on_handshake(struct fe_session *session, uint8_t *record, size_t len,
                           struct fe_event *event,
                           struct flatend_error *err) FE_MUST_USE; /* of the initiator */
int fe_secure_on_answer(struct fe_session *session, uint8_t *record, size_t len,
                        struct fe_event *event,
                        struct flatend_error *err) FE_MUST_USE; /* of the responder */

/* Wipes what only the handshake, or only a session that goes on, needs. */
void fe_secure_wipe(struct fe_session *session);

/* ---- what both sides of the handshake need (secure_handshake_message.c) --------------------- */

struct fe_secure_handshake {
    struct fe_old_handshake handshake;
    struct fe_secure_extension extension;
};

/* No old peer will do. */
bool fe_secure_is_required(const struct fe_session *session);

/* NULL: there is none. */
const uint8_t *fe_secure_mesh_secret(const struct fe_session *session);

/* Our Handshake with extension and signature, which becomes part of the transcript. */
size_t fe_secure_handshake_size(const struct fe_session *session);
void fe_secure_handshake_encode(struct fe_session *session, struct fe_writer *writer);

/* The peer's, which becomes part of the transcript if its signature is right. The views borrow
 * `body`. FLATEND_EPROTO, FLATEND_ESIGNATURE. */
int fe_secure_handshake_decode(struct fe_session *session, struct fe_view body,
                               struct fe_secure_handshake *peer,
                               struct flatend_error *err) FE_MUST_USE;

/* Whether we let this peer in. FLATEND_EDENIED: `err` may be told to it. */
int fe_secure_check_trust(const struct fe_session *session, const struct fe_secure_handshake *peer,
                          struct flatend_error *err) FE_MUST_USE;

/* The session is secure from now on, under the keys in seal_key and open_key. FLATEND_ENOMEM. */
int fe_secure_start(struct fe_session *session, const struct fe_secure_extension *peer) FE_MUST_USE;

/* The peer is allowed: opens the session. */
void fe_secure_open(struct fe_session *session, const struct fe_secure_handshake *peer,
                    struct fe_event *event);

/* ---- the conversation ----------------------------------------------------------------------- */

/* As fe_session_next, in a session that is open. */
int fe_secure_next(struct fe_session *session, struct fe_event *event,
                   struct flatend_error *err) FE_MUST_USE;

int fe_secure_send_pong(struct fe_session *session, uint64_t token) FE_MUST_USE;

/* What holds of a packet on this stream: whether one belongs there, whose the id is, that the ids
 * of requests grow. FLATEND_EPROTO. */
int fe_secure_check_stream(const struct fe_session *session, uint8_t type, uint32_t stream,
                           struct flatend_error *err) FE_MUST_USE;

/* ---- large heads (secure_head.c) ------------------------------------------------------------ */

/* A head that does not fit its packet. FLATEND_ETOOBIG: nor can the peer take it like this;
 * FLATEND_ENOMEM: see fe_session_flush. */
int fe_secure_send_head(struct fe_session *session, uint32_t stream,
                        const struct fe_secure_head *head) FE_MUST_USE;

/* A packet of type HEAD, or one that comes while a head is incomplete: 1 with the event of a
 * complete head, 0 while more is to come, or a fault. */
int fe_secure_on_head(struct fe_session *session, const struct fe_secure_packet *packet,
                      struct fe_event *event, struct flatend_error *err) FE_MUST_USE;

/* ---- the record that is being filled (secure_record.c) -------------------------------------- */

/* Room for one packet of `size` bytes behind its header, which is written; `end` makes it count,
 * and returns 0, so that its caller can return that. FLATEND_ESTATE, FLATEND_ETOOBIG,
 * FLATEND_ENOMEM: nothing has changed for the peer. */
int fe_secure_begin_packet(struct fe_session *session, enum fe_secure_type type, uint8_t flags,
                           uint32_t stream, size_t size, struct fe_writer *writer) FE_MUST_USE;
int fe_secure_end_packet(struct fe_session *session, const struct fe_writer *writer);

/* Seals it, if there is anything in it; `flush` also gives its memory back. FLATEND_ENOMEM: it is
 * as it was. */
int fe_secure_seal_record(struct fe_session *session) FE_MUST_USE;
int fe_secure_flush(struct fe_session *session) FE_MUST_USE;

/* What a fault of ours or of the peer's is called on the wire. */
enum fe_reason fe_secure_reason_of(int code);

/* Tells the peer why nothing more will come, as the last record, if there is memory for it. */
void fe_secure_give_up(struct fe_session *session, int code, const char *text);

#endif
