/* An ACME server that is a function: from a request to a response. It keeps accounts, orders and
 * authorizations as simply as RFC 8555 allows, and does whatever wrong it is told to. */
#ifndef TESTS_SUPPORT_ACME_CA_H
#define TESTS_SUPPORT_ACME_CA_H

#include "web/acme/acme.h"

#define ACME_CA_URL "https://ca.test/dir"

enum { ACME_CA_NAMES = 2 };

struct acme_ca {
    /* What a test may set. */
    bool has_renewal_info;
    const char *window; /* JSON of the renewal information */
    uint64_t window_after_ms;
    bool wants_eab;
    unsigned accepts;      /* bits of challenge types that succeed; default: all */
    unsigned n_bad_nonces; /* so many signed requests are refused first */
    bool refuses_replaces;
    unsigned n_undecided; /* polls before a challenge is decided */
    unsigned n_pending;   /* polls before an order is issued */
    int64_t lifetime_s;   /* default: 90 days */
    /* The next request whose URL holds `fail_at` gets this answer, `n_fail` times. */
    const char *fail_at;
    unsigned n_fail;
    int fail_status;
    const char *fail_body;
    uint64_t fail_after_ms;
    bool fail_is_lost; /* the request is done, but its answer does not arrive */

    /* What it knows. */
    int64_t now_s;
    unsigned n_accounts;
    unsigned n_orders;
    unsigned n_signed;
    char thumb[1024]; /* the account's JWK */
    char last_payload[64 * 1024];
    char order_status[16];
    bool order_replaces;
    char authz_status[ACME_CA_NAMES][16];
    unsigned authz_failed[ACME_CA_NAMES]; /* bits of challenge types */
    unsigned polls_left;
    unsigned undecided_left;
    unsigned undecided[ACME_CA_NAMES]; /* 1 more than the type of the challenge; 0: none */
    unsigned n_valid_names;
    struct evp_pkey_st *key;
    struct x509_st *cert;
    char *chain; /* PEM of the last one */
    unsigned nonce;

    /* The response. */
    char nonce_text[32];
    char location[128];
    char body[8192];
};

void acme_ca_init(struct acme_ca *ca, int64_t now_s);
void acme_ca_deinit(struct acme_ca *ca);

/* False: no answer arrives. The response borrows from `ca`. */
bool acme_ca_answer(struct acme_ca *ca, const char *method, const char *url, struct fe_view body,
                    struct fe_acme_response *response);

#endif
