#include "web/acme/record.h"

#include <jansson.h>

#include "ground/base/json.h"

/* NULL: not an object. */
static json_t *load(struct fe_view text)
{
    json_t *root = text.len > 0
                       ? json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL)
                       : NULL;

    if (!json_is_object(root)) {
        json_decref(root);
        return NULL;
    }
    return root;
}

static void get_url(const json_t *root, const char *member, char url[FE_ACME_URL_MAX + 1])
{
    const char *text = json_string_value(json_object_get(root, member));

    if (text != NULL && fe_acme_is_url(text)) {
        memcpy(url, text, strlen(text) + 1);
    }
}

/* 0 unless it is a number within the limits. */
static int64_t get_number(const json_t *root, const char *member, int64_t max)
{
    const json_int_t n = json_integer_value(json_object_get(root, member));

    return n >= 0 && n <= max ? n : 0;
}

/* ---- account -------------------------------------------------------------------------------- */

void fe_acme_record_read_account(struct fe_view text, struct fe_acme_saved *saved)
{
    json_t *root = load(text);

    get_url(root, "account", saved->account_url);
    json_decref(root);
}

int fe_acme_record_write_account(const struct fe_acme_saved *saved, const char *directory,
                                 struct fe_buf *text)
{
    int code = fe_buf_printf(text, "{\n  \"directory\": ");

    if (code == 0) {
        code = fe_json_put_string(text, directory);
    }
    if (code == 0) {
        code = fe_buf_printf(text, ",\n  \"account\": ");
    }
    if (code == 0) {
        code = fe_json_put_string(text, saved->account_url);
    }
    return code != 0 ? code : fe_buf_append(text, "\n}\n", 3);
}

/* ---- order ---------------------------------------------------------------------------------- */

/* Its index plus 1; 0: none of them. */
static size_t find_name(const char *name, const char *const *names, size_t n_names)
{
    for (size_t i = 0; name != NULL && i < n_names; i++) {
        if (strcmp(names[i], name) == 0) {
            return i + 1;
        }
    }
    return 0;
}

void fe_acme_record_read_order(struct fe_view text, const char *const *names, size_t n_names,
                               struct fe_acme_saved *saved)
{
    json_t *root = load(text);
    const json_t *const by_name = json_object_get(root, "names");

    get_url(root, "order", saved->order_url);
    saved->n_failures = (unsigned)get_number(root, "failures", INT32_MAX);
    saved->wait_until_ms = get_number(root, "wait_until_ms", INT64_MAX / 2);
    saved->wait_from_ms = get_number(root, "wait_from_ms", INT64_MAX / 2);
    saved->refused = find_name(json_string_value(json_object_get(root, "refused")), names, n_names);
    for (size_t i = 0; i < n_names; i++) {
        const json_t *const entry = json_object_get(by_name, names[i]);

        saved->preferred[i] = (uint8_t)get_number(entry, "works", FE_ACME_N_CHALLENGE_TYPES);
        saved->tried[i] =
            (uint8_t)get_number(entry, "failed", (1 << FE_ACME_N_CHALLENGE_TYPES) - 1);
    }
    json_decref(root);
}

static int put_names(const struct fe_acme_saved *saved, const char *const *names, size_t n_names,
                     struct fe_buf *text)
{
    int code = 0;

    for (size_t i = 0; code == 0 && i < n_names; i++) {
        code = fe_buf_printf(text, "%s\n    ", i > 0 ? "," : "");
        if (code == 0) {
            code = fe_json_put_string(text, names[i]);
        }
        if (code == 0) {
            code = fe_buf_printf(text, ": {\"works\": %u, \"failed\": %u}",
                                 (unsigned)saved->preferred[i], (unsigned)saved->tried[i]);
        }
    }
    return code;
}

int fe_acme_record_write_order(const struct fe_acme_saved *saved, const char *const *names,
                               size_t n_names, struct fe_buf *text)
{
    int code = fe_buf_printf(text, "{\n  \"order\": ");

    if (code == 0) {
        code = fe_json_put_string(text, saved->order_url);
    }
    if (code == 0) {
        code = fe_buf_printf(text,
                             ",\n  \"failures\": %u,\n  \"wait_until_ms\": %lld,\n"
                             "  \"wait_from_ms\": %lld,\n  \"refused\": ",
                             saved->n_failures, (long long)saved->wait_until_ms,
                             (long long)saved->wait_from_ms);
    }
    if (code == 0) {
        code = fe_json_put_string(text, saved->refused > 0 ? names[saved->refused - 1] : "");
    }
    if (code == 0) {
        code = fe_buf_printf(text, ",\n  \"names\": {");
    }
    if (code == 0) {
        code = put_names(saved, names, n_names, text);
    }
    return code != 0 ? code : fe_buf_append(text, "\n  }\n}\n", 7);
}
