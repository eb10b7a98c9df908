/* Cursors, iterators, and every packet beside its vector. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mesh/wire/old.h"
#include "support/headers.h"
#include "support/vectors.h"

static void load(struct vector *vector, const char *name)
{
    vector_load(vector, "packets.txt", name);
}

/* ---- cursors -------------------------------------------------------------------------------- */

static void a_reader_that_runs_short_stays_failed(void **state)
{
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct fe_reader reader = fe_reader_of(fe_view_of(bytes, sizeof(bytes)));

    (void)state;
    assert_int_equal(fe_read_u8(&reader), 1);
    assert_int_equal(fe_read_u16(&reader), 0x0203);
    assert_int_equal(fe_read_u32(&reader), 0x04050607);
    assert_false(fe_reader_is_complete(&reader));
    assert_int_equal(fe_read_u16(&reader), 0);
    assert_true(reader.is_failed);
    assert_int_equal(fe_read_u8(&reader), 0);
    assert_int_equal(fe_read_bytes(&reader, 0).len, 0);
    assert_false(fe_reader_is_complete(&reader));
}

static void a_writer_never_passes_its_end(void **state)
{
    uint8_t bytes[8] = {0};
    struct fe_writer writer = fe_writer_of(bytes, 7);

    (void)state;
    fe_write_u8(&writer, 1);
    fe_write_u16(&writer, 0x0203);
    fe_write_u32(&writer, 0x04050607);
    assert_true(fe_writer_is_complete(&writer));
    fe_write_u8(&writer, 9);
    assert_true(writer.is_failed);
    assert_false(fe_writer_is_complete(&writer));
    assert_memory_equal(bytes, "\1\2\3\4\5\6\7\0", 8);
}

/* ---- decoding ------------------------------------------------------------------------------- */

static void expect_names(struct fe_names names, const char *const *expected, size_t n)
{
    struct fe_view name;

    for (size_t i = 0; i < n; i++) {
        assert_true(fe_names_next(&names, &name));
        assert_true(fe_view_equal(name, fe_view_str(expected[i])));
    }
    assert_false(fe_names_next(&names, &name));
}

static void handshakes(void **state)
{
    static const char *const services[] = {"hello_world", "todo"};
    struct fe_old_handshake handshake;
    struct vector vector, id;

    (void)state;
    load(&vector, "handshake_anonymous");
    assert_int_equal(fe_old_handshake_decode(vector_view(&vector), &handshake), 0);
    assert_false(handshake.has_id);
    expect_names(handshake.services, NULL, 0);

    load(&vector, "handshake_anonymous_services");
    assert_int_equal(fe_old_handshake_decode(vector_view(&vector), &handshake), 0);
    expect_names(handshake.services, services, 2);

    load(&vector, "handshake_ipv4");
    load(&id, "id_ipv4");
    assert_int_equal(fe_old_handshake_decode(vector_view(&vector), &handshake), 0);
    assert_true(handshake.has_id);
    assert_true(fe_view_equal(handshake.id_bytes, vector_view(&id)));
    assert_memory_equal(handshake.id.public_key, id.bytes, FE_KEY_LEN);
    assert_int_equal(handshake.id.addr.port, 9000);
    expect_names(handshake.services, services, 2);
    assert_int_equal(handshake.signature.len, FE_SIGNATURE_LEN);
    assert_ptr_equal(handshake.signature.ptr + FE_SIGNATURE_LEN, vector.bytes + vector.len);
}

/* Part 2 of the protocol stands behind the old Handshake. */
static void bytes_behind_a_handshake_are_ignored(void **state)
{
    struct fe_old_handshake handshake;
    struct vector vector;

    (void)state;
    load(&vector, "handshake_ipv6");
    memcpy(vector.bytes + vector.len, "FLT2", 4);
    vector.len += 4;
    assert_int_equal(fe_old_handshake_decode(vector_view(&vector), &handshake), 0);
    assert_memory_equal(handshake.signature.ptr + FE_SIGNATURE_LEN, "FLT2", 4);
}

