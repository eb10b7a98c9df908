/* Which certificate a client gets, and what a session ticket is good for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "support/tls_ends.h"
#include "support/tls_talk.h"

#define LOCALHOST FE_VIEW_LIT("localhost")

static int set_up(void **state)
{
    struct tls_world *world = malloc(sizeof(*world));

    assert_non_null(world);
    tls_world_init(world);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    tls_world_deinit(*state);
    free(*state);
    return 0;
}

static void expect(struct fe_tls_store *store, const char *name, const char *subject)
{
    const struct tls_command command = {.name = name};
    struct tls_result result;

    tls_ask(store, &command, &result);
    assert_int_equal(result.code, 0);
    assert_string_equal(result.subject, subject);
    SSL_SESSION_free(result.session);
}

static void test_names(void **state)
{
    struct tls_world *world = *state;
    struct fe_cert *certs[] = {
        tls_world_issue(world, "default.test"),
        tls_world_issue(world, "*.wild.test"),
        tls_world_issue(world, "exact.wild.test"),
    };
    struct fe_cert *found;

    assert_int_equal(fe_tls_store_set(world->store, certs, 3), 0);
    expect(world->store, "default.test", "default.test");
    expect(world->store, "a.wild.test", "*.wild.test");
    expect(world->store, "exact.wild.test", "exact.wild.test"); /* before the wildcard */
    expect(world->store, "EXACT.Wild.Test", "exact.wild.test");
    expect(world->store, "b.a.wild.test", "default.test");
    expect(world->store, "unknown.test", "default.test");
    expect(world->store, NULL, "default.test");
    found = fe_tls_store_find(world->store, FE_VIEW_LIT("a.wild.test"));
    assert_ptr_equal(found, certs[1]);
    fe_cert_unref(found);
    found = fe_tls_store_find(world->store, FE_VIEW_LIT(""));
    assert_ptr_equal(found, certs[0]);
    fe_cert_unref(found);
    for (size_t i = 0; i < 3; i++) {
        fe_cert_unref(certs[i]);
    }
}

/* As before the first one is issued: every client is turned away. */
static void test_no_certificate(void **state)
{
    struct tls_world *world = *state;
    const struct tls_command command = {.name = "localhost"};
    struct fe_tls_store *store;
    struct tls_result result;

    assert_int_equal(fe_tls_store_new(world->tickets, FE_VIEW_LIT("x"), true, &store), 0);
    assert_null(fe_tls_store_find(store, LOCALHOST));
    tls_ask(store, &command, &result);
    assert_int_equal(result.code, FLATEND_EPROTO);
    SSL_SESSION_free(result.session);
    fe_tls_store_free(store);
}

/* ---- protocols ------------------------------------------------------------------------------ */

static void test_alpn(void **state)
{
    static const struct {
        const char *offered;
        bool h2; /* the server's */
        const char *chosen;
        enum fe_tls_protocol protocol;
    } cases[] = {
        {NULL, true, "", FE_TLS_NO_PROTOCOL},
        {"\10http/1.1", true, "http/1.1", FE_TLS_HTTP_1_1},
        {"\10http/1.1\2h2", true, "h2", FE_TLS_HTTP_2},
        {"\2h2\10http/1.1", false, "http/1.1", FE_TLS_HTTP_1_1},
        /* Beside others it means nothing. */
        {"\12acme-tls/1\2h2", true, "h2", FE_TLS_HTTP_2},
    };
    struct tls_world *world = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct tls_command command = {.name = "localhost", .alpn = cases[i].offered};
        struct fe_cert *cert = fe_tls_store_find(world->store, LOCALHOST);
        struct fe_tls_store *store;
        struct tls_result result;

        assert_int_equal(fe_tls_store_new(world->tickets, FE_VIEW_LIT("x"), cases[i].h2, &store),
                         0);
        assert_int_equal(fe_tls_store_set(store, &cert, 1), 0);
        fe_cert_unref(cert);
        tls_ask(store, &command, &result);
        assert_int_equal(result.code, 0);
        assert_string_equal(result.alpn, cases[i].chosen);
        assert_int_equal(result.protocol, cases[i].protocol);
        SSL_SESSION_free(result.session);
        fe_tls_store_free(store);
    }
}

/* RFC 7301 §3.2: nothing in common ends the connection. */
static void test_alpn_in_vain(void **state)
{
    static const char *const offers[] = {"\4spdy", "\2h2", "\12acme-tls/1"};
    struct tls_world *world = *state;

    for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
        const struct tls_command command = {.name = "localhost", .alpn = offers[i]};
        struct tls_result result;

        tls_ask(world->store, &command, &result);
        assert_int_equal(result.code, FLATEND_EPROTO);
        SSL_SESSION_free(result.session);
    }
}

