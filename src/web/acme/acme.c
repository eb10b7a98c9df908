#include <stdlib.h>

#include "ground/base/assert.h"
#include "web/acme/base64url.h"
#include "web/acme/internal.h"

struct rule {
    const char *name; /* in the log: what could not be done */
    int (*enter)(struct fe_acme *acme, struct flatend_error *err);
    void (*on_response)(struct fe_acme *acme, const struct fe_acme_response *response);
};

static const struct rule RULES[FE_ACME_N_STATES] = {
    [FE_ACME_IN_WAITING] = {"read the state directory", NULL, NULL}, /* what it wakes up with */
    [FE_ACME_IN_DIRECTORY] = {"read the directory", fe_acme_enter_directory, fe_acme_on_directory},
    [FE_ACME_IN_RENEWAL] = {"get renewal information", fe_acme_enter_renewal, fe_acme_on_renewal},
    [FE_ACME_IN_ACCOUNT] = {"register the account", fe_acme_enter_account, fe_acme_on_account},
    [FE_ACME_IN_NEW_ORDER] = {"order", fe_acme_enter_new_order, fe_acme_on_new_order},
    [FE_ACME_IN_ORDER] = {"poll the order", fe_acme_enter_order, fe_acme_on_order},
    [FE_ACME_IN_AUTHORIZATION] = {"poll the authorization", fe_acme_enter_authorization,
                                  fe_acme_on_authorization},
    [FE_ACME_IN_CHALLENGE] = {"answer the challenge", fe_acme_enter_challenge,
                              fe_acme_on_challenge},
    [FE_ACME_IN_KEY] = {"make a key", fe_acme_enter_key, NULL},
    [FE_ACME_IN_FINALIZE] = {"finalize the order", fe_acme_enter_finalize, fe_acme_on_finalize},
    [FE_ACME_IN_CERTIFICATE] = {"download the certificate", fe_acme_enter_certificate,
                                fe_acme_on_certificate},
};

const char *fe_acme_state_name(const struct fe_acme *acme)
{
    return RULES[acme->state].name;
}

/* ---- life ----------------------------------------------------------------------------------- */

struct fe_acme *fe_acme_new(const struct fe_acme_config *config, const struct fe_rng *rng,
                            const struct fe_log *log, const struct fe_acme_ops *ops, void *owner)
{
    struct fe_acme *acme = calloc(1, sizeof(*acme));

    FE_ASSERT(config->n_names <= FE_ACME_NAMES_MAX, "what is remembered of names has room");
    FE_ASSERT(config->n_challenges <= FE_ACME_N_CHALLENGE_TYPES, "each challenge type comes once");
    if (acme != NULL) {
        acme->config = *config;
        acme->rng = *rng;
        acme->log = log;
        acme->ops = ops;
        acme->owner = owner;
        acme->refused = FE_ACME_NAMES_MAX;
        fe_buf_init(&acme->payload, FE_ACME_JWS_MAX);
    }
    return acme;
}

void fe_acme_saved_deinit(struct fe_acme_saved *saved)
{
    fe_acme_key_free(saved->account_key);
    fe_acme_key_free(saved->order_key);
    *saved = (struct fe_acme_saved){0};
}

void fe_acme_free(struct fe_acme *acme)
{
    if (acme == NULL) {
        return;
    }
    if (acme->is_locked) {
        acme->ops->withdraw(acme->owner);
        acme->ops->unlock(acme->owner);
    }
    fe_acme_saved_deinit(&acme->saved);
    fe_acme_directory_deinit(&acme->directory);
    fe_acme_order_deinit(&acme->order);
    fe_acme_authorization_deinit(&acme->authorization);
    fe_buf_deinit(&acme->payload);
    free(acme);
}

/* ---- states --------------------------------------------------------------------------------- */

void fe_acme_enter(struct fe_acme *acme, enum fe_acme_state state)
{
    struct flatend_error err = {0};

    FE_ASSERT(RULES[state].enter != NULL, "waiting is entered by the end of a round");
    FE_ASSERT(acme->is_locked, "the names are locked during a round");
    acme->state = state;
    acme->phase = FE_ACME_IDLE;
    if (RULES[state].enter(acme, &err) != 0) {
        acme->phase = FE_ACME_IDLE;
        fe_acme_fail_local(acme, &err);
    }
}

