/* From what is pending to records, and to one call of JavaScript's for many of them. */
#include <stdio.h>

#include "node.h"

/* How often the node looks for more before JavaScript returns to its loop: what JavaScript has
 * answered may have brought the next requests, and to be woken costs more than they do. */
enum { ROUNDS = 4 };

/* The memory of the inbox, which is JavaScript's: looked up for each batch. */
static bool open_inbox(struct addon_node *node, struct addon_inbox *inbox)
{
    napi_value array = NULL;
    void *bytes = NULL;
    size_t cap = 0;

    *inbox = (struct addon_inbox){0};
    if (napi_get_reference_value(node->env, node->inbox, &array) != napi_ok || array == NULL ||
        napi_get_typedarray_info(node->env, array, NULL, &cap, &bytes, NULL, NULL) != napi_ok) {
        return false;
    }
    inbox->bytes = bytes;
    inbox->cap = cap;
    return cap >= ADDON_INBOX_MIN;
}

/* An exception of onBatch is uncaught, as in any callback. */
static void report_exception(napi_env env)
{
    napi_value error = NULL;
    bool is_pending = false;

    if (napi_is_exception_pending(env, &is_pending) == napi_ok && is_pending &&
        napi_get_and_clear_last_exception(env, &error) == napi_ok) {
        (void)napi_fatal_exception(env, error);
    }
}

/* Tells JavaScript the records that there are. */
static void flush(struct addon_node *node, struct addon_inbox *inbox)
{
    napi_value undefined = NULL;
    napi_value function = NULL;
    napi_value n = NULL;

    if (inbox->len == 0) {
        return;
    }
    n = addon_number(node->env, (int64_t)inbox->len);
    inbox->len = 0;
    if (napi_get_reference_value(node->env, node->on_batch, &function) == napi_ok &&
        napi_get_undefined(node->env, &undefined) == napi_ok) {
        (void)napi_call_function(node->env, undefined, function, 1, &n, NULL);
        report_exception(node->env);
    }
    if (!open_inbox(node, inbox)) {
        *inbox = (struct addon_inbox){0}; /* nothing fits */
    }
}

/* ---- one entry ---- */

static void deliver_request(struct addon_node *node, struct addon_inbox *inbox,
                            const struct addon_entry *entry)
{
    struct flatend_context *context = entry->of.context;
    struct addon_exchange *request = addon_exchanges_add_request(&node->exchanges, context);

    if (request == NULL) {
        (void)flatend_context_fail(context, 503, "out of memory");
        return;
    }
    if (addon_inbox_request(inbox, request, entry->service)) {
        return;
    }
    flush(node, inbox);
    if (!addon_inbox_request(inbox, request, entry->service)) {
        addon_exchanges_remove(&node->exchanges, request);
        (void)flatend_context_fail(context, 431, "the headers are too long");
    }
}

static void deliver_event(struct addon_node *node, struct addon_inbox *inbox, int type, uint32_t id,
                          int code)
{
    if (!addon_inbox_event(inbox, type, id, code)) {
        flush(node, inbox);
        (void)addon_inbox_event(inbox, type, id, code);
    }
}

static void deliver_response(struct addon_node *node, struct addon_inbox *inbox,
                             struct addon_exchange *call)
{
    const uint32_t id = call->id;

    if (addon_inbox_response(inbox, call)) {
        return;
    }
    flush(node, inbox); /* JavaScript may close the call */
    call = addon_node_find(node, id);
    if (call != NULL && !addon_inbox_response(inbox, call)) {
        call->is_told = true;
        deliver_event(node, inbox, FLATEND_EVENT_FAILED, id, FLATEND_ETOOBIG);
    }
}

static void deliver_call(struct addon_node *node, struct addon_inbox *inbox,
                         const struct addon_entry *entry)
{
    struct addon_exchange *call = addon_exchanges_find(&node->exchanges, entry->of.call);

    if (call == NULL) {
        return;
    }
    if (entry->type == FLATEND_EVENT_RESPONSE) {
        deliver_response(node, inbox, call);
    } else if (!call->is_told || entry->type == FLATEND_EVENT_WRITABLE) {
        deliver_event(node, inbox, entry->type, call->id, entry->code);
    }
}

static void deliver_to_request(struct addon_node *node, struct addon_inbox *inbox,
                               const struct addon_entry *entry)
{
    const struct addon_exchange *request =
        addon_exchanges_find_request(&node->exchanges, entry->of.context);

    if (request != NULL) {
        deliver_event(node, inbox, entry->type, request->id, entry->code);
    }
}

static void deliver_peer(struct addon_node *node, struct addon_inbox *inbox,
                         const struct addon_entry *entry)
{
    if (!addon_inbox_peer(inbox, entry->type, entry->of.peer)) {
        flush(node, inbox);
        (void)addon_inbox_peer(inbox, entry->type, entry->of.peer);
    }
}

