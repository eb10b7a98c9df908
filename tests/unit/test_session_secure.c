/* Two secure sessions against each other: what is sent, in what records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mesh/session/record.h"
#include "mesh/session/secure.h"
#include "mesh/wire/old.h"
#include "mesh/wire/secure.h"
#include "support/pair.h"

enum {
    LARGE = 1024 * 1024,
    DATA_MAX = FE_BLOCK_SIZE - 4 - FE_AEAD_TAG_LEN - FE_SECURE_HEADER_SIZE
};

struct seen {
    unsigned n;
    unsigned n_ends;
    struct fe_event last;
    size_t n_bytes;
    uint8_t next; /* what the next byte of the counting pattern must be */
};

static void on_event(void *arg, const struct fe_event *event)
{
    struct seen *seen = arg;

    seen->n++;
    seen->n_ends += event->type == FE_EVENT_END;
    seen->last = *event;
    if (event->type == FE_EVENT_DATA) {
        for (size_t i = 0; i < event->u.data.len; i++) {
            assert_int_equal(event->u.data.ptr[i], seen->next++);
        }
        seen->n_bytes += event->u.data.len;
    }
}

static uint8_t *counting_bytes(void)
{
    uint8_t *bytes = malloc(LARGE);

    assert_non_null(bytes);
    for (size_t i = 0; i < LARGE; i++) {
        bytes[i] = (uint8_t)i;
    }
    return bytes;
}

static void setup_open(struct pair *pair)
{
    pair_init(pair, 1);
    assert_int_equal(pair_open(pair), 0);
    assert_int_equal(pair->sides[0].session.state, FE_SESSION_OPEN);
    assert_int_equal(pair->sides[1].session.state, FE_SESSION_OPEN);
}

static void carry(struct pair *pair, int from, struct seen *seen)
{
    struct flatend_error err = {0};

    if (pair_carry(pair, from, 0, on_event, seen, &err) != 0) {
        fail_msg("%s", err.text);
    }
}

static void bodies_of_any_size_arrive(void **state)
{
    static const size_t sizes[] = {
        1,    4095, 4096, 4097, DATA_MAX - 1, DATA_MAX, DATA_MAX + 1, DATA_MAX * 2, DATA_MAX + 4095,
        LARGE};
    uint8_t *bytes = counting_bytes();
    struct fe_sender *sender;
    struct pair pair;

    (void)state;
    setup_open(&pair);
    sender = pair_sender(&pair, PAIR_INITIATOR);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct seen seen = {0};

        /* A packet before it, so that it does not begin a record. */
        assert_int_equal(sender->ops->window(sender, 0, 1), 0);
        assert_int_equal(sender->ops->data(sender, 5, fe_view_of(bytes, sizes[i])), 0);
        assert_int_equal(sender->ops->end(sender, 5, NULL, 0), 0);
        carry(&pair, PAIR_INITIATOR, &seen);
        assert_int_equal(seen.n_bytes, sizes[i]);
        assert_int_equal(seen.n_ends, 1);
        assert_int_equal(seen.last.type, FE_EVENT_END);
        assert_int_equal(seen.last.stream, 5);
    }
    pair_deinit(&pair);
    free(bytes);
}

/* What a large body costs: a header, a tag and a length for each full block. */
static void a_large_body_fills_its_records(void **state)
{
    uint8_t *bytes = counting_bytes();
    struct fe_sender *sender;
    struct pair pair;

    (void)state;
    setup_open(&pair);
    sender = pair_sender(&pair, PAIR_INITIATOR);
    assert_int_equal(sender->ops->data(sender, 5, fe_view_of(bytes, 10 * DATA_MAX)), 0);
    assert_int_equal(pair.sides[0].out.len, 10 * FE_BLOCK_SIZE);
    assert_int_equal(pair.sides[0].session.record_len, 0);
    pair_deinit(&pair);
    free(bytes);
}

