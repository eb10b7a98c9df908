/* The [acme] table of the configuration: where certificates come from. */
#ifndef FE_GATEWAY_CONFIG_ACME_H
#define FE_GATEWAY_CONFIG_ACME_H

#include "gateway/config/read.h"
#include "web/acme/acme.h"

enum { FE_CONFIG_CONTACTS_MAX = 16 };

struct fe_config_acme {
    const char *directory; /* URL; default: Let's Encrypt */
    const char *ca_file;   /* NULL: the CAs that the system trusts */
    const char **contacts; /* URLs */
    size_t n_contacts;
    enum fe_acme_key_type key_type;
    const char *eab_key_id;      /* NULL: none */
    struct fe_view eab_hmac_key; /* decoded */
    enum fe_acme_challenge_type challenges[FE_ACME_N_CHALLENGE_TYPES];
    size_t n_challenges;
    uint64_t retry_min_ms;
};

/* What holds without a table. */
void fe_config_acme_init(struct fe_config_acme *acme);

/* For `struct fe_config_key`, into a `struct fe_config_acme` that was initialized. FLATEND_EINVAL
 * (a file that it names and that cannot be used, too), FLATEND_ENOMEM. */
int fe_config_read_acme(const struct fe_config_reader *r, const struct fe_toml_value *table,
                        void *acme) FE_MUST_USE;

#endif
