#include "pending.h"

#include <stdlib.h>
#include <string.h>

enum {
    FIRST = 256,
    PEERS_MAX = 1024, /* as a queue that is taken from */
    LINES_MAX = 4096,
};

int addon_pending_init(struct addon_pending *pending)
{
    *pending = (struct addon_pending){0};
    if (pthread_mutex_init(&pending->lock, NULL) != 0) {
        return FLATEND_ENOMEM;
    }
    if (pthread_cond_init(&pending->changed, NULL) != 0) {
        (void)pthread_mutex_destroy(&pending->lock);
        return FLATEND_ENOMEM;
    }
    return 0;
}

void addon_entry_deinit(struct addon_entry *entry)
{
    switch (entry->type) {
    case FLATEND_EVENT_PEER_UP:
    case FLATEND_EVENT_PEER_DOWN:
    case FLATEND_EVENT_PEER_GIVEN_UP:
        free(entry->of.peer);
        break;
    case ADDON_ENTRY_LOG:
        free(entry->of.line);
        break;
    default:
        break;
    }
    *entry = (struct addon_entry){0};
}

void addon_batch_clear(struct addon_batch *batch)
{
    for (size_t i = 0; i < batch->n; i++) {
        addon_entry_deinit(&batch->entries[i]);
    }
    *batch = (struct addon_batch){.entries = batch->entries, .cap = batch->cap};
}

void addon_pending_deinit(struct addon_pending *pending)
{
    addon_batch_clear(&pending->batch);
    free(pending->batch.entries);
    (void)pthread_cond_destroy(&pending->changed);
    (void)pthread_mutex_destroy(&pending->lock);
}

/* Under the lock, so that `wake` is not released meanwhile; the call does not wait. One that closes
 * is not to be called again. */
static void signal_taker(struct addon_pending *pending)
{
    if (pending->wake != NULL && !pending->is_signaled) {
        const napi_status status =
            napi_call_threadsafe_function(pending->wake, NULL, napi_tsfn_nonblocking);

        pending->is_signaled = status == napi_ok;
        pending->wake = status == napi_closing ? NULL : pending->wake;
    }
    (void)pthread_cond_broadcast(&pending->changed);
}

void addon_pending_attach(struct addon_pending *pending, napi_threadsafe_function wake)
{
    (void)pthread_mutex_lock(&pending->lock);
    pending->wake = wake;
    pending->is_signaled = false;
    (void)pthread_mutex_unlock(&pending->lock);
}

/* Under the lock. */
static bool append(struct addon_batch *batch, struct addon_entry entry)
{
    if (batch->n == batch->cap) {
        const size_t cap = batch->cap > 0 ? 2 * batch->cap : FIRST;
        struct addon_entry *entries = realloc(batch->entries, cap * sizeof(*entries));

        if (entries == NULL) {
            return false;
        }
        batch->entries = entries;
        batch->cap = cap;
    }
    batch->entries[batch->n++] = entry;
    return true;
}

/* A request that nobody is told of is refused. Of anything else somebody would wait for without
 * end: V8 ends the process, too, when it has no memory. */
static void on_exhausted(struct addon_entry *entry)
{
    if (entry->type == FLATEND_EVENT_REQUEST) {
        (void)flatend_context_fail(entry->of.context, 503, "out of memory");
    } else {
        napi_fatal_error("flatend", NAPI_AUTO_LENGTH, "out of memory", NAPI_AUTO_LENGTH);
    }
}

void addon_pending_add(struct addon_pending *pending, struct addon_entry entry)
{
    bool is_added;

    (void)pthread_mutex_lock(&pending->lock);
    is_added = append(&pending->batch, entry);
    if (is_added) {
        signal_taker(pending);
    }
    (void)pthread_mutex_unlock(&pending->lock);
    if (!is_added) {
        on_exhausted(&entry);
    }
}

