/* An attacker between two nodes: changes what travels, replays it, puts keys of its own in its
 * place. Neither node ever takes the peer for another one, or a secure session for an old one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mesh/wire/old.h"
#include "mesh/wire/secure.h"
#include "support/meeting.h"

enum { I = PAIR_INITIATOR, R = PAIR_RESPONDER, MESSAGE_MAX = 1024 };

/* ---- a bit that is changed ------------------------------------------------------------------ */

struct flip {
    enum meeting_message message;
    size_t at;
    uint8_t mask;
    bool is_done;
};

static void flip_bit(void *arg, enum meeting_message message, uint8_t *bytes, size_t len)
{
    struct flip *flip = arg;

    if (message == flip->message && flip->at < len) {
        bytes[flip->at] ^= flip->mask;
        flip->is_done = true;
    }
}

/* Neither side has taken the peer for another one: the responder learns of no peer unless what was
 * changed came after that, and the initiator never. */
static void expect_nothing_opened(const struct meeting *m, const struct flip *flip)
{
    if (m->n_handshakes[I] != 0 || (flip->message < MEETING_ANSWER && m->n_handshakes[R] != 0)) {
        fail_msg("message %d, byte %zu, mask %02x: a session opened", (int)flip->message, flip->at,
                 flip->mask);
    }
}

static bool flip_and_meet(bool has_secret, enum meeting_message message, size_t at)
{
    struct flip flip = {.message = message, .at = at, .mask = (uint8_t)(1U << (at * 5 % 8))};
    struct meeting m;

    meeting_init(&m, 1);
    for (int i = 0; i < 2; i++) {
        meeting_trust(&m, i)->has_secret = has_secret;
        meeting_trust(&m, i)->require_secure = true;
    }
    m.tamper = flip_bit;
    m.arg = &flip;
    meeting_run(&m);
    if (flip.is_done) {
        expect_nothing_opened(&m, &flip);
    } else {
        meeting_expect_secure(&m);
    }
    meeting_deinit(&m);
    return flip.is_done;
}

static void flip_each_byte(bool has_secret)
{
    for (enum meeting_message message = MEETING_INITIATOR_KEY; message <= MEETING_ANSWER;
         message++) {
        size_t at = 0;

        while (flip_and_meet(has_secret, message, at)) {
            at++;
        }
        assert_true(at >= FE_KEY_LEN && at < MESSAGE_MAX);
    }
}

static void each_byte_of_the_handshake(void **state)
{
    (void)state;
    flip_each_byte(false);
}

static void each_byte_of_the_handshake_with_a_secret(void **state)
{
    (void)state;
    flip_each_byte(true);
}

/* X25519 does not look at this bit (RFC 7748 §5), so both still agree on a secret: the transcript
 * does look. */
static void the_bit_of_a_key_that_x25519_ignores(void **state)
{
    (void)state;
    for (enum meeting_message message = MEETING_INITIATOR_KEY; message <= MEETING_RESPONDER_KEY;
         message++) {
        struct flip flip = {.message = message, .at = FE_KEY_LEN - 1, .mask = 0x80};
        struct meeting m;

        meeting_init(&m, 1);
        m.tamper = flip_bit;
        m.arg = &flip;
        meeting_run(&m);
        expect_nothing_opened(&m, &flip);
        meeting_expect_fault(&m, R, FLATEND_ESIGNATURE, "Handshake: invalid signature");
        assert_int_equal(m.code[I], FLATEND_EDECRYPT);
        meeting_deinit(&m);
    }
}

/* Both learn that it went wrong, the responder by a GOAWAY under a key that only the two have. */
static void a_changed_answer_is_told_to_both(void **state)
{
    struct flip flip = {.message = MEETING_ANSWER, .at = 100, .mask = 1};
    struct flatend_error err = {0};
    struct fe_event event;
    struct meeting m;

    (void)state;
    meeting_init(&m, 1);
    m.tamper = flip_bit;
    m.arg = &flip;
    meeting_run(&m);
    meeting_expect_fault(&m, I, FLATEND_EDECRYPT, "peer's Handshake does not authenticate");
    meeting_expect_fault(&m, R, 0, "");
    assert_int_equal(m.pair.sides[R].session.received, 1);
    assert_int_equal(fe_session_next(&m.pair.sides[I].session, &event, &err), FLATEND_ESTATE);
    meeting_deinit(&m);
}

/* ---- a man in the middle with keys of its own ----------------------------------------------- */

/* It answers the initiator as if it were the responder, dials the responder as if it were the
 * initiator, and carries what the initiator says from one to the other. */
struct middle {
    struct meeting m;
    uint8_t secret[FE_KEY_LEN];
    uint8_t public_key[FE_KEY_LEN];
    uint8_t hello[MESSAGE_MAX];
    size_t hello_len;
};

