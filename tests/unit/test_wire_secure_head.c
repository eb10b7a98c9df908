/* Large heads, each beside its vector, cut at every byte, and with each byte changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mesh/wire/secure.h"
#include "support/vectors.h"

/* "query." and 250 letters. */
static struct fe_view long_name(void)
{
    static uint8_t name[256] = "query.";

    memset(name + 6, 'n', sizeof(name) - 6);
    return fe_view_of(name, sizeof(name));
}

static struct fe_view letters(char letter, size_t len)
{
    static uint8_t bytes[128][256];
    uint8_t *text = bytes[(unsigned)letter & 127];

    memset(text, letter, sizeof(bytes[0]));
    return fe_view_of(text, len);
}

/* ---- the vectors ---------------------------------------------------------------------------- */

/* A vector's pieces, put together. */
struct head {
    struct vector vector;
    uint8_t type;
    uint32_t size;
    uint32_t stream;
    unsigned n_pieces;
    uint8_t bytes[VECTOR_MAX];
    size_t len;
};

static void head_load(struct head *head, const char *name)
{
    struct fe_reader reader;

    *head = (struct head){.len = 0};
    vector_load(&head->vector, "secure_packets.txt", name);
    reader = fe_reader_of(vector_view(&head->vector));
    while (reader.left > 0) {
        struct fe_secure_packet packet;
        struct fe_reader piece;

        assert_int_equal(fe_secure_packet_decode(&reader, &packet), 0);
        assert_int_equal(packet.type, FE_SECURE_HEAD);
        assert_int_equal(packet.flags, 0);
        piece = fe_reader_of(packet.body);
        if (head->n_pieces++ == 0) {
            assert_int_equal(fe_secure_head_prefix_decode(&piece, &head->type, &head->size), 0);
            head->stream = packet.stream;
        }
        assert_int_equal(packet.stream, head->stream);
        assert_in_range(piece.left, 1, head->size - head->len);
        memcpy(head->bytes + head->len, piece.ptr, piece.left);
        head->len += piece.left;
    }
    assert_int_equal(head->len, head->size);
}

static void expect_encoded(const struct head *head, const struct fe_secure_head *sent)
{
    uint8_t bytes[VECTOR_MAX];
    struct fe_writer writer = fe_writer_of(bytes, head->size);

    assert_int_equal(sent->type, head->type);
    assert_int_equal(fe_secure_head_size(sent), head->size);
    fe_secure_head_encode(&writer, sent);
    assert_true(fe_writer_is_complete(&writer));
    assert_memory_equal(bytes, head->bytes, head->size);
}

static void expect_headers(struct fe_headers headers, const struct fe_header *expected, size_t n)
{
    struct fe_header header;
    size_t size = 0;

    for (size_t i = 0; i < n; i++) {
        size += 2 + expected[i].name.len + 4 + expected[i].value.len;
    }
    assert_int_equal(headers.bytes.len, size); /* of which copies are made */
    for (size_t i = 0; i < n; i++) {
        assert_true(fe_headers_next(&headers, &header));
        assert_true(fe_view_equal(header.name, expected[i].name));
        assert_true(fe_view_equal(header.value, expected[i].value));
    }
    assert_false(fe_headers_next(&headers, &header));
}

static void requests(void **state)
{
    const struct fe_view services[] = {FE_VIEW_LIT("hello_world"), letters('s', 256)};
    const struct fe_header headers[] = {{FE_VIEW_LIT("accept"), FE_VIEW_LIT("*/*")},
                                        {long_name(), FE_VIEW_LIT("7")},
                                        {FE_VIEW_LIT("empty"), {0}}};
    const struct fe_header bare = {.name = long_name()};
    struct fe_event event;
    struct fe_view name;
    struct head head;

    (void)state;
    head_load(&head, "head_request");
    assert_int_equal(head.stream, 1);
    assert_true(head.n_pieces > 3);
    assert_int_equal(fe_secure_head_decode(head.type, fe_view_of(head.bytes, head.len), &event), 0);
    assert_int_equal(event.u.request.services.bytes.len, 2 + 11 + 2 + 256);
    for (size_t i = 0; i < 2; i++) {
        assert_true(fe_names_next(&event.u.request.services, &name));
        assert_true(fe_view_equal(name, services[i]));
    }
    assert_false(fe_names_next(&event.u.request.services, &name));
    expect_headers(event.u.request.headers, headers, 3);
    expect_encoded(&head, &(struct fe_secure_head){FE_SECURE_REQUEST, services, 2, headers, 3});

    head_load(&head, "head_request_one");
    assert_int_equal(head.stream, 3);
    assert_int_equal(head.n_pieces, 1);
    expect_encoded(&head, &(struct fe_secure_head){FE_SECURE_REQUEST, services, 1, &bare, 1});
}