static void addresses(void **state)
{
    static const struct {
        const char *vector;
        const char *text;
        enum fe_family family;
    } cases[] = {
        {"id_ipv4", "127.0.0.1:9000", FE_IPV4},
        {"id_ipv6", "[::1]:9001", FE_IPV6},
        {"id_mapped", "10.0.0.2:41581", FE_IPV4}, /* as Go sends IPv4 */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct vector vector;
        struct fe_reader reader;
        struct fe_id id;
        struct fe_addr addr;
        char text[FE_ADDR_TEXT_MAX];

        load(&vector, cases[i].vector);
        reader = fe_reader_of(vector_view(&vector));
        assert_int_equal(fe_old_id_decode(&reader, &id), 0);
        assert_true(fe_reader_is_complete(&reader));
        assert_int_equal(id.addr.family, cases[i].family);
        addr = fe_addr_of_ip(&id.addr);
        assert_string_equal(fe_addr_format(&addr, text), cases[i].text);
    }
}

static void an_address_family_that_is_neither(void **state)
{
    struct vector vector;
    struct fe_reader reader;
    struct fe_id id;

    (void)state;
    load(&vector, "id_ipv4");
    vector.bytes[FE_KEY_LEN] = 2;
    reader = fe_reader_of(vector_view(&vector));
    assert_int_equal(fe_old_id_decode(&reader, &id), FLATEND_EPROTO);
}

static void service_requests(void **state)
{
    static const char *const services[] = {"hello_world", "todo"};
    struct fe_old_request request;
    struct fe_header header;
    struct fe_view value = FE_VIEW_LIT("");
    struct vector vector;

    (void)state;
    load(&vector, "service_request");
    assert_int_equal(fe_old_request_decode(vector_view(&vector), &request), 0);
    assert_int_equal(request.stream, 0x40000001);
    expect_names(request.services, services, 2);
    assert_true(headers_find(request.headers, FE_VIEW_LIT("params.id"), &value));
    assert_true(fe_view_equal(value, FE_VIEW_LIT("7")));
    assert_true(headers_find(request.headers, FE_VIEW_LIT("empty"), &value));
    assert_int_equal(value.len, 0);
    assert_false(headers_find(request.headers, FE_VIEW_LIT("params.i"), &value));
    assert_true(fe_headers_next(&request.headers, &header));
    assert_true(fe_view_equal(header.name, FE_VIEW_LIT("params.id")));

    load(&vector, "service_request_bare");
    assert_int_equal(fe_old_request_decode(vector_view(&vector), &request), 0);
    assert_int_equal(request.stream, 0);
    assert_false(fe_headers_next(&request.headers, &header));
}

/* Old decoders keep the last of two equal names. */
static void the_last_of_equal_headers_counts(void **state)
{
    const struct fe_headers headers = {.bytes = FE_VIEW_LIT("\1a\0\1x\1a\0\1y"), .n = 2};
    struct fe_view value = FE_VIEW_LIT("");

    (void)state;
    assert_true(headers_find(headers, FE_VIEW_LIT("a"), &value));
    assert_true(fe_view_equal(value, FE_VIEW_LIT("y")));
}

static void service_responses(void **state)
{
    struct fe_old_response response;
    struct fe_view value = FE_VIEW_LIT("");
    struct vector vector;

    (void)state;
    load(&vector, "service_response");
    assert_int_equal(fe_old_response_decode(vector_view(&vector), &response), 0);
    assert_int_equal(response.stream, 0x40000001);
    assert_true(response.is_handled);
    assert_true(headers_find(response.headers, FE_VIEW_LIT("content-type"), &value));
    assert_true(fe_view_equal(value, FE_VIEW_LIT("application/json")));

    load(&vector, "service_response_unhandled");
    assert_int_equal(fe_old_response_decode(vector_view(&vector), &response), 0);
    assert_int_equal(response.stream, 3);
    assert_false(response.is_handled);
    vector.bytes[4] = 2;
    assert_int_equal(fe_old_response_decode(vector_view(&vector), &response), FLATEND_EPROTO);
}

static void data_and_its_end(void **state)
{
    struct fe_old_data data;
    struct vector vector;

    (void)state;
    load(&vector, "data");
    assert_int_equal(fe_old_data_decode(vector_view(&vector), &data), 0);
    assert_int_equal(data.stream, 0x40000001);
    assert_true(fe_view_equal(data.bytes, FE_VIEW_LIT("Hello world!")));
    load(&vector, "data_end");
    assert_int_equal(fe_old_data_decode(vector_view(&vector), &data), 0);
    assert_int_equal(data.bytes.len, 0);
}

