#include "mesh/async/queue.h"

#include <stdlib.h>

#include "ground/base/assert.h"
#include "ground/base/refcount.h"
#include "ground/os/clock.h"
#include "ground/os/fd.h"
#include "ground/os/fork_guard.h"
#include "ground/os/thread.h"
#include "ground/os/wake_fd.h"

struct flatend_queue {
    struct fe_fork_guard *guard; /* first of all: in a child nothing else may be touched */
    struct fe_mutex lock;
    struct fe_cond changed;
    struct fe_list ready;     /* sources with something to tell */
    atomic_uint n_refs;       /* the application's, each source's, a turn's that will wake */
    unsigned n_waiting;       /* threads in flatend_queue_take */
    bool is_waking;           /* one of them was signaled, and has not come yet */
    bool is_interrupted;      /* flatend_queue_wake was called, and nobody has seen it */
    bool is_closed;           /* the application has freed it */
    bool is_fd_set;           /* `fd` is readable */
    int fd;                   /* -1: nobody has asked for it */
    struct fe_worker *worker; /* at the end of whose turn takers are woken; NULL: no turn's */
    struct fe_deferred wake;
};

/* An event that is one of its own. */
struct fe_event_record {
    struct fe_list link;
    enum flatend_event_type type;
    struct flatend_provider peer;
};

static void on_turn_end(struct fe_deferred *deferred);

int flatend_queue_new(struct flatend_queue **out)
{
    struct flatend_queue *queue;
    int code;

    if (out == NULL) {
        return FLATEND_EINVAL;
    }
    *out = NULL;
    queue = calloc(1, sizeof(*queue));
    if (queue == NULL) {
        return FLATEND_ENOMEM;
    }
    code = fe_fork_guard_new(&queue->guard, true);
    if (code == 0) {
        code = fe_mutex_cond_init(&queue->lock, &queue->changed);
        if (code != 0) {
            fe_fork_guard_unref(queue->guard);
        }
    }
    if (code != 0) {
        free(queue);
        return code;
    }
    atomic_init(&queue->n_refs, 1);
    queue->fd = -1;
    fe_list_init(&queue->ready);
    fe_deferred_init(&queue->wake, on_turn_end);
    *out = queue;
    return 0;
}

/* Gives back one reference. */
static void unref(struct flatend_queue *queue)
{
    if (!fe_atomic_unref(&queue->n_refs)) {
        return;
    }
    FE_ASSERT(fe_list_is_empty(&queue->ready), "what is in a queue refers to it");
    fe_cond_deinit(&queue->changed);
    fe_mutex_deinit(&queue->lock);
    fe_fork_guard_unref(queue->guard);
    free(queue);
}

/* 0, or why nothing can be done with it: there is none, or this process was forked, and it is the
 * parent's. */
static int check_call(const struct flatend_queue *queue)
{
    if (queue == NULL) {
        return FLATEND_EINVAL;
    }
    return fe_fork_guard_is_child(queue->guard) ? FLATEND_ESTATE : 0;
}

/* ---- waking --------------------------------------------------------------------------------- */

static bool has_news(const struct flatend_queue *queue)
{
    return queue->is_interrupted || !fe_list_is_empty(&queue->ready);
}

/* Under the lock. Says whether a thread is to be signaled, which is better done outside: it would
 * wait for the lock at once. */
static bool wakes(struct flatend_queue *queue)
{
    if (!has_news(queue)) {
        return false;
    }
    if (queue->fd >= 0 && !queue->is_fd_set) {
        queue->is_fd_set = true;
        fe_wake_fd_set(queue->fd);
    }
    if (queue->n_waiting == 0 || queue->is_waking) {
        return false;
    }
    queue->is_waking = true;
    return true;
}

/* Leaves the lock, and wakes one that waits if there is something for it. */
static void unlock_and_wake(struct flatend_queue *queue)
{
    const bool signals = wakes(queue);

    fe_mutex_unlock(&queue->lock);
    if (signals) {
        fe_cond_signal(&queue->changed);
    }
}

/* Under the lock: something was taken, or withdrawn. */
static void settle_fd(struct flatend_queue *queue)
{
    if (queue->is_fd_set && !has_news(queue)) {
        queue->is_fd_set = false;
        fe_wake_fd_clear(queue->fd);
    }
}

static void on_turn_end(struct fe_deferred *deferred)
{
    struct flatend_queue *queue = FE_CONTAINER_OF(deferred, struct flatend_queue, wake);

    fe_mutex_lock(&queue->lock);
    queue->worker = NULL;
    unlock_and_wake(queue);
    unref(queue);
}

void flatend_queue_wake(struct flatend_queue *queue)
{
    if (check_call(queue) != 0) {
        return;
    }
    fe_mutex_lock(&queue->lock);
    queue->is_interrupted = true;
    unlock_and_wake(queue);
}

/* ---- sources -------------------------------------------------------------------------------- */

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

/* Under the lock of its queue, in whose list it is not. */
static void forget(struct fe_event_source *source)
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
        forget(source);
        settle_fd(queue);
        fe_mutex_unlock(&queue->lock);
    }
    source->code = 0;
    source->queue = NULL;
    unref(queue);
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