/* Not cut to fill a record that is nearly full already. */
static void a_body_begins_where_there_is_room_for_it(void **state)
{
    uint8_t *bytes = counting_bytes();
    struct seen seen = {0};
    struct fe_sender *sender;
    struct pair pair;

    (void)state;
    setup_open(&pair);
    sender = pair_sender(&pair, PAIR_INITIATOR);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(sender->ops->data(sender, 5, fe_view_of(bytes, 3840)), 0);
    }
    assert_int_equal(sender->ops->data(sender, 7, fe_view_of(bytes, 8192)), 0);
    carry(&pair, PAIR_INITIATOR, &seen);
    assert_int_equal(seen.n, 4 + 1);
    assert_int_equal(seen.n_bytes, 4 * 3840 + 8192);
    assert_int_equal(pair.sides[1].session.received, 2);
    pair_deinit(&pair);
    free(bytes);
}

static void small_packets_share_a_record(void **state)
{
    struct seen seen = {0};
    struct fe_sender *sender;
    struct pair pair;
    const struct fe_view service = FE_VIEW_LIT("e");
    enum { REQUESTS = 100, REQUEST_SIZE = FE_SECURE_HEADER_SIZE + 1 + 2 + 2 };

    (void)state;
    setup_open(&pair);
    sender = pair_sender(&pair, PAIR_INITIATOR);
    for (int i = 0; i < REQUESTS; i++) {
        uint32_t stream = sender->ops->next_stream(sender);

        assert_int_equal(sender->ops->request(sender, stream, &service, 1, NULL, 0), 0);
        assert_int_equal(sender->ops->end(sender, stream, NULL, 0), 0);
    }
    assert_int_equal(pair.sides[0].out.len, 0);
    assert_int_equal(sender->ops->space(sender), FE_SESSION_OUT_MAX - REQUESTS * REQUEST_SIZE);
    assert_int_equal(fe_session_flush(&pair.sides[0].session), 0);
    assert_int_equal(pair.sides[0].out.len, 4 + REQUESTS * REQUEST_SIZE + FE_AEAD_TAG_LEN);
    assert_null(pair.sides[0].session.record_buf);
    carry(&pair, PAIR_INITIATOR, &seen);
    assert_int_equal(seen.n, 2 * REQUESTS);
    assert_int_equal(seen.n_ends, REQUESTS);
    assert_int_equal(pair.sides[1].session.received, 1);
    pair_deinit(&pair);
}

/* A record that is full is sealed by itself; space counts all that waits. */
static void a_full_record_is_sealed(void **state)
{
    uint8_t *bytes = counting_bytes();
    struct seen seen = {0};
    struct fe_sender *sender;
    struct pair pair;

    (void)state;
    setup_open(&pair);
    sender = pair_sender(&pair, PAIR_INITIATOR);
    for (int i = 0; i < 16; i++) {
        assert_int_equal(sender->ops->data(sender, 5, fe_view_of(bytes, 2048)), 0);
    }
    assert_true(pair.sides[0].out.len > 0);
    assert_int_equal(sender->ops->space(sender),
                     FE_SESSION_OUT_MAX - pair.sides[0].out.len - pair.sides[0].session.record_len);
    carry(&pair, PAIR_INITIATOR, &seen);
    assert_int_equal(seen.n_bytes, 16 * 2048);
    assert_int_equal(pair.sides[1].session.received, 3);
    assert_int_equal(sender->ops->data(sender, 5, fe_view_of(bytes, LARGE)), 0);
    assert_int_equal(sender->ops->space(sender), 0);
    pair_deinit(&pair);
    free(bytes);
}

