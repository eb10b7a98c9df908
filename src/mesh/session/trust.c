#include "mesh/session/trust.h"

#include <string.h>

static bool has_key(const uint8_t (*keys)[FE_KEY_LEN], size_t n_keys, const uint8_t *key)
{
    for (size_t i = 0; key != NULL && i < n_keys; i++) {
        if (memcmp(keys[i], key, FE_KEY_LEN) == 0) {
            return true;
        }
    }
    return false;
}

bool fe_trust_wants_secure(const struct fe_trust *trust)
{
    return trust->has_secret || trust->require_secure || trust->n_allowed > 0;
}

int fe_trust_check_key(const struct fe_trust *trust, const uint8_t *key, struct flatend_error *err)
{
    if (trust->n_allowed == 0 || has_key(trust->allowed, trust->n_allowed, key)) {
        return 0;
    }
    return fe_err_set(err, FLATEND_EDENIED, "%s",
                      key == NULL ? "anonymous node not allowed" : "key not allowed");
}

int fe_trust_check_service(const struct fe_trust *trust, const uint8_t *key, struct fe_view service,
                           struct flatend_error *err)
{
    for (size_t i = 0; i < trust->n_rules; i++) {
        const struct fe_trust_rule *rule = &trust->rules[i];

        if (fe_view_equal(rule->service, service) && !has_key(rule->keys, rule->n_keys, key)) {
            return fe_err_set(err, FLATEND_EDENIED, "%s may not provide the service '%.*s'",
                              key == NULL ? "a node without a proven key" : "this key",
                              (int)service.len, (const char *)service.ptr);
        }
    }
    return 0;
}

int fe_trust_check_services(const struct fe_trust *trust, const uint8_t *key,
                            struct fe_names services, struct flatend_error *err)
{
    struct fe_view name;
    int code = 0;

    while (trust != NULL && code == 0 && fe_names_next(&services, &name)) {
        code = fe_trust_check_service(trust, key, name, err);
    }
    return code;
}
