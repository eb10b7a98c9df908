/* Messages to a worker from other threads. */
#ifndef FE_GROUND_UV_MAILBOX_H
#define FE_GROUND_UV_MAILBOX_H

#include "ground/base/list.h"
#include "ground/uv/worker.h"

/* Embedded in what is sent; the sender owns it until `fn` runs on the worker. */
struct fe_mail {
    struct fe_list link;
    void (*fn)(struct fe_mail *mail);
};

/* Any thread. Mails run in the order posted, on the worker's thread; many posted at once cost one
 * wake-up. Never fails. The mail must not be posted again before `fn` has been entered. */
void fe_mail_init(struct fe_mail *mail, void (*fn)(struct fe_mail *mail));
void fe_mail_post(struct fe_worker *worker, struct fe_mail *mail);

#endif
