#include "ground/os/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

static int start(struct fe_thread *thread, const pthread_attr_t *attr, void *(*run)(void *arg),
                 void *arg)
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
    code = pthread_create(&thread->native, attr, run, arg);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code == 0 ? 0 : FLATEND_ELIMIT;
}

int fe_thread_start(struct fe_thread *thread, void *(*run)(void *arg), void *arg)
{
    return start(thread, NULL, run, arg);
}

int fe_thread_start_small(struct fe_thread *thread, size_t stack, void *(*run)(void *arg),
                          void *arg)
{
    pthread_attr_t attr;
    int code;

    if (pthread_attr_init(&attr) != 0) {
        return FLATEND_ELIMIT;
    }
    code = pthread_attr_setstacksize(&attr, stack) == 0 ? start(thread, &attr, run, arg)
                                                        : FLATEND_ELIMIT;
    (void)pthread_attr_destroy(&attr);
    return code;
}

void fe_thread_yield(void)
{
    (void)sched_yield();
}

void fe_thread_join(struct fe_thread *thread)
{
    const int code = pthread_join(thread->native, NULL);

    FE_ASSERT(code == 0, "a thread that was started is waited for once, and by another one");
}

void fe_thread_detach(struct fe_thread *thread)
{
    const int code = pthread_detach(thread->native);

    FE_ASSERT(code == 0, "a thread that was started is waited for or let go, once");
}

/* On the monotonic clock, which fe_cond_wait_until counts on: the time of day can be set. */
int fe_cond_init(struct fe_cond *cond)
{
    pthread_condattr_t attr;
    int code;

    if (pthread_condattr_init(&attr) != 0) {
        return FLATEND_ENOMEM;
    }
    code = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    FE_ASSERT(code == 0, "a condition can wait by the monotonic clock");
    code = pthread_cond_init(&cond->native, &attr);
    (void)pthread_condattr_destroy(&attr);
    return code == 0 ? 0 : FLATEND_ENOMEM;
}

int fe_mutex_cond_init(struct fe_mutex *mutex, struct fe_cond *cond)
{
    int code = fe_mutex_init(mutex);

    if (code == 0) {
        code = fe_cond_init(cond);
        if (code != 0) {
            fe_mutex_deinit(mutex);
        }
    }
    return code;
}

bool fe_cond_wait_until(struct fe_cond *cond, struct fe_mutex *mutex, uint64_t deadline_ms)
{
    const struct timespec until = {.tv_sec = (time_t)(deadline_ms / 1000),
                                   .tv_nsec = (long)(deadline_ms % 1000) * 1000000};
    const int code = pthread_cond_timedwait(&cond->native, &mutex->native, &until);

    FE_ASSERT(code == 0 || code == ETIMEDOUT, "a thread waits with the mutex that it holds");
    return code == 0;
}