static void middle_init(struct middle *middle)
{
    meeting_init(&middle->m, 1);
    fe_x25519_keypair(&middle->m.pair.rng, middle->secret, middle->public_key);
    assert_int_equal(pair_start(&middle->m.pair), 0);
}

/* K between the attacker and a node. */
static struct fe_aead *key_with(const struct middle *middle, const uint8_t *peer, bool is_seal)
{
    uint8_t shared[FE_X25519_LEN], key[FE_AEAD_KEY_LEN];
    struct fe_aead *aead;

    assert_int_equal(fe_x25519(middle->secret, peer, shared), 0);
    fe_hash(fe_view_of(shared, sizeof(shared)), key);
    aead = fe_aead_new(key, is_seal);
    assert_non_null(aead);
    return aead;
}

static int feed(struct middle *middle, int to, const uint8_t *bytes, size_t len)
{
    return pair_feed(&middle->m.pair, to, fe_view_of(bytes, len), NULL, NULL, &middle->m.err[to]);
}

/* Takes what a side has sent. */
static size_t take(struct middle *middle, int from, uint8_t bytes[MESSAGE_MAX])
{
    return fe_chain_read(&middle->m.pair.sides[from].out, bytes, MESSAGE_MAX);
}

static void shake_with_both(struct middle *middle, uint8_t keys[2][FE_KEY_LEN])
{
    assert_int_equal(fe_chain_read(&middle->m.pair.sides[I].out, keys[I], FE_KEY_LEN), FE_KEY_LEN);
    assert_int_equal(feed(middle, I, middle->public_key, FE_KEY_LEN), 0);
    assert_int_equal(feed(middle, R, middle->public_key, FE_KEY_LEN), 0);
    assert_int_equal(fe_chain_read(&middle->m.pair.sides[R].out, keys[R], FE_KEY_LEN), FE_KEY_LEN);
}

/* Without a mesh secret the attacker can read the initiator's first record. */
static void read_handshake(struct middle *middle, const uint8_t *initiator_key)
{
    static const uint8_t nonce[FE_AEAD_NONCE_LEN];
    uint8_t record[MESSAGE_MAX];
    size_t len = take(middle, I, record);
    struct fe_aead *aead = key_with(middle, initiator_key, false);

    assert_int_equal(fe_aead_open(aead, nonce, (struct fe_view){0}, record + 4, len - 4), 0);
    fe_aead_free(aead);
    middle->hello_len = len - 4 - FE_AEAD_TAG_LEN;
    memcpy(middle->hello, record + 4, middle->hello_len);
}

static int send_handshake(struct middle *middle, const uint8_t *responder_key)
{
    static const uint8_t nonce[FE_AEAD_NONCE_LEN];
    const struct fe_view part = fe_view_of(middle->hello, middle->hello_len);
    uint8_t record[MESSAGE_MAX];
    struct fe_writer writer = fe_writer_of(record, 4);
    struct fe_aead *aead = key_with(middle, responder_key, true);

    fe_write_u32(&writer, (uint32_t)(part.len + FE_AEAD_TAG_LEN));
    assert_int_equal(fe_aead_seal(aead, nonce, (struct fe_view){0}, &part, 1, record + 4), 0);
    fe_aead_free(aead);
    return feed(middle, R, record, 4 + part.len + FE_AEAD_TAG_LEN);
}

static void two_sessions_cannot_be_joined(void **state)
{
    uint8_t keys[2][FE_KEY_LEN];
    struct middle middle;

    (void)state;
    middle_init(&middle);
    shake_with_both(&middle, keys);
    read_handshake(&middle, keys[I]);
    assert_int_equal(send_handshake(&middle, keys[R]), FLATEND_ESIGNATURE);
    assert_string_equal(middle.m.err[R].text, "Handshake: invalid signature");
    assert_int_equal(middle.m.pair.sides[R].session.state, FE_SESSION_FAILED);
    meeting_deinit(&middle.m);
}

/* The attacker makes the initiator look like an old peer. */
static void strip_extension(struct middle *middle)
{
    struct fe_old_handshake handshake;
    const struct fe_view body = fe_view_of(middle->hello + 5, middle->hello_len - 5);

    assert_int_equal(fe_old_handshake_decode(body, &handshake), 0);
    assert_true(fe_secure_has_extension(handshake.rest));
    middle->hello_len -= handshake.rest.len;
}

static int strip_and_send(struct middle *middle, bool require_secure)
{
    uint8_t keys[2][FE_KEY_LEN];
    int code;

    middle_init(middle);
    meeting_trust(&middle->m, R)->require_secure = require_secure;
    shake_with_both(middle, keys);
    read_handshake(middle, keys[I]);
    strip_extension(middle);
    code = send_handshake(middle, keys[R]);
    return code;
}

