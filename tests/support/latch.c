#include "support/latch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

enum { PATIENCE_S = 20 };

void latch_init(struct latch *latch)
{
    assert_int_equal(pthread_mutex_init(&latch->lock, NULL), 0);
    assert_int_equal(pthread_cond_init(&latch->changed, NULL), 0);
    latch->n = 0;
}

void latch_deinit(struct latch *latch)
{
    pthread_cond_destroy(&latch->changed);
    pthread_mutex_destroy(&latch->lock);
}

void latch_count(struct latch *latch)
{
    pthread_mutex_lock(&latch->lock);
    latch->n++;
    pthread_cond_broadcast(&latch->changed);
    pthread_mutex_unlock(&latch->lock);
}

void latch_wait(struct latch *latch, int n)
{
    struct timespec deadline;
    int code = 0;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&latch->lock);
    while (latch->n < n && code != ETIMEDOUT) {
        code = pthread_cond_timedwait(&latch->changed, &latch->lock, &deadline);
    }
    pthread_mutex_unlock(&latch->lock);
    assert_int_equal(code, 0);
}
