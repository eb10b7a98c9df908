#include "gateway/certs/https.h"

#include <stdlib.h>

#include "ground/base/assert.h"
#include "ground/os/fd.h"

#define DAY_S INT64_C(86400)

struct fe_https_source {
    struct fe_file_info chain; /* when they were read: others, or written to, are different */
    struct fe_file_info key;
    struct fe_cert *cert; /* in use */
};

/* ---- own certificates ----------------------------------------------------------------------- */

static struct fe_file_info poll_source(const char *path)
{
    struct fe_file_info info;

    if (fe_path_info(path, &info) != 0) {
        return (struct fe_file_info){0}; /* reading it says why */
    }
    return info;
}

static bool is_same(const struct fe_file_info *a, const struct fe_file_info *b)
{
    return a->modified_s == b->modified_s && a->modified_ns == b->modified_ns &&
           a->size == b->size && a->inode == b->inode;
}

/* Remembers what the files look like now; whether that is news. */
static bool note(struct fe_https_source *source, const struct fe_config_cert *files)
{
    const struct fe_file_info chain = poll_source(files->chain_path);
    const struct fe_file_info key = poll_source(files->key_path);
    const bool is_news = !is_same(&chain, &source->chain) || !is_same(&key, &source->key);

    source->chain = chain;
    source->key = key;
    return is_news;
}

/* Two files are not replaced atomically: a pair that does not match now will when the second is
 * written, which is the next change. */
static bool reload(struct fe_https *https, size_t i)
{
    const struct fe_config_cert *const files = &https->config->certs[i];
    struct flatend_error err;
    struct fe_cert *cert;

    if (fe_cert_load(files->chain_path, files->key_path, &cert, NULL, &err) != 0) {
        fe_log(https->log, FLATEND_LOG_WARN,
               "Cannot reload the certificate, keeping the old one: %s.", err.text);
        return false;
    }
    fe_cert_unref(https->sources[i].cert);
    https->sources[i].cert = cert;
    fe_log(https->log, FLATEND_LOG_INFO, "Reloaded the certificate '%s'.", files->chain_path);
    return true;
}

static int use_sources(struct fe_https *https)
{
    struct fe_cert *certs[FE_CONFIG_CERTS_MAX + 1];
    size_t n = 0;

    FE_ASSERT(https->config->n_certs <= FE_CONFIG_CERTS_MAX + 1, "tables and one pair of keys fit");
    for (; n < https->config->n_certs; n++) {
        certs[n] = https->sources[n].cert;
    }
    return fe_tls_store_set(https->store, certs, n);
}

static int open_files(struct fe_https *https)
{
    const struct fe_config_http *const config = https->config;

    https->sources = calloc(config->n_certs, sizeof(*https->sources));
    if (https->sources == NULL) {
        return FLATEND_ENOMEM;
    }
    for (size_t i = 0; i < config->n_certs; i++) {
        https->sources[i].cert = fe_cert_ref(config->certs[i].cert);
        (void)note(&https->sources[i], &config->certs[i]);
    }
    return use_sources(https);
}

/* ---- certificates that are made ------------------------------------------------------------- */

bool fe_https_is_given(const struct fe_https *https, struct fe_view name)
{
    for (size_t i = 0; i < https->n_given; i++) {
        if (fe_cert_covers(https->given[i], name)) {
            return true;
        }
    }
    return false;
}

static bool are_all_given(const struct fe_https *https)
{
    size_t i = 0;

    while (i < https->config->n_domains && fe_https_is_given(https, https->config->domains[i])) {
        i++;
    }
    return https->n_given > 0 && i == https->config->n_domains;
}

/* Those from elsewhere first, then the one that was made. */
static int use(struct fe_https *https, struct fe_cert *const *given, size_t n, struct fe_cert *made)
{
    struct fe_cert **const all = malloc((n + 1) * sizeof(struct fe_cert *));
    int code;

    if (all == NULL) {
        return FLATEND_ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        all[i] = given[i];
    }
    all[n] = made;
    code = fe_tls_store_set(https->store, all, made != NULL ? n + 1 : n);
    free(all);
    return code;
}

static int make(struct fe_https *https, int64_t now_s)
{
    const struct fe_config_http *const config = https->config;
    struct fe_cert *cert;
    int code = https->ca != NULL
                   ? fe_local_ca_issue(https->ca, config->domains, config->n_domains, now_s, &cert)
                   : fe_cert_self_signed(config->domains, config->n_domains, now_s, &cert);

    if (code != 0) {
        return code;
    }
    code = use(https, https->given, https->n_given, cert);
    if (code != 0) {
        fe_cert_unref(cert);
        return code;
    }
    fe_cert_unref(https->made);
    https->made = cert;
    return 0;
}

/* Near its end; or made under another clock, which has been set since. */
static bool is_made_due(const struct fe_https *https, int64_t now_s)
{
    const int64_t renew_s = FE_LOCAL_CERT_RENEW_DAYS * DAY_S;

    const bool may_retry = now_s >= https->retry_s || now_s < https->retry_s - FE_HTTPS_RETRY_S;

    return https->made != NULL && may_retry &&
           (now_s >= fe_cert_not_after(https->made) - renew_s ||
            now_s < fe_cert_not_before(https->made));
}

