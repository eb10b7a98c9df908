/* Threads, and what they wait for each other with. Thin: in the calls of a mutex there is nothing
 * but the system's, and a look at its result. A lock that fails is our mistake (not initialized,
 * destroyed while held), so it ends the process and is no error that a caller could handle. */
#ifndef FE_GROUND_OS_THREAD_H
#define FE_GROUND_OS_THREAD_H

#include <pthread.h>

#include "ground/base/assert.h"
#include "ground/base/err.h"

struct fe_mutex {
    pthread_mutex_t native;
};

/* A mutex that needs nothing of the system. */
#define FE_MUTEX_INIT ((struct fe_mutex){PTHREAD_MUTEX_INITIALIZER})

struct fe_cond {
    pthread_cond_t native;
};

/* Many may hold it shared, or one alone. */
struct fe_rwlock {
    pthread_rwlock_t native;
};

struct fe_thread {
    pthread_t native;
};

/* FLATEND_ENOMEM. */
static inline int fe_mutex_init(struct fe_mutex *mutex) FE_MUST_USE;
static inline int fe_mutex_init(struct fe_mutex *mutex)
{
    return pthread_mutex_init(&mutex->native, NULL) == 0 ? 0 : FLATEND_ENOMEM;
}

static inline void fe_mutex_deinit(struct fe_mutex *mutex)
{
    const int code = pthread_mutex_destroy(&mutex->native);

    FE_ASSERT(code == 0, "a mutex is destroyed when no thread holds it");
}

static inline void fe_mutex_lock(struct fe_mutex *mutex)
{
    const int code = pthread_mutex_lock(&mutex->native);

    FE_ASSERT(code == 0, "a mutex can be locked while it is there");
}

static inline void fe_mutex_unlock(struct fe_mutex *mutex)
{
    const int code = pthread_mutex_unlock(&mutex->native);

    FE_ASSERT(code == 0, "a mutex is unlocked by the thread that holds it");
}

/* FLATEND_ENOMEM. */
int fe_cond_init(struct fe_cond *cond) FE_MUST_USE;

static inline void fe_cond_deinit(struct fe_cond *cond)
{
    const int code = pthread_cond_destroy(&cond->native);

    FE_ASSERT(code == 0, "a condition is destroyed when no thread waits for it");
}

/* A mutex and the condition that is waited for with it: both, or FLATEND_ENOMEM and neither. */
int fe_mutex_cond_init(struct fe_mutex *mutex, struct fe_cond *cond) FE_MUST_USE;

/* Leaves the mutex while it waits. May return without a reason: wait in a loop over the condition.
 */
static inline void fe_cond_wait(struct fe_cond *cond, struct fe_mutex *mutex)
{
    const int code = pthread_cond_wait(&cond->native, &mutex->native);

    FE_ASSERT(code == 0, "a thread waits with the mutex that it holds");
}

/* The same, but no longer than until `deadline_ms` on the clock of fe_clock_ms: false then. */
bool fe_cond_wait_until(struct fe_cond *cond, struct fe_mutex *mutex, uint64_t deadline_ms);

/* Wakes one thread that waits, or all of them. */
static inline void fe_cond_signal(struct fe_cond *cond)
{
    (void)pthread_cond_signal(&cond->native);
}

static inline void fe_cond_broadcast(struct fe_cond *cond)
{
    (void)pthread_cond_broadcast(&cond->native);
}

/* FLATEND_ENOMEM. */
static inline int fe_rwlock_init(struct fe_rwlock *lock) FE_MUST_USE;
static inline int fe_rwlock_init(struct fe_rwlock *lock)
{
    return pthread_rwlock_init(&lock->native, NULL) == 0 ? 0 : FLATEND_ENOMEM;
}

static inline void fe_rwlock_deinit(struct fe_rwlock *lock)
{
    const int code = pthread_rwlock_destroy(&lock->native);

    FE_ASSERT(code == 0, "a lock is destroyed when no thread holds it");
}

static inline void fe_rwlock_lock(struct fe_rwlock *lock)
{
    const int code = pthread_rwlock_wrlock(&lock->native);

    FE_ASSERT(code == 0, "a lock can be taken by a thread that does not hold it");
}

static inline void fe_rwlock_lock_shared(struct fe_rwlock *lock)
{
    const int code = pthread_rwlock_rdlock(&lock->native);

    FE_ASSERT(code == 0, "a lock can be shared by a thread that does not hold it alone");
}

static inline void fe_rwlock_unlock(struct fe_rwlock *lock)
{
    const int code = pthread_rwlock_unlock(&lock->native);

    FE_ASSERT(code == 0, "a lock is given back by the thread that holds it");
}

/* A thread of our own, which no signal of the process is delivered to: signals are the
 * application's. What a fault of the thread itself raises still arrives. FLATEND_ELIMIT: the system
 * has no thread to give. */
int fe_thread_start(struct fe_thread *thread, void *(*run)(void *arg), void *arg) FE_MUST_USE;

/* The same with a stack of `stack` bytes, for threads of which there are many. */
int fe_thread_start_small(struct fe_thread *thread, size_t stack, void *(*run)(void *arg),
                          void *arg) FE_MUST_USE;

/* Lets another thread run. */
void fe_thread_yield(void);

/* Waits for its end, once. */
void fe_thread_join(struct fe_thread *thread);

/* Nothing waits for it. */
void fe_thread_detach(struct fe_thread *thread);

static inline struct fe_thread fe_thread_self(void)
{
    return (struct fe_thread){pthread_self()};
}

static inline bool fe_thread_is_self(const struct fe_thread *thread)
{
    return pthread_equal(thread->native, pthread_self()) != 0;
}

#endif
