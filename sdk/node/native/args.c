#include "args.h"

#include <stdio.h>
#include <string.h>

#include "node.h"

enum { MESSAGE_MAX = 160 };

void addon_args_open(struct addon_args *args, napi_env env, napi_callback_info info,
                     const char *function)
{
    size_t n = ADDON_ARGS_MAX;

    *args = (struct addon_args){.env = env, .function = function};
    if (napi_get_cb_info(env, info, &n, args->values, NULL, NULL) != napi_ok) {
        args->is_bad = true;
    }
}

void addon_args_refuse(struct addon_args *args, const char *name, const char *what)
{
    char message[MESSAGE_MAX];

    if (!args->is_bad) {
        args->is_bad = true;
        (void)snprintf(message, sizeof(message), "%s: %s must be %s", args->function, name, what);
        (void)napi_throw_type_error(args->env, NULL, message);
    }
}

void addon_args_exhausted(struct addon_args *args)
{
    if (!args->is_bad) {
        args->is_bad = true;
        (void)addon_throw(args->env, FLATEND_ENOMEM, flatend_strerror(FLATEND_ENOMEM));
    }
}

static bool is_type(const struct addon_args *args, napi_value value, napi_valuetype type)
{
    napi_valuetype its = napi_undefined;

    return value != NULL && napi_typeof(args->env, value, &its) == napi_ok && its == type;
}

bool addon_args_is_nullish(const struct addon_args *args, napi_value value)
{
    napi_valuetype type = napi_undefined;

    return value == NULL || napi_typeof(args->env, value, &type) != napi_ok ||
           type == napi_undefined || type == napi_null;
}

struct addon_node *addon_args_node(struct addon_args *args)
{
    void *node = NULL;

    if (!args->is_bad && napi_get_value_external(args->env, args->values[0], &node) != napi_ok) {
        addon_args_refuse(args, "node", "a node");
    }
    return node;
}

/* As a double: Deno makes an integer of anything. */
static double number_of(struct addon_args *args, napi_value value, const char *name, double min,
                        double max)
{
    double number = 0;

    if (args->is_bad) {
        return 0;
    }
    if (value == NULL || napi_get_value_double(args->env, value, &number) != napi_ok ||
        !(number >= min && number <= max)) {
        addon_args_refuse(args, name,
                          min < 0 ? "a number of 32 bits" : "a number from 0 to 4294967295");
        return 0;
    }
    return number;
}

int32_t addon_args_to_i32(struct addon_args *args, napi_value value, const char *name)
{
    return (int32_t)number_of(args, value, name, INT32_MIN, INT32_MAX);
}

uint32_t addon_args_to_u32(struct addon_args *args, napi_value value, const char *name)
{
    return (uint32_t)number_of(args, value, name, 0, UINT32_MAX);
}

uint32_t addon_args_u32(struct addon_args *args, size_t i, const char *name)
{
    return addon_args_to_u32(args, args->values[i], name);
}

struct addon_exchange *addon_args_exchange(struct addon_args *args, struct addon_node **node)
{
    uint32_t id;

    *node = addon_args_node(args);
    id = addon_args_u32(args, 1, "id");
    return args->is_bad ? NULL : addon_node_find(*node, id);
}

bool addon_args_bool(struct addon_args *args, size_t i, const char *name)
{
    bool is = false;

    if (!args->is_bad && napi_get_value_bool(args->env, args->values[i], &is) != napi_ok) {
        addon_args_refuse(args, name, "a boolean");
    }
    return is;
}

uint64_t addon_args_handle(struct addon_args *args, size_t i, const char *name)
{
    uint64_t handle = 0;
    bool is_lossless = true;

    if (args->is_bad || addon_args_is_nullish(args, args->values[i])) {
        return 0;
    }
    if (napi_get_value_bigint_uint64(args->env, args->values[i], &handle, &is_lossless) !=
            napi_ok ||
        !is_lossless) {
        addon_args_refuse(args, name, "a bigint of 64 bits, or null");
    }
    return handle;
}

uint32_t addon_args_array(struct addon_args *args, napi_value value, const char *name)
{
    uint32_t n = 0;

    if (!args->is_bad &&
        (value == NULL || napi_get_array_length(args->env, value, &n) != napi_ok)) {
        addon_args_refuse(args, name, "an array");
    }
    return args->is_bad ? 0 : n;
}

uint32_t addon_args_optional_array(struct addon_args *args, napi_value value, const char *name)
{
    return addon_args_is_nullish(args, value) ? 0 : addon_args_array(args, value, name);
}

