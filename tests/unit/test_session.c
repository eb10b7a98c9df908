/* A session against the vectors, and two sessions against each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mesh/session/session.h"
#include "support/pair.h"
#include "support/vectors.h"

enum { GO_RECORD_MAX = 4 + 4096, LARGE = 1024 * 1024 };

/* ---- against the vectors -------------------------------------------------------------------- */

/* An "rng" that yields the ephemeral key of the vectors. */
static void fill_from_vector(void *arg, void *buf, size_t len)
{
    const struct vector *vector = arg;

    assert_int_equal(len, vector->len);
    memcpy(buf, vector->bytes, len);
}

struct scripted {
    struct fe_self self;
    struct fe_view service;
    struct fe_chain out;
    struct vector ephemeral;
    struct fe_rng rng;
    struct fe_session session;
    struct fe_event event;
    struct flatend_error err;
    uint8_t fed[VECTOR_MAX];
};

static void load(struct vector *vector, const char *name)
{
    vector_load(vector, "session.txt", name);
}

static void scripted_init(struct scripted *s, bool is_initiator)
{
    struct vector vector;

    *s = (struct scripted){.self.is_old_only = true};
    load(&vector, is_initiator ? "initiator_identity" : "responder_identity");
    memcpy(s->self.secret.bytes, vector.bytes, sizeof(s->self.secret.bytes));
    memcpy(s->self.id.public_key, fe_ed25519_public(&s->self.secret), FE_KEY_LEN);
    if (is_initiator) {
        s->self.id.addr = (struct fe_ip_addr){FE_IPV4, {127, 0, 0, 1}, 9000};
    } else {
        s->self.id.addr = (struct fe_ip_addr){FE_IPV6, {[15] = 1}, 9001};
        s->service = FE_VIEW_LIT("hello_world");
        s->self.services = &s->service;
        s->self.n_services = 1;
    }
    fe_chain_init(&s->out, NULL);
    load(&s->ephemeral, is_initiator ? "initiator_secret" : "responder_secret");
    s->rng = (struct fe_rng){.fill = fill_from_vector, .arg = &s->ephemeral};
    assert_int_equal(fe_session_init(&s->session, is_initiator, &s->self, &s->rng, &s->out), 0);
}

static void scripted_deinit(struct scripted *s)
{
    fe_session_deinit(&s->session);
    fe_chain_deinit(&s->out);
}

/* What was sent is exactly this vector. */
static void expect_sent(struct scripted *s, const char *name)
{
    struct vector expected;
    uint8_t sent[VECTOR_MAX];

    load(&expected, name);
    assert_int_equal(fe_chain_read(&s->out, sent, sizeof(sent)), expected.len);
    assert_memory_equal(sent, expected.bytes, expected.len);
}

static void feed(struct scripted *s, const char *name)
{
    struct vector vector;

    load(&vector, name);
    memcpy(s->fed, vector.bytes, vector.len);
    fe_session_feed(&s->session, s->fed, vector.len);
}

static void expect_event(struct scripted *s, enum fe_event_type type)
{
    assert_int_equal(fe_session_next(&s->session, &s->event, &s->err), 1);
    assert_int_equal(s->event.type, type);
}

static void expect_no_event(struct scripted *s)
{
    assert_int_equal(fe_session_next(&s->session, &s->event, &s->err), 0);
}

