#include "mesh/session/record.h"

#include <stdlib.h>

#include "ground/base/assert.h"
#include "ground/base/wipe.h"
#include "mesh/session/secure.h"

enum {
    LENGTH_SIZE = 4,
    OLD_MIN = 4 + FE_AEAD_TAG_LEN,                        /* a plaintext starts with its seq */
    SECURE_MIN = FE_SECURE_HEADER_SIZE + FE_AEAD_TAG_LEN, /* a record holds a packet */
};

/* u64 counter, u32 zero. */
static void make_nonce(uint64_t counter, uint8_t nonce[FE_AEAD_NONCE_LEN])
{
    for (unsigned i = 0; i < 8; i++) {
        nonce[i] = (uint8_t)(counter >> (56 - 8 * i));
    }
    memset(nonce + 8, 0, FE_AEAD_NONCE_LEN - 8);
}

int fe_record_begin(struct fe_session *session, size_t len, struct fe_record *record)
{
    struct fe_writer prefix;

    FE_ASSERT(len > 0 && len <= FE_SESSION_RECORD_MAX - FE_AEAD_TAG_LEN,
              "a record is of a size that peers take");
    record->len = len;
    record->own = NULL;
    if (LENGTH_SIZE + len + FE_AEAD_TAG_LEN > FE_BLOCK_SIZE) {
        record->own = malloc(LENGTH_SIZE + len + FE_AEAD_TAG_LEN);
        record->start = record->own;
    } else {
        record->start = fe_chain_reserve(session->out, LENGTH_SIZE + len + FE_AEAD_TAG_LEN);
    }
    if (record->start == NULL) {
        return FLATEND_ENOMEM;
    }
    prefix = fe_writer_of(record->start, LENGTH_SIZE);
    fe_write_u32(&prefix, (uint32_t)(len + FE_AEAD_TAG_LEN));
    record->plaintext = fe_writer_of(record->start + LENGTH_SIZE, len);
    return 0;
}

static int add_to_output(struct fe_session *session, const struct fe_record *record)
{
    const size_t len = LENGTH_SIZE + record->len + FE_AEAD_TAG_LEN;

    if (record->own != NULL) {
        return fe_chain_append(session->out, record->own, len);
    }
    fe_chain_commit(session->out, len);
    return 0;
}

int fe_record_finish(struct fe_session *session, struct fe_record *record)
{
    uint8_t nonce[FE_AEAD_NONCE_LEN];
    uint8_t *plaintext = record->start + LENGTH_SIZE;
    const struct fe_view part = fe_view_of(plaintext, record->len);
    int code;

    FE_ASSERT(session->seal != NULL, "nothing is sent in clear");
    FE_ASSERT(session->sent < UINT64_MAX, "a nonce is used once");
    FE_ASSERT(fe_writer_is_complete(&record->plaintext),
              "the size that was computed is the size that was written");
    make_nonce(session->sent, nonce);
    code = fe_aead_seal(session->seal, nonce, (struct fe_view){0}, &part, 1, plaintext);
    if (code == 0) {
        code = add_to_output(session, record);
    }
    if (code == 0) {
        session->sent++;
    }
    free(record->own);
    return code;
}

/* The length of a record as it stands before it: the associated data of the secure dialect. */
static struct fe_view write_length(uint8_t *at, size_t len)
{
    struct fe_writer writer = fe_writer_of(at, LENGTH_SIZE);

    fe_write_u32(&writer, (uint32_t)len);
    return fe_view_of(at, LENGTH_SIZE);
}

/* After so many records the direction goes on under the next key, from nonce 0 (§2.2).
 * FLATEND_ENOMEM: nothing has changed, and nothing more may be sealed or opened: a nonce would come
 * twice. */
static int renew(struct fe_aead *aead, uint8_t key[FE_AEAD_KEY_LEN], uint64_t *counter)
{
    uint8_t next[FE_AEAD_KEY_LEN];
    int code;

    if (*counter < FE_SECURE_REKEY_RECORDS) {
        return 0;
    }
    memcpy(next, key, sizeof(next));
    fe_secure_next_key(next);
    code = fe_aead_rekey(aead, next);
    if (code == 0) {
        memcpy(key, next, sizeof(next));
        *counter = 0;
    }
    fe_wipe(next, sizeof(next));
    return code;
}

int fe_record_seal(struct fe_session *session, const struct fe_view *parts, size_t n_parts)
{
    uint8_t nonce[FE_AEAD_NONCE_LEN];
    size_t len = FE_AEAD_TAG_LEN;
    struct fe_view ad;
    uint8_t *out;
    int code;

    for (size_t i = 0; i < n_parts; i++) {
        len += parts[i].len;
    }
    FE_ASSERT(session->seal != NULL, "nothing is sent in clear");
    FE_ASSERT(len > FE_AEAD_TAG_LEN && len <= FE_BLOCK_SIZE - LENGTH_SIZE,
              "a record lies in one block");
    out = fe_chain_reserve(session->out, LENGTH_SIZE + len);
    if (out == NULL) {
        return FLATEND_ENOMEM;
    }
    ad = write_length(out, len);
    code = renew(session->seal, session->seal_key, &session->sent);
    if (code == 0) {
        FE_ASSERT(session->sent < FE_SECURE_REKEY_RECORDS, "a nonce is used once under a key");
        make_nonce(session->sent, nonce);
        code = fe_aead_seal(session->seal, nonce, ad, parts, n_parts, out + LENGTH_SIZE);
    }
    if (code != 0) {
        return code;
    }
    session->sent++;
    fe_chain_commit(session->out, LENGTH_SIZE + len);
    return 0;
}

