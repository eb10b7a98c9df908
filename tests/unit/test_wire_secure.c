/* The packets of the secure session, each beside its vector. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mesh/wire/old.h"
#include "mesh/wire/secure.h"
#include "support/vectors.h"

/* A packet of the vectors, decoded; and room to encode it again. */
struct packet {
    struct vector vector;
    struct fe_secure_packet head;
    struct fe_event event;
    uint8_t bytes[VECTOR_MAX];
    struct fe_writer writer;
    size_t body_size;
};

static void packet_load(struct packet *p, const char *name, uint8_t type, uint8_t flags,
                        uint32_t stream)
{
    struct fe_reader reader;

    vector_load(&p->vector, "secure_packets.txt", name);
    reader = fe_reader_of(vector_view(&p->vector));
    assert_int_equal(fe_secure_packet_decode(&reader, &p->head), 0);
    assert_true(fe_reader_is_complete(&reader));
    assert_int_equal(p->head.type, type);
    assert_int_equal(p->head.flags, flags);
    assert_int_equal(p->head.stream, stream);
    p->event = (struct fe_event){0};
}

/* The header is written; the body is the test's. */
static struct fe_writer *packet_begin(struct packet *p, size_t body_size)
{
    p->body_size = body_size;
    p->writer = fe_writer_of(p->bytes, FE_SECURE_HEADER_SIZE + body_size);
    fe_secure_header_encode(&p->writer, p->head.type, p->head.flags, p->head.stream, body_size);
    return &p->writer;
}

static void packet_expect(struct packet *p)
{
    assert_true(fe_writer_is_complete(&p->writer));
    assert_int_equal(FE_SECURE_HEADER_SIZE + p->body_size, p->vector.len);
    assert_memory_equal(p->bytes, p->vector.bytes, p->vector.len);
}

static void expect_name(struct fe_names *names, const char *expected)
{
    struct fe_view name;

    assert_true(fe_names_next(names, &name));
    assert_true(fe_view_equal(name, fe_view_str(expected)));
}

static void expect_header(struct fe_headers *headers, const char *name, const char *value)
{
    struct fe_header header;

    assert_true(fe_headers_next(headers, &header));
    assert_true(fe_view_equal(header.name, fe_view_str(name)));
    assert_true(fe_view_equal(header.value, fe_view_str(value)));
}

static void data(void **state)
{
    struct packet p;

    (void)state;
    packet_load(&p, "data", FE_SECURE_DATA, 0, 1);
    assert_true(fe_view_equal(p.head.body, FE_VIEW_LIT("Hello world!")));
    fe_write_bytes(packet_begin(&p, p.head.body.len), p.head.body);
    packet_expect(&p);
    packet_load(&p, "data_end", FE_SECURE_DATA, FE_SECURE_END, 1);
    packet_load(&p, "data_empty_end", FE_SECURE_DATA, FE_SECURE_END, UINT32_MAX);
    packet_begin(&p, 0);
    packet_expect(&p);
}

static void request(void **state)
{
    const struct fe_view services[] = {FE_VIEW_LIT("hello_world"), FE_VIEW_LIT("todo")};
    const struct fe_header headers[] = {{FE_VIEW_LIT("params.id"), FE_VIEW_LIT("7")},
                                        {FE_VIEW_LIT("content-type"), FE_VIEW_LIT("text/plain")},
                                        {FE_VIEW_LIT("empty"), {0}}};
    struct packet p;

    (void)state;
    packet_load(&p, "request", FE_SECURE_REQUEST, 0, 1);
    assert_int_equal(fe_secure_request_decode(p.head.body, &p.event), 0);
    expect_name(&p.event.u.request.services, "hello_world");
    expect_name(&p.event.u.request.services, "todo");
    expect_header(&p.event.u.request.headers, "params.id", "7");
    expect_header(&p.event.u.request.headers, "content-type", "text/plain");
    expect_header(&p.event.u.request.headers, "empty", "");
    fe_secure_request_encode(packet_begin(&p, fe_secure_request_size(services, 2, headers, 3)),
                             services, 2, headers, 3);
    packet_expect(&p);

    packet_load(&p, "request_end", FE_SECURE_REQUEST, FE_SECURE_END, 3);
    fe_secure_request_encode(packet_begin(&p, fe_secure_request_size(services, 1, NULL, 0)),
                             services, 1, NULL, 0);
    packet_expect(&p);
}

