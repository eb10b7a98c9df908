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

static int use_made(struct fe_https *https, struct fe_cert *cert, int64_t renew_days)
{
    int code = fe_tls_store_set(https->store, &cert, 1);

    if (code == 0) {
        https->renew_s = fe_cert_not_after(cert) - renew_days * DAY_S;
    }
    fe_cert_unref(cert);
    return code;
}

static int make(struct fe_https *https, int64_t now_s)
{
    const struct fe_config_http *const config = https->config;
    struct fe_cert *cert;
    int code = https->ca != NULL
                   ? fe_local_ca_issue(https->ca, config->domains, config->n_domains, now_s, &cert)
                   : fe_cert_self_signed(config->domains, config->n_domains, now_s, &cert);

    return code != 0 ? code : use_made(https, cert, FE_LOCAL_CERT_RENEW_DAYS);
}

static int open_local(struct fe_https *https, const char *state_dir, int64_t now_s,
                      struct flatend_error *err)
{
    int code = fe_local_ca_open(state_dir, now_s, &https->ca, err);

    if (code != 0) {
        return code;
    }
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

    *https = (struct fe_https){.config = config, .log = setup->log, .renew_s = INT64_MAX};
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

void fe_https_close(struct fe_https *https)
{
    fe_tls_store_free(https->store);
    for (size_t i = 0; https->sources != NULL && i < https->config->n_certs; i++) {
        fe_cert_unref(https->sources[i].cert);
    }
    free(https->sources);
    fe_local_ca_close(https->ca);
    *https = (struct fe_https){0};
}

int fe_https_set_cert(struct fe_https *https, struct fe_cert *cert)
{
    const int code = fe_tls_store_set(https->store, &cert, 1);

    if (code == 0) {
        https->renew_s = INT64_MAX;
    }
    return code;
}

void fe_https_poll(struct fe_https *https, int64_t now_s, bool force)
{
    bool has_changed = false;
    int code = 0;

    for (size_t i = 0; https->sources != NULL && i < https->config->n_certs; i++) {
        if (note(&https->sources[i], &https->config->certs[i]) || force) {
            has_changed = reload(https, i) || has_changed;
        }
    }
    if (has_changed) {
        code = use_sources(https);
    } else if (now_s >= https->renew_s) {
        code = make(https, now_s);
    }
    if (code != 0) {
        fe_log(https->log, FLATEND_LOG_WARN, "Cannot renew the local certificate: %s.",
               flatend_strerror(code));
    }
}
