/* Private to src/web/tls: what the settings of both roles and their connections share. */
#ifndef FE_WEB_TLS_CONTEXT_H
#define FE_WEB_TLS_CONTEXT_H

#include "ground/os/thread.h"
#include "web/tls/openssl.h"
#include "web/tls/tls.h"

struct fe_tls_challenge {
    struct fe_cert *cert;
    size_t name_len;
    char name[FE_NAME_MAX];
};

struct fe_tls_store {
    /* Never changed. */
    SSL_CTX *ctx;
    BIO_METHOD *bio;
    struct fe_tls_tickets *tickets;
    bool h2;
    struct fe_mutex lock;   /* of what follows */
    struct fe_cert **certs; /* the first is the default */
    size_t n_certs;
    struct fe_tls_challenge *challenges;
    size_t n_challenges;
    size_t challenges_cap;
};

/* All that holds of a store whenever its lock is free, for the one that has it: aborts if something
 * does not. */
void fe_tls_store_check(const struct fe_tls_store *store);

struct fe_tls_trust {
    SSL_CTX *ctx;
    BIO_METHOD *bio;
};

struct fe_tls {
    SSL *ssl;
    struct fe_tls_store *store; /* NULL: a client's end */
    struct fe_chain *out;
    struct fe_view fed; /* what OpenSSL has not read yet */
    const struct fe_tls_ops *ops;
    void *owner;
    bool is_challenge; /* the client offers nothing but acme-tls/1 */
    bool is_open;
    bool has_failed;
    bool is_eof;
};

/* What both roles agree on: versions, ciphers, groups. NULL: out of memory. */
SSL_CTX *fe_tls_ctx_new(const SSL_METHOD *method) FE_MUST_USE;

/* A BIO between an SSL and a `struct fe_tls`: reads from `fed`, writes to `out`. */
BIO_METHOD *fe_tls_bio_method_new(void) FE_MUST_USE;

/* 1: done, 0: no such key, 2: done, but give the client a new ticket, -1: failed. */
int fe_tls_tickets_crypt(struct fe_tls_tickets *tickets, unsigned char *name, unsigned char *iv,
                         EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, bool is_seal);

#endif
