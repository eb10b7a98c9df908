/* Records of a session (docs/PROTOCOL.md §1.1): sealed in the output, opened where they arrived. */
#ifndef FE_SESSION_RECORD_H
#define FE_SESSION_RECORD_H

#include "session/session.h"
#include "wire/cursor.h"

/* A record being written, in the output chain: between begin and finish nothing else may touch the
 * output. */
struct fe_record {
    uint8_t *start;
    size_t len; /* of the plaintext */
    struct fe_writer plaintext;
};

/* Reserves a record of `len` bytes of plaintext. FLATEND_ENOMEM. A record that is never finished
 * leaves no trace. */
int fe_record_begin(struct fe_session *session, size_t len, struct fe_record *record) FE_MUST_USE;

/* Encrypts what was written, which must be exactly `len` bytes. FLATEND_ENOMEM: nothing was sent.
 */
int fe_record_finish(struct fe_session *session, struct fe_record *record) FE_MUST_USE;

/* The next record, decrypted in place: 1, 0 when it is not complete, or a fault. The plaintext is
 * valid until the next call. */
int fe_record_next(struct fe_session *session, struct fe_view *plaintext,
                   struct flatend_error *err) FE_MUST_USE;

/* Moves bytes that were fed to `in` until it holds `want`: 1 when it does, 0 when more must arrive,
 * or FLATEND_ENOMEM. */
int fe_record_gather(struct fe_session *session, size_t want) FE_MUST_USE;

#endif
