/* Both ends of a TLS connection in memory, with certificates of a local CA made for them. */
#ifndef TESTS_SUPPORT_TLS_ENDS_H
#define TESTS_SUPPORT_TLS_ENDS_H

#include "ground/base/buf.h"
#include "support/temp_dir.h"
#include "web/tls/local_ca.h"
#include "web/tls/tls.h"

/* OpenSSL compares with the real clock, and so do we. */
#define TLS_NOW_S ((int64_t)time(NULL))

/* What both need, made once: keys are slow. */
struct tls_world {
    struct temp_dir dir;
    struct fe_local_ca *ca;
    struct fe_tls_trust *trust;
    struct fe_tls_tickets *tickets;
    struct fe_tls_store *store;
};

void tls_world_init(struct tls_world *world);
void tls_world_deinit(struct tls_world *world);

/* A certificate of the CA. To be unreferenced. */
struct fe_cert *tls_world_issue(struct tls_world *world, const char *name);

/* One end: what it received, and what happened. */
struct tls_end {
    struct fe_tls *tls;
    struct fe_chain out;   /* encrypted, on its way to the other end */
    struct fe_chain plain; /* waits to be encrypted */
    struct fe_buf got;
    int n_open;
    int n_eof;
    int code; /* of the feed that failed */
    struct flatend_error err;
};

struct tls_ends {
    struct tls_end client;
    struct tls_end server;
};

/* FLATEND_ENOMEM: deinit all the same. */
int tls_ends_init(struct tls_ends *ends, struct tls_world *world, const char *name);
void tls_ends_deinit(struct tls_ends *ends);

/* Moves bytes both ways, `cut` at a time, until there is nothing to move or an end has failed. */
void tls_ends_run(struct tls_ends *ends, size_t cut);

/* Appends to `plain`; tls_ends_run encrypts it. */
int tls_end_say(struct tls_end *end, const void *data, size_t len) FE_MUST_USE;

#endif
