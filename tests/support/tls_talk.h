/* A server's end and a client of OpenSSL's own, which can ask for everything. Any thread. */
#ifndef TESTS_SUPPORT_TLS_TALK_H
#define TESTS_SUPPORT_TLS_TALK_H

#include <openssl/ssl.h>

#include "web/tls/tls.h"

/* What a client asks for. */
struct tls_command {
    const char *name; /* NULL: none */
    const char *alpn; /* in the form of the wire; NULL: none */
    int version;      /* 0: any */
    const char *ciphers;
    SSL_SESSION *session;
};

struct tls_talk {
    SSL_CTX *ctx; /* of the client */
    SSL *client;
    BIO *to_client;
    BIO *from_client;
    struct fe_tls *server;
    struct fe_chain out; /* of the server */
    int n_open;          /* the same */
    int code;
    struct flatend_error err;
};

void tls_talk_init(struct tls_talk *talk, struct fe_tls_store *store,
                   const struct tls_command *command);
void tls_talk_deinit(struct tls_talk *talk);

/* As far as it goes; tickets that follow the handshake are read too. */
void tls_talk_run(struct tls_talk *talk);

/* What the client has written. False: nothing, or the server has failed. */
bool tls_talk_to_server(struct tls_talk *talk);

/* What became of a command. */
struct tls_result {
    int code; /* of the server */
    char subject[128];
    char alpn[32];
    int version;
    bool is_resumed;
    enum fe_tls_protocol protocol;
    SSL_SESSION *session; /* to be freed */
};

/* One handshake. */
void tls_ask(struct fe_tls_store *store, const struct tls_command *command,
             struct tls_result *result);

#endif
