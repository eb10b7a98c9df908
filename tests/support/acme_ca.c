#include "support/acme_ca.h"

#include <jansson.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

#include "web/acme/base64url.h"
#include "web/tls/openssl.h"

static const char *const NAMES[ACME_CA_NAMES] = {"a.test", "b.test"};

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "acme_ca: %s\n", what);
        abort();
    }
}

void acme_ca_init(struct acme_ca *ca, int64_t now_s)
{
    const struct fe_cert_spec spec = {
        .common_name = "test CA",
        .not_before_s = now_s - 1000,
        .not_after_s = now_s + INT64_C(40) * 365 * 24 * 3600,
        .is_ca = true,
    };

    *ca = (struct acme_ca){.accepts = 3, .lifetime_s = 90 * 24 * 3600, .now_s = now_s};
    ca->key = fe_key_new();
    ca->cert = fe_x509_make(&spec, ca->key, ca->key);
    must(ca->cert != NULL, "no certificate");
}

void acme_ca_deinit(struct acme_ca *ca)
{
    X509_free(ca->cert);
    EVP_PKEY_free(ca->key);
    free(ca->chain);
}

/* ---- the certificate ------------------------------------------------------------------------ */

static void issue(struct acme_ca *ca, const char *csr)
{
    struct fe_view names[ACME_CA_NAMES];
    struct fe_cert_spec spec = {
        .names = names,
        .n_names = ACME_CA_NAMES,
        .not_before_s = ca->now_s,
        .not_after_s = ca->now_s + ca->lifetime_s,
        .issuer = ca->cert,
    };
    uint8_t der[8192];
    const uint8_t *at = der;
    size_t len = 0;
    X509_REQ *request;
    X509 *cert;
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    long n;

    must(fe_base64url_decode(fe_view_str(csr), der, sizeof(der), &len) == 0, "CSR: not base64url");
    request = d2i_X509_REQ(NULL, &at, (long)len);
    must(request != NULL && X509_REQ_verify(request, X509_REQ_get0_pubkey(request)) == 1, "CSR");
    for (size_t i = 0; i < ACME_CA_NAMES; i++) {
        names[i] = fe_view_str(NAMES[i]);
    }
    cert = fe_x509_make(&spec, X509_REQ_get0_pubkey(request), ca->key);
    must(cert != NULL && PEM_write_bio_X509(bio, cert) == 1 &&
             PEM_write_bio_X509(bio, ca->cert) == 1,
         "issue");
    n = BIO_get_mem_data(bio, &text);
    free(ca->chain);
    ca->chain = calloc(1, (size_t)n + 1);
    must(ca->chain != NULL, "memory");
    memcpy(ca->chain, text, (size_t)n);
    BIO_free(bio);
    X509_free(cert);
    X509_REQ_free(request);
}

/* ---- requests ------------------------------------------------------------------------------- */

/* Takes a JWS apart: its payload, and whether it names an account. */
static json_t *open_jws(struct acme_ca *ca, struct fe_view body, const char *url, bool *has_kid)
{
    json_t *jws = json_loadb((const char *)body.ptr, body.len, 0, NULL);
    const char *header = json_string_value(json_object_get(jws, "protected"));
    const char *payload = json_string_value(json_object_get(jws, "payload"));
    char text[4096];
    size_t len = 0;
    json_t *fields;

    must(header != NULL && payload != NULL, "no JWS");
    must(fe_base64url_decode(fe_view_str(header), (uint8_t *)text, sizeof(text), &len) == 0, "JWS");
    fields = json_loadb(text, len, 0, NULL);
    must(strcmp(json_string_value(json_object_get(fields, "url")), url) == 0,
         "JWS for another URL");
    must(strcmp(json_string_value(json_object_get(fields, "nonce")), ca->nonce_text) == 0,
         "JWS with another nonce");
    *has_kid = json_object_get(fields, "kid") != NULL;
    must(fe_base64url_decode(fe_view_str(payload), (uint8_t *)ca->last_payload,
                             sizeof(ca->last_payload) - 1, &len) == 0,
         "payload");
    ca->last_payload[len] = '\0';
    json_decref(fields);
    json_decref(jws);
    return len > 0 ? json_loads(ca->last_payload, 0, NULL) : NULL;
}

static int answer_directory(struct acme_ca *ca)
{
    snprintf(
        ca->body, sizeof(ca->body),
        "{\"newNonce\":\"https://ca.test/nonce\",\"newAccount\":\"https://ca.test/account\","
        "\"newOrder\":\"https://ca.test/new-order\"%s,\"meta\":{\"externalAccountRequired\":%s}}",
        ca->has_renewal_info ? ",\"renewalInfo\":\"https://ca.test/ari\"" : "",
        ca->wants_eab ? "true" : "false");
    return 200;
}

