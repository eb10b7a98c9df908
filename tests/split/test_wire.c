/* Every packet cut at every byte: a decoder reads nothing behind the end (each cut lies in memory
 * of exactly its size) and refuses what is not whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mesh/wire/old.h"
#include "support/vectors.h"

typedef int (*decode_fn)(struct fe_view body);

static int decode_handshake(struct fe_view body)
{
    struct fe_old_handshake handshake;
    struct fe_view name;
    int code = fe_old_handshake_decode(body, &handshake);

    while (code == 0 && fe_names_next(&handshake.services, &name)) {
        assert_true(name.ptr + name.len <= body.ptr + body.len);
    }
    return code;
}

static void walk_headers(struct fe_headers headers, struct fe_view body)
{
    struct fe_header header;
    unsigned n = 0;

    while (fe_headers_next(&headers, &header)) {
        assert_true(header.name.ptr + header.name.len <= header.value.ptr);
        assert_true(header.value.ptr + header.value.len <= body.ptr + body.len);
        n++;
    }
    assert_true(n <= body.len / 3);
}

static int decode_request(struct fe_view body)
{
    struct fe_old_request request;
    int code = fe_old_request_decode(body, &request);

    if (code == 0) {
        walk_headers(request.headers, body);
    }
    return code;
}

static int decode_response(struct fe_view body)
{
    struct fe_old_response response;
    int code = fe_old_response_decode(body, &response);

    if (code == 0) {
        walk_headers(response.headers, body);
    }
    return code;
}

static int decode_data(struct fe_view body)
{
    struct fe_old_data data;

    return fe_old_data_decode(body, &data);
}

static int decode_find_node(struct fe_view body)
{
    uint8_t target[FE_KEY_LEN];

    return fe_old_find_node_decode(body, target);
}

static int decode_nodes(struct fe_view body)
{
    struct fe_id ids[FE_NODES_MAX];
    size_t n;

    return fe_old_nodes_decode(body, ids, &n);
}

static const struct {
    const char *vector;
    decode_fn decode;
} packets[] = {
    {"handshake_anonymous", decode_handshake},
    {"handshake_anonymous_services", decode_handshake},
    {"handshake_ipv4", decode_handshake},
    {"handshake_ipv6", decode_handshake},
    {"handshake_mapped", decode_handshake},
    {"service_request", decode_request},
    {"service_request_bare", decode_request},
    {"service_response", decode_response},
    {"service_response_unhandled", decode_response},
    {"data", decode_data},
    {"data_end", decode_data},
    {"find_node_request", decode_find_node},
    {"find_node_response", decode_nodes},
    {"find_node_response_empty", decode_nodes},
};

enum { N_PACKETS = sizeof(packets) / sizeof(packets[0]) };

static int decode_copy(decode_fn decode, const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    int code;

    assert_non_null(copy);
    memcpy(copy, bytes, len);
    code = decode(fe_view_of(copy, len));
    free(copy);
    return code;
}

static void cut_at_every_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_PACKETS; i++) {
        struct vector vector;

        vector_load(&vector, "packets.txt", packets[i].vector);
        for (size_t len = 0; len < vector.len; len++) {
            assert_int_equal(decode_copy(packets[i].decode, vector.bytes, len), FLATEND_EPROTO);
        }
        assert_int_equal(decode_copy(packets[i].decode, vector.bytes, vector.len), 0);
    }
}

static void with_a_byte_too_many(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_PACKETS; i++) {
        bool is_handshake = packets[i].decode == decode_handshake;
        struct vector vector;

        vector_load(&vector, "packets.txt", packets[i].vector);
        vector.bytes[vector.len] = 0;
        assert_int_equal(decode_copy(packets[i].decode, vector.bytes, vector.len + 1),
                         is_handshake ? 0 : FLATEND_EPROTO);
    }
}

/* Lengths that lie: each byte of each packet takes each value. */
static void with_every_byte_changed(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_PACKETS; i++) {
        struct vector vector;

        vector_load(&vector, "packets.txt", packets[i].vector);
        for (size_t at = 0; at < vector.len; at++) {
            uint8_t byte = vector.bytes[at];

            for (unsigned value = 0; value < 256; value++) {
                int code;

                vector.bytes[at] = (uint8_t)value;
                code = decode_copy(packets[i].decode, vector.bytes, vector.len);
                assert_true(code == 0 || code == FLATEND_EPROTO);
            }
            vector.bytes[at] = byte;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(with_a_byte_too_many),
        cmocka_unit_test(with_every_byte_changed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
