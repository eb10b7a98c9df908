/* The sources of events: what they have to tell, and how it comes to their queue. */
#include <stdlib.h>

#include "ground/base/assert.h"
#include "ground/base/refcount.h"
#include "mesh/async/queue_internal.h"

/* An event that is one of its own. */
struct fe_event_record {
    struct fe_list link;
    enum flatend_event_type type;
    struct flatend_provider peer;
};

void fe_event_source_init(struct fe_event_source *source)
{
    *source = (struct fe_event_source){0};
    fe_list_init(&source->link);
    atomic_init(&source->pending, 0);
}

/* Under the lock of its queue. */
static bool has_records(const struct fe_event_source *source)
{
    return source->records != NULL && source->records->n > 0;
}

/* Under the lock of its queue. NULL: there is none. */
static struct fe_event_record *pop_record(struct fe_event_source *source)
{
    if (!has_records(source)) {
        return NULL;
    }
    source->records->n--;
    return FE_CONTAINER_OF(fe_list_pop_front(&source->records->list), struct fe_event_record, link);
}

/* Under the lock of its queue. */
static unsigned pending_of(const struct fe_event_source *source)
{
    return atomic_load_explicit(&source->pending, memory_order_relaxed);
}

/* Under the lock of its queue: it is in the list while it has something to tell. Once nothing is
 * pending it may be detached without the lock, so that this comes last. */
static void set_pending(struct fe_event_source *source, unsigned pending)
{
    if (pending == 0 && !has_records(source)) {
        fe_list_remove(&source->link);
    } else if (!fe_list_is_linked(&source->link)) {
        fe_list_push_back(&source->queue->ready, &source->link);
    }
    atomic_store_explicit(&source->pending, pending, memory_order_release);
}

void fe_event_source_forget(struct fe_event_source *source)
{
    struct fe_event_record *record;

    while ((record = pop_record(source)) != NULL) {
        free(record);
    }
    atomic_store_explicit(&source->pending, 0, memory_order_release);
}

/* Its queue does not know it, and only this thread can change that. */
static bool is_quiet(const struct fe_event_source *source)
{
    return source->records == NULL &&
           atomic_load_explicit(&source->pending, memory_order_acquire) == 0;
}

void fe_event_source_attach(struct fe_event_source *source, struct flatend_queue *queue, void *arg)
{
    FE_ASSERT(source->queue == NULL, "a source has one queue");
    source->arg = arg;
    if (queue == NULL) {
        return;
    }
    fe_atomic_ref(&queue->n_refs);
    source->queue = queue;
}

void fe_event_source_detach(struct fe_event_source *source)
{
    struct flatend_queue *const queue = source->queue;

    if (queue == NULL) {
        return;
    }
    if (!is_quiet(source)) {
        fe_mutex_lock(&queue->lock);
        fe_list_remove(&source->link);
        fe_event_source_forget(source);
        fe_queue_settle_fd(queue);
        fe_mutex_unlock(&queue->lock);
    }
    source->code = 0;
    source->queue = NULL;
    fe_queue_unref(queue);
}

/* Under the lock. False: there is nobody to tell. */
static bool add(struct fe_event_source *source, enum flatend_event_type type, int code)
{
    if (source->queue->is_closed) {
        return false;
    }
    source->code = code != 0 ? code : source->code;
    set_pending(source, pending_of(source) | 1U << type);
    return true;
}

/* Leaves the lock. At the end of the turn takers are woken, or the callback is called, if something
 * was added for them. */
static void unlock_and_defer(struct flatend_queue *queue, struct fe_worker *worker, bool is_added)
{
    const bool defers = is_added && queue->worker == NULL;

    if (defers) {
        queue->worker = worker;
        fe_atomic_ref(&queue->n_refs);
    }
    fe_mutex_unlock(&queue->lock);
    if (defers) {
        fe_worker_defer(worker, &queue->wake);
    }
}

void fe_event_post(struct fe_event_source *source, struct fe_worker *worker,
                   enum flatend_event_type type, int code)
{
    struct flatend_queue *const queue = source->queue;

    if (queue == NULL) {
        return;
    }
    fe_mutex_lock(&queue->lock);
    unlock_and_defer(queue, worker, add(source, type, code));
}

bool fe_event_source_begin(struct fe_event_source *source, struct flatend_queue *queue, void *arg,
                           struct fe_worker *worker, enum flatend_event_type type)
{
    FE_ASSERT(source->queue == NULL, "a source has one queue");
    fe_mutex_lock(&queue->lock);
    if (queue->is_closed) {
        fe_mutex_unlock(&queue->lock);
        return false;
    }
    fe_atomic_ref(&queue->n_refs);
    source->queue = queue;
    source->arg = arg;
    unlock_and_defer(queue, worker, add(source, type, 0));
    return true;
}

