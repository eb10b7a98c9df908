/* What a peer must not do in a secure session: each fault has its code and its text, the peer is
 * told, and nothing is read beyond what arrived. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mesh/session/record.h"
#include "mesh/wire/secure.h"
#include "support/pair.h"

enum { I = PAIR_INITIATOR, R = PAIR_RESPONDER };

static int setup(void **state)
{
    struct pair *pair = malloc(sizeof(*pair));

    assert_non_null(pair);
    pair_init(pair, 1);
    *state = pair;
    return pair_open(pair);
}

static int teardown(void **state)
{
    pair_deinit(*state);
    free(*state);
    return 0;
}

struct heard {
    unsigned n;
    enum fe_event_type type;
    uint32_t reason;
    uint32_t last;
    char text[256];
};

static void on_event(void *arg, const struct fe_event *event)
{
    struct heard *heard = arg;

    heard->n++;
    heard->type = event->type;
    if (event->type == FE_EVENT_GOAWAY) {
        heard->reason = event->u.goaway.reason;
        heard->last = event->u.goaway.last;
        snprintf(heard->text, sizeof(heard->text), "%.*s", (int)event->u.goaway.text.len,
                 (const char *)event->u.goaway.text.ptr);
    }
}

/* Sends a record with any plaintext; returns what the side that receives it says. */
static int send_plaintext(struct pair *pair, int from, struct fe_view plaintext,
                          struct heard *heard, struct flatend_error *err)
{
    assert_int_equal(fe_record_seal(&pair->sides[from].session, &plaintext, 1), 0);
    return pair_carry(pair, from, 0, on_event, heard, err);
}

/* The responder answers this plaintext with a fault, and tells the initiator, which has done
 * nothing else wrong. */
static void expect_fault(struct pair *pair, struct fe_view plaintext, const char *text)
{
    struct fe_session *responder = &pair->sides[R].session;
    struct flatend_error err = {0};
    struct heard heard = {0};
    struct fe_event event;

    assert_int_equal(send_plaintext(pair, I, plaintext, &heard, &err), FLATEND_EPROTO);
    assert_int_equal(err.code, FLATEND_EPROTO);
    assert_string_equal(err.text, text);
    assert_int_equal(responder->state, FE_SESSION_FAILED);
    assert_int_equal(fe_session_next(responder, &event, &err), FLATEND_ESTATE);

    fe_chain_consume(&pair->sides[I].out, SIZE_MAX);
    heard = (struct heard){0};
    assert_int_equal(pair_carry(pair, R, 0, on_event, &heard, &err), 0);
    assert_int_equal(heard.n, 1);
    assert_int_equal(heard.type, FE_EVENT_GOAWAY);
    assert_int_equal(heard.reason, FE_REASON_PROTOCOL);
    assert_string_equal(heard.text, text);
}

/* ---- records -------------------------------------------------------------------------------- */

static void expect_length_fault(struct pair *pair, uint32_t len, const char *text)
{
    struct flatend_error err = {0};
    uint8_t bytes[4];
    struct fe_writer writer = fe_writer_of(bytes, sizeof(bytes));

    fe_write_u32(&writer, len);
    assert_int_equal(pair_feed(pair, R, fe_view_of(bytes, sizeof(bytes)), NULL, NULL, &err),
                     FLATEND_EPROTO);
    assert_string_equal(err.text, text);
}

static void a_record_too_short_for_a_packet(void **state)
{
    expect_length_fault(*state, 24, "record of 24 bytes (expected 25 to 65536)");
}

static void a_record_beyond_the_limit(void **state)
{
    expect_length_fault(*state, FE_SECURE_RECORD_MAX + 1,
                        "record of 65537 bytes (expected 25 to 65536)");
}

static void a_record_of_4_gib(void **state)
{
    expect_length_fault(*state, UINT32_MAX, "record of 4294967295 bytes (expected 25 to 65536)");
}