/* END goes with the last packet if that is the stream's own; else it is a packet. */
static void an_end_takes_no_packet_if_it_can(void **state)
{
    struct seen seen = {0};
    struct fe_sender *sender;
    struct pair pair;
    size_t before;

    (void)state;
    setup_open(&pair);
    sender = pair_sender(&pair, PAIR_RESPONDER);
    assert_int_equal(sender->ops->response(sender, 1, true, NULL, 0), 0);
    before = pair.sides[1].session.record_len;
    assert_int_equal(sender->ops->end(sender, 1, NULL, 0), 0);
    assert_int_equal(pair.sides[1].session.record_len, before);

    assert_int_equal(sender->ops->data(sender, 3, FE_VIEW_LIT("\0\1\2")), 0);
    assert_int_equal(sender->ops->data(sender, 5, FE_VIEW_LIT("\3\4\5")), 0);
    before = pair.sides[1].session.record_len;
    assert_int_equal(sender->ops->end(sender, 3, NULL, 0), 0); /* 5 came between */
    assert_int_equal(pair.sides[1].session.record_len, before + FE_SECURE_HEADER_SIZE);
    assert_int_equal(sender->ops->window(sender, 5, 1), 0);
    before = pair.sides[1].session.record_len;
    assert_int_equal(sender->ops->end(sender, 5, NULL, 0), 0); /* a WINDOW has no END */
    assert_int_equal(pair.sides[1].session.record_len, before + FE_SECURE_HEADER_SIZE);
    carry(&pair, PAIR_RESPONDER, &seen);
    assert_int_equal(seen.n, 7);
    assert_int_equal(seen.n_ends, 3);
    pair_deinit(&pair);
}

static void an_answer_that_is_not_handled_has_no_end(void **state)
{
    struct seen seen = {0};
    struct fe_sender *sender;
    struct pair pair;

    (void)state;
    setup_open(&pair);
    sender = pair_sender(&pair, PAIR_RESPONDER);
    assert_int_equal(sender->ops->response(sender, 1, false, NULL, 0), 0);
    assert_int_equal(sender->ops->end(sender, 1, NULL, 0), 0);
    carry(&pair, PAIR_RESPONDER, &seen);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.last.type, FE_EVENT_RESPONSE);
    assert_false(seen.last.u.response.handled);
    pair_deinit(&pair);
}

static int send_request_of(struct fe_sender *sender, size_t value_len)
{
    static const uint8_t value[70000];
    struct fe_header header = {FE_VIEW_LIT("x"), fe_view_of(value, value_len)};
    struct fe_view service = FE_VIEW_LIT("e");

    return sender->ops->request(sender, sender->ops->next_stream(sender), &service, 1, &header, 1);
}

/* A peer without the feature of large heads. Names 1 + 2, headers 2, header 1 + 1 + 2 and the
 * value. */
enum { VALUE_FITS = DATA_MAX - 3 - 2 - 4 };

static void heads_that_do_not_fit_change_nothing(void **state)
{
    struct seen seen = {0};
    struct fe_sender *sender;
    struct pair pair;
    size_t filled;

    (void)state;
    pair_init(&pair, 1);
    pair.sides[PAIR_RESPONDER].self.masked_features = FE_SECURE_FEATURE_HEADS;
    assert_int_equal(pair_open(&pair), 0);
    sender = pair_sender(&pair, PAIR_INITIATOR);
    assert_int_equal(sender->head_max, DATA_MAX);
    assert_int_equal(send_request_of(sender, VALUE_FITS), 0);
    filled = pair.sides[0].session.record_len;
    assert_int_equal(send_request_of(sender, VALUE_FITS + 1), FLATEND_ETOOBIG);
    assert_int_equal(send_request_of(sender, 65536), FLATEND_ETOOBIG);
    assert_int_equal(pair.sides[0].session.record_len, filled);
    assert_int_equal(pair.sides[0].out.len, 0);
    assert_int_equal(send_request_of(sender, 3), 0);
    carry(&pair, PAIR_INITIATOR, &seen);
    assert_int_equal(seen.n, 2);
    pair_deinit(&pair);
}