/* Leaves the lock. Takers are woken at the end of the turn if something was added for them. */
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
    settle_fd(queue);
    fe_mutex_unlock(&queue->lock);
}

void fe_event_post_now(struct fe_event_source *source, enum flatend_event_type type, int code)
{
    struct flatend_queue *const queue = source->queue;

    if (queue == NULL) {
        return;
    }
    fe_mutex_lock(&queue->lock);
    /* Under the lock: once the event was taken, the queue may be freed. */
    if (add(source, type, code) && wakes(queue)) {
        fe_cond_signal(&queue->changed);
    }
    fe_mutex_unlock(&queue->lock);
}

/* ---- taking --------------------------------------------------------------------------------- */

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
static void take_one(struct fe_event_source *source, struct flatend_event *event)
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

/* Under the lock. */
static size_t take_all(struct flatend_queue *queue, struct flatend_event *events, size_t cap)
{
    size_t n = 0;

    while (n < cap && !fe_list_is_empty(&queue->ready)) {
        struct fe_event_source *source =
            FE_CONTAINER_OF(queue->ready.next, struct fe_event_source, link);

        take_one(source, &events[n++]);
    }
    return n;
}

/* Under the lock. False: time is up. */
static bool wait_for_news(struct flatend_queue *queue, uint64_t deadline_ms)
{
    bool in_time = true;

    queue->n_waiting++;
    if (deadline_ms == FE_TIME_NEVER) {
        fe_cond_wait(&queue->changed, &queue->lock);
    } else {
        in_time = fe_cond_wait_until(&queue->changed, &queue->lock, deadline_ms);
    }
    FE_ASSERT(queue->n_waiting > 0, "threads that wait are counted");
    queue->n_waiting--;
    queue->is_waking = false;
    return in_time;
}

static uint64_t deadline_of(int timeout_ms)
{
    return timeout_ms < 0 ? FE_TIME_NEVER : fe_clock_ms() + (uint64_t)timeout_ms;
}

ssize_t flatend_queue_take(struct flatend_queue *queue, struct flatend_event *events, size_t cap,
                           int timeout_ms)
{
    const uint64_t deadline_ms = timeout_ms == 0 ? 0 : deadline_of(timeout_ms);
    size_t n;
    int code = check_call(queue);

    if (code == 0 && (cap == 0 || events == NULL)) {
        code = FLATEND_EINVAL;
    }
    if (code != 0) {
        return code;
    }
    fe_mutex_lock(&queue->lock);
    while (!has_news(queue) && timeout_ms != 0) {
        if (!wait_for_news(queue, deadline_ms)) {
            break;
        }
    }
    n = queue->is_interrupted ? 0 : take_all(queue, events, cap);
    queue->is_interrupted = false;
    settle_fd(queue);
    unlock_and_wake(queue); /* what is left is for the next one that waits */
    return (ssize_t)n;
}

int flatend_queue_fd(struct flatend_queue *queue)
{
    int fd = check_call(queue);

    if (fd != 0) {
        return fd;
    }
    fe_mutex_lock(&queue->lock);
    if (queue->fd >= 0) {
        fd = queue->fd;
        fe_mutex_unlock(&queue->lock);
        return fd;
    }
    fd = fe_wake_fd_open();
    queue->fd = fd >= 0 ? fd : -1;
    unlock_and_wake(queue); /* what waits already makes it readable */
    return fd;
}

void flatend_queue_free(struct flatend_queue *queue)
{
    struct fe_list *link;

    if (check_call(queue) != 0) {
        return;
    }
    fe_mutex_lock(&queue->lock);
    FE_ASSERT(queue->n_waiting == 0, "no thread is in a call with a queue that is freed");
    queue->is_closed = true;
    queue->is_interrupted = false;
    if (queue->fd >= 0) {
        fe_fd_close(queue->fd);
        queue->fd = -1;
        queue->is_fd_set = false;
    }
    while ((link = fe_list_pop_front(&queue->ready)) != NULL) {
        forget(FE_CONTAINER_OF(link, struct fe_event_source, link));
    }
    fe_mutex_unlock(&queue->lock);
    unref(queue);
}

/* ---- invariants ----------------------------------------------------------------------------- */

void fe_queue_check(struct flatend_queue *queue)
{
    fe_mutex_lock(&queue->lock);
    fe_list_check(&queue->ready);
    FE_LIST_FOREACH (link, next, &queue->ready) {
        const struct fe_event_source *source = FE_CONTAINER_OF(link, struct fe_event_source, link);

        FE_ASSERT(source->queue == queue, "a source waits in its own queue");
        FE_ASSERT(pending_of(source) != 0 || has_records(source),
                  "a source in the list has something to tell");
        FE_ASSERT(source->records == NULL || source->records->n <= FE_EVENT_RECORDS_MAX,
                  "events that take memory are bounded");
    }
    FE_ASSERT(!queue->is_waking || queue->n_waiting > 0, "only a thread that waits is woken");
    FE_ASSERT(!queue->is_fd_set || queue->fd >= 0, "only a descriptor that is there is readable");
    FE_ASSERT(queue->fd < 0 || queue->worker != NULL || queue->is_fd_set == has_news(queue),
              "the descriptor is readable while there is something to take");
    fe_mutex_unlock(&queue->lock);
}
