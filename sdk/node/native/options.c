#include "options.h"

#include <stdlib.h>
#include <string.h>

struct addon_block {
    struct addon_block *next;
    size_t len;
    _Alignas(max_align_t) uint8_t bytes[];
};

/* The property that is being read. */
struct field {
    struct addon_options *options;
    struct addon_args *args;
    napi_value object;
};

static void *allocate(struct addon_options *options, struct addon_args *args, size_t n, size_t size)
{
    struct addon_block *block = NULL;

    if (args->is_bad) {
        return NULL;
    }
    if (n <= (SIZE_MAX / 2) / size) {
        block = calloc(1, sizeof(*block) + n * size);
    }
    if (block == NULL) {
        addon_args_exhausted(args);
        return NULL;
    }
    block->len = n * size;
    block->next = options->blocks;
    options->blocks = block;
    return block->bytes;
}

void addon_options_free(struct addon_options *options)
{
    if (options == NULL) {
        return;
    }
    while (options->blocks != NULL) {
        struct addon_block *block = options->blocks;

        options->blocks = block->next;
        explicit_bzero(block->bytes, block->len);
        free(block);
    }
    free(options);
}

/* ---- values ---- */

static const char *copy_string(struct addon_options *options, struct addon_args *args,
                               napi_value value, const char *name)
{
    struct addon_text text = {0};
    const size_t at = addon_args_string(args, value, name, &text, NULL);
    char *copy = allocate(options, args, text.len + 1, 1);

    if (copy != NULL && !args->is_bad) {
        memcpy(copy, text.bytes + at, text.len);
    }
    addon_text_deinit(&text);
    return copy;
}

static void *copy_bytes(struct addon_options *options, struct addon_args *args, napi_value value,
                        const char *name, size_t *len)
{
    const struct addon_bytes bytes = addon_args_bytes(args, value, name);
    uint8_t *copy = allocate(options, args, bytes.len + 1, 1);

    if (copy != NULL) {
        memcpy(copy, bytes.data, bytes.len);
    }
    *len = bytes.len;
    return copy;
}

const char *const *addon_options_strings(struct addon_options *options, struct addon_args *args,
                                         napi_value array, const char *name)
{
    const uint32_t n = addon_args_array(args, array, name);
    const char **strings = n > 0 ? allocate(options, args, n, sizeof(*strings)) : NULL;

    for (uint32_t i = 0; i < n && strings != NULL; i++) {
        strings[i] = copy_string(options, args, addon_args_element(args, array, i), name);
    }
    return strings;
}

static const struct flatend_public_key *copy_keys(struct addon_options *options,
                                                  struct addon_args *args, napi_value array,
                                                  const char *name, size_t *n_keys)
{
    const uint32_t n = addon_args_array(args, array, name);
    struct flatend_public_key *keys = n > 0 ? allocate(options, args, n, sizeof(*keys)) : NULL;

    for (uint32_t i = 0; i < n && keys != NULL && !args->is_bad; i++) {
        const struct addon_bytes bytes =
            addon_args_bytes(args, addon_args_element(args, array, i), name);

        if (bytes.len != sizeof(keys[i].bytes)) {
            addon_args_refuse(args, name, "keys of 32 bytes");
        } else {
            memcpy(keys[i].bytes, bytes.data, sizeof(keys[i].bytes));
        }
    }
    *n_keys = n;
    return keys;
}

/* ---- properties ---- */

/* False: it is not there. */
static bool get(const struct field *field, const char *name, napi_value *value)
{
    if (field->args->is_bad) {
        return false;
    }
    if (napi_get_named_property(field->args->env, field->object, name, value) != napi_ok) {
        addon_args_refuse(field->args, name, "readable");
        return false;
    }
    return !addon_args_is_nullish(field->args, *value);
}

static void get_u32(const struct field *field, const char *name, unsigned *out)
{
    napi_value value;

    if (get(field, name, &value)) {
        *out = addon_args_to_u32(field->args, value, name);
    }
}

static bool get_bool(const struct field *field, const char *name)
{
    napi_value value;
    bool is = false;

    if (get(field, name, &value) && napi_get_value_bool(field->args->env, value, &is) != napi_ok) {
        addon_args_refuse(field->args, name, "a boolean");
    }
    return is;
}

static void get_addresses(const struct field *field)
{
    struct flatend_options *flatend = &field->options->flatend;
    napi_value value;

    if (get(field, "publicAddr", &value)) {
        flatend->public_addr = copy_string(field->options, field->args, value, "publicAddr");
    }
    if (get(field, "bindAddrs", &value)) {
        flatend->bind_addrs =
            addon_options_strings(field->options, field->args, value, "bindAddrs");
        flatend->n_bind_addrs = addon_args_array(field->args, value, "bindAddrs");
    }
}

static void get_service(const struct field *field, napi_value triple,
                        struct flatend_service *service)
{
    struct addon_args *args = field->args;

