/* The old dialect on a session (docs/PROTOCOL.md §1.1 to §1.4): packets become events, and what is
 * asked of the sender becomes packets. */
#ifndef FE_MESH_SESSION_OLD_H
#define FE_MESH_SESSION_OLD_H

#include "mesh/session/session.h"
#include "mesh/wire/cursor.h"
#include "mesh/wire/old.h"

/* The first local stream, without the parity: far from where old peers count (§1.3). */
#define FE_OLD_STREAM_BASE 0x40000000U

/* A request or a response with all its headers, behind seq and opcode (§1.1): what all old peers
 * take, and what those of Node.js do, which have no limit of their own. Names and values have the
 * dialect's lengths all the same, so this is less than FE_HEAD_MAX. */
enum {
    FE_OLD_HEAD_MAX = FE_OLD_PLAINTEXT_MAX - 4 - 1,
    FE_OLD_NPM_HEAD_MAX = FE_SESSION_RECORD_MAX - FE_AEAD_TAG_LEN - 4 - 1
};

/* The number, without the parity, of the question that tells implementations apart (§1.4): far from
 * where peers count. */
#define FE_OLD_KIND_SEQ 0xfffffff0U

extern const struct fe_sender_ops fe_old_sender_ops;

/* Our Handshake, as a request, or as the answer to the peer's request `seq`. FLATEND_ETOOBIG,
 * FLATEND_ENOMEM. */
int fe_old_send_handshake(struct fe_session *session) FE_MUST_USE;
int fe_old_answer_handshake(struct fe_session *session, uint32_t seq) FE_MUST_USE;

/* Asks which implementation the peer is (§1.4): KIND is the answer, if one comes at all.
 * FLATEND_ELIMIT, FLATEND_ENOMEM: as for find_node. */
int fe_old_ask_kind(struct fe_session *session, const uint8_t target[FE_KEY_LEN]) FE_MUST_USE;

/* It is known which it is: from here on what it takes is sent to it. */
void fe_old_set_kind(struct fe_session *session, enum fe_old_kind kind);

/* Our next stream has an id that no other connection is likely to have: a Go peer sends some of its
 * answers to the wrong one (§1.3). */
void fe_old_scatter_streams(struct fe_session *session, const struct fe_rng *rng);

/* Sends the Handshake of an anonymous node again, now with an ID that is made for this session and
 * leads nowhere (§1.3): HANDSHAKE comes again with its answer. Only to Go peers; others take a
 * second Handshake for an error. FLATEND_ETOOBIG, FLATEND_ENOMEM. */
int fe_old_introduce(struct fe_session *session, const struct fe_rng *rng) FE_MUST_USE;

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
