/* The addon: Node-API only, the library inside. node.h says what its functions take and return. */
#include <openssl/crypto.h>

#include "node.h"

/* version() */
static napi_value version(napi_env env, napi_callback_info info)
{
    (void)info;
    return addon_string(env, flatend_version());
}

static napi_value describe(napi_env env, napi_callback_info info, const char *function,
                           const char *(*text)(int code))
{
    struct addon_args args;
    int32_t code;

    addon_args_open(&args, env, info, function);
    code = addon_args_to_i32(&args, args.values[0], "code");
    return args.is_bad ? NULL : addon_string(env, text(code));
}

/* errorName(code) */
static napi_value error_name(napi_env env, napi_callback_info info)
{
    return describe(env, info, "errorName", flatend_error_name);
}

/* errorText(code) */
static napi_value error_text(napi_env env, napi_callback_info info)
{
    return describe(env, info, "errorText", flatend_strerror);
}

static const struct {
    const char *name;
    napi_callback function;
} functions[] = {
    {"version", version},
    {"errorName", error_name},
    {"errorText", error_text},
    {"generateSecretKey", addon_generate_secret_key},
    {"loadSecretKey", addon_load_secret_key},
    {"loadOrCreateSecretKey", addon_load_or_create_secret_key},
    {"saveSecretKey", addon_save_secret_key},
    {"publicKey", addon_public_key},
    {"loadMeshSecret", addon_load_mesh_secret},
    {"create", addon_create},
    {"start", addon_start},
    {"shutdown", addon_shutdown},
    {"ref", addon_ref},
    {"addService", addon_add_service},
    {"removeService", addon_remove_service},
    {"providers", addon_providers},
    {"listenAddr", addon_listen_addr},
    {"respond", addon_respond},
    {"head", addon_head},
    {"finish", addon_finish},
    {"fail", addon_fail},
    {"problem", addon_problem},
    {"remaining", addon_remaining},
    {"write", addon_write},
    {"read", addon_read},
    {"trailers", addon_trailers},
    {"addTrailer", addon_add_trailer},
    {"push", addon_push},
    {"endBody", addon_end_body},
    {"close", addon_close},
};

NAPI_MODULE_EXPORT int32_t NODE_API_MODULE_GET_API_VERSION(void); /* the macro forgets it */

NAPI_MODULE_INIT()
{
    /* process.exit ends the process while the mesh's thread runs: libcrypto of ours must not be
     * taken apart below it. Nor is it configured by the file of another OpenSSL. */
    (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT | OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
    for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
        napi_value function = NULL;

        if (napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].function,
                                 NULL, &function) != napi_ok ||
            napi_set_named_property(env, exports, functions[i].name, function) != napi_ok) {
            return NULL;
        }
    }
    return exports;
}
