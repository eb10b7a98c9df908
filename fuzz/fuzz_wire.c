/* The packet decoders: the first byte picks one, the rest is the body. What decodes must encode to
 * the same bytes again, so far as the old dialect has one form for it. */
#include <stdlib.h>

#include "mesh/wire/old.h"

enum { HEADERS_MAX = 512, NAMES_MAX = 255, FE_OLD_NODES = 5, UNITS = 6 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_same(const uint8_t *bytes, const struct fe_writer *writer, struct fe_view body)
{
    if (!fe_writer_is_complete(writer) || memcmp(bytes, body.ptr, body.len) != 0) {
        abort();
    }
}

static size_t collect_names(struct fe_names names, struct fe_view list[NAMES_MAX])
{
    size_t n = 0;

    while (fe_names_next(&names, &list[n < NAMES_MAX ? n : 0])) {
        n++;
    }
    return n;
}

static size_t collect_headers(struct fe_headers headers, struct fe_header list[HEADERS_MAX])
{
    size_t n = 0;

    while (n < HEADERS_MAX && fe_headers_next(&headers, &list[n])) {
        n++;
    }
    return n;
}

static void fuzz_handshake(struct fe_view body)
{
    struct fe_old_handshake handshake;
    struct fe_view names[NAMES_MAX];

    if (fe_old_handshake_decode(body, &handshake) == 0) {
        size_t n = collect_names(handshake.services, names);

        if (n != handshake.services.n ||
            fe_old_handshake_size(handshake.has_id ? &handshake.id : NULL, names, n) > body.len) {
            abort();
        }
    }
}

static void fuzz_request(struct fe_view body)
{
    struct fe_old_request request;
    struct fe_view names[NAMES_MAX];
    struct fe_header headers[HEADERS_MAX];

    if (fe_old_request_decode(body, &request) == 0 && request.headers.n <= HEADERS_MAX) {
        size_t n_names = collect_names(request.services, names);
        size_t n_headers = collect_headers(request.headers, headers);
        uint8_t *bytes = malloc(body.len);
        struct fe_writer writer = fe_writer_of(bytes, body.len);

        if (bytes != NULL) {
            fe_old_request_encode(&writer, request.stream, names, n_names, headers, n_headers);
            expect_same(bytes, &writer, body);
        }
        free(bytes);
    }
}

static void fuzz_response(struct fe_view body)
{
    struct fe_old_response response;
    struct fe_header headers[HEADERS_MAX];

    if (fe_old_response_decode(body, &response) == 0 && response.headers.n <= HEADERS_MAX) {
        size_t n = collect_headers(response.headers, headers);
        uint8_t *bytes = malloc(body.len);
        struct fe_writer writer = fe_writer_of(bytes, body.len);

        if (bytes != NULL) {
            fe_old_response_encode(&writer, response.stream, response.is_handled, headers, n);
            expect_same(bytes, &writer, body);
        }
        free(bytes);
    }
}

/* What was converted is a packet with lengths in bytes. */
static void fuzz_units(struct fe_view body)
{
    uint8_t *bytes = calloc(1, body.len + 1); /* of none, too */
    const struct fe_view copy = fe_view_of(bytes, body.len);
    struct fe_old_request request;
    struct fe_old_response response;

    if (bytes == NULL) {
        return;
    }
    memcpy(bytes, body.ptr, body.len);
    if (fe_old_request_convert(bytes, body.len) == 0 &&
        fe_old_request_decode(copy, &request) != 0) {
        abort();
    }
    memcpy(bytes, body.ptr, body.len);
    if (body.len > 4) {
        bytes[4] &= 1; /* `handled` is not looked at */
    }
    if (fe_old_response_convert(bytes, body.len) == 0 &&
        fe_old_response_decode(copy, &response) != 0) {
        abort();
    }
    free(bytes);
}

static void fuzz_data(struct fe_view body)
{
    struct fe_old_data packet;

    if (fe_old_data_decode(body, &packet) == 0 && fe_old_data_size(packet.bytes) != body.len) {
        abort();
    }
}

static void fuzz_find_node(struct fe_view body)
{
    uint8_t target[FE_KEY_LEN];

    if ((fe_old_find_node_decode(body, target) == 0) != (body.len == FE_KEY_LEN)) {
        abort();
    }
}

static void fuzz_nodes(struct fe_view body)
{
    struct fe_id ids[FE_NODES_MAX];
    size_t n;

    if (fe_old_nodes_decode(body, ids, &n) == 0 &&
        (n > FE_NODES_MAX || fe_old_nodes_size(ids, n) > body.len)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const targets[])(struct fe_view body) = {
        [FE_OLD_HANDSHAKE] = fuzz_handshake,
        [FE_OLD_REQUEST] = fuzz_request,
        [FE_OLD_RESPONSE] = fuzz_response,
        [FE_OLD_DATA] = fuzz_data,
        [FE_OLD_FIND_NODE] = fuzz_find_node,
        [FE_OLD_NODES] = fuzz_nodes,
        [UNITS] = fuzz_units,
    };

    if (size > 0) {
        targets[data[0] % (sizeof(targets) / sizeof(targets[0]))](fe_view_of(data + 1, size - 1));
    }
    return 0;
}
