/* Which certificate a client gets, and what a session ticket is good for: with OpenSSL's own
 * client, which can ask for everything. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "support/tls_ends.h"

#define LOCALHOST FE_VIEW_LIT("localhost")

struct client {
    SSL *ssl;
    BIO *in;  /* to the client */
    BIO *out; /* from it */
};

struct server {
    struct fe_tls *tls;
    struct fe_chain out;
    int n_open;
    int code;
    struct flatend_error err;
};

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

static void on_open(void *owner)
{
    ((struct server *)owner)->n_open++;
}

static void on_read(void *owner, uint8_t *data, size_t len)
{
    (void)owner;
    (void)data;
    (void)len;
}

static void on_eof(void *owner)
{
    (void)owner;
}

static const struct fe_tls_ops ops = {.on_open = on_open, .on_read = on_read, .on_eof = on_eof};

/* What a client asks for. */
struct wish {
    const char *name; /* NULL: none */
    const char *alpn; /* in the form of the wire; NULL: none */
    int version;      /* 0: any */
    const char *ciphers;
    SSL_SESSION *session;
};

static void client_init(struct client *client, SSL_CTX *ctx, const struct wish *wish)
{
    client->ssl = SSL_new(ctx);
    client->in = BIO_new(BIO_s_mem());
    client->out = BIO_new(BIO_s_mem());
    assert_non_null(client->ssl);
    SSL_set_bio(client->ssl, client->in, client->out);
    SSL_set_connect_state(client->ssl);
    if (wish->name != NULL) {
        assert_int_equal(SSL_set_tlsext_host_name(client->ssl, wish->name), 1);
    }
    if (wish->alpn != NULL) {
        assert_int_equal(SSL_set_alpn_protos(client->ssl, (const unsigned char *)wish->alpn,
                                             (unsigned)strlen(wish->alpn)),
                         0);
    }
    if (wish->version != 0) {
        assert_int_equal(SSL_set_min_proto_version(client->ssl, wish->version), 1);
        assert_int_equal(SSL_set_max_proto_version(client->ssl, wish->version), 1);
    }
    if (wish->ciphers != NULL) {
        assert_int_equal(SSL_set_cipher_list(client->ssl, wish->ciphers), 1);
    }
    if (wish->session != NULL) {
        assert_int_equal(SSL_set_session(client->ssl, wish->session), 1);
    }
}

static bool to_server(struct client *client, struct server *server)
{
    uint8_t data[16384];
    const int n = BIO_read(client->out, data, sizeof(data));

    if (n <= 0 || server->code != 0) {
        return false;
    }
    server->code = fe_tls_feed(server->tls, fe_view_of(data, (size_t)n), &server->err);
    return true;
}

static bool to_client(struct server *server, struct client *client)
{
    uint8_t data[16384];
    const size_t n = fe_chain_read(&server->out, data, sizeof(data));

    if (n > 0) {
        assert_int_equal(BIO_write(client->in, data, (int)n), n);
    }
    return n > 0;
}

/* As far as it goes; tickets that follow the handshake are read too. */
static void talk(struct client *client, struct server *server)
{
    bool has_moved;
    char byte;

    do {
        ERR_clear_error();
        (void)SSL_do_handshake(client->ssl);
        (void)SSL_read(client->ssl, &byte, 1);
        has_moved = to_server(client, server);
        has_moved = to_client(server, client) || has_moved;
    } while (has_moved);
}

struct result {
    int code; /* of the server */
    char subject[128];
    char alpn[32];
    int version;
    bool is_resumed;
    enum fe_tls_protocol protocol;
    SSL_SESSION *session; /* to be freed */
};

static void look(const struct client *client, const struct server *server, struct result *result)
{
    X509 *cert = SSL_get0_peer_certificate(client->ssl);
    const unsigned char *alpn;
    unsigned len;

    *result = (struct result){.code = server->code};
    if (cert != NULL) {
        (void)X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName,
                                        result->subject, sizeof(result->subject));
    }
    SSL_get0_alpn_selected(client->ssl, &alpn, &len);
    if (len > 0) {
        memcpy(result->alpn, alpn, len);
    }
    result->version = SSL_version(client->ssl);
    result->is_resumed = SSL_session_reused(client->ssl) == 1;
    result->protocol = fe_tls_protocol(server->tls);
    result->session = SSL_get1_session(client->ssl);
}

