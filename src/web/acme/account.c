/* The states before an order: directory, renewal information, account. */
#include <stdio.h>

#include "ground/base/json.h"
#include "web/acme/internal.h"

/* ---- directory ------------------------------------------------------------------------------ */

int fe_acme_enter_directory(struct fe_acme *acme, struct flatend_error *err)
{
    return fe_acme_get(acme, acme->config.directory, err);
}

static void decide(struct fe_acme *acme)
{
    if (!fe_acme_is_due(acme)) {
        fe_acme_end_round(acme);
    } else if (acme->saved.account_url[0] == '\0') {
        fe_acme_enter(acme, FE_ACME_IN_ACCOUNT);
    } else {
        fe_acme_enter(acme,
                      acme->saved.order_url[0] == '\0' ? FE_ACME_IN_NEW_ORDER : FE_ACME_IN_ORDER);
    }
}

/* With a certificate that is not due, the only question is when it will be: if the server cannot be
 * reached it is queried again later, and two thirds of the lifetime are the default. */
static void postpone_check(struct fe_acme *acme, uint64_t retry_after_ms)
{
    uint64_t wait_ms = retry_after_ms > 0 ? retry_after_ms : FE_ACME_RENEWAL_CHECK_MS;

    if (wait_ms < FE_ACME_RENEWAL_CHECK_MIN_MS) {
        wait_ms = FE_ACME_RENEWAL_CHECK_MIN_MS;
    }
    if (wait_ms > FE_ACME_RENEWAL_CHECK_MAX_MS) {
        wait_ms = FE_ACME_RENEWAL_CHECK_MAX_MS;
    }
    acme->check_at_ms = (int64_t)(acme->ops->now_ms(acme->owner) + wait_ms);
}

void fe_acme_on_directory(struct fe_acme *acme, const struct fe_acme_response *response)
{
    struct flatend_error err = {0};

    if (!fe_acme_is_success(response)) {
        fe_acme_fail_response(acme, response);
        return;
    }
    fe_acme_directory_deinit(&acme->directory);
    if (fe_acme_directory_parse(&acme->directory, response->body, &err) != 0) {
        fe_acme_fail_local(acme, &err);
        return;
    }
    if (!acme->saved.has_certificate ||
        (int64_t)acme->ops->now_ms(acme->owner) < acme->check_at_ms) {
        decide(acme);
    } else if (acme->directory.renewal_info == NULL || acme->saved.certificate.id[0] == '\0') {
        postpone_check(acme, FE_ACME_RENEWAL_CHECK_MAX_MS);
        decide(acme);
    } else {
        fe_acme_enter(acme, FE_ACME_IN_RENEWAL);
    }
}

/* ---- renewal information, RFC 9773 §4.1 ----------------------------------------------------- */

int fe_acme_enter_renewal(struct fe_acme *acme, struct flatend_error *err)
{
    const char *const base = acme->directory.renewal_info;
    const size_t len = strlen(base);
    char url[FE_ACME_URL_MAX + FE_ACME_CERT_ID_MAX + 2];

    snprintf(url, sizeof(url), "%s%s%s", base, base[len - 1] == '/' ? "" : "/",
             acme->saved.certificate.id);
    return fe_acme_get(acme, url, err);
}

void fe_acme_on_renewal(struct fe_acme *acme, const struct fe_acme_response *response)
{
    struct fe_acme_window window;
    struct flatend_error err = {0};

    postpone_check(acme, response->retry_after_ms);
    if (fe_acme_is_success(response) && fe_acme_window_parse(&window, response->body, &err) == 0) {
        fe_acme_plan_window(acme, &window);
    }
    decide(acme); /* else by what was planned before, RFC 9773 §4.3.3 */
}

/* ---- account, RFC 8555 §7.3 ----------------------------------------------------------------- */

static int put_binding(struct fe_acme *acme, struct fe_buf *payload)
{
    int code = fe_buf_printf(payload, ",\"externalAccountBinding\":");

    return code != 0 ? code
                     : fe_acme_eab_encode(acme->saved.account_key, acme->config.eab_key_id,
                                          acme->config.eab_hmac_key, acme->directory.new_account,
                                          payload);
}

static int put_account(struct fe_acme *acme, struct fe_buf *payload)
{
    int code = fe_json_put_strings(payload, "{\"termsOfServiceAgreed\":true,\"contact\":",
                                   acme->config.contacts, acme->config.n_contacts, "");

    if (code == 0 && acme->config.eab_key_id != NULL) {
        code = put_binding(acme, payload);
    }
    return code != 0 ? code : fe_buf_append(payload, "}", 1);
}

/* POSTs what `put` has written, if it could. */
static int post(struct fe_acme *acme, const char *url, struct fe_buf *payload, int code,
                struct flatend_error *err)
{
    code = code != 0 ? fe_err_code(err, code) : fe_acme_post(acme, url, fe_buf_view(payload), err);
    fe_buf_deinit(payload);
    return code;
}

