/* [acme]: where certificates come from. */
#include "gateway/config/acme.h"

#include "ground/os/file.h"
#include "web/acme/base64url.h"
#include "web/tls/trust.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define LETS_ENCRYPT         "https://acme-v02.api.letsencrypt.org/directory"
#define LETS_ENCRYPT_STAGING "https://acme-staging-v02.api.letsencrypt.org/directory"

enum { RETRY_MIN_MS = 60 * 1000 };

/* The table as it is written. */
struct acme_form {
    struct fe_config_text directory;
    struct fe_config_flag staging;
    struct fe_config_text ca_file;
    struct fe_config_texts contacts;
    struct fe_config_text key_type;
    struct fe_config_text eab_key_id;
    struct fe_config_text eab_hmac_key;
    struct fe_config_text eab_hmac_key_file;
    struct fe_config_texts challenges;
    struct fe_config_number retry_min;
};

static const struct fe_config_key KEYS[] = {
    {"directory", fe_config_read_text, offsetof(struct acme_form, directory)},
    {"staging", fe_config_read_flag, offsetof(struct acme_form, staging)},
    {"ca_file", fe_config_read_text, offsetof(struct acme_form, ca_file)},
    {"contact", fe_config_add_text, offsetof(struct acme_form, contacts)},
    {"contacts", fe_config_add_texts, offsetof(struct acme_form, contacts)},
    {"key_type", fe_config_read_text, offsetof(struct acme_form, key_type)},
    {"eab_key_id", fe_config_read_text, offsetof(struct acme_form, eab_key_id)},
    {"eab_hmac_key", fe_config_read_text, offsetof(struct acme_form, eab_hmac_key)},
    {"eab_hmac_key_file", fe_config_read_text, offsetof(struct acme_form, eab_hmac_key_file)},
    {"challenges", fe_config_add_texts, offsetof(struct acme_form, challenges)},
    {"retry_min", fe_config_read_duration, offsetof(struct acme_form, retry_min)},
};

void fe_config_acme_init(struct fe_config_acme *acme)
{
    *acme = (struct fe_config_acme){
        .directory = LETS_ENCRYPT,
        .challenges = {FE_ACME_HTTP_01, FE_ACME_TLS_ALPN_01},
        .n_challenges = 2,
        .retry_min_ms = RETRY_MIN_MS,
    };
}

static const char *text_of(const struct fe_config_text *text)
{
    return (const char *)text->text.ptr;
}

static bool is_given(const struct fe_config_text *text)
{
    return text->pos.line != 0;
}

static int finalize_directory(const struct fe_config_reader *r, const struct acme_form *form,
                              struct fe_config_acme *acme)
{
    if (is_given(&form->directory) && form->staging.on) {
        return fe_config_fail(r, FLATEND_EINVAL, form->staging.pos,
                              "'staging' and 'directory' exclude each other");
    }
    if (form->staging.on) {
        acme->directory = LETS_ENCRYPT_STAGING;
    }
    if (is_given(&form->directory)) {
        acme->directory = text_of(&form->directory);
        if (!fe_acme_is_url(acme->directory)) {
            return fe_config_fail(r, FLATEND_EINVAL, form->directory.pos,
                                  "expected the https URL of an ACME directory, such as "
                                  "\"" LETS_ENCRYPT "\"");
        }
    }
    return FLATEND_OK;
}

/* The file is read again when it is needed; this finds mistakes early. */
static int finalize_ca_file(const struct fe_config_reader *r, const struct acme_form *form,
                            struct fe_config_acme *acme)
{
    struct fe_tls_trust *trust;
    struct flatend_error err;
    int code;

    if (!is_given(&form->ca_file)) {
        return FLATEND_OK;
    }
    acme->ca_file = text_of(&form->ca_file);
    code = fe_tls_trust_new(acme->ca_file, &trust, &err);
    if (code == FLATEND_ENOMEM) {
        return fe_config_no_memory(r);
    }
    if (code != FLATEND_OK) {
        return fe_config_fail(r, FLATEND_EINVAL, form->ca_file.pos, "%s", err.text);
    }
    fe_tls_trust_free(trust);
    return FLATEND_OK;
}

/* "you@example.org" is what people write, "mailto:you@example.org" what RFC 8555 §7.3 wants. */
static int finalize_contacts(const struct fe_config_reader *r, const struct acme_form *form,
                             struct fe_config_acme *acme)
{
    if (form->contacts.n > FE_CONFIG_CONTACTS_MAX) {
        return fe_config_fail(r, FLATEND_EINVAL, form->contacts.items[FE_CONFIG_CONTACTS_MAX].pos,
                              "more than %d contacts", FE_CONFIG_CONTACTS_MAX);
    }
    acme->contacts = fe_arena_alloc(r->arena, (form->contacts.n + 1) * sizeof(*acme->contacts));
    for (size_t i = 0; acme->contacts != NULL && i < form->contacts.n; i++) {
        const struct fe_config_text *const contact = &form->contacts.items[i];
        const char *const text = text_of(contact);
        const bool is_url = strchr(text, ':') != NULL;

        if (!is_url && strchr(text, '@') == NULL) {
            return fe_config_fail(r, FLATEND_EINVAL, contact->pos,
                                  "expected a mail address such as \"you@example.org\"");
        }
        acme->contacts[i] = is_url ? text : fe_arena_printf(r->arena, "mailto:%s", text);
        if (acme->contacts[i] == NULL) {
            return fe_config_no_memory(r);
        }
        acme->n_contacts++;
    }
    return acme->contacts != NULL ? FLATEND_OK : fe_config_no_memory(r);
}

