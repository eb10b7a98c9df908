/* Who provides what, and who is asked next. */
#ifndef FE_RPC_REGISTRY_H
#define FE_RPC_REGISTRY_H

#include "base/rng.h"
#include "rpc/peer.h"

struct fe_registry {
    struct fe_map services; /* name -> its providers */
    struct fe_map handles;  /* handle -> peer */
    struct fe_rng rng;
    uint8_t seed[16];
    uint64_t next_handle;
};

void fe_registry_init(struct fe_registry *registry, const struct fe_rng *rng);
void fe_registry_deinit(struct fe_registry *registry);

/* `peer` offers these services from now on, besides earlier ones; at most 255 in all a peer
 * (FLATEND_ELIMIT). */
int fe_registry_offer(struct fe_registry *registry, struct fe_peer *peer,
                      struct fe_names services) FE_MUST_USE;
void fe_registry_remove(struct fe_registry *registry, struct fe_peer *peer);

/* Of the providers of any of `services` that are not in `excluded`: two chosen at random, and of
 * these the one with fewer streams open. NULL: none. */
struct fe_peer *fe_registry_choose(struct fe_registry *registry, const struct fe_view *services,
                                   size_t n_services, const uint64_t *excluded, size_t n_excluded);

struct fe_peer *fe_registry_find(struct fe_registry *registry, uint64_t handle);

/* Fills up to `cap` providers, each node once; returns how many there are. */
size_t fe_registry_list(struct fe_registry *registry, const struct fe_view *services,
                        size_t n_services, struct fe_peer **peers, size_t cap);

#endif
