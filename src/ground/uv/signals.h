/* Signals as events of a worker. */
#ifndef FE_GROUND_UV_SIGNALS_H
#define FE_GROUND_UV_SIGNALS_H

#include "ground/uv/worker.h"

struct fe_signals;

/* `on_signal` is called on the worker for each SIGINT, SIGTERM (and SIGHUP if asked for). */
int fe_signals_open(struct fe_worker *worker, bool with_hup,
                    void (*on_signal)(void *arg, int signum), void *arg,
                    struct fe_signals **signals) FE_MUST_USE;
void fe_signals_close(struct fe_signals *signals);

#endif