static int finalize_key_type(const struct fe_config_reader *r, const struct acme_form *form,
                             struct fe_config_acme *acme)
{
    static const char *const names[] = {
        [FE_ACME_P256] = "p256", [FE_ACME_P384] = "p384", [FE_ACME_RSA2048] = "rsa2048"};

    if (!is_given(&form->key_type)) {
        return FLATEND_OK;
    }
    for (unsigned i = 0; i < COUNT(names); i++) {
        if (strcmp(text_of(&form->key_type), names[i]) == 0) {
            acme->key_type = (enum fe_acme_key_type)i;
            return FLATEND_OK;
        }
    }
    return fe_config_fail(r, FLATEND_EINVAL, form->key_type.pos,
                          "expected \"p256\", \"p384\" or \"rsa2048\"");
}

static int finalize_challenges(const struct fe_config_reader *r, struct acme_form *form,
                               struct fe_config_acme *acme)
{
    struct fe_config_texts *const texts = &form->challenges;
    unsigned seen = 0;

    acme->n_challenges = texts->n > 0 ? 0 : acme->n_challenges;
    for (size_t i = 0; i < texts->n; i++) {
        unsigned type = 0;

        while (type < FE_ACME_N_CHALLENGE_TYPES &&
               strcmp(text_of(&texts->items[i]),
                      fe_acme_challenge_name((enum fe_acme_challenge_type)type)) != 0) {
            type++;
        }
        if (type == FE_ACME_N_CHALLENGE_TYPES || (seen & 1U << type) != 0) {
            return fe_config_fail(r, FLATEND_EINVAL, texts->items[i].pos,
                                  "expected \"http-01\" and \"tls-alpn-01\", each at most once");
        }
        seen |= 1U << type;
        acme->challenges[acme->n_challenges++] = (enum fe_acme_challenge_type)type;
    }
    return FLATEND_OK;
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
    acme->eab_hmac_key = fe_view_of(key, len);
    return FLATEND_OK;
}

static int read_key_file(const struct fe_config_reader *r, const struct fe_config_text *path,
                         struct fe_config_acme *acme)
{
    struct flatend_error err;
    struct fe_buf text;
    int code;

    fe_buf_init(&text, 2 * 4096);
    code = fe_file_read(text_of(path), &text, NULL, &err);
    if (code == FLATEND_ENOMEM) {
        code = fe_config_no_memory(r);
    } else if (code != FLATEND_OK) {
        code = fe_config_fail(r, FLATEND_EINVAL, path->pos, "%s", err.text);
    } else {
        code = decode_key(r, fe_buf_view(&text), path->pos, acme);
    }
    fe_buf_deinit(&text);
    return code;
}

static int finalize_eab(const struct fe_config_reader *r, const struct acme_form *form,
                        struct fe_config_acme *acme)
{
    const struct fe_config_text *const id = &form->eab_key_id;
    const struct fe_config_text *const key = &form->eab_hmac_key;
    const struct fe_config_text *const file = &form->eab_hmac_key_file;

    if (is_given(key) && is_given(file)) {
        return fe_config_fail(r, FLATEND_EINVAL, file->pos,
                              "either 'eab_hmac_key' or 'eab_hmac_key_file', not both");
    }
    if (is_given(id) != (is_given(key) || is_given(file))) {
        return fe_config_fail(r, FLATEND_EINVAL,
                              is_given(id)    ? id->pos
                              : is_given(key) ? key->pos
                                              : file->pos,
                              "an external account needs both 'eab_key_id' and 'eab_hmac_key'");
    }
    if (!is_given(id)) {
        return FLATEND_OK;
    }
    acme->eab_key_id = text_of(id);
    for (size_t i = 0; i < id->text.len; i++) {
        if (id->text.ptr[i] <= ' ' || id->text.ptr[i] > '~' || id->text.ptr[i] == '"' ||
            id->text.ptr[i] == '\\') {
            return fe_config_fail(r, FLATEND_EINVAL, id->pos,
                                  "expected the key's id as the CA gave it");
        }
    }
    if (id->text.len == 0 || id->text.len > FE_ACME_EAB_KEY_ID_MAX) {
        return fe_config_fail(r, FLATEND_EINVAL, id->pos, "expected an id of at most %d characters",
                              FE_ACME_EAB_KEY_ID_MAX);
    }
    return is_given(key) ? decode_key(r, key->text, key->pos, acme) : read_key_file(r, file, acme);
}

int fe_config_read_acme(const struct fe_config_reader *r, const struct fe_toml_value *table,
                        void *into)
{
    struct fe_config_acme *const acme = into;
    struct acme_form form = {.retry_min.n = acme->retry_min_ms};
    int code = fe_config_read_table(r, table, "[acme]", KEYS, COUNT(KEYS), &form);

    if (code == FLATEND_OK) {
        code = finalize_directory(r, &form, acme);
    }
    if (code == FLATEND_OK) {
        code = finalize_ca_file(r, &form, acme);
    }
    if (code == FLATEND_OK) {
        code = finalize_contacts(r, &form, acme);
    }
    if (code == FLATEND_OK) {
        code = finalize_key_type(r, &form, acme);
    }
    if (code == FLATEND_OK) {
        code = finalize_challenges(r, &form, acme);
    }
    if (code == FLATEND_OK) {
        code = finalize_eab(r, &form, acme);
    }
    if (code == FLATEND_OK && form.retry_min.n == 0) {
        code = fe_config_fail(r, FLATEND_EINVAL, form.retry_min.pos,
                              "'retry_min' must be positive: the CA limits the rate of requests");
    }
    acme->retry_min_ms = form.retry_min.n;
    return code;
}
