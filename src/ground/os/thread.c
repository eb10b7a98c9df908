#include "ground/os/thread.h"

#include <signal.h>

int fe_thread_start(struct fe_thread *thread, void *(*run)(void *arg), void *arg)
{
    sigset_t blocked;
    sigset_t before;
    int rv;

    (void)sigfillset(&blocked);
    (void)sigdelset(&blocked, SIGSEGV);
    (void)sigdelset(&blocked, SIGBUS);
    (void)sigdelset(&blocked, SIGFPE);
    (void)sigdelset(&blocked, SIGILL);
    (void)sigdelset(&blocked, SIGABRT);
    (void)pthread_sigmask(SIG_SETMASK, &blocked, &before);
    rv = pthread_create(&thread->native, NULL, run, arg);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rv == 0 ? FLATEND_OK : FLATEND_ELIMIT;
}

void fe_thread_join(struct fe_thread *thread)
{
    const int rv = pthread_join(thread->native, NULL);

    FE_ASSERT(rv == 0, "a thread that was started is waited for once, and by another one");
}
