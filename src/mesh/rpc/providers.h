/* What the files of the registry share: the providers of each service, and iteration over them. */
#ifndef FE_MESH_RPC_PROVIDERS_H
#define FE_MESH_RPC_PROVIDERS_H

#include "mesh/rpc/registry.h"

enum { FE_CANDIDATE_NAMES_MAX = 255 }; /* names in one request: one byte on the wire */

/* A service, as long as it has a provider. */
struct fe_service {
    struct fe_map_node node; /* the key is `name` */
    struct fe_offer_entry **entries;
    size_t n_entries;
    size_t cap;
    size_t name_len;
    uint8_t name[];
};

/* That one peer provides one service. */
struct fe_offer_entry {
    struct fe_list link; /* in peer->offers */
    struct fe_peer *peer;
    struct fe_service *service;
    size_t index; /* in service->entries */
    uint16_t weight;
    bool is_stale; /* while the peer's list is replaced: not in the new one */
};

/* The providers of several services, counted through: service by service. */
struct fe_candidates {
    const struct fe_service *services[FE_CANDIDATE_NAMES_MAX];
    size_t n_services;
    size_t n;
};

struct fe_service *fe_service_find(const struct fe_registry *registry, struct fe_view name);

void fe_candidates_gather(const struct fe_registry *registry, const struct fe_view *names,
                          size_t n_names, struct fe_candidates *candidates);
const struct fe_offer_entry *fe_candidate_at(const struct fe_candidates *candidates, size_t index);

/* A peer is not left out any more. Idempotent. */
void fe_registry_end_ejection(struct fe_registry *registry, struct fe_health *health);

#endif
