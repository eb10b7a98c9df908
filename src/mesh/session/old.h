/* The old dialect on a session (docs/PROTOCOL.md §1.1 to §1.4): packets become events, and what is
 * asked of the sender becomes packets. */
#ifndef FE_MESH_SESSION_OLD_H
#define FE_MESH_SESSION_OLD_H

#include "mesh/session/session.h"
#include "mesh/wire/cursor.h"
#include "mesh/wire/old.h"

/* The first local stream, without the parity: far from where old peers count (§1.3). */
#define FE_OLD_STREAM_BASE 0x40000000U

/* A request or a response with all its headers, behind seq and opcode (§1.1). */
enum { FE_OLD_HEAD_MAX = FE_OLD_PLAINTEXT_MAX - 4 - 1 };

extern const struct fe_sender_ops fe_old_sender_ops;

/* Our Handshake, as a request, or as the answer to the peer's request `seq`. FLATEND_ETOOBIG,
 * FLATEND_ENOMEM. */
int fe_old_send_handshake(struct fe_session *session) FE_MUST_USE;
int fe_old_answer_handshake(struct fe_session *session, uint32_t seq) FE_MUST_USE;

/* The Handshake without anything behind it, as an old peer would read it; a part of the secure
 * session's. The size may be more than fits a record. */
size_t fe_old_own_handshake_size(const struct fe_self *self);
void fe_old_own_handshake_encode(struct fe_writer *writer, const struct fe_self *self);

/* An ID that some node could have. FLATEND_EPROTO. */
int fe_old_check_id(const struct fe_id *id, struct flatend_error *err) FE_MUST_USE;

/* Turns a record's plaintext into an event: 0 or a fault, with its text. */
int fe_old_receive(struct fe_session *session, struct fe_view plaintext, struct fe_event *event,
                   struct flatend_error *err) FE_MUST_USE;

#endif
