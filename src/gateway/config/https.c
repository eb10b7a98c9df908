/* HTTPS in an [[http]]: names, certificates. */
#include "gateway/config/https.h"

#include "gateway/config/http.h"
#include "ground/base/assert.h"
#include "web/tls/local_ca.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NEEDS_A_NAME                                                                               \
    "https needs a 'domain' to get a certificate for, or 'cert' and 'key'; on your own machine "   \
    "use https = \"local\""

/* ---- names ---------------------------------------------------------------------------------- */

static int check_domain(const struct fe_config_reader *r, const struct fe_config_http *http,
                        size_t index)
{
    const struct fe_view domain = http->domains[index];
    const struct fe_toml_pos pos = http->domains_pos[index];
    const char *const text = (const char *)domain.ptr;
    const bool is_address = fe_name_is_address(domain);

    if (http->https == FE_HTTPS_LOCAL && fe_local_ca_permits(domain)) {
        return 0;
    }
    if (http->https == FE_HTTPS_LOCAL) {
        return fe_config_fail(
            r, FLATEND_EINVAL, pos,
            "'%.60s' is not a local name: the local CA signs only localhost, .localhost, .test, "
            ".example, .internal, .local, .lan, .home.arpa and private addresses",
            text);
    }
    if (is_address && http->n_certs == 0) {
        return fe_config_fail(r, FLATEND_EINVAL, pos,
                              "no CA issues a certificate for the address '%.60s': set a domain "
                              "name, or 'cert' and 'key'",
                              text);
    }
    if (!is_address && http->n_certs == 0 && fe_name_is_valid(domain, true) &&
        !fe_name_is_valid(domain, false)) {
        return fe_config_fail(
            r, FLATEND_EINVAL, pos,
            "no certificate by ACME for the wildcard '%.60s': set 'cert' and 'key'", text);
    }
    if (!is_address && !fe_name_is_valid(domain, http->n_certs > 0)) {
        return fe_config_fail(r, FLATEND_EINVAL, pos,
                              "expected a domain name such as \"example.com\", found \"%.60s\"",
                              text);
    }
    return 0;
}

/* What https = "local" is good for if no names are given. */
static int set_local_domains(const struct fe_config_reader *r, struct fe_config_http *http)
{
    static const char *const local[] = {"localhost", "127.0.0.1", "::1"};

    http->domains = fe_arena_alloc(r->arena, COUNT(local) * sizeof(*http->domains));
    if (http->domains == NULL) {
        return fe_config_no_memory(r);
    }
    for (; http->n_domains < COUNT(local); http->n_domains++) {
        http->domains[http->n_domains] = fe_view_str(local[http->n_domains]);
    }
    return 0;
}

static int finalize_domains(const struct fe_config_reader *r, struct fe_config_http *http)
{
    int code = 0;

    if (http->https == FE_HTTPS_LOCAL && http->n_domains == 0) {
        return set_local_domains(r, http);
    }
    for (size_t i = 0; i < http->n_domains; i++) {
        code = FE_CONFIG_ALSO(code, check_domain(r, http, i));
    }
    return code;
}

/* ---- certificates --------------------------------------------------------------------------- */

static int load_pair(const struct fe_config_reader *r, const struct fe_config_cert_given *given,
                     struct fe_config_cert *cert, struct fe_config_http *http)
{
    struct flatend_error err;
    enum fe_cert_part part;
    int code;

    FE_ASSERT(given->chain_path != NULL && given->key_path != NULL, "a certificate has both files");
    cert->pos = given->chain_path->pos;
    code = fe_cert_load(cert->chain_path, cert->key_path, &cert->cert, &part, &err);
    if (code == FLATEND_ENOMEM) {
        return fe_config_no_memory(r);
    }
    if (code != 0) {
        return fe_config_fail(r, FLATEND_EINVAL,
                              part == FE_CERT_PART_KEY ? given->key_path->pos
                                                       : given->chain_path->pos,
                              "%s", err.text);
    }
    FE_ASSERT(cert->cert != NULL && http->n_certs <= FE_CONFIG_CERTS_MAX,
              "certificates have a limit");
    http->certs[http->n_certs++] = *cert;
    return 0;
}

/* A certificate's two files, of which one alone is no good. `is_whole`: the table that may have
 * them has no mistake. */
