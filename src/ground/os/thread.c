#include "ground/os/thread.h"

#include <signal.h>

int fe_thread_start(struct fe_thread *thread, void *(*run)(void *arg), void *arg)
{
    sigset_t blocked;
    sigset_t before;
    int code;

    (void)sigfillset(&blocked);
    (void)sigdelset(&blocked, SIGSEGV);
    (void)sigdelset(&blocked, SIGBUS);
    (void)sigdelset(&blocked, SIGFPE);
    (void)sigdelset(&blocked, SIGILL);
    (void)sigdelset(&blocked, SIGABRT);
    (void)pthread_sigmask(SIG_SETMASK, &blocked, &before);
    code = pthread_create(&thread->native, NULL, run, arg);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code == 0 ? 0 : FLATEND_ELIMIT;
}

void fe_thread_join(struct fe_thread *thread)
{
    const int code = pthread_join(thread->native, NULL);

    FE_ASSERT(code == 0, "a thread that was started is waited for once, and by another one");
}