static void a_peer_with_small_records_gets_small_ones(void **state)
{
    uint8_t *bytes = counting_bytes();
    struct seen seen = {0};
    struct fe_sender *sender;
    struct pair pair;

    (void)state;
    setup_open(&pair);
    sender = pair_sender(&pair, PAIR_INITIATOR);
    pair.sides[0].session.plaintext_max = FE_SECURE_RECORD_MIN - FE_AEAD_TAG_LEN;
    assert_int_equal(sender->ops->data(sender, 5, fe_view_of(bytes, 100000)), 0);
    carry(&pair, PAIR_INITIATOR, &seen);
    assert_int_equal(seen.n_bytes, 100000);
    assert_int_equal(pair.sides[1].session.received, (100000 + 4070) / 4071);
    pair_deinit(&pair);
    free(bytes);
}

static void stream_ids_never_run_out(void **state)
{
    struct seen seen = {0};
    struct fe_sender *initiator, *responder;
    struct pair pair;

    (void)state;
    setup_open(&pair);
    initiator = pair_sender(&pair, PAIR_INITIATOR);
    responder = pair_sender(&pair, PAIR_RESPONDER);
    assert_int_equal(initiator->ops->next_stream(initiator), 1);
    assert_int_equal(initiator->ops->next_stream(initiator), 3);
    assert_int_equal(responder->ops->next_stream(responder), 2);
    assert_int_equal(responder->ops->next_stream(responder), 4);
    pair.sides[0].session.next_stream = UINT32_MAX;
    pair.sides[1].session.next_stream = UINT32_MAX - 1;
    pair.sides[1].session.peer_stream = UINT32_MAX - 2;
    assert_int_equal(send_request_of(initiator, 1), 0); /* 2^32 - 1 */
    assert_int_equal(send_request_of(initiator, 1), 0); /* 1, which is newer */
    carry(&pair, PAIR_INITIATOR, &seen);
    assert_int_equal(seen.n, 2);
    assert_int_equal(seen.last.stream, 1);
    assert_int_equal(responder->ops->next_stream(responder), UINT32_MAX - 1);
    assert_int_equal(responder->ops->next_stream(responder), 2);
    pair_deinit(&pair);
}

static void find_node_is_bounded_and_matched(void **state)
{
    const uint8_t target[FE_KEY_LEN] = {7};
    struct seen seen = {0};
    struct fe_sender *asking, *asked;
    uint32_t token = 0, first = 0;
    struct pair pair;

    (void)state;
    setup_open(&pair);
    asking = pair_sender(&pair, PAIR_RESPONDER);
    asked = pair_sender(&pair, PAIR_INITIATOR);
    assert_int_equal(asking->ops->find_node(asking, target, &first), 0);
    for (unsigned i = 1; i < FE_SESSION_PENDING_MAX; i++) {
        assert_int_equal(asking->ops->find_node(asking, target, &token), 0);
        assert_int_not_equal(token, first);
    }
    assert_int_equal(asking->ops->find_node(asking, target, &token), FLATEND_ELIMIT);
    carry(&pair, PAIR_RESPONDER, &seen);
    assert_int_equal(seen.n, FE_SESSION_PENDING_MAX);
    assert_memory_equal(seen.last.u.target, target, FE_KEY_LEN);
    assert_int_equal(asked->ops->nodes(asked, first, NULL, 0), 0);
    carry(&pair, PAIR_INITIATOR, &seen);
    assert_int_equal(seen.last.type, FE_EVENT_NODES);
    assert_int_equal(seen.last.token, first);
    assert_int_equal(asking->ops->find_node(asking, target, &token), 0);
    pair_deinit(&pair);
}

