/* Private to the agents: gateway/certs/acme_agent*.c. */
#ifndef FE_GATEWAY_CERTS_ACME_AGENT_INTERNAL_H
#define FE_GATEWAY_CERTS_ACME_AGENT_INTERNAL_H

#include "gateway/certs/acme_agent.h"
#include "gateway/certs/fetch.h"
#include "web/acme/acme.h"
#include "web/acme/store.h"

struct fe_acme_key_task;

struct fe_acme_agent {
    struct fe_list link; /* of the agency's */
    struct fe_acme_agency *agency;
    struct fe_https *https;
    struct fe_arena arena; /* of the names */
    const char **names;
    size_t n_names;
    struct fe_acme *machine;
    struct fe_acme_store *store;
    struct fe_acme_cert_info served; /* zeros: none of the store's */
    struct fe_timer timer;
    uint64_t wake_ms;
    struct fe_fetch *fetch;            /* NULL: none is under way */
    struct fe_acme_key_task *key_task; /* the same */
    struct fe_acme_answer answer;      /* HTTP-01 */
    char alpn_name[FE_NAME_MAX + 1];   /* TLS-ALPN-01; "": none */
    void (*on_gone)(void *arg);
    void *gone_arg;
};

/* Milliseconds since 1970. */
uint64_t fe_acme_agent_now(void);

/* ---- acme_agent_ask.c: what the machine asks for beyond time and storage (web/acme/acme.h) */

int fe_acme_agent_request(void *owner, const struct fe_acme_request *asked,
                          struct flatend_error *err);
int fe_acme_agent_make_key(void *owner, enum fe_acme_key_type type, struct flatend_error *err);
/* The key that is being made, if any, is thrown away when it is there. */
void fe_acme_agent_forget_key(struct fe_acme_agent *agent);
int fe_acme_agent_publish(void *owner, enum fe_acme_challenge_type type, const char *name,
                          const char *token, const char *key_authorization,
                          struct flatend_error *err);
void fe_acme_agent_withdraw(void *owner);

#endif