static struct fe_view length_of(uint8_t *bytes, size_t len)
{
    struct fe_writer writer = fe_writer_of(bytes, 4);

    fe_write_u32(&writer, (uint32_t)len);
    return fe_view_of(bytes, 4);
}

/* One DATA packet that fills the largest record. */
static void the_largest_record_passes(void **state)
{
    enum { PLAINTEXT = FE_SECURE_RECORD_MAX - FE_AEAD_TAG_LEN };
    struct pair *pair = *state;
    static const uint8_t nonce[FE_AEAD_NONCE_LEN];
    uint8_t *bytes = calloc(1, 4 + FE_SECURE_RECORD_MAX);
    struct fe_writer writer;
    struct flatend_error err;
    struct heard heard = {0};
    struct fe_view ad, part;

    assert_non_null(bytes);
    ad = length_of(bytes, FE_SECURE_RECORD_MAX);
    writer = fe_writer_of(bytes + 4, FE_SECURE_HEADER_SIZE);
    fe_secure_header_encode(&writer, FE_SECURE_DATA, 0, 1, PLAINTEXT - FE_SECURE_HEADER_SIZE);
    part = fe_view_of(bytes + 4, PLAINTEXT);
    assert_int_equal(fe_aead_seal(pair->sides[I].session.seal, nonce, ad, &part, 1, bytes + 4), 0);
    assert_int_equal(
        pair_feed(pair, R, fe_view_of(bytes, 4 + FE_SECURE_RECORD_MAX), on_event, &heard, &err), 0);
    assert_int_equal(heard.n, 1);
    assert_int_equal(heard.type, FE_EVENT_DATA);
    free(bytes);
}

/* The length in front is authenticated too. */
static void a_record_with_any_byte_changed(void **state)
{
    uint8_t record[256];
    size_t len = 1;

    (void)state;
    for (size_t at = 0; at < len; at++) {
        struct flatend_error err = {0};
        struct heard heard = {0};
        struct pair pair;
        struct fe_sender *sender;
        int code;

        pair_init(&pair, 1);
        assert_int_equal(pair_open(&pair), 0);
        sender = pair_sender(&pair, I);
        assert_int_equal(sender->ops->data(sender, 1, FE_VIEW_LIT("some bytes")), 0);
        assert_int_equal(fe_session_flush(&pair.sides[I].session), 0);
        len = fe_chain_read(&pair.sides[I].out, record, sizeof(record));
        record[at] ^= (uint8_t)(1U << at % 8);
        code = pair_feed(&pair, R, fe_view_of(record, len), on_event, &heard, &err);
        assert_int_equal(heard.n, 0);
        /* A length that grew asks for bytes that do not come. */
        assert_true(code == FLATEND_EDECRYPT || (at < 4 && (code == 0 || code == FLATEND_EPROTO)));
        pair_deinit(&pair);
    }
}

static void a_record_that_is_repeated(void **state)
{
    struct pair *pair = *state;
    struct fe_sender *sender = pair_sender(pair, I);
    struct flatend_error err;
    uint8_t record[256];
    size_t len;

    assert_int_equal(sender->ops->data(sender, 1, FE_VIEW_LIT("once")), 0);
    assert_int_equal(fe_session_flush(&pair->sides[I].session), 0);
    len = fe_chain_read(&pair->sides[I].out, record, sizeof(record));
    assert_int_equal(pair_feed(pair, R, fe_view_of(record, len), NULL, NULL, &err), 0);
    assert_int_equal(pair_feed(pair, R, fe_view_of(record, len), NULL, NULL, &err),
                     FLATEND_EDECRYPT);
    assert_string_equal(err.text, "record 1 of 29 bytes: decryption failed");
}

