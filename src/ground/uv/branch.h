/* A worker on a thread of its own, beside the one that it serves. */
#ifndef FE_GROUND_UV_BRANCH_H
#define FE_GROUND_UV_BRANCH_H

#include "ground/uv/mailbox.h"
#include "ground/uv/thread.h"

struct fe_branch {
    struct fe_worker *worker; /* NULL: it has ended */
    struct fe_worker *home;
    pthread_t thread;
    struct fe_mail empty_mail; /* to `home` */
    struct fe_mail end_mail;
    void (*on_ended)(void *arg);
    void *arg;
};

/* Makes the worker; what is opened on it before fe_branch_start may be opened from the caller's
 * thread, which is that of `home`. The branch must not move. */
int fe_branch_init(struct fe_branch *branch, struct fe_worker *home, void (*on_ended)(void *arg),
                   void *arg) FE_MUST_USE;

/* Runs the worker. FLATEND_ELIMIT: no thread is to be had. */
int fe_branch_start(struct fe_branch *branch) FE_MUST_USE;

/* From the branch's thread, once: nothing is left on the worker. `on_ended` comes on `home` when
 * the thread has gone and the worker is freed. Mail that `home` has posted before is still run, but
 * not what it puts off to the end of the turn. */
void fe_branch_finish(struct fe_branch *branch);

/* A branch that was never started. */
void fe_branch_deinit(struct fe_branch *branch);

#endif