static void response(void **state)
{
    const struct fe_header json = {FE_VIEW_LIT("content-type"), FE_VIEW_LIT("application/json")};
    struct packet p;

    (void)state;
    packet_load(&p, "response", FE_SECURE_RESPONSE, 0, 1);
    assert_int_equal(fe_secure_response_decode(p.head.body, &p.event), 0);
    assert_true(p.event.u.response.handled);
    expect_header(&p.event.u.response.headers, "content-type", "application/json");
    fe_secure_response_encode(packet_begin(&p, fe_secure_response_size(&json, 1)), true, &json, 1);
    packet_expect(&p);
    packet_load(&p, "response_end", FE_SECURE_RESPONSE, FE_SECURE_END, 1);

    packet_load(&p, "response_unhandled", FE_SECURE_RESPONSE, 0, 3);
    assert_int_equal(fe_secure_response_decode(p.head.body, &p.event), 0);
    assert_false(p.event.u.response.handled);
    fe_secure_response_encode(packet_begin(&p, fe_secure_response_size(NULL, 0)), false, NULL, 0);
    packet_expect(&p);
}

static void trailers(void **state)
{
    const struct fe_header headers[] = {{FE_VIEW_LIT("checksum"), FE_VIEW_LIT("9")},
                                        {FE_VIEW_LIT("empty"), {0}}};
    struct packet p;

    (void)state;
    packet_load(&p, "trailers", FE_SECURE_TRAILERS, 0, 1);
    assert_int_equal(fe_secure_trailers_decode(p.head.body, &p.event), 0);
    expect_header(&p.event.u.trailers, "checksum", "9");
    expect_header(&p.event.u.trailers, "empty", "");
    fe_old_headers_encode(packet_begin(&p, fe_old_headers_size(headers, 2)), headers, 2);
    packet_expect(&p);
}

static void reset(void **state)
{
    struct packet p;

    (void)state;
    packet_load(&p, "reset", FE_SECURE_RESET, 0, 1);
    assert_int_equal(fe_secure_reset_decode(p.head.body, &p.event), 0);
    assert_int_equal(p.event.u.reset.reason, FE_REASON_CANCEL);
    assert_true(fe_view_equal(p.event.u.reset.text, FE_VIEW_LIT("enough")));
    fe_secure_reset_encode(packet_begin(&p, fe_secure_reset_size(FE_VIEW_LIT("enough"))),
                           FE_REASON_CANCEL, FE_VIEW_LIT("enough"));
    packet_expect(&p);
    packet_load(&p, "reset_bare", FE_SECURE_RESET, 0, 2);
    fe_secure_reset_encode(packet_begin(&p, fe_secure_reset_size((struct fe_view){0})),
                           FE_REASON_NONE, (struct fe_view){0});
    packet_expect(&p);
}

static void windows(void **state)
{
    struct packet p;

    (void)state;
    packet_load(&p, "window_stream", FE_SECURE_WINDOW, 0, 1);
    assert_int_equal(fe_secure_window_decode(p.head.body, &p.event), 0);
    assert_int_equal(p.event.u.increment, 65536);
    fe_write_u32(packet_begin(&p, FE_SECURE_WINDOW_SIZE), 65536);
    packet_expect(&p);
    packet_load(&p, "window_connection", FE_SECURE_WINDOW, 0, 0);
    assert_int_equal(fe_secure_window_decode(p.head.body, &p.event), 0);
    assert_int_equal(p.event.u.increment, FE_SECURE_WINDOW_MAX);
    assert_int_equal(fe_secure_window_decode(FE_VIEW_LIT("\0\0\0\0"), &p.event), FLATEND_EPROTO);
    assert_int_equal(fe_secure_window_decode(FE_VIEW_LIT("\x80\0\0\0"), &p.event), FLATEND_EPROTO);
}

