/* The node's trust settings, from the options. */
#include "mesh/crypto/crypto.h"
#include "mesh/node/options.h"

static int copy_secret(struct fe_trust *trust, const struct flatend_options *options,
                       struct flatend_error *error)
{
    size_t len = options->mesh_secret_len;

    if (options->mesh_secret == NULL && len == 0) {
        return 0;
    }
    if (options->mesh_secret == NULL) {
        return fe_err_set(error, FLATEND_EINVAL, "mesh_secret: NULL, but not empty");
    }
    if (len < FLATEND_MESH_SECRET_MIN || len > FE_MESH_SECRET_MAX) {
        return fe_err_set(error, FLATEND_EINVAL, "mesh_secret: must have %d to %d bytes",
                          FLATEND_MESH_SECRET_MIN, FE_MESH_SECRET_MAX);
    }
    fe_hash(fe_view_of(options->mesh_secret, len), trust->secret);
    trust->has_secret = true;
    return 0;
}

/* NULL: out of memory. The keys, one behind the other. */
static const uint8_t (*copy_keys(struct fe_arena *arena, const struct flatend_public_key *keys,
                                 size_t n))[FE_KEY_LEN]
{
    uint8_t(*copy)[FE_KEY_LEN] = fe_arena_alloc(arena, (n + 1) * FE_KEY_LEN);

    for (size_t i = 0; copy != NULL && i < n; i++) {
        memcpy(copy[i], keys[i].bytes, FE_KEY_LEN);
    }
    return (const uint8_t(*)[FE_KEY_LEN])copy;
}

static int copy_allowed(struct fe_settings *settings, const struct flatend_options *options,
                        struct flatend_error *error)
{
    struct fe_trust *trust = &settings->trust;

    if (options->n_allowed_keys > 0 && options->allowed_keys == NULL) {
        return fe_err_set(error, FLATEND_EINVAL, "allowed_keys: NULL, but not none");
    }
    if (options->n_allowed_keys > FE_TRUST_ENTRIES_MAX) {
        return fe_err_set(error, FLATEND_EINVAL, "allowed_keys: at most %d", FE_TRUST_ENTRIES_MAX);
    }
    trust->n_allowed = options->n_allowed_keys;
    trust->allowed = copy_keys(&settings->arena, options->allowed_keys, trust->n_allowed);
    return trust->allowed != NULL ? 0 : fe_err_code(error, FLATEND_ENOMEM);
}

static int copy_rule(struct fe_settings *settings, const struct flatend_service_rule *rule,
                     struct fe_trust_rule *copy, struct flatend_error *error)
{
    size_t len = rule->service == NULL ? 0 : strlen(rule->service);
    const char *name;

    if (len < 1 || len > FE_SERVICE_NAME_MAX) {
        return fe_err_set(error, FLATEND_EINVAL, "the name must have 1 to %d bytes",
                          FE_SERVICE_NAME_MAX);
    }
    if (rule->n_keys < 1 || rule->n_keys > FE_TRUST_ENTRIES_MAX) {
        return fe_err_set(error, FLATEND_EINVAL, "'%s' must have 1 to %d keys", rule->service,
                          FE_TRUST_ENTRIES_MAX);
    }
    if (rule->keys == NULL) {
        return fe_err_set(error, FLATEND_EINVAL, "'%s': keys: NULL, but not none", rule->service);
    }
    if (!fe_view_is_zero(fe_view_of(rule->reserved, sizeof(rule->reserved)))) {
        return fe_err_set(error, FLATEND_EINVAL, "'%s': reserved fields must be 0", rule->service);
    }
    name = fe_arena_copy(&settings->arena, fe_view_str(rule->service));
    copy->keys = copy_keys(&settings->arena, rule->keys, rule->n_keys);
    if (name == NULL || copy->keys == NULL) {
        return fe_err_code(error, FLATEND_ENOMEM);
    }
    copy->service = fe_view_str(name);
    copy->n_keys = rule->n_keys;
    return 0;
}

static int copy_rules(struct fe_settings *settings, const struct flatend_options *options,
                      struct flatend_error *error)
{
    struct fe_trust *trust = &settings->trust;
    size_t n = options->n_service_rules;
    struct fe_trust_rule *rules;

    if (n > 0 && options->service_rules == NULL) {
        return fe_err_set(error, FLATEND_EINVAL, "service_rules: NULL, but not none");
    }
    if (n > FE_TRUST_ENTRIES_MAX) {
        return fe_err_set(error, FLATEND_EINVAL, "service_rules: at most %d", FE_TRUST_ENTRIES_MAX);
    }
    rules = fe_arena_alloc(&settings->arena, (n + 1) * sizeof(*rules));
    if (rules == NULL) {
        return fe_err_code(error, FLATEND_ENOMEM);
    }
    for (size_t i = 0; i < n; i++) {
        int code = copy_rule(settings, &options->service_rules[i], &rules[i], error);

        if (code != 0) {
            (void)fe_err_wrap(error, "service_rules[%zu]", i);
            return code;
        }
    }
    trust->rules = rules;
    trust->n_rules = n;
    return 0;
}

int fe_settings_copy_trust(struct fe_settings *settings, const struct flatend_options *options,
                           struct flatend_error *error)
{
    int code;

    settings->trust.require_secure = options->require_secure;
    code = copy_secret(&settings->trust, options, error);
    if (code == 0) {
        code = copy_allowed(settings, options, error);
    }
    return code != 0 ? code : copy_rules(settings, options, error);
}

bool fe_settings_trust_all(const struct fe_settings *settings)
{
    const struct fe_trust *trust = &settings->trust;

    return !trust->has_secret && trust->n_allowed == 0 && trust->n_rules == 0;
}