static void deliver_text(struct addon_node *node, struct addon_inbox *inbox, int code,
                         const char *text)
{
    if (!addon_inbox_text(inbox, ADDON_ENTRY_LOG, code, text)) {
        flush(node, inbox);
        (void)addon_inbox_text(inbox, ADDON_ENTRY_LOG, code, text);
    }
}

/* Those that are the binding's own business: what came before them is told first. */
static void deliver_own(struct addon_node *node, struct addon_inbox *inbox,
                        const struct addon_entry *entry)
{
    flush(node, inbox);
    if (entry->type == ADDON_ENTRY_STARTED) {
        addon_node_on_started(node, entry->code);
    } else if (entry->type == ADDON_ENTRY_SHUT) {
        addon_node_on_shut(node);
    } else {
        addon_node_on_freed(node);
    }
}

static void deliver(struct addon_node *node, struct addon_inbox *inbox,
                    const struct addon_entry *entry)
{
    switch (entry->type) {
    case FLATEND_EVENT_REQUEST:
        deliver_request(node, inbox, entry);
        break;
    case FLATEND_EVENT_CANCELED:
    case FLATEND_EVENT_DEADLINE:
        deliver_to_request(node, inbox, entry);
        break;
    case FLATEND_EVENT_READABLE:
    case FLATEND_EVENT_WRITABLE:
        if (entry->is_call) {
            deliver_call(node, inbox, entry);
        } else {
            deliver_to_request(node, inbox, entry);
        }
        break;
    case FLATEND_EVENT_RESPONSE:
    case FLATEND_EVENT_TRAILERS:
    case FLATEND_EVENT_END:
    case FLATEND_EVENT_FAILED:
        deliver_call(node, inbox, entry);
        break;
    case FLATEND_EVENT_PEER_UP:
    case FLATEND_EVENT_PEER_DOWN:
    case FLATEND_EVENT_PEER_GIVEN_UP:
        deliver_peer(node, inbox, entry);
        break;
    case ADDON_ENTRY_LOG:
        deliver_text(node, inbox, entry->code, entry->of.line);
        break;
    case ADDON_ENTRY_STARTED:
    case ADDON_ENTRY_SHUT:
    case ADDON_ENTRY_FREED:
        deliver_own(node, inbox, entry);
        break;
    default:
        deliver_event(node, inbox, entry->type, 0, entry->code);
        break;
    }
}

/* ---- batches ---- */

static void deliver_lost_lines(struct addon_node *node, struct addon_inbox *inbox, size_t n)
{
    char line[64];

    if (n > 0) {
        (void)snprintf(line, sizeof(line), "%zu lines of the log were lost", n);
        deliver_text(node, inbox, FLATEND_LOG_WARN, line);
    }
}

/* An entry is forgotten before its turn: should the process end in JavaScript's, what is left is
 * what was not delivered. */
static void deliver_batch(struct addon_node *node, struct addon_inbox *inbox)
{
    struct addon_batch *batch = &node->batch;

    for (size_t i = 0; i < batch->n; i++) {
        struct addon_entry entry = batch->entries[i];

        batch->entries[i] = (struct addon_entry){0};
        deliver(node, inbox, &entry);
        addon_entry_deinit(&entry);
    }
    deliver_lost_lines(node, inbox, batch->n_lost_lines);
    flush(node, inbox);
    addon_batch_clear(batch);
}

static napi_value on_immediate(napi_env env, napi_callback_info info)
{
    void *data = NULL;
    struct addon_node *node;

    if (napi_get_cb_info(env, info, NULL, NULL, NULL, &data) != napi_ok) {
        return NULL;
    }
    node = data;
    node->is_deferred = false;
    addon_node_deliver(node);
    addon_node_unref(node);
    return NULL;
}

/* JavaScript does its other work before it comes back: a function that wakes it, called here, would
 * be called again at once. */
static bool defer(struct addon_node *node)
{
    napi_env env = node->env;
    napi_value global = NULL;
    napi_value set_immediate = NULL;
    napi_value function = NULL;

    if (napi_get_global(env, &global) != napi_ok ||
        napi_get_named_property(env, global, "setImmediate", &set_immediate) != napi_ok ||
        napi_create_function(env, NULL, 0, on_immediate, node, &function) != napi_ok ||
        napi_call_function(env, global, set_immediate, 1, &function, NULL) != napi_ok) {
        return false;
    }
    node->is_deferred = true;
    node->n_refs++;
    return true;
}

void addon_node_deliver(struct addon_node *node)
{
    struct addon_inbox inbox;
    int n_rounds = 0;

    if (node->is_delivering || node->is_deferred || node->phase == ADDON_CLOSED ||
        !open_inbox(node, &inbox)) {
        return;
    }
    node->n_refs++;
    node->is_delivering = true;
    while (n_rounds < ROUNDS && addon_pending_take(&node->pending, &node->batch)) {
        deliver_batch(node, &inbox);
        n_rounds++;
    }
    if (n_rounds == ROUNDS && node->phase != ADDON_CLOSED && !defer(node)) {
        addon_pending_signal_again(&node->pending);
    }
    node->is_delivering = false;
    addon_node_unref(node);
}