static void tell_replaced(const struct fe_https *https)
{
    if (fe_local_ca_replaced(https->ca) != NULL) {
        fe_log(https->log, FLATEND_LOG_WARN,
               "Replaced the local CA '%s', which %s: clients that trusted it must trust the new "
               "one; run 'flatend trust' to see how to install it.",
               fe_local_ca_path(https->ca), fe_local_ca_replaced(https->ca));
    }
}

/* The CA first: what it signs must not outlive it. */
static int renew_made(struct fe_https *https, int64_t now_s, struct flatend_error *err)
{
    int code = https->ca != NULL ? fe_local_ca_renew(https->ca, now_s, err) : 0;

    if (code != 0) {
        return code;
    }
    if (https->ca != NULL) {
        tell_replaced(https);
    }
    code = make(https, now_s);
    return code == 0 ? 0 : fe_err_code(err, code);
}

static int open_local(struct fe_https *https, const char *state_dir, int64_t now_s,
                      struct flatend_error *err)
{
    int code = fe_local_ca_open(state_dir, now_s, &https->ca, err);

    if (code != 0) {
        return code;
    }
    tell_replaced(https);
    code = make(https, now_s);
    if (code != 0) {
        return fe_err_set(err, code, "local certificate: %s", flatend_strerror(code));
    }
    fe_log(https->log, FLATEND_LOG_INFO,
           "Using the local CA '%s'; run 'flatend trust' to see how to install it.",
           fe_local_ca_path(https->ca));
    return 0;
}

/* ---- life ----------------------------------------------------------------------------------- */

/* Tickets of one listener are no good at another, which may have other certificates. */
static struct fe_view id_of(const struct fe_config_http *config, char text[FE_ADDR_TEXT_MAX])
{
    return fe_view_str(fe_addr_format(&config->addrs[0], text));
}

int fe_https_open(struct fe_https *https, const struct fe_https_setup *setup,
                  struct flatend_error *err)
{
    const struct fe_config_http *config = setup->config;
    char text[FE_ADDR_TEXT_MAX];
    int code;

    *https = (struct fe_https){.config = config, .log = setup->log};
    code = fe_tls_store_new(setup->tickets, id_of(config, text), true, &https->store);
    if (code == 0 && config->n_certs > 0) {
        code = open_files(https);
    } else if (code == 0 && config->https == FE_HTTPS_ON) {
        code = make(https, setup->now_s); /* until ACME has a better one */
    } else if (code == 0) {
        code = open_local(https, setup->state_dir, setup->now_s, err);
        if (code != 0) {
            fe_https_close(https);
            return code;
        }
    }
    if (code != 0) {
        fe_https_close(https);
        return fe_err_set(err, code, "https: %s", flatend_strerror(code));
    }
    return 0;
}

static void unref_all(struct fe_cert **certs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        fe_cert_unref(certs[i]);
    }
    free(certs);
}

void fe_https_close(struct fe_https *https)
{
    fe_tls_store_free(https->store);
    for (size_t i = 0; https->sources != NULL && i < https->config->n_certs; i++) {
        fe_cert_unref(https->sources[i].cert);
    }
    free(https->sources);
    unref_all(https->given, https->n_given);
    fe_cert_unref(https->made);
    fe_local_ca_close(https->ca);
    *https = (struct fe_https){0};
}

int fe_https_set_certs(struct fe_https *https, struct fe_cert *const *certs, size_t n,
                       int64_t now_s)
{
    struct fe_cert **const given = malloc((n + 1) * sizeof(struct fe_cert *));

    FE_ASSERT(https->config->n_certs == 0 && https->ca == NULL,
              "certificates come where there are none of one's own");
    if (given == NULL || use(https, certs, n, https->made) != 0) {
        free(given);
        return FLATEND_ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        given[i] = fe_cert_ref(certs[i]);
    }
    unref_all(https->given, https->n_given);
    https->given = given;
    https->n_given = n;
    if (are_all_given(https) && https->made != NULL &&
        use(https, https->given, https->n_given, NULL) == 0) {
        fe_cert_unref(https->made);
        https->made = NULL;
    } else if (!are_all_given(https) && https->made == NULL) {
        return make(https, now_s);
    }
    return 0;
}

void fe_https_poll(struct fe_https *https, int64_t now_s, bool force)
{
    struct flatend_error err = {0};
    bool has_changed = false;
    int code = 0;

    for (size_t i = 0; https->sources != NULL && i < https->config->n_certs; i++) {
        if (note(&https->sources[i], &https->config->certs[i]) || force) {
            has_changed = reload(https, i) || has_changed;
        }
    }
    if (has_changed) {
        code = fe_err_code(&err, use_sources(https));
    } else if (is_made_due(https, now_s)) {
        code = renew_made(https, now_s, &err);
        https->retry_s = code != 0 ? now_s + FE_HTTPS_RETRY_S : 0;
    }
    if (code != 0) {
        fe_log(https->log, FLATEND_LOG_WARN, "Cannot renew the certificate: %s.", err.text);
    }
}
