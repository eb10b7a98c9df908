/* Work that takes long, on libuv's thread pool. */
#ifndef FE_GROUND_UV_WORK_H
#define FE_GROUND_UV_WORK_H

#include "ground/uv/worker.h"

/* Calls `run` on another thread, and then `done` on the worker's, exactly once, later: also when
 * its result is no longer needed, so `arg` must live until then. FLATEND_ENOMEM: neither comes. */
int fe_work_start(struct fe_worker *worker, void (*run)(void *arg), void (*done)(void *arg),
                  void *arg) FE_MUST_USE;

#endif
