/* What a peer must not do: each fault has its code and its text, and nothing is read beyond what
 * arrived. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mesh/session/old.h"
#include "mesh/session/record.h"
#include "mesh/wire/old.h"
#include "support/pair.h"

static int setup(void **state)
{
    struct pair *pair = malloc(sizeof(*pair));

    assert_non_null(pair);
    pair_init_old(pair, 1);
    *state = pair;
    return 0;
}

static int setup_open(void **state)
{
    setup(state);
    return pair_open(*state);
}

static int teardown(void **state)
{
    pair_deinit(*state);
    free(*state);
    return 0;
}

/* Only the keys are agreed; the initiator's Handshake is on its way, and is dropped. */
static void open_without_handshake(struct pair *pair)
{
    struct flatend_error err;

    assert_int_equal(pair_start(pair), 0);
    assert_int_equal(pair_carry(pair, PAIR_INITIATOR, 0, NULL, NULL, &err), 0);
    assert_int_equal(pair_carry(pair, PAIR_RESPONDER, 0, NULL, NULL, &err), 0);
    fe_chain_consume(&pair->sides[PAIR_INITIATOR].out, SIZE_MAX);
    pair->sides[PAIR_INITIATOR].session.sent = 0;
}

/* Sends a record with any plaintext; returns the fault of the side that receives it. */
static int send_plaintext(struct pair *pair, int from, struct fe_view plaintext,
                          struct flatend_error *err)
{
    struct fe_record record;

    assert_int_equal(fe_record_begin(&pair->sides[from].session, plaintext.len, &record), 0);
    fe_write_bytes(&record.plaintext, plaintext);
    assert_int_equal(fe_record_finish(&pair->sides[from].session, &record), 0);
    return pair_carry(pair, from, 0, NULL, NULL, err);
}

/* The responder answers this plaintext with a fault of this code and text, and stays failed. */
static void expect_fault(struct pair *pair, struct fe_view plaintext, int code, const char *text)
{
    struct pair_side *responder = &pair->sides[PAIR_RESPONDER];
    struct flatend_error err = {0};
    struct fe_event event;

    assert_int_equal(send_plaintext(pair, PAIR_INITIATOR, plaintext, &err), code);
    assert_int_equal(err.code, code);
    assert_string_equal(err.text, text);
    assert_int_equal(responder->session.state, FE_SESSION_FAILED);
    assert_int_equal(fe_session_next(&responder->session, &event, &err), FLATEND_ESTATE);
}

#define EXPECT_FAULT(pair, literal, text)                                                          \
    expect_fault(pair, FE_VIEW_LIT(literal), FLATEND_EPROTO, text)

/* ---- the session ---------------------------------------------------------------------------- */

static void a_key_of_small_order(void **state)
{
    static const uint8_t zero[FE_KEY_LEN];
    struct flatend_error err;
    struct pair *pair = *state;

    assert_int_equal(pair_start(pair), 0);
    assert_int_equal(
        pair_feed(pair, PAIR_RESPONDER, fe_view_of(zero, sizeof(zero)), NULL, NULL, &err),
        FLATEND_EKEY);
    assert_string_equal(err.text, "key exchange: invalid key");
    assert_int_equal(pair->sides[PAIR_RESPONDER].out.len, 0);
}

static void expect_length_fault(struct pair *pair, uint32_t len, const char *text)
{
    struct flatend_error err;
    uint8_t bytes[4];
    struct fe_writer writer = fe_writer_of(bytes, sizeof(bytes));

    fe_write_u32(&writer, len);
    assert_int_equal(
        pair_feed(pair, PAIR_RESPONDER, fe_view_of(bytes, sizeof(bytes)), NULL, NULL, &err),
        FLATEND_EPROTO);
    assert_string_equal(err.text, text);
}

static void a_record_too_short_for_a_seq(void **state)
{
    expect_length_fault(*state, 19, "record of 19 bytes (expected 20 to 262144)");
}