static int read_files(const struct fe_config_reader *r, const struct fe_config_cert_given *given,
                      struct fe_config_cert *cert, bool is_whole, struct fe_toml_pos table,
                      struct fe_config_http *http)
{
    if (given->chain_path != NULL && given->key_path != NULL) {
        return load_pair(r, given, cert, http);
    }
    if (!is_whole) {
        return 0;
    }
    return fe_config_fail(r, FLATEND_EINVAL,
                          given->chain_path != NULL ? given->chain_path->pos
                          : given->key_path != NULL ? given->key_path->pos
                                                    : table,
                          "a certificate needs both 'cert' and 'key'");
}

static int read_pair(const struct fe_config_reader *r, const struct fe_toml_value *table,
                     struct fe_config_http *http)
{
    struct fe_config_cert cert = {0};
    struct fe_config_cert_given given = {0};
    const int code =
        fe_config_read_table(r, &FE_CONFIG_TABLES[FE_TABLE_CERT], table, &cert, &given);

    return FE_CONFIG_ALSO(code, read_files(r, &given, &cert, code == 0, table->pos, http));
}

static int finalize_certificates(const struct fe_config_reader *r,
                                 const struct fe_config_http_given *given, bool is_whole,
                                 struct fe_config_http *http)
{
    const struct fe_toml_value *const tables = given->certificates;
    const struct fe_config_cert_given pair = {given->chain_path, given->key_path};
    const size_t n = tables != NULL ? tables->n : 0;
    int code = 0;

    http->certs = fe_arena_alloc(r->arena, (n + 1) * sizeof(*http->certs));
    if (http->certs == NULL) {
        return fe_config_no_memory(r);
    }
    if (pair.chain_path != NULL || pair.key_path != NULL) {
        struct fe_config_cert cert = {.chain_path = http->chain_path, .key_path = http->key_path};

        code = read_files(r, &pair, &cert, is_whole, (struct fe_toml_pos){0, 0}, http);
    }
    for (size_t i = 0; i < n; i++) {
        code = FE_CONFIG_ALSO(code, read_pair(r, tables->items[i], http));
    }
    return code;
}

/* ---- all together --------------------------------------------------------------------------- */

/* Keys for HTTPS without HTTPS are a mistake: clear text cannot be what is meant. */
static int check_unused(const struct fe_config_reader *r, const struct fe_config_http_given *given)
{
    const struct fe_config_table *const table = &FE_CONFIG_TABLES[FE_TABLE_HTTP];
    int code = 0;

    for (size_t i = 0; i < table->n_keys; i++) {
        const struct fe_config_key *const key = &table->keys[i];
        const struct fe_toml_value *const value = fe_config_given(given, key);

        if (key->needs_https && value != NULL) {
            code = FE_CONFIG_ALSO(code,
                                  fe_config_fail(r, FLATEND_EINVAL, value->pos,
                                                 "'%s' needs https: set https = true", key->name));
        }
    }
    return code;
}

static int finalize_hsts(const struct fe_config_reader *r, const struct fe_config_http_given *given,
                         struct fe_config_http *http)
{
    const char *text;

    if (given->hsts_ms == NULL) {
        return 0;
    }
    text = fe_arena_printf(r->arena, "max-age=%llu", (unsigned long long)(http->hsts_ms / 1000));
    if (text == NULL) {
        return fe_config_no_memory(r);
    }
    http->hsts = fe_view_str(text);
    return 0;
}

/* Names, which depend on what certificates there are. */
static int finalize_names(const struct fe_config_reader *r, bool is_whole,
                          struct fe_config_http *http)
{
    if (http->https == FE_HTTPS_LOCAL && http->n_certs > 0) {
        return fe_config_fail(r, FLATEND_EINVAL, http->certs[0].pos,
                              "https = \"local\" makes its own certificates: set https = true to "
                              "use 'cert' and 'key'");
    }
    if (http->https == FE_HTTPS_ON && http->n_certs == 0 && http->n_domains == 0) {
        return is_whole ? fe_config_fail(r, FLATEND_EINVAL, http->https_pos, NEEDS_A_NAME) : 0;
    }
    return is_whole || http->n_certs > 0 ? finalize_domains(r, http) : 0;
}

int fe_config_finalize_https(const struct fe_config_reader *r,
                             const struct fe_config_http_given *given, bool is_whole,
                             struct fe_config_http *http)
{
    int code;

    http->https_pos = fe_config_pos(given->https);
    if (http->https == FE_HTTPS_OFF) {
        return is_whole || given->https != NULL ? check_unused(r, given) : 0;
    }
    code = finalize_certificates(r, given, is_whole, http);
    if (code == 0) {
        code = finalize_names(r, is_whole, http);
    }
    return FE_CONFIG_ALSO(code, finalize_hsts(r, given, http));
}
