/* Threads that a test plays on one of its own, in an order that a seed decides: the one that runs
 * is stopped wherever it takes or leaves a lock, while others do some of what they have to do, and
 * are stopped themselves. So each order is one that can be had again.
 *
 *     interleave_begin(&interleave);
 *     interleave_act(&interleave, thread); ... the test says whose turn it is
 *     interleave_end(&interleave);
 *
 * Only programs linked with -Wl,--wrap=pthread_mutex_lock,--wrap=pthread_mutex_unlock are stopped,
 * and only in calls from the objects of that link. With --wrap=pthread_cond_wait,
 * --wrap=pthread_cond_signal,--wrap=pthread_cond_broadcast a thread may wait, too: then the others
 * go on until it is woken, and a test in which it never is fails. */
#ifndef TESTS_SUPPORT_INTERLEAVE_H
#define TESTS_SUPPORT_INTERLEAVE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "ground/base/rng.h"

enum { INTERLEAVE_LOCKS_MAX = 8 };

struct interleave_wait;

struct interleave {
    const struct fe_rng *rng;
    unsigned n_threads;
    unsigned n_stopped_max; /* so many may be stopped at a time */
    /* One thing that the thread has to do, or nothing. */
    void (*act)(struct interleave *interleave, unsigned thread);
    /* Whether it may act while locks are held by threads that are stopped: NULL: none may. */
    bool (*may_act)(struct interleave *interleave, unsigned thread);
    /* A lock was left, and no other thread has run since. NULL: nobody wants to know. */
    void (*on_left)(struct interleave *interleave, unsigned thread, const pthread_mutex_t *lock);
    /* of the scaffolding */
    unsigned thread; /* that runs */
    unsigned acting; /* a bit for each thread that is in the middle of something */
    const pthread_mutex_t *held[INTERLEAVE_LOCKS_MAX];
    size_t n_held;
    struct interleave_wait *waits;
};

/* From now on threads that act are stopped. One at a time. */
void interleave_begin(struct interleave *interleave);
void interleave_end(struct interleave *interleave);

/* Lets it do one thing. Not while it is in the middle of another one. */
void interleave_act(struct interleave *interleave, unsigned thread);

static inline bool interleave_is_acting(const struct interleave *interleave, unsigned thread)
{
    return (interleave->acting & 1U << thread) != 0;
}

/* It waits, and was not woken yet. */
bool interleave_is_waiting(const struct interleave *interleave, unsigned thread);

bool interleave_is_held(const struct interleave *interleave, const pthread_mutex_t *lock);

#endif