/* The CA, and only it, is shown the challenge's certificate; until it is taken away. */
static void test_challenge(void **state)
{
    const struct tls_command ca = {.name = "a.test", .alpn = "\12acme-tls/1"};
    const struct tls_command other = {.name = "b.test", .alpn = "\12acme-tls/1"};
    struct tls_world *world = *state;
    struct fe_cert *first = tls_world_issue(world, "first.challenge.test");
    struct fe_cert *second = tls_world_issue(world, "second.challenge.test");
    struct fe_view name = FE_VIEW_LIT("a.test");
    struct tls_result result;

    assert_int_equal(fe_tls_store_set_challenge(world->store, name, first), 0);
    tls_ask(world->store, &ca, &result);
    assert_int_equal(result.code, 0);
    assert_string_equal(result.subject, "first.challenge.test");
    assert_int_equal(result.protocol, FE_TLS_ACME);
    SSL_SESSION_free(result.session);
    assert_int_equal(fe_tls_store_set_challenge(world->store, name, second), 0);
    tls_ask(world->store, &ca, &result);
    assert_string_equal(result.subject, "second.challenge.test");
    SSL_SESSION_free(result.session);
    tls_ask(world->store, &other, &result);
    assert_int_equal(result.code, FLATEND_EPROTO);
    SSL_SESSION_free(result.session);
    expect(world->store, "localhost", "localhost");
    assert_int_equal(fe_tls_store_set_challenge(world->store, name, NULL), 0);
    assert_int_equal(fe_tls_store_set_challenge(world->store, name, NULL), 0);
    tls_ask(world->store, &ca, &result);
    assert_int_equal(result.code, FLATEND_EPROTO);
    SSL_SESSION_free(result.session);
    fe_cert_unref(first);
    fe_cert_unref(second);
}

static void test_many_challenges(void **state)
{
    struct tls_world *world = *state;
    struct fe_cert *cert = fe_tls_store_find(world->store, LOCALHOST);
    char name[16];

    for (int i = 0; i < FE_TLS_CHALLENGES_MAX; i++) {
        (void)snprintf(name, sizeof(name), "%d.test", i);
        assert_int_equal(fe_tls_store_set_challenge(world->store, fe_view_str(name), cert), 0);
    }
    assert_int_equal(fe_tls_store_set_challenge(world->store, FE_VIEW_LIT("more.test"), cert),
                     FLATEND_ELIMIT);
    for (int i = 0; i < FE_TLS_CHALLENGES_MAX; i++) {
        (void)snprintf(name, sizeof(name), "%d.test", i);
        assert_int_equal(fe_tls_store_set_challenge(world->store, fe_view_str(name), NULL), 0);
    }
    fe_cert_unref(cert);
}

/* ---- versions and ciphers ------------------------------------------------------------------- */

static void test_versions(void **state)
{
    static const struct {
        int version;
        int code;
    } cases[] = {
        {TLS1_3_VERSION, 0},
        {TLS1_2_VERSION, 0},
        {TLS1_1_VERSION, FLATEND_EPROTO},
        {TLS1_VERSION, FLATEND_EPROTO},
    };
    struct tls_world *world = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct tls_command command = {.name = "localhost", .version = cases[i].version};
        struct tls_result result;

        tls_ask(world->store, &command, &result);
        assert_int_equal(result.code, cases[i].code);
        SSL_SESSION_free(result.session);
    }
}

static void test_ciphers(void **state)
{
    static const struct {
        const char *ciphers;
        int code;
    } cases[] = {
        {"ECDHE-ECDSA-AES128-GCM-SHA256", 0},          {"ECDHE-ECDSA-CHACHA20-POLY1305", 0},
        {"ECDHE-ECDSA-AES128-SHA", FLATEND_EPROTO}, /* CBC */
        {"AES128-GCM-SHA256", FLATEND_EPROTO},      /* no forward secrecy */
        {"DHE-RSA-AES128-GCM-SHA256", FLATEND_EPROTO},
    };
    struct tls_world *world = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct tls_command command = {
            .name = "localhost", .version = TLS1_2_VERSION, .ciphers = cases[i].ciphers};
        struct tls_result result;

        tls_ask(world->store, &command, &result);
        assert_int_equal(result.code, cases[i].code);
        SSL_SESSION_free(result.session);
    }
}

/* ---- tickets -------------------------------------------------------------------------------- */

