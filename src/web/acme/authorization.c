/* Proving the names (RFC 8555 §7.5, §8): one authorization after the other, each by the challenge
 * that comes first for its name; when that fails, another order tries the next one. */
#include <stdio.h>

#include "ground/base/assert.h"
#include "web/acme/internal.h"

enum { KEY_AUTHORIZATION_MAX = FE_ACME_TOKEN_MAX + 1 + FE_ACME_THUMBPRINT_MAX };

static bool is_tried(const struct fe_acme *acme, size_t index, enum fe_acme_challenge_type type)
{
    return (acme->saved.tried[index] & 1U << type) != 0;
}

static bool is_configured(const struct fe_acme *acme, unsigned type)
{
    for (size_t i = 0; i < acme->config.n_challenges; i++) {
        if (acme->config.challenges[i] == type) {
            return true;
        }
    }
    return false;
}

/* The one that has worked for the name comes first, then those of the configuration in turn. */
static bool choose(const struct fe_acme *acme, size_t index, enum fe_acme_challenge_type *type)
{
    const struct fe_acme_authorization *const authorization = &acme->authorization;
    const unsigned preferred = acme->saved.preferred[index] - 1U;

    for (size_t i = 0; i <= acme->config.n_challenges; i++) {
        const unsigned candidate = i == 0 ? preferred : (unsigned)acme->config.challenges[i - 1];

        if (candidate < FE_ACME_N_CHALLENGE_TYPES && is_configured(acme, candidate) &&
            authorization->has[candidate] &&
            !is_tried(acme, index, (enum fe_acme_challenge_type)candidate) &&
            authorization->challenges[candidate].status != FE_ACME_INVALID) {
            *type = (enum fe_acme_challenge_type)candidate;
            return true;
        }
    }
    return false;
}

static bool has_untried(const struct fe_acme *acme, size_t index)
{
    for (size_t i = 0; i < acme->config.n_challenges; i++) {
        if (!is_tried(acme, index, acme->config.challenges[i])) {
            return true;
        }
    }
    return false;
}

/* ---- the outcome ---------------------------------------------------------------------------- */

/* FE_ACME_N_CHALLENGE_TYPES: none of those that are known. */
static unsigned failed_type(const struct fe_acme_authorization *authorization)
{
    unsigned type = 0;

    while (
        type < FE_ACME_N_CHALLENGE_TYPES &&
        !(authorization->has[type] && authorization->challenges[type].status == FE_ACME_INVALID)) {
        type++;
    }
    return type;
}

/* RFC 8555 §7.1.6: an authorization that has become invalid stays so, and its order with it. */
static void on_invalid(struct fe_acme *acme, size_t index)
{
    const unsigned type = failed_type(&acme->authorization);
    const char *const name = acme->config.names[index];
    struct fe_acme_problem problem;
    struct flatend_error err = {0};

    fe_acme_authorization_problem(&acme->authorization, &problem);
    if (type == FE_ACME_N_CHALLENGE_TYPES) { /* it has expired, or was deactivated */
        fe_acme_fail_name(acme, index, "%s: %s", name, problem.text);
        return;
    }
    acme->saved.tried[index] |= (uint8_t)(1U << type);
    if (!has_untried(acme, index) || acme->n_orders >= FE_ACME_ORDERS_MAX) {
        acme->saved.tried[index] = 0;
        fe_acme_fail_name(acme, index, "%s, %s: %s", name,
                          fe_acme_challenge_name((enum fe_acme_challenge_type)type), problem.text);
        return;
    }
    fe_log(acme->log, FLATEND_LOG_WARN,
           "Certificate for %s: %s failed: %s. Trying another challenge type.", name,
           fe_acme_challenge_name((enum fe_acme_challenge_type)type), problem.text);
    acme->ops->withdraw(acme->owner);
    acme->saved.order_url[0] = '\0';
    if (acme->ops->save_order(acme->owner, &acme->saved, &err) != 0) {
        fe_acme_fail_local(acme, &err);
        return;
    }
    fe_acme_enter(acme, FE_ACME_IN_NEW_ORDER);
}

