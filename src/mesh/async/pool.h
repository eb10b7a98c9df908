/* The threads that handlers run on: started when needed, up to a number, and kept. */
#ifndef FE_MESH_ASYNC_POOL_H
#define FE_MESH_ASYNC_POOL_H

#include "ground/base/err.h"
#include "ground/base/list.h"
#include "ground/os/thread.h"

enum {
    /* Requests that may wait for a thread. One more is refused (`handled` 0), so that its sender
       can try another node: a longer queue would only delay every request. */
    FE_POOL_QUEUE_MAX = 1024,
};

struct fe_job {
    struct fe_list link;
    void (*run)(struct fe_job *job); /* on a thread of the pool */
};

struct fe_handler_pool {
    struct fe_mutex lock;
    struct fe_cond work; /* a job was queued, or the pool stops */
    struct fe_list queue;
    size_t n_queued;
    struct fe_thread *threads;
    unsigned n_threads;
    unsigned n_idle;
    unsigned n_max;
    bool is_stopping;
};

int fe_handler_pool_init(struct fe_handler_pool *pool, unsigned n_max) FE_MUST_USE;

/* FLATEND_ELIMIT: the queue is full, or there is no thread and none can be started. */
int fe_handler_pool_push(struct fe_handler_pool *pool, struct fe_job *job) FE_MUST_USE;

/* Waits for the jobs that run; none may be queued any more. */
void fe_handler_pool_deinit(struct fe_handler_pool *pool);

#endif
