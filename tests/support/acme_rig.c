#include "support/acme_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "web/acme/record.h"

static const char *const NAMES[ACME_CA_NAMES] = {"a.test", "b.test"};

/* "https://ca.test/dir" is "/dir" in a trace. */
static const char *path_of(const char *url)
{
    const char *path = strstr(url, "ca.test");

    return path != NULL ? path + strlen("ca.test") : url;
}

/* ---- the disk ------------------------------------------------------------------------------- */

static void keep(char **place, char *text)
{
    free(*place);
    *place = text;
}

static char *pem_of(const struct evp_pkey_st *key, struct fe_view chain)
{
    struct fe_buf pem;
    char *text = NULL;

    fe_buf_init(&pem, 256 * 1024);
    if (fe_acme_key_to_pem(key, &pem) == 0 && fe_buf_append(&pem, chain.ptr, chain.len) == 0 &&
        fe_buf_append(&pem, "", 1) == 0) {
        text = strdup((const char *)pem.data);
    }
    fe_buf_deinit(&pem);
    return text;
}

static void load_saved(const struct acme_rig *rig, struct fe_acme_saved *saved)
{
    *saved = (struct fe_acme_saved){0};
    saved->account_key = fe_acme_key_from_pem(fe_view_str(rig->account_key));
    if (rig->account_text != NULL) {
        fe_acme_record_read_account(fe_view_str(rig->account_text), saved);
    }
    if (rig->order_text != NULL) {
        fe_acme_record_read_order(fe_view_str(rig->order_text), NAMES, ACME_CA_NAMES, saved);
    }
    if (rig->order_key != NULL && saved->order_url[0] != '\0') {
        saved->order_key = fe_acme_key_from_pem(fe_view_str(rig->order_key));
    }
    if (rig->certificate != NULL) {
        saved->has_certificate = fe_acme_chain_check(fe_view_str(rig->certificate), NULL, NAMES,
                                                     ACME_CA_NAMES, &saved->certificate, NULL) == 0;
    }
}

static int lock(void *owner, struct fe_acme_saved *saved, struct flatend_error *err)
{
    struct acme_rig *rig = owner;

    if (rig->is_taken) {
        return fe_err_set(err, FLATEND_EAGAIN, "taken");
    }
    if (rig->account_key == NULL) {
        struct evp_pkey_st *key = fe_acme_key_generate(FE_ACME_P256);

        rig->account_key = key != NULL ? pem_of(key, fe_view_of(NULL, 0)) : NULL;
        fe_acme_key_free(key);
    }
    if (rig->account_key == NULL) {
        return fe_err_set(err, FLATEND_ENOMEM, "out of memory");
    }
    load_saved(rig, saved);
    if (saved->account_key == NULL) {
        fe_acme_saved_deinit(saved);
        return fe_err_set(err, FLATEND_ENOMEM, "out of memory");
    }
    rig->n_locks++;
    return 0;
}

static void unlock(void *owner)
{
    struct acme_rig *rig = owner;

    assert_true(rig->n_locks == 1);
    rig->n_locks--;
}

static int save_account(void *owner, const struct fe_acme_saved *saved, struct flatend_error *err)
{
    struct acme_rig *rig = owner;
    struct fe_buf buf;
    char *text = NULL;

    fe_buf_init(&buf, 256 * 1024);
    if (fe_acme_record_write_account(saved, ACME_CA_URL, &buf) == 0 &&
        fe_buf_append(&buf, "", 1) == 0) {
        text = strdup((const char *)buf.data);
    }
    fe_buf_deinit(&buf);

    trace_add(&rig->trace, "save-account");
    assert_int_equal(rig->n_locks, 1);
    if (text == NULL) {
        return fe_err_set(err, FLATEND_ENOMEM, "out of memory");
    }
    keep(&rig->account_text, text);
    return 0;
}

static int save_order(void *owner, const struct fe_acme_saved *saved, struct flatend_error *err)
{
    struct acme_rig *rig = owner;
    struct fe_buf buf;
    char *text = NULL;

    fe_buf_init(&buf, 256 * 1024);
    if (fe_acme_record_write_order(saved, NAMES, ACME_CA_NAMES, &buf) == 0 &&
        fe_buf_append(&buf, "", 1) == 0) {
        text = strdup((const char *)buf.data);
    }
    fe_buf_deinit(&buf);

    trace_add(&rig->trace, "save-order");
    assert_int_equal(rig->n_locks, 1);
    if (rig->has_no_space) {
        free(text);
        return fe_err_set(err, FLATEND_EIO, "order.json: no space left on device");
    }
    if (text == NULL) {
        return fe_err_set(err, FLATEND_ENOMEM, "out of memory");
    }
    keep(&rig->order_text, text);
    return 0;
}

