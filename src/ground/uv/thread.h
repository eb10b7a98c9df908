/* Threads of the library's own. */
#ifndef FE_GROUND_UV_THREAD_H
#define FE_GROUND_UV_THREAD_H

#include <pthread.h>

#include "ground/base/err.h"

/* A thread that no signal of the process is delivered to; SIGPIPE is the caller's reason.
 * FLATEND_ELIMIT: the system has none to give. */
int fe_thread_create(pthread_t *thread, void *(*run)(void *arg), void *arg) FE_MUST_USE;

#endif