static void an_extension_stripped_where_secure_is_required(void **state)
{
    struct middle middle;

    (void)state;
    assert_int_equal(strip_and_send(&middle, true), FLATEND_EDENIED);
    assert_string_equal(middle.m.err[R].text,
                        "peer does not support secure sessions, which are required");
    meeting_deinit(&middle.m);
}

/* Which is why it can be required; and even so the key does not count as proven. */
static void an_extension_stripped_where_old_peers_are_welcome(void **state)
{
    struct middle middle;

    (void)state;
    assert_int_equal(strip_and_send(&middle, false), 0);
    assert_int_equal(middle.m.pair.sides[R].session.state, FE_SESSION_OPEN);
    assert_false(fe_sender_is_secure(&middle.m.pair.sides[R].session.sender));
    meeting_deinit(&middle.m);
}

/* ---- a peer that lies ----------------------------------------------------------------------- */

/* The attacker as an initiator that has the keys and writes what it likes: the Handshake of a real
 * one, changed. */
static void expect_lie_refused(struct middle *middle, void (*lie)(struct middle *middle), int code,
                               const char *text)
{
    uint8_t keys[2][FE_KEY_LEN];
    struct fe_session *responder = &middle->m.pair.sides[R].session;

    middle_init(middle);
    shake_with_both(middle, keys);
    read_handshake(middle, keys[I]);
    lie(middle);
    assert_int_equal(send_handshake(middle, keys[R]), code);
    assert_string_equal(middle->m.err[R].text, text);
    assert_int_equal(responder->state, FE_SESSION_FAILED);
    assert_int_equal(middle->m.pair.sides[R].out.len,
                     4 + 4 + 1 + strlen(text) + FE_AEAD_TAG_LEN); /* the refusal, and no more */
    meeting_deinit(&middle->m);
}

/* Where the extension begins; its length is 4 bytes behind. */
static uint8_t *extension_of(struct middle *middle)
{
    uint8_t *at = memmem(middle->hello, middle->hello_len, "FLT2", 4);

    assert_non_null(at);
    return at;
}

static void set_length(struct middle *middle, size_t len)
{
    uint8_t *at = extension_of(middle);

    at[4] = (uint8_t)(len >> 8);
    at[5] = (uint8_t)len;
}

static size_t tlvs_len(struct middle *middle)
{
    return (size_t)(middle->hello + middle->hello_len - extension_of(middle)) - 6;
}

static void leave_the_signature_out(struct middle *middle)
{
    middle->hello_len -= FE_SECURE_SIGNATURE_TLV_SIZE;
    set_length(middle, tlvs_len(middle));
}

static void leave_the_id_out(struct middle *middle)
{
    uint8_t *extension = extension_of(middle);
    size_t len = 6 + tlvs_len(middle);

    middle->hello[5] = 0; /* has_id */
    middle->hello[6] = 0; /* no services */
    memmove(middle->hello + 7, extension, len);
    middle->hello_len = 7 + len;
}

static void be_too_short(struct middle *middle)
{
    set_length(middle, tlvs_len(middle) - 1);
}

static void be_too_long(struct middle *middle)
{
    set_length(middle, tlvs_len(middle) + 1);
}

static void be_far_too_long(struct middle *middle)
{
    set_length(middle, FE_SECURE_EXTENSION_MAX + 1);
}

static void take_another_seq(struct middle *middle)
{
    middle->hello[3] = 3;
}

static void take_port_0(struct middle *middle)
{
    middle->hello[4 + 1 + 1 + FE_KEY_LEN + 1 + 4] = 0;
    middle->hello[4 + 1 + 1 + FE_KEY_LEN + 1 + 5] = 0;
}

static void handshakes_that_lie(void **state)
{
    static const struct {
        void (*lie)(struct middle *middle);
        const char *text;
    } cases[] = {
        {leave_the_signature_out, "Handshake: ID without a session signature"},
        {leave_the_id_out, "Handshake: signature without an ID"},
        {be_too_short, "extension: length mismatch"},
        {be_too_long, "extension: length mismatch"},
        {be_far_too_long, "extension: 1025 bytes (at most 1024)"},
        {take_another_seq, "malformed Handshake"},
        {take_port_0, "Handshake: an ID with port 0"},
    };
    struct middle middle;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect_lie_refused(&middle, cases[i].lie, FLATEND_EPROTO, cases[i].text);
    }
}