static int save_key(void *owner, const struct fe_acme_saved *saved, struct flatend_error *err)
{
    struct acme_rig *rig = owner;
    char *text = pem_of(saved->order_key, fe_view_of(NULL, 0));

    trace_add(&rig->trace, "save-key");
    assert_int_equal(rig->n_locks, 1);
    if (text == NULL) {
        return fe_err_set(err, FLATEND_ENOMEM, "out of memory");
    }
    keep(&rig->order_key, text);
    return 0;
}

static int install(void *owner, const struct fe_acme_saved *saved,
                   const struct fe_acme_cert_info *info, struct fe_view chain,
                   struct flatend_error *err)
{
    struct acme_rig *rig = owner;
    char *text = pem_of(saved->order_key, chain);

    trace_add(&rig->trace, "install");
    assert_true(info->not_after_s > info->not_before_s);
    if (text == NULL) {
        return fe_err_set(err, FLATEND_ENOMEM, "out of memory");
    }
    keep(&rig->certificate, text);
    rig->n_installed++;
    return 0;
}

/* ---- the rest of what is asked for ---------------------------------------------------------- */

static uint64_t now_ms(void *owner)
{
    return ((struct acme_rig *)owner)->now_ms;
}

static void wake_at(void *owner, uint64_t when_ms)
{
    ((struct acme_rig *)owner)->wake_ms = when_ms;
}

static int request(void *owner, const struct fe_acme_request *asked, struct flatend_error *err)
{
    struct acme_rig *rig = owner;

    assert_false(rig->has_request || rig->wants_key);
    trace_add(&rig->trace, "%s %s", asked->method, path_of(asked->url));
    rig->body = malloc(asked->body.len + 1);
    if (rig->body == NULL) {
        return fe_err_set(err, FLATEND_ENOMEM, "out of memory");
    }
    memcpy(rig->body, asked->body.len > 0 ? (const void *)asked->body.ptr : "", asked->body.len);
    rig->body_len = asked->body.len;
    snprintf(rig->method, sizeof(rig->method), "%s", asked->method);
    snprintf(rig->url, sizeof(rig->url), "%s", asked->url);
    rig->has_request = true;
    return 0;
}

static int make_key(void *owner, enum fe_acme_key_type type, struct flatend_error *err)
{
    struct acme_rig *rig = owner;

    (void)err;
    assert_int_equal(type, FE_ACME_P256);
    assert_false(rig->has_request || rig->wants_key);
    rig->wants_key = true;
    return 0;
}

static int publish(void *owner, enum fe_acme_challenge_type type, const char *name,
                   const char *token, const char *key_authorization, struct flatend_error *err)
{
    struct acme_rig *rig = owner;

    (void)err;
    assert_true(strncmp(key_authorization, token, strlen(token)) == 0);
    assert_int_equal(strlen(key_authorization), strlen(token) + 1 + 43);
    trace_add(&rig->trace, "publish(%s,%s)", fe_acme_challenge_name(type), name);
    rig->is_published = true;
    rig->published = type;
    return 0;
}

static void withdraw(void *owner)
{
    ((struct acme_rig *)owner)->is_published = false;
}

static void refused(void *owner, const char *name)
{
    struct acme_rig *rig = owner;

    assert_int_equal(rig->n_locks, 0);
    trace_add(&rig->trace, "refused(%s)", name);
}

static const struct fe_acme_ops ops = {
    .now_ms = now_ms,
    .wake_at = wake_at,
    .lock = lock,
    .unlock = unlock,
    .save_account = save_account,
    .save_order = save_order,
    .save_key = save_key,
    .install = install,
    .request = request,
    .make_key = make_key,
    .publish = publish,
    .withdraw = withdraw,
    .refused = refused,
};

static void on_log(void *arg, enum flatend_log_level level, const char *line)
{
    struct acme_rig *rig = arg;

    (void)level;
    snprintf(rig->last_log, sizeof(rig->last_log), "%s", line);
}

/* ---- life ----------------------------------------------------------------------------------- */