static bool is_resumed(struct fe_tls_store *store, int version, SSL_SESSION *session)
{
    const struct tls_command command = {
        .name = "localhost", .version = version, .session = session};
    struct tls_result result;

    tls_ask(store, &command, &result);
    assert_int_equal(result.code, 0);
    SSL_SESSION_free(result.session);
    return result.is_resumed;
}

static void resume(struct tls_world *world, int version)
{
    const struct tls_command command = {.name = "localhost", .version = version};
    struct fe_cert *cert = fe_tls_store_find(world->store, LOCALHOST);
    struct fe_tls_store *other;
    struct tls_result first;

    tls_ask(world->store, &command, &first);
    assert_false(first.is_resumed);
    assert_true(is_resumed(world->store, version, first.session));
    /* Another listener with the same keys is another server. */
    assert_int_equal(fe_tls_store_new(world->tickets, FE_VIEW_LIT("other"), false, &other), 0);
    assert_int_equal(fe_tls_store_set(other, &cert, 1), 0);
    fe_cert_unref(cert);
    assert_false(is_resumed(other, version, first.session));
    fe_tls_store_free(other);
    for (int i = 1; i < FE_TLS_TICKETS_KEPT; i++) {
        assert_int_equal(fe_tls_tickets_rotate(world->tickets), 0);
        assert_true(is_resumed(world->store, version, first.session));
    }
    assert_int_equal(fe_tls_tickets_rotate(world->tickets), 0);
    assert_false(is_resumed(world->store, version, first.session));
    SSL_SESSION_free(first.session);
}

/* Clients of TLS 1.3 use a ticket once (RFC 8446 §C.4): each connection that it opens brings the
 * next one. */
static void test_tickets_are_used_once(void **state)
{
    const struct tls_world *world = *state;
    struct tls_command command = {.name = "localhost", .version = TLS1_3_VERSION};
    struct tls_result result;

    tls_ask(world->store, &command, &result);
    for (int i = 0; i < 3; i++) {
        SSL_SESSION *used = result.session;
        const unsigned char *tickets[2];
        size_t lens[2];

        command.session = used;
        tls_ask(world->store, &command, &result);
        assert_int_equal(result.code, 0);
        assert_true(result.is_resumed);
        assert_non_null(result.session);
        SSL_SESSION_get0_ticket(used, &tickets[0], &lens[0]);
        SSL_SESSION_get0_ticket(result.session, &tickets[1], &lens[1]);
        assert_true(lens[0] != lens[1] || memcmp(tickets[0], tickets[1], lens[0]) != 0);
        SSL_SESSION_free(used);
    }
    SSL_SESSION_free(result.session);
}

static void test_tickets(void **state)
{
    resume(*state, TLS1_3_VERSION);
    resume(*state, TLS1_2_VERSION);
}

/* ---- floods --------------------------------------------------------------------------------- */

/* A client of TLS 1.2 that asks again and again to begin anew is told no, and given up once it
 * leaves too much of that unread. */
static void test_renegotiation(void **state)
{
    const struct tls_command command = {.name = "localhost", .version = TLS1_2_VERSION};
    struct tls_world *world = *state;
    struct tls_talk talk;
    size_t before;

    tls_talk_init(&talk, world->store, &command);
    tls_talk_run(&talk);
    assert_int_equal(talk.n_open, 1);
    before = talk.out.len;
    assert_int_equal(SSL_renegotiate(talk.client), 1);
    (void)SSL_do_handshake(talk.client);
    (void)tls_talk_to_server(&talk);
    /* Either it is told, or the connection is over; never a second handshake. */
    assert_int_equal(talk.n_open, 1);
    assert_true(talk.code != 0 || talk.out.len > before);
    assert_in_range(talk.out.len - before, 0, 256);
    tls_talk_deinit(&talk);
}

/* In TLS 1.3 the same with keys: each request for new ones has to be answered. */
static void test_key_updates(void **state)
{
    const struct tls_command command = {.name = "localhost", .version = TLS1_3_VERSION};
    struct tls_world *world = *state;
    struct tls_talk talk;

    tls_talk_init(&talk, world->store, &command);
    tls_talk_run(&talk);
    for (int i = 0; i < 20000 && talk.code == 0; i++) {
        assert_int_equal(SSL_key_update(talk.client, SSL_KEY_UPDATE_REQUESTED), 1);
        (void)SSL_do_handshake(talk.client);
        (void)tls_talk_to_server(&talk);
        assert_in_range(talk.out.len, 0, FE_TLS_OUT_FLOOD + 64);
    }
    tls_talk_deinit(&talk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_certificate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_alpn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_alpn_in_vain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_challenge, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_challenges, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_versions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ciphers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tickets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tickets_are_used_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_renegotiation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_key_updates, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