static int answer_account(struct acme_ca *ca, const json_t *account)
{
    const bool is_new = ca->n_accounts == 0;

    must(json_is_true(json_object_get(account, "termsOfServiceAgreed")), "terms are not agreed to");
    ca->n_accounts = 1; /* one key, one account: RFC 8555 §7.3.1 */
    snprintf(ca->location, sizeof(ca->location), "https://ca.test/account/1");
    snprintf(ca->body, sizeof(ca->body), "{\"status\":\"valid\"}");
    return is_new ? 201 : 200;
}

static void put_order(struct acme_ca *ca)
{
    snprintf(
        ca->body, sizeof(ca->body),
        "{\"status\":\"%s\",\"finalize\":\"https://ca.test/finalize\","
        "\"authorizations\":[\"https://ca.test/authz/%u/0\",\"https://ca.test/authz/%u/1\"]%s%s}",
        ca->order_status, ca->n_orders, ca->n_orders,
        strcmp(ca->order_status, "valid") == 0 ? ",\"certificate\":\"https://ca.test/certificate\""
                                               : "",
        strcmp(ca->order_status, "invalid") == 0
            ? ",\"error\":{\"type\":\"urn:ietf:params:acme:error:caa\",\"detail\":\"no\"}"
            : "");
}

static int answer_new_order(struct acme_ca *ca, const json_t *order)
{
    ca->order_replaces = json_object_get(order, "replaces") != NULL;
    must(json_array_size(json_object_get(order, "identifiers")) == ACME_CA_NAMES, "names");
    if (ca->order_replaces && ca->refuses_replaces) {
        snprintf(ca->body, sizeof(ca->body),
                 "{\"type\":\"urn:ietf:params:acme:error:alreadyReplaced\",\"detail\":\"done\"}");
        return 409;
    }
    ca->n_orders++;
    snprintf(ca->order_status, sizeof(ca->order_status), "pending");
    for (size_t i = 0; i < ACME_CA_NAMES; i++) {
        snprintf(ca->authz_status[i], sizeof(ca->authz_status[i]), "pending");
        ca->authz_failed[i] = 0;
        ca->undecided[i] = 0;
    }
    snprintf(ca->location, sizeof(ca->location), "https://ca.test/order/%u", ca->n_orders);
    put_order(ca);
    return 201;
}

static int answer_order(struct acme_ca *ca)
{
    if (strcmp(ca->order_status, "processing") == 0 && ca->polls_left-- == 0) {
        snprintf(ca->order_status, sizeof(ca->order_status), "valid");
    }
    put_order(ca);
    return 200;
}

static void decide_order(struct acme_ca *ca)
{
    bool all_valid = true;

    for (size_t i = 0; i < ACME_CA_NAMES; i++) {
        all_valid = all_valid && strcmp(ca->authz_status[i], "valid") == 0;
    }
    if (all_valid) {
        snprintf(ca->order_status, sizeof(ca->order_status), "ready");
    }
}

static void decide_challenge(struct acme_ca *ca, size_t i)
{
    const unsigned type = ca->undecided[i] - 1;

    ca->undecided[i] = 0;
    if ((ca->accepts & 1U << type) != 0) {
        snprintf(ca->authz_status[i], sizeof(ca->authz_status[i]), "valid");
        decide_order(ca);
    } else {
        snprintf(ca->authz_status[i], sizeof(ca->authz_status[i]), "invalid");
        snprintf(ca->order_status, sizeof(ca->order_status), "invalid");
        ca->authz_failed[i] |= 1U << type;
    }
}

static const char *challenge_status(const struct acme_ca *ca, size_t i, unsigned type)
{
    if (ca->undecided[i] == type + 1) {
        return "processing";
    }
    return (ca->authz_failed[i] & 1U << type) != 0 ? "invalid" : "pending";
}

static int answer_authz(struct acme_ca *ca, size_t i)
{
    if (ca->undecided[i] > 0 && ca->undecided_left-- == 0) {
        decide_challenge(ca, i);
    }
    snprintf(
        ca->body, sizeof(ca->body),
        "{\"status\":\"%s\",\"identifier\":{\"type\":\"dns\",\"value\":\"%s\"},\"challenges\":["
        "{\"type\":\"dns-01\",\"url\":\"https://ca.test/challenge/%zu/9\",\"token\":\"x\","
        "\"status\":\"pending\"},"
        "{\"type\":\"http-01\",\"url\":\"https://ca.test/challenge/%zu/0\",\"token\":\"t%zu\","
        "\"status\":\"%s\"%s},"
        "{\"type\":\"tls-alpn-01\",\"url\":\"https://ca.test/challenge/%zu/1\","
        "\"token\":\"u%zu\",\"status\":\"%s\"%s}]}",
        ca->authz_status[i], NAMES[i], i, i, i, challenge_status(ca, i, 0),
        (ca->authz_failed[i] & 1) != 0
            ? ",\"error\":{\"type\":\"urn:ietf:params:acme:error:connection\",\"detail\":\"h\"}"
            : "",
        i, i, challenge_status(ca, i, 1),
        (ca->authz_failed[i] & 2) != 0
            ? ",\"error\":{\"type\":\"urn:ietf:params:acme:error:tls\",\"detail\":\"t\"}"
            : "");
    return 200;
}

