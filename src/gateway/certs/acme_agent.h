/* Certificates by ACME for the listeners of a gateway that have none of their own: one agent for
 * each, on the gateway's worker. web/acme/acme.h decides, web/acme/store.h remembers,
 * gateway/certs/fetch.h talks; this brings them together, and new certificates to those who serve
 * them. */
#ifndef FE_GATEWAY_CERTS_ACME_AGENT_H
#define FE_GATEWAY_CERTS_ACME_AGENT_H

#include "gateway/certs/acme_answer.h"
#include "gateway/certs/https.h"
#include "gateway/config/config.h"
#include "ground/uv/worker.h"

/* What all agents of a gateway share. */
struct fe_acme_agency {
    struct fe_worker *worker;
    const struct fe_config *config;
    const struct fe_log *log;
    struct fe_list agents;
    struct fe_acme_answers answers;
    struct fe_tls_trust *trust; /* in the directory; NULL until it is needed */
};

/* All three outlive the agency. */
void fe_acme_agency_init(struct fe_acme_agency *agency, struct fe_worker *worker,
                         const struct fe_config *config, const struct fe_log *log);
/* After the last of its agents is gone. */
void fe_acme_agency_deinit(struct fe_acme_agency *agency);

/* Serves the certificate that is stored, if there is one, and asks for new ones from now on,
 * whatever fails. `https` outlives the agent. FLATEND_ENOMEM. */
int fe_acme_agency_add(struct fe_acme_agency *agency, struct fe_https *https) FE_MUST_USE;

/* Stops all agents; `on_gone` comes once for each, perhaps from within: nothing of it needs
 * anything any more. */
void fe_acme_agency_stop(struct fe_acme_agency *agency, void (*on_gone)(void *arg), void *arg);

#endif