static void find_node(void **state)
{
    struct fe_id ids[FE_NODES_MAX];
    struct vector vector;
    uint8_t target[FE_KEY_LEN];
    size_t n;

    (void)state;
    load(&vector, "find_node_request");
    assert_int_equal(fe_old_find_node_decode(vector_view(&vector), target), 0);
    assert_memory_equal(target, vector.bytes, FE_KEY_LEN);
    load(&vector, "find_node_response");
    assert_int_equal(fe_old_nodes_decode(vector_view(&vector), ids, &n), 0);
    assert_int_equal(n, 2);
    assert_int_equal(ids[0].addr.port, 9000);
    assert_int_equal(ids[1].addr.port, 9001);
    load(&vector, "find_node_response_empty");
    assert_int_equal(fe_old_nodes_decode(vector_view(&vector), ids, &n), 0);
    assert_int_equal(n, 0);
}

/* ---- encoding ------------------------------------------------------------------------------- */

struct encoded {
    uint8_t bytes[VECTOR_MAX];
    struct fe_writer writer;
};

static struct fe_writer *encoded_init(struct encoded *encoded, size_t size)
{
    assert_true(size <= sizeof(encoded->bytes));
    encoded->writer = fe_writer_of(encoded->bytes, size);
    return &encoded->writer;
}

static void expect_encoded(const struct encoded *encoded, const char *name)
{
    struct vector expected;

    load(&expected, name);
    assert_true(fe_writer_is_complete(&encoded->writer));
    assert_int_equal(encoded->writer.ptr - encoded->bytes, expected.len);
    assert_memory_equal(encoded->bytes, expected.bytes, expected.len);
}

static void encoding_is_the_inverse(void **state)
{
    const struct fe_view services[] = {FE_VIEW_LIT("hello_world"), FE_VIEW_LIT("todo")};
    const struct fe_header headers[] = {{FE_VIEW_LIT("params.id"), FE_VIEW_LIT("7")},
                                        {FE_VIEW_LIT("content-type"), FE_VIEW_LIT("text/plain")},
                                        {FE_VIEW_LIT("empty"), {0}}};
    const struct fe_header json = {FE_VIEW_LIT("content-type"), FE_VIEW_LIT("application/json")};
    const struct fe_view hello = FE_VIEW_LIT("Hello world!");
    struct encoded e;

    (void)state;
    fe_old_request_encode(encoded_init(&e, fe_old_request_size(services, 2, headers, 3)),
                          0x40000001, services, 2, headers, 3);
    expect_encoded(&e, "service_request");
    fe_old_request_encode(encoded_init(&e, fe_old_request_size(NULL, 0, NULL, 0)), 0, NULL, 0, NULL,
                          0);
    expect_encoded(&e, "service_request_bare");
    fe_old_response_encode(encoded_init(&e, fe_old_response_size(&json, 1)), 0x40000001, true,
                           &json, 1);
    expect_encoded(&e, "service_response");
    fe_old_response_encode(encoded_init(&e, fe_old_response_size(NULL, 0)), 3, false, NULL, 0);
    expect_encoded(&e, "service_response_unhandled");
    fe_old_data_encode(encoded_init(&e, fe_old_data_size(hello)), 0x40000001, hello);
    expect_encoded(&e, "data");
    fe_old_handshake_encode(encoded_init(&e, fe_old_handshake_size(NULL, services, 2)), NULL,
                            services, 2, NULL);
    expect_encoded(&e, "handshake_anonymous_services");
}

static void ids_encode_to_what_they_were(void **state)
{
    const struct fe_view services[] = {FE_VIEW_LIT("hello_world"), FE_VIEW_LIT("todo")};
    struct fe_old_handshake handshake;
    struct fe_id ids[FE_NODES_MAX];
    struct vector vector;
    struct encoded e;
    size_t n;

    (void)state;
    load(&vector, "find_node_response");
    assert_int_equal(fe_old_nodes_decode(vector_view(&vector), ids, &n), 0);
    fe_old_nodes_encode(encoded_init(&e, fe_old_nodes_size(ids, n)), ids, n);
    expect_encoded(&e, "find_node_response");
    load(&vector, "handshake_ipv4");
    assert_int_equal(fe_old_handshake_decode(vector_view(&vector), &handshake), 0);
    fe_old_handshake_encode(encoded_init(&e, fe_old_handshake_size(&handshake.id, services, 2)),
                            &handshake.id, services, 2, handshake.signature.ptr);
    expect_encoded(&e, "handshake_ipv4");
}

