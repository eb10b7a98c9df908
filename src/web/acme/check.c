/* What holds of the machine between any two events: the diagram in internal.h, from left to right.
 */
#include "ground/base/assert.h"
#include "web/acme/internal.h"

/* ---- the request ---------------------------------------------------------------------------- */

static void check_request(const struct fe_acme *acme)
{
    const enum fe_acme_state state = acme->state;

    FE_ASSERT(acme->n_nonce_tries <= FE_ACME_NONCE_TRIES_MAX, "stale nonces have a limit");
    switch (acme->phase) {
    case FE_ACME_IDLE:
        FE_ASSERT(state == FE_ACME_IN_WAITING || state == FE_ACME_IN_KEY ||
                      state == FE_ACME_IN_ORDER || state == FE_ACME_IN_AUTHORIZATION,
                  "without a request, a time or a key is waited for");
        break;
    case FE_ACME_PLAIN:
        FE_ASSERT(state == FE_ACME_IN_DIRECTORY || state == FE_ACME_IN_RENEWAL,
                  "what changes something is signed");
        break;
    case FE_ACME_NONCE:
    case FE_ACME_SIGNED:
        FE_ASSERT(state >= FE_ACME_IN_ACCOUNT && state != FE_ACME_IN_KEY,
                  "what is only read is not signed");
        FE_ASSERT(acme->nonce[0] == '\0', "a nonce is used for one request");
        FE_ASSERT(acme->url[0] != '\0', "a signed request names its URL");
        break;
    }
}

/* ---- the round ------------------------------------------------------------------------------ */

static void check_waiting(const struct fe_acme *acme)
{
    FE_ASSERT(acme->phase == FE_ACME_IDLE, "a machine that waits has asked for nothing");
    FE_ASSERT(!acme->is_locked, "a machine that waits has no lock");
    FE_ASSERT(acme->directory.root == NULL && acme->order.root == NULL &&
                  acme->authorization.root == NULL && acme->payload.len == 0,
              "of a round that is over nothing is left but what was saved");
}

/* From the directory on there is one to ask, from an account on there is one to sign with. */
static void check_round(const struct fe_acme *acme)
{
    const enum fe_acme_state state = acme->state;

    FE_ASSERT(acme->is_locked, "the names are locked during a round");
    FE_ASSERT(acme->n_polls <= FE_ACME_POLLS_MAX, "polls of a round have a limit");
    FE_ASSERT((acme->directory.root != NULL) == (state != FE_ACME_IN_DIRECTORY),
              "a round begins with the directory");
    if (state == FE_ACME_IN_RENEWAL) {
        FE_ASSERT(acme->saved.has_certificate && acme->saved.certificate.id[0] != '\0' &&
                      acme->directory.renewal_info != NULL,
                  "renewal information is about a certificate");
    }
    if (state < FE_ACME_IN_ACCOUNT) {
        return;
    }
    FE_ASSERT(acme->saved.account_key != NULL, "an account has its key before it is registered");
    if (state == FE_ACME_IN_ACCOUNT) {
        FE_ASSERT(acme->saved.account_url[0] == '\0' && acme->has_asked_account,
                  "an account that is known is not registered");
    } else {
        FE_ASSERT(acme->saved.account_url[0] != '\0', "orders are an account's");
    }
}

/* ---- the order ------------------------------------------------------------------------------ */

static void check_authorization(const struct fe_acme *acme)
{
    FE_ASSERT(acme->order.status == FE_ACME_PENDING, "an order that is pending needs proofs");
    FE_ASSERT(acme->next_authorization < acme->order.n_authorizations,
              "an authorization is one of the order's");
    if (acme->state == FE_ACME_IN_CHALLENGE) {
        FE_ASSERT(acme->challenge < FE_ACME_N_CHALLENGE_TYPES &&
                      acme->authorization.has[acme->challenge],
                  "a challenge is one that the authorization offers");
        FE_ASSERT(!acme->is_answered, "a challenge is answered once");
        return;
    }
    FE_ASSERT(acme->phase != FE_ACME_IDLE || acme->is_answered,
              "what an authorization waits for is its challenge");
}

/* The key: made when the order is ready, and kept from before the server sees it. */
static void check_issuance(const struct fe_acme *acme)
{
    const enum fe_acme_status status = acme->order.status;

    if (acme->state == FE_ACME_IN_KEY) {
        FE_ASSERT(status == FE_ACME_READY, "a key is made when the names are proven");
        FE_ASSERT(acme->saved.order_key == NULL, "an order has one key");
        return;
    }
    FE_ASSERT(acme->saved.order_key != NULL, "a certificate is requested with a key");
    if (acme->state == FE_ACME_IN_FINALIZE) {
        FE_ASSERT(status == FE_ACME_READY, "an order is finalized once");
    } else {
        FE_ASSERT(status == FE_ACME_VALID && acme->order.certificate != NULL,
                  "a certificate is downloaded when it is issued");
    }
}

static void check_order(const struct fe_acme *acme)
{
    if (acme->state == FE_ACME_IN_NEW_ORDER) {
        /* One more when the account was forgotten, and one when "replaces" was not wanted. */
        FE_ASSERT(acme->n_orders >= 1 && acme->n_orders <= FE_ACME_ORDERS_MAX + 2,
                  "orders of a round have a limit");
        FE_ASSERT(acme->saved.order_url[0] == '\0', "one order at a time");
        return;
    }
    FE_ASSERT(acme->saved.order_url[0] != '\0', "an order that goes on has a URL");
    if (acme->state == FE_ACME_IN_ORDER) {
        return; /* it may be one that an earlier process began */
    }
    FE_ASSERT(acme->order.root != NULL, "what follows an order has read it");
    if (acme->state == FE_ACME_IN_AUTHORIZATION || acme->state == FE_ACME_IN_CHALLENGE) {
        check_authorization(acme);
    } else {
        check_issuance(acme);
    }
}

/* ---- what is saved -------------------------------------------------------------------------- */

static void check_saved(const struct fe_acme *acme)
{
    const struct fe_acme_cert_info *const info = &acme->saved.certificate;
    const int64_t end_s =
        info->not_after_s > info->not_before_s ? info->not_after_s : info->not_before_s;

    for (size_t i = 0; i < acme->config.n_names; i++) {
        FE_ASSERT(acme->saved.preferred[i] <= FE_ACME_N_CHALLENGE_TYPES &&
                      acme->saved.tried[i] < 1U << FE_ACME_N_CHALLENGE_TYPES,
                  "only challenges that are known are remembered");
    }
    FE_ASSERT(acme->saved.refused <= acme->config.n_names, "a name that is refused is one of ours");
    if (acme->saved.has_certificate) {
        FE_ASSERT(acme->planned.not_after_s == info->not_after_s &&
                      strcmp(acme->planned.id, info->id) == 0,
                  "the renewal that is planned is the certificate's");
        FE_ASSERT(acme->renew_at_ms <= end_s * 1000, "a certificate is renewed before it ends");
    }
    FE_ASSERT(acme->window.end_s >= acme->window.start_s, "a window has an end");
}

void fe_acme_check(const struct fe_acme *acme)
{
    FE_ASSERT(acme->state < FE_ACME_N_STATES, "a machine has one of its states");
    check_request(acme);
    check_saved(acme);
    if (acme->state == FE_ACME_IN_WAITING) {
        check_waiting(acme);
        return;
    }
    check_round(acme);
    if (acme->state >= FE_ACME_IN_NEW_ORDER) {
        check_order(acme);
    }
}