int fe_record_gather(struct fe_session *session, size_t want)
{
    size_t missing = want - session->in.len;
    size_t n = missing < session->fed_len ? missing : session->fed_len;
    int code;

    FE_ASSERT(session->in.len <= want, "no more is gathered than a record");
    code = fe_buf_append(&session->in, session->fed, n);
    if (code != 0) {
        return code;
    }
    session->fed += n;
    session->fed_len -= n;
    return n == missing ? 1 : 0;
}

static int check_length(const struct fe_session *session, uint32_t len, struct flatend_error *err)
{
    bool is_secure = fe_sender_is_secure(&session->sender);
    uint32_t min = is_secure ? SECURE_MIN : OLD_MIN;
    uint32_t max = is_secure ? FE_SECURE_RECORD_MAX : FE_SESSION_RECORD_MAX;

    /* Where old peers are not allowed the first record is a secure one: an unauthenticated peer
     * gets no more memory.
     */
    if (!is_secure && fe_secure_is_required(session)) {
        max = FE_SECURE_RECORD_MIN;
    }

    if (len < min || len > max) {
        return fe_err_set(err, FLATEND_EPROTO, "record of %u bytes (expected %u to %u)",
                          (unsigned)len, (unsigned)min, (unsigned)max);
    }
    return 0;
}

static uint32_t length_at(const uint8_t *ptr)
{
    struct fe_reader reader = fe_reader_of(fe_view_of(ptr, LENGTH_SIZE));

    return fe_read_u32(&reader);
}

/* A record that is complete in what was fed is used where it lies. */
static int take_fed(struct fe_session *session, uint8_t **record, size_t *len,
                    struct flatend_error *err)
{
    int code;

    if (session->fed_len < LENGTH_SIZE) {
        return 0;
    }
    *len = length_at(session->fed);
    code = check_length(session, (uint32_t)*len, err);
    if (code != 0 || session->fed_len - LENGTH_SIZE < *len) {
        return code;
    }
    *record = session->fed + LENGTH_SIZE;
    session->fed += LENGTH_SIZE + *len;
    session->fed_len -= LENGTH_SIZE + *len;
    return 1;
}

/* Any other is put together in `in`, which grows only with what really arrives. */
static int take_gathered(struct fe_session *session, uint8_t **record, size_t *len,
                         struct flatend_error *err)
{
    int code = 1;

    if (session->in.len < LENGTH_SIZE) {
        code = fe_record_gather(session, LENGTH_SIZE);
    }
    if (code > 0) {
        *len = length_at(session->in.data);
        code = check_length(session, (uint32_t)*len, err);
        if (code != 0) {
            return code;
        }
        code = fe_record_gather(session, LENGTH_SIZE + *len);
    }
    if (code < 0) {
        return fe_err_set(err, code, "record: %s", flatend_strerror(code));
    }
    if (code > 0) {
        *record = session->in.data + LENGTH_SIZE;
    }
    return code;
}

/* A whole record in `in` was handed out by the last call. */
static void drop_delivered(struct fe_buf *in)
{
    if (in->len >= LENGTH_SIZE && in->len - LENGTH_SIZE == length_at(in->data)) {
        fe_buf_reset(in);
    }
}

int fe_record_take(struct fe_session *session, uint8_t **record, size_t *len,
                   struct flatend_error *err)
{
    int code = 0;

    drop_delivered(&session->in);
    if (session->in.len == 0) {
        code = take_fed(session, record, len, err);
    }
    if (code == 0) {
        code = take_gathered(session, record, len, err);
    }
    return code;
}

static int open_record(struct fe_session *session, bool is_secure, uint8_t *record, size_t len)
{
    uint8_t nonce[FE_AEAD_NONCE_LEN];
    uint8_t length[LENGTH_SIZE];
    struct fe_view ad = {0};

    FE_ASSERT(session->open != NULL, "nothing is read in clear");
    FE_ASSERT(len >= FE_AEAD_TAG_LEN, "a record that is opened has a tag");
    if (is_secure) {
        ad = write_length(length, len);
    }
    make_nonce(session->received, nonce);
    return fe_aead_open(session->open, nonce, ad, record, len);
}

int fe_record_try(struct fe_session *session, const uint8_t key[FE_AEAD_KEY_LEN], bool is_secure,
                  uint8_t *record, size_t len)
{
    int code = fe_aead_rekey(session->open, key);

    return code == 0 ? open_record(session, is_secure, record, len) : code;
}

int fe_record_next(struct fe_session *session, struct fe_view *plaintext, struct flatend_error *err)
{
    bool is_secure = fe_sender_is_secure(&session->sender);
    uint8_t *record = NULL;
    size_t len = 0;
    int code = fe_record_take(session, &record, &len, err);

    if (code <= 0) {
        return code;
    }
    code = is_secure ? renew(session->open, session->open_key, &session->received) : 0;
    if (code == 0) {
        code = open_record(session, is_secure, record, len);
    }
    if (code != 0) {
        return fe_err_set(err, code, "record %llu of %zu bytes: %s",
                          (unsigned long long)session->received, len, flatend_strerror(code));
    }
    session->received++;
    *plaintext = fe_view_of(record, len - FE_AEAD_TAG_LEN);
    return 1;
}

size_t fe_session_space(const struct fe_sender *sender)
{
    const struct fe_session *session = fe_session_of(sender);
    size_t waiting = session->out->len + session->record_len;

    return waiting < FE_SESSION_OUT_MAX ? FE_SESSION_OUT_MAX - waiting : 0;
}
