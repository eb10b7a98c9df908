/* Heads that do not fit an ordinary packet: in pieces, towards a peer that knows them
 * (docs/PROTOCOL.md §2.3); and peers that do with pieces what they may not. */
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
    assert_int_equal(pair_open(pair), 0);
    *state = pair;
    return 0;
}

static int teardown(void **state)
{
    pair_deinit(*state);
    free(*state);
    return 0;
}

/* ---- what arrives --------------------------------------------------------------------------- */

/* The head that was sent last, and how often it has arrived. */
struct expected {
    const struct fe_view *services;
    size_t n_services;
    const struct fe_header *headers;
    size_t n_headers;
    unsigned n_heads;
    unsigned n_others;
};

static void check_headers(const struct expected *expected, struct fe_headers headers)
{
    struct fe_header header;
    size_t n = 0;

    while (fe_headers_next(&headers, &header)) {
        assert_true(n < expected->n_headers);
        assert_true(fe_view_equal(header.name, expected->headers[n].name));
        assert_true(fe_view_equal(header.value, expected->headers[n].value));
        n++;
    }
    assert_int_equal(n, expected->n_headers);
}

static void on_event(void *arg, const struct fe_event *event)
{
    struct expected *expected = arg;
    struct fe_names names = event->u.request.services;
    struct fe_view name;

    switch (event->type) {
    case FE_EVENT_REQUEST:
        for (size_t i = 0; i < expected->n_services; i++) {
            assert_true(fe_names_next(&names, &name));
            assert_true(fe_view_equal(name, expected->services[i]));
        }
        assert_false(fe_names_next(&names, &name));
        check_headers(expected, event->u.request.headers);
        break;
    case FE_EVENT_RESPONSE:
        assert_true(event->u.response.handled);
        check_headers(expected, event->u.response.headers);
        break;
    case FE_EVENT_END:
        check_headers(expected, event->u.trailers);
        break;
    default:
        expected->n_others++;
        return;
    }
    expected->n_heads++;
}

static void carry(struct pair *pair, int from, size_t piece, struct expected *expected)
{
    struct flatend_error err = {0};

    if (pair_carry(pair, from, piece, on_event, expected, &err) != 0) {
        fail_msg("%s", err.text);
    }
}

/* ---- heads of any size ---------------------------------------------------------------------- */

static struct fe_view xs(size_t len)
{
    static uint8_t bytes[FE_HEAD_MAX + 1];

    memset(bytes, 'x', sizeof(bytes));
    return fe_view_of(bytes, len);
}

/* Sends a request, its response and trailers both ways, all with this header. */
static void exchange(struct pair *pair, struct fe_header header, size_t piece)
{
    static const struct fe_view service = FE_VIEW_LIT("e");
    struct fe_sender *asking = pair_sender(pair, I);
    struct fe_sender *asked = pair_sender(pair, R);
    uint32_t stream = asking->ops->next_stream(asking);
    struct expected expected = {&service, 1, &header, 1, 0, 0};

    assert_int_equal(asking->ops->request(asking, stream, &service, 1, &header, 1), 0);
    assert_int_equal(asking->ops->end(asking, stream, &header, 1), 0);
    carry(pair, I, piece, &expected);
    assert_int_equal(expected.n_heads, 2);
    assert_int_equal(asked->ops->response(asked, stream, true, &header, 1), 0);
    assert_int_equal(asked->ops->end(asked, stream, &header, 1), 0);
    carry(pair, R, piece, &expected);
    assert_int_equal(expected.n_heads, 4);
    assert_int_equal(expected.n_others, 0);
}

static void values_of_any_length(void **state)
{
    static const size_t lens[] = {1,     4000,  4071,  16200, 16300,  16340, 16380,
                                  30000, 65535, 65536, 65537, 100000, 200000};
    struct pair *pair = *state;

    assert_int_equal(pair_sender(pair, I)->head_max, FE_HEAD_MAX);
    assert_int_equal(pair_sender(pair, R)->head_max, FE_HEAD_MAX);
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        exchange(pair, (struct fe_header){FE_VIEW_LIT("a"), xs(lens[i])}, 0);
        exchange(pair, (struct fe_header){FE_VIEW_LIT("a"), xs(lens[i])}, 1009);
    }
}

static void names_of_any_length(void **state)
{
    static const size_t lens[] = {255, 256, 257, 5000, 65535};

    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        exchange(*state, (struct fe_header){xs(lens[i]), FE_VIEW_LIT("b")}, 0);
    }
}