static void ask(struct fe_tls_store *store, const struct wish *wish, struct result *result)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    struct server server = {0};
    struct client client;

    assert_non_null(ctx);
    SSL_CTX_set_security_level(ctx, 0); /* whatever is refused, the server refuses */
    fe_chain_init(&server.out, NULL);
    server.tls = fe_tls_server_new(store, &server.out, &ops, &server);
    assert_non_null(server.tls);
    client_init(&client, ctx, wish);
    talk(&client, &server);
    look(&client, &server, result);
    assert_int_equal(server.n_open, server.code == 0 ? 1 : 0);
    if (server.code == 0) {
        (void)SSL_shutdown(client.ssl); /* else OpenSSL forgets the session */
    }
    SSL_free(client.ssl);
    fe_tls_free(server.tls);
    fe_chain_deinit(&server.out);
    SSL_CTX_free(ctx);
}

static void expect(struct fe_tls_store *store, const char *name, const char *subject)
{
    const struct wish wish = {.name = name};
    struct result result;

    ask(store, &wish, &result);
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

    assert_int_equal(fe_tls_store_set(world->store, certs, 3), 0);
    expect(world->store, "default.test", "default.test");
    expect(world->store, "a.wild.test", "*.wild.test");
    expect(world->store, "exact.wild.test", "exact.wild.test"); /* before the wildcard */
    expect(world->store, "EXACT.Wild.Test", "exact.wild.test");
    expect(world->store, "b.a.wild.test", "default.test");
    expect(world->store, "unknown.test", "default.test");
    expect(world->store, NULL, "default.test");
    assert_ptr_equal(fe_tls_store_find(world->store, FE_VIEW_LIT("a.wild.test")), certs[1]);
    assert_ptr_equal(fe_tls_store_find(world->store, FE_VIEW_LIT("")), certs[0]);
    for (size_t i = 0; i < 3; i++) {
        fe_cert_unref(certs[i]);
    }
}

/* ---- protocols ---------------------------------------------------------------------------- */

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
        const struct wish wish = {.name = "localhost", .alpn = cases[i].offered};
        struct fe_cert *cert = fe_tls_store_find(world->store, LOCALHOST);
        struct fe_tls_store *store;
        struct result result;

        assert_int_equal(fe_tls_store_new(world->tickets, FE_VIEW_LIT("x"), cases[i].h2, &store),
                         0);
        assert_int_equal(fe_tls_store_set(store, &cert, 1), 0);
        ask(store, &wish, &result);
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
        const struct wish wish = {.name = "localhost", .alpn = offers[i]};
        struct result result;

        ask(world->store, &wish, &result);
        assert_int_equal(result.code, FLATEND_EPROTO);
        SSL_SESSION_free(result.session);
    }
}

/* The CA, and only it, is shown the challenge's certificate; until it is taken away. */
static void test_challenge(void **state)
{
    const struct wish ca = {.name = "a.test", .alpn = "\12acme-tls/1"};
    const struct wish other = {.name = "b.test", .alpn = "\12acme-tls/1"};
    struct tls_world *world = *state;
    struct fe_cert *first = tls_world_issue(world, "first.challenge.test");
    struct fe_cert *second = tls_world_issue(world, "second.challenge.test");
    struct fe_view name = FE_VIEW_LIT("a.test");
    struct result result;

    assert_int_equal(fe_tls_store_set_challenge(world->store, name, first), 0);
    ask(world->store, &ca, &result);
    assert_int_equal(result.code, 0);
    assert_string_equal(result.subject, "first.challenge.test");
    assert_int_equal(result.protocol, FE_TLS_ACME);
    SSL_SESSION_free(result.session);
    assert_int_equal(fe_tls_store_set_challenge(world->store, name, second), 0);
    ask(world->store, &ca, &result);
    assert_string_equal(result.subject, "second.challenge.test");
    SSL_SESSION_free(result.session);
    ask(world->store, &other, &result);
    assert_int_equal(result.code, FLATEND_EPROTO);
    SSL_SESSION_free(result.session);
    expect(world->store, "localhost", "localhost");
    assert_int_equal(fe_tls_store_set_challenge(world->store, name, NULL), 0);
    assert_int_equal(fe_tls_store_set_challenge(world->store, name, NULL), 0);
    ask(world->store, &ca, &result);
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
}

