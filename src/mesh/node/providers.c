/* Providers of a service, for other threads. */
#include <stdlib.h>

#include "mesh/node/request_check.h"
#include "mesh/node/sync_task.h"

enum { PEERS_MAX = 1 << 20 };

struct query {
    struct fe_sync_task sync_task;
    struct flatend_node *node;
    struct fe_view *services;
    size_t n_services;
    struct fe_peer **peers; /* room for `cap` */
    struct flatend_provider *providers;
    size_t cap;
    size_t n;
};

void fe_public_addr(const struct fe_ip_addr *addr, struct flatend_id *id)
{
    char host[FE_ADDR_TEXT_MAX];

    fe_ip_addr_format_host(addr, host);
    memcpy(id->host, host, strnlen(host, sizeof(id->host) - 1));
    id->port = addr->port;
}

void fe_public_id(const struct fe_peer *peer, struct flatend_id *id)
{
    *id = (struct flatend_id){.is_anonymous = peer->is_anonymous, .is_proven = peer->is_proven};
    if (peer->is_anonymous) {
        return;
    }
    memcpy(id->public_key, peer->id.public_key, sizeof(id->public_key));
    fe_public_addr(&peer->id.addr, id);
}

static void run_query(struct fe_sync_task *sync_task)
{
    struct query *query = FE_CONTAINER_OF(sync_task, struct query, sync_task);
    struct fe_registry *registry = fe_mesh_registry(query->node->mesh);
    size_t n =
        fe_registry_list(registry, query->services, query->n_services, query->peers, query->cap);

    for (size_t i = 0; i < n && i < query->cap; i++) {
        query->providers[i] = (struct flatend_provider){.handle = query->peers[i]->handle};
        fe_public_id(query->peers[i], &query->providers[i].id);
    }
    query->n = n;
}

ssize_t flatend_node_providers(struct flatend_node *node, const char *const *services,
                               size_t n_services, struct flatend_provider *providers, size_t cap)
{
    /* More connections than a process has: a larger `cap` needs no memory. */
    const size_t n_max = cap < PEERS_MAX ? cap : PEERS_MAX;
    struct query query = {.sync_task.run = run_query,
                          .node = node,
                          .n_services = n_services,
                          .providers = providers,
                          .cap = n_max};
    int code = fe_node_check_call(node);

    if (code == 0) {
        code = fe_request_check_services(services, n_services, NULL);
    }
    if (code == 0 && cap > 0 && providers == NULL) {
        code = FLATEND_EINVAL;
    }
    if (code != 0) {
        return code;
    }
    code = FLATEND_ENOMEM;
    query.services = calloc(n_services + 1, sizeof(*query.services));
    query.peers = calloc(n_max + 1, sizeof(*query.peers));
    if (query.services != NULL && query.peers != NULL) {
        for (size_t i = 0; i < n_services; i++) {
            query.services[i] = fe_view_str(services[i]);
        }
        code = fe_node_run(node, &query.sync_task);
    }
    free(query.services);
    free(query.peers);
    return code != 0 ? code : (ssize_t)query.n;
}
