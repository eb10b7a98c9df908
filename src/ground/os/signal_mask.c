#include "ground/os/signal_mask.h"

#include <stddef.h>

/* SIGPIPE is sent to the thread that wrote, so blocking it there is enough, and the process keeps
 * its dispositions. */
void fe_signals_block_pipe(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void fe_signal_mask_save(struct fe_signal_mask *mask)
{
    (void)pthread_sigmask(SIG_BLOCK, NULL, &mask->native);
}

void fe_signal_mask_restore(const struct fe_signal_mask *mask)
{
    (void)pthread_sigmask(SIG_SETMASK, &mask->native, NULL);
}
