/* What an [[http]] says about HTTPS. */
#ifndef FE_GATEWAY_CONFIG_HTTPS_H
#define FE_GATEWAY_CONFIG_HTTPS_H

#include "gateway/config/config.h"
#include "gateway/config/read.h"

struct fe_config_https_mode {
    enum fe_https_mode mode;
    struct fe_toml_pos pos;
};

/* A certificate's two files, of which one alone is no good. */
struct fe_config_pair {
    struct fe_config_text chain;
    struct fe_config_text key;
};

/* `redirect_http`: an address, or whether at all. */
struct fe_config_redirect {
    struct fe_config_text addr; /* empty: not given */
    bool is_off;
    struct fe_toml_pos pos;
};

/* The keys as they are written. */
struct fe_config_https_form {
    struct fe_config_https_mode https;
    struct fe_config_texts domains;
    struct fe_config_pair pair;
    struct fe_toml_value certificates;
    struct fe_config_redirect redirect;
    struct fe_config_number hsts;
};

/* Readers for `struct fe_config_key`, into the members with their names. */
int fe_config_read_https_mode(const struct fe_config_reader *r, const struct fe_toml_value *value,
                              void *mode) FE_MUST_USE;
int fe_config_keep_certificates(const struct fe_config_reader *r, const struct fe_toml_value *value,
                                void *tables) FE_MUST_USE;
int fe_config_read_redirect(const struct fe_config_reader *r, const struct fe_toml_value *value,
                            void *redirect) FE_MUST_USE;

/* Checks the names, loads the certificates, and settles the rest into `http`, whose addresses are
 * known already. FLATEND_EINVAL, FLATEND_ENOMEM. */
int fe_config_finalize_https(const struct fe_config_reader *r, struct fe_config_https_form *form,
                             struct fe_config_http *http) FE_MUST_USE;

/* Appends the listeners that redirect to those in `config`. FLATEND_EEXIST: somebody else serves
 * such an address. FLATEND_ENOMEM. */
int fe_config_add_redirects(const struct fe_config_reader *r, struct fe_config *config) FE_MUST_USE;

#endif
