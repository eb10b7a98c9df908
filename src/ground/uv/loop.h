/* Private to src/ground/uv: what a worker is made of. */
#ifndef FE_GROUND_UV_LOOP_H
#define FE_GROUND_UV_LOOP_H

#include <stdatomic.h>
#include <uv.h>

#include "ground/base/list.h"
#include "ground/os/thread.h"
#include "ground/uv/worker.h"

/* One read buffer serves every connection of a worker: an idle connection holds no memory for what
 * it might receive. 64 KiB is what libuv suggests, and four of the largest TLS records. */
enum { FE_READ_SIZE = 64 * 1024 };

struct fe_worker {
    uv_loop_t *loop;
    uv_loop_t own_loop; /* unless the application gave one */
    uv_timer_t timer;   /* runs `timers` */
    uv_prepare_t turn;  /* the end of a turn: flushes, arms `timer` */
    uv_idle_t
        again; /* active while there is something to do that must not wait for the next event */
    uv_async_t wake;         /* a task was posted */
    struct fe_thread thread; /* that runs the loop, */
    bool has_thread;         /* if it is known */
    unsigned n_closing;      /* of the four handles above, while the worker is freed */
    struct fe_timers timers;
    struct fe_pool pool;
    struct fe_list deferred;      /* what is to be done at the end of this turn */
    struct fe_list deferred_next; /* and of the next one */
    struct fe_list flush;         /* connections with new output */
    uint64_t n_turns;             /* for the share that a connection has of each */
    struct fe_mutex task_lock;
    struct fe_list tasks;            /* under task_lock */
    struct fe_shortage *descriptors; /* who is told when there are none; NULL: nobody */
    atomic_uint n_waking;            /* threads that have queued a task and are about to say so */
    void (*on_freed)(void *arg);
    void *freed_arg;
    uint8_t read_buf[FE_READ_SIZE];
};

/* Writes what the connections of the flush list hold (conn_write.c). */
void fe_conn_flush_all(struct fe_worker *worker);

/* Runs the tasks that were there when called (task_queue.c). */
void fe_tasks_run(struct fe_worker *worker);

/* The code for an error of libuv (negative errno). */
int fe_uv_code(int status);

#endif
