/* Records of a session (docs/PROTOCOL.md §1.1, §2.2): sealed in the output, opened where they
 * arrived. */
#ifndef FE_MESH_SESSION_RECORD_H
#define FE_MESH_SESSION_RECORD_H

#include "ground/base/list.h"
#include "mesh/session/session.h"
#include "mesh/wire/cursor.h"

/* Records under one key of a secure session: then the next key. Far from what AES-GCM bears, and
 * few enough that a key does not grow old. */
#define FE_SECURE_REKEY_RECORDS (1U << 24)

/* A record being written, in the output chain, or in memory of its own if it is larger than a block
 * of that: between begin and finish nothing else may touch the output. */
struct fe_record {
    uint8_t *start;
    uint8_t *own; /* NULL: it is in the output */
    size_t len;   /* of the plaintext */
    struct fe_writer plaintext;
};

/* ---- the old dialect, and the first record of the initiator ---- */

/* Reserves a record of `len` bytes of plaintext, which is to be finished. FLATEND_ENOMEM. */
int fe_record_begin(struct fe_session *session, size_t len, struct fe_record *record) FE_MUST_USE;

/* Encrypts what was written, which must be exactly `len` bytes. FLATEND_ENOMEM: nothing was sent.
 */
int fe_record_finish(struct fe_session *session, struct fe_record *record) FE_MUST_USE;

/* ---- the secure dialect ---- */

/* One record whose plaintext is the concatenation of `parts` (1 to FE_BLOCK_SIZE - 20 bytes),
 * encrypted from where they lie into the output. FLATEND_ENOMEM: nothing was sent. */
int fe_record_seal(struct fe_session *session, const struct fe_view *parts,
                   size_t n_parts) FE_MUST_USE;

/* ---- receiving ---- */

/* The next record, as it came: 1, 0 when it is not complete, or a fault. Valid until the next call.
 */
int fe_record_take(struct fe_session *session, uint8_t **record, size_t *len,
                   struct flatend_error *err) FE_MUST_USE;

/* Opens the first record of all in place with this key, which the session then has. The length is
 * associated data in the secure dialect. FLATEND_EDECRYPT: the bytes are garbage. */
int fe_record_try(struct fe_session *session, const uint8_t key[FE_AEAD_KEY_LEN], bool is_secure,
                  uint8_t *record, size_t len) FE_MUST_USE;

/* The next record, decrypted in place: 1, 0 when it is not complete, or a fault. The plaintext is
 * valid until the next call. */
int fe_record_next(struct fe_session *session, struct fe_view *plaintext,
                   struct flatend_error *err) FE_MUST_USE;

/* Moves bytes that were fed to `in` until it holds `want`: 1 when it does, 0 when more must arrive,
 * or FLATEND_ENOMEM. */
int fe_record_gather(struct fe_session *session, size_t want) FE_MUST_USE;

/* ---- what the senders of both dialects do ---- */

static inline struct fe_session *fe_session_of(const struct fe_sender *sender)
{
    return FE_CONTAINER_OF(sender, struct fe_session, sender);
}

/* The `space` of a sender: what waits is the output, and the record that is being filled. */
size_t fe_session_space(const struct fe_sender *sender);

#endif
