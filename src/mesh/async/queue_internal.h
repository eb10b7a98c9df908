/* Private to queue*.c: what a queue is made of. queue.c is the application's side, queue_sources.c
 * what posts to it. */
#ifndef FE_MESH_ASYNC_QUEUE_INTERNAL_H
#define FE_MESH_ASYNC_QUEUE_INTERNAL_H

#include "ground/os/fork_guard.h"
#include "ground/os/thread.h"
#include "mesh/async/queue.h"

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

/* Gives back one reference. Without the lock. */
void fe_queue_unref(struct flatend_queue *queue);

/* All of these are called with the queue's lock. */

/* Says whether a thread is to be signaled, which is better done outside: it would wait for the lock
 * at once. */
bool fe_queue_wakes(struct flatend_queue *queue);

/* Something was taken, or withdrawn. */
void fe_queue_settle_fd(struct flatend_queue *queue);

/* Takes the next event. There is one: the list is not empty. */
void fe_queue_take_one(struct flatend_queue *queue, struct flatend_event *event);

/* Nothing of a source waits any more, which is in no list. */
void fe_event_source_forget(struct fe_event_source *source);

/* Every invariant of one that is in the queue's list. */
void fe_event_source_check(const struct fe_event_source *source, const struct flatend_queue *queue);

#endif
