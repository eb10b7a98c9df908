/* An order from its first answer to the certificate (RFC 8555 §7.1.6, §7.4). */
#include "ground/base/assert.h"
#include "ground/base/utc.h"
#include "web/acme/base64url.h"
#include "web/acme/internal.h"

/* ---- the order ------------------------------------------------------------------------------ */

void fe_acme_follow_order(struct fe_acme *acme, uint64_t retry_after_ms)
{
    struct fe_acme_problem problem;

    switch (acme->order.status) {
    case FE_ACME_PENDING:
        if (acme->next_authorization < acme->order.n_authorizations) {
            fe_acme_enter(acme, FE_ACME_IN_AUTHORIZATION);
            return;
        }
        break; /* all are valid: it will be ready soon */
    case FE_ACME_READY:
        if (acme->state == FE_ACME_IN_FINALIZE) {
            break; /* it has just been finalized, and does not know it yet */
        }
        fe_acme_enter(acme, FE_ACME_IN_KEY);
        return;
    case FE_ACME_PROCESSING:
        break;
    case FE_ACME_VALID:
        fe_acme_enter(acme, FE_ACME_IN_CERTIFICATE);
        return;
    case FE_ACME_INVALID:
        fe_acme_order_problem(&acme->order, &problem);
        acme->refused = fe_acme_index_of(acme, problem.name);
        fe_acme_fail(acme, FE_ACME_REFUSED, 0, "%s", problem.text);
        return;
    }
    acme->state = FE_ACME_IN_ORDER;
    fe_acme_pause(acme, retry_after_ms);
}

int fe_acme_enter_order(struct fe_acme *acme, struct flatend_error *err)
{
    FE_ASSERT(acme->saved.order_url[0] != '\0', "an order that is polled has a URL");
    return fe_acme_post(acme, acme->saved.order_url, (struct fe_view){NULL, 0}, err);
}

static void take_order(struct fe_acme *acme, const struct fe_acme_response *response)
{
    const bool is_known = acme->order.root != NULL;
    struct flatend_error err = {0};

    fe_acme_order_deinit(&acme->order);
    if (fe_acme_order_parse(&acme->order, response->body, &err) != 0) {
        fe_acme_fail_local(acme, &err);
        return;
    }
    if (!is_known) { /* it is taken up again */
        acme->next_authorization = 0;
        acme->is_answered = false;
    }
    fe_acme_follow_order(acme, response->retry_after_ms);
}

/* An order that was kept and is not there any more makes place for another one at once. */
void fe_acme_on_order(struct fe_acme *acme, const struct fe_acme_response *response)
{
    struct fe_acme_problem problem;

    if (fe_acme_is_success(response)) {
        take_order(acme, response);
        return;
    }
    fe_acme_problem_parse(&problem, response->status, response->body);
    if ((response->status == 404 || response->status == 403) && acme->n_orders == 0 &&
        strcmp(problem.type, "rateLimited") != 0) {
        acme->saved.order_url[0] = '\0';
        fe_acme_enter(acme, FE_ACME_IN_NEW_ORDER);
        return;
    }
    fe_acme_fail_response(acme, response);
}

/* ---- key and finalization ------------------------------------------------------------------- */

int fe_acme_enter_key(struct fe_acme *acme, struct flatend_error *err)
{
    if (acme->saved.order_key != NULL) { /* of the attempt that ended before this one */
        fe_acme_enter(acme, FE_ACME_IN_FINALIZE);
        return 0;
    }
    return acme->ops->make_key(acme->owner, acme->config.key_type, err);
}

/* The key is kept before the server sees it: a certificate without its key would be for nothing. */
void fe_acme_on_key(struct fe_acme *acme, struct evp_pkey_st *key)
{
    struct flatend_error err = {0};

    FE_ASSERT(acme->state == FE_ACME_IN_KEY, "a key was asked for");
    FE_ASSERT(acme->saved.order_key == NULL, "an order has one key");
    acme->saved.order_key = key;
    if (key == NULL) {
        fe_acme_fail(acme, FE_ACME_TRY_AGAIN, 0, "%s", flatend_strerror(FLATEND_ENOMEM));
    } else if (acme->ops->save_key(acme->owner, &acme->saved, &err) != 0) {
        fe_acme_fail_local(acme, &err);
    } else {
        fe_acme_enter(acme, FE_ACME_IN_FINALIZE);
    }
    FE_CHECK(fe_acme_check(acme));
}