static void pings(void **state)
{
    struct packet p;

    (void)state;
    packet_load(&p, "ping", FE_SECURE_PING, 0, 0);
    assert_int_equal(fe_secure_ping_decode(p.head.body, &p.event), 0);
    assert_true(p.event.u.ping == 0x123456789abcdef0);
    fe_secure_ping_encode(packet_begin(&p, FE_SECURE_PING_SIZE), 0x123456789abcdef0);
    packet_expect(&p);
    packet_load(&p, "pong", FE_SECURE_PING, FE_SECURE_ACK, 0);
}

static void goaway(void **state)
{
    struct packet p;

    (void)state;
    packet_load(&p, "goaway", FE_SECURE_GOAWAY, 0, 0);
    assert_int_equal(fe_secure_goaway_decode(p.head.body, &p.event), 0);
    assert_int_equal(p.event.u.goaway.last, 7);
    assert_int_equal(p.event.u.goaway.reason, FE_REASON_NONE);
    assert_true(fe_view_equal(p.event.u.goaway.text, FE_VIEW_LIT("bye")));
    fe_secure_goaway_encode(packet_begin(&p, fe_secure_goaway_size(FE_VIEW_LIT("bye"))), 7,
                            FE_REASON_NONE, FE_VIEW_LIT("bye"));
    packet_expect(&p);
}

static void services(void **state)
{
    const struct fe_offer offers[] = {{FE_VIEW_LIT("hello_world"), 100}, {FE_VIEW_LIT("todo"), 7}};
    struct fe_offer offer;
    struct packet p;

    (void)state;
    packet_load(&p, "services", FE_SECURE_SERVICES, 0, 0);
    assert_int_equal(fe_secure_services_decode(p.head.body, &p.event), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(fe_offers_next(&p.event.u.offers, &offer));
        assert_true(fe_view_equal(offer.name, offers[i].name));
        assert_int_equal(offer.weight, offers[i].weight);
    }
    assert_false(fe_offers_next(&p.event.u.offers, &offer));
    fe_secure_services_encode(packet_begin(&p, fe_secure_services_size(offers, 2)), offers, 2);
    packet_expect(&p);

    packet_load(&p, "services_none", FE_SECURE_SERVICES, 0, 0);
    assert_int_equal(fe_secure_services_decode(p.head.body, &p.event), 0);
    assert_false(fe_offers_next(&p.event.u.offers, &offer));
    assert_int_equal(fe_secure_services_decode(FE_VIEW_LIT("\1\0"), &p.event), FLATEND_EPROTO);
}

static void nodes(void **state)
{
    struct vector ipv4, ipv6;
    struct fe_id ids[FE_NODES_MAX];
    struct packet p;
    uint32_t token;
    size_t n;

    (void)state;
    vector_load(&ipv4, "packets.txt", "id_ipv4");
    vector_load(&ipv6, "packets.txt", "id_ipv6");
    packet_load(&p, "find_node", FE_SECURE_FIND_NODE, 0, 0);
    assert_int_equal(fe_secure_find_node_decode(p.head.body, &p.event), 0);
    assert_int_equal(p.event.token, 1);
    assert_memory_equal(p.event.u.target, ipv6.bytes, FE_KEY_LEN);

    packet_load(&p, "nodes", FE_SECURE_NODES, 0, 0);
    assert_int_equal(fe_secure_nodes_decode(p.head.body, &token, ids, &n), 0);
    assert_int_equal(token, 1);
    assert_int_equal(n, 2);
    assert_memory_equal(ids[0].public_key, ipv4.bytes, FE_KEY_LEN);
    assert_int_equal(ids[1].addr.port, 9001);
    fe_secure_nodes_encode(packet_begin(&p, fe_secure_nodes_size(ids, 2)), 1, ids, 2);
    packet_expect(&p);

    packet_load(&p, "nodes_none", FE_SECURE_NODES, 0, 0);
    assert_int_equal(fe_secure_nodes_decode(p.head.body, &token, ids, &n), 0);
    assert_int_equal(n, 0);
}

