/* Gives memory back to the system after a burst.
 *
 * The allocator keeps what is freed among what is not: after thousands of clients have gone, a
 * gateway would stay as large as it was. Every five seconds the size of the process is looked at.
 * If it is large, another thread finds out how much of it is in use; if a quarter, and 32 MiB, are
 * not, twice in a row (a burst that comes again at once would need them), the rest is given back;
 * then not again for half a minute, as that is work, and allocations wait for it. */
#ifndef FE_GATEWAY_SERVER_TRIMMER_H
#define FE_GATEWAY_SERVER_TRIMMER_H

#include "ground/os/thread.h"
#include "ground/uv/task_queue.h"
#include "ground/uv/worker.h"

enum {
    FE_TRIM_LOOK_MS = 5 * 1000,
    FE_TRIM_PAUSE_MS = 30 * 1000,
};

/* What is worth it, of a process of which this much is resident. */
bool fe_trim_is_worth(uint64_t resident, uint64_t in_use);

struct fe_trimmer {
    struct fe_worker *worker;
    struct fe_timer timer;
    struct fe_task done; /* from the thread */
    struct fe_thread thread;
    bool is_looking; /* the thread runs */
    bool is_stopping;
    bool was_worth; /* at the last look */
    /* The thread's, while it runs. */
    bool trims; /* if it is worth it */
    bool is_worth;
    void (*on_stopped)(void *arg);
    void *stopped_arg;
};

/* On `worker`, from then on. It must not move. */
void fe_trimmer_start(struct fe_trimmer *trimmer, struct fe_worker *worker);

/* Whether it has still to be waited for: then `on_stopped` comes once, later. Also of one that was
 * not started. */
bool fe_trimmer_stop(struct fe_trimmer *trimmer, void (*on_stopped)(void *arg), void *arg);

#endif
