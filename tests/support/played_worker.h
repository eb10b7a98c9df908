/* A worker without a loop, whose turns the test decides: what is posted and deferred waits in
 * lists.
 *
 * Only programs linked with -Wl,--wrap=fe_task_enqueue,--wrap=fe_worker_wake,
 * --wrap=fe_worker_defer,--wrap=fe_deferred_cancel,--wrap=fe_worker_is_own_thread have one: then
 * these functions know no other, and the `worker` that they are given is played_worker_of(). What
 * they demand of who calls them is looked at. */
#ifndef TESTS_SUPPORT_PLAYED_WORKER_H
#define TESTS_SUPPORT_PLAYED_WORKER_H

#include "ground/uv/task_queue.h"
#include "support/interleave.h"

struct played_worker {
    struct interleave *interleave;
    unsigned thread; /* of `interleave`, that is the worker's */
    struct fe_list tasks;
    struct fe_list deferreds;
    bool is_woken;
};

void played_worker_init(struct played_worker *worker, struct interleave *interleave,
                        unsigned thread);
struct fe_worker *played_worker_of(struct played_worker *worker);

/* The tasks, if it was woken for them; what was deferred. On its thread. */
void played_worker_run_tasks(struct played_worker *worker);
void played_worker_end_turn(struct played_worker *worker);

#endif
