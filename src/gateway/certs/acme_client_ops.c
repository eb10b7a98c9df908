/* What ACME asks for: requests, keys, and answers for the CA. */
#include <stdlib.h>

#include "gateway/certs/acme_client_internal.h"
#include "ground/base/assert.h"
#include "ground/uv/work.h"
#include "web/http/date_parse.h"

struct fe_acme_key_work {
    struct fe_acme_client *client; /* NULL: it has stopped */
    enum fe_acme_key_type type;
    struct evp_pkey_st *key;
};

/* ---- requests ------------------------------------------------------------------------------- */

static struct fe_view field_of(const struct fe_response *response, const char *name)
{
    const struct fe_field *field = fe_fields_find(&response->fields, fe_view_str(name));

    return field != NULL ? field->value : fe_view_of(NULL, 0);
}

/* Retry-After (RFC 9110 §10.2.3): seconds, or a date. 0: none, or nonsense. */
static uint64_t retry_after_ms(struct fe_view value)
{
    const uint64_t now_s = fe_acme_client_now() / 1000;
    int64_t date_s;
    uint64_t n = 0;

    if (fe_http_date_parse(value, &date_s)) {
        return date_s > (int64_t)now_s ? ((uint64_t)date_s - now_s) * 1000 : 0;
    }
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9' || n > UINT32_MAX) {
            return 0;
        }
        n = n * 10 + (value.ptr[i] - (unsigned)'0');
    }
    return n * 1000;
}

static void on_fetched(void *arg, const struct fe_response *response, struct fe_view body,
                       const struct flatend_error *err)
{
    struct fe_acme_client *const client = arg;

    client->fetch = NULL;
    if (response == NULL) {
        fe_acme_on_failure(client->machine, err);
        return;
    }
    const struct fe_acme_response answer = {
        .status = response->status,
        .nonce = field_of(response, "replay-nonce"),
        .location = field_of(response, "location"),
        .retry_after_ms = retry_after_ms(field_of(response, "retry-after")),
        .body = body,
    };
    fe_acme_on_response(client->machine, &answer);
}

int fe_acme_client_request(void *owner, const struct fe_acme_request *asked,
                           struct flatend_error *err)
{
    struct fe_acme_client *const client = owner;
    struct fe_acme_manager *const manager = client->manager;
    const struct fe_fetch_request request = {
        .method = asked->method,
        .url = asked->url,
        .content_type = asked->body.len > 0 ? "application/jose+json" : NULL,
        .accept = asked->accept,
        .body = asked->body,
        .body_max = FE_ACME_BODY_MAX,
        .fn = on_fetched,
        .arg = client,
    };

    FE_ASSERT(client->fetch == NULL && client->key_work == NULL, "one request at a time");
    if (manager->trust == NULL) {
        const int code = fe_tls_trust_new(manager->config->acme.ca_file, &manager->trust, err);

        if (code != 0) {
            return code;
        }
    }
    return fe_fetch_start(manager->worker, manager->trust, &request, &client->fetch, err);
}

/* ---- keys ----------------------------------------------------------------------------------- */

static void run_key_work(void *arg)
{
    struct fe_acme_key_work *const task = arg;

    task->key = fe_acme_key_generate(task->type);
}

static void on_key_work(void *arg)
{
    struct fe_acme_key_work *const task = arg;
    struct fe_acme_client *const client = task->client;
    struct evp_pkey_st *const key = task->key;

    free(task);
    if (client == NULL) {
        fe_acme_key_free(key);
        return;
    }
    FE_ASSERT(client->key_work == task, "a client makes one key at a time");
    client->key_work = NULL;
    fe_acme_on_key(client->machine, key);
}

int fe_acme_client_make_key(void *owner, enum fe_acme_key_type type, struct flatend_error *err)
{
    struct fe_acme_client *const client = owner;
    struct fe_acme_key_work *const task = malloc(sizeof(*task));

    FE_ASSERT(client->key_work == NULL && client->fetch == NULL, "one thing at a time");
    if (task == NULL) {
        return fe_err_code(err, FLATEND_ENOMEM);
    }
    *task = (struct fe_acme_key_work){.client = client, .type = type};
    if (fe_work_start(client->manager->worker, run_key_work, on_key_work, task) != 0) {
        free(task);
        return fe_err_code(err, FLATEND_ENOMEM);
    }
    client->key_work = task;
    return 0;
}

void fe_acme_client_discard_key(struct fe_acme_client *client)
{
    if (client->key_work != NULL) {
        client->key_work->client = NULL;
        client->key_work = NULL;
    }
}

/* ---- challenges ----------------------------------------------------------------------------- */

void fe_acme_client_withdraw(void *owner)
{
    struct fe_acme_client *const client = owner;

    fe_acme_answers_remove(&client->manager->answers, &client->answer);
    if (client->alpn_name[0] != '\0') {
        const struct fe_view name = fe_view_str(client->alpn_name);

        if (fe_tls_store_set_challenge(client->https->store, name, NULL) == 0) {
            client->alpn_name[0] = '\0'; /* to take one out needs no memory */
        }
    }
}

static int publish_alpn(struct fe_acme_client *client, const char *name, const char *text,
                        struct flatend_error *err)
{
    const int64_t now_s = (int64_t)(fe_acme_client_now() / 1000);
    struct fe_cert *cert;
    int code = fe_acme_alpn_certificate(name, fe_view_str(text), now_s, &cert);

    if (code == 0) {
        code = fe_tls_store_set_challenge(client->https->store, fe_view_str(name), cert);
        fe_cert_unref(cert);
    }
    if (code != 0) {
        return fe_err_code(err, code);
    }
    memcpy(client->alpn_name, name, strlen(name) + 1);
    return 0;
}

int fe_acme_client_publish(void *owner, enum fe_acme_challenge_type type, const char *name,
                           const char *token, const char *key_authorization,
                           struct flatend_error *err)
{
    struct fe_acme_client *const client = owner;
    const size_t n_token = strlen(token);
    const size_t n_text = strlen(key_authorization);

    fe_acme_client_withdraw(client);
    if (n_token > FE_ACME_TOKEN_MAX || n_text > FE_ACME_ANSWER_MAX || strlen(name) > FE_NAME_MAX) {
        return fe_err_set(err, FLATEND_ETOOBIG, "challenge too long");
    }
    if (type == FE_ACME_TLS_ALPN_01) {
        return publish_alpn(client, name, key_authorization, err);
    }
    memcpy(client->answer.token, token, n_token + 1);
    memcpy(client->answer.text, key_authorization, n_text + 1);
    fe_acme_answers_add(&client->manager->answers, &client->answer);
    return 0;
}
