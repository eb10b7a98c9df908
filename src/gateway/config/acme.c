/* [acme]: where certificates come from. */
#include "gateway/config/acme.h"

#include "ground/base/assert.h"
#include "ground/os/file.h"
#include "web/acme/base64url.h"
#include "web/tls/trust.h"

#define LETS_ENCRYPT_STAGING "https://acme-staging-v02.api.letsencrypt.org/directory"

void fe_config_acme_init(struct fe_config_acme *acme)
{
    fe_config_set_defaults(&FE_CONFIG_TABLES[FE_TABLE_ACME], acme);
    acme->challenges[0] = FE_ACME_HTTP_01;
    acme->challenges[1] = FE_ACME_TLS_ALPN_01;
    acme->n_challenges = 2;
}

static int finalize_directory(const struct fe_config_reader *r,
                              const struct fe_config_acme_given *given, struct fe_config_acme *acme)
{
    if (given->directory != NULL && acme->staging) {
        return fe_config_fail(r, FLATEND_EINVAL, given->staging->pos,
                              "'staging' and 'directory' exclude each other");
    }
    if (acme->staging) {
        acme->directory = LETS_ENCRYPT_STAGING;
    }
    if (!fe_acme_is_url(acme->directory)) {
        return fe_config_fail(r, FLATEND_EINVAL, fe_config_pos(given->directory),
                              "expected the https URL of an ACME directory, such as "
                              "\"" FE_CONFIG_LETS_ENCRYPT "\"");
    }
    return 0;
}

/* The file is read again when it is needed; this finds mistakes early. */
static int finalize_ca_file(const struct fe_config_reader *r,
                            const struct fe_config_acme_given *given,
                            const struct fe_config_acme *acme)
{
    struct fe_tls_trust *trust;
    struct flatend_error err;
    int code;

    if (given->ca_file == NULL) {
        return 0;
    }
    code = fe_tls_trust_new(acme->ca_file, &trust, &err);
    if (code == FLATEND_ENOMEM) {
        return fe_config_no_memory(r);
    }
    if (code != 0) {
        return fe_config_fail(r, FLATEND_EINVAL, given->ca_file->pos, "%s", err.text);
    }
    fe_tls_trust_free(trust);
    return 0;
}

/* "you@example.org" is what people write, "mailto:you@example.org" what RFC 8555 §7.3 wants. */
static int finalize_contacts(const struct fe_config_reader *r, struct fe_config_acme *acme)
{
    int code = 0;

    for (size_t i = 0; i < acme->n_contacts; i++) {
        const char *const text = acme->contacts[i];

        if (strchr(text, ':') != NULL) {
            continue;
        }
        if (strchr(text, '@') == NULL) {
            code = FE_CONFIG_ALSO(
                code, fe_config_fail(r, FLATEND_EINVAL, acme->contacts_pos[i],
                                     "expected a mail address such as \"you@example.org\""));
            continue;
        }
        acme->contacts[i] = fe_arena_printf(r->arena, "mailto:%s", text);
        if (acme->contacts[i] == NULL) {
            return fe_config_no_memory(r);
        }
    }
    return code;
}

/* ---- external account binding --------------------------------------------------------------- */

static struct fe_view trim(struct fe_view text)
{
    while (text.len > 0 && strchr(" \t\r\n", text.ptr[text.len - 1]) != NULL) {
        text.len--;
    }
    return text;
}

static int decode_key(const struct fe_config_reader *r, struct fe_view text, struct fe_toml_pos pos,
                      struct fe_config_acme *acme)
{
    uint8_t *const key = fe_arena_alloc(r->arena, FE_ACME_EAB_KEY_MAX);
    size_t len;

    if (key == NULL) {
        return fe_config_no_memory(r);
    }
    if (fe_base64url_decode(trim(text), key, FE_ACME_EAB_KEY_MAX, &len) != 0 || len == 0) {
        return fe_config_fail(r, FLATEND_EINVAL, pos,
                              "expected the HMAC key as the CA gave it, in base64url without '='");
    }
    FE_ASSERT(len <= FE_ACME_EAB_KEY_MAX, "a key is within its room");
    acme->eab_hmac_key = fe_view_of(key, len);
    return 0;
}

static int read_key_file(const struct fe_config_reader *r, struct fe_toml_pos pos,
                         struct fe_config_acme *acme)
{
    struct flatend_error err;
    struct fe_buf text;
    int code;

    fe_buf_init(&text, 2 * 4096);
    code = fe_file_read(acme->eab_hmac_key_file, &text, NULL, &err);
    if (code == FLATEND_ENOMEM) {
        code = fe_config_no_memory(r);
    } else if (code != 0) {
        code = fe_config_fail(r, FLATEND_EINVAL, pos, "%s", err.text);
    } else {
        code = decode_key(r, fe_buf_view(&text), pos, acme);
    }
    fe_buf_deinit(&text);
    return code;
}

static int check_key_id(const struct fe_config_reader *r, const struct fe_toml_value *id)
{
    for (size_t i = 0; i < id->string.len; i++) {
        const uint8_t c = id->string.ptr[i];

        if (c <= ' ' || c > '~' || c == '"' || c == '\\') {
            return fe_config_fail(r, FLATEND_EINVAL, id->pos,
                                  "expected the key's id as the CA gave it");
        }
    }
    if (id->string.len > FE_ACME_EAB_KEY_ID_MAX) {
        return fe_config_fail(r, FLATEND_EINVAL, id->pos, "expected an id of at most %d characters",
                              FE_ACME_EAB_KEY_ID_MAX);
    }
    return 0;
}

static int finalize_eab(const struct fe_config_reader *r, const struct fe_config_acme_given *given,
                        bool is_whole, struct fe_config_acme *acme)
{
    const struct fe_toml_value *const id = given->eab_key_id;
    const struct fe_toml_value *const key = given->eab_hmac_key_text;
    const struct fe_toml_value *const file = given->eab_hmac_key_file;
    int code;

    if (key != NULL && file != NULL) {
        return fe_config_fail(r, FLATEND_EINVAL, file->pos,
                              "either 'eab_hmac_key' or 'eab_hmac_key_file', not both");
    }
    if (is_whole && (id != NULL) != (key != NULL || file != NULL)) {
        return fe_config_fail(r, FLATEND_EINVAL,
                              fe_config_pos(id != NULL    ? id
                                            : key != NULL ? key
                                                          : file),
                              "an external account needs both 'eab_key_id' and 'eab_hmac_key'");
    }
    code = id != NULL ? check_key_id(r, id) : 0;
    if (key != NULL) {
        return FE_CONFIG_ALSO(code,
                              decode_key(r, fe_view_str(acme->eab_hmac_key_text), key->pos, acme));
    }
    return file != NULL ? FE_CONFIG_ALSO(code, read_key_file(r, file->pos, acme)) : code;
}

int fe_config_read_acme(const struct fe_config_reader *r, const struct fe_toml_value *table,
                        struct fe_config_acme *acme)
{
    struct fe_config_acme_given given = {0};
    int code = fe_config_read_table(r, &FE_CONFIG_TABLES[FE_TABLE_ACME], table, acme, &given);
    const bool is_whole = code == 0;

    code = FE_CONFIG_ALSO(code, finalize_directory(r, &given, acme));
    code = FE_CONFIG_ALSO(code, finalize_ca_file(r, &given, acme));
    code = FE_CONFIG_ALSO(code, finalize_contacts(r, acme));
    return FE_CONFIG_ALSO(code, finalize_eab(r, &given, is_whole, acme));
}
