/* Calls of services. */
#include <stdlib.h>
#include <string.h>

#include "node.h"

/* A request as it is put together: strings by where they begin, until all of them are there. */
struct draft {
    struct flatend_request request;
    const char **services;
    struct flatend_header *headers;
    size_t *offsets; /* of the services, then of names and values */
    struct addon_bytes body;
    bool has_body;
    bool is_text_body;
};

static void draft_deinit(struct draft *draft)
{
    free(draft->services);
    free(draft->headers);
    free(draft->offsets);
}

/* False: `is_bad`. */
static bool draft_init(struct draft *draft, struct addon_args *args)
{
    const uint32_t n_services = addon_args_array(args, args->values[1], "services");
    const uint32_t n_texts = addon_args_optional_array(args, args->values[2], "headers");

    *draft = (struct draft){0};
    if (n_texts % 2 != 0) {
        addon_args_refuse(args, "headers", "names and values");
    }
    draft->request.n_services = n_services;
    draft->request.n_headers = n_texts / 2;
    draft->services = calloc((size_t)n_services + 1, sizeof(*draft->services));
    draft->headers = calloc((size_t)n_texts / 2 + 1, sizeof(*draft->headers));
    draft->offsets = calloc((size_t)n_services + n_texts + 1, sizeof(*draft->offsets));
    if (draft->services == NULL || draft->headers == NULL || draft->offsets == NULL) {
        addon_args_exhausted(args);
        return false;
    }
    return !args->is_bad;
}

static void read_texts(struct draft *draft, struct addon_args *args, struct addon_text *text)
{
    size_t *at = draft->offsets;

    for (uint32_t i = 0; i < draft->request.n_services && !args->is_bad; i++) {
        napi_value value = addon_args_element(args, args->values[1], i);

        *at++ = addon_args_string(args, value, "services", text, NULL);
    }
    for (uint32_t i = 0; i < draft->request.n_headers && !args->is_bad; i++) {
        napi_value name = addon_args_element(args, args->values[2], 2 * i);
        napi_value value = addon_args_element(args, args->values[2], 2 * i + 1);

        *at++ = addon_args_string(args, name, "headers", text, NULL);
        *at++ = addon_args_string(args, value, "headers", text, &draft->headers[i].value_len);
    }
}

/* The texts do not move any more. */
static void point(struct draft *draft, const char *bytes)
{
    const size_t *at = draft->offsets;

    for (size_t i = 0; i < draft->request.n_services; i++) {
        draft->services[i] = bytes + *at++;
    }
    for (size_t i = 0; i < draft->request.n_headers; i++) {
        draft->headers[i].name = bytes + *at++;
        draft->headers[i].value = bytes + *at++;
    }
    draft->request.services = draft->services;
    draft->request.headers = draft->headers;
}

static void read_draft(struct draft *draft, struct addon_args *args, struct addon_node *node)
{
    struct flatend_request *request = &draft->request;
    struct addon_bytes body;
    bool is_null;

    addon_text_clear(&node->text);
    if (!draft_init(draft, args)) {
        return;
    }
    read_texts(draft, args, &node->text);
    body = addon_args_body(args, args->values[3], &node->text, &is_null);
    request->timeout_ms = addon_args_u32(args, 4, "timeoutMs");
    request->provider = addon_args_handle(args, 5, "provider");
    if (!args->is_bad) {
        point(draft, node->text.bytes);
        request->body = is_null ? NULL : body.data;
        request->body_len = body.len;
    }
}

/* What argument 6 says, which is 0 without one. */
static int find_parent(struct addon_args *args, const struct addon_node *node,
                       struct flatend_context **context)
{
    const uint32_t id = addon_args_u32(args, 6, "parentId");
    const struct addon_exchange *parent = id != 0 ? addon_node_find(node, id) : NULL;

    *context = parent != NULL ? parent->context : NULL;
    return id != 0 && *context == NULL ? FLATEND_ECANCELED : 0;
}

/* Its id, or a code. */
static int64_t send_draft(struct draft *draft, struct addon_node *node)
{
    struct flatend_node *mesh = addon_node_mesh(node);
    struct addon_exchange *call = mesh != NULL ? addon_exchanges_add_call(&node->exchanges) : NULL;
    int code;

    if (call == NULL) {
        return mesh != NULL ? FLATEND_ENOMEM : FLATEND_ESTATE;
    }
    draft->request.queue = node->queue;
    draft->request.arg = (void *)(uintptr_t)call->id;
    code = flatend_push(mesh, &draft->request, &call->stream, NULL);
    if (code != 0) {
        addon_exchanges_remove(&node->exchanges, call);
        return code;
    }
    return call->id;
}

/* push(node, services, headers, body, timeoutMs, provider, parentId) */
napi_value addon_push(napi_env env, napi_callback_info info)
{
    struct addon_args args;
    struct addon_node *node;
    struct draft draft = {0};
    int64_t id = 0;

    addon_args_open(&args, env, info, "push");
    node = addon_args_node(&args);
    if (args.is_bad) {
        return NULL;
    }
    read_draft(&draft, &args, node);
    id = find_parent(&args, node, &draft.request.parent);
    if (!args.is_bad && id == 0) {
        id = send_draft(&draft, node);
    }
    draft_deinit(&draft);
    return args.is_bad ? NULL : addon_number(env, id);
}

/* The open call of argument 1; NULL: it is gone, or `is_bad`. */
static struct addon_exchange *find_call(struct addon_args *args, struct addon_node **node)
{
    struct addon_exchange *const exchange = addon_args_exchange(args, node);

    return exchange != NULL && exchange->stream != NULL ? exchange : NULL;
}

/* endBody(node, id) */
napi_value addon_end_body(napi_env env, napi_callback_info info)
{
    struct addon_args args;
    struct addon_node *node;
    const struct addon_exchange *call;
    int code = FLATEND_ESTATE;

    addon_args_open(&args, env, info, "endBody");
    call = find_call(&args, &node);
    if (call != NULL) {
        code = flatend_stream_finish(call->stream);
    }
    return args.is_bad ? NULL : addon_number(env, code);
}

/* close(node, id) */
napi_value addon_close(napi_env env, napi_callback_info info)
{
    struct addon_args args;
    struct addon_node *node;
    struct addon_exchange *call;
    struct flatend_stream *stream;

    addon_args_open(&args, env, info, "close");
    call = find_call(&args, &node);
    if (call == NULL) {
        return args.is_bad ? NULL : addon_number(env, FLATEND_ESTATE);
    }
    stream = call->stream;
    addon_exchanges_remove(&node->exchanges, call);
    flatend_stream_close(stream);
    return addon_number(env, 0);
}
