/* The threads that handlers run on.
 *
 *     push ──▶ queue ──▶ a thread that is idle, or one that is started ──▶ job->run
 *
 * A thread is woken at the end of the turn in which jobs were queued, one for all of them, and
 * never while one is on its way. It takes one job after the other; while there are more, and
 * processors for it, it wakes the next thread. So short handlers stay on few threads, and cost few
 * wake-ups. Handlers that block are noticed by the queue: when more jobs wait than were taken in
 * FE_POOL_STALL_MS, as many threads are woken, or added. One that has been idle for FE_POOL_IDLE_MS
 * ends. */
#ifndef FE_MESH_ASYNC_POOL_H
#define FE_MESH_ASYNC_POOL_H

#include "ground/base/err.h"
#include "ground/base/list.h"
#include "ground/os/signal_mask.h"
#include "ground/os/thread.h"
#include "ground/uv/worker.h"

enum {
    /* Requests that may wait for a thread, beside those for which one can be added. One more is
       refused (`handled` 0), so that its sender can try another node: a longer queue would only
       delay every request. */
    FE_POOL_QUEUE_MAX = 1024,
    FE_POOL_STALL_MS = 2,
    FE_POOL_IDLE_MS = 10000,
    FE_POOL_STACK = 1024 * 1024, /* address space: a thread that needs less has less memory */
};

struct fe_job {
    struct fe_list link;
    void (*run)(struct fe_job *job); /* on a thread of the pool */
};

struct fe_pool_slot {
    struct fe_thread thread;
    struct fe_handler_pool *pool;
    bool is_started; /* and not joined yet; the node's thread */
    bool has_ended;  /* under the pool's lock */
};

struct fe_handler_pool {
    struct fe_mutex lock;
    struct fe_cond work; /* there are jobs, or the pool stops */
    /* under `lock` */
    struct fe_list queue;
    size_t n_queued;
    uint64_t n_taken; /* jobs so far */
    struct fe_pool_slot *slots;
    unsigned idle_ms; /* FE_POOL_IDLE_MS */
    unsigned n_threads;
    unsigned n_idle;
    bool is_waking; /* an idle thread was signaled, and has not come yet */
    bool is_stopping;
    struct fe_signal_mask mask; /* of the threads: that of the one which made the pool */
    /* the node's thread only */
    unsigned n_max;
    unsigned n_at_once;          /* threads that short handlers are spread over */
    struct fe_shortage *threads; /* who is told when there are none to be had; NULL: nobody */
    struct fe_worker *worker;
    struct fe_deferred wake;
    struct fe_timer stall;
    uint64_t n_taken_before; /* when `stall` was armed */
};

/* At most `n_max` threads. FLATEND_ENOMEM. */
int fe_handler_pool_init(struct fe_handler_pool *pool, unsigned n_max) FE_MUST_USE;

/* On the thread of `worker`, which is always the same. FLATEND_ELIMIT: the queue is full, or there
 * is no thread and none can be started. */
int fe_handler_pool_push(struct fe_handler_pool *pool, struct fe_worker *worker,
                         struct fe_job *job) FE_MUST_USE;

/* The worker will be gone: no push from now on. On its thread. */
void fe_handler_pool_leave(struct fe_handler_pool *pool);

/* Whether this thread is one of the pool's. Any thread. */
bool fe_handler_pool_is_own_thread(struct fe_handler_pool *pool);

/* Waits for the jobs that run; none may be queued any more. After fe_handler_pool_leave. */
void fe_handler_pool_deinit(struct fe_handler_pool *pool);

#endif
