#include "ground/uv/thread.h"

#include <signal.h>

/* Signals are the application's: they must not be delivered to a thread that it does not know. What
 * a fault of the thread itself raises still arrives. */
int fe_thread_create(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
    sigset_t blocked;
    sigset_t before;
    int rv;

    sigfillset(&blocked);
    sigdelset(&blocked, SIGSEGV);
    sigdelset(&blocked, SIGBUS);
    sigdelset(&blocked, SIGFPE);
    sigdelset(&blocked, SIGILL);
    sigdelset(&blocked, SIGABRT);
    (void)pthread_sigmask(SIG_SETMASK, &blocked, &before);
    rv = pthread_create(thread, NULL, run, arg);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rv == 0 ? 0 : FLATEND_ELIMIT;
}