static void what_does_not_fit_its_field_has_no_size(void **state)
{
    static const uint8_t bytes[70000];
    struct fe_view names[256];
    struct fe_header header = {fe_view_of(bytes, 255), fe_view_of(bytes, 65535)};

    (void)state;
    for (size_t i = 0; i < 256; i++) {
        names[i] = fe_view_of(bytes, 255);
    }
    assert_int_equal(fe_old_names_size(names, 255), 1 + 255 * 256);
    assert_int_equal(fe_old_names_size(names, 256), SIZE_MAX);
    names[0].len = 256;
    assert_int_equal(fe_old_handshake_size(NULL, names, 1), SIZE_MAX);
    assert_int_equal(fe_old_headers_size(&header, 1), 2 + 1 + 255 + 2 + 65535);
    header.value.len = 65536;
    assert_int_equal(fe_old_response_size(&header, 1), SIZE_MAX);
    header.value.len = 0;
    header.name.len = 256;
    assert_int_equal(fe_old_request_size(NULL, 0, &header, 1), SIZE_MAX);
    assert_int_equal(fe_old_headers_size(NULL, 65536), SIZE_MAX);
    assert_int_equal(fe_old_nodes_size(NULL, 256), SIZE_MAX);
}

/* A peer may send 255 IDs: all are checked, those that cannot be dialed are left out, and of the
 * others the first 16 are kept. */
static void nodes_that_can_be_dialed(void **state)
{
    struct fe_id sent[20] = {0}, ids[FE_NODES_MAX];
    uint8_t bytes[1024];
    struct fe_writer writer;
    size_t n;

    (void)state;
    for (size_t i = 0; i < 20; i++) {
        sent[i].public_key[0] = (uint8_t)i; /* the first has the anonymous key */
        sent[i].addr.family = FE_IPV4;
        sent[i].addr.port = i == 1 ? 0 : (uint16_t)(100 + i);
    }
    writer = fe_writer_of(bytes, fe_old_nodes_size(sent, 20));
    fe_old_nodes_encode(&writer, sent, 20);
    assert_int_equal(fe_old_nodes_decode(fe_view_of(bytes, fe_old_nodes_size(sent, 20)), ids, &n),
                     0);
    assert_int_equal(n, FE_NODES_MAX);
    assert_int_equal(ids[0].addr.port, 102);
    assert_int_equal(ids[FE_NODES_MAX - 1].addr.port, 117);
}

/* ---- lengths in UTF-16 units ---------------------------------------------------------------- */

/* "x-\u00e9": "a\u20ac", and a pair of surrogates. */
#define UNITS_HEADERS                                                                              \
    "\0\2"                                                                                         \
    "\3x-\xc3\xa9"                                                                                 \
    "\0\2"                                                                                         \
    "a\xe2\x82\xac"                                                                                \
    "\1y"                                                                                          \
    "\0\2"                                                                                         \
    "\xf0\x9f\x98\x80"

static void expect_unit_headers(struct fe_headers headers)
{
    struct fe_header header;

    assert_true(fe_headers_next(&headers, &header));
    assert_true(fe_view_equal(header.name, FE_VIEW_LIT("x-\xc3\xa9")));
    assert_true(fe_view_equal(header.value, FE_VIEW_LIT("a\xe2\x82\xac")));
    assert_true(fe_headers_next(&headers, &header));
    assert_true(fe_view_equal(header.name, FE_VIEW_LIT("y")));
    assert_true(fe_view_equal(header.value, FE_VIEW_LIT("\xf0\x9f\x98\x80")));
    assert_false(fe_headers_next(&headers, &header));
}

