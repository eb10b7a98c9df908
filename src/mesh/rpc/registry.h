/* The providers of each service, and the selection among them.
 *
 * A provider that keeps failing is ejected: left out for a time that grows while it goes on so. The
 * last one that is left of a service is never left out. */
#ifndef FE_MESH_RPC_REGISTRY_H
#define FE_MESH_RPC_REGISTRY_H

#include "ground/base/rng.h"
#include "mesh/rpc/peer.h"

enum {
    FE_EJECT_AFTER = 5,      /* failures in a row */
    FE_EJECT_MIN_MS = 1000,  /* the first time; doubles with each further one */
    FE_EJECT_MAX_MS = 60000, /* long enough not to matter, short enough to come back by itself */
    FE_RETURN_MS = 10000,    /* until one that is back has its full share again */
    /* More weight counts as so much, ten times the default: what a node says of itself gives it a
     * larger share, and never all of a service's requests. */
    FE_WEIGHT_MAX = 1000,
};

struct fe_registry {
    struct fe_map services; /* name -> its providers */
    struct fe_map handles;  /* handle -> peer */
    struct fe_rng_seeded seeded;
    struct fe_rng rng; /* balancing has no secrets, and must not cost a system call */
    uint8_t seed[16];
    uint64_t next_handle;
    unsigned n_ejected;
    unsigned n_returning;
    struct fe_list calls; /* that run, the oldest first: call.c */
    struct fe_list held;  /* of them, those that wait for a provider to be ready: call.c */
    size_t n_held;
    size_t n_calls;
    uint64_t n_calls_started;
    uint64_t (*now_ms)(void *arg); /* NULL: no provider is ejected */
    void *now_arg;
};

/* Must not move from here on. */
void fe_registry_init(struct fe_registry *registry, const struct fe_rng *rng);
void fe_registry_deinit(struct fe_registry *registry);

/* The clock for ejection. It is read when a request fails and while a provider is ejected or
 * returns, never otherwise. */
void fe_registry_set_clock(struct fe_registry *registry, uint64_t (*now_ms)(void *arg), void *arg);

/* `peer` offers these services from now on, besides earlier ones; at most 255 in all a peer
 * (FLATEND_ELIMIT). */
int fe_registry_offer(struct fe_registry *registry, struct fe_peer *peer,
                      struct fe_names services) FE_MUST_USE;
void fe_registry_remove(struct fe_registry *registry, struct fe_peer *peer);

/* `peer` offers exactly these from now on, in place of earlier ones, with these weights. Weight 0:
 * only if there is no other provider. FLATEND_ELIMIT, FLATEND_EINVAL, FLATEND_ENOMEM: it then
 * offers some of both. */
int fe_registry_replace(struct fe_registry *registry, struct fe_peer *peer,
                        struct fe_offers offers) FE_MUST_USE;

/* How a request to `peer` went: 0 for a response that is whole, or the code that it failed with.
 * Only what says something about the provider counts: FLATEND_ETIMEDOUT, FLATEND_ERESET,
 * FLATEND_ECLOSED, FLATEND_EUNHANDLED. After FE_EJECT_AFTER of them in a row it is ejected; once it
 * is back, one more ejects it for twice as long, until it has answered FE_EJECT_AFTER times in a
 * row. `peer` may have left the registry. */
void fe_registry_report(struct fe_registry *registry, struct fe_peer *peer, int code);

/* Of the providers of any of `services` that are neither in `excluded` nor ejected: two chosen at
 * random, and of these the one with fewer streams open for its weight. If there is none, one of
 * weight 0; then one that is ejected. NULL: all are excluded, or not ready (peer->is_held).
 *
 * A provider counts for less than its weight by the share of its recent requests that have failed,
 * and for FE_RETURN_MS after it was ejected. Ejection is disregarded while more than half of the
 * providers are ejected: then what fails is hardly theirs, and the others could not do their work.
 */
struct fe_peer *fe_registry_choose(struct fe_registry *registry, const struct fe_view *services,
                                   size_t n_services, const uint64_t *excluded, size_t n_excluded);

/* The same among those only that take heads of `head_min` bytes. */
struct fe_peer *fe_registry_choose_for_head(struct fe_registry *registry,
                                            const struct fe_view *services, size_t n_services,
                                            const uint64_t *excluded, size_t n_excluded,
                                            uint32_t head_min);

/* Whether a provider of any of `services` that is not in `excluded` will be ready later. */
bool fe_registry_is_held(const struct fe_registry *registry, const struct fe_view *services,
                         size_t n_services, const uint64_t *excluded, size_t n_excluded);

struct fe_peer *fe_registry_find(struct fe_registry *registry, uint64_t handle);

/* Fills up to `cap` providers, each node once; returns how many there are. */
size_t fe_registry_list(struct fe_registry *registry, const struct fe_view *services,
                        size_t n_services, struct fe_peer **peers, size_t cap);

/* Every invariant: of all providers, and of one. */
void fe_registry_check(const struct fe_registry *registry);
void fe_registry_check_peer(const struct fe_registry *registry, const struct fe_peer *peer);

#endif
