/* What ACME remembers, in the state directory:
 *
 *     acme/accounts/ca.example-0123456789abcdef/account.key     a key for each directory URL
 *                                               account.json    the account's URL
 *     acme/certificates/example.org-0123456789abcdef/           for each directory and set of
 * names, whatever their order order.json      what is under way, when to retry order.key       the
 * key that is being certified certificate.pem key and chain, in one file
 *     acme/names/example.org.lock                               held while ordering
 *
 * Directories have mode 0700, files 0600, whatever the umask; each is replaced whole. Several
 * processes may share them. All calls block for as long as the disk takes. */
#ifndef FE_WEB_ACME_STORE_H
#define FE_WEB_ACME_STORE_H

#include "web/acme/acme.h"
#include "web/tls/cert.h"

enum { FE_ACME_FOUND_MAX = 1000 }; /* sets of names that are looked at */

struct fe_acme_store;

/* Only computes paths; `names`, valid ones in lower case, and `directory` outlive the store.
 * FLATEND_ENOMEM. */
int fe_acme_store_open(const char *state_dir, const char *directory, const char *const *names,
                       size_t n_names, struct fe_acme_store **store) FE_MUST_USE;
void fe_acme_store_close(struct fe_acme_store *store); /* unlocks; NULL is allowed */

/* Where the certificate and what belongs to it are. */
const char *fe_acme_store_path(const struct fe_acme_store *store);

/* Locks each of the names, makes the directories and the account's key if they are not there, and
 * reads the rest; what cannot be understood counts as not there. FLATEND_EAGAIN: another process
 * (or store) has one of the names. FLATEND_EACCESS, FLATEND_EIO, FLATEND_EKEY (the account's key),
 * FLATEND_ENOMEM; then nothing is locked, and `saved` is empty. */
int fe_acme_store_lock(struct fe_acme_store *store, struct fe_acme_saved *saved,
                       struct flatend_error *err) FE_MUST_USE;
void fe_acme_store_unlock(struct fe_acme_store *store);

/* While it is locked. FLATEND_EACCESS, FLATEND_EIO, FLATEND_ENOMEM. */
int fe_acme_store_save_account(struct fe_acme_store *store, const struct fe_acme_saved *saved,
                               struct flatend_error *err) FE_MUST_USE;
/* Without an order, its key is removed. */
int fe_acme_store_save_order(struct fe_acme_store *store, const struct fe_acme_saved *saved,
                             struct flatend_error *err) FE_MUST_USE;
int fe_acme_store_save_key(struct fe_acme_store *store, const struct fe_acme_saved *saved,
                           struct flatend_error *err) FE_MUST_USE;
int fe_acme_store_save_certificate(struct fe_acme_store *store, const struct fe_acme_saved *saved,
                                   struct fe_view chain, struct flatend_error *err) FE_MUST_USE;

/* The certificate that is stored, at any time. FLATEND_ENOENT: none yet; the errors of
 * fe_cert_load. */
int fe_acme_store_load(const struct fe_acme_store *store, struct fe_cert **cert,
                       struct flatend_error *err) FE_MUST_USE;

/* What is stored in `state_dir` for other sets of names, or by another directory: for each of
 * `names` the certificate that is valid for it longest, if there is one at `now_s`; each once, in
 * `certs`, which has room for `n_names` references. What cannot be read is passed over, and so is
 * what lies behind the first FE_ACME_FOUND_MAX. FLATEND_ENOMEM. */
int fe_acme_store_find(const char *state_dir, const char *const *names, size_t n_names,
                       int64_t now_s, struct fe_cert **certs, size_t *n) FE_MUST_USE;

#endif
