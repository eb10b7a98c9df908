#include "support/gate.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

enum { PATIENCE_S = 20 };

void gate_init(struct gate *gate)
{
    assert_int_equal(pthread_mutex_init(&gate->lock, NULL), 0);
    assert_int_equal(pthread_cond_init(&gate->changed, NULL), 0);
    gate->n = 0;
}

void gate_deinit(struct gate *gate)
{
    pthread_cond_destroy(&gate->changed);
    pthread_mutex_destroy(&gate->lock);
}

void gate_pass(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->n++;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

void gate_wait(struct gate *gate, int n)
{
    struct timespec deadline;
    int rv = 0;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&gate->lock);
    while (gate->n < n && rv != ETIMEDOUT) {
        rv = pthread_cond_timedwait(&gate->changed, &gate->lock, &deadline);
    }
    pthread_mutex_unlock(&gate->lock);
    assert_int_equal(rv, 0);
}