static void on_valid(struct fe_acme *acme, size_t index)
{
    if (acme->is_answered) {
        acme->saved.preferred[index] = (uint8_t)(acme->challenge + 1U);
        acme->ops->withdraw(acme->owner);
    }
    acme->is_answered = false;
    if (++acme->next_authorization < acme->order.n_authorizations) {
        fe_acme_enter(acme, FE_ACME_IN_AUTHORIZATION);
    } else {
        fe_acme_enter(acme, FE_ACME_IN_ORDER);
    }
}

static void on_pending(struct fe_acme *acme, size_t index, uint64_t retry_after_ms)
{
    if (acme->is_answered) {
        fe_acme_pause(acme, retry_after_ms);
    } else if (choose(acme, index, &acme->challenge)) {
        fe_acme_enter(acme, FE_ACME_IN_CHALLENGE);
    } else {
        acme->saved.tried[index] = 0;
        fe_acme_fail_name(acme, index, "%s: no untried challenge type left",
                          acme->config.names[index]);
    }
}

/* ---- the states ----------------------------------------------------------------------------- */

int fe_acme_enter_authorization(struct fe_acme *acme, struct flatend_error *err)
{
    FE_ASSERT(acme->next_authorization < acme->order.n_authorizations,
              "an authorization is one of the order's");
    return fe_acme_post(acme, acme->order.authorizations[acme->next_authorization],
                        (struct fe_view){NULL, 0}, err);
}

void fe_acme_on_authorization(struct fe_acme *acme, const struct fe_acme_response *response)
{
    struct flatend_error err = {0};
    size_t index;

    if (!fe_acme_is_success(response)) {
        fe_acme_fail_response(acme, response);
        return;
    }
    fe_acme_authorization_deinit(&acme->authorization);
    if (fe_acme_authorization_parse(&acme->authorization, response->body, &err) != 0) {
        fe_acme_fail_local(acme, &err);
        return;
    }
    index = fe_acme_index_of(acme, acme->authorization.name);
    if (index == FE_ACME_NAMES_MAX) {
        fe_acme_fail(acme, FE_ACME_REFUSED, 0, "authorization for unexpected name %.100s",
                     acme->authorization.name);
    } else if (acme->authorization.status == FE_ACME_VALID) {
        on_valid(acme, index);
    } else if (acme->authorization.status == FE_ACME_INVALID) {
        on_invalid(acme, index);
    } else {
        on_pending(acme, index, response->retry_after_ms);
    }
}

/* RFC 8555 §8.1: what the server is to find. */
static int publish(struct fe_acme *acme, const struct fe_acme_challenge *challenge,
                   struct flatend_error *err)
{
    char key_authorization[KEY_AUTHORIZATION_MAX + 1];
    char thumbprint[FE_ACME_THUMBPRINT_MAX];
    const int code = fe_acme_key_thumbprint(acme->saved.account_key, thumbprint);

    if (code != 0) {
        return fe_err_code(err, code);
    }
    FE_ASSERT(strlen(challenge->token) <= FE_ACME_TOKEN_MAX, "a token's length was checked");
    snprintf(key_authorization, sizeof(key_authorization), "%s.%s", challenge->token, thumbprint);
    return acme->ops->publish(acme->owner, acme->challenge, acme->authorization.name,
                              challenge->token, key_authorization, err);
}

int fe_acme_enter_challenge(struct fe_acme *acme, struct flatend_error *err)
{
    const struct fe_acme_challenge *const challenge =
        &acme->authorization.challenges[acme->challenge];
    int code;

    FE_ASSERT(acme->authorization.has[acme->challenge], "a challenge is one that is offered");
    FE_ASSERT(!acme->is_answered, "a challenge is answered once");
    code = publish(acme, challenge, err);
    if (code != 0) {
        return code;
    }
    if (challenge->status != FE_ACME_PENDING) { /* it was answered before we ended: look again */
        acme->is_answered = true;
        acme->state = FE_ACME_IN_AUTHORIZATION;
        fe_acme_pause(acme, 0);
        return 0;
    }
    return fe_acme_post(acme, challenge->url, FE_VIEW_LIT("{}"), err);
}

void fe_acme_on_challenge(struct fe_acme *acme, const struct fe_acme_response *response)
{
    if (!fe_acme_is_success(response)) {
        fe_acme_fail_response(acme, response);
        return;
    }
    acme->is_answered = true;
    acme->state = FE_ACME_IN_AUTHORIZATION;
    fe_acme_pause(acme, response->retry_after_ms);
}