    (void)addon_args_array(args, triple, "services");
    service->name =
        copy_string(field->options, args, addon_args_element(args, triple, 0), "services");
    service->arg =
        (void *)(uintptr_t)addon_args_to_u32(args, addon_args_element(args, triple, 1), "services");
    service->flags = addon_args_to_u32(args, addon_args_element(args, triple, 2), "services");
}

static void get_services(const struct field *field)
{
    struct addon_options *options = field->options;
    napi_value value;
    uint32_t n = 0;

    if (get(field, "services", &value)) {
        n = addon_args_array(field->args, value, "services");
    }
    if (n > 0) {
        options->services = allocate(options, field->args, n, sizeof(*options->services));
    }
    for (uint32_t i = 0; i < n && !field->args->is_bad; i++) {
        get_service(field, addon_args_element(field->args, value, i), &options->services[i]);
    }
    options->flatend.services = options->services;
    options->flatend.n_services = n;
}

static void get_reconnect(const struct field *field)
{
    struct flatend_options *flatend = &field->options->flatend;
    napi_value value;

    if (get(field, "reconnectAttempts", &value)) {
        flatend->reconnect_attempts = addon_args_to_i32(field->args, value, "reconnectAttempts");
    }
    if (get(field, "reconnectBackoffFactor", &value) &&
        napi_get_value_double(field->args->env, value, &flatend->reconnect_backoff_factor) !=
            napi_ok) {
        addon_args_refuse(field->args, "reconnectBackoffFactor", "a number");
    }
    get_u32(field, "reconnectBackoffMinMs", &flatend->reconnect_backoff_min_ms);
    get_u32(field, "reconnectBackoffMaxMs", &flatend->reconnect_backoff_max_ms);
}

static void get_rules(const struct field *field)
{
    struct addon_options *options = field->options;
    struct addon_args *args = field->args;
    struct flatend_service_rule *rules = NULL;
    napi_value value;
    uint32_t n = 0;

    if (get(field, "serviceRules", &value)) {
        n = addon_args_array(args, value, "serviceRules");
    }
    if (n > 0) {
        rules = allocate(options, args, n, sizeof(*rules));
    }
    for (uint32_t i = 0; i < n && !args->is_bad; i++) {
        napi_value pair = addon_args_element(args, value, i);

        (void)addon_args_array(args, pair, "serviceRules");
        rules[i].service =
            copy_string(options, args, addon_args_element(args, pair, 0), "serviceRules");
        rules[i].keys = copy_keys(options, args, addon_args_element(args, pair, 1), "serviceRules",
                                  &rules[i].n_keys);
    }
    options->flatend.service_rules = rules;
    options->flatend.n_service_rules = n;
}

static void get_trust(const struct field *field)
{
    struct flatend_options *flatend = &field->options->flatend;
    napi_value value;

    if (get(field, "secretKey", &value)) {
        size_t len = 0;

        flatend->secret_key = copy_bytes(field->options, field->args, value, "secretKey", &len);
        if (len != sizeof(*flatend->secret_key)) {
            addon_args_refuse(field->args, "secretKey", "64 bytes");
        }
    }
    if (get(field, "meshSecret", &value)) {
        flatend->mesh_secret =
            copy_bytes(field->options, field->args, value, "meshSecret", &flatend->mesh_secret_len);
    }
    flatend->require_secure = get_bool(field, "requireSecure");
    if (get(field, "allowedKeys", &value)) {
        flatend->allowed_keys =
            copy_keys(field->options, field->args, value, "allowedKeys", &flatend->n_allowed_keys);
    }
}

static void get_log(const struct field *field)
{
    unsigned level = FLATEND_LOG_INFO;
    napi_value value;

    if (get(field, "logLevel", &value)) {
        field->options->has_log = true;
        level = addon_args_to_u32(field->args, value, "logLevel");
        if (level > FLATEND_LOG_DEBUG) {
            addon_args_refuse(field->args, "logLevel", "a number from 0 to 3");
        }
    }
    field->options->flatend.log_level = (enum flatend_log_level)level;
}

struct addon_options *addon_options_new(struct addon_args *args, napi_value object)
{
    struct addon_options *options = calloc(1, sizeof(*options));
    const struct field field = {options, args, object};

    if (options == NULL) {
        addon_args_exhausted(args);
        return NULL;
    }
    flatend_options_init(&options->flatend, sizeof(options->flatend));
    get_addresses(&field);
    get_services(&field);
    get_reconnect(&field);
    get_trust(&field);
    get_rules(&field);
    get_log(&field);
    get_u32(&field, "deadAfterMs", &options->flatend.dead_after_ms);
    get_u32(&field, "shutdownTimeoutMs", &options->flatend.shutdown_timeout_ms);
    get_u32(&field, "startTimeoutMs", &options->flatend.start_timeout_ms);
    if (get_bool(&field, "startNeedsPeer")) {
        options->flatend.start_flags |= FLATEND_START_NEEDS_PEER;
    }
    if (args->is_bad) {
        addon_options_free(options);
        return NULL;
    }
    return options;
}