static void initiator_says_what_the_vectors_say(void **state)
{
    static const uint8_t responder_ip[16] = {[15] = 1};
    struct fe_header accept = {FE_VIEW_LIT("accept"), FE_VIEW_LIT("*/*")};
    struct fe_view service = FE_VIEW_LIT("hello_world");
    struct fe_names names;
    struct fe_view name;
    struct scripted s;
    uint32_t token, stream;

    (void)state;
    scripted_init(&s, true);
    expect_sent(&s, "initiator_key");
    feed(&s, "responder_key");
    expect_no_event(&s);
    expect_sent(&s, "initiator_hello");

    feed(&s, "responder_hello");
    expect_event(&s, FE_EVENT_HANDSHAKE);
    assert_int_equal(s.event.u.handshake.id->addr.port, 9001);
    assert_memory_equal(s.event.u.handshake.id->addr.ip, responder_ip, 16);
    names = s.event.u.handshake.services;
    assert_true(fe_names_next(&names, &name));
    assert_true(fe_view_equal(name, service));
    assert_false(fe_names_next(&names, &name));
    expect_no_event(&s);

    assert_int_equal(
        s.session.sender.ops->find_node(&s.session.sender, s.self.id.public_key, &token), 0);
    expect_sent(&s, "initiator_find_node");
    feed(&s, "responder_nodes");
    expect_event(&s, FE_EVENT_NODES);
    assert_int_equal(s.event.token, token);
    assert_int_equal(s.event.u.nodes.n, 1);
    assert_memory_equal(s.event.u.nodes.ids[0].public_key, s.self.id.public_key, FE_KEY_LEN);

    stream = s.session.sender.ops->next_stream(&s.session.sender);
    assert_int_equal(
        s.session.sender.ops->request(&s.session.sender, stream, &service, 1, &accept, 1), 0);
    expect_sent(&s, "initiator_request");
    assert_int_equal(s.session.sender.ops->end(&s.session.sender, stream, NULL, 0), 0);
    expect_sent(&s, "initiator_end");
    feed(&s, "responder_response");
    expect_event(&s, FE_EVENT_RESPONSE);
    assert_int_equal(s.event.stream, stream);
    assert_true(s.event.u.response.handled);
    feed(&s, "responder_data");
    expect_event(&s, FE_EVENT_DATA);
    assert_true(fe_view_equal(s.event.u.data, FE_VIEW_LIT("Hello world!")));
    feed(&s, "responder_end");
    expect_event(&s, FE_EVENT_END);
    scripted_deinit(&s);
}

static void responder_says_what_the_vectors_say(void **state)
{
    struct fe_header type = {FE_VIEW_LIT("content-type"), FE_VIEW_LIT("text/plain")};
    struct fe_header header;
    struct fe_sender *sender;
    struct scripted s;
    struct fe_id peer;

    (void)state;
    scripted_init(&s, false);
    sender = &s.session.sender;
    assert_int_equal(s.out.len, 0);
    feed(&s, "initiator_key");
    expect_no_event(&s);
    expect_sent(&s, "responder_key");
    feed(&s, "initiator_hello");
    expect_event(&s, FE_EVENT_HANDSHAKE);
    expect_sent(&s, "responder_hello");
    peer = *s.event.u.handshake.id;

    feed(&s, "initiator_find_node");
    expect_event(&s, FE_EVENT_FIND_NODE);
    assert_memory_equal(s.event.u.target, peer.public_key, FE_KEY_LEN);
    assert_int_equal(sender->ops->nodes(sender, s.event.token, &peer, 1), 0);
    expect_sent(&s, "responder_nodes");

    feed(&s, "initiator_request");
    expect_event(&s, FE_EVENT_REQUEST);
    assert_true(fe_headers_next(&s.event.u.request.headers, &header));
    assert_true(fe_view_equal(header.name, FE_VIEW_LIT("accept")));
    assert_true(fe_view_equal(header.value, FE_VIEW_LIT("*/*")));
    feed(&s, "initiator_end");
    expect_event(&s, FE_EVENT_END);
    assert_int_equal(sender->ops->response(sender, s.event.stream, true, &type, 1), 0);
    expect_sent(&s, "responder_response");
    assert_int_equal(sender->ops->data(sender, s.event.stream, FE_VIEW_LIT("Hello world!")), 0);
    expect_sent(&s, "responder_data");
    assert_int_equal(sender->ops->end(sender, s.event.stream, NULL, 0), 0);
    expect_sent(&s, "responder_end");
    scripted_deinit(&s);
}

/* ---- against each other --------------------------------------------------------------------- */

static void setup_open(struct pair *pair)
{
    pair_init_old(pair, 1);
    assert_int_equal(pair_open(pair), 0);
    assert_int_equal(pair->sides[0].session.state, FE_SESSION_OPEN);
    assert_int_equal(pair->sides[1].session.state, FE_SESSION_OPEN);
}

struct seen {
    unsigned n;
    struct fe_event last;
    size_t n_bytes;
    uint8_t next; /* what the next byte of the counting pattern must be */
};

static void on_event(void *arg, const struct fe_event *event)
{
    struct seen *seen = arg;

    seen->n++;
    seen->last = *event;
    if (event->type == FE_EVENT_DATA) {
        for (size_t i = 0; i < event->u.data.len; i++) {
            assert_int_equal(event->u.data.ptr[i], seen->next++);
        }
        seen->n_bytes += event->u.data.len;
    }
}