static void names_of_services_of_any_length(void **state)
{
    struct pair *pair = *state;
    struct fe_sender *sender = pair_sender(pair, I);
    const struct fe_view services[] = {xs(256), FE_VIEW_LIT("e"), xs(65535), {0}};
    struct expected expected = {services, 4, NULL, 0, 0, 0};

    assert_int_equal(sender->ops->request(sender, 1, services, 4, NULL, 0), 0);
    carry(pair, I, 0, &expected);
    assert_int_equal(expected.n_heads, 1);
}

/* In every way that a record can be cut, a piece of the head included. */
static void heads_in_the_smallest_records(void **state)
{
    struct pair *pair = *state;

    pair->sides[I].session.plaintext_max = FE_SECURE_RECORD_MIN - FE_AEAD_TAG_LEN;
    pair->sides[R].session.plaintext_max = FE_SECURE_HEADER_SIZE + FE_SECURE_HEAD_PREFIX + 400;
    for (size_t piece = 1; piece < 40; piece++) {
        exchange(pair, (struct fe_header){xs(300), xs(12000)}, piece);
    }
    pair->sides[R].session.plaintext_max = FE_SECURE_RECORD_MIN - FE_AEAD_TAG_LEN;
    exchange(pair, (struct fe_header){xs(1), xs(FE_HEAD_MAX - 1 - 3 - 2 - 2 - 4 - 1)}, 0);
}

/* A request's names are 1 + 2 + 1 bytes, the number of its headers 2, a header's lengths 6. */
static void the_largest_head(void **state)
{
    enum { LARGEST = FE_HEAD_MAX - 4 - 2 - 6 - 1 };
    static const struct fe_view service = FE_VIEW_LIT("e");
    struct pair *pair = *state;
    struct fe_sender *sender = pair_sender(pair, I);
    struct fe_header header = {xs(1), xs(LARGEST)};
    struct expected expected = {&service, 1, &header, 1, 0, 0};

    assert_int_equal(sender->ops->next_stream(sender), 1);
    assert_int_equal(sender->ops->request(sender, 1, &service, 1, &header, 1), 0);
    carry(pair, I, 0, &expected);
    assert_int_equal(expected.n_heads, 1);
    header.value.len++;
    assert_int_equal(sender->ops->request(sender, 3, &service, 1, &header, 1), FLATEND_ETOOBIG);
    header.value.len = SIZE_MAX; /* no sum may wrap around */
    assert_int_equal(sender->ops->request(sender, 3, &service, 1, &header, 1), FLATEND_ETOOBIG);
    header = (struct fe_header){xs(65536), xs(1)};
    assert_int_equal(sender->ops->request(sender, 3, &service, 1, &header, 1), FLATEND_ETOOBIG);
    assert_int_equal(sender->ops->response(sender, 2, true, &header, 1), FLATEND_ETOOBIG);
    assert_int_equal(sender->ops->end(sender, 2, &header, 1), FLATEND_ETOOBIG);
    assert_int_equal(pair->sides[I].out.len, 0);
    exchange(pair, (struct fe_header){xs(1), xs(1)}, 0);
}

static void as_many_headers_as_peers_take(void **state)
{
    static struct fe_header headers[FE_SECURE_HEAD_HEADERS_MAX + 1];
    static const struct fe_view service = FE_VIEW_LIT("e");
    struct pair *pair = *state;
    struct fe_sender *sender = pair_sender(pair, I);
    struct expected expected = {&service, 1, headers, FE_SECURE_HEAD_HEADERS_MAX, 0, 0};

    for (size_t i = 0; i <= FE_SECURE_HEAD_HEADERS_MAX; i++) {
        headers[i] = (struct fe_header){FE_VIEW_LIT("a"), FE_VIEW_LIT("b")};
    }
    assert_int_equal(sender->ops->request(sender, 1, &service, 1, headers, expected.n_headers), 0);
    carry(pair, I, 0, &expected);
    assert_int_equal(expected.n_heads, 1);
    assert_int_equal(sender->ops->request(sender, 3, &service, 1, headers, expected.n_headers + 1),
                     FLATEND_ETOOBIG);
}

