/* The decoders of the secure session: the first byte picks one, the rest is the body. What decodes
 * must encode to the same bytes again. */
#include <stdlib.h>

#include "mesh/wire/old.h"
#include "mesh/wire/secure.h"

enum { HEADERS_MAX = 512, NAMES_MAX = 255 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Room to encode a body again, and the body. */
struct again {
    struct fe_view body;
    uint8_t *bytes;
    struct fe_writer writer;
};

static struct fe_writer *again_begin(struct again *again, struct fe_view body, size_t size)
{
    if (size != body.len) {
        abort();
    }
    again->body = body;
    again->bytes = malloc(size > 0 ? size : 1);
    if (again->bytes == NULL) {
        abort();
    }
    again->writer = fe_writer_of(again->bytes, size);
    return &again->writer;
}

static void again_end(struct again *again)
{
    if (!fe_writer_is_complete(&again->writer) ||
        memcmp(again->bytes, again->body.ptr, again->body.len) != 0) {
        abort();
    }
    free(again->bytes);
}

static size_t collect_headers(struct fe_headers headers, struct fe_header list[HEADERS_MAX])
{
    size_t n = 0;

    while (n < HEADERS_MAX && fe_headers_next(&headers, &list[n])) {
        n++;
    }
    return n;
}

static void fuzz_request(struct fe_view body)
{
    struct fe_header headers[HEADERS_MAX];
    struct fe_view names[NAMES_MAX];
    struct fe_event event;
    struct again again;
    size_t n_headers, n_names = 0;

    if (fe_secure_request_decode(body, &event) != 0 || event.u.request.headers.n > HEADERS_MAX) {
        return;
    }
    n_headers = collect_headers(event.u.request.headers, headers);
    while (n_names < NAMES_MAX && fe_names_next(&event.u.request.services, &names[n_names])) {
        n_names++;
    }
    fe_secure_request_encode(
        again_begin(&again, body, fe_secure_request_size(names, n_names, headers, n_headers)),
        names, n_names, headers, n_headers);
    again_end(&again);
}

static void fuzz_response(struct fe_view body)
{
    struct fe_header headers[HEADERS_MAX];
    struct fe_event event;
    struct again again;
    size_t n;

    if (fe_secure_response_decode(body, &event) == 0 && event.u.response.headers.n <= HEADERS_MAX) {
        n = collect_headers(event.u.response.headers, headers);
        fe_secure_response_encode(again_begin(&again, body, fe_secure_response_size(headers, n)),
                                  event.u.response.handled, headers, n);
        again_end(&again);
    }
}

static void fuzz_trailers(struct fe_view body)
{
    struct fe_header headers[HEADERS_MAX];
    struct fe_event event;
    struct again again;
    size_t n;

    if (fe_secure_trailers_decode(body, &event) == 0 && event.u.trailers.n <= HEADERS_MAX) {
        n = collect_headers(event.u.trailers, headers);
        fe_old_headers_encode(again_begin(&again, body, fe_old_headers_size(headers, n)), headers,
                              n);
        again_end(&again);
    }
}

static void fuzz_reset(struct fe_view body)
{
    struct fe_event event;
    struct again again;

    if (fe_secure_reset_decode(body, &event) == 0) {
        fe_secure_reset_encode(again_begin(&again, body, fe_secure_reset_size(event.u.reset.text)),
                               event.u.reset.reason, event.u.reset.text);
        again_end(&again);
    }
}

static void fuzz_window(struct fe_view body)
{
    struct fe_event event;

    if (fe_secure_window_decode(body, &event) == 0 &&
        (event.u.increment == 0 || event.u.increment > FE_SECURE_WINDOW_MAX)) {
        abort();
    }
}

static void fuzz_ping(struct fe_view body)
{
    struct fe_event event;
    struct again again;

    if (fe_secure_ping_decode(body, &event) == 0) {
        fe_secure_ping_encode(again_begin(&again, body, FE_SECURE_PING_SIZE), event.u.ping);
        again_end(&again);
    }
}

static void fuzz_goaway(struct fe_view body)
{
    struct fe_event event;
    struct again again;

    if (fe_secure_goaway_decode(body, &event) == 0) {
        fe_secure_goaway_encode(
            again_begin(&again, body, fe_secure_goaway_size(event.u.goaway.text)),
            event.u.goaway.last, event.u.goaway.reason, event.u.goaway.text);
        again_end(&again);
    }
}

static void fuzz_services(struct fe_view body)
{
    struct fe_offer offers[NAMES_MAX];
    struct fe_event event;
    struct again again;
    size_t n = 0;

    if (fe_secure_services_decode(body, &event) == 0) {
        while (n < NAMES_MAX && fe_offers_next(&event.u.offers, &offers[n])) {
            n++;
        }
        fe_secure_services_encode(again_begin(&again, body, fe_secure_services_size(offers, n)),
                                  offers, n);
        again_end(&again);
    }
}

static void fuzz_find_node(struct fe_view body)
{
    struct fe_event event;

    if ((fe_secure_find_node_decode(body, &event) == 0) != (body.len == FE_SECURE_FIND_NODE_SIZE)) {
        abort();
    }
}

static void fuzz_nodes(struct fe_view body)
{
    struct fe_id ids[FE_NODES_MAX];
    uint32_t token;
    size_t n;

    if (fe_secure_nodes_decode(body, &token, ids, &n) == 0 &&
        (n > FE_NODES_MAX || fe_secure_nodes_size(ids, n) > body.len)) {
        abort();
    }
}

static void fuzz_refusal(struct fe_view body)
{
    struct fe_secure_refusal refusal;
    struct again again;

    if (fe_secure_refusal_decode(body, &refusal) == 0) {
        fe_secure_refusal_encode(again_begin(&again, body, fe_secure_refusal_size(refusal.text)),
                                 refusal.reason, refusal.text);
        again_end(&again);
    }
}

/* TLVs may come in any order and some are skipped: only what we send is the same again. */
static void fuzz_extension(struct fe_view body)
{
    struct fe_secure_extension extension, second;
    struct flatend_error err;
    uint8_t bytes[FE_SECURE_EXTENSION_SENT_MAX];
    struct fe_writer writer = fe_writer_of(bytes, sizeof(bytes));
    bool is_signed;

    if (!fe_secure_has_extension(body) || fe_secure_extension_decode(body, &extension, &err) != 0) {
        return;
    }
    is_signed = extension.signature.len > 0;
    fe_secure_extension_encode(&writer, &extension, is_signed);
    if (is_signed) {
        fe_secure_signature_encode(&writer, extension.signature.ptr);
    }
    if (writer.is_failed ||
        fe_secure_extension_decode(fe_view_of(bytes, sizeof(bytes) - writer.left), &second, &err) !=
            0 ||
        !fe_view_equal(extension.signature, second.signature) ||
        !fe_view_equal(extension.agent, second.agent) ||
        extension.stream_window != second.stream_window) {
        abort();
    }
}

/* The first byte is the type of the head. */
static void fuzz_head(struct fe_view body)
{
    struct fe_header headers[HEADERS_MAX];
    struct fe_view names[NAMES_MAX];
    struct fe_secure_head head = {
        .type = (enum fe_secure_type)(FE_SECURE_REQUEST + (body.len > 0 ? body.ptr[0] % 3 : 0)),
        .services = names,
        .headers = headers,
    };
    struct fe_headers received;
    struct fe_event event;
    struct again again;

    body = fe_view_skip(body, body.len > 0);
    if (fe_secure_head_decode((uint8_t)head.type, body, &event) != 0) {
        return;
    }
    received = head.type == FE_SECURE_REQUEST    ? event.u.request.headers
               : head.type == FE_SECURE_RESPONSE ? event.u.response.headers
                                                 : event.u.trailers;
    if (received.n > HEADERS_MAX) {
        return;
    }
    head.n_headers = collect_headers(received, headers);
    while (head.type == FE_SECURE_REQUEST && head.n_services < NAMES_MAX &&
           fe_names_next(&event.u.request.services, &names[head.n_services])) {
        head.n_services++;
    }
    fe_secure_head_encode(again_begin(&again, body, fe_secure_head_size(&head)), &head);
    again_end(&again);
}

static void fuzz_packets(struct fe_view record)
{
    struct fe_reader reader = fe_reader_of(record);
    struct fe_secure_packet packet;
    size_t sum = 0;

    while (reader.left > 0 && fe_secure_packet_decode(&reader, &packet) == 0) {
        sum += FE_SECURE_HEADER_SIZE + packet.body.len;
    }
    if (sum > record.len) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const targets[])(struct fe_view body) = {
        [FE_SECURE_DATA] = fuzz_packets,        [FE_SECURE_REQUEST] = fuzz_request,
        [FE_SECURE_RESPONSE] = fuzz_response,   [FE_SECURE_TRAILERS] = fuzz_trailers,
        [FE_SECURE_RESET] = fuzz_reset,         [FE_SECURE_WINDOW] = fuzz_window,
        [FE_SECURE_PING] = fuzz_ping,           [FE_SECURE_GOAWAY] = fuzz_goaway,
        [FE_SECURE_SERVICES] = fuzz_services,   [FE_SECURE_FIND_NODE] = fuzz_find_node,
        [FE_SECURE_NODES] = fuzz_nodes,         [FE_SECURE_NODES + 1] = fuzz_refusal,
        [FE_SECURE_NODES + 2] = fuzz_extension, [FE_SECURE_NODES + 3] = fuzz_head,
    };

    if (size > 0) {
        targets[data[0] % (sizeof(targets) / sizeof(targets[0]))](fe_view_of(data + 1, size - 1));
    }
    return 0;
}