static void anonymous_nodes_have_no_id(void **state)
{
    struct seen seen = {0};
    struct flatend_error err;
    struct pair pair;

    (void)state;
    pair_init_old(&pair, 1);
    pair_make_anonymous(&pair, PAIR_INITIATOR);
    assert_int_equal(pair_start(&pair), 0);
    assert_int_equal(pair_carry(&pair, PAIR_INITIATOR, 0, on_event, &seen, &err), 0);
    assert_int_equal(pair_carry(&pair, PAIR_RESPONDER, 0, on_event, &seen, &err), 0);
    assert_int_equal(pair_carry(&pair, PAIR_INITIATOR, 0, on_event, &seen, &err), 0);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.last.type, FE_EVENT_HANDSHAKE);
    assert_null(seen.last.u.handshake.id);
    pair_deinit(&pair);
}

/* Go peers drop the connection on a larger record, and refuse more than 2,048 bytes of Data. */
static void data_is_cut_into_records_that_go_peers_accept(void **state)
{
    struct seen seen = {0};
    struct flatend_error err;
    struct pair pair;
    uint8_t *bytes = malloc(LARGE);
    struct fe_sender *sender;

    (void)state;
    assert_non_null(bytes);
    for (size_t i = 0; i < LARGE; i++) {
        bytes[i] = (uint8_t)i;
    }
    setup_open(&pair);
    sender = pair_sender(&pair, PAIR_INITIATOR);
    assert_int_equal(sender->ops->data(sender, 5, fe_view_of(bytes, LARGE)), 0);
    assert_int_equal(sender->ops->space(sender), 0);
    assert_int_equal(pair_carry(&pair, PAIR_INITIATOR, 0, on_event, &seen, &err), 0);
    assert_int_equal(seen.n_bytes, LARGE);
    assert_int_equal(seen.n, LARGE / 2048);
    assert_int_equal(seen.last.stream, 5);
    assert_int_equal(sender->ops->space(sender), FE_SESSION_OUT_MAX);
    pair_deinit(&pair);
    free(bytes);
}

/* Body sizes around the limit of 4,075 bytes: stream 4, names 1 + 1, headers 2, header 1 + 1 + 2.
 */
enum { REQUEST_OVERHEAD = 4 + 1 + 1 + 2 + 1 + 1 + 2 + 1, VALUE_FITS = 4075 - REQUEST_OVERHEAD };

static int send_request_of(struct pair *pair, size_t value_len)
{
    static const uint8_t value[70000];
    struct fe_sender *sender = pair_sender(pair, PAIR_INITIATOR);
    struct fe_header header = {FE_VIEW_LIT("x"), fe_view_of(value, value_len)};
    struct fe_view service = FE_VIEW_LIT("e");

    return sender->ops->request(sender, 1, &service, 1, &header, 1);
}

static void heads_that_do_not_fit_change_nothing(void **state)
{
    struct seen seen = {0};
    struct flatend_error err;
    struct pair pair;

    (void)state;
    setup_open(&pair);
    assert_int_equal(send_request_of(&pair, VALUE_FITS), 0);
    assert_int_equal(pair.sides[0].out.len, GO_RECORD_MAX);
    assert_int_equal(send_request_of(&pair, VALUE_FITS + 1), FLATEND_ETOOBIG);
    assert_int_equal(send_request_of(&pair, 65536), FLATEND_ETOOBIG);
    assert_int_equal(pair.sides[0].out.len, GO_RECORD_MAX);
    assert_int_equal(send_request_of(&pair, 3), 0);
    assert_int_equal(pair_carry(&pair, PAIR_INITIATOR, 0, on_event, &seen, &err), 0);
    assert_int_equal(seen.n, 2);
    pair_deinit(&pair);
}