static void a_record_beyond_the_limit(void **state)
{
    expect_length_fault(*state, FE_SESSION_RECORD_MAX + 1,
                        "record of 262145 bytes (expected 20 to 262144)");
}

static void a_record_of_4_gib(void **state)
{
    expect_length_fault(*state, UINT32_MAX, "record of 4294967295 bytes (expected 20 to 262144)");
}

/* A length is only a promise: memory is taken for what arrives. */
static void a_large_record_of_which_little_arrives(void **state)
{
    static const uint8_t bytes[] = {0, 4, 0, 0, 1, 2, 3};
    struct flatend_error err;
    struct pair *pair = *state;

    assert_int_equal(
        pair_feed(pair, PAIR_RESPONDER, fe_view_of(bytes, sizeof(bytes)), NULL, NULL, &err), 0);
    assert_true(pair->sides[PAIR_RESPONDER].session.in.cap <= 256);
}

/* Node.js peers send records of any size; the largest that we accept passes. */
static void the_largest_record_passes(void **state)
{
    enum { PLAINTEXT = FE_SESSION_RECORD_MAX - FE_AEAD_TAG_LEN };
    struct pair *pair = *state;
    struct pair_side *from = &pair->sides[PAIR_INITIATOR];
    uint8_t *bytes = calloc(1, 4 + FE_SESSION_RECORD_MAX);
    uint8_t nonce[FE_AEAD_NONCE_LEN] = {[7] = (uint8_t)from->session.sent};
    struct fe_writer writer = fe_writer_of(bytes, 4 + 4);
    struct flatend_error err;
    struct fe_view part;

    assert_non_null(bytes);
    fe_write_u32(&writer, FE_SESSION_RECORD_MAX);
    bytes[4 + 4] = 9; /* an opcode that does not exist: the record was opened, and looked at */
    part = fe_view_of(bytes + 4, PLAINTEXT);
    assert_int_equal(
        fe_aead_seal(from->session.seal, nonce, (struct fe_view){0}, &part, 1, bytes + 4), 0);
    assert_int_equal(pair_feed(pair, PAIR_RESPONDER, fe_view_of(bytes, 4 + FE_SESSION_RECORD_MAX),
                               NULL, NULL, &err),
                     FLATEND_EPROTO);
    assert_string_equal(err.text, "unknown opcode 9");
    free(bytes);
}

/* Each bit of a record counts: whichever byte is changed, it does not authenticate. */
static void a_record_with_any_byte_changed(void **state)
{
    uint8_t record[256];
    size_t len;

    (void)state;
    for (size_t at = 4, end = 5; at < end; at++) {
        struct flatend_error err;
        struct pair pair;
        struct fe_sender *sender;

        pair_init_old(&pair, 1);
        assert_int_equal(pair_open(&pair), 0);
        sender = pair_sender(&pair, PAIR_INITIATOR);
        assert_int_equal(sender->ops->data(sender, 1, FE_VIEW_LIT("some bytes")), 0);
        len = fe_chain_read(&pair.sides[PAIR_INITIATOR].out, record, sizeof(record));
        end = len;
        record[at] ^= 0x10;
        assert_int_equal(
            pair_feed(&pair, PAIR_RESPONDER, fe_view_of(record, len), NULL, NULL, &err),
            FLATEND_EDECRYPT);
        pair_deinit(&pair);
    }
}

static void a_record_that_is_repeated(void **state)
{
    struct pair *pair = *state;
    struct fe_sender *sender = pair_sender(pair, PAIR_INITIATOR);
    struct flatend_error err;
    uint8_t record[256];
    size_t len;

    assert_int_equal(sender->ops->data(sender, 1, FE_VIEW_LIT("once")), 0);
    len = fe_chain_read(&pair->sides[PAIR_INITIATOR].out, record, sizeof(record));
    assert_int_equal(pair_feed(pair, PAIR_RESPONDER, fe_view_of(record, len), NULL, NULL, &err), 0);
    assert_int_equal(pair_feed(pair, PAIR_RESPONDER, fe_view_of(record, len), NULL, NULL, &err),
                     FLATEND_EDECRYPT);
    assert_string_equal(err.text, "record 2 of 31 bytes: decryption failed");
}