/* ---- versions and ciphers ----------------------------------------------------------------- */

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
        const struct wish wish = {.name = "localhost", .version = cases[i].version};
        struct result result;

        ask(world->store, &wish, &result);
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
        const struct wish wish = {
            .name = "localhost", .version = TLS1_2_VERSION, .ciphers = cases[i].ciphers};
        struct result result;

        ask(world->store, &wish, &result);
        assert_int_equal(result.code, cases[i].code);
        SSL_SESSION_free(result.session);
    }
}

/* ---- tickets ------------------------------------------------------------------------------ */

static bool is_resumed(struct fe_tls_store *store, int version, SSL_SESSION *session)
{
    const struct wish wish = {.name = "localhost", .version = version, .session = session};
    struct result result;

    ask(store, &wish, &result);
    assert_int_equal(result.code, 0);
    SSL_SESSION_free(result.session);
    return result.is_resumed;
}

static void resume(struct tls_world *world, int version)
{
    const struct wish wish = {.name = "localhost", .version = version};
    struct fe_cert *cert = fe_tls_store_find(world->store, LOCALHOST);
    struct fe_tls_store *other;
    struct result first;

    ask(world->store, &wish, &first);
    assert_false(first.is_resumed);
    assert_true(is_resumed(world->store, version, first.session));
    /* Another listener with the same keys is another server. */
    assert_int_equal(fe_tls_store_new(world->tickets, FE_VIEW_LIT("other"), false, &other), 0);
    assert_int_equal(fe_tls_store_set(other, &cert, 1), 0);
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

static void test_tickets(void **state)
{
    resume(*state, TLS1_3_VERSION);
    resume(*state, TLS1_2_VERSION);
}

/* ---- floods ------------------------------------------------------------------------------- */

/* A client of TLS 1.2 that asks again and again to begin anew is told no, and given up once it
 * leaves too much of that unread. */
static void test_renegotiation(void **state)
{
    const struct wish wish = {.name = "localhost", .version = TLS1_2_VERSION};
    struct tls_world *world = *state;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    struct server server = {0};
    struct client client;
    size_t before;

    fe_chain_init(&server.out, NULL);
    server.tls = fe_tls_server_new(world->store, &server.out, &ops, &server);
    client_init(&client, ctx, &wish);
    talk(&client, &server);
    assert_int_equal(server.n_open, 1);
    before = server.out.len;
    assert_int_equal(SSL_renegotiate(client.ssl), 1);
    (void)SSL_do_handshake(client.ssl);
    (void)to_server(&client, &server);
    /* Either it is told, or the connection is over; never a second handshake. */
    assert_int_equal(server.n_open, 1);
    assert_true(server.code != 0 || server.out.len > before);
    assert_in_range(server.out.len - before, 0, 256);
    SSL_free(client.ssl);
    fe_tls_free(server.tls);
    fe_chain_deinit(&server.out);
    SSL_CTX_free(ctx);
}

/* In TLS 1.3 the same with keys: each request for new ones has to be answered. */
static void test_key_updates(void **state)
{
    const struct wish wish = {.name = "localhost", .version = TLS1_3_VERSION};
    struct tls_world *world = *state;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    struct server server = {0};
    struct client client;

    fe_chain_init(&server.out, NULL);
    server.tls = fe_tls_server_new(world->store, &server.out, &ops, &server);
    client_init(&client, ctx, &wish);
    talk(&client, &server);
    for (int i = 0; i < 20000 && server.code == 0; i++) {
        assert_int_equal(SSL_key_update(client.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        (void)SSL_do_handshake(client.ssl);
        (void)to_server(&client, &server);
        assert_in_range(server.out.len, 0, FE_TLS_OUT_FLOOD + 64);
    }
    SSL_free(client.ssl);
    fe_tls_free(server.tls);
    fe_chain_deinit(&server.out);
    SSL_CTX_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_alpn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_alpn_in_vain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_challenge, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_challenges, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_versions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ciphers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tickets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_renegotiation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_key_updates, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