static void responses_and_trailers(void **state)
{
    const struct fe_header headers[] = {{FE_VIEW_LIT("content-type"), FE_VIEW_LIT("text/plain")},
                                        {FE_VIEW_LIT("etag"), letters('x', 40)}};
    const struct fe_header sum = {FE_VIEW_LIT("checksum"), letters('9', 64)};
    struct fe_event event = {0};
    struct head head;

    (void)state;
    head_load(&head, "head_trailers");
    assert_int_equal(fe_secure_head_decode(head.type, fe_view_of(head.bytes, head.len), &event), 0);
    expect_headers(event.u.trailers, &sum, 1);
    expect_encoded(&head, &(struct fe_secure_head){FE_SECURE_TRAILERS, NULL, 0, &sum, 1});

    head_load(&head, "head_response");
    assert_int_equal(fe_secure_head_decode(head.type, fe_view_of(head.bytes, head.len), &event), 0);
    assert_true(event.u.response.handled);
    expect_headers(event.u.response.headers, headers, 2);
    expect_encoded(&head, &(struct fe_secure_head){FE_SECURE_RESPONSE, NULL, 0, headers, 2});
}

/* ---- what is no head ------------------------------------------------------------------------ */

static const char *const names[] = {"head_request", "head_request_one", "head_response",
                                    "head_trailers"};

static int decode_copy(uint8_t type, const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    struct fe_event event;
    int code;

    assert_non_null(copy);
    memcpy(copy, bytes, len);
    code = fe_secure_head_decode(type, fe_view_of(copy, len), &event);
    free(copy);
    return code;
}

static void cut_at_every_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct head head;

        head_load(&head, names[i]);
        for (size_t len = 0; len < head.len; len++) {
            assert_int_equal(decode_copy(head.type, head.bytes, len), FLATEND_EPROTO);
        }
        head.bytes[head.len] = 0;
        assert_int_equal(decode_copy(head.type, head.bytes, head.len + 1), FLATEND_EPROTO);
    }
}

static void with_every_byte_changed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct head head;

        head_load(&head, names[i]);
        for (size_t at = 0; at < head.len; at++) {
            uint8_t byte = head.bytes[at];

            for (unsigned value = 0; value < 256; value++) {
                int code;

                head.bytes[at] = (uint8_t)value;
                code = decode_copy(head.type, head.bytes, head.len);
                assert_true(code == 0 || code == FLATEND_EPROTO);
            }
            head.bytes[at] = byte;
        }
    }
}

static void prefixes(void **state)
{
    static const struct {
        uint8_t bytes[5];
        int code;
    } cases[] = {
        {{1, 0, 0, 0, 1}, 0},
        {{2, 0, 0, 0, 1}, 0},
        {{3, 0, 4, 0, 0}, 0},
        {{3, 0, 4, 0, 1}, FLATEND_EPROTO},
        {{3, 255, 255, 255, 255}, FLATEND_EPROTO},
        {{1, 0, 0, 0, 0}, FLATEND_EPROTO},
        {{0, 0, 0, 0, 1}, FLATEND_EPROTO},
        {{4, 0, 0, 0, 1}, FLATEND_EPROTO},
        {{11, 0, 0, 0, 1}, FLATEND_EPROTO},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t len = 0; len <= 5; len++) {
            struct fe_reader reader = fe_reader_of(fe_view_of(cases[i].bytes, len));
            uint32_t size;
            uint8_t type;

            assert_int_equal(fe_secure_head_prefix_decode(&reader, &type, &size),
                             len < 5 ? FLATEND_EPROTO : cases[i].code);
        }
    }
}

/* One header more than a receiver takes; all of them are there. */
static void too_many_headers(void **state)
{
    enum { N = FE_SECURE_HEAD_HEADERS_MAX, SIZE = 2 + 6 * (N + 1) };
    uint8_t *bytes = calloc(1, SIZE);
    struct fe_header *headers = calloc(N + 1, sizeof(*headers));
    const struct fe_secure_head all = {
        .type = FE_SECURE_TRAILERS, .headers = headers, .n_headers = N};
    struct fe_secure_head more = all;

    (void)state;
    assert_non_null(bytes);
    assert_non_null(headers);
    bytes[0] = N >> 8;
    assert_int_equal(decode_copy(FE_SECURE_TRAILERS, bytes, SIZE - 6), 0);
    bytes[1] = 1;
    assert_int_equal(decode_copy(FE_SECURE_TRAILERS, bytes, SIZE), FLATEND_EPROTO);
    assert_int_equal(fe_secure_head_size(&all), SIZE - 6);
    more.n_headers++;
    assert_true(fe_secure_head_size(&more) == SIZE_MAX);
    free(headers);
    free(bytes);
}

static void sizes_that_do_not_fit(void **state)
{
    static const uint8_t bytes[1];
    const struct fe_view too_long = fe_view_of(bytes, 65536);
    const struct fe_header headers[] = {{fe_view_of(bytes, 1), fe_view_of(bytes, SIZE_MAX)},
                                        {fe_view_of(bytes, SIZE_MAX), fe_view_of(bytes, 1)}};
    struct fe_secure_head head = {
        .type = FE_SECURE_REQUEST, .services = &too_long, .n_services = 1};

    (void)state;
    assert_true(fe_secure_head_size(&head) == SIZE_MAX);
    head.n_services = 256;
    assert_true(fe_secure_head_size(&head) == SIZE_MAX);
    head = (struct fe_secure_head){.type = FE_SECURE_RESPONSE, .headers = headers, .n_headers = 1};
    assert_true(fe_secure_head_size(&head) == SIZE_MAX);
    head.headers = &headers[1];
    assert_true(fe_secure_head_size(&head) == SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(responses_and_trailers),
        cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(with_every_byte_changed),
        cmocka_unit_test(prefixes),
        cmocka_unit_test(too_many_headers),
        cmocka_unit_test(sizes_that_do_not_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
