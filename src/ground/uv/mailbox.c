#include "ground/uv/mailbox.h"

#include "ground/uv/loop.h"

void fe_mail_init(struct fe_mail *mail, void (*fn)(struct fe_mail *mail))
{
    fe_list_init(&mail->link);
    mail->fn = fn;
}

void fe_mail_post(struct fe_worker *worker, struct fe_mail *mail)
{
    bool was_empty;

    (void)pthread_mutex_lock(&worker->mail_lock);
    was_empty = fe_list_is_empty(&worker->mail);
    fe_list_push_back(&worker->mail, &mail->link);
    /* Under the lock: a worker that is about to be freed has then seen the end of this call. */
    if (was_empty) {
        (void)uv_async_send(&worker->wake);
    }
    (void)pthread_mutex_unlock(&worker->mail_lock);
}

/* Takes the whole list at once: one lock for many mails, and what is posted meanwhile waits for the
 * next turn. */
void fe_mail_run(struct fe_worker *worker)
{
    struct fe_list mails;
    struct fe_list *link;

    fe_list_init(&mails);
    (void)pthread_mutex_lock(&worker->mail_lock);
    if (!fe_list_is_empty(&worker->mail)) {
        fe_list_insert_before(&worker->mail, &mails);
        fe_list_remove(&worker->mail);
    }
    (void)pthread_mutex_unlock(&worker->mail_lock);
    while ((link = fe_list_pop_front(&mails)) != NULL) {
        struct fe_mail *mail = FE_CONTAINER_OF(link, struct fe_mail, link);

        mail->fn(mail);
    }
}
