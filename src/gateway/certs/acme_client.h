/* Certificates by ACME for the listeners of a gateway that have none of their own: one client for
 * each, on the gateway's worker; and a further one for the rest of its names while the server
 * refuses one of them. web/acme/acme.h decides, web/acme/store.h stores,
 * gateway/certs/fetch.h sends requests; this connects them, and installs new certificates where
 * they are served. */
#ifndef FE_GATEWAY_CERTS_ACME_CLIENT_H
#define FE_GATEWAY_CERTS_ACME_CLIENT_H

#include "gateway/certs/acme_answer.h"
#include "gateway/certs/https.h"
#include "gateway/config/config.h"
#include "ground/uv/worker.h"

/* What all ACME clients of a gateway share. */
struct fe_acme_manager {
    struct fe_worker *worker;
    const struct fe_config *config;
    const struct fe_log *log;
    struct fe_list clients;
    void (*on_gone)(void *arg); /* once it has been stopped */
    void *gone_arg;
    struct fe_acme_answers answers;
    struct fe_tls_trust *trust; /* in the directory; NULL until it is needed */
};

/* All three outlive the manager. */
void fe_acme_manager_init(struct fe_acme_manager *manager, struct fe_worker *worker,
                          const struct fe_config *config, const struct fe_log *log);
/* After the last of its clients is gone. */
void fe_acme_manager_deinit(struct fe_acme_manager *manager);

/* Serves what is stored and good for its names, by whichever list and server it came there, and
 * asks for new certificates from now on, whatever fails. `https` outlives the client.
 * FLATEND_ENOMEM. */
int fe_acme_manager_add(struct fe_acme_manager *manager, struct fe_https *https) FE_MUST_USE;

/* Stops all clients. True: `on_gone` comes once, later: nothing of them needs anything any more.
 * False: that is so already. */
bool fe_acme_manager_stop(struct fe_acme_manager *manager, void (*on_gone)(void *arg), void *arg);

#endif