int fe_acme_enter_account(struct fe_acme *acme, struct flatend_error *err)
{
    struct fe_buf payload;
    int code;

    acme->has_asked_account = true;
    if (acme->config.eab_key_id == NULL && acme->directory.wants_eab) {
        return fe_err_set(err, FLATEND_EINVAL,
                          "external account required: set eab_key_id and eab_hmac_key");
    }
    fe_buf_init(&payload, FE_ACME_JWS_MAX);
    code = put_account(acme, &payload);
    return post(acme, acme->directory.new_account, &payload, code, err);
}

/* A URL out of a header field. False: none. */
static bool take_location(char url[FE_ACME_URL_MAX + 1], struct fe_view location)
{
    if (location.len == 0 || location.len > FE_ACME_URL_MAX) {
        return false;
    }
    memcpy(url, location.ptr, location.len);
    url[location.len] = '\0';
    if (fe_acme_is_url(url)) {
        return true;
    }
    url[0] = '\0';
    return false;
}

/* 201 for a new account, 200 for the one that this key has already: RFC 8555 §7.3.1. */
void fe_acme_on_account(struct fe_acme *acme, const struct fe_acme_response *response)
{
    struct flatend_error err = {0};

    if (!fe_acme_is_success(response)) {
        fe_acme_fail_response(acme, response);
        return;
    }
    if (!take_location(acme->saved.account_url, response->location)) {
        fe_acme_fail(acme, FE_ACME_TRY_AGAIN, 0, "account without a valid URL");
        return;
    }
    if (acme->ops->save_account(acme->owner, &acme->saved, &err) != 0) {
        fe_acme_fail_local(acme, &err);
        return;
    }
    if (response->status == 201) {
        fe_log(acme->log, FLATEND_LOG_INFO, "Created an ACME account at %s%s%s.",
               acme->config.directory,
               acme->directory.terms_of_service != NULL ? ", whose terms are at " : "",
               acme->directory.terms_of_service != NULL ? acme->directory.terms_of_service : "");
    }
    decide(acme);
}

/* ---- a new order, RFC 8555 §7.4 ------------------------------------------------------------- */

/* RFC 9773 §5: a server with renewal information expects the certificate that is replaced. */
static bool wants_replaces(const struct fe_acme *acme)
{
    return acme->saved.has_certificate && acme->saved.certificate.id[0] != '\0' &&
           acme->directory.renewal_info != NULL && !acme->omits_replaces;
}

static int put_order(struct fe_acme *acme, struct fe_buf *payload)
{
    int code = fe_buf_printf(payload, "{\"identifiers\":[");

    for (size_t i = 0; code == 0 && i < acme->config.n_names; i++) {
        code = fe_buf_printf(payload, "%s{\"type\":\"dns\",\"value\":", i > 0 ? "," : "");
        if (code == 0) {
            code = fe_json_put_string(payload, acme->config.names[i]);
        }
        if (code == 0) {
            code = fe_buf_append(payload, "}", 1);
        }
    }
    if (code == 0 && wants_replaces(acme)) {
        return fe_buf_printf(payload, "],\"replaces\":\"%s\"}", acme->saved.certificate.id);
    }
    return code != 0 ? code : fe_buf_append(payload, "]}", 2);
}

int fe_acme_enter_new_order(struct fe_acme *acme, struct flatend_error *err)
{
    struct fe_buf payload;
    int code;

    acme->n_orders++;
    fe_buf_init(&payload, FE_ACME_JWS_MAX);
    code = put_order(acme, &payload);
    return post(acme, acme->directory.new_order, &payload, code, err);
}

void fe_acme_on_new_order(struct fe_acme *acme, const struct fe_acme_response *response)
{
    struct flatend_error err = {0};

    if (!fe_acme_is_success(response)) {
        if (wants_replaces(acme) && response->status != 429 && response->status < 500) {
            acme->omits_replaces = true; /* RFC 9773 §5: replaced already, or not known here */
            fe_acme_enter(acme, FE_ACME_IN_NEW_ORDER);
            return;
        }
        fe_acme_fail_response(acme, response);
        return;
    }
    fe_acme_order_deinit(&acme->order);
    fe_acme_key_free(acme->saved.order_key); /* each certificate has a key of its own */
    acme->saved.order_key = NULL;
    if (!take_location(acme->saved.order_url, response->location)) {
        fe_acme_fail(acme, FE_ACME_REFUSED, 0, "order without a valid URL");
        return;
    }
    acme->next_authorization = 0;
    acme->is_answered = false;
    if (fe_acme_order_parse(&acme->order, response->body, &err) != 0 ||
        acme->ops->save_order(acme->owner, &acme->saved, &err) != 0) {
        fe_acme_fail_local(acme, &err);
        return;
    }
    fe_acme_follow_order(acme, response->retry_after_ms);
}
