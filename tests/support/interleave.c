#include "support/interleave.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum {
    N_OTHERS_MAX = 8,      /* what others do while one is stopped */
    N_WAITING_MAX = 20000, /* and while one waits: one that is not woken fails */
};

/* A thread that waits, on the stack. */
struct interleave_wait {
    unsigned thread;
    const pthread_cond_t *cond;
    bool is_woken;
    struct interleave_wait *next;
};

static struct interleave *running;

/* The linker makes these names (--wrap); a program without it links all the same, and calls none.
 */
int __real_pthread_mutex_lock(pthread_mutex_t *lock) __attribute__((weak));
int __real_pthread_mutex_unlock(pthread_mutex_t *lock) __attribute__((weak));
int __real_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock) __attribute__((weak));
int __real_pthread_cond_signal(pthread_cond_t *cond) __attribute__((weak));
int __real_pthread_cond_broadcast(pthread_cond_t *cond) __attribute__((weak));
int __wrap_pthread_mutex_lock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock);
int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock);
int __wrap_pthread_cond_signal(pthread_cond_t *cond);
int __wrap_pthread_cond_broadcast(pthread_cond_t *cond);

void interleave_begin(struct interleave *interleave)
{
    assert_null(running);
    interleave->acting = 0;
    interleave->n_held = 0;
    interleave->waits = NULL;
    running = interleave;
}

void interleave_end(struct interleave *interleave)
{
    assert_ptr_equal(running, interleave);
    assert_int_equal(interleave->acting, 0);
    running = NULL;
}

void interleave_act(struct interleave *interleave, unsigned thread)
{
    const unsigned before = interleave->thread;

    assert_false(interleave_is_acting(interleave, thread));
    interleave->acting |= 1U << thread;
    interleave->thread = thread;
    interleave->act(interleave, thread);
    interleave->thread = before;
    interleave->acting &= ~(1U << thread);
}

bool interleave_is_held(const struct interleave *interleave, const pthread_mutex_t *lock)
{
    for (size_t i = 0; i < interleave->n_held; i++) {
        if (interleave->held[i] == lock) {
            return true;
        }
    }
    return false;
}

/* What is played: threads that the program has besides are not stopped. */
static struct interleave *played(void)
{
    return running != NULL && running->acting != 0 ? running : NULL;
}

static bool may_act(struct interleave *interleave, unsigned thread)
{
    return !interleave_is_acting(interleave, thread) &&
           (interleave->n_held == 0 ||
            (interleave->may_act != NULL && interleave->may_act(interleave, thread)));
}

static void let_one_act(struct interleave *interleave)
{
    const unsigned n = interleave->n_threads;
    const unsigned first = fe_rng_below(interleave->rng, n);

    for (unsigned i = 0; i < n; i++) {
        if (may_act(interleave, (first + i) % n)) {
            interleave_act(interleave, (first + i) % n);
            return;
        }
    }
}

/* The thread that runs is stopped here for a while. */
static void maybe_stop(struct interleave *interleave)
{
    if ((unsigned)__builtin_popcount(interleave->acting) > interleave->n_stopped_max ||
        fe_rng_below(interleave->rng, 2) == 0) {
        return;
    }
    for (uint32_t n = fe_rng_below(interleave->rng, N_OTHERS_MAX); n > 0; n--) {
        let_one_act(interleave);
    }
}

/* ---- locks ---------------------------------------------------------------------------------- */

static int take(struct interleave *interleave, pthread_mutex_t *lock)
{
    /* It would wait without end: let_one_act has let somebody act who needs it. */
    assert_false(interleave_is_held(interleave, lock));
    assert_true(interleave->n_held < INTERLEAVE_LOCKS_MAX);
    interleave->held[interleave->n_held++] = lock;
    return __real_pthread_mutex_lock(lock);
}

/* The last one that was taken need not be the first one that is left. */
static int leave(struct interleave *interleave, pthread_mutex_t *lock)
{
    const int code = __real_pthread_mutex_unlock(lock);
    size_t i = 0;

    while (i < interleave->n_held && interleave->held[i] != lock) {
        i++;
    }
    assert_true(i < interleave->n_held);
    interleave->held[i] = interleave->held[--interleave->n_held];
    if (interleave->on_left != NULL) {
        interleave->on_left(interleave, interleave->thread, lock);
    }
    return code;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *lock)
{
    struct interleave *const interleave = played();

    if (interleave == NULL) {
        return __real_pthread_mutex_lock(lock);
    }
    maybe_stop(interleave);
    return take(interleave, lock);
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock)
{
    struct interleave *const interleave = played();
    int code;

    if (interleave == NULL) {
        return __real_pthread_mutex_unlock(lock);
    }
    code = leave(interleave, lock);
    maybe_stop(interleave);
    return code;
}

/* ---- waiting -------------------------------------------------------------------------------- */

int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock)
{
    struct interleave *const interleave = played();
    struct interleave_wait wait = {.cond = cond};

    if (interleave == NULL) {
        return __real_pthread_cond_wait(cond, lock);
    }
    (void)leave(interleave, lock);
    wait.thread = interleave->thread;
    wait.next = interleave->waits;
    interleave->waits = &wait;
    for (int i = 0; i < N_WAITING_MAX && !wait.is_woken; i++) {
        let_one_act(interleave);
    }
    assert_true(wait.is_woken);
    interleave->waits = wait.next;
    return take(interleave, lock);
}

bool interleave_is_waiting(const struct interleave *interleave, unsigned thread)
{
    for (const struct interleave_wait *wait = interleave->waits; wait != NULL; wait = wait->next) {
        if (wait->thread == thread && !wait->is_woken) {
            return true;
        }
    }
    return false;
}

static void wake(const pthread_cond_t *cond, bool all)
{
    struct interleave *const interleave = played();

    if (interleave == NULL) {
        return;
    }
    for (struct interleave_wait *wait = interleave->waits; wait != NULL; wait = wait->next) {
        if (wait->cond == cond && !wait->is_woken) {
            wait->is_woken = true;
            if (!all) {
                return;
            }
        }
    }
}

int __wrap_pthread_cond_signal(pthread_cond_t *cond)
{
    wake(cond, false);
    return __real_pthread_cond_signal(cond);
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *cond)
{
    wake(cond, true);
    return __real_pthread_cond_broadcast(cond);
}