napi_value addon_args_element(struct addon_args *args, napi_value array, uint32_t i)
{
    napi_value value = NULL;

    if (!args->is_bad && napi_get_element(args->env, array, i, &value) != napi_ok) {
        args->is_bad = true; /* a getter has thrown */
    }
    return value;
}

/* Appends the string, without looking for a NUL in it. Space that is nearly used up may have cut
 * it: a character has up to three bytes more than what is left. */
static bool append(struct addon_args *args, napi_value value, struct addon_text *text, size_t *len)
{
    enum { GUESS = 256, CHARACTER_MAX = 4 };
    size_t n = 0;

    if (!addon_text_reserve(text, GUESS)) {
        return false;
    }
    if (napi_get_value_string_utf8(args->env, value, text->bytes + text->len, text->cap - text->len,
                                   len) == napi_ok &&
        *len + CHARACTER_MAX < text->cap - text->len) {
        return true;
    }
    if (napi_get_value_string_utf8(args->env, value, NULL, 0, &n) != napi_ok ||
        !addon_text_reserve(text, n + 1)) {
        return false;
    }
    return napi_get_value_string_utf8(args->env, value, text->bytes + text->len,
                                      text->cap - text->len, len) == napi_ok;
}

size_t addon_args_string(struct addon_args *args, napi_value value, const char *name,
                         struct addon_text *text, size_t *len)
{
    const size_t at = text->len;
    size_t n = 0;

    if (args->is_bad) {
        return at;
    }
    if (!is_type(args, value, napi_string)) {
        addon_args_refuse(args, name, "a string");
        return at;
    }
    if (!append(args, value, text, &n)) {
        addon_args_exhausted(args);
        return at;
    }
    text->len += n + 1;
    if (len != NULL) {
        *len = n;
    } else if (memchr(text->bytes + at, '\0', n) != NULL) {
        addon_args_refuse(args, name, "a string without a NUL");
    }
    return at;
}

struct addon_bytes addon_args_bytes(struct addon_args *args, napi_value value, const char *name)
{
    struct addon_bytes bytes = {(const uint8_t *)"", 0};
    napi_typedarray_type type = napi_int8_array;
    void *data = NULL;
    size_t len = 0;

    if (args->is_bad) {
        return bytes;
    }
    if (value == NULL ||
        napi_get_typedarray_info(args->env, value, &type, &len, &data, NULL, NULL) != napi_ok ||
        type != napi_uint8_array) {
        addon_args_refuse(args, name, "a Uint8Array");
    } else if (data != NULL && len > 0) {
        bytes = (struct addon_bytes){data, len};
    }
    return bytes;
}

struct addon_bytes addon_args_body(struct addon_args *args, napi_value value,
                                   struct addon_text *text, bool *is_null)
{
    struct addon_bytes bytes = {(const uint8_t *)"", 0};
    napi_valuetype type = napi_undefined;
    size_t at;

    *is_null = true;
    if (args->is_bad || value == NULL || napi_typeof(args->env, value, &type) != napi_ok ||
        type == napi_undefined || type == napi_null) {
        return bytes;
    }
    *is_null = false;
    if (type != napi_string) {
        return addon_args_bytes(args, value, "body");
    }
    at = addon_args_string(args, value, "body", text, &bytes.len);
    if (!args->is_bad) {
        bytes.data = (const uint8_t *)text->bytes + at;
    }
    return bytes;
}

napi_value addon_number(napi_env env, int64_t number)
{
    napi_value value = NULL;

    (void)napi_create_int64(env, number, &value);
    return value;
}

napi_value addon_string(napi_env env, const char *text)
{
    napi_value value = NULL;

    (void)napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value);
    return value;
}

napi_value addon_buffer(napi_env env, const void *data, size_t len)
{
    napi_value value = NULL;

    (void)napi_create_buffer_copy(env, len, data, NULL, &value);
    return value;
}

napi_value addon_error(napi_env env, int code, const char *message)
{
    napi_value error = NULL;

    if (napi_create_error(env, NULL, addon_string(env, message), &error) == napi_ok) {
        (void)napi_set_named_property(env, error, "code", addon_number(env, code));
    }
    return error;
}

napi_value addon_throw(napi_env env, int code, const char *message)
{
    napi_value error = addon_error(env, code, message);

    if (error != NULL) {
        (void)napi_throw(env, error);
    }
    return NULL;
}
