/* Keys, and the files that they are in: few, and short, so that they are read at once. */
#include <string.h>

#include "node.h"

enum { MESH_SECRET_MAX = 4096 };

typedef int (*load_fn)(struct flatend_secret_key *key, const char *path,
                       struct flatend_error *error);

static napi_value key_buffer(napi_env env, struct flatend_secret_key *key)
{
    napi_value buffer = addon_buffer(env, key->bytes, sizeof(key->bytes));

    explicit_bzero(key, sizeof(*key));
    return buffer;
}

/* generateSecretKey() */
napi_value addon_generate_secret_key(napi_env env, napi_callback_info info)
{
    struct flatend_secret_key key;
    const int code = flatend_secret_key_generate(&key);

    (void)info;
    return code == 0 ? key_buffer(env, &key) : addon_throw(env, code, flatend_strerror(code));
}

static napi_value load(napi_env env, napi_callback_info info, const char *function,
                       load_fn load_key)
{
    struct addon_text path = {0};
    struct flatend_error error = {0};
    struct flatend_secret_key key = {0};
    struct addon_args args;
    int code = 0;

    addon_args_open(&args, env, info, function);
    (void)addon_args_string(&args, args.values[0], "path", &path, NULL);
    if (!args.is_bad) {
        code = load_key(&key, path.bytes, &error);
    }
    addon_text_deinit(&path);
    if (args.is_bad) {
        return NULL;
    }
    return code == 0 ? key_buffer(env, &key) : addon_throw(env, code, error.text);
}

/* loadSecretKey(path) */
napi_value addon_load_secret_key(napi_env env, napi_callback_info info)
{
    return load(env, info, "loadSecretKey", flatend_secret_key_load);
}

/* loadOrCreateSecretKey(path) */
napi_value addon_load_or_create_secret_key(napi_env env, napi_callback_info info)
{
    return load(env, info, "loadOrCreateSecretKey", flatend_secret_key_load_or_create);
}

static void read_key(struct addon_args *args, struct flatend_secret_key *key)
{
    const struct addon_bytes bytes = addon_args_bytes(args, args->values[0], "key");

    if (bytes.len == sizeof(key->bytes)) {
        memcpy(key->bytes, bytes.data, sizeof(key->bytes));
    } else {
        addon_args_refuse(args, "key", "64 bytes");
    }
}

/* saveSecretKey(key, path) */
napi_value addon_save_secret_key(napi_env env, napi_callback_info info)
{
    struct addon_text path = {0};
    struct flatend_error error = {0};
    struct flatend_secret_key key = {0};
    struct addon_args args;
    int code = 0;

    addon_args_open(&args, env, info, "saveSecretKey");
    read_key(&args, &key);
    (void)addon_args_string(&args, args.values[1], "path", &path, NULL);
    if (!args.is_bad) {
        code = flatend_secret_key_save(&key, path.bytes, &error);
    }
    explicit_bzero(&key, sizeof(key));
    addon_text_deinit(&path);
    return args.is_bad || code == 0 ? NULL : addon_throw(env, code, error.text);
}

/* publicKey(secretKey) */
napi_value addon_public_key(napi_env env, napi_callback_info info)
{
    struct flatend_secret_key key = {0};
    struct flatend_public_key public_key;
    struct addon_args args;

    addon_args_open(&args, env, info, "publicKey");
    read_key(&args, &key);
    if (args.is_bad) {
        return NULL;
    }
    flatend_secret_key_public(&key, &public_key);
    explicit_bzero(&key, sizeof(key));
    return addon_buffer(env, public_key.bytes, sizeof(public_key.bytes));
}

/* loadMeshSecret(path) */
napi_value addon_load_mesh_secret(napi_env env, napi_callback_info info)
{
    uint8_t secret[MESH_SECRET_MAX];
    struct addon_text path = {0};
    struct flatend_error error = {0};
    struct addon_args args;
    napi_value buffer = NULL;
    size_t len = 0;
    int code = 0;

    addon_args_open(&args, env, info, "loadMeshSecret");
    (void)addon_args_string(&args, args.values[0], "path", &path, NULL);
    if (!args.is_bad) {
        code = flatend_mesh_secret_load(path.bytes, secret, sizeof(secret), &len, &error);
        buffer = code == 0 ? addon_buffer(env, secret, len) : addon_throw(env, code, error.text);
    }
    explicit_bzero(secret, sizeof(secret));
    addon_text_deinit(&path);
    return buffer;
}
