#include "support/tls_talk.h"

#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void on_open(void *owner)
{
    ((struct tls_talk *)owner)->n_open++;
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

static void want(SSL *client, const struct tls_command *command)
{
    if (command->name != NULL) {
        assert_int_equal(SSL_set_tlsext_host_name(client, command->name), 1);
    }
    if (command->alpn != NULL) {
        assert_int_equal(SSL_set_alpn_protos(client, (const unsigned char *)command->alpn,
                                             (unsigned)strlen(command->alpn)),
                         0);
    }
    if (command->version != 0) {
        assert_int_equal(SSL_set_min_proto_version(client, command->version), 1);
        assert_int_equal(SSL_set_max_proto_version(client, command->version), 1);
    }
    if (command->ciphers != NULL) {
        assert_int_equal(SSL_set_cipher_list(client, command->ciphers), 1);
    }
    if (command->session != NULL) {
        assert_int_equal(SSL_set_session(client, command->session), 1);
    }
}

void tls_talk_init(struct tls_talk *talk, struct fe_tls_store *store,
                   const struct tls_command *command)
{
    *talk = (struct tls_talk){.ctx = SSL_CTX_new(TLS_client_method())};
    assert_non_null(talk->ctx);
    SSL_CTX_set_security_level(talk->ctx, 0); /* whatever is refused, the server refuses */
    talk->client = SSL_new(talk->ctx);
    talk->to_client = BIO_new(BIO_s_mem());
    talk->from_client = BIO_new(BIO_s_mem());
    assert_non_null(talk->client);
    SSL_set_bio(talk->client, talk->to_client, talk->from_client);
    SSL_set_connect_state(talk->client);
    want(talk->client, command);
    fe_chain_init(&talk->out, NULL);
    talk->server = fe_tls_server_new(store, &talk->out, &ops, talk);
    assert_non_null(talk->server);
}

void tls_talk_deinit(struct tls_talk *talk)
{
    SSL_free(talk->client);
    SSL_CTX_free(talk->ctx);
    fe_tls_free(talk->server);
    fe_chain_deinit(&talk->out);
}

bool tls_talk_to_server(struct tls_talk *talk)
{
    uint8_t data[16384];
    const int n = BIO_read(talk->from_client, data, sizeof(data));

    if (n <= 0 || talk->code != 0) {
        return false;
    }
    talk->code = fe_tls_feed(talk->server, fe_view_of(data, (size_t)n), &talk->err);
    return true;
}

static bool to_client(struct tls_talk *talk)
{
    uint8_t data[16384];
    const size_t n = fe_chain_read(&talk->out, data, sizeof(data));

    if (n > 0) {
        assert_int_equal(BIO_write(talk->to_client, data, (int)n), n);
    }
    return n > 0;
}

void tls_talk_run(struct tls_talk *talk)
{
    bool has_moved;
    char byte;

    do {
        ERR_clear_error();
        (void)SSL_do_handshake(talk->client);
        (void)SSL_read(talk->client, &byte, 1);
        has_moved = tls_talk_to_server(talk);
        has_moved = to_client(talk) || has_moved;
    } while (has_moved);
}

static void look(const struct tls_talk *talk, struct tls_result *result)
{
    X509 *cert = SSL_get0_peer_certificate(talk->client);
    const unsigned char *alpn;
    unsigned len;

    *result = (struct tls_result){.code = talk->code};
    if (cert != NULL) {
        (void)X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName,
                                        result->subject, sizeof(result->subject));
    }
    SSL_get0_alpn_selected(talk->client, &alpn, &len);
    if (len > 0) {
        memcpy(result->alpn, alpn, len);
    }
    result->version = SSL_version(talk->client);
    result->is_resumed = SSL_session_reused(talk->client) == 1;
    result->protocol = fe_tls_protocol(talk->server);
    result->session = SSL_get1_session(talk->client);
}

void tls_ask(struct fe_tls_store *store, const struct tls_command *command,
             struct tls_result *result)
{
    struct tls_talk talk;

    tls_talk_init(&talk, store, command);
    tls_talk_run(&talk);
    look(&talk, result);
    assert_int_equal(talk.n_open, talk.code == 0 ? 1 : 0);
    if (talk.code == 0) {
        (void)SSL_shutdown(talk.client); /* else OpenSSL forgets the session */
    }
    tls_talk_deinit(&talk);
}
