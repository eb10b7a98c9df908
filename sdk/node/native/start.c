/* start(node, addrs): a promise, which a thread of its own fulfils: names are looked up, and
 * addresses dialed, both of which wait.
 *
 * Failure modes: the node cannot be made or cannot start: the promise is rejected, and the node
 * does not keep the process alive any more; shutdown still frees it. Shutdown meanwhile: start
 * returns early. */
#include "node.h"

static int make_node(struct addon_node *node)
{
    struct addon_options *options = node->options;
    struct flatend_node *mesh = NULL;
    int code;

    for (size_t i = 0; i < options->flatend.n_services; i++) {
        options->services[i].queue = node->queue;
    }
    if (options->has_log) {
        options->flatend.log = addon_pending_on_log;
        options->flatend.log_arg = &node->pending;
    }
    code = flatend_node_new(&options->flatend, &mesh, &node->error);
    if (code == 0) {
        (void)flatend_node_watch(mesh, node->queue, NULL);
        atomic_store(&node->mesh, mesh);
    }
    return code;
}

/* Either this sees that the node closes, or what closes it sees the mesh's node. */
static void *run(void *arg)
{
    struct addon_node *node = arg;
    int code = make_node(node);

    if (code == 0 && atomic_load(&node->is_closing)) {
        code = FLATEND_ECANCELED;
        node->error.text[0] = '\0';
    }
    if (code == 0) {
        code =
            flatend_node_start(atomic_load(&node->mesh), node->addrs, node->n_addrs, &node->error);
    }
    addon_pending_add(&node->pending,
                      (struct addon_entry){.type = ADDON_ENTRY_STARTED, .code = code});
    return NULL;
}

void addon_node_on_started(struct addon_node *node, int code)
{
    const char *text = node->error.text[0] != '\0' ? node->error.text : flatend_strerror(code);
    napi_deferred started = node->started;

    addon_options_free(node->options);
    node->options = NULL;
    node->started = NULL;
    if (code == 0) {
        napi_value undefined = NULL;

        (void)napi_get_undefined(node->env, &undefined);
        (void)napi_resolve_deferred(node->env, started, undefined);
    } else {
        if (node->phase == ADDON_OPEN) {
            (void)napi_unref_threadsafe_function(node->env, node->wake);
        }
        (void)napi_reject_deferred(node->env, started, addon_error(node->env, code, text));
    }
}

/* ---- JavaScript's thread ---- */

static void on_wake(napi_env env, napi_value function, void *node, void *data)
{
    (void)function;
    (void)data;
    if (env != NULL) {
        addon_node_deliver(node);
    }
}

static void on_wake_finalized(napi_env env, void *data, void *hint)
{
    struct addon_node *node = data;

    (void)env;
    (void)hint;
    addon_pending_attach(&node->pending, NULL);
    addon_node_unref(node);
}

/* The clean-up hook comes after the function that wakes: hooks run in reverse, so that the mesh's
 * thread has ended when that goes. */
static int open_node(struct addon_node *node)
{
    napi_value name = addon_string(node->env, "flatend");
    int code = flatend_queue_new_callback(addon_pending_on_event, &node->pending, &node->queue);

    if (code != 0) {
        return code;
    }
    if (napi_create_threadsafe_function(node->env, NULL, NULL, name, 0, 1, node, on_wake_finalized,
                                        node, on_wake, &node->wake) != napi_ok) {
        flatend_queue_free(node->queue);
        return FLATEND_ENOMEM;
    }
    node->n_refs += 2; /* the function's, and that of an open node */
    addon_pending_attach(&node->pending, node->wake);
    (void)napi_add_env_cleanup_hook(node->env, addon_node_on_cleanup, node);
    node->phase = ADDON_OPEN;
    if (!node->is_ref) {
        (void)napi_unref_threadsafe_function(node->env, node->wake);
    }
    return 0;
}

static int start(struct addon_node *node)
{
    int code = node->phase == ADDON_CREATED ? open_node(node) : FLATEND_ESTATE;

    if (code != 0) {
        return code;
    }
    code = addon_thread_start(&node->starter, run, node);
    node->has_starter = code == 0;
    if (code != 0) {
        addon_pending_add(&node->pending,
                          (struct addon_entry){.type = ADDON_ENTRY_STARTED, .code = code});
    }
    return 0;
}

/* start(node, addrs) */
napi_value addon_start(napi_env env, napi_callback_info info)
{
    struct addon_args args;
    struct addon_node *node;
    napi_deferred started = NULL;
    napi_value promise = NULL;
    int code = FLATEND_ESTATE;

    addon_args_open(&args, env, info, "start");
    node = addon_args_node(&args);
    if (!args.is_bad && node->phase == ADDON_CREATED) {
        node->addrs = addon_options_strings(node->options, &args, args.values[1], "addrs");
        node->n_addrs = addon_args_array(&args, args.values[1], "addrs");
    }
    if (args.is_bad || napi_create_promise(env, &started, &promise) != napi_ok) {
        return NULL;
    }
    code = start(node);
    if (code == 0) {
        node->started = started;
    } else {
        (void)napi_reject_deferred(env, started, addon_error(env, code, flatend_strerror(code)));
    }
    return promise;
}