/* What was said before a large head arrives before it, and nothing is kept behind it. */
static void order_and_memory(void **state)
{
    static const struct fe_view service = FE_VIEW_LIT("e");
    struct pair *pair = *state;
    struct fe_sender *sender = pair_sender(pair, I);
    struct fe_header header = {xs(300), xs(50000)};
    struct expected expected = {&service, 1, &header, 1, 0, 0};
    struct fe_session *responder = &pair->sides[R].session;

    assert_int_equal(sender->ops->ping(sender, 1), 0);
    assert_int_equal(sender->ops->request(sender, 1, &service, 1, &header, 1), 0);
    assert_int_equal(sender->ops->data(sender, 1, FE_VIEW_LIT("x")), 0);
    carry(pair, I, 0, &expected);
    assert_int_equal(expected.n_heads, 1);
    assert_int_equal(expected.n_others, 1); /* DATA: the ping is answered by the session */
    assert_null(responder->head.bytes.data);
}

/* ---- what does not need pieces -------------------------------------------------------------- */

/* Byte for byte what a peer without the feature gets. */
static void small_heads_are_as_before(void **state)
{
    uint8_t bytes[2][2048];
    size_t lens[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        const struct fe_view service = FE_VIEW_LIT("e");
        const struct fe_header header = {xs(255), FE_VIEW_LIT("b")};
        struct pair pair;
        struct fe_sender *sender = pair_sender(&pair, R);

        pair_init(&pair, 1);
        pair.sides[I].self.masked_features = i == 0 ? 0 : FE_SECURE_FEATURE_HEADS;
        assert_int_equal(pair_open(&pair), 0);
        assert_int_equal(sender->ops->request(sender, 2, &service, 1, &header, 1), 0);
        assert_int_equal(sender->ops->response(sender, 1, true, &header, 1), 0);
        assert_int_equal(sender->ops->end(sender, 2, &header, 1), 0);
        lens[i] = pair.sides[R].session.record_len;
        memcpy(bytes[i], pair.sides[R].session.record_buf, lens[i]);
        pair_deinit(&pair);
    }
    assert_int_equal(lens[0], lens[1]);
    assert_memory_equal(bytes[0], bytes[1], lens[0]);
}

/* It does not matter which of the two lacks it. */
static void without_the_feature(void **state)
{
    (void)state;
    for (int side = 0; side < 2; side++) {
        const struct fe_view service = FE_VIEW_LIT("e");
        struct fe_header header = {xs(256), FE_VIEW_LIT("b")};
        struct pair pair;

        pair_init(&pair, 1);
        pair.sides[side].self.masked_features = FE_SECURE_FEATURE_HEADS;
        assert_int_equal(pair_open(&pair), 0);
        for (int from = 0; from < 2; from++) {
            struct fe_sender *sender = pair_sender(&pair, from);

            assert_true(sender->head_max < FE_HEAD_MAX);
            assert_int_equal(sender->ops->request(sender, 9, &service, 1, &header, 1),
                             FLATEND_ETOOBIG);
            assert_int_equal(sender->ops->response(sender, 9, true, &header, 1), FLATEND_ETOOBIG);
            assert_int_equal(sender->ops->end(sender, 9, &header, 1), FLATEND_ETOOBIG);
            assert_int_equal(pair.sides[from].session.record_len, 0);
            assert_int_equal(pair.sides[from].out.len, 0);
        }
        pair_deinit(&pair);
    }
}

/* ---- peers that do what they may not -------------------------------------------------------- */

static int say(struct pair *pair, struct fe_view plaintext, struct expected *expected,
               struct flatend_error *err)
{
    assert_int_equal(fe_record_seal(&pair->sides[I].session, &plaintext, 1), 0);
    return pair_carry(pair, I, 0, on_event, expected, err);
}

static void expect_fault(struct fe_view plaintext, const char *text)
{
    struct flatend_error err = {0};
    struct expected expected = {0};
    struct pair pair;

    pair_init(&pair, 1);
    assert_int_equal(pair_open(&pair), 0);
    assert_int_equal(say(&pair, plaintext, &expected, &err), FLATEND_EPROTO);
    assert_string_equal(err.text, text);
    assert_int_equal(expected.n_heads, 0);
    pair_deinit(&pair);
}

/* A HEAD of stream 1 (`n`: the bytes of its body); the beginning of a REQUEST of eight bytes. */
#define HEAD(n) "\0\0" n "\13\0\0\0\0\1"
#define BEGIN   HEAD("\7") "\1\0\0\0\10\0\0"

