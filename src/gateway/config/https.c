/* HTTPS in an [[http]]: names, certificates. */
#include "gateway/config/https.h"

#include <stdio.h>

#include "gateway/config/http.h"
#include "web/tls/local_ca.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NEEDS_A_NAME                                                                               \
    "https needs a 'domain' to get a certificate for, or 'cert' and 'key'; on your own machine "   \
    "use https = \"local\""

/* ---- keys ----------------------------------------------------------------------------------- */

int fe_config_read_https_mode(const struct fe_config_reader *r, const struct fe_toml_value *value,
                              void *mode)
{
    struct fe_config_https_mode *const into = mode;

    into->pos = value->pos;
    if (value->type == FE_TOML_BOOLEAN) {
        into->mode = value->boolean ? FE_HTTPS_ON : FE_HTTPS_OFF;
        return FLATEND_OK;
    }
    if (value->type == FE_TOML_STRING && fe_view_equal(value->string, FE_VIEW_LIT("local"))) {
        into->mode = FE_HTTPS_LOCAL;
        return FLATEND_OK;
    }
    return fe_config_fail(
        r, FLATEND_EINVAL, value->pos, "expected true, false or \"local\", found %s",
        value->type == FE_TOML_STRING ? "another string" : fe_toml_type_name(value->type));
}

int fe_config_keep_certificates(const struct fe_config_reader *r, const struct fe_toml_value *value,
                                void *tables)
{
    struct fe_toml_value *const into = tables;

    *into = *value;
    return fe_config_expect(r, value, FE_TOML_ARRAY, "an array of tables: [[http.certificates]]");
}

int fe_config_read_redirect(const struct fe_config_reader *r, const struct fe_toml_value *value,
                            void *redirect)
{
    struct fe_config_redirect *const into = redirect;

    into->pos = value->pos;
    if (value->type == FE_TOML_BOOLEAN && !value->boolean) {
        into->is_off = true;
        return FLATEND_OK;
    }
    if (value->type != FE_TOML_STRING) {
        return fe_config_fail(r, FLATEND_EINVAL, value->pos,
                              "expected an address such as \":80\", or false");
    }
    return fe_config_read_text(r, value, &into->addr);
}

/* ---- names ---------------------------------------------------------------------------------- */

static int check_domain(const struct fe_config_reader *r, const struct fe_config_text *domain,
                        const struct fe_config_http *http)
{
    const char *const text = (const char *)domain->text.ptr;
    const bool is_address = fe_name_is_address(domain->text);

    if (http->https == FE_HTTPS_LOCAL && fe_local_ca_permits(domain->text)) {
        return FLATEND_OK;
    }
    if (http->https == FE_HTTPS_LOCAL) {
        return fe_config_fail(
            r, FLATEND_EINVAL, domain->pos,
            "'%.60s' is not a local name: the local CA signs only localhost, .localhost, .test, "
            ".internal, .local, .lan, .home.arpa and private addresses",
            text);
    }
    if (is_address && http->n_certs == 0) {
        return fe_config_fail(r, FLATEND_EINVAL, domain->pos,
                              "no CA issues a certificate for the address '%.60s': set a domain "
                              "name, or 'cert' and 'key'",
                              text);
    }
    if (!is_address && !fe_name_is_valid(domain->text, http->n_certs > 0)) {
        return fe_config_fail(r, FLATEND_EINVAL, domain->pos,
                              "expected a domain name such as \"example.com\", found \"%.60s\"",
                              text);
    }
    return FLATEND_OK;
}

static int finalize_domains(const struct fe_config_reader *r, struct fe_config_https_form *form,
                            struct fe_config_http *http)
{
    static const char *const local[] = {"localhost", "127.0.0.1", "::1"};
    struct fe_config_texts *const domains = &form->domains;
    size_t n = 0;

    if (domains->n > FE_CONFIG_DOMAINS_MAX) {
        return fe_config_fail(r, FLATEND_EINVAL, domains->items[FE_CONFIG_DOMAINS_MAX].pos,
                              "more than %d domains in an [[http]]", FE_CONFIG_DOMAINS_MAX);
    }
    fe_config_merge_texts(domains);
    http->domains = fe_arena_alloc(r->arena, (domains->n + COUNT(local)) * sizeof(*http->domains));
    if (http->domains == NULL) {
        return fe_config_no_memory(r);
    }
    for (; n < domains->n; n++) {
        const int code =
            http->https == FE_HTTPS_OFF ? FLATEND_OK : check_domain(r, &domains->items[n], http);
        if (code != FLATEND_OK) {
            return code;
        }
        http->domains[n] = domains->items[n].text;
    }
    for (size_t i = 0; http->https == FE_HTTPS_LOCAL && domains->n == 0 && i < COUNT(local); i++) {
        http->domains[n++] = fe_view_str(local[i]);
    }
    http->n_domains = n;
    return FLATEND_OK;
}

/* ---- certificates --------------------------------------------------------------------------- */

static int load_pair(const struct fe_config_reader *r, const struct fe_config_pair *pair,
                     struct fe_config_http *http)
{
    struct fe_config_cert *const cert = &http->certs[http->n_certs];
    struct flatend_error err;
    enum fe_cert_part part;
    int code;

    cert->chain_path = (const char *)pair->chain.text.ptr;
    cert->key_path = (const char *)pair->key.text.ptr;
    cert->pos = pair->chain.pos;
    code = fe_cert_load(cert->chain_path, cert->key_path, &cert->cert, &part, &err);
    if (code == FLATEND_ENOMEM) {
        return fe_config_no_memory(r);
    }
    if (code != FLATEND_OK) {
        return fe_config_fail(r, FLATEND_EINVAL,
                              part == FE_CERT_PART_KEY ? pair->key.pos : pair->chain.pos, "%s",
                              err.text);
    }
    http->n_certs++;
    return FLATEND_OK;
}

