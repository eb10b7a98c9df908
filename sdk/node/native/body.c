/* Bodies and trailers, of requests and of calls. */
#include <string.h>

#include "node.h"

/* write(node, id, bytes, from, to) */
napi_value addon_write(napi_env env, napi_callback_info info)
{
    struct addon_args args;
    struct addon_node *node;
    const struct addon_exchange *exchange;
    struct addon_bytes bytes;
    uint32_t from;
    uint32_t to;
    int code = FLATEND_ESTATE;

    addon_args_open(&args, env, info, "write");
    exchange = addon_args_exchange(&args, &node);
    bytes = addon_args_bytes(&args, args.values[2], "bytes");
    from = addon_args_u32(&args, 3, "from");
    to = addon_args_u32(&args, 4, "to");
    if (!args.is_bad && (from > to || to > bytes.len)) {
        addon_args_refuse(&args, "from and to", "in the bytes");
    }
    if (args.is_bad) {
        return NULL;
    }
    if (exchange != NULL) {
        code = exchange->context != NULL
                   ? flatend_context_write(exchange->context, bytes.data + from, to - from)
                   : flatend_stream_write(exchange->stream, bytes.data + from, to - from);
    }
    return addon_number(env, code);
}

/* read(node, id, bytes) */
napi_value addon_read(napi_env env, napi_callback_info info)
{
    struct addon_args args;
    struct addon_node *node;
    const struct addon_exchange *exchange;
    struct addon_bytes bytes;
    void *buf;
    ssize_t n = FLATEND_ESTATE;

    addon_args_open(&args, env, info, "read");
    exchange = addon_args_exchange(&args, &node);
    bytes = addon_args_bytes(&args, args.values[2], "bytes");
    if (args.is_bad) {
        return NULL;
    }
    buf = (void *)(uintptr_t)bytes.data;
    if (bytes.len == 0) {
        n = FLATEND_EINVAL;
    } else if (exchange != NULL) {
        n = exchange->context != NULL ? flatend_context_read(exchange->context, buf, bytes.len)
                                      : flatend_stream_read(exchange->stream, buf, bytes.len);
    }
    return addon_number(env, n);
}

/* ---- trailers ---- */

static void set_text(napi_env env, napi_value array, size_t i, const char *text, size_t len)
{
    napi_value value = NULL;

    if (napi_create_string_utf8(env, text, len, &value) == napi_ok) {
        (void)napi_set_element(env, array, (uint32_t)i, value);
    }
}

/* trailers(node, id) */
napi_value addon_trailers(napi_env env, napi_callback_info info)
{
    struct addon_args args;
    struct addon_node *node;
    const struct addon_exchange *exchange;
    const struct flatend_header *trailers = NULL;
    size_t n = 0;
    napi_value array = NULL;

    addon_args_open(&args, env, info, "trailers");
    exchange = addon_args_exchange(&args, &node);
    if (args.is_bad || napi_create_array(env, &array) != napi_ok) {
        return NULL;
    }
    if (exchange != NULL) {
        trailers = exchange->context != NULL ? flatend_context_trailers(exchange->context, &n)
                                             : flatend_stream_trailers(exchange->stream, &n);
    }
    for (size_t i = 0; i < n; i++) {
        set_text(env, array, 2 * i, trailers[i].name, strlen(trailers[i].name));
        set_text(env, array, 2 * i + 1, trailers[i].value, trailers[i].value_len);
    }
    return array;
}

/* addTrailer(node, id, name, value) */
napi_value addon_add_trailer(napi_env env, napi_callback_info info)
{
    struct addon_args args;
    struct addon_node *node;
    const struct addon_exchange *exchange;
    const char *texts;
    size_t name;
    size_t value;
    int code = FLATEND_ESTATE;

    addon_args_open(&args, env, info, "addTrailer");
    exchange = addon_args_exchange(&args, &node);
    if (args.is_bad) {
        return NULL;
    }
    addon_text_clear(&node->text);
    name = addon_args_string(&args, args.values[2], "name", &node->text, NULL);
    value = addon_args_string(&args, args.values[3], "value", &node->text, NULL);
    if (args.is_bad) {
        return NULL;
    }
    texts = node->text.bytes;
    if (exchange != NULL) {
        code = exchange->context != NULL
                   ? flatend_context_add_trailer(exchange->context, texts + name, texts + value)
                   : flatend_stream_add_trailer(exchange->stream, texts + name, texts + value);
    }
    return addon_number(env, code);
}
