/* The certificates of one [[http]] at work: where they come from, and when they are reloaded.
 *
 * Own certificates are files, which are looked at every few seconds: when one has changed both are
 * read again, and if that fails the old ones stay in use. Local ones are made by the local CA and
 * renewed in time. Where there is no certificate yet a self-signed one keeps the place. */
#ifndef FE_GATEWAY_CERTS_HTTPS_H
#define FE_GATEWAY_CERTS_HTTPS_H

#include "gateway/config/config.h"
#include "web/tls/local_ca.h"
#include "web/tls/store.h"

enum { FE_HTTPS_POLL_MS = 2000 }; /* between two looks at the files */

struct fe_https_source;

struct fe_https {
    const struct fe_config_http *config;
    const struct fe_log *log;
    struct fe_tls_store *store;
    struct fe_https_source *sources; /* by certificate of the configuration */
    struct fe_local_ca *ca;
    int64_t renew_s; /* when the certificate in use is to be replaced; INT64_MAX: never by us */
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

/* Serves a certificate that came from elsewhere, of which it takes a reference. FLATEND_ENOMEM. */
int fe_https_set_cert(struct fe_https *https, struct fe_cert *cert) FE_MUST_USE;

/* Time has passed. `force`: read the files even if they look the same. Failures are logged. */
void fe_https_poll(struct fe_https *https, int64_t now_s, bool force);

#endif
