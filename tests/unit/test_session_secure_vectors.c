/* The secure session against the vectors: every byte of a conversation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "mesh/session/record.h"
#include "mesh/session/session.h"
#include "mesh/wire/secure.h"
#include "support/vectors.h"

struct scripted {
    struct fe_trust trust;
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
    vector_load(vector, "secure_session.txt", name);
}

/* An "rng" that yields the ephemeral key of the vectors. */
static void fill_from_vector(void *arg, void *buf, size_t len)
{
    const struct vector *vector = arg;

    assert_int_equal(len, vector->len);
    memcpy(buf, vector->bytes, len);
}

static void scripted_init(struct scripted *s, bool is_initiator, bool has_secret)
{
    struct vector vector;

    *s = (struct scripted){0};
    load(&vector, is_initiator ? "initiator_identity" : "responder_identity");
    memcpy(s->self.secret.bytes, vector.bytes, sizeof(s->self.secret.bytes));
    memcpy(s->self.id.public_key, fe_ed25519_public(&s->self.secret), FE_KEY_LEN);
    if (is_initiator) {
        s->self.id.addr = (struct fe_ip_addr){FE_IPV4, {127, 0, 0, 1}, 9000};
        s->self.is_anonymous = has_secret;
    } else {
        s->self.id.addr = (struct fe_ip_addr){FE_IPV6, {[15] = 1}, 9001};
        s->service = FE_VIEW_LIT("hello_world");
        s->self.services = &s->service;
        s->self.n_services = 1;
    }
    if (has_secret) {
        load(&vector, "mesh_secret");
        s->trust.has_secret = true;
        memcpy(s->trust.secret, vector.bytes, sizeof(s->trust.secret));
        s->self.trust = &s->trust;
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

/* What is sent by now is exactly this vector. */
static void expect_sent(struct scripted *s, const char *name)
{
    struct vector expected;
    uint8_t sent[VECTOR_MAX];

    load(&expected, name);
    assert_int_equal(fe_session_flush(&s->session), 0);
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
    if (fe_session_next(&s->session, &s->event, &s->err) != 1) {
        fail_msg("no event: %s", s->err.text);
    }
    assert_int_equal(s->event.type, type);
}

static void expect_no_event(struct scripted *s)
{
    assert_int_equal(fe_session_next(&s->session, &s->event, &s->err), 0);
}

/* Up to the Handshakes. */
static void shake(struct scripted *s, bool is_initiator, const char *prefix)
{
    char hello[64], answer[64];

    snprintf(hello, sizeof(hello), "%sinitiator_hello", prefix);
    snprintf(answer, sizeof(answer), "%sresponder_hello", prefix);
    if (is_initiator) {
        expect_sent(s, "initiator_key");
        feed(s, "responder_key");
        expect_no_event(s);
        expect_sent(s, hello);
        feed(s, answer);
        expect_event(s, FE_EVENT_HANDSHAKE);
    } else {
        feed(s, "initiator_key");
        expect_no_event(s);
        expect_sent(s, "responder_key");
        feed(s, hello);
        expect_event(s, FE_EVENT_HANDSHAKE);
        expect_sent(s, answer);
    }
    expect_no_event(s);
}

static void expect_flow(const struct fe_sender *sender)
{
    assert_true(fe_sender_is_secure(sender));
    assert_int_equal(sender->flow.stream_out, 64 * 1024);
    assert_int_equal(sender->flow.connection_out, 16 * 1024 * 1024);
    assert_int_equal(sender->flow.stream_in, 64 * 1024);
    assert_int_equal(sender->flow.connection_in, 16 * 1024 * 1024);
    assert_int_equal(sender->flow.streams_out, 4096);
}

/* "query.nnn…", longer than an ordinary header's name may be. */
static struct fe_header long_header(char name[6 + 250 + 1])
{
    snprintf(name, 6 + 250 + 1, "query.%0250d", 0);
    for (size_t i = 6; i < 6 + 250; i++) {
        name[i] = 'n';
    }
    return (struct fe_header){.name = fe_view_of(name, 6 + 250)};
}

static void initiator_says_what_the_vectors_say(void **state)
{
    struct fe_header accept = {FE_VIEW_LIT("accept"), FE_VIEW_LIT("*/*")};
    struct fe_view service = FE_VIEW_LIT("hello_world");
    char name[6 + 250 + 1];
    struct fe_header header = long_header(name);
    struct scripted s;
    struct fe_sender *sender = &s.session.sender;

    (void)state;
    scripted_init(&s, true, false);
    shake(&s, true, "");
    assert_true(s.session.has_peer_id);
    expect_flow(sender);

    assert_int_equal(sender->ops->next_stream(sender), 1);
    assert_int_equal(sender->ops->request(sender, 1, &service, 1, &accept, 1), 0);
    assert_int_equal(sender->ops->end(sender, 1, NULL, 0), 0);
    expect_sent(&s, "initiator_request");
    feed(&s, "responder_response");
    expect_event(&s, FE_EVENT_RESPONSE);
    assert_true(s.event.u.response.handled);
    expect_event(&s, FE_EVENT_DATA);
    assert_true(fe_view_equal(s.event.u.data, FE_VIEW_LIT("Hello world!")));
    expect_event(&s, FE_EVENT_END);
    assert_int_equal(s.event.stream, 1);
    assert_int_equal(s.event.u.trailers.n, 0);
    expect_no_event(&s);
    assert_int_equal(sender->ops->window(sender, 0, 12), 0);
    expect_sent(&s, "initiator_window");

    s.session.sent = FE_SECURE_REKEY_RECORDS;
    assert_int_equal(sender->ops->ping(sender, 0x123456789abcdef0), 0);
    expect_sent(&s, "initiator_rekeyed");
    feed(&s, "responder_pong");
    expect_event(&s, FE_EVENT_PONG);
    assert_true(s.event.u.ping == 0x123456789abcdef0);

    s.session.plaintext_max = FE_SECURE_HEADER_SIZE + 100;
    assert_int_equal(sender->ops->request(sender, 3, &service, 1, &header, 1), 0);
    expect_sent(&s, "initiator_head");
    scripted_deinit(&s);
}

static void responder_says_what_the_vectors_say(void **state)
{
    struct fe_header type = {FE_VIEW_LIT("content-type"), FE_VIEW_LIT("text/plain")};
    char name[6 + 250 + 1];
    struct fe_header received;
    struct scripted s;
    struct fe_sender *sender = &s.session.sender;

    (void)state;
    scripted_init(&s, false, false);
    shake(&s, false, "");
    expect_flow(sender);

    feed(&s, "initiator_request");
    expect_event(&s, FE_EVENT_REQUEST);
    assert_int_equal(s.event.stream, 1);
    expect_event(&s, FE_EVENT_END);
    expect_no_event(&s);
    assert_int_equal(sender->ops->response(sender, 1, true, &type, 1), 0);
    assert_int_equal(sender->ops->data(sender, 1, FE_VIEW_LIT("Hello world!")), 0);
    assert_int_equal(sender->ops->end(sender, 1, NULL, 0), 0);
    expect_sent(&s, "responder_response");
    feed(&s, "initiator_window");
    expect_event(&s, FE_EVENT_WINDOW);
    assert_int_equal(s.event.stream, 0);
    assert_int_equal(s.event.u.increment, 12);

    s.session.received = FE_SECURE_REKEY_RECORDS;
    feed(&s, "initiator_rekeyed");
    expect_no_event(&s);
    expect_sent(&s, "responder_pong");

    feed(&s, "initiator_head");
    expect_event(&s, FE_EVENT_REQUEST);
    assert_int_equal(s.event.stream, 3);
    assert_true(fe_headers_next(&s.event.u.request.headers, &received));
    assert_true(fe_view_equal(received.name, long_header(name).name));
    assert_int_equal(received.value.len, 0);
    expect_no_event(&s);
    scripted_deinit(&s);
}

/* With a mesh secret, and an anonymous initiator. */
static void both_say_what_the_vectors_with_a_secret_say(void **state)
{
    struct scripted s;

    (void)state;
    scripted_init(&s, true, true);
    shake(&s, true, "secret_");
    scripted_deinit(&s);
    scripted_init(&s, false, true);
    shake(&s, false, "secret_");
    assert_false(s.session.has_peer_id);
    scripted_deinit(&s);
}

/* A node with a secret answers one without it as the vectors say, and that one understands. */
static void a_refusal_is_what_the_vectors_say(void **state)
{
    struct scripted s;

    (void)state;
    scripted_init(&s, false, true);
    feed(&s, "initiator_key");
    expect_no_event(&s);
    expect_sent(&s, "responder_key");
    feed(&s, "initiator_hello");
    assert_int_equal(fe_session_next(&s.session, &s.event, &s.err), FLATEND_EDENIED);
    assert_string_equal(s.err.text, "a mesh secret is required");
    expect_sent(&s, "refusal_of_k");
    scripted_deinit(&s);

    scripted_init(&s, true, false);
    expect_sent(&s, "initiator_key");
    feed(&s, "responder_key");
    expect_no_event(&s);
    expect_sent(&s, "initiator_hello");
    feed(&s, "refusal_of_k");
    assert_int_equal(fe_session_next(&s.session, &s.event, &s.err), FLATEND_EDENIED);
    assert_string_equal(s.err.text, "rejected by the peer: a mesh secret is required");
    assert_true(s.session.is_refused);
    scripted_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(initiator_says_what_the_vectors_say),
        cmocka_unit_test(responder_says_what_the_vectors_say),
        cmocka_unit_test(both_say_what_the_vectors_with_a_secret_say),
        cmocka_unit_test(a_refusal_is_what_the_vectors_say),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