static void streams_of_both_sides_never_meet(void **state)
{
    struct pair pair;
    struct fe_sender *initiator, *responder;

    (void)state;
    setup_open(&pair);
    initiator = pair_sender(&pair, PAIR_INITIATOR);
    responder = pair_sender(&pair, PAIR_RESPONDER);
    assert_int_equal(initiator->ops->next_stream(initiator), 0x40000001);
    assert_int_equal(initiator->ops->next_stream(initiator), 0x40000003);
    assert_int_equal(responder->ops->next_stream(responder), 0x40000000);
    assert_int_equal(responder->ops->next_stream(responder), 0x40000002);
    pair.sides[PAIR_INITIATOR].session.next_stream = UINT32_MAX;
    assert_int_equal(initiator->ops->next_stream(initiator), UINT32_MAX);
    assert_int_equal(initiator->ops->next_stream(initiator), 0x40000001);
    pair_deinit(&pair);
}

static void find_node_goes_both_ways_and_is_bounded(void **state)
{
    struct seen seen = {0};
    struct flatend_error err;
    struct pair pair;
    struct fe_sender *asking, *asked;
    const uint8_t target[FE_KEY_LEN] = {7};
    uint32_t token = 0, first = 0;

    (void)state;
    setup_open(&pair);
    asking = pair_sender(&pair, PAIR_RESPONDER);
    asked = pair_sender(&pair, PAIR_INITIATOR);
    assert_int_equal(asking->ops->find_node(asking, target, &first), 0);
    for (unsigned i = 1; i < FE_SESSION_PENDING_MAX; i++) {
        assert_int_equal(asking->ops->find_node(asking, target, &token), 0);
        assert_int_equal(token, first + 2 * i);
    }
    assert_int_equal(asking->ops->find_node(asking, target, &token), FLATEND_ELIMIT);
    assert_int_equal(pair_carry(&pair, PAIR_RESPONDER, 0, on_event, &seen, &err), 0);
    assert_int_equal(seen.n, FE_SESSION_PENDING_MAX);
    assert_int_equal(seen.last.type, FE_EVENT_FIND_NODE);
    assert_memory_equal(seen.last.u.target, target, FE_KEY_LEN);

    assert_int_equal(asked->ops->nodes(asked, first, NULL, 0), 0);
    assert_int_equal(pair_carry(&pair, PAIR_INITIATOR, 0, on_event, &seen, &err), 0);
    assert_int_equal(seen.last.type, FE_EVENT_NODES);
    assert_int_equal(seen.last.token, first);
    assert_int_equal(seen.last.u.nodes.n, 0);
    assert_int_equal(asking->ops->find_node(asking, target, &token), 0);
    pair_deinit(&pair);
}

static void nothing_is_sent_before_the_keys_are_agreed(void **state)
{
    struct pair pair;

    (void)state;
    pair_init_old(&pair, 1);
    assert_int_equal(pair_start(&pair), 0);
    assert_int_equal(send_request_of(&pair, 1), FLATEND_ESTATE);
    assert_int_equal(pair.sides[0].out.len, FE_KEY_LEN);
    pair_deinit(&pair);
}

static void a_handshake_that_fits_no_record_is_our_fault(void **state)
{
    static const uint8_t name[255];
    struct fe_view services[17];
    struct flatend_error err;
    struct pair pair;

    (void)state;
    for (size_t i = 0; i < 17; i++) {
        services[i] = fe_view_of(name, sizeof(name));
    }
    pair_init_old(&pair, 1);
    pair.sides[PAIR_INITIATOR].self.services = services;
    pair.sides[PAIR_INITIATOR].self.n_services = 17;
    assert_int_equal(pair_start(&pair), 0);
    assert_int_equal(pair_carry(&pair, PAIR_INITIATOR, 0, NULL, NULL, &err), 0);
    assert_int_equal(pair_carry(&pair, PAIR_RESPONDER, 0, NULL, NULL, &err), FLATEND_ETOOBIG);
    assert_string_equal(err.text, "our Handshake: too large");
    pair_deinit(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(initiator_says_what_the_vectors_say),
        cmocka_unit_test(responder_says_what_the_vectors_say),
        cmocka_unit_test(anonymous_nodes_have_no_id),
        cmocka_unit_test(data_is_cut_into_records_that_go_peers_accept),
        cmocka_unit_test(heads_that_do_not_fit_change_nothing),
        cmocka_unit_test(streams_of_both_sides_never_meet),
        cmocka_unit_test(find_node_goes_both_ways_and_is_bounded),
        cmocka_unit_test(nothing_is_sent_before_the_keys_are_agreed),
        cmocka_unit_test(a_handshake_that_fits_no_record_is_our_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