void acme_rig_init(struct acme_rig *rig)
{
    *rig = (struct acme_rig){
        .now_ms = ACME_RIG_START_MS,
        .config = {.directory = ACME_CA_URL,
                   .names = NAMES,
                   .n_names = ACME_CA_NAMES,
                   .challenges = {FE_ACME_HTTP_01, FE_ACME_TLS_ALPN_01},
                   .n_challenges = 2,
                   .retry_min_ms = 60 * 1000},
    };
    rig->log = (struct fe_log){on_log, rig, FLATEND_LOG_INFO};
    acme_ca_init(&rig->ca, (int64_t)(rig->now_ms / 1000));
}

bool acme_rig_start(struct acme_rig *rig)
{
    const struct fe_rng rng = fe_rng_from_seed(&rig->seeded, 8555);

    rig->wake_ms = rig->now_ms;
    rig->machine = fe_acme_new(&rig->config, &rng, &rig->log, &ops, rig);
    return rig->machine != NULL;
}

void acme_rig_kill(struct acme_rig *rig)
{
    fe_acme_free(rig->machine);
    rig->machine = NULL;
    assert_int_equal(rig->n_locks, 0);
    assert_false(rig->is_published);
    free(rig->body);
    rig->body = NULL;
    rig->has_request = false;
    rig->wants_key = false;
}

void acme_rig_deinit(struct acme_rig *rig)
{
    acme_rig_kill(rig);
    keep(&rig->account_key, NULL);
    keep(&rig->order_key, NULL);
    keep(&rig->account_text, NULL);
    keep(&rig->order_text, NULL);
    keep(&rig->certificate, NULL);
    acme_ca_deinit(&rig->ca);
}

/* ---- running -------------------------------------------------------------------------------- */

static void call(struct acme_rig *rig, void (*fn)(struct acme_rig *rig, const void *arg),
                 const void *arg)
{
    if (rig->before != NULL) {
        rig->before();
    }
    fn(rig, arg);
    if (rig->after != NULL) {
        rig->after();
    }
}

static void call_response(struct acme_rig *rig, const void *response)
{
    fe_acme_on_response(rig->machine, response);
}

static void call_failure(struct acme_rig *rig, const void *err)
{
    fe_acme_on_failure(rig->machine, err);
}

static void call_key(struct acme_rig *rig, const void *arg)
{
    struct evp_pkey_st *const *key = arg;

    fe_acme_on_key(rig->machine, *key);
}

static void call_wake(struct acme_rig *rig, const void *arg)
{
    (void)arg;
    fe_acme_on_wake(rig->machine);
}

static void answer(struct acme_rig *rig)
{
    const struct flatend_error err = {FLATEND_ECLOSED, "ca.test: connection closed"};
    struct fe_acme_response response;
    char *body = rig->body;
    bool arrives;

    rig->body = NULL;
    rig->has_request = false;
    rig->ca.now_s = (int64_t)(rig->now_ms / 1000);
    arrives =
        acme_ca_answer(&rig->ca, rig->method, rig->url, fe_view_of(body, rig->body_len), &response);
    free(body);
    if (arrives) {
        call(rig, call_response, &response);
    } else {
        call(rig, call_failure, &err);
    }
}

void acme_rig_step(struct acme_rig *rig)
{
    if (rig->has_request) {
        answer(rig);
    } else if (rig->wants_key) {
        struct evp_pkey_st *key = fe_acme_key_generate(FE_ACME_P256);

        rig->wants_key = false;
        call(rig, call_key, &key);
    } else {
        const uint64_t wake_ms = rig->wake_ms;

        assert_int_not_equal(wake_ms, ACME_RIG_NEVER);
        rig->wake_ms = ACME_RIG_NEVER;
        if (wake_ms > rig->now_ms) {
            rig->now_ms = wake_ms;
        }
        call(rig, call_wake, NULL);
    }
}

bool acme_rig_run(struct acme_rig *rig, unsigned n_installed, unsigned max)
{
    while (rig->n_installed < n_installed && max-- > 0) {
        acme_rig_step(rig);
    }
    return rig->n_installed >= n_installed;
}

bool acme_rig_rest(struct acme_rig *rig, unsigned max)
{
    do {
        acme_rig_step(rig);
    } while (max-- > 0 && (rig->n_locks > 0 || rig->has_request || rig->wants_key));
    return rig->n_locks == 0;
}