/* ---- the order of packets ------------------------------------------------------------------- */

static void packets_before_the_handshake(void **state)
{
    open_without_handshake(*state);
    EXPECT_FAULT(*state, "\0\0\0\0\3\0\0\0\1\0\0", "Data before the Handshake");
}

static void an_answer_before_the_handshake(void **state)
{
    open_without_handshake(*state);
    EXPECT_FAULT(*state, "\0\0\0\2\0", "response before the Handshake");
}

static void an_answer_to_nothing(void **state)
{
    EXPECT_FAULT(*state, "\0\0\0\2\0", "response to unknown request (seq 2)");
}

static void a_second_answer_to_our_handshake(void **state)
{
    struct pair *pair = *state;
    struct flatend_error err;

    assert_int_equal(send_plaintext(pair, PAIR_RESPONDER, FE_VIEW_LIT("\0\0\0\1\0\0"), &err),
                     FLATEND_EPROTO);
    assert_string_equal(err.text, "response to unknown request (seq 1)");
}

static void a_handshake_that_wants_no_answer(void **state)
{
    EXPECT_FAULT(*state, "\0\0\0\0\0\0\0", "Handshake with seq 0");
}

static void a_message_that_wants_an_answer(void **state)
{
    EXPECT_FAULT(*state, "\0\0\0\3\3\0\0\0\1\0\0", "Data with seq 3");
}

static void a_find_node_that_wants_no_answer(void **state)
{
    EXPECT_FAULT(*state, "\0\0\0\0\4", "FindNodeRequest with seq 0");
}

static void an_opcode_that_does_not_exist(void **state)
{
    EXPECT_FAULT(*state, "\0\0\0\0\5", "unknown opcode 5");
}

static void a_record_without_opcode(void **state)
{
    EXPECT_FAULT(*state, "\0\0\0\0", "malformed record");
}

/* ---- packets -------------------------------------------------------------------------------- */

static void a_request_whose_lengths_leave_the_record(void **state)
{
    EXPECT_FAULT(*state, "\0\0\0\0\1\0\0\0\1\1\5echo\0\0", "malformed ServiceRequest");
}

static void a_response_whose_lengths_leave_the_record(void **state)
{
    EXPECT_FAULT(*state, "\0\0\0\0\2\0\0\0\1\1\0\1\1x\0\2y", "malformed ServiceResponse");
}

static void a_response_with_bytes_left_over(void **state)
{
    EXPECT_FAULT(*state, "\0\0\0\0\2\0\0\0\1\1\0\1\1x\0\1yz", "malformed ServiceResponse");
}

/* As an old Node.js node counts a value that is not ASCII, but a Go node does not. */
static void a_response_of_go_with_lengths_in_units(void **state)
{
    struct pair *pair = *state;

    fe_old_set_kind(&pair->sides[PAIR_RESPONDER].session, FE_OLD_GO);
    EXPECT_FAULT(pair, "\0\0\0\0\2\0\0\0\1\1\0\1\1x\0\1\xc3\xa9", "malformed ServiceResponse");
}

static void a_response_with_lengths_in_units_passes(void **state)
{
    struct flatend_error err;

    assert_int_equal(send_plaintext(*state, PAIR_INITIATOR,
                                    FE_VIEW_LIT("\0\0\0\0\2\0\0\0\1\1\0\1\1x\0\1\xc3\xa9"), &err),
                     0);
}

static void data_with_bytes_left_over(void **state)
{
    EXPECT_FAULT(*state, "\0\0\0\0\3\0\0\0\1\0\1xy", "malformed Data");
}

