/* What ACME asks for: requests, keys, and answers for the CA. */
#include <stdlib.h>

#include "gateway/certs/acme_agent_internal.h"
#include "ground/uv/task.h"
#include "web/http/date_parse.h"

struct fe_acme_key_task {
    struct fe_acme_agent *agent; /* NULL: it has stopped */
    enum fe_acme_key_type type;
    struct evp_pkey_st *key;
};

/* ---- requests ----------------------------------------------------------------------------- */

static struct fe_view field_of(const struct fe_response *response, const char *name)
{
    const struct fe_field *field = fe_fields_find(&response->fields, fe_view_str(name));

    return field != NULL ? field->value : fe_view_of(NULL, 0);
}

/* Retry-After (RFC 9110 §10.2.3): seconds, or a date. 0: none, or nonsense. */
static uint64_t retry_after_ms(struct fe_view value)
{
    const uint64_t now_s = fe_acme_agent_now() / 1000;
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
    struct fe_acme_agent *const agent = arg;

    agent->fetch = NULL;
    if (response == NULL) {
        fe_acme_on_failure(agent->machine, err);
        return;
    }
    const struct fe_acme_response answer = {
        .status = response->status,
        .nonce = field_of(response, "replay-nonce"),
        .location = field_of(response, "location"),
        .retry_after_ms = retry_after_ms(field_of(response, "retry-after")),
        .body = body,
    };
    fe_acme_on_response(agent->machine, &answer);
}

int fe_acme_agent_request(void *owner, const struct fe_acme_request *asked,
                          struct flatend_error *err)
{
    struct fe_acme_agent *const agent = owner;
    struct fe_acme_agency *const agency = agent->agency;
    const struct fe_fetch_request request = {
        .method = asked->method,
        .url = asked->url,
        .content_type = asked->body.len > 0 ? "application/jose+json" : NULL,
        .accept = asked->accept,
        .body = asked->body,
        .body_max = FE_ACME_BODY_MAX,
    };

    if (agency->trust == NULL) {
        const int code = fe_tls_trust_new(agency->config->acme.ca_file, &agency->trust, err);

        if (code != 0) {
            return code;
        }
    }
    return fe_fetch_start(agency->worker, agency->trust, &request, on_fetched, agent, &agent->fetch,
                          err);
}

/* ---- keys --------------------------------------------------------------------------------- */

static void run_key_task(void *arg)
{
    struct fe_acme_key_task *const task = arg;

    task->key = fe_acme_key_generate(task->type);
}

static void on_key_task(void *arg)
{
    struct fe_acme_key_task *const task = arg;
    struct fe_acme_agent *const agent = task->agent;
    struct evp_pkey_st *const key = task->key;

    free(task);
    if (agent == NULL) {
        fe_acme_key_free(key);
        return;
    }
    agent->key_task = NULL;
    fe_acme_on_key(agent->machine, key);
}

int fe_acme_agent_make_key(void *owner, enum fe_acme_key_type type, struct flatend_error *err)
{
    struct fe_acme_agent *const agent = owner;
    struct fe_acme_key_task *const task = malloc(sizeof(*task));

    if (task == NULL) {
        return fe_err_code(err, FLATEND_ENOMEM);
    }
    *task = (struct fe_acme_key_task){.agent = agent, .type = type};
    if (fe_task_start(agent->agency->worker, run_key_task, on_key_task, task) != 0) {
        free(task);
        return fe_err_code(err, FLATEND_ENOMEM);
    }
    agent->key_task = task;
    return 0;
}

void fe_acme_agent_forget_key(struct fe_acme_agent *agent)
{
    if (agent->key_task != NULL) {
        agent->key_task->agent = NULL;
        agent->key_task = NULL;
    }
}

/* ---- challenges --------------------------------------------------------------------------- */

void fe_acme_agent_withdraw(void *owner)
{
    struct fe_acme_agent *const agent = owner;

    fe_acme_answers_remove(&agent->agency->answers, &agent->answer);
    if (agent->alpn_name[0] != '\0') {
        const struct fe_view name = fe_view_str(agent->alpn_name);

        if (fe_tls_store_set_challenge(agent->https->store, name, NULL) == 0) {
            agent->alpn_name[0] = '\0'; /* to take one out needs no memory */
        }
    }
}

static int publish_alpn(struct fe_acme_agent *agent, const char *name, const char *text,
                        struct flatend_error *err)
{
    const int64_t now_s = (int64_t)(fe_acme_agent_now() / 1000);
    struct fe_cert *cert;
    int code = fe_acme_alpn_certificate(name, fe_view_str(text), now_s, &cert);

    if (code == 0) {
        code = fe_tls_store_set_challenge(agent->https->store, fe_view_str(name), cert);
        fe_cert_unref(cert);
    }
    if (code != 0) {
        return fe_err_code(err, code);
    }
    memcpy(agent->alpn_name, name, strlen(name) + 1);
    return 0;
}

int fe_acme_agent_publish(void *owner, enum fe_acme_challenge_type type, const char *name,
                          const char *token, const char *key_authorization,
                          struct flatend_error *err)
{
    struct fe_acme_agent *const agent = owner;
    const size_t n_token = strlen(token);
    const size_t n_text = strlen(key_authorization);

    fe_acme_agent_withdraw(agent);
    if (n_token > FE_ACME_TOKEN_MAX || n_text > FE_ACME_ANSWER_MAX || strlen(name) > FE_NAME_MAX) {
        return fe_err_set(err, FLATEND_ETOOBIG, "a challenge that is too long");
    }
    if (type == FE_ACME_TLS_ALPN_01) {
        return publish_alpn(agent, name, key_authorization, err);
    }
    memcpy(agent->answer.token, token, n_token + 1);
    memcpy(agent->answer.text, key_authorization, n_text + 1);
    fe_acme_answers_add(&agent->agency->answers, &agent->answer);
    return 0;
}