/* What one side has sent does not come back as if the other had. */
static void a_record_that_is_reflected(void **state)
{
    struct pair *pair = *state;
    struct fe_sender *sender = pair_sender(pair, I);
    struct flatend_error err;
    uint8_t record[256];
    size_t len;

    pair->sides[I].session.received = 0; /* the counters are no help */
    assert_int_equal(sender->ops->data(sender, 2, FE_VIEW_LIT("echo?")), 0);
    assert_int_equal(fe_session_flush(&pair->sides[I].session), 0);
    len = fe_chain_read(&pair->sides[I].out, record, sizeof(record));
    assert_int_equal(pair_feed(pair, I, fe_view_of(record, len), NULL, NULL, &err),
                     FLATEND_EDECRYPT);
}

/* A side that renews its key too early, or not when it is time. */
static void keys_are_renewed_at_the_same_record(void **state)
{
    struct pair *pair = *state;
    struct fe_sender *sender = pair_sender(pair, I);
    struct flatend_error err;

    pair->sides[I].session.sent = FE_SECURE_REKEY_RECORDS - 1;
    pair->sides[R].session.received = FE_SECURE_REKEY_RECORDS - 1;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sender->ops->data(sender, 1, FE_VIEW_LIT("x")), 0);
        assert_int_equal(pair_carry(pair, I, 0, NULL, NULL, &err), 0);
    }
    assert_int_equal(pair->sides[I].session.sent, 2);
    assert_int_equal(pair->sides[R].session.received, 2);
    pair->sides[I].session.sent = FE_SECURE_REKEY_RECORDS;
    assert_int_equal(sender->ops->data(sender, 1, FE_VIEW_LIT("x")), 0);
    assert_int_equal(pair_carry(pair, I, 0, NULL, NULL, &err), FLATEND_EDECRYPT);
}

/* ---- packets -------------------------------------------------------------------------------- */

#define NO_HEADERS "\0\0"

