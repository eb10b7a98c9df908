/* The certificates of one [[http]] at work: where they come from, and when they are reloaded.
 *
 * Own certificates are files, which are looked at every few seconds: when one has changed both are
 * read again, and if that fails the old ones stay in use. Local ones are made by the local CA and
 * renewed in time, and so is the local CA. Names without a certificate have a self-signed one. */
#ifndef FE_GATEWAY_CERTS_HTTPS_H
#define FE_GATEWAY_CERTS_HTTPS_H

#include "gateway/config/config.h"
#include "web/tls/local_ca.h"
#include "web/tls/store.h"

enum {
    FE_HTTPS_POLL_MS = 2000, /* between two looks at the files */
    FE_HTTPS_RETRY_S = 60,   /* between two attempts to renew what was made */
};

struct fe_https_source;

struct fe_https {
    const struct fe_config_http *config;
    const struct fe_log *log;
    struct fe_tls_store *store;
    struct fe_https_source *sources; /* by certificate of the configuration */
    struct fe_local_ca *ca;
    struct fe_cert *made;   /* by the local CA, or self-signed; NULL: each name has another one */
    struct fe_cert **given; /* from elsewhere: each of them is good for a name now */
    size_t n_given;
    int64_t retry_s; /* when what was made is renewed again, if that has failed */
};

/* `config`, `tickets` and `log` outlive what is opened with them. */
struct fe_https_setup {
    const struct fe_config_http *config;
    const char *state_dir; /* of the local CA */
    struct fe_tls_tickets *tickets;
    const struct fe_log *log;
    int64_t now_s;
};

/* On failure `err` says why, and it is closed. FLATEND_ENOMEM; for local certificates the errors of
 * fe_local_ca_open. */
int fe_https_open(struct fe_https *https, const struct fe_https_setup *setup,
                  struct flatend_error *err) FE_MUST_USE;
void fe_https_close(struct fe_https *https);

/* Serves certificates that came from elsewhere, of which it takes references, instead of those that
 * came before: the first one that has a client's name, or the first. Names of the configuration
 * that none of them is valid for keep a self-signed one. FLATEND_ENOMEM: all is as before. */
int fe_https_set_certs(struct fe_https *https, struct fe_cert *const *certs, size_t n,
                       int64_t now_s) FE_MUST_USE;

/* Is one of those valid for the name? */
bool fe_https_is_given(const struct fe_https *https, struct fe_view name);

/* Time has passed. `force`: read the files even if they look the same. Failures are logged. */
void fe_https_poll(struct fe_https *https, int64_t now_s, bool force);

#endif
