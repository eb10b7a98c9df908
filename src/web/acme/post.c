/* Requests: with a nonce and a signature, and again when the nonce was not good (RFC 8555 §6.5). */
#include "ground/base/assert.h"
#include "web/acme/internal.h"

int fe_acme_get(struct fe_acme *acme, const char *url, struct flatend_error *err)
{
    const struct fe_acme_request request = {.method = "GET", .url = url};

    FE_ASSERT(acme->phase == FE_ACME_IDLE, "one request at a time");
    acme->phase = FE_ACME_PLAIN;
    return acme->ops->request(acme->owner, &request, err);
}

static int fetch_nonce(struct fe_acme *acme, struct flatend_error *err)
{
    const struct fe_acme_request request = {.method = "HEAD", .url = acme->directory.new_nonce};

    FE_ASSERT(acme->directory.root != NULL, "nonces come from the directory's server");
    acme->phase = FE_ACME_NONCE;
    return acme->ops->request(acme->owner, &request, err);
}

static int send_signed(struct fe_acme *acme, struct flatend_error *err)
{
    const bool has_account = acme->state != FE_ACME_IN_ACCOUNT;
    const struct fe_acme_jws jws = {
        .key = acme->saved.account_key,
        .kid = has_account ? acme->saved.account_url : NULL,
        .nonce = acme->nonce,
        .url = acme->url,
        .payload = fe_buf_view(&acme->payload),
    };
    struct fe_acme_request request = {.method = "POST", .url = acme->url};
    struct fe_buf body;
    int code;

    FE_ASSERT(acme->nonce[0] != '\0', "each signed request has a nonce");
    FE_ASSERT(!has_account || jws.kid[0] != '\0', "what is signed for an account names it");
    if (acme->state == FE_ACME_IN_CERTIFICATE) {
        request.accept = "application/pem-certificate-chain";
    }
    fe_buf_init(&body, FE_ACME_JWS_MAX);
    code = fe_acme_jws_encode(&jws, &body);
    if (code != 0) {
        code = fe_err_set(err, code, "sign the request: %s", flatend_strerror(code));
    } else {
        acme->nonce[0] = '\0'; /* each is good for one request */
        acme->phase = FE_ACME_SIGNED;
        request.body = fe_buf_view(&body);
        code = acme->ops->request(acme->owner, &request, err);
    }
    fe_buf_deinit(&body);
    return code;
}

static int sign(struct fe_acme *acme, struct flatend_error *err)
{
    return acme->nonce[0] == '\0' ? fetch_nonce(acme, err) : send_signed(acme, err);
}

int fe_acme_post(struct fe_acme *acme, const char *url, struct fe_view payload,
                 struct flatend_error *err)
{
    const size_t len = strlen(url);
    int code;

    FE_ASSERT(acme->phase == FE_ACME_IDLE, "one request at a time");
    if (len > FE_ACME_URL_MAX) {
        return fe_err_set(err, FLATEND_ETOOBIG, "a URL of more than %d bytes", FE_ACME_URL_MAX);
    }
    memcpy(acme->url, url, len + 1);
    fe_buf_reset(&acme->payload);
    code = fe_buf_append(&acme->payload, payload.ptr, payload.len);
    if (code != 0) {
        return fe_err_code(err, code);
    }
    acme->n_nonce_tries = 0;
    return sign(acme, err);
}

/* Without a nonce in the response to a request for one, the next attempt would ask again. */
static int on_nonce(struct fe_acme *acme, struct flatend_error *err)
{
    return acme->nonce[0] == '\0'
               ? fe_err_set(err, FLATEND_EPROTO, "response without a valid Replay-Nonce")
               : send_signed(acme, err);
}

static bool is_bad_nonce(const struct fe_acme_response *response)
{
    struct fe_acme_problem problem;

    if (response->status != 400) {
        return false;
    }
    fe_acme_problem_parse(&problem, response->status, response->body);
    return strcmp(problem.type, "badNonce") == 0;
}

bool fe_acme_post_on_response(struct fe_acme *acme, const struct fe_acme_response *response)
{
    const enum fe_acme_phase phase = acme->phase;
    struct flatend_error err = {0};
    int code = 0;

    acme->phase = FE_ACME_IDLE;
    if (phase == FE_ACME_NONCE && !fe_acme_is_success(response)) {
        fe_acme_fail_response(acme, response);
        return false;
    }
    if (phase == FE_ACME_NONCE) {
        code = on_nonce(acme, &err);
    } else if (phase == FE_ACME_SIGNED && is_bad_nonce(response) &&
               acme->n_nonce_tries < FE_ACME_NONCE_TRIES_MAX) {
        acme->n_nonce_tries++;
        code = sign(acme, &err); /* with the nonce of the error, RFC 8555 §6.5 */
    } else {
        return true;
    }
    if (code != 0) {
        acme->phase = FE_ACME_IDLE;
        fe_acme_fail_local(acme, &err);
    }
    return false;
}