static int answer_challenge(struct acme_ca *ca, size_t i, unsigned type)
{
    ca->undecided[i] = type + 1;
    ca->undecided_left = ca->n_undecided;
    if (ca->n_undecided == 0) {
        decide_challenge(ca, i);
    }
    snprintf(ca->body, sizeof(ca->body), "{\"status\":\"processing\"}");
    return 200;
}

static int answer_finalize(struct acme_ca *ca, const json_t *request)
{
    if (strcmp(ca->order_status, "ready") != 0) {
        snprintf(ca->body, sizeof(ca->body),
                 "{\"type\":\"urn:ietf:params:acme:error:orderNotReady\",\"detail\":\"%s\"}",
                 ca->order_status);
        return 403;
    }
    issue(ca, json_string_value(json_object_get(request, "csr")));
    ca->polls_left = ca->n_pending;
    snprintf(ca->order_status, sizeof(ca->order_status), "processing");
    put_order(ca);
    return 200;
}

static int answer_signed(struct acme_ca *ca, const char *url, struct fe_view body)
{
    bool has_kid;
    json_t *payload = open_jws(ca, body, url, &has_kid);
    int status = 404;
    unsigned i;
    unsigned type;

    ca->n_signed++;
    if (ca->n_bad_nonces > 0) {
        ca->n_bad_nonces--;
        snprintf(ca->body, sizeof(ca->body),
                 "{\"type\":\"urn:ietf:params:acme:error:badNonce\",\"detail\":\"stale\"}");
        status = 400;
    } else if (strcmp(url, "https://ca.test/account") == 0) {
        must(!has_kid, "newAccount by URL");
        status = answer_account(ca, payload);
    } else if (!has_kid || ca->n_accounts == 0) {
        snprintf(ca->body, sizeof(ca->body),
                 "{\"type\":\"urn:ietf:params:acme:error:accountDoesNotExist\",\"detail\":\"?\"}");
        status = 400;
    } else if (strcmp(url, "https://ca.test/new-order") == 0) {
        status = answer_new_order(ca, payload);
    } else if (sscanf(url, "https://ca.test/order/%u", &i) == 1) {
        status = i == ca->n_orders ? answer_order(ca) : 404;
    } else if (sscanf(url, "https://ca.test/authz/%*u/%u", &i) == 1 && i < ACME_CA_NAMES) {
        status = answer_authz(ca, i);
    } else if (sscanf(url, "https://ca.test/challenge/%u/%u", &i, &type) == 2) {
        status = answer_challenge(ca, i, type);
    } else if (strcmp(url, "https://ca.test/finalize") == 0) {
        status = answer_finalize(ca, payload);
    } else if (strcmp(url, "https://ca.test/certificate") == 0) {
        snprintf(ca->body, sizeof(ca->body), "%s", ca->chain);
        status = 200;
    }
    json_decref(payload);
    return status;
}

static int route(struct acme_ca *ca, const char *method, const char *url, struct fe_view body)
{
    if (strcmp(method, "POST") == 0) {
        return answer_signed(ca, url, body);
    }
    if (strcmp(url, ACME_CA_URL) == 0) {
        return answer_directory(ca);
    }
    if (strncmp(url, "https://ca.test/ari/", 20) == 0) {
        snprintf(ca->body, sizeof(ca->body), "%s", ca->window != NULL ? ca->window : "{}");
        return 200;
    }
    return strcmp(url, "https://ca.test/nonce") == 0 ? 200 : 404;
}

static bool fails(struct acme_ca *ca, const char *url)
{
    if (ca->n_fail == 0 || strstr(url, ca->fail_at) == NULL) {
        return false;
    }
    ca->n_fail--;
    return true;
}

bool acme_ca_answer(struct acme_ca *ca, const char *method, const char *url, struct fe_view body,
                    struct fe_acme_response *response)
{
    const bool is_failing = fails(ca, url);

    ca->body[0] = '\0';
    ca->location[0] = '\0';
    *response = (struct fe_acme_response){0};
    if (is_failing && !ca->fail_is_lost) {
        response->status = ca->fail_status;
        response->retry_after_ms = ca->fail_after_ms;
        response->body = fe_view_str(ca->fail_body != NULL ? ca->fail_body : "");
        return ca->fail_status != 0;
    }
    response->status = route(ca, method, url, body);
    if (strstr(url, "/ari/") != NULL) {
        response->retry_after_ms = ca->window_after_ms;
    }
    if (strcmp(method, "GET") != 0) {
        snprintf(ca->nonce_text, sizeof(ca->nonce_text), "nonce-%u", ca->nonce++);
        response->nonce = fe_view_str(ca->nonce_text);
    }
    response->location = fe_view_str(ca->location);
    response->body = fe_view_str(ca->body);
    return !is_failing;
}
