/* shutdown(node): a promise, which a thread of its own fulfils: the mesh's node waits for requests
 * that run, for which JavaScript goes on meanwhile.
 *
 * Happy path: the thread shuts the mesh's node down; JavaScript, told of it, ends what is still
 * open; the thread frees the node; JavaScript, told of that, fulfils the promise.
 *
 * The environment may be torn down at any time (a worker is terminated, or the process ends while a
 * node does not keep it alive): the hook does JavaScript's part, and waits. It refuses requests, so
 * that nothing is waited for but the network's farewells. */
#include "node.h"

static void shut_mesh_down(struct addon_node *node)
{
    struct flatend_node *mesh = atomic_load(&node->mesh);

    if (mesh != NULL) {
        (void)flatend_node_shutdown(mesh);
    }
}

static void *run(void *arg)
{
    struct addon_node *node = arg;

    shut_mesh_down(node); /* a start that waits returns */
    if (node->has_starter) {
        (void)pthread_join(node->starter, NULL);
    }
    shut_mesh_down(node); /* it may have been made meanwhile */
    addon_pending_add(&node->pending, (struct addon_entry){.type = ADDON_ENTRY_SHUT});
    addon_pending_wait_for_free(&node->pending);
    (void)flatend_node_free(atomic_load(&node->mesh));
    flatend_queue_free(node->queue);
    addon_pending_add(&node->pending, (struct addon_entry){.type = ADDON_ENTRY_FREED});
    return NULL;
}

static int begin_close(struct addon_node *node)
{
    int code;

    atomic_store(&node->is_closing, true);
    code = addon_thread_start(&node->closer, run, node);
    if (code == 0) {
        node->phase = ADDON_CLOSING;
    }
    return code;
}

void addon_node_on_shut(struct addon_node *node)
{
    node->is_shut = true;
    addon_exchanges_end(&node->exchanges);
    addon_pending_allow_free(&node->pending);
}

/* ---- with JavaScript ---- */

static void resolve(struct addon_node *node, napi_deferred deferred)
{
    napi_value undefined = NULL;

    (void)napi_get_undefined(node->env, &undefined);
    (void)napi_resolve_deferred(node->env, deferred, undefined);
}

void addon_node_on_freed(struct addon_node *node)
{
    (void)pthread_join(node->closer, NULL);
    (void)napi_remove_env_cleanup_hook(node->env, addon_node_on_cleanup, node);
    addon_pending_attach(&node->pending, NULL);
    (void)napi_release_threadsafe_function(node->wake, napi_tsfn_release);
    addon_node_forget_javascript(node);
    resolve(node, node->closed);
    addon_node_unref(node);
}

static int shut_down(struct addon_node *node, napi_deferred closed)
{
    int code = 0;

    if (node->phase == ADDON_CREATED) {
        addon_node_forget_javascript(node);
        resolve(node, closed);
        return 0;
    }
    code = begin_close(node);
    if (code == 0) {
        (void)napi_ref_threadsafe_function(node->env, node->wake);
        node->closed = closed;
    }
    return code;
}

/* shutdown(node): the same promise each time. */
napi_value addon_shutdown(napi_env env, napi_callback_info info)
{
    struct addon_args args;
    struct addon_node *node;
    napi_deferred closed = NULL;
    napi_value promise = NULL;
    int code;

    addon_args_open(&args, env, info, "shutdown");
    node = addon_args_node(&args);
    if (args.is_bad) {
        return NULL;
    }
    if (node->closed_promise != NULL) {
        (void)napi_get_reference_value(env, node->closed_promise, &promise);
        return promise;
    }
    if (napi_create_promise(env, &closed, &promise) != napi_ok) {
        return NULL;
    }
    code = shut_down(node, closed);
    if (code == 0) {
        (void)napi_create_reference(env, promise, 1, &node->closed_promise);
    } else {
        (void)napi_reject_deferred(env, closed, addon_error(env, code, flatend_strerror(code)));
    }
    return promise;
}

/* ---- without JavaScript ---- */

/* JavaScript's part of what is in the batch. Says whether that was the last of it. */
static bool take_part(struct addon_node *node, struct addon_batch *batch)
{
    bool is_freed = false;

    for (size_t i = 0; i < batch->n; i++) {
        const struct addon_entry *entry = &batch->entries[i];

        switch (entry->type) {
        case FLATEND_EVENT_REQUEST:
            (void)flatend_context_fail(entry->of.context, 503, "the service is shutting down");
            break;
        case ADDON_ENTRY_SHUT:
            addon_node_on_shut(node);
            break;
        case ADDON_ENTRY_FREED:
            is_freed = true;
            break;
        default:
            break;
        }
    }
    addon_batch_clear(batch);
    return is_freed;
}

/* Without a thread for it: requests that nobody refuses are waited for. */
static void close_here(struct addon_node *node)
{
    addon_pending_allow_free(&node->pending);
    (void)run(node);
    node->phase = ADDON_CLOSED;
}

void addon_node_on_cleanup(void *arg)
{
    struct addon_node *node = arg;
    bool is_freed;

    addon_pending_attach(&node->pending, NULL);
    addon_exchanges_end(&node->exchanges);
    is_freed = take_part(node, &node->batch); /* it may come in the middle of one */
    if (node->phase == ADDON_OPEN && begin_close(node) != 0) {
        close_here(node);
    }
    while (node->phase == ADDON_CLOSING && !is_freed) {
        addon_pending_wait(&node->pending, &node->batch);
        is_freed = take_part(node, &node->batch);
    }
    if (node->phase == ADDON_CLOSING) {
        (void)pthread_join(node->closer, NULL);
    }
    node->phase = ADDON_CLOSED;
    if (node->is_deferred) {
        addon_node_unref(node); /* it does not come any more */
    }
    addon_node_unref(node);
}
