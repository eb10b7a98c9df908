#include "ground/uv/branch.h"

/* On the thread of `home`, which posts nothing to the worker behind this mail. */
static void on_empty(struct fe_mail *mail)
{
    struct fe_branch *const branch = FE_CONTAINER_OF(mail, struct fe_branch, empty_mail);

    fe_mail_post(branch->worker, &branch->end_mail);
    (void)pthread_join(branch->thread, NULL);
    fe_branch_deinit(branch);
    branch->on_ended(branch->arg);
}

static void on_end(struct fe_mail *mail)
{
    fe_worker_stop(FE_CONTAINER_OF(mail, struct fe_branch, end_mail)->worker);
}

int fe_branch_init(struct fe_branch *branch, struct fe_worker *home, void (*on_ended)(void *arg),
                   void *arg)
{
    *branch = (struct fe_branch){.home = home, .on_ended = on_ended, .arg = arg};
    fe_mail_init(&branch->empty_mail, on_empty);
    fe_mail_init(&branch->end_mail, on_end);
    return fe_worker_new(&branch->worker, NULL);
}

static void *run(void *worker)
{
    fe_worker_run(worker);
    return NULL;
}

int fe_branch_start(struct fe_branch *branch)
{
    return fe_thread_create(&branch->thread, run, branch->worker);
}

void fe_branch_finish(struct fe_branch *branch)
{
    fe_mail_post(branch->home, &branch->empty_mail);
}

void fe_branch_deinit(struct fe_branch *branch)
{
    fe_worker_free(branch->worker, NULL, NULL);
    branch->worker = NULL;
}
