/* Services that come and go, who provides them, and where the node listens. */
#include <stdlib.h>
#include <string.h>

#include "node.h"

enum { ADDR_MAX = 128, PROVIDERS_FIRST = 64 };

/* The name of a service, argument 1; NULL: `is_bad`. Valid until a text is read again. */
static const char *open_named(struct addon_args *args, napi_env env, napi_callback_info info,
                              const char *function, struct addon_node **node)
{
    size_t name;

    addon_args_open(args, env, info, function);
    *node = addon_args_node(args);
    if (args->is_bad) {
        return NULL;
    }
    addon_text_clear(&(*node)->text);
    name = addon_args_string(args, args->values[1], "name", &(*node)->text, NULL);
    return args->is_bad ? NULL : (*node)->text.bytes + name;
}

/* addService(node, name, serviceId, flags) */
napi_value addon_add_service(napi_env env, napi_callback_info info)
{
    struct flatend_service service = {0};
    struct flatend_node *mesh;
    struct addon_args args;
    struct addon_node *node;

    service.name = open_named(&args, env, info, "addService", &node);
    service.arg = (void *)(uintptr_t)addon_args_u32(&args, 2, "serviceId");
    service.flags = addon_args_u32(&args, 3, "flags");
    if (args.is_bad) {
        return NULL;
    }
    service.queue = node->queue;
    mesh = addon_node_mesh(node);
    return addon_number(env,
                        mesh != NULL ? flatend_node_add_service(mesh, &service) : FLATEND_ESTATE);
}

/* removeService(node, name) */
napi_value addon_remove_service(napi_env env, napi_callback_info info)
{
    struct flatend_node *mesh;
    struct addon_args args;
    struct addon_node *node;
    const char *const name = open_named(&args, env, info, "removeService", &node);

    if (name == NULL) {
        return NULL;
    }
    mesh = addon_node_mesh(node);
    return addon_number(env,
                        mesh != NULL ? flatend_node_remove_service(mesh, name) : FLATEND_ESTATE);
}

/* ---- providers ---- */

static void set(napi_env env, napi_value object, const char *name, napi_value value)
{
    if (value != NULL) {
        (void)napi_set_named_property(env, object, name, value);
    }
}

static napi_value boolean(napi_env env, bool is)
{
    napi_value value = NULL;

    (void)napi_get_boolean(env, is, &value);
    return value;
}

static napi_value provider_object(napi_env env, const struct flatend_provider *provider)
{
    const struct flatend_id *id = &provider->id;
    napi_value object = NULL;
    napi_value handle = NULL;

    if (napi_create_object(env, &object) != napi_ok ||
        napi_create_bigint_uint64(env, provider->handle, &handle) != napi_ok) {
        return NULL;
    }
    set(env, object, "handle", handle);
    set(env, object, "publicKey", addon_buffer(env, id->public_key, sizeof(id->public_key)));
    set(env, object, "host", addon_string(env, id->host));
    set(env, object, "port", addon_number(env, id->port));
    set(env, object, "isAnonymous", boolean(env, id->is_anonymous));
    set(env, object, "isProven", boolean(env, id->is_proven));
    return object;
}

/* All of them, also if more of them come meanwhile. How many, or a code. */
static ssize_t get_providers(struct flatend_node *mesh, const char *const *services,
                             size_t n_services, struct flatend_provider **providers)
{
    size_t cap = PROVIDERS_FIRST;

    for (;;) {
        ssize_t n;

        *providers = calloc(cap, sizeof(**providers));
        if (*providers == NULL) {
            return FLATEND_ENOMEM;
        }
        n = flatend_node_providers(mesh, services, n_services, *providers, cap);
        if (n < 0 || (size_t)n <= cap) {
            return n;
        }
        free(*providers);
        cap = 2 * (size_t)n;
    }
}

static napi_value provider_array(napi_env env, const struct flatend_provider *providers, size_t n)
{
    napi_value array = NULL;

    if (napi_create_array_with_length(env, n, &array) != napi_ok) {
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        napi_value object = provider_object(env, &providers[i]);

        if (object != NULL) {
            (void)napi_set_element(env, array, (uint32_t)i, object);
        }
    }
    return array;
}

/* Reads the services one behind the other, with a NUL each, and points to them. */
static const char **read_services(struct addon_args *args, struct addon_text *text, uint32_t n)
{
    const char **services = calloc((size_t)n + 1, sizeof(*services));
    const char *next;

    if (services == NULL) {
        addon_args_exhausted(args);
        return NULL;
    }
    addon_text_clear(text);
    for (uint32_t i = 0; i < n; i++) {
        (void)addon_args_string(args, addon_args_element(args, args->values[1], i), "services",
                                text, NULL);
    }
    next = text->bytes;
    for (uint32_t i = 0; i < n && !args->is_bad; i++) {
        services[i] = next;
        next += strlen(next) + 1;
    }
    return services;
}

/* providers(node, services) */
napi_value addon_providers(napi_env env, napi_callback_info info)
{
    struct flatend_provider *providers = NULL;
    const char **services;
    struct flatend_node *mesh;
    struct addon_args args;
    struct addon_node *node;
    napi_value result = NULL;
    uint32_t n_services;
    ssize_t n = FLATEND_ESTATE;

    addon_args_open(&args, env, info, "providers");
    node = addon_args_node(&args);
    n_services = addon_args_array(&args, args.values[1], "services");
    if (args.is_bad) {
        return NULL;
    }
    services = read_services(&args, &node->text, n_services);
    mesh = addon_node_mesh(node);
    if (!args.is_bad && mesh != NULL) {
        n = get_providers(mesh, services, n_services, &providers);
    }
    if (!args.is_bad) {
        result = n >= 0 ? provider_array(env, providers, (size_t)n) : addon_number(env, n);
    }
    free(providers);
    free(services);
    return result;
}

/* listenAddr(node, index) */
napi_value addon_listen_addr(napi_env env, napi_callback_info info)
{
    char addr[ADDR_MAX];
    struct flatend_node *mesh;
    struct addon_args args;
    struct addon_node *node;
    uint32_t index;

    addon_args_open(&args, env, info, "listenAddr");
    node = addon_args_node(&args);
    index = addon_args_u32(&args, 1, "index");
    if (args.is_bad) {
        return NULL;
    }
    mesh = addon_node_mesh(node);
    if (mesh == NULL || flatend_node_listen_addr(mesh, index, addr, sizeof(addr)) != 0) {
        return NULL;
    }
    return addon_string(env, addr);
}
