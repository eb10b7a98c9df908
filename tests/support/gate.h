/* Something that threads wait for: so many have passed. */
#ifndef TESTS_SUPPORT_GATE_H
#define TESTS_SUPPORT_GATE_H

#include <pthread.h>

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int n;
};

void gate_init(struct gate *gate);
void gate_deinit(struct gate *gate);

void gate_pass(struct gate *gate);

/* Until `n` have passed. Fails the test after 20 seconds. */
void gate_wait(struct gate *gate, int n);

#endif