static void packets_that_are_faults(void **state)
{
    static const struct {
        struct fe_view plaintext;
        const char *text;
    } cases[] = {
        {FE_VIEW_LIT("\0\0\1\0\0\0\0\0\1"), "packet exceeds its record"},
        {FE_VIEW_LIT("\377\377\377\0\0\0\0\0\1x"), "packet exceeds its record"},
        {FE_VIEW_LIT("\0\0\1\0\0\0\0\0\1x\0"), "packet exceeds its record"},
        {FE_VIEW_LIT("\0\0\1\0\0\0\0\0\0x"), "DATA with stream 0"},
        {FE_VIEW_LIT("\0\0\0\0\0\0\0\0\1"), "empty DATA"},
        {FE_VIEW_LIT("\0\0\3\1\0\0\0\0\0\0" NO_HEADERS), "REQUEST with stream 0"},
        {FE_VIEW_LIT("\0\0\3\1\0\0\0\0\2\0" NO_HEADERS),
         "REQUEST on stream 2 with the wrong parity"},
        {FE_VIEW_LIT("\0\0\3\1\0\200\0\0\1\0" NO_HEADERS), "REQUEST on stream 2147483649 after 0"},
        {FE_VIEW_LIT("\0\0\3\1\0\0\0\0\1\0\0\1"), "malformed REQUEST"},
        {FE_VIEW_LIT("\0\0\4\1\0\0\0\0\1\0\0\0\0"), "malformed REQUEST"},
        {FE_VIEW_LIT("\0\0\3\2\0\0\0\0\0\1" NO_HEADERS), "RESPONSE with stream 0"},
        {FE_VIEW_LIT("\0\0\3\2\0\0\0\0\1\1" NO_HEADERS),
         "RESPONSE on stream 1 with the wrong parity"},
        {FE_VIEW_LIT("\0\0\3\2\0\0\0\0\2\2" NO_HEADERS), "malformed RESPONSE"},
        {FE_VIEW_LIT("\0\0\2\3\0\0\0\0\0" NO_HEADERS), "TRAILERS with stream 0"},
        {FE_VIEW_LIT("\0\0\2\3\0\0\0\0\1\0\1"), "malformed TRAILERS"},
        {FE_VIEW_LIT("\0\0\5\4\0\0\0\0\0\0\0\0\1\0"), "RESET with stream 0"},
        {FE_VIEW_LIT("\0\0\5\4\0\0\0\0\1\0\0\0\1\1"), "malformed RESET"},
        {FE_VIEW_LIT("\0\0\4\5\0\0\0\0\1\0\0\0\0"), "malformed WINDOW"},
        {FE_VIEW_LIT("\0\0\4\5\0\0\0\0\1\200\0\0\0"), "malformed WINDOW"},
        {FE_VIEW_LIT("\0\0\3\5\0\0\0\0\1\0\0\1"), "malformed WINDOW"},
        {FE_VIEW_LIT("\0\0\10\6\0\0\0\0\1"
                     "12345678"),
         "PING with stream 1"},
        {FE_VIEW_LIT("\0\0\7\6\0\0\0\0\0"
                     "1234567"),
         "malformed PING"},
        {FE_VIEW_LIT("\0\0\11\7\0\0\0\0\1"
                     "12345678\0"),
         "GOAWAY with stream 1"},
        {FE_VIEW_LIT("\0\0\11\7\0\0\0\0\0"
                     "12345678\1"),
         "malformed GOAWAY"},
        {FE_VIEW_LIT("\0\0\2\10\0\0\0\0\1\0\0"), "SERVICES with stream 1"},
        {FE_VIEW_LIT("\0\0\2\10\0\0\0\0\0\0\1"), "malformed SERVICES"},
        {FE_VIEW_LIT("\0\0\2\10\0\0\0\0\0\1\0"), "malformed SERVICES"},
        {FE_VIEW_LIT("\0\0\5\11\0\0\0\0\0\0\0\0\1x"), "malformed FIND_NODE"},
        {FE_VIEW_LIT("\0\0\5\12\0\0\0\0\0\0\0\0\1\0"), "unsolicited NODES (token 1)"},
        {FE_VIEW_LIT("\0\0\5\12\0\0\0\0\0\0\0\0\0\0"), "unsolicited NODES (token 0)"},
        {FE_VIEW_LIT("\0\0\5\12\0\0\0\0\0\0\0\0\1\1"), "malformed NODES"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pair pair;

        pair_init(&pair, 1);
        assert_int_equal(pair_open(&pair), 0);
        expect_fault(&pair, cases[i].plaintext, cases[i].text);
        pair_deinit(&pair);
    }
}

/* What came before the fault counts; the GOAWAY says how far it went. */
static void a_stream_is_requested_only_once(void **state)
{
    struct pair *pair = *state;
    struct flatend_error err = {0};
    struct heard heard = {0};

    assert_int_equal(send_plaintext(pair, I,
                                    FE_VIEW_LIT("\0\0\3\1\0\0\0\0\5\0" NO_HEADERS
                                                "\0\0\3\1\0\0\0\0\5\0" NO_HEADERS),
                                    &heard, &err),
                     FLATEND_EPROTO);
    assert_int_equal(heard.n, 1);
    assert_int_equal(heard.type, FE_EVENT_REQUEST);
    assert_string_equal(err.text, "REQUEST on stream 5 after 5");
    fe_chain_consume(&pair->sides[I].out, SIZE_MAX);
    assert_int_equal(pair_carry(pair, R, 0, on_event, &heard, &err), 0);
    assert_int_equal(heard.type, FE_EVENT_GOAWAY);
    assert_int_equal(heard.last, 5);
}

static void what_a_later_version_says_is_skipped(void **state)
{
    struct pair *pair = *state;
    struct flatend_error err = {0};
    struct heard heard = {0};

    assert_int_equal(send_plaintext(pair, I,
                                    FE_VIEW_LIT("\0\0\3\14\1\0\0\0\0xyz"
                                                "\0\0\0\377\377\377\377\377\377"
                                                "\0\0\1\0\376\0\0\0\1x"),
                                    &heard, &err),
                     0);
    assert_int_equal(heard.n, 1);
    assert_int_equal(heard.type, FE_EVENT_DATA);
}

static void an_answer_to_a_question_comes_once(void **state)
{
    const uint8_t target[FE_KEY_LEN] = {0};
    struct pair *pair = *state;
    struct fe_sender *asking = pair_sender(pair, R);
    struct fe_sender *asked = pair_sender(pair, I);
    struct flatend_error err = {0};
    uint32_t token;

    assert_int_equal(asking->ops->find_node(asking, target, &token), 0);
    assert_int_equal(pair_carry(pair, R, 0, NULL, NULL, &err), 0);
    assert_int_equal(asked->ops->nodes(asked, token, NULL, 0), 0);
    assert_int_equal(asked->ops->nodes(asked, token, NULL, 0), 0);
    assert_int_equal(pair_carry(pair, I, 0, NULL, NULL, &err), FLATEND_EPROTO);
    assert_string_equal(err.text, "unsolicited NODES (token 1)");
}

static int ping(struct pair *pair, unsigned n, struct flatend_error *err)
{
    struct fe_sender *sender = pair_sender(pair, I);

    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(sender->ops->ping(sender, i), 0);
    }
    return pair_carry(pair, I, 0, NULL, NULL, err);
}