static void nothing_is_sent_before_the_peer_has_answered(void **state)
{
    struct flatend_error err;
    struct fe_sender *sender;
    struct pair pair;

    (void)state;
    pair_init(&pair, 1);
    assert_int_equal(pair_start(&pair), 0);
    sender = pair_sender(&pair, PAIR_INITIATOR);
    assert_int_equal(send_request_of(sender, 1), FLATEND_ESTATE);
    assert_int_equal(pair_carry(&pair, PAIR_INITIATOR, 0, NULL, NULL, &err), 0);
    assert_int_equal(pair_carry(&pair, PAIR_RESPONDER, 0, NULL, NULL, &err), 0);
    assert_int_equal(pair.sides[0].session.state, FE_SESSION_HANDSHAKE);
    assert_int_equal(send_request_of(sender, 1), FLATEND_ESTATE);
    assert_int_equal(sender->ops->data(sender, 1, FE_VIEW_LIT("x")), FLATEND_ESTATE);
    pair_deinit(&pair);
}

/* Services that make the side's Handshake `size` bytes long. */
static void fill_handshake(struct pair *pair, int side, struct fe_view services[FE_SERVICES_MAX],
                           size_t size)
{
    static const uint8_t name[256] = {'s'};
    struct fe_self *self = &pair->sides[side].self;
    const struct fe_session session = {.self = self};
    size_t rest;

    self->services = services;
    self->n_services = 0;
    while ((rest = size - fe_secure_handshake_size(&session)) > 0) {
        services[self->n_services++] = fe_view_of(name, (rest > 256 ? 200 : rest) - 1);
    }
}

/* It fits an old record to the last byte; with one more it is said whose fault that is. */
static void a_handshake_may_fill_its_record(void **state)
{
    static const size_t sizes[] = {
        [PAIR_INITIATOR] = FE_OLD_PLAINTEXT_MAX - 5, /* behind a seq and an opcode */
        [PAIR_RESPONDER] = FE_OLD_PLAINTEXT_MAX,
    };
    static const struct fe_trust trusts[] = {{0}, {.has_secret = true}};
    struct fe_view services[FE_SERVICES_MAX];

    (void)state;
    for (int i = 0; i < 8; i++) {
        const int side = i % 2 == 0 ? PAIR_INITIATOR : PAIR_RESPONDER;
        const size_t excess = (size_t)(i / 2 % 2);
        struct pair pair;

        pair_init(&pair, 1);
        pair.sides[PAIR_INITIATOR].self.trust = &trusts[i / 4];
        pair.sides[PAIR_RESPONDER].self.trust = &trusts[i / 4];
        fill_handshake(&pair, side, services, sizes[side] + excess);
        assert_int_equal(pair_open(&pair), excess == 0 ? 0 : FLATEND_ETOOBIG);
        assert_int_equal(pair.sides[0].session.state == FE_SESSION_OPEN, excess == 0);
        pair_deinit(&pair);
    }
}

/* Neither side holds on to what only the handshake needed. */
static void secrets_of_the_handshake_are_wiped(void **state)
{
    static const struct fe_secure_transcript none;
    struct pair pair;

    (void)state;
    setup_open(&pair);
    for (int i = 0; i < 2; i++) {
        const struct fe_session *session = &pair.sides[i].session;

        assert_memory_equal(&session->transcript, &none, sizeof(none));
        assert_memory_equal(session->ephemeral_secret, &none, FE_KEY_LEN);
    }
    pair_deinit(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_of_any_size_arrive),
        cmocka_unit_test(a_large_body_fills_its_records),
        cmocka_unit_test(a_body_begins_where_there_is_room_for_it),
        cmocka_unit_test(small_packets_share_a_record),
        cmocka_unit_test(a_full_record_is_sealed),
        cmocka_unit_test(an_end_takes_no_packet_if_it_can),
        cmocka_unit_test(an_answer_that_is_not_handled_has_no_end),
        cmocka_unit_test(heads_that_do_not_fit_change_nothing),
        cmocka_unit_test(a_peer_with_small_records_gets_small_ones),
        cmocka_unit_test(stream_ids_never_run_out),
        cmocka_unit_test(find_node_is_bounded_and_matched),
        cmocka_unit_test(nothing_is_sent_before_the_peer_has_answered),
        cmocka_unit_test(a_handshake_may_fill_its_record),
        cmocka_unit_test(secrets_of_the_handshake_are_wiped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
