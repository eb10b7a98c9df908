/* Certificates by ACME for the listeners of a gateway that have none of their own: one client for
 * each, on the gateway's worker. web/acme/acme.h decides, web/acme/store.h stores,
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
    struct fe_acme_answers answers;
    struct fe_tls_trust *trust; /* in the directory; NULL until it is needed */
};

/* All three outlive the manager. */
void fe_acme_manager_init(struct fe_acme_manager *manager, struct fe_worker *worker,
                          const struct fe_config *config, const struct fe_log *log);
/* After the last of its clients is gone. */
void fe_acme_manager_deinit(struct fe_acme_manager *manager);

/* Serves the certificate that is stored, if there is one, and asks for new ones from now on,
 * whatever fails. `https` outlives the client. FLATEND_ENOMEM. */
int fe_acme_manager_add(struct fe_acme_manager *manager, struct fe_https *https) FE_MUST_USE;

/* Stops all clients; `on_gone` comes once for each, perhaps from within: nothing of it needs
 * anything any more. */
void fe_acme_manager_stop(struct fe_acme_manager *manager, void (*on_gone)(void *arg), void *arg);

#endif