static void a_flood_of_pings(void **state)
{
    struct pair *pair = *state;
    struct flatend_error err = {0};
    struct heard heard = {0};

    for (int i = 0; i < 3; i++) { /* as many as are allowed, answered each time */
        assert_int_equal(ping(pair, FE_SESSION_PINGS_MAX, &err), 0);
        heard.n = 0;
        assert_int_equal(pair_carry(pair, R, 0, on_event, &heard, &err), 0);
        assert_int_equal(heard.n, FE_SESSION_PINGS_MAX);
        assert_int_equal(heard.type, FE_EVENT_PONG);
    }
    assert_int_equal(ping(pair, FE_SESSION_PINGS_MAX + 1, &err), FLATEND_EPROTO);
    assert_string_equal(err.text, "more than 32 unanswered pings");
}

static void a_peer_that_denies_is_not_dialed_again(void **state)
{
    struct pair *pair = *state;
    struct fe_sender *sender = pair_sender(pair, I);
    struct flatend_error err = {0};
    struct heard heard = {0};

    assert_int_equal(sender->ops->goaway(sender, 0, FE_REASON_NONE, FE_VIEW_LIT("bye")), 0);
    assert_int_equal(pair_carry(pair, I, 0, on_event, &heard, &err), 0);
    assert_int_equal(heard.type, FE_EVENT_GOAWAY);
    assert_string_equal(heard.text, "bye");
    assert_false(pair->sides[R].session.is_refused);
    assert_int_equal(sender->ops->goaway(sender, 0, FE_REASON_DENIED, FE_VIEW_LIT("no")), 0);
    assert_int_equal(pair_carry(pair, I, 0, on_event, &heard, &err), FLATEND_EDENIED);
    assert_string_equal(err.text, "rejected by the peer: no");
    assert_true(pair->sides[R].session.is_refused);
    assert_int_equal(pair->sides[R].out.len, 0); /* it is not told what it has said itself */
}

#define OPEN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OPEN(a_record_too_short_for_a_packet),
        OPEN(a_record_beyond_the_limit),
        OPEN(a_record_of_4_gib),
        OPEN(the_largest_record_passes),
        cmocka_unit_test(a_record_with_any_byte_changed),
        OPEN(a_record_that_is_repeated),
        OPEN(a_record_that_is_reflected),
        OPEN(keys_are_renewed_at_the_same_record),
        cmocka_unit_test(packets_that_are_faults),
        OPEN(a_stream_is_requested_only_once),
        OPEN(what_a_later_version_says_is_skipped),
        OPEN(an_answer_to_a_question_comes_once),
        OPEN(a_flood_of_pings),
        OPEN(a_peer_that_denies_is_not_dialed_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
