/* Nodes as JavaScript's objects. */
#include "node.h"

#include <signal.h>
#include <stdlib.h>

struct flatend_node *addon_node_mesh(const struct addon_node *node)
{
    return node->is_shut ? NULL : atomic_load_explicit(&node->mesh, memory_order_acquire);
}

struct addon_exchange *addon_node_find(const struct addon_node *node, uint32_t id)
{
    return addon_exchanges_find(&node->exchanges, id);
}

int addon_thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
    sigset_t all;
    sigset_t before;
    int failed;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(thread, NULL, run, arg);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed == 0 ? 0 : FLATEND_ELIMIT;
}

void addon_node_unref(struct addon_node *node)
{
    if (--node->n_refs > 0) {
        return;
    }
    addon_exchanges_deinit(&node->exchanges);
    addon_batch_clear(&node->batch);
    free(node->batch.entries);
    addon_text_deinit(&node->text);
    addon_options_free(node->options);
    addon_pending_deinit(&node->pending);
    free(node);
}

static void delete_reference(napi_env env, napi_ref *reference)
{
    if (*reference != NULL) {
        (void)napi_delete_reference(env, *reference);
        *reference = NULL;
    }
}

void addon_node_forget_javascript(struct addon_node *node)
{
    delete_reference(node->env, &node->inbox);
    delete_reference(node->env, &node->on_batch);
    node->phase = ADDON_CLOSED;
}

/* JavaScript has dropped it. One that is open goes on. */
static void on_external_finalized(napi_env env, void *data, void *hint)
{
    struct addon_node *node = data;

    (void)hint;
    delete_reference(env, &node->closed_promise);
    if (node->phase == ADDON_CREATED || node->phase == ADDON_CLOSED) {
        addon_node_forget_javascript(node);
    }
    addon_node_unref(node);
}

static struct addon_node *node_new(struct addon_args *args)
{
    struct addon_node *node = calloc(1, sizeof(*node));

    if (node == NULL || addon_pending_init(&node->pending) != 0) {
        free(node);
        addon_args_exhausted(args);
        return NULL;
    }
    node->n_refs = 1;
    node->env = args->env;
    node->is_ref = true;
    atomic_init(&node->mesh, NULL);
    atomic_init(&node->is_closing, false);
    return node;
}

static bool is_function(const struct addon_args *args, napi_value value)
{
    napi_valuetype type = napi_undefined;

    return napi_typeof(args->env, value, &type) == napi_ok && type == napi_function;
}

napi_value addon_create(napi_env env, napi_callback_info info)
{
    struct addon_args args;
    struct addon_node *node;
    napi_value external = NULL;

    addon_args_open(&args, env, info, "create");
    if (addon_args_bytes(&args, args.values[1], "inbox").len < ADDON_INBOX_MIN) {
        addon_args_refuse(&args, "inbox", "a Uint8Array of at least 65536 bytes");
    }
    if (!args.is_bad && !is_function(&args, args.values[2])) {
        addon_args_refuse(&args, "onBatch", "a function");
    }
    node = args.is_bad ? NULL : node_new(&args);
    if (node == NULL) {
        return NULL;
    }
    node->options = addon_options_new(&args, args.values[0]);
    if (node->options == NULL ||
        napi_create_reference(env, args.values[1], 1, &node->inbox) != napi_ok ||
        napi_create_reference(env, args.values[2], 1, &node->on_batch) != napi_ok ||
        napi_create_external(env, node, on_external_finalized, NULL, &external) != napi_ok) {
        addon_node_unref(node);
        return NULL;
    }
    return external;
}

/* ref(node, bool) */
napi_value addon_ref(napi_env env, napi_callback_info info)
{
    struct addon_args args;
    struct addon_node *node;
    bool is_ref;

    addon_args_open(&args, env, info, "ref");
    node = addon_args_node(&args);
    is_ref = addon_args_bool(&args, 1, "ref");
    if (args.is_bad) {
        return NULL;
    }
    node->is_ref = is_ref;
    if (node->phase == ADDON_OPEN) {
        (void)(is_ref ? napi_ref_threadsafe_function(env, node->wake)
                      : napi_unref_threadsafe_function(env, node->wake));
    }
    return NULL;
}