/* The same as a responder that refuses, for any reason. */
static int refuse(struct middle *middle, struct fe_view body)
{
    static const uint8_t nonce[FE_AEAD_NONCE_LEN];
    struct fe_secure_transcript transcript;
    uint8_t keys[2][FE_KEY_LEN], shared[FE_KEY_LEN], key[FE_AEAD_KEY_LEN];
    uint8_t record[MESSAGE_MAX];
    struct fe_writer writer = fe_writer_of(record, 4);
    struct fe_aead *aead;

    middle_init(middle);
    shake_with_both(middle, keys);
    assert_int_equal(fe_x25519(middle->secret, keys[I], shared), 0);
    fe_secure_transcript_init(&transcript, shared, keys[I], middle->public_key);
    fe_secure_refuse_key(&transcript, key);
    aead = fe_aead_new(key, true);
    assert_non_null(aead);
    fe_write_u32(&writer, (uint32_t)(body.len + FE_AEAD_TAG_LEN));
    assert_int_equal(fe_aead_seal(aead, nonce, fe_view_of(record, 4), &body, 1, record + 4), 0);
    fe_aead_free(aead);
    return feed(middle, I, record, 4 + body.len + FE_AEAD_TAG_LEN);
}

static void refusals_that_may_pass_and_that_may_not(void **state)
{
    static const struct {
        struct fe_view body;
        int code;
        const char *text;
        bool is_refused;
    } cases[] = {
        {FE_VIEW_LIT("\0\0\0\10\2no"), FLATEND_EDENIED, "rejected by the peer: no", true},
        {FE_VIEW_LIT("\0\0\0\7\2no"), FLATEND_EREFUSED, "rejected by the peer: no", false},
        {FE_VIEW_LIT("\0\0\0\2\4full"), FLATEND_EREFUSED, "rejected by the peer: full", false},
        {FE_VIEW_LIT("\0\0\0\10\3no"), FLATEND_EPROTO, "malformed refusal", false},
    };
    struct middle middle;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(refuse(&middle, cases[i].body), cases[i].code);
        assert_string_equal(middle.m.err[I].text, cases[i].text);
        assert_int_equal(middle.m.pair.sides[I].session.is_refused, cases[i].is_refused);
        meeting_deinit(&middle.m);
    }
}

/* With a mesh secret the attacker learns nothing: the record is not even under K. */
static void a_first_record_that_only_members_can_read(void **state)
{
    static const uint8_t nonce[FE_AEAD_NONCE_LEN];
    uint8_t keys[2][FE_KEY_LEN];
    uint8_t record[MESSAGE_MAX];
    struct middle middle;
    struct fe_aead *aead;
    size_t len;

    (void)state;
    middle_init(&middle);
    meeting_trust(&middle.m, I)->has_secret = true;
    shake_with_both(&middle, keys);
    len = take(&middle, I, record);
    aead = key_with(&middle, keys[I], false);
    assert_int_equal(fe_aead_open(aead, nonce, (struct fe_view){0}, record + 4, len - 4),
                     FLATEND_EDECRYPT);
    fe_aead_free(aead);
    meeting_deinit(&middle.m);
}

/* ---- what was recorded ---------------------------------------------------------------------- */

struct tape {
    uint8_t bytes[2 * MESSAGE_MAX];
    size_t len;
};

static void record_initiator(void *arg, enum meeting_message message, uint8_t *bytes, size_t len)
{
    struct tape *tape = arg;

    if (message == MEETING_INITIATOR_KEY || message == MEETING_HELLO) {
        assert_true(tape->len + len <= sizeof(tape->bytes));
        memcpy(tape->bytes + tape->len, bytes, len);
        tape->len += len;
    }
}

static void a_recorded_handshake_is_worthless(void **state)
{
    struct tape tape = {.len = 0};
    struct flatend_error err = {0};
    struct meeting m;
    struct pair pair;

    (void)state;
    meeting_init(&m, 1);
    m.tamper = record_initiator;
    m.arg = &tape;
    meeting_run(&m);
    meeting_expect_secure(&m);
    meeting_deinit(&m);

    pair_init(&pair, 2); /* the same responder, with another ephemeral key */
    assert_int_equal(pair_start(&pair), 0);
    assert_int_equal(pair_feed(&pair, R, fe_view_of(tape.bytes, tape.len), NULL, NULL, &err),
                     FLATEND_EDENIED);
    assert_string_equal(err.text,
                        "first record does not authenticate: wrong or missing mesh secret?");
    pair_deinit(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_byte_of_the_handshake),
        cmocka_unit_test(each_byte_of_the_handshake_with_a_secret),
        cmocka_unit_test(the_bit_of_a_key_that_x25519_ignores),
        cmocka_unit_test(a_changed_answer_is_told_to_both),
        cmocka_unit_test(two_sessions_cannot_be_joined),
        cmocka_unit_test(an_extension_stripped_where_secure_is_required),
        cmocka_unit_test(an_extension_stripped_where_old_peers_are_welcome),
        cmocka_unit_test(handshakes_that_lie),
        cmocka_unit_test(refusals_that_may_pass_and_that_may_not),
        cmocka_unit_test(a_first_record_that_only_members_can_read),
        cmocka_unit_test(a_recorded_handshake_is_worthless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
