/* A certificate authority for this machine: it is made once, and clients that trust it trust the
 * certificates that it issues for local names. It can issue no others (RFC 5280 §4.2.1.10), so that
 * a stolen one cannot pass for the rest of the world. */
#ifndef FE_WEB_TLS_LOCAL_CA_H
#define FE_WEB_TLS_LOCAL_CA_H

#include "web/tls/cert.h"

enum {
    FE_LOCAL_CA_DAYS = 3650,
    FE_LOCAL_CERT_DAYS = 90,
    FE_LOCAL_CERT_RENEW_DAYS = 30, /* before the end */
};

struct fe_local_ca;

/* Reads the CA in `state_dir`, or makes one, with the key first, so that after a crash it is
 * complete or made again. One that is not valid yet (it was made under a wrong clock), or whose
 * rest is shorter than the life of a certificate, is replaced. FLATEND_EACCESS, FLATEND_EIO,
 * FLATEND_EKEY, FLATEND_ESYNTAX, FLATEND_ENOMEM.
 */
int fe_local_ca_open(const char *state_dir, int64_t now_s, struct fe_local_ca **ca,
                     struct flatend_error *err) FE_MUST_USE;
void fe_local_ca_close(struct fe_local_ca *ca); /* NULL is allowed */

/* Replaces it, if it has to be by now. The errors of fe_local_ca_open; then it is as before. */
int fe_local_ca_renew(struct fe_local_ca *ca, int64_t now_s, struct flatend_error *err) FE_MUST_USE;

/* What was wrong with the one that the last call of these two replaced: "is not valid before ..."
 * NULL: it replaced none. */
const char *fe_local_ca_replaced(const struct fe_local_ca *ca);

/* The file with its certificate, which may be given to any client. */
const char *fe_local_ca_path(const struct fe_local_ca *ca);

/* Names may be addresses. FLATEND_ENOMEM. */
int fe_local_ca_issue(const struct fe_local_ca *ca, const struct fe_view *names, size_t n_names,
                      int64_t now_s, struct fe_cert **cert) FE_MUST_USE;

/* May it issue for that name? `localhost`, what is reserved for private networks and tests, and
 * addresses of loopback and private networks. */
bool fe_local_ca_permits(struct fe_view name);

#endif