static struct fe_event_record *record_new(enum flatend_event_type type,
                                          const struct flatend_provider *peer)
{
    struct fe_event_record *record = malloc(sizeof(*record));

    if (record != NULL) {
        record->type = type;
        record->peer = *peer;
        fe_list_init(&record->link);
    }
    return record;
}

/* Under the lock; takes the record, or says that it was lost. */
static bool add_record(struct fe_event_source *source, struct fe_event_record *record)
{
    struct fe_event_records *const records = source->records;
    const bool has_lost = (pending_of(source) & 1U << FLATEND_EVENT_PEERS_LOST) != 0;

    if (source->queue->is_closed || has_lost || record == NULL ||
        records->n == FE_EVENT_RECORDS_MAX) {
        free(record);
        return add(source, FLATEND_EVENT_PEERS_LOST, 0);
    }
    fe_list_push_back(&records->list, &record->link);
    records->n++;
    set_pending(source, pending_of(source));
    return true;
}

void fe_event_post_peer(struct fe_event_source *source, struct fe_worker *worker,
                        enum flatend_event_type type, const struct flatend_provider *peer)
{
    struct flatend_queue *const queue = source->queue;
    struct fe_event_record *record;

    if (queue == NULL) {
        return;
    }
    FE_ASSERT(source->records != NULL, "peers are told by a source that has records");
    record = record_new(type, peer);
    fe_mutex_lock(&queue->lock);
    unlock_and_defer(queue, worker, add_record(source, record));
}

void fe_event_withdraw(struct fe_event_source *source, enum flatend_event_type type)
{
    struct flatend_queue *const queue = source->queue;

    if (queue == NULL) {
        return;
    }
    fe_mutex_lock(&queue->lock);
    set_pending(source, pending_of(source) & ~(1U << type));
    fe_queue_settle_fd(queue);
    fe_mutex_unlock(&queue->lock);
}

bool fe_event_post_now(struct fe_event_source *source, struct fe_worker *worker,
                       enum flatend_event_type type, int code)
{
    struct flatend_queue *const queue = source->queue;
    bool wakes = false;
    bool is_added;

    if (queue == NULL) {
        return false;
    }
    fe_mutex_lock(&queue->lock);
    is_added = add(source, type, code);
    if (queue->fn != NULL && fe_worker_is_own_thread(worker)) {
        unlock_and_defer(queue, worker, is_added);
        return false;
    }
    if (is_added && queue->fn != NULL) {
        wakes = fe_queue_enqueue(queue, worker);
    } else if (is_added && fe_queue_wakes(queue)) {
        fe_cond_signal(&queue->changed); /* under the lock: once it is taken, it may be freed */
    }
    fe_mutex_unlock(&queue->lock);
    return wakes;
}

/* ---- events of what is pending --------------------------------------------------------------- */

static bool has_code(int type)
{
    return type == FLATEND_EVENT_CANCELED || type == FLATEND_EVENT_DEADLINE ||
           type == FLATEND_EVENT_FAILED || type == FLATEND_EVENT_STARTED;
}

static struct flatend_event event_of(const struct fe_event_source *source, int type)
{
    return (struct flatend_event){
        .type = type,
        .code = has_code(type) ? source->code : 0,
        .arg = source->arg,
        .node = source->node,
        .context = source->context,
        .stream = source->stream,
    };
}

/* The first of what is pending: types are numbered in the order in which they are told. */
static void take_first(struct fe_event_source *source, struct flatend_event *event)
{
    struct fe_event_record *record = pop_record(source);
    const unsigned pending = pending_of(source);
    int type = 0;

    if (record != NULL) {
        *event = event_of(source, (int)record->type);
        event->peer = record->peer;
        free(record);
        set_pending(source, pending);
        return;
    }
    FE_ASSERT(pending != 0, "a source in the list has something to tell");
    while ((pending & 1U << type) == 0) {
        type++;
    }
    *event = event_of(source, type);
    set_pending(source, pending & ~(1U << type));
}

void fe_queue_take_one(struct flatend_queue *queue, struct flatend_event *event)
{
    take_first(FE_CONTAINER_OF(queue->ready.next, struct fe_event_source, link), event);
}

void fe_event_source_check(const struct fe_event_source *source, const struct flatend_queue *queue)
{
    FE_ASSERT(source->queue == queue, "a source waits in its own queue");
    FE_ASSERT(pending_of(source) != 0 || has_records(source),
              "a source in the list has something to tell");
    FE_ASSERT(source->records == NULL || source->records->n <= FE_EVENT_RECORDS_MAX,
              "events that take memory are bounded");
}
