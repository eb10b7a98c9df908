/* Private to queue*.c: what a queue is made of. queue.c is the application's side, queue_sources.c
 * what posts to it, queue_callback.c hands the events of some to a function. */
#ifndef FE_MESH_ASYNC_QUEUE_INTERNAL_H
#define FE_MESH_ASYNC_QUEUE_INTERNAL_H

#include "ground/os/thread.h"
#include "ground/uv/task_queue.h"
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
    struct fe_deferred wake;  /* of takers; or calls `fn` */

    /* queue_callback.c */
    flatend_event_fn fn; /* NULL: events are taken */
    void *arg;
    _Atomic(struct fe_fork_guard *) node; /* of the one that it is for, a reference; NULL: none */
    struct fe_task task;                  /* of threads that cannot defer */
    bool is_running;                      /* on the thread `runner` */
    struct fe_thread runner;
};

/* 0, or why nothing can be done with it: there is none, or this process was forked, and it is the
 * parent's. */
int fe_queue_check_call(const struct flatend_queue *queue) FE_MUST_USE;

/* Gives back one reference. Without the lock. */
void fe_queue_unref(struct flatend_queue *queue);

/* Calls `fn`. At the end of a turn. */
void fe_queue_on_turn_end_call(struct fe_deferred *deferred);
void fe_queue_on_task(struct fe_task *task);

/* All of these are called with the queue's lock. */

/* `fn` is to be called at the end of the next turn of `worker`. Any other thread. Says whether the
 * worker is to be woken for that. */
bool fe_queue_enqueue(struct flatend_queue *queue, struct fe_worker *worker) FE_MUST_USE;

/* Until `fn` does not run any more, or this is in it. */
void fe_queue_wait_for_callback(struct flatend_queue *queue);

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
