/* The response to a request. */
#include "node.h"

/* The open request of argument 1. NULL: `*code` is FLATEND_ESTATE, or `is_bad`. */
static struct addon_exchange *find_request(struct addon_args *args, struct addon_node **node,
                                           int *code)
{
    struct addon_exchange *const exchange = addon_args_exchange(args, node);

    if (exchange == NULL || exchange->context == NULL) {
        *code = FLATEND_ESTATE;
        return NULL;
    }
    *code = 0;
    return exchange;
}

static napi_value result(const struct addon_args *args, int64_t code)
{
    return args->is_bad ? NULL : addon_number(args->env, code);
}

/* ---- the head ---- */

static int add_header(struct addon_args *args, struct addon_node *node,
                      struct flatend_context *context, napi_value array, uint32_t i)
{
    struct addon_text *text = &node->text;
    size_t name;
    size_t value;

    addon_text_clear(text);
    name = addon_args_string(args, addon_args_element(args, array, i), "headers", text, NULL);
    value = addon_args_string(args, addon_args_element(args, array, i + 1), "headers", text, NULL);
    return args->is_bad
               ? FLATEND_EINVAL
               : flatend_context_add_header(context, text->bytes + name, text->bytes + value);
}

/* Status and headers, of arguments 2 and 3; once, also if the response is tried again. */
static int set_head(struct addon_args *args, struct addon_node *node,
                    struct addon_exchange *request)
{
    const uint32_t status = addon_args_u32(args, 2, "status");
    const uint32_t n = addon_args_optional_array(args, args->values[3], "headers");
    int code;

    if (args->is_bad || request->has_head) {
        return 0;
    }
    if (status > INT32_MAX || n % 2 != 0) {
        return FLATEND_EINVAL;
    }
    request->has_head = true;
    code = flatend_context_set_status(request->context, (int)status);
    for (uint32_t i = 0; i < n && code == 0; i += 2) {
        code = add_header(args, node, request->context, args->values[3], i);
    }
    return code;
}

/* head(node, id, status, headers) */
napi_value addon_head(napi_env env, napi_callback_info info)
{
    struct addon_args args;
    struct addon_node *node;
    struct addon_exchange *request;
    int code;

    addon_args_open(&args, env, info, "head");
    request = find_request(&args, &node, &code);
    if (request != NULL) {
        code = request->has_head ? FLATEND_ESTATE : set_head(&args, node, request);
    }
    return result(&args, code);
}

/* ---- the whole ---- */

static int end(struct addon_node *node, struct addon_exchange *request)
{
    struct flatend_context *context = request->context;

    addon_exchanges_remove(&node->exchanges, request);
    return flatend_context_finish(context);
}

static bool is_sent_nothing(int code)
{
    return code == FLATEND_EAGAIN || code == FLATEND_ETOOBIG || code == FLATEND_EINVAL ||
           code == FLATEND_ESTATE;
}

static int write_whole(struct addon_args *args, struct addon_node *node,
                       struct addon_exchange *request)
{
    bool is_null;
    struct addon_bytes body;

    addon_text_clear(&node->text);
    body = addon_args_body(args, args->values[4], &node->text, &is_null);
    if (args->is_bad || body.len == 0) {
        return 0;
    }
    return flatend_context_write(request->context, body.data, body.len);
}

/* What was not sent whole must not look as if it were. */
static int end_whole(struct addon_node *node, struct addon_exchange *request, int code)
{
    struct flatend_context *context = request->context;
    int end_code;

    if (code == FLATEND_ENOMEM) {
        addon_exchanges_remove(&node->exchanges, request);
        (void)flatend_context_fail(context, 503, "out of memory");
        return code;
    }
    end_code = end(node, request);
    return code != 0 ? code : end_code;
}

/* respond(node, id, status, headers, body) */
napi_value addon_respond(napi_env env, napi_callback_info info)
{
    struct addon_args args;
    struct addon_node *node;
    struct addon_exchange *request;
    int code;

    addon_args_open(&args, env, info, "respond");
    request = find_request(&args, &node, &code);
    if (request != NULL) {
        code = set_head(&args, node, request);
    }
    if (request != NULL && code == 0) {
        code = write_whole(&args, node, request);
    }
    if (request != NULL && !args.is_bad && !is_sent_nothing(code)) {
        code = end_whole(node, request, code);
    }
    return result(&args, code);
}

/* finish(node, id) */
napi_value addon_finish(napi_env env, napi_callback_info info)
{
    struct addon_args args;
    struct addon_node *node;
    struct addon_exchange *request;
    int code;

    addon_args_open(&args, env, info, "finish");
    request = find_request(&args, &node, &code);
    if (request != NULL) {
        code = end(node, request);
    }
    return result(&args, code);
}

/* ---- errors ---- */

static napi_value fail(napi_env env, napi_callback_info info, const char *function, bool is_problem)
{
    struct addon_args args;
    struct addon_node *node;
    struct addon_exchange *request;
    struct flatend_context *context;
    uint32_t status;
    size_t message = 0;
    int code;

    addon_args_open(&args, env, info, function);
    request = find_request(&args, &node, &code);
    status = addon_args_u32(&args, 2, "status");
    if (request != NULL) {
        addon_text_clear(&node->text);
        message = addon_args_string(&args, args.values[3], "message", &node->text, NULL);
    }
    if (request == NULL || args.is_bad || status > INT32_MAX) {
        return result(&args, code != 0 ? code : FLATEND_EINVAL);
    }
    context = request->context;
    code = is_problem
               ? flatend_context_problem(context, (int)status, "%s", node->text.bytes + message)
               : flatend_context_fail(context, (int)status, "%s", node->text.bytes + message);
    if (code != FLATEND_EINVAL && code != FLATEND_ESTATE) {
        addon_exchanges_remove(&node->exchanges, request);
    }
    return result(&args, code);
}

/* fail(node, id, status, message) */
napi_value addon_fail(napi_env env, napi_callback_info info)
{
    return fail(env, info, "fail", false);
}

/* problem(node, id, status, message) */
napi_value addon_problem(napi_env env, napi_callback_info info)
{
    return fail(env, info, "problem", true);
}

/* remaining(node, id) */
napi_value addon_remaining(napi_env env, napi_callback_info info)
{
    struct addon_args args;
    struct addon_node *node;
    const struct addon_exchange *request;
    int code;

    addon_args_open(&args, env, info, "remaining");
    request = find_request(&args, &node, &code);
    return result(&args, request != NULL ? (int64_t)flatend_context_remaining_ms(request->context)
                                         : (int64_t)code);
}
