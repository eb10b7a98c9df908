/* The JSON that ACME keeps on disk (web/acme/store.h). What is read may be anything: what makes no
 * sense is left as it was. */
#ifndef FE_WEB_ACME_RECORD_H
#define FE_WEB_ACME_RECORD_H

#include "web/acme/acme.h"

/* Into `account_url`. */
void fe_acme_record_read_account(struct fe_view text, struct fe_acme_saved *saved);
/* Appends it. FLATEND_ENOMEM, FLATEND_ETOOBIG. */
int fe_acme_record_write_account(const struct fe_acme_saved *saved, const char *directory,
                                 struct fe_buf *text) FE_MUST_USE;

/* Into the rest but keys and certificate. */
void fe_acme_record_read_order(struct fe_view text, const char *const *names, size_t n_names,
                               struct fe_acme_saved *saved);
int fe_acme_record_write_order(const struct fe_acme_saved *saved, const char *const *names,
                               size_t n_names, struct fe_buf *text) FE_MUST_USE;

#endif