static void a_find_node_with_a_short_key(void **state)
{
    EXPECT_FAULT(*state, "\0\0\0\3\4short", "malformed FindNodeRequest");
}

static void nodes_that_are_cut_short(void **state)
{
    struct pair *pair = *state;
    struct fe_sender *sender = pair_sender(pair, PAIR_RESPONDER);
    struct flatend_error err;
    const uint8_t target[FE_KEY_LEN] = {0};
    uint32_t token;

    assert_int_equal(sender->ops->find_node(sender, target, &token), 0);
    assert_int_equal(token, 2);
    assert_int_equal(pair_carry(pair, PAIR_RESPONDER, 0, NULL, NULL, &err), 0);
    EXPECT_FAULT(pair, "\0\0\0\2\1short", "malformed FindNodeResponse");
}

/* ---- identities ----------------------------------------------------------------------------- */

/* A Handshake of the initiator, seq 3, with a signature that is right for `id`. */
static struct fe_view make_handshake(struct pair *pair, const struct fe_id *id,
                                     uint8_t plaintext[256])
{
    struct fe_writer writer = fe_writer_of(plaintext, 256);
    uint8_t signed_bytes[FE_OLD_ID_MAX];
    struct fe_writer message = fe_writer_of(signed_bytes, sizeof(signed_bytes));
    uint8_t signature[FE_SIGNATURE_LEN];

    fe_old_id_encode(&message, id);
    fe_ed25519_sign(&pair->sides[PAIR_INITIATOR].self.secret,
                    fe_view_of(signed_bytes, sizeof(signed_bytes) - message.left), signature);
    fe_write_u32(&writer, 3);
    fe_write_u8(&writer, FE_OLD_HANDSHAKE);
    fe_old_handshake_encode(&writer, id, NULL, 0, signature);
    return fe_view_of(plaintext, 256 - writer.left);
}

static void a_handshake_repeated_is_answered_again(void **state)
{
    struct pair *pair = *state;
    struct flatend_error err;
    uint8_t plaintext[256];
    struct fe_view hello = make_handshake(pair, &pair->sides[PAIR_INITIATOR].self.id, plaintext);

    assert_int_equal(send_plaintext(pair, PAIR_INITIATOR, hello, &err), 0);
    assert_true(pair->sides[PAIR_RESPONDER].out.len > 0);
}

static void a_handshake_with_bytes_behind_it_passes(void **state)
{
    struct pair *pair = *state;
    struct flatend_error err;
    uint8_t plaintext[256] = {0};
    struct fe_view hello = make_handshake(pair, &pair->sides[PAIR_INITIATOR].self.id, plaintext);

    memcpy(plaintext + hello.len, "FLT2", 4);
    hello.len += 4;
    assert_int_equal(send_plaintext(pair, PAIR_INITIATOR, hello, &err), 0);
}

static void a_signature_that_does_not_verify(void **state)
{
    struct pair *pair = *state;
    uint8_t plaintext[256];
    struct fe_view hello = make_handshake(pair, &pair->sides[PAIR_INITIATOR].self.id, plaintext);

    plaintext[hello.len - 1] ^= 1;
    expect_fault(pair, hello, FLATEND_ESIGNATURE, "Handshake: invalid signature");
}

static void an_address_that_was_not_signed(void **state)
{
    struct pair *pair = *state;
    uint8_t plaintext[256];
    struct fe_view hello = make_handshake(pair, &pair->sides[PAIR_INITIATOR].self.id, plaintext);

    plaintext[4 + 1 + 1 + FE_KEY_LEN + 1] ^= 1;
    expect_fault(pair, hello, FLATEND_ESIGNATURE, "Handshake: invalid signature");
}

static void the_anonymous_key_as_an_id(void **state)
{
    struct pair *pair = *state;
    struct fe_id id = pair->sides[PAIR_INITIATOR].self.id;
    uint8_t plaintext[256];

    memset(id.public_key, 0, sizeof(id.public_key));
    expect_fault(pair, make_handshake(pair, &id, plaintext), FLATEND_EPROTO,
                 "Handshake: an ID with the anonymous key");
}