static int check_pair(const struct fe_config_reader *r, const struct fe_config_pair *pair,
                      struct fe_toml_pos table)
{
    const bool has_chain = pair->chain.pos.line != 0;
    const bool has_key = pair->key.pos.line != 0;

    if (has_chain && has_key) {
        return FLATEND_OK;
    }
    return fe_config_fail(r, FLATEND_EINVAL,
                          has_chain ? pair->chain.pos
                          : has_key ? pair->key.pos
                                    : table,
                          "a certificate needs both 'cert' and 'key'");
}

static int read_pair(const struct fe_config_reader *r, const struct fe_toml_value *table,
                     struct fe_config_pair *pair)
{
    static const struct fe_config_key keys[] = {
        {"cert", fe_config_read_text, offsetof(struct fe_config_pair, chain)},
        {"key", fe_config_read_text, offsetof(struct fe_config_pair, key)},
    };
    const int code =
        fe_config_read_table(r, table, "[[http.certificates]]", keys, COUNT(keys), pair);

    return code != FLATEND_OK ? code : check_pair(r, pair, table->pos);
}

static int finalize_certificates(const struct fe_config_reader *r,
                                 const struct fe_config_https_form *form,
                                 struct fe_config_http *http)
{
    const struct fe_toml_value *const tables = &form->certificates;
    const bool has_pair = form->pair.chain.pos.line != 0 || form->pair.key.pos.line != 0;
    int code = has_pair ? check_pair(r, &form->pair, form->pair.key.pos) : FLATEND_OK;

    if (code == FLATEND_OK && tables->n > FE_CONFIG_CERTS_MAX) {
        code = fe_config_fail(r, FLATEND_EINVAL, tables->items[FE_CONFIG_CERTS_MAX].pos,
                              "more than %d certificates in an [[http]]", FE_CONFIG_CERTS_MAX);
    }
    if (code != FLATEND_OK) {
        return code;
    }
    http->certs = fe_arena_alloc(r->arena, (tables->n + 1) * sizeof(*http->certs));
    if (http->certs == NULL) {
        return fe_config_no_memory(r);
    }
    if (has_pair) {
        code = load_pair(r, &form->pair, http);
    }
    for (size_t i = 0; code == FLATEND_OK && i < tables->n; i++) {
        struct fe_config_pair pair = {0};

        code = read_pair(r, &tables->items[i], &pair);
        if (code == FLATEND_OK) {
            code = load_pair(r, &pair, http);
        }
    }
    return code;
}

/* ---- all together --------------------------------------------------------------------------- */

/* What is about HTTPS is a mistake without it: nobody means to serve it in clear text. */
static int check_unused(const struct fe_config_reader *r, const struct fe_config_https_form *form)
{
    const struct {
        const char *name;
        struct fe_toml_pos pos;
    } keys[] = {
        {"cert", form->pair.chain.pos},           {"key", form->pair.key.pos},
        {"certificates", form->certificates.pos}, {"hsts", form->hsts.pos},
        {"redirect_http", form->redirect.pos},
    };

    for (size_t i = 0; i < COUNT(keys); i++) {
        if (keys[i].pos.line != 0) {
            return fe_config_fail(r, FLATEND_EINVAL, keys[i].pos,
                                  "'%s' needs https: set https = true", keys[i].name);
        }
    }
    return FLATEND_OK;
}

static int finalize_hsts(const struct fe_config_reader *r, const struct fe_config_number *hsts,
                         struct fe_config_http *http)
{
    char text[64];
    const int len =
        snprintf(text, sizeof(text), "max-age=%llu", (unsigned long long)(hsts->n / 1000));
    const char *copy;

    if (hsts->pos.line == 0) {
        return FLATEND_OK;
    }
    copy = fe_arena_copy(r->arena, fe_view_of(text, (size_t)len));
    if (copy == NULL) {
        return fe_config_no_memory(r);
    }
    http->hsts = fe_view_of(copy, (size_t)len);
    return FLATEND_OK;
}

static int finalize_redirect(const struct fe_config_reader *r,
                             const struct fe_config_redirect *redirect, struct fe_config_http *http)
{
    http->redirect_is_off = redirect->is_off;
    http->redirect_pos = redirect->pos;
    if (redirect->addr.pos.line == 0) {
        return FLATEND_OK;
    }
    http->has_redirect = true;
    return fe_config_read_addr(r, &redirect->addr, &http->redirect);
}

int fe_config_finalize_https(const struct fe_config_reader *r, struct fe_config_https_form *form,
                             struct fe_config_http *http)
{
    int code;

    http->https = form->https.mode;
    http->https_pos = form->https.pos;
    if (http->https == FE_HTTPS_OFF) {
        code = check_unused(r, form);
        return code != FLATEND_OK ? code : finalize_domains(r, form, http);
    }
    code = finalize_certificates(r, form, http);
    if (code != FLATEND_OK) {
        return code;
    }
    if (http->https == FE_HTTPS_LOCAL && http->n_certs > 0) {
        return fe_config_fail(r, FLATEND_EINVAL, http->certs[0].pos,
                              "https = \"local\" makes its own certificates: set https = true to "
                              "use 'cert' and 'key'");
    }
    if (http->https == FE_HTTPS_ON && http->n_certs == 0 && form->domains.n == 0) {
        return fe_config_fail(r, FLATEND_EINVAL, form->https.pos, NEEDS_A_NAME);
    }
    code = finalize_domains(r, form, http);
    if (code == FLATEND_OK) {
        code = finalize_hsts(r, &form->hsts, http);
    }
    return code != FLATEND_OK ? code : finalize_redirect(r, &form->redirect, http);
}
