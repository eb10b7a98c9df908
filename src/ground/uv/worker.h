/* A worker: one thread, one libuv loop, and everything that lives on it. Nothing here may be called
 * from another thread, except what task queue.h says. <uv.h> is included in this room only. */
#ifndef FE_GROUND_UV_WORKER_H
#define FE_GROUND_UV_WORKER_H

#include "ground/base/chain.h"
#include "ground/base/list.h"
#include "ground/base/log.h"
#include "ground/base/timer.h"
#include "ground/os/clock.h"

struct uv_loop_s;
struct fe_worker;

/* This thread runs the loop from now on; and whether it does. The latter on any thread, once the
 * former has been called and that thread has learned of it; before it is false. */
void fe_worker_enter(struct fe_worker *worker);
bool fe_worker_is_own_thread(const struct fe_worker *worker);

/* Makes a worker on `loop`, or on a loop of its own when NULL. */
int fe_worker_new(struct fe_worker **worker, struct uv_loop_s *loop) FE_MUST_USE;

/* Runs the loop until fe_worker_stop, and does what was deferred until then; only for a loop of its
 * own. */
void fe_worker_run(struct fe_worker *worker);
void fe_worker_stop(struct fe_worker *worker);

/* Closes what the worker itself holds. Everything opened on it must be closed before. With a loop
 * of its own the loop is run to its end here; with the application's, `on_freed` comes on it. */
void fe_worker_free(struct fe_worker *worker, void (*on_freed)(void *arg), void *arg);

/* Milliseconds of the monotonic clock (fe_clock_ms), as of this turn of the loop. */
uint64_t fe_worker_now(const struct fe_worker *worker);

/* Timers on that clock: start them in this heap, the worker runs it. */
struct fe_timers *fe_worker_timers(struct fe_worker *worker);

/* Is told when listeners and dials of this worker find no descriptor, or no memory of the system's;
 * NULL: nobody is. Before the loop runs, or on it. It outlives the worker, or NULL follows. */
struct fe_shortage;
void fe_worker_tell_shortage(struct fe_worker *worker, struct fe_shortage *descriptors);

/* Something to be done once at the end of this turn, before the output is written, however often it
 * is asked for. */
struct fe_deferred {
    struct fe_list link;
    void (*fn)(struct fe_deferred *deferred);
};

void fe_deferred_init(struct fe_deferred *deferred, void (*fn)(struct fe_deferred *deferred));
void fe_deferred_cancel(struct fe_deferred *deferred);
void fe_worker_defer(struct fe_worker *worker, struct fe_deferred *deferred);

/* The same at the end of the next turn, which comes at once: for what has more to do than one turn
 * may take. When the worker ends, it is done in this turn. */
void fe_worker_defer_next(struct fe_worker *worker, struct fe_deferred *deferred);

struct fe_pool *fe_worker_pool(struct fe_worker *worker);

#endif