static int put_csr(struct fe_acme *acme, struct fe_buf *payload)
{
    struct fe_buf der;
    int code;

    FE_ASSERT(acme->saved.order_key != NULL, "a certificate is requested with a key");
    fe_buf_init(&der, FE_ACME_JWS_MAX);
    code =
        fe_acme_csr_encode(acme->saved.order_key, acme->config.names, acme->config.n_names, &der);
    if (code == 0) {
        code = fe_buf_append(payload, "{\"csr\":\"", 8);
    }
    if (code == 0) {
        code = fe_base64url_append(payload, fe_buf_view(&der));
    }
    if (code == 0) {
        code = fe_buf_append(payload, "\"}", 2);
    }
    fe_buf_deinit(&der);
    return code;
}

int fe_acme_enter_finalize(struct fe_acme *acme, struct flatend_error *err)
{
    struct fe_buf payload;
    int code;

    fe_buf_init(&payload, FE_ACME_JWS_MAX);
    code = put_csr(acme, &payload);
    if (code != 0) {
        code = fe_err_set(err, code, "certificate request: %s", flatend_strerror(code));
    } else {
        code = fe_acme_post(acme, acme->order.finalize, fe_buf_view(&payload), err);
    }
    fe_buf_deinit(&payload);
    return code;
}

void fe_acme_on_finalize(struct fe_acme *acme, const struct fe_acme_response *response)
{
    struct fe_acme_problem problem;

    if (fe_acme_is_success(response)) {
        take_order(acme, response);
        return;
    }
    fe_acme_problem_parse(&problem, response->status, response->body);
    if (strcmp(problem.type, "orderNotReady") == 0) { /* RFC 8555 §7.4: or no longer ready */
        acme->state = FE_ACME_IN_ORDER;
        fe_acme_pause(acme, response->retry_after_ms);
        return;
    }
    fe_acme_fail_response(acme, response);
}

/* ---- the certificate ------------------------------------------------------------------------ */

int fe_acme_enter_certificate(struct fe_acme *acme, struct flatend_error *err)
{
    if (acme->saved.order_key == NULL) {
        acme->saved.order_url[0] = '\0';
        return fe_err_set(err, FLATEND_EKEY, "order key lost");
    }
    return fe_acme_post(acme, acme->order.certificate, (struct fe_view){NULL, 0}, err);
}

static void finish(struct fe_acme *acme, const struct fe_acme_cert_info *info)
{
    struct fe_acme_saved *const saved = &acme->saved;
    char names[FE_ACME_NAME_MAX + 32];
    char until[FE_UTC_TEXT_MAX];
    struct flatend_error err = {0};

    FE_ASSERT(saved->order_key != NULL, "what was installed has a key");
    saved->has_certificate = true;
    saved->certificate = *info;
    saved->order_url[0] = '\0';
    fe_acme_key_free(saved->order_key);
    saved->order_key = NULL;
    saved->n_failures = 0;
    saved->refused = 0;
    /* Whatever its dates say, the next one is not asked for at once. */
    saved->wait_from_ms = (int64_t)acme->ops->now_ms(acme->owner);
    saved->wait_until_ms = saved->wait_from_ms + (int64_t)acme->config.retry_min_ms;
    memset(saved->tried, 0, sizeof(saved->tried));
    if (acme->ops->save_order(acme->owner, saved, &err) != 0) {
        fe_log(acme->log, FLATEND_LOG_WARN, "Certificate for %s: %s.", fe_acme_names(acme, names),
               err.text);
    }
    fe_log(acme->log, FLATEND_LOG_INFO, "New certificate for %s, valid until %s UTC.",
           fe_acme_names(acme, names), fe_utc_format(info->not_after_s, until));
    fe_acme_plan(acme);
    acme->check_at_ms = (int64_t)acme->ops->now_ms(acme->owner) + FE_ACME_RENEWAL_CHECK_MS;
    fe_acme_end_round(acme);
}

void fe_acme_on_certificate(struct fe_acme *acme, const struct fe_acme_response *response)
{
    struct fe_acme_cert_info info;
    struct flatend_error err = {0};
    int code;

    if (!fe_acme_is_success(response)) {
        fe_acme_fail_response(acme, response);
        return;
    }
    code = fe_acme_chain_check(response->body, acme->saved.order_key, acme->config.names,
                               acme->config.n_names, &info, &err);
    if (code != 0 && code != FLATEND_ENOMEM) {
        fe_acme_fail(acme, FE_ACME_REFUSED, 0, "%s", err.text);
        return;
    }
    if (code == 0) {
        code = acme->ops->install(acme->owner, &acme->saved, &info, response->body, &err);
    }
    if (code != 0) {
        fe_acme_fail_local(acme, &err);
        return;
    }
    finish(acme, &info);
}
