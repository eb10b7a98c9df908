/* Private to src/gateway/certs/acme_client*.c: one ACME client. */
#ifndef FE_GATEWAY_CERTS_ACME_CLIENT_INTERNAL_H
#define FE_GATEWAY_CERTS_ACME_CLIENT_INTERNAL_H

#include "gateway/certs/acme_client.h"
#include "gateway/certs/fetch.h"
#include "web/acme/acme.h"
#include "web/acme/store.h"

struct fe_acme_key_work;

struct fe_acme_client {
    struct fe_list link; /* of the manager's */
    struct fe_acme_manager *manager;
    struct fe_https *https;
    struct fe_arena arena; /* of the names */
    const char **names;
    size_t n_names;
    struct fe_acme *machine;
    struct fe_acme_store *store;
    struct fe_acme_cert_info served; /* zeros: none of the store's */
    struct fe_cert *cert;            /* that one */
    struct fe_cert **found;          /* of other lists and servers, when it last looked */
    size_t n_found;
    struct fe_acme_client
        *rest; /* all names but one that the server refuses; NULL: there is none */
    bool is_stopped;
    struct fe_timer timer;
    uint64_t wake_ms;
    uint64_t asleep_ms;                /* the time of day when it last looked at that */
    struct fe_fetch *fetch;            /* NULL: none is under way */
    struct fe_acme_key_work *key_work; /* the same */
    struct fe_acme_answer answer;      /* HTTP-01 */
    char alpn_name[FE_NAME_MAX + 1];   /* TLS-ALPN-01; "": none */
};

/* Milliseconds since 1970. */
uint64_t fe_acme_client_now(void);

/* ---- acme_client_serve.c: which certificates are served */

/* For each name of the listener the best that there is now. FLATEND_ENOMEM. */
int fe_acme_client_serve(struct fe_acme_client *client) FE_MUST_USE;
/* Reads what is stored for its names, if there is something, and serves it; failures are logged.
 * `info`: what it is, zeros if that is not known yet. */
void fe_acme_client_serve_stored(struct fe_acme_client *client,
                                 const struct fe_acme_cert_info *info);
/* Looks for what other lists and servers have left, and serves it where there is nothing better.
 * FLATEND_ENOMEM: what was found before stays. */
int fe_acme_client_find_stored(struct fe_acme_client *client) FE_MUST_USE;
void fe_acme_client_forget_found(struct fe_acme_client *client);
/* Logs what is served until there is a new certificate. */
void fe_acme_client_tell_served(const struct fe_acme_client *client);
/* Logs that what is stored cannot be served. */
void fe_acme_client_warn(const struct fe_acme_client *client, const char *reason);

/* ---- acme_client_ops.c: what the machine asks for beyond time and storage (web/acme/acme.h) */

int fe_acme_client_request(void *owner, const struct fe_acme_request *asked,
                           struct flatend_error *err);
int fe_acme_client_make_key(void *owner, enum fe_acme_key_type type, struct flatend_error *err);
/* The key that is being made, if any, is thrown away when it is there. */
void fe_acme_client_discard_key(struct fe_acme_client *client);
int fe_acme_client_publish(void *owner, enum fe_acme_challenge_type type, const char *name,
                           const char *token, const char *key_authorization,
                           struct flatend_error *err);
void fe_acme_client_withdraw(void *owner);

#endif