/* Peers come and go while JavaScript is busy: some of it may be lost, but not in silence. */
static void add_peer(struct addon_pending *pending, const struct flatend_event *event)
{
    struct addon_entry entry = {.type = event->type};
    bool is_kept;
    bool was_lost;

    entry.of.peer = malloc(sizeof(*entry.of.peer));
    (void)pthread_mutex_lock(&pending->lock);
    was_lost = pending->batch.has_lost_peers;
    is_kept = entry.of.peer != NULL && !was_lost && pending->batch.n_peers < PEERS_MAX;
    pending->batch.n_peers += is_kept;
    pending->batch.has_lost_peers = !is_kept;
    (void)pthread_mutex_unlock(&pending->lock);
    if (is_kept) {
        *entry.of.peer = event->peer;
    } else {
        addon_entry_deinit(&entry);
        entry.type = FLATEND_EVENT_PEERS_LOST;
    }
    if (is_kept || !was_lost) {
        addon_pending_add(pending, entry);
    }
}

void addon_pending_on_event(void *arg, const struct flatend_event *event)
{
    struct addon_entry entry = {.type = event->type, .code = event->code};

    switch (event->type) {
    case FLATEND_EVENT_STARTED:
        return; /* flatend_node_start says more */
    case FLATEND_EVENT_PEER_UP:
    case FLATEND_EVENT_PEER_DOWN:
    case FLATEND_EVENT_PEER_GIVEN_UP:
        add_peer(arg, event);
        return;
    case FLATEND_EVENT_REQUEST:
        entry.service = (uint32_t)(uintptr_t)event->arg;
        break;
    default:
        break;
    }
    if (event->context != NULL) {
        entry.of.context = event->context;
    } else if (event->stream != NULL) {
        entry.of.call = (uintptr_t)event->arg;
        entry.is_call = true;
    }
    addon_pending_add(arg, entry);
}

void addon_pending_on_log(void *arg, enum flatend_log_level level, const char *line)
{
    struct addon_pending *pending = arg;
    char *copy = strdup(line);

    (void)pthread_mutex_lock(&pending->lock);
    if (copy == NULL || pending->batch.n_lines == LINES_MAX) {
        pending->batch.n_lost_lines++;
        free(copy);
        copy = NULL;
    } else {
        pending->batch.n_lines++;
    }
    (void)pthread_mutex_unlock(&pending->lock);
    if (copy != NULL) {
        addon_pending_add(
            pending,
            (struct addon_entry){.type = ADDON_ENTRY_LOG, .code = (int)level, .of.line = copy});
    }
}

/* Under the lock. */
static bool take(struct addon_pending *pending, struct addon_batch *batch)
{
    struct addon_batch taken = pending->batch;

    if (taken.n == 0) {
        return false;
    }
    pending->batch = *batch;
    *batch = taken;
    return true;
}

bool addon_pending_take(struct addon_pending *pending, struct addon_batch *batch)
{
    bool is_taken;

    (void)pthread_mutex_lock(&pending->lock);
    is_taken = take(pending, batch);
    pending->is_signaled = is_taken;
    (void)pthread_mutex_unlock(&pending->lock);
    return is_taken;
}

void addon_pending_wait(struct addon_pending *pending, struct addon_batch *batch)
{
    (void)pthread_mutex_lock(&pending->lock);
    while (!take(pending, batch)) {
        (void)pthread_cond_wait(&pending->changed, &pending->lock);
    }
    (void)pthread_mutex_unlock(&pending->lock);
}

void addon_pending_signal_again(struct addon_pending *pending)
{
    (void)pthread_mutex_lock(&pending->lock);
    pending->is_signaled = false;
    signal_taker(pending);
    (void)pthread_mutex_unlock(&pending->lock);
}

void addon_pending_allow_free(struct addon_pending *pending)
{
    (void)pthread_mutex_lock(&pending->lock);
    pending->may_free = true;
    (void)pthread_cond_broadcast(&pending->changed);
    (void)pthread_mutex_unlock(&pending->lock);
}

void addon_pending_wait_for_free(struct addon_pending *pending)
{
    (void)pthread_mutex_lock(&pending->lock);
    while (!pending->may_free) {
        (void)pthread_cond_wait(&pending->changed, &pending->lock);
    }
    (void)pthread_mutex_unlock(&pending->lock);
}
