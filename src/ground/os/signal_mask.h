/* Which signals are delivered to a thread. Where a system has none, there is nothing to do. */
#ifndef FE_GROUND_OS_SIGNAL_MASK_H
#define FE_GROUND_OS_SIGNAL_MASK_H

#include <signal.h>

struct fe_signal_mask {
    sigset_t native;
};

/* Keeps a write to a peer that has gone from ending the process: it is an error and no signal, on
 * this thread. */
void fe_signals_block_pipe(void);

/* The mask of this thread, and back to it. */
void fe_signal_mask_save(struct fe_signal_mask *mask);
void fe_signal_mask_restore(const struct fe_signal_mask *mask);

#endif
