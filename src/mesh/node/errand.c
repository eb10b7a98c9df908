#include "mesh/node/errand.h"

static void on_mail(struct fe_mail *mail)
{
    struct fe_errand *errand = FE_CONTAINER_OF(mail, struct fe_errand, mail);
    struct flatend_node *node = errand->node;

    errand->run(errand);
    (void)pthread_mutex_lock(&node->lock);
    errand->is_done = true;
    (void)pthread_cond_broadcast(&node->changed);
    (void)pthread_mutex_unlock(&node->lock);
}

int fe_node_run(struct flatend_node *node, struct fe_errand *errand)
{
    int rv;

    if (fe_node_is_own_thread(node)) {
        if (node->mesh == NULL) {
            return FLATEND_ESTATE;
        }
        errand->run(errand);
        return 0;
    }
    errand->node = node;
    errand->is_done = false;
    fe_mail_init(&errand->mail, on_mail);
    rv = fe_node_post(node, &errand->mail);
    if (rv != 0) {
        return rv;
    }
    (void)pthread_mutex_lock(&node->lock);
    while (!errand->is_done) {
        (void)pthread_cond_wait(&node->changed, &node->lock);
    }
    (void)pthread_mutex_unlock(&node->lock);
    return 0;
}
