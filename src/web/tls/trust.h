/* The client's side of TLS settings: which CAs to trust. TLS 1.2 and 1.3. Belongs to one thread. */
#ifndef FE_WEB_TLS_TRUST_H
#define FE_WEB_TLS_TRUST_H

#include "ground/base/err.h"

struct fe_tls_trust;

/* Trusts the CAs in the PEM file `ca_file`; NULL: those that the system trusts. FLATEND_ENOENT,
 * FLATEND_EACCESS, FLATEND_ESYNTAX, FLATEND_ENOMEM. */
int fe_tls_trust_new(const char *ca_file, struct fe_tls_trust **trust,
                     struct flatend_error *err) FE_MUST_USE;
void fe_tls_trust_free(struct fe_tls_trust *trust); /* after its connections; NULL is allowed */

#endif