static void refusals(void **state)
{
    const struct fe_view text = FE_VIEW_LIT("a mesh secret is required");
    struct fe_secure_refusal refusal;
    struct vector vector;
    uint8_t bytes[64];
    struct fe_writer writer = fe_writer_of(bytes, fe_secure_refusal_size(text));

    (void)state;
    vector_load(&vector, "secure_packets.txt", "refusal");
    assert_int_equal(fe_secure_refusal_decode(vector_view(&vector), &refusal), 0);
    assert_int_equal(refusal.reason, FE_REASON_DENIED);
    assert_true(fe_view_equal(refusal.text, text));
    fe_secure_refusal_encode(&writer, FE_REASON_DENIED, text);
    assert_true(fe_writer_is_complete(&writer));
    assert_int_equal(fe_secure_refusal_size(text), vector.len);
    assert_memory_equal(bytes, vector.bytes, vector.len);
    vector.len--;
    assert_int_equal(fe_secure_refusal_decode(vector_view(&vector), &refusal), FLATEND_EPROTO);
}

/* Every body, a byte shorter and a byte longer, is a fault; only DATA may be of any length. */
static void bodies_end_with_their_last_field(void **state)
{
    static const struct {
        const char *name;
        int (*decode)(struct fe_view body, struct fe_event *event);
    } cases[] = {
        {"request", fe_secure_request_decode},     {"response", fe_secure_response_decode},
        {"trailers", fe_secure_trailers_decode},   {"reset", fe_secure_reset_decode},
        {"reset_bare", fe_secure_reset_decode},    {"window_stream", fe_secure_window_decode},
        {"ping", fe_secure_ping_decode},           {"goaway", fe_secure_goaway_decode},
        {"services", fe_secure_services_decode},   {"services_none", fe_secure_services_decode},
        {"find_node", fe_secure_find_node_decode},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct vector vector;
        struct fe_event event;
        size_t len;

        vector_load(&vector, "secure_packets.txt", cases[i].name);
        len = vector.len - FE_SECURE_HEADER_SIZE;
        for (size_t cut = 0; cut <= len + 1; cut++) {
            uint8_t *exact = malloc(cut + 1);

            assert_non_null(exact);
            memcpy(exact, vector.bytes + FE_SECURE_HEADER_SIZE, cut < len ? cut : len);
            exact[len < cut ? len : cut] = 0;
            assert_int_equal(cases[i].decode(fe_view_of(exact, cut), &event),
                             cut == len ? 0 : FLATEND_EPROTO);
            free(exact);
        }
    }
}

static void packets_stay_in_their_record(void **state)
{
    static const uint8_t bytes[] = {0, 0, 1, 0, 0, 0, 0, 0, 1};
    struct fe_secure_packet packet;

    (void)state;
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        struct fe_reader reader = fe_reader_of(fe_view_of(bytes, len));

        assert_int_equal(fe_secure_packet_decode(&reader, &packet), FLATEND_EPROTO);
    }
}

static void sizes_that_do_not_fit_their_field(void **state)
{
    static const uint8_t bytes[256];
    const struct fe_offer offer = {fe_view_of(bytes, 256), 1};
    const struct fe_view name = fe_view_of(bytes, 256);

    (void)state;
    assert_true(fe_secure_services_size(&offer, 1) == SIZE_MAX);
    assert_true(fe_secure_services_size(NULL, 256) == SIZE_MAX);
    assert_true(fe_secure_request_size(&name, 1, NULL, 0) == SIZE_MAX);
    assert_true(fe_secure_nodes_size(NULL, 256) == SIZE_MAX);
    assert_int_equal(fe_secure_reset_size(name), 4 + 1 + FE_REASON_TEXT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data),
        cmocka_unit_test(request),
        cmocka_unit_test(response),
        cmocka_unit_test(trailers),
        cmocka_unit_test(reset),
        cmocka_unit_test(windows),
        cmocka_unit_test(pings),
        cmocka_unit_test(goaway),
        cmocka_unit_test(services),
        cmocka_unit_test(nodes),
        cmocka_unit_test(refusals),
        cmocka_unit_test(bodies_end_with_their_last_field),
        cmocka_unit_test(packets_stay_in_their_record),
        cmocka_unit_test(sizes_that_do_not_fit_their_field),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
