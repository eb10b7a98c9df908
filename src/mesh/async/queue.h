/* Event queues: struct flatend_queue of flatend.h, as those see it who have something to tell.
 *
 * A request, a call, a node that has events embeds a source. What happens to it is pending there, a
 * bit for each type, and the source is in its queue's list while any is: so an event takes no
 * memory, and many of a kind are one.
 *
 *     (none) ── attach ──▶ QUIET ── post ──▶ READY ── taken, the last one ──▶ QUIET
 *                            └──── detach ────┴──▶ (none): nothing of it is told any more
 *
 * Posting is the node's thread's. It wakes a taker at the end of its turn, once for all that was
 * posted in it, and not at all while one is on its way. Or the queue has a callback, which gets all
 * of it at the end of the turn: such a queue is bound to one node. */
#ifndef FE_MESH_ASYNC_QUEUE_H
#define FE_MESH_ASYNC_QUEUE_H

#include <stdatomic.h>

#include "ground/base/list.h"
#include "ground/os/fork_guard.h"
#include "ground/uv/worker.h"

/* Events that are each of their own, so that they take memory: of one source, and bounded. What
 * does not fit is dropped, but not in silence: FLATEND_EVENT_PEERS_LOST follows what was kept, and
 * until that was taken nothing more is. */
enum { FE_EVENT_RECORDS_MAX = 1024 };

struct fe_event_records {
    struct fe_list list; /* of struct fe_event_record; under the queue's lock */
    size_t n;
};

struct fe_event_source {
    struct fe_list link;         /* in the queue's `ready` while anything is pending */
    struct flatend_queue *queue; /* a reference; NULL: nobody is told */
    /* 1 << type; written under the queue's lock. 0: it is in no list, nor will be by a taker. */
    atomic_uint pending;
    int code;                         /* under the queue's lock: of the last event that has one */
    struct fe_event_records *records; /* told before what is pending; NULL: it has none */
    /* What its events have in common. */
    void *arg;
    struct flatend_node *node;
    struct flatend_context *context;
    struct flatend_stream *stream;
};

void fe_event_source_init(struct fe_event_source *source);

/* Something of a node, which its guard tells from all others, is about to be told to the queue. 0:
 * that may be; always so of a queue without a callback, or NULL. FLATEND_EINVAL: it is another
 * node's. FLATEND_ESTATE: this process was forked. Any thread. */
int fe_queue_bind(struct flatend_queue *queue, struct fe_fork_guard *node) FE_MUST_USE;

/* Undoes it, for a node that there will not be. */
void fe_queue_unbind(struct flatend_queue *queue, struct fe_fork_guard *node);

/* From now on `queue` is told, with `arg`. NULL: nobody is, as before. The object that embeds the
 * source, or its lock, keeps attach, post and detach apart. */
void fe_event_source_attach(struct fe_event_source *source, struct flatend_queue *queue, void *arg);
void fe_event_source_detach(struct fe_event_source *source);

/* The same, and the first event, at once. On the thread of `worker`. False: nobody may take any
 * more what is told, and nothing has happened. */
bool fe_event_source_begin(struct fe_event_source *source, struct flatend_queue *queue, void *arg,
                           struct fe_worker *worker, enum flatend_event_type type) FE_MUST_USE;

/* On the thread of `worker`. `code` 0: the one there was remains. */
void fe_event_post(struct fe_event_source *source, struct fe_worker *worker,
                   enum flatend_event_type type, int code);

/* The same of a peer, for a source with records. */
void fe_event_post_peer(struct fe_event_source *source, struct fe_worker *worker,
                        enum flatend_event_type type, const struct flatend_provider *peer);

/* What was posted, and was not taken, is not true any more. On the application's side. */
void fe_event_withdraw(struct fe_event_source *source, enum flatend_event_type type);

/* The same as fe_event_post, on any thread while the worker runs, or when no further turn may
 * follow: a taker is woken at once. A callback gets it on the worker's thread all the same, and
 * before the worker ends. True, on another thread: fe_worker_wake is to be called, which is better
 * done without a lock. */
bool fe_event_post_now(struct fe_event_source *source, struct fe_worker *worker,
                       enum flatend_event_type type, int code) FE_MUST_USE;

/* Every invariant. */
void fe_queue_check(struct flatend_queue *queue);

#endif