static void lengths_in_units_become_lengths_in_bytes(void **state)
{
    uint8_t request[] = "\0\0\0\7"
                        "\2\3e\xc3\xa9n\1s" UNITS_HEADERS;
    uint8_t response[] = "\0\0\0\7\1" UNITS_HEADERS;
    const struct fe_view request_view = fe_view_of(request, sizeof(request) - 1);
    const struct fe_view response_view = fe_view_of(response, sizeof(response) - 1);
    struct fe_old_request asked;
    struct fe_old_response answered;
    struct fe_view name;

    (void)state;
    assert_int_equal(fe_old_request_decode(request_view, &asked), FLATEND_EPROTO);
    assert_int_equal(fe_old_request_convert(request, request_view.len), 0);
    assert_int_equal(fe_old_request_decode(request_view, &asked), 0);
    assert_true(fe_names_next(&asked.services, &name));
    assert_true(fe_view_equal(name, FE_VIEW_LIT("e\xc3\xa9n")));
    expect_unit_headers(asked.headers);
    assert_int_equal(fe_old_response_decode(response_view, &answered), FLATEND_EPROTO);
    assert_int_equal(fe_old_response_convert(response, response_view.len), 0);
    assert_int_equal(fe_old_response_decode(response_view, &answered), 0);
    expect_unit_headers(answered.headers);
}

static int convert(const char *bytes, size_t len)
{
    uint8_t *copy = malloc(len); /* of its own, so that nothing behind it is touched unseen */
    int code;

    assert_non_null(copy);
    memcpy(copy, bytes, len);
    code = fe_old_response_convert(copy, len);
    free(copy);
    return code;
}

#define CONVERT(literal) convert(literal, sizeof(literal) - 1)

static void what_is_no_packet_in_units_either(void **state)
{
    (void)state;
    assert_int_equal(CONVERT("\0\0\0\7\1\0\0"), 0);
    assert_int_equal(CONVERT("\0\0\0\7\1\0"), FLATEND_EPROTO);
    assert_int_equal(CONVERT("\0\0\0\7\1\0\0x"), FLATEND_EPROTO);           /* left over */
    assert_int_equal(CONVERT("\0\0\0\7\1\0\1\1x\0"), FLATEND_EPROTO);       /* half a length */
    assert_int_equal(CONVERT("\0\0\0\7\1\0\1\1x\0\2y"), FLATEND_EPROTO);    /* too short */
    assert_int_equal(CONVERT("\0\0\0\7\1\0\1\1x\0\1\xc3"), FLATEND_EPROTO); /* no UTF-8 */
    assert_int_equal(CONVERT("\0\0\0\7\1\0\1\1x\0\1\xf0\x9f\x98\x80"),      /* half a pair */
                     FLATEND_EPROTO);
}

/* 255 bytes are the most that a name may have; 65,535, a value. */
static void texts_that_are_too_long_in_bytes(void **state)
{
    enum { HEAD = 7, NAME = 128, VALUE = 32768 };
    static uint8_t body[HEAD + 1 + 2 * NAME + 2 + 2 * VALUE];
    uint8_t *name = body + HEAD;

    (void)state;
    body[6] = 1;
    name[0] = NAME;
    for (size_t i = 0; i < NAME; i++) {
        memcpy(name + 1 + 2 * i, "\xc3\xa9", 2);
    }
    assert_int_equal(fe_old_response_convert(body, HEAD + 1 + 2 * NAME + 2), FLATEND_EPROTO);
    name[0] = 0;
    name[1] = VALUE >> 8;
    name[2] = 0;
    for (size_t i = 0; i < VALUE; i++) {
        memcpy(name + 3 + 2 * i, "\xc3\xa9", 2);
    }
    assert_int_equal(fe_old_response_convert(body, HEAD + 3 + 2 * VALUE), FLATEND_EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_that_runs_short_stays_failed),
        cmocka_unit_test(a_writer_never_passes_its_end),
        cmocka_unit_test(handshakes),
        cmocka_unit_test(bytes_behind_a_handshake_are_ignored),
        cmocka_unit_test(addresses),
        cmocka_unit_test(an_address_family_that_is_neither),
        cmocka_unit_test(service_requests),
        cmocka_unit_test(the_last_of_equal_headers_counts),
        cmocka_unit_test(service_responses),
        cmocka_unit_test(data_and_its_end),
        cmocka_unit_test(find_node),
        cmocka_unit_test(encoding_is_the_inverse),
        cmocka_unit_test(ids_encode_to_what_they_were),
        cmocka_unit_test(what_does_not_fit_its_field_has_no_size),
        cmocka_unit_test(nodes_that_can_be_dialed),
        cmocka_unit_test(lengths_in_units_become_lengths_in_bytes),
        cmocka_unit_test(what_is_no_packet_in_units_either),
        cmocka_unit_test(texts_that_are_too_long_in_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