void fe_acme_pause(struct fe_acme *acme, uint64_t retry_after_ms)
{
    uint64_t pause_ms = FE_ACME_POLL_MS * ((uint64_t)acme->n_polls + 1);

    if (++acme->n_polls > FE_ACME_POLLS_MAX) {
        fe_acme_fail(acme, FE_ACME_TRY_AGAIN, 0, "the server did not finish in time");
        return;
    }
    if (pause_ms > FE_ACME_POLL_MAX_MS) {
        pause_ms = FE_ACME_POLL_MAX_MS;
    }
    if (retry_after_ms > pause_ms) {
        pause_ms = retry_after_ms < FE_ACME_POLL_RETRY_AFTER_MAX_MS
                       ? retry_after_ms
                       : FE_ACME_POLL_RETRY_AFTER_MAX_MS;
    }
    acme->phase = FE_ACME_IDLE;
    acme->ops->wake_at(acme->owner, acme->ops->now_ms(acme->owner) + pause_ms);
}

/* The owner of a process that has just begun does not know yet which name holds the others back. */
static void wait_on(struct fe_acme *acme)
{
    const size_t refused = acme->saved.refused;

    fe_acme_end_round(acme);
    if (refused > 0 && fe_acme_is_due(acme)) {
        acme->ops->refused(acme->owner, acme->config.names[refused - 1]);
    }
}

static void begin(struct fe_acme *acme)
{
    FE_ASSERT(acme->directory.root == NULL && acme->order.root == NULL,
              "of the last round nothing is left");
    acme->has_asked_account = false;
    acme->omits_replaces = false;
    acme->n_orders = 0;
    acme->n_polls = 0;
    acme->refused = FE_ACME_NAMES_MAX;
    acme->nonce[0] = '\0'; /* one from the last round may be too old */
    /* Another process may have been there, or this one before it ended. */
    if (fe_acme_must_wait(acme)) {
        wait_on(acme);
    } else {
        fe_acme_enter(acme, FE_ACME_IN_DIRECTORY);
    }
}

/* What another process has kept is read again with each lock. */
static void lock(struct fe_acme *acme)
{
    struct flatend_error err = {0};
    struct fe_acme_saved saved = {0};
    const int code = acme->ops->lock(acme->owner, &saved, &err);
    uint64_t retry_ms = acme->config.retry_min_ms;

    if (code == 0) {
        FE_ASSERT(!acme->is_locked, "a lock is taken once");
        fe_acme_saved_deinit(&acme->saved);
        acme->saved = saved;
        acme->is_locked = true;
        fe_acme_plan(acme);
        fe_acme_recall_failures(acme);
        begin(acme);
        return;
    }
    if (code != FLATEND_EAGAIN) {
        fe_acme_fail_local(acme, &err);
        return;
    }
    if (retry_ms > FE_ACME_LOCK_RETRY_MS) {
        retry_ms = FE_ACME_LOCK_RETRY_MS;
    }
    acme->ops->wake_at(acme->owner, acme->ops->now_ms(acme->owner) + retry_ms);
}

void fe_acme_on_wake(struct fe_acme *acme)
{
    if (acme->state == FE_ACME_IN_WAITING) {
        lock(acme);
    } else if (acme->phase == FE_ACME_IDLE && acme->state != FE_ACME_IN_KEY) {
        fe_acme_enter(acme, acme->state);
    }
    FE_CHECK(fe_acme_check(acme));
}

void fe_acme_on_response(struct fe_acme *acme, const struct fe_acme_response *response)
{
    FE_ASSERT(acme->phase != FE_ACME_IDLE, "a response belongs to a request");
    if (response->nonce.len <= FE_ACME_NONCE_MAX && fe_is_base64url(response->nonce)) {
        memcpy(acme->nonce, response->nonce.ptr, response->nonce.len);
        acme->nonce[response->nonce.len] = '\0';
    }
    if (fe_acme_post_on_response(acme, response)) {
        FE_ASSERT(RULES[acme->state].on_response != NULL, "a state that asks takes the response");
        RULES[acme->state].on_response(acme, response);
    }
    FE_CHECK(fe_acme_check(acme));
}

void fe_acme_on_failure(struct fe_acme *acme, const struct flatend_error *err)
{
    FE_ASSERT(acme->phase != FE_ACME_IDLE, "a failure belongs to a request");
    acme->phase = FE_ACME_IDLE;
    fe_acme_fail_local(acme, err);
    FE_CHECK(fe_acme_check(acme));
}