static void an_id_with_port_0(void **state)
{
    struct pair *pair = *state;
    struct fe_id id = pair->sides[PAIR_INITIATOR].self.id;
    uint8_t plaintext[256];

    id.addr.port = 0;
    expect_fault(pair, make_handshake(pair, &id, plaintext), FLATEND_EPROTO,
                 "Handshake: an ID with port 0");
}

static void another_identity_in_the_same_session(void **state)
{
    struct pair *pair = *state;
    struct pair_side *initiator = &pair->sides[PAIR_INITIATOR];
    uint8_t plaintext[256];

    fe_ed25519_keypair(&pair->rng, &initiator->self.secret);
    memcpy(initiator->self.id.public_key, fe_ed25519_public(&initiator->self.secret), FE_KEY_LEN);
    expect_fault(pair, make_handshake(pair, &initiator->self.id, plaintext), FLATEND_EPROTO,
                 "Handshake: the peer changed its identity");
}

static void an_identity_that_becomes_anonymous(void **state)
{
    EXPECT_FAULT(*state, "\0\0\0\3\0\0\0", "Handshake: the peer changed its identity");
}

static void a_handshake_cut_at_any_byte(void **state)
{
    uint8_t plaintext[256];
    size_t len = 256;

    (void)state;
    for (size_t cut = 5; cut < len; cut++) {
        struct flatend_error err;
        struct pair pair;
        struct fe_view hello;

        pair_init_old(&pair, 1);
        assert_int_equal(pair_open(&pair), 0);
        hello = make_handshake(&pair, &pair.sides[PAIR_INITIATOR].self.id, plaintext);
        len = hello.len;
        hello.len = cut;
        assert_int_equal(send_plaintext(&pair, PAIR_INITIATOR, hello, &err), FLATEND_EPROTO);
        assert_string_equal(err.text, "malformed Handshake");
        pair_deinit(&pair);
    }
}

#define OPEN(test) cmocka_unit_test_setup_teardown(test, setup_open, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_key_of_small_order, setup, teardown),
        OPEN(a_record_too_short_for_a_seq),
        OPEN(a_record_beyond_the_limit),
        OPEN(a_record_of_4_gib),
        OPEN(a_large_record_of_which_little_arrives),
        OPEN(the_largest_record_passes),
        cmocka_unit_test(a_record_with_any_byte_changed),
        OPEN(a_record_that_is_repeated),
        cmocka_unit_test_setup_teardown(packets_before_the_handshake, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_before_the_handshake, setup, teardown),
        OPEN(an_answer_to_nothing),
        OPEN(a_second_answer_to_our_handshake),
        OPEN(a_handshake_that_wants_no_answer),
        OPEN(a_message_that_wants_an_answer),
        OPEN(a_find_node_that_wants_no_answer),
        OPEN(an_opcode_that_does_not_exist),
        OPEN(a_record_without_opcode),
        OPEN(a_request_whose_lengths_leave_the_record),
        OPEN(a_response_whose_lengths_leave_the_record),
        OPEN(a_response_with_bytes_left_over),
        OPEN(a_response_of_go_with_lengths_in_units),
        OPEN(a_response_with_lengths_in_units_passes),
        OPEN(data_with_bytes_left_over),
        OPEN(a_find_node_with_a_short_key),
        OPEN(nodes_that_are_cut_short),
        OPEN(a_handshake_repeated_is_answered_again),
        OPEN(a_handshake_with_bytes_behind_it_passes),
        OPEN(a_signature_that_does_not_verify),
        OPEN(an_address_that_was_not_signed),
        OPEN(the_anonymous_key_as_an_id),
        OPEN(an_id_with_port_0),
        OPEN(another_identity_in_the_same_session),
        OPEN(an_identity_that_becomes_anonymous),
        cmocka_unit_test(a_handshake_cut_at_any_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
