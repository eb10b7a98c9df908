/* Something that threads wait for: so many have passed. */
#ifndef TESTS_SUPPORT_LATCH_H
#define TESTS_SUPPORT_LATCH_H

#include <pthread.h>

struct latch {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int n;
};

void latch_init(struct latch *latch);
void latch_deinit(struct latch *latch);

void latch_count(struct latch *latch);

/* Until `n` have passed. Fails the test after 20 seconds. */
void latch_wait(struct latch *latch, int n);

#endif