static void pieces_that_are_faults(void **state)
{
    static const struct {
        struct fe_view plaintext;
        const char *text;
    } cases[] = {
        /* The first piece. */
        {FE_VIEW_LIT(HEAD("\4") "\1\0\0\0"), "malformed HEAD of stream 1"},
        {FE_VIEW_LIT(HEAD("\5") "\1\0\0\0\10"), "malformed HEAD of stream 1"},
        {FE_VIEW_LIT(HEAD("\5") "\1\0\0\0\0"), "malformed HEAD of stream 1"},
        {FE_VIEW_LIT(HEAD("\6") "\1\0\0\0\0x"), "malformed HEAD of stream 1"},
        {FE_VIEW_LIT(HEAD("\6") "\1\0\4\0\1\0"), "malformed HEAD of stream 1"},
        {FE_VIEW_LIT(HEAD("\6") "\1\377\377\377\377\0"), "malformed HEAD of stream 1"},
        {FE_VIEW_LIT(HEAD("\6") "\0\0\0\0\10\0"), "malformed HEAD of stream 1"},
        {FE_VIEW_LIT(HEAD("\6") "\4\0\0\0\10\0"), "malformed HEAD of stream 1"},
        {FE_VIEW_LIT(HEAD("\6") "\13\0\0\0\10\0"), "malformed HEAD of stream 1"},
        {FE_VIEW_LIT(HEAD("\7") "\1\0\0\0\1\0\0"), "malformed HEAD of stream 1"},
        {FE_VIEW_LIT(HEAD("\6") "\2\0\0\0\10\0"), "RESPONSE on stream 1 with the wrong parity"},
        {FE_VIEW_LIT("\0\0\6\13\0\0\0\0\2\1\0\0\0\10\0"),
         "REQUEST on stream 2 with the wrong parity"},
        {FE_VIEW_LIT("\0\0\6\13\0\0\0\0\0\1\0\0\0\10\0"), "REQUEST with stream 0"},
        {FE_VIEW_LIT("\0\0\6\13\0\0\0\0\0\3\0\0\0\10\0"), "TRAILERS with stream 0"},
        {FE_VIEW_LIT("\0\0\6\13\0\200\0\0\1\1\0\0\0\10\0"), "REQUEST on stream 2147483649 after 0"},
        /* Those behind it. */
        {FE_VIEW_LIT(BEGIN HEAD("\0")), "malformed HEAD of stream 1"},
        {FE_VIEW_LIT(BEGIN HEAD("\7") "\0\0\0\0\0\0\0"), "malformed HEAD of stream 1"},
        {FE_VIEW_LIT(BEGIN "\0\0\1\13\0\0\0\0\3x"),
         "packet of type 11 within the head of stream 1"},
        {FE_VIEW_LIT(BEGIN "\0\0\1\13\0\0\0\0\0x"),
         "packet of type 11 within the head of stream 1"},
        {FE_VIEW_LIT(BEGIN "\0\0\1\0\0\0\0\0\1x"), "packet of type 0 within the head of stream 1"},
        {FE_VIEW_LIT(BEGIN "\0\0\5\4\0\0\0\0\1\0\0\0\1\0"),
         "packet of type 4 within the head of stream 1"},
        {FE_VIEW_LIT(BEGIN "\0\0\10\6\0\0\0\0\0"
                           "12345678"),
         "packet of type 6 within the head of stream 1"},
        {FE_VIEW_LIT(BEGIN "\0\0\0\377\0\0\0\0\0"),
         "packet of type 255 within the head of stream 1"},
        /* What they are together: names too long, a header too long, bytes left over. */
        {FE_VIEW_LIT(HEAD("\11") "\1\0\0\0\4\1\0\2x"), "malformed HEAD of stream 1"},
        {FE_VIEW_LIT(HEAD("\21") "\1\0\0\0\14\0\0\1\0\1a\0\0\0\3b."), "malformed HEAD of stream 1"},
        {FE_VIEW_LIT(HEAD("\21") "\1\0\0\0\14\0\0\1\0\1a\377\377\377\377b."),
         "malformed HEAD of stream 1"},
        {FE_VIEW_LIT(HEAD("\11") "\1\0\0\0\4\0\0\0x"), "malformed HEAD of stream 1"},
        {FE_VIEW_LIT(HEAD("\10") "\3\0\0\0\3\0\0x"), "malformed HEAD of stream 1"},
        {FE_VIEW_LIT(BEGIN HEAD("\6") "\0\0\0\0\0\0"), "malformed HEAD of stream 1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect_fault(cases[i].plaintext, cases[i].text);
    }
}

/* As many pieces as may be, of one byte each; and one more. */
static void a_head_of_too_many_pieces(void **state)
{
    (void)state;
    for (unsigned n_more = 0; n_more < 2; n_more++) {
        uint8_t head[FE_SECURE_HEAD_PIECES_MAX + 1] = {[2] = 1}; /* no names, one header */
        const unsigned n = FE_SECURE_HEAD_PIECES_MAX + n_more;
        struct fe_header header = {{0}, xs(n - 9)};
        struct expected expected = {NULL, 0, &header, 1, 0, 0};
        struct flatend_error err = {0};
        struct pair pair;
        int code = 0;

        head[8] = (uint8_t)(n - 9); /* behind an empty name */
        memset(head + 9, 'x', n - 9);
        pair_init(&pair, 1);
        assert_int_equal(pair_open(&pair), 0);
        for (unsigned i = 0; i < n && code == 0; i++) {
            uint8_t packet[32];
            struct fe_writer writer = fe_writer_of(packet, sizeof(packet));

            fe_secure_header_encode(&writer, FE_SECURE_HEAD, 0, 1,
                                    i == 0 ? FE_SECURE_HEAD_PREFIX + 1 : 1);
            if (i == 0) {
                fe_secure_head_prefix_encode(&writer, FE_SECURE_REQUEST, n);
            }
            fe_write_u8(&writer, head[i]);
            code = say(&pair, fe_view_of(packet, sizeof(packet) - writer.left), &expected, &err);
            assert_true(pair.sides[R].session.head.bytes.cap <= 512);
        }
        assert_int_equal(code, n_more == 0 ? 0 : FLATEND_EPROTO);
        assert_int_equal(expected.n_heads, n_more == 0 ? 1 : 0);
        pair_deinit(&pair);
    }
}

/* A thousand heads that begin and do not go on: the second is the end, and until then no more is
 * kept than has arrived, whatever was announced. */
static void a_thousand_incomplete_heads(void **state)
{
    struct pair *pair = *state;
    struct expected expected = {0};
    struct flatend_error err = {0};
    unsigned n = 0;
    int code = 0;

    for (uint8_t stream = 1; n < 1000 && code == 0; stream += 2, n++) {
        uint8_t packet[] = {0, 0, 6, 11, 0, 0, 0, 0, stream, 1, 0, 4, 0, 0, 'x'};

        code = say(pair, fe_view_of(packet, sizeof(packet)), &expected, &err);
        assert_true(pair->sides[R].session.head.bytes.cap <= 512);
    }
    assert_int_equal(code, FLATEND_EPROTO);
    assert_int_equal(n, 2);
}

/* An end in the middle of a head leaves nothing behind (LSan). */
static void a_head_that_is_never_complete(void **state)
{
    struct expected expected = {0};
    struct flatend_error err;

    assert_int_equal(say(*state, FE_VIEW_LIT(BEGIN), &expected, &err), 0);
}

/* Towards a node that has not announced it a HEAD is a packet of a later version. */
static void a_head_that_was_not_asked_for(void **state)
{
    struct expected expected = {0};
    struct flatend_error err;
    struct pair pair;

    (void)state;
    pair_init(&pair, 1);
    pair.sides[R].self.masked_features = FE_SECURE_FEATURE_HEADS;
    assert_int_equal(pair_open(&pair), 0);
    assert_int_equal(say(&pair, FE_VIEW_LIT(BEGIN), &expected, &err), 0);
    assert_int_equal(say(&pair, FE_VIEW_LIT("\0\0\1\0\0\0\0\0\1x"), &expected, &err), 0);
    assert_int_equal(expected.n_others, 1);
    pair_deinit(&pair);
}

#define OPEN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OPEN(values_of_any_length),
        OPEN(names_of_any_length),
        OPEN(names_of_services_of_any_length),
        OPEN(heads_in_the_smallest_records),
        OPEN(the_largest_head),
        OPEN(as_many_headers_as_peers_take),
        OPEN(order_and_memory),
        cmocka_unit_test(small_heads_are_as_before),
        cmocka_unit_test(without_the_feature),
        cmocka_unit_test(pieces_that_are_faults),
        cmocka_unit_test(a_head_of_too_many_pieces),
        OPEN(a_thousand_incomplete_heads),
        OPEN(a_head_that_is_never_complete),
        cmocka_unit_test(a_head_that_was_not_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
