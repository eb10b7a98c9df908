/* What FLATEND_EAGAIN promises: that exactly one event follows. For a test whose events may be
 * taken while the call that says so has not returned. */
#ifndef TESTS_SUPPORT_PROMISE_H
#define TESTS_SUPPORT_PROMISE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct promise {
    bool is_owed;
    bool is_first;   /* no call has begun since the one that has said so */
    bool must_do;    /* nor before the event: the next call will not say so */
    bool is_calling; /* a call that may say it has begun */
    bool has_passed; /* and has left the lock: what is told from now on is behind it */
    unsigned n_since;
};

static inline void promise_begin_call(struct promise *promise)
{
    promise->is_calling = true;
    promise->has_passed = false;
    promise->n_since = 0;
}

static inline void promise_pass(struct promise *promise)
{
    promise->has_passed = promise->is_calling;
}

static inline void promise_end_call(struct promise *promise, bool says_again)
{
    promise->is_calling = false;
    if (says_again) { /* an event of the one before would have been withdrawn */
        assert_false(promise->must_do);
        assert_true(promise->n_since <= 1);
        promise->is_owed = promise->n_since == 0;
        promise->is_first = true;
        promise->must_do = promise->n_since == 1;
        return;
    }
    promise->is_first = false;
    promise->must_do = false;
    if (promise->n_since > 0) {
        assert_true(promise->is_owed && promise->n_since == 1);
        promise->is_owed = false;
    }
}

/* The event was taken. */
static inline void promise_keep(struct promise *promise)
{
    if (promise->is_calling && promise->has_passed) {
        promise->n_since++; /* whose it is, is known when the call has returned */
        return;
    }
    assert_true(promise->is_owed);
    promise->is_owed = false;
    promise->must_do = promise->is_first;
}

#endif
